// num.h - Num<T>: the number that op formulas are written for, one lane of it.
//
// There is no vector type: a CPU loop over 64 plain numbers with a branch-free body is vectorised by the
// compiler for whatever ISA the file is compiled for, and a CUDA thread takes the same number as it is.
// Formulas may use operators, the functions of math.h and select(mask, a, b): never `if`, `std::` or a cast,
// so that all lanes go the same way. Comparisons give a Mask. A literal becomes a T at once: 0.5 * x is float
// arithmetic for float x on every device.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__CUDACC__)
#define BOLIDE_FN __host__ __device__ __forceinline__
#define BOLIDE_CALLED __host__ __device__ __noinline__ inline
#define BOLIDE_HOST_DEVICE __host__ __device__
#else
#define BOLIDE_HOST_DEVICE
#define BOLIDE_FN inline __attribute__((always_inline))
#define BOLIDE_CALLED inline __attribute__((noinline))  // long and rare: not once more in every loop
#endif
#if !defined(BOLIDE_ISA)
#define BOLIDE_ISA generic  // objects of different ISAs must not share symbols
#endif

namespace bolide::inline BOLIDE_ISA {

template <class T>
struct Num;

// A complex number as it is stored; kernels/complex.h has the arithmetic of Num<ComplexOf<T>>.
template <class T>
struct ComplexOf {
  T real, imaginary;
  ComplexOf() = default;
  template <class A>
    requires std::is_arithmetic_v<A>
  BOLIDE_FN constexpr ComplexOf(A re) : real(T(re)), imaginary(0) {}
  BOLIDE_FN constexpr ComplexOf(T re, T im) : real(re), imaginary(im) {}
  template <class U>
  BOLIDE_FN explicit constexpr ComplexOf(ComplexOf<U> z) : real(T(z.real)), imaginary(T(z.imaginary)) {}
  friend BOLIDE_FN ComplexOf operator+(ComplexOf a, ComplexOf b) {
    return {a.real + b.real, a.imaginary + b.imaginary};
  }
  friend BOLIDE_FN ComplexOf operator*(ComplexOf a, ComplexOf b) {
    return {a.real * b.real - a.imaginary * b.imaginary, a.real * b.imaginary + a.imaginary * b.real};
  }
};
using C64 = ComplexOf<float>;
using C128 = ComplexOf<double>;
template <class T>
inline constexpr bool kIsComplex = false;
template <class T>
inline constexpr bool kIsComplex<ComplexOf<T>> = true;
template <class T>  // float or double of a complex type, anything else as it is
struct RealOfType {
  using type = T;
};
template <class T>
struct RealOfType<ComplexOf<T>> {
  using type = T;
};
template <class T>
using RealOf = typename RealOfType<T>::type;

template <class T>
using IntOf = std::conditional_t<sizeof(T) == 8, int64_t, int32_t>;

// The result of comparing two Num<T>: all bits set or none. With `select` made of bit operations there is no
// branch in a formula, not even for a while inside the compiler, where it would stop the vectoriser.
template <class T>
struct Mask {
  IntOf<T> v;
  friend BOLIDE_FN Mask operator&(Mask a, Mask b) { return {a.v & b.v}; }
  friend BOLIDE_FN Mask operator|(Mask a, Mask b) { return {a.v | b.v}; }
  friend BOLIDE_FN Mask operator^(Mask a, Mask b) { return {a.v ^ b.v}; }
  friend BOLIDE_FN Mask operator!(Mask a) { return {~a.v}; }
};

// The bits of a number as an integer, and back.
template <class T>
BOLIDE_FN Num<IntOf<T>> bits(Num<T> x);
template <class T>
BOLIDE_FN Num<T> from_bits(Num<IntOf<T>> x);

template <class T>
struct Num {
  T v;
  Num() = default;
  template <class A>
    requires std::is_arithmetic_v<A>
  BOLIDE_FN Num(A a) : v(T(a)) {}  // one constructor for all literals: with two, an int would be ambiguous

#define BOLIDE_OPERATOR(op) \
  friend BOLIDE_FN Num operator op(Num a, Num b) { return T(a.v op b.v); }
  BOLIDE_OPERATOR(+)
  BOLIDE_OPERATOR(-)
  BOLIDE_OPERATOR(*)
  BOLIDE_OPERATOR(/)
  BOLIDE_OPERATOR(%)
  BOLIDE_OPERATOR(&)
  BOLIDE_OPERATOR(|)
  BOLIDE_OPERATOR(^)
  BOLIDE_OPERATOR(<<)
  BOLIDE_OPERATOR(>>)
#undef BOLIDE_OPERATOR
#define BOLIDE_OPERATOR(op) \
  friend BOLIDE_FN Mask<T> operator op(Num a, Num b) { return {-IntOf<T>(a.v op b.v)}; }
  BOLIDE_OPERATOR(==)
  BOLIDE_OPERATOR(!=)
  BOLIDE_OPERATOR(<)
  BOLIDE_OPERATOR(<=)
  BOLIDE_OPERATOR(>)
  BOLIDE_OPERATOR(>=)
#undef BOLIDE_OPERATOR
  friend BOLIDE_FN Num operator-(Num a) { return T(-a.v); }
  friend BOLIDE_FN Num operator~(Num a) { return T(~a.v); }
  friend BOLIDE_FN Num select(Mask<T> m, Num a, Num b) {
#if defined(__CUDA_ARCH__)
    return m.v ? a : b;
#else
    return from_bits<T>((bits(a) & m.v) | (bits(b) & ~m.v));
#endif
  }
};

template <class To, class T>
BOLIDE_FN Num<To> convert(Num<T> x) {
  return To(x.v);
}

// a * b + c, rounded once where the machine has such an instruction. Contraction by the compiler is off, so
// this is the only place where it happens: the CPU, the emulated and the real CUDA device agree.
BOLIDE_FN float multiply_add(float a, float b, float c) {
#if defined(__FMA__) || defined(__CUDA_ARCH__)
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}
BOLIDE_FN double multiply_add(double a, double b, double c) {
#if defined(__FMA__) || defined(__CUDA_ARCH__)
  return __builtin_fma(a, b, c);
#else
  return a * b + c;
#endif
}
template <class T>
BOLIDE_FN Num<T> multiply_add(Num<T> a, std::type_identity_t<Num<T>> b, std::type_identity_t<Num<T>> c) {
  return multiply_add(a.v, b.v, c.v);
}
// The complex conjugate: the identity on real numbers.
template <class T>
BOLIDE_FN Num<T> conj(Num<T> x) {
  return x;
}

template <class T>
BOLIDE_FN Num<IntOf<T>> bits(Num<T> x) {
  Num<IntOf<T>> y;
  std::memcpy(&y, &x, sizeof y);
  return y;
}
template <class T>
BOLIDE_FN Num<T> from_bits(Num<IntOf<T>> x) {
  Num<T> y;
  std::memcpy(&y, &x, sizeof y);
  return y;
}

}  // namespace bolide::inline BOLIDE_ISA
