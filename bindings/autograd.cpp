// autograd.cpp - backward(), grad(), the modes, and nodes of the graph as Python sees them.
#include "runtime/autograd.h"

#include <cctype>

#include "bindings/autograd_hooks.h"
#include "bindings/module.h"
#include "bindings/ops_table.h"

namespace py = pybind11;

namespace bolide::python {
namespace {

using OptionalTensor = std::optional<Tensor>;
using OptionalBool = std::optional<bool>;

// ---- running -------------------------------------------------------------------------------------------------
TensorList optional_list(PyObject* o) {  // None, a tensor, or a sequence of tensors and Nones
  if (o == Py_None) return {};
  if (is_tensor(o)) return {unwrap(o)};
  if (!PySequence_Check(o)) throw Mismatch{o, "a Tensor or a sequence of Tensors"};
  const auto items = py::reinterpret_steal<py::object>(checked(PySequence_Tuple(o)));
  TensorList out;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items.ptr()); i++) {
    PyObject* one = PyTuple_GET_ITEM(items.ptr(), i);
    if (one != Py_None && !is_tensor(one)) throw Mismatch{one, "a Tensor or a sequence of Tensors"};
    out.push_back(one == Py_None ? Tensor() : unwrap(one));
  }
  return out;
}
TensorList tensor_list(const char* op, const char* what, PyObject* o) {
  TensorList list = optional_list(o);
  for (const Tensor& t : list)
    if (!t) raise(ErrorKind::Type, op, str("Tensors as ", what), "None");
  return list;
}
BackwardOptions options_of(OptionalBool retain_graph, bool create_graph) {
  return {retain_graph.value_or(create_graph), create_graph};
}
// A signal that came meanwhile is raised now, not when some later bytecode runs.
void check_signals() {
  if (PyErr_CheckSignals() < 0) throw Raised{};
}

PyObject* run_backward(PyObject* tensors, PyObject* gradients, OptionalBool retain_graph, bool create_graph,
                       PyObject* inputs) {
  const TensorList outputs = tensor_list("backward", "tensors", tensors);
  const TensorList leaves = tensor_list("backward", "inputs", inputs);
  if (inputs != Py_None && leaves.empty())
    raise(ErrorKind::Runtime, "backward", "inputs as None or some tensors", "an empty sequence");
  TensorList given = optional_list(gradients);
  if (given.empty()) given.resize(outputs.size());
  backward(outputs, given, options_of(retain_graph, create_graph), leaves);
  check_signals();
  return Py_NewRef(Py_None);
}
PyObject* tensor_backward(PyObject* self, PyObject* gradient, OptionalBool retain_graph, bool create_graph,
                          PyObject* inputs) {
  if (gradient != Py_None && !is_tensor(gradient)) throw Mismatch{gradient, "Tensor or None"};
  return run_backward(self, gradient, retain_graph, create_graph, inputs);
}
TensorList run_grad(PyObject* outputs, PyObject* inputs, PyObject* gradients, OptionalBool retain_graph,
                    bool create_graph, bool allow_unused) {
  const TensorList of = tensor_list("grad", "outputs", outputs), by = tensor_list("grad", "inputs", inputs);
  TensorList given = optional_list(gradients);
  if (given.empty()) given.resize(of.size());
  TensorList found = gradients_of(of, by, given, options_of(retain_graph, create_graph), allow_unused);
  check_signals();
  return found;
}

// ---- tensors -------------------------------------------------------------------------------------------------
void require_grad(const Tensor& t, bool requires_grad) { set_requires_grad(t, requires_grad); }
PyObject* keep_grad(const Tensor& t) {
  check(t.requires_grad(), ErrorKind::Runtime, "retain_grad", "a tensor that requires grad",
        [&] { return str(describe(t), ", which does not"); });
  retain_grad(t);
  return Py_NewRef(Py_None);
}
PyObject* hook_on(PyObject* self, PyObject* hook) { return register_hook(self, hook); }
PyObject* post_hook_on(PyObject* self, PyObject* hook) { return register_post_hook(self, hook); }
void detach_in_place(const Tensor& t) {
  if (t->autograd) t->autograd->grad_fn = {}, t->autograd->requires_grad = false, t->autograd->output = 0;
  t->base = {};
}

