// views.cpp - views: new sizes, strides and offset on the same storage; each one's gradient is the view undone.
#include <algorithm>
#include <numeric>

#include "runtime/autograd.h"
#include "runtime/ops.h"
#include "runtime/strided.h"

namespace bolide {
namespace {

// A view that knows its base, so that in-place ops on it become part of the base's history.
Tensor make_view(const Tensor& x, const Dims& sizes, const Dims& strides, int64_t offset) {
  Tensor v = view_of(x, sizes, strides, offset);
  become_view(v, x);
  return v;
}

// undo(g): the gradient of x from that of the view.
template <class Undo>
Tensor recorded(const char* name, const Tensor& x, Tensor v, Undo undo) {
  record(name, v, {&x}, [&] { return [undo](const Tensor& g, Grads& grads) { grads[0] = undo(g); }; });
  return v;
}

// Several views that one op gives: one node for all, and no in-place ops on them with autograd, as in PyTorch. join(g)
// undoes it; parts without a gradient are zeros there.
template <class Join>
TensorList recorded_parts(const char* name, const Tensor& x, TensorList parts, Join join) {
  for (const Tensor& v : parts)
    if (v->view_kind == ViewKind::Normal) v->view_kind = ViewKind::Parts;
  if (!wants_grad({&x})) return parts;
  std::vector<Dims> sizes;
  for (const Tensor& v : parts) sizes.push_back(v.sizes());
  record_parts(name, parts, x, [sizes, options = Options{x.dtype(), x.device()}, join](std::span<const Tensor> g) {
    TensorList all(g.begin(), g.end());
    for (size_t i = 0; i < all.size(); i++)
      if (!all[i]) all[i] = zeros(sizes[i], options);
    return join(all);
  });
  return parts;
}
Tensor part_of(const Tensor& x, int dim, int64_t start, int64_t length) {
  Dims sizes = x.sizes();
  sizes[dim] = length;
  return make_view(x, sizes, x.strides(), x->offset + (length ? start * x.stride(dim) : 0));
}

// For a view that shows a part: zeros of x's shape with g put where apply(zeros) shows them.
template <class Apply>
auto put_into_zeros(const Tensor& x, Apply apply) {
  return [sizes = x.sizes(), dtype = x.dtype(), device = x.device(), apply](const Tensor& g) {
    Tensor whole = zeros(sizes, {dtype, device});
    copy_(apply(whole), g);
    return whole;
  };
}

Dims inferred(const char* op, Dims sizes, int64_t numel) {
  int unknown = -1;
  int64_t known = 1;
  for (int d = 0; d < sizes.rank(); d++) {
    if (sizes[d] == -1) {
      check(unknown < 0, ErrorKind::Shape, op, "at most one -1", [&] { return sizes.text(); });
      unknown = d;
    } else {
      check(sizes[d] >= 0, ErrorKind::Shape, op, "sizes of zero or more, or one -1", [&] { return sizes.text(); });
      if (__builtin_mul_overflow(known, sizes[d], &known)) raise(ErrorKind::Shape, op, "sizes that fit", sizes.text());
    }
  }
  const bool fits = unknown < 0 ? known == numel : known > 0 && numel % known == 0;
  if (!fits) [[unlikely]]
    raise(ErrorKind::Shape, op, str("a shape of ", numel, " elements"), sizes.text());
  if (unknown >= 0) sizes[unknown] = numel / known;
  return sizes;
}

// The strides with which x's storage shows these sizes; false where it cannot without a copy.
bool strides_for(const Tensor& x, const Dims& sizes, Dims& strides) {
  if (x.is_contiguous() || x.numel() == 0) {
    strides = sizes.contiguous_strides();
    return true;
  }
  strides.resize(sizes.rank());
  // Blocks of x's dimensions that run evenly, from the last; each has to be filled exactly by new dimensions.
  int to = sizes.rank() - 1;
  for (int d = x.rank() - 1; d >= 0;) {
    int64_t block = x.size(d), stride = x.stride(d);
    int first = d;
    while (first > 0 && (x.size(first - 1) == 1 || x.stride(first - 1) == stride * block)) block *= x.size(--first);
    int64_t filled = 1;
    while (to >= 0 && (filled < block || sizes[to] == 1)) {
      strides[to] = stride * filled;
      filled *= sizes[to--];
    }
    if (filled != block) return false;
    d = first - 1;
  }
  for (; to >= 0; to--) strides[to] = 1;
  return true;
}

Tensor reshaped(const Tensor& x, const Dims& sizes, const Dims& strides) {
  return recorded("ViewBackward", x, make_view(x, sizes, strides, x->offset),
                  [from = x.sizes()](const Tensor& g) { return reshape(g, from); });
}

}  // namespace

Tensor view(const Tensor& x, Dims sizes) {
  sizes = inferred("view", std::move(sizes), x.numel());
  Dims strides;
  check(strides_for(x, sizes, strides), ErrorKind::Shape, "view", "a layout that allows it",
        [&] { return str(x.sizes().text(), " with strides ", x.strides().text(), "; use reshape"); });
  return reshaped(x, sizes, strides);
}

Tensor reshape(const Tensor& x, Dims sizes) {
  sizes = inferred("reshape", std::move(sizes), x.numel());
  Dims strides;
  if (strides_for(x, sizes, strides)) return reshaped(x, sizes, strides);
  const Tensor copy = clone(contiguous(x));
  return reshaped(copy, sizes, sizes.contiguous_strides());
}

Tensor flatten(const Tensor& x, int64_t start_dim, int64_t end_dim) {
  const int start = wrap_dim("flatten", start_dim, x.rank()), end = wrap_dim("flatten", end_dim, x.rank());
  check(start <= end, ErrorKind::Shape, "flatten", "start_dim before end_dim",
        [&] { return str(start_dim, " and ", end_dim); });
  if (x.rank() == 0) return reshape(x, {1});
  if (start == end) return x;
  Dims sizes;
  int64_t joined = 1;
  for (int d = start; d <= end; d++) joined *= x.size(d);
  for (int d = 0; d < x.rank(); d++) {
    if (d == start) sizes.push_back(joined);
    else if (d < start || d > end) sizes.push_back(x.size(d));
  }
  return reshape(x, sizes);
}

Tensor unflatten(const Tensor& x, int64_t dim, const Dims& parts) {
  const int at = wrap_dim("unflatten", dim, x.rank());
  check(x.rank() > 0, ErrorKind::Shape, "unflatten", "a tensor with dimensions", [&] { return describe(x); });
  Dims sizes;
  for (int d = 0; d < x.rank(); d++) {
    if (d != at) sizes.push_back(x.size(d));
    else
      for (int64_t size : inferred("unflatten", parts, x.size(d))) sizes.push_back(size);
  }
  return reshape(x, sizes);
}

Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1) {
  const int a = wrap_dim("transpose", dim0, x.rank()), b = wrap_dim("transpose", dim1, x.rank());
  Dims sizes = x.sizes(), strides = x.strides();
  if (x.rank() > 0) std::swap(sizes[a], sizes[b]), std::swap(strides[a], strides[b]);
  return recorded("TransposeBackward", x, make_view(x, sizes, strides, x->offset),
                  [a, b](const Tensor& g) { return transpose(g, a, b); });
}

