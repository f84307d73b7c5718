// engine.cpp - backward: from outputs to leaves, on the caller's thread, without recursion.
//
// Nodes wait in a map ordered by sequence number, the latest first: a node's consumers were made after it, so
// when its turn comes all its gradients have arrived, and the order of additions is the same on every run. The
// map belongs to the run, so runs may nest (a hook may call backward) and share graphs across threads.
#include <map>
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

// Whose gradient is asked for: an output of a node, and where to put it.
struct Target {
  Node* node;
  uint32_t output;
  Tensor* to;
};

class Run {
 public:
  explicit Run(BackwardOptions options) : options_(options) {}

  void add_root(const Tensor& output, const Tensor& gradient) {
    const Edge edge = gradient_edge(output);
    check(bool(edge.node), ErrorKind::Runtime, "backward", "an output that requires grad",
          [&] { return str(describe(output), ", which does not require grad and has no grad_fn"); });
    Tensor g = gradient;
    if (!g) {
      check(output.numel() == 1, ErrorKind::Runtime, "backward", "a gradient for an output that is not a scalar",
            [&] { return str("none for ", describe(output)); });
      check(!is_complex(output.dtype()), ErrorKind::Runtime, "backward",
            "a gradient for a complex output (grad can be implicitly created only for real scalar outputs)",
            [&] { return str("none for ", describe(output)); });
      g = full_like(output, 1);
    }
    if (g.sizes() != output.sizes())
      raise(ErrorKind::Shape, "backward", str("a gradient of shape ", output.sizes().text()), g.sizes().text());
    if (g.dtype() != output.dtype() && (is_complex(g.dtype()) || is_complex(output.dtype())))
      raise(ErrorKind::DType, "backward", str("a gradient of ", name_of(output.dtype())), name_of(g.dtype()));
    roots_.push_back(edge.node);
    add(edge, std::move(g));
  }
  // Only what leads to these is run; leaves outside them are left alone.
  void set_targets(std::vector<Target> targets) {
    targets_ = std::move(targets);
    restricted_ = true;
    find_needed();
  }

  void go() {
    GradMode mode(options_.create_graph);
    while (!pending_.empty()) {
      check_interrupt();
      Pending next = std::move(pending_.begin()->second);
      pending_.erase(pending_.begin());
      step(next);
    }
  }

 private:
  void step(Pending& p) {
    Node& node = *p.node;
    if (restricted_ && !needed_.count(&node)) return;
    node.run_pre_hooks(p.g);
    bool wanted = !restricted_;
    for (const Target& t : targets_) {
      if (t.node != &node) continue;
      if (t.to) *t.to = p.g[t.output];
      else wanted = true;  // into .grad
    }
    if (node.is_accumulator() && !wanted) return;
    check(!node.released(), ErrorKind::Runtime, "backward", "a graph that is still there", [&] {
      return str("one whose saved tensors (of ", node.name(),
                 ") were freed by an earlier backward; give that one retain_graph=True");
    });
    Grads grads(node);
    node.backward(p.g, grads);
    p.g.clear();
    if (!options_.retain_graph && !options_.create_graph) node.release();
    for (int i = 0; i < grads.count(); i++)
      if (grads[i] && grads.needs(i)) add(node.edge(i), std::move(grads[i]));
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
    for (const Target& t : targets_) needed_.insert(t.node);
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
          if (Node* child = node->edge(i).node.get(); child && needed_.count(child)) needed_.insert(node);
        stack.pop_back();
      }
    }
  }

  const BackwardOptions options_;
  std::map<Key, Pending, std::greater<Key>, CachedAllocator<std::pair<const Key, Pending>>> pending_;
  std::vector<Ref<Node>> roots_;
  bool restricted_ = false;
  std::vector<Target> targets_;
  std::unordered_set<Node*> needed_;
};

void add_roots(Run& run, std::span<const Tensor> outputs, std::span<const Tensor> gradients) {
  if (!gradients.empty() && gradients.size() != outputs.size())
    raise(ErrorKind::Runtime, "backward", str("one gradient for each of ", outputs.size(), " outputs"),
          str(gradients.size()));
  for (size_t i = 0; i < outputs.size(); i++) run.add_root(outputs[i], gradients.empty() ? Tensor() : gradients[i]);
}

std::vector<Edge> edges_of(std::span<const Tensor> inputs) {
  std::vector<Edge> edges;
  for (const Tensor& t : inputs) {
    edges.push_back(gradient_edge(t));
    check(bool(edges.back().node), ErrorKind::Runtime, "grad", "inputs that require grad",
          [&] { return str(describe(t), ", which does not"); });
  }
  return edges;
}

}  // namespace

void backward(std::span<const Tensor> outputs, std::span<const Tensor> gradients, BackwardOptions options,
              std::span<const Tensor> inputs) {
  Run run(options);
  add_roots(run, outputs, gradients);
  if (!inputs.empty()) {
    const std::vector<Edge> edges = edges_of(inputs);
    std::vector<Target> targets;
    for (size_t i = 0; i < inputs.size(); i++) {
      if (!is_leaf(inputs[i])) retain_grad(inputs[i]);
      targets.push_back({edges[i].node.get(), edges[i].output, nullptr});
    }
    run.set_targets(std::move(targets));
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
  for (size_t i = 0; i < inputs.size(); i++) targets.push_back({edges[i].node.get(), edges[i].output, &found[i]});
  run.set_targets(std::move(targets));
  run.go();
  for (size_t i = 0; i < found.size() && !allow_unused; i++)
    check(bool(found[i]), ErrorKind::Runtime, "grad", "outputs that depend on every input",
          [&] { return str("input ", i, " unused in the graph (allow_unused=True returns None for it)"); });
  return found;
}

}  // namespace bolide
