// complex_views.cpp - views that show complex numbers as pairs of reals, and the other way.
//
// They share memory and version counter, so that x.real.mul_(2) changes x, under autograd too: strided.h works in
// units of reals where a view and its base differ in this. A conjugate is a copy, not a lazy view as in PyTorch.
#include "runtime/view_support.h"

namespace bolide {
namespace {

template <class Undo>
Tensor view_as(const char* name, const Tensor& x, DType dtype, const Geometry& g, Undo undo) {
  Tensor v = view_of(x, g.sizes, g.strides, g.offset, dtype);
  link_view(v, x);
  return recorded(name, x, std::move(v), std::move(undo));
}

}  // namespace

Geometry Geometry::in_reals() const {
  if (!is_complex(dtype)) return *this;
  Geometry g{sizes, strides, 2 * offset, real_type(dtype)};
  for (int64_t& stride : g.strides) stride *= 2;
  g.sizes.push_back(2), g.strides.push_back(1);
  return g;
}

Tensor view_as_real(const Tensor& x) {
  check(is_complex(x.dtype()), ErrorKind::Runtime, "view_as_real", "a complex tensor", [&] { return describe(x); });
  return view_as("ViewAsRealBackward", x, real_type(x.dtype()), Geometry::of(x).in_reals(),
                 [](const Tensor& g) { return view_as_complex(contiguous(g)); });
}

Tensor view_as_complex(const Tensor& x) {
  check(x.dtype() == DType::F32 || x.dtype() == DType::F64, ErrorKind::Runtime, "view_as_complex",
        "a tensor of float32 or float64", [&] { return describe(x); });
  Geometry g = Geometry::of(x);
  const int last = x.rank() - 1;
  bool fits = last >= 0 && g.sizes[last] == 2 && g.strides[last] == 1 && g.offset % 2 == 0;
  for (int d = 0; d < last; d++) fits = fits && (g.strides[d] % 2 == 0 || g.sizes[d] <= 1), g.strides[d] /= 2;
  check(fits, ErrorKind::Runtime, "view_as_complex",
        "pairs in memory: a last dimension of size 2 and stride 1, other strides and the offset even",
        [&] { return str(x.sizes().text(), " with strides ", x.strides().text(), " from ", x->offset); });
  g.sizes.erase(last), g.strides.erase(last), g.offset /= 2;
  return view_as("ViewAsComplexBackward", x, x.dtype() == DType::F32 ? DType::C64 : DType::C128, g,
                 [](const Tensor& g) { return view_as_real(g); });
}

Tensor real(const Tensor& x) { return is_complex(x.dtype()) ? select(view_as_real(x), -1, 0) : x; }
Tensor imag(const Tensor& x) {
  check(is_complex(x.dtype()), ErrorKind::Runtime, "imag", "a complex tensor", [&] { return describe(x); });
  return select(view_as_real(x), -1, 1);
}
Tensor conj(const Tensor& x) { return is_complex(x.dtype()) ? conj_physical(x) : x; }

}  // namespace bolide
