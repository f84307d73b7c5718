// linalg_ldl.cpp - LDL: the factorisation of symmetric and Hermitian matrices by Bunch and Kaufman, and what it solves.
//
// D has blocks of one or two rows; a block of two is two equal negative pivots. Only the lower triangle is read.
#include "runtime/linalg_support.h"

namespace bolide::linalg {
namespace {

void raise_no_gradient(const char* op) {
  raise(ErrorKind::NotImplemented, op, "inputs without a gradient", "one with, which LDL does not have");
}

// Pivots as LAPACK gives them, of the batch of the solution. It reads two rows at a negative one.
Tensor checked_pivots(const char* op, const Tensor& ld, const Tensor& pivots) {
  Dims expected = ld.sizes();
  expected.resize(ld.rank() - 1);
  check(is_integer(pivots.dtype()), ErrorKind::Runtime, op, "pivots of integers", [&] { return describe(pivots); });
  check(pivots.sizes() == expected, ErrorKind::Shape, op, "LD.shape[:-1] as the shape of pivots",
        [&] { return str(pivots.sizes().text(), " and LD of ", ld.sizes().text()); });
  check(pivots.device().is_cpu(), ErrorKind::NotImplemented, op, "pivots on the CPU", [&] { return describe(pivots); });
  const Tensor out = contiguous(to(detach(pivots), DType::I32));
  const int64_t n = columns_of(ld);
  const int32_t* p = out.data<int32_t>();
  for (int64_t i = 0; i < out.numel(); i++) {
    const int64_t row = i % n, size = std::abs(int64_t(p[i]));
    check(size >= 1 && size <= n, ErrorKind::Runtime, op, str("pivots that satisfy 1 <= |pivot| <= ", n),
          [&] { return str(p[i]); });
    if (p[i] > 0) continue;
    check(row + 1 < n && p[i + 1] == p[i], ErrorKind::Runtime, op, "negative pivots in equal pairs, from ldl_factor",
          [&] { return str(p[i], " as number ", row); });
    i++;
  }
  return out;
}

}  // namespace

TensorList ldl_factor(const char* op, const Tensor& a, bool hermitian) {
  check_square(op, a);
  const Tensor columns = in_columns(a), info = no_info(a);
  LapackCall call = call_for(LapackCall::Ldl, a);
  const Tensor pivots = empty(with(batch_of(a), {call.n}), {DType::I32, a.device()});
  call.pivots = pivots.data<int32_t>(), call.trans = hermitian ? 'C' : 'T';
  run(op, call, columns, info);
  const Tensor ld = as_matrix(triu(columns));
  record("LinalgLdlFactorExBackward", ld, {&a}, [&] { return [op](const Tensor&, Grads&) { raise_no_gradient(op); }; });
  return {ld, pivots, info};
}

// A^-H g is A^-1 g of a Hermitian A, and its conjugate for that of g where A is symmetric.
Tensor ldl_solve(const Tensor& ld, const Tensor& pivots, const Tensor& b, bool hermitian) {
  const char* op = "linalg.ldl_solve";
  check_square(op, ld);
  check(b.rank() >= 2, ErrorKind::Shape, op, "B of at least 2 dimensions", [&] { return describe(b); });
  check(ld.dtype() == b.dtype(), ErrorKind::Runtime, op, "LD and B to have the same dtype",
        [&] { return str(name_of(ld.dtype()), " and ", name_of(b.dtype())); });
  const int64_t n = columns_of(ld), k = columns_of(b);
  check(rows_of(b) == n, ErrorKind::Shape, op, str("B with ", n, " rows"), [&] { return describe(b); });
  const Tensor whole = checked_pivots(op, ld, pivots);
  Tensor x;
  {
    GradMode off(false);
    const Dims batch = broadcast_sizes(op, batch_of(ld), batch_of(b));
    const Tensor factors = in_columns(expand(ld, with(batch, {n, n})));
    const Tensor columns = in_columns(expand(b, with(batch, {n, k})));
    const Tensor exchanges = contiguous(expand(whole, with(batch, {n})));
    LapackCall call = call_for(LapackCall::LdlSolve, ld);
    call.k = k, call.trans = hermitian ? 'C' : 'T', call.b = columns.data();
    call.pivots = exchanges.data<int32_t>();
    if (columns.numel()) run(op, call, factors, zeros(batch, {DType::I32, ld.device()}));
    x = as_matrix(columns);
  }
  record("LinalgLdlSolveBackward", x, {&ld, &b}, [&] {
    return [ld = Saved(ld), whole, hermitian, op](const Tensor& g, Grads& grads) {
      if (grads.needs(0)) raise_no_gradient(op);
      if (!grads.needs(1)) return;
      grads[1] = hermitian ? ldl_solve(ld.get(), whole, g, true) : conj(ldl_solve(ld.get(), whole, conj(g), false));
    };
  });
  return x;
}

}  // namespace bolide::linalg
