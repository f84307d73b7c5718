// from_python.cpp - the values of nested lists, numbers and other tensors, checked before anything is stored.
#include <cmath>
#include <limits>
#include <type_traits>

#include "bindings/convert.h"
#include "bindings/creation.h"
#include "kernels/num.h"
#include "runtime/autograd.h"
#include "runtime/ops.h"

namespace bolide::python {
namespace {

using pybind11::object;

// A 0-d tensor stands for its number.
bool is_number_tensor(PyObject* o) { return is_tensor(o) && !unwrap(o).rank(); }
bool is_array_like(PyObject* o) { return (is_tensor(o) && unwrap(o).rank()) || is_buffer(o); }
// range, deque and the like, which are read as lists.
bool is_other_sequence(PyObject* o) {
  return !is_list(o) && PySequence_Check(o) && !PyUnicode_Check(o) && !PyBytes_Check(o) && !is_scalar(o) &&
         !PyDict_Check(o);
}
object as_list(PyObject* o) {
  return is_other_sequence(o) ? pybind11::reinterpret_steal<object>(checked(PySequence_List(o)))
                              : pybind11::reinterpret_borrow<object>(o);
}

Scalar number_of(PyObject* o) {
  if (is_number_tensor(o)) return item(unwrap(o));
  if (auto s = scalar_of(o)) return *s;
  raise(ErrorKind::DType, "tensor", "numbers or nested lists of numbers", type_name(o));
}

// The shape that the first elements have, and the kind of all numbers.
class Survey {
 public:
  explicit Survey(PyObject* data) {
    find_shape(data);
    if (!arrays) scan(data, 0);
  }
  Dims shape;
  bool arrays = false; // its leaves are arrays or tensors with dimensions

  // What holds all of them.
  DType dtype() const {
    if (!kind_) return typed_.value_or(default_dtype());
    Scalar any;
    any.kind = *kind_;
    return typed_ ? promote(any.default_dtype(), *typed_) : any.default_dtype();
  }

 private:
  void find_shape(PyObject* data) {
    object at = as_list(data);
    while (is_list(at.ptr())) {
      const Py_ssize_t n = PySequence_Fast_GET_SIZE(at.ptr());
      shape.push_back(n);
      if (!n) return;
      at = pybind11::reinterpret_borrow<object>(PySequence_Fast_ITEMS(at.ptr())[0]);
      if (is_array_like(at.ptr())) {
        arrays = true;
        return;
      }
      at = as_list(at.ptr());
    }
  }
  void scan(PyObject* o, int depth) {
    if (depth == shape.rank()) return count(o);
    const object list = as_list(o);
    check_length("tensor", list.ptr(), o, shape[depth], depth);
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list.ptr()); i++)
      scan(PySequence_Fast_ITEMS(list.ptr())[i], depth + 1);
  }
  void count(PyObject* o) {
    if (PyFloat_CheckExact(o)) return count(Scalar::Float);
    if (PyLong_CheckExact(o)) return count(Scalar::Int);
    if (is_list(o)) raise(ErrorKind::Value, "tensor", "nested lists of one depth", "a number beside a list");
    const auto own = is_number_tensor(o) ? std::optional(unwrap(o).dtype()) : dtype_of_scalar(o);
    if (!own) return count(number_of(o).kind);
    typed_ = typed_ ? promote(*typed_, *own) : *own;
  }
  void count(Scalar::Kind kind) { kind_ = std::max(kind_.value_or(kind), kind); }
  std::optional<Scalar::Kind> kind_;  // the highest of Python's numbers
  std::optional<DType> typed_;        // what holds the others: 0-d tensors and NumPy's numbers have their own

 public:
  static void check_length(const char* op, PyObject* list, PyObject* original, int64_t expected, int depth) {
    if (!is_list(list)) {
      if (is_scalar(original) || is_number_tensor(original))
        raise(ErrorKind::Value, op, "nested lists of one depth", "a number beside a list");
      raise(ErrorKind::DType, "tensor", "numbers or nested lists of numbers", type_name(original));
    }
    const int64_t found = PySequence_Fast_GET_SIZE(list);
    if (found != expected) [[unlikely]]
      raise(ErrorKind::Value, op, str("lists of one length at dimension ", depth), str(expected, " and ", found));
  }
};

