// autograd.h - reverse-mode differentiation with PyTorch's semantics.
//
// A tensor that came from a recorded op has a grad_fn, a Node; the node's edges lead to the nodes of the op's
// inputs, and leaves that want a gradient end in an accumulator. backward() walks them in order of depth, on
// the caller's thread, without recursion; freeing a graph does not recurse either.
//
// An op records itself with one call, whose closure is the backward formula in Tensor terms: what it captures
// is what is saved, and because its body is made of ops it can be differentiated again.
//
//   Tensor y = ...;
//   record("mm", y, {&a, &b}, [&] {
//     return [a = Saved(a), b = Saved(b)](const Tensor& g, Grads& grads) {
//       if (grads.needs(0)) grads[0] = mm(g, transpose(b.get(), 0, 1));
//       if (grads.needs(1)) grads[1] = mm(transpose(a.get(), 0, 1), g);
//     };
//   });
//
// A gradient may have the broadcast shape or another dtype: the engine brings it to the input's.
#pragma once
#include <array>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/tensor.h"

namespace bolide {

class Node;

struct Edge {
  Ref<Node> node;
  uint32_t output = 0;  // which output of that node
};

// What a gradient of an output has to look like.
struct OutputInfo {
  Dims sizes;
  DType dtype = DType::F32;
  Device device;
};

// The gradients of a node's inputs, to be filled in; an unset one means zero.
class BOLIDE_API Grads {
 public:
  explicit Grads(Node& node);
  bool needs(int input) const;
  Node* node() const { return &node_; }  // whose they are; for Saved::get
  Tensor& operator[](int input) { return values_[input]; }
  int count() const { return int(values_.size()); }
  std::span<Tensor> all() const { return values_; }

 private:
  Node& node_;
  std::span<Tensor> values_;
  std::array<Tensor, 4> inline_;
  std::vector<Tensor> heap_;
};

// Functions of the embedding language round a node's backward; see bindings/node_hooks.cpp.
class NodeHooks {
 public:
  virtual ~NodeHooks() = default;
  virtual void before(const Node& node, std::vector<Tensor>& outputs) = 0;  // may replace the outputs' gradients
  virtual void after(const Node& node, std::span<Tensor> inputs, std::span<const Tensor> outputs) = 0;  // the inputs'
};
class WeakTensor;

// What few nodes have.
struct NodeExtras {
  using Hook = std::function<void(std::vector<Tensor>& gradients)>;
  std::vector<std::pair<uint64_t, Hook>> tensor_hooks;  // on gradients of outputs, in order
  std::vector<std::pair<Ref<WeakTensor>, uint32_t>> retained;  // outputs that keep their .grad
  std::unique_ptr<NodeHooks> hooks;  // on the node
  std::string trace;  // anomaly mode: where forward made it,
  Ref<Node> parent;  // and whose backward
};

class BOLIDE_API Node : public Counted, public Pooled {
 public:
  using Hook = NodeExtras::Hook;

  explicit Node(const char* name, bool accumulator = false);
  virtual ~Node();
  static void destroy(Node* node);  // without recursion, however long the chain

  // g has one gradient per output, unset where none arrived.
  virtual void backward(std::span<const Tensor> g, Grads& grads) = 0;
  // Drops what was saved, if anything was: a second backward raises from then on.
  virtual void release() {}
  virtual bool is_accumulator() const { return false; }

  virtual bool is_custom() const { return false; }  // written in Python
  virtual void* foreign() const { return nullptr; }  // an object of the embedding language that it owns

