// half.h - float16 and bfloat16 as stored: 16 bits that turn into float when loaded and back when stored.
//
// Also how a number that does not fit an integer type is stored: store_as().
#pragma once
#include "kernels/num.h"
#if defined(__CUDACC__)
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

namespace bolide::inline BOLIDE_ISA {

struct F16 {
  uint16_t bits;
};
struct BF16 {
  uint16_t bits;
};

BOLIDE_FN float to_float(BF16 x) { return from_bits<float>(int32_t(uint32_t(x.bits) << 16)).v; }
BOLIDE_FN float to_float(F16 x) {
#if defined(__CUDA_ARCH__)
  return __half2float(__ushort_as_half(x.bits));
#else
  int32_t magnitude = (x.bits & 0x7FFF) << 13, special = -int32_t(magnitude >= 0x7C00 << 13);
  Num<float> scaled = from_bits<float>(magnitude) * 0x1p112f;
  return from_bits<float>(bits(scaled) | (special & 0x7F800000) | (x.bits & 0x8000) << 16).v;
#endif
}
BOLIDE_FN void from_float(float x, BF16& y) {  // to nearest even; a NaN stays one
  int32_t b = bits(Num<float>(x)).v, nan = -int32_t(x != x);
  uint32_t rounded = (uint32_t(b) + 0x7FFF + (uint32_t(b) >> 16 & 1)) >> 16;
  y.bits = uint16_t((nan & 0x7FC0) | (~nan & int32_t(rounded)));
}
BOLIDE_FN void from_float(float x, F16& y) {
#if defined(__CUDA_ARCH__)
  y.bits = __half_as_ushort(__float2half_rn(x));
#else
  int32_t b = bits(Num<float>(x)).v, a = b & 0x7FFFFFFF;
  int32_t normal = (a + 0xFFF + (a >> 13 & 1) - (112 << 23)) >> 13;
  int32_t tiny = bits(from_bits<float>(a) + 0.5f).v - 0x3F000000;
  int32_t is_tiny = -int32_t(a < 0x38800000), is_big = -int32_t(a >= 0x47800000);
  int32_t nan = -int32_t(a > 0x7F800000);
  int32_t h = (is_tiny & tiny) | (~is_tiny & normal);
  h = (is_big & (0x7C00 | (nan & 0x200))) | (~is_big & h);
  y.bits = uint16_t(h | (b >> 16 & 0x8000));
#endif
}

template <class S>
inline constexpr bool kIsHalf = std::is_same_v<S, F16> || std::is_same_v<S, BF16>;

// A float cut to an integer. What does not fit, NaN too, gives the smallest integer, as x86's own instruction does.
template <class I, class F>
BOLIDE_FN I truncate_to(F x) {
  static_assert(sizeof(I) >= 4);
#if defined(__x86_64__) && !defined(__CUDA_ARCH__)
  return I(x);
#else
  constexpr F end = F(uint64_t(1) << (8 * sizeof(I) - 1));
  return x >= -end && x < end ? I(x) : I(uint64_t(1) << (8 * sizeof(I) - 1));
#endif
}

// One element of storage type S as compute type C and back. Integers and bool narrow modulo 2^bits; floats first
// become int32 (int64 for int64). Of a complex number a real type gets the real part.
template <class T>
BOLIDE_FN RealOf<T> real_of(T x) {
  if constexpr (kIsComplex<T>) return x.real;
  else return x;
}
template <class C, class S>
BOLIDE_FN C load_as(S x) {
  if constexpr (kIsHalf<S>) return to_float(x);
  else if constexpr (kIsComplex<C>) return C(x);
  else return C(real_of(x));
}
template <class S, class C>
BOLIDE_FN S store_as(C x) {
  S y;
  if constexpr (kIsHalf<S>) from_float(float(real_of(x)), y);
  else if constexpr (kIsComplex<S>) y = S(x);
  else if constexpr (std::is_same_v<S, bool> && kIsComplex<C>) y = x.real != 0 || x.imaginary != 0;
  else if constexpr (std::is_same_v<S, bool>) y = x != 0;
  else if constexpr (std::is_integral_v<S> && std::is_floating_point_v<RealOf<C>>)
    y = S(truncate_to<std::conditional_t<sizeof(S) == 8, int64_t, int32_t>>(real_of(x)));
  else y = S(real_of(x));
  return y;
}

}  // namespace bolide::inline BOLIDE_ISA
