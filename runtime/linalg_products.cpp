// linalg_products.cpp - powers of matrices and their exponential, made of products.
#include <array>
#include <cmath>

#include "runtime/linalg_support.h"

namespace bolide::linalg {
namespace {

void check_power(const char* op, const Tensor& a) {
  check(a.rank() >= 2, ErrorKind::Shape, op, "a tensor of at least 2 dimensions", [&] { return describe(a); });
  check(columns_of(a) == rows_of(a), ErrorKind::Shape, op, "batches of square matrices",
        [&] { return str(rows_of(a), " by ", columns_of(a), " matrices"); });
}

constexpr int kTerms = 18;  // of the series: of a matrix of norm 1 the next is below float64's eps

}  // namespace

Tensor matrix_power(const char* op, const Tensor& a, int64_t n) {
  check_power(op, a);
  if (n == 0) return add(mul(a, 0), identity(a, columns_of(a)));
  Tensor power = a, out;
  if (n < 0) {
    const TensorList found = inverse("linalg.inv", a);
    raise_bad("linalg.inv", found[1], kSingular);
    power = found[0];
  }
  for (uint64_t left = n < 0 ? 0 - uint64_t(n) : uint64_t(n); left; left >>= 1) {
    if (left & 1) out = out ? matmul(out, power) : power;
    if (left > 1) power = matmul(power, power);
  }
  return out.same(a) ? clone(a) : out;
}

// exp(A) = exp(A / 2^s)^(2^s), with s of each matrix such that the norm is at most 1 (Higham 2005); the series in
// blocks of three powers (Paterson, Stockmeyer 1973).
Tensor matrix_exp(const char* op, const Tensor& a) {
  check_power(op, a);
  check(is_differentiable(a.dtype()), ErrorKind::DType, op, "a floating point or complex tensor as input",
        [&] { return std::string(name_of(a.dtype())); });
  if (item_size(a.dtype()) == 2) return to(matrix_exp(op, to(a, DType::F32)), a.dtype());
  if (!a.numel()) return clone(a);
  Tensor halvings;
  double most = 0;
  {
    GradMode off(false);
    const Tensor norm = matrix_norm(op, a, {1, {}}, Dims{-2, -1}, true);
    halvings = where(isfinite(norm), clamp(ceil(log2(norm)), 0, 1100), 0.0);
    most = item(amax(halvings)).real;
  }
  const Tensor x = mul(a, pow(2.0, neg(halvings))), square = matmul(x, x), cube = matmul(square, x);
  const Tensor one = identity(a, columns_of(a));
  std::array<double, kTerms> coefficients;
  coefficients[0] = 1;
  for (int k = 1; k < kTerms; k++) coefficients[size_t(k)] = coefficients[size_t(k) - 1] / k;
  Tensor y;
  for (int k = kTerms - 3; k >= 0; k -= 3) {
    const double* c = &coefficients[size_t(k)];
    const Tensor block = add(add(mul(one, c[0]), mul(x, c[1])), mul(square, c[2]));
    y = y ? add(block, matmul(cube, y)) : block;
  }
  for (int i = 0; i < most; i++) y = where(bolide::gt(halvings, i), matmul(y, y), y);
  return y;
}

}  // namespace bolide::linalg
