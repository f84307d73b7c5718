// scatter.cpp - gather, scatter, index_add and their kin: elements along a dimension, or by flat number, chosen by a
// tensor of indices.
//
// Each is a Selection (places.h) that is taken or put. What is not in place works on a clone, and so has its gradient.
#include <algorithm>

#include "runtime/places.h"

namespace bolide {
namespace {

// One dimension of indices, for rows along dim of x.
Selection rows_of(const char* op, const Tensor& x, int64_t dim, const Tensor& index) {
  const int d = wrap_dim(op, dim, x.rank());
  check_index(op, index);
  check(index.rank() <= 1, ErrorKind::Index, op, "at most one dimension of indices", [&] { return describe(index); });
  return Selection::along(x, d, index.rank() ? index : unsqueeze(index, 0), false);
}
// The tensor in which rows are selected: a 0-d one has a single row.
Tensor with_rows(const Tensor& x) { return x.rank() ? x : unsqueeze(x, 0); }

// Indices of x's rank, one element each.
Selection elements_of(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor* source) {
  const int d = wrap_dim(op, dim, x.rank());
  if (index.numel() == 0)
    return Selection::along(x, d, index.dtype() == DType::I32 ? index : to(index, DType::I64), true);
  check_index(op, index);
  const bool fits = std::max(index.rank(), 1) == std::max(x.rank(), 1) &&
                    (!source || std::max(source->rank(), 1) == std::max(x.rank(), 1));
  if (!fits) raise(ErrorKind::Shape, op, str(x.rank(), " dimensions of indices and source"), describe(index));
  for (int i = 0; i < index.rank(); i++) {
    const int64_t limit = i == d || !x.rank() ? INT64_MAX : x.size(i);
    const int64_t given = source && source->rank() ? source->size(i) : INT64_MAX;
    if (index.size(i) > std::min(limit, given))
      raise(ErrorKind::Shape, op,
            str("indices no larger than ", x.sizes().text(), " except in dimension ", d,
                source ? ", and than the source " + source->sizes().text() : std::string()),
            index.sizes().text());
  }
  return Selection::along(x, d, index, true);
}
// The part of the source that has an index.
Tensor part_of(const Tensor& source, const Tensor& index) {
  if (index.numel() == 0) return reshape(narrow(reshape(source, {-1}), 0, 0, 0), index.sizes());
  Tensor part = source;
  for (int d = 0; d < std::min(source.rank(), index.rank()); d++)
    if (source.size(d) != index.size(d)) part = narrow(part, d, 0, index.size(d));
  return part.rank() == index.rank() ? part : reshape(part, index.sizes());
}

void check_same_dtype(const char* op, const Tensor& x, const Tensor& source) {
  if (x.dtype() != source.dtype())
    raise(ErrorKind::DType, op, str("a source of dtype ", name_of(x.dtype())), name_of(source.dtype()));
}
// source along dim has a row for each index, and x's other sizes.
void check_rows(const char* op, const Tensor& x, int d, const Tensor& index, const Tensor& source) {
  Dims sizes = x.sizes();
  if (x.rank()) sizes[d] = index.numel();
  const bool one = !source.rank() && index.numel() == 1 && x.rank() <= 1;
  if (source.sizes() != sizes && !one && !(x.rank() == 0 && source.numel() == index.numel() && source.rank() == 1))
    raise(ErrorKind::Shape, op, str("a source of sizes ", sizes.text()), source.sizes().text());
}

// ---- reductions ----------------------------------------------------------------------------------------------
enum class Combine : uint8_t { sum, prod, mean, amax, amin };

Combine combine_named(const char* op, std::string_view name, bool along_rows) {
  if (name == "sum" && !along_rows) return Combine::sum;
  if (name == "prod") return Combine::prod;
  if (name == "mean") return Combine::mean;
  if (name == "amax") return Combine::amax;
  if (name == "amin") return Combine::amin;
  raise(ErrorKind::Runtime, op,
        along_rows ? "reduce 'prod', 'mean', 'amax' or 'amin'" : "reduce 'sum', 'prod', 'mean', 'amax' or 'amin'",
        str("'", name, "'"));
}
IndexCall::Mode mode_of(Combine c) {
  switch (c) {
    case Combine::prod: return IndexCall::Multiply;
    case Combine::amax: return IndexCall::Max;
    case Combine::amin: return IndexCall::Min;
    default: return IndexCall::Add;
  }
}
// What leaves every value as it is: the start where x's own elements do not count.
Scalar neutral(Combine c, DType dtype) {
  if (c == Combine::sum || c == Combine::mean) return Scalar(0);
  if (c == Combine::prod) return Scalar(1);
  const bool low = c == Combine::amax;
  if (is_float(dtype)) return Scalar(low ? -HUGE_VAL : HUGE_VAL);
  switch (dtype) {
    case DType::Bool: return Scalar(!low);
    case DType::U8: return Scalar(int64_t(low ? 0 : UINT8_MAX));
    case DType::I8: return Scalar(int64_t(low ? INT8_MIN : INT8_MAX));
    case DType::I16: return Scalar(int64_t(low ? INT16_MIN : INT16_MAX));
    case DType::I32: return Scalar(int64_t(low ? INT32_MIN : INT32_MAX));
    default: return Scalar(low ? INT64_MIN : INT64_MAX);
  }
}
Options options_of(const Tensor& t) { return {t.dtype(), t.device()}; }

// How many values each place gets, x's own included; at least 1.
Tensor counts_of(const char* op, const Tensor& like, const Selection& s, bool include_self) {
  Tensor counts = full(like.sizes(), Scalar(include_self ? 1 : 0), options_of(like));
  combine_selected(op, counts, s, ones(selected_sizes(op, counts, s), options_of(like)), IndexCall::Add);
  return where(Arg(eq(counts, 0)), 1, counts);
}
// g where no value went, 0 elsewhere.
Tensor untouched(const char* op, const Tensor& g, const Selection& s) {
  Tensor kept = ones(g.sizes(), {DType::Bool, g.device()});
  combine_selected(op, kept, s, zeros(selected_sizes(op, kept, s), {DType::Bool, g.device()}), IndexCall::Put);
  return where(kept, g, 0);
}

// The values without history, into y, a copy of x.
void reduce_into(const char* op, const Tensor& y, const Selection& s, const Tensor& values, Combine c,
                 bool include_self) {
  GradMode off(false);
  const Dims sizes = selected_sizes(op, y, s);
  if (!include_self)
    combine_selected(op, y, s, expand(full({}, neutral(c, y.dtype()), options_of(y)), sizes), IndexCall::Put);
  combine_selected(op, y, s, values, mode_of(c));
  if (c != Combine::mean) return;
  const Tensor counts = counts_of(op, y, s, include_self);
  copy_values(y, is_float(y.dtype()) || is_complex(y.dtype()) ? div(y, counts) : floor_divide(y, counts));
}

// Products without dividing by zero: of the others, where exactly one factor is zero.
void product_gradients(const char* op, const Tensor& g, const Tensor& x, const Tensor& values, const Selection& s,
                       bool include_self, Grads& grads) {
  const Tensor start = include_self ? x : untouched(op, x, s);
  const Tensor own_is_zero = eq(x, 0), value_is_zero = eq(values, 0);
  auto total = [&](const Tensor& of_x, const Tensor& of_values) {  // differentiable products
    return reduce_selected(op, of_x, s, of_values, "prod", include_self);
  };
  if (grads.needs(0)) {
    const Tensor others = total(ones(x.sizes(), options_of(x)), values);
    grads[0] = include_self ? mul(g, others) : untouched(op, g, s);
  }
  if (!grads.needs(1)) return;
  const Tensor masked_x = where(own_is_zero, 1, x), masked_values = where(value_is_zero, 1, values);
  Tensor zeros_there = include_self ? to(own_is_zero, DType::I64) : zeros(x.sizes(), {DType::I64, x.device()});
  combine_selected(op, zeros_there, s, to(value_is_zero, DType::I64), IndexCall::Add);
  const Tensor zero_count = take_selected(op, zeros_there, s);
  const Tensor of_others = div(take_selected(op, total(masked_x, masked_values), s), masked_values);
  // A zero among the others makes it zero, but not its derivative by it; the value's own was left out of the product.
  const Tensor other_zeros = sub(zero_count, to(value_is_zero, DType::I64));
  Tensor product = where(le(other_zeros, 0), of_others, 0);
  if (grad_enabled()) {
    const Tensor own = where(value_is_zero, values, 0), start_zero = where(own_is_zero, start, 0);
    const Tensor all = reduce_selected(op, start_zero, s, own, "sum", include_self);
    product = where(eq(other_zeros, 1), mul(of_others, sub(take_selected(op, all, s), own)), product);
  }
  grads[1] = mul(take_selected(op, g, s), product);
}
void extreme_gradients(const char* op, const Tensor& g, const Tensor& x, const Tensor& values, const Tensor& y,
                       const Selection& s, bool include_self, Grads& grads) {
  // Shared among all that are the extreme.
  Tensor own = to(eq(x, y), g.dtype());
  if (!include_self) own = untouched(op, own, s);
  const Tensor is_value = to(eq(values, take_selected(op, y, s)), g.dtype());
  Tensor number = clone(own);
  combine_selected(op, number, s, is_value, IndexCall::Add);
  const Tensor share = div(g, where(Arg(eq(number, 0)), 1, number));
  if (grads.needs(0)) grads[0] = mul(own, share);
  if (grads.needs(1)) grads[1] = mul(is_value, take_selected(op, share, s));
}

}  // namespace

// x with `values`, of the selection's sizes, combined into the selected elements.
Tensor reduce_selected(const char* op, const Tensor& x, const Selection& s, const Tensor& values,
                       std::string_view reduce, bool include_self) {
  const Combine c = combine_named(op, reduce, false);
  Tensor y = clone(detach(x));
  reduce_into(op, y, s, detach(values), c, include_self);
  if (!is_differentiable(x.dtype())) return y;
  record("ScatterReduceBackward", y, {&x, &values}, [&] {
    const bool reads = c != Combine::sum && c != Combine::mean;
    return [op, c, include_self, s = SavedSelection(s), x = reads ? Saved(x) : Saved(),
            values = reads ? Saved(values) : Saved(),
            y = c == Combine::amax || c == Combine::amin ? Saved::output(y) : Saved()](const Tensor& g, Grads& grads) {
      const Selection at = s.get();
      if (c == Combine::prod) return product_gradients(op, g, x.get(), values.get(), at, include_self, grads);
      if (c == Combine::amax || c == Combine::amin)
        return extreme_gradients(op, g, x.get(), values.get(), y.get(), at, include_self, grads);
      const Tensor each = c == Combine::mean ? div(g, counts_of(op, g, at, include_self)) : g;
      if (grads.needs(0)) grads[0] = include_self ? each : untouched(op, g, at);
      if (grads.needs(1)) grads[1] = take_selected(op, each, at);
    };
  });
  return y;
}

// ---- taking --------------------------------------------------------------------------------------------------
Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index) {
  const Selection s = rows_of("index_select", x, dim, index);
  if (x.rank()) return take_selected("index_select", x, s);
  check(index.numel() == 1, ErrorKind::Index, "index_select", "one index for a 0-d tensor",
        [&] { return describe(index); });
  return reshape(take_selected("index_select", with_rows(x), s), {});
}

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index) {
  return take_selected("gather", x, elements_of("gather", x, dim, index, nullptr));
}

