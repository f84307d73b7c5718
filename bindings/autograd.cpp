// autograd.cpp - backward(), grad(), the modes, and nodes of the graph as Python sees them.
#include "runtime/autograd.h"

#include "bindings/autograd_hooks.h"
#include "bindings/module.h"
#include "bindings/node_type.h"
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
  if (by.empty()) raise(ErrorKind::Value, "grad", "at least one input", "none", "`inputs` cannot be empty.");
  TensorList given = optional_list(gradients);
  if (given.empty()) given.resize(of.size());
  TensorList found = gradients_of(of, by, given, options_of(retain_graph, create_graph), allow_unused);
  check_signals();
  return found;
}

// ---- tensors -------------------------------------------------------------------------------------------------
void require_grad(const Tensor& t, bool requires_grad) { set_requires_grad(t, requires_grad); }
PyObject* keep_grad(const Tensor& t) {
  if (!t.requires_grad())
    raise(ErrorKind::Runtime, "retain_grad", "a tensor that requires grad", str(describe(t), ", which does not"),
          "Can't retain_grad on Tensor that has requires_grad=False.");
  retain_grad(t);
  return Py_NewRef(Py_None);
}
PyObject* hook_on(PyObject* self, PyObject* hook) { return register_hook(self, hook); }
PyObject* post_hook_on(PyObject* self, PyObject* hook) { return register_post_hook(self, hook); }
void detach_in_place(const Tensor& t) { forget_history(t); }
bool made_in_inference(const Tensor& t) { return t->inference; }

// ---- anomalies -----------------------------------------------------------------------------------------------
std::string forward_trace() {
  py::gil_scoped_acquire gil;
  const py::list lines = py::module_::import("traceback").attr("format_stack")();
  return py::str("").attr("join")(lines).cast<std::string>();
}
void warn_user(const std::string& text) {
  py::gil_scoped_acquire gil;
  PyObject *type, *value, *traceback;  // it may come while an error of Python is on its way
  PyErr_Fetch(&type, &value, &traceback);
  if (PyErr_WarnEx(PyExc_UserWarning, text.c_str(), 1) < 0) PyErr_WriteUnraisable(nullptr);
  PyErr_Restore(type, value, traceback);
}

// ---- saved tensors through hooks ------------------------------------------------------------------------------
struct PackHooks {
  py::object pack, unpack;
  std::string refusal;  // nobody may save with hooks here: why
};
std::vector<PackHooks>& pack_hooks() {
  static thread_local std::vector<PackHooks> stack;
  return stack;
}
class PythonPacked final : public PackedTensor {
 public:
  PythonPacked(py::object packed, py::object unpack)
      : packed_(packed.release().ptr()), unpack_(unpack.release().ptr()) {}
  ~PythonPacked() override { drop_reference(packed_), drop_reference(unpack_); }
  Tensor unpack() override {
    py::gil_scoped_acquire gil;
    const py::object found =
        py::reinterpret_steal<py::object>(without_unwinding([&] { return PyObject_CallOneArg(unpack_, packed_); }));
    if (!found) throw py::error_already_set();
    if (!is_tensor(found.ptr()))
      raise(ErrorKind::Type, "saved_tensors_hooks", "a Tensor from unpack_hook", type_name(found.ptr()));
    return unwrap(found.ptr());
  }

 private:
  PyObject *packed_, *unpack_;
};
Ref<PackedTensor> pack_with_python(const Tensor& t) {
  py::gil_scoped_acquire gil;
  const PackHooks hooks = pack_hooks().back();
  const PackHook before = set_pack_hook(nullptr);  // what the hook computes is saved as it is
  struct Restore {
    PackHook hook;
    ~Restore() { set_pack_hook(hook); }
  } restore{before};
  GradMode off(false);
  const py::object argument = py::reinterpret_steal<py::object>(wrap(t->autograd ? alias(t) : t));
  const uint32_t version = t.version();
  const py::object packed = py::reinterpret_steal<py::object>(
      without_unwinding([&] { return PyObject_CallOneArg(hooks.pack.ptr(), argument.ptr()); }));
  if (!packed) throw py::error_already_set();
  check(t.version() == version, ErrorKind::Runtime, "saved_tensors_hooks",
        "a pack_hook that leaves its tensor as it is",
        [] { return std::string("one that changed it: A saved tensor pack hook is modifying its input in place"); });
  return Ref<PackedTensor>::steal(new PythonPacked(packed, hooks.unpack));
}
void push_pack_hooks(py::object pack, py::object unpack) {
  for (PyObject* f : {pack.ptr(), unpack.ptr()})
    if (!PyCallable_Check(f)) throw Mismatch{f, "a callable"};
  for (const PackHooks& h : pack_hooks())
    if (!h.refusal.empty()) raise(ErrorKind::Runtime, "saved_tensors_hooks", "no hooks here", "some", h.refusal);
  pack_hooks().push_back({std::move(pack), std::move(unpack), {}});
  set_pack_hook(pack_with_python);
}
void refuse_pack_hooks(std::string message) {
  for (const PackHooks& h : pack_hooks())
    if (h.refusal.empty()) raise(ErrorKind::Runtime, "disable_saved_tensors_hooks", "no hooks in use", "some", message);
  pack_hooks().push_back({{}, {}, std::move(message)});
}
void pop_pack_hooks() {
  pack_hooks().pop_back();
  const bool any = !pack_hooks().empty() && pack_hooks().back().refusal.empty();
  set_pack_hook(any ? pack_with_python : nullptr);
}

}  // namespace

void add_autograd(py::module_& m) {
  add_node_type(m);
  set_anomaly_hooks({forward_trace, warn_user});
  m.def("_increment_version", &bump_version, py::arg("tensor"));
  m.def("_set_anomaly_mode", &set_anomaly_mode, py::arg("enabled"), py::arg("check_nan"));
  m.def("_anomaly_mode", [] { return py::make_tuple(anomaly_enabled(), anomaly_checks_nan()); });
  m.def("_push_pack_hooks", &push_pack_hooks, py::arg("pack"), py::arg("unpack"));
  m.def("_refuse_pack_hooks", &refuse_pack_hooks, py::arg("message"));
  m.def("_pop_pack_hooks", &pop_pack_hooks);
  m.def(
      "_gradient_edge",
      [](const Tensor& t) {
        const Edge edge = gradient_edge(t);
        return py::make_tuple(py::reinterpret_steal<py::object>(node_to_python(edge.node)), edge.output);
      },
      py::arg("tensor"), "The node and the number of its output that a tensor's gradient comes to.");
  m.def("_set_grad_enabled", &set_grad_enabled, py::arg("enabled"), "Sets the mode and returns what it was.");
  m.def("_set_inference_enabled", &set_inference_enabled, py::arg("enabled"), "Sets the mode and returns what it was.");
  m.def("is_grad_enabled", &grad_enabled, "Do ops record themselves for backward()?");
  m.def("is_inference_mode_enabled", &inference_enabled, "Is this inference mode?");
  m.def("_current_run", &current_run, "The number of the backward() that runs, 0 for none.");
  m.def(
      "_run_reaches",
      [](const py::object& node) {
        if (!is_node(node.ptr())) throw py::type_error("[_run_reaches] expected a Node.");
        return current_run_reaches(node_of(node.ptr()));
      },
      py::arg("node"), "Does the backward() that runs bring a gradient to this node?");
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
      op<&detach_in_place>("detach_", "input",
                           "Cuts off the history.\n\nRaises: BolideError for a view. Reference: torch.Tensor.detach_.",
                           kMethod),
      op<&made_in_inference>("is_inference", "input", "Was it made in inference mode?"),
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
