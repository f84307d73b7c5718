// random.cpp - random tensors: Philox numbers keyed by (seed, offset, element), the same on every device.
#include "runtime/random.h"

#include <cmath>
#include <mutex>
#include <random>

#include "runtime/autograd.h"
#include "runtime/backend.h"

namespace bolide {
namespace {

struct Generator {
  std::mutex mutex;
  RandomState state{std::random_device{}() * uint64_t(0x9E3779B97F4A7C15), 0};
};
Generator& generator() {
  static Generator* g = new Generator;
  return *g;
}

void run(RandomCall call, const Tensor& out) {
  if (out.numel() == 0) return;
  if (is_complex(out.dtype())) {  // both parts alike; together they have the variance that is asked for
    const double mean = call.kind == RandomCall::Normal ? call.a : 0;
    if (call.kind == RandomCall::Normal) call.a = 0, call.b *= 0.707106781186547524;
    GradMode off(false);
    run(call, view_as_real(out));
    if (mean != 0) elementwise_(ElementwiseOp::add, out, std::vector<Arg>{Arg(mean)});
    return;
  }
  auto* kernel = backend_of(out.device().type).kernels->random;
  if (!kernel) raise(ErrorKind::NotImplemented, "random", "a kernel on " + name_of(out.device()), "none");
  const RandomState state = take_random_numbers(out.numel());
  call.dtype = out.dtype(), call.seed = state.seed, call.offset = state.offset;
  call.count = out.numel(), call.out = out.data(), call.stream = current_stream(out.device());
  BlockingScope scope(out.numel() >= 1 << 19);
  kernel(call);
}

Tensor made(const char* op, RandomCall call, const Dims& sizes, Options o) {
  if (!is_differentiable(o.dtype)) raise(ErrorKind::DType, op, "a floating-point or complex dtype", name_of(o.dtype));
  Tensor t = empty(sizes, o);
  run(call, t);
  return t;
}

void fill_random(const char* op, const Tensor& self, const RandomCall& call) {
  if (!is_differentiable(self.dtype()))
    raise(ErrorKind::DType, op, "a floating-point or complex dtype", name_of(self.dtype()));
  check_inplace(op, self);
  const bool recorded = wants_grad({&self});
  if (self.is_contiguous()) run(call, self);
  else {
    const Tensor dense = empty(self.sizes(), {self.dtype(), self.device()});
    run(call, dense);
    copy_values(self, dense);
  }
  bump_version(self);
  if (recorded) set_inplace_history(self, make_node(op, {&self}, [] { return [](const Tensor&, Grads&) {}; }));
}

}  // namespace

RandomState take_random_numbers(int64_t count) {
  Generator& g = generator();
  std::lock_guard lock(g.mutex);
  const RandomState taken = g.state;
  g.state.offset += uint64_t(count);
  return taken;
}

void manual_seed(uint64_t seed) { set_random_state({seed, 0}); }
uint64_t initial_seed() { return random_state().seed; }
RandomState random_state() {
  std::lock_guard lock(generator().mutex);
  return generator().state;
}
void set_random_state(RandomState state) {
  std::lock_guard lock(generator().mutex);
  generator().state = state;
}

Tensor rand(const Dims& sizes, Options o) {
  return made("rand", {.kind = RandomCall::Uniform, .a = 0, .b = 1}, sizes, o);
}
Tensor randn(const Dims& sizes, Options o) {
  return made("randn", {.kind = RandomCall::Normal, .a = 0, .b = 1}, sizes, o);
}

Tensor randint_up_to(int64_t low, int64_t last, const Dims& sizes, Options o) {
  check(!is_complex(o.dtype), ErrorKind::Runtime, "randint", "a real dtype",
        [&] { return std::string(name_of(o.dtype)); });
  Tensor t = empty(sizes, {DType::I64, o.device});
  RandomCall call;
  call.kind = RandomCall::Integers, call.low = low, call.range = uint64_t(last) - uint64_t(low) + 1;
  run(call, t);
  return to(t, o.dtype, {});
}
Tensor randint(int64_t low, int64_t high, const Dims& sizes, Options o) {
  check(low < high, ErrorKind::Shape, "randint", "low below high", [&] { return str(low, " and ", high); });
  return randint_up_to(low, high - 1, sizes, o);
}
void fill_poisson(const Tensor& out, const Tensor& rates) {
  run({.kind = RandomCall::Poisson, .x = rates.data()}, out);
}

Tensor randperm(int64_t n, Options o) {
  check(!is_complex(o.dtype), ErrorKind::NotImplemented, "randperm", "a real dtype",
        [&] { return std::string(name_of(o.dtype)); });
  check(n >= 0, ErrorKind::Shape, "randperm", "a number of zero or more", [&] { return str(n); });
  const int64_t most = o.dtype == DType::F64 || o.dtype == DType::I64 || o.dtype == DType::BF16 ? n
                       : o.dtype == DType::F32                                                  ? (1 << 24) + 1
                       : o.dtype == DType::F16                                                  ? (1 << 11) + 1
                       : o.dtype == DType::Bool ? 2
                                                : int64_t(1) << (8 * item_size(o.dtype) - (o.dtype != DType::U8));
  check(n <= most, ErrorKind::Runtime, "randperm", str("at most ", most, ", which ", name_of(o.dtype), " can hold"),
        [&] { return str(n); });
  // Fisher and Yates, on the host: each step needs the one before.
  Tensor draws = empty({n}, {DType::F64, Device{}}), order = arange(int64_t(0), n, int64_t(1), DType::I64);
  run({.kind = RandomCall::Uniform, .a = 0, .b = 1}, draws);
  int64_t* p = order.data<int64_t>();
  for (int64_t i = n - 1; i > 0; i--) std::swap(p[i], p[int64_t(draws.data<double>()[i] * double(i + 1))]);
  return to(order, o.dtype, o.device);
}

void uniform_(const Tensor& self, double from, double to) {
  check(from <= to && std::isfinite(to - from), ErrorKind::Shape, "uniform_", "finite bounds in order",
        [&] { return str(from, " and ", to); });
  fill_random("uniform_", self, {.kind = RandomCall::Uniform, .a = from, .b = to});
}
void normal_(const Tensor& self, double mean, double std) {
  check(std >= 0, ErrorKind::Shape, "normal_", "a standard deviation of zero or more", [&] { return str(std); });
  fill_random("normal_", self, {.kind = RandomCall::Normal, .a = mean, .b = std});
}

}  // namespace bolide