Tensor take(const Tensor& x, const Tensor& index) {
  check_index("take", index);
  const Tensor flat = reshape(x, {-1});
  return take_selected("take", flat, Selection{{index}});
}

Tensor take_along_dim(const Tensor& x, const Tensor& index, std::optional<int64_t> dim) {
  check_index("take_along_dim", index);
  if (!dim) return take_selected("take_along_dim", reshape(x, {-1}), Selection{{reshape(index, {-1})}, true, false});
  if (x.rank() != index.rank())
    raise(ErrorKind::Shape, "take_along_dim", str(x.rank(), " dimensions of indices"), describe(index));
  const int d = wrap_dim("take_along_dim", *dim, x.rank());
  Dims of_x = x.sizes(), of_index = index.sizes();
  if (x.rank()) of_x[d] = of_index[d] = 1;
  Dims common = broadcast_sizes("take_along_dim", of_x, of_index), other = common;
  if (x.rank()) common[d] = index.size(d), other[d] = x.size(d);
  const Tensor wide = expand(x, other);
  Selection s = elements_of("take_along_dim", wide, d, expand(index, common), nullptr);
  s.wraps = true;
  return take_selected("take_along_dim", wide, s);
}

// ---- rows along a dimension ----------------------------------------------------------------------------------
void index_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, const Scalar& alpha) {
  const Selection s = rows_of("index_add_", x, dim, index);
  check_same_dtype("index_add_", x, source);
  check_rows("index_add_", x, wrap_dim("index_add_", dim, x.rank()), index, source);
  const bool plain = alpha.kind != Scalar::Complex && alpha.real == 1;
  if (alpha.kind == Scalar::Float && !is_float(x.dtype()) && !is_complex(x.dtype()))
    raise(ErrorKind::Runtime, "index_add_", "an integer alpha for a tensor of integers", str(alpha.real));
  const Tensor values = plain ? source : to(mul(source, alpha), x.dtype());
  put_selected("index_add_", with_rows(x), s, x.rank() ? values : reshape(values, {-1}), true);
}
void index_copy_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  const Selection s = rows_of("index_copy_", x, dim, index);
  check_same_dtype("index_copy_", x, source);
  check_rows("index_copy_", x, wrap_dim("index_copy_", dim, x.rank()), index, source);
  put_selected("index_copy_", with_rows(x), s, x.rank() ? source : reshape(source, {-1}), false);
}
void index_fill_(const Tensor& x, int64_t dim, const Tensor& index, const Arg& value) {
  Selection s = rows_of("index_fill_", x, dim, index);
  s.wraps = true;
  if (value.tensor)
    check(value.tensor->rank() == 0, ErrorKind::Shape, "index_fill_", "a number or a 0-d tensor",
          [&] { return describe(*value.tensor); });
  const Tensor given = value.tensor ? *value.tensor : full({}, value.scalar, options_of(x));
  if (!wants_grad({&given})) return put_selected("index_fill_", with_rows(x), s, given, false);
  const Tensor chosen = zeros(x.sizes(), {DType::Bool, x.device()}), rows = with_rows(chosen);  // each place once
  combine_selected("index_fill_", rows, s, ones(selected_sizes("index_fill_", rows, s), options_of(chosen)),
                   IndexCall::Put);
  copy_(x, where(chosen, given, x));
}
Tensor index_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, std::string_view reduce,
                    bool include_self) {
  const Selection s = rows_of("index_reduce", x, dim, index);
  check_same_dtype("index_reduce", x, source);
  check_rows("index_reduce", x, wrap_dim("index_reduce", dim, x.rank()), index, source);
  combine_named("index_reduce", reduce, true);
  const Tensor rows = with_rows(x);
  const Tensor y = reduce_selected("index_reduce", rows, s, reshape(source, selected_sizes("index_reduce", rows, s)),
                                   reduce, include_self);
  return x.rank() ? y : reshape(y, {});
}

