// sorting.h - ops that put elements in order (sorting.cpp), or find equal ones with its help and count (distinct.cpp).
#pragma once
#include "runtime/ops.h"

namespace bolide {

// NaN is the largest number; equal elements keep their order. Gradients go to the places that the indices name.
BOLIDE_API ValuesIndices sort(const Tensor& x, int64_t dim = -1, bool descending = false);
BOLIDE_API ValuesIndices topk(const Tensor& x, int64_t k, int64_t dim = -1, bool largest = true);
BOLIDE_API ValuesIndices kthvalue(const Tensor& x, int64_t k, int64_t dim = -1, bool keepdim = false);
BOLIDE_API ValuesIndices median(const Tensor& x, int64_t dim, bool keepdim, bool ignore_nan);
BOLIDE_API Tensor median(const Tensor& x, bool ignore_nan);  // of all; equal ones share the gradient
BOLIDE_API ValuesIndices mode(const Tensor& x, int64_t dim = -1, bool keepdim = false);
enum class Interpolation : uint8_t { linear, lower, higher, midpoint, nearest };
BOLIDE_API Tensor quantile(const Tensor& x, const Tensor& q, std::optional<int64_t> dim, bool keepdim,
                           Interpolation interpolation, bool ignore_nan);

// Where each x would stand among the sorted numbers of its row; order: unset, or the places that would sort them.
BOLIDE_API Tensor searchsorted(const Tensor& sorted, const Tensor& x, bool right, const Tensor& order = {},
                               DType result = DType::I64);

struct Unique {
  Tensor values, inverse, counts;
};
// Of all elements, in order (`sorted`) or as they change from one to the next; `described`: with inverse and counts.
BOLIDE_API Unique unique(const Tensor& x, bool sorted, bool described = true);
// The same of the slices along dim.
BOLIDE_API Unique unique_slices(const Tensor& x, int64_t dim, bool sorted);
BOLIDE_API Tensor isin(const Tensor& elements, const Tensor& test, bool invert);

BOLIDE_API Tensor bincount(const Tensor& x, const Tensor& weights, int64_t minlength);
BOLIDE_API Tensor histc(const Tensor& x, int64_t bins, double low, double high);

}  // namespace bolide
