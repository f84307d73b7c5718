// node.cpp - nodes of the graph, accumulators, saved tensors, histories of in-place ops and views.
#include <utility>

#include "runtime/autograd.h"
#include "runtime/ops.h"
#include "runtime/strided.h"

namespace bolide {
namespace {

std::atomic<int64_t> nodes_made{0}, nodes_freed{0};
// initial-exec: read without a call (see counted.cpp).
[[gnu::tls_model("initial-exec")]] constinit thread_local bool g_grad_enabled = true, g_inference = false;
[[gnu::tls_model("initial-exec")]] constinit thread_local uint64_t g_saved_made = 0;

AutogradMeta& meta_of(const Tensor& t) {
  if (!t->autograd) t->autograd = new AutogradMeta;
  return *t->autograd;
}
Ref<WeakTensor> weak_of(const Tensor& t) {
  AutogradMeta& meta = meta_of(t);
  if (!meta.weak) meta.weak = Ref<WeakTensor>::steal(new WeakTensor(t.get()));
  return meta.weak;
}

// Where the gradients of a leaf end. It knows the leaf without owning it, since the leaf owns it.
class Accumulator final : public Node {
 public:
  Accumulator(const Tensor& leaf, Ref<WeakTensor> weak) : Node("AccumulateGrad", true), leaf_(std::move(weak)) {
    add_output(leaf);
  }
  bool is_accumulator() const override { return true; }
  void backward(std::span<const Tensor> g, Grads&) override {
    const Tensor leaf = leaf_->lock();
    if (!leaf || !g[0]) return;
    AutogradMeta& meta = *leaf->autograd;
    {
      std::lock_guard lock(meta.mutex);
      if (!meta.grad) meta.grad = own(g[0], leaf).ref();
      else if (grad_enabled()) meta.grad = add(Tensor(meta.grad), g[0]).take();
      else {
        const Arg other[] = {g[0]};
        elementwise_(ElementwiseOp::add, Tensor(meta.grad), other);
      }
    }
    for (auto& [id, hook] : meta.post_hooks) hook(leaf);
  }

 private:
  // A gradient that nobody else holds is taken as it is; another is copied, since .grad is added to in place.
  static Tensor own(const Tensor& g, const Tensor& leaf) {
    if (grad_enabled()) return g.requires_grad() ? g : clone(g);
    const bool sole = g->references.load() == 1 && g->storage->references.load() == 1 && !g->storage->release;
    if (sole && g.strides() == leaf.strides() && !g->autograd) return g;
    Tensor copy = empty_like(leaf);
    copy_values(copy, g);
    return copy;
  }
  Ref<WeakTensor> leaf_;
};

// The history of a base after an in-place op on a view of it: the op's own backward for the part that the view
// shows, the identity for the rest.
class ViewWrite final : public Node {
 public:
  ViewWrite(const Tensor& base, const Tensor& view, Ref<Node> op)
      : Node(op->name()), base_(Geometry::of(base)), view_(Geometry::of(view)), op_(std::move(op)) {
    add_edge(gradient_edge(base));
    for (int i = 1; i < op_->edges(); i++) add_edge(op_->edge(i));
  }
  void backward(std::span<const Tensor> g, Grads& grads) override {
    if (!g[0]) return;
    const Tensor part[] = {strided_gather(g[0], base_, view_)};
    Grads inner(*op_);
    op_->backward(part, inner);
    for (int i = 1; i < op_->edges(); i++) grads[i] = inner[i];
    if (!grads.needs(0)) return;
    const Options options{g[0].dtype(), g[0].device()};
    const Tensor written = strided_scatter(ones(view_.sizes, options), base_, view_);
    const Tensor before = inner[0] ? strided_scatter(inner[0], base_, view_) : zeros(base_.sizes, options);
    grads[0] = where(eq(written, 0), g[0], before);
  }
  void release() override {
    op_->release();
    if (op_->released()) mark_released();
  }

