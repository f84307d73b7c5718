// scan.cpp - the front of the scans: cumsum, cumprod, cummax, cummin, logcumsumexp.
#include <array>
#include <cmath>

#include "runtime/autograd.h"
#include "runtime/backend.h"
#include "runtime/ops.h"

namespace bolide {
namespace {

struct ScanOp {
  ScanCall::Kind kind;
  const char* name;
  bool reverse = false;
};

// Along dim; `places`, if there is one, gets where each result stood.
Tensor run_scan(const ScanOp& op, const Tensor& x, int dim, DType result, const Tensor* places = nullptr) {
  const Tensor dense = contiguous(detach(x)), y = empty(x.sizes(), {result, x.device()});
  if (y.numel() == 0) return y;
  auto* kernel = backend_of(x.device().type).kernels->scan;
  if (!kernel) raise(ErrorKind::NotImplemented, op.name, "a kernel on " + name_of(x.device()), "none");
  ScanCall call;
  call.kind = op.kind, call.reverse = op.reverse, call.dtype = x.dtype(), call.out_dtype = result;
  for (int d = 0; d < x.rank(); d++) (d < dim ? call.outer : call.inner) *= d == dim ? 1 : x.size(d);
  call.n = x.rank() ? x.size(dim) : 1;
  call.x = dense.data(), call.out = y.data(), call.places = places ? places->data<int64_t>() : nullptr;
  call.stream = current_stream(x.device());
  BlockingScope scope(x.numel() >= 1 << 19);
  kernel(call);
  return y;
}

void check_dtype(const char* op, const Tensor& x, unsigned dtypes) {
  if (!contains(dtypes, x.dtype()))
    raise(ErrorKind::DType, op, dtypes == Float ? "a floating-point dtype" : "a real dtype", name_of(x.dtype()));
}
// Integers and bool are added and multiplied in int64.
DType sum_dtype(DType dtype) { return contains(IntBool, dtype) ? DType::I64 : dtype; }
Tensor narrowed_to(const Tensor& y, std::optional<DType> dtype) { return dtype ? to(y, *dtype) : y; }

// Of complex numbers: runs of 2, 4, 8, ... elements are combined, each with the run before it (Hillis, Steele 1986).
template <class Combine>
Tensor by_doubling(const Tensor& x, int dim, const Combine& combine) {
  Tensor y = clone(x);
  const int64_t n = x.rank() ? x.size(dim) : 1;
  for (int64_t run = 1; run < n; run *= 2) {
    const Tensor rest = combine(narrow(y, dim, 0, n - run), narrow(y, dim, run, n - run));
    y = cat(std::array{narrow(y, dim, 0, run), rest}, dim);
  }
  return y;
}
Tensor sum_along(const Tensor& x, int dim, bool reverse);
Tensor complex_sum(const Tensor& x, int dim) {  // part by part
  return x.rank() ? view_as_complex(contiguous(sum_along(view_as_real(x), dim, false))) : clone(x);
}

Tensor sum_along(const Tensor& x, int dim, bool reverse) {
  const Tensor y = run_scan({ScanCall::Sum, "cumsum", reverse}, x, dim, sum_dtype(x.dtype()));
  record("CumsumBackward", y, {&x},
         [&] { return [dim, reverse](const Tensor& g, Grads& grads) { grads[0] = sum_along(g, dim, !reverse); }; });
  return y;
}

// Of the i-th element: the sum over the products from i on, without it. Where x is zero it cannot be divided out: for
// the first zero the product is formed again with 1 in its place, behind it every product has that zero as a factor.
// Of the second zero that is 0, but not its derivative by the first one.
Tensor cumprod_gradient(const Tensor& g, const Tensor& x, const Tensor& y, int dim) {
  const Tensor zero = eq(x, 0), filled = where(zero, 1, x), order = cumsum(zero, dim);
  auto without = [&](int64_t nth) {
    const Tensor chosen = logical_and(zero, eq(order, nth));
    return where(chosen, sum_along(mul(g, cumprod(where(chosen, 1, x), dim)), dim, true), 0);
  };
  Tensor at_zeros = without(1);
  if (grad_enabled()) at_zeros = add(at_zeros, without(2));
  return where(zero, at_zeros, div(sum_along(mul(g, y), dim, true), filled));
}

Tensor logsum_along(const Tensor& x, int dim, bool reverse);
// exp(x) * sum over i of g / exp(y_i), in logarithms: each sign of g by itself.
Tensor logsum_gradient(const Tensor& g, const Tensor& x, const Tensor& y, int dim, bool reverse) {
  auto part = [&](const Tensor& mask, const Tensor& size) {
    const Tensor logarithms = where(mask, sub(log(where(mask, size, 1)), y), -double(INFINITY));
    return exp(add(logsum_along(logarithms, dim, !reverse), x));
  };
  return sub(part(gt(g, 0), g), part(lt(g, 0), neg(g)));
}
Tensor logsum_along(const Tensor& x, int dim, bool reverse) {
  const Tensor y = run_scan({ScanCall::LogSumExp, "logcumsumexp", reverse}, x, dim, x.dtype());
  record("LogcumsumexpBackward", y, {&x}, [&] {
    return [x = Saved(x), y = Saved::output(y), dim, reverse](const Tensor& g, Grads& grads) {
      grads[0] = logsum_gradient(g, x.get(), y.get(grads.node()), dim, reverse);
    };
  });
  return y;
}

ValuesIndices extreme(const ScanOp& op, const Tensor& x, int64_t dim) {
  check_dtype(op.name, x, Any);
  const int d = wrap_dim(op.name, dim, x.rank());
  const Tensor places = empty(x.sizes(), {DType::I64, x.device()});
  const Tensor values = run_scan(op, x, d, x.dtype(), &places);
  if (!wants_grad({&x})) return {values, places};
  return {x.rank() ? gather(x, d, places) : clone(x), places};
}

}  // namespace

Tensor cumsum(const Tensor& input, int64_t dim, std::optional<DType> dtype) {
  const Tensor x = dtype ? to(input, *dtype) : input;
  const int d = wrap_dim("cumsum", dim, x.rank());
  return is_complex(x.dtype()) ? complex_sum(x, d) : narrowed_to(sum_along(x, d, false), dtype);
}
Tensor cumprod(const Tensor& input, int64_t dim, std::optional<DType> dtype) {
  const Tensor x = dtype ? to(input, *dtype) : input;
  const int d = wrap_dim("cumprod", dim, x.rank());
  if (is_complex(x.dtype())) return by_doubling(x, d, [](const Tensor& a, const Tensor& b) { return mul(a, b); });
  const Tensor y = run_scan({ScanCall::Product, "cumprod"}, x, d, sum_dtype(x.dtype()));
  record("CumprodBackward", y, {&x}, [&] {
    return [x = Saved(x), y = Saved::output(y), d](const Tensor& g, Grads& grads) {
      grads[0] = cumprod_gradient(g, x.get(), y.get(grads.node()), d);
    };
  });
  return narrowed_to(y, dtype);
}
Tensor logcumsumexp(const Tensor& x, int64_t dim) {
  const int d = wrap_dim("logcumsumexp", dim, x.rank());
  if (is_complex(x.dtype())) return by_doubling(x, d, [](const Tensor& a, const Tensor& b) { return logaddexp(a, b); });
  check_dtype("logcumsumexp", x, Float);
  return logsum_along(x, d, false);
}
ValuesIndices cummax(const Tensor& x, int64_t dim) { return extreme({ScanCall::Largest, "cummax"}, x, dim); }
ValuesIndices cummin(const Tensor& x, int64_t dim) { return extreme({ScanCall::Smallest, "cummin"}, x, dim); }

}  // namespace bolide
