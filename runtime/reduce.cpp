// reduce.cpp - the front of the reductions of reduce.def, and of argmax and argmin.
#include "runtime/autograd.h"
#include "runtime/backend.h"
#include "runtime/ops.h"
#include "runtime/value.h"

namespace bolide {
namespace {

// Which dimensions go, and what the result looks like with and without them.
struct Plan {
  uint64_t reduced = 0;
  Dims kept, sizes;  // with 1 for the reduced ones; without them
  Dims dims;
  int64_t n = 1;     // elements of a result
};

Plan make_plan(const char* op, const Tensor& x, const OptionalDims& dims, bool keepdim) {
  Plan p;
  if (dims && dims->rank() > 0) {
    Dims wrapped = *dims;  // all of them before any is found to come twice
    for (int i = 0; i < wrapped.rank(); i++) wrapped[i] = wrap_dim(op, wrapped[i], x.rank());
    for (int64_t d : wrapped) {
      const uint64_t bit = uint64_t(1) << d;
      check(!(p.reduced & bit), ErrorKind::Runtime, op, "every dimension once", [&] { return dims->text(); });
      p.reduced |= bit;
    }
  } else p.reduced = ~uint64_t(0);
  p.kept = x.sizes();
  for (int d = 0; d < x.rank(); d++) {
    if (p.reduced >> d & 1) {
      p.n *= p.kept[d], p.kept[d] = 1, p.dims.push_back(d);
      if (keepdim) p.sizes.push_back(1);
    } else p.sizes.push_back(x.size(d));
  }
  return p;
}

void run_kernel(const char* name, ReductionOp op, const Tensor& x, const Plan& p, Compute compute, double parameter,
                const Tensor& out) {
  if (out.numel() == 0) return;
  Dims strides = p.kept.contiguous_strides();
  for (int d = 0; d < x.rank(); d++)
    if (p.reduced >> d & 1) strides[d] = 0;
  ReduceCall call;
  call.op = op, call.compute = compute, call.parameter = parameter;
  call.in = {x.data(), x.dtype(), x.strides().data()};
  call.out = {out.data(), out.dtype(), strides.data()};
  call.rank = x.rank(), call.shape = x.sizes().data(), call.reduced = p.reduced,
  call.stream = current_stream(x.device());
  auto* kernel = backend_of(x.device().type).kernels->reduce;
  if (!kernel) raise(ErrorKind::NotImplemented, name, "a kernel on " + name_of(x.device()), "none");
  BlockingScope scope(x.numel() >= 1 << 20);
  kernel(call);
}

// ---- what the gradient column of the table may name: g, x, y with kept dimensions, n, p, dims
struct GradientInputs {
  Value g, x, y;
  double n, p;
  OptionalDims dims;
};
Value mean(const Value& x, const OptionalDims& dims, bool keepdim) { return bolide::mean(x.tensor(), dims, keepdim); }
// Equal elements share the gradient of the largest; where there are NaN, which win, those do.
Value shared(const Value& x, const Value& y, const OptionalDims& dims) {
  const Tensor chosen = logical_or(eq(x.tensor(), y.tensor()), ne(x.tensor(), x.tensor()));
  const Tensor mask = to(chosen, x.tensor().dtype());
  return Value(div(mask, sum(mask, dims, true)));
}
// The product of all elements but each: by division where there is no zero. A single zero among the others makes it 0,
// but not its derivative by that zero; `other` is what one zero of them is.
Value others(const Value& v, const OptionalDims& dims) {
  const Tensor& x = v.tensor();
  const Tensor zero = eq(x, 0), filled = where(zero, 1, x), product = prod(filled, dims, true);
  const Tensor zeros = to(sum(zero, dims, true), x.dtype()), rest = div(product, filled);
  Tensor of_zero = where(eq(zeros, 1), product, 0), of_rest = where(eq(zeros, 0), rest, 0);
  if (grad_enabled()) {
    const Tensor own = where(zero, x, 0), other = sub(sum(own, dims, true), own);
    of_zero = where(eq(zeros, 2), mul(product, other), of_zero);
    of_rest = where(eq(zeros, 1), mul(rest, other), of_rest);
  }
  return Value(where(zero, of_zero, of_rest));
}
constexpr None none{};
Tensor as_tensor(const Value& v) { return v.tensor(); }
Tensor as_tensor(None) { return {}; }

using Formula = Tensor (*)(const GradientInputs&);
constexpr Formula kFormulas[] = {
#define REDUCE(set, rule, empty, name, shift, start, add, merge, end, slope, doc)            \
  [](const GradientInputs& in) {                                                             \
    [[maybe_unused]] const auto& [g, x, y, n, p, dims] = in;                                 \
    return as_tensor(slope);                                                                 \
  },
#include "kernels/reduce.def"
};
// Does the formula read x, and y? What it does not is not kept, and may change.
constexpr bool names(std::string_view formula, char name) {
  auto goes_on = [&](size_t i) { return i < formula.size() && (formula[i] == '_' || (formula[i] | 32) >= 'a'); };
  for (size_t i = 0; i < formula.size(); i++)
    if (formula[i] == name && !goes_on(i - 1) && !goes_on(i + 1)) return true;
  return false;
}
constexpr bool kReads[][2] = {
#define REDUCE(set, rule, empty, name, shift, start, add, merge, end, slope, doc) \
  {names(#slope, 'x'), names(#slope, 'y')},
#include "kernels/reduce.def"
};
static_assert(kReads[int(ReductionOp::amax)][1] && !kReads[int(ReductionOp::var)][1] &&
              !kReads[int(ReductionOp::sum)][0]);

DType result_dtype(const ReductionInfo& info, DType dtype) {
  switch (info.result) {
    case Result::sum: return contains(IntBool, dtype) ? DType::I64 : dtype;
    case Result::boolean: return dtype == DType::U8 ? DType::U8 : DType::Bool;  // as PyTorch documents
    default: return dtype;
  }
}

}  // namespace

Tensor reduce(ReductionOp op, const Tensor& input, const OptionalDims& dims, bool keepdim, std::optional<DType> dtype,
              double parameter) {
  const ReductionInfo& info = reduction_info(op);
  const Tensor x = dtype ? to(input, *dtype) : input;
  const bool narrow = dtype && info.result == Result::sum && contains(IntBool, *dtype) && *dtype != DType::I64;
  if (narrow) return to(reduce(op, x, dims, keepdim, {}, parameter), *dtype);  // added in int64
  const DType result = result_dtype(info, x.dtype());
  if (!contains(info.dtypes, info.result == Result::sum ? result : x.dtype()))
    raise(ErrorKind::DType, info.name, info.result == Result::floating ? "a floating-point dtype" : "a number dtype",
          name_of(x.dtype()), info.result == Result::floating ? "Give it a dtype, or convert the tensor." : "");
  const Plan p = make_plan(info.name, x, dims, keepdim);
  if (p.n == 0 && info.empty == Empty::raises)
    raise(dims && dims->rank() ? ErrorKind::Index : ErrorKind::Shape, info.name, "at least one element to reduce",
          describe(x));
  Tensor y = empty(p.sizes, {result, x.device()});
  // Integers are added in int64; the others in what they compute in.
  const Compute compute = info.result == Result::sum ? compute_type(result) : compute_type(x.dtype());
  run_kernel(info.name, op, x, p, compute, parameter, y);
  if (!info.differentiable || !is_differentiable(result)) return y;
  const bool reads_x = kReads[int(op)][0], reads_y = kReads[int(op)][1];
  record(info.name, y, {&x}, [&] {
    return [op, kept = p.kept, from = x.sizes(), dims = p.dims, n = double(p.n), parameter,
            saved = reads_x ? Saved(x) : Saved(),
            result = reads_y ? Saved::output(y) : Saved()](const Tensor& g, Grads& grads) {
      const Tensor x = saved.get(), y = result.get(grads.node());
      const GradientInputs in{
          Value(reshape(g, kept)), x ? Value(x) : Value(0.0), y ? Value(reshape(y, kept)) : Value(0.0), n, parameter,
          OptionalDims(dims)};
      grads[0] = expand(kFormulas[int(op)](in), from);
    };
  });
  return y;
}

namespace {

Tensor place_of(ReductionOp op, const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  const ReductionInfo& info = reduction_info(op);
  if (!contains(info.dtypes, x.dtype())) raise(ErrorKind::DType, info.name, "a number dtype", name_of(x.dtype()));
  const Plan p = make_plan(info.name, x, dim ? OptionalDims(Dims{*dim}) : OptionalDims(), keepdim);
  if (p.n == 0) raise(ErrorKind::Index, info.name, "at least one element to reduce", describe(x));
  Tensor y = empty(p.sizes, {DType::I64, x.device()});
  run_kernel(info.name, op, x, p, compute_type(x.dtype()), 0, y);
  return y;
}

ValuesIndices extreme(ReductionOp op, const Tensor& x, int64_t dim, bool keepdim) {
  const int d = wrap_dim(reduction_info(op).name, dim, x.rank());
  const Tensor places = place_of(op, x, d, true);
  const Tensor values = x.rank() ? gather(x, d, places) : clone(x);
  if (keepdim || x.rank() == 0) return {values, places};
  return {squeeze(values, Dims{d}), squeeze(places, Dims{d})};
}

}  // namespace

Tensor argmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  check(x.dtype() != DType::Bool, ErrorKind::DType, "argmax", "a number dtype", [] { return std::string("bool"); });
  return place_of(ReductionOp::argmax, x, dim, keepdim);
}
Tensor argmin(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  check(x.dtype() != DType::Bool, ErrorKind::DType, "argmin", "a number dtype", [] { return std::string("bool"); });
  return place_of(ReductionOp::argmin, x, dim, keepdim);
}
ValuesIndices max_dim(const Tensor& x, int64_t dim, bool keepdim) {
  return extreme(ReductionOp::argmax, x, dim, keepdim);
}
ValuesIndices min_dim(const Tensor& x, int64_t dim, bool keepdim) {
  return extreme(ReductionOp::argmin, x, dim, keepdim);
}

Tensor sum_to(const Tensor& x, const Dims& sizes) {
  if (x.sizes() == sizes) return x;
  Dims dims;
  const int missing = x.rank() - sizes.rank();
  for (int d = 0; d < x.rank(); d++) {
    if (d < missing || (sizes[d - missing] == 1 && x.size(d) != 1)) dims.push_back(d);
    else if (x.size(d) != sizes[d - missing])
      raise(ErrorKind::Shape, "sum_to", str("a shape that ", sizes.text(), " broadcasts to"), x.sizes().text());
  }
  return reshape(sum(x, dims, true), sizes);
}

}  // namespace bolide
