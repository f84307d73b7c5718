// rare.cpp - the front of every line of kernels/rare.def: promotes, broadcasts, converts to double and back, records.
#include "runtime/autograd.h"
#include "runtime/backend.h"
#include "runtime/value.h"

namespace bolide {
namespace {

constexpr double kRootTwoByPi = 0.797884560802865356, kRootHalf = 0.707106781186547524,
                 kRootTwoPi = 2.50662827463100050;

#define RARE_1(names, name, ...) \
  [[maybe_unused]] Value name(const Value& x) { return Value(name(x.arg())); }
#define RARE_2(names, name, ...)
#include "kernels/rare.def"

Value by_x(const Value& x, const Value& y) {  // y / x, of a y with the slope 1/2 at 0
  return select(x == 0.0, 0.5, y / select(x == 0.0, 1.0, x));
}

// The gradients of a line, on (g, inputs..., y): none, or a formula.
template <RareOp op, int input>
auto gradient(const Value& g, const Value& a, const Value& b, const Value& y);
#define RARE_ARGUMENTS(first, second)                                                               \
  [[maybe_unused]] const Value &g, [[maybe_unused]] const Value &first, [[maybe_unused]] const Value &second, \
      [[maybe_unused]] const Value &y
#define RARE_1(names, name, slope, doc) \
  template <>                           \
  auto gradient<RareOp::name, 0>(RARE_ARGUMENTS(x, unused)) { return slope; }
#define RARE_2(names, name, arguments, slope_a, slope_b, doc)                    \
  template <>                                                                   \
  auto gradient<RareOp::name, 0>(RARE_ARGUMENTS(a, b)) { return slope_a; }      \
  template <>                                                                   \
  auto gradient<RareOp::name, 1>(RARE_ARGUMENTS(a, b)) { return slope_b; }
#include "kernels/rare.def"

using Gradient = Tensor (*)(const Value&, const Value&, const Value&, const Value&);
template <RareOp op, int input>
constexpr Gradient gradient_or_null() {
  using Found = decltype(gradient<op, input>(Value(0), Value(0), Value(0), Value(0)));
  if constexpr (std::is_same_v<std::remove_const_t<Found>, None>) return nullptr;
  else
    return [](const Value& g, const Value& a, const Value& b, const Value& y) {
      return gradient<op, input>(g, a, b, y).tensor();
    };
}
Gradient gradient_of_line(RareOp op, int input) {
  switch (op) {
#define RARE_1(names, name, ...) \
  case RareOp::name: return gradient_or_null<RareOp::name, 0>();
#define RARE_2(names, name, ...) \
  case RareOp::name: return input ? gradient_or_null<RareOp::name, 1>() : gradient_or_null<RareOp::name, 0>();
#include "kernels/rare.def"
  }
  return nullptr;
}

void record_line(RareOp op, const char* name, const Tensor& y, const Tensor& a, const Tensor& b) {
  const Gradient of_a = gradient_of_line(op, 0), of_b = b ? gradient_of_line(op, 1) : nullptr;
  const Tensor nothing;
  record(name, y, {of_a ? &a : &nothing, of_b ? &b : &nothing}, [&] {
    return [of_a, of_b, a = Saved(a), b = b ? Saved(b) : Saved(), y = Saved::output(y)](const Tensor& g, Grads& grads) {
      const Value first = a.get(), second = b ? Value(b.get()) : Value(0), out = y.get(grads.node());
      if (of_a && grads.needs(0)) grads[0] = of_a(g, first, second, out);
      if (of_b && grads.needs(1)) grads[1] = of_b(g, first, second, out);
    };
  });
}

}  // namespace

Tensor rare_function(RareOp op, const char* name, std::span<const Arg> inputs) {
  DType dtype = promoted(inputs);
  check(!is_complex(dtype), ErrorKind::DType, name, "a real dtype", [&] { return std::string(name_of(dtype)); });
  if (!is_float(dtype)) dtype = default_dtype();
  Dims sizes;
  std::optional<Device> device;
  for (const Arg& a : inputs) {
    if (!a.tensor) continue;
    sizes = device ? broadcast_sizes(name, sizes, a.tensor->sizes()) : a.tensor->sizes();
    check(!device || *device == a.tensor->device(), ErrorKind::Runtime, name, "all tensors on one device",
          [&] { return str(name_of(*device), " and ", name_of(a.tensor->device())); });
    device = a.tensor->device();
  }
  check(device.has_value(), ErrorKind::Type, name, "a Tensor", [] { return std::string("numbers"); });
  auto* kernel = backend_of(device->type).kernels->rare_functions;
  if (!kernel)
    raise(ErrorKind::NotImplemented, name, str("a kernel for ", name_of(dtype), " on ", name_of(*device)), "none");
  Tensor given[2], wide[2];  // as they are, and dense in double
  for (size_t i = 0; i < inputs.size(); i++) {
    given[i] = inputs[i].tensor ? *inputs[i].tensor : full({}, inputs[i].scalar, {dtype, *device});
    wide[i] = contiguous(expand(to(detach(given[i]), DType::F64), sizes));
  }
  const Tensor out = empty(sizes, {DType::F64, *device});
  RareCall call;
  call.op = op, call.count = out.numel(), call.a = wide[0].data<double>(), call.out = out.data<double>();
  call.b = inputs.size() > 1 ? wide[1].data<double>() : nullptr, call.stream = current_stream(*device);
  {
    BlockingScope scope(call.count >= 1 << 14);
    kernel(call);
  }
  const Tensor y = to(out, dtype);
  record_line(op, name, y, given[0], given[1]);
  return y;
}

}  // namespace bolide
