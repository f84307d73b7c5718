// matmul.cpp - matrix products: one kernel for batches of strided matrices, and NumPy's rules about dimensions.
#include "runtime/autograd.h"
#include "runtime/backend.h"
#include "runtime/ops.h"

namespace bolide {
namespace {

void check_operands(const char* op, const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype())
    raise(ErrorKind::DType, op, "two tensors of one dtype", str(name_of(a.dtype()), " and ", name_of(b.dtype())));
  if (a.device() != b.device())
    raise(ErrorKind::Runtime, op, "two tensors on one device", str(name_of(a.device()), " and ", name_of(b.device())));
  check(a.dtype() != DType::Bool, ErrorKind::DType, op, "a number dtype", [] { return std::string("bool"); });
}

// c = a @ b (+ bias): a is batch x m x k, b batch x k x n, both of any strides (a batch stride of 0 is shared).
Tensor run_kernel(const char* op, const Tensor& a, const Tensor& b, const Tensor& bias, const Dims& out_sizes) {
  const int ra = a.rank(), rb = b.rank();
  Tensor c = empty(out_sizes, {a.dtype(), a.device()});
  MatmulCall call;
  call.dtype = a.dtype();
  call.batch = ra == 3 ? a.size(0) : 1;
  call.m = a.size(ra - 2), call.k = a.size(ra - 1), call.n = b.size(rb - 1);
  call.a = a.data(), call.b = b.data(), call.c = c.data();
  call.a_batch = ra == 3 ? a.stride(0) : 0, call.a_row = a.stride(ra - 2), call.a_column = a.stride(ra - 1);
  call.b_batch = rb == 3 ? b.stride(0) : 0, call.b_row = b.stride(rb - 2), call.b_column = b.stride(rb - 1);
  call.c_batch = call.m * call.n, call.c_row = call.n;
  call.bias = bias ? bias.data() : nullptr;
  call.stream = current_stream(a.device());
  if (c.numel() == 0) return c;
  auto* kernel = backend_of(a.device().type).kernels->matmul;
  if (!kernel) raise(ErrorKind::NotImplemented, op, "a kernel on " + name_of(a.device()), "none");
  BlockingScope scope(2.0 * double(call.batch) * double(call.m) * double(call.n) * double(call.k) >= 1e8);
  kernel(call);
  return c;
}

}  // namespace

Tensor mm(const Tensor& a, const Tensor& b) {
  check(a.rank() == 2 && b.rank() == 2, ErrorKind::Shape, "mm", "two matrices",
        [&] { return str(describe(a), " and ", describe(b)); });
  check_operands("mm", a, b);
  if (a.size(1) != b.size(0))
    raise(ErrorKind::Shape, "mm", "inner sizes that agree", str(a.sizes().text(), " and ", b.sizes().text()));
  Tensor c = run_kernel("mm", a, b, {}, {a.size(0), b.size(1)});
  record("MmBackward", c, {&a, &b}, [&] {
    return [a = Saved(b.requires_grad() ? a : Tensor()), b = Saved(a.requires_grad() ? b : Tensor())](const Tensor& g,
                                                                                                      Grads& grads) {
      if (grads.needs(0)) grads[0] = mm(g, conj(transpose(b.get(), 0, 1)));
      if (grads.needs(1)) grads[1] = mm(conj(transpose(a.get(), 0, 1)), g);
    };
  });
  return c;
}

Tensor bmm(const Tensor& a, const Tensor& b) {
  check(a.rank() == 3 && b.rank() == 3, ErrorKind::Shape, "bmm", "two batches of matrices",
        [&] { return str(describe(a), " and ", describe(b)); });
  check_operands("bmm", a, b);
  if (a.size(0) != b.size(0) || a.size(2) != b.size(1))
    raise(ErrorKind::Shape, "bmm", "batches and inner sizes that agree",
          str(a.sizes().text(), " and ", b.sizes().text()));
  Tensor c = run_kernel("bmm", a, b, {}, {a.size(0), a.size(1), b.size(2)});
  record("BmmBackward", c, {&a, &b}, [&] {
    return [a = Saved(b.requires_grad() ? a : Tensor()), b = Saved(a.requires_grad() ? b : Tensor())](const Tensor& g,
                                                                                                      Grads& grads) {
      if (grads.needs(0)) grads[0] = bmm(g, conj(transpose(b.get(), 1, 2)));
      if (grads.needs(1)) grads[1] = bmm(conj(transpose(a.get(), 1, 2)), g);
    };
  });
  return c;
}

