// op_list.h - from the lines of elementwise.def to types: exp_op, add_op, ... and the lists of all of them.
//
//   exp_op::forward(x)             the formula, for any number x: one lane of a loop, a CUDA thread, a Tensor
//   exp_op::gradient<0>(g, x, y)   the gradient for input 0; returns None where the table says `none`, Zero for `zero`
//   kUses<exp_op, 0, 2>            does it read slot 2 of (g, inputs..., y)? Decides what is saved
//   for_each_op(f)                 f(exp_op()) and so on for every line
#pragma once
#include <type_traits>
#include <utility>

#include "kernels/dtype.h"
#include "kernels/complex.h"
#include "kernels/math.h"
#include "kernels/special.h"

namespace bolide {

enum class ElementwiseOp : uint8_t {
#define UNARY(dtypes, result, forms, name, ...) name,
#define UNARY_1 UNARY
#define UNARY_2 UNARY
#define BINARY UNARY
#define TERNARY UNARY
#include "kernels/elementwise.def"
  kCount
};
inline constexpr int kElementwiseOps = int(ElementwiseOp::kCount);

enum class ReductionOp : uint8_t {
#define REDUCE(dtypes, result, empty, name, ...) name,
#include "kernels/reduce.def"
  argmax,
  argmin,
  kCount
};

enum class RareOp : uint8_t {
#define RARE_1(names, name, ...) name,
#define RARE_2 RARE_1
#include "kernels/rare.def"
};

enum class Result : uint8_t { same, sum, floating, boolean, real };
enum class Forms : uint8_t { inplace, pure };
enum class Empty : uint8_t { start, raises, nan };

inline namespace BOLIDE_ISA {

struct None {};
struct Zero {};
inline constexpr None none{};
inline constexpr Zero zero{};
struct Unused {};  // stands for a number that is not there: any arithmetic with it fails to compile

#define BOLIDE_OP(set, rule, kinds, name, arity, scalars, text, words) \
  static constexpr unsigned kDTypes = set;                             \
  static constexpr Result kResult = Result::rule;                      \
  static constexpr Forms kForms = Forms::kinds;                        \
  static constexpr ElementwiseOp kOp = ElementwiseOp::name;            \
  static constexpr int kArity = arity;                                 \
  static constexpr int kScalars = scalars;                             \
  static constexpr const char* kName = #name;                          \
  static constexpr const char* kArguments = text;                      \
  static constexpr const char* kDoc = words;
#define BOLIDE_GRADIENT(k, slope, ...)                                              \
  template <int K>                                                                  \
    requires(K == k)                                                                \
  static BOLIDE_FN auto gradient(__VA_ARGS__) -> decltype(slope) {                  \
    return slope;                                                                   \
  }
#define BOLIDE_ARG(name) [[maybe_unused]] auto name
#define BOLIDE_FORWARD(formula, ...)                                                  \
  static BOLIDE_FN auto forward(__VA_ARGS__) -> decltype(formula) { return formula; }

#define UNARY(set, rule, kinds, name, formula, slope, words)                             \
  struct name##_op {                                                                     \
    BOLIDE_OP(set, rule, kinds, name, 1, 0, "input", words)                              \
    BOLIDE_FORWARD(formula, BOLIDE_ARG(x))                                               \
    BOLIDE_GRADIENT(0, slope, BOLIDE_ARG(g), BOLIDE_ARG(x), BOLIDE_ARG(y))               \
  };
#define UNARY_1(set, rule, kinds, name, text, formula, slope, words)                             \
  struct name##_op {                                                                             \
    BOLIDE_OP(set, rule, kinds, name, 2, 1, "input, " text, words)                               \
    BOLIDE_FORWARD(formula, BOLIDE_ARG(x), BOLIDE_ARG(s))                                        \
    BOLIDE_GRADIENT(0, slope, BOLIDE_ARG(g), BOLIDE_ARG(x), BOLIDE_ARG(s), BOLIDE_ARG(y))        \
    BOLIDE_GRADIENT(1, none, BOLIDE_ARG(g), BOLIDE_ARG(x), BOLIDE_ARG(s), BOLIDE_ARG(y))         \
  };
#define UNARY_2_ARGS \
  BOLIDE_ARG(g), BOLIDE_ARG(x), BOLIDE_ARG(s), BOLIDE_ARG(t), BOLIDE_ARG(y)
