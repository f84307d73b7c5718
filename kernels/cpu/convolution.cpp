// convolution.cpp - 2-d convolution as a matrix product whose rows of B are the image itself, shifted.
//
// An image is copied once, band by band, with its border of zeros (padded.h). Row (channel, tap) of the matrix
// that im2col would build is then a piece of the padded image, and product_tile reads it in place. The price
// is a few output columns at the end of each row, as many as the border is wide, that are computed and not
// stored.
//
// The gradient for the input is the same product with other taps: one for each of the stride[0] * stride[1]
// parts of the input. The gradient for the weights is dot_tile over the pixels, with zeros in the columns that
// are not stored. A kernel of one pixel is a plain matrix product. Half types are converted to float as whole
// arrays.
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

#include "kernels/cpu/padded.h"
#include "kernels/cpu/tile.h"
#include "kernels/cpu/types.h"
#include "kernels/threads.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

template <class T>
constexpr int64_t kSlack = 16 * kWidth<T>;  // numbers that tiles may read after the end of a padded image
template <class T>
constexpr int64_t kCache = 512 * 1024 / sizeof(T);  // numbers of padded image at a time: half of L2
template <class T>
constexpr int kPanel = (kTileRows + kWidth<T> - 1) / kWidth<T> * kWidth<T>;

template <class T>
T* numbers(int slot, int64_t count) {
  return static_cast<T*>(scratch(slot, count * int64_t(sizeof(T))));
}
// What a slot of the scratch memory is used for; 0 and 1 are the matrix product's.
enum Slot { kWeights = 2, kImage, kOutput, kOffsets, kPieces, kTaps };

struct Tap {
  int64_t y, x, weight;  // where it reads, in pixels from (0, 0) of the output; index in the kernel
};

// ---- forward, and the gradient of the input ----------------------------------------------------------------

// out[n][o][y * step][x * step] = bias[o] + the sum over channels c and taps of
//     w(o, c, tap) in[n][c][y * stride + tap.y][x * stride + tap.x]
template <class T>
struct Correlation {
  int64_t images, in, height, width, stride[2];  // in: channels of a group
  int64_t out, rows, columns, step[2], out_width, out_plane;
  int64_t groups;
  int64_t w_out, w_in, w_group;  // steps of w
  const Tap* taps;
  int64_t tap_count;
  const T *x, *w, *bias;
  T* y;
  int64_t depth() const { return in * tap_count; }
  int64_t panels() const { return (out + kTileRows - 1) / kTileRows; }
  int64_t panel_rows() const { return (out + panels() - 1) / panels(); }  // all panels about the same
  bool thin() const { return out == 1; }  // one output channel a group: depthwise
};

// Where the columns of a tile go in the output: pieces of rows. With few products a pixel, cutting costs more
// than it saves: there a tile is two whole vectors of one output row, which overlap if need be, and it has no
// pieces.
struct Piece {
  int64_t column, to, n;
};
template <class T>
struct TileCall {
  int64_t depth;
  const T *weights, *image;
  const int64_t* offsets;
  const T* bias;
  T* out;
  int64_t out_plane, out_step;
  const Piece *pieces, *pieces_end;
  int64_t step;  // kWidth or less: overlapping vectors, stored whole
};

template <class T, int R, int N>
void run_tile(const TileCall<T>& t) {
  Vector<T> sums[R][N];
#pragma GCC unroll 16
  for (int i = 0; i < R; i++)
#pragma GCC unroll 4
    for (int n = 0; n < N; n++) sums[i][n] = Vector<T>{} + (t.bias ? t.bias[i] : T(0));
  product_tile<T, R, N>(
      t.depth, [&](int i, int64_t k) { return t.weights[k * kPanel<T> + i]; },
      [&](int64_t k) { return t.image + t.offsets[k]; }, t.step, sums);
  if (!t.pieces) {
#pragma GCC unroll 16
    for (int i = 0; i < R; i++)
#pragma GCC unroll 4
      for (int n = 0; n < N; n++) store(t.out + i * t.out_plane + n * t.step, sums[i][n]);
    return;
  }
  T tile[R][N * kWidth<T>];
  std::memcpy(tile, sums, sizeof tile);
  for (const Piece* p = t.pieces; p != t.pieces_end; p++)
    for (int i = 0; i < R; i++) {
      T* to = t.out + i * t.out_plane + p->to;
      if (t.out_step == 1) copy_short(to, tile[i] + p->column, p->n);
      else
        for (int64_t j = 0; j < p->n; j++) to[j * t.out_step] = tile[i][p->column + j];
    }
}
template <class T, int... r>
void run_tile_of(int rows, int vectors, const TileCall<T>& t, std::integer_sequence<int, r...>) {
  static constexpr void (*tiles[2][kTileRows])(const TileCall<T>&) = {{run_tile<T, r + 1, 1>...},
                                                                      {run_tile<T, r + 1, 2>...}};
  tiles[vectors - 1][rows - 1](t);
}