void index_reduce_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, std::string_view reduce,
                   bool include_self) {
  check_inplace("index_reduce_", x, wants_grad({&x, &source}));
  const Tensor before = wants_grad({&x, &source}) ? copy_with_history(x) : x;
  copy_(x, index_reduce(before, dim, index, source, reduce, include_self));
}

// ---- elements along a dimension ------------------------------------------------------------------------------
void scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, std::string_view reduce) {
  check_same_dtype("scatter_", x, source);
  const Selection s = elements_of("scatter_", x, dim, index, &source);
  if (reduce == "multiply") return scatter_reduce_(x, dim, index, source, "prod", true);
  check(reduce.empty() || reduce == "add", ErrorKind::Runtime, "scatter_", "reduce 'add' or 'multiply'",
        [&] { return str("'", reduce, "'"); });
  put_selected("scatter_", x, s, part_of(source, index), !reduce.empty());
}
void scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value, std::string_view reduce) {
  scatter_(x, dim, index, expand(full({}, value, options_of(x)), index.sizes()), reduce);
}
void scatter_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  scatter_(x, dim, index, source, "add");
}
Tensor scatter_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, std::string_view reduce,
                      bool include_self) {
  check_same_dtype("scatter_reduce", x, source);
  const Selection s = elements_of("scatter_reduce", x, dim, index, &source);
  return reduce_selected("scatter_reduce", x, s, part_of(source, index), reduce, include_self);
}
void scatter_reduce_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, std::string_view reduce,
                     bool include_self) {
  check_inplace("scatter_reduce_", x, wants_grad({&x, &source}));
  // What the gradient reads has to outlive the old values.
  const Tensor before = wants_grad({&x, &source}) ? copy_with_history(x) : x;
  copy_(x, scatter_reduce(before, dim, index, source, reduce, include_self));
}

