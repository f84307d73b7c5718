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

 private:
  Node& node_;
  std::span<Tensor> values_;
  std::array<Tensor, 4> inline_;
  std::vector<Tensor> heap_;
};

class BOLIDE_API Node : public Counted, public Pooled {
 public:
  using Hook = std::function<void(std::vector<Tensor>& gradients)>;

  explicit Node(const char* name, bool accumulator = false);
  virtual ~Node();
  static void destroy(Node* node);  // without recursion, however long the chain

  // g has one gradient per output, unset where none arrived.
  virtual void backward(std::span<const Tensor> g, Grads& grads) = 0;
  // Drops what was saved, if anything was: a second backward raises from then on.
  virtual void release() {}
  virtual bool is_accumulator() const { return false; }

  const char* name() const { return name_; }
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
  bool released() const { return released_; }
  void mark_released() { released_ = true; }
  uint64_t add_pre_hook(Hook hook);  // sees and may replace the gradients of the outputs
  void remove_pre_hook(uint64_t id);
  void run_pre_hooks(std::vector<Tensor>& g);

 private:
  const char* name_;
  int64_t sequence_;
  Node* next_to_free_ = nullptr;
  bool released_ = false;
  static constexpr int kInline = 3;
  int edge_count_ = 0, output_count_ = 0;
  Edge inline_edges_[kInline];
  OutputInfo first_output_;
  std::vector<Edge> more_edges_;
  std::vector<OutputInfo> more_outputs_;
  std::unique_ptr<std::vector<std::pair<uint64_t, Hook>>> hooks_;
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
  bool requires_grad = false;        // of a leaf
  bool retains_grad = false;         // of another: keep .grad
  Ref<Node> grad_fn;
  uint32_t output = 0;
  uint32_t generation = 0;           // of a base: raised when an in-place op gives it a new history;
                                     // of a view: which one of the base its grad_fn belongs to
  Ref<TensorImpl> grad;
  Ref<Node> accumulator;             // of a leaf; it knows the leaf without owning it
  Ref<WeakTensor> weak;              // how it and hooks know this tensor
  std::mutex mutex;                  // of grad
  std::vector<std::pair<uint64_t, std::function<void(const Tensor&)>>> post_hooks;  // after accumulation
};

// A tensor kept for backward. get() raises where it was changed in place since, or was already released.
class BOLIDE_API Saved {
 public:
  Saved() = default;
  explicit Saved(const Tensor& t);
  // The output of the node that saves it: kept without its history, which would be a cycle.
  static Saved output(const Tensor& t);
  Tensor get(Node* owner = nullptr) const;
  explicit operator bool() const { return bool(tensor_); }
  static uint64_t made();  // by this thread so far

 private:
  Tensor tensor_;
  uint32_t version_ = 0;
  bool is_output_ = false;
};

// Has the base of a view a history that the view does not know yet (an in-place op)?
bool is_view_with_new_history(const TensorImpl& view);

// ---- modes, per thread -------------------------------------------------------------------------------------
BOLIDE_API bool grad_enabled();
BOLIDE_API bool set_grad_enabled(bool enabled);      // returns what it was
BOLIDE_API bool inference_enabled();
BOLIDE_API bool set_inference_enabled(bool enabled);
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
BOLIDE_API Ref<Node> grad_fn(const Tensor& t);       // null for leaves
BOLIDE_API Tensor grad(const Tensor& t);             // unset where there is none
BOLIDE_API void set_grad(const Tensor& t, const Tensor& g);  // raises where shape, dtype or device differ
BOLIDE_API void retain_grad(const Tensor& t);
BOLIDE_API uint64_t add_hook(const Tensor& t, std::function<Tensor(const Tensor&)> hook);
BOLIDE_API void remove_hook(const Tensor& t, uint64_t id);
BOLIDE_API uint64_t add_post_accumulate_hook(const Tensor& t, std::function<void(const Tensor&)> hook);
BOLIDE_API void remove_post_accumulate_hook(const Tensor& t, uint64_t id);
BOLIDE_API int64_t live_nodes();

// Does some input want a gradient, here and now?
BOLIDE_API bool wants_grad(std::span<const Tensor* const> inputs);
inline bool wants_grad(std::initializer_list<const Tensor*> inputs) {
  return wants_grad(std::span<const Tensor* const>(inputs.begin(), inputs.size()));
}
BOLIDE_API Edge gradient_edge(const Tensor& t);      // null where t wants none
// A copy of the values that takes t's place in the graph: for ops that overwrite t and need it for their gradient.
Tensor copy_with_history(const Tensor& t);
// Makes `node` the history of the new tensor y.
BOLIDE_API void set_history(const Tensor& y, Ref<Node> node);
// Before an in-place op: raises for a leaf that wants a gradient (or a view of one).
BOLIDE_API void check_inplace(const char* op, const Tensor& t);
BOLIDE_API void check_not_leaf(const char* op, const Tensor& t);  // the second half of it
// After it: raises the version, so that what saved the old values can tell.
BOLIDE_API void bump_version(const Tensor& t);
// And then makes `node` (made after the version was raised) the history of t, or of the base whose view t is.
BOLIDE_API void set_inplace_history(const Tensor& t, Ref<Node> node);

template <class F>
class ClosureNode final : public Node {
 public:
  ClosureNode(const char* name, F f, bool saves) : Node(name), f_(std::move(f)), saves_(saves) {}
  void backward(std::span<const Tensor> g, Grads& grads) override {
    if (g[0]) (*f_)(g[0], grads);
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