Tensor t(const Tensor& x) {
  check(x.rank() <= 2, ErrorKind::Shape, "t", "at most 2 dimensions", [&] { return describe(x); });
  return x.rank() == 2 ? transpose(x, 0, 1) : transpose(x, 0, 0);
}

Tensor permute(const Tensor& x, const Dims& dims) {
  if (dims.rank() != x.rank()) raise(ErrorKind::Shape, "permute", str(x.rank(), " dimensions"), dims.text());
  Dims sizes(x.rank()), strides(x.rank()), inverse(x.rank(), -1);
  for (int i = 0; i < x.rank(); i++) {
    const int d = wrap_dim("permute", dims[i], x.rank());
    check(inverse[d] < 0, ErrorKind::Shape, "permute", "every dimension once", [&] { return dims.text(); });
    sizes[i] = x.size(d), strides[i] = x.stride(d), inverse[d] = i;
  }
  return recorded("PermuteBackward", x, make_view(x, sizes, strides, x->offset),
                  [inverse](const Tensor& g) { return permute(g, inverse); });
}

Tensor movedim(const Tensor& x, const Dims& source, const Dims& destination) {
  check(source.rank() == destination.rank(), ErrorKind::Shape, "movedim", "as many sources as destinations",
        [&] { return str(source.text(), " and ", destination.text()); });
  Dims order(x.rank(), -1);
  std::vector<bool> moved(size_t(std::max(x.rank(), 1)));
  for (int i = 0; i < source.rank(); i++) {
    const int from = wrap_dim("movedim", source[i], x.rank()), to = wrap_dim("movedim", destination[i], x.rank());
    check(!moved[size_t(from)] && order[to] < 0, ErrorKind::Shape, "movedim", "every dimension once",
          [&] { return str(source.text(), " to ", destination.text()); });
    order[to] = from, moved[size_t(from)] = true;
  }
  int next = 0;
  for (int64_t& d : order) {
    if (d >= 0) continue;
    while (moved[size_t(next)]) next++;
    d = next++;
  }
  return permute(x, order);
}

