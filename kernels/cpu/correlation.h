// correlation.h - the core of convolution, forward and for the gradient of the input:
//
//   out[n][o][y * step][x * step] = bias[o] + the sum over channels c and taps of
//       w(o, c, tap) in[n][c][y * stride + tap.y][x * stride + tap.x]
//
// as a matrix product whose rows are the image itself, shifted. An image is copied once, band by band, with
// its border of zeros (padded.h). Row (channel, tap) of the matrix that im2col would build is then a piece of
// the padded image, which product_tile reads in place. There are four ways to lay the tiles:
//
//   Wide:  a tile is a few pixels of one row times two vectors of output channels. Nothing is wasted but
//          channels up to a whole vector; each tile is transposed at the end
//   Flat:  a tile is a few channels times two vectors of pixels, numbered through the rows of the padded
//          image; those in its border, at the end of each row, are computed and not stored
//   ByRow: the same, but the two vectors lie in one row and overlap: for few products a pixel
//   Thin:  one output channel a group (depthwise): eight vectors of pixels
#pragma once
#include <utility>

#include "kernels/cpu/padded.h"
#include "kernels/cpu/panels.h"
#include "kernels/cpu/tile.h"
#include "kernels/threads.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

template <class T>
constexpr int64_t kSlack = 16 * kWidth<T>;  // numbers that tiles may read after the end of a padded image
template <class T>
constexpr int64_t kCache = 512 * 1024 / sizeof(T);  // numbers of padded image at a time: half of L2

// What a slot of the scratch memory is used for; 0 and 1 are the matrix product's.
enum Slot { kWeights = 2, kImage, kOutput, kOffsets, kPieces, kTaps };
template <class T>
T* numbers(int slot, int64_t count) {
  return static_cast<T*>(scratch(slot, count * int64_t(sizeof(T))));
}

struct Tap {
  int64_t y, x, weight;  // where it reads, in pixels from (0, 0) of the output; index in the kernel
};

template <class T>
struct Correlation {
  int64_t images, in, height, width, stride[2];  // in: channels of a group
  int64_t out, rows, columns, step[2], out_width, out_plane;
  int64_t groups;
  int64_t w_out, w_in, w_group;  // steps of w
  const Tap* taps;               // those of equal y are neighbours, and y goes up or down
  int64_t tap_count;
  const T *x, *w, *bias;
  T* y;
  int64_t depth() const { return in * tap_count; }
};

enum class Layout : uint8_t { Wide, Flat, ByRow, Thin };

// A stretch of a Flat tile that lies in one row of the output.
struct Piece {
  int64_t column, to, n;
};
// All (channel, tap) pairs whose taps have the same y, of which some rows of the output read none.
struct TapRow {
  int64_t y, first;
};

// Everything that the chunks of a correlation share, in the scratch memory of the caller.
template <class T>
struct Plan {
  Layout layout;
  Padded padded;
  int64_t band, bands;        // output rows at a time
  int64_t panels, width;      // of the weights: blocks of `width` channels
  const T* weights;           // [group][panel][depth][width or kPanelRows]
  const int64_t* offsets;     // of each (channel, tap) in the padded image
  const int64_t* w_offsets;   // and in w
  const TapRow* tap_rows;     // and one more, for the end
  int64_t tap_row_count;
  const Piece* pieces;        // of all tiles; those of tile i start at first_piece[i]
  const int64_t* first_piece;
};

// ---- tiles -------------------------------------------------------------------------------------------------

template <class T>
struct TileCall {
  int64_t depth;
  const T *weights, *image;
  const int64_t* offsets;
  const T* bias;
  int64_t channels;  // Wide: output channels of the tile
  T* out;
  int64_t out_plane, out_step;
  const Piece *pieces, *pieces_end;  // Flat
  int64_t step;                      // ByRow: kWidth or less, for vectors that overlap
};

template <class T, int R, int N, Layout layout>
void run_channel_tile(const TileCall<T>& t) {  // R channels, N vectors of pixels
  constexpr int W = kWidth<T>;
  Vector<T> sums[R][N];
#pragma GCC unroll 16
  for (int i = 0; i < R; i++)
#pragma GCC unroll 4
    for (int n = 0; n < N; n++) sums[i][n] = Vector<T>{} + (t.bias ? t.bias[i] : T(0));
  product_tile<T, R, N>(
      t.depth, [&](int i, int64_t k) { return t.weights[k * kPanelRows<T> + i]; },
      [&](int64_t k) { return t.image + t.offsets[k]; }, layout == Layout::ByRow ? t.step : W, sums);
  if (layout == Layout::ByRow) {
#pragma GCC unroll 16
    for (int i = 0; i < R; i++)
#pragma GCC unroll 4
      for (int n = 0; n < N; n++) store(t.out + i * t.out_plane + n * t.step, sums[i][n]);
    return;
  }
  T tile[R][N * W];
  std::memcpy(tile, sums, sizeof tile);
  for (const Piece* p = t.pieces; p != t.pieces_end; p++)
    for (int i = 0; i < R; i++) {
      T* to = t.out + i * t.out_plane + p->to;
      if (t.out_step == 1) copy_short(to, tile[i] + p->column, p->n);
      else
        for (int64_t j = 0; j < p->n; j++) to[j * t.out_step] = tile[i][p->column + j];
    }
}

