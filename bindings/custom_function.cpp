// custom_function.cpp - autograd.Function: ops whose forward and backward are written in Python.
//
// apply() runs forward without recording and makes a FunctionNode whose backward calls the class's backward. The
// context object is owned by the node and knows it without owning it.
#include <set>
#include <string>

#include "bindings/convert.h"
#include "bindings/module.h"
#include "runtime/autograd.h"

namespace py = pybind11;

namespace bolide::python {
namespace {

struct Context {
  py::object to_save = py::tuple(), dirty = py::tuple(), non_differentiable = py::tuple();
  py::object needs_input_grad = py::tuple();
  bool materialize = true, released = false, has_saved = false;
  std::vector<Saved> saved;
  Node* node = nullptr;
};

py::tuple saved_tensors(const Context& c) {
  if (!c.has_saved) return py::tuple(c.to_save);  // still in forward
  if (c.released)
    raise(
        ErrorKind::Runtime, "backward", "a graph that is still there",
        "one whose saved tensors were freed by an earlier backward",
        "Trying to backward through the graph a second time (or directly access saved tensors after they have already "
        "been freed); give the first one retain_graph=True.");
  py::tuple out(c.saved.size());
  for (size_t i = 0; i < c.saved.size(); i++) out[i] = py::reinterpret_steal<py::object>(wrap(c.saved[i].get(c.node)));
  return out;
}

// A node's name has to outlive the node, and a class may be renamed.
const char* lasting_name(const std::string& name) {
  static auto* names = new std::set<std::string>;
  return names->insert(name + "Backward").first->c_str();
}

class FunctionNode final : public Node {
 public:
  FunctionNode(const char* name, py::object type, py::object context)
      : Node(name), type_(type.release().ptr()), context_(context.release().ptr()),
        shared_(py::cast<Context*>(py::handle(context_))) {}
  ~FunctionNode() override {
    shared().node = nullptr;
    drop_reference(context_);
    drop_reference(type_);
  }
  bool is_custom() const override { return true; }
  void* foreign() const override { return context_; }
  void set_inputs(const std::vector<bool>& is_tensor) { is_tensor_ = is_tensor; }
  // An output of forward; `place` is its number among the differentiable ones, or -1.
  void add_result(const Tensor& t, int place) {
    results_.push_back(t ? OutputInfo{t.sizes(), t.dtype(), t.device()} : OutputInfo{});
    has_result_.push_back(bool(t));
    places_.push_back(place);
  }

  void backward(std::span<const Tensor> g, Grads& grads) override {
    py::gil_scoped_acquire gil;
    const py::object f = py::handle(type_).attr("backward");
    py::tuple arguments(results_.size() + 1);
    arguments[0] = py::reinterpret_borrow<py::object>(context_);
    for (size_t i = 0; i < results_.size(); i++)
      arguments[i + 1] = py::reinterpret_steal<py::object>(wrap(gradient_at(i, g)));
    const py::object result = py::reinterpret_steal<py::object>(
        without_unwinding([&] { return PyObject_Call(f.ptr(), arguments.ptr(), nullptr); }));
    if (!result) throw py::error_already_set();
    if (py::isinstance<py::tuple>(result)) take(py::reinterpret_borrow<py::tuple>(result), grads);
    else take(py::make_tuple(result), grads);
  }
  void release() override {
    Context& c = shared();
    if (c.saved.empty()) return;
    c.saved.clear(), c.released = true;
    mark_released();
  }

 private:
  Context& shared() const { return *shared_; }
  Tensor gradient_at(size_t i, std::span<const Tensor> g) const {
    if (!has_result_[i]) return {};
    if (places_[i] >= 0 && g[size_t(places_[i])]) return g[size_t(places_[i])];
    return shared().materialize ? zeros(results_[i].sizes, {results_[i].dtype, results_[i].device}) : Tensor();
  }
  void take(const py::tuple& result, Grads& grads) const {
    const size_t inputs = is_tensor_.size();
    for (size_t i = 0; i < std::max(result.size(), inputs); i++) {
      const bool there = i < result.size() && !result[i].is_none();
      if (i >= result.size() || (i >= inputs && there))
        raise(ErrorKind::Runtime, name(), str("a gradient or None from backward for each of ", inputs, " inputs"),
              str(result.size()), str("Function ", name(), " returned an incorrect number of gradients."));
      if (!there) continue;
      PyObject* one = py::object(result[i]).ptr();
      if (!is_tensor_[i])
        raise(ErrorKind::Runtime, name(), str("None as gradient of input ", i, ", which is no tensor"), type_name(one));
      if (!is_tensor(one)) raise(ErrorKind::Type, name(), "a Tensor or None as gradient", type_name(one));
      if (!grads.needs(int(i))) continue;
      check_shape(i, unwrap(one));
      grads[int(i)] = unwrap(one);
    }
  }
  // What broadcasting made larger is summed by the engine; anything else is an error of the Function.
  void check_shape(size_t i, const Tensor& g) const {
    const Edge& to = edge(int(i));
    const Dims &wanted = to.node->output(int(to.output)).sizes, &got = g.sizes();
    bool fits = got.rank() >= wanted.rank();
    for (int d = 0; d < wanted.rank() && fits; d++) {
      const int64_t own = wanted[d];
      fits = own == 1 || own == got[d + got.rank() - wanted.rank()];
    }
    if (!fits)
      raise(ErrorKind::Shape, name(), str("a gradient of shape ", wanted.text(), " for input ", i), got.text(),
            str("Function ", name(), " returned an invalid gradient at index ", i, "."));
  }

