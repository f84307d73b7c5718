// weight_gradient.h - the gradient of a convolution's weights: sums over images and pixels of dy times x.
//
// The work is cut into units, bands of output rows of one image, and these into a few batches, each of which
// has a partial sum of its own; at the end these are added in order. In a batch there are two ways:
//
//   by channel: x and dy of a unit are turned, so that the channels of a pixel are neighbours. For each tap
//               product_tile adds up (output channel) x (vector of input channels) over the pixels that the
//               tap reads
//   by pixel:   for few input channels. x lies with its border of zeros as in a correlation, dy in rows of the
//               same length with zeros in the columns that are not outputs, and dot_tile multiplies rows
#pragma once
#include "kernels/cpu/correlation.h"
#include "kernels/kernel_calls.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

struct Batches {
  int64_t units, count;
  int64_t first(int64_t b) const { return b * units / count; }
};
inline Batches cut_batches(int64_t units, int64_t weights) {
  return {units, std::min<int64_t>(units, weights > (1 << 20) ? 4 : 8)};
}

// ---- by channel --------------------------------------------------------------------------------------------

// Sizes of one group of channels; x as [pixel][x_width], dy as [panel of channels][pixel][kPanelRows].
template <class T>
struct ChannelPlan {
  int64_t in, out, taps;
  int64_t x_width;             // in, rounded up to whole vectors
  int64_t panel_rows, panels;  // of dy's channels
  int64_t band, bands, block;  // output rows of a unit, units of an image, units loaded at a time
  int64_t x_rows, x_size, dy_pixels, dy_size;
  int64_t sums() const { return taps * out * x_width; }  // [tap][out][x_width]
};

template <class T>
ChannelPlan<T> make_channel_plan(const ConvolutionCall& call) {
  ChannelPlan<T> plan;
  plan.in = call.in_channels / call.groups, plan.out = call.out_channels / call.groups;
  plan.taps = call.kernel_height * call.kernel_width;
  plan.x_width = parts(plan.in, kWidth<T>) * kWidth<T>;
  plan.panel_rows = even_part(plan.out, kTileRows), plan.panels = parts(plan.out, plan.panel_rows);
  const int64_t dy_width = plan.panels * kPanelRows<T>, reach = (call.kernel_height - 1) * call.dilation[0];
  const int64_t row = call.stride[0] * call.width * plan.x_width + call.out_width * dy_width;
  const int64_t most = std::clamp<int64_t>(kCache<T> / row, 1, call.out_height);
  plan.band = even_part(call.out_height, most), plan.bands = parts(call.out_height, plan.band);
  plan.x_rows = std::min(call.height, (plan.band - 1) * call.stride[0] + reach + 1);
  plan.x_size = plan.x_rows * call.width * plan.x_width;
  plan.dy_pixels = plan.band * call.out_width, plan.dy_size = plan.dy_pixels * dy_width;
  plan.block = std::max<int64_t>(1, kCache<T> / (plan.x_size + plan.dy_size));
  return plan;
}

// A unit that is loaded, and which of its rows there are.
template <class T>
struct ChannelUnit {
  int64_t y_first, rows;  // output rows
  int64_t x_first;        // input row that x starts with
  const T *x, *dy;
};

template <class T>
ChannelUnit<T> load_channels(const ConvolutionCall& call, const ChannelPlan<T>& plan, int64_t unit, int64_t g, T* x,
                             T* dy) {
  const int64_t image = unit / plan.bands, plane = call.height * call.width;
  const int64_t out_plane = call.out_height * call.out_width;
  ChannelUnit<T> u;
  u.y_first = unit % plan.bands * plan.band, u.rows = std::min(plan.band, call.out_height - u.y_first);
  u.x_first = std::clamp<int64_t>(u.y_first * call.stride[0] - call.padding[0], 0, call.height);
  u.x = x, u.dy = dy;
  const int64_t x_rows = std::min(plan.x_rows, call.height - u.x_first), pixels = u.rows * call.out_width;
  const T* from = static_cast<const T*>(call.input) + (image * call.groups + g) * plan.in * plane;
  pack(from + u.x_first * call.width, plane, 1, plan.in, x_rows * call.width, int(plan.x_width), int(plan.x_width), x);
  const T* dy_from = static_cast<const T*>(call.output) + (image * call.groups + g) * plan.out * out_plane;
  pack(dy_from + u.y_first * call.out_width, out_plane, 1, plan.out, pixels, int(plan.panel_rows), kPanelRows<T>, dy);
  return u;
}

// Those i in [0, count) for which i * stride + shift is in [0, size).
struct Range {
  int64_t first, last;
};
inline Range inside(int64_t count, int64_t stride, int64_t shift, int64_t size) {
  const int64_t first = shift < 0 ? parts(-shift, stride) : 0;
  const int64_t last = shift < size ? std::min(count, parts(size - shift, stride)) : 0;
  return {first, std::max(first, last)};
}

template <class T>
struct ChannelTile {
  const ConvolutionCall* call;
  const ChannelPlan<T>* plan;
  const ChannelUnit<T>* units;
  int64_t unit_count, tap_y, tap_x, panel, channel;  // tap_y, tap_x: distance from an output pixel's first
  T* to;
  int64_t rows;
};

