// autograd_hooks.cpp - registering, calling and removing hooks on tensors.
#include "bindings/autograd_hooks.h"

#include <algorithm>

#include "bindings/convert.h"
#include "bindings/module.h"

namespace py = pybind11;

namespace bolide::python {

bool Hook::is_owned_by(const Tensor& t) const {
  const AutogradMeta* meta = t->autograd;
  if (!meta || t->references.load(std::memory_order_relaxed) != 1) return false;
  if (!node) return true;
  if (meta->grad_fn.get() != node && meta->accumulator.get() != node) return false;
  return node->references.load(std::memory_order_relaxed) == 1;
}
void Hook::drop() {
  PyObject* f = std::exchange(function, nullptr);
  Py_XDECREF(f);
}
Tensor Hook::call(const Tensor& g) const {
  py::gil_scoped_acquire gil;
  if (!function) return {};
  HooksRunning running;
  const py::object f = py::reinterpret_borrow<py::object>(function);  // it may remove itself
  const py::object argument = py::reinterpret_steal<py::object>(wrap(g));
  const py::object result = py::reinterpret_steal<py::object>(
      without_unwinding([&] { return PyObject_CallOneArg(f.ptr(), argument.ptr()); }));
  if (!result) throw py::error_already_set();
  if (result.is_none()) return {};
  if (!is_tensor(result.ptr()))
    raise(ErrorKind::Type, "hook", "a Tensor or None as its result", type_name(result.ptr()));
  return unwrap(result.ptr());
}

namespace {

// What register_hook() returns. It keeps neither the tensor nor the hook alive.
class RemovableHandle {
 public:
  RemovableHandle(PyObject* tensor, const std::shared_ptr<Hook>& hook)
      : tensor_(py::weakref(py::handle(tensor))), hook_(hook) {}
  void remove() {
    const std::shared_ptr<Hook> hook = hook_.lock();
    if (!hook) return;
    hook_.reset();
    hook->drop();
    const py::object tensor = tensor_();
    if (tensor.is_none() || HooksRunning::any()) return;  // an empty hook does nothing
    Object* o = object_of(tensor.ptr());
    if (o->hooks) std::erase(*o->hooks, hook);
    if (hook->node) remove_hook(o->tensor, hook->id);
    else remove_post_accumulate_hook(o->tensor, hook->id);
  }

 private:
  py::weakref tensor_;
  std::weak_ptr<Hook> hook_;
};

template <class Add>
PyObject* add(PyObject* self, PyObject* function, const Add& add_to) {
  if (!PyCallable_Check(function)) throw Mismatch{function, "a callable"};
  auto hook = std::make_shared<Hook>(function);
  add_to(unwrap(self), hook);
  Object* o = object_of(self);
  if (!o->hooks) o->hooks = new std::vector<std::shared_ptr<Hook>>;
  o->hooks->push_back(hook);
  track(self);
  return py::cast(RemovableHandle(self, hook)).release().ptr();
}

}  // namespace

PyObject* register_hook(PyObject* self, PyObject* function) {
  if (!is_tensor(self)) throw Mismatch{self, "Tensor"};
  return add(self, function, [](const Tensor& t, const std::shared_ptr<Hook>& hook) {
    hook->id = add_hook(t, [hook](const Tensor& g) { return hook->call(g); });
    hook->node = gradient_edge(t).node.get();
  });
}
PyObject* register_post_hook(PyObject* self, PyObject* function) {
  if (!is_tensor(self)) throw Mismatch{self, "Tensor"};
  return add(self, function, [](const Tensor& t, const std::shared_ptr<Hook>& hook) {
    hook->id = add_post_accumulate_hook(t, [hook](const Tensor& leaf) { hook->call(leaf); });
  });
}

void add_hooks(py::module_& m) {
  py::class_<RemovableHandle>(m, "RemovableHandle", "What registering a hook returns; remove() takes it away.")
      .def("remove", &RemovableHandle::remove, "Takes the hook away.")
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__", [](RemovableHandle& h, const py::args&) { h.remove(); });
}

}  // namespace bolide::python
