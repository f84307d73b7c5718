// rearrange.h - copies with elements in other places, all made of views, cat and copy_: their gradients come from those.
#pragma once
#include "runtime/ops.h"

namespace bolide {

BOLIDE_API Tensor repeat(const Tensor& x, const Dims& times);
BOLIDE_API Tensor tile(const Tensor& x, const Dims& times);
BOLIDE_API Tensor repeat_interleave(const Tensor& x, int64_t repeats, std::optional<int64_t> dim);
BOLIDE_API Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<int64_t> dim,
                                    std::optional<int64_t> output_size);
BOLIDE_API Tensor roll(const Tensor& x, const Dims& shifts, const Dims& dims);
BOLIDE_API Tensor rot90(const Tensor& x, int64_t k, const Dims& dims);
BOLIDE_API Tensor diag_embed(const Tensor& x, int64_t offset = 0, int64_t dim1 = -2, int64_t dim2 = -1);
BOLIDE_API Tensor diag(const Tensor& x, int64_t offset = 0);
BOLIDE_API Tensor triangle_indices(const char* op, int64_t rows, int64_t columns, int64_t offset, bool upper,
                                   Options options);

// With at least so many dimensions, as NumPy adds them.
BOLIDE_API Tensor at_least(const Tensor& x, int rank);
BOLIDE_API Tensor hstack(std::span<const Tensor> tensors);
BOLIDE_API Tensor vstack(std::span<const Tensor> tensors);
BOLIDE_API Tensor dstack(std::span<const Tensor> tensors);
BOLIDE_API Tensor column_stack(std::span<const Tensor> tensors);
BOLIDE_API Tensor block_diag(std::span<const Tensor> tensors);
BOLIDE_API TensorList broadcast_tensors(std::span<const Tensor> tensors);
BOLIDE_API TensorList meshgrid(std::span<const Tensor> tensors, bool columns_first);
BOLIDE_API Tensor cartesian_prod(std::span<const Tensor> tensors);
BOLIDE_API Tensor combinations(const Tensor& x, int64_t r, bool with_replacement);

// A copy of x in which the view that view(copy) shows is replaced by source, which has its sizes.
template <class View>
Tensor scattered(const char* op, const Tensor& x, const Tensor& source, View view) {
  const Tensor y = clone(x), part = view(y);
  if (part.sizes() != source.sizes())
    raise(ErrorKind::Shape, op, str("a source of sizes ", part.sizes().text()), source.sizes().text());
  copy_(part, source);
  return y;
}

}  // namespace bolide
