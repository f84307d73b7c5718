// tensor_type.h - the Python type Tensor, written against the C API, and how tensors become objects and back.
//
// The C++ handle lies inside the Python object, and objects come from a free list. A tensor has at most one
// object: wrap() gives the same one as long as it lives, and an object with attributes (or of a subclass) lives
// as long as its tensor, even while only C++ holds that. The garbage collector tracks an object once it can be
// part of a cycle: when it has a __dict__, hooks, or a Python subclass. pybind11 functions take and return Tensor
// through the caster at the end.
#pragma once
#include <pybind11/pybind11.h>

#include <memory>
#include <vector>

#include "runtime/tensor.h"

namespace bolide::python {

struct Hook;  // autograd_hooks.h

struct Object {
  PyObject_HEAD
  Tensor tensor;
  PyObject *dict, *weak_references;
  std::vector<std::shared_ptr<Hook>>* hooks;  // on this tensor, for the garbage collector; mostly null
};

inline PyTypeObject* tensor_type = nullptr;

inline bool is_tensor(PyObject* o) { return Py_TYPE(o) == tensor_type || PyType_IsSubtype(Py_TYPE(o), tensor_type); }
inline Object* object_of(PyObject* o) { return reinterpret_cast<Object*>(o); }
inline Tensor& unwrap(PyObject* o) { return object_of(o)->tensor; }

#ifdef Py_GIL_DISABLED
#error "bolide needs the GIL: the link from a tensor to its object is guarded by it"
#endif

inline constexpr int kMaxFree = 128;
struct FreeObjects {
  int count = 0;
  Object* objects[kMaxFree];
};
inline FreeObjects free_objects;  // guarded by the GIL

PyObject* revive(TensorImpl* impl);           // the object that only its tensor holds
PyObject* new_object(Tensor&& t);             // throws Raised

// A new reference to the object of this tensor; None for no tensor.
inline PyObject* wrap(Tensor&& t) {
  if (!t) [[unlikely]]
    return Py_NewRef(Py_None);
  void* known = t->python.load(std::memory_order_relaxed);
  if (known) [[unlikely]] {
    if (t->owns_python) return revive(t.get());
    return Py_NewRef(static_cast<PyObject*>(known));
  }
  if (t->base) forget_hidden_base(t);
  if (!free_objects.count) [[unlikely]]
    return new_object(std::move(t));
  Object* o = free_objects.objects[--free_objects.count];
  PyObject_Init(reinterpret_cast<PyObject*>(o), tensor_type);
  t->python.store(o, std::memory_order_relaxed);
  new (&o->tensor) Tensor(std::move(t));
  o->dict = o->weak_references = nullptr;
  o->hooks = nullptr;
  return reinterpret_cast<PyObject*>(o);
}
inline PyObject* wrap(const Tensor& t) { return wrap(Tensor(t)); }

// A new object of `type`, Tensor or a subclass, for a tensor that has none yet; throws Raised.
PyObject* make_object(PyTypeObject* type, Tensor&& t);
// The same on the storage of any tensor, without its history.
inline PyObject* make_instance(PyTypeObject* type, const Tensor& t) { return make_object(type, alias(t)); }
// From now on the garbage collector looks at this object.
inline void track(PyObject* self) {
  if (!PyObject_GC_IsTracked(self)) PyObject_GC_Track(self);
}
PyObject* get_dict(PyObject* self, void* closure);  // Tensor.__dict__
int set_dict(PyObject* self, PyObject* value, void* closure);

// Makes the type from the tables that the other files fill in; slots: what operators.cpp and indexing.cpp add.
void make_tensor_type(PyObject* module, PyMethodDef* methods, PyGetSetDef* properties,
                      const std::vector<PyType_Slot>& slots);

// Drops a reference from any thread: at once with the GIL, else later by the main thread.
void drop_reference(void* object) noexcept;
// Tells the runtime how long work lets other Python threads run, and how objects of dead tensors are dropped.
void install_gil_hooks();

}  // namespace bolide::python

template <>
struct pybind11::detail::type_caster<bolide::Tensor> {
  PYBIND11_TYPE_CASTER(bolide::Tensor, const_name("Tensor"));
  bool load(handle source, bool) {
    if (source.is_none() || !bolide::python::is_tensor(source.ptr())) return false;
    value = bolide::python::unwrap(source.ptr());
    return true;
  }
  static handle cast(const bolide::Tensor& t, return_value_policy, handle) { return bolide::python::wrap(t); }
};
