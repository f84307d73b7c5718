// ops_view_copies.cpp - NAME_copy: what a view op shows, as a copy. And what is made of copies of views.
//
// To add one: a line in view_copy_rows(). The gradient is that of the view.
#include "bindings/forms.h"

namespace bolide::python {
namespace {

Tensor own(const Tensor& view) { return view.is_contiguous() ? clone(view) : contiguous(view); }
TensorList own(TensorList views) {
  for (Tensor& v : views) v = own(v);
  return views;
}
template <auto F, class = decltype(F)>
struct Copied;
template <auto F, class R, class... A>
struct Copied<F, R (*)(A...)> {
  static R call(A... arguments) { return own(F(arguments...)); }
};

Tensor itself(const Tensor& x) { return x; }
Tensor view_dims(const Tensor& x, const Dims& size) { return view(x, size); }
Tensor view_bytes(const Tensor& x, DType dtype) { return view_dtype(x, dtype); }
Tensor strided(const Tensor& x, const Dims& size, const Dims& stride, std::optional<int64_t> offset) {
  return as_strided(x, size, stride, offset.value_or(x->offset));
}
Tensor expanded(const Tensor& x, const Dims& size, bool) { return expand(x, size); }
Tensor sliced(const Tensor& x, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end, int64_t step) {
  return slice(x, dim, start.value_or(0), end.value_or(INT64_MAX), step);
}
Tensor narrowed(const Tensor& x, int64_t dim, int64_t start, int64_t length) { return narrow(x, dim, start, length); }

// pad: numbers of elements before and behind, of the last dimension first; negative ones cut.
Tensor constant_pad_nd(const Tensor& x, const Dims& pad, const Scalar& value) {
  const char* op = "constant_pad_nd";
  check(pad.rank() % 2 == 0 && pad.rank() <= 2 * x.rank(), ErrorKind::Runtime, op,
        str("an even number of pads, at most ", 2 * x.rank()), [&] { return pad.text(); });
  Dims sizes = x.sizes();
  Tensor kept = x;
  for (int i = 0; i < pad.rank(); i += 2) {
    const int d = x.rank() - 1 - i / 2;
    sizes[d] += pad[i] + pad[i + 1];
    check(sizes[d] >= 0, ErrorKind::Runtime, op, "sizes of at least 0", [&] { return sizes.text(); });
    const int64_t before = std::max<int64_t>(0, -pad[i]), behind = std::max<int64_t>(0, -pad[i + 1]);
    kept = narrow(kept, d, std::min(before, x.size(d)), std::max<int64_t>(0, x.size(d) - before - behind));
  }
  const Tensor y = full(sizes, fitting(op, value, x.dtype()), {x.dtype(), x.device()});
  Tensor inner = y;
  for (int i = 0; i < pad.rank(); i += 2) {
    const int d = x.rank() - 1 - i / 2;
    inner = narrow(inner, d, std::min(std::max<int64_t>(0, pad[i]), sizes[d]), kept.size(d));
  }
  copy_(inner, kept);
  return y;
}

}  // namespace

std::vector<Op> view_copy_rows() {
  std::vector<Op> rows;
  auto add = [&]<auto F>(const char* name, const char* arguments, Where where = kFunction) {
    const std::string doc = str("What ", name, "() shows, as a copy.\n\nReference: torch.", name, "_copy.");
    rows.push_back(op<&Copied<F>::call>(str(name, "_copy").c_str(), arguments, doc.c_str(), where));
  };
  add.operator()<&itself>("alias", "input");
  add.operator()<&strided>("as_strided", "input, size, stride, storage_offset=None");
  add.operator()<&detach>("detach", "input");
  add.operator()<&diagonal>("diagonal", "input, offset=0, dim1=0, dim2=1");
  add.operator()<&expanded>("expand", "input, size, *, implicit=False");
  add.operator()<&narrowed>("narrow", "input, dim, start, length", kBoth);
  add.operator()<&permute>("permute", "input, dims");
  add.operator()<&select>("select", "input, dim, index");
  add.operator()<&sliced>("slice", "input, dim=0, start=None, end=None, step=1");
  add.operator()<&split>("split", "tensor, split_size, dim=0");
  add.operator()<&split_sizes>("split_with_sizes", "input, split_sizes, dim=0");
  add.operator()<&squeeze>("squeeze", "input, dim=None");
  add.operator()<&t>("t", "input");
  add.operator()<&transpose>("transpose", "input, dim0, dim1");
  add.operator()<&unbind>("unbind", "input, dim=0");
  add.operator()<&unfold>("unfold", "input, dimension, size, step");
  add.operator()<&unsqueeze>("unsqueeze", "input, dim");
  add.operator()<&view_as_complex>("view_as_complex", "input");
  add.operator()<&view_as_real>("view_as_real", "input");
  rows.push_back(op<&Copied<&view_dims>::call, &Copied<&view_bytes>::call>(
      "view_copy", "input, size | input, dtype", "What view() shows, as a copy.\n\nReference: torch.view_copy.",
      kFunction));
  add_function<&constant_pad_nd>(rows, "constant_pad_nd", "input, pad, value=0",
                                 "With `value` around: pad has the numbers of elements before and behind, of the last "
                                 "dimension first; negative ones cut.\n\nReference: torch.constant_pad_nd.",
                                 kFunction);
  return rows;
}

}  // namespace bolide::python
