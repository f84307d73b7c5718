// convert.cpp - conversions that are too long, or too rare, for the header.
#include "bindings/convert.h"

#include <pybind11/pybind11.h>

#include <structmember.h>

#include <cstring>
#include <map>
#include <string>

#include "bindings/creation.h"

namespace bolide::python {
namespace {

// Is this type, or a base of it, called numpy.<name>?
bool is_numpy(PyObject* o, const char* name) {
  for (PyTypeObject* type = Py_TYPE(o); type; type = type->tp_base) {
    const char* own = type->tp_name;
    if (own[0] == 'n' && std::strncmp(own, "numpy.", 6) == 0 && std::strcmp(own + 6, name) == 0) return true;
  }
  return false;
}
int64_t to_int64(PyObject* o) {
  const long long v = PyLong_AsLongLong(o);
  if (v != -1 || !PyErr_Occurred()) return v;
  raise_too_large("number", o, ErrorKind::Overflow);
}

Scalar scalar_of_int(PyObject* o) {
  int overflow = 0;
  const long long v = PyLong_AsLongLongAndOverflow(o, &overflow);
  if (!overflow) return Scalar(int64_t(v));
  Scalar s(overflow > 0 ? INT64_MAX : INT64_MIN);
  s.beyond = true, s.real = PyLong_AsDouble(o);
  if (s.real == -1 && PyErr_Occurred()) throw Raised{};  // beyond every double
  return s;
}

std::optional<Scalar> numpy_scalar(PyObject* o) {
  if (is_numpy(o, "bool") || is_numpy(o, "bool_")) {
    const int truth = PyObject_IsTrue(o);
    return truth < 0 ? throw Raised{} : Scalar(truth == 1);
  }
  if (PyIndex_Check(o)) {
    const auto integer = pybind11::reinterpret_steal<pybind11::object>(checked(PyNumber_Index(o)));
    return Scalar(to_int64(integer.ptr()));
  }
  if (is_numpy(o, "complexfloating")) {
    const Py_complex c = PyComplex_AsCComplex(o);
    return c.real == -1 && PyErr_Occurred() ? throw Raised{} : Scalar(c.real, c.imag);
  }
  if (!is_numpy(o, "floating")) return std::nullopt;
  const double v = PyFloat_AsDouble(o);
  return v == -1 && PyErr_Occurred() ? throw Raised{} : Scalar(v);
}

}  // namespace

void raise_too_large(const char* op, PyObject* o, ErrorKind kind) {
  if (!PyErr_ExceptionMatches(PyExc_OverflowError) && !PyErr_ExceptionMatches(PyExc_IndexError)) throw Raised{};
  PyErr_Clear();
  const std::string digits = pybind11::str{pybind11::handle(o)};
  raise(kind, op, "an integer that fits 64 bits",
        digits.size() <= 40 ? digits : digits.substr(0, 20) + "... (" + std::to_string(digits.size()) + " digits)");
}

bool is_numpy_array(PyObject* o) {
  PyTypeObject* type = Py_TYPE(o);
  if (type->tp_name[0] == 'n' && std::strcmp(type->tp_name, "numpy.ndarray") == 0) return true;
  return type != tensor_type && type->tp_as_buffer && is_numpy(o, "ndarray");
}
bool is_numpy_scalar(PyObject* o) {
  if (std::strncmp(Py_TYPE(o)->tp_name, "numpy.", 6) != 0) return false;
  return PyFloat_Check(o) || PyComplex_Check(o) || is_numpy(o, "generic");
}
bool is_scalar(PyObject* o) { return PyFloat_Check(o) || PyLong_Check(o) || PyComplex_Check(o) || is_numpy_scalar(o); }
std::optional<Scalar> scalar_of(PyObject* o) {
  if (PyFloat_Check(o)) return Scalar(PyFloat_AS_DOUBLE(o));
  if (PyBool_Check(o)) return Scalar(o == Py_True);
  if (PyLong_Check(o)) return scalar_of_int(o);
  if (PyComplex_Check(o)) return Scalar(PyComplex_RealAsDouble(o), PyComplex_ImagAsDouble(o));
  if (is_numpy_scalar(o)) return numpy_scalar(o);
  return std::nullopt;
}

ArgValue Convert<Arg>::get(PyObject* o) {
  if (is_tensor(o)) return {{}, Arg(unwrap(o))};
  if (auto s = scalar_of(o)) return {{}, Arg(*s)};
  if (!is_numpy_array(o)) throw Mismatch{o, "Tensor or number"};
  return {share_array(o), Scalar()};
}

Scalar Convert<Scalar>::get(PyObject* o) {
  if (auto s = scalar_of(o)) return *s;
  if (is_tensor(o) && unwrap(o).numel() == 1 && !unwrap(o).requires_grad()) return item(unwrap(o));
  throw Mismatch{o, "a number"};
}
double Convert<double>::get(PyObject* o) {
  if (PyFloat_CheckExact(o)) return PyFloat_AS_DOUBLE(o);
  const Scalar s = Convert<Scalar>::get(o);
  if (s.kind == Scalar::Complex) throw Mismatch{o, "a real number"};
  return s.real;
}
bool Convert<bool>::get(PyObject* o) {
  if (PyBool_Check(o)) return o == Py_True;
  if (is_numpy(o, "bool") || is_numpy(o, "bool_")) return PyObject_IsTrue(o) == 1;
  if (PyLong_CheckExact(o)) return PyObject_IsTrue(o) == 1;  // keepdim=1, as PyTorch takes it
  throw Mismatch{o, kName};
}

bool Convert<Dims>::accepts(PyObject* o) {
  if (!is_list(o)) return Convert<int64_t>::accepts(o);
  PyObject** items = PySequence_Fast_ITEMS(o);
  for (Py_ssize_t i = 0, n = PySequence_Fast_GET_SIZE(o); i < n; i++)
    if (!is_int(items[i])) return false;
  return true;
}
Dims Convert<Dims>::pack(PyObject* const* items, Py_ssize_t n) {
  if (n > kMaxRank) [[unlikely]]
    raise(ErrorKind::Shape, "shape", str("at most ", kMaxRank, " dimensions"), str(n));
  Dims dims(static_cast<int>(n));
  for (int i = 0; i < n; i++) dims[i] = Convert<int64_t>::get(items[i]);
  return dims;
}
Dims Convert<Dims>::get(PyObject* o) {
  if (PyTuple_Check(o)) return pack(PySequence_Fast_ITEMS(o), PyTuple_GET_SIZE(o));
  if (PyList_Check(o)) {  // a copy: __index__ of an item may change the list
    const auto items = pybind11::reinterpret_steal<pybind11::tuple>(checked(PyList_AsTuple(o)));
    return pack(PySequence_Fast_ITEMS(items.ptr()), PyTuple_GET_SIZE(items.ptr()));
  }
  if (is_int(o)) return pack(&o, 1);
  throw Mismatch{o, "int or sequence of ints"};
}
TensorList Convert<TensorList>::get(PyObject* o) {
  if (is_tensor(o) || !(is_list(o) || PySequence_Check(o))) throw Mismatch{o, "a sequence of Tensors"};
  const auto items = pybind11::reinterpret_steal<pybind11::object>(checked(PySequence_Tuple(o)));
  TensorList out;
  for (Py_ssize_t i = 0, n = PyTuple_GET_SIZE(items.ptr()); i < n; i++) {
    PyObject* one = PyTuple_GET_ITEM(items.ptr(), i);
    if (!is_tensor(one)) throw Mismatch{one, str("a sequence of Tensors (item ", i, ")")};
    out.push_back(unwrap(one));
  }
  return out;
}

Tensors Convert<Tensors>::pack(PyObject* const* items, Py_ssize_t n) {
  Tensors out{{}, n == 1};
  for (Py_ssize_t i = 0; i < n; i++) out.list.push_back(Convert<Tensor>::get(items[i]));
  return out;
}

// ---- results -------------------------------------------------------------------------------------------------
PyObject* scalar_to_python(const Scalar& s) {
  switch (s.kind) {
    case Scalar::Bool: return PyBool_FromLong(s.integer != 0);
    case Scalar::Int: return PyLong_FromLongLong(s.integer);
    case Scalar::Float: return PyFloat_FromDouble(s.real);
    case Scalar::Complex: return PyComplex_FromDoubles(s.real, s.imaginary);
  }
  return nullptr;
}
PyObject* tuple_of(TensorList&& tensors) {
  auto out = pybind11::reinterpret_steal<pybind11::object>(checked(PyTuple_New(Py_ssize_t(tensors.size()))));
  for (size_t i = 0; i < tensors.size(); i++) PyTuple_SET_ITEM(out.ptr(), Py_ssize_t(i), wrap(std::move(tensors[i])));
  return out.release().ptr();
}
PyObject* sizes_to_python(const Dims& sizes) {
  PyObject* out = size_type->tp_alloc(size_type, sizes.rank());
  for (int i = 0; out && i < sizes.rank(); i++) PyTuple_SET_ITEM(out, i, PyLong_FromLongLong(sizes[i]));
  return out;
}
PyObject* ints_to_python(const Dims& values) {
  PyObject* out = PyTuple_New(values.rank());
  for (int i = 0; out && i < values.rank(); i++) PyTuple_SET_ITEM(out, i, PyLong_FromLongLong(values[i]));
  return out;
}

namespace {

// bolide.return_types.max(
// values=...,
// indices=...)
PyObject* named_tuple_repr(PyObject* self) {
  std::string out = std::string(Py_TYPE(self)->tp_name) + "(";
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self); i++) {
    out += std::string(i ? "," : "") + "\n" + Py_TYPE(self)->tp_members[i].name + "=";
    out += std::string(pybind11::str(pybind11::repr(pybind11::handle(PyTuple_GET_ITEM(self, i)))));
  }
  out += ")";
  return PyUnicode_FromStringAndSize(out.data(), Py_ssize_t(out.size()));
}

