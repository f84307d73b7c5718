// node_type.cpp - the Python type Node and its subtypes, hooks on nodes.
#include "bindings/node_type.h"

#include <pybind11/pybind11.h>
#include <structmember.h>

#include <cstddef>
#include <map>
#include <string>

#include "bindings/convert.h"

namespace py = pybind11;

namespace bolide::python {
namespace {

struct NodeObject {
  PyObject_HEAD
  Ref<Node> node;
  PyObject* weak_references;
};
PyTypeObject* node_type = nullptr;
NodeObject* object_at(PyObject* self) { return reinterpret_cast<NodeObject*>(self); }

// ---- hooks -----------------------------------------------------------------------------------------------------
// A dict that can be referred to weakly, so that a handle does not keep the functions alive.
PyObject* make_hook_dict() {
  static PyObject* type = checked(PyObject_CallFunction(reinterpret_cast<PyObject*>(&PyType_Type), "s(O){}",
                                                        "_NodeHooks", reinterpret_cast<PyObject*>(&PyDict_Type)));
  return checked(PyObject_CallNoArgs(type));
}
std::string name_of_hook(PyObject* f) {
  return py::str(py::getattr(py::handle(f), "__name__", py::str(py::type::handle_of(f).attr("__name__"))));
}

template <class Tensors>
py::tuple to_tuple(const Tensors& tensors) {
  py::tuple out(tensors.size());
  for (size_t i = 0; i < tensors.size(); i++) out[i] = py::reinterpret_steal<py::object>(wrap(tensors[i]));
  return out;
}
// What a hook returned takes the place of `values`, unless it is None.
void replace(PyObject* function, const py::object& result, std::span<Tensor> values) {
  if (result.is_none()) return;
  if (!PyTuple_Check(result.ptr()))
    raise(ErrorKind::Type, "hook", "a tuple or None as its result", type_name(result.ptr()));
  const size_t n = size_t(PyTuple_GET_SIZE(result.ptr()));
  if (n != values.size())
    raise(ErrorKind::Runtime, "hook", str(values.size(), " gradients as result of ", name_of_hook(function)), str(n),
          "The hook has returned an incorrect number of values.");
  for (size_t i = 0; i < n; i++) {
    PyObject* one = PyTuple_GET_ITEM(result.ptr(), Py_ssize_t(i));
    if (one != Py_None && !is_tensor(one)) raise(ErrorKind::Type, "hook", "Tensors or None as result", type_name(one));
    if (one == Py_None) continue;
    if (values[i] && values[i].sizes() != unwrap(one).sizes())
      raise(ErrorKind::Shape, "hook", str("a gradient of shape ", values[i].sizes().text()), unwrap(one).sizes().text(),
            "The hook has changed the size of value.");
    values[i] = unwrap(one);
  }
}
std::vector<py::object> functions_of(PyObject* dict) {  // a copy: hooks may add and remove others
  std::vector<py::object> out;
  for (auto item : py::reinterpret_borrow<py::dict>(dict))
    out.push_back(py::reinterpret_borrow<py::object>(item.second));
  return out;
}

template <class... A>
py::object call_hook(const py::object& function, const A&... arguments) {
  return without_unwinding([&] { return py::object(function(arguments...)); });
}

// What registering returns. It keeps neither the node nor the function alive.
class NodeHookHandle {
 public:
  NodeHookHandle(PyObject* dict, int64_t id) : dict_(py::weakref(py::handle(dict))), id_(id) {}
  void remove() {
    const py::object dict = dict_();
    if (!dict.is_none()) py::dict(dict).attr("pop")(id_, py::none());
  }

