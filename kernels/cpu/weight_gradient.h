// weight_gradient.h - the gradient of a convolution's weights.
#pragma once
#include "kernels/cpu/correlation.h"
#include "kernels/kernel_calls.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

// ---- the gradient of the weights ---------------------------------------------------------------------------

// A unit is a band of output rows of one image: x as in a correlation, dy as rows of the same length, with
// zeros in the columns that are not stored.
template <class T>
struct WeightPlan {
  Padded padded;
  int64_t in, out, depth;  // of a group; depth: channels x taps
  int64_t band, bands, length;
  int64_t x_size, dy_size;
  int64_t block, batches;  // units loaded at a time; partial sums
  const int64_t* offsets;
};

template <class T>
WeightPlan<T> make_weight_plan(const ConvolutionCall& call) {
  const int64_t kh = call.kernel_height, kw = call.kernel_width, sh = call.stride[0], sw = call.stride[1];
  WeightPlan<T> plan;
  plan.in = call.in_channels / call.groups, plan.out = call.out_channels / call.groups;
  plan.depth = plan.in * kh * kw;
  const int64_t last = (call.out_width - 1) * sw + (kw - 1) * call.dilation[1] + 1;
  plan.padded = {{sh, sw}, call.padding[0], call.padding[1], 0, (last + sw - 1) / sw};
  const int64_t halo = (kh - 1) * call.dilation[0] / sh, columns = plan.padded.columns;
  const int64_t row = columns * (plan.in * sh * sw + plan.out);
  plan.band = std::clamp<int64_t>(kCache<T> / row - halo, std::min<int64_t>(call.out_height, 4), call.out_height);
  plan.bands = (call.out_height + plan.band - 1) / plan.band;
  plan.band = (call.out_height + plan.bands - 1) / plan.bands;
  plan.padded.rows = plan.band + halo;
  plan.length = (plan.band * columns + kWidth<T> - 1) / kWidth<T> * kWidth<T>;
  plan.x_size = plan.in * plan.padded.plane() + kSlack<T>, plan.dy_size = plan.out * plan.length;
  const int64_t units = call.images * plan.bands, size = call.groups * plan.out * plan.depth;
  plan.batches = std::min<int64_t>(units, size > (1 << 20) ? 4 : 8);
  plan.block = std::clamp<int64_t>(kCache<T> / (plan.x_size + plan.dy_size), 1,
                                   (units + plan.batches - 1) / plan.batches);
  int64_t* offsets = numbers<int64_t>(kOffsets, plan.depth);
  plan.offsets = offsets;
  for (int64_t c = 0; c < plan.in; c++)
    for (int64_t i = 0; i < kh; i++)
      for (int64_t j = 0; j < kw; j++)
        *offsets++ = c * plan.padded.plane() + plan.padded.offset(i * call.dilation[0] - call.padding[0],
                                                                  j * call.dilation[1] - call.padding[1]);
  return plan;
}

// to[o][k] += the sum over units and pixels j of dys[o][j] * xs[offsets[k] + j], R x N of them at a time.
template <int R, int N, class T>
void add_products(const WeightPlan<T>& plan, int64_t units, const T* xs, const T* dys, T* to) {
  constexpr int W = kWidth<T>, kGroups = (R * N + W - 1) / W;
  for (int64_t o = 0; o < plan.out; o += R)
    for (int64_t k = 0; k < plan.depth; k += N) {
      const T *rows[R], *columns[N];
      for (int64_t i = 0; i < R; i++) rows[i] = dys + std::min(o + i, plan.out - 1) * plan.length;
      for (int64_t i = 0; i < N; i++) columns[i] = xs + plan.offsets[std::min(k + i, plan.depth - 1)];
      Vector<T> sums[R][N] = {};
      for (int64_t n = 0; n < units; n++)
        dot_tile<T, R, N>(
            plan.length, [&](int i) { return rows[i] + n * plan.dy_size; },
            [&](int i) { return columns[i] + n * plan.x_size; }, sums);
      Vector<T> groups[kGroups][W] = {};
      std::memcpy(groups, sums, sizeof sums);
      T total[kGroups * W];
      for (int i = 0; i < kGroups; i++) store(total + i * W, sums_of<T>(groups[i]));
      for (int64_t i = 0; i < std::min<int64_t>(R, plan.out - o); i++)
        for (int64_t u = 0; u < std::min<int64_t>(N, plan.depth - k); u++)
          to[(o + i) * plan.depth + k + u] += total[i * N + u];
    }
}

template <class T>
void load_unit(const ConvolutionCall& call, const WeightPlan<T>& plan, int64_t unit, int64_t g, T* xs, T* dys) {
  const int64_t image = unit / plan.bands, first = unit % plan.bands * plan.band;
  const int64_t rows = std::min(plan.band, call.out_height - first), width = call.out_width;
  const int64_t plane = call.height * call.width, out_plane = call.out_height * width;
  const T* x = static_cast<const T*>(call.input) + (image * call.groups + g) * plan.in * plane;
  const T* dy = static_cast<const T*>(call.output) + (image * call.groups + g) * plan.out * out_plane;
  for (int64_t c = 0; c < plan.in; c++)
    plan.padded.fill(x + c * plane, call.height, call.width, first * call.stride[0], xs + c * plan.padded.plane());
  std::fill_n(xs + plan.x_size - kSlack<T>, kSlack<T>, T(0));
  for (int64_t o = 0; o < plan.out; o++) {
    T *row = dys + o * plan.length, *end = row + plan.length;
    for (int64_t r = 0; r < rows; r++, row += plan.padded.columns) {
      copy_row(row, dy + o * out_plane + (first + r) * width, width);
      for (int64_t c = width; c < plan.padded.columns; c++) row[c] = 0;
    }
    std::fill(row, end, T(0));
  }
}

template <class T>
void weight_gradient(const ConvolutionCall& call) {
  const WeightPlan<T> plan = make_weight_plan<T>(call);
  const int64_t units = call.images * plan.bands, group_size = plan.out * plan.depth;
  const int64_t size = call.groups * group_size;
  T *partial = numbers<T>(kWeights, plan.batches * size), *dw = static_cast<T*>(call.weight);
  parallel(plan.batches * call.groups, [&](int64_t chunk) {
    const int64_t b = chunk / call.groups, g = chunk % call.groups, last = (b + 1) * units / plan.batches;
    T* to = partial + b * size + g * group_size;
    std::fill_n(to, group_size, T(0));
    T *xs = numbers<T>(kImage, plan.block * plan.x_size), *dys = numbers<T>(kOutput, plan.block * plan.dy_size);
    for (int64_t unit = b * units / plan.batches; unit < last; unit += plan.block) {
      const int64_t n = std::min(plan.block, last - unit);
      for (int64_t i = 0; i < n; i++)
        load_unit(call, plan, unit + i, g, xs + i * plan.x_size, dys + i * plan.dy_size);
      if (plan.out == 1) add_products<1, 12>(plan, n, xs, dys, to);
      else if (kTileRows > 8) add_products<6, 4>(plan, n, xs, dys, to);
      else add_products<3, 3>(plan, n, xs, dys, to);
    }
  });
  parallel_rows(size, 16384, [&](int64_t first, int64_t last) {
    std::copy(partial + first, partial + last, dw + first);
    for (int64_t b = 1; b < plan.batches; b++)
      for (int64_t i = first; i < last; i++) dw[i] += partial[b * size + i];
  });
}

}  // namespace
}  // namespace bolide::inline BOLIDE_ISA
