// parts.cpp - views of a part: places, ranges, diagonals, windows, splits. The gradient puts the part back among zeros.
#include <algorithm>

#include "runtime/view_support.h"

namespace bolide {
namespace {

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
  return make_view(x, sizes, x.strides(), part_offset(x->offset, start, x.stride(dim)));
}

}  // namespace

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
  const int64_t offset = part_offset(x->offset, first, strides[d]);
  int64_t stride;
  if (!__builtin_mul_overflow(strides[d], step, &stride)) strides[d] = stride;  // else there is but one element
  return recorded(
      "SliceBackward", x, make_view(x, sizes, strides, offset),
      put_into_zeros(x, [d, first, last, step](const Tensor& whole) { return slice(whole, d, first, last, step); }));
}

Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length) {
  const int d = wrap_dim("narrow", dim, x.rank());
  check(x.rank() > 0, ErrorKind::Shape, "narrow", "a tensor with dimensions", [] { return std::string("a 0-d one"); });
  const int64_t size = x.size(d), first = start < 0 ? start + size : start;
  const bool starts = first >= 0 && first <= size;
  if (!starts || length < 0 || length > size - first)
    raise(starts ? ErrorKind::Shape : ErrorKind::Index, "narrow", str("a part of ", size, " elements"),
          str(length, " from ", start));
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
  return recorded_by_geometry("AsStridedBackward", x, sizes, strides, offset);
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
  check(chunks > 0 && x.rank() > 0, ErrorKind::Shape, "chunk", "more than 0 chunks", [&] { return str(chunks); });
  if (x.size(d) == 0) return split_sizes(x, Dims(int(chunks), 0), d);
  return split(x, std::max<int64_t>(1, (x.size(d) + chunks - 1) / chunks), d);
}

TensorList unbind(const Tensor& x, int64_t dim) {
  const int d = wrap_dim("unbind", dim, x.rank());
  check(x.rank() > 0, ErrorKind::Index, "unbind", "a tensor with dimensions", [] { return std::string("a 0-d one"); });
  TensorList parts;
  Dims sizes = x.sizes(), strides = x.strides();
  sizes.erase(d), strides.erase(d);
  for (int64_t i = 0; i < x.size(d); i++) parts.push_back(make_view(x, sizes, strides, x->offset + i * x.stride(d)));
  return recorded_parts("UnbindBackward", x, std::move(parts), [d](const TensorList& g) { return stack(g, d); });
}

TensorList tensor_split(const Tensor& x, int64_t sections, int64_t dim) {
  check(x.rank() > 0, ErrorKind::Shape, "tensor_split", "a tensor with dimensions",
        [] { return std::string("a 0-d one"); });
  const int d = wrap_dim("tensor_split", dim, x.rank());
  check(sections > 0, ErrorKind::Shape, "tensor_split", "more than 0 sections", [&] { return str(sections); });
  const int64_t size = x.size(d) / sections, longer = x.size(d) % sections;
  TensorList parts;
  for (int64_t i = 0, start = 0; i < sections; i++) {
    const int64_t length = size + (i < longer);
    parts.push_back(slice(x, d, start, start + length));
    start += length;
  }
  return parts;
}
TensorList tensor_split_at(const Tensor& x, const Dims& places, int64_t dim) {
  check(x.rank() > 0, ErrorKind::Shape, "tensor_split", "a tensor with dimensions",
        [] { return std::string("a 0-d one"); });
  const int d = wrap_dim("tensor_split", dim, x.rank());
  TensorList parts;
  int64_t start = 0;
  for (int64_t end : places) parts.push_back(slice(x, d, start, end)), start = end;
  parts.push_back(slice(x, d, start, x.size(d)));
  return parts;
}

Tensor unfold(const Tensor& x, int64_t dim, int64_t size, int64_t step) {
  const int d = wrap_dim("unfold", dim, x.rank());
  const int64_t room = x.rank() ? x.size(d) : 1, stride = x.rank() ? x.stride(d) : 1;
  check(size >= 0, ErrorKind::Shape, "unfold", "a size of zero or more", [&] { return str(size); });
  check(size <= room, ErrorKind::Shape, "unfold", str("a size of at most ", room), [&] { return str(size); });
  check(step > 0, ErrorKind::Shape, "unfold", "a step greater than 0", [&] { return str(step); });
  Dims sizes = x.sizes(), strides = x.strides();
  sizes.push_back(size), strides.push_back(stride);
  if (x.rank()) {
    sizes[d] = (room - size) / step + 1;
    if (__builtin_mul_overflow(stride, step, &strides[d])) strides[d] = stride;  // then there is a single window
  }
  return recorded_by_geometry("UnfoldBackward", x, sizes, strides, x->offset);
}

}  // namespace bolide