// ---- nodes ---------------------------------------------------------------------------------------------------
struct NodeHandle {
  Ref<Node> node;
};
std::string display_name(const Node& node) {  // "add" is shown as AddBackward, as it is in PyTorch
  const std::string name = node.name();
  for (char c : name)
    if (std::isupper(static_cast<unsigned char>(c))) return name;
  std::string out;
  bool upper = true;
  for (char c : name) {
    if (c == '_') upper = true;
    else out += upper ? char(std::toupper(static_cast<unsigned char>(c))) : c, upper = false;
  }
  return out + "Backward";
}
py::tuple inputs_of(const NodeHandle& h) {
  py::tuple out(size_t(h.node->edges()));
  for (int i = 0; i < h.node->edges(); i++) {
    const Edge& edge = h.node->edge(i);
    const py::object node = edge.node ? py::cast(NodeHandle{edge.node}) : py::none();
    out[size_t(i)] = py::make_tuple(node, edge.output);
  }
  return out;
}

}  // namespace

PyObject* node_to_python(const Ref<Node>& node) {
  return node ? py::cast(NodeHandle{node}).release().ptr() : Py_NewRef(Py_None);
}
std::string node_name(const Node& node) { return display_name(node); }

void add_autograd(py::module_& m) {
  py::class_<NodeHandle>(m, "Node", "A node of the graph that backward() walks: tensor.grad_fn.")
      .def(
          "name", [](const NodeHandle& h) { return display_name(*h.node); }, "The op that it belongs to.")
      .def_property_readonly("next_functions", inputs_of, "Pairs of a node (or None) and which output of it.")
      .def("__repr__",
           [](const NodeHandle& h) {
             return str("<", display_name(*h.node), " object at ", static_cast<const void*>(h.node.get()), ">");
           })
      .def(
          "__eq__", [](const NodeHandle& a, const NodeHandle& b) { return a.node == b.node; }, py::is_operator())
      .def("__hash__", [](const NodeHandle& h) { return reinterpret_cast<uintptr_t>(h.node.get()) >> 4; });
  m.def("_set_grad_enabled", &set_grad_enabled, py::arg("enabled"), "Sets the mode and returns what it was.");
  m.def("_set_inference_enabled", &set_inference_enabled, py::arg("enabled"), "Sets the mode and returns what it was.");
  m.def("is_grad_enabled", &grad_enabled, "Do ops record themselves for backward()?");
  m.def("is_inference_mode_enabled", &inference_enabled, "Is this inference mode?");
  m.def("_live_nodes", &live_nodes, "How many nodes of graphs exist.");
}

std::vector<Op> autograd_rows() {
  return {
      op<&tensor_backward>(
          "backward", "input, gradient=None, retain_graph=None, create_graph=False, inputs=None",
          "Adds the gradients of this tensor to .grad of the leaves that it was computed from (of inputs only, if "
          "given).\n\ngradient: of the result with respect to this tensor; needed unless it has one element. "
          "retain_graph keeps what was saved, for another backward; create_graph records the backward itself.\n"
          "Raises: BolideError without a graph, or after it was freed.\n"
          "Example: >>> x = bolide.ones(2, requires_grad=True); (x * x).sum().backward(); x.grad\n"
          "Reference: torch.Tensor.backward.",
          kMethod),
      op<&run_backward>("_autograd_backward", "tensors, gradients, retain_graph, create_graph, inputs",
                        "What bolide.autograd.backward() calls.", kFunction),
      op<&run_grad>("_autograd_grad", "outputs, inputs, gradients, retain_graph, create_graph, allow_unused",
                    "What bolide.autograd.grad() calls.", kFunction),
      op<&require_grad>("requires_grad_", "input, requires_grad=True",
                        "Says whether backward() computes a gradient for this leaf.\n\nRaises: BolideError unless it "
                        "is a leaf of a floating-point or complex dtype.",
                        kMethod),
      op<&keep_grad>("retain_grad", "input", "Keeps .grad though it is no leaf.", kMethod),
      op<&detach_in_place>("detach_", "input", "Cuts off the history.", kMethod),
      op<&hook_on>("register_hook", "input, hook",
                   "Calls hook(gradient) when the gradient of this tensor is known; what it returns, unless None, "
                   "replaces it.\n\nReturns a handle with remove(). Reference: torch.Tensor.register_hook.",
                   kMethod),
      op<&post_hook_on>("register_post_accumulate_grad_hook", "input, hook",
                        "Calls hook(tensor) when backward() has added to the .grad of this leaf.\n\nReturns a handle "
                        "with remove().",
                        kMethod),
  };
}

}  // namespace bolide::python
