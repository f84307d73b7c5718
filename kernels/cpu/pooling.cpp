// pooling.cpp - the largest number of each window of a plane, where it was, and the way back.
//
// The rows that a band of outputs reads are copied once, as numbers to compute in, with minus infinity around
// them; then every tap is a load at a constant distance and a vector of outputs stays in registers. What is
// kept is the number of the winning tap, from which the place within the plane is made at the end.
#include "kernels/cpu/rows.h"
#include "kernels/cpu/simd.h"
#include "kernels/threads.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

// The first tap of a window starting at `start` that is not before the plane, and the first one after it.
int64_t first_inside(int64_t start, int64_t dilation) { return start < 0 ? (-start + dilation - 1) / dilation : 0; }
int64_t end_inside(int64_t start, int64_t kernel, int64_t dilation, int64_t size) {
  return start < size ? std::min(kernel, (size - start + dilation - 1) / dilation) : 0;
}

// What all chunks of a call share.
template <class T>
struct PoolPlan {
  int64_t band, bands;         // output rows at a time
  int64_t columns;             // of a copied row
  const int64_t* tap_offsets;  // of each tap within the plane, from the window's first
  const IntOf<T>* first_taps;  // of each output column, rounded up to whole vectors: the first tap in the plane
};

// kWidth numbers `step` apart.
template <class T>
BOLIDE_FN Vector<T> load_every(const T* x, int64_t step) {
  constexpr int W = kWidth<T>;
  if (step == 1) return load(x);
  if (step == 2) {
    typename VectorTypes<T>::Index even;
    for (int i = 0; i < W; i++) even[i] = 2 * i;
    return __builtin_shuffle(load(x), load(x + W), even);
  }
  T lanes[W];
  for (int i = 0; i < W; i++) lanes[i] = x[i * step];
  return load(lanes);
}

template <class S, class T>
void copy_band(const MaxPoolCall& call, const PoolPlan<T>& plan, const S* in, int64_t first_row, int64_t rows, T* to) {
  const int64_t left = std::min(call.padding[1], plan.columns), width = std::min(call.width, plan.columns - left);
  for (int64_t r = 0; r < rows; r++, to += plan.columns) {
    const int64_t y = first_row + r;
    if (y < 0 || y >= call.height) continue;  // no tap reads it
    const S* from = in + y * call.width;
    std::fill_n(to, left, -kInf<T>);
    for_row(width, [=](int64_t x) { to[left + x] = load_as<T>(from[x]); });
    std::fill_n(to + left + width, plan.columns - left - width, -kInf<T>);
  }
}

// Outputs x .. x + kWidth of a row; `band` is the copied row of the window's first tap, `place` the place of
// that tap within the plane.
template <class S, class T>
BOLIDE_FN void pool_vector(const MaxPoolCall& call, const PoolPlan<T>& plan, const T* band, int64_t y_first,
                           int64_t y_end, int64_t x, int64_t place, S* out, int64_t* indices) {
  using Index = typename VectorTypes<T>::Index;
  constexpr int W = kWidth<T>;
  const int64_t kernel_width = call.kernel[1], step = call.stride[1];
  const int64_t n = std::min<int64_t>(W, call.out_width - x);
  Vector<T> best = Vector<T>{} - kInf<T>;
  Index tap;
  std::memcpy(&tap, plan.first_taps + x, sizeof tap);
  tap += IntOf<T>(y_first * kernel_width);
  for (int64_t i = y_first; i < y_end; i++)
    for (int64_t j = 0; j < kernel_width; j++) {
      const Vector<T> v =
          load_every(band + i * call.dilation[0] * plan.columns + x * step + j * call.dilation[1], step);
      const Index larger = (v > best) | (v != v), number = Index{} + IntOf<T>(i * kernel_width + j);
      best = larger ? v : best;
      tap = larger ? number : tap;
    }
  T values[W];
  IntOf<T> taps[W];
  std::memcpy(values, &best, sizeof values), std::memcpy(taps, &tap, sizeof taps);
  for (int64_t i = 0; i < n; i++) {
    out[x + i] = store_as<S>(values[i]);
    indices[x + i] = place + (x + i) * step + plan.tap_offsets[taps[i]];
  }
}

