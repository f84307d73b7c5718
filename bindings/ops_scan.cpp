// ops_scan.cpp - functions and methods of the scans: cumsum and its kin; diff, which undoes it.
#include "bindings/forms.h"

namespace bolide::python {
namespace {

using OptionalDType = std::optional<DType>;

Tensor running_sum(const Tensor& x, int64_t dim, OptionalDType dtype) { return cumsum(x, dim, dtype); }
Tensor running_product(const Tensor& x, int64_t dim, OptionalDType dtype) { return cumprod(x, dim, dtype); }
Tensor running_logsumexp(const Tensor& x, int64_t dim) { return logcumsumexp(x, dim); }
ValuesIndices running_max(const Tensor& x, int64_t dim) { return cummax(x, dim); }
ValuesIndices running_min(const Tensor& x, int64_t dim) { return cummin(x, dim); }
// In the tensor's own dtype unless another is given, which then has to be that one.
template <Tensor (*f)(const Tensor&, int64_t, OptionalDType)>
void in_place(const Tensor& x, int64_t dim, OptionalDType dtype) {
  check(!dtype || *dtype == x.dtype(), ErrorKind::DType, "cumsum_",
        str("the dtype of the tensor, ", name_of(x.dtype())), [&] { return std::string(name_of(*dtype)); });
  InPlace<f>::call(x, dim, {});
}

Tensor differences(const Tensor& input, int64_t n, int64_t dim, std::optional<Tensor> prepend,
                   std::optional<Tensor> append) {
  check(input.rank() > 0, ErrorKind::Shape, "diff", "a tensor with dimensions",
        [] { return std::string("a 0-d one"); });
  check(n >= 0, ErrorKind::Runtime, "diff", "an order n of at least 0", [&] { return str(n); });
  const int axis = wrap_dim("diff", dim, input.rank());
  if (n == 0) return clone(input);  // whatever stands before and behind it
  TensorList parts = {input};
  if (prepend) parts.insert(parts.begin(), *prepend);
  if (append) parts.push_back(*append);
  Tensor x = parts.size() == 1 ? clone(input) : cat(parts, axis);
  for (int64_t i = 0; i < n && x.size(axis) > 0; i++) {
    const int64_t rest = x.size(axis) - 1;
    const Tensor later = narrow(x, axis, 1, rest), earlier = narrow(x, axis, 0, rest);
    x = x.dtype() == DType::Bool ? logical_xor(later, earlier) : sub(later, earlier);
  }
  return x;
}

}  // namespace

std::vector<Op> scan_rows() {
  return {
      op<&running_sum>("cumsum", "input, dim, *, dtype=None",
                       "The sum of each element along dim and all before it; floats are added in float64.\n\nIntegers "
                       "and bool give int64. Raises: IndexError for a dim that is not there.\n"
                       "Example: >>> bolide.cumsum(bolide.tensor([1, 2, 3]), 0)\nReference: torch.cumsum."),
      op<&in_place<&running_sum>>("cumsum_", "input, dim, *, dtype=None", "In-place form of cumsum().", kMethod),
      op<&running_product>("cumprod", "input, dim, *, dtype=None",
                           "The product of each element along dim and all before it; floats are multiplied in float64."
                           "\n\nIntegers and bool give int64. Raises: IndexError for a dim that is not there.\n"
                           "Example: >>> bolide.cumprod(bolide.tensor([1, 2, 3]), 0)\nReference: torch.cumprod."),
      op<&in_place<&running_product>>("cumprod_", "input, dim, *, dtype=None", "In-place form of cumprod().", kMethod),
      op<&running_logsumexp>("logcumsumexp", "input, dim",
                             "log(cumsum(exp(input))), without overflow.\n\nRaises: DTypeError of integers.\n"
                             "Example: >>> bolide.logcumsumexp(bolide.tensor([0.0, 0.0]), 0)\n"
                             "Reference: torch.logcumsumexp."),
      op<&running_max>("cummax", "input, dim",
                       "The largest so far along dim, and where it stands: the named tuple (values, indices).\n\nThe "
                       "last of equal ones; once there was NaN, the last NaN.\n"
                       "Example: >>> bolide.cummax(bolide.tensor([1, 3, 2]), 0).values\nReference: torch.cummax."),
      op<&running_min>("cummin", "input, dim",
                       "The smallest so far along dim, and where it stands: the named tuple (values, indices).\n\nThe "
                       "last of equal ones; once there was NaN, the last NaN.\n"
                       "Example: >>> bolide.cummin(bolide.tensor([3, 1, 2]), 0).values\nReference: torch.cummin."),
      op<&differences>("diff", "input, n=1, dim=-1, prepend=None, append=None",
                       "The n-th differences of neighbours along dim, of input between prepend and append; of bool "
                       "whether they differ.\n\nRaises: ShapeError for a 0-d tensor and where sizes differ elsewhere "
                       "than along dim.\nExample: >>> bolide.diff(bolide.tensor([1, 3, 2]))\nReference: torch.diff."),
  };
}

}  // namespace bolide::python
