// operators.cpp - Python's operators on Tensor: arithmetic, comparison, conversion to numbers, iteration.
//
// An operand may be a tensor, a number or a NumPy array; for anything else Python asks the other operand.
#include "bindings/operators.h"

#include "bindings/elementwise.h"
#include "bindings/errors.h"
#include "bindings/overrides.h"
#include "runtime/ops.h"

namespace bolide::python {
namespace {

// ---- two operands --------------------------------------------------------------------------------------------
template <class F>
PyObject* with_operands(const char* name, PyObject* a, PyObject* b, const F& f) {
  if (PyObject* answer = nullptr; overriding && ask_class(answer, name, {a, b})) [[unlikely]]
    return answer;
  return guarded(name, [&]() -> PyObject* {
    Arg args[2] = {Scalar(), Scalar()};
    Tensor made[2];
    if (!read_arg(a, args[0], made[0]) || !read_arg(b, args[1], made[1])) return Py_NewRef(Py_NotImplemented);
    return f(args);
  });
}
template <ElementwiseOp op>
PyObject* binary(PyObject* a, PyObject* b) {
  return with_operands(op_info(op).name, a, b, [](const Arg* args) { return wrap(elementwise(op, {args, 2})); });
}
template <ElementwiseOp op>
PyObject* inplace(PyObject* self, PyObject* other) {
  if (PyObject* answer = nullptr; overriding && ask_class(answer, str(op_info(op).name, "_").c_str(), {self, other}))
      [[unlikely]]
    return answer;
  return with_operands(op_info(op).name, self, other, [&](const Arg* args) {
    elementwise_(op, unwrap(self), {args + 1, 1});
    return Py_NewRef(self);
  });
}
template <binaryfunc f>
PyObject* without_modulus(PyObject* a, PyObject* b, PyObject* modulus) {
  return modulus == Py_None ? f(a, b) : Py_NewRef(Py_NotImplemented);
}
PyObject* matrix_product(PyObject* a, PyObject* b) {
  return with_operands("matmul", a, b, [&](const Arg* args) -> PyObject* {
    if (!args[0].tensor || !args[1].tensor) return Py_NewRef(Py_NotImplemented);
    return wrap(matmul(*args[0].tensor, *args[1].tensor));
  });
}

PyObject* compare(PyObject* a, PyObject* b, int how) {
  constexpr ElementwiseOp ops[] = {ElementwiseOp::lt, ElementwiseOp::le, ElementwiseOp::eq,
                                   ElementwiseOp::ne, ElementwiseOp::gt, ElementwiseOp::ge};
  static_assert(Py_LT == 0 && Py_LE == 1 && Py_EQ == 2 && Py_NE == 3 && Py_GT == 4 && Py_GE == 5);
  return with_operands(op_info(ops[how]).name, a, b,
                       [&](const Arg* args) { return wrap(elementwise(ops[how], {args, 2})); });
}

// ---- one operand ---------------------------------------------------------------------------------------------
template <ElementwiseOp op>
PyObject* unary(PyObject* self) {
  if (PyObject* answer = nullptr; overriding && ask_class(answer, op_info(op).name, {self})) [[unlikely]]
    return answer;
  return guarded(op_info(op).name, [&] {
    const Arg x = unwrap(self);
    return wrap(elementwise(op, {&x, 1}));
  });
}
PyObject* positive(PyObject* self) {
  return guarded("positive", [&] {
    if (unwrap(self).dtype() == DType::Bool) raise(ErrorKind::DType, "positive", "a number dtype", "bool");
    return Py_NewRef(self);
  });
}

// ---- numbers -------------------------------------------------------------------------------------------------
Scalar only_element(const char* op, PyObject* self) {
  const Tensor& t = unwrap(self);
  if (t.numel() != 1)
    raise(ErrorKind::Shape, op, "a tensor of one element", str(t.numel(), " elements of shape ", t.sizes().text()));
  return item(t);
}
int truth(PyObject* self) {
  return guarded_int("bool", [&] {
    const Tensor& t = unwrap(self);
    if (t.numel() != 1) [[unlikely]]
      raise(ErrorKind::Runtime, "bool", "a tensor of one element",
            str("shape ", t.sizes().text(), ", whose truth is ambiguous"), "Use .any() or .all().");
    const Scalar s = item(t);
    return s.kind <= Scalar::Int ? s.integer != 0 : s.real != 0 || s.imaginary != 0;
  });
}
void check_real(const char* op, const Scalar& s) {
  check(s.imaginary == 0, ErrorKind::Runtime, op, "a number without imaginary part",
        [&] { return str(s.real, " + ", s.imaginary, "j"); });
}
PyObject* to_int(PyObject* self) {
  return guarded("int", [&] {
    const Scalar s = only_element("int", self);
    check_real("int", s);
    return s.kind >= Scalar::Float ? PyLong_FromDouble(s.real) : PyLong_FromLongLong(s.integer);
  });
}
PyObject* to_float(PyObject* self) {
  return guarded("float", [&] {
    const Scalar s = only_element("float", self);
    check_real("float", s);
    return PyFloat_FromDouble(s.real);
  });
}
PyObject* to_index(PyObject* self) {
  return guarded("index", [&] {
    const Tensor& t = unwrap(self);
    if (t.numel() != 1 || is_differentiable(t.dtype()))
      raise(ErrorKind::Type, "index", "an integer tensor of one element", describe(t));
    return PyLong_FromLongLong(item(t).integer);
  });
}

// ---- as a container ------------------------------------------------------------------------------------------
Py_ssize_t length(PyObject* self) {
  const Tensor& t = unwrap(self);
  if (t.rank()) return t.size(0);
  PyErr_SetString(PyExc_TypeError, "[len] expected a tensor with dimensions, got a 0-d tensor.");
  return -1;
}
PyObject* iterate(PyObject* self) {
  return guarded("iter", [&] {
    const Tensor& t = unwrap(self);
    if (!t.rank()) raise(ErrorKind::Type, "iter", "a tensor with dimensions", "a 0-d tensor");
    PyObject* rows = overriding ? checked(PyObject_CallMethod(self, "unbind", nullptr)) : tuple_of(unbind(t, 0));
    PyObject* iterator = PyObject_GetIter(rows);
    Py_DECREF(rows);
    return iterator;
  });
}
int contains_element(PyObject* self, PyObject* element) {
  return guarded_int("in", [&]() -> int {
    Arg arg = Scalar();
    Tensor made;
    if (!read_arg(element, arg, made)) raise(ErrorKind::DType, "in", "a Tensor or a number", type_name(element));
    return item(any(eq(Arg(unwrap(self)), arg))).integer != 0;
  });
}

template <class F>
PyType_Slot slot(int id, F f) {
  return {id, reinterpret_cast<void*>(f)};
}

}  // namespace

std::vector<PyType_Slot> operator_slots() {
  using enum ElementwiseOp;
  return {slot(Py_nb_add, binary<add>),
          slot(Py_nb_subtract, binary<sub>),
          slot(Py_nb_multiply, binary<mul>),
          slot(Py_nb_true_divide, binary<div>),
          slot(Py_nb_floor_divide, binary<floor_divide>),
          slot(Py_nb_remainder, binary<remainder>),
          slot(Py_nb_power, without_modulus<binary<pow>>),
          slot(Py_nb_and, binary<bitwise_and>),
          slot(Py_nb_or, binary<bitwise_or>),
          slot(Py_nb_xor, binary<bitwise_xor>),
          slot(Py_nb_lshift, binary<bitwise_left_shift>),
          slot(Py_nb_rshift, binary<bitwise_right_shift>),
          slot(Py_nb_matrix_multiply, matrix_product),
          slot(Py_nb_inplace_add, inplace<add>),
          slot(Py_nb_inplace_subtract, inplace<sub>),
          slot(Py_nb_inplace_multiply, inplace<mul>),
          slot(Py_nb_inplace_true_divide, inplace<div>),
          slot(Py_nb_inplace_floor_divide, inplace<floor_divide>),
          slot(Py_nb_inplace_remainder, inplace<remainder>),
          slot(Py_nb_inplace_power, without_modulus<inplace<pow>>),
          slot(Py_nb_inplace_and, inplace<bitwise_and>),
          slot(Py_nb_inplace_or, inplace<bitwise_or>),
          slot(Py_nb_inplace_xor, inplace<bitwise_xor>),
          slot(Py_nb_inplace_lshift, inplace<bitwise_left_shift>),
          slot(Py_nb_inplace_rshift, inplace<bitwise_right_shift>),
          slot(Py_nb_negative, unary<neg>),
          slot(Py_nb_positive, positive),
          slot(Py_nb_absolute, unary<abs>),
          slot(Py_nb_invert, unary<ElementwiseOp::invert>),
          slot(Py_nb_bool, truth),
          slot(Py_nb_int, to_int),
          slot(Py_nb_float, to_float),
          slot(Py_nb_index, to_index),
          slot(Py_tp_richcompare, compare),
          slot(Py_tp_hash, _Py_HashPointer),
          slot(Py_tp_repr, tensor_repr),
          slot(Py_tp_iter, iterate),
          slot(Py_mp_length, length),
          slot(Py_sq_contains, contains_element)};
}

}  // namespace bolide::python
