// views.cpp - views of all elements: other sizes and orders of dimensions; each one's gradient is the view undone.
// Those of a part are in parts.cpp.
#include <algorithm>

#include "runtime/view_support.h"

namespace bolide {
namespace {

Dims inferred(const char* op, const Dims& wanted, int64_t numel) {
  Dims sizes = wanted;
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

// The strides with which x's storage shows these sizes; false where it cannot without a copy. They are PyTorch's in
// every dimension, those of one element too.
bool strides_for(const Tensor& x, const Dims& sizes, Dims& strides) {
  const int last = x.rank() - 1;
  if (x.numel() == 0 && x.sizes() == sizes) {
    strides = x.strides();
    return true;
  }
  if (x.numel() == 0 || last < 0 || (x.is_contiguous() && x.stride(last) == 1)) {
    strides = sizes.contiguous_strides();
    return true;
  }
  strides.resize(sizes.rank());
  // Blocks of x's dimensions that run evenly, from the last; each has to be filled exactly by new dimensions.
  int to = sizes.rank() - 1;
  for (int d = last; d >= 0;) {
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
  return to < 0;
}

// The same elements in other dimensions; reshaping the gradient undoes it.
Tensor reshaped(const char* name, const Tensor& x, const Dims& sizes, const Dims& strides) {
  Tensor v = make_view(x, sizes, strides, x->offset);
  record(name, v, {&x},
         [&] { return [from = x.sizes()](const Tensor& g, Grads& grads) { grads[0] = reshape(g, from); }; });
  return v;
}

}  // namespace

Tensor view(const Tensor& x, const Dims& wanted) {
  const Dims sizes = inferred("view", wanted, x.numel());
  Dims strides;
  check(strides_for(x, sizes, strides), ErrorKind::Shape, "view", "a layout that allows it",
        [&] { return str(x.sizes().text(), " with strides ", x.strides().text(), "; use reshape"); });
  return reshaped("ViewBackward", x, sizes, strides);
}

Tensor reshape(const Tensor& x, const Dims& wanted) {
  const Dims sizes = inferred("reshape", wanted, x.numel());
  Dims strides;
  if (strides_for(x, sizes, strides)) return reshaped("ViewBackward", x, sizes, strides);
  return as_own(reshaped("ViewBackward", contiguous(x), sizes, sizes.contiguous_strides()));
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
  check(parts.rank() > 0, ErrorKind::Shape, "unflatten", "at least one size", [] { return std::string("none"); });
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
  if (x.rank() == 0) {
    for (const Dims& dims : {source, destination})
      for (int64_t d : dims) wrap_dim("movedim", d, 0);
    return permute(x, {});
  }
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
  return reshaped("SqueezeBackward", x, sizes, strides);
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
  for (int d = wanted.rank(); d-- > 0;) {
    const int64_t own = d < missing ? 1 : x.size(d - missing), size = wanted[d] == -1 && d >= missing ? own : wanted[d];
    if (size < 0 || (own != size && own != 1))
      raise(ErrorKind::Shape, "expand", str("sizes that ", x.sizes().text(), " expands to"), wanted.text());
    sizes[d] = size;
    if (own == 1 && size != 1) strides[d] = 0;
    else if (d >= missing) strides[d] = x.stride(d - missing);
    else strides[d] = x.rank() ? sizes[d + 1] * strides[d + 1] : 0;  // of size 1: as unsqueeze() has it
  }
  checked_numel("expand", sizes, DType::Bool);
  return recorded("ExpandBackward", x, make_view(x, sizes, strides, x->offset),
                  [from = x.sizes()](const Tensor& g) { return sum_to(g, from); });
}

Tensor view_dtype(const Tensor& x, DType dtype) {
  const int64_t from = x.item_size(), to = item_size(dtype);
  Dims sizes = x.sizes(), strides = x.strides();
  auto refuse = [&](const char* expected) {
    raise(ErrorKind::Runtime, "view", str(expected, " to show ", name_of(x.dtype()), " as ", name_of(dtype)),
          str(sizes.text(), " with strides ", strides.text(), " from ", x->offset));
  };
  int64_t offset = x->offset;
  if (from != to) {
    if (!x.rank()) refuse("a tensor with dimensions");
    const int last = x.rank() - 1;
    if (strides[last] != 1) refuse("a last dimension of stride 1");
    const int64_t larger = std::max(from, to) / std::min(from, to);
    if (from > to) {
      sizes[last] *= larger, offset *= larger;
      for (int d = 0; d < last; d++) strides[d] *= larger;
    } else {
      bool whole = sizes[last] % larger == 0 && offset % larger == 0;
      for (int d = 0; d < last; d++) whole = whole && (strides[d] % larger == 0 || sizes[d] == 1);
      if (!whole) refuse("sizes, strides and an offset that divide");
      sizes[last] /= larger, offset /= larger;
      for (int d = 0; d < last; d++) strides[d] /= larger;
    }
  }
  return view_of(x, sizes, strides, offset, dtype);
}

void become_view(const char* op, const Tensor& x, const Tensor& v) {
  check_not_leaf(op, x);
  x->sizes = v.sizes(), x->strides = v.strides(), x->contiguous = v->contiguous;
  x->numel = v->numel, x->offset = v->offset, x->data = v->data;
  if (const AutogradMeta* from = v->autograd; from && from->grad_fn) {
    if (!x->autograd) x->autograd = new AutogradMeta;
    x->autograd->grad_fn = from->grad_fn, x->autograd->output = from->output;
    x->generation = v->generation;
  }
  bump_version(x);
}

}  // namespace bolide
