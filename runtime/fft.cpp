// fft.cpp - the front of the Fourier transforms: checks, layouts, gradients. Each one's gradient is another of them.
#include "runtime/fft.h"

#include "runtime/autograd.h"
#include "runtime/backend.h"

namespace bolide {
namespace {

DType complex_type(DType real) { return real == DType::F64 ? DType::C128 : DType::C64; }

void run(FftCall::Kind kind, DType dtype, const Tensor& x, const Tensor& y, int dim, int64_t n, double scale) {
  auto* kernel = backend_of(x.device().type).kernels->fft;
  if (!kernel)
    raise(ErrorKind::NotImplemented, "fft", str("a kernel for ", name_of(x.dtype()), " on ", name_of(x.device())),
          "none");
  if (y.numel() == 0) return;
  FftCall call;
  call.kind = kind, call.dtype = dtype, call.n = n, call.scale = scale;
  for (int d = 0; d < x.rank(); d++)
    if (d != dim) (d < dim ? call.outer : call.inner) *= x.size(d);
  call.x = x.data(), call.out = y.data(), call.stream = current_stream(x.device());
  BlockingScope scope(y.numel() >= 1 << 17);
  kernel(call);
}

void check_dtype(const Tensor& x, unsigned dtypes, const char* expected) {
  if (!contains(dtypes, x.dtype())) raise(ErrorKind::DType, "fft", expected, name_of(x.dtype()));
}

// With dim as the last one, dense: how the transforms of real numbers want it.
Tensor dim_last(const Tensor& x, int dim) { return contiguous(movedim(detach(x), {dim}, {-1})); }

Tensor with_size(const Tensor& x, int dim, int64_t size) {  // zeros behind
  Dims more = x.sizes();
  more[dim] = size - x.size(dim);
  const Tensor parts[] = {x, zeros(more, {x.dtype(), x.device()})};
  return cat(parts, dim);
}

// Of half a spectrum the numbers that stand for two, their conjugate and themselves, count twice.
Tensor counted_twice(const Tensor& half, int dim, int64_t n) {
  const int64_t last = half.size(dim) - (n % 2 == 0);
  if (last <= 1) return half;
  std::vector<Tensor> parts = {narrow(half, dim, 0, 1), mul(narrow(half, dim, 1, last - 1), 2)};
  if (n % 2 == 0) parts.push_back(narrow(half, dim, last, 1));
  return cat(parts, dim);
}

}  // namespace

Tensor fft_c2c(const Tensor& x, const Dims& dims, double scale, bool inverse) {
  check_dtype(x, Complex, "complex64 or complex128");
  Tensor from = contiguous(detach(x));
  const Tensor y = empty(x.sizes(), {x.dtype(), x.device()});
  for (int i = 0; i < dims.rank(); i++) {
    const int dim = wrap_dim("fft", dims[i], x.rank());
    check(x.size(dim) > 0, ErrorKind::Shape, "fft", "at least one number to transform",
          [&] { return x.sizes().text(); });
    run(inverse ? FftCall::Inverse : FftCall::Forward, x.dtype(), from, y, dim, x.size(dim), i ? 1 : scale);
    from = y;  // the others in place
  }
  if (!dims.rank()) copy_values(y, from);
  record("FftC2CBackward", y, {&x}, [&] {
    return [dims = Dims(dims), scale, inverse](const Tensor& g, Grads& grads) {
      grads[0] = fft_c2c(g, dims, scale, !inverse);
    };
  });
  return y;
}

Tensor fft_r2c(const Tensor& x, int64_t dim, double scale) {
  check_dtype(x, kSet<DType::F32, DType::F64>, "float32 or float64");
  const int d = wrap_dim("fft", dim, x.rank());
  const int64_t n = x.size(d);
  check(n > 0, ErrorKind::Shape, "fft", "at least one number to transform", [&] { return x.sizes().text(); });
  const Tensor from = dim_last(x, d);
  Dims sizes = from.sizes();
  sizes[sizes.rank() - 1] = n / 2 + 1;
  const Tensor made = empty(sizes, {complex_type(x.dtype()), x.device()});
  run(FftCall::Real, made.dtype(), from, made, from.rank() - 1, n, scale);
  const Tensor y = movedim(made, {-1}, {d});
  record("FftR2CBackward", y, {&x}, [&] {
    return [d, n, scale](const Tensor& g, Grads& grads) {
      grads[0] = real(fft_c2c(with_size(g, d, n), {d}, scale, true));
    };
  });
  return y;
}

Tensor fft_c2r(const Tensor& x, int64_t dim, int64_t n, double scale) {
  check_dtype(x, Complex, "complex64 or complex128");
  const int d = wrap_dim("fft", dim, x.rank());
  check(n > 0 && x.size(d) == n / 2 + 1, ErrorKind::Shape, "fft", str("n / 2 + 1 numbers for n = ", n),
        [&] { return str(x.size(d)); });
  const Tensor from = dim_last(x, d);
  Dims sizes = from.sizes();
  sizes[sizes.rank() - 1] = n;
  const Tensor made = empty(sizes, {real_type(x.dtype()), x.device()});
  run(FftCall::ToReal, x.dtype(), from, made, from.rank() - 1, n, scale);
  const Tensor y = movedim(made, {-1}, {d});
  record("FftC2RBackward", y, {&x}, [&] {
    return [d, n, scale](const Tensor& g, Grads& grads) { grads[0] = counted_twice(fft_r2c(g, d, scale), d, n); };
  });
  return y;
}

}  // namespace bolide
