// node.cpp - nodes of the graph, accumulators, saved tensors, histories of in-place ops and views.
#include <cctype>
#include <utility>

#include "runtime/autograd.h"
#include "runtime/ops.h"
#include "runtime/strided.h"
#include "runtime/view_support.h"

namespace bolide {
namespace {

std::atomic<int64_t> nodes_made{0}, nodes_freed{0};
// initial-exec: read without a call (see counted.cpp).
[[gnu::tls_model("initial-exec")]] constinit thread_local bool g_grad_enabled = true, g_inference = false;
[[gnu::tls_model("initial-exec")]] constinit thread_local uint64_t g_saved_made = 0;
[[gnu::tls_model("initial-exec")]] constinit thread_local PackHook g_pack = nullptr;
[[gnu::tls_model("initial-exec")]] constinit thread_local Node* g_running = nullptr;  // whose backward runs
std::atomic<bool> g_anomaly{false}, g_anomaly_nan{true};
AnomalyHooks g_anomaly_hooks;

AutogradMeta& meta_of(const Tensor& t) {
  if (!t->autograd) t->autograd = new AutogradMeta;
  return *t->autograd;
}
Ref<WeakTensor> weak_of(const Tensor& t) {
  AutogradMeta& meta = meta_of(t);
  if (!meta.weak) meta.weak = Ref<WeakTensor>::steal(new WeakTensor(t.get()));
  return meta.weak;
}

// Of a leaf's grad, which is computed on while it is held: a thread that waits for it lets others run Python code,
// since the holder may need the interpreter before it is done.
class GradLock {
 public:
  explicit GradLock(std::mutex& mutex) : mutex_(mutex) {
    if (mutex.try_lock()) return;
    BlockingScope wait(true);
    mutex.lock();
  }
  ~GradLock() { mutex_.unlock(); }
  GradLock(const GradLock&) = delete;

 private:
  std::mutex& mutex_;
};

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
      GradLock lock(meta.mutex);
      if (!meta.grad) meta.grad = own(g[0], leaf).ref();
      else if (grad_enabled()) meta.grad = add(Tensor(meta.grad), g[0]).take();
      else {
        const Arg other[] = {g[0]};
        elementwise_(ElementwiseOp::add, Tensor(meta.grad), other);
      }
    }
    if (meta.post_hooks.empty()) return;
    const auto hooks = meta.post_hooks;  // a hook may add others
    for (auto& [id, hook] : hooks) hook(leaf);
  }

  Tensor leaf() const { return leaf_->lock(); }

 private:
  // A gradient that nobody else holds is taken as it is; another is copied, since .grad is added to in place. It gets
  // the leaf's layout.
  static Tensor own(const Tensor& g, const Tensor& leaf) {
    const bool sole = g->references.load() == 1 && g->storage->references.load() == 1 && !g->storage->release;
    if (sole && g.strides() == leaf.strides() && !g->autograd && !grad_enabled()) return g;
    Tensor copy = empty_like(leaf);
    if (grad_enabled()) copy_(copy, g);
    else copy_values(copy, g);
    return copy;
  }
  Ref<WeakTensor> leaf_;
};

// The history of a base after an in-place op on a view of it: the op's own backward for the part that the view
// shows, the identity for the rest.
class ViewWrite final : public Node {
 public:
  ViewWrite(const Tensor& base, const Tensor& view, Ref<Node> op)
      : Node("CopySlices"), mixed_(is_complex(base.dtype()) != is_complex(view.dtype())),
        complex_base_(mixed_ && is_complex(base.dtype())),
        base_(mixed_ ? Geometry::of(base).in_reals() : Geometry::of(base)),
        view_(mixed_ ? Geometry::of(view).in_reals() : Geometry::of(view)), op_(std::move(op)) {
    add_edge(gradient_edge(base));
    for (int i = 1; i < op_->edges(); i++) add_edge(op_->edge(i));
  }
  void backward(std::span<const Tensor> g, Grads& grads) override {
    if (!g[0]) return;
    const bool complex_view = mixed_ && !complex_base_;
    const Tensor whole = complex_base_ ? view_as_real(g[0]) : g[0], shown = strided_gather(whole, base_, view_);
    const Tensor part[] = {complex_view ? view_as_complex(shown) : shown};
    Grads inner(*op_);
    op_->run(part, inner, true);
    for (int i = 1; i < op_->edges(); i++) grads[i] = inner[i];
    if (!grads.needs(0)) return;
    const Options options{whole.dtype(), whole.device()};
    const Tensor written = strided_scatter(ones(view_.sizes, options), base_, view_);
    const Tensor own = inner[0] && complex_view ? view_as_real(inner[0]) : inner[0];
    const Tensor before = own ? strided_scatter(own, base_, view_) : zeros(base_.sizes, options);
    const Tensor all = where(eq(written, 0), whole, before);
    grads[0] = complex_base_ ? view_as_complex(contiguous(all)) : all;
  }
  void release() override {
    op_->release();
    if (op_->released()) mark_released();
  }

