// ops_composed.cpp - elementwise functions with another face than their line in the table, or made of several.
#include <array>
#include <cmath>
#include <limits>

#include "bindings/forms.h"

namespace bolide::python {

Scalar end_of_range(DType dtype, bool high) {
  if (is_float(dtype))
    return Scalar(high ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity());
  if (dtype == DType::U8) return Scalar(int64_t(high ? 255 : 0));
  const int64_t top = int64_t((uint64_t(1) << (8 * item_size(dtype) - 1)) - 1);
  return Scalar(high ? top : -top - 1);
}

namespace {

Tensor where_both(const Arg& condition, const Arg& input, const Arg& other) {
  if (!condition.tensor && !input.tensor && !other.tensor)
    raise(ErrorKind::Type, "where", "a condition as Tensor", "three numbers");
  return where(condition, input, other);
}
TensorList where_true(const Tensor& condition) { return nonzero_by_dim(condition); }
Tensor where_method(const Tensor& input, const Tensor& condition, const Arg& other) {
  return where(condition, input, other);
}
Tensor gelu_named(const Tensor& x, std::string_view approximate) {
  check(approximate == "none" || approximate == "tanh", ErrorKind::Runtime, "gelu", "approximate 'none' or 'tanh'",
        [&] { return str("'", approximate, "'"); });
  return gelu(x, approximate == "tanh");
}
Tensor rsub(const Tensor& x, const Arg& other, const Scalar& alpha) {
  return sub(other, alpha.kind == Scalar::Int && alpha.integer == 1 ? x : mul(x, alpha));
}
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Arg& value) {
  check(mask.dtype() == DType::Bool, ErrorKind::DType, "masked_fill", "a mask of bool",
        [&] { return std::string(name_of(mask.dtype())); });
  check(!value.tensor || !value.tensor->rank(), ErrorKind::Shape, "masked_fill", "a number or a 0-d tensor",
        [&] { return value.tensor->sizes().text(); });
  Scalar number;
  Tensor made;  // the value in x's dtype, where promotion would change that of x
  if (value.tensor) {
    if (value.tensor->device().is_cpu()) number = fitting("masked_fill", item(*value.tensor), x.dtype());
    made = to(*value.tensor, x.dtype());
  } else {
    number = fitting("masked_fill", value.scalar, x.dtype());
  }
  if (number.imaginary != 0 && !is_complex(x.dtype()))
    raise(ErrorKind::Runtime, "masked_fill", str("a value that fits ", name_of(x.dtype())), "a complex number");
  if (!value.tensor) {
    if (promote(x.dtype(), number.default_dtype()) != x.dtype()) made = full({}, number, {x.dtype(), x.device()});
  }
  const Tensor filled = where(mask, made ? Arg(made) : Arg(number), x);
  return filled.dtype() == x.dtype() ? filled : to(filled, x.dtype());
}
void masked_fill_(const Tensor& x, const Tensor& mask, const Arg& value) { copy_(x, masked_fill(x, mask, value)); }

Tensor isclose(const Tensor& a, const Arg& b, double rtol, double atol, bool equal_nan) {
  check(rtol >= 0 && atol >= 0, ErrorKind::Runtime, "isclose", "tolerances of at least zero",
        [&] { return str("rtol ", rtol, " and atol ", atol); });
  if (a.dtype() == DType::Bool) return isclose(to(a, default_dtype()), b, rtol, atol, equal_nan);
  if (b.tensor && b.tensor->dtype() == DType::Bool)
    return isclose(a, Arg(to(*b.tensor, a.dtype())), rtol, atol, equal_nan);
  Tensor close = eq(a, b);
  const Tensor distance = abs(sub(a, b));
  const Tensor bound = add(Arg(atol), Arg(mul(Arg(abs(b)), Arg(rtol))));
  close = logical_or(close, logical_and(isfinite(Arg(distance)), Arg(le(distance, Arg(bound)))));
  return equal_nan ? logical_or(close, Arg(logical_and(isnan(a), Arg(isnan(b))))) : close;
}
bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  return item(all(isclose(a, b, rtol, atol, equal_nan))).integer != 0;
}
bool equal(const Tensor& a, const Tensor& b) {
  if (a.sizes() != b.sizes()) return false;
  return item(all(eq(a, b))).integer != 0;
}
bool is_floating(const Arg& a) { return a.tensor ? is_float(a.tensor->dtype()) : a.scalar.kind == Scalar::Float; }
Arg without_sign(const Arg& a, Tensor& made) {  // with slope 1 at 0, unlike abs
  if (a.tensor && a.tensor->dtype() == DType::Bool) return a;
  if (!a.tensor)
    return a.scalar.kind == Scalar::Float || a.scalar.beyond ? Arg(std::abs(a.scalar.real))
                                                             : Arg(std::abs(a.scalar.integer));
  return Arg(made = where(Arg(signbit(*a.tensor)), Arg(neg(a)), a));
}
Tensor fmod(const Arg& given_a, const Arg& given_b) {
  const Narrowed operands(given_a, given_b);
  const Arg &a = operands.a, &b = operands.b;
  if (is_floating(a) || is_floating(b)) {  // exact: a remainder moved by b would be rounded
    Tensor made[2];
    const Tensor rest = remainder(without_sign(a, made[0]), without_sign(b, made[1]));
    if (!a.tensor) return std::signbit(a.scalar.real) ? neg(Arg(rest)) : rest;
    return a.tensor->dtype() == DType::Bool ? rest : where(Arg(signbit(*a.tensor)), Arg(neg(Arg(rest))), rest);
  }
  const Tensor rest = remainder(a, b);  // with the sign of b; moved to that of a
  const Tensor other_sign = logical_and(Arg(ne(Arg(rest), 0)), Arg(ne(Arg(lt(a, 0)), Arg(lt(b, 0)))));
  return where(other_sign, Arg(sub(Arg(rest), b)), rest);
}
Tensor nan_to_num(const Tensor& x, double nan, std::optional<double> high, std::optional<double> low) {
  if (is_complex(x.dtype())) return view_as_complex(contiguous(nan_to_num(view_as_real(x), nan, high, low)));
  if (!is_float(x.dtype())) return clone(x);
  const double most = x.dtype() == DType::F64    ? std::numeric_limits<double>::max()
                      : x.dtype() == DType::F16  ? 65504.0
                      : x.dtype() == DType::BF16 ? 3.3895313892515355e38
                                                 : double(std::numeric_limits<float>::max());
  const double above = high.value_or(most), below = low.value_or(-most);
  if (above == -below && above >= 0) return replaced(x, nan, above);
  Tensor y = where(Arg(eq(x, Arg(double(INFINITY)))), Arg(above), x);
  y = where(Arg(eq(y, Arg(-double(INFINITY)))), Arg(below), y);
  return where(Arg(isnan(x)), Arg(nan), y);
}
Arg bound(const char* op, const Tensor& x, const Arg& b) {
  if (b.tensor) return b;
  const Arg both[] = {x, b};
  const DType dtype = promoted(both);
  return is_integer(dtype) ? Arg(fitting(op, b.scalar, dtype)) : b;
}
// The other bound is the end of the dtype's range. bool has no clamp: its bounds are the larger and the smaller of two.
template <bool low>
std::array<Arg, 3> clamped_to(const Tensor& x, const Arg& b) {
  const Arg both[] = {x, bound(low ? "clamp_min" : "clamp_max", x, b)};
  const Arg end = end_of_range(promoted(both), low);
  return {both[0], low ? both[1] : end, low ? end : both[1]};
}
template <bool low>
Tensor clamp_one(const Tensor& x, const Arg& b) {
  const Arg both[] = {x, b};
  if (promoted(both) == DType::Bool) return low ? maximum(x, b) : minimum(x, b);
  return elementwise(ElementwiseOp::clamp, clamped_to<low>(x, b));
}
template <bool low>
void clamp_one_(const Tensor& x, const Arg& b) {
  const Arg both[] = {x, b};
  if (promoted(both) == DType::Bool) return (void)copy_(x, clamp_one<low>(x, b));
  const std::array args = clamped_to<low>(x, b);
  elementwise_(ElementwiseOp::clamp, x, std::span(args).subspan(1));
}

}  // namespace

