// tile.h - the two inner loops of all matrix-like kernels.
//
//   product_tile: sums[i][j] += a(i, k) * b(k)[j]   b(k) is a row of numbers wherever the caller says: of a
//                 matrix, of a packed panel, or of an image shifted by a tap (that is a convolution without
//                 im2col)
//   dot_tile:     sums[i][j] += a(i)[k] * b(j)[k]   for long k: gradients of weights, products with a
//                 transposed matrix
#pragma once
#include "kernels/cpu/simd.h"

namespace bolide::inline BOLIDE_ISA {

// The vectors of a row of b are `step` numbers apart: kWidth, or less where they overlap.
template <class T, int R, int N, class A, class B>
BOLIDE_FN void product_tile(int64_t depth, A a, B b, int64_t step, Vector<T> (&sums)[R][N]) {
#pragma GCC unroll 1
  for (int64_t k = 0; k < depth; k++) {
    const T* row = b(k);
    Vector<T> v[N];
#pragma GCC unroll 8
    for (int n = 0; n < N; n++) v[n] = load(row + n * step);
#pragma GCC unroll 16
    for (int i = 0; i < R; i++) {
      const T x = a(i, k);
#pragma GCC unroll 8
      for (int n = 0; n < N; n++) sums[i][n] += x * v[n];
    }
  }
}

// depth is a multiple of kWidth.
template <class T, int R, int N, class A, class B>
BOLIDE_FN void dot_tile(int64_t depth, A a, B b, Vector<T> (&sums)[R][N]) {
#pragma GCC unroll 1
  for (int64_t k = 0; k < depth; k += kWidth<T>) {
    Vector<T> v[N];
#pragma GCC unroll 8
    for (int n = 0; n < N; n++) v[n] = load(b(n) + k);
#pragma GCC unroll 8
    for (int i = 0; i < R; i++) {
      const Vector<T> x = load(a(i) + k);
#pragma GCC unroll 8
      for (int n = 0; n < N; n++) sums[i][n] += x * v[n];
    }
  }
}

}  // namespace bolide::inline BOLIDE_ISA