 private:
  const bool mixed_, complex_base_;  // is one of both complex, the base? Then all is counted in reals
  const Geometry base_, view_;
  Ref<Node> op_;
};

}  // namespace

// --------------------------------------------------------------------------------------------------- nodes
Node::Node(const char* name, bool accumulator) : name_(name) {
  const int64_t made = nodes_made.fetch_add(1, std::memory_order_relaxed);
  sequence_ = accumulator ? 0 : made + 1;
  if (g_anomaly.load(std::memory_order_relaxed)) [[unlikely]] {
    NodeExtras& e = make_extras();
    if (g_anomaly_hooks.trace) e.trace = g_anomaly_hooks.trace();
    e.parent = Ref<Node>::share(g_running);
  }
}
Node::~Node() { nodes_freed.fetch_add(1, std::memory_order_relaxed); }
Tensor accumulated_leaf(Node& accumulator) { return static_cast<Accumulator&>(accumulator).leaf(); }
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

void Node::set_output(int i, const Tensor& t) {
  (i ? more_outputs_[size_t(i - 1)] : first_output_) = OutputInfo{t.sizes(), t.dtype(), t.device()};
}

std::string Node::display_name() const {
  const std::string name = name_;
  if (is_custom() || is_accumulator() || name == "CopySlices" || name == "CopyBackwards") return name;
  std::string out;
  bool upper = true;
  for (char c : name) {
    if (c == '_') upper = true;
    else out += upper ? char(std::toupper(static_cast<unsigned char>(c))) : c, upper = false;
  }
  return out + (out.ends_with("Backward") ? "0" : "Backward0");
}

NodeExtras& Node::make_extras() {
  if (!extras_) extras_ = std::make_unique<NodeExtras>();
  return *extras_;
}
uint64_t Node::add_tensor_hook(Hook hook) {
  static std::atomic<uint64_t> next{1};
  auto& hooks = make_extras().tensor_hooks;
  hooks.emplace_back(next++, std::move(hook));
  return hooks.back().first;
}
void Node::remove_tensor_hook(uint64_t id) {
  if (extras_) std::erase_if(extras_->tensor_hooks, [&](auto& h) { return h.first == id; });
}
void Node::run_tensor_hooks(std::vector<Tensor>& g) {
  const auto hooks = extras_->tensor_hooks;  // a hook may remove itself
  for (auto& [id, hook] : hooks) hook(g);
  const auto retained = extras_->retained;
  for (auto& [weak, output] : retained) {
    const Tensor t = weak->lock();
    if (!t || !g[output]) continue;
    const Tensor known = grad(t);
    set_grad(t, known ? add(known, g[output]) : clone(g[output]));
  }
}

void Node::run(std::span<const Tensor> g, Grads& grads, bool keep) {
  struct Running {
    Node& node;
    bool release = false;
    Node* before = std::exchange(g_running, &node);
    explicit Running(Node& n) : node(n) { node.running_.fetch_add(1, std::memory_order_relaxed); }
    ~Running() {
      g_running = before;
      if (node.running_.fetch_sub(1) == 1 && release) node.release();
    }
  } running(*this);
  backward(g, grads);
  running.release = !keep;
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
  if (t->inference && grad_enabled()) [[unlikely]]
    raise(ErrorKind::Runtime, "autograd", "a tensor made outside inference mode to save for backward",
          "an inference tensor",
          "Inference tensors cannot be saved for backward. Make a clone() of it to get a normal tensor, or use "
          "bolide.no_grad() instead of bolide.inference_mode().");
  version_ = t.version();
  if (!g_pack) [[likely]]
    return;
  packed_ = g_pack(t);
  packed_->edge = gradient_edge(t);
  tensor_ = {};
}
Saved Saved::output(const Tensor& t, uint32_t number) {
  Saved saved;
  g_saved_made++;
  saved.tensor_ = alias(t), saved.version_ = t.version(), saved.output_ = number, saved.is_output_ = true;
  if (g_pack) [[unlikely]]
    saved.packed_ = g_pack(std::exchange(saved.tensor_, Tensor()));
  return saved;
}
uint64_t Saved::made() { return g_saved_made; }
PackHook set_pack_hook(PackHook hook) { return std::exchange(g_pack, hook); }

