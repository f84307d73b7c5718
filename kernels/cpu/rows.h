// rows.h - plain loops over the numbers of a row, for the compiler to vectorise.
//
// Lambdas that are given to these loops capture by value: by reference, the compiler must assume that a store
// changes what was captured, and leaves the loop scalar.
#pragma once
#include <algorithm>

#include "kernels/cpu/types.h"
#include "kernels/math.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

template <int kLanes, class X, class C, class F>
BOLIDE_FN X reduce_lanes(int64_t n, X first, C combine, F value) {
  decltype(X::v) lanes[kLanes];
  for (auto& lane : lanes) lane = first.v;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
#pragma GCC ivdep
    for (int j = 0; j < kLanes; j++) lanes[j] = combine(X(lanes[j]), value(i + j)).v;
#pragma GCC ivdep
  for (int64_t j = 0; j < n - i; j++) lanes[j] = combine(X(lanes[j]), value(i + j)).v;
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int j = 0; j < width; j++) lanes[j] = combine(X(lanes[j]), X(lanes[j + width])).v;
  return lanes[0];
}

// Combines value(0) .. value(n - 1), in an order that depends on n alone. `value` may store what it computes.
template <class X, class C, class F>
BOLIDE_FN X reduce_row(int64_t n, X first, C combine, F value) {
  if (n < 64) return reduce_lanes<16>(n, first, combine, value);
  return reduce_lanes<64>(n, first, combine, value);
}
template <class X, class F>
BOLIDE_FN X sum_row(int64_t n, F value) {
  return reduce_row(n, X(0), [](X a, X b) { return a + b; }, value);
}
template <class X, class S>
BOLIDE_FN X max_row(int64_t n, const S* x) {
  using T = decltype(X::v);
  return reduce_row(
      n, X(-kInf<T>), [](X a, X b) { return maximum(a, b); }, [=](int64_t i) { return X(load_as<T>(x[i])); });
}
template <class F>
BOLIDE_FN void for_row(int64_t n, F f) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++) f(i);
}

// Rows of n numbers for about ten microseconds of work.
inline int64_t row_grain(int64_t n) { return std::max<int64_t>(1, 32768 / (n + 1)); }

}  // namespace
}  // namespace bolide::inline BOLIDE_ISA
