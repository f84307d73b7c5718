// gemm.h - matrix products of floating-point numbers by tiles whose sums stay in registers.
//
//   gemm_large:  for each block of k (kDepth): A and B are packed by all threads, as panels [panel][k][rows of
//                a tile] and [panel][k][columns of a tile]; then the threads share out blocks of C
//   gemm_small:  one thread, a chunk of C: B is packed a few panels at a time, so that they are still in L1 when
//                they are used, and neither is packed where it is read once or lies well as it is
//   times_transposed, row_times_matrix:  few rows, where each element of B is used once or twice and memory is
//                the limit
//
// S is the type of A and B, T that of the numbers: half types become floats in the panels.
#pragma once
#include <algorithm>
#include <utility>

#include "kernels/cpu/panels.h"
#include "kernels/cpu/tile.h"
#include "kernels/threads.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

constexpr int64_t kDepth = 256;        // a panel of B, 32 KB, stays in L1
constexpr int64_t kAhead = 16;         // steps of k that A is fetched ahead
constexpr int64_t kDirectRow = 192;    // rows of B up to this long are read where they are: no cache conflicts
constexpr int64_t kGroup = 8;          // panels of B that are packed at a time, so that they stay in L2
constexpr int64_t kBlocks = 16;        // of C, about: enough to share out

template <class S>
struct Matrix {  // element (i, j) is p[i * row + j * column]
  const S* p;
  int64_t row, column;
  Matrix at(int64_t i, int64_t j) const { return {p + i * row + j * column, row, column}; }
  Matrix transposed() const { return {p, column, row}; }
};

// What C is before the product is added: row i starts at p + i * row, which may be C itself, or a bias that
// is the same for all rows; nothing where p is null.
template <class T>
struct Start {
  const T* p = nullptr;
  int64_t row = 0;
  Start at(int64_t i, int64_t j) const { return p ? Start{p + i * row + j, row} : Start{}; }
};

template <class T>
struct TileCall {
  int64_t depth;
  const T *a, *b;
  int64_t a_row, a_k, b_k;
  T* c;
  int64_t c_row, columns;
  Start<T> start;
};

template <class T, int R, int N, bool packed>
void run_tile(const TileCall<T>& t) {
  constexpr int W = kWidth<T>;
  const T* start = t.start.p;
  if (start)  // C is far away when it was last touched a block of k ago
#pragma GCC unroll 16
    for (int i = 0; i < R; i++)
#pragma GCC unroll 4
      for (int n = 0; n < N; n++) __builtin_prefetch(start + i * t.start.row + n * W);
  Vector<T> sums[R][N] = {};
  const int64_t a_row = packed ? 1 : t.a_row, a_k = packed ? kPanelRows<T> : t.a_k;
  const auto a = [&](int i, int64_t k) {
    if (packed && i == 0) __builtin_prefetch(t.a + (k + kAhead) * a_k);  // the panels of A come from L2
    return t.a[i * a_row + k * a_k];
  };
  product_tile<T, R, N>(t.depth, a, [&](int64_t k) { return t.b + k * t.b_k; }, W, sums);
  if (t.columns == N * W) {
#pragma GCC unroll 16
    for (int i = 0; i < R; i++)
#pragma GCC unroll 4
      for (int n = 0; n < N; n++) {
        const Vector<T> s = start ? load(start + i * t.start.row + n * W) + sums[i][n] : sums[i][n];
        store(t.c + i * t.c_row + n * W, s);
      }
    return;
  }
  T tile[R][N * W];
  std::memcpy(tile, sums, sizeof tile);
  for (int i = 0; i < R; i++)
    for (int64_t j = 0; j < t.columns; j++)
      t.c[i * t.c_row + j] = tile[i][j] + (start ? start[i * t.start.row + j] : T(0));
}
template <class T, int... r>
void run_tile_of(int rows, bool packed, const TileCall<T>& t, std::integer_sequence<int, r...>) {
  using F = void (*)(const TileCall<T>&);
  static constexpr F tiles[2][2][kTileRows] = {{{run_tile<T, r + 1, 1, false>...}, {run_tile<T, r + 1, 1, true>...}},
                                               {{run_tile<T, r + 1, 2, false>...}, {run_tile<T, r + 1, 2, true>...}}};
  tiles[t.columns > kWidth<T>][packed][rows - 1](t);
}

// A block of C from A and B, each of them packed, or where it is (row and k steps).
template <class T>
struct Block {
  int64_t m = 0, n = 0, depth = 0;
  const T *a = nullptr, *b = nullptr;
  int64_t a_row = 0, a_k = 0;        // of A where it is not packed
  int64_t b_column = 0, b_k = 0;     // of B where it is not packed
  bool packed_a = true, packed_b = true;
  T* c = nullptr;
  int64_t c_row = 0;
  Start<T> start = {};
};

