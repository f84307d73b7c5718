// ops_products.cpp - products of matrices and vectors and their sums: matmul, addmm, einsum, tensordot, cross, ...
#include "bindings/forms.h"
#include "runtime/autograd.h"
#include "runtime/products.h"

namespace bolide::python {
namespace {

void check_vectors(const char* op, const Tensor& a, const Tensor& b) {
  if (a.rank() != 1 || b.rank() != 1)
    raise(ErrorKind::Shape, op, "two vectors", str(a.sizes().text(), " and ", b.sizes().text()));
}
void check_matrix_vector(const char* op, const Tensor& a, const Tensor& v) {
  if (a.rank() != 2 || v.rank() != 1)
    raise(ErrorKind::Shape, op, "a matrix and a vector", str(a.sizes().text(), " and ", v.sizes().text()));
}
Tensor dot(const Tensor& a, const Tensor& b) {
  if (a.rank() != 1 || b.rank() != 1 || a.size(0) != b.size(0))
    raise(ErrorKind::Shape, "dot", "two vectors of one size", str(a.sizes().text(), " and ", b.sizes().text()));
  return matmul(a, b);
}
Tensor outer(const Tensor& a, const Tensor& b) {
  check_vectors("outer", a, b);
  return mul(unsqueeze(a, 1), b);
}
Tensor mv(const Tensor& a, const Tensor& v) {
  check_matrix_vector("mv", a, v);
  return matmul(a, v);
}
Tensor inner(const Tensor& a, const Tensor& b) {
  if (!a.rank() || !b.rank()) return mul(a, b);
  return tensordot(a, b, {-1}, {-1});
}
Tensor kron(const Tensor& a, const Tensor& b) {
  const int rank = std::max(a.rank(), b.rank());
  Dims of_a, of_b, sizes;
  for (int d = 0; d < rank; d++) {
    const int64_t m = d < rank - a.rank() ? 1 : a.size(d - rank + a.rank());
    const int64_t n = d < rank - b.rank() ? 1 : b.size(d - rank + b.rank());
    of_a.push_back(m), of_a.push_back(1), of_b.push_back(1), of_b.push_back(n), sizes.push_back(m * n);
  }
  return reshape(mul(reshape(a, of_a), reshape(b, of_b)), sizes);
}
Tensor cross_along(const Tensor& a, const Tensor& b, int64_t dim) {
  check(a.rank() == b.rank(), ErrorKind::Shape, "cross", "as many dimensions of both",
        [&] { return str(a.sizes().text(), " and ", b.sizes().text()); });
  const int d = wrap_dim("cross", dim, a.rank());
  const Dims sizes = broadcast_sizes("cross", a.sizes(), b.sizes());
  check(a.rank() && a.size(d) == 3 && b.size(d) == 3, ErrorKind::Shape, "cross", str("size 3 in dimension ", d),
        [&] { return str(a.sizes().text(), " and ", b.sizes().text()); });
  auto part = [&](const Tensor& t, int64_t i) { return select(expand(t, sizes), d, i % 3); };
  Tensor parts[3];
  for (int i = 0; i < 3; i++) parts[i] = sub(mul(part(a, i + 1), part(b, i + 2)), mul(part(a, i + 2), part(b, i + 1)));
  return stack(parts, d);
}
Tensor cross(const Tensor& a, const Tensor& b, std::optional<int64_t> dim) {
  int64_t d = dim.value_or(0);
  if (!dim)
    while (d < a.rank() && a.size(int(d)) != 3) d++;
  return cross_along(a, b, dim || d < a.rank() ? d : -1);
}

// ---- beta * x + alpha * product ------------------------------------------------------------------------------
Tensor scaled(const char* op, const Tensor& x, const Scalar& s) {
  if (s.kind <= Scalar::Int && s.integer == 1) return x;
  const bool whole = is_integer(x.dtype()) && s.kind == Scalar::Float;  // the number is taken in x's dtype
  if (whole && !x.numel()) return x;
  return mul(x, whole ? Scalar(int64_t(fitting(op, s, x.dtype()).real)) : s);
}
Tensor sum_of(const char* op, const Tensor& x, const Tensor& product, const Scalar& beta, const Scalar& alpha) {
  const Tensor wide = expand(x, product.sizes());
  const bool unread = beta.real == 0 && beta.imaginary == 0;  // NaN in x included
  return unread ? scaled(op, product, alpha) : add(scaled(op, wide, beta), scaled(op, product, alpha));
}
Tensor addmm(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  return sum_of("addmm", x, mm(a, b), beta, alpha);
}
Tensor baddbmm(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  return sum_of("baddbmm", x, bmm(a, b), beta, alpha);
}
Tensor addmv(const Tensor& x, const Tensor& a, const Tensor& v, const Scalar& beta, const Scalar& alpha) {
  check_matrix_vector("addmv", a, v);
  return sum_of("addmv", x, matmul(a, v), beta, alpha);
}
Tensor addbmm(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  check(a.rank() == 3 && b.rank() == 3 && a.size(0) == b.size(0) && a.size(2) == b.size(1), ErrorKind::Shape, "addbmm",
        "batches [b, n, k] and [b, k, m]", [&] { return str(a.sizes().text(), " and ", b.sizes().text()); });
  const int64_t inner = a.size(0) * a.size(2);  // one product of all batches side by side: rounded once
  const Tensor product = mm(reshape(transpose(a, 0, 1), {a.size(1), inner}), reshape(b, {inner, b.size(2)}));
  return sum_of("addbmm", x, product, beta, alpha);
}
// The sum itself broadcasts: the tensor takes its sizes.
void addbmm_(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  const Tensor y = addbmm(wants_grad({&x, &a, &b}) ? clone(x) : x, a, b, beta, alpha);
  if (!x.requires_grad() && x.sizes() != y.sizes()) resize_(x, y.sizes());
  write_in_place(x, y);
}
Tensor addr(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& beta, const Scalar& alpha) {
  check_vectors("addr", a, b);
  auto is_bool = [](const Tensor& t) { return t.dtype() == DType::Bool; };
  if (is_bool(x) && is_bool(a) && is_bool(b))
    return to(sum_of("addr", to(x, DType::I64), to(outer(a, b), DType::I64), beta.real != 0, alpha.real != 0),
              DType::Bool);
  const Tensor product = outer(a, b);
  const DType dtype = promote(x.dtype(), product.dtype());
  for (const Scalar& factor : {beta, alpha})
    check(factor.kind <= (is_complex(dtype)          ? Scalar::Complex
                          : is_differentiable(dtype) ? Scalar::Float
                                                     : Scalar::Int),
          ErrorKind::Runtime, "addr", str("beta and alpha that ", name_of(dtype), " has"),
          [&] { return factor.kind == Scalar::Complex ? std::string("a complex one") : str(factor.real); });
  return sum_of("addr", to(x, dtype), to(product, dtype), beta, alpha);
}

Tensor einsum_of(std::string_view equation, const TensorList& operands) { return einsum(equation, operands); }
Tensor tensordot_of(const Tensor& a, const Tensor& b, const Dims& of_a, const Dims& of_b) {
  return tensordot(a, b, of_a, of_b);
}

void add_products(std::vector<Op>& rows) {
  add_function<&matmul>(
      rows, "matmul", "input, other",
      "Matrix product; leading dimensions broadcast, vectors are rows or columns.\n\n"
      "Shapes: [..., m, k] @ [..., k, n] is [..., m, n].\nRaises: ShapeError if the inner sizes differ.\n"
      "Example: >>> bolide.ones(2, 3) @ bolide.ones(3, 4)\nReference: torch.matmul.");
  add_function<&mm>(rows, "mm", "input, mat2", "Product of two matrices.\n\nReference: torch.mm.");
  add_function<&bmm>(rows, "bmm", "input, mat2", "Products of two batches of matrices.\n\nReference: torch.bmm.");
  add_function<&mv>(rows, "mv", "input, vec", "Product of a matrix and a vector.\n\nReference: torch.mv.");
  add_function<&dot>(rows, "dot", "input, tensor", "Sum of the products of two vectors.\n\nReference: torch.dot.");
  for (const char* name : {"outer", "ger"})
    add_function<&outer>(rows, name, "input, vec2",
                         "All products of two vectors: a matrix.\n\nReference: torch.outer.");
  add_function<&inner>(rows, "inner", "input, other",
                       "Sums of products over the last dimensions.\n\nRaises: ShapeError where their sizes differ.\n"
                       "Reference: torch.inner.");
  add_function<&kron>(rows, "kron", "input, other", "Kronecker product.\n\nReference: torch.kron.");
  add_function<&cross>(rows, "cross", "input, other, dim=None",
                       "Cross product of vectors of three along dim, or along the first dimension of size 3.\n\n"
                       "Raises: ShapeError for another size.\nReference: torch.cross.");
  add_function<&einsum_of>(rows, "_einsum", "equation, operands", "einsum() of a list.", kFunction);
  add_function<&tensordot_of>(rows, "_tensordot", "input, other, dims_self, dims_other", "tensordot() of lists.",
                              kFunction);
}
template <auto F>
void add_sum(std::vector<Op>& rows, const char* name, const char* arguments, const char* product,
             bool in_place = true) {
  const std::string doc = str("beta * input + alpha * ", product,
                              "; with beta 0 the input is not read.\n\nThe input broadcasts to the product's shape.\n"
                              "Raises: ShapeError where the sizes do not fit.\nReference: torch.",
                              name, ".");
  const std::string text = str("input, ", arguments, ", *, beta=1, alpha=1");
  if (in_place) add_forms<F>(rows, name, text.c_str(), doc.c_str());
  else add_function<F>(rows, name, text.c_str(), doc.c_str());
}

}  // namespace

std::vector<Op> product_rows() {
  std::vector<Op> rows;
  add_products(rows);
  add_sum<&addmm>(rows, "addmm", "mat1, mat2", "(mat1 @ mat2)");
  add_sum<&baddbmm>(rows, "baddbmm", "batch1, batch2", "bmm(batch1, batch2)");
  add_sum<&addmv>(rows, "addmv", "mat, vec", "(mat @ vec)");
  add_sum<&addbmm>(rows, "addbmm", "batch1, batch2", "the sum of bmm(batch1, batch2)", false);
  rows.push_back(op<&addbmm_>("addbmm_", "input, batch1, batch2, *, beta=1, alpha=1",
                              "In-place form of addbmm(); a tensor that broadcasts takes the sum's sizes.", kMethod));
  add_sum<&addr>(rows, "addr", "vec1, vec2", "outer(vec1, vec2)");
  return rows;
}

}  // namespace bolide::python
