// overrides.cpp - finds the objects that answer a call, asks them in order, and gives a tensor another class.
#include "bindings/overrides.h"

#include <algorithm>
#include <vector>

#include "bindings/convert.h"
#include "bindings/ops_table.h"

namespace py = pybind11;

namespace bolide::python {
namespace {

thread_local int subclasses_disabled = 0;  // inside DisableTorchFunctionSubclass: subclasses are plain tensors
PyObject* functions = nullptr;             // the module, for the functions that classes are told of

PyObject* protocol() {
  static PyObject* const name = PyUnicode_InternFromString("__torch_function__");
  return name;
}
PyObject* refuse(PyObject*, PyObject*, PyObject*) { return Py_NewRef(Py_NotImplemented); }
PyObject* opted_out() {
  static PyMethodDef method = {"_disabled_torch_function_impl",
                               reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(refuse)),
                               METH_VARARGS | METH_KEYWORDS, "As __torch_function__: a class that answers no calls."};
  static PyObject* const function = PyCFunction_New(&method, nullptr);
  return function;
}
// The class's answer to calls; null if it has none or has opted out.
py::object answer_of(PyTypeObject* type) {
  auto answer = py::reinterpret_steal<py::object>(PyObject_GetAttr(reinterpret_cast<PyObject*>(type), protocol()));
  if (!answer) PyErr_Clear();
  return answer.ptr() == opted_out() ? py::object() : answer;
}
bool answers(PyObject* o) {
  PyTypeObject* type = Py_TYPE(o);
  if (type == tensor_type || !PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE)) return false;
  if (is_tensor(o)) return !subclasses_disabled && answer_of(type);
  // PyTorch's tensors have the protocol too, for PyTorch's functions; theirs only have this as well.
  return !PyType_Check(o) && !PyObject_HasAttrString(o, "__torch_dispatch__") && answer_of(type);
}

// The objects that answer, one of each class: subclasses before their bases, else from left to right.
class Answering {
 public:
  explicit Answering(const PythonCall& call) {
    if (call.self) look_at(call.self);
    const Py_ssize_t count = call.given + (call.keywords ? PyTuple_GET_SIZE(call.keywords) : 0);
    for (Py_ssize_t i = 0; i < count; i++) look_at(call.arguments[i]);
  }
  explicit Answering(const py::tuple& objects) {
    for (const py::handle o : objects) look_at(o.ptr());
  }
  const std::vector<PyObject*>& objects() const { return objects_; }

 private:
  void look_at(PyObject* o) {
    if (PyTuple_Check(o) || PyList_Check(o)) {
      for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); i++) add(PySequence_Fast_GET_ITEM(o, i));
    } else {
      add(o);
    }
  }
  void add(PyObject* o) {
    if (!answers(o)) return;
    const auto same = [&](PyObject* known) { return Py_TYPE(known) == Py_TYPE(o); };
    if (std::ranges::any_of(objects_, same)) return;
    const auto base = [&](PyObject* known) { return PyType_IsSubtype(Py_TYPE(o), Py_TYPE(known)); };
    objects_.insert(std::ranges::find_if(objects_, base), o);
  }
  std::vector<PyObject*> objects_;
};

py::object arguments_of(const PythonCall& call, py::dict& named) {
  py::list all;
  if (call.self) all.append(py::handle(call.self));
  for (Py_ssize_t i = 0; i < call.given; i++) all.append(py::handle(call.arguments[i]));
  for (Py_ssize_t k = 0; call.keywords && k < PyTuple_GET_SIZE(call.keywords); k++)
    named[PyTuple_GET_ITEM(call.keywords, k)] = py::handle(call.arguments[call.given + k]);
  return py::tuple(all);
}