// ---- by flat number ------------------------------------------------------------------------------------------
void put_(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
  check_index("put_", index);
  check_same_dtype("put_", x, source);
  check(index.numel() == source.numel(), ErrorKind::Shape, "put_", "as many values as indices",
        [&] { return str(source.numel(), " and ", index.numel()); });
  check_inplace("put_", x);
  const Selection places{{reshape(index, {-1})}};
  const Tensor values = reshape(source, {-1});
  if (x.is_contiguous()) return put_selected("put_", view(x, {-1}), places, values, accumulate);
  const Tensor flat = clone(reshape(x, {-1}));
  put_selected("put_", flat, places, values, accumulate);
  copy_(x, view(flat, x.sizes()));
}

void masked_scatter_(const Tensor& x, const Tensor& mask, const Tensor& source) {
  check(mask.dtype() == DType::Bool, ErrorKind::DType, "masked_scatter_", "a mask of dtype bool",
        [&] { return std::string(name_of(mask.dtype())); });
  check_same_dtype("masked_scatter_", x, source);
  check_inplace("masked_scatter_", x);
  const Key key{Key::Index, 0, 0, 1, expand(mask, x.sizes())};
  const int64_t count = item(sum(key.index)).integer;
  if (count > source.numel())
    raise(ErrorKind::Runtime, "masked_scatter_", str("at least ", count, " values"), str(source.numel()));
  const Tensor values = narrow(reshape(source, {-1}), 0, 0, count);
  index_put_(x, std::span<const Key>(&key, 1), values, false);
}

}  // namespace bolide