template <class T>
void multiply_block(const Block<T>& block) {
  constexpr int64_t kColumns = kTileColumns<T>;
  TileCall<T> t;
  t.depth = block.depth, t.c_row = block.c_row, t.a_row = block.a_row, t.a_k = block.a_k;
  for (int64_t j = 0; j < block.n; j += kColumns) {
    t.columns = std::min(block.n - j, kColumns);
    t.b = block.packed_b ? block.b + j * block.depth : block.b + j * block.b_column;
    t.b_k = block.packed_b ? kColumns : block.b_k;
    for (int64_t i = 0; i < block.m; i += kTileRows) {
      const int rows = int(std::min<int64_t>(block.m - i, kTileRows));
      t.a = block.packed_a ? block.a + i / kTileRows * block.depth * kPanelRows<T> : block.a + i * block.a_row;
      t.c = block.c + i * block.c_row + j;
      t.start = block.start.at(i, j);
      run_tile_of(rows, block.packed_a, t, std::make_integer_sequence<int, kTileRows>());
    }
  }
}

template <class T>
T* panels(int slot, int64_t rows, int64_t tile, int64_t width) {
  return static_cast<T*>(scratch(slot, (rows + tile - 1) / tile * kDepth * width * int64_t(sizeof(T))));
}

// Do a tile's rows of a block of k, which start `step` numbers apart, lie in the first cache side by side? Where steps
// are near a multiple of half of its 4 KB a way, they push each other out.
template <class T>
bool conflict_free(int64_t step) {
  const int64_t from_multiple = step * int64_t(sizeof(T)) % 2048;
  return std::min(from_multiple, 2048 - from_multiple) >= 256 || step * int64_t(sizeof(T)) <= 2048;
}

template <class S, class T>
void gemm_small(int64_t m, int64_t n, int64_t k, Matrix<S> a, Matrix<S> b, T* c, int64_t c_row, Start<T> start) {
  constexpr int64_t kColumns = kTileColumns<T>, kGroupColumns = kGroup * kColumns;
  constexpr bool kConvert = !std::is_same_v<S, T>;
  const bool few_columns = n <= 4 * kColumns;
  const bool pack_a = kConvert || !(a.column == 1 ? few_columns && conflict_free<T>(a.row) : a.row == 1 && few_columns);
  const bool pack_b = kConvert || !(b.column == 1 && (m <= 2 * kTileRows || b.row <= kDirectRow));
  T* a_panels = pack_a ? panels<T>(0, m, kTileRows, kPanelRows<T>) : nullptr;
  T* b_panels = panels<T>(1, std::min(n, kGroupColumns), kColumns, kColumns);
  for (int64_t k0 = 0; k0 < k; k0 += kDepth) {
    const int64_t depth = std::min(kDepth, k - k0);
    const Matrix<S> a0 = a.at(0, k0);
    if (pack_a) pack(a0.p, a.row, a.column, m, depth, kTileRows, kPanelRows<T>, a_panels);
    for (int64_t j = 0; j < n;) {
      const Matrix<S> b0 = b.at(k0, j);
      const int64_t columns = std::min(n - j, kGroupColumns), whole = columns / kColumns * kColumns;
      Block<T> block{m, columns, depth, a_panels, b_panels};
      block.a_row = a.row, block.a_k = a.column, block.b_column = b.column, block.b_k = b.row;
      block.packed_a = pack_a, block.packed_b = pack_b || whole == 0;
      if (!block.packed_b) block.n = whole;  // the rest, less than a tile, is packed in the next turn
      else pack(b0.p, b.column, b.row, columns, depth, kColumns, kColumns, b_panels);
      if constexpr (!kConvert) {
        if (!pack_a) block.a = a0.p;
        if (!block.packed_b) block.b = b0.p;
      }
      block.c = c + j, block.c_row = c_row;
      block.start = k0 > 0 ? Start<T>{block.c, c_row} : start.at(0, j);
      multiply_block(block);
      j += block.n;
    }
  }
}

template <class S, class T>
void gemm_large(int64_t m, int64_t n, int64_t k, Matrix<S> a, Matrix<S> b, T* c, int64_t c_row, Start<T> start) {
  constexpr int64_t kColumns = kTileColumns<T>, kPanel = kPanelRows<T>;
  T *a_panels = panels<T>(0, m, kTileRows, kPanel), *b_panels = panels<T>(1, n, kColumns, kColumns);
  // Blocks of C by whole panels, all about the same: enough of them to share out.
  const int64_t row_panels = parts(m, kTileRows), column_panels = parts(n, kColumns);
  int64_t tall = even_part(row_panels, kGroup), wide = even_part(column_panels, 2 * kGroup);
  while (parts(row_panels, tall) * parts(column_panels, wide) < kBlocks && tall * wide > 8)
    if (tall * kTileRows > wide * kColumns) tall = even_part(row_panels, tall - 1);
    else wide = even_part(column_panels, wide - 1);
  const int64_t down = parts(row_panels, tall), across = parts(column_panels, wide);
  const int64_t rows = tall * kTileRows, columns = wide * kColumns, each = even_part(k, kDepth);
  for (int64_t k0 = 0; k0 < k; k0 += each) {
    const int64_t depth = std::min(each, k - k0);
    const auto a_block = [=](int64_t i) { return a_panels + i * tall * depth * kPanel; };
    const auto b_block = [=](int64_t j) { return b_panels + j * wide * depth * kColumns; };
    parallel(down + across, [&](int64_t chunk) {
      const int64_t i = chunk * rows, j = (chunk - down) * columns;
      if (chunk < down)
        pack(a.at(i, k0).p, a.row, a.column, std::min(m - i, rows), depth, kTileRows, kPanel, a_block(chunk));
      else
        pack(b.at(k0, j).p, b.column, b.row, std::min(n - j, columns), depth, kColumns, kColumns,
             b_block(chunk - down));
    });
    parallel(down * across, [&](int64_t chunk) {
      const int64_t i = chunk % down * rows, j = chunk / down * columns;
      Block<T> block{std::min(m - i, rows), std::min(n - j, columns), depth, a_block(chunk % down),
                     b_block(chunk / down)};
      block.c = c + i * c_row + j, block.c_row = c_row;
      block.start = k0 > 0 ? Start<T>{block.c, c_row} : start.at(i, j);
      multiply_block(block);
    });
  }
}

