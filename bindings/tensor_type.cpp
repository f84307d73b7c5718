// tensor_type.cpp - life and death of Tensor objects, and the making of their type.
#include "bindings/tensor_type.h"

#include <pybind11/pybind11.h>
#include <structmember.h>

#include <memory>
#include <mutex>

#include "bindings/autograd_hooks.h"
#include "bindings/creation.h"
#include "bindings/errors.h"
#include "bindings/node_type.h"
#include "bindings/overrides.h"
#include "runtime/ops.h"

namespace bolide::python {
namespace {

// ---- objects -------------------------------------------------------------------------------------------------
void fill(Object* o, Tensor&& t) {
  t->python.store(o, std::memory_order_relaxed);
  new (&o->tensor) Tensor(std::move(t));
  o->dict = o->weak_references = nullptr;
  o->hooks = nullptr;
}

// The last Python reference has gone, but C++ still holds the tensor: from now on the tensor holds the object,
// so that its type, attributes and weak references are there when it comes back to Python.
bool keep_for_tensor(PyObject* self) {
  Object* o = object_of(self);
  TensorImpl* impl = o->tensor.get();
  if (!impl || impl->python.load(std::memory_order_relaxed) != self) return false;
  if (impl->references.load(std::memory_order_acquire) == 1) return false;
  if (Py_TYPE(self) == tensor_type && !o->dict && !o->weak_references) return false;
  _Py_NewReference(self);
  if (Py_TYPE(self) != tensor_type || o->dict || o->hooks) track(self);
  impl->owns_python = true;
  // Our own reference goes, the pointer stays. If it was the last after all, the object goes with the tensor.
  Ref<TensorImpl>::steal(impl);
  return true;
}

void destroy(PyObject* self) {
  if (PyObject_GC_IsTracked(self)) PyObject_GC_UnTrack(self);
  if (keep_for_tensor(self)) return;
  Object* o = object_of(self);
  PyTypeObject* type = Py_TYPE(self);
  // First of all: what runs below may ask for this tensor's object, and must not get a dying one.
  if (o->tensor && o->tensor->python.load(std::memory_order_relaxed) == self)
    o->tensor->python.store(nullptr, std::memory_order_relaxed);  // guarded by the GIL, as in wrap()
  if (o->weak_references) PyObject_ClearWeakRefs(self);
  Py_CLEAR(o->dict);
  delete std::exchange(o->hooks, nullptr);
  o->tensor.~Tensor();
  if (type == tensor_type && free_objects.count < kMaxFree) free_objects.objects[free_objects.count++] = o;
  else type->tp_free(self);
  Py_DECREF(type);
}

// The tensor has died and lets go of the object that it held.
void release_object(void* object) noexcept {
  std::move(object_of(static_cast<PyObject*>(object))->tensor).take().release();  // it counts no more
  drop_reference(object);
}

// Where only this object leads to the tensor and the tensor to its node: what that owns (a custom Function's ctx, hooks)
// may refer to the tensor again.
int visit_history(const Tensor& t, visitproc visit, void* arg) {
  if (!t || !t->autograd || !t->autograd->grad_fn || t->references.load(std::memory_order_relaxed) != 1) return 0;
  const Node& node = *t->autograd->grad_fn;
  return node.references.load(std::memory_order_relaxed) == 1 ? visit_node(node, visit, arg) : 0;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Object* o = object_of(self);
  // What C++ holds too keeps its attributes, also where they lead back to it.
  const bool ours = !o->tensor || o->tensor->owns_python || o->tensor->references.load(std::memory_order_relaxed) == 1;
  if (ours) Py_VISIT(o->dict);
  if (o->hooks && o->tensor)
    for (auto& hook : *o->hooks)
      if (hook->is_owned_by(o->tensor)) Py_VISIT(hook->function);
  return visit_history(o->tensor, visit, arg);
}
int clear(PyObject* self) {
  Object* o = object_of(self);
  if (o->hooks)
    for (auto& hook : *o->hooks) hook->drop();
  Py_CLEAR(o->dict);
  return 0;
}

int set_attribute(PyObject* self, PyObject* name, PyObject* value) {
  const int status = PyObject_GenericSetAttr(self, name, value);
  if (object_of(self)->dict) track(self);
  return status;
}

// ---- Tensor(...) ---------------------------------------------------------------------------------------------
PyObject* create(PyTypeObject* type, PyObject* args, PyObject* keywords) {
  return guarded("Tensor", [&] {
    static const char* names[] = {"data", nullptr};
    const Py_ssize_t given = PyTuple_GET_SIZE(args);
    PyObject* first = given ? PyTuple_GET_ITEM(args, 0) : nullptr;
    const bool plain = type == tensor_type;
    if (plain && given && PyLong_Check(first)) return make_instance(type, tensor_of_sizes(args));
    PyObject* data = nullptr;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O:Tensor", const_cast<char**>(names), &data)) throw Raised{};
    if (!data) return make_instance(type, empty(Dims{0}, {default_dtype(), {}}));
    return make_instance(type, is_tensor(data) ? unwrap(data) : tensor_from(data, default_dtype(), {}));
  });
}

// ---- references dropped without the GIL ----------------------------------------------------------------------
struct Dropped {
  std::mutex mutex;
  std::vector<PyObject*> objects;
  bool scheduled = false;
};
Dropped& dropped() {
  static Dropped* all = new Dropped;  // leaked: other threads may come late
  return *all;
}
int drop_now(void*) {
  std::vector<PyObject*> objects;
  {
    std::lock_guard lock(dropped().mutex);
    objects.swap(dropped().objects);
    dropped().scheduled = false;
  }
  for (PyObject* o : objects) Py_DECREF(o);
  return 0;
}

// ---- the GIL while the runtime works -------------------------------------------------------------------------
void* release_gil() { return PyGILState_Check() ? PyEval_SaveThread() : nullptr; }
void take_gil(void* token) {
  if (token) without_unwinding([&] { PyEval_RestoreThread(static_cast<PyThreadState*>(token)); });
}
// Only the main thread ever has a signal to take. Nothing may be left half done, hence an exception that holds the
// Python error: destructors on its way may run Python code.
void take_signals() {
  if (PyErr_CheckSignals() < 0) throw pybind11::error_already_set();
}
void check_signals() {
  if (PyGILState_Check()) return take_signals();
  const auto state = without_unwinding([] { return PyGILState_Ensure(); });
  const std::unique_ptr<const PyGILState_STATE, void (*)(const PyGILState_STATE*)> release(
      &state, [](const PyGILState_STATE* s) { PyGILState_Release(*s); });
  take_signals();
}

}  // namespace

PyObject* new_object(Tensor&& t) {
  Object* o = PyObject_GC_New(Object, tensor_type);
  if (!o) throw Raised{};
  fill(o, std::move(t));
  return reinterpret_cast<PyObject*>(o);
}

PyObject* revive(TensorImpl* impl) {
  PyObject* self = static_cast<PyObject*>(impl->python.load(std::memory_order_relaxed));
  impl->references.fetch_add(1, std::memory_order_relaxed);  // the object holds the tensor again
  impl->owns_python = false;
  return self;                                               // and the tensor's reference becomes the caller's
}

PyObject* make_object(PyTypeObject* type, Tensor&& t) {
  PyObject* self = type->tp_alloc(type, 0);
  if (!self) throw Raised{};
  fill(object_of(self), std::move(t));
  note_subclass(type);
  if (type == tensor_type) PyObject_GC_UnTrack(self);
  return self;
}

PyObject* get_dict(PyObject* self, void* closure) {
  track(self);
  return PyObject_GenericGetDict(self, closure);
}

int set_dict(PyObject* self, PyObject* value, void* closure) {
  track(self);
  return PyObject_GenericSetDict(self, value, closure);
}

void drop_reference(void* object) noexcept {
  if (!object || !Py_IsInitialized()) return;  // the interpreter has gone, and its objects with it
  if (PyGILState_Check()) {
    PyObject *type, *value, *traceback;  // a finalizer must not disturb an error on its way
    PyErr_Fetch(&type, &value, &traceback);
    Py_DECREF(static_cast<PyObject*>(object));
    PyErr_Restore(type, value, traceback);
    return;
  }
  Dropped& all = dropped();
  std::lock_guard lock(all.mutex);
  all.objects.push_back(static_cast<PyObject*>(object));
  if (!all.scheduled) all.scheduled = Py_AddPendingCall(drop_now, nullptr) == 0;
}

void install_gil_hooks() {
  set_blocking_hooks({release_gil, take_gil, check_signals});
  set_python_release(release_object);
}

void make_tensor_type(PyObject* module, PyMethodDef* methods, PyGetSetDef* properties,
                      const std::vector<PyType_Slot>& more) {
  static PyMemberDef members[] = {
      {"__dictoffset__", T_PYSSIZET, offsetof(Object, dict), READONLY, nullptr},
      {"__weaklistoffset__", T_PYSSIZET, offsetof(Object, weak_references), READONLY, nullptr},
      {}};
  static const char doc[] =
      "Tensor(data)\n\nAn array of one dtype on one device, with PyTorch's methods.\n\nMade by bolide.tensor(), "
      "bolide.zeros() and the like; Tensor(data) shares the storage of a tensor.\nReference: torch.Tensor.";
  std::vector<PyType_Slot> slots = {{Py_tp_members, members},
                                    {Py_tp_methods, methods},
                                    {Py_tp_getset, properties},
                                    {Py_tp_doc, const_cast<char*>(doc)},
                                    {Py_tp_new, reinterpret_cast<void*>(create)},
                                    {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
                                    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                                    {Py_tp_clear, reinterpret_cast<void*>(clear)},
                                    {Py_tp_setattro, reinterpret_cast<void*>(set_attribute)}};
  slots.insert(slots.end(), more.begin(), more.end());
  slots.push_back({0, nullptr});
  PyType_Spec spec = {"bolide.Tensor", sizeof(Object), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                      slots.data()};
  tensor_type = reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, nullptr));
  if (!tensor_type) throw pybind11::error_already_set();
}

}  // namespace bolide::python
