// engine.cpp - backward: from outputs to leaves, on the caller's thread, without recursion.
//
// Nodes wait in a map ordered by sequence number, the latest first: a node's consumers were made after it, so
// when its turn comes all its gradients have arrived, and the order of additions is the same on every run. The
// map belongs to the run, so runs may nest (a hook may call backward) and share graphs across threads.
#include <atomic>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "runtime/autograd.h"
#include "runtime/ops.h"

namespace bolide {
namespace {

// Nodes of the map come from the object cache.
template <class T>
struct CachedAllocator {
  using value_type = T;
  CachedAllocator() = default;
  template <class U>
  CachedAllocator(const CachedAllocator<U>&) {}
  T* allocate(size_t n) { return static_cast<T*>(allocate_object(n * sizeof(T))); }
  void deallocate(T* p, size_t n) noexcept { free_object(p, n * sizeof(T)); }
  bool operator==(const CachedAllocator&) const { return true; }
};

using Key = std::pair<int64_t, Node*>;  // sequence number, node
struct Pending {
  Ref<Node> node;
  std::vector<Tensor> g;  // by output
};

// Whose gradient is asked for: an output of a node, and where to put it; null: into .grad of the leaf or of what
// retains it.
struct Target {
  Edge edge;
  Tensor* to;
};

class Run {
 public:
  explicit Run(BackwardOptions options) : options_(options) {}

  void add_root(size_t number, const Tensor& output, const Tensor& gradient) {
    const Edge edge = gradient_edge(output);
    if (!edge.node)
      raise(ErrorKind::Runtime, "backward", "an output that requires grad",
            str(describe(output), ", which does not require grad and has no grad_fn"),
            str("Element ", number, " of tensors does not require grad and does not have a grad_fn."));
    Tensor g = gradient;
    if (!g) {
      if (output.numel() != 1)
        raise(ErrorKind::Runtime, "backward", "a gradient for an output that is not a scalar",
              str("none for ", describe(output)), "Grad can be implicitly created only for scalar outputs.");
      if (!is_float(output.dtype()))
        raise(ErrorKind::Runtime, "backward", "a gradient for an output that is not real",
              str("none for ", describe(output)), "Grad can be implicitly created only for real scalar outputs.");
      g = full_like(output, 1);
    }
    if (g.sizes() != output.sizes())
      raise(ErrorKind::Shape, "backward", str("a gradient of shape ", output.sizes().text()), g.sizes().text(),
            str("Mismatch in shape: grad_output[", number, "] and output[", number, "] differ."));
    if (g.dtype() != output.dtype() && (is_complex(g.dtype()) || is_complex(output.dtype())))
      raise(ErrorKind::DType, "backward", str("a gradient of ", name_of(output.dtype())), name_of(g.dtype()));
    roots_.push_back(edge.node);
    add(edge, std::move(g));
  }
  // Only what leads to these is run; leaves outside them are left alone.
  void set_targets(std::span<const Target> targets) {
    for (const Target& t : targets) parts_[t.edge.node.get()].targets.push_back(t);
    restricted_ = true;
    find_needed();
  }

  void go() {
    GradMode mode(options_.create_graph);
    const Here here(this);
    while (!pending_.empty()) {
      check_interrupt();
      Pending next = std::move(pending_.begin()->second);
      pending_.erase(pending_.begin());
      step(next);
    }
  }

  // The run that this thread is in, or null.
  static Run* current() { return current_; }
  int64_t number() const { return number_; }
  // Will the node get a gradient in this run, or did it?
  bool reaches(Node* node) {
    if (reached_.empty()) {
      std::vector<Node*> stack;
      for (auto& root : roots_) stack.push_back(root.get());
      while (!stack.empty()) {
        Node* next = stack.back();
        stack.pop_back();
        if (!next || !reached_.insert(next).second) continue;
        for (int i = 0; i < next->edges(); i++) stack.push_back(next->edge(i).node.get());
      }
    }
    return reached_.count(node) && (!restricted_ || parts_.count(node));
  }

