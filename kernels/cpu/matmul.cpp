// matmul.cpp - matrix products of every dtype: cut into chunks of C, by the problem's size alone.
//
// Floating-point numbers go to the tiles of gemm.h (half types as floats, rounded once at the end), one or two rows to
// loops of their own (beside OpenBLAS: NumPy's column in benchmarks/results/cpu.md). Complex products go to OpenBLAS
// where it is installed. Integers, and smaller complex products, take a plain blocked loop.
#include <numeric>
#include <vector>

#include "kernels/cpu/gemm.h"
#include "kernels/cpu/openblas.h"
#include "kernels/cpu/types.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

constexpr double kWorthAFork = 3e5;  // multiplications and additions of a chunk, about three microseconds
constexpr int64_t kFewRows = 80;  // are not cut: each chunk would pack all of B for them again
constexpr int64_t kLargeSize = 192;  // rows and columns from which packing is worth sharing
constexpr int64_t kComplexSize = 16;  // from here on OpenBLAS multiplies complex numbers, which have no tiles

// One matrix product of a call: c = start + a b.
template <class S>
struct Product {
  int64_t m, n, k;
  Matrix<S> a, b;
  S* c;
  int64_t c_row;
  Start<S> start;
};

template <class S>
Product<S> product_of(const MatmulCall& call, int64_t batch) {
  S* c = static_cast<S*>(call.c) + batch * call.c_batch;
  Start<S> start;
  if (call.accumulate) start = {c, call.c_row};
  else if (call.bias) start = {static_cast<const S*>(call.bias), 0};
  return {call.m,
          call.n,
          call.k,
          {static_cast<const S*>(call.a) + batch * call.a_batch, call.a_row, call.a_column},
          {static_cast<const S*>(call.b) + batch * call.b_batch, call.b_row, call.b_column},
          c,
          call.c_row,
          start};
}

template <class S>
void copy_start(const Product<S>& p) {
  if (p.start.p == p.c) return;
  for (int64_t i = 0; i < p.m; i++) {
    if (p.start.p) std::copy_n(p.start.at(i, 0).p, p.n, p.c + i * p.c_row);
    else std::fill_n(p.c + i * p.c_row, p.n, S{});
  }
}

// ---- how a product is computed -----------------------------------------------------------------------------

enum class Way : uint8_t { Tiles, LargeTiles, Dots, RowTimesMatrix };

template <class S>
bool fits_blas(Matrix<S> a, int64_t rows, int64_t columns) {
  constexpr int64_t kMost = 0x7fffffff;
  return (a.column == 1 && a.row >= columns && a.row <= kMost) || (a.row == 1 && a.column >= rows && a.column <= kMost);
}

template <class S>
bool fits_openblas(const Product<S>& p) {
  return fits_blas(p.a, p.m, p.k) && fits_blas(p.b, p.k, p.n) && p.c_row <= 0x7fffffff && openblas();
}

template <class S>
Way way_of(const Product<S>& p) {
  using T = ComputeOf<S>;
  const bool few = p.m <= 2 || p.n <= kWidth<T> / 2 || (p.n <= kWidth<T> && p.m <= 64);
  if (few && p.k >= 64 && p.a.column == 1 && p.b.row == 1) return Way::Dots;
  if (p.m == 1 && p.b.column == 1) return Way::RowTimesMatrix;
  return std::min(p.m, p.n) >= kLargeSize ? Way::LargeTiles : Way::Tiles;
}

template <class T>
void run_openblas(const Product<T>& p) {
  copy_start(p);
  const bool trans_a = p.a.column != 1, trans_b = p.b.column != 1;
  const int lda = int(trans_a ? p.a.column : p.a.row), ldb = int(trans_b ? p.b.column : p.b.row);
  const int order_a = trans_a ? kCblasTrans : kCblasNoTrans, order_b = trans_b ? kCblasTrans : kCblasNoTrans;
  const T one(1), beta(p.start.p ? 1 : 0);
  const auto gemm = std::is_same_v<T, C64> ? openblas()->cgemm : openblas()->zgemm;
  gemm(kCblasRowMajor, order_a, order_b, int(p.m), int(p.n), int(p.k), &one, p.a.p, lda, p.b.p, ldb, &beta, p.c,
       int(p.c_row));
}