  PyObject *type_, *context_;
  Context* shared_;  // in context_
  std::vector<bool> is_tensor_, has_result_;
  std::vector<OutputInfo> results_;
  std::vector<int> places_;
};

// One call of Function.apply().
class Application {
 public:
  Application(py::object type, py::args arguments, py::kwargs keywords)
      : type_(std::move(type)), arguments_(std::move(arguments)), keywords_(std::move(keywords)),
        context_(py::cast(Context())), shared_(context_.cast<Context&>()) {}

  py::object run() {
    find_inputs();
    py::object result = forward();
    const bool many = py::isinstance<py::tuple>(result);
    if (!many && !is_tensor(result.ptr())) return result;  // nothing to record
    py::list outputs = many ? py::list(result) : py::list();
    if (!many) outputs.append(result);
    check_dirty(outputs);
    if (wants_) record_all(outputs);
    else finish_unrecorded(outputs);
    // The context must not hold its own outputs: that would be a cycle.
    shared_.dirty = shared_.non_differentiable = shared_.to_save = py::tuple();
    return many ? py::object(py::tuple(outputs)) : py::object(outputs[0]);
  }

 private:
  std::string plain_name() const { return std::string(py::str(type_.attr("__name__"))); }
  const char* name() const { return lasting_name(plain_name()); }

  void find_inputs() {
    py::tuple needs(arguments_.size());
    for (size_t i = 0; i < arguments_.size(); i++) {
      PyObject* o = py::object(arguments_[i]).ptr();
      is_tensor_.push_back(is_tensor(o));
      inputs_.push_back(is_tensor_[i] ? unwrap(o) : Tensor());
      const Tensor* t = &inputs_[i];
      const bool need = is_tensor_[i] && wants_grad({t});
      needs[i] = py::bool_(need);
      wants_ |= need;
    }
    shared_.needs_input_grad = needs;
  }
  // Without a record, an input that comes back is still a tensor of its own.
  void finish_unrecorded(py::list& outputs) {
    for (py::handle t : shared_.dirty) bump_version(unwrap(t.ptr()));
    if (!grad_enabled()) return;
    for (size_t i = 0; i < outputs.size(); i++) {
      const py::object one = outputs[i];
      if (!is_tensor(one.ptr()) || contains(shared_.dirty, unwrap(one.ptr())) || !is_input(unwrap(one.ptr()))) continue;
      outputs[i] = py::reinterpret_steal<py::object>(wrap(as_view(unwrap(one.ptr()), ViewKind::Custom)));
    }
  }
  void check_dirty(const py::list& outputs) {
    for (py::handle t : shared_.dirty)
      if (!contains(outputs, unwrap(t.ptr())))
        raise(ErrorKind::Runtime, name(), "tensors marked dirty among the outputs", "one that is not returned",
              "Some elements marked as dirty during the forward method were not returned as output.");
  }
  // A view of what an input shows that in-place ops with autograd refuse: they would override the Function's backward.
  static Tensor as_view(const Tensor& t, ViewKind kind) {
    Tensor v = alias(t);
    v->base = t->base ? t->base : t.ref();
    v->generation = v->base->generation, v->view_kind = kind;
    return v;
  }
  py::object forward() {
    GradMode mode(false);
    const py::object setup = py::getattr(type_, "setup_context", py::none());
    const bool separate = !setup.is_none() && !py::hasattr(setup, "_is_default");
    const py::object function = type_.attr("forward");
    if (!separate) return without_unwinding([&] { return py::object(function(context_, *arguments_, **keywords_)); });
    py::object result = without_unwinding([&] { return py::object(function(*arguments_)); });
    without_unwinding([&] { setup(context_, py::tuple(arguments_), result); });
    return result;
  }

  static bool contains(const py::object& group, const Tensor& t) {
    for (py::handle one : group)
      if (is_tensor(one.ptr()) && unwrap(one.ptr()).same(t)) return true;
    return false;
  }
  bool is_input(const Tensor& t) const {
    for (const Tensor& input : inputs_)
      if (input && input.same(t)) return true;
    return false;
  }

