// products.h - sums of products of several tensors, all brought to batched matrix products.
#pragma once
#include "runtime/ops.h"

namespace bolide {

// The sum that `equation` says, in PyTorch's and NumPy's notation; operands are contracted from left to right.
BOLIDE_API Tensor einsum(std::string_view equation, const TensorList& operands);
// Over the dimensions of a and of b that stand at the same place in the lists.
BOLIDE_API Tensor tensordot(const Tensor& a, const Tensor& b, const Dims& a_dims, const Dims& b_dims);

}  // namespace bolide