 private:
  struct Here {  // runs nest: a hook may call backward
    Run* before;
    explicit Here(Run* now) : before(std::exchange(current_, now)) {}
    ~Here() { current_ = before; }
  };
  static inline thread_local Run* current_ = nullptr;
  static inline std::atomic<int64_t> runs_{0};

  void step(Pending& p) {
    Node& node = *p.node;
    const Part* part = nullptr;
    if (restricted_) {
      const auto found = parts_.find(&node);
      if (found == parts_.end()) return;
      part = &found->second;
    }
    NodeExtras* extras = node.extras();
    if (extras) [[unlikely]]
      node.run_tensor_hooks(p.g);
    if (part && !part->needed) {
      bool into_grad = false;
      for (const Target& t : part->targets)
        if (t.to) *t.to = p.g[t.edge.output];
        else into_grad = true;
      if (!into_grad || !node.is_accumulator()) return;
    } else if (part) {
      for (const Target& t : part->targets)
        if (t.to) *t.to = p.g[t.edge.output];
    }
    if (node.released())
      raise(ErrorKind::Runtime, "backward", "a graph that is still there",
            str("one whose saved tensors (of ", node.display_name(), ") were freed by an earlier backward"),
            "Trying to backward through the graph a second time; give the first one retain_graph=True.");
    if (extras && extras->hooks) extras->hooks->before(node, p.g);
    Grads grads(node);
    const bool keep = options_.retain_graph || options_.create_graph;
    if (anomaly_enabled()) [[unlikely]]
      run_watched(node, p.g, grads, keep);
    else node.run(p.g, grads, keep);
    if (extras && extras->hooks) extras->hooks->after(node, grads.all(), p.g);
    p.g.clear();
    for (int i = 0; i < grads.count(); i++)
      if (grads[i] && grads.needs(i)) add(node.edge(i), std::move(grads[i]));
  }

  // In anomaly mode: says where forward made a node whose backward raises or gives NaN.
  static void run_watched(Node& node, std::span<const Tensor> g, Grads& grads, bool keep) {
    try {
      node.run(g, grads, keep);
    } catch (...) {
      warn_of_anomaly(node);
      throw;
    }
    if (!anomaly_checks_nan()) return;
    GradMode off(false);
    for (int i = 0; i < grads.count(); i++) {
      if (!grads[i] || !grads.needs(i) || !is_differentiable(grads[i].dtype())) continue;
      if (item(any(ne(detach(grads[i]), detach(grads[i])))).real == 0) continue;
      warn_of_anomaly(node);
      raise(ErrorKind::Runtime, "backward", "gradients that are numbers",
            str("NaN in gradient ", i, " of ", node.display_name()),
            str("Function '", node.display_name(), "' returned nan values in its ", i, "th output."));
    }
  }

  // Brings a gradient to the shape and dtype of what it belongs to, and adds it to what has arrived.
  void add(const Edge& edge, Tensor g) {
    Node& node = *edge.node;
    const OutputInfo& info = node.output(int(edge.output));
    if (g.sizes() != info.sizes) g = sum_to(g, info.sizes);
    if (g.dtype() != info.dtype) g = to(g, info.dtype);
    if (g.device() != info.device) g = to(g, {}, info.device);
    Pending& p = pending_.try_emplace(Key(node.sequence(), &node)).first->second;
    if (!p.node) p.node = edge.node, p.g.resize(size_t(node.outputs()));
    Tensor& sum = p.g[edge.output];
    if (!sum) sum = std::move(g);
    else if (!options_.create_graph && is_mine(sum)) {
      const Arg other[] = {g};
      elementwise_(ElementwiseOp::add, sum, other);
    } else sum = bolide::add(sum, g);
  }
  // A gradient that nobody else can see may be added to in place.
  static bool is_mine(const Tensor& t) {
    return t->references.load() == 1 && t->storage->references.load() == 1 && !t->storage->release && t.is_contiguous();
  }

