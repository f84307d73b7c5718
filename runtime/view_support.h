// view_support.h - what the view ops share: making a view that knows its base, and recording how to undo it.
#pragma once
#include "runtime/autograd.h"
#include "runtime/ops.h"
#include "runtime/strided.h"

namespace bolide {

// A view that knows its base, so that in-place ops on it become part of the base's history.
inline Tensor make_view(const Tensor& x, const Dims& sizes, const Dims& strides, int64_t offset) {
  Tensor v = view_of(x, sizes, strides, offset);
  link_view(v, x);
  return v;
}

// Where a part that begins at element `first` starts. Of a part without elements it may lie behind the storage; what a
// stride of a dimension without a second element makes of it must only not overflow.
inline int64_t part_offset(int64_t offset, int64_t first, int64_t stride) {
  int64_t at;
  return __builtin_mul_overflow(first, stride, &at) || __builtin_add_overflow(offset, at, &at) ? offset : at;
}

// A view of a result that nobody else sees is no view to its user.
inline Tensor as_own(Tensor v) {
  v->base = {}, v->view_kind = ViewKind::Normal;
  return v;
}

// undo(g): the gradient of x from that of the view.
template <class Undo>
Tensor recorded(const char* name, const Tensor& x, Tensor v, Undo undo) {
  record(name, v, {&x}, [&] { return [undo](const Tensor& g, Grads& grads) { grads[0] = undo(g); }; });
  return v;
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
// For a view of any geometry, which may show an element more than once.
inline Tensor recorded_by_geometry(const char* name, const Tensor& x, const Dims& sizes, const Dims& strides,
                                   int64_t offset) {
  const Geometry from = Geometry::of(x), to{sizes, strides, offset, x.dtype()};
  return recorded(name, x, make_view(x, sizes, strides, offset),
                  [from, to](const Tensor& g) { return strided_scatter(g, from, to); });
}

}  // namespace bolide