Tensor Saved::get(Node* owner) const {
  Edge edge{is_output_ && owner ? Ref<Node>::share(owner) : Ref<Node>(), output_};
  Tensor found = tensor_;
  if (packed_) [[unlikely]] {
    found = packed_->unpack();
    if (!is_output_) edge = packed_->edge;
  } else {
    if (!tensor_) return tensor_;
    if (tensor_.version() != version_) [[unlikely]]
      raise(ErrorKind::Runtime, "backward", str("a saved ", describe(tensor_), " at version ", version_),
            str("version ", tensor_.version(), ": it was changed by an in-place operation"),
            "One of the variables needed for gradient computation has been modified by an inplace operation; make a "
            "clone() of it before, or use the op that is not in-place. bolide.autograd.set_detect_anomaly(True) shows "
            "the line of the forward.");
  }
  if (!edge.node || !grad_enabled()) return found;
  Tensor again = alias(found);  // with its history, so that the gradient can be differentiated
  AutogradMeta& meta = meta_of(again);
  meta.output = edge.output;
  if (edge.node->is_accumulator()) meta.requires_grad = true, meta.accumulator = std::move(edge.node);
  else meta.grad_fn = std::move(edge.node);
  return again;
}

// --------------------------------------------------------------------------------------------------- modes
bool grad_enabled() { return g_grad_enabled; }
bool set_grad_enabled(bool enabled) { return std::exchange(g_grad_enabled, enabled); }
bool inference_enabled() { return g_inference; }
bool set_inference_enabled(bool enabled) { return std::exchange(g_inference, enabled); }

// ------------------------------------------------------------------------------------------------- anomalies
void set_anomaly_hooks(AnomalyHooks hooks) { g_anomaly_hooks = hooks; }
void set_anomaly_mode(bool enabled, bool check_nan) { g_anomaly = enabled, g_anomaly_nan = check_nan; }
bool anomaly_enabled() { return g_anomaly.load(std::memory_order_relaxed); }
bool anomaly_checks_nan() { return g_anomaly_nan.load(std::memory_order_relaxed); }

void warn_of_anomaly(Node& node) {
  const NodeExtras* e = node.extras();
  if (!g_anomaly_hooks.warn) return;
  std::string text = str("Error detected in ", node.display_name(), ". ");
  if (!e || e->trace.empty())
    text += "No forward pass information available. Enable detect anomaly during forward pass for more information.";
  else text += "Traceback of forward call that caused the error:\n" + e->trace;
  for (int depth = 0; e && e->parent && depth < 10; depth++) {
    Node& parent = *e->parent;
    e = parent.extras();
    text += str("\n\nPrevious calculation was induced by ", parent.display_name(), ". ");
    if (e && !e->trace.empty()) text += "Traceback of forward call that induced the previous calculation:\n" + e->trace;
    else text += "No forward pass information available.";
  }
  g_anomaly_hooks.warn(text);
}

// ------------------------------------------------------------------------------------------------- history
bool is_view_with_new_history(const TensorImpl& view) {
  return view.base->generation != view.generation && view.base->autograd && view.base->autograd->grad_fn;
}

void forget_hidden_base(const Tensor& t) {
  if (t->base->references.load(std::memory_order_acquire) != 1 || is_view_with_new_history(*t.get())) return;
  if (t->view_kind == ViewKind::Normal || t->view_kind == ViewKind::NoGrad) as_own(t);
}

