// convert.h - from Python objects to C++ arguments, one Convert per C++ type, and results back.
//
//   Convert<T>::get(object)      a T, or throws Mismatch or Raised
//   Convert<T>::accepts(object)  would it fit? Decides between overloads; runs no Python code
//   Convert<T>::kName            the type in stubs
//
// To take a new C++ type in the op table: specialize Convert here.
#pragma once
#include <optional>
#include <string_view>

#include "bindings/dtype_device.h"
#include "bindings/errors.h"
#include "bindings/tensor_type.h"
#include "runtime/ops.h"

namespace bolide::python {

inline bool is_list(PyObject* o) { return PyTuple_Check(o) || PyList_Check(o); }
// An object of NumPy, told by its type's name so that NumPy need not be imported.
bool is_numpy_array(PyObject* o);
// A Python or NumPy number.
bool is_scalar(PyObject* o);
// One of NumPy's numbers, which have a dtype of their own?
bool is_numpy_scalar(PyObject* o);
// The number as one; nullopt for what is none. Throws Raised for an int that does not fit 64 bits.
std::optional<Scalar> scalar_of(PyObject* o);
// An int in the sense of PyTorch's arguments: no bool. With Tensors of one integer.
inline bool is_int(PyObject* o) { return PyLong_CheckExact(o) || (PyIndex_Check(o) && !PyBool_Check(o)); }

template <class T>
struct Convert;

template <>
struct Convert<Tensor> {
  static constexpr const char* kName = "Tensor";
  static bool accepts(PyObject* o) { return is_tensor(o); }
  static const Tensor& get(PyObject* o) { return accepts(o) ? unwrap(o) : throw Mismatch{o, kName}; }
};

// Tensor | number | NumPy array: what elementwise ops take.
struct ArgValue {
  Tensor made;  // from an array
  Arg arg;
  operator Arg() const { return made ? Arg(made) : arg; }
};
template <>
struct Convert<Arg> {
  static constexpr const char* kName = "Tensor | Number";
  static bool accepts(PyObject* o) { return is_tensor(o) || is_scalar(o) || is_numpy_array(o); }
  static ArgValue get(PyObject* o);
};

// After a conversion to 64 bits failed: with the number in the text where it was too large, else as it is.
[[noreturn]] void raise_too_large(const char* op, PyObject* o, ErrorKind kind);

template <>
struct Convert<Scalar> {
  static constexpr const char* kName = "Number";
  static bool accepts(PyObject* o) { return is_scalar(o) || (is_tensor(o) && unwrap(o).numel() == 1); }
  static Scalar get(PyObject* o);
};
template <>
struct Convert<int64_t> {
  static constexpr const char* kName = "int";
  static bool accepts(PyObject* o) { return is_int(o) && !is_tensor(o); }
  static int64_t get(PyObject* o) {
    if (!is_int(o)) throw Mismatch{o, kName};
    const Py_ssize_t v = PyNumber_AsSsize_t(o, PyExc_OverflowError);
    if (v == -1 && PyErr_Occurred()) raise_too_large("number", o, ErrorKind::Overflow);
    return v;
  }
};
template <>
struct Convert<double> {
  static constexpr const char* kName = "float";
  static bool accepts(PyObject* o) { return is_scalar(o); }
  static double get(PyObject* o);
};
template <>
struct Convert<bool> {
  static constexpr const char* kName = "bool";
  static bool accepts(PyObject* o) { return PyBool_Check(o); }
  static bool get(PyObject* o);
};
template <>
struct Convert<DType> {
  static constexpr const char* kName = "dtype";
  static bool accepts(PyObject* o) { return dtype_of(o).has_value(); }
  static DType get(PyObject* o) {
    const auto found = dtype_of(o);
    return found ? *found : throw Mismatch{o, kName};
  }
};
template <>
struct Convert<Device> {
  static constexpr const char* kName = "device | str | int";
  static bool accepts(PyObject* o) { return is_device(o) || PyUnicode_Check(o) || PyLong_Check(o); }
  static Device get(PyObject* o) { return accepts(o) ? device_of(o) : throw Mismatch{o, kName}; }
};
// bolide.channels_last and its kin (services.cpp).
std::optional<MemoryFormat> memory_format_of(PyObject* o);
template <>
struct Convert<MemoryFormat> {
  static constexpr const char* kName = "memory_format";
  static bool accepts(PyObject* o) { return memory_format_of(o).has_value(); }
  static MemoryFormat get(PyObject* o) {
    const auto found = memory_format_of(o);
    return found ? *found : throw Mismatch{o, kName};
  }
};
template <>
struct Convert<std::string_view> {
  static constexpr const char* kName = "str";
  static bool accepts(PyObject* o) { return PyUnicode_Check(o); }
  static std::string_view get(PyObject* o) {
    if (!accepts(o)) throw Mismatch{o, kName};
    Py_ssize_t size = 0;
    const char* text = PyUnicode_AsUTF8AndSize(o, &size);
    return text ? std::string_view(text, size_t(size)) : throw Raised{};
  }
};
template <>
struct Convert<Dims> {
  static constexpr const char* kName = "int | Sequence[int]";
  static bool accepts(PyObject* o);
  static Dims pack(PyObject* const* items, Py_ssize_t n);
  static Dims get(PyObject* o);
};
template <>
struct Convert<TensorList> {
  static constexpr const char* kName = "Sequence[Tensor]";
  static bool accepts(PyObject* o) { return is_list(o); }
  static TensorList get(PyObject* o);
};
// "tensors...": one by one, or as a sequence.
struct Tensors {
  TensorList list;
  bool single = false;  // just one, not in a sequence
};
template <>
struct Convert<Tensors> {
  static constexpr const char* kName = "Tensor | Sequence[Tensor]";
  static bool accepts(PyObject* o) { return is_tensor(o) || is_list(o); }
  static Tensors pack(PyObject* const* items, Py_ssize_t n);
  static Tensors get(PyObject* o) { return is_tensor(o) ? pack(&o, 1) : Tensors{Convert<TensorList>::get(o)}; }
};
template <>
struct Convert<PyObject*> {
  static constexpr const char* kName = "Any";
  static bool accepts(PyObject*) { return true; }
  static PyObject* get(PyObject* o) { return o; }
};
template <class T>
struct Convert<std::optional<T>> {
  static inline const std::string text = std::string(Convert<T>::kName) + " | None";
  static inline const char* kName = text.c_str();
  static bool accepts(PyObject* o) { return o == Py_None || Convert<T>::accepts(o); }
  static std::optional<T> get(PyObject* o) {
    if (o == Py_None) return std::nullopt;
    try {
      return std::optional<T>(Convert<T>::get(o));
    } catch (Mismatch& e) {
      e.wanted += " or None";
      throw;
    }
  }
};

// ---- results -------------------------------------------------------------------------------------------------
PyObject* scalar_to_python(const Scalar& s);
PyObject* tuple_of(TensorList&& tensors);
PyObject* sizes_to_python(const Dims& sizes);         // a Size
PyObject* ints_to_python(const Dims& values);         // a tuple
// A named tuple called after its op, with these fields.
PyObject* named_tuple(const char* op, std::vector<const char*> fields, TensorList&& tensors);
// The named tuple (values, indices).
PyObject* pair_to_python(const char* op, ValuesIndices&& pair);

}  // namespace bolide::python
