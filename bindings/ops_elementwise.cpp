// ops_elementwise.cpp - functions, methods and in-place methods of every line of kernels/elementwise.def.
//
// A new line of that table needs nothing here. What PyTorch takes beyond the table's arguments (alpha of add,
// rounding_mode of div, ...) is an Extra; other names of an op are in kAliases.
#include <cmath>
#include <cstring>
#include <deque>
#include <limits>

#include "bindings/elementwise.h"
#include "bindings/ops_table.h"
#include "runtime/autograd.h"

namespace bolide::python {
namespace {

enum class Form { kFunction, kMethod, kInplace };
enum class Extra { kNone, kAlpha, kRounding, kValue, kDecimals, kBounds };

struct Row {
  ElementwiseOp op;
  const OpInfo* info;
  Extra extra = Extra::kNone;
  Signature signature, inplace_signature;
  std::string text, inplace_text;  // of the signatures
  std::string inplace_name;
  int tensors() const { return info->arity - info->scalars; }
};
Row rows[kElementwiseOps];

// The inputs of one call, and what had to be made for them.
struct Inputs {
  Arg args[3] = {Scalar(), Scalar(), Scalar()};
  Tensor made[3];
  int count = 0;
  bool any_tensor = false;
  void set(int i, const Tensor& t) { made[i] = t, args[i] = Arg(made[i]); }
  std::span<const Arg> span() const { return {args, size_t(count)}; }
};

void read(Inputs& in, int i, PyObject* o) {
  if (!read_arg(o, in.args[i], in.made[i])) throw Mismatch{o, "Tensor or number"};
  in.any_tensor |= in.args[i].tensor != nullptr;
}

// ---- what PyTorch takes beyond the table ---------------------------------------------------------------------
bool is_one(PyObject* o) { return PyLong_CheckExact(o) && PyLong_AsLong(o) == 1; }

DType dtype_of_arg(const Arg& a) { return a.tensor ? a.tensor->dtype() : a.scalar.default_dtype(); }

Scalar negative(const Scalar& s) {
  if (s.kind == Scalar::Complex) return Scalar(-s.real, -s.imaginary);
  return s.kind == Scalar::Float ? Scalar(-s.real) : Scalar(int64_t(-uint64_t(s.integer)));
}

// `factor` times input i: alpha of add and sub, value of addcmul and addcdiv. It leaves the result's dtype alone.
void scale(Inputs& in, int i, PyObject* factor, const Row& row) {
  if (is_one(factor)) return;
  const Scalar s = Convert<Scalar>::get(factor);
  const char* name = row.info->name;
  if (s.beyond) raise_beyond(name, s);
  const DType dtype = promoted(in.span());
  check(s.kind != Scalar::Bool || dtype == DType::Bool || row.extra != Extra::kAlpha, ErrorKind::DType, name,
        "a number for tensors of numbers", [] { return std::string("a bool"); });
  check(is_differentiable(dtype) || s.kind <= Scalar::Int, ErrorKind::DType, name, "an integer for tensors of integers",
        [&] { return str(s.real); });
  check(s.kind != Scalar::Complex || is_complex(dtype), ErrorKind::Runtime, name, "a real number for real tensors",
        [&] { return std::string("a complex one"); });
  const Arg a = in.args[i];
  if (dtype == DType::Bool) {
    if (a.tensor && s.integer == 0) in.set(i, mul(a, Arg(Scalar(false))));
    else if (s.integer == 0) in.args[i] = Arg(Scalar(false));
  } else if (a.tensor && row.extra == Extra::kAlpha) {
    in.args[in.count++] = Arg(row.op == ElementwiseOp::sub ? negative(s) : s);
  } else if (a.tensor) {
    in.set(i, mul(to(*a.tensor, dtype), Arg(s)));
  } else if (s.kind == Scalar::Complex || a.scalar.kind == Scalar::Complex) {
    in.set(i, mul(full({}, a.scalar, {dtype, {}}), Arg(s)));
  } else if (s.kind <= Scalar::Int && a.scalar.kind <= Scalar::Int) {
    in.args[i] = Arg(int64_t(uint64_t(a.scalar.integer) * uint64_t(s.integer)));
  } else {
    in.args[i] = Arg(a.scalar.real * s.real);
  }
}

// Quotient rounded to zero: floor_divide, corrected where the exact quotient is negative.
Tensor truncated_quotient(const Arg& given_a, const Arg& given_b) {
  const Narrowed operands(given_a, given_b);
  const Arg &a = operands.a, &b = operands.b;
  if (is_differentiable(dtype_of_arg(a)) || is_differentiable(dtype_of_arg(b))) {
    GradMode off(false);
    return trunc(div(a, b));
  }
  const Tensor quotient = div(a, b);
  const Tensor down = floor_divide(a, b);
  const Tensor rest = ne(Arg(sub(a, Arg(mul(Arg(down), b)))), Arg(0));
  return add(Arg(down), Arg(logical_and(Arg(lt(Arg(quotient), Arg(0))), Arg(rest))));
}
Tensor divide(Inputs& in, PyObject* mode) {
  const std::string_view text = Convert<std::string_view>::get(mode);
  if (text == "floor") return floor_divide(in.args[0], in.args[1]);
  if (text == "trunc") {
    const Tensor y = truncated_quotient(in.args[0], in.args[1]);
    auto tensor_of = [](const Arg& a) { return a.tensor ? *a.tensor : Tensor(); };
    const Tensor a = tensor_of(in.args[0]), b = tensor_of(in.args[1]);
    record("DivBackward", y, {&a, &b}, [] {
      return [](const Tensor& g, Grads& grads) {  // zero, also where that of a quotient would be NaN
        for (int k : {0, 1})
          if (grads.needs(k)) grads[k] = zeros(g.sizes(), {g.dtype(), g.device()});
      };
    });
    return y;
  }
  raise(ErrorKind::Runtime, "div", "rounding_mode None, 'trunc' or 'floor'", str("'", text, "'"));
}
Tensor round_to(Inputs& in, int64_t decimals) {
  const double factor = std::pow(10.0, double(std::abs(decimals)));
  const Tensor scaled = decimals >= 0 ? mul(in.args[0], Arg(factor)) : div(in.args[0], Arg(factor));
  const Tensor rounded = round(Arg(scaled));
  return decimals >= 0 ? div(Arg(rounded), Arg(factor)) : mul(Arg(rounded), Arg(factor));
}

void read_bounds(Inputs& in, const Bound& b) {
  read(in, 0, b.slots[0]);
  if (!in.args[0].tensor) throw Mismatch{b.slots[0], "Tensor"};
  check(b.slots[1] != Py_None || b.slots[2] != Py_None, ErrorKind::Runtime, "clamp", "min or max, or both",
        [] { return std::string("None for both"); });
  for (int i = 1; i < 3; i++) {
    if (b.slots[i] != Py_None) read(in, i, b.slots[i]);
    else in.args[i] = in.args[0];  // promotes nothing
  }
  const DType dtype = promoted(in.span());
  for (int i = 1; i < 3; i++) {
    if (b.slots[i] == Py_None) in.args[i] = Arg(end_of_range(dtype, i == 2));
    else if (!in.args[i].tensor && is_integer(dtype)) in.args[i] = Arg(fitting("clamp", in.args[i].scalar, dtype));
  }
}

// Does the extra argument; true if that has given the result already.
bool apply_extra(const Row& row, Inputs& in, PyObject* extra, Tensor& result) {
  switch (row.extra) {
    case Extra::kNone:
    case Extra::kBounds: return false;
    case Extra::kAlpha: scale(in, 1, extra, row); return false;
    case Extra::kValue: scale(in, in.args[1].tensor ? 1 : 2, extra, row); return false;
    case Extra::kRounding:
      if (extra == Py_None) return false;
      result = divide(in, extra);
      return true;
    case Extra::kDecimals:
      if (PyLong_CheckExact(extra) && PyLong_AsLong(extra) == 0) return false;
      result = round_to(in, Convert<int64_t>::get(extra));
      return true;
  }
  return false;
}

// Of these, alone, PyTorch takes numbers for all tensors; the first becomes one.
constexpr ElementwiseOp kOfNumbers[] = {ElementwiseOp::add, ElementwiseOp::sub, ElementwiseOp::mul, ElementwiseOp::div,
                                        ElementwiseOp::floor_divide};
void need_tensor(const Row& row, Inputs& in, PyObject* first) {
  if (in.any_tensor) return;
  if (std::find(std::begin(kOfNumbers), std::end(kOfNumbers), row.op) == std::end(kOfNumbers))
    throw Mismatch{first, "Tensor"};
  const Scalar number = in.args[0].scalar;
  in.set(0, full({}, number, {number.default_dtype(), {}}));
  in.any_tensor = true;
}

// A result made of several ops and then written in place: what they save must not be what is about to change.
void keep_original(Inputs& in) {
  if (wants_grad({in.args[0].tensor})) in.set(0, clone(*in.args[0].tensor));
}

// ---- calls ---------------------------------------------------------------------------------------------------
PyObject* finish(const Row& row, Form form, Inputs& in, PyObject* self, PyObject* out, const Tensor& ready) {
  need_tensor(row, in, self);
  if (form == Form::kInplace) {
    const Tensor& target = unwrap(self);
    if (ready) {
      check_castable(row.info->name, ready.dtype(), target.dtype());
      copy_(target, ready);
    } else elementwise_(row.op, target, in.span().subspan(1));
    return Py_NewRef(self);
  }
  if (out && out != Py_None) {
    const Tensor& target = Convert<Tensor>::get(out);
    if (ready) write_out(row.info->name, target, ready);
    else elementwise_out(row.op, target, in.span());
    return Py_NewRef(out);
  }
  if (row.op == ElementwiseOp::conj_physical && !is_complex(in.args[0].tensor->dtype())) return Py_NewRef(self);
  return wrap(ready ? Tensor(ready) : elementwise(row.op, in.span()));
}

PyObject* call_bound(const Row& row, Form form, const Bound& b) {
  Inputs in;
  in.count = row.info->arity;
  if (row.extra == Extra::kBounds) read_bounds(in, b);
  else
    for (int i = 0; i < row.tensors(); i++) read(in, i, b.slots[i]);
  for (int i = row.tensors(); i < in.count; i++) in.args[i] = Arg(Convert<double>::get(b.slots[i]));
  int at = in.count;
  Tensor ready;
  if (row.extra != Extra::kNone && row.extra != Extra::kBounds) {
    need_tensor(row, in, b.slots[0]);
    const bool composed = row.extra == Extra::kRounding || row.extra == Extra::kDecimals;
    if (form == Form::kInplace && composed) keep_original(in);
    apply_extra(row, in, b.slots[at++], ready);
  }
  return finish(row, form, in, b.slots[0], form == Form::kInplace ? nullptr : b.slots[at], ready);
}

PyObject* call(const Row& row, Form form, PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
  const char* name = form == Form::kInplace ? row.inplace_name.c_str() : row.info->name;
  const Signature& signature = form == Form::kInplace ? row.inplace_signature : row.signature;
  PyObject *first = form == Form::kFunction ? nullptr : self, *answer = nullptr;
  if (overriding && ask_class(answer, name, {first, args, n, keywords})) [[unlikely]]
    return answer;
  Bound b;
  try {
    if (!keywords && n + (first ? 1 : 0) == row.info->arity && !row.info->scalars && row.extra != Extra::kBounds) {
      Inputs in;  // all positional, nothing left out: most calls
      in.count = row.info->arity;
      int i = 0;
      if (first) b.slots[i++] = first;
      for (Py_ssize_t k = 0; k < n; k++) b.slots[i++] = args[k];
      for (i = 0; i < in.count; i++) read(in, i, b.slots[i]);
      return finish(row, form, in, b.slots[0], nullptr, {});
    }
    if (!bind(signature, b, first, args, n, keywords, name)) return nullptr;
    return call_bound(row, form, b);
  } catch (const Mismatch& e) {
    if (answers_calls(e.got) && ask_class(answer, name, {first, args, n, keywords})) return answer;
    const size_t i = size_t(std::find(b.slots, b.slots + signature.count, e.got) - b.slots);
    return raise_current(name, i < size_t(signature.count) ? PyUnicode_AsUTF8(signature.names[i]) : "");
  } catch (...) { return raise_current(name); }
}

template <ElementwiseOp op, Form form>
PyObject* entry(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
  return call(rows[int(op)], form, self, args, n, keywords);
}

// ---- rows ----------------------------------------------------------------------------------------------------
struct Special {
  const char* name;
  Extra extra;
  const char *arguments, *more;  // null: the table's
};
constexpr Special kSpecials[] = {
    {"add", Extra::kAlpha, nullptr, "alpha=1"},
    {"sub", Extra::kAlpha, nullptr, "alpha=1"},
    {"div", Extra::kRounding, nullptr, "rounding_mode=None"},
    {"pow", Extra::kNone, "input, exponent", nullptr},
    {"round", Extra::kDecimals, nullptr, "decimals=0"},
    {"clamp", Extra::kBounds, "input, min=None, max=None", nullptr},
    {"addcmul", Extra::kValue, nullptr, "value=1"},
    {"addcdiv", Extra::kValue, nullptr, "value=1"},
};
constexpr std::pair<const char*, const char*> kAliases[] = {{"neg", "negative"},       {"abs", "absolute"},
                                                            {"sub", "subtract"},       {"mul", "multiply"},
                                                            {"div", "divide"},         {"div", "true_divide"},
                                                            {"invert", "bitwise_not"}, {"gt", "greater"},
                                                            {"ge", "greater_equal"},   {"lt", "less"},
                                                            {"le", "less_equal"},      {"ne", "not_equal"},
                                                            {"clamp", "clip"},         {"trunc", "fix"},
                                                            {"atan", "arctan"},        {"atan2", "arctan2"},
                                                            {"asin", "arcsin"},        {"acos", "arccos"},
                                                            {"asinh", "arcsinh"},      {"acosh", "arccosh"},
                                                            {"atanh", "arctanh"},      {"log_sigmoid", "logsigmoid"}};
// These have another face in Python: ops_composed.cpp.
constexpr const char* kHidden[] = {"gelu_erf", "gelu_tanh", "where", "polygamma_at", "zeta", "replaced"};

std::string example_of(const OpInfo& info, const std::string& name) {
  static const char* inputs[] = {"bolide.tensor([1, 2])", "bolide.tensor([0.5, 2.0])"};
  std::string text = "bolide." + name + "(" + inputs[(info.dtypes & kSet<DType::F32>) != 0];
  for (int i = 1; i < info.arity - info.scalars; i++) text += info.dtypes & kSet<DType::F32> ? ", 1.5" : ", 1";
  return text + ")";
}
std::string doc_of(const OpInfo& info, const std::string& name) {
  std::string out = info.doc;
  out += "\n\nInputs broadcast to one shape, and their dtypes are promoted. Computes in " + dtypes_text(info.dtypes);
  out += info.result == Result::boolean    ? "; gives bool."
         : info.result == Result::floating ? "; other inputs become float32."
         : info.result == Result::real     ? "; of complex numbers it gives real ones."
                                           : ".";
  out +=
      "\n\nRaises: ShapeError if the shapes do not broadcast; DTypeError for a dtype that it cannot compute in."
      "\nExample: >>> " +
      example_of(info, name) + "\nReference: torch." + name + ".";
  return out;
}

std::string stub(const Signature& s, const Row& row, const char* name, bool method) {
  const char* types[kMaxParameters];
  for (int i = 0; i < s.count; i++) {
    const std::string_view argument = PyUnicode_AsUTF8(s.names[i]);
    types[i] = argument == "out"                      ? "Tensor | None"
               : argument == "rounding_mode"          ? "str | None"
               : argument == "decimals"               ? "int"
               : row.extra == Extra::kBounds && i > 0 ? "Tensor | Number | None"
               : i >= row.tensors()                   ? "Number"
                                                      : "Tensor | Number";
  }
  return (method ? "    " : "") + stub_of(name, s, types, "Tensor", method);
}
template <ElementwiseOp op>
std::string stub_out(const char* name, bool method) {
  return stub(rows[int(op)].signature, rows[int(op)], name, method);
}
template <ElementwiseOp op>
std::string stub_inplace(const char* name, bool method) {
  return stub(rows[int(op)].inplace_signature, rows[int(op)], name, method);
}

void set_signatures(Row& row) {
  const std::string_view name = row.info->name;
  std::string text = row.info->arguments, more;
  for (const Special& s : kSpecials) {
    if (name != s.name) continue;
    row.extra = s.extra;
    if (s.arguments) text = s.arguments;
    if (s.more) more = s.more;
  }
  const std::string own = text + (more.empty() ? "" : ", *, " + more);
  row.text = text + ", *, " + (more.empty() ? "" : more + ", ") + "out=None";
  row.inplace_text = own;
  row.signature = parse_signature(row.text);
  row.inplace_signature = parse_signature(own);
}

template <ElementwiseOp op>
void add_rows(std::vector<Op>& out) {
  Row& row = rows[int(op)];
  row.op = op, row.info = &op_info(op);
  row.inplace_name = std::string(row.info->name) + "_";
  set_signatures(row);
  const std::string name = row.info->name;
  for (const char* hidden : kHidden)
    if (name == hidden) return;
  const Op pure = {
      name,    row.text,    doc_of(*row.info, name), kBoth, entry<op, Form::kFunction>, entry<op, Form::kMethod>,
      nullptr, stub_out<op>};
  out.push_back(pure);
  std::vector<std::string> names = {name};
  for (auto& [of, alias] : kAliases) {
    if (name != of) continue;
    out.push_back(alias_of(pure, alias));
    names.push_back(alias);
  }
  if (row.info->forms != Forms::inplace) return;
  for (const std::string& n : names)
    out.push_back({n + "_", row.inplace_text, "In-place form of " + n + "(): changes the tensor and returns it.",
                   kMethod, nullptr, entry<op, Form::kInplace>, nullptr, stub_inplace<op>});
}

}  // namespace

bool read_arg(PyObject* o, Arg& arg, Tensor& made) {
  if (is_tensor(o)) {
    arg.tensor = &unwrap(o);
    return true;
  }
  if (auto s = scalar_of(o)) {
    arg.scalar = *s;
    return true;
  }
  if (!is_numpy_array(o)) return false;
  made = Convert<Arg>::get(o).made;
  arg.tensor = &made;
  return true;
}

std::string dtypes_text(unsigned set) {
  if (set == Float) return "floating dtypes";
  if (set == Int) return "integer dtypes";
  if (set == IntBool) return "integer dtypes and bool";
  if (set == Number) return "integer and floating dtypes";
  if (set == kEveryDType) return "every dtype";
  if (set == Any) return "all dtypes but complex ones";
  if (set & Complex && set != Complex) return dtypes_text(set & ~Complex) + " and complex dtypes";
  std::string out;
  for (int i = 0; i < kDTypeCount; i++)
    if (contains(set, DType(i))) out += (out.empty() ? "" : ", ") + std::string(kDTypeNames[i]);
  return out;
}

std::vector<Op> elementwise_rows() {
  std::vector<Op> out;
#define UNARY(set, result, forms, name, ...) add_rows<ElementwiseOp::name>(out);
#define UNARY_1 UNARY
#define UNARY_2 UNARY
#define BINARY UNARY
#define TERNARY UNARY
#include "kernels/elementwise.def"
  return out;
}

}  // namespace bolide::python