std::vector<Op> composed_rows() {
  std::vector<Op> rows = {
      op<&where_true, &where_both>(
          "where", "condition | condition, input, other",
          "input where condition is true, other elsewhere; all broadcast. With condition alone: the places where it "
          "is true, one tensor of int64 per dimension.\n\nRaises: ShapeError if the shapes do not broadcast.\n"
          "Example: >>> bolide.where(x > 0, x, 0.0)\nReference: torch.where.",
          kFunction),
      op<&where_method>("where", "input, condition, other", "input where condition is true, other elsewhere.", kMethod),
      op<&gelu_named>("gelu", "input, approximate='none'",
                      "x * Phi(x), with the distribution function of the normal distribution; 'tanh' approximates it."
                      "\n\nFloating dtypes, any shape.\nReference: torch.nn.functional.gelu."),
      op<&rsub>("rsub", "input, other, *, alpha=1", "other - alpha * input.\n\nReference: torch.rsub."),
      op<&masked_fill>("masked_fill", "input, mask, value",
                       "A copy with value where the mask, which broadcasts, is true.\n\nReference: "
                       "torch.Tensor.masked_fill."),
      op<&masked_fill_>("masked_fill_", "input, mask, value", "In-place form of masked_fill().", kMethod),
      op<&isclose>("isclose", "input, other, rtol=1e-05, atol=1e-08, equal_nan=False",
                   "Is |input - other| <= atol + rtol * |other|, element by element?\n\nReference: torch.isclose."),
      op<&allclose>("allclose", "input, other, rtol=1e-05, atol=1e-08, equal_nan=False",
                    "Is isclose() true everywhere?\n\nReference: torch.allclose."),
      op<&equal>("equal", "input, other", "Same shape and same values?\n\nReference: torch.equal."),
      op<&clamp_one<true>>("clamp_min", "input, min", "The larger of input and min.\n\nReference: torch.clamp_min."),
      op<&clamp_one<false>>("clamp_max", "input, max", "The smaller of input and max.\n\nReference: torch.clamp_max."),
      op<&clamp_one_<true>>("clamp_min_", "input, min", "In-place form of clamp_min().", kMethod),
      op<&clamp_one_<false>>("clamp_max_", "input, max", "In-place form of clamp_max().", kMethod),
  };
  add_forms<&fmod>(rows, "fmod", "input, other", "Remainder with the sign of the dividend.\n\nReference: torch.fmod.");
  add_forms<&nan_to_num>(rows, "nan_to_num", "input, nan=0.0, posinf=None, neginf=None",
                         "NaN and infinities replaced by numbers.\n\nReference: torch.nan_to_num.");
  return rows;
}

}  // namespace bolide::python
