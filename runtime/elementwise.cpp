// elementwise.cpp - the front of every op of elementwise.def: check, promote, broadcast, allocate, run, record.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime/autograd.h"
#include "runtime/backend.h"
#include "runtime/op_info.h"
#include "runtime/value.h"

namespace bolide {
namespace {

constexpr int64_t kLongWork = 1 << 20;  // elements from which a call may take a millisecond
constexpr int64_t kOne = 1;

// The inputs of a call, after the checks that need no shapes.
struct Prepared {
  DType dtype;                // of the computation
  DType out_dtype;
  Device device;
  const Tensor* model = nullptr;  // the first tensor
  bool flat = true;           // all tensors alike in sizes and strides, dense: one dimension will do
  bool far = false;           // some number is an integer that the computation's integers do not hold
  bool wide = false;          // some operand is of integers that dtype does not hold
};

[[noreturn]] void refuse_dtype(const OpInfo& info, DType dtype) {
  std::string names;
  for (int t = 0; t < kDTypeCount; t++)
    if (contains(info.dtypes, DType(t))) names += (names.empty() ? "" : ", ") + std::string(name_of(DType(t)));
  raise(ErrorKind::DType, info.name, "one of " + names, name_of(dtype));
}

bool keeps(DType dtype, const Scalar& s) {  // does this number leave the dtype of a tensor as it is?
  return s.kind == Scalar::Bool || (s.kind == Scalar::Int     ? dtype != DType::Bool
                                    : s.kind == Scalar::Float ? is_differentiable(dtype)
                                                              : is_complex(dtype));
}

// An operand that does not count in promotion may be of integers that the result's dtype has no place for.
bool is_wide(const Arg& a, DType dtype) {
  if (a.tensor) return promote(a.tensor->dtype(), dtype) != dtype;
  return a.scalar.kind == Scalar::Int && !a.scalar.beyond && wrapped(a.scalar.integer, dtype) != a.scalar.integer;
}

}  // namespace

Arg narrowed(const Arg& a, DType dtype, Tensor& made) {
  if (!is_integer(dtype) || !is_wide(a, dtype)) return a;
  return a.tensor ? Arg(made = to(*a.tensor, dtype)) : Arg(Scalar(wrapped(a.scalar.integer, dtype)));
}
DType promoted(std::span<const Arg> in) {
  Promotion promotion;
  for (const Arg& a : in) {
    if (a.tensor) promotion.add_tensor(a.tensor->dtype(), a.tensor->rank() == 0);
    else promotion.add_scalar(a.scalar);
  }
  return promotion.result();
}

namespace {

// The op that computes a call. A power may be a cheaper op of the base alone (as in PyTorch, a root is that of
// sqrt()); with a factor of the second input, its third, a sum is one pass of addcmul.
ElementwiseOp chosen(ElementwiseOp op, std::span<const Arg> in) {
  if (in.size() == 3 && (op == ElementwiseOp::add || op == ElementwiseOp::sub)) return ElementwiseOp::addcmul;
  if (op != ElementwiseOp::pow || !in[0].tensor || in[1].tensor || !is_float(in[0].tensor->dtype())) return op;
  const double exponent = in[1].scalar.real;
  if (in[1].scalar.kind == Scalar::Complex) return op;
  return exponent == 2      ? ElementwiseOp::square
         : exponent == 0.5  ? ElementwiseOp::sqrt
         : exponent == -0.5 ? ElementwiseOp::rsqrt
         : exponent == -1   ? ElementwiseOp::reciprocal
                            : op;
}

// What errors say of an op that stands for another: by the name that was called.
const OpInfo& named(ElementwiseOp op, ElementwiseOp given) {
  if (op == given) [[likely]]
    return op_info(op);
  using enum ElementwiseOp;
  struct Renamed {
    ElementwiseOp op, given;
    OpInfo info = op_info(op);
    Renamed(ElementwiseOp of, ElementwiseOp called) : op(of), given(called) { info.name = op_info(called).name; }
  };
  static const Renamed all[] = {{addcmul, add}, {addcmul, sub}, {square, pow},
                                {sqrt, pow},    {rsqrt, pow},   {reciprocal, pow}};
  return std::ranges::find_if(all, [&](const Renamed& r) { return r.op == op && r.given == given; })->info;
}

DType promote_inputs(ElementwiseOp op, std::span<const Arg> in, bool& uniform) {
  const size_t first = op == ElementwiseOp::where;  // the condition does not count, nor do parameters
  const size_t end = in.size() - size_t(op_info(op).scalars);
  const Tensor* t = in[first].tensor;
  uniform = t != nullptr;
  for (size_t i = first + 1; i < end && uniform; i++)
    uniform = in[i].tensor ? in[i].tensor->dtype() == t->dtype() : keeps(t->dtype(), in[i].scalar);
  if (uniform) [[likely]]
    return t->dtype();
  return promoted(in.subspan(first, end - first));
}

// The operands that wrap around: not parameters, and not an exponent.
std::span<const Arg> operands(ElementwiseOp op, std::span<const Arg> in) {
  return op == ElementwiseOp::pow ? in.first(0) : in.first(in.size() - size_t(op_info(op).scalars));
}
struct Narrowed {  // all of them as dtype has them; where() refuses numbers that do not fit, as PyTorch does
  Tensor tensors[3];
  Arg args[3] = {0, 0, 0};
  bool any = false;
  Narrowed(ElementwiseOp op, std::span<const Arg> in, DType dtype) {
    for (size_t i = 0; i < in.size(); i++) {
      any |= is_wide(in[i], dtype);
      args[i] = op == ElementwiseOp::where && !in[i].tensor ? Arg(fitting("where", in[i].scalar, dtype))
                                                            : narrowed(in[i], dtype, tensors[i]);
    }
  }
};

bool is_far(std::span<const Arg> in, Compute compute) {
  if (compute != Compute::I32 && compute != Compute::I64) return false;
  for (const Arg& a : in)
    if (!a.tensor && (a.scalar.beyond || (compute == Compute::I32 && a.scalar.integer != int32_t(a.scalar.integer))))
      return true;
  return false;
}

Prepared prepare(ElementwiseOp op, const OpInfo& info, std::span<const Arg> in) {
  Prepared p{};
  bool numbers = false, uniform;
  for (const Arg& a : in) {
    if (!a.tensor) {
      numbers = true;
      p.far |= a.scalar.kind == Scalar::Int && (a.scalar.beyond || a.scalar.integer != int32_t(a.scalar.integer));
      continue;
    }
    const Tensor& t = *a.tensor;
    if (!p.model) {
      p.model = &t, p.device = t.device();
      p.flat = t.is_contiguous() || is_dense(t.sizes(), t.strides());
      continue;
    }
    p.flat = p.flat && t.sizes() == p.model->sizes() &&
             ((t.is_contiguous() && p.model->is_contiguous()) || t.strides() == p.model->strides());
    if (t.device() == p.device) continue;
    if (p.device.is_cpu() && p.model->rank() == 0) p.device = t.device();
    else if (!t.device().is_cpu() || t.rank() > 0)
      raise(ErrorKind::Runtime, info.name, "all tensors on one device",
            str(name_of(p.device), " and ", name_of(t.device())));
  }
  p.dtype = promote_inputs(op, in, uniform);
  if (!contains(info.dtypes, p.dtype)) [[unlikely]] {
    const bool becomes_float = info.result == Result::floating || (info.result == Result::real && !(info.dtypes & Int));
    if (op == ElementwiseOp::square && p.dtype == DType::Bool) {
      p.dtype = DType::I64;  // a power with an integer exponent
    } else {
      if (!becomes_float || !contains(IntBool, p.dtype)) refuse_dtype(info, p.dtype);
      p.dtype = default_dtype();
    }
  }
  p.out_dtype = info.result == Result::boolean ? DType::Bool
                : info.result == Result::real  ? real_type(p.dtype)
                                               : p.dtype;
  if (op == ElementwiseOp::pow && is_integer(p.dtype) && !in[1].tensor && in[1].scalar.real < 0) [[unlikely]]
    raise(ErrorKind::Runtime, info.name, "an exponent of zero or more for integers", str(in[1].scalar.integer),
          "Make the base floating-point.");
  if (p.far) [[unlikely]]
    p.far = is_far(in, compute_type(p.dtype));
  if ((!uniform || numbers) && is_integer(p.dtype))
    for (const Arg& a : operands(op, in))  // a comparison takes numbers as they are
      p.wide |= (a.tensor || info.result != Result::boolean) && is_wide(a, p.dtype);
  return p;
}

// In a comparison, an integer that no element can be is as good as infinity.
struct WithInfinities {
  Arg args[3] = {0, 0, 0};
  explicit WithInfinities(std::span<const Arg> in) {
    std::copy(in.begin(), in.end(), args);
    for (Arg& a : args)
      if (!a.tensor && (a.scalar.beyond || a.scalar.integer != int32_t(a.scalar.integer)))
        a.scalar = Scalar(std::copysign(double(INFINITY), a.scalar.real));
  }
};

// A number as the compute type's own dtype has it in memory.
void write_number(const char* op, const Scalar& s, Compute compute, void* to) {
  auto put = [to](auto v) { std::memcpy(to, &v, sizeof v); };
  const bool whole = s.kind == Scalar::Int || s.kind == Scalar::Bool;
  if (s.beyond && compute != Compute::F32 && compute != Compute::F64) [[unlikely]]
    raise_beyond(op, s);
  switch (compute) {
    case Compute::F32: return put(float(s.real));
    case Compute::F64: return put(s.real);
    case Compute::I32: return put(whole ? int32_t(s.integer) : int32_t(s.real));
    case Compute::C64: return put(C64(float(s.real), float(s.imaginary)));
    case Compute::C128: return put(C128(s.real, s.imaginary));
    default: return put(whole ? s.integer : int64_t(s.real));
  }
}

// The kernel's call, with the memory that its pointers lead to.
struct KernelCall {
  ElementwiseCall call;
  int64_t flat_size = 0;
  alignas(16) char numbers[kMaxSlots][16];
  static constexpr int kInlineRank = 8;
  int64_t inline_strides[kMaxSlots][kInlineRank];
  std::vector<int64_t> more_strides;
  static constexpr int64_t kZeros[kMaxRank] = {};

