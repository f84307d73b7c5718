// sorting.cpp - sort and what is made of it: the kernel sorts dense rows, the rest is gather and compare.
#include "runtime/sorting.h"

#include <cmath>

#include "runtime/autograd.h"
#include "runtime/backend.h"
#include "runtime/blocking.h"

namespace bolide {
namespace {

template <class Call>
void run_kernel(const char* op, void (*Kernels::*which)(const Call&), const Call& call, const Tensor& x, int64_t work) {
  auto* kernel = backend_of(x.device().type).kernels->*which;
  if (!kernel)
    raise(ErrorKind::NotImplemented, op, str("a kernel for ", name_of(x.dtype()), " on ", name_of(x.device())), "none");
  BlockingScope scope(work >= 1 << 15);
  kernel(call);
}

// Dimension d at the end, and back; at least one dimension.
Tensor rows_of(const Tensor& x, int d) { return x.rank() ? transpose(x, d, -1) : reshape(x, {1}); }
Tensor rows_back(const Tensor& rows, int d, int rank) {
  return contiguous(rank ? transpose(rows, d, -1) : reshape(rows, {}));
}

// Without history: the first `kept` of each row along d, as rows, or only the last of them.
ValuesIndices rank_rows(const char* op, const Tensor& x, int d, int64_t kept, bool descending, bool last_only = false) {
  check(!is_complex(x.dtype()), ErrorKind::DType, op, "a dtype with an order",
        [&] { return std::string(name_of(x.dtype())); });
  GradMode off(false);
  const Tensor rows = contiguous(rows_of(x, d));
  Dims sizes = rows.sizes();
  SortCall call;
  call.dtype = x.dtype(), call.columns = sizes.back(), call.kept = kept, call.descending = descending;
  call.last_only = last_only;
  sizes[sizes.rank() - 1] = last_only ? 1 : kept;
  ValuesIndices out{empty(sizes, {x.dtype(), x.device()}), empty(sizes, {DType::I64, x.device()})};
  call.rows = call.columns ? rows.numel() / call.columns : 0;
  call.x = rows.data(), call.values = out.values.data(), call.indices = out.indices.data<int64_t>();
  call.stream = current_stream(x.device());
  if (out.values.numel()) run_kernel(op, &Kernels::sort, call, x, rows.numel());
  return out;
}
// The values where a gradient is wanted: taken from x by the indices.
Tensor recorded(const Tensor& x, int d, const Tensor& values, const Tensor& indices) {
  if (!wants_grad({&x})) return values;
  return x.rank() ? gather(x, d, indices) : clone(x);
}
ValuesIndices ranked(const char* op, const Tensor& x, int d, int64_t kept, bool descending) {
  const ValuesIndices r = rank_rows(op, x, d, kept, descending);
  const Tensor indices = rows_back(r.indices, d, x.rank());
  return {recorded(x, d, rows_back(r.values, d, x.rank()), indices), indices};
}
int64_t size_along(const Tensor& x, int d) { return x.rank() ? x.size(d) : 1; }
int64_t size_not_empty(const char* op, const Tensor& x, int d) {
  const int64_t size = size_along(x, d);
  check(size > 0, ErrorKind::Index, op, "a dimension with elements", [&] { return describe(x); });
  return size;
}

// The element at one place of each row; `at` counts in its order, one number per row.
ValuesIndices pick(const Tensor& x, int d, const Tensor& order, const Tensor& at, bool keepdim) {
  Tensor places;
  {
    GradMode off(false);
    Dims one = order.sizes();
    one[one.rank() - 1] = 1;
    places = rows_back(gather(order, -1, expand(at, one)), d, x.rank());
  }
  const Tensor values = x.rank() ? gather(x, d, places) : clone(x);
  if (keepdim || !x.rank()) return {values, places};
  return {squeeze(values, Dims{d}), squeeze(places, Dims{d})};
}
Tensor place(int64_t at, const Tensor& x) { return full({}, at, {DType::I64, x.device()}); }

}  // namespace

ValuesIndices sort(const Tensor& x, int64_t dim, bool descending) {
  const int d = wrap_dim("sort", dim, x.rank());
  return ranked("sort", x, d, size_along(x, d), descending);
}
ValuesIndices topk(const Tensor& x, int64_t k, int64_t dim, bool largest) {
  const int d = wrap_dim("topk", dim, x.rank());
  check(k >= 0 && k <= size_along(x, d), ErrorKind::Runtime, "topk", str("k in [0, ", size_along(x, d), "]"),
        [&] { return str(k); });
  return ranked("topk", x, d, k, largest);
}
ValuesIndices kthvalue(const Tensor& x, int64_t k, int64_t dim, bool keepdim) {
  const int d = wrap_dim("kthvalue", dim, x.rank());
  const int64_t size = size_not_empty("kthvalue", x, d);
  check(k >= 1 && k <= size, ErrorKind::Runtime, "kthvalue", str("k in [1, ", size, "]"), [&] { return str(k); });
  return pick(x, d, rank_rows("kthvalue", x, d, k, false, true).indices, place(0, x), keepdim);
}

// The lower of two in the middle. NaN wins, or is not counted.
ValuesIndices median(const Tensor& x, int64_t dim, bool keepdim, bool ignore_nan) {
  const int d = wrap_dim("median", dim, x.rank());
  const int64_t size = size_not_empty("median", x, d), middle = (size - 1) / 2;
  const bool has_nan = is_float(x.dtype()) && x.numel() && std::isnan(item(amax(detach(x))).real);
  if (!has_nan) return pick(x, d, rank_rows("median", x, d, middle + 1, false, true).indices, place(0, x), keepdim);
  const ValuesIndices r = rank_rows("median", x, d, size, false);
  const Tensor nans = sum(isnan(r.values), Dims{-1}, true);
  const Tensor at = ignore_nan ? clamp(floor_divide(sub(size - 1, nans), 2), 0, size - 1)
                               : where(gt(nans, 0), sub(size, nans), middle);
  return pick(x, d, r.indices, at, keepdim);
}
Tensor median(const Tensor& x, bool ignore_nan) {
  if (!x.numel() && is_float(x.dtype())) return full({}, double(NAN), {x.dtype(), x.device()});
  if (!x.numel()) {  // what PyTorch's NaN becomes
    const bool wide = x.dtype() == DType::I64 || x.dtype() == DType::I32;
    return full({}, wide ? wrapped(INT64_MIN >> (x.dtype() == DType::I32 ? 32 : 0), x.dtype()) : 0,
                {x.dtype(), x.device()});
  }
  const Tensor y = median(reshape(detach(x), {x.numel()}), 0, false, ignore_nan).values;
  record("MedianBackward", y, {&x}, [&] {
    return [x = Saved(x), y = Saved::output(y)](const Tensor& g, Grads& grads) {
      const Tensor input = detach(x.get()), found = detach(y.get(grads.node()));
      const Tensor equal = logical_or(eq(input, found), logical_and(isnan(input), isnan(found)));
      grads[0] = mul(equal, div(g, sum(equal)));
    };
  });
  return y;
}

// The value that is there most often, the smallest of several; of its places the last.
ValuesIndices mode(const Tensor& x, int64_t dim, bool keepdim) {
  const int d = wrap_dim("mode", dim, x.rank());
  const ValuesIndices r = rank_rows("mode", x, d, size_not_empty("mode", x, d), false);
  Tensor at;
  {
    GradMode off(false);  // of each element where the run of its equals begins and ends: the first longest run wins
    const Tensor before = searchsorted(r.values, r.values, false), behind = searchsorted(r.values, r.values, true);
    at = sub(gather(behind, -1, argmax(sub(behind, before), -1, true)), 1);
  }
  return pick(x, d, r.indices, at, keepdim);
}

Tensor searchsorted(const Tensor& sorted, const Tensor& x, bool right, const Tensor& order, DType result) {
  GradMode off(false);
  const char* op = "searchsorted";
  if (const DType common = promote(sorted.dtype(), x.dtype()); sorted.dtype() != x.dtype())
    return searchsorted(to(sorted, common), to(x, common), right, order, result);
  check(!is_complex(x.dtype()), ErrorKind::DType, op, "a dtype with an order",
        [&] { return std::string(name_of(x.dtype())); });
  check(sorted.rank() > 0, ErrorKind::Shape, op, "a sorted sequence with dimensions", [] { return std::string("[]"); });
  const bool shared = sorted.rank() == 1;
  auto leading = [](const Tensor& t) {
    Dims out = t.sizes();
    out[out.rank() - 1] = 1;
    return out;
  };
  if (!shared && (x.rank() != sorted.rank() || leading(x) != leading(sorted)))
    raise(ErrorKind::Shape, op, str("values whose first sizes are those of ", sorted.sizes().text()), x.sizes().text());
  if (order && order.sizes() != sorted.sizes())
    raise(ErrorKind::Shape, op, str("a sorter of shape ", sorted.sizes().text()), order.sizes().text());
  check(!order || order.dtype() == DType::I64, ErrorKind::DType, op, "a sorter of int64",
        [&] { return std::string(name_of(order.dtype())); });
  const Tensor rows = contiguous(sorted), values = contiguous(x), places = order ? contiguous(order) : order;
  const Tensor out = empty(x.sizes(), {DType::I64, x.device()});
  SearchCall call;
  call.dtype = x.dtype(), call.columns = sorted.sizes().back(), call.shared = shared, call.right = right;
  call.values_per_row = shared ? x.numel() : x.sizes().back();
  call.rows = shared || !call.values_per_row ? 1 : x.numel() / call.values_per_row;
  call.sorted = rows.data(), call.x = values.data(), call.out = out.data<int64_t>();
  call.order = places ? places.data<int64_t>() : nullptr, call.stream = current_stream(x.device());
  if (out.numel()) run_kernel(op, &Kernels::search, call, x, out.numel());
  return result == DType::I64 ? out : to(out, result);
}

// ------------------------------------------------------------------------------------------------- quantiles
namespace {

// The results, a column per q, as PyTorch arranges them: q first, then what is left of x's sizes.
Tensor arranged(Tensor y, int rank, std::optional<int> d, bool keepdim, bool many) {
  Dims sizes{y.sizes().back()};
  if (!d) {  // of all elements
    if (keepdim)
      for (int i = 0; i < rank; i++) sizes.push_back(1);
    y = reshape(y, sizes);
  } else {
    y = unsqueeze(movedim(y, Dims{-1}, Dims{0}), -1);
    if (rank) y = transpose(y, *d + 1, -1);
    if (!keepdim || !rank) y = squeeze(y, Dims{rank ? *d + 1 : 1});
  }
  return many ? y : squeeze(y, Dims{0});
}
void check_quantile(const char* op, const Tensor& x, const Tensor& q) {
  check(x.dtype() == DType::F32 || x.dtype() == DType::F64, ErrorKind::Runtime, op, "an input of float32 or float64",
        [&] { return describe(x); });
  check(q.dtype() == x.dtype(), ErrorKind::Runtime, op, str("a q of ", name_of(x.dtype())),
        [&] { return describe(q); });
  check(q.rank() <= 1, ErrorKind::Shape, op, "a q of at most one dimension", [&] { return describe(q); });
  check(x.numel() > 0, ErrorKind::Shape, op, "an input with elements", [&] { return describe(x); });
  check(!q.numel() || item(all(logical_and(ge(q, 0), le(q, 1)))).integer, ErrorKind::Runtime, op, "q in [0, 1]",
        [] { return std::string("a value outside"); });
}

}  // namespace

Tensor quantile(const Tensor& x, const Tensor& q, std::optional<int64_t> dim, bool keepdim, Interpolation kind,
                bool ignore_nan) {
  const char* op = ignore_nan ? "nanquantile" : "quantile";
  check_quantile(op, x, q);
  const std::optional<int> d = dim ? std::optional(wrap_dim(op, *dim, x.rank())) : std::nullopt;
  const Tensor sorted = sort(d ? rows_of(x, *d) : reshape(x, {x.numel()}), -1).values;  // with its history
  const int64_t top = sorted.sizes().back() - 1;
  // Places in the row, a column per q; NaN stands last and wins, or the row ends before it.
  const Tensor nans = sum(isnan(detach(sorted)), Dims{-1}, true);
  Dims sizes = sorted.sizes();
  sizes[sizes.rank() - 1] = q.numel();
  Tensor at = expand(mul(q, ignore_nan ? Arg(clamp(sub(top, nans), 0, top)) : Arg(double(top))), sizes);
  if (!ignore_nan) at = where(gt(nans, 0), double(top), at);
  if (kind == Interpolation::lower) at = floor(at);
  if (kind == Interpolation::higher) at = ceil(at);
  if (kind == Interpolation::nearest) at = round(at);
  const Tensor low = to(floor(detach(at)), DType::I64), a = gather(sorted, -1, low);
  if (kind != Interpolation::linear && kind != Interpolation::midpoint)
    return arranged(a, x.rank(), d, keepdim, q.rank());
  const Tensor high = to(ceil(detach(at)), DType::I64);
  const Tensor weight = kind == Interpolation::midpoint ? full_like(at, 0.5) : sub(at, low);
  return arranged(lerp(a, gather(sorted, -1, high), weight), x.rank(), d, keepdim, q.rank());
}

}  // namespace bolide