Tensor squeeze(const Tensor& x, const OptionalDims& dims) {
  uint64_t wanted = dims ? 0 : ~uint64_t(0);
  if (dims)
    for (int64_t d : *dims) wanted |= uint64_t(1) << wrap_dim("squeeze", d, x.rank());
  Dims sizes, strides;
  for (int d = 0; d < x.rank(); d++) {
    if (x.size(d) == 1 && (wanted >> d & 1)) continue;
    sizes.push_back(x.size(d)), strides.push_back(x.stride(d));
  }
  return recorded("SqueezeBackward", x, make_view(x, sizes, strides, x->offset),
                  [from = x.sizes()](const Tensor& g) { return reshape(g, from); });
}

Tensor unsqueeze(const Tensor& x, int64_t dim) {
  const int at = wrap_dim("unsqueeze", dim, x.rank() + 1);
  Dims sizes = x.sizes(), strides = x.strides();
  strides.insert(at, at < x.rank() ? x.size(at) * x.stride(at) : 1);
  sizes.insert(at, 1);
  return recorded("UnsqueezeBackward", x, make_view(x, sizes, strides, x->offset),
                  [at](const Tensor& g) { return squeeze(g, Dims{at}); });
}

Tensor expand(const Tensor& x, const Dims& wanted) {
  const int missing = wanted.rank() - x.rank();
  if (missing < 0) raise(ErrorKind::Shape, "expand", str("at least ", x.rank(), " sizes"), wanted.text());
  Dims sizes(wanted.rank()), strides(wanted.rank());
  for (int d = 0; d < wanted.rank(); d++) {
    const int64_t own = d < missing ? 1 : x.size(d - missing), size = wanted[d] == -1 && d >= missing ? own : wanted[d];
    if (size < 0 || (own != size && own != 1))
      raise(ErrorKind::Shape, "expand", str("sizes that ", x.sizes().text(), " expands to"), wanted.text());
    sizes[d] = size;
    strides[d] = d < missing || (own == 1 && size != 1) ? 0 : x.stride(d - missing);
  }
  checked_numel("expand", sizes, DType::Bool);
  return recorded("ExpandBackward", x, make_view(x, sizes, strides, x->offset),
                  [from = x.sizes()](const Tensor& g) { return sum_to(g, from); });
}

Tensor select(const Tensor& x, int64_t dim, int64_t index) {
  check(x.rank() > 0, ErrorKind::Index, "select", "a tensor with dimensions", [] { return std::string("a 0-d one"); });
  const int d = wrap_dim("select", dim, x.rank());
  const int64_t size = x.size(d), at = index < 0 ? index + size : index;
  if (at < 0 || at >= size) [[unlikely]]
    raise(ErrorKind::Index, "index", str("an index in [", -size, ", ", size - 1, "] for dimension ", d), str(index));
  Dims sizes = x.sizes(), strides = x.strides();
  const int64_t offset = x->offset + at * strides[d];
  sizes.erase(d), strides.erase(d);
  return recorded("SelectBackward", x, make_view(x, sizes, strides, offset),
                  put_into_zeros(x, [d, at](const Tensor& whole) { return select(whole, d, at); }));
}

Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t end, int64_t step) {
  check(x.rank() > 0, ErrorKind::Index, "slice", "a tensor with dimensions", [] { return std::string("a 0-d one"); });
  const int d = wrap_dim("slice", dim, x.rank());
  check(step > 0, ErrorKind::Value, "slice", "a step greater than 0", [&] { return str(step); });
  const int64_t size = x.size(d);
  auto clamped = [size](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size); };
  const int64_t first = clamped(start), last = std::max(first, clamped(end));
  Dims sizes = x.sizes(), strides = x.strides();
  sizes[d] = (last - first) / step + ((last - first) % step != 0);
  const int64_t offset = x->offset + (sizes[d] ? first * strides[d] : 0);
  strides[d] = sizes[d] > 1 ? strides[d] * step : strides[d];
  return recorded(
      "SliceBackward", x, make_view(x, sizes, strides, offset),
      put_into_zeros(x, [d, first, last, step](const Tensor& whole) { return slice(whole, d, first, last, step); }));
}

Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length) {
  const int d = wrap_dim("narrow", dim, x.rank());
  check(x.rank() > 0, ErrorKind::Shape, "narrow", "a tensor with dimensions", [] { return std::string("a 0-d one"); });
  const int64_t size = x.size(d), first = start < 0 ? start + size : start;
  if (first < 0 || length < 0 || first > size || length > size - first)
    raise(ErrorKind::Index, "narrow", str("a part of ", size, " elements"), str(length, " from ", start));
  return slice(x, d, first, first + length);
}