  // slots: null where the formula does not read. All broadcast to out's sizes.
  void fill(std::span<const Arg* const> slots, const Tensor& out, bool flat, const OpInfo& info) {
    const int rank = out.rank();
    call.out = {out.data(), out.dtype(), flat ? &kOne : out.strides().data()};
    call.rank = flat ? 1 : rank;
    flat_size = out.numel();
    call.shape = flat ? &flat_size : out.sizes().data();
    if (!flat && rank > kInlineRank) more_strides.resize(size_t(rank) * kMaxSlots);
    for (int s = 0; s < int(slots.size()); s++) {
      if (!slots[s]) continue;
      const Tensor* t = slots[s]->tensor;
      if (t && (t->device() == out.device())) {
        call.slots[s] = {t->data(), t->dtype(), flat ? &kOne : broadcast(*t, out, s)};
        continue;
      }
      constexpr DType kOwn[] = {DType::F32, DType::F64, DType::I32, DType::I64, DType::C64, DType::C128};
      write_number(info.name, t ? item(*t) : slots[s]->scalar, call.compute, numbers[s]);
      call.slots[s] = {numbers[s], kOwn[int(call.compute)], kZeros};
      call.scalars |= 1u << s;
    }
    call.stream = current_stream(out.device());
  }
  const int64_t* broadcast(const Tensor& t, const Tensor& out, int slot) {
    const int rank = out.rank(), missing = rank - t.rank();
    int64_t* to = rank > kInlineRank ? &more_strides[size_t(slot) * rank] : inline_strides[slot];
    for (int d = 0; d < rank; d++) {
      const int own = d - missing;
      to[d] = own < 0 || (t.size(own) == 1 && out.size(d) != 1) ? 0 : t.stride(own);
    }
    return to;
  }
  void run(const OpInfo& info, Device device) {
    auto* kernel = backend_of(device.type).kernels->elementwise;
    if (!kernel) raise(ErrorKind::NotImplemented, info.name, "a kernel on " + name_of(device), "none");
    BlockingScope scope(flat_size >= kLongWork);
    kernel(call);
  }
};

void compute_into(ElementwiseOp op, const OpInfo& info, std::span<const Arg> in, const Prepared& p, const Tensor& out,
                  bool flat) {
  if (out.numel() == 0) return;
  KernelCall k;
  k.call.op = op, k.call.compute = compute_type(p.dtype);
  if (op == ElementwiseOp::invert && p.dtype == DType::Bool) k.call.op = ElementwiseOp::logical_not;  // one bit only
  if (op == ElementwiseOp::clamp && !in[1].tensor && !in[2].tensor)
    k.call.op = ElementwiseOp::hardtanh;  // in registers
  const Arg* slots[3];
  for (size_t i = 0; i < in.size(); i++) slots[i] = &in[i];
  k.fill(std::span<const Arg* const>(slots, in.size()), out, flat, info);
  k.run(info, out.device());
}

Dims common_sizes(const OpInfo& info, std::span<const Arg> in) {
  Dims sizes;
  for (const Arg& a : in)
    if (a.tensor) sizes = broadcast_sizes(info.name, sizes, a.tensor->sizes());
  return sizes;
}

class ElementwiseNode final : public Node {
 public:
  // y: the result.
  ElementwiseNode(const char* name, ElementwiseOp op, const OpInfo& info, std::span<const Arg> in, DType dtype,
                  const Tensor& y)
      : Node(name), op_(op), dtype_(dtype), arity_(info.arity) {
    for (const Arg& a : in) add_edge(a.tensor ? gradient_edge(*a.tensor) : Edge{});
    uint8_t read = 0;
    for (int k = 0; k < arity_; k++)
      if (info.differentiable[k] && needs(k)) read |= info.reads[k];
    for (int k = 0; k < arity_; k++) {
      if (!in[k].tensor) scalars_[k] = in[k].scalar;
      else if (read >> (k + 1) & 1) saved_[k] = Saved(*in[k].tensor);
    }
    if (read >> (arity_ + 1) & 1) saved_[3] = Saved::output(y);
    saves_ = read >> 1;
  }
  // In-place: an input as it was before the op changed it.
  void save_original(int input, const Tensor& original) {
    if (saved_[input]) saved_[input] = Saved(original);
  }

