// module.cpp - the extension module bolide._C: the op table, the types, and what pybind11 binds beside them.
#include "bindings/module.h"

#include <deque>
#include <limits>
#include <numbers>

#include "bindings/creation.h"
#include "bindings/operators.h"
#include "bindings/ops_table.h"
#include "bindings/overrides.h"
#include "bindings/properties.h"

namespace py = pybind11;

namespace bolide::python {
namespace {

// Rows stand here for the life of the process: CPython keeps pointers to their names and docstrings.
const std::vector<Op>& table() {
  static const std::vector<Op>* all = [] {
    auto* rows = new std::vector<Op>;
    for (auto group : {elementwise_rows, composed_rows,  pointwise_rows, rare_rows,     statistics_rows, view_copy_rows,
                       complex_rows,     reduction_rows, scan_rows,      fft_rows,      sorting_rows,    shape_rows,
                       copy_rows,        product_rows,   linalg_rows,    network_rows,  creation_rows,   random_rows,
                       indexing_rows,    interop_rows,   autograd_rows,  pickling_rows, override_rows}) {
      std::vector<Op> more = group();
      rows->insert(rows->end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    }
    return rows;
  }();
  return *all;
}

// The docstring, with the signature in front in the form that inspect.signature() and help() read.
const char* doc_with_signature(const Op& op, bool method) {
  static auto* texts = new std::deque<std::string>;
  if (op.arguments.find(" | ") != std::string::npos) return op.doc.c_str();
  std::string arguments = op.arguments;
  if (const size_t dots = arguments.find("..."); dots != std::string::npos) {
    const size_t start = arguments.rfind(' ', dots) == std::string::npos ? 0 : arguments.rfind(' ', dots) + 1;
    arguments = arguments.substr(0, start) + "*" + arguments.substr(start, dots - start) + arguments.substr(dots + 3);
    if (const size_t star = arguments.find(", *, "); star != std::string::npos) arguments.erase(star, 3);
  }
  if (method) arguments = "$self" + arguments.substr(std::min(arguments.find(','), arguments.size()));
  else arguments = arguments.empty() ? "$module" : "$module, " + arguments;
  return texts->emplace_back(op.name + "(" + arguments + ")\n--\n\n" + op.doc).c_str();
}
PyMethodDef definition(const Op& op, _PyCFunctionFastWithKeywords f, bool method) {
  return {op.name.c_str(), reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f)),
          METH_FASTCALL | METH_KEYWORDS, doc_with_signature(op, method)};
}

// In-place methods stand in the module too, as in PyTorch: bolide.relu_(x).
bool is_in_place(const Op& op) { return op.where == kMethod && op.name.ends_with('_') && !op.name.ends_with("__"); }
void add_in_place_functions(py::module_& m) {
  const py::object tensor = m.attr("Tensor");
  for (const Op& op : table())
    if (is_in_place(op)) m.attr(op.name.c_str()) = tensor.attr(op.name.c_str());
}

// Functions and methods of the table; with two rows of one name and place the first counts.
void split_table(std::vector<PyMethodDef>& functions, std::vector<PyMethodDef>& methods) {
  for (const Op& op : table()) {
    if (op.prepare) op.prepare(op.name.c_str(), op.arguments.c_str());
    if (op.where != kMethod) functions.push_back(definition(op, op.function, false));
    if (op.where != kFunction) methods.push_back(definition(op, op.method, true));
  }
  functions.push_back({}), methods.push_back({});
}

// An attribute that is a tensor: a subclass may answer.
PyObject* tensor_attribute(PyObject* self, void* closure) {
  const auto& property = *static_cast<const Property*>(closure);
  PyObject* answer = nullptr;
  if (overriding && ask_class_of(answer, property.name, self)) [[unlikely]]
    return answer;
  return property.get(self, nullptr);
}
std::vector<PyGetSetDef> properties() {
  std::vector<PyGetSetDef> out = {{"__dict__", get_dict, set_dict, "Attributes set from Python.", nullptr}};
  for (const Property& p : tensor_properties()) {
    const bool is_tensor = std::string_view(p.type).starts_with("Tensor");
    out.push_back({p.name, is_tensor ? tensor_attribute : p.get, p.set, p.doc, const_cast<Property*>(&p)});
  }
  out.push_back({});
  return out;
}

// What type checkers and editors read: the text of functions and of the class Tensor, from the same table.
std::string stub_text() {
  std::string functions, tensor = "class Tensor:\n    def __init__(self, data: Any = ...) -> None: ...\n";
  for (const Property& p : tensor_properties()) {
    tensor += std::string("    @property\n    def ") + p.name + "(self) -> " + p.type + ": ...\n";
    if (p.set)
      tensor += std::string("    @") + p.name + ".setter\n    def " + p.name + "(self, value: Any) -> None: ...\n";
  }
  for (const Op& op : table()) {
    if (op.where != kMethod || is_in_place(op)) functions += op.stub(op.name.c_str(), false);
    if (op.where != kFunction) tensor += op.stub(op.name.c_str(), true);
  }
  return tensor + "\n" + functions;
}

}  // namespace
}  // namespace bolide::python

PYBIND11_MODULE(_C, m, py::mod_gil_used()) {
  using namespace bolide::python;
  m.doc() = "The compiled part of bolide.";
  add_errors(m.ptr());
  add_dtype_device(m.ptr());

  static std::vector<PyMethodDef> functions, methods;
  static std::vector<PyGetSetDef> attributes = properties();
  split_table(functions, methods);
  std::vector<PyType_Slot> slots = operator_slots();
  for (auto group : {indexing_slots, buffer_slots})
    for (const PyType_Slot& slot : group()) slots.push_back(slot);
  make_tensor_type(m.ptr(), methods.data(), attributes.data(), slots);
  finish_type();
  m.attr("Tensor") = py::handle(reinterpret_cast<PyObject*>(tensor_type));
  if (PyModule_AddFunctions(m.ptr(), functions.data()) < 0) throw py::error_already_set();
  add_in_place_functions(m);

  add_hooks(m);
  add_autograd(m);
  add_custom_function(m);
  add_printing(m);
  add_random(m);
  add_services(m);
  add_overrides(m);
  m.attr("__version__") = BOLIDE_VERSION;
  m.attr("inf") = std::numeric_limits<double>::infinity();
  m.attr("nan") = std::numeric_limits<double>::quiet_NaN();
  m.attr("pi") = std::numbers::pi;
  m.attr("e") = std::numbers::e;
  m.def("_stub_text", &stub_text, "Stubs of the op table and of Tensor.");
  install_gil_hooks();
}