template <class T, int R, int N>
void run_sum_tile(const ChannelTile<T>& t) {
  const ConvolutionCall& call = *t.call;
  const int64_t step = call.stride[1] * t.plan->x_width;
  const Range columns = inside(call.out_width, call.stride[1], t.tap_x, call.width);
  Vector<T> sums[R][N] = {};
  for (int64_t i = 0; i < t.unit_count; i++) {
    const ChannelUnit<T>& u = t.units[i];
    const T* dy = u.dy + t.panel * u.rows * call.out_width * kPanelRows<T> + columns.first * kPanelRows<T>;
    const Range rows = inside(u.rows, call.stride[0], u.y_first * call.stride[0] + t.tap_y, call.height);
    for (int64_t r = rows.first; r < rows.last; r++) {
      const int64_t y = (u.y_first + r) * call.stride[0] + t.tap_y - u.x_first;
      const T* x = u.x + (y * call.width + t.tap_x) * t.plan->x_width + columns.first * step + t.channel;
      const T* d = dy + r * call.out_width * kPanelRows<T>;
      product_tile<T, R, N>(
          columns.last - columns.first, [&](int j, int64_t k) { return d[k * kPanelRows<T> + j]; },
          [&](int64_t k) { return x + k * step; }, kWidth<T>, sums);
    }
  }
#pragma GCC unroll 16
  for (int j = 0; j < R; j++)
#pragma GCC unroll 4
    for (int n = 0; n < N; n++) {
      T* to = t.to + j * t.plan->x_width + n * kWidth<T>;
      store(to, load(to) + sums[j][n]);
    }
}
template <class T, int... r>
void run_sum_tile_of(int rows, int vectors, const ChannelTile<T>& t, std::integer_sequence<int, r...>) {
  static constexpr void (*tiles[2][kTileRows])(const ChannelTile<T>&) = {{run_sum_tile<T, r + 1, 1>...},
                                                                         {run_sum_tile<T, r + 1, 2>...}};
  tiles[vectors - 1][rows - 1](t);
}

template <class T>
void add_units(const ConvolutionCall& call, const ChannelPlan<T>& plan, const ChannelUnit<T>* units, int64_t count,
               T* sums) {
  ChannelTile<T> t{};
  t.call = &call, t.plan = &plan, t.units = units, t.unit_count = count;
  for (int64_t tap = 0; tap < plan.taps; tap++) {
    t.tap_y = tap / call.kernel_width * call.dilation[0] - call.padding[0];
    t.tap_x = tap % call.kernel_width * call.dilation[1] - call.padding[1];
    for (t.channel = 0; t.channel < plan.x_width; t.channel += kTileColumns<T>)
      for (t.panel = 0; t.panel < plan.panels; t.panel++) {
        const int64_t o = t.panel * plan.panel_rows, rows = std::min(plan.panel_rows, plan.out - o);
        t.to = sums + (tap * plan.out + o) * plan.x_width + t.channel;
        run_sum_tile_of(int(rows), plan.x_width - t.channel <= kWidth<T> ? 1 : 2, t,
                        std::make_integer_sequence<int, kTileRows>());
      }
  }
}

template <class T>
void weight_gradient_by_channel(const ConvolutionCall& call) {
  constexpr int64_t kBlock = 16;
  const ChannelPlan<T> plan = make_channel_plan<T>(call);
  const int64_t size = plan.sums(), total = call.groups * size;
  const Batches batches = cut_batches(call.images * plan.bands, total);
  T *partial = numbers<T>(kWeights, batches.count * total), *dw = static_cast<T*>(call.weight);
  parallel(batches.count * call.groups, [&](int64_t chunk) {
    const int64_t b = chunk / call.groups, g = chunk % call.groups, last = batches.first(b + 1);
    const int64_t block = std::min({plan.block, kBlock, last - batches.first(b)});
    T* sums = partial + b * total + g * size;
    std::fill_n(sums, size, T(0));
    T *x = numbers<T>(kImage, block * plan.x_size), *dy = numbers<T>(kOutput, block * plan.dy_size);
    for (int64_t unit = batches.first(b); unit < last; unit += block) {
      ChannelUnit<T> units[kBlock];
      const int64_t n = std::min(block, last - unit);
      for (int64_t i = 0; i < n; i++)
        units[i] = load_channels(call, plan, unit + i, g, x + i * plan.x_size, dy + i * plan.dy_size);
      add_units(call, plan, units, n, sums);
    }
  });
  // dw[group][out][in][tap] from partial[batch][group][tap][out][x_width]
  parallel_rows(call.groups * plan.out, 16384 / (plan.in * plan.taps) + 1, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; row++) {
      const T* from = partial + row / plan.out * size + row % plan.out * plan.x_width;
      T* to = dw + row * plan.in * plan.taps;
      for (int64_t tap = 0; tap < plan.taps; tap++, from += plan.out * plan.x_width)
        for (int64_t c = 0; c < plan.in; c++) {
          T sum = from[c];
          for (int64_t b = 1; b < batches.count; b++) sum += from[b * total + c];
          to[c * plan.taps + tap] = sum;
        }
    }
  });
}