Tensor diagonal(const Tensor& x, int64_t shift, int64_t dim1, int64_t dim2) {
  const int a = wrap_dim("diagonal", dim1, x.rank()), b = wrap_dim("diagonal", dim2, x.rank());
  check(a != b && x.rank() >= 2, ErrorKind::Shape, "diagonal", "two different dimensions",
        [&] { return str(dim1, " and ", dim2); });
  const int64_t rows = x.size(a) + std::min<int64_t>(shift, 0), columns = x.size(b) - std::max<int64_t>(shift, 0);
  const int64_t length = std::max<int64_t>(0, std::min(rows, columns));
  const int64_t offset = length ? (shift >= 0 ? shift * x.stride(b) : -shift * x.stride(a)) : 0;
  Dims sizes = x.sizes(), strides = x.strides();
  const int64_t stride = strides[a] + strides[b];
  for (Dims* dims : {&sizes, &strides}) dims->erase(std::max(a, b)), dims->erase(std::min(a, b));
  sizes.push_back(length), strides.push_back(stride);
  return recorded("DiagonalBackward", x, make_view(x, sizes, strides, x->offset + offset),
                  put_into_zeros(x, [shift, a, b](const Tensor& whole) { return diagonal(whole, shift, a, b); }));
}

Tensor as_strided(const Tensor& x, const Dims& sizes, const Dims& strides, int64_t offset) {
  check(sizes.rank() == strides.rank(), ErrorKind::Shape, "as_strided", "as many strides as sizes",
        [&] { return str(sizes.text(), " and ", strides.text()); });
  const int64_t n = checked_numel("as_strided", sizes, x.dtype());
  int64_t last = offset;
  bool valid = offset >= 0;
  for (int d = 0; d < sizes.rank() && valid && n > 0; d++) {
    int64_t reach = 0;
    valid = strides[d] >= 0 && !__builtin_mul_overflow(strides[d], sizes[d] - 1, &reach) &&
            !__builtin_add_overflow(last, reach, &last);
  }
  const int64_t room = int64_t(x->storage->bytes) / x.item_size();
  if (!valid || (n > 0 && last >= room))
    raise(ErrorKind::Shape, "as_strided", str("a view within the storage's ", room, " elements"),
          str(sizes.text(), " with strides ", strides.text(), " from ", offset));
  const Geometry from = Geometry::of(x), to{sizes, strides, offset, x.dtype()};
  return recorded("AsStridedBackward", x, make_view(x, sizes, strides, offset),
                  [from, to](const Tensor& g) { return strided_scatter(g, from, to); });
}

TensorList split_sizes(const Tensor& x, const Dims& sizes, int64_t dim) {
  const int d = wrap_dim("split", dim, x.rank());
  check(x.rank() > 0, ErrorKind::Shape, "split", "a tensor with dimensions", [] { return std::string("a 0-d one"); });
  int64_t total = 0;
  for (int64_t size : sizes) {
    check(size >= 0, ErrorKind::Shape, "split", "sizes of zero or more", [&] { return sizes.text(); });
    total += size;
  }
  if (total != x.size(d)) raise(ErrorKind::Shape, "split", str("sizes that sum to ", x.size(d)), sizes.text());
  TensorList parts;
  int64_t start = 0;
  for (int64_t size : sizes) parts.push_back(part_of(x, d, start, size)), start += size;
  return recorded_parts("SplitBackward", x, std::move(parts), [d](const TensorList& g) { return cat(g, d); });
}

TensorList split(const Tensor& x, int64_t size, int64_t dim) {
  const int d = wrap_dim("split", dim, x.rank());
  check(x.rank() > 0 && (size > 0 || (size == 0 && x.size(d) == 0)), ErrorKind::Shape, "split", "a size greater than 0",
        [&] { return str(size); });
  TensorList parts;
  for (int64_t start = 0; start < x.size(d) || start == 0; start += std::max<int64_t>(size, 1))
    parts.push_back(part_of(x, d, start, std::min(size, x.size(d) - start)));
  return recorded_parts("SplitBackward", x, std::move(parts), [d](const TensorList& g) { return cat(g, d); });
}