template <class T, int R, int N>
void run_pixel_tile(const TileCall<T>& t) {  // R pixels, N vectors of channels
  constexpr int W = kWidth<T>, kRows = (R + W - 1) / W * W;
  Vector<T> sums[R][N];
#pragma GCC unroll 16
  for (int i = 0; i < R; i++)
#pragma GCC unroll 4
    for (int n = 0; n < N; n++) sums[i][n] = load(t.bias + n * W);
  product_tile<T, R, N>(
      t.depth, [&](int i, int64_t k) { return t.image[t.offsets[k] + i]; },
      [&](int64_t k) { return t.weights + k * kTileColumns<T>; }, W, sums);
  T tile[R][N * W], turned[N * W][kRows];
  std::memcpy(tile, sums, sizeof tile);
  for (int n = 0; n < N; n++)
    for (int r = 0; r < R; r += W)
      transpose_block(tile[r] + n * W, N * W, std::min(W, R - r), W, turned[n * W] + r, kRows);
  for (int64_t c = 0; c < t.channels; c++) {
    T* to = t.out + c * t.out_plane;
    if (t.out_step == 1) copy_row(to, turned[c], R);
    else
      for (int64_t i = 0; i < R; i++) to[i * t.out_step] = turned[c][i];
  }
}

template <class T, int... r>
void run_tile(Layout layout, int rows, int vectors, const TileCall<T>& t, std::integer_sequence<int, r...>) {
  using F = void (*)(const TileCall<T>&);
  static constexpr F wide[2][kTileRows] = {{run_pixel_tile<T, r + 1, 1>...}, {run_pixel_tile<T, r + 1, 2>...}};
  static constexpr F flat[2][kTileRows] = {{run_channel_tile<T, r + 1, 1, Layout::Flat>...},
                                           {run_channel_tile<T, r + 1, 2, Layout::Flat>...}};
  static constexpr F by_row[kTileRows] = {run_channel_tile<T, r + 1, 2, Layout::ByRow>...};
  const F f = layout == Layout::Wide   ? wide[vectors - 1][rows - 1]
              : layout == Layout::Flat ? flat[vectors - 1][rows - 1]
                                       : by_row[rows - 1];
  f(t);
}
template <class T>
void run_tile(Layout layout, int64_t rows, int64_t vectors, const TileCall<T>& t) {
  run_tile(layout, int(rows), int(vectors), t, std::make_integer_sequence<int, kTileRows>());
}

// ---- plans -------------------------------------------------------------------------------------------------

// The layout that wastes least: how much of a tile's lanes is used.
template <class T>
Layout choose_layout(const Correlation<T>& s, const Padded& padded) {
  constexpr int W = kWidth<T>;
  if (s.out == 1) return Layout::Thin;
  if (s.depth() <= 32 && s.step[1] == 1 && s.columns >= W) return Layout::ByRow;
  const double flat = double(s.columns) / double(padded.columns);
  const double short_row = even_part(s.columns, kTileRows) < 5 ? 0.5 : 1;  // too few sums to hide latency
  const double wide = double(s.out) / double(parts(s.out, W) * W) * short_row;
  return wide > 0.9 * flat ? Layout::Wide : Layout::Flat;
}

template <class T>
void list_taps(const Correlation<T>& s, Plan<T>& plan) {
  const int64_t depth = s.depth();
  int64_t* offsets = numbers<int64_t>(kOffsets, 2 * depth + 2 * (s.tap_count + 1));
  int64_t* w_offsets = offsets + depth;
  TapRow* rows = reinterpret_cast<TapRow*>(w_offsets + depth);
  int64_t k = 0, count = 0;
  for (int64_t first = 0, last; first < s.tap_count; first = last) {
    for (last = first + 1; last < s.tap_count && s.taps[last].y == s.taps[first].y;) last++;
    rows[count++] = {s.taps[first].y, k};
    for (int64_t c = 0; c < s.in; c++)
      for (int64_t t = first; t < last; t++, k++) {
        offsets[k] = c * plan.padded.plane() + plan.padded.offset(s.taps[t].y, s.taps[t].x);
        w_offsets[k] = c * s.w_in + s.taps[t].weight;
      }
  }
  rows[count] = {0, k};
  plan.offsets = offsets, plan.w_offsets = w_offsets, plan.tap_rows = rows, plan.tap_row_count = count;
}