[[noreturn]] void raise_overflow(const Scalar& s, DType dtype) {
  if (s.beyond) raise_beyond("tensor", s);
  raise(ErrorKind::Overflow, "tensor", str("numbers that fit ", name_of(dtype)),
        s.kind == Scalar::Float ? str(s.real) : str(s.integer));
}
template <class T>
T convert(const Scalar& s, DType dtype) {
  if (s.kind == Scalar::Complex) [[unlikely]]
    raise(ErrorKind::Type, "tensor", str("real numbers for ", name_of(dtype)), str(s.real, "+", s.imaginary, "j"));
  if constexpr (std::is_same_v<T, bool>) return s.kind == Scalar::Float ? s.real != 0 : s.integer != 0;
  else if constexpr (std::is_floating_point_v<T>)
    return T(s.kind == Scalar::Float || s.beyond ? s.real : double(s.integer));
  else {
    using Limits = std::numeric_limits<T>;
    if (s.kind != Scalar::Float) {
      if (s.beyond || s.integer < int64_t(Limits::min()) || s.integer > int64_t(Limits::max()))
        raise_overflow(s, dtype);
      return T(s.integer);
    }
    // Beyond 2^63 a double does not fit int64, though the largest int64 rounds up to it.
    const double v = std::trunc(s.real);
    if (!(v >= double(Limits::min()) && v < -double(Limits::min()) + (Limits::is_signed ? 0 : 256)))
      raise_overflow(s, dtype);
    return T(v);
  }
}

// Stores the numbers one after the other. Lengths are checked again: __index__ of an element may change a list.
template <class T, bool complex>
class Writer {
 public:
  Writer(const Dims& shape, const Tensor& out) : shape_(shape), dtype_(out.dtype()), to_(out.data<T>()) {}
  void write(PyObject* o, int depth) {
    if (depth == shape_.rank()) return put(o);
    const object list = as_list(o);
    for (int64_t i = 0; i < shape_[depth]; i++) {
      Survey::check_length("tensor", list.ptr(), o, shape_[depth], depth);
      write(PySequence_Fast_ITEMS(list.ptr())[i], depth + 1);
    }
  }

 private:
  void put(PyObject* o) {
    if constexpr (complex) {
      const Scalar s = number_of(o);
      *to_++ = T(s.kind <= Scalar::Int && !s.beyond ? double(s.integer) : s.real);
      *to_++ = T(s.kind == Scalar::Complex ? s.imaginary : 0);
    } else if (std::is_floating_point_v<T> && PyFloat_CheckExact(o)) {
      *to_++ = T(PyFloat_AS_DOUBLE(o));
    } else {
      const T value = convert<T>(number_of(o), dtype_);
      *to_++ = value;
    }
  }
  const Dims& shape_;
  const DType dtype_;
  T* to_;
};
template <class T, bool complex = false>
void write(PyObject* data, const Dims& shape, const Tensor& out) {
  Writer<T, complex>(shape, out).write(data, 0);
}
void write_as(DType dtype, PyObject* data, const Dims& shape, const Tensor& out) {
  switch (dtype) {
    case DType::Bool: return write<bool>(data, shape, out);
    case DType::U8: return write<uint8_t>(data, shape, out);
    case DType::I8: return write<int8_t>(data, shape, out);
    case DType::I16: return write<int16_t>(data, shape, out);
    case DType::I32: return write<int32_t>(data, shape, out);
    case DType::I64: return write<int64_t>(data, shape, out);
    case DType::F64: return write<double>(data, shape, out);
    case DType::C64: return write<float, true>(data, shape, out);
    case DType::C128: return write<double, true>(data, shape, out);
    default: return write<float>(data, shape, out);
  }
}

Tensor stacked(PyObject* data, std::optional<DType> dtype) {
  const object list = as_list(data);
  TensorList parts;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list.ptr()); i++)
    parts.push_back(tensor_from(PySequence_Fast_ITEMS(list.ptr()) [i], dtype, {}));
  return stack(parts, 0);
}

}  // namespace

Tensor tensor_from(PyObject* data, std::optional<DType> dtype, Device device) {
  GradMode mode(false);
  if (is_tensor(data)) return to(detach(unwrap(data)), dtype, device, true);
  if (is_buffer(data)) {
    const Tensor copied = copy_buffer("tensor", data);
    return to(copied, dtype, device);
  }
  if (!is_list(data) && !is_scalar(data))
    if (const Tensor shared = share_foreign(data)) return to(shared, dtype, device, true);
  const Survey survey(data);
  if (survey.arrays) return to(stacked(data, dtype), {}, device);
  const DType wanted = dtype ? *dtype : survey.dtype();
  const bool half = wanted == DType::F16 || wanted == DType::BF16;
  const Tensor out = empty(survey.shape, {half ? DType::F32 : wanted, {}});
  write_as(half ? DType::F32 : wanted, data, survey.shape, out);
  return half || !device.is_cpu() ? to(out, wanted, device) : out;
}

Tensor tensor_of_sizes(PyObject* sizes) { return empty(Convert<Dims>::get(sizes), {default_dtype(), {}}); }

}  // namespace bolide::python
