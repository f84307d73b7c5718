// strided.cpp - parts of a tensor by geometry, copied out of it and put back: by way of a buffer like its storage.
#include "runtime/strided.h"

#include <algorithm>

#include "runtime/autograd.h"
#include "runtime/ops.h"
#include "runtime/overlap.h"

namespace bolide {
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
// t's elements added where g shows them. Without history.
void add_to(const Buffer& buffer, const Geometry& g, const Tensor& t) {
  GradMode off(false);
  if (!overlaps_itself(g.sizes, g.strides)) return copy_values(buffer.show(g), t);
  const Tensor places = arange(int64_t(0), buffer.flat.numel(), int64_t(1), DType::I64, t.device());
  const Tensor index = contiguous(view_of(places, g.sizes, g.strides, g.offset - buffer.start));
  const Key key{Key::Index, 0, 0, 1, reshape(index, {-1})};
  index_put_(buffer.flat, std::span<const Key>(&key, 1), reshape(detach(t), {-1}), true);
}
// Where a base shows a place more than once (an expanded one), each of its elements has a share of the gradient: what
// made the base sums them again.
void share_out(const Buffer& buffer, const Geometry& base) {
  if (!overlaps_itself(base.sizes, base.strides)) return;
  GradMode off(false);
  const Options options{buffer.flat.dtype(), buffer.flat.device()};
  const Buffer count{zeros(buffer.flat.sizes(), options), buffer.start};
  add_to(count, base, ones(base.sizes, options));
  copy_values(buffer.flat, div(buffer.flat, where(Arg(eq(count.flat, 0)), 1, count.flat)));
}

}  // namespace

Tensor strided_gather(const Tensor& x, const Geometry& base, const Geometry& view) {
  if (is_complex(base.dtype) != is_complex(view.dtype)) {
    const Tensor y = strided_gather(is_complex(base.dtype) ? view_as_real(x) : x, base.in_reals(), view.in_reals());
    return is_complex(view.dtype) ? view_as_complex(y) : y;
  }
  Tensor y = empty(view.sizes, {x.dtype(), x.device()});
  const Buffer buffer = make_buffer(base, view, {x.dtype(), x.device()});
  add_to(buffer, base, x);
  share_out(buffer, base);
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
  add_to(buffer, view, v);
  share_out(buffer, base);
  copy_values(y, buffer.show(base));
  record("StridedScatter", y, {&v},
         [&] { return [base, view](const Tensor& g, Grads& grads) { grads[0] = strided_gather(g, base, view); }; });
  return y;
}

}  // namespace bolide