  const char* name() const { return name_; }
  std::string display_name() const;  // "add" is shown as AddBackward0, as it is in PyTorch
  // Grows with creation, 0 for accumulators: a node's inputs always have lower numbers.
  int64_t sequence() const { return sequence_; }
  int edges() const { return edge_count_; }
  Edge& edge(int i) { return i < kInline ? inline_edges_[i] : more_edges_[i - kInline]; }
  const Edge& edge(int i) const { return const_cast<Node*>(this)->edge(i); }
  void add_edge(Edge edge);
  bool needs(int input) const { return bool(edge(input).node); }
  int outputs() const { return output_count_; }
  const OutputInfo& output(int i) const { return i ? more_outputs_[i - 1] : first_output_; }
  uint32_t add_output(const Tensor& t);
  void set_output(int i, const Tensor& t);  // of another shape now
  bool released() const { return released_; }
  void mark_released() { released_ = true; }
  uint64_t add_tensor_hook(Hook hook);  // sees and may replace the gradients of the outputs
  void remove_tensor_hook(uint64_t id);
  void run_tensor_hooks(std::vector<Tensor>& g);  // and keeps what is retained
  NodeExtras* extras() { return extras_.get(); }
  NodeExtras& make_extras();
  // backward(), after which what was saved is released unless it is kept. Threads and hooks may run a node while it
  // runs: the last of them releases.
  void run(std::span<const Tensor> g, Grads& grads, bool keep);

  std::atomic<void*> python{nullptr};  // the live Python object of this node, borrowed; for the bindings

 private:
  const char* name_;
  int64_t sequence_;
  Node* next_to_free_ = nullptr;
  std::atomic<int32_t> running_{0};
  bool released_ = false;
  static constexpr int kInline = 3;
  int edge_count_ = 0, output_count_ = 0;
  Edge inline_edges_[kInline];
  OutputInfo first_output_;
  std::vector<Edge> more_edges_;
  std::vector<OutputInfo> more_outputs_;
  std::unique_ptr<NodeExtras> extras_;
};

// Knows a tensor without owning it. lock() gives the tensor while it lives.
class WeakTensor : public Counted, public Pooled {
 public:
  explicit WeakTensor(TensorImpl* impl) : impl_(impl) {}
  static void destroy(WeakTensor* w) { delete w; }
  Tensor lock() const {
    std::lock_guard lock(mutex_);
    return impl_ ? Tensor(Ref<TensorImpl>::share(impl_)) : Tensor();
  }
  // The last owner lets go of the tensor. False if somebody has taken hold of it meanwhile and now owns it.
  bool forget() {
    std::lock_guard lock(mutex_);
    if (impl_->references.load() >= 2 && impl_->references.fetch_sub(1) != 1) return false;
    impl_ = nullptr;
    return true;
  }

 private:
  mutable std::mutex mutex_;
  TensorImpl* impl_;
};

struct AutogradMeta : Pooled {
  bool requires_grad = false;  // of a leaf
  bool retains_grad = false;  // of another: keep .grad
  Ref<Node> grad_fn;
  uint32_t output = 0;
  Ref<TensorImpl> grad;
  Ref<Node> accumulator;  // of a leaf; it knows the leaf without owning it
  Ref<WeakTensor> weak;  // how it and hooks know this tensor
  std::mutex mutex;  // of grad
  std::vector<std::pair<uint64_t, std::function<void(const Tensor&)>>> post_hooks;  // after accumulation
};

// What a hook made of a tensor to save, and how it gets it back.
class PackedTensor : public Counted {
 public:
  virtual ~PackedTensor() = default;
  virtual Tensor unpack() = 0;
  Edge edge;  // where the gradient of what is unpacked goes
  static void destroy(PackedTensor* p) { delete p; }
};
using PackHook = Ref<PackedTensor> (*)(const Tensor& t);
// Of this thread; null: tensors are saved as they are. Returns what it was.
BOLIDE_API PackHook set_pack_hook(PackHook hook);

// A tensor kept for backward. get() raises where it was changed in place since, or was already released.
class BOLIDE_API Saved {
 public:
  Saved() = default;
  explicit Saved(const Tensor& t);
  // The output of the node that saves it: kept without its history, which would be a cycle.
  static Saved output(const Tensor& t, uint32_t number = 0);  // which of its outputs
  Tensor get(Node* owner = nullptr) const;
  explicit operator bool() const { return tensor_ || packed_; }
  static uint64_t made();  // by this thread so far