template <class T>
void pack_weights(const Correlation<T>& s, Plan<T>& plan) {
  const bool wide = plan.layout == Layout::Wide;
  const int64_t depth = s.depth(), step = wide ? kTileColumns<T> : plan.layout == Layout::Thin ? 1 : kPanelRows<T>;
  plan.width = wide ? kTileColumns<T> : even_part(s.out, kTileRows);
  plan.panels = parts(s.out, plan.width);
  T* weights = numbers<T>(kWeights, s.groups * plan.panels * depth * step);
  plan.weights = weights;
  parallel_rows(s.groups * plan.panels, 16384 / (depth + 1) + 1, [&](int64_t first, int64_t last) {
    for (int64_t p = first; p < last; p++) {
      const int64_t o = p % plan.panels * plan.width, n = std::min(plan.width, s.out - o);
      const T* from = s.w + p / plan.panels * s.w_group + o * s.w_out;
      T* to = weights + p * depth * step;
      for (int64_t k = 0; k < depth; k++, to += step)
        for (int64_t i = 0; i < step; i++) to[i] = i < n ? from[i * s.w_out + plan.w_offsets[k]] : T(0);
    }
  });
}

template <class T>
void cut_pieces(const Correlation<T>& s, Plan<T>& plan) {
  const int64_t columns = plan.padded.columns, total = plan.band * columns, tiles = parts(total, kTileColumns<T>);
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
  Plan<T> plan{};
  const int64_t last = left + (s.columns - 1) * s.stride[1] + right + 1;
  plan.padded = {{s.stride[0], s.stride[1]}, top, left, 0, parts(last, s.stride[1])};
  plan.layout = choose_layout(s, plan.padded);
  const int64_t halo = (top + bottom) / s.stride[0];
  const int64_t row = s.in * plan.padded.columns * s.stride[0] * s.stride[1];
  const int64_t most = std::clamp<int64_t>(kCache<T> / row - halo, std::min<int64_t>(s.rows, 4), s.rows);
  plan.band = even_part(s.rows, most), plan.bands = parts(s.rows, plan.band);
  plan.padded.rows = plan.band + halo;
  list_taps(s, plan);
  pack_weights(s, plan);
  if (plan.layout == Layout::Flat) cut_pieces(s, plan);
  return plan;
}

// ---- bands -------------------------------------------------------------------------------------------------

template <class T>
struct Band {  // of an image's group of channels, copied with its border
  int64_t group, first, rows;
  const T* image;
  T* out;
};

template <class T>
void run_thin(const Correlation<T>& s, const Plan<T>& plan, const Band<T>& band) {
  constexpr int N = 8;
  const int64_t columns = plan.padded.columns, depth = s.depth();
  T* flat = numbers<T>(kOutput, plan.band * columns + kSlack<T>);
  const T *weights = plan.weights + band.group * depth, bias = s.bias ? s.bias[band.group] : T(0);
  for (int64_t j = 0; j < band.rows * columns; j += N * kWidth<T>) {
    Vector<T> sums[1][N];
    for (Vector<T>& v : sums[0]) v = Vector<T>{} + bias;
    product_tile<T, 1, N>(
        depth, [&](int, int64_t k) { return weights[k]; }, [&](int64_t k) { return band.image + j + plan.offsets[k]; },
        kWidth<T>, sums);
    for (int n = 0; n < N; n++) store(flat + j + n * kWidth<T>, sums[0][n]);
  }
  for (int64_t r = 0; r < band.rows; r++, flat += columns) {
    T* row = band.out + r * s.step[0] * s.out_width;
    if (s.step[1] == 1) copy_row(row, flat, s.columns);
    else
      for (int64_t c = 0; c < s.columns; c++) row[c * s.step[1]] = flat[c];
  }
}

template <class T>
TileCall<T> tile_call(const Correlation<T>& s, const Plan<T>& plan) {
  TileCall<T> t{};
  t.depth = s.depth(), t.offsets = plan.offsets, t.out_plane = s.out_plane, t.out_step = s.step[1];
  t.step = kWidth<T>;
  return t;
}

