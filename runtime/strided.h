// strided.h - parts of a tensor by geometry: what views need when their gradients are put back.
#pragma once
#include "runtime/tensor.h"

namespace bolide {

// Where a tensor's elements lie in its storage.
struct Geometry {
  Dims sizes, strides;
  int64_t offset = 0;
  DType dtype;
  static Geometry of(const Tensor& t) { return {t.sizes(), t.strides(), t->offset, t.dtype()}; }
  Geometry in_reals() const;  // complex numbers as pairs, in one more dimension
};

// Strides without gaps for a copy, the dimensions in the order that these have them in; expanded ones stay where they are.
Dims dense_strides(const Dims& sizes, const Dims& strides);

// x has base's sizes: the elements that the view shows, with the view's sizes. Differentiable, also
// where one of base and view is complex and the other real.
BOLIDE_API Tensor strided_gather(const Tensor& x, const Geometry& base, const Geometry& view);
// The other way: zeros of base's sizes, v added at the places that the view shows. Differentiable.
BOLIDE_API Tensor strided_scatter(const Tensor& v, const Geometry& base, const Geometry& view);

}  // namespace bolide