 private:
  Tensor tensor_;
  Ref<PackedTensor> packed_;  // instead
  uint32_t version_ = 0, output_ = 0;
  bool is_output_ = false;
};

// Makes v, which shows a part of x, a view of x's base.
void link_view(const Tensor& v, const Tensor& x);
// Has the base of a view a history that the view does not know yet (an in-place op)?
bool is_view_with_new_history(const TensorImpl& view);

// ---- modes, per thread -------------------------------------------------------------------------------------
BOLIDE_API bool grad_enabled();
BOLIDE_API bool set_grad_enabled(bool enabled);  // returns what it was
BOLIDE_API bool inference_enabled();
BOLIDE_API bool set_inference_enabled(bool enabled);
// Every node notes where it was made, and gradients are searched for NaN: for the whole process.
struct AnomalyHooks {
  std::string (*trace)() = nullptr;  // the lines of the program that are being run
  void (*warn)(const std::string& text) = nullptr;
};
BOLIDE_API void set_anomaly_hooks(AnomalyHooks hooks);
BOLIDE_API void set_anomaly_mode(bool enabled, bool check_nan);
BOLIDE_API bool anomaly_enabled();
BOLIDE_API bool anomaly_checks_nan();
void warn_of_anomaly(Node& node);  // with the forward line of what went wrong in its backward
class GradMode {  // for a scope
 public:
  explicit GradMode(bool enabled) : before_(set_grad_enabled(enabled)) {}
  ~GradMode() { set_grad_enabled(before_); }
  GradMode(const GradMode&) = delete;

 private:
  bool before_;
};

// ---- tensors in graphs -------------------------------------------------------------------------------------
BOLIDE_API void set_requires_grad(const Tensor& t, bool requires_grad);
// `to` takes over storage, shape and dtype; its history, hooks and grad stay.
BOLIDE_API void set_data(const Tensor& to, const Tensor& from);
BOLIDE_API bool is_leaf(const Tensor& t);
BOLIDE_API Ref<Node> grad_fn(const Tensor& t);  // null for leaves
BOLIDE_API Tensor grad(const Tensor& t);  // unset where there is none
BOLIDE_API void set_grad(const Tensor& t, const Tensor& g);  // raises where shape, dtype or device differ
BOLIDE_API void retain_grad(const Tensor& t);
BOLIDE_API uint64_t add_hook(const Tensor& t, std::function<Tensor(const Tensor&)> hook);
BOLIDE_API void remove_hook(const Tensor& t, uint64_t id);
BOLIDE_API uint64_t add_post_accumulate_hook(const Tensor& t, std::function<void(const Tensor&)> hook);
BOLIDE_API void remove_post_accumulate_hook(const Tensor& t, uint64_t id);
BOLIDE_API int64_t live_nodes();
// The number of the backward that this thread is in, counted from 1; 0 outside. Does a gradient come to the node in it?
BOLIDE_API int64_t current_run();
BOLIDE_API bool current_run_reaches(const Ref<Node>& node);
BOLIDE_API Tensor accumulated_leaf(Node& accumulator);  // unset where it has gone

// Does some input want a gradient, here and now?
BOLIDE_API bool wants_grad(std::span<const Tensor* const> inputs);
inline bool wants_grad(std::initializer_list<const Tensor*> inputs) {
  return wants_grad(std::span<const Tensor* const>(inputs.begin(), inputs.size()));
}
BOLIDE_API Edge gradient_edge(const Tensor& t);  // null where t wants none
// A copy of the values that takes t's place in the graph: for ops that overwrite t and need it for their gradient.
Tensor copy_with_history(const Tensor& t);
// Makes `node` the history of the new tensor y.
BOLIDE_API void set_history(const Tensor& y, Ref<Node> node);
// Before an in-place op, which is going to be recorded or not: raises for a leaf that wants a gradient, a view of one,
// and views that must not be written to.
BOLIDE_API void check_inplace(const char* op, const Tensor& t, bool recorded = false);
BOLIDE_API void check_not_leaf(const char* op, const Tensor& t, bool recorded = false);  // its second half
// After it: raises the version, so that what saved the old values can tell.
BOLIDE_API void bump_version(const Tensor& t);
// The last step of detach_().
BOLIDE_API void forget_history(const Tensor& t);
// And then makes `node` (made after the version was raised) the history of t, or of the base whose view t is.
BOLIDE_API void set_inplace_history(const Tensor& t, Ref<Node> node);

template <class F>
class ClosureNode final : public Node {
 public:
  ClosureNode(const char* name, F f, bool saves) : Node(name), f_(std::move(f)), saves_(saves) {}
  void backward(std::span<const Tensor> g, Grads& grads) override {
    if constexpr (std::is_invocable_v<F&, std::span<const Tensor>, Grads&>) (*f_)(g, grads);
    else if (g[0]) (*f_)(g[0], grads);
  }
  void release() override {
    if (saves_) f_.reset(), mark_released();
  }