// A row times a column. Eight sums, so that none waits for its last addition.
template <class S, class T>
[[gnu::noinline]] T dot_product(int64_t n, const S* a, const S* b) {
  constexpr int W = kWidth<T>, kSums = 8;
  Vector<T> sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums * W <= n; i += kSums * W)
#pragma GCC unroll 8
    for (int u = 0; u < kSums; u++) sums[u] += load(a + i + u * W) * load(b + i + u * W);
  for (; i + W <= n; i += W) sums[0] += load(a + i) * load(b + i);
  T total = sum_of<T>(sums);
  for (; i < n; i++) total += load_as<T>(a[i]) * load_as<T>(b[i]);
  return total;
}

// Few rows or columns: c[i][j] is the product of two contiguous rows, R x 4 at a time.
template <int R, class S, class T>
void times_transposed(int64_t m, int64_t n, int64_t k, Matrix<S> a, Matrix<S> b, T* c, int64_t c_row, Start<T> start) {
  if (m == 1 && n == 1) {
    *c = dot_product<S, T>(k, a.p, b.p) + (start.p ? *start.p : T(0));
    return;
  }
  constexpr int N = 4;
  const int64_t whole = k / kWidth<T> * kWidth<T>;
  for (int64_t i = 0; i < m; i += R)
    for (int64_t j = 0; j < n; j += N) {
      const S *rows[R], *columns[N];
      for (int64_t u = 0; u < R; u++) rows[u] = a.p + std::min(i + u, m - 1) * a.row;
      for (int64_t u = 0; u < N; u++) columns[u] = b.p + std::min(j + u, n - 1) * b.column;
      Vector<T> sums[R][N] = {};
      dot_tile<T, R, N>(whole, [&](int u) { return rows[u]; }, [&](int u) { return columns[u]; }, sums);
      for (int64_t u = 0; u < std::min<int64_t>(R, m - i); u++)
        for (int64_t v = 0; v < std::min<int64_t>(N, n - j); v++) {
          T s = sum_of<T>(sums[u][v]);
          for (int64_t l = whole; l < k; l++) s += load_as<T>(rows[u][l]) * load_as<T>(columns[v][l]);
          const int64_t row = i + u, column = j + v;
          c[row * c_row + column] = s + (start.p ? start.p[row * start.row + column] : T(0));
        }
    }
}

// One row times a matrix with contiguous rows: c[j] = start[j] + a[k] b[k][j], eight rows of b a turn.
template <class S, class T>
void row_times_matrix(int64_t n, int64_t k, const S* a, int64_t a_k, const S* b, int64_t b_row, T* c, Start<T> start) {
  constexpr int W = kWidth<T>;
  if (!start.p) std::fill_n(c, n, T(0));
  else if (start.p != c) std::copy_n(start.p, n, c);
  for (int64_t i = 0; i < k; i += 8) {
    T x[8];
    const S* row[8];
    for (int64_t u = 0; u < 8; u++) {
      const bool inside = i + u < k;
      x[u] = inside ? load_as<T>(a[(i + u) * a_k]) : T(0);
      row[u] = b + (inside ? i + u : i) * b_row;
    }
    const int live = int(std::min<int64_t>(8, k - i));
    int64_t j = 0;
    if (live == 8)
      for (; j + W <= n; j += W) {
        const Vector<T> p = x[0] * load(row[0] + j) + x[1] * load(row[1] + j);
        const Vector<T> q = x[2] * load(row[2] + j) + x[3] * load(row[3] + j);
        const Vector<T> r = x[4] * load(row[4] + j) + x[5] * load(row[5] + j);
        const Vector<T> s = x[6] * load(row[6] + j) + x[7] * load(row[7] + j);
        store(c + j, load(c + j) + ((p + q) + (r + s)));
      }
    for (; j < n; j++)
      for (int u = 0; u < live; u++) c[j] += x[u] * load_as<T>(row[u][j]);
  }
}

}  // namespace
}  // namespace bolide::inline BOLIDE_ISA