// Flat and ByRow.
template <class T>
void run_channels(const Correlation<T>& s, const Plan<T>& plan, const Band<T>& band) {
  constexpr int64_t kColumns = kTileColumns<T>;
  const int64_t columns = plan.padded.columns, row_tiles = parts(s.columns, kColumns), total = band.rows * columns;
  const bool by_row = plan.layout == Layout::ByRow;
  const int64_t tiles = by_row ? band.rows * row_tiles : parts(total, kColumns);
  TileCall<T> t = tile_call(s, plan);
  for (int64_t tile = 0; tile < tiles; tile++) {
    T* out = band.out;
    if (by_row) {
      const int64_t r = tile / row_tiles, c = std::min(tile % row_tiles * kColumns, s.columns - kWidth<T>);
      t.image = band.image + r * columns + c, out += r * s.step[0] * s.out_width + c;
      t.step = std::min<int64_t>(kWidth<T>, s.columns - kWidth<T> - c);
    } else {
      t.image = band.image + tile * kColumns;
      t.pieces = plan.pieces + plan.first_piece[tile], t.pieces_end = plan.pieces + plan.first_piece[tile + 1];
      while (t.pieces_end != t.pieces && t.pieces_end[-1].to >= band.rows * s.step[0] * s.out_width) t.pieces_end--;
    }
    const int vectors = !by_row && total - tile * kColumns <= kWidth<T> ? 1 : 2;
    for (int64_t p = 0; p < plan.panels; p++) {
      const int64_t o = p * plan.width;
      t.weights = plan.weights + (band.group * plan.panels + p) * s.depth() * kPanelRows<T>;
      t.bias = s.bias ? s.bias + band.group * s.out + o : nullptr;
      t.out = out + o * s.out_plane;
      run_tile(plan.layout, std::min(plan.width, s.out - o), vectors, t);
    }
  }
}

template <class T>
void run_wide(const Correlation<T>& s, const Plan<T>& plan, const Band<T>& band) {
  constexpr int64_t kColumns = kTileColumns<T>;
  const int64_t pixels = even_part(s.columns, kTileRows);
  TileCall<T> t = tile_call(s, plan);
  for (int64_t p = 0; p < plan.panels; p++) {
    const int64_t o = p * kColumns;
    const T* weights = plan.weights + (band.group * plan.panels + p) * s.depth() * kColumns;
    T bias[kColumns] = {};
    t.channels = std::min(kColumns, s.out - o);
    if (s.bias) std::copy_n(s.bias + band.group * s.out + o, t.channels, bias);
    t.bias = bias;
    for (int64_t r = 0; r < band.rows; r++) {
      // Taps above and below the image are left out: the others follow one another.
      const auto outside = [&](const TapRow& row) {
        return uint64_t((band.first + r) * s.stride[0] + row.y) >= uint64_t(s.height);
      };
      const TapRow *first = plan.tap_rows, *last = first + plan.tap_row_count;
      while (first != last && outside(*first)) first++;
      while (first != last && outside(last[-1])) last--;
      t.offsets = plan.offsets + first->first, t.depth = last->first - first->first;
      t.weights = weights + first->first * kColumns;
      for (int64_t c = 0; c < s.columns; c += pixels) {
        t.image = band.image + r * plan.padded.columns + c;
        t.out = band.out + o * s.out_plane + r * s.step[0] * s.out_width + c * s.step[1];
        run_tile(Layout::Wide, std::min(pixels, s.columns - c), t.channels <= kWidth<T> ? 1 : 2, t);
      }
    }
  }
}

template <class T>
void correlate(const Correlation<T>& s) {
  const Plan<T> plan = make_plan(s);
  parallel(s.images * s.groups * plan.bands, [&](int64_t chunk) {
    const int64_t group = chunk / plan.bands, plane = plan.padded.plane();  // group: of one image
    Band<T> band;
    band.group = group % s.groups, band.first = chunk % plan.bands * plan.band;
    band.rows = std::min(plan.band, s.rows - band.first);
    T* image = numbers<T>(kImage, s.in * plane + kSlack<T>);
    for (int64_t c = 0; c < s.in; c++)
      plan.padded.fill(s.x + (group * s.in + c) * s.height * s.width, s.height, s.width, band.first * s.stride[0],
                       image + c * plane);
    band.image = image, band.out = s.y + group * s.out * s.out_plane + band.first * s.step[0] * s.out_width;
    if (plan.layout == Layout::Thin) run_thin(s, plan, band);
    else if (plan.layout == Layout::Wide) run_wide(s, plan, band);
    else run_channels(s, plan, band);
  });
}

}  // namespace
}  // namespace bolide::inline BOLIDE_ISA