template <class S>
void pool_band(const MaxPoolCall& call, const PoolPlan<ComputeOf<S>>& plan, int64_t plane, int64_t first,
               int64_t last) {
  using T = ComputeOf<S>;
  const int64_t first_row = first * call.stride[0] - call.padding[0];
  const int64_t rows = (last - 1 - first) * call.stride[0] + (call.kernel[0] - 1) * call.dilation[0] + 1;
  T* band = static_cast<T*>(scratch(0, rows * plan.columns * int64_t(sizeof(T))));
  copy_band(call, plan, static_cast<const S*>(call.input) + plane * call.height * call.width, first_row, rows, band);
  for (int64_t y = first; y < last; y++) {
    const int64_t y0 = y * call.stride[0] - call.padding[0], row = (plane * call.out_height + y) * call.out_width;
    const int64_t y_first = first_inside(y0, call.dilation[0]);
    const int64_t y_end = end_inside(y0, call.kernel[0], call.dilation[0], call.height);
    for (int64_t x = 0; x < call.out_width; x += kWidth<T>)
      pool_vector(call, plan, band + (y0 - first_row) * plan.columns, y_first, y_end, x,
                  y0 * call.width - call.padding[1], static_cast<S*>(call.output) + row, call.indices + row);
  }
}

template <class S>
void pool(const MaxPoolCall& call) {
  using T = ComputeOf<S>;
  constexpr int64_t W = kWidth<T>, kBandSize = 16384;
  if (call.planes * call.out_height * call.out_width == 0) return;
  const int64_t taps = call.kernel[0] * call.kernel[1];
  int64_t* offsets = static_cast<int64_t*>(scratch(1, taps * int64_t(sizeof(int64_t))));
  for (int64_t t = 0; t < taps; t++)
    offsets[t] = t / call.kernel[1] * call.dilation[0] * call.width + t % call.kernel[1] * call.dilation[1];
  const int64_t whole = (call.out_width + W - 1) / W * W;
  IntOf<T>* first_taps = static_cast<IntOf<T>*>(scratch(2, whole * int64_t(sizeof(T))));
  for (int64_t x = 0; x < whole; x++)
    first_taps[x] = IntOf<T>(first_inside(x * call.stride[1] - call.padding[1], call.dilation[1]));
  PoolPlan<T> plan;
  plan.tap_offsets = offsets, plan.first_taps = first_taps;
  plan.columns = (whole + W) * call.stride[1] + (call.kernel[1] - 1) * call.dilation[1];
  plan.band = std::clamp<int64_t>(kBandSize / (plan.columns * call.stride[0]), 1, call.out_height);
  plan.bands = (call.out_height + plan.band - 1) / plan.band;
  const int64_t work = plan.band * plan.columns * (call.stride[0] + call.kernel[0]);
  parallel_rows(call.planes * plan.bands, 32768 / work + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t first = i % plan.bands * plan.band;
      pool_band<S>(call, plan, i / plan.bands, first, std::min(first + plan.band, call.out_height));
    }
  });
}

template <class S>
void unpool(const MaxPoolCall& call) {
  using T = ComputeOf<S>;
  const int64_t size = call.height * call.width, out_size = call.out_height * call.out_width;
  parallel_rows(call.planes, 32768 / (size + out_size + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; plane++) {
      S* in = static_cast<S*>(call.input) + plane * size;
      const S* out = static_cast<const S*>(call.output) + plane * out_size;
      const int64_t* indices = call.indices + plane * out_size;
      T* sums;
      if constexpr (kIsHalf<S>) sums = static_cast<T*>(scratch(0, size * int64_t(sizeof(T))));
      else sums = in;
      std::fill_n(sums, size, T(0));
      for (int64_t i = 0; i < out_size; i++) sums[indices[i]] += load_as<T>(out[i]);
      if constexpr (kIsHalf<S>) for_row(size, [=](int64_t i) { in[i] = store_as<S>(sums[i]); });
    }
  });
}

}  // namespace

void max_pool(const MaxPoolCall& call) {
  for_dtype<BOLIDE_FLOATS>("max_pool2d", call.dtype, [&]<class S> {
    if (call.backward) unpool<S>(call);
    else pool<S>(call);
  });
}

}  // namespace bolide::inline BOLIDE_ISA