Tensor matmul(const Tensor& a, const Tensor& b) {
  check(a.rank() > 0 && b.rank() > 0, ErrorKind::Shape, "matmul", "tensors with dimensions",
        [&] { return str(describe(a), " and ", describe(b)); });
  check_operands("matmul", a, b);
  const int64_t ka = a.size(a.rank() - 1), kb = b.size(std::max(0, b.rank() - 2));
  if (ka != kb)
    raise(ErrorKind::Shape, "matmul", "inner sizes that agree", str(a.sizes().text(), " and ", b.sizes().text()));
  if (a.rank() == 2 && b.rank() == 2) return mm(a, b);
  if (a.rank() == 1)
    return squeeze(matmul(unsqueeze(a, 0), b.rank() == 1 ? unsqueeze(b, 1) : b), b.rank() == 1 ? Dims{0, 1} : Dims{-2});
  if (b.rank() == 1) return squeeze(matmul(a, unsqueeze(b, 1)), Dims{-1});
  const int64_t m = a.size(a.rank() - 2), n = b.size(b.rank() - 1);
  if (b.rank() == 2) {  // the rows of all matrices are one matrix
    Dims sizes = a.sizes();
    int64_t rows = 1;
    for (int d = 0; d + 1 < a.rank(); d++) rows *= a.size(d);
    sizes[sizes.rank() - 1] = n;
    return reshape(mm(reshape(a, {rows, ka}), b), sizes);
  }
  auto batch_of = [](const Tensor& t) {
    Dims batch(t.rank() - 2);
    std::copy_n(t.sizes().begin(), batch.rank(), batch.begin());
    return batch;
  };
  const Dims batch = broadcast_sizes("matmul", batch_of(a), batch_of(b));
  auto flat = [&](const Tensor& t, int64_t rows, int64_t columns) {
    Dims sizes = batch;
    sizes.push_back(rows), sizes.push_back(columns);
    return reshape(expand(t, sizes), {batch.product(), rows, columns});
  };
  Dims sizes = batch;
  sizes.push_back(m), sizes.push_back(n);
  return reshape(bmm(flat(a, m, ka), flat(b, ka, n)), sizes);
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check(weight.rank() == 2 && x.rank() > 0, ErrorKind::Shape, "linear", "an input with dimensions and a weight of 2",
        [&] { return str(describe(x), " and ", describe(weight)); });
  check_operands("linear", x, weight);
  const int64_t in = weight.size(1), out = weight.size(0);
  if (x.size(x.rank() - 1) != in)
    raise(ErrorKind::Shape, "linear", str("an input whose last size is ", in), x.sizes().text());
  if (bias && (bias.rank() != 1 || bias.size(0) != out))
    raise(ErrorKind::Shape, "linear", str("a bias of shape [", out, "]"), bias.sizes().text());
  if (bias) check_operands("linear", x, bias);
  Dims sizes = x.sizes();
  sizes[sizes.rank() - 1] = out;
  int64_t count = 1;
  for (int d = 0; d + 1 < x.rank(); d++) count *= x.size(d);
  if (x.rank() != 2) return reshape(linear(reshape(x, {count, in}), weight, bias), sizes);
  Tensor b = bias, y;
  {
    GradMode off(false);
    y = run_kernel("linear", x, transpose(weight, 0, 1), bias ? contiguous(bias) : bias, sizes);
  }
  record("LinearBackward", y, {&x, &weight, &b}, [&] {
    return [x = Saved(weight.requires_grad() ? x : Tensor()), w = Saved(x.requires_grad() ? weight : Tensor())](
               const Tensor& g, Grads& grads) {
      if (grads.needs(0)) grads[0] = mm(g, conj(w.get()));
      if (grads.needs(1)) grads[1] = mm(transpose(g, 0, 1), conj(x.get()));
      if (grads.needs(2)) grads[2] = sum(g, Dims{0});
    };
  });
  return y;
}

}  // namespace bolide