template <class S, class T>
void run_own(Way way, int64_t m, int64_t n, int64_t k, Matrix<S> a, Matrix<S> b, T* c, int64_t c_row, Start<T> start) {
  if (way == Way::RowTimesMatrix) row_times_matrix(n, k, a.p, a.column, b.p, b.row, c, start);
  else if (way == Way::Tiles) gemm_small(m, n, k, a, b, c, c_row, start);
  else if (way == Way::LargeTiles) gemm_large(m, n, k, a, b, c, c_row, start);
  else if (m == 1) times_transposed<1>(m, n, k, a, b, c, c_row, start);
  else times_transposed<4>(m, n, k, a, b, c, c_row, start);
}

// Half types: C is a block of floats until it is done, and is rounded once.
template <class S>
void run_half(Way way, const Product<S>& p) {
  float* c = static_cast<float*>(scratch(2, p.m * p.n * int64_t(sizeof(float))));
  Start<float> start;
  if (p.start.p) {
    start = {c, p.n};
    for (int64_t i = 0; i < p.m; i++)
      for (int64_t j = 0; j < p.n; j++) c[i * p.n + j] = to_float(p.start.p[i * p.start.row + j]);
  }
  run_own(way, p.m, p.n, p.k, p.a, p.b, c, p.n, start);
  for (int64_t i = 0; i < p.m; i++)
    for (int64_t j = 0; j < p.n; j++) p.c[i * p.c_row + j] = store_as<S>(c[i * p.n + j]);
}

template <class S>
void run_chunk(Way way, const Product<S>& p) {
  if constexpr (kIsHalf<S>) {
    run_half(way, p);
  } else {
    run_own(way, p.m, p.n, p.k, p.a, p.b, p.c, p.c_row, p.start);
  }
}

// ---- chunks ------------------------------------------------------------------------------------------------

// Chunks are whole tiles, as small as is worth a fork where that gives work to more threads.
struct Cut {
  int64_t rows, columns, down, across;
};
template <class S>
Cut cut(Way way, const Product<S>& p) {
  using T = ComputeOf<S>;
  constexpr int64_t kColumns = kTileColumns<T>, kChunks = 8;
  int64_t rows = 16 * kTileRows, columns = (kIsHalf<S> ? 16 : 32) * kColumns;
  if (way == Way::LargeTiles) {
    rows = columns = kIsHalf<S> ? 1024 : 4096;  // one after the other, each of them by all threads
    return {rows, columns, parts(p.m, rows), parts(p.n, columns)};
  }
  rows = even_part(parts(std::min(rows, p.m), kTileRows), 16) * kTileRows;
  columns = parts(std::min(columns, p.n), kColumns) * kColumns;
  const bool tiles = way == Way::Tiles;
  const auto chunks = [&] { return parts(p.m, rows) * parts(p.n, columns); };
  while (chunks() < kChunks && double(rows) * double(columns) * double(p.k) > 2 * kWorthAFork) {
    if (tiles && rows > columns && rows > kFewRows) rows = parts(rows / kTileRows, 2) * kTileRows;
    else if (columns > kColumns) columns = parts(columns / kColumns, 2) * kColumns;
    else break;
  }
  return {rows, columns, parts(p.m, rows), parts(p.n, columns)};
}

template <class S>
void multiply(const MatmulCall& call) {
  const Product<S> first = product_of<S>(call, 0);
  const Way way = way_of(first);
  const Cut size = cut(way, first);
  const int64_t chunks = size.down * size.across;
  const auto run = [&](int64_t i) {
    Product<S> p = product_of<S>(call, i / chunks);
    const int64_t row = i % chunks % size.down * size.rows, column = i % chunks / size.down * size.columns;
    p.m = std::min(size.rows, p.m - row), p.n = std::min(size.columns, p.n - column);
    p.a = p.a.at(row, 0), p.b = p.b.at(0, column), p.start = p.start.at(row, column);
    p.c += row * p.c_row + column;
    run_chunk(way, p);
  };
  if (way == Way::LargeTiles) {
    for (int64_t i = 0; i < call.batch * chunks; i++) run(i);
    return;
  }
  const double work = double(call.m) * double(call.n) * double(call.k);
  const int64_t grain = chunks > 1 ? 1 : int64_t(kWorthAFork / work) + 1;
  parallel_rows(call.batch * chunks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) run(i);
  });
}

