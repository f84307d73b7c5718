// ops_reduce.cpp - functions and methods of every line of kernels/reduce.def, and of what is made of them.
#include <cmath>

#include "bindings/forms.h"
#include "runtime/linalg.h"

namespace bolide::python {
namespace {

using OptionalInt = std::optional<int64_t>;
using OptionalDType = std::optional<DType>;

template <ReductionOp op>
Tensor reduction(const Tensor& x, const OptionalDims& dims, bool keepdim, OptionalDType dtype) {
  return reduce(op, x, dims, keepdim, dtype);
}

// ---- max, min ------------------------------------------------------------------------------------------------
Tensor max_all(const Tensor& x) { return amax(x); }
Tensor min_all(const Tensor& x) { return amin(x); }
ValuesIndices max_over(const Tensor& x, int64_t dim, bool keepdim) { return max_dim(x, dim, keepdim); }
ValuesIndices min_over(const Tensor& x, int64_t dim, bool keepdim) { return min_dim(x, dim, keepdim); }
Tensor max_of_two(const Tensor& a, const Tensor& b) { return maximum(a, b); }
Tensor min_of_two(const Tensor& a, const Tensor& b) { return minimum(a, b); }
Tensor place_of_max(const Tensor& x, OptionalInt dim, bool keepdim) { return argmax(x, dim, keepdim); }
Tensor place_of_min(const Tensor& x, OptionalInt dim, bool keepdim) { return argmin(x, dim, keepdim); }

// ---- var, std ------------------------------------------------------------------------------------------------
Tensor variance(const Tensor& x, const OptionalDims& dims, double correction, bool keepdim) {
  if (is_complex(x.dtype()))
    return add(variance(real(x), dims, correction, keepdim), variance(imag(x), dims, correction, keepdim));
  return reduce(ReductionOp::var, x, dims, keepdim, {}, correction);
}
template <bool root>
Tensor spread(const Tensor& x, const OptionalDims& dims, std::optional<double> correction, bool keepdim) {
  if (root && is_half(x))  // the square of a half type's spread may be too large
    return to(spread<true>(to(x, DType::F32), dims, correction, keepdim), x.dtype());
  const Tensor v = variance(x, dims, correction.value_or(1), keepdim);
  return root ? sqrt(v) : v;
}
template <bool root>
Tensor spread_of_all(const Tensor& x, bool unbiased) {
  return spread<root>(x, {}, unbiased, false);
}
template <bool root>
Tensor spread_unbiased(const Tensor& x, const OptionalDims& dims, bool unbiased, bool keepdim) {
  return spread<root>(x, dims, unbiased, keepdim);
}

// Without a correction: var, mean or std, mean, as a plain tuple.
template <bool root>
TensorList with_mean(const Tensor& x, const OptionalDims& dims, std::optional<double> correction, bool keepdim) {
  return {spread<root>(x, dims, correction, keepdim), mean(x, dims, keepdim)};
}
template <bool root>
TensorList with_mean_of_all(const Tensor& x, bool unbiased) {
  return with_mean<root>(x, {}, unbiased, false);
}
template <bool root>
TensorList with_mean_unbiased(const Tensor& x, const OptionalDims& dims, bool unbiased, bool keepdim) {
  return with_mean<root>(x, dims, unbiased, keepdim);
}

// ---- made of the others --------------------------------------------------------------------------------------
double order_of_norm(PyObject* p) {
  if (p == Py_None) return 2;
  if (!PyUnicode_Check(p)) return Convert<double>::get(p);
  const std::string_view text = Convert<std::string_view>::get(p);
  check(text == "fro", ErrorKind::Value, "norm", "p as a number, 'fro' or 'nuc'", [&] { return str("'", text, "'"); });
  return 2;
}
Tensor norm(const Tensor& x, PyObject* p, const OptionalDims& dims, bool keepdim, OptionalDType dtype) {
  const Tensor values = dtype ? to(x, *dtype) : x;
  check(is_differentiable(values.dtype()), ErrorKind::DType, "norm", "a floating-point or complex dtype",
        [&] { return std::string(name_of(values.dtype())); });
  if (PyUnicode_Check(p) && Convert<std::string_view>::get(p) == "nuc") {
    linalg::NormOrder nuclear;
    nuclear.name = "nuc";
    return linalg::matrix_norm("norm", values, nuclear, dims && !dims->empty() ? *dims : Dims{-2, -1}, keepdim);
  }
  return linalg::vector_norm("norm", values, order_of_norm(p), dims, keepdim);
}
Tensor count_nonzero(const Tensor& x, const OptionalDims& dims) {
  return sum(x.dtype() == DType::Bool ? x : ne(x, 0), dims);
}

Tensor nansum(const Tensor& x, const OptionalDims& dims, bool keepdim, OptionalDType dtype) {
  check(!is_complex(x.dtype()), ErrorKind::DType, "nansum", "a real dtype",
        [&] { return std::string(name_of(x.dtype())); });
  return reduce(ReductionOp::sum, is_float(x.dtype()) ? where(isnan(x), 0, x) : x, dims, keepdim, dtype);
}
Tensor nanmean(const Tensor& x, const OptionalDims& dims, bool keepdim, OptionalDType dtype) {
  check(is_float(x.dtype()), ErrorKind::DType, "nanmean", "a floating-point dtype",
        [&] { return std::string(name_of(x.dtype())); });
  return div(nansum(x, dims, keepdim, dtype), sum(logical_not(isnan(x)), dims, keepdim));
}
// (min, max), of all elements or over dim.
PyObject* extremes(const Tensor& x, OptionalInt dim, bool keepdim) {
  const OptionalDims dims = dim ? OptionalDims(Dims{*dim}) : OptionalDims();
  return named_tuple("aminmax", {"min", "max"}, {amin(x, dims, keepdim), amax(x, dims, keepdim)});
}
template <ReductionOp op>
Tensor logsumexp_over(const Tensor& x, const OptionalDims& dims, bool keepdim) {
  if (is_complex(x.dtype())) {
    const Tensor most = amax(real(detach(x)), dims, true), shift = where(isfinite(most), most, 0);
    const Tensor all = add(log(sum(exp(sub(x, shift)), dims, true)), shift);
    return keepdim ? all : dims && !dims->empty() ? squeeze(all, dims) : reshape(all, {});
  }
  return reduce(op, contains(IntBool, x.dtype()) ? to(x, default_dtype()) : x, dims, keepdim);
}

std::string doc_of(const ReductionInfo& info) {
  std::string out = info.doc;
  out +=
      "\n\nOver dim (an int, or several), or over all elements; keepdim keeps reduced dimensions with size 1. "
      "Computes in " +
      dtypes_text(info.dtypes) + ".";
  out += info.result == Result::sum       ? " Integers and bool give int64."
         : info.result == Result::boolean ? " Gives bool."
                                          : "";
  out += info.empty == Empty::raises ? " Of no elements it raises ShapeError, over a dim of none IndexError." : "";
  return out +
         "\n\nRaises: IndexError for a dim that is not there; DTypeError for a dtype outside of these.\n"
         "Example: >>> bolide." +
         std::string(info.name) + "(bolide.ones(2, 3), dim=0)\nReference: torch." + info.name + ".";
}
// What each line takes; var has rows of its own, two_norm is vector_norm's.
template <ReductionOp kOp>
void add_row(std::vector<Op>& out) {
  if constexpr (kOp == ReductionOp::logsumexp)
    out.push_back(
        op<&logsumexp_over<kOp>>("logsumexp", "input, dim=None, keepdim=False", doc_of(reduction_info(kOp)).c_str()));
  else if constexpr (kOp != ReductionOp::var && kOp != ReductionOp::two_norm)
    out.push_back(op<&reduction<kOp>>(reduction_info(kOp).name, "input, dim=None, keepdim=False, *, dtype=None",
                                      doc_of(reduction_info(kOp)).c_str()));
}

}  // namespace

std::vector<Op> reduction_rows() {
  std::vector<Op> rows;
#define REDUCE(set, rule, empty, name, ...) add_row<ReductionOp::name>(rows);
#include "kernels/reduce.def"
  const char* spread_text =
      "input, dim=None, *, correction=1, keepdim=False | input, unbiased | "
      "input, dim, unbiased=True, keepdim=False";
  const std::vector<Op> more = {
      op<&max_all, &max_over, &max_of_two>(
          "max", "input | input, dim, keepdim=False | input, other",
          "The largest element; over dim the named tuple (values, indices); of two tensors the larger of each pair.\n\n"
          "Raises: ShapeError of no elements; IndexError for a dim that is not there.\n"
          "Example: >>> bolide.max(bolide.tensor([[1, 5], [7, 2]]), 1).indices\nReference: torch.max."),
      op<&min_all, &min_over, &min_of_two>(
          "min", "input | input, dim, keepdim=False | input, other",
          "The smallest element; over dim the named tuple (values, indices); of two tensors the smaller of each pair."
          "\n\nRaises: ShapeError of no elements; IndexError for a dim that is not there.\n"
          "Example: >>> bolide.min(bolide.tensor([[1, 5], [7, 2]]), 1).values\nReference: torch.min."),
      op<&place_of_max>("argmax", "input, dim=None, keepdim=False",
                        "Where the largest element is, over dim or in the flattened tensor: int64.\n\n"
                        "Example: >>> bolide.tensor([3, 9, 4]).argmax()\nReference: torch.argmax."),
      op<&place_of_min>("argmin", "input, dim=None, keepdim=False",
                        "Where the smallest element is, over dim or in the flattened tensor: int64.\n\n"
                        "Example: >>> bolide.tensor([3, 9, 4]).argmin()\nReference: torch.argmin."),
      op<&spread<false>, &spread_of_all<false>, &spread_unbiased<false>>(
          "var", spread_text,
          "Variance: the sum of squared distances from the mean, over max(0, n - correction).\n\n"
          "Floating dtypes; over dim or over all elements.\n"
          "Example: >>> bolide.var(bolide.tensor([1.0, 2.0, 4.0]), correction=0)\nReference: torch.var."),
      op<&spread<true>, &spread_of_all<true>, &spread_unbiased<true>>(
          "std", spread_text,
          "Standard deviation: the root of var().\n\n"
          "Example: >>> bolide.std(bolide.tensor([1.0, 2.0, 4.0]))\nReference: torch.std."),
      op<&with_mean<false>, &with_mean_of_all<false>, &with_mean_unbiased<false>>(
          "var_mean", spread_text,
          "The tuple (var(), mean()).\n\n"
          "Example: >>> bolide.var_mean(bolide.tensor([1.0, 2.0, 4.0]))\nReference: torch.var_mean.",
          kFunction),
      op<&with_mean<true>, &with_mean_of_all<true>, &with_mean_unbiased<true>>(
          "std_mean", spread_text,
          "The tuple (std(), mean()).\n\n"
          "Example: >>> bolide.std_mean(bolide.tensor([1.0, 2.0, 4.0]))\nReference: torch.std_mean.",
          kFunction),
      op<&nansum>("nansum", "input, dim=None, keepdim=False, *, dtype=None",
                  "sum() with NaN as zero.\n\n"
                  "Example: >>> bolide.nansum(bolide.tensor([1.0, bolide.nan]))\nReference: torch.nansum."),
      op<&nanmean>("nanmean", "input, dim=None, keepdim=False, *, dtype=None",
                   "The mean of those that are not NaN; NaN where there are none.\n\nRaises: DTypeError unless "
                   "floating.\nExample: >>> bolide.nanmean(bolide.tensor([1.0, bolide.nan]))\n"
                   "Reference: torch.nanmean."),
      op<&extremes>("aminmax", "input, *, dim=None, keepdim=False",
                    "The named tuple (min, max) of all elements, or over dim; NaN wins.\n\n"
                    "Raises: ShapeError of no elements.\nExample: >>> bolide.aminmax(bolide.tensor([1, 5])).max\n"
                    "Reference: torch.aminmax."),
      op<&norm>(
          "norm", "input, p='fro', dim=None, keepdim=False, dtype=None",
          "The p-norm of the elements, over dim or of all; 'fro' is 2, 'nuc' the sum of a matrix's singular values.\n\n"
          "Raises: DTypeError unless floating.\nExample: >>> bolide.norm(bolide.ones(4))\nReference: torch.norm."),
      op<&count_nonzero>("count_nonzero", "input, dim=None",
                         "How many elements are not zero.\n\nReference: torch.count_nonzero."),
  };
  rows.insert(rows.end(), more.begin(), more.end());
  return rows;
}

}  // namespace bolide::python