namespace {

// Why an in-place op (or one on the base) is not for this view.
[[noreturn]] void refuse_view(const char* op, const Tensor& view, bool on_base) {
  const char* const what = on_base ? "whose base or another view of it was changed in place" : "to change in place";
  switch (view->view_kind) {
    case ViewKind::NoGrad:
    case ViewKind::Inference:
      raise(ErrorKind::Runtime, op, "a view made with gradients enabled",
            str("one made in ", view->view_kind == ViewKind::NoGrad ? "no_grad" : "inference", " mode, ", what),
            str("A view was created in ", view->view_kind == ViewKind::NoGrad ? "no_grad" : "inference",
                " mode and is being modified inplace with grad mode enabled; make both the view and the change inside "
                "the mode, or both outside."));
    case ViewKind::Parts:
      raise(ErrorKind::Runtime, op, "the only view that an op gave", str("one of several, ", what),
            "This view is the output of a function that returns multiple views. Such functions do not allow the output "
            "views to be modified inplace. Use the op that is not in-place, or clone() the view.");
    default:
      raise(ErrorKind::Runtime, op, "a view made by an op", str("one made by a custom Function, ", what),
            "This view was created inside a custom Function (or because an input was returned as-is) and the change "
            "would override its backward. clone() the output of the Function.");
  }
}

// retain_grad() is about the newest value: an in-place op takes it along to the new history.
void move_retained(const Tensor& t, Node* from, Node& to, uint32_t output) {
  const AutogradMeta* meta = t->autograd;
  if (!meta || !meta->retains_grad) return;
  if (from && from->extras()) std::erase_if(from->extras()->retained, [&](auto& r) { return r.first == meta->weak; });
  to.make_extras().retained.emplace_back(meta->weak, output);
}

}  // namespace

bool wants_grad(std::span<const Tensor* const> inputs) {
  for (const Tensor* t : inputs)
    if (*t && t->requires_grad()) return g_grad_enabled && !g_inference;
  return false;
}