// Everything that the chunks of a correlation share, in the scratch memory of the caller.
template <class T>
struct Plan {
  Padded padded;
  int64_t band, bands;      // output rows at a time
  const int64_t* offsets;   // of (channel, tap) in the padded image
  const T* weights;         // panels [group][panel][depth][kPanel]; [group][depth] where thin
  bool by_row;
  const Piece* pieces;      // of all tiles; those of tile i start at first_piece[i]
  const int64_t* first_piece;
};

template <class T>
const T* pack_weights(const Correlation<T>& s) {
  const int64_t depth = s.depth(), panels = s.panels();
  const bool thin = s.thin();
  T* weights = numbers<T>(kWeights, s.groups * (thin ? depth : panels * depth * kPanel<T>));
  parallel_rows(s.groups * panels, 16384 / (depth + 1) + 1, [&](int64_t first, int64_t last) {
    for (int64_t gp = first; gp < last; gp++) {
      const int64_t g = gp / panels, o0 = gp % panels * s.panel_rows(), n = std::min(s.panel_rows(), s.out - o0);
      const T* from = s.w + g * s.w_group + o0 * s.w_out;
      T* to = weights + (thin ? g * depth : gp * depth * kPanel<T>);
      for (int64_t c = 0; c < s.in; c++)
        for (int64_t t = 0; t < s.tap_count; t++)
          for (int64_t o = 0; o < (thin ? 1 : kPanel<T>); o++)
            *to++ = o < n ? from[o * s.w_out + c * s.w_in + s.taps[t].weight] : T(0);
    }
  });
  return weights;
}

template <class T>
void cut_pieces(const Correlation<T>& s, Plan<T>& plan) {
  const int64_t columns = plan.padded.columns, total = plan.band * columns;
  const int64_t tiles = (total + kTileColumns<T> - 1) / kTileColumns<T>;
  int64_t* first = static_cast<int64_t*>(
      scratch(kPieces, (tiles + 1) * int64_t(sizeof(int64_t)) + (tiles + plan.band) * int64_t(sizeof(Piece))));
  Piece* pieces = reinterpret_cast<Piece*>(first + tiles + 1);
  int64_t count = 0;
  for (int64_t tile = 0; tile < tiles; tile++) {
    const int64_t start = tile * kTileColumns<T>, stop = std::min(start + kTileColumns<T>, total);
    first[tile] = count;
    for (int64_t c = start; c < stop;) {
      const int64_t row = c / columns, at = c % columns, end = std::min(stop, (row + 1) * columns);
      if (at < s.columns)
        pieces[count++] = {c - start, row * s.step[0] * s.out_width + at * s.step[1],
                           std::min(end - c, s.columns - at)};
      c = end;
    }
  }
  first[tiles] = count;
  plan.pieces = pieces, plan.first_piece = first;
}

template <class T>
Plan<T> make_plan(const Correlation<T>& s) {
  int64_t top = 0, left = 0, bottom = 0, right = 0;
  for (int64_t t = 0; t < s.tap_count; t++) {
    top = std::max(top, -s.taps[t].y), bottom = std::max(bottom, s.taps[t].y);
    left = std::max(left, -s.taps[t].x), right = std::max(right, s.taps[t].x);
  }
  Plan<T> plan;
  const int64_t last = (s.columns - 1) * s.stride[1] + right + 1 + left;
  plan.padded = {{s.stride[0], s.stride[1]}, top, left, 0, (last + s.stride[1] - 1) / s.stride[1]};
  const int64_t halo = (top + bottom) / s.stride[0];
  const int64_t row = s.in * plan.padded.columns * s.stride[0] * s.stride[1];
  plan.band = std::clamp<int64_t>(kCache<T> / row - halo, std::min<int64_t>(s.rows, 4), s.rows);
  plan.bands = (s.rows + plan.band - 1) / plan.band;
  plan.band = (s.rows + plan.bands - 1) / plan.bands;
  plan.padded.rows = plan.band + halo;
  int64_t* offsets = numbers<int64_t>(kOffsets, s.depth() + 1);
  plan.offsets = offsets;
  for (int64_t c = 0; c < s.in; c++)
    for (int64_t t = 0; t < s.tap_count; t++)
      *offsets++ = c * plan.padded.plane() + plan.padded.offset(s.taps[t].y, s.taps[t].x);
  plan.weights = pack_weights(s);
  plan.by_row = s.depth() <= 32 && s.step[1] == 1 && s.columns >= kWidth<T>;
  if (!s.thin() && !plan.by_row) cut_pieces(s, plan);
  return plan;
}

