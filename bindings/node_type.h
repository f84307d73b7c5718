// node_type.h - Node, what tensor.grad_fn is in Python: a node of the graph that backward() walks.
//
// A node has at most one object, made when it is asked for and of a type with the node's name (AddBackward0), as
// programs that draw graphs expect. Hooks and metadata belong to the node and outlive the object; the garbage
// collector reaches them through the object, or through the tensor whose node it is.
#pragma once
#include <pybind11/pybind11.h>

#include "runtime/autograd.h"

namespace bolide::python {

PyObject* node_to_python(const Ref<Node>& node);  // a new reference; None for no node
bool is_node(PyObject* o);
const Ref<Node>& node_of(PyObject* o);
void add_node_type(pybind11::module_& module);

// What the node owns in Python, for the garbage collector, where nothing else owns the node.
int visit_node(const Node& node, visitproc visit, void* arg);

// Functions called round a node's backward: dicts {id: function}, made when first needed.
struct PythonNodeHooks final : NodeHooks {
  PyObject *before_hooks = nullptr, *after_hooks = nullptr, *metadata = nullptr;
  ~PythonNodeHooks() override;
  void before(const Node& node, std::vector<Tensor>& outputs) override;
  void after(const Node& node, std::span<Tensor> inputs, std::span<const Tensor> outputs) override;
  static PythonNodeHooks& of(Node& node);
};

}  // namespace bolide::python
