// ops_sort.cpp - sort, search, count: functions and methods of runtime/sorting.h.
#include "bindings/forms.h"
#include "runtime/sorting.h"

namespace bolide::python {
namespace {

using OptionalInt = std::optional<int64_t>;
using OptionalTensor = std::optional<Tensor>;

ValuesIndices sort_rows(const Tensor& x, int64_t dim, bool descending, bool) { return sort(x, dim, descending); }
Tensor argsort(const Tensor& x, int64_t dim, bool descending, bool) { return sort(x, dim, descending).indices; }
Tensor msort(const Tensor& x) { return sort(x, 0).values; }
ValuesIndices first_few(const Tensor& x, int64_t k, int64_t dim, bool largest, bool) {
  return topk(x, k, dim, largest);
}
ValuesIndices kth(const Tensor& x, int64_t k, int64_t dim, bool keepdim) { return kthvalue(x, k, dim, keepdim); }
ValuesIndices most_frequent(const Tensor& x, int64_t dim, bool keepdim) { return mode(x, dim, keepdim); }

template <bool ignore_nan>
ValuesIndices median_of_rows(const Tensor& x, int64_t dim, bool keepdim) {
  return median(x, dim, keepdim, ignore_nan);
}
template <bool ignore_nan>
Tensor median_of_all(const Tensor& x) {
  return median(x, ignore_nan);
}

// ---- search --------------------------------------------------------------------------------------------------
bool is_right(const char* op, bool right, PyObject* side) {
  if (side == Py_None) return right;
  const std::string_view text = Convert<std::string_view>::get(side);
  check(text == "left" || text == "right", ErrorKind::Runtime, op, "side 'left' or 'right'",
        [&] { return str("'", text, "'"); });
  check(!right || text == "right", ErrorKind::Runtime, op, "side and right that agree",
        [&] { return str("'", text, "'"); });
  return text == "right";
}
Tensor search_sorted(const Tensor& sorted, const Arg& values, bool out_int32, bool right, PyObject* side,
                     const OptionalTensor& sorter) {
  const bool is_behind = is_right("searchsorted", right, side);
  const DType result = out_int32 ? DType::I32 : DType::I64;
  if (values.tensor) return searchsorted(sorted, *values.tensor, is_behind, sorter.value_or(Tensor()), result);
  const bool widens = values.scalar.kind == Scalar::Float && !is_float(sorted.dtype());
  const Tensor rows = widens ? to(sorted, default_dtype()) : sorted;
  const Tensor x = full({}, values.scalar, {rows.dtype(), rows.device()});
  return searchsorted(rows, x, is_behind, sorter.value_or(Tensor()), result);
}
Tensor bucketize_of(const Arg& values, const Tensor& boundaries, bool out_int32, bool right) {
  check(boundaries.rank() == 1, ErrorKind::Shape, "bucketize", "boundaries of one dimension",
        [&] { return boundaries.sizes().text(); });
  return search_sorted(boundaries, values, out_int32, right, Py_None, {});
}

template <bool ignore_nan>
Tensor quantile_of(const Tensor& x, const Arg& q, OptionalInt dim, bool keepdim, std::string_view interpolation) {
  constexpr std::pair<const char*, Interpolation> kKinds[] = {{"linear", Interpolation::linear},
                                                              {"lower", Interpolation::lower},
                                                              {"higher", Interpolation::higher},
                                                              {"midpoint", Interpolation::midpoint},
                                                              {"nearest", Interpolation::nearest}};
  for (auto& [name, kind] : kKinds)
    if (interpolation == name)
      return quantile(x, q.tensor ? *q.tensor : full({}, q.scalar, {x.dtype(), x.device()}), dim, keepdim, kind,
                      ignore_nan);
  raise(ErrorKind::Runtime, "quantile", "interpolation 'linear', 'lower', 'higher', 'midpoint' or 'nearest'",
        str("'", interpolation, "'"));
}

// ---- distinct values, counts ---------------------------------------------------------------------------------
PyObject* some_of(const Unique& u, bool inverse, bool counts) {
  if (!inverse && !counts) return wrap(Tensor(u.values));
  TensorList out{u.values};
  if (inverse) out.push_back(u.inverse);
  if (counts) out.push_back(u.counts);
  return tuple_of(std::move(out));
}
PyObject* unique_of(const Tensor& x, bool, bool return_inverse, bool return_counts, OptionalInt dim) {
  return some_of(dim ? unique_slices(x, *dim, true) : unique(x, true, return_inverse || return_counts), return_inverse,
                 return_counts);
}
PyObject* unique_runs(const Tensor& x, bool return_inverse, bool return_counts, OptionalInt dim) {
  return some_of(dim ? unique_slices(x, *dim, false) : unique(x, false, return_inverse || return_counts),
                 return_inverse, return_counts);
}
Tensor count_numbers(const Tensor& x, const OptionalTensor& weights, int64_t minlength) {
  return bincount(x, weights.value_or(Tensor()), minlength);
}
Tensor histogram_of(const Tensor& x, int64_t bins, double min, double max) { return histc(x, bins, min, max); }
Tensor is_in(const Arg& elements, const Arg& test, bool, bool invert) {
  check(elements.tensor || test.tensor, ErrorKind::Type, "isin", "a Tensor", [] { return std::string("two numbers"); });
  auto made = [](const Arg& a, const Tensor* like) {
    return a.tensor ? *a.tensor : full({}, a.scalar, {like->dtype(), like->device()});
  };
  return isin(made(elements, test.tensor), made(test, elements.tensor), invert);
}

void add_order(std::vector<Op>& rows) {
  rows.push_back(op<&sort_rows>(
      "sort", "input, dim=-1, descending=False, stable=False",
      "The elements along dim in order, and where they stood: the named tuple (values, indices).\n\nNaN is the largest "
      "number; equal elements keep their order.\nRaises: DTypeError for complex numbers; IndexError for a dim that is "
      "not "
      "there.\nExample: >>> bolide.sort(bolide.tensor([3, 1, 2])).indices\nReference: torch.sort."));
  rows.push_back(op<&argsort>("argsort", "input, dim=-1, descending=False, stable=False",
                              "The indices that sort() gives.\n\nReference: torch.argsort."));
  rows.push_back(
      op<&msort>("msort", "input", "sort() along the first dimension: the values.\n\nReference: torch.msort."));
  rows.push_back(op<&first_few>(
      "topk", "input, k, dim=-1, largest=True, sorted=True",
      "The k largest (or smallest) elements along dim, in order: the named tuple (values, indices).\n\nRaises: "
      "BolideError for a k beyond the size.\nExample: >>> bolide.topk(bolide.tensor([3, 1, 2]), 2).values\nReference: "
      "torch.topk."));
  rows.push_back(op<&kth>("kthvalue", "input, k, dim=-1, keepdim=False",
                          "The k-th smallest element along dim: the named tuple (values, indices).\n\nReference: "
                          "torch.kthvalue."));
  rows.push_back(
      op<&median_of_all<false>, &median_of_rows<false>>("median", "input | input, dim, keepdim=False",
                                                        "The element in the middle, the lower of two; NaN wins. Along "
                                                        "dim the named tuple (values, indices).\n\nReference: "
                                                        "torch.median."));
  rows.push_back(op<&median_of_all<true>, &median_of_rows<true>>(
      "nanmedian", "input | input, dim, keepdim=False", "median() of what is not NaN.\n\nReference: torch.nanmedian."));
  rows.push_back(op<&most_frequent>("mode", "input, dim=-1, keepdim=False",
                                    "The element that is there most often, the smallest of several: the named tuple "
                                    "(values, indices).\n\nReference: torch.mode."));
}
void add_search(std::vector<Op>& rows) {
  add_function<&search_sorted>(rows, "searchsorted",
                               "sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None",
                               "Where each input would stand in its sorted row: before equal ones, or behind them "
                               "(right).\n\nRaises: BolideError for different dtypes; ShapeError for other first "
                               "sizes.\nReference: torch.searchsorted.",
                               kFunction);
  add_function<&bucketize_of>(rows, "bucketize", "input, boundaries, *, out_int32=False, right=False",
                              "searchsorted() in one row for all.\n\nReference: torch.bucketize.", kFunction);
  add_function<&quantile_of<false>>(
      rows, "quantile", "input, q, dim=None, keepdim=False, *, interpolation='linear'",
      "What stands at the part q of the sorted elements.\n\nfloat32 and float64; several q "
      "become the first dimension.\nReference: torch.quantile.");
  add_function<&quantile_of<true>>(rows, "nanquantile", "input, q, dim=None, keepdim=False, *, interpolation='linear'",
                                   "quantile() of what is not NaN.\n\nReference: torch.nanquantile.");
  rows.push_back(op<&unique_of>("unique", "input, sorted=True, return_inverse=False, return_counts=False, dim=None",
                                "The distinct elements in order (with dim: slices), with the number of each element's "
                                "and how many there are of it.\n\nReference: torch.unique."));
  rows.push_back(op<&unique_runs>("unique_consecutive", "input, return_inverse=False, return_counts=False, dim=None",
                                  "Without what repeats its left neighbour.\n\nReference: torch.unique_consecutive."));
  rows.push_back(op<&count_numbers>("bincount", "input, weights=None, minlength=0",
                                    "How often each number occurs, or the sum of its weights.\n\nReference: "
                                    "torch.bincount."));
  add_function<&histogram_of>(rows, "histc", "input, bins=100, min=0, max=0",
                              "How many elements fall into each of equal bins between min and max.\n\nReference: "
                              "torch.histc.");
  rows.push_back(op<&is_in>("isin", "elements, test_elements, *, assume_unique=False, invert=False",
                            "Which elements are among the others?\n\nReference: torch.isin.", kFunction));
}

}  // namespace

std::vector<Op> sorting_rows() {
  std::vector<Op> rows;
  add_order(rows), add_search(rows);
  return rows;
}

}  // namespace bolide::python