// One output channel: nothing to share between channels, so eight vectors of pixels at a time.
template <class T>
void run_thin(const Correlation<T>& s, const Plan<T>& plan, int64_t g, int64_t rows, const T* image, T* to) {
  constexpr int N = 8;
  const int64_t columns = plan.padded.columns, depth = s.depth();
  T* flat = numbers<T>(kOutput, plan.band * columns + kSlack<T>);
  const T *weights = plan.weights + g * depth, base = s.bias ? s.bias[g] : T(0);
  for (int64_t j = 0; j < rows * columns; j += N * kWidth<T>) {
    Vector<T> sums[1][N];
    for (Vector<T>& v : sums[0]) v = Vector<T>{} + base;
    product_tile<T, 1, N>(
        depth, [&](int, int64_t k) { return weights[k]; },
        [&](int64_t k) { return image + j + plan.offsets[k]; }, kWidth<T>, sums);
    for (int n = 0; n < N; n++) store(flat + j + n * kWidth<T>, sums[0][n]);
  }
  for (int64_t r = 0; r < rows; r++, flat += columns) {
    T* row = to + r * s.step[0] * s.out_width;
    if (s.step[1] == 1) copy_row(row, flat, s.columns);
    else
      for (int64_t c = 0; c < s.columns; c++) row[c * s.step[1]] = flat[c];
  }
}

template <class T>
void run_tiles(const Correlation<T>& s, const Plan<T>& plan, int64_t g, int64_t rows, const T* image, T* to) {
  constexpr int64_t kColumns = kTileColumns<T>;
  const int64_t columns = plan.padded.columns, depth = s.depth(), row_tiles = (s.columns + kColumns - 1) / kColumns;
  const int64_t panel_rows = s.panel_rows();
  const int64_t tiles = plan.by_row ? rows * row_tiles : (rows * columns + kColumns - 1) / kColumns;
  for (int64_t tile = 0; tile < tiles; tile++) {
    TileCall<T> t;
    t.depth = depth, t.offsets = plan.offsets, t.out_plane = s.out_plane, t.out_step = s.step[1];
    T* out = to;
    int vectors = kTileVectors;
    if (plan.by_row) {
      const int64_t r = tile / row_tiles, c = std::min(tile % row_tiles * kColumns, s.columns - kWidth<T>);
      t.pieces = t.pieces_end = nullptr;
      t.image = image + r * columns + c, out += r * s.step[0] * s.out_width + c;
      t.step = std::min<int64_t>(kWidth<T>, s.columns - kWidth<T> - c);
    } else {
      t.image = image + tile * kColumns, t.step = kWidth<T>;
      if (rows * columns - tile * kColumns <= kWidth<T>) vectors = 1;
      t.pieces = plan.pieces + plan.first_piece[tile], t.pieces_end = plan.pieces + plan.first_piece[tile + 1];
      while (t.pieces_end != t.pieces && t.pieces_end[-1].to >= rows * s.step[0] * s.out_width) t.pieces_end--;
    }
    for (int64_t o = 0; o < s.out; o += panel_rows) {
      t.weights = plan.weights + (g * s.panels() + o / panel_rows) * depth * kPanel<T>;
      t.bias = s.bias ? s.bias + g * s.out + o : nullptr;
      t.out = out + o * s.out_plane;
      run_tile_of(int(std::min(panel_rows, s.out - o)), vectors, t, std::make_integer_sequence<int, kTileRows>());
    }
  }
}

template <class T>
void correlate(const Correlation<T>& s) {
  const Plan<T> plan = make_plan(s);
  parallel(s.images * s.groups * plan.bands, [&](int64_t chunk) {
    const int64_t band = chunk % plan.bands, group = chunk / plan.bands;  // group: of one image
    const int64_t first = band * plan.band, rows = std::min(plan.band, s.rows - first);
    const int64_t plane = plan.padded.plane();
    T* image = numbers<T>(kImage, s.in * plane + kSlack<T>);
    for (int64_t c = 0; c < s.in; c++)
      plan.padded.fill(s.x + (group * s.in + c) * s.height * s.width, s.height, s.width, first * s.stride[0],
                       image + c * plane);
    T* to = s.y + group * s.out * s.out_plane + first * s.step[0] * s.out_width;
    if (s.thin()) run_thin(s, plan, group % s.groups, rows, image, to);
    else run_tiles(s, plan, group % s.groups, rows, image, to);
  });
}