 private:
  const Geometry base_, view_;
  Ref<Node> op_;
};

}  // namespace

// --------------------------------------------------------------------------------------------------- nodes
Node::Node(const char* name, bool accumulator) : name_(name) {
  const int64_t made = nodes_made.fetch_add(1, std::memory_order_relaxed);
  sequence_ = accumulator ? 0 : made + 1;
}
Node::~Node() { nodes_freed.fetch_add(1, std::memory_order_relaxed); }
int64_t live_nodes() { return nodes_made.load() - nodes_freed.load(); }

void Node::destroy(Node* node) {
  static thread_local bool busy = false;
  static thread_local Node* waiting = nullptr;
  if (busy) {  // called from the destructor of a later node: the loop below goes on with it
    node->next_to_free_ = std::exchange(waiting, node);
    return;
  }
  busy = true;
  for (; node; node = std::exchange(waiting, waiting ? waiting->next_to_free_ : nullptr)) delete node;
  busy = false;
}

void Node::add_edge(Edge edge) {
  if (edge_count_ < kInline) inline_edges_[edge_count_] = std::move(edge);
  else more_edges_.push_back(std::move(edge));
  edge_count_++;
}

uint32_t Node::add_output(const Tensor& t) {
  OutputInfo info{t.sizes(), t.dtype(), t.device()};
  if (output_count_ == 0) first_output_ = std::move(info);
  else more_outputs_.push_back(std::move(info));
  return uint32_t(output_count_++);
}

uint64_t Node::add_pre_hook(Hook hook) {
  if (!hooks_) hooks_ = std::make_unique<std::vector<std::pair<uint64_t, Hook>>>();
  static std::atomic<uint64_t> next{1};
  hooks_->emplace_back(next++, std::move(hook));
  return hooks_->back().first;
}
void Node::remove_pre_hook(uint64_t id) {
  if (hooks_) std::erase_if(*hooks_, [&](auto& h) { return h.first == id; });
}
void Node::run_pre_hooks(std::vector<Tensor>& g) {
  if (!hooks_) return;
  const auto hooks = *hooks_;  // a hook may remove itself
  for (auto& [id, hook] : hooks) hook(g);
}

Grads::Grads(Node& node) : node_(node) {
  const size_t n = size_t(node.edges());
  if (n > inline_.size()) heap_.resize(n);
  values_ = n > inline_.size() ? std::span<Tensor>(heap_) : std::span<Tensor>(inline_.data(), n);
}
bool Grads::needs(int input) const { return node_.needs(input); }

// --------------------------------------------------------------------------------------------------- saved
Saved::Saved(const Tensor& t) : tensor_(t) {
  g_saved_made++;
  if (!t) return;
  check(!t->inference || !grad_enabled(), ErrorKind::Runtime, "autograd", "a tensor made outside inference mode",
        [] { return std::string("an inference tensor to save for backward; clone() it first"); });
  version_ = t.version();
}
Saved Saved::output(const Tensor& t) {
  Saved saved;
  g_saved_made++;
  saved.tensor_ = alias(t), saved.version_ = t.version(), saved.is_output_ = true;
  return saved;
}
uint64_t Saved::made() { return g_saved_made; }

Tensor Saved::get(Node* owner) const {
  if (!tensor_) return tensor_;
  if (tensor_.version() != version_) [[unlikely]]
    raise(ErrorKind::Runtime, "backward", str("a saved ", describe(tensor_), " at version ", version_),
          str("version ", tensor_.version(), ": it was changed by an in-place operation"),
          "Make a clone() of it before, or use the op that is not in-place.");
  if (!is_output_ || !owner || !grad_enabled()) return tensor_;
  Tensor again = alias(tensor_);  // with its history, so that the gradient can be differentiated
  meta_of(again).grad_fn = Ref<Node>::share(owner);
  return again;
}

// --------------------------------------------------------------------------------------------------- modes
bool grad_enabled() { return g_grad_enabled; }
bool set_grad_enabled(bool enabled) { return std::exchange(g_grad_enabled, enabled); }
bool inference_enabled() { return g_inference; }
bool set_inference_enabled(bool enabled) { return std::exchange(g_inference, enabled); }

// ------------------------------------------------------------------------------------------------- history
bool is_view_with_new_history(const TensorImpl& view) {
  const AutogradMeta* base = view.base->autograd;
  return base && base->grad_fn && base->generation != (view.autograd ? view.autograd->generation : 0);
}

bool wants_grad(std::span<const Tensor* const> inputs) {
  for (const Tensor* t : inputs)
    if (*t && t->requires_grad()) return g_grad_enabled && !g_inference;
  return false;
}

Edge gradient_edge(const Tensor& t) {
  if (t->base && is_view_with_new_history(*t.get())) {
    const Tensor base(t->base);
    AutogradMeta& meta = meta_of(t);
    meta.generation = base->autograd->generation;
    meta.grad_fn = make_node("AsStridedBackward", {&base}, [&] {
      return [from = Geometry::of(base), to = Geometry::of(t)](const Tensor& g, Grads& grads) {
        grads[0] = strided_scatter(g, from, to);
      };
    });
    meta.output = meta.grad_fn->add_output(t);
  }
  AutogradMeta* meta = t->autograd;
  if (!meta) return {};
  if (meta->grad_fn) return {meta->grad_fn, meta->output};
  if (!meta->requires_grad) return {};
  std::lock_guard lock(meta->mutex);
  if (!meta->accumulator) meta->accumulator = Ref<Node>::steal(new Accumulator(t, weak_of(t)));
  return {meta->accumulator, 0};
}

Tensor copy_with_history(const Tensor& t) {
  const Tensor copy = to(detach(t), {}, {}, true);
  if (const Edge edge = gradient_edge(t); edge.node)
    meta_of(copy).grad_fn = edge.node, meta_of(copy).output = edge.output;
  return copy;
}

void set_history(const Tensor& y, Ref<Node> node) {
  AutogradMeta& meta = meta_of(y);
  meta.output = node->add_output(y);
  meta.grad_fn = std::move(node);
}

void check_inplace(const char* op, const Tensor& t) {
  check_writable(op, t);
  check_not_leaf(op, t);
}
void check_not_leaf(const char* op, const Tensor& t) {
  if (!grad_enabled() || inference_enabled()) return;
  const AutogradMeta* meta = t->base ? t->base->autograd : t->autograd;
  const bool leaf = meta && meta->requires_grad && !meta->grad_fn;
  if (leaf) [[unlikely]]
    raise(ErrorKind::Runtime, op, "a tensor that is not a leaf of a graph",
          t->base ? "a view of a leaf that requires grad" : "a leaf that requires grad",
          "Do it inside bolide.no_grad(), or on a copy.");
}

void bump_version(const Tensor& t) { t->storage->version.fetch_add(1, std::memory_order_acq_rel); }

void set_inplace_history(const Tensor& t, Ref<Node> node) {
  const Tensor owner = t->base ? Tensor(t->base) : t;
  if (t->base) {
    node->add_output(t);
    node = Ref<Node>::steal(new ViewWrite(owner, t, std::move(node)));
  }
  AutogradMeta& meta = meta_of(owner);
  meta.output = node->add_output(owner);
  meta.grad_fn = std::move(node);
  meta.generation++;
}

// ------------------------------------------------------------------------------------- what Python sees
void set_requires_grad(const Tensor& t, bool requires_grad) {
  if (!is_leaf(t)) {
    check(requires_grad, ErrorKind::Runtime, "requires_grad_", "a leaf (use detach() to cut a history off)",
          [] { return std::string("a tensor with a grad_fn"); });
    return;
  }
  if (requires_grad)
    check(is_differentiable(t.dtype()), ErrorKind::Runtime, "requires_grad_", "a floating-point or complex dtype",
          [&] { return std::string(name_of(t.dtype())); });
  if (requires_grad || t->autograd) meta_of(t).requires_grad = requires_grad;
}
bool is_leaf(const Tensor& t) { return !grad_fn(t); }
Ref<Node> grad_fn(const Tensor& t) {
  if (t->base && is_view_with_new_history(*t.get())) return gradient_edge(t).node;
  return t->autograd ? t->autograd->grad_fn : Ref<Node>();
}
Tensor grad(const Tensor& t) {
  if (!t->autograd) return {};
  std::lock_guard lock(t->autograd->mutex);
  return Tensor(t->autograd->grad);
}
void set_grad(const Tensor& t, const Tensor& g) {
  if (g && (g.sizes() != t.sizes() || g.dtype() != t.dtype() || g.device() != t.device()))
    raise(ErrorKind::Shape, "grad", describe(t), describe(g));
  if (!g && !t->autograd) return;
  AutogradMeta& meta = meta_of(t);
  std::lock_guard lock(meta.mutex);
  meta.grad = g ? g.ref() : Ref<TensorImpl>();
}

uint64_t add_hook(const Tensor& t, std::function<Tensor(const Tensor&)> hook) {
  const Edge edge = gradient_edge(t);
  check(bool(edge.node), ErrorKind::Runtime, "register_hook", "a tensor that requires grad",
        [&] { return str(describe(t), ", which does not"); });
  return edge.node->add_pre_hook([output = edge.output, hook = std::move(hook)](std::vector<Tensor>& g) {
    if (!g[output]) return;
    if (Tensor other = hook(g[output])) g[output] = std::move(other);
  });
}
void remove_hook(const Tensor& t, uint64_t id) {
  if (const Edge edge = gradient_edge(t); edge.node) edge.node->remove_pre_hook(id);
}
void retain_grad(const Tensor& t) {
  if (is_leaf(t) || meta_of(t).retains_grad) return;
  meta_of(t).retains_grad = true;
  // The hook must not own t, since t owns the node.
  grad_fn(t)->add_pre_hook([weak = weak_of(t), output = t->autograd->output](std::vector<Tensor>& g) {
    const Tensor self = weak->lock();
    if (self && g[output]) set_grad(self, grad_enabled() ? g[output] : clone(g[output]));
  });
}
uint64_t add_post_accumulate_hook(const Tensor& t, std::function<void(const Tensor&)> hook) {
  check(t.requires_grad() && is_leaf(t), ErrorKind::Runtime, "register_post_accumulate_grad_hook",
        "a leaf that requires grad", [&] { return describe(t); });
  static std::atomic<uint64_t> next{1};
  meta_of(t).post_hooks.emplace_back(next++, std::move(hook));
  return meta_of(t).post_hooks.back().first;
}
void remove_post_accumulate_hook(const Tensor& t, uint64_t id) {
  if (t->autograd) std::erase_if(t->autograd->post_hooks, [&](auto& h) { return h.first == id; });
}

void set_data(const Tensor& to, const Tensor& from) {
  TensorImpl& impl = *to.get();
  const bool same = to.sizes() == from.sizes() && to.dtype() == from.dtype() && to.device() == from.device();
  impl.dtype = from.dtype(), impl.device = from.device(), impl.contiguous = from->contiguous;
  impl.numel = from->numel, impl.offset = from->offset, impl.data = from->data;
  impl.sizes = from->sizes, impl.strides = from->strides;
  impl.storage = from->storage;
  impl.base = {};
  // The accumulator brings gradients to the shape that it was made for; a new one is made when needed.
  if (impl.autograd && !same) impl.autograd->accumulator = {};
}

}  // namespace bolide