// Asks them one after the other; the first that knows decides.
PyObject* ask(const Answering& answering, const char* name, py::handle function, py::handle arguments,
              py::handle named) {
  py::tuple types(answering.objects().size());
  for (size_t i = 0; i < types.size(); i++)
    types[i] = py::handle(reinterpret_cast<PyObject*>(Py_TYPE(answering.objects()[i])));
  for (PyObject* o : answering.objects()) {
    PyObject* result = PyObject_CallFunctionObjArgs(answer_of(Py_TYPE(o)).ptr(), function.ptr(), types.ptr(),
                                                    arguments.ptr(), named.ptr(), nullptr);
    if (result != Py_NotImplemented) return result;
    Py_DECREF(result);
  }
  PyErr_Format(PyExc_TypeError, "[%s] expected a class that answers it, got NotImplemented from %R.", name,
               types.ptr());
  return nullptr;
}

// ---- the answer of Tensor itself -----------------------------------------------------------------------------
struct DisableSubclasses {  // for a while: every op of the thread takes them for tensors
  DisableSubclasses() { subclasses_disabled++; }
  ~DisableSubclasses() { subclasses_disabled--; }
  DisableSubclasses(const DisableSubclasses&) = delete;
  DisableSubclasses& operator=(const DisableSubclasses&) = delete;
};

Tensor view_of_all(const Tensor& x) {
  Dims order(x.rank());
  for (int i = 0; i < x.rank(); i++) order[i] = i;
  return permute(x, order);
}
PyObject* as_subclass(const Tensor& x, PyObject* cls) {
  if (!PyType_Check(cls) || !PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(cls), tensor_type))
    throw Mismatch{cls, "a subclass of Tensor"};
  return make_object(reinterpret_cast<PyTypeObject*>(cls), view_of_all(x));
}

// A result as one of the class; takes the reference. What nobody else has seen yet gets another object, so that the
// graph is as without a class; of other tensors it is a view.
PyObject* with_class(PyObject* result, PyTypeObject* cls) {
  const auto owned = py::reinterpret_steal<py::object>(result);
  if (PyTuple_Check(result) && Py_REFCNT(result) == 1) {  // named tuples too
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(result); i++) {
      PyObject* item = PyTuple_GET_ITEM(result, i);
      PyTuple_SET_ITEM(result, i, nullptr);  // it owns nothing there while the item changes hands, also if that fails
      PyTuple_SET_ITEM(result, i, with_class(item, cls));
    }
    return owned.inc_ref().ptr();
  }
  if (!is_tensor(result) || PyType_IsSubtype(Py_TYPE(result), cls)) return owned.inc_ref().ptr();
  const Object& o = *object_of(result);
  if (Py_REFCNT(result) > 1 || Py_TYPE(result) != tensor_type || o.dict || o.hooks || o.weak_references)
    return make_object(cls, view_of_all(o.tensor));
  o.tensor->python.store(nullptr, std::memory_order_relaxed);  // guarded by the GIL, as in wrap()
  return make_object(cls, Tensor(o.tensor));
}

bool stays_as_it_is(PyObject* function) {
  static const py::object* const functions =
      new py::object(py::module_::import("bolide.overrides").attr("get_default_nowrap_functions")());
  const int found = PySet_Contains(functions->ptr(), function);
  return found < 0 ? throw Raised{} : found > 0;
}

// Tensor.__torch_function__(func, types, args=(), kwargs=None)
PyObject* compute(PyObject* cls, PyObject* given, PyObject* keywords) {
  return guarded("__torch_function__", [&] {
    static const char* names[] = {"func", "types", "args", "kwargs", nullptr};
    PyObject *function, *types, *args = nullptr, *named = nullptr;
    if (!PyArg_ParseTupleAndKeywords(given, keywords, "OO|OO:__torch_function__", const_cast<char**>(names), &function,
                                     &types, &args, &named))
      throw Raised{};
    auto* type = reinterpret_cast<PyTypeObject*>(cls);
    for (const py::handle other : py::handle(types))
      if (!PyType_Check(other.ptr()) || !PyType_IsSubtype(type, reinterpret_cast<PyTypeObject*>(other.ptr())))
        return Py_NewRef(Py_NotImplemented);
    const DisableSubclasses disabled;
    const auto arguments = args ? py::reinterpret_steal<py::tuple>(PySequence_Tuple(args)) : py::tuple();
    if (!arguments) throw Raised{};
    PyObject* result = checked(PyObject_Call(function, arguments.ptr(), named == Py_None ? nullptr : named));
    return type == tensor_type || stays_as_it_is(function) ? result : with_class(result, type);
  });
}

}  // namespace