// A long product of two vectors: pieces by all threads, whose sums are added up in order.
template <class T>
bool multiply_vectors(const MatmulCall& call) {
  constexpr int64_t kPiece = 32768;
  if (call.m != 1 || call.n != 1 || call.batch != 1 || call.accumulate || call.bias || call.k < 2 * kPiece)
    return false;
  std::vector<T> sums(size_t(parts(call.k, kPiece)));
  parallel(int64_t(sums.size()), [&](int64_t i) {
    Product<T> p = product_of<T>(call, 0);
    p.a = p.a.at(0, i * kPiece), p.b = p.b.at(i * kPiece, 0), p.c = &sums[size_t(i)];
    p.k = std::min(kPiece, p.k - i * kPiece);
    run_chunk(way_of(p), p);
  });
  *static_cast<T*>(call.c) = std::accumulate(sums.begin(), sums.end(), T(0));
  return true;
}

// ---- integers and complex numbers --------------------------------------------------------------------------

template <class T>
BOLIDE_FN void add_product(T& sum, T a, T b) {
  sum = T(sum + a * b);  // integers wrap around
}

template <class T>
void multiply_rows(const Product<T>& p) {
  constexpr int64_t kRows = 64, kColumns = 512;  // of the block of B that stays in the cache
  T* block = p.b.column == 1 ? nullptr : static_cast<T*>(scratch(1, kRows * kColumns * int64_t(sizeof(T))));
  copy_start(p);
  for (int64_t k0 = 0; k0 < p.k; k0 += kRows)
    for (int64_t j0 = 0; j0 < p.n; j0 += kColumns) {
      const int64_t depth = std::min(kRows, p.k - k0), columns = std::min(kColumns, p.n - j0);
      Matrix<T> b = p.b.at(k0, j0);
      if (block) {
        for (int64_t j = 0; j < columns; j++)
          for (int64_t k = 0; k < depth; k++) block[k * kColumns + j] = *b.at(k, j).p;
        b = {block, kColumns, 1};
      }
      for (int64_t i = 0; i < p.m; i++) {
        T* c = p.c + i * p.c_row + j0;
        for (int64_t k = 0; k < depth; k++) {
          const T x = *p.a.at(i, k0 + k).p, *row = b.p + k * b.row;
#pragma GCC ivdep
          for (int64_t j = 0; j < columns; j++) add_product(c[j], x, row[j]);
        }
      }
    }
}

template <class T>
void multiply_plainly(const MatmulCall& call) {
  const double row_work = double(call.n) * double(call.k);
  const int64_t least = kIsComplex<T> ? 256 : 16;  // OpenBLAS wants more than a few rows
  const int64_t rows = std::clamp(int64_t(kWorthAFork / row_work) + 1, std::min(call.m, least), call.m);
  const int64_t down = (call.m + rows - 1) / rows;
  parallel(call.batch * down, [&](int64_t i) {
    Product<T> p = product_of<T>(call, i / down);
    const int64_t row = i % down * rows;
    p.m = std::min(rows, p.m - row);
    p.a = p.a.at(row, 0), p.start = p.start.at(row, 0), p.c += row * p.c_row;
    if constexpr (kIsComplex<T>)
      if (std::min({p.m, p.n, p.k}) >= kComplexSize && fits_openblas(p)) return run_openblas(p);
    multiply_rows(p);
  });
}

template <class S>
void run_matmul(const MatmulCall& call) {
  if (call.m == 0 || call.n == 0 || call.batch == 0) return;
  if (call.k == 0) {
    for (int64_t b = 0; b < call.batch; b++) copy_start(product_of<S>(call, b));
    return;
  }
  if constexpr (std::is_floating_point_v<S>)
    if (multiply_vectors<S>(call)) return;
  if constexpr (std::is_floating_point_v<S> || kIsHalf<S>) multiply<S>(call);
  else multiply_plainly<S>(call);
}

// A single column: the same as a row times the transposed matrix, whose loops are better.
MatmulCall as_row(const MatmulCall& call) {
  MatmulCall t = call;
  t.m = 1, t.n = call.m;
  t.a = call.b, t.a_batch = call.b_batch, t.a_row = call.b_column, t.a_column = call.b_row;
  t.b = call.a, t.b_batch = call.a_batch, t.b_row = call.a_column, t.b_column = call.a_row;
  t.c_row = call.m;
  return t;
}

}  // namespace

void matmul(const MatmulCall& call) {
  const bool turn = call.n == 1 && call.m > 1 && call.c_row == 1 && !call.bias;
  for_dtype<BOLIDE_FLOATS, DType::U8, DType::I8, DType::I16, DType::I32, DType::I64, DType::C64, DType::C128>(
      "matmul", call.dtype, [&]<class S> { run_matmul<S>(turn ? as_row(call) : call); });
}

}  // namespace bolide::inline BOLIDE_ISA