// ---- by pixel ----------------------------------------------------------------------------------------------

template <class T>
struct PixelPlan {
  Padded padded;
  int64_t in, out, depth;  // of a group; depth: channels x taps
  int64_t band, bands, length;
  int64_t x_size, dy_size;
  int64_t block;           // units loaded at a time
  Batches batches;
  const int64_t* offsets;
};

template <class T>
PixelPlan<T> make_pixel_plan(const ConvolutionCall& call) {
  const int64_t kh = call.kernel_height, kw = call.kernel_width, sh = call.stride[0], sw = call.stride[1];
  PixelPlan<T> plan;
  plan.in = call.in_channels / call.groups, plan.out = call.out_channels / call.groups;
  plan.depth = plan.in * kh * kw;
  const int64_t last = (call.out_width - 1) * sw + (kw - 1) * call.dilation[1] + 1;
  plan.padded = {{sh, sw}, call.padding[0], call.padding[1], 0, (last + sw - 1) / sw};
  const int64_t halo = (kh - 1) * call.dilation[0] / sh, columns = plan.padded.columns;
  const int64_t row = columns * (plan.in * sh * sw + plan.out);
  plan.band = std::clamp<int64_t>(kCache<T> / row - halo, std::min<int64_t>(call.out_height, 4), call.out_height);
  plan.bands = parts(call.out_height, plan.band);
  plan.band = parts(call.out_height, plan.bands);
  plan.padded.rows = plan.band + halo;
  plan.length = (plan.band * columns + kWidth<T> - 1) / kWidth<T> * kWidth<T>;
  plan.x_size = plan.in * plan.padded.plane() + kSlack<T>, plan.dy_size = plan.out * plan.length;
  const int64_t units = call.images * plan.bands;
  plan.batches = cut_batches(units, call.groups * plan.out * plan.depth);
  plan.block = std::clamp<int64_t>(kCache<T> / (plan.x_size + plan.dy_size), 1, parts(units, plan.batches.count));
  int64_t* offsets = numbers<int64_t>(kOffsets, plan.depth);
  plan.offsets = offsets;
  for (int64_t c = 0; c < plan.in; c++)
    for (int64_t i = 0; i < kh; i++)
      for (int64_t j = 0; j < kw; j++)
        *offsets++ = c * plan.padded.plane() +
                     plan.padded.offset(i * call.dilation[0] - call.padding[0], j * call.dilation[1] - call.padding[1]);
  return plan;
}

// to[o][k] += the sum over units and pixels j of dys[o][j] * xs[offsets[k] + j], R x N of them at a time.
template <int R, int N, class T>
void add_products(const PixelPlan<T>& plan, int64_t units, const T* xs, const T* dys, T* to) {
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
void load_pixels(const ConvolutionCall& call, const PixelPlan<T>& plan, int64_t unit, int64_t g, T* xs, T* dys) {
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
void weight_gradient_by_pixel(const ConvolutionCall& call) {
  const PixelPlan<T> plan = make_pixel_plan<T>(call);
  const Batches& batches = plan.batches;
  const int64_t group_size = plan.out * plan.depth, size = call.groups * group_size;
  T *partial = numbers<T>(kWeights, batches.count * size), *dw = static_cast<T*>(call.weight);
  parallel(batches.count * call.groups, [&](int64_t chunk) {
    const int64_t b = chunk / call.groups, g = chunk % call.groups, last = batches.first(b + 1);
    T* to = partial + b * size + g * group_size;
    std::fill_n(to, group_size, T(0));
    T *xs = numbers<T>(kImage, plan.block * plan.x_size), *dys = numbers<T>(kOutput, plan.block * plan.dy_size);
    for (int64_t unit = batches.first(b); unit < last; unit += plan.block) {
      const int64_t n = std::min(plan.block, last - unit);
      for (int64_t i = 0; i < n; i++)
        load_pixels(call, plan, unit + i, g, xs + i * plan.x_size, dys + i * plan.dy_size);
      if (plan.out == 1) add_products<1, 12>(plan, n, xs, dys, to);
      else if (kTileRows > 8) add_products<6, 4>(plan, n, xs, dys, to);
      else add_products<3, 3>(plan, n, xs, dys, to);
    }
  });
  parallel_rows(size, 16384, [&](int64_t first, int64_t last) {
    std::copy(partial + first, partial + last, dw + first);
    for (int64_t b = 1; b < batches.count; b++)
      for (int64_t i = first; i < last; i++) dw[i] += partial[b * size + i];
  });
}

template <class T>
void weight_gradient(const ConvolutionCall& call) {
  const int64_t in = call.in_channels / call.groups, whole = parts(in, kWidth<T>) * kWidth<T>;
  if (4 * in >= 3 * whole && call.out_channels > call.groups) weight_gradient_by_channel<T>(call);
  else weight_gradient_by_pixel<T>(call);
}

}  // namespace
}  // namespace bolide::inline BOLIDE_ISA
