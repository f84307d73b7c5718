// op_info.h - the gradient formulas of the elementwise table on tensors, for gradients of gradients.
#pragma once
#include <span>

#include "runtime/ops.h"

namespace bolide {

class Value;

// The gradient of an input; slots: g, inputs, y. Recorded like any other ops.
Tensor gradient_formula(ElementwiseOp op, int input, std::span<const Value> slots);

}  // namespace bolide