  void record_all(py::list& outputs) {
    std::vector<const Tensor*> pointers;
    for (const Tensor& t : inputs_) pointers.push_back(&t);
    for (py::handle t : shared_.dirty) check_inplace(name(), unwrap(t.ptr()), true);
    make_edges(pointers);
    for (py::handle t : shared_.dirty) bump_version(unwrap(t.ptr()));
    auto* made = new FunctionNode(name(), type_, context_);
    const Ref<Node> node = Ref<Node>::steal(made);
    shared_.node = made;
    for (const Tensor& t : inputs_) node->add_edge(t ? gradient_edge(t) : Edge{});
    made->set_inputs(is_tensor_);

    outputs_ = outputs.size();
    TensorList before, after;
    for (size_t i = 0; i < outputs.size(); i++) {
      const py::object one = outputs[i];
      if (!is_tensor(one.ptr())) {
        made->add_result({}, -1);
        continue;
      }
      before.push_back(unwrap(one.ptr()));
      after.push_back(record_one(before.back(), node, *made));
      if (!after.back().same(before.back())) outputs[i] = py::reinterpret_steal<py::object>(wrap(after.back()));
      track(py::object(outputs[i]).ptr());  // the ctx may refer to it
    }
    save(before, after);
  }
  Tensor record_one(const Tensor& t, const Ref<Node>& node, FunctionNode& made) {
    if (contains(shared_.dirty, t)) {
      made.add_result(t, node->outputs());
      set_inplace_history(t, node);
      return t;
    }
    // A result that is an input, a view or has a history already becomes a tensor of its own.
    const bool shares = is_input(t) || t->base;
    const Tensor out = shares              ? as_view(t, outputs_ > 1 ? ViewKind::Parts : ViewKind::Custom)
                       : t.requires_grad() ? alias(t)
                                           : t;
    if (!is_differentiable(t.dtype()) || contains(shared_.non_differentiable, t)) {
      made.add_result(out, -1);
      return out;
    }
    made.add_result(out, node->outputs());
    set_history(out, node);
    return out;
  }
  void save(const TensorList& before, const TensorList& after) {
    for (py::handle one : shared_.to_save) {
      if (one.is_none()) {
        shared_.saved.emplace_back();
        continue;
      }
      const Tensor& t = unwrap(one.ptr());
      const size_t at = size_t(std::find_if(before.begin(), before.end(), [&](const Tensor& o) { return o.same(t); }) -
                               before.begin());
      const bool is_output = at < before.size() && after[at]->autograd && !is_leaf(after[at]);
      shared_.saved.push_back(is_output ? Saved::output(after[at]) : Saved(t));
    }
    shared_.has_saved = true;
  }

  py::object type_;
  py::args arguments_;
  py::kwargs keywords_;
  py::object context_;
  Context& shared_;
  std::vector<bool> is_tensor_;
  TensorList inputs_;
  size_t outputs_ = 0;
  bool wants_ = false;
};

py::tuple checked_tensors(const char* op, const py::args& tensors, bool none_allowed) {
  for (py::handle t : tensors)
    if (!is_tensor(t.ptr()) && !(none_allowed && t.is_none()))
      raise(ErrorKind::Type, op, none_allowed ? "Tensors or None" : "Tensors", type_name(t.ptr()));
  return py::tuple(tensors);
}

}  // namespace

void add_custom_function(py::module_& m) {
  py::class_<Context>(m, "FunctionCtx", py::dynamic_attr(),
                      "What forward() and backward() of an autograd.Function share; takes any attributes.")
      .def(
          "save_for_backward",
          [](Context& c, const py::args& t) { c.to_save = checked_tensors("save_for_backward", t, true); },
          "Keeps inputs or outputs for backward(), where saved_tensors has them.")
      .def(
          "save_for_forward", [](Context&, const py::args& t) { checked_tensors("save_for_forward", t, true); },
          "For forward-mode derivatives, which bolide does not have: nothing is kept.")
      .def(
          "mark_dirty", [](Context& c, const py::args& t) { c.dirty = checked_tensors("mark_dirty", t, false); },
          "Says which inputs forward() changed in place.")
      .def(
          "mark_non_differentiable",
          [](Context& c, const py::args& t) {
            c.non_differentiable = checked_tensors("mark_non_differentiable", t, false);
          },
          "Says which outputs have no gradient.")
      .def(
          "set_materialize_grads", [](Context& c, bool value) { c.materialize = value; }, py::arg("value"),
          "Whether backward() gets zeros (True) or None for outputs without gradient.")
      .def_property_readonly("saved_tensors", &saved_tensors, "What save_for_backward() was given.")
      .def_readonly("needs_input_grad", &Context::needs_input_grad, "Which inputs want a gradient.");
  m.def(
      "_apply_function",
      [](py::object type, py::args arguments, py::kwargs keywords) {
        return Application(std::move(type), std::move(arguments), std::move(keywords)).run();
      },
      "What autograd.Function.apply() calls.");
}

}  // namespace bolide::python
