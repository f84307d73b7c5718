// creation.cpp - tensors made of values: constants, ranges, triangles.
#include <cmath>
#include <cstring>

#include "kernels/threads.h"
#include "runtime/autograd.h"
#include "runtime/backend.h"
#include "runtime/blocking.h"
#include "runtime/ops.h"

namespace bolide {
namespace {

void run_arange(ArangeCall call, const Tensor& out) {
  if (out.numel() == 0) return;
  auto* kernel = backend_of(out.device().type).kernels->arange;
  if (!kernel) raise(ErrorKind::NotImplemented, "arange", "a kernel on " + name_of(out.device()), "none");
  call.dtype = out.dtype(), call.count = out.numel(), call.out = out.data(), call.stream = current_stream(out.device());
  kernel(call);
}

// On the CPU, in one pass: of each row a part is copied, the rest is zeros.
Tensor triangle_rows(const Tensor& x, int64_t diagonal, bool upper) {
  GradMode off(false);
  const Tensor from = contiguous(x), y = empty(x.sizes(), {x.dtype(), x.device()});
  const int64_t rows = x.size(x.rank() - 2), columns = x.size(x.rank() - 1), item = x.item_size();
  const auto* source = static_cast<const char*>(from.data());
  auto* out = static_cast<char*>(y.data());
  BlockingScope scope(x.numel() >= 1 << 20);
  parallel_rows(x.numel() ? x.numel() / columns : 0, 32768 / (columns + 1), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      const int64_t edge = item * std::clamp<int64_t>(r % rows + diagonal + !upper, 0, columns), all = item * columns;
      const int64_t kept = upper ? edge : 0, cleared = edge - kept, at = r * all;  // where these parts begin
      std::memcpy(out + at + kept, source + at + kept, upper ? all - edge : edge);
      std::memset(out + at + cleared, 0, upper ? edge : all - edge);
    }
  });
  return y;
}

// Where the column of an element minus its row is at least (upper) or at most the diagonal.
Tensor triangle(const Tensor& x, int64_t diagonal, bool upper, const char* op) {
  check(x.rank() >= 2, ErrorKind::Shape, op, "at least 2 dimensions", [&] { return describe(x); });
  const int64_t rows = x.size(x.rank() - 2), columns = x.size(x.rank() - 1);
  diagonal = std::clamp(diagonal, -rows, columns);
  if (x.device().is_cpu()) {
    const Tensor y = triangle_rows(x, diagonal, upper);
    record(upper ? "TriuBackward" : "TrilBackward", y, {&x},
           [&] { return [=](const Tensor& g, Grads& grads) { grads[0] = triangle(g, diagonal, upper, op); }; });
    return y;
  }
  const DType counted = rows + columns < INT32_MAX ? DType::I32 : DType::I64;  // the narrower, the faster
  const Tensor edge = arange(diagonal, rows + diagonal, int64_t(1), counted, x.device());
  const Tensor column = arange(int64_t(0), columns, int64_t(1), counted, x.device());
  const Tensor kept = upper ? ge(column, unsqueeze(edge, 1)) : le(column, unsqueeze(edge, 1));
  return where(kept, x, Scalar(false));  // which changes no dtype
}

}  // namespace

Tensor full(const Dims& sizes, const Scalar& value, Options o) {
  Tensor t = empty(sizes, o);
  GradMode off(false);
  fill_(t, value);
  t->storage->version = 0;
  return t;
}
Tensor zeros(const Dims& sizes, Options o) {
  const size_t kByKernel = 1 << 16;  // a kernel shares it out among threads
  const size_t bytes = size_t(sizes.product() * item_size(o.dtype));
  if (bytes >= kByKernel && o.device.is_cpu()) return full(sizes, false, o);
  Tensor t = empty(sizes, o);
  if (bytes) backend_of(o.device.type).backend->set_bytes(t.data(), 0, bytes, current_stream(o.device));
  return t;
}
Tensor ones(const Dims& sizes, Options o) { return full(sizes, int64_t(1), o); }
Tensor full_like(const Tensor& t, const Scalar& value) { return full(t.sizes(), value, {t.dtype(), t.device()}); }

