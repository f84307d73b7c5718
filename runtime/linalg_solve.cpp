// linalg_solve.cpp - LU, Cholesky, and what they solve: the fronts of LAPACK's routines, and their gradients.
//
// Gradients are formulas of matrices made of ops, so they can be differentiated again (Giles 2008, "An extended collection
// of matrix derivative results"; de Hoog, Anderssen, Lukas 2011 for LU).
#include <cmath>
#include <limits>

#include "runtime/linalg_support.h"

namespace bolide::linalg {
namespace {

std::string shape_of(const Tensor& a) { return str(rows_of(a), "x", columns_of(a)); }
void check_alike(const char* op, const Tensor& a, const Tensor& b) {
  check(b.rank() >= 2, ErrorKind::Shape, op, "B of at least 2 dimensions", [&] { return describe(b); });
  check(a.dtype() == b.dtype(), ErrorKind::Runtime, op, "A and B to have the same dtype",
        [&] { return str(name_of(a.dtype()), " and ", name_of(b.dtype())); });
}
void check_fits(const char* op, const Tensor& a, const Tensor& b, bool left) {
  check((left ? rows_of(b) : columns_of(b)) == rows_of(a), ErrorKind::Shape, op,
        str("compatible shapes of A and B for the equation ", left ? "AX = B" : "XA = B"),
        [&] { return str(shape_of(a), " and ", shape_of(b)); });
}

// The numbers of the rows of A that the rows of LU stand for (int64): what the exchanges of `pivots` lead to.
Tensor permutation_of(const char* op, const Tensor& pivots, int64_t m) {
  check(pivots.device().is_cpu(), ErrorKind::NotImplemented, op, "pivots on the CPU", [&] { return describe(pivots); });
  const Tensor dense = contiguous(detach(pivots));
  const int64_t k = dense.sizes().back();
  Dims sizes = dense.sizes();
  sizes[sizes.rank() - 1] = m;
  const Tensor out = empty(sizes, {DType::I64, pivots.device()});
  const int64_t batch = m ? out.numel() / m : 0;
  const int32_t* exchange = dense.data<int32_t>();
  int64_t* places = out.data<int64_t>();
  for (int64_t i = 0; i < batch; i++, exchange += k, places += m) {
    for (int64_t r = 0; r < m; r++) places[r] = r;
    for (int64_t r = 0; r < k; r++) {
      check(exchange[r] >= 1 && exchange[r] <= m, ErrorKind::Runtime, op, str("pivots from 1 to ", m),
            [&] { return str(exchange[r]); });
      std::swap(places[r], places[exchange[r] - 1]);
    }
  }
  return out;
}
// -1 where the number of exchanges is odd, as 0-d numbers of a's dtype.
Tensor parity_of(const Tensor& pivots, const Tensor& a) {
  const int64_t k = pivots.sizes().back();
  Dims sizes = pivots.sizes();
  sizes.resize(sizes.rank() - 1);
  const Tensor out = empty(sizes, {DType::F32, a.device()});
  const int32_t* exchange = pivots.data<int32_t>();
  for (int64_t i = 0; i < out.numel(); i++, exchange += k) {
    int64_t odd = 0;
    for (int64_t r = 0; r < k; r++) odd ^= exchange[r] != r + 1;
    out.data<float>()[i] = odd ? -1.f : 1.f;
  }
  return to(out, a.dtype());
}

}  // namespace

void run(const char* op, LapackCall& call, const Tensor& columns, const Tensor& info) {
  call.dtype = columns.dtype(), call.a = columns.data(), call.info = info.data<int32_t>();
  call.batch = info.numel(), call.stream = current_stream(columns.device());
  auto* kernel = backend_of(columns.device().type).kernels->lapack;
  if (!kernel)
    raise(ErrorKind::NotImplemented, op,
          str("a kernel for ", name_of(columns.dtype()), " on ", name_of(columns.device())), "none");
  if (call.batch == 0 || call.m == 0 || call.n == 0) return;
  BlockingScope scope(columns.numel() >= 1 << 10);
  kernel(call);
}

void raise_bad(const char* op, const Tensor& info, const Failure& failure) {
  const int32_t* codes = info.data<int32_t>();  // where there are kernels: in host memory
  for (int64_t i = 0; i < info.numel(); i++) {
    if (!codes[i]) continue;
    std::string text;
    for (const char* p = failure.text; *p; p++) text += *p == '%' ? str(codes[i]) : std::string(1, *p);
    const std::string which = info.rank() ? str("(Batch element ", i, "): ") : "";
    raise(failure.kind, op, failure.expected,
          info.rank() ? str("one as number ", i, " of the batch that is not") : "one that is not",
          str(op, ": ", which, text));
  }
}

void check_matrix(const char* op, const Tensor& a) {
  check(a.rank() >= 2, ErrorKind::Shape, op, "a tensor of at least 2 dimensions", [&] { return describe(a); });
  check(is_differentiable(a.dtype()), ErrorKind::DType, op, "a floating point or complex tensor as input",
        [&] { return std::string(name_of(a.dtype())); });
  check(item_size(real_type(a.dtype())) > 2, ErrorKind::NotImplemented, op, "float32, float64, complex64 or complex128",
        [&] { return std::string(name_of(a.dtype())); });
}
void check_square(const char* op, const Tensor& a) {
  check_matrix(op, a);
  check(columns_of(a) == rows_of(a), ErrorKind::Shape, op, "batches of square matrices",
        [&] { return str(rows_of(a), " by ", columns_of(a), " matrices"); });
}

// ---------------------------------------------------------------------------------------------------------- LU
namespace {

// A = P L U. With Y = L^-1 P^T dA of a wide matrix (first k columns Y1, Z = Y1 U1^-1): dL = L tril(Z, -1),
// dU1 = triu(Z) U1, dU2 = Y2 - tril(Z, -1) U2; of a tall one the same from the other side.
Tensor lu_gradient(const Tensor& lu, const Tensor& pivots, const Tensor& g) {
  const int64_t m = rows_of(lu), n = columns_of(lu), k = std::min(m, n);
  const char* op = "lu_factor";
  const TensorList parts = lu_unpack(lu, pivots, true, true);
  const Tensor &p = parts[0], &l = parts[1], &u = parts[2];
  const Tensor gl = tril(narrow(g, -1, 0, k), -1), gu = triu(narrow(g, -2, 0, k));
  const Tensor l1 = narrow(l, -2, 0, k), u1 = narrow(u, -1, 0, k);
  const Tensor gl1 = narrow(gl, -2, 0, k), gu1 = narrow(gu, -1, 0, k);
  Tensor below = matmul(adjoint(l1), gl1), above = matmul(gu1, adjoint(u1));
  if (n > k) below = sub(below, matmul(narrow(gu, -1, k, n - k), adjoint(narrow(u, -1, k, n - k))));
  if (m > k) above = sub(above, matmul(adjoint(narrow(l, -2, k, m - k)), narrow(gl, -2, k, m - k)));
  Tensor out = add(tril(below, -1), triu(above));
  out = solve_triangular(op, adjoint(u1), out, false, false, false);
  if (n > k) {
    const Tensor both[] = {out, narrow(gu, -1, k, n - k)};
    out = cat(both, -1);
  }
  out = solve_triangular(op, adjoint(l1), out, true, true, true);
  if (m > k) {
    const Tensor both[] = {out, solve_triangular(op, adjoint(u1), narrow(gl, -2, k, m - k), false, false, false)};
    out = cat(both, -2);
  }
  return matmul(p, out);
}

}  // namespace

TensorList lu_factor(const char* op, const Tensor& a) {
  check_matrix(op, a);
  const Tensor columns = in_columns(a), info = no_info(a);
  LapackCall call = call_for(LapackCall::Lu, a);
  const Tensor pivots = empty(with(batch_of(a), {std::min(call.m, call.n)}), {DType::I32, a.device()});
  call.pivots = pivots.data<int32_t>();
  run(op, call, columns, info);
  const Tensor lu = as_matrix(columns);
  record("LinalgLuFactorExBackward", lu, {&a}, [&] {
    return [lu = Saved::output(lu), pivots](const Tensor& g, Grads& grads) {
      grads[0] = lu_gradient(lu.get(grads.node()), pivots, g);
    };
  });
  return {lu, pivots, info};
}

TensorList lu_unpack(const Tensor& lu, const Tensor& pivots, bool data, bool permutation) {
  const char* op = "lu_unpack";
  check(lu.rank() >= 2, ErrorKind::Shape, op, "LU_data of at least 2 dimensions", [&] { return describe(lu); });
  check(!permutation || pivots.dtype() == DType::I32, ErrorKind::Runtime, op, "LU_pivots of int32",
        [&] { return describe(pivots); });
  const int64_t m = rows_of(lu), k = std::min(m, columns_of(lu));
  const Tensor none = like(lu, {0});
  Tensor p = none, l = none, u = none;
  if (data) {
    l = add(tril(narrow(lu, -1, 0, k), -1), eye(m, k, {lu.dtype(), lu.device()}));
    u = triu(narrow(lu, -2, 0, k));
  }
  if (permutation) {
    const Tensor numbers = arange(int64_t(0), m, int64_t(1), DType::I64, lu.device());
    p = to(eq(unsqueeze(permutation_of(op, pivots, m), -2), unsqueeze(numbers, -1)), lu.dtype());
  }
  return {p, l, u};
}

namespace {

// For matrices of one batch, without history.
Tensor lu_solve_columns(const char* op, const Tensor& lu, const Tensor& pivots, const Tensor& b, char trans) {
  const int64_t n = columns_of(lu), k = columns_of(b);
  const Dims batch = broadcast_sizes(op, batch_of(lu), batch_of(b));
  GradMode off(false);
  const bool ready = lu.rank() == batch.rank() + 2 && batch_of(lu) == batch && transposed(lu).is_contiguous();
  const Tensor factors = ready ? transposed(detach(lu)) : in_columns(expand(lu, with(batch, {n, n})));
  const Tensor x = in_columns(expand(b, with(batch, {n, k}))), exchanges = contiguous(expand(pivots, with(batch, {n})));
  LapackCall call = call_for(LapackCall::LuSolve, lu);
  call.k = k, call.trans = trans, call.b = x.data(), call.pivots = exchanges.data<int32_t>();
  if (x.numel()) run(op, call, factors, zeros(batch, {DType::I32, lu.device()}));
  return as_matrix(x);
}

}  // namespace

// A X = B, or with the adjoint of A; X A = B is A^T X^T = B^T.
Tensor lu_solve(const char* op, const Tensor& lu, const Tensor& pivots, const Tensor& b, bool left, bool adjoint_of) {
  check_square(op, lu), check_alike(op, lu, b), check_fits(op, lu, b, left);
  check(pivots.dtype() == DType::I32, ErrorKind::Runtime, op, "pivots of int32", [&] { return describe(pivots); });
  check(pivots.rank() >= 1 && pivots.sizes().back() == columns_of(lu), ErrorKind::Shape, op,
        "as many pivots per batch as the matrix has rows", [&] { return describe(pivots); });
  permutation_of(op, pivots, columns_of(lu));  // checks them
  if (lu.requires_grad() && grad_enabled()) {  // made of what has the factors' gradients
    const TensorList parts = lu_unpack(lu, pivots, true, true);
    const Tensor &p = parts[0], &l = parts[1], &u = parts[2];
    if (!left) return conj(transposed(lu_solve(op, lu, pivots, adjoint(b), true, !adjoint_of)));
    if (!adjoint_of)
      return solve_triangular(op, u, solve_triangular(op, l, matmul(transposed(p), b), false, true, true), true, true,
                              false);
    const Tensor y = solve_triangular(op, adjoint(u), b, false, true, false);
    return matmul(p, solve_triangular(op, adjoint(l), y, true, true, true));
  }
  if (!left) return adjoint(lu_solve(op, lu, pivots, adjoint(b), true, !adjoint_of));
  const Tensor x = lu_solve_columns(op, lu, pivots, b, adjoint_of ? 'C' : 'N');
  record("LinalgLuSolveBackward", x, {&b}, [&] {
    return [lu = Saved(lu), pivots, adjoint_of, op](const Tensor& g, Grads& grads) {
      grads[0] = lu_solve(op, lu.get(), pivots, g, true, !adjoint_of);
    };
  });
  return x;
}

// g -> A^-H g for B, and -(A^-H g) X^H for A.
TensorList solve(const char* op, const Tensor& a, const Tensor& b, bool left) {
  check_square(op, a);
  check(a.dtype() == b.dtype(), ErrorKind::Runtime, op, "A and B to have the same dtype",
        [&] { return str(name_of(a.dtype()), " and ", name_of(b.dtype())); });
  Dims vectors = a.sizes();
  vectors.resize(a.rank() - 1);
  if (b.rank() == 1 || (b.rank() == a.rank() - 1 && b.sizes() == vectors)) {
    check(left, ErrorKind::Shape, op, "compatible shapes of A and B for the equation XA = B",
          [&] { return str(shape_of(a), " and ", b.sizes().back(), "x1"); });
    TensorList found = solve(op, a, unsqueeze(b, -1), true);
    return {squeeze(found[0], Dims{-1}), found[1]};
  }
  check_alike(op, a, b), check_fits(op, a, b, left);
  if (!left) {
    const TensorList found = solve(op, transposed(a), transposed(b), true);
    return {transposed(found[0]), found[1]};
  }
  TensorList factors;
  {
    GradMode off(false);
    factors = lu_factor(op, a);
  }
  const Tensor x = lu_solve_columns(op, factors[0], factors[1], b, 'N');
  record("LinalgSolveExBackward", x, {&a, &b}, [&] {
    return
        [a = Saved(a), x = Saved::output(x), lu = factors[0], pivots = factors[1], op](const Tensor& g, Grads& grads) {
          const Tensor of_b =
              grad_enabled() ? solve(op, adjoint(a.get()), g, true)[0] : lu_solve_columns(op, lu, pivots, g, 'C');
          if (grads.needs(1)) grads[1] = of_b;
          if (grads.needs(0)) grads[0] = neg(matmul(of_b, adjoint(x.get(grads.node()))));
        };
  });
  return {x, factors[2]};
}

TensorList inverse(const char* op, const Tensor& a) {
  check_square(op, a);
  TensorList factors;
  Tensor y;
  {
    GradMode off(false);
    factors = lu_factor(op, a);
    y = lu_solve_columns(op, factors[0], factors[1], identity(a, columns_of(a)), 'N');
  }
  record("LinalgInvExBackward", y, {&a}, [&] {
    return [y = Saved::output(y)](const Tensor& g, Grads& grads) {
      const Tensor t = adjoint(y.get(grads.node()));
      grads[0] = neg(matmul(t, matmul(g, t)));
    };
  });
  return {y, factors[2]};
}

Tensor solve_triangular(const char* op, const Tensor& a, const Tensor& b, bool upper, bool left, bool unit) {
  check_square(op, a), check_alike(op, a, b), check_fits(op, a, b, left);
  if (!left) return transposed(solve_triangular(op, transposed(a), transposed(b), !upper, true, unit));
  const int64_t n = rows_of(a), k = columns_of(b);
  Tensor x;
  {
    GradMode off(false);
    const Dims batch = broadcast_sizes(op, batch_of(a), batch_of(b));
    const Tensor factors = in_columns(expand(a, with(batch, {n, n})));
    const Tensor columns = in_columns(expand(b, with(batch, {n, k})));
    LapackCall call = call_for(LapackCall::Triangular, a);
    call.k = k, call.upper = upper, call.unit = unit, call.b = columns.data();
    if (columns.numel()) run(op, call, factors, zeros(batch, {DType::I32, a.device()}));
    x = as_matrix(columns);
  }
  record("LinalgSolveTriangularBackward", x, {&a, &b}, [&] {
    return [a = Saved(a), x = Saved::output(x), upper, unit, op](const Tensor& g, Grads& grads) {
      const Tensor of_b = solve_triangular(op, adjoint(a.get()), g, !upper, true, unit);
      if (grads.needs(1)) grads[1] = of_b;
      if (!grads.needs(0)) return;
      const Tensor all = neg(matmul(of_b, adjoint(x.get(grads.node()))));
      grads[0] = upper ? triu(all, unit) : tril(all, -int64_t(unit));
    };
  });
  return x;
}

// ------------------------------------------------------------------------------------------------ determinants
// d log det A = trace(A^-1 dA) = z: log |det| has its real part, the sign turns by its imaginary part.
TensorList slogdet(const char* op, const Tensor& a) {
  check_square(op, a);
  Tensor sign_of, logarithm;
  {
    GradMode off(false);
    const TensorList lu = lu_factor(op, a);
    const Tensor d = diagonal_of(lu[0]);
    sign_of = mul(prod(sgn(d), Dims{-1}), parity_of(lu[1], a));
    logarithm = sum(log(abs(d)), Dims{-1});
  }
  record_many("LinalgSlogdetBackward", {&sign_of, &logarithm}, {&a}, [&] {
    return [a = Saved(a), sign_of = Saved::output(sign_of, 0), op](std::span<const Tensor> g, Grads& grads) {
      const Tensor of_a = adjoint(inverse(op, a.get())[0]);
      Tensor scale = g[1];
      if (g[0] && is_complex(of_a.dtype())) {
        const Tensor turn = mul(imag(mul(conj(g[0]), sign_of.get(grads.node()))), Scalar(0.0, -1.0));
        scale = scale ? add(turn, scale) : turn;
      }
      if (scale) grads[0] = mul(outer_scale(scale), of_a);
    };
  });
  return {sign_of, logarithm};
}

namespace {

// The adjoint of the adjugate, which a singular matrix has too, by way of the singular values:
// conj(det(U) det(V^H)) U diag(products of the others) V^H.
Tensor cofactors(const char* op, const Tensor& a) {
  const TensorList f = svd(op, a, true);
  const Tensor ones_there = identity(f[1], columns_of(a));
  const Tensor others = prod(add(mul(unsqueeze(f[1], -2), sub(1, ones_there)), ones_there), Dims{-1});
  const Tensor turn = mul(det(op, f[0]), det(op, f[2]));
  return mul(outer_scale(conj(turn)), matmul(mul(f[0], unsqueeze(others, -2)), f[2]));
}

}  // namespace

Tensor det(const char* op, const Tensor& a) {
  check_square(op, a);
  Tensor y;
  {
    GradMode off(false);
    const TensorList lu = lu_factor(op, a);
    y = mul(prod(diagonal_of(lu[0]), Dims{-1}), parity_of(lu[1], a));
  }
  record("LinalgDetBackward", y, {&a}, [&] {
    return [a = Saved(a), y = Saved::output(y), op](const Tensor& g, Grads& grads) {
      const Tensor x = a.get(), found = y.get(grads.node());
      const bool singular = item(any(eq(found, 0))).integer != 0;
      if (singular) grads[0] = mul(outer_scale(g), cofactors(op, x));
      else grads[0] = mul(outer_scale(mul(g, conj(found))), adjoint(inverse(op, x)[0]));
    };
  });
  return y;
}

// ---------------------------------------------------------------------------------------------------- Cholesky
// dA -> dL = L half(L^-1 dA L^-H), where half() takes what is below the diagonal and half of that.
TensorList cholesky(const char* op, const Tensor& a, bool upper) {
  check_square(op, a);
  const Tensor info = no_info(a);
  Tensor factor;
  {
    GradMode off(false);
    const Tensor columns = in_columns(a);
    LapackCall call = call_for(LapackCall::Cholesky, a);
    call.upper = upper;
    run(op, call, columns, info);
    factor = as_matrix(upper ? tril(columns) : triu(columns));
  }
  record("LinalgCholeskyExBackward", factor, {&a}, [&] {
    return [factor = Saved::output(factor), upper, op](const Tensor& g, Grads& grads) {
      const Tensor f = factor.get(grads.node()), l = upper ? adjoint(f) : f, gl = upper ? adjoint(g) : g;
      const Tensor low = tril(matmul(adjoint(l), gl)), both = sub(low, mul(diag_embed(diagonal_of(low)), 0.5));
      const Tensor left = solve_triangular(op, adjoint(l), both, true, true, false);
      const Tensor whole = solve_triangular(op, l, left, false, false, false);
      grads[0] = mul(add(whole, adjoint(whole)), 0.5);
    };
  });
  return {factor, info};
}

Tensor cholesky_solve(const Tensor& b, const Tensor& factor, bool upper) {
  const char* op = "cholesky_solve";
  check_square(op, factor), check_alike(op, factor, b), check_fits(op, factor, b, true);
  const Tensor l = upper ? adjoint(factor) : factor, lh = upper ? factor : adjoint(factor);
  return solve_triangular(op, lh, solve_triangular(op, l, b, false, true, false), true, true, false);
}

Tensor cholesky_inverse(const Tensor& factor, bool upper) {
  const char* op = "cholesky_inverse";
  check_square(op, factor);
  Tensor y;
  {
    GradMode off(false);
    const Tensor columns = in_columns(factor), info = no_info(factor);
    LapackCall call = call_for(LapackCall::CholeskyInverse, factor);
    call.upper = upper;
    run(op, call, columns, info);
    raise_bad(op, info, kSingular);
    const Tensor half = as_matrix(columns), kept = upper ? triu(half) : tril(half);
    y = add(kept, adjoint(upper ? triu(half, 1) : tril(half, -1)));
  }
  record("CholeskyInverseBackward", y, {&factor}, [&] {
    return [f = Saved(factor), y = Saved::output(y), upper](const Tensor& g, Grads& grads) {
      const Tensor inverse_of = y.get(grads.node()), l = f.get();
      const Tensor both = matmul(matmul(inverse_of, add(g, adjoint(g))), inverse_of);
      grads[0] = upper ? triu(neg(matmul(l, both))) : tril(neg(matmul(both, l)));
    };
  });
  return y;
}

}  // namespace bolide::linalg
