// linalg_spectral.cpp - QR, eigenvalues, singular values and the pseudo-inverse: fronts and gradients.
//
// Vectors are determined but for a sign, or a number of length 1 for complex ones. Gradients are those of PyTorch
// (Townsend 2016, "Differentiating the singular value decomposition"; Walter, Lehmann 2010 for QR; Giles 2008): where
// eigenvalues or singular values repeat, those of vectors are not finite.
#include <algorithm>
#include <limits>

#include "runtime/linalg_support.h"

namespace bolide::linalg {
namespace {

Tensor real_like(const Tensor& a, const Dims& sizes) { return empty(sizes, {real_type(a.dtype()), a.device()}); }

// 1 / (x_j - x_i), 0 on the diagonal.
Tensor inverse_gaps(const Tensor& x) {
  const Tensor ones_there = identity(x, x.sizes().back());
  return sub(div(1.0, add(sub(unsqueeze(x, -2), unsqueeze(x, -1)), ones_there)), ones_there);
}
Tensor skew(const Tensor& x) { return sub(x, adjoint(x)); }

bool has_not_finite(const Tensor& info) {
  const int32_t* codes = info.data<int32_t>();
  return std::find(codes, codes + info.numel(), -4) != codes + info.numel();
}

// The loss must not depend on the phase of complex vectors: `turn` says how it changes with each.
void check_phase(const char* op, const char* vectors, const Tensor& turn) {
  GradMode off(false);
  if (item(any(gt(abs(turn), 1e-2))).integer)
    raise(ErrorKind::Runtime, op, "a loss that does not depend on the phase of complex vectors", "one that does",
          str(op, "_backward: The ", vectors,
              " in the complex case are specified up to multiplication by e^{i phi}. The specified loss function "
              "depends on this quantity, so it is ill-defined."));
}

}  // namespace

// ---------------------------------------------------------------------------------------------------------- QR
TensorList geqrf(const char* op, const Tensor& a) {
  check_matrix(op, a);
  const Tensor columns = in_columns(a);
  LapackCall call = call_for(LapackCall::Qr, a);
  const Tensor tau = like(a, with(batch_of(a), {std::min(call.m, call.n)}));
  call.b = tau.data();
  run(op, call, columns, no_info(a));
  const Tensor r = as_matrix(columns);
  record_many("GeqrfBackward", {&r, &tau}, {&a}, [&] {
    return [op](std::span<const Tensor>, Grads&) {
      raise(ErrorKind::NotImplemented, op, "the gradient of linalg.qr", "that of the reflectors, which has none");
    };
  });
  return {r, tau};
}

namespace {

// The first n columns of the product of the reflectors that lie in the rows of `columns`, there.
void multiply_out(const char* op, const Tensor& columns, const Tensor& tau) {
  LapackCall call = call_for(LapackCall::Householder, transposed(columns));
  call.k = tau.sizes().back(), call.b = tau.data();
  run(op, call, columns, zeros(batch_of(columns), {DType::I32, columns.device()}));
}

// With S = Q^H gQ - R gR^H... of which what is above the diagonal counts: (gQ - Q both(S)) R^-H. Of a wide matrix the
// columns of R beyond the square are Q^H A2.
Tensor qr_gradient(const char* op, const Tensor& a, const Tensor& q, const Tensor& r, Tensor gq, Tensor gr) {
  const int64_t m = rows_of(a), n = columns_of(a);
  Tensor behind;
  Tensor square = r;
  if (n > m) {
    const Tensor g2 = gr ? narrow(gr, -1, m, n - m) : Tensor();
    behind = gr ? matmul(q, g2) : zeros(with(batch_of(a), {m, n - m}), {a.dtype(), a.device()});
    if (gr) {
      const Tensor more = matmul(narrow(a, -1, m, n - m), adjoint(g2));
      gq = gq ? add(gq, more) : more;
      gr = narrow(gr, -1, 0, m);
    }
    square = narrow(r, -1, 0, m);
  }
  Tensor s;
  if (gr) s = matmul(triu(gr), adjoint(square));
  if (gq) s = s ? sub(s, matmul(adjoint(q), gq)) : neg(matmul(adjoint(q), gq));
  const Tensor above = triu(s, 1);
  const Tensor both = add(add(above, adjoint(above)), diag_embed(real(diagonal_of(s))));
  const Tensor inner = gq ? add(gq, matmul(q, both)) : matmul(q, both);
  const Tensor out = solve_triangular(op, adjoint(square), inner, false, false, false);
  if (!behind) return out;
  const Tensor parts[] = {out, behind};
  return cat(parts, -1);
}

}  // namespace

Tensor householder_product(const char* op, const Tensor& a, const Tensor& tau) {
  check_matrix(op, a);
  check(rows_of(a) >= columns_of(a), ErrorKind::Shape, op, "input.shape[-2] greater than or equal to input.shape[-1]",
        [&] { return describe(a); });
  check(tau.rank() == a.rank() - 1 && tau.sizes().back() <= columns_of(a), ErrorKind::Shape, op,
        "a tau with one number per column at most", [&] { return describe(tau); });
  check(tau.dtype() == a.dtype(), ErrorKind::Runtime, op, "input and tau of one dtype",
        [&] { return str(name_of(a.dtype()), " and ", name_of(tau.dtype())); });
  const int64_t m = rows_of(a), n = columns_of(a);
  if (!wants_grad({&a, &tau}) || !a.device().is_cpu()) {  // elsewhere it raises, whoever asks
    const Tensor columns = in_columns(a);
    multiply_out(op, columns, contiguous(detach(tau)));
    return as_matrix(columns);
  }
  // One after the other, from the last: I - tau v v^H.
  Tensor q = expand(eye(m, n, {a.dtype(), a.device()}), a.sizes());
  const Tensor v = add(tril(a, -1), eye(m, n, {a.dtype(), a.device()}));
  if (!tau.numel()) return add(q, sum(narrow(a, -1, 0, 0)));  // of nothing, but a part of the graph
  for (int64_t i = tau.sizes().back() - 1; i >= 0; i--) {
    const Tensor one = narrow(v, -1, i, 1), factor = unsqueeze(narrow(tau, -1, i, 1), -1);
    q = sub(q, mul(matmul(one, matmul(adjoint(one), q)), factor));
  }
  return q;
}

// Q = I - V T V^H with T = (I + D triu(V^H V, 1))^-1 D, where D has tau on its diagonal (Schreiber, Van Loan 1989).
Tensor ormqr(const Tensor& a, const Tensor& tau, const Tensor& other, bool left, bool adjoint_of) {
  const char* op = "ormqr";
  check_matrix(op, a);
  check(tau.rank() == a.rank() - 1, ErrorKind::Shape, op, "a tau of one dimension less than input",
        [&] { return str(tau.rank(), " and ", a.rank()); });
  check(other.rank() == a.rank(), ErrorKind::Shape, op, "other of as many dimensions as input",
        [&] { return str(other.rank(), " and ", a.rank()); });
  check(tau.dtype() == a.dtype() && other.dtype() == a.dtype(), ErrorKind::Runtime, op, "tensors of one dtype",
        [&] { return str(name_of(a.dtype()), ", ", name_of(tau.dtype()), " and ", name_of(other.dtype())); });
  const int64_t m = rows_of(a), k = tau.sizes().back();
  check((left ? rows_of(other) : columns_of(other)) == m, ErrorKind::Shape, op,
        str("other with ", m, left ? " rows" : " columns"), [&] { return describe(other); });
  check(k == std::min(m, columns_of(a)), ErrorKind::Shape, op, str("a tau of ", std::min(m, columns_of(a)), " numbers"),
        [&] { return describe(tau); });
  const Dims batch = batch_of(a);
  check(tau.sizes() == with(batch, {k}) && batch_of(other) == batch, ErrorKind::Shape, op, "tensors of one batch",
        [&] { return str(a.sizes().text(), ", ", tau.sizes().text(), " and ", other.sizes().text()); });
  const Tensor v = add(tril(narrow(a, -1, 0, k), -1), eye(m, k, {a.dtype(), a.device()}));
  const Tensor between = mul(unsqueeze(tau, -1), triu(matmul(adjoint(v), v), 1));
  const Tensor t = solve_triangular(op, between, diag_embed(tau), true, true, true);  // its ones are not read
  const Tensor inner = adjoint_of ? adjoint(t) : t;
  if (left) return sub(other, matmul(v, matmul(inner, matmul(adjoint(v), other))));
  return sub(other, matmul(matmul(matmul(other, v), inner), adjoint(v)));
}

TensorList qr(const char* op, const Tensor& a, QrMode mode) {
  check_matrix(op, a);
  const int64_t m = rows_of(a), n = columns_of(a), k = mode == QrMode::complete ? m : std::min(m, n);
  Tensor q, r;
  {
    GradMode off(false);
    const TensorList f = geqrf(op, a);
    r = contiguous(triu(narrow(f[0], -2, 0, std::min(k, m))));
    if (mode == QrMode::r) {
      q = like(a, {0});
    } else {
      const Tensor columns = like(a, with(batch_of(a), {k, m}));
      const int64_t given = std::min(k, n);
      copy_values(narrow(columns, -2, 0, given), narrow(transposed(f[0]), -2, 0, given));
      if (k > n) fill_(narrow(columns, -2, n, k - n), Scalar(0));
      multiply_out(op, columns, f[1]);
      q = as_matrix(columns);
    }
  }
  record_many("LinalgQrBackward", {&q, &r}, {&a}, [&] {
    return [a = Saved(a), q = Saved::output(q, 0), r = Saved::output(r, 1), mode, m, n, op](std::span<const Tensor> g,
                                                                                            Grads& grads) {
      check(mode != QrMode::r, ErrorKind::Runtime, op, "mode 'reduced' or 'complete' for a gradient",
            [] { return std::string("'r', whose derivative depends on Q, which it does not give"); });
      check(mode != QrMode::complete || m <= n, ErrorKind::Runtime, op,
            "mode 'reduced' for the gradient of a matrix with more rows than columns",
            [&] { return str("'complete' for ", m, " x ", n); });
      grads[0] = qr_gradient(op, a.get(), q.get(grads.node()), r.get(grads.node()), g[0], g[1]);
    };
  });
  return {q, r};
}

// ------------------------------------------------------------------------------------------------- eigenvalues
TensorList eigh(const char* op, const Tensor& a, bool upper, bool vectors) {
  check_square(op, a);
  if (wants_grad({&a})) vectors = true;
  const Tensor columns = in_columns(a), info = no_info(a), l = real_like(a, with(batch_of(a), {columns_of(a)}));
  LapackCall call = call_for(LapackCall::Eigh, a);
  call.upper = upper, call.vectors = vectors, call.b = l.data();
  run(op, call, columns, info);
  raise_bad(op, info, has_not_finite(info) ? kNotFinite : kNoEigenvalues);
  const Tensor v = as_matrix(columns);
  record_many("LinalgEighBackward", {&l, &v}, {&a}, [&] {
    return [l = Saved::output(l, 0), v = Saved::output(v, 1), op](std::span<const Tensor> g, Grads& grads) {
      const Tensor values = l.get(grads.node()), vectors = v.get(grads.node()), vh = adjoint(vectors);
      Tensor inner;
      if (g[1]) {
        const Tensor p = matmul(vh, g[1]);
        if (is_complex(p.dtype())) check_phase(op, "eigenvectors", imag(diagonal_of(p)));
        inner = mul(mul(skew(p), inverse_gaps(values)), 0.5);  // of what turns the vectors
      }
      if (g[0]) inner = inner ? add(inner, diag_embed(g[0])) : diag_embed(g[0]);
      if (!g[1]) grads[0] = matmul(mul(vectors, unsqueeze(g[0], -2)), vh);
      else grads[0] = matmul(matmul(vectors, inner), vh);
    };
  });
  return {l, v};
}

namespace {

// V^-H (diag(gL) + (V^H gV - V^H V diag(Re V^H gV)) / conj(L_j - L_i)) V^H.
Tensor eig_gradient(const char* op, const Tensor& l, const Tensor& v, const Tensor& gl, const Tensor& gv) {
  const Tensor vh = adjoint(v);
  if (!gv) return solve(op, vh, mul(unsqueeze(gl, -1), vh), true)[0];
  const Tensor p = matmul(vh, gv);
  check_phase(op, "eigenvectors", imag(diagonal_of(p)));
  const Tensor lengths = mul(matmul(vh, v), unsqueeze(real(diagonal_of(p)), -2));
  Tensor inner = mul(sub(p, lengths), conj(inverse_gaps(l)));
  if (gl) inner = add(inner, diag_embed(gl));
  return solve(op, vh, matmul(inner, vh), true)[0];
}

}  // namespace

TensorList eig(const char* op, const Tensor& a, bool vectors) {
  check_square(op, a);
  {
    GradMode off(false);
    check(item(all(isfinite(a))).integer != 0, ErrorKind::Runtime, op, "finite numbers",
          [] { return std::string("infs or NaNs"); });
  }
  if (wants_grad({&a})) vectors = true;
  const DType result = real_type(a.dtype()) == DType::F64 ? DType::C128 : DType::C64;
  const Tensor columns = in_columns(a), info = no_info(a);
  const Tensor l = empty(with(batch_of(a), {columns_of(a)}), {result, a.device()});
  const Tensor held = empty(vectors ? a.sizes() : Dims{0}, {result, a.device()});
  LapackCall call = call_for(LapackCall::Eig, a);
  call.vectors = vectors, call.b = l.data(), call.c = vectors ? held.data() : nullptr;
  run(op, call, columns, info);
  raise_bad(op, info, kNoEigenvalues);
  const Tensor v = vectors ? as_matrix(held) : held;
  record_many("LinalgEigBackward", {&l, &v}, {&a}, [&] {
    return [l = Saved::output(l, 0), v = Saved::output(v, 1), op, is_real = !is_complex(a.dtype())](
               std::span<const Tensor> g, Grads& grads) {
      const Tensor found = eig_gradient(op, l.get(grads.node()), v.get(grads.node()), g[0], g[1]);
      grads[0] = is_real ? real(found) : found;
    };
  });
  return {l, v};
}

// --------------------------------------------------------------------------------------------- singular values
namespace {

TensorList run_svd(const char* op, const Tensor& a, bool full, bool vectors) {
  GradMode off(false);
  const int64_t m = rows_of(a), n = columns_of(a), k = std::min(m, n);
  const Tensor columns = in_columns(a), info = no_info(a), s = real_like(a, with(batch_of(a), {k}));
  Tensor u, v;
  LapackCall call = call_for(LapackCall::Svd, a);
  call.full = full, call.vectors = vectors, call.b = s.data();
  if (vectors) {
    u = like(a, with(batch_of(a), {full ? m : k, m})), v = like(a, with(batch_of(a), {n, full ? n : k}));
    if (full && k == 0) {  // LAPACK is not asked
      copy_values(u, expand(identity(a, m), u.sizes()));
      copy_values(v, expand(identity(a, n), v.sizes()));
    }
    call.c = u.data(), call.d = v.data();
  }
  run(op, call, columns, info);
  raise_bad(op, info, has_not_finite(info) ? kNotFinite : kNoSingularValues);
  if (!vectors) return {{}, s, {}};
  return {as_matrix(u), s, as_matrix(v)};
}

// U, V thin: U ((skew(U^H gU) / E) S + S (skew(V^H gV) / E) + diag(gS)) V^H with E_ij = s_j^2 - s_i^2, and what points
// out of the spaces that U and V span. Of complex ones the diagonal turns too.
Tensor svd_gradient(const char* op, const Tensor& u, const Tensor& s, const Tensor& vh, std::span<const Tensor> g) {
  const Tensor v = adjoint(vh), row = unsqueeze(s, -2), column = unsqueeze(s, -1);
  if (!g[0] && !g[2]) return matmul(mul(u, unsqueeze(g[1], -2)), vh);
  const Tensor gv = g[2] ? adjoint(g[2]) : Tensor(), gaps = inverse_gaps(square(s));
  const Tensor of_u = g[0] ? skew(matmul(adjoint(u), g[0])) : Tensor();
  const Tensor of_v = gv ? skew(matmul(vh, gv)) : Tensor();
  Tensor inner;
  auto plus = [](Tensor& sum, const Tensor& term) { sum = sum ? add(sum, term) : term; };
  if (of_u) plus(inner, mul(mul(of_u, gaps), row));
  if (of_v) plus(inner, mul(mul(of_v, gaps), column));
  if (g[1]) plus(inner, diag_embed(g[1]));
  if (is_complex(u.dtype())) {
    Tensor turn;  // twice what the loss changes by with the phase of each pair
    if (of_u) plus(turn, imag(diagonal_of(of_u)));
    if (of_v) plus(turn, imag(diagonal_of(of_v)));
    check_phase(op, "singular vectors", turn);
    if (of_u) plus(inner, diag_embed(div(diagonal_of(of_u), mul(s, 2.0))));
  }
  Tensor out = matmul(matmul(u, inner), vh);
  if (g[0] && rows_of(u) > columns_of(u)) {
    const Tensor scaled = div(g[0], row);
    plus(out, matmul(sub(scaled, matmul(u, matmul(adjoint(u), scaled))), vh));
  }
  if (gv && rows_of(v) > columns_of(v)) {
    const Tensor scaled = div(gv, row);
    plus(out, matmul(u, adjoint(sub(scaled, matmul(v, matmul(vh, scaled))))));
  }
  return out;
}

}  // namespace

TensorList svd(const char* op, const Tensor& a, bool full_matrices) {
  check_matrix(op, a);
  const TensorList out = run_svd(op, a, full_matrices, true);
  record_many("LinalgSvdBackward", {&out[0], &out[1], &out[2]}, {&a}, [&] {
    return [u = Saved::output(out[0], 0), s = Saved::output(out[1], 1), vh = Saved::output(out[2], 2), op](
               std::span<const Tensor> g, Grads& grads) {
      const Tensor values = s.get(grads.node());
      const int64_t k = values.sizes().back();
      // Columns beyond the k that belong to singular values have no gradient of their own, as in PyTorch.
      const Tensor thin[] = {g[0] ? narrow(g[0], -1, 0, k) : g[0], g[1], g[2] ? narrow(g[2], -2, 0, k) : g[2]};
      grads[0] =
          svd_gradient(op, narrow(u.get(grads.node()), -1, 0, k), values, narrow(vh.get(grads.node()), -2, 0, k), thin);
    };
  });
  return out;
}
Tensor svdvals(const char* op, const Tensor& a) {
  check_matrix(op, a);
  return wants_grad({&a}) ? svd(op, a, false)[1] : run_svd(op, a, false, false)[1];
}

// ---------------------------------------------------------------------------- what counts as zero; the pseudo-inverse
namespace {

// Values up to this, of each matrix, are zero: max(atol, rtol * largest), with a dimension for the values behind.
Tensor zero_limit(const Tensor& a, const Tensor& values, const Tensor& atol, Tensor rtol) {
  const double epsilon = real_type(a.dtype()) == DType::F64 ? std::numeric_limits<double>::epsilon()
                                                            : double(std::numeric_limits<float>::epsilon());
  const Options options{real_type(a.dtype()), a.device()};
  if (!rtol) {
    rtol = full({}, double(std::max(rows_of(a), columns_of(a))) * epsilon, options);
    if (atol) rtol = where(bolide::gt(atol, 0), 0.0, rtol);
  }
  const Tensor largest = values.sizes().back() ? amax(values, Dims{-1}) : sum(values, Dims{-1});
  const Tensor relative = mul(to(rtol, options.dtype), largest);
  return unsqueeze(atol ? maximum(to(atol, options.dtype), relative) : relative, -1);
}

}  // namespace

Tensor matrix_rank(const char* op, const Tensor& a, const Tensor& atol, const Tensor& rtol, bool hermitian) {
  GradMode off(false);
  const Tensor values = hermitian ? abs(eigh(op, a, false, false)[0]) : svdvals(op, a);
  return sum(bolide::gt(values, zero_limit(a, values, atol, rtol)), Dims{-1});
}

// Golub, Pereyra 1973: the gradient needs products only.
Tensor pinv(const char* op, const Tensor& a, const Tensor& atol, const Tensor& rtol, bool hermitian) {
  if (hermitian) check_square(op, a);
  else check_matrix(op, a);
  Tensor y;
  {
    GradMode off(false);
    Tensor u, s, vh;
    if (hermitian) {
      const TensorList f = eigh(op, a, false);
      s = f[0], u = f[1], vh = adjoint(f[1]);
    } else {
      const TensorList f = run_svd(op, a, false, true);
      u = f[0], s = f[1], vh = f[2];
    }
    const Tensor size = abs(s), counts = bolide::gt(size, zero_limit(a, size, atol, rtol));
    y = matmul(mul(adjoint(vh), unsqueeze(where(counts, div(1.0, s), 0.0), -2)), adjoint(u));
  }
  record("LinalgPinvBackward", y, {&a}, [&] {
    return [a = Saved(a), y = Saved::output(y)](const Tensor& g, Grads& grads) {
      const Tensor x = a.get(), p = y.get(grads.node()), ph = adjoint(p), gh = adjoint(g);
      if (rows_of(x) <= columns_of(x)) {
        const Tensor k = matmul(gh, p), kp = matmul(k, ph);
        grads[0] = add(sub(sub(kp, adjoint(matmul(p, k))), matmul(matmul(x, p), kp)),
                       matmul(matmul(ph, p), sub(gh, matmul(k, x))));
      } else {
        const Tensor k = matmul(p, gh), pk = matmul(ph, k);
        grads[0] = add(sub(sub(pk, adjoint(matmul(k, p))), matmul(matmul(pk, p), x)),
                       matmul(matmul(sub(gh, matmul(x, k)), p), ph));
      }
    };
  });
  return y;
}

}  // namespace bolide::linalg