  // Which nodes lead to a target: depth first, without recursion.
  void find_needed() {
    struct Frame {
      Node* node;
      int next;
    };
    std::vector<Frame> stack;
    std::unordered_set<Node*> done;
    for (auto& root : roots_) {
      stack.push_back({root.get(), 0});
      while (!stack.empty()) {
        auto& [node, next] = stack.back();
        if (next == 0 && !done.insert(node).second) {
          stack.pop_back();
          continue;
        }
        if (next < node->edges()) {
          Node* child = node->edge(next++).node.get();
          if (child && !done.count(child)) stack.push_back({child, 0});
          continue;
        }
        for (int i = 0; i < node->edges(); i++)
          if (Node* child = node->edge(i).node.get(); child && parts_.count(child)) parts_[node].needed = true;
        stack.pop_back();
      }
    }
  }

  // What a restricted run does at a node: gives gradients to targets, and runs it where it leads to others.
  struct Part {
    bool needed = false;
    std::vector<Target> targets;
  };
  const BackwardOptions options_;
  const int64_t number_ = ++runs_;
  std::unordered_set<Node*> reached_;  // made when it is asked for
  std::map<Key, Pending, std::greater<Key>, CachedAllocator<std::pair<const Key, Pending>>> pending_;
  std::vector<Ref<Node>> roots_;
  bool restricted_ = false;
  std::unordered_map<Node*, Part> parts_;
};

void add_roots(Run& run, std::span<const Tensor> outputs, std::span<const Tensor> gradients) {
  if (!gradients.empty() && gradients.size() != outputs.size())
    raise(ErrorKind::Runtime, "backward", str("one gradient for each of ", outputs.size(), " outputs"),
          str(gradients.size()));
  for (size_t i = 0; i < outputs.size(); i++) run.add_root(i, outputs[i], gradients.empty() ? Tensor() : gradients[i]);
}

std::vector<Edge> edges_of(std::span<const Tensor> inputs) {
  std::vector<Edge> edges;
  for (const Tensor& t : inputs) {
    edges.push_back(gradient_edge(t));
    if (!edges.back().node)
      raise(ErrorKind::Runtime, "grad", "inputs that require grad", str(describe(t), ", which does not"),
            "One of the differentiated Tensors does not require grad.");
  }
  return edges;
}

}  // namespace

int64_t current_run() { return Run::current() ? Run::current()->number() : 0; }
bool current_run_reaches(const Ref<Node>& node) { return Run::current() && Run::current()->reaches(node.get()); }

void backward(std::span<const Tensor> outputs, std::span<const Tensor> gradients, BackwardOptions options,
              std::span<const Tensor> inputs) {
  Run run(options);
  add_roots(run, outputs, gradients);
  if (!inputs.empty()) {
    const std::vector<Edge> edges = edges_of(inputs);
    std::vector<Target> targets;
    for (size_t i = 0; i < inputs.size(); i++) {
      if (!is_leaf(inputs[i])) retain_grad(inputs[i]);
      targets.push_back({edges[i], nullptr});
    }
    run.set_targets(targets);
  }
  run.go();
}

std::vector<Tensor> gradients_of(std::span<const Tensor> outputs, std::span<const Tensor> inputs,
                                 std::span<const Tensor> gradients, BackwardOptions options, bool allow_unused) {
  Run run(options);
  add_roots(run, outputs, gradients);
  const std::vector<Edge> edges = edges_of(inputs);
  std::vector<Tensor> found(inputs.size());
  std::vector<Target> targets;
  for (size_t i = 0; i < inputs.size(); i++) targets.push_back({edges[i], &found[i]});
  run.set_targets(targets);
  run.go();
  for (size_t i = 0; i < found.size() && !allow_unused; i++)
    if (!found[i])
      raise(ErrorKind::Runtime, "grad", "outputs that depend on every input", str("none that depends on input ", i),
            str("The differentiated Tensor at index ", i,
                " appears to not have been used in the graph. Set allow_unused=True to get None for it."));
  return found;
}

}  // namespace bolide