TensorList chunk(const Tensor& x, int64_t chunks, int64_t dim) {
  const int d = wrap_dim("chunk", dim, x.rank());
  check(chunks > 0 && x.rank() > 0, ErrorKind::Value, "chunk", "more than 0 chunks", [&] { return str(chunks); });
  return split(x, std::max<int64_t>(1, (x.size(d) + chunks - 1) / chunks), d);
}

TensorList unbind(const Tensor& x, int64_t dim) {
  const int d = wrap_dim("unbind", dim, x.rank());
  check(x.rank() > 0, ErrorKind::Shape, "unbind", "a tensor with dimensions", [] { return std::string("a 0-d one"); });
  TensorList parts;
  Dims sizes = x.sizes(), strides = x.strides();
  sizes.erase(d), strides.erase(d);
  for (int64_t i = 0; i < x.size(d); i++) parts.push_back(make_view(x, sizes, strides, x->offset + i * x.stride(d)));
  return recorded_parts("UnbindBackward", x, std::move(parts), [d](const TensorList& g) { return stack(g, d); });
}

// ------------------------------------------------------------------------------- parts by geometry (strided.h)
namespace {

// A dense buffer in place of the storage, as far as base and view reach.
struct Buffer {
  Tensor flat;
  int64_t start;
  Tensor show(const Geometry& g) const { return view_of(flat, g.sizes, g.strides, g.offset - start); }
};
Buffer make_buffer(const Geometry& a, const Geometry& b, Options options) {
  int64_t first = INT64_MAX, last = INT64_MIN;
  for (const Geometry* g : {&a, &b}) {
    int64_t low = g->offset, high = g->offset;
    for (int d = 0; d < g->sizes.rank(); d++)
      (g->strides[d] < 0 ? low : high) += std::max<int64_t>(g->sizes[d] - 1, 0) * g->strides[d];
    first = std::min(first, low), last = std::max(last, high);
  }
  return {zeros({last - first + 1}, options), first};
}
bool has_overlap(const Geometry& g) {  // could two indices be one element?
  Dims sizes, strides;
  for (int d = 0; d < g.sizes.rank(); d++)
    if (g.sizes[d] > 1) sizes.push_back(g.sizes[d]), strides.push_back(std::abs(g.strides[d]));
  std::vector<int> order(size_t(sizes.rank()));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int a, int b) { return strides[a] < strides[b]; });
  int64_t reach = 0;
  for (int d : order) {
    if (strides[d] <= reach) return true;
    reach += strides[d] * (sizes[d] - 1);
  }
  return false;
}

}  // namespace

Tensor strided_gather(const Tensor& x, const Geometry& base, const Geometry& view) {
  if (is_complex(base.dtype) != is_complex(view.dtype)) {
    const Tensor y = strided_gather(is_complex(base.dtype) ? view_as_real(x) : x, base.in_reals(), view.in_reals());
    return is_complex(view.dtype) ? view_as_complex(y) : y;
  }
  Tensor y = empty(view.sizes, {x.dtype(), x.device()});
  const Buffer buffer = make_buffer(base, view, {x.dtype(), x.device()});
  copy_values(buffer.show(base), x);
  copy_values(y, buffer.show(view));
  record("StridedGather", y, {&x},
         [&] { return [base, view](const Tensor& g, Grads& grads) { grads[0] = strided_scatter(g, base, view); }; });
  return y;
}

Tensor strided_scatter(const Tensor& v, const Geometry& base, const Geometry& view) {
  if (is_complex(base.dtype) != is_complex(view.dtype)) {
    const Tensor y = strided_scatter(is_complex(view.dtype) ? view_as_real(v) : v, base.in_reals(), view.in_reals());
    return is_complex(base.dtype) ? view_as_complex(y) : y;
  }
  const Options options{v.dtype(), v.device()};
  Tensor y = empty(base.sizes, options);
  const Buffer buffer = make_buffer(base, view, options);
  if (has_overlap(view)) {
    GradMode off(false);
    const Tensor places = arange(int64_t(0), buffer.flat.numel(), int64_t(1), DType::I64, v.device());
    const Tensor index = contiguous(view_of(places, view.sizes, view.strides, view.offset - buffer.start));
    const Key key{Key::Index, 0, 0, 1, reshape(index, {-1})};
    index_put_(buffer.flat, std::span<const Key>(&key, 1), reshape(detach(v), {-1}), true);
  } else copy_values(buffer.show(view), v);
  copy_values(y, buffer.show(base));
  record("StridedScatter", y, {&v},
         [&] { return [base, view](const Tensor& g, Grads& grads) { grads[0] = strided_gather(g, base, view); }; });
  return y;
}

}  // namespace bolide
