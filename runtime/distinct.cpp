// distinct.cpp - equal elements and how many there are of them: made of sort, comparisons with the neighbour, and sums.
#include <cmath>

#include "runtime/autograd.h"
#include "runtime/sorting.h"

namespace bolide {
namespace {

// With which element each run of equal ones begins; NaN differs from itself.
Tensor run_starts(const Tensor& differs_from_left, int64_t n, Device device) {
  if (!n) return zeros({0}, {DType::I64, device});
  const Tensor first = ones({1}, {DType::Bool, device});
  const Tensor parts[] = {first, differs_from_left};
  return reshape(nonzero(cat(parts)), {-1});
}
// For each of n elements, the number of its run; and how long the runs are.
void describe_runs(const Tensor& starts, int64_t n, Tensor& runs, Tensor& lengths) {
  const Tensor all_places = arange(int64_t(0), n, int64_t(1), DType::I64, starts.device());
  runs = sub(searchsorted(starts, all_places, true), 1);
  const Tensor end = full({1}, n, {DType::I64, starts.device()});
  const Tensor parts[] = {slice(starts, 0, std::min<int64_t>(1, starts.size(0)), starts.size(0)), end};
  lengths = starts.size(0) ? sub(cat(parts), starts) : starts;
}
// values[order] = runs: back to the elements' own order.
Tensor scattered(const Tensor& runs, const Tensor& order) {
  const Tensor out = empty(runs.sizes(), {DType::I64, runs.device()});
  index_copy_(out, 0, order, runs);
  return out;
}
Tensor left_of(const Tensor& x) { return narrow(x, 0, 0, std::max<int64_t>(0, x.size(0) - 1)); }
Tensor right_of(const Tensor& x) {
  const int64_t n = x.size(0);
  return narrow(x, 0, std::min<int64_t>(1, n), std::max<int64_t>(0, n - 1));
}

}  // namespace

Unique unique(const Tensor& x, bool sorted, bool described) {
  GradMode off(false);
  const Tensor flat = reshape(detach(x), {x.numel()});
  const int64_t n = x.numel();
  ValuesIndices order{flat, {}};
  if (sorted) order = sort(flat, 0);
  const Tensor& values = order.values;
  const Tensor starts = run_starts(ne(right_of(values), left_of(values)), n, x.device());
  if (!described) return {index_select(values, 0, starts), {}, {}};
  Tensor runs, lengths;
  describe_runs(starts, n, runs, lengths);
  Unique out{index_select(values, 0, starts), runs, lengths};
  if (sorted) out.inverse = scattered(runs, order.indices);
  out.inverse = reshape(out.inverse, x.sizes());
  return out;
}

Unique unique_slices(const Tensor& x, int64_t dim, bool sorted) {
  GradMode off(false);
  const int d = wrap_dim("unique", dim, x.rank());
  const Tensor moved = x.rank() ? movedim(detach(x), Dims{d}, Dims{0}) : reshape(detach(x), {1});
  const int64_t n = moved.size(0);
  const Tensor slices = reshape(moved, {n, n ? moved.numel() / n : 0});
  Tensor order = arange(int64_t(0), n, int64_t(1), DType::I64, x.device());
  // By the last column first: the sort is stable, so the first column decides in the end.
  if (sorted)
    for (int64_t c = slices.size(1) - 1; c >= 0; c--)
      order = index_select(order, 0, sort(index_select(select(slices, 1, c), 0, order), 0).indices);
  const Tensor ordered = index_select(slices, 0, order);
  const Tensor differs = any(ne(right_of(ordered), left_of(ordered)), Dims{1});
  const Tensor starts = run_starts(differs, n, x.device());
  Tensor runs, lengths;
  describe_runs(starts, n, runs, lengths);
  Unique out{index_select(moved, 0, index_select(order, 0, starts)), scattered(runs, order), lengths};
  out.values = x.rank() ? contiguous(movedim(out.values, Dims{0}, Dims{d})) : out.values;
  return out;
}

Tensor isin(const Tensor& elements, const Tensor& test, bool invert) {
  GradMode off(false);
  const DType common = promote(elements.dtype(), test.dtype());
  const Tensor x = to(detach(elements), common), flat = reshape(to(detach(test), common), {test.numel()});
  if (!flat.numel()) return full(x.sizes(), Scalar(invert), {DType::Bool, x.device()});
  const Tensor sorted = sort(flat, 0).values;
  const Tensor at = clamp(searchsorted(sorted, x, false), 0, flat.numel() - 1);
  const Tensor found = reshape(index_select(sorted, 0, reshape(at, {at.numel()})), x.sizes());
  return invert ? ne(found, x) : eq(found, x);
}

// ---- counting ------------------------------------------------------------------------------------------------
Tensor bincount(const Tensor& x, const Tensor& weights, int64_t minlength) {
  GradMode off(false);
  check(x.rank() == 1 && is_integer(x.dtype()), ErrorKind::Runtime, "bincount", "a vector of integers",
        [&] { return describe(x); });
  check(minlength >= 0, ErrorKind::Runtime, "bincount", "a minlength of at least 0", [&] { return str(minlength); });
  if (weights && weights.sizes() != x.sizes())
    raise(ErrorKind::Shape, "bincount", str("weights of shape ", x.sizes().text()), weights.sizes().text());
  int64_t size = minlength;
  if (x.numel()) {
    const int64_t least = item(amin(x)).integer;
    check(least >= 0, ErrorKind::Runtime, "bincount", "numbers of at least 0", [&] { return str(least); });
    size = std::max(size, item(amax(x)).integer + 1);
  }
  DType dtype = DType::I64;
  if (weights) dtype = weights.dtype() == DType::F32 ? DType::F32 : DType::F64;
  const Tensor out = zeros({size}, {dtype, x.device()});
  const Tensor added = weights ? to(detach(weights), dtype) : ones({x.numel()}, {dtype, x.device()});
  index_add_(out, 0, to(x, DType::I64), added);
  return out;
}

Tensor histc(const Tensor& x, int64_t bins, double low, double high) {
  GradMode off(false);
  check(is_float(x.dtype()), ErrorKind::DType, "histc", "a floating-point dtype", [&] { return describe(x); });
  check(bins > 0, ErrorKind::Runtime, "histc", "bins of at least 1", [&] { return str(bins); });
  const Tensor all = reshape(detach(x), {x.numel()}), flat = item_size(x.dtype()) == 2 ? to(all, DType::F32) : all;
  if (low == high && flat.numel()) low = item(amin(flat)).real, high = item(amax(flat)).real;
  if (low == high) low -= 1, high += 1;
  check(std::isfinite(low) && std::isfinite(high), ErrorKind::Runtime, "histc", "a finite range",
        [&] { return str("[", low, ", ", high, "]"); });
  check(low < high, ErrorKind::Runtime, "histc", "a max that is larger than min",
        [&] { return str(low, " and ", high); });
  const Tensor inside = masked_select(flat, logical_and(ge(flat, low), le(flat, high)));
  const Tensor place = floor(div(mul(sub(inside, low), double(bins)), high - low));
  const Tensor counts = bincount(to(clamp(place, 0, double(bins - 1)), DType::I64), {}, bins);
  return to(counts, x.dtype());
}

}  // namespace bolide