  void backward(std::span<const Tensor> g, Grads& grads) override {
    if (!g[0]) return;
    const OpInfo& info = op_info(op_);
    for (int k = 0; k < arity_; k++) {
      if (!grads.needs(k) || !info.differentiable[k]) continue;
      if (info.passes_gradient[k]) grads[k] = g[0];
      else if (info.zero_gradient[k]) grads[k] = zeros(g[0].sizes(), {g[0].dtype(), g[0].device()});
      else if (grad_enabled()) grads[k] = by_formula(k, g[0]);
      else grads[k] = by_kernel(k, g[0], info);
    }
  }
  void release() override {
    if (!saves_) return;
    for (Saved& s : saved_) s = Saved();
    mark_released();
  }

 private:
  Tensor by_formula(int k, const Tensor& g) {
    std::vector<Value> slots{Value(g)};
    for (int i = 0; i < arity_; i++) slots.push_back(saved_[i] ? Value(saved_[i].get()) : Value(scalars_[i]));
    slots.push_back(saved_[3] ? Value(saved_[3].get(this)) : Value(0.0));
    return gradient_formula(op_, k, slots);
  }
  Tensor by_kernel(int k, const Tensor& g, const OpInfo& info) {
    Tensor tensors[3], y;
    std::optional<Arg> args[kMaxSlots];
    const Arg* slots[kMaxSlots] = {};
    args[0].emplace(g);
    bool flat = g.is_contiguous();
    auto use = [&](int slot, const Tensor& t) {
      args[slot].emplace(t);
      flat = flat && t.is_contiguous() && t.sizes() == g.sizes();
    };
    for (int i = 0; i < arity_; i++) {
      if (!(info.reads[k] >> (i + 1) & 1)) continue;
      if (saved_[i]) use(i + 1, tensors[i] = saved_[i].get());
      else args[i + 1].emplace(scalars_[i]);
    }
    if (info.reads[k] >> (arity_ + 1) & 1) use(arity_ + 1, y = saved_[3].get());
    for (int s = 0; s < arity_ + 2; s++)
      if (info.reads[k] >> s & 1) slots[s] = &*args[s];
    Tensor out = empty(g.sizes(), {dtype_, g.device()});
    if (out.numel() == 0) return out;
    KernelCall call;
    call.call.op = op_, call.call.gradient = k, call.call.compute = compute_type(dtype_);
    call.fill(std::span<const Arg* const>(slots, size_t(arity_ + 2)), out, flat, info);
    call.run(info, out.device());
    return out;
  }

