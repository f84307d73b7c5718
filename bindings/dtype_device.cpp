// dtype_device.cpp - the Python types dtype, device and Size, made with the C API: they are used everywhere.
#include "bindings/dtype_device.h"

#include <pybind11/pybind11.h>
#include <structmember.h>

#include <string>
#include <utility>

#include "bindings/errors.h"
#include "runtime/backend.h"

namespace bolide::python {
namespace {

PyTypeObject* make_type(PyObject* module, PyType_Spec& spec, PyObject* bases = nullptr) {
  PyObject* type = PyType_FromModuleAndSpec(module, &spec, bases);
  if (!type || PyModule_AddObjectRef(module, std::string(spec.name).substr(7).c_str(), type) < 0)
    throw pybind11::error_already_set();
  return reinterpret_cast<PyTypeObject*>(type);
}
template <class F>
void* slot(F f) {
  return reinterpret_cast<void*>(f);
}
void free_plain(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

// ---- dtype ---------------------------------------------------------------------------------------------------
struct DTypeObject {
  PyObject_HEAD
  DType value;
};
DType value_of(PyObject* self) { return reinterpret_cast<DTypeObject*>(self)->value; }

PyObject* dtype_repr(PyObject* self) { return PyUnicode_FromFormat("bolide.%s", name_of(value_of(self))); }
PyObject* dtype_reduce(PyObject* self, PyObject*) { return PyUnicode_FromString(name_of(value_of(self))); }
template <bool (*f)(DType)>
PyObject* dtype_is(PyObject* self, void*) {
  return PyBool_FromLong(f(value_of(self)));
}
bool is_floating(DType t) { return is_float(t); }
bool is_complex_type(DType t) { return is_complex(t); }
bool is_signed(DType t) { return t != DType::Bool && t != DType::U8; }

PyObject* dtype_to_real(PyObject* self, PyObject*) {
  const DType t = value_of(self);
  return dtype_to_python(t == DType::C64 ? DType::F32 : t == DType::C128 ? DType::F64 : t);
}
PyObject* dtype_to_complex(PyObject* self, PyObject*) {
  return guarded("to_complex", [&] {
    const DType t = value_of(self);
    if (is_complex(t)) return dtype_to_python(t);
    if (t != DType::F32 && t != DType::F64)
      raise(ErrorKind::Runtime, "to_complex", "a dtype that a complex one of bolide is made of", name_of(t));
    return dtype_to_python(t == DType::F32 ? DType::C64 : DType::C128);
  });
}

void add_dtype(PyObject* module) {
  static PyMethodDef methods[] = {{"__reduce__", dtype_reduce, METH_NOARGS, nullptr},
                                  {"to_real", dtype_to_real, METH_NOARGS, "The type of a complex one's parts."},
                                  {"to_complex", dtype_to_complex, METH_NOARGS, "The complex type of such parts."},
                                  {}};
  static PyGetSetDef properties[] = {
      {"itemsize", [](PyObject* s, void*) { return PyLong_FromLongLong(item_size(value_of(s))); }, nullptr,
       "Bytes of an element.", nullptr},
      {"is_floating_point", dtype_is<is_floating>, nullptr, "Is it a real floating-point type?", nullptr},
      {"is_complex", dtype_is<is_complex_type>, nullptr, "Is it a complex type?", nullptr},
      {"is_signed", dtype_is<is_signed>, nullptr, "Can it hold negative numbers?", nullptr},
      {}};
  PyType_Slot slots[] = {{Py_tp_repr, slot(dtype_repr)},
                         {Py_tp_methods, methods},
                         {Py_tp_getset, properties},
                         {Py_tp_dealloc, slot(free_plain)},
                         {Py_tp_doc, const_cast<char*>("The type of a tensor's elements: bolide.float32 and so on.")},
                         {0, nullptr}};
  PyType_Spec spec = {"bolide.dtype", sizeof(DTypeObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                      slots};
  dtype_type = make_type(module, spec);
  auto add = [&](const char* name, DType t) {
    if (PyModule_AddObjectRef(module, name, dtype_objects[int(t)]) < 0) throw pybind11::error_already_set();
  };
  for (int i = 0; i < kDTypeCount; i++) {
    PyObject* o = dtype_type->tp_alloc(dtype_type, 0);
    if (!o) throw pybind11::error_already_set();
    reinterpret_cast<DTypeObject*>(o)->value = DType(i);
    dtype_objects[i] = o;
    add(kDTypeNames[i], DType(i));
  }
  constexpr std::pair<const char*, DType> aliases[] = {
      {"half", DType::F16},     {"float", DType::F32}, {"double", DType::F64}, {"cfloat", DType::C64},
      {"cdouble", DType::C128}, {"short", DType::I16}, {"int", DType::I32},    {"long", DType::I64}};
  for (auto& [name, t] : aliases) add(name, t);
}

// ---- device --------------------------------------------------------------------------------------------------
struct DeviceObject {
  PyObject_HEAD
  DeviceType type;
  int index;  // -1: the current one
};
const DeviceObject& device_at(PyObject* self) { return *reinterpret_cast<DeviceObject*>(self); }
const char* type_text(const DeviceObject& d) { return d.type == DeviceType::CPU ? "cpu" : "cuda"; }

PyObject* make_device(DeviceType type, int index) {
  PyObject* o = checked(device_type->tp_alloc(device_type, 0));
  auto* d = reinterpret_cast<DeviceObject*>(o);
  d->type = type, d->index = index;
  return o;
}
PyObject* device_create(PyTypeObject*, PyObject* args, PyObject* keywords) {
  return guarded("device", [&]() -> PyObject* {
    static const char* names[] = {"type", "index", nullptr};
    PyObject *what, *index = nullptr;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|O:device", const_cast<char**>(names), &what, &index))
      throw Raised{};
    if (is_device(what)) return Py_NewRef(what);
    std::string text;
    if (PyUnicode_Check(what)) text = pybind11::cast<std::string>(pybind11::handle(what));
    else if (PyLong_Check(what) && !PyBool_Check(what))
      text = "cuda:" + std::string(pybind11::str(pybind11::handle(what)));
    else throw Mismatch{what, "a string, an int or a device"};
    if (index && index != Py_None) text += ":" + std::string(pybind11::str(pybind11::handle(index)));
    const bool has_index = text.find(':') != std::string::npos;
    if (text == "cuda") return make_device(DeviceType::CUDA, -1);
    const Device device = parse_device(text);
    return make_device(device.type, has_index ? device.index : -1);
  });
}
PyObject* device_repr(PyObject* self) {
  const DeviceObject& d = device_at(self);
  return d.index < 0 ? PyUnicode_FromFormat("device(type='%s')", type_text(d))
                     : PyUnicode_FromFormat("device(type='%s', index=%d)", type_text(d), d.index);
}
PyObject* device_str(PyObject* self) {
  const DeviceObject& d = device_at(self);
  return d.index < 0 ? PyUnicode_FromString(type_text(d)) : PyUnicode_FromFormat("%s:%d", type_text(d), d.index);
}
Py_hash_t device_hash(PyObject* self) {
  return Py_hash_t(int(device_at(self).type) * 1000 + device_at(self).index + 2);
}
PyObject* device_compare(PyObject* a, PyObject* b, int how) {
  if (!is_device(b) || (how != Py_EQ && how != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
  const bool same = device_at(a).type == device_at(b).type && device_at(a).index == device_at(b).index;
  return PyBool_FromLong(same == (how == Py_EQ));
}
PyObject* device_reduce(PyObject* self, PyObject*) { return Py_BuildValue("O(N)", Py_TYPE(self), device_str(self)); }

void add_device(PyObject* module) {
  static PyMethodDef methods[] = {{"__reduce__", device_reduce, METH_NOARGS, nullptr}, {}};
  static PyGetSetDef properties[] = {
      {"type", [](PyObject* s, void*) { return PyUnicode_FromString(type_text(device_at(s))); }, nullptr,
       "'cpu' or 'cuda'.", nullptr},
      {"index",
       [](PyObject* s, void*) {
         return device_at(s).index < 0 ? Py_NewRef(Py_None) : PyLong_FromLong(device_at(s).index);
       },
       nullptr, "Its number, or None for the current one.", nullptr},
      {}};
  PyType_Slot slots[] = {{Py_tp_new, slot(device_create)},
                         {Py_tp_repr, slot(device_repr)},
                         {Py_tp_str, slot(device_str)},
                         {Py_tp_hash, slot(device_hash)},
                         {Py_tp_richcompare, slot(device_compare)},
                         {Py_tp_methods, methods},
                         {Py_tp_getset, properties},
                         {Py_tp_dealloc, slot(free_plain)},
                         {Py_tp_doc, const_cast<char*>("device(type, index=None)\n\nWhere a tensor is: "
                                                       "device('cpu'), device('cuda'), device('cuda:1').")},
                         {0, nullptr}};
  PyType_Spec spec = {"bolide.device", sizeof(DeviceObject), 0, Py_TPFLAGS_DEFAULT, slots};
  device_type = make_type(module, spec);
}

// ---- Size ----------------------------------------------------------------------------------------------------
PyObject* size_of_tuple(PyObject* tuple) {  // takes over the reference
  const auto held = pybind11::reinterpret_steal<pybind11::object>(checked(tuple));
  const Py_ssize_t n = PyTuple_GET_SIZE(tuple);
  PyObject* out = checked(size_type->tp_alloc(size_type, n));
  for (Py_ssize_t i = 0; i < n; i++) PyTuple_SET_ITEM(out, i, Py_NewRef(PyTuple_GET_ITEM(tuple, i)));
  return out;
}
PyObject* size_subscript(PyObject* self, PyObject* key) {
  static const binaryfunc plain = PyTuple_Type.tp_as_mapping->mp_subscript;
  if (!PySlice_Check(key)) return plain(self, key);
  return guarded("Size", [&] { return size_of_tuple(plain(self, key)); });
}
// Also of a tuple and a Size: Python asks the subclass first.
PyObject* size_concat(PyObject* a, PyObject* b) {
  if (!PyTuple_Check(a) || !PyTuple_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  return guarded("Size", [&] { return size_of_tuple(PyTuple_Type.tp_as_sequence->sq_concat(a, b)); });
}
PyObject* size_repeat(PyObject* self, Py_ssize_t n) {
  return guarded("Size", [&] { return size_of_tuple(PyTuple_Type.tp_as_sequence->sq_repeat(self, n)); });
}
PyObject* size_create(PyTypeObject* type, PyObject* args, PyObject* keywords) {
  return guarded("Size", [&]() -> PyObject* {
    const auto made = pybind11::reinterpret_steal<pybind11::object>(checked(PyTuple_Type.tp_new(type, args, keywords)));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(made.ptr()); i++) {
      PyObject* item = PyTuple_GET_ITEM(made.ptr(), i);
      if (PyLong_Check(item)) continue;
      if (!PyIndex_Check(item)) throw Mismatch{item, "an iterable of ints"};
      PyTuple_SET_ITEM(made.ptr(), i, checked(PyNumber_Index(item)));
      Py_DECREF(item);
    }
    return Py_NewRef(made.ptr());
  });
}
PyObject* size_repr(PyObject* self) {
  const auto list = pybind11::reinterpret_steal<pybind11::object>(PySequence_List(self));
  return list ? PyUnicode_FromFormat("bolide.Size(%R)", list.ptr()) : nullptr;
}
PyObject* size_numel(PyObject* self, PyObject*) {
  PyObject* n = PyLong_FromLong(1);
  for (Py_ssize_t i = 0; n && i < PyTuple_GET_SIZE(self); i++) {
    PyObject* next = PyNumber_Multiply(n, PyTuple_GET_ITEM(self, i));
    Py_DECREF(n);
    n = next;
  }
  return n;
}
PyObject* size_reduce(PyObject* self, PyObject*) { return Py_BuildValue("O(N)", Py_TYPE(self), PySequence_List(self)); }

void add_size(PyObject* module) {
  static PyMethodDef methods[] = {{"numel", size_numel, METH_NOARGS, "The product of all sizes."},
                                  {"__reduce__", size_reduce, METH_NOARGS, nullptr},
                                  {}};
  PyType_Slot slots[] = {{Py_tp_repr, slot(size_repr)},
                         {Py_mp_subscript, slot(size_subscript)},
                         {Py_nb_add, slot(size_concat)},
                         {Py_sq_repeat, slot(size_repeat)},
                         {Py_tp_new, slot(size_create)},
                         {Py_tp_methods, methods},
                         {Py_tp_doc, const_cast<char*>("Size(sizes)\n\nThe sizes of a tensor: a tuple of ints.")},
                         {0, nullptr}};
  // The base's layout: instances are made by tuple's own tp_new and tp_alloc.
  PyType_Spec spec = {"bolide.Size", 0, 0, Py_TPFLAGS_DEFAULT, slots};
  const auto bases =
      pybind11::make_tuple(pybind11::reinterpret_borrow<pybind11::object>(reinterpret_cast<PyObject*>(&PyTuple_Type)));
  size_type = make_type(module, spec, bases.ptr());
}

}  // namespace

void add_dtype_device(PyObject* module) {
  add_dtype(module);
  add_device(module);
  add_size(module);
}

std::optional<DType> dtype_of(PyObject* o) {
  if (Py_TYPE(o) == dtype_type) return value_of(o);
  if (o == reinterpret_cast<PyObject*>(&PyFloat_Type)) return DType::F64;
  if (o == reinterpret_cast<PyObject*>(&PyLong_Type)) return DType::I64;
  if (o == reinterpret_cast<PyObject*>(&PyBool_Type)) return DType::Bool;
  if (o == reinterpret_cast<PyObject*>(&PyComplex_Type)) return DType::C128;
  return std::nullopt;
}

Device device_of(PyObject* o) {
  if (!is_device(o)) {
    if (PyUnicode_Check(o)) {
      Py_ssize_t size = 0;
      const char* text = PyUnicode_AsUTF8AndSize(o, &size);
      return text ? parse_device({text, size_t(size)}) : throw Raised{};
    }
    return parse_device("cuda:" + std::string(pybind11::str(pybind11::handle(o))));
  }
  const DeviceObject& d = device_at(o);
  if (d.index < 0) return parse_device(type_text(d));
  return {d.type, int8_t(d.index)};
}

PyObject* device_to_python(Device device) {
  static PyObject* known[kDeviceTypes][64] = {};
  PyObject*& o = known[int(device.type)][device.index & 63];
  if (!o) o = make_device(device.type, device.is_cpu() ? -1 : device.index);
  return Py_NewRef(o);
}

}  // namespace bolide::python