void note_subclass(PyTypeObject* type) {
  if (!overriding && type != tensor_type) overriding = bool(answer_of(type));
}

bool answers_calls(PyObject* o) { return !is_tensor(o) && answers(o); }

bool is_overridden(const PythonCall& call) { return !Answering(call).objects().empty(); }

bool ask_class(PyObject*& result, const char* name, const PythonCall& call) {
  const Answering answering(call);
  if (answering.objects().empty()) return false;
  result = guarded(name, [&]() -> PyObject* {
    const py::handle home = call.self ? reinterpret_cast<PyObject*>(tensor_type) : functions;
    py::dict named;
    const py::object arguments = arguments_of(call, named);
    return ask(answering, name, home.attr(name), arguments, named);
  });
  return true;
}

bool ask_class(PyObject*& result, const char* name, std::initializer_list<PyObject*> operands) {
  const bool method = is_tensor(*operands.begin());
  PyObject* self = method ? *operands.begin() : nullptr;
  return ask_class(result, name, {self, operands.begin() + method, Py_ssize_t(operands.size()) - method, nullptr});
}

bool ask_class_of(PyObject*& result, const char* attribute, PyObject* self) {
  const Answering answering({self, nullptr, 0, nullptr});
  if (answering.objects().empty()) return false;
  result = guarded(attribute, [&] {
    const py::object getter = py::handle(reinterpret_cast<PyObject*>(tensor_type)).attr(attribute).attr("__get__");
    return ask(answering, attribute, getter, py::make_tuple(py::handle(self)), py::dict());
  });
  return true;
}

std::vector<Op> override_rows() {
  return {
      op<&as_subclass>("as_subclass", "input, cls",
                       "A tensor of class cls, a subclass of Tensor, on the same memory and with the same history.\n\n"
                       "Raises: TypeError for what is no such class.\nExample: >>> x.as_subclass(Logged)\n"
                       "Reference: torch.Tensor.as_subclass.",
                       kMethod)};
}

void add_overrides(py::module_& m) {
  static PyMethodDef method = {"__torch_function__",
                               reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(compute)),
                               METH_CLASS | METH_VARARGS | METH_KEYWORDS,
                               "What an op does with a subclass among its arguments: computes, and gives the results "
                               "that class. Override it to be asked.\n\nReference: torch.Tensor.__torch_function__."};
  functions = m.ptr();
  const auto answer = py::reinterpret_steal<py::object>(PyDescr_NewClassMethod(tensor_type, &method));
  if (PyObject_SetAttr(reinterpret_cast<PyObject*>(tensor_type), protocol(), answer.ptr()) < 0)
    throw py::error_already_set();
  m.attr("_disabled_torch_function_impl") = py::handle(opted_out());
  m.def("_has_torch_function", [](const py::args& objects) { return !Answering(objects).objects().empty(); });
  m.def("_ask_class",
        [](const py::object& function, const py::tuple& objects, const py::tuple& args, const py::dict& named) {
          const std::string name = py::str(function.attr("__name__"));
          PyObject* result = ask(Answering(objects), name.c_str(), function, args, named);
          return result ? py::reinterpret_steal<py::object>(result) : throw py::error_already_set();
        });
  m.def("_disable_subclasses", [](int more) { subclasses_disabled += more; });
}

}  // namespace bolide::python