 private:
  py::weakref dict_;
  int64_t id_;
};

PyObject* add_hook(PyObject* self, PyObject* function, PyObject* PythonNodeHooks::* which) {
  if (!PyCallable_Check(function)) throw Mismatch{function, "a callable"};
  PythonNodeHooks& hooks = PythonNodeHooks::of(*object_at(self)->node);
  if (!(hooks.*which)) hooks.*which = make_hook_dict();
  static int64_t next = 1;  // guarded by the GIL
  const int64_t id = next++;
  py::reinterpret_borrow<py::object>(hooks.*which)[py::int_(id)] = py::handle(function);
  return py::cast(NodeHookHandle(hooks.*which, id)).release().ptr();
}

// ---- methods ---------------------------------------------------------------------------------------------------
PyObject* name(PyObject* self, PyObject*) {
  return PyUnicode_FromString(object_at(self)->node->display_name().c_str());
}
PyObject* register_after(PyObject* self, PyObject* function) {
  return guarded("register_hook", [&] { return add_hook(self, function, &PythonNodeHooks::after_hooks); });
}
PyObject* register_before(PyObject* self, PyObject* function) {
  return guarded("register_prehook", [&] { return add_hook(self, function, &PythonNodeHooks::before_hooks); });
}
PyObject* next_functions(PyObject* self, void*) {
  return guarded("next_functions", [&] {
    const Node& node = *object_at(self)->node;
    py::tuple out(size_t(node.edges()));
    for (int i = 0; i < node.edges(); i++)
      out[size_t(i)] =
          py::make_tuple(py::reinterpret_steal<py::object>(node_to_python(node.edge(i).node)), node.edge(i).output);
    return out.release().ptr();
  });
}
PyObject* metadata(PyObject* self, void*) {
  return guarded("metadata", [&] {
    PyObject*& dict = PythonNodeHooks::of(*object_at(self)->node).metadata;
    if (!dict) dict = checked(PyDict_New());
    return Py_NewRef(dict);
  });
}
PyObject* sequence(PyObject* self, PyObject*) { return PyLong_FromLongLong(object_at(self)->node->sequence()); }
PyObject* variable(PyObject* self, void*) {  // of an accumulator
  return guarded("variable", [&] {
    Node& node = *object_at(self)->node;
    if (!node.is_accumulator()) {
      PyErr_Format(PyExc_AttributeError, "'%s' object has no attribute 'variable'", Py_TYPE(self)->tp_name);
      throw Raised{};
    }
    return wrap(accumulated_leaf(node));
  });
}
PyObject* represent(PyObject* self) {
  return PyUnicode_FromFormat("<%s object at %p>", object_at(self)->node->display_name().c_str(), self);
}
// Of a custom Function: attributes of the ctx that its forward had.
PyObject* get_attribute(PyObject* self, PyObject* attribute) {
  PyObject* found = PyObject_GenericGetAttr(self, attribute);
  PyObject* context = static_cast<PyObject*>(object_at(self)->node->foreign());
  if (found || !context || !PyErr_ExceptionMatches(PyExc_AttributeError)) return found;
  PyErr_Clear();
  return PyObject_GetAttr(context, attribute);
}

// ---- life and death ---------------------------------------------------------------------------------------------
void destroy(PyObject* self) {
  PyObject_GC_UnTrack(self);
  NodeObject* o = object_at(self);
  if (o->node->python.load(std::memory_order_relaxed) == self) o->node->python.store(nullptr);
  if (o->weak_references) PyObject_ClearWeakRefs(self);
  o->node.~Ref();
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}
int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  const Node& node = *object_at(self)->node;
  return node.references.load(std::memory_order_relaxed) == 1 ? visit_node(node, visit, arg) : 0;
}

PyTypeObject* make_type(const char* type_name, PyTypeObject* base) {
  static PyMethodDef methods[] = {
      {"name", name, METH_NOARGS, "name($self)\n--\n\nThe name of the op's backward."},
      {"register_hook", register_after, METH_O,
       "register_hook($self, fn)\n--\n\nCalls fn(grad_inputs, grad_outputs) after the node has run; a tuple that it "
       "returns replaces grad_inputs.\n\nReturns a handle with remove(). Reference: torch.autograd.graph.Node."},
      {"register_prehook", register_before, METH_O,
       "register_prehook($self, fn)\n--\n\nCalls fn(grad_outputs) before the node runs; a tuple that it returns "
       "replaces them.\n\nReturns a handle with remove()."},
      {"_sequence_nr", sequence, METH_NOARGS, "_sequence_nr($self)\n--\n\nGrows with creation."},
      {}};
  static PyGetSetDef properties[] = {
      {"next_functions", next_functions, nullptr, "Pairs of a node (or None) and which output of it.", nullptr},
      {"metadata", metadata, nullptr, "A dict for anything; it lives as long as the node.", nullptr},
      {"variable", variable, nullptr, "The leaf whose gradient AccumulateGrad adds to.", nullptr},
      {}};
  static PyMemberDef members[] = {
      {"__weaklistoffset__", T_PYSSIZET, offsetof(NodeObject, weak_references), READONLY, nullptr}, {}};
  PyType_Slot base_slots[] = {{Py_tp_methods, methods},
                              {Py_tp_getset, properties},
                              {Py_tp_members, members},
                              {Py_tp_doc, const_cast<char*>("A node of the graph that backward() walks: grad_fn.")},
                              {Py_tp_repr, reinterpret_cast<void*>(represent)},
                              {Py_tp_getattro, reinterpret_cast<void*>(get_attribute)},
                              {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
                              {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                              {0, nullptr}};
  PyType_Slot no_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
                            {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                            {0, nullptr}};
  const unsigned long flags =
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | (base ? 0 : Py_TPFLAGS_BASETYPE);
  PyType_Spec spec = {type_name, sizeof(NodeObject), 0, unsigned(flags), base ? no_slots : base_slots};
  PyObject* type =
      checked(base ? PyType_FromSpecWithBases(&spec, reinterpret_cast<PyObject*>(base)) : PyType_FromSpec(&spec));
  return reinterpret_cast<PyTypeObject*>(type);
}
PyTypeObject* type_for(const Node& node) {
  static auto* types = new std::map<std::string, PyTypeObject*>;  // guarded by the GIL; names last as long as types
  const auto [at, made] = types->try_emplace(node.display_name());
  if (made) {
    static auto* names = new std::map<std::string, std::string>;
    at->second = make_type(names->emplace(at->first, "bolide.autograd." + at->first).first->second.c_str(), node_type);
  }
  return at->second;
}

}  // namespace

PythonNodeHooks::~PythonNodeHooks() {
  for (PyObject* o : {before_hooks, after_hooks, metadata}) drop_reference(o);
}
PythonNodeHooks& PythonNodeHooks::of(Node& node) {
  auto& hooks = node.make_extras().hooks;
  if (!hooks) hooks = std::make_unique<PythonNodeHooks>();
  return static_cast<PythonNodeHooks&>(*hooks);
}
void PythonNodeHooks::before(const Node&, std::vector<Tensor>& outputs) {
  if (!before_hooks) return;
  py::gil_scoped_acquire gil;
  for (const py::object& f : functions_of(before_hooks)) replace(f.ptr(), call_hook(f, to_tuple(outputs)), outputs);
}
void PythonNodeHooks::after(const Node& node, std::span<Tensor> inputs, std::span<const Tensor> outputs) {
  if (!after_hooks) return;
  py::gil_scoped_acquire gil;
  if (node.is_accumulator()) inputs = {};
  for (const py::object& f : functions_of(after_hooks))
    replace(f.ptr(), call_hook(f, to_tuple(inputs), to_tuple(outputs)), inputs);
}

int visit_node(const Node& node, visitproc visit, void* arg) {
  Py_VISIT(static_cast<PyObject*>(node.foreign()));
  const NodeExtras* extras = const_cast<Node&>(node).extras();
  if (!extras || !extras->hooks) return 0;
  const auto& hooks = static_cast<const PythonNodeHooks&>(*extras->hooks);
  Py_VISIT(hooks.before_hooks);
  Py_VISIT(hooks.after_hooks);
  Py_VISIT(hooks.metadata);
  return 0;
}

PyObject* node_to_python(const Ref<Node>& node) {
  if (!node) return Py_NewRef(Py_None);
  if (void* known = node->python.load(std::memory_order_relaxed)) return Py_NewRef(static_cast<PyObject*>(known));
  PyTypeObject* type = type_for(*node);
  PyObject* self = checked(type->tp_alloc(type, 0));
  new (&object_at(self)->node) Ref<Node>(node);
  object_at(self)->weak_references = nullptr;
  node->python.store(self, std::memory_order_relaxed);
  return self;
}
bool is_node(PyObject* o) { return PyObject_TypeCheck(o, node_type); }
const Ref<Node>& node_of(PyObject* o) { return object_at(o)->node; }

void add_node_type(py::module_& module) {
  node_type = make_type("bolide.autograd.graph.Node", nullptr);
  if (PyModule_AddObjectRef(module.ptr(), "Node", reinterpret_cast<PyObject*>(node_type)) < 0)
    throw py::error_already_set();
  py::class_<NodeHookHandle>(module, "NodeHookHandle", "What registering a hook on a node returns.")
      .def("remove", &NodeHookHandle::remove, "Takes the hook away.")
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__", [](NodeHookHandle& h, const py::args&) { h.remove(); });
}

}  // namespace bolide::python