template <class T>
void forward(const ConvolutionCall& call) {
  const int64_t kh = call.kernel_height, kw = call.kernel_width, in = call.in_channels / call.groups;
  Tap* taps = numbers<Tap>(kTaps, kh * kw);
  for (int64_t i = 0; i < kh; i++)
    for (int64_t j = 0; j < kw; j++)
      taps[i * kw + j] = {i * call.dilation[0] - call.padding[0], j * call.dilation[1] - call.padding[1], i * kw + j};
  Correlation<T> s{};
  s.images = call.images, s.in = in, s.height = call.height, s.width = call.width;
  s.out = call.out_channels / call.groups, s.rows = call.out_height, s.columns = call.out_width;
  s.out_width = call.out_width, s.out_plane = call.out_height * call.out_width, s.groups = call.groups;
  for (int d = 0; d < 2; d++) s.stride[d] = call.stride[d], s.step[d] = 1;
  s.w_out = in * kh * kw, s.w_in = kh * kw, s.w_group = s.out * s.w_out;
  s.taps = taps, s.tap_count = kh * kw;
  s.x = static_cast<const T*>(call.input), s.w = static_cast<const T*>(call.weight);
  s.bias = static_cast<const T*>(call.bias), s.y = static_cast<T*>(call.output);
  correlate(s);
}

// Input pixel (p + stride y, q + stride x) is read by output pixels (y + tap.y, x + tap.x).
template <class T>
void input_gradient(const ConvolutionCall& call) {
  const int64_t kh = call.kernel_height, kw = call.kernel_width, in = call.in_channels / call.groups;
  Tap* taps = numbers<Tap>(kTaps, kh * kw);
  Correlation<T> s{};
  s.images = call.images, s.in = call.out_channels / call.groups, s.height = call.out_height;
  s.width = call.out_width, s.out = in, s.out_width = call.width, s.out_plane = call.height * call.width;
  s.groups = call.groups;
  for (int d = 0; d < 2; d++) s.stride[d] = 1, s.step[d] = call.stride[d];
  s.w_out = kh * kw, s.w_in = in * kh * kw, s.w_group = s.in * s.w_in;
  s.taps = taps;
  s.x = static_cast<const T*>(call.output), s.w = static_cast<const T*>(call.weight);
  for (int64_t p = 0; p < std::min(call.stride[0], call.height); p++)
    for (int64_t q = 0; q < std::min(call.stride[1], call.width); q++) {
      s.tap_count = 0;
      for (int64_t i = 0; i < kh; i++)
        for (int64_t j = 0; j < kw; j++) {
          const int64_t y = p + call.padding[0] - i * call.dilation[0], x = q + call.padding[1] - j * call.dilation[1];
          if (y % call.stride[0] == 0 && x % call.stride[1] == 0)
            taps[s.tap_count++] = {y / call.stride[0], x / call.stride[1], i * kw + j};
        }
      s.rows = (call.height - p + call.stride[0] - 1) / call.stride[0];
      s.columns = (call.width - q + call.stride[1] - 1) / call.stride[1];
      s.y = static_cast<T*>(call.input) + p * call.width + q;
      correlate(s);
    }
}

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

// ---- kernels of one pixel ----------------------------------------------------------------------------------

bool is_pointwise(const ConvolutionCall& call) {
  return call.kernel_height * call.kernel_width == 1 && call.groups == 1 && call.stride[0] == 1 &&
         call.stride[1] == 1 && call.padding[0] == 0 && call.padding[1] == 0 &&
         call.mode != ConvolutionCall::WeightGradient;
}

