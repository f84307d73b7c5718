// flip.cpp - dimensions reversed: a copy through strides that go backwards.
#include "runtime/autograd.h"
#include "runtime/ops.h"

namespace bolide {

Tensor flip(const Tensor& x, const Dims& dims) {
  Dims strides = x.strides();
  int64_t offset = x->offset;
  uint64_t seen = 0;
  for (int64_t dim : dims) {
    const int d = wrap_dim("flip", dim, x.rank());
    check(!(seen >> d & 1), ErrorKind::Runtime, "flip", "every dimension once", [&] { return dims.text(); });
    seen |= uint64_t(1) << d;
    if (!x.rank() || x.size(d) < 2) continue;
    offset += (x.size(d) - 1) * strides[d];
    strides[d] = -strides[d];
  }
  Tensor y = empty(x.sizes(), {x.dtype(), x.device()});
  if (x.numel()) copy_values(y, view_of(x, x.sizes(), strides, offset));
  record("flip", y, {&x}, [&] { return [dims](const Tensor& g, Grads& grads) { grads[0] = flip(g, dims); }; });
  return y;
}

}  // namespace bolide