  const ElementwiseOp op_;
  const DType dtype_;
  const int arity_;
  bool saves_;
  Saved saved_[4];  // inputs, y
  Scalar scalars_[3];
};

bool should_record(const OpInfo& info, std::span<const Arg> in, DType out) {
  if (!is_differentiable(out)) return false;
  for (int k = 0; k < info.arity; k++)
    if (in[k].tensor && info.differentiable[k] && in[k].tensor->requires_grad())
      return grad_enabled() && !inference_enabled();
  return false;
}

Ref<ElementwiseNode> make_elementwise_node(const char* name, ElementwiseOp op, const OpInfo& info,
                                           std::span<const Arg> in, DType dtype, const Tensor& y) {
  for (const Arg& a : in)
    if (a.tensor && (*a.tensor)->base) make_edges({a.tensor});
  return Ref<ElementwiseNode>::steal(new ElementwiseNode(name, op, info, in, dtype, y));
}

void check_inputs(const OpInfo& info, std::span<const Arg> in) {
  for (const Arg& a : in)
    if (a.tensor && !*a.tensor) raise(ErrorKind::Type, info.name, "a tensor", "none");
}

// Of an in-place op, the inputs that it changes and that a gradient reads: copies, with their place in the graph.
void keep_originals(const OpInfo& info, const Tensor& self, std::span<const Arg> in, std::span<Tensor> originals) {
  for (int i = 0; i < info.arity; i++) {
    if (!in[i].tensor || (i > 0 && !may_overlap(self, *in[i].tensor))) continue;
    for (int k = 0; k < info.arity && !originals[i]; k++)
      if (info.differentiable[k] && in[k].tensor && in[k].tensor->requires_grad() && info.reads[k] >> (i + 1) & 1)
        originals[i] = copy_with_history(*in[i].tensor);
  }
}

// An operand that overlaps the result without being it would be read after it was written.
void protect(const Tensor& out, std::span<Arg> in, std::span<Tensor> copies, bool resized = false) {
  for (size_t i = 0; i < in.size(); i++) {
    if (!in[i].tensor || !may_overlap(out, *in[i].tensor)) continue;
    const Tensor& t = *in[i].tensor;
    if (!resized && t.data() == out.data() && t.sizes() == out.sizes() && t.strides() == out.strides() &&
        t.dtype() == out.dtype())
      continue;
    copies[i] = empty(t.sizes(), {t.dtype(), t.device()});
    copy_values(copies[i], t);
    in[i].tensor = &copies[i];
  }
}

void check_result(const OpInfo& info, std::span<const Arg> in, const Prepared& p, const Tensor& out) {
  check_castable(info.name, p.out_dtype, out.dtype());
  const Dims sizes = common_sizes(info, in);
  if (sizes != out.sizes())
    raise(ErrorKind::Shape, info.name, str("a result of the output's shape ", out.sizes().text()), sizes.text());
}

}  // namespace

Tensor elementwise(ElementwiseOp given, std::span<const Arg> in) {
  const char* name = op_info(given).name;
  check_inputs(op_info(given), in);
  const ElementwiseOp op = chosen(given, in);
  const OpInfo& info = named(op, given);
  in = in.first(size_t(info.arity));
  const Prepared p = prepare(op, info, in);
  if (p.far && info.result == Result::boolean) [[unlikely]]
    return elementwise(op, std::span(WithInfinities(in).args, in.size()));
  if (p.wide) [[unlikely]]
    return elementwise(op, std::span(Narrowed(op, in, p.dtype).args, in.size()));
  Tensor out;
  if (p.model && p.flat) [[likely]]
    out = empty_like(*p.model, p.out_dtype);
  else out = empty(common_sizes(info, in), {p.out_dtype, p.device});
  if (out.device() != p.device) out = empty(out.sizes(), {p.out_dtype, p.device});
  const bool flat = p.model && p.flat && p.model->device() == p.device;
  compute_into(op, info, in, p, out, flat);
  if (should_record(info, in, out.dtype()))
    set_history(out, Ref<Node>::steal(make_elementwise_node(name, op, info, in, p.dtype, out).release()));
  return out;
}

void elementwise_(ElementwiseOp given, const Tensor& self, std::span<const Arg> others) {
  const char* name = op_info(given).name;
  std::vector<Arg> in{self};
  in.insert(in.end(), others.begin(), others.end());
  check_inputs(op_info(given), in);
  const ElementwiseOp op = chosen(given, in);
  const OpInfo& info = named(op, given);
  in.resize(size_t(info.arity), Arg(0)), others = others.first(in.size() - 1);
  if (info.result == Result::boolean) return copy_(self, elementwise(op, in));  // in self's dtype
  const bool recorded = should_record(info, in, self.dtype());
  check_inplace(name, self, recorded);
  const Prepared p = prepare(op, info, in);
  if (p.wide) [[unlikely]]
    if (const Narrowed narrowed(op, others, p.dtype);
        narrowed.any)  // else it is self, of fewer dimensions: refused below
      return elementwise_(op, self, std::span(narrowed.args, others.size()));
  if (info.result == Result::real && is_complex(self.dtype()))
    raise(ErrorKind::Runtime, info.name, "a real tensor to change in place", name_of(self.dtype()));
  check_result(info, in, p, self);
  const std::vector<Arg> as_given = in;
  Tensor copies[3], originals[3];
  if (recorded) keep_originals(info, self, in, originals);
  protect(self, in, copies);
  bool flat = p.flat && self.device() == p.device && self.is_contiguous();
  for (const Arg& a : in)
    flat = flat && (!a.tensor || (a.tensor->is_contiguous() && a.tensor->sizes() == self.sizes()));
  compute_into(op, info, in, p, self, flat);
  bump_version(self);
  if (!recorded) return;
  auto node = make_elementwise_node(name, op, info, as_given, p.dtype, self);
  for (int i = 0; i < info.arity; i++)
    if (originals[i]) node->save_original(i, originals[i]);
  set_inplace_history(self, Ref<Node>::steal(node.release()));
}

void elementwise_out(ElementwiseOp given, const Tensor& out, std::span<const Arg> inputs) {
  const ElementwiseOp op = chosen(given, inputs);
  const OpInfo& info = named(op, given);
  std::vector<Arg> in(inputs.begin(), inputs.begin() + info.arity);
  check_inputs(info, in);
  for (int k = 0; k < info.arity && grad_enabled(); k++)
    if (info.differentiable[k] && in[k].tensor && in[k].tensor->requires_grad())
      raise(ErrorKind::Runtime, info.name, "out= with tensors that do not require grad", "one that does");
  const Prepared first = prepare(op, info, in);
  if (first.far && info.result == Result::boolean) [[unlikely]]
    return elementwise_out(op, out, std::span(WithInfinities(in).args, in.size()));
  const Dims sizes = common_sizes(info, in);
  for (const Arg& a : in)  // what is read and written keeps its shape
    if (a.tensor && a.tensor->same(out) && sizes != out.sizes())
      raise(ErrorKind::Shape, info.name, str("an output of the broadcast shape ", sizes.text()), out.sizes().text());
  if (first.wide) [[unlikely]]
    return elementwise_out(op, out, std::span(Narrowed(op, in, first.dtype).args, in.size()));
  Tensor copies[3];
  protect(out, in, copies, sizes != out.sizes());
  const Prepared p = prepare(op, info, in);
  check_out(info.name, out, sizes, p.out_dtype, p.device);
  if (p.out_dtype != out.dtype()) {  // the result as it is without out=, then converted
    GradMode off(false);
    copy_values(out, elementwise(op, in));
    return bump_version(out);
  }
  bool flat = p.model && p.flat && out.is_contiguous() && out.device() == p.device;
  for (const Arg& a : in) flat = flat && (!a.tensor || (a.tensor->is_contiguous() && a.tensor->sizes() == out.sizes()));
  compute_into(op, info, in, p, out, flat);
  bump_version(out);
}

}  // namespace bolide
