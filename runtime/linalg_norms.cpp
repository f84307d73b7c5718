// linalg_norms.cpp - norms of vectors and matrices, and distances of rows.
#include <cmath>

#include "runtime/linalg_support.h"

namespace bolide::linalg {
namespace {

Tensor in_dtype(const char* op, const Tensor& x, std::optional<DType> dtype) {
  check(is_differentiable(x.dtype()), ErrorKind::DType, op, "a floating point or complex tensor as input",
        [&] { return std::string(name_of(x.dtype())); });
  if (!dtype) return x;
  check(is_differentiable(*dtype), ErrorKind::DType, op, "a floating point or complex dtype",
        [&] { return std::string(name_of(*dtype)); });
  check(is_complex(*dtype) == is_complex(x.dtype()), ErrorKind::DType, op,
        is_complex(x.dtype()) ? "a complex dtype for complex inputs" : "a real dtype for real inputs",
        [&] { return std::string(name_of(*dtype)); });
  check(promote(x.dtype(), *dtype) == *dtype, ErrorKind::DType, op,
        str("a dtype that holds ", name_of(x.dtype()), " without narrowing"),
        [&] { return std::string(name_of(*dtype)); });
  return to(x, *dtype);
}

Tensor norm_values(const Tensor& x, double order, const OptionalDims& dims) {
  if (order == 2) {
    if (!is_complex(x.dtype())) return two_norm(x, dims, true);
    return sqrt(sum(square(abs(x)), dims, true));
  }
  if (order == 0) return to(sum(ne(x, 0), dims, true), real_type(x.dtype()));
  const Tensor sizes = abs(x);
  if (order == 1) return sum(sizes, dims, true);
  if (order == INFINITY) return amax(sizes, dims, true);
  if (order == -INFINITY) return amin(sizes, dims, true);
  return pow(sum(pow(sizes, order), dims, true), 1 / order);
}

// The direction of each element times what its size contributes; 0 where the norm is, which has no slope there.
Tensor norm_gradient(const Tensor& x, const Tensor& y, const Tensor& g, double order, const OptionalDims& dims) {
  if (order == 1) return mul(sgn(x), g);
  const Tensor zero = eq(y, 0), divisor = where(zero, 1.0, y);
  if (order == 2) return mul(x, where(zero, 0.0, div(g, divisor)));
  if (std::isinf(order)) {  // shared by those of the largest size
    const Tensor sizes = abs(x), equal = logical_or(eq(sizes, y), logical_and(isnan(sizes), isnan(y)));
    return mul(sgn(x), where(equal, div(g, sum(equal, dims, true)), 0.0));
  }
  const Tensor sizes = abs(x), none = eq(sizes, 0), safe = where(none, 1.0, sizes);
  const Tensor slope = where(zero, 0.0, mul(g, pow(divisor, 1 - order)));
  return mul(mul(sgn(x), where(none, 0.0, pow(safe, order - 1))), slope);
}

}  // namespace

Tensor vector_norm(const char* op, const Tensor& input, double order, const OptionalDims& dims, bool keepdim,
                   std::optional<DType> dtype) {
  const Tensor x = in_dtype(op, input, dtype);
  if (item_size(x.dtype()) == 2 && order != 2)  // of half types: computed in float32, rounded once
    return to(vector_norm(op, to(x, DType::F32), order, dims, keepdim), x.dtype());
  const OptionalDims over = dims && !dims->empty() ? dims : OptionalDims();
  if (!x.numel() && (order < 0 || order == INFINITY)) {
    for (int d = 0; d < x.rank(); d++) {
      const bool reduced =
          !over || std::any_of(over->begin(), over->end(), [&](int64_t k) { return wrap_dim(op, k, x.rank()) == d; });
      check(!reduced || x.size(d), ErrorKind::Runtime, op,
            str("elements along dimension ", d, " for the ", order, " norm, which has no identity"),
            [&] { return describe(x); });
    }
  }
  Tensor y;
  {
    GradMode off(false);
    y = norm_values(detach(x), order, over);
  }
  record("LinalgVectorNormBackward", y, {&x}, [&] {
    return [x = Saved(x), y = Saved::output(y), order, over](const Tensor& g, Grads& grads) {
      const Tensor values = x.get();
      grads[0] = order == 0 ? zeros(values.sizes(), {values.dtype(), values.device()})
                            : norm_gradient(values, y.get(grads.node()), g, order, over);
    };
  });
  if (keepdim) return y;
  return over ? squeeze(y, over) : reshape(y, {});
}

Tensor matrix_norm(const char* op, const Tensor& input, const NormOrder& order, const Dims& dims, bool keepdim,
                   std::optional<DType> dtype) {
  check(input.rank() >= 2, ErrorKind::Shape, op, "a tensor of at least 2 dimensions", [&] { return describe(input); });
  const Tensor a = in_dtype(op, input, dtype);
  check(dims.rank() == 2, ErrorKind::Shape, op, "a dim of two numbers", [&] { return dims.text(); });
  const int row = wrap_dim(op, dims[0], a.rank()), column = wrap_dim(op, dims[1], a.rank());
  check(row != column, ErrorKind::Shape, op, "two different dims", [&] { return dims.text(); });
  const bool fro = order.name == "fro", nuclear = order.name == "nuc";
  const double p = order.name.empty() ? order.number : 0;
  const double size = std::abs(p);
  check(fro || nuclear || size == 1 || size == 2 || size == INFINITY, ErrorKind::Runtime, op,
        "order 'fro', 'nuc', 1, -1, 2, -2, inf or -inf", [&] { return order.text(); });
  if (fro) return vector_norm(op, a, 2, Dims{row, column}, keepdim);
  const int64_t compared = size == 2 ? std::min(a.size(row), a.size(column)) : a.size(size == 1 ? column : row);
  check(nuclear || p > 0 || compared > 0, ErrorKind::Index, op, str("elements to take the least of for order ", p),
        [&] { return describe(a); });
  Tensor y;
  if (nuclear || size == 2) {
    check_matrix(op, movedim(a, Dims{row, column}, Dims{-2, -1}));
    const Tensor values = svdvals(op, movedim(a, Dims{row, column}, Dims{-2, -1}));
    if (nuclear || !(values.sizes().back() || p < 0)) y = sum(values, Dims{-1});
    else y = p > 0 ? amax(values, Dims{-1}) : amin(values, Dims{-1});
    if (keepdim) y = unsqueeze(unsqueeze(y, std::min(row, column)), std::max(row, column));
    return y;
  }
  const int summed = size == 1 ? row : column, kept = size == 1 ? column : row;
  const Tensor sums = vector_norm(op, a, 1, Dims{summed}, true);
  if (p > 0 && !a.size(kept)) y = sum(sums, Dims{kept}, true);
  else y = p > 0 ? amax(sums, Dims{kept}, true) : amin(sums, Dims{kept}, true);
  return keepdim ? y : squeeze(y, Dims{row, column});
}

Tensor cond(const Tensor& a, const NormOrder& order) {
  const char* op = "linalg.cond";
  check(a.rank() >= 2, ErrorKind::Shape, op, "a tensor of at least 2 dimensions", [&] { return describe(a); });
  const bool of_values = order.name.empty() && std::abs(order.number) == 2;
  if (!of_values) check_square(op, a);
  if (!a.numel()) return zeros(batch_of(a), {real_type(a.dtype()), a.device()});
  if (of_values) {
    const Tensor s = svdvals(op, a);
    const Tensor high = select(s, -1, 0), low = select(s, -1, s.sizes().back() - 1);
    return order.number > 0 ? div(high, low) : div(low, high);
  }
  const Dims dims{-2, -1};
  const TensorList found = inverse(op, a);
  const Tensor singular = ne(found[1], 0);
  const Tensor inverted =
      where(unsqueeze(unsqueeze(singular, -1), -1), 0, found[0]);  // not every norm is one of infinities
  const Tensor product = mul(matrix_norm(op, a, order, dims, false), matrix_norm(op, inverted, order, dims, false));
  return where(singular, INFINITY, product);
}

// ---- distances -----------------------------------------------------------------------------------------------
namespace {

void check_rows(const char* op, const Tensor& x) {
  check(x.dtype() == DType::F32 || x.dtype() == DType::F64,
        is_float(x.dtype()) ? ErrorKind::NotImplemented : ErrorKind::DType, op, "float32 or float64",
        [&] { return std::string(name_of(x.dtype())); });
}

// |x|^2 + |y|^2 - 2 x y, where the rows are many; it cancels for rows that are near each other.
Tensor distances_by_products(const Tensor& a, const Tensor& b) {
  const Tensor sa = sum(square(a), Dims{-1}, true), sb = sum(square(b), Dims{-1}, true);
  return sqrt(maximum(sub(add(sa, transposed(sb)), mul(matmul(a, transposed(b)), 2)), 0));
}

}  // namespace

Tensor cdist(const Tensor& a, const Tensor& b, double p, bool by_products) {
  const char* op = "cdist";
  check(a.rank() >= 2 && b.rank() >= 2, ErrorKind::Shape, op, "tensors of at least 2 dimensions",
        [&] { return str(describe(a), " and ", describe(b)); });
  check_rows(op, a), check_rows(op, b);
  check(a.dtype() == b.dtype(), ErrorKind::Runtime, op, "two tensors of one dtype",
        [&] { return str(name_of(a.dtype()), " and ", name_of(b.dtype())); });
  check(columns_of(a) == columns_of(b), ErrorKind::Shape, op, "x1 and x2 with the same number of columns",
        [&] { return str(columns_of(a), " and ", columns_of(b)); });
  check(p >= 0, ErrorKind::Runtime, op, "a non-negative p", [&] { return str(p); });
  broadcast_sizes(op, batch_of(a), batch_of(b));
  if (!a.numel() || !b.numel()) return sum(sub(unsqueeze(a, -2), unsqueeze(b, -3)), Dims{-1});
  if (p != 2 || !by_products) return vector_norm(op, sub(unsqueeze(a, -2), unsqueeze(b, -3)), p, Dims{-1}, false);
  Tensor y;
  {
    GradMode off(false);
    y = distances_by_products(a, b);
  }
  record("EuclideanDistBackward", y, {&a, &b}, [&] {
    return [a = Saved(a), b = Saved(b), y = Saved::output(y)](const Tensor& g, Grads& grads) {
      const Tensor x = a.get(), z = b.get(), d = y.get(grads.node()), none = eq(d, 0);
      const Tensor w = where(none, 0.0, div(g, where(none, 1.0, d)));
      if (grads.needs(0)) grads[0] = sub(mul(x, sum(w, Dims{-1}, true)), matmul(w, z));
      if (grads.needs(1)) grads[1] = sub(mul(z, transposed(sum(w, Dims{-2}, true))), matmul(transposed(w), x));
    };
  });
  return y;
}

Tensor pdist(const Tensor& x, double p) {
  const char* op = "pdist";
  check(x.rank() == 2, ErrorKind::Shape, op, "a tensor of 2 dimensions", [&] { return describe(x); });
  check_rows(op, x);
  check(p >= 0, ErrorKind::Runtime, op, "a non-negative p", [&] { return str(p); });
  const Tensor pairs = triangle_indices(op, x.size(0), x.size(0), 1, true, {DType::I64, x.device()});
  const Tensor difference = sub(index_select(x, 0, select(pairs, 0, 0)), index_select(x, 0, select(pairs, 0, 1)));
  return difference.numel() ? vector_norm(op, difference, p, Dims{-1}, false) : sum(difference, Dims{-1});
}

}  // namespace bolide::linalg
