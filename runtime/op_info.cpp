// op_info.cpp - the op table as data, and its gradient formulas on tensors.
#include "runtime/op_info.h"

#include "runtime/value.h"

namespace bolide {
namespace {

template <class O, int k, int... s>
constexpr uint8_t reads(std::integer_sequence<int, s...>) {
  return uint8_t(((int(kUses<O, k, s>) << s) | ...));
}
// g itself comes back: its type does, when everything else is unused.
template <class O, int k, int... s>
constexpr bool passes(std::integer_sequence<int, s...>) {
  if constexpr (requires { O::template gradient<k>(Unused{}, ((void)s, Unused{})...); })
    return std::is_same_v<decltype(O::template gradient<k>(Unused{}, ((void)s, Unused{})...)), Unused>;
  else return false;
}

template <class O, int k>
constexpr void describe_gradient(OpInfo& info) {
  if constexpr (k < O::kArity) {
    if constexpr (kHasGradient<O, k>) {
      info.differentiable[k] = true;
      info.reads[k] = reads<O, k>(std::make_integer_sequence<int, O::kArity + 2>());
      info.passes_gradient[k] = passes<O, k>(std::make_integer_sequence<int, O::kArity + 1>());
    }
    if constexpr (kHasZeroGradient<O, k>) info.differentiable[k] = info.zero_gradient[k] = true;
  }
}
template <class O>
constexpr OpInfo info_of() {
  OpInfo info{O::kName,      O::kDTypes, O::kResult, O::kForms, O::kArity, O::kScalars,
              O::kArguments, O::kDoc,    {},         {},        {},        {}};
  describe_gradient<O, 0>(info), describe_gradient<O, 1>(info), describe_gradient<O, 2>(info);
  return info;
}

constexpr OpInfo kInfos[] = {
#define UNARY(set, result, forms, name, ...) info_of<name##_op>(),
#define UNARY_1 UNARY
#define UNARY_2 UNARY
#define BINARY UNARY
#define TERNARY UNARY
#include "kernels/elementwise.def"
};

// The formula on Values; slots that it does not read hold a number 0 nobody looks at.
template <class O, int k>
Tensor formula(const Value* x) {
  if constexpr (k < O::kArity) {
    if constexpr (kHasGradient<O, k>) return gradient_of<O, k>(x).tensor();
  }
  return {};
}
using Formula = Tensor (*)(const Value*);
constexpr Formula kFormulas[][3] = {
#define UNARY(set, result, forms, name, ...) {formula<name##_op, 0>, formula<name##_op, 1>, formula<name##_op, 2>},
#define UNARY_1 UNARY
#define UNARY_2 UNARY
#define BINARY UNARY
#define TERNARY UNARY
#include "kernels/elementwise.def"
};

constexpr ReductionInfo kReductions[] = {
#define REDUCE(set, rule, empty, name, shift, start, add, merge, end, slope, doc) \
  {#name, set, Result::rule, Empty::empty, std::string_view(#slope) != "none", doc},
#include "kernels/reduce.def"
    {"argmax", Any, Result::same, Empty::raises, false, "Place of the largest."},
    {"argmin", Any, Result::same, Empty::raises, false, "Place of the smallest."},
};

}  // namespace

const OpInfo& op_info(ElementwiseOp op) { return kInfos[int(op)]; }
const ReductionInfo& reduction_info(ReductionOp op) { return kReductions[int(op)]; }

Tensor gradient_formula(ElementwiseOp op, int input, std::span<const Value> slots) {
  return kFormulas[int(op)][input](slots.data());
}

}  // namespace bolide
