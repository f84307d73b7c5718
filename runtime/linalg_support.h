// linalg_support.h - what the fronts of linear algebra share: matrices in LAPACK's order, calls of the kernel.
//
// LAPACK wants columns: a front makes a copy of the transpose, and hands out its transpose.
#pragma once
#include "runtime/autograd.h"
#include "runtime/backend.h"
#include "runtime/blocking.h"
#include "runtime/linalg.h"
#include "runtime/rearrange.h"

namespace bolide::linalg {

inline int64_t rows_of(const Tensor& a) { return a.size(a.rank() - 2); }
inline int64_t columns_of(const Tensor& a) { return a.size(a.rank() - 1); }
inline Dims batch_of(const Tensor& a) {
  Dims out = a.sizes();
  out.resize(a.rank() - 2);
  return out;
}
inline Dims with(Dims batch, std::initializer_list<int64_t> more) {
  for (int64_t size : more) batch.push_back(size);
  return batch;
}
inline Tensor like(const Tensor& a, const Dims& sizes) { return empty(sizes, {a.dtype(), a.device()}); }
inline Tensor identity(const Tensor& a, int64_t n) { return eye(n, n, {a.dtype(), a.device()}); }
inline Tensor no_info(const Tensor& a) { return zeros(batch_of(a), {DType::I32, a.device()}); }

// A copy in LAPACK's order, without history: the contiguous transpose.
inline Tensor in_columns(const Tensor& a) {
  const Tensor from = transposed(detach(a)), to = like(a, from.sizes());
  copy_values(to, from);
  return to;
}
// The other way: what lies in columns as a matrix of its own, no view.
inline Tensor as_matrix(const Tensor& columns) { return alias(transposed(columns)); }

inline LapackCall call_for(LapackCall::Kind kind, const Tensor& a) {
  LapackCall call;
  call.kind = kind, call.m = rows_of(a), call.n = columns_of(a);
  return call;
}
// Calls the kernel on `columns`; nothing happens where there is nothing to do.
void run(const char* op, LapackCall& call, const Tensor& columns, const Tensor& info);

inline Tensor diagonal_of(const Tensor& x) { return diagonal(x, 0, -2, -1); }
inline Tensor outer_scale(const Tensor& g) { return unsqueeze(unsqueeze(g, -1), -1); }  // a number per matrix
// The gradient, or zeros where none arrived.
inline Tensor or_zeros(const Tensor& g, const Tensor& y) { return g ? g : zeros(y.sizes(), {y.dtype(), y.device()}); }

}  // namespace bolide::linalg
