// places.h - elements of a tensor chosen by tensors of indices: what x[i], gather, scatter and index_add share.
//
// A Selection says which elements; take() copies them out, put() writes or adds to them, combine_values() and
// put_values() do so without history. A new op of the family is a Selection and one of these.
#pragma once
#include <vector>

#include "kernels/kernel_calls.h"
#include "runtime/autograd.h"
#include "runtime/ops.h"

namespace bolide {

// By dimension of x the indices there, unset for one that is taken whole. elementwise: one of them is set, has the
// rank of x and counts from its own element (gather, scatter); otherwise all are broadcast together.
struct Selection {
  std::vector<Tensor> indices;
  bool elementwise = false;
  bool wraps = true;  // do negative indices count from the end?

  static Selection along(const Tensor& x, int dim, const Tensor& index, bool elementwise) {
    Selection s{std::vector<Tensor>(size_t(std::max(x.rank(), 1))), elementwise, false};
    s.indices[size_t(dim)] = index;
    return s;
  }
};
// Kept for backward: raises there if an index was changed meanwhile.
class SavedSelection {
 public:
  explicit SavedSelection(const Selection& s)
      : indices_(s.indices.begin(), s.indices.end()), elementwise_(s.elementwise), wraps_(s.wraps) {}
  Selection get() const {
    Selection s{{}, elementwise_, wraps_};
    for (const Saved& index : indices_) s.indices.push_back(index.get());
    return s;
  }

 private:
  std::vector<Saved> indices_;
  bool elementwise_, wraps_;
};

// Raises unless the dtype is one of an index.
void check_index(const char* op, const Tensor& index);

// The sizes of what take() gives.
Dims selected_sizes(const char* op, const Tensor& x, const Selection& s);
// The selected elements, copied. Differentiable.
Tensor take_selected(const char* op, const Tensor& x, const Selection& s);
// Zeros of these sizes with g added at the selection: the gradient of take_selected. Differentiable.
Tensor add_to_zeros(const char* op, const Dims& sizes, const Tensor& g, const Selection& s);
// In place: x's selected elements become `values`, which broadcast and are converted, or get them added.
void put_selected(const char* op, const Tensor& x, const Selection& s, const Tensor& values, bool accumulate);
// Likewise, by any mode of the kernel and without history; values have the selection's sizes.
void combine_selected(const char* op, const Tensor& x, const Selection& s, const Tensor& values, IndexCall::Mode mode);

// A copy of x with `values`, of the selection's sizes, combined into the selected elements. reduce: "sum", "prod",
// "mean", "amax" or "amin". Differentiable (scatter.cpp).
Tensor reduce_selected(const char* op, const Tensor& x, const Selection& s, const Tensor& values,
                       std::string_view reduce, bool include_self);

}  // namespace bolide