Edge gradient_edge(const Tensor& t) {
  if (t->base && is_view_with_new_history(*t.get())) {
    if (t->view_kind != ViewKind::Normal) [[unlikely]]
      refuse_view("autograd", t, true);
    const Tensor base(t->base);
    AutogradMeta& meta = meta_of(t);
    t->generation = base->generation;
    const Ref<Node> before = std::move(meta.grad_fn);
    meta.grad_fn = make_node("AsStridedBackward", {&base}, [&] {
      return [from = Geometry::of(base), to = Geometry::of(t)](const Tensor& g, Grads& grads) {
        grads[0] = strided_scatter(g, from, to);
      };
    });
    meta.output = meta.grad_fn->add_output(t);
    move_retained(t, before.get(), *meta.grad_fn, meta.output);
  }
  AutogradMeta* meta = t->autograd;
  if (!meta) return {};
  if (meta->grad_fn) return {meta->grad_fn, meta->output};
  if (!meta->requires_grad) return {};
  GradLock lock(meta->mutex);
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

void check_inplace(const char* op, const Tensor& t, bool recorded) {
  check_writable(op, t);
  check_not_leaf(op, t, recorded);
}
void check_not_leaf(const char* op, const Tensor& t, bool recorded) {
  if (t->inference && !inference_enabled()) [[unlikely]]
    raise(ErrorKind::Runtime, op, "a tensor made outside inference mode, or to be in it",
          "an inference tensor outside of it",
          "Inplace update to inference tensor outside InferenceMode is not allowed; make a clone() of it first.");
  if (!grad_enabled() || inference_enabled()) return;
  const AutogradMeta *own = t->autograd, *meta = t->base ? t->base->autograd : own;
  const bool wanted = recorded || (meta && (meta->requires_grad || meta->grad_fn));
  if (t->view_kind != ViewKind::Normal && wanted) [[unlikely]]
    refuse_view(op, t, false);
  // A view keeps its history where the leaf no longer requires grad, and may be a leaf itself.
  const bool leaf = !(meta && meta->grad_fn) &&
                    ((meta && meta->requires_grad) || (t->base && own && (own->requires_grad || own->grad_fn)));
  if (leaf) [[unlikely]]
    raise(ErrorKind::Runtime, op, "a tensor that is not a leaf of a graph",
          t->base ? "a view of a leaf that requires grad" : "a leaf that requires grad",
          str(t->base ? "A view of a leaf Variable" : "A leaf Variable",
              " that requires grad is being used in an in-place operation; do it inside bolide.no_grad(), or on a "
              "copy."));
}

void bump_version(const Tensor& t) { t.version_counter().fetch_add(1, std::memory_order_acq_rel); }

void forget_history(const Tensor& t) {
  check(!t->base, ErrorKind::Runtime, "detach_", "a tensor that is no view", [&] { return describe(t); });
  if (!t->autograd) return;
  AutogradMeta& meta = *t->autograd;
  if (meta.retains_grad && meta.grad_fn)
    std::erase_if(meta.grad_fn->extras()->retained, [&](auto& r) { return r.first == meta.weak; });
  meta.grad_fn = {}, meta.requires_grad = meta.retains_grad = false, meta.output = 0;
}

void set_inplace_history(const Tensor& t, Ref<Node> node) {
  const Tensor owner = t->base ? Tensor(t->base) : t;
  if (t->base) {
    node->add_output(t);
    node = Ref<Node>::steal(new ViewWrite(owner, t, std::move(node)));
  }
  AutogradMeta& meta = meta_of(owner);
  meta.output = node->add_output(owner);
  move_retained(owner, meta.grad_fn.get(), *node, meta.output);
  meta.grad_fn = std::move(node);
  owner->generation++;
}

// ------------------------------------------------------------------------------------- what Python sees
void set_requires_grad(const Tensor& t, bool requires_grad) {
  if (!is_leaf(t)) {
    if (!requires_grad)
      raise(ErrorKind::Runtime, "requires_grad_", "a leaf", "a tensor with a grad_fn",
            "You can only change requires_grad flags of leaf variables; detach() cuts a history off.");
    return;
  }
  if (requires_grad && t->inference && !inference_enabled())
    raise(ErrorKind::Runtime, "requires_grad_", "a tensor made outside inference mode", "an inference tensor",
          "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.");
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
  GradLock lock(t->autograd->mutex);
  return Tensor(t->autograd->grad);
}
void set_grad(const Tensor& t, const Tensor& g) {
  if (g && (g.sizes() != t.sizes() || g.dtype() != t.dtype() || g.device() != t.device()))
    raise(ErrorKind::Shape, "grad", describe(t), describe(g));
  if (!g && !t->autograd) return;
  AutogradMeta& meta = meta_of(t);
  GradLock lock(meta.mutex);
  meta.grad = g ? g.ref() : Ref<TensorImpl>();
}

uint64_t add_hook(const Tensor& t, std::function<Tensor(const Tensor&)> hook) {
  const Edge edge = gradient_edge(t);
  if (!edge.node)
    raise(ErrorKind::Runtime, "register_hook", "a tensor that requires grad", str(describe(t), ", which does not"),
          "Cannot register a hook on a tensor that doesn't require gradient.");
  return edge.node->add_tensor_hook([output = edge.output, hook = std::move(hook)](std::vector<Tensor>& g) {
    if (!g[output]) return;
    Tensor other = hook(g[output]);
    if (!other) return;
    if (other.sizes() != g[output].sizes() || other.dtype() != g[output].dtype() ||
        other.device() != g[output].device())
      raise(ErrorKind::Shape, "hook", str("a gradient like the one it replaces, ", describe(g[output])),
            describe(other), "The hook has changed the size or type of value.");
    g[output] = std::move(other);
  });
}
void remove_hook(const Tensor& t, uint64_t id) {
  if (const Edge edge = gradient_edge(t); edge.node) edge.node->remove_tensor_hook(id);
}
void retain_grad(const Tensor& t) {
  if (is_leaf(t) || meta_of(t).retains_grad) return;
  meta_of(t).retains_grad = true;
  const Ref<Node> node = grad_fn(t);
  node->make_extras().retained.emplace_back(weak_of(t), t->autograd->output);  // which does not own t
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

void link_view(const Tensor& v, const Tensor& x) {
  v->base = x->base ? x->base : x.ref();
  v->generation = v->base->generation;
  if (x->view_kind != ViewKind::Normal || !grad_enabled()) [[unlikely]]
    v->view_kind = x->view_kind != ViewKind::Normal ? x->view_kind
                   : inference_enabled()            ? ViewKind::Inference
                                                    : ViewKind::NoGrad;
}

void set_data(const Tensor& to, const Tensor& from) {
  TensorImpl& impl = *to.get();
  const bool same = to.sizes() == from.sizes() && to.dtype() == from.dtype() && to.device() == from.device();
  impl.dtype = from.dtype(), impl.device = from.device(), impl.contiguous = from->contiguous;
  impl.numel = from->numel, impl.offset = from->offset, impl.data = from->data;
  impl.sizes = from->sizes, impl.strides = from->strides;
  impl.storage = from->storage;
  impl.base = {}, impl.view_kind = ViewKind::Normal;
  // The accumulator brings gradients to the shape that it was made for.
  if (impl.autograd && impl.autograd->accumulator && !same) impl.autograd->accumulator->set_output(0, to);
}

}  // namespace bolide
