// ops_pointwise.cpp - elementwise functions made of those of kernels/elementwise.def.
//
// They are here and not in the table because they are rare: every line of the table is compiled for each set of
// instructions, type and device. To add one: a function and a row at the end.
#include <cmath>

#include "bindings/forms.h"
#include "runtime/autograd.h"

namespace bolide::python {

Tensor signbit(const Tensor& x) { return is_float(x.dtype()) ? lt(copysign(1.0, detach(x)), 0) : lt(x, 0); }

void write_in_place(const Tensor& self, const Tensor& result) {
  check_castable("in-place", result.dtype(), self.dtype());
  copy_(self, result);
}

namespace {

void check_floating(const char* op, const Tensor& x) {
  if (!is_float(x.dtype())) raise(ErrorKind::DType, op, "a floating-point dtype", name_of(x.dtype()));
}
void check_real(const char* op, const Tensor& x) {
  if (is_complex(x.dtype())) raise(ErrorKind::DType, op, "a real dtype", name_of(x.dtype()));
}
void check_one_dtype(const char* op, const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype())
    raise(ErrorKind::DType, op, "tensors of one dtype", str(name_of(a.dtype()), " and ", name_of(b.dtype())));
}
void check_tensor(const char* op, const Arg& a, const Arg& b) {
  if (!a.tensor && !b.tensor) raise(ErrorKind::Type, op, "a Tensor", "two numbers");
}
Tensor floating(const Tensor& x) { return is_differentiable(x.dtype()) ? x : to(x, DType::F32); }

// ---- parts of numbers ----------------------------------------------------------------------------------------
Tensor frac(const Tensor& x) {
  check_floating("frac", x);
  return sub(x, trunc(x));
}
Tensor heaviside(const Tensor& x, const Tensor& values) {
  check_one_dtype("heaviside", x, values);
  return where(eq(x, 0), detach(values), to(gt(x, 0), x.dtype()));
}
Tensor ldexp(const Tensor& x, const Arg& exponent) { return mul(x, pow(2.0, exponent)); }
Tensor float_power(const Arg& base, const Arg& exponent) {
  check_tensor("float_power", base, exponent);
  auto complex = [](const Arg& a) {
    return a.tensor ? is_complex(a.tensor->dtype()) : a.scalar.kind == Scalar::Complex;
  };
  const DType dtype = complex(base) || complex(exponent) ? DType::C128 : DType::F64;
  const Tensor a = base.tensor ? to(*base.tensor, dtype) : Tensor(),
               b = exponent.tensor ? to(*exponent.tensor, dtype) : Tensor();
  return pow(a ? Arg(a) : base, b ? Arg(b) : exponent);
}
void float_power_(const Tensor& base, const Arg& exponent) {
  const Tensor original = wants_grad({&base}) ? clone(base) : base, y = float_power(original, exponent);
  check(y.dtype() == base.dtype(), ErrorKind::Runtime, "float_power_", str("a base of ", name_of(y.dtype())),
        [&] { return std::string(name_of(base.dtype())); });
  copy_(base, y);
}
Tensor lcm(const Tensor& a, const Arg& b) {
  const Tensor divisor = gcd(a, b);
  const Tensor quotient = floor_divide(a, where(eq(divisor, 0), 1, divisor));
  return abs(mul(quotient, b));
}

// The number beside a towards b: its bits are an integer that counts on from zero in both directions.
Tensor nextafter(const Tensor& from, const Tensor& to_) {
  const Arg both[] = {from, to_};
  const DType dtype = promoted(both);
  if (!is_float(dtype)) raise(ErrorKind::DType, "nextafter", "a floating-point dtype", name_of(dtype));
  const Tensor a = to(detach(from), dtype), b = to(detach(to_), dtype);
  const DType count = item_size(dtype) == 8 ? DType::I64 : item_size(dtype) == 4 ? DType::I32 : DType::I16;
  const Tensor steps = where(eq(Arg(gt(b, a)), gt(a, 0)), 1, -1);
  const Tensor smallest = copysign(Arg(view_dtype(full({}, 1, {count, a.device()}), dtype)), b);
  const Tensor beside = view_dtype(to(add(Arg(view_dtype(a, count)), steps), count), dtype);
  const Tensor next = where(eq(a, 0), smallest, beside);
  return where(logical_or(isnan(a), Arg(isnan(b))), add(a, b), where(eq(a, b), b, next));
}

Tensor is_infinite(const char* op, const Tensor& x, double infinity) {
  check_real(op, x);
  return is_float(x.dtype()) ? eq(x, infinity) : zeros(x.sizes(), {DType::Bool, x.device()});
}
Tensor isposinf(const Tensor& x) { return is_infinite("isposinf", x, double(INFINITY)); }
Tensor isneginf(const Tensor& x) { return is_infinite("isneginf", x, -double(INFINITY)); }

// By the bits of a double: a subnormal one is made larger first.
PyObject* frexp(const Tensor& x) {
  check_floating("frexp", x);
  constexpr int64_t kFraction = int64_t(0x800FFFFFFFFFFFFF), kHalf = int64_t(1022) << 52;
  Tensor mantissa, exponent;
  {
    GradMode off(false);
    const Tensor wide = to(x, DType::F64), tiny = lt(abs(wide), 0x1p-1000);
    const Tensor bits = view_dtype(where(tiny, mul(wide, 0x1p100), wide), DType::I64);
    const Tensor plain = logical_and(isfinite(wide), ne(wide, 0));
    const Tensor powers = bitwise_and(bitwise_right_shift(bits, 52), 0x7FF);
    exponent = to(where(plain, sub(powers, where(tiny, 1122, 1022)), 0), DType::I32);
    const Tensor halves = view_dtype(bitwise_or(bitwise_and(bits, kFraction), kHalf), DType::F64);
    mantissa = to(where(plain, halves, wide), x.dtype());
  }
  record("FrexpBackward", mantissa, {&x}, [&] {
    return [exponent](const Tensor& g, Grads& grads) { grads[0] = div(g, exp2(to(exponent, g.dtype()))); };
  });
  return named_tuple("frexp", {"mantissa", "exponent"}, {mantissa, exponent});
}

// ---- of two numbers ------------------------------------------------------------------------------------------
// NaN loses; of equal ones the first gets the gradient.
Tensor fmax(const Tensor& a, const Tensor& b) { return where(logical_or(ge(a, b), isnan(b)), a, b); }
Tensor fmin(const Tensor& a, const Tensor& b) { return where(logical_or(le(a, b), isnan(b)), a, b); }
// 0 where a is, unless b is NaN: a product with log1p(0) instead of infinity has the right gradients too.
Tensor xlog1py(const Arg& a, const Arg& b) {
  check_tensor("xlog1py", a, b);
  const Tensor infinite = logical_or(le(b, -1), eq(b, double(INFINITY)));
  return mul(a, log1p(where(logical_and(eq(a, 0), infinite), 0.0, b)));
}
Tensor logaddexp2(const Tensor& a, const Tensor& b) {
  check_floating("logaddexp2", a), check_floating("logaddexp2", b);
  auto wide = [](const Tensor& x) { return is_half(x) ? to(x, DType::F32) : x; };
  return to(div(logaddexp(mul(wide(a), kLn2), mul(wide(b), kLn2)), kLn2), promote(a.dtype(), b.dtype()));
}
Tensor polygamma(int64_t n, const Tensor& x) {
  check(n >= 0, ErrorKind::Runtime, "polygamma", "n of at least 0", [&] { return str(n); });
  return n == 0 ? digamma(x) : polygamma_at(x, double(n));
}
Tensor polygamma_method(const Tensor& x, int64_t n) { return polygamma(n, x); }
Tensor zeta_of(const Arg& x, const Arg& q) {
  check_tensor("zeta", x, q);
  return zeta(x, q);
}

// ---- of one --------------------------------------------------------------------------------------------------
Tensor rad2deg(const Tensor& x) {
  check_real("rad2deg", x);
  return mul(x, 57.2957795130823209);
}
Tensor deg2rad(const Tensor& x) {
  check_real("deg2rad", x);
  return mul(x, 0.0174532925199432958);
}
Tensor sinc(const Tensor& x) {
  const Tensor zero = eq(x, 0), angle = where(zero, 1.0, mul(x, 3.14159265358979324));
  return where(zero, 1.0, div(sin(angle), angle));
}
Tensor logit(const Tensor& x, std::optional<double> eps) {
  check_real("logit", x);
  const Tensor p = eps ? clamp(x, *eps, 1 - *eps) : floating(x);
  return log(div(p, sub(1.0, p)));
}
Tensor mvlgamma(const Tensor& x, int64_t p) {
  check(p >= 1, ErrorKind::Runtime, "mvlgamma", "p of at least 1", [&] { return str(p); });
  Tensor total = lgamma(x);
  for (int64_t k = 1; k < p; k++) total = add(total, lgamma(sub(x, double(k) * 0.5)));
  return add(total, double(p * (p - 1)) * 0.25 * 1.14472988584940017);
}
Tensor entr(const Tensor& x) { return where(lt(x, 0), -double(INFINITY), neg(xlogy(x, x))); }
Tensor ndtr(const Tensor& x) { return mul(erfc(mul(x, -0.707106781186547524)), 0.5); }

// ---- activations ---------------------------------------------------------------------------------------------
Tensor softshrink(const Tensor& x, double lambd) {
  check_floating("softshrink", x);
  check(lambd >= 0, ErrorKind::Runtime, "softshrink", "lambd of at least 0", [&] { return str(lambd); });
  const Tensor nearer = where(gt(x, lambd), sub(x, lambd), add(x, lambd));
  return where(le(abs(x), lambd), 0.0, nearer);
}
Tensor hardshrink(const Tensor& x, double lambd) {
  check_floating("hardshrink", x);
  return where(le(abs(x), lambd), 0.0, x);
}
Tensor tanhshrink(const Tensor& x) { return sub(x, tanh(x)); }
Tensor threshold(const Tensor& x, const Scalar& limit, const Scalar& value) {
  const Tensor y = where(le(x, limit), value, x);
  return y.dtype() == x.dtype() ? y : to(y, x.dtype());
}
Tensor relu6(const Tensor& x) { return hardtanh(x, 0, 6); }
Tensor selu(const Tensor& x) { return mul(elu(x, 1.6732632423543772848), 1.0507009873554804934); }
Tensor celu(const Tensor& x, double alpha) {
  check_floating("celu", x);
  check(alpha != 0, ErrorKind::Runtime, "celu", "alpha other than 0", [] { return std::string("0"); });
  return where(gt(x, 0), x, mul(expm1(div(x, alpha)), alpha));
}
Tensor hardsigmoid(const Tensor& x) {
  check_floating("hardsigmoid", x);
  return div(relu6(add(x, 3.0)), 6.0);
}
Tensor hardswish(const Tensor& x) { return mul(x, hardsigmoid(x)); }
Tensor prelu(const Tensor& x, const Tensor& weight) {
  check_floating("prelu", x);
  check_one_dtype("prelu", x, weight);
  check(weight.rank() <= 1, ErrorKind::Shape, "prelu", "a weight of at most one dimension",
        [&] { return weight.sizes().text(); });
  Tensor slope = weight;
  if (weight.numel() != 1) {
    check(x.rank() > 0 && weight.numel() == x.size(x.rank() > 1 ? 1 : 0), ErrorKind::Shape, "prelu",
          "a weight per channel of the input", [&] { return str(weight.sizes().text(), " for ", x.sizes().text()); });
    Dims sizes(x.rank());
    for (int d = 0; d < x.rank(); d++) sizes[d] = d == (x.rank() > 1 ? 1 : 0) ? weight.numel() : 1;
    slope = reshape(weight, sizes);
  } else if (x.rank() == 0) {
    slope = reshape(weight, {});
  }
  return where(gt(x, 0), x, mul(slope, x));
}
Tensor glu(const Tensor& x, int64_t dim) {
  check_floating("glu", x);
  check(x.rank() > 0, ErrorKind::Shape, "glu", "a tensor with dimensions", [] { return std::string("a 0-d one"); });
  const int64_t size = x.size(wrap_dim("glu", dim, x.rank()));
  check(size % 2 == 0, ErrorKind::Shape, "glu", "an even size to halve", [&] { return str(size); });
  const Tensor a = narrow(x, dim, 0, size / 2), b = narrow(x, dim, size / 2, size / 2);
  return mul(a, sigmoid(b));
}

void add_numbers(std::vector<Op>& rows) {
  add_forms<&frac>(rows, "frac", "input",
                   "The part behind the point, with the number's sign.\n\nReference: torch.frac.");
  add_function<&signbit>(rows, "signbit", "input",
                         "Is the sign bit set? True for -0.0 too.\n\nReference: torch.signbit.");
  add_function<&isposinf>(rows, "isposinf", "input", "Is it positive infinity?\n\nReference: torch.isposinf.");
  add_function<&isneginf>(rows, "isneginf", "input", "Is it negative infinity?\n\nReference: torch.isneginf.");
  add_function<&frexp>(
      rows, "frexp", "input",
      "Mantissa, of a size in [0.5, 1), and exponent (int32) with input == mantissa * 2 ** exponent: the "
      "named tuple (mantissa, exponent).\n\nRaises: DTypeError unless floating.\nReference: "
      "torch.frexp.");
  add_forms<&nextafter>(rows, "nextafter", "input, other",
                        "The number of the dtype that is next to input towards other; without a gradient.\n\nRaises: "
                        "DTypeError unless one is floating.\nReference: torch.nextafter.");
  add_forms<&heaviside>(rows, "heaviside", "input, values",
                        "0 below 0, 1 above, values at 0.\n\nRaises: DTypeError where the dtypes differ.\nReference: "
                        "torch.heaviside.");
  add_forms<&ldexp>(rows, "ldexp", "input, other", "input * 2 ** other.\n\nReference: torch.ldexp.");
  add_forms<&lcm>(rows, "lcm", "input, other", "Least common multiple of integers.\n\nReference: torch.lcm.");
  add_function<&float_power>(rows, "float_power", "input, exponent",
                             "input to the exponent, in float64.\n\nReference: torch.float_power.");
  rows.push_back(op<&float_power_>("float_power_", "input, exponent", "In-place form of float_power().", kMethod));
  add_function<&fmax>(rows, "fmax", "input, other", "The larger of both; NaN loses.\n\nReference: torch.fmax.");
  add_function<&fmin>(rows, "fmin", "input, other", "The smaller of both; NaN loses.\n\nReference: torch.fmin.");
  add_function<&logaddexp2>(rows, "logaddexp2", "input, other",
                            "log2(2 ** input + 2 ** other).\n\nReference: torch.logaddexp2.");
  add_forms<&rad2deg>(rows, "rad2deg", "input", "Degrees of radians.\n\nReference: torch.rad2deg.");
  add_forms<&deg2rad>(rows, "deg2rad", "input", "Radians of degrees.\n\nReference: torch.deg2rad.");
  add_forms<&InFloat<&sinc>::call>(rows, "sinc", "input",
                                   "sin(pi * x) / (pi * x), and 1 at 0.\n\nReference: torch.sinc.");
  add_forms<&InFloat<&logit>::call>(rows, "logit", "input, eps=None",
                                    "log(x / (1 - x)), of x within [eps, 1 - eps].\n\nReference: torch.logit.");
  add_forms<&InFloat<&mvlgamma>::call>(
      rows, "mvlgamma", "input, p",
      "Logarithm of the multivariate gamma function of dimension p; input must be above "
      "(p - 1) / 2.\n\nReference: torch.mvlgamma.");
  rows.push_back(op<&polygamma>("polygamma", "n, input",
                                "The n-th derivative of digamma().\n\nReference: torch.polygamma.", kFunction));
  rows.push_back(op<&polygamma_method>("polygamma", "input, n", "polygamma(n, input).", kMethod));
  rows.push_back(
      op<&InPlace<&polygamma_method>::call>("polygamma_", "input, n", "In-place form of polygamma().", kMethod));
}
void add_activations(std::vector<Op>& rows) {
  add_function<&InFloat<&softshrink>::call>(
      rows, "softshrink", "input, lambd=0.5",
      "x nearer to 0 by lambd, and 0 within.\n\nReference: torch.nn.functional.softshrink.", kFunction);
  add_function<&hardshrink>(rows, "hardshrink", "input, lambd=0.5",
                            "x, and 0 within [-lambd, lambd].\n\nReference: torch.hardshrink.");
  add_function<&InFloat<&tanhshrink>::call>(rows, "tanhshrink", "input",
                                            "x - tanh(x).\n\nReference: torch.nn.functional.tanhshrink.", kFunction);
  add_function<&threshold>(rows, "threshold", "input, threshold, value",
                           "x where it is larger than the threshold, else value.\n\nReference: torch.threshold.",
                           kFunction);
  add_function<&relu6>(rows, "relu6", "input", "x within [0, 6].\n\nReference: torch.nn.functional.relu6.", kFunction);
  add_function<&InFloat<&selu>::call>(rows, "selu", "input",
                                      "Scaled elu (Klambauer et al. 2017).\n\nReference: torch.selu.", kFunction);
  add_function<&InFloat<&celu>::call>(
      rows, "celu", "input, alpha=1.0",
      "x, or alpha * (exp(x / alpha) - 1) below 0 (Barron 2017).\n\nReference: torch.celu.", kFunction);
  add_function<&InFloat<&hardsigmoid>::call>(
      rows, "hardsigmoid", "input",
      "relu6(x + 3) / 6 (Courbariaux et al. 2015).\n\nReference: torch.nn.functional.hardsigmoid.", kFunction);
  add_function<&InFloat<&hardswish>::call>(
      rows, "hardswish", "input",
      "x * hardsigmoid(x) (Howard et al. 2019).\n\nReference: torch.nn.functional.hardswish.", kFunction);
  add_function<&prelu>(
      rows, "prelu", "input, weight",
      "x, or weight * x below 0; one weight, or one per channel (He et al. 2015).\n\nRaises: ShapeError for "
      "another number of weights.\nReference: torch.prelu.");
  add_function<&InFloat<&glu>::call>(
      rows, "glu", "input, dim=-1",
      "The first half along dim times sigmoid of the second (Dauphin et al. 2017).\n\nRaises: ShapeError "
      "for an odd size.\nReference: torch.nn.functional.glu.",
      kFunction);
}
// What has a name in bolide.special only.
void add_special(std::vector<Op>& rows) {
  add_function<&xlog1py>(rows, "_xlog1py", "input, other", "input * log1p(other), and 0 where input is 0.", kFunction);
  add_function<&zeta_of>(rows, "_zeta", "input, other", "Hurwitz zeta function.", kFunction);
  add_function<&InFloat<&entr>::call>(rows, "_entr", "input", "-x * log(x), 0 at 0, -inf below.", kFunction);
  add_function<&InFloat<&ndtr>::call>(rows, "_ndtr", "input", "Distribution function of the normal distribution.",
                                      kFunction);
}

}  // namespace

std::vector<Op> pointwise_rows() {
  std::vector<Op> rows;
  add_numbers(rows), add_activations(rows), add_special(rows);
  return rows;
}

}  // namespace bolide::python
