// overlap.cpp - two elements share a place where some sum of d[i] * strides[i] is 0, with |d[i]| < sizes[i], not all 0.
#include "runtime/overlap.h"

#include <algorithm>
#include <cstdlib>

namespace bolide {
namespace {

class Search {
 public:
  Search(const Dims& sizes, const Dims& strides) {
    int order[kMaxRank];
    for (int d = 0; d < sizes.rank(); d++)
      if (sizes[d] > 1) order[n_++] = d;
    std::sort(order, order + n_, [&](int a, int b) { return std::abs(strides[a]) < std::abs(strides[b]); });
    __int128 reach = 0;
    for (int i = 0; i < n_; i++) {
      stride_[i] = std::abs(strides[order[i]]), most_[i] = sizes[order[i]] - 1;
      nested_ = nested_ && stride_[i] > reach;  // each larger than all smaller ones together: the usual case
      reach_[i] = reach += __int128(stride_[i]) * most_[i];
    }
  }
  bool found() {
    if (nested_) return false;
    for (int i = 0; i < n_; i++)
      if (stride_[i] == 0) return true;
    // The largest dimension that differs, d of it in one direction; the smaller ones have to make up for it.
    for (int i = 1; i < n_; i++)
      for (int64_t d = 1; d <= most_[i] && __int128(d) * stride_[i] <= reach_[i - 1]; d++)
        if (sums_to(i - 1, __int128(d) * stride_[i])) return true;
    return false;
  }

 private:
  static constexpr int kSteps = 1 << 20;  // then it is taken for one without overlap
  // Can dimensions 0 to i give this sum?
  bool sums_to(int i, __int128 wanted) {
    if (wanted < 0) wanted = -wanted;
    if (wanted == 0) return true;
    if (i < 0 || wanted > reach_[i] || ++steps_ > kSteps) return false;
    const __int128 rest = i > 0 ? reach_[i - 1] : 0, stride = stride_[i];
    const __int128 least = wanted - rest;  // divided and rounded up
    const auto low =
        int64_t(std::max<__int128>(least > 0 ? (least + stride - 1) / stride : least / stride, -__int128(most_[i])));
    const auto high = int64_t(std::min<__int128>((wanted + rest) / stride, most_[i]));
    for (int64_t d = high; d >= low; d--)
      if (sums_to(i - 1, wanted - d * stride)) return true;
    return false;
  }

  int n_ = 0, steps_ = 0;
  bool nested_ = true;
  int64_t stride_[kMaxRank], most_[kMaxRank];
  __int128 reach_[kMaxRank];  // of dimensions 0 to i together
};

}  // namespace

bool overlaps_itself(const Dims& sizes, const Dims& strides) {
  for (int64_t size : sizes)
    if (size == 0) return false;
  return Search(sizes, strides).found();
}

}  // namespace bolide
