// value.h - Value: the third number that the formulas of the op tables run on, a Tensor that records.
//
// When a gradient is to be differentiated again, its formula is called with Values: every operator and function
// in it is an op, so the gradient is itself a graph. A Value may also be a plain number (a literal of the
// formula, a scalar parameter), real or complex, which costs no tensor.
#pragma once
#include <complex>

#include "kernels/op_list.h"
#include "runtime/ops.h"

namespace bolide {

class Value {
 public:
  Value(Tensor t) : tensor_(std::move(t)) {}
  template <class A>
    requires std::is_arithmetic_v<A>
  Value(A a) : number_(a) {}
  Value(std::complex<double> z) : number_(z) {}
  explicit Value(const Scalar& s) : number_(s.real, s.imaginary) {}

  bool is_tensor() const { return bool(tensor_); }
  bool is_complex() const { return tensor_ ? bolide::is_complex(tensor_.dtype()) : number_.imag() != 0; }
  std::complex<double> number() const { return number_; }
  const Tensor& tensor() const { return tensor_; }
  Arg arg() const {
    return tensor_ ? Arg(tensor_) : is_complex() ? Arg(Scalar(number_.real(), number_.imag())) : Arg(number_.real());
  }

 private:
  Tensor tensor_;
  std::complex<double> number_ = 0;
};

inline namespace BOLIDE_ISA {
template <>
inline constexpr bool kIsNumber<Value> = true;
}

// One function per op, as a template so that a double or a Num never converts to a Value by accident.
template <class V>
concept IsValue = std::is_same_v<V, Value>;
#define BOLIDE_VALUE_OP(name, ...)                                    \
  const Arg inputs[] = {__VA_ARGS__};                                 \
  return Value(elementwise(ElementwiseOp::name, std::span<const Arg>(inputs)));
#define UNARY(set, result, forms, name, ...) \
  template <IsValue V> V name(V x) { BOLIDE_VALUE_OP(name, x.arg()) }
#define UNARY_1(set, result, forms, name, ...) \
  template <IsValue V> V name(V x, V s) { BOLIDE_VALUE_OP(name, x.arg(), s.arg()) }
#define UNARY_2(set, result, forms, name, ...) \
  template <IsValue V> V name(V x, V s, V t) { BOLIDE_VALUE_OP(name, x.arg(), s.arg(), t.arg()) }
#define BINARY(set, result, forms, name, ...) \
  template <IsValue V> V name(V a, std::type_identity_t<V> b) { BOLIDE_VALUE_OP(name, a.arg(), b.arg()) }
#define TERNARY(set, result, forms, name, ...)                              \
  template <IsValue V> V name(V a, std::type_identity_t<V> b, std::type_identity_t<V> c) { \
    BOLIDE_VALUE_OP(name, a.arg(), b.arg(), c.arg())                        \
  }
#include "kernels/elementwise.def"

// A copy of complex numbers only.
template <IsValue V>
V conj(V x) {
  if (!x.is_tensor()) return V(std::conj(x.number()));
  return x.is_complex() ? conj_physical(x) : x;
}
template <IsValue V>
V real_part(V x) {
  if (!x.is_tensor()) return V(x.number().real());
  return x.is_complex() ? V(real(x.tensor())) : x;
}
template <IsValue V>
V unit_like(V x) {
  return V(std::complex<double>(0, x.is_complex() ? 1 : 0));
}
template <IsValue V>
V not_negative(V x) {
  return real_part(x) >= V(0.0);
}
// softplus of one number, as the formulas call it.
template <IsValue V>
V softplus(V x) {
  return softplus(x, V(1.0), V(20.0));
}

// Operators: between two numbers arithmetic, else an op.
#define BOLIDE_VALUE_ARITHMETIC(op, name)                                                \
  inline Value operator op(const Value& a, const Value& b) {                             \
    if (!a.is_tensor() && !b.is_tensor()) return Value(a.number() op b.number());        \
    BOLIDE_VALUE_OP(name, a.arg(), b.arg())                                              \
  }
BOLIDE_VALUE_ARITHMETIC(+, add)
BOLIDE_VALUE_ARITHMETIC(-, sub)
BOLIDE_VALUE_ARITHMETIC(*, mul)
BOLIDE_VALUE_ARITHMETIC(/, div)
#undef BOLIDE_VALUE_ARITHMETIC
#define BOLIDE_VALUE_COMPARISON(op, name, part)                                                    \
  inline Value operator op(const Value& a, const Value& b) {                                       \
    if (!a.is_tensor() && !b.is_tensor()) return Value(a.number() part op b.number() part ? 1 : 0); \
    BOLIDE_VALUE_OP(name, a.arg(), b.arg())                                                        \
  }
BOLIDE_VALUE_COMPARISON(==, eq, )
BOLIDE_VALUE_COMPARISON(!=, ne, )
BOLIDE_VALUE_COMPARISON(<, lt, .real())
BOLIDE_VALUE_COMPARISON(<=, le, .real())
BOLIDE_VALUE_COMPARISON(>, gt, .real())
BOLIDE_VALUE_COMPARISON(>=, ge, .real())
#undef BOLIDE_VALUE_COMPARISON
inline Value operator&(const Value& a, const Value& b) { BOLIDE_VALUE_OP(logical_and, a.arg(), b.arg()) }
inline Value operator|(const Value& a, const Value& b) { BOLIDE_VALUE_OP(logical_or, a.arg(), b.arg()) }
inline Value operator-(const Value& a) {
  if (!a.is_tensor()) return Value(-a.number());
  BOLIDE_VALUE_OP(neg, a.arg())
}
inline Value select(const Value& mask, const Value& a, const Value& b) {
  BOLIDE_VALUE_OP(where, mask.arg(), a.arg(), b.arg())
}
#undef BOLIDE_VALUE_OP

}  // namespace bolide