namespace {

// Of fractions as integers, as PyTorch has it: start and step are cut, the number of elements is that of the fractions;
// of int64 all three are cut before.
Tensor integer_range(const Scalar& start, const Scalar& end, const Scalar& step, Options o) {
  auto whole = [](const Scalar& s) { return std::isfinite(s.real) ? std::trunc(s.real) : s.real; };
  const Scalar first(int64_t(start.real)), by(std::isfinite(step.real) ? int64_t(step.real) : int64_t(0));
  const bool cut = o.dtype == DType::I64;
  const double from = cut ? whole(start) : start.real, to = cut ? whole(end) : end.real,
               width = cut ? whole(step) : step.real;
  check(width != 0, ErrorKind::Value, "arange", "a step that is not 0", [&] { return str(step.real); });
  check((to - from) * width >= 0, ErrorKind::Shape, "arange", "an end that the step leads to",
        [&] { return str(from, " to ", to, " by ", width); });
  const double n = std::ceil((to - from) / width);
  check(n < 0x1p62, ErrorKind::Shape, "arange", "a number of elements that fits", [&] { return str(n); });
  const Tensor t = empty({int64_t(n)}, o);
  ArangeCall call;
  call.start = double(first.integer), call.step = double(by.integer);
  call.integer_start = first.integer, call.integer_step = by.integer;
  run_arange(call, t);
  return t;
}

}  // namespace

Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, std::optional<DType> dtype, Device device) {
  bool whole = true;
  for (const Scalar* s : {&start, &end, &step}) {
    if (s->kind == Scalar::Float) whole = false;
    if (s->beyond) raise_beyond("arange", *s);
    const bool valid = s == &step ? !std::isnan(s->real) : std::isfinite(s->real);
    check(s->kind != Scalar::Complex && valid, ErrorKind::Shape, "arange", "finite real numbers",
          [&] { return str(s->real); });
  }
  const DType type = dtype.value_or(whole ? DType::I64 : default_dtype());
  if (!whole && is_integer(type)) return integer_range(start, end, step, {type, device});
  check(step.real != 0, ErrorKind::Shape, "arange", "a step that is not 0", [] { return std::string("0"); });
  if ((end.real - start.real) * step.real < 0)
    raise(ErrorKind::Shape, "arange", "an end that the step leads to",
          str(start.real, " to ", end.real, " by ", step.real));
  check(!is_complex(type), ErrorKind::NotImplemented, "arange", "a real dtype",
        [&] { return std::string(name_of(type)); });
  int64_t count;
  if (whole) {
    const __int128 span = __int128(end.integer) - start.integer, by = step.integer;
    count = int64_t((span + by - (by > 0 ? 1 : -1)) / by);
  } else {
    const double n = std::ceil((end.real - start.real) / step.real);
    check(n < 0x1p62, ErrorKind::Shape, "arange", "a number of elements that fits", [&] { return str(n); });
    count = int64_t(n);
  }
  Tensor t = empty({count}, {type, device});
  ArangeCall call;
  call.start = start.real, call.step = step.real;
  call.integer_start = whole ? start.integer : int64_t(start.real);
  call.integer_step = whole ? step.integer : std::isfinite(step.real) ? int64_t(step.real) : 0;
  run_arange(call, t);
  return t;
}

Tensor linspace(double start, double end, int64_t steps, Options o) {
  check(steps >= 0, ErrorKind::Shape, "linspace", "steps of zero or more", [&] { return str(steps); });
  if (is_integer(o.dtype)) start = std::trunc(start), end = std::trunc(end);
  // The second half from the end, so that both ends are exact and opposite numbers are opposite.
  const int64_t half = steps > 1 ? steps / 2 : steps;
  const Tensor y = empty({steps}, {is_float(o.dtype) ? o.dtype : DType::F64, o.device});
  ArangeCall call;
  call.start = start, call.step = steps > 1 ? (end - start) / double(steps - 1) : 0;
  GradMode off(false);
  run_arange(call, narrow(y, 0, 0, half));
  call.start = end, call.step = -call.step, call.backwards = true;
  run_arange(call, narrow(y, 0, half, steps - half));
  return to(y, o.dtype, {});
}

Tensor eye(int64_t n, int64_t m, Options o) {
  check(n >= 0 && m >= 0, ErrorKind::Shape, "eye", "sizes of zero or more", [&] { return str(n, " and ", m); });
  Tensor t = zeros({n, m}, o);
  GradMode off(false);
  if (n && m) fill_(diagonal(t), int64_t(1));
  return t;
}

Tensor tril(const Tensor& x, int64_t diagonal) { return triangle(x, diagonal, false, "tril"); }
Tensor triu(const Tensor& x, int64_t diagonal) { return triangle(x, diagonal, true, "triu"); }

}  // namespace bolide