template <class T>
void pointwise(const ConvolutionCall& call) {
  const int64_t pixels = call.height * call.width, in = call.in_channels, out = call.out_channels;
  const bool forward = call.mode == ConvolutionCall::Forward;
  MatmulCall product;
  product.dtype = call.dtype, product.batch = call.images;
  product.m = forward ? out : in, product.k = forward ? in : out, product.n = pixels;
  product.a = call.weight, product.a_row = forward ? in : 1, product.a_column = forward ? 1 : in;
  product.b = forward ? call.input : call.output, product.b_row = pixels, product.b_column = 1;
  product.c = forward ? call.output : call.input, product.c_row = pixels;
  product.b_batch = product.k * pixels, product.c_batch = product.m * pixels;
  if (forward && call.bias) {
    product.accumulate = true;
    T* y = static_cast<T*>(call.output);
    parallel_rows(call.images * out, 32768 / pixels + 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; i++)
        std::fill_n(y + i * pixels, pixels, static_cast<const T*>(call.bias)[i % out]);
    });
  }
  matmul(product);
}

template <class T>
void run(const ConvolutionCall& call) {
  if (is_pointwise(call)) pointwise<T>(call);
  else if (call.mode == ConvolutionCall::Forward) forward<T>(call);
  else if (call.mode == ConvolutionCall::InputGradient) input_gradient<T>(call);
  else weight_gradient<T>(call);
}

// ---- sizes of nothing, half types --------------------------------------------------------------------------

struct Sizes {
  int64_t input, weight, output;
};
Sizes sizes_of(const ConvolutionCall& call) {
  return {call.images * call.in_channels * call.height * call.width,
          call.out_channels * (call.in_channels / call.groups) * call.kernel_height * call.kernel_width,
          call.images * call.out_channels * call.out_height * call.out_width};
}

// Without an operand's elements the result is a sum of nothing: zeros, or the bias.
template <class S>
bool run_empty(const ConvolutionCall& call, const Sizes& sizes) {
  const S zero = store_as<S>(ComputeOf<S>(0));
  const int64_t plane = call.out_height * call.out_width;
  S *input = static_cast<S*>(call.input), *weight = static_cast<S*>(call.weight), *output = static_cast<S*>(call.output);
  if (sizes.input && sizes.weight && sizes.output) return false;
  if (call.mode == ConvolutionCall::InputGradient) std::fill_n(input, sizes.input, zero);
  else if (call.mode == ConvolutionCall::WeightGradient) std::fill_n(weight, sizes.weight, zero);
  else
    for (int64_t i = 0; i < sizes.output; i++)
      output[i] = call.bias ? static_cast<const S*>(call.bias)[i / plane % call.out_channels] : zero;
  return true;
}

struct Free {
  void operator()(float* p) const { std::free(p); }
};
using Floats = std::unique_ptr<float, Free>;

template <class S>
Floats to_floats(const void* from, int64_t n) {
  Floats floats(static_cast<float*>(std::malloc(size_t(n) * sizeof(float) + 1)));
  if (!floats) throw std::bad_alloc();
  const S* p = static_cast<const S*>(from);
  float* q = floats.get();
  if (p)
    parallel_rows(n, 65536, [=](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; i++) q[i] = to_float(p[i]);
    });
  return floats;
}

template <class S>
void run_half(const ConvolutionCall& call, const Sizes& sizes) {
  using Call = ConvolutionCall;
  const auto operand = [&](Call::Mode result, const void* from, int64_t n) {
    return to_floats<S>(call.mode == result ? nullptr : from, n);
  };
  const Floats input = operand(Call::InputGradient, call.input, sizes.input);
  const Floats weight = operand(Call::WeightGradient, call.weight, sizes.weight);
  const Floats output = operand(Call::Forward, call.output, sizes.output);
  const Floats bias = to_floats<S>(call.bias, call.bias ? call.out_channels : 0);
  Call floats = call;
  floats.dtype = DType::F32;
  floats.input = input.get(), floats.weight = weight.get(), floats.output = output.get();
  floats.bias = call.bias ? bias.get() : nullptr;
  run<float>(floats);
  const bool is_forward = call.mode == Call::Forward, is_input = call.mode == Call::InputGradient;
  const int64_t n = is_forward ? sizes.output : is_input ? sizes.input : sizes.weight;
  const float* from = (is_forward ? output : is_input ? input : weight).get();
  S* to = static_cast<S*>(is_forward ? call.output : is_input ? call.input : call.weight);
  parallel_rows(n, 65536, [=](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) to[i] = store_as<S>(from[i]);
  });
}

}  // namespace

void convolution(const ConvolutionCall& call) {
  for_dtype<BOLIDE_FLOATS>("conv2d", call.dtype, [&]<class S> {
    const Sizes sizes = sizes_of(call);
    if (run_empty<S>(call, sizes)) return;
    if constexpr (kIsHalf<S>) run_half<S>(call, sizes);
    else run<S>(call);
  });
}

}  // namespace bolide::inline BOLIDE_ISA