#define UNARY_2(set, rule, kinds, name, text, formula, slope, words)    \
  struct name##_op {                                                    \
    BOLIDE_OP(set, rule, kinds, name, 3, 2, "input, " text, words)      \
    BOLIDE_FORWARD(formula, BOLIDE_ARG(x), BOLIDE_ARG(s), BOLIDE_ARG(t)) \
    BOLIDE_GRADIENT(0, slope, UNARY_2_ARGS)                             \
    BOLIDE_GRADIENT(1, none, UNARY_2_ARGS)                              \
    BOLIDE_GRADIENT(2, none, UNARY_2_ARGS)                              \
  };
#define BINARY_ARGS BOLIDE_ARG(g), BOLIDE_ARG(a), BOLIDE_ARG(b), BOLIDE_ARG(y)
#define BINARY(set, rule, kinds, name, formula, slope_a, slope_b, words)     \
  struct name##_op {                                                         \
    BOLIDE_OP(set, rule, kinds, name, 2, 0, "input, other", words)           \
    BOLIDE_FORWARD(formula, BOLIDE_ARG(a), BOLIDE_ARG(b))                    \
    BOLIDE_GRADIENT(0, slope_a, BINARY_ARGS)                                 \
    BOLIDE_GRADIENT(1, slope_b, BINARY_ARGS)                                 \
  };
#define TERNARY_ARGS BOLIDE_ARG(g), BOLIDE_ARG(a), BOLIDE_ARG(b), BOLIDE_ARG(c), BOLIDE_ARG(y)
#define TERNARY(set, rule, kinds, name, text, formula, slope_a, slope_b, slope_c, words) \
  struct name##_op {                                                                     \
    BOLIDE_OP(set, rule, kinds, name, 3, 0, text, words)                                 \
    BOLIDE_FORWARD(formula, BOLIDE_ARG(a), BOLIDE_ARG(b), BOLIDE_ARG(c))                 \
    BOLIDE_GRADIENT(0, slope_a, TERNARY_ARGS)                                            \
    BOLIDE_GRADIENT(1, slope_b, TERNARY_ARGS)                                            \
    BOLIDE_GRADIENT(2, slope_c, TERNARY_ARGS)                                            \
  };
#include "kernels/elementwise.def"

// ------------------------------------------------------- which slots of (g, inputs..., y) a gradient reads
using Probe = Num<float>;
template <class O, int k, class... S>
concept CanCall = requires(S... s) {
  requires !std::is_same_v<decltype(O::template gradient<k>(s...)), Unused>;  // g itself, as for add
};
template <class O, int k, int kSlot, class I>
struct UsesSlot;
template <class O, int k, int kSlot, int... i>
struct UsesSlot<O, k, kSlot, std::integer_sequence<int, i...>> {
  static constexpr bool value = !CanCall<O, k, std::conditional_t<i == kSlot, Unused, Probe>...>;
};
template <class O, int k, int kSlot>
inline constexpr bool kUses = UsesSlot<O, k, kSlot, std::make_integer_sequence<int, O::kArity + 2>>::value;

// Calls f(x[0], x[1], ...) with as many numbers as the op has inputs.
template <class O, class X>
BOLIDE_FN auto forward_of(const X* x) {
  if constexpr (O::kArity == 1) return O::forward(x[0]);
  else if constexpr (O::kArity == 2) return O::forward(x[0], x[1]);
  else return O::forward(x[0], x[1], x[2]);
}
template <class O, int k, class X>  // x: g, inputs, y
BOLIDE_FN auto gradient_of(const X* x) {
  if constexpr (O::kArity == 1) return O::template gradient<k>(x[0], x[1], x[2]);
  else if constexpr (O::kArity == 2) return O::template gradient<k>(x[0], x[1], x[2], x[3]);
  else return O::template gradient<k>(x[0], x[1], x[2], x[3], x[4]);
}
template <class O, int k>
inline constexpr bool kHasZeroGradient = std::is_same_v<const decltype(gradient_of<O, k>((Probe*)nullptr)), const Zero>;
template <class O, int k>  // by a formula
inline constexpr bool kHasGradient =
    !kHasZeroGradient<O, k> && !std::is_same_v<const decltype(gradient_of<O, k>((Probe*)nullptr)), const None>;

template <class O>
inline constexpr bool kGivesBool = O::kResult == Result::boolean;

// f(O()) for every op of the table.
template <class F>
void for_each_op(F f) {
#define UNARY(dtypes, result, forms, name, ...) f(name##_op());
#define UNARY_1 UNARY
#define UNARY_2 UNARY
#define BINARY UNARY
#define TERNARY UNARY
#include "kernels/elementwise.def"
}

}  // namespace BOLIDE_ISA
}  // namespace bolide