// The type is made once for each op, and never goes.
PyTypeObject* named_tuple_type(const char* op, const std::vector<const char*>& fields) {
  static auto* types = new std::map<std::string, PyTypeObject*>;
  PyTypeObject*& type = (*types)[op];
  if (type) return type;
  auto* described = new std::vector<PyStructSequence_Field>;
  for (const char* field : fields) described->push_back({field, nullptr});
  described->push_back({nullptr, nullptr});
  auto* name = new std::string(std::string("bolide.return_types.") + op);
  PyStructSequence_Desc description = {name->c_str(), "What the op of this name gives.", described->data(),
                                       int(fields.size())};
  type = PyStructSequence_NewType(&description);
  if (!type) throw Raised{};
  type->tp_repr = named_tuple_repr;
  return type;
}

}  // namespace

PyObject* named_tuple(const char* op, std::vector<const char*> fields, TensorList&& tensors) {
  PyObject* out = checked(PyStructSequence_New(named_tuple_type(op, fields)));
  for (size_t i = 0; i < tensors.size(); i++)
    PyStructSequence_SET_ITEM(out, Py_ssize_t(i), wrap(std::move(tensors[i])));
  return out;
}
PyObject* pair_to_python(const char* op, ValuesIndices&& pair) {
  return named_tuple(op, {"values", "indices"}, {std::move(pair.values), std::move(pair.indices)});
}

}  // namespace bolide::python