 private:
  std::optional<F> f_;  // gone after release
  const bool saves_;
};
// Edges may need nodes of their own (views of a changed base): they have to be made before the node that has them
// as inputs, since nodes run in the order of their numbers.
inline void make_edges(std::span<const Tensor* const> inputs) {
  for (const Tensor* t : inputs)
    if (*t && (*t)->base) gradient_edge(*t);
}
inline void make_edges(std::initializer_list<const Tensor*> inputs) {
  make_edges(std::span<const Tensor* const>(inputs.begin(), inputs.size()));
}
// make() gives the closure; whether it saves tensors shows in how many Saved it made.
template <class Make>
Ref<Node> make_node(const char* name, std::span<const Tensor* const> inputs, Make make) {
  const uint64_t saved_before = Saved::made();
  auto closure = make();
  const bool saves = Saved::made() != saved_before;
  make_edges(inputs);
  auto* node = new ClosureNode<decltype(closure)>(name, std::move(closure), saves);
  for (const Tensor* t : inputs) node->add_edge(*t ? gradient_edge(*t) : Edge{});
  return Ref<Node>::steal(node);
}
template <class Make>
Ref<Node> make_node(const char* name, std::initializer_list<const Tensor*> inputs, Make make) {
  return make_node(name, std::span<const Tensor* const>(inputs.begin(), inputs.size()), make);
}
// The way for an op with one output to record itself; see the head of this file. make() gives the closure, and is
// called only where some input wants a gradient.
template <class Make>
void record(const char* name, const Tensor& y, std::initializer_list<const Tensor*> inputs, Make make) {
  if (wants_grad(inputs)) set_history(y, make_node(name, inputs, make));
}
// The same for one with several outputs: the closure takes all their gradients, g[i] for outputs[i], unset where none
// arrived.
template <class Make>
void record_many(const char* name, std::initializer_list<const Tensor*> outputs,
                 std::initializer_list<const Tensor*> inputs, Make make) {
  if (!wants_grad(inputs)) return;
  const Ref<Node> node = make_node(name, inputs, make);
  for (const Tensor* y : outputs) set_history(*y, node);
}
// And for one that gives several views of x: make() gives a closure of all their gradients, g[i] for outputs[i].
template <class Closure>
class PartsNode final : public Node {
 public:
  PartsNode(const char* name, Closure f) : Node(name), f_(std::move(f)) {}
  void backward(std::span<const Tensor> g, Grads& grads) override {
    if (grads.needs(0)) grads[0] = f_(g);
  }

 private:
  Closure f_;
};
template <class Closure>
void record_parts(const char* name, std::span<const Tensor> outputs, const Tensor& x, Closure closure) {
  if (!wants_grad({&x})) return;
  make_edges({&x});
  auto node = Ref<Node>::steal(new PartsNode<Closure>(name, std::move(closure)));
  node->add_edge(gradient_edge(x));
  for (const Tensor& y : outputs) set_history(y, node);
}

// ---- running -----------------------------------------------------------------------------------------------
struct BackwardOptions {
  bool retain_graph = false, create_graph = false;
};
// Gradients into the .grad of leaves (of `inputs` only, if there are any).
BOLIDE_API void backward(std::span<const Tensor> outputs, std::span<const Tensor> gradients,
                         BackwardOptions options = {}, std::span<const Tensor> inputs = {});
// Gradients of `inputs`, returned; unset where an output does not depend on it (raises unless allow_unused).
BOLIDE_API std::vector<Tensor> gradients_of(std::span<const Tensor> outputs, std::span<const Tensor> inputs,
                                            std::span<const Tensor> gradients, BackwardOptions options,
                                            bool allow_unused);

}  // namespace bolide
