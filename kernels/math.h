// math.h - the functions that formulas of the op table may call.
//
// float: branch-free polynomials (coefficients by fit.py) that the compiler vectorises; on a GPU the CUDA library, on
// the emulated one the C library in its place. double: math_f64.h with FMA, else the C library. Errors in ULP:
// docs/accuracy.md.
// To add one: a function of Num, constrained to numbers (Num<T> or `Numeric` in its signature), so that the
// search for saved tensors and the compiler's errors stay at the line of the table.
#pragma once
#include <cmath>
#include <limits>

#include "kernels/num.h"

#if defined(__CUDA_ARCH__) || defined(BOLIDE_CUDA_EMULATION)
#define BOLIDE_SCALAR_LIBRARY 1  // one number at a time: the library's functions, right for arguments of any size
#endif

namespace bolide::inline BOLIDE_ISA {

inline constexpr double kLn2 = 0.693147180559945309, kLn10 = 2.30258509299404568, kTwoByRootPi = 1.12837916709551257;

#define BOLIDE_MATH template <class T> BOLIDE_FN Num<T>

template <class T>
inline constexpr T kInf = std::numeric_limits<T>::infinity();
template <class T>  // the start of a maximum: -inf, or the smallest integer
inline constexpr T kLowest = std::is_floating_point_v<T> ? -kInf<T> : std::numeric_limits<T>::lowest();
template <class T>
inline constexpr T kHighest = std::is_floating_point_v<T> ? kInf<T> : std::numeric_limits<T>::max();
template <class T>
inline constexpr T kNan = std::numeric_limits<T>::quiet_NaN();

// Horner's rule, highest power first.
template <class X, class... C>
BOLIDE_FN X polynomial(X x, double first, C... rest) {
  X p = first;
  ((p = multiply_add(p, x, X(rest))), ...);
  return p;
}

// -------------------------------------------------------------------------- signs, order, rounding
BOLIDE_MATH abs(Num<T> x) {
  if constexpr (std::is_floating_point_v<T>) return from_bits<T>(bits(x) & std::numeric_limits<IntOf<T>>::max());
  else return select(x < 0, -x, x);
}
BOLIDE_MATH copysign(Num<T> x, std::type_identity_t<Num<T>> sign) {
  constexpr auto magnitude = std::numeric_limits<IntOf<T>>::max();
  return from_bits<T>((bits(x) & magnitude) | (bits(sign) & ~magnitude));
}
template <class T>
BOLIDE_FN Mask<T> has_sign(Num<T> x) {  // of -0 too
  return {(bits(x) >> int(sizeof(T) * 8 - 1)).v};
}
template <class T>
BOLIDE_FN Mask<T> isnan(Num<T> x) {
  return x != x;
}
template <class T>
BOLIDE_FN Mask<T> isinf(Num<T> x) {
  if constexpr (std::is_floating_point_v<T>) return abs(x) == kInf<T>;
  else return x != x;
}
template <class T>
BOLIDE_FN Mask<T> isfinite(Num<T> x) {
  if constexpr (std::is_floating_point_v<T>) return abs(x) < kInf<T>;
  else return x == x;
}
// `a.v > b.v ? a.v : b.v` is one instruction of x86 each: b where one is NaN, which is right unless it is a.
BOLIDE_MATH maximum(Num<T> a, std::type_identity_t<Num<T>> b) { return select(a != a, a, a.v > b.v ? a.v : b.v); }
BOLIDE_MATH minimum(Num<T> a, std::type_identity_t<Num<T>> b) { return select(a != a, a, a.v < b.v ? a.v : b.v); }
// minimum(maximum(a, b), c), where b and c are the same in many lanes: the comparisons leave a if it is NaN.
BOLIDE_MATH clamp(Num<T> a, std::type_identity_t<Num<T>> b, std::type_identity_t<Num<T>> c) {
  const T low = b.v > a.v ? b.v : a.v;
  const Num<T> y = c.v < low ? c.v : low;
  return select((b != b) | (c != c), b + c, y);
}
BOLIDE_MATH sqrt(Num<T> x) { return T(std::sqrt(x.v)); }
#define BOLIDE_ROUNDING(name, function)                              \
  BOLIDE_MATH name(Num<T> x) {                                       \
    if constexpr (std::is_floating_point_v<T>) return function(x.v); \
    else return x;                                                   \
  }
BOLIDE_ROUNDING(floor, std::floor)
BOLIDE_ROUNDING(ceil, std::ceil)
BOLIDE_ROUNDING(trunc, std::trunc)
BOLIDE_ROUNDING(round, std::nearbyint)  // half to even
#undef BOLIDE_ROUNDING
BOLIDE_MATH sign(Num<T> x) { return select(x > 0, 1, select(x < 0, -1, x + 0)); }  // of -0 too it is 0

// Rounded towards zero; b is not 0, nor -1 where a / b does not fit.
BOLIDE_MATH quotient(Num<T> a, Num<T> b) {
#if !defined(BOLIDE_SCALAR_LIBRARY)
  if constexpr (std::is_same_v<T, int32_t>) return T(double(a.v) / double(b.v));  // exact, and vector code
#endif
  return a / b;
}

// Division with Python's signs: the remainder has the sign of the divisor, a zero too. Integer division by zero gives 0.
#if defined(BOLIDE_SCALAR_LIBRARY)
template <class T>
inline constexpr bool kRemainderInDouble = false;
#else
template <class T>
inline constexpr bool kRemainderInDouble = std::is_same_v<T, float>;
#endif
inline constexpr float kLargestQuotient = 0x1p28f;  // up to which that is exact; the CPU's loops see to larger ones
template <class T>
BOLIDE_FN Num<T> exact_remainder(Num<T> a, Num<T> b) {
  Num<T> r = std::fmod(a.v, b.v);
  return select(r == 0, copysign(r, b), select((r < 0) ^ (b < 0), r + b, r));
}
BOLIDE_MATH remainder(Num<T> a, Num<T> b) {
  if constexpr (kRemainderInDouble<T>) {
    Num<double> p = a.v, q = b.v;
    Num<T> r = T((p - floor(p / q) * q).v);  // an infinite divisor leaves a, or itself where the signs differ
    r = select(isinf(b) & isfinite(a), select((a != 0) & ((a < 0) ^ (b < 0)), b, a), r);
    return select(r == 0, copysign(r, b), r);
  } else if constexpr (std::is_floating_point_v<T>) {
    return exact_remainder(a, b);
  } else {
    Num<T> safe = select((b == 0) | (b == -1), 1, b), r = a - quotient(a, safe) * safe;
    return select((r != 0) & ((r ^ b) < 0), r + b, r);
  }
}
BOLIDE_MATH floor_divide(Num<T> a, Num<T> b) {
  if constexpr (std::is_floating_point_v<T>) {
    Num<T> q;
    if constexpr (kRemainderInDouble<T>) q = T(std::floor(double(a.v) / double(b.v)));
    else q = select(b == 0, a / b, round((a - remainder(a, b)) / b));
    Num<T> of_infinite = select((a != 0) & ((a < 0) ^ (b < 0)), -1, Num<T>(0));
    q = select(isinf(b) & isfinite(a), of_infinite, select(isinf(a) & (b != 0), kNan<T>, q));
    return select(q == 0, copysign(q, from_bits<T>(bits(a) ^ bits(b))), q);
  } else {
    Num<T> safe = select((b == 0) | (b == -1), 1, b), q = quotient(a, safe), r = a - q * safe;
    q = select((r != 0) & ((r ^ b) < 0), q - 1, q);
    return select(b == 0, 0, select(b == -1, 0 - a, q));
  }
}
// nan for NaN, infinity with the sign of x for an infinite one.
BOLIDE_MATH replaced(Num<T> x, std::type_identity_t<Num<T>> nan, std::type_identity_t<Num<T>> infinity) {
  return select(x != x, nan, select(isinf(x), copysign(infinity, x), x));
}
// Shifts by less than 0 or more than there are bits give what is left over: 0, or the sign.
BOLIDE_MATH shift_left(Num<T> a, Num<T> b) {
  constexpr T kBits = sizeof(T) * 8;
  return select((b >= 0) & (b < kBits), a << (b & (kBits - 1)), 0);
}
BOLIDE_MATH shift_right(Num<T> a, Num<T> b) {
  constexpr T kBits = sizeof(T) * 8;
  return a >> select((b >= 0) & (b < kBits), b, kBits - 1);
}

// ------------------------------------------------------------------------- from the C or CUDA library
#define BOLIDE_LIBRARY(T, name) \
  BOLIDE_FN Num<T> name(Num<T> x) { return std::name(x.v); }
#define BOLIDE_LIBRARY_ALL(T) \
  BOLIDE_LIBRARY(T, exp) BOLIDE_LIBRARY(T, exp2) BOLIDE_LIBRARY(T, expm1) BOLIDE_LIBRARY(T, log) BOLIDE_LIBRARY(T, log1p) \
  BOLIDE_LIBRARY(T, tanh) BOLIDE_LIBRARY(T, atan) BOLIDE_LIBRARY(T, erf) BOLIDE_LIBRARY(T, sin) BOLIDE_LIBRARY(T, cos)
#if defined(__FMA__) && !defined(BOLIDE_SCALAR_LIBRARY)
#define BOLIDE_VECTOR_F64 1
}  // namespace bolide::inline BOLIDE_ISA
#include "kernels/math_f64.h"
namespace bolide::inline BOLIDE_ISA {
#else
BOLIDE_LIBRARY_ALL(double)
#endif
#if defined(BOLIDE_SCALAR_LIBRARY)
BOLIDE_LIBRARY_ALL(float)
#else
#define BOLIDE_FLOAT BOLIDE_FN Num<float>

// ------------------------------------------------------------------------------------- exponentials
BOLIDE_FN Num<float> power_of_two(Num<int32_t> n) { return from_bits<float>((n + 127) << 23); }

BOLIDE_FN Num<float> expm1_near_0(Num<float> r) {
  Num<float> p = polynomial(r, 1.39504768e-3, 8.36888243e-3, 4.1666206e-2, 1.66665189e-1, 5.00000010e-1);
  return multiply_add(p, r * r, r);
}
struct ExpParts {  // x = n ln 2 + r: n, and exp(r) - 1
  Num<int32_t> n;
  Num<float> expm1_r;
};
BOLIDE_FN ExpParts exp_parts(Num<float> x) {
  Num<float> n = round(x * 1.44269504), r = multiply_add(n, 2.12194440e-4, multiply_add(n, -0.693359375, x));
  return {convert<int32_t>(n), expm1_near_0(r)};
}
BOLIDE_FLOAT exp(Num<float> x) {
  auto [n, p] = exp_parts(select(x > 89, 89, select(x < -104, -104, x)));
  Num<int32_t> half = n >> 1;  // in two steps, for results below the smallest normal number
  return (p + 1) * power_of_two(half) * power_of_two(n - half);
}
BOLIDE_FLOAT exp_of_normal(Num<float> x) {  // of numbers within 87 of 0, and NaN: a fifth less work
  auto [n, p] = exp_parts(x);
  return (p + 1) * power_of_two(n);
}
BOLIDE_FLOAT exp2(Num<float> x) {
  Num<float> c = select(x > 129, 129, select(x < -151, -151, x)), n = round(c), r = (c - n) * kLn2;
  Num<int32_t> i = convert<int32_t>(n), half = i >> 1;
  return (expm1_near_0(r) + 1) * power_of_two(half) * power_of_two(i - half);
}
BOLIDE_FLOAT expm1(Num<float> x) {
  auto [n, p] = exp_parts(select(x > 88, 88, select(x < -20, -20, x)));
  Num<float> scale = power_of_two(n);
  return copysign(select(x > 88, exp(x), p * scale + (scale - 1)), x);  // of -0 too
}
BOLIDE_FLOAT log(Num<float> x) {
  auto tiny = x < 1.17549435e-38;
  Num<int32_t> b = bits(select(tiny, x * 8388608, x));
  Num<int32_t> e = (b - 0x3F3504F3) >> 23;  // so that the mantissa lies in [sqrt(1/2), sqrt(2))
  Num<float> t = from_bits<float>(b - (e << 23)) - 1, n = convert<float>(e) - select(tiny, 23, Num<float>(0));
  Num<float> p = polynomial(t, 6.91536807e-2, -1.17898077e-1, 1.18729763e-1, -1.23843485e-1, 1.42186581e-1,
                            -1.66692508e-1, 2.00022266e-1, -2.49999866e-1, 3.33333104e-1);
  Num<float> z = t * t, y = n * 0.693359375 + (t + (z * t * p - n * 2.12194440e-4 - 0.5 * z));
  return select(x > 0, select(x < kInf<float>, y, x), select(x == 0, -kInf<float>, Num<float>(kNan<float>)));
}
BOLIDE_FLOAT log1p(Num<float> x) {
  Num<float> u = 1 + x;
  return copysign(select(u < kInf<float>, log(u) + select(u > 0, (x - (u - 1)) / u, 0), log(u)), x);  // of -0 too
}
BOLIDE_FLOAT tanh(Num<float> x) {
  Num<float> z = x * x, a = abs(x), doubled = select(a > 10, 20, 2 * a);
  Num<float> small =
      x + x * z * polynomial(z, -5.71703656e-3, 2.0650579e-2, -5.37434953e-2, 1.33314912e-1, -3.33332839e-1);
  return copysign(select(a < 0.625, small, 1 - 2 / (exp_of_normal(doubled) + 1)), x);
}
BOLIDE_FLOAT erf(Num<float> x) {
  Num<float> z = x * x, a = select(abs(x) > 4, 4, abs(x));
  Num<float> small = x + x * polynomial(z, 8.37759124e-5, -8.14507807e-4, 5.2013048e-3, -2.68595391e-2, 1.12836987e-1,
                                        -3.7612634e-1, 1.28379166e-1);
  Num<float> minus_log_erfc = a * polynomial(a, 4.72243399e-6, -4.29690494e-5, -6.28050561e-5, 2.96641067e-3,
                                             -2.27323596e-2, 1.05317478e-1, 6.35597296e-1, 1.12855774);
  return select(abs(x) < 0.925, small, copysign(1 - exp_of_normal(-minus_log_erfc), x));
}

// ------------------------------------------------------------------------------------ trigonometry
// Sine of x plus kQuarter quarter turns. x = n pi/2 + r in double: exact up to 4e15 (1e6 without FMA).
template <int kQuarter>
BOLIDE_FN Num<float> sin_plus(Num<float> x) {
  Num<double> d = convert<double>(x), n = round(d * 0.636619772367581343);
  Num<float> r = convert<float>(d - n * 1.57079632673412561 - n * 6.07710050650619224e-11);
  Num<int32_t> q = convert<int32_t>(n - 4 * floor(n * 0.25)) + kQuarter;
  Num<float> z = r * r;
  Num<float> s = r + r * z * polynomial(z, 2.71831157e-6, -1.98393348e-4, 8.33332939e-3, -1.66666666e-1);
  Num<float> c = 1 - 0.5 * z + z * z * polynomial(z, 2.44384497e-5, -1.38873675e-3, 4.16666469e-2);
  Num<int32_t> odd = 0 - (q & 1), y = (bits(c) & odd) | (bits(s) & ~odd);
  return select(abs(x) < 4e15, from_bits<float>(y ^ ((q & 2) << 30)), x - x);
}
BOLIDE_FLOAT sin(Num<float> x) { return select(x == 0, x, sin_plus<0>(x)); }  // -0 stays
BOLIDE_FLOAT cos(Num<float> x) { return sin_plus<1>(x); }
BOLIDE_FLOAT atan(Num<float> x) {
  Num<float> a = abs(x), t = select(a > 1, 1 / a, a), z = t * t;
  Num<float> p = t + t * z *
                         polynomial(z, -1.82718468e-3, 1.10643152e-2, -3.14554694e-2, 5.82343204e-2, -8.41944598e-2,
                                    1.09575719e-1, -1.42652446e-1, 1.99986386e-1, -3.33333019e-1);
  return copysign(select(a > 1, 1.57079633 - p, p), x);
}
// ------------------------------------------------------------------------------------ two arguments
// a^b = 2^(b log2 a) in double: the error of the logarithm grows with the product, which is below 150.
BOLIDE_FN Num<double> log2_of_positive(Num<float> a) {  // 0 and infinity too
  auto tiny = a < 1.17549435e-38;
  Num<int32_t> b = bits(select(tiny, a * 8388608, a)), e = (b - 0x3F3504F3) >> 23;
  Num<double> m = convert<double>(from_bits<float>(b - (e << 23))), t = (m - 1) / (m + 1), z = t * t;
  Num<double> p =
      polynomial(z, 0.3407565624988405, 0.411671473684631, 0.5770836021171019, 0.9617966732748676, 2.885390081790116);
  Num<double> n = convert<double>(convert<float>(e) - select(tiny, 23, Num<float>(0)));
  Num<double> whole = convert<double>(select(a == 0, -kInf<float>, select(a < kInf<float>, Num<float>(0), a)));
  return multiply_add(t, p, n) + whole;
}
BOLIDE_FN Num<float> exp2_of_double(Num<double> x) {
  Num<double> c = select(x > 200, 200, select(x < -200, -200, x)), shifted = c + 6755399441055744.0;  // 1.5 * 2^52
  Num<double> r = c - (shifted - 6755399441055744.0);
  Num<double> p = polynomial(r, 0.00015461474448724808, 0.0013400428177711937, 0.00961805667843204, 0.05550327226669895,
                             0.24022650922289554, 0.6931472067028329, 1.0);
  return convert<float>(p * from_bits<double>((bits(shifted) + 1023) << 52));
}
BOLIDE_FN Num<float> pow_of_positive(Num<float> x, Num<float> b) {
  return exp2_of_double(convert<double>(b) * log2_of_positive(x));
}
BOLIDE_FLOAT atan2(Num<float> a, Num<float> b) {
  Num<float> y = abs(a), x = abs(b), large = select(y > x, y, x), small = select(y > x, x, y);
  Num<float> t = select(large == small, select(large == 0, large, 1), small / large), p = atan(t);
  p = select(y > x, 1.57079633 - p, p);
  p = select(has_sign(b), 3.14159265 - p, p);
  return select((a == a) & (b == b), copysign(p, a), a + b);
}
#undef BOLIDE_FLOAT
#endif

// ------------------------------------------------------------------------------- made of the above
BOLIDE_MATH log2(Num<T> x) { return log(x) * 1.44269504088896341; }
BOLIDE_MATH log10(Num<T> x) { return log(x) * 0.434294481903251828; }
BOLIDE_MATH sigmoid(Num<T> x) { return 1 / (1 + exp(-x)); }
BOLIDE_MATH softplus(Num<T> x) { return maximum(x, 0) + log1p(exp(-abs(x))); }
BOLIDE_MATH logaddexp(Num<T> a, Num<T> b) {
  return select(a == b, a + 0.693147180559945309, maximum(a, b) + log1p(exp(-abs(a - b))));
}
BOLIDE_MATH tan(Num<T> x) { return sin(x) / cos(x); }

#if defined(BOLIDE_SCALAR_LIBRARY)
template <class T>
inline constexpr bool kPowOfPositive = false;
#elif defined(BOLIDE_VECTOR_F64)
template <class T>
inline constexpr bool kPowOfPositive = std::is_floating_point_v<T>;
#else
template <class T>
inline constexpr bool kPowOfPositive = std::is_same_v<T, float>;
#endif
// What is made of |a|^b by what C99 (annex F.9.4.4) says of signs, of 1, of numbers below 0 and of infinite ones; or the C
// library, right at every corner.
// Integers: by squaring, modulo 2^bits as in multiplication; a negative exponent gives 0 unless |a| is 1.
BOLIDE_MATH pow(Num<T> a, Num<T> b) {
  if constexpr (kPowOfPositive<T>) {
    Num<T> x = abs(a), half = b * 0.5, y = pow_of_positive(x, b);
    auto whole = floor(b) == b, odd = whole & (floor(half) != half), negative = has_sign(a);
    y = select(b == 0, 1, select((x == 1) & ((b == b) | (a == 1)), 1, y));
    y = select(negative & odd, -y, y);
    return select((a < 0) & (x < kInf<T>)&(b == b) & !whole, kNan<T>, y);
  } else if constexpr (std::is_floating_point_v<T>) {
    return T(std::pow(a.v, b.v));
  } else {
    const bool negative = b.v < 0;
    if (negative && a.v != 1 && a.v != -1) return T(0);
    T result = 1, base = a.v;
    for (T n = negative ? -b.v : b.v; n > 0; n >>= 1, base *= base)
      if (n & 1) result *= base;
    return result;
  }
}
BOLIDE_MATH atan2(Num<T> a, Num<T> b) { return T(std::atan2(a.v, b.v)); }

BOLIDE_MATH hypot(Num<T> a, Num<T> b) {  // without overflow on the way; infinite beside NaN too
  Num<T> x = abs(a), y = abs(b), large = select(x > y, x, y), small = select(x > y, y, x), r = small / large;
  return select(isinf(x) | isinf(y), kInf<T>, select(large == 0, x + y, large * sqrt(1 + r * r)));
}

BOLIDE_MATH square(Num<T> x) { return x * x; }

// What complex numbers (complex.h) have more to say about.
BOLIDE_MATH sgn(Num<T> x) { return sign(x); }
BOLIDE_MATH angle(Num<T> x) { return select(x < 0, 3.14159265358979324, select(x == x, 0, x)); }
BOLIDE_MATH real_part(Num<T> x) { return x; }
BOLIDE_MATH unit_like(Num<T>) { return 0; }  // i, of a complex number
template <class T>
BOLIDE_FN Mask<T> not_negative(Num<T> x) {
  return x >= 0;
}

#undef BOLIDE_LIBRARY_ALL
#undef BOLIDE_LIBRARY
#undef BOLIDE_MATH

// -------------------------------------------------- longer formulas, for Num and for Tensor alike
template <class X>
inline constexpr bool kIsNumber = false;
template <class T>
inline constexpr bool kIsNumber<Num<T>> = true;
template <class X>
concept Numeric = kIsNumber<X>;
// From whichever end is nearer, so that weights of 0 and 1 give the ends themselves.
template <Numeric N>
BOLIDE_FN N lerp(N start, N end, N weight) {
  return select(abs(weight) < 0.5, start + weight * (end - start), end - (1 - weight) * (end - start));
}

// Of logsumexp: where the largest is infinite, exp(inf - inf) must not become NaN.
template <Numeric X>
BOLIDE_FN X exp_shifted(X x, X s) {
  return exp(x - select(isfinite(s), s, X(0)));
}
template <Numeric X>
BOLIDE_FN X log_shifted(X a, X s) {
  return log(a) + select(isfinite(s), s, X(0));
}
template <Numeric X>
BOLIDE_FN X normal_cdf(X x) {
  return 0.5 + 0.5 * erf(x * 0.707106781186547524);
}
template <Numeric X>
BOLIDE_FN X normal_pdf(X x) {
  return exp(x * x * -0.5) * 0.398942280401432678;
}
template <Numeric X>
BOLIDE_FN X gelu_tanh_inner(X x) {  // twice the usual u: (1 + tanh(u)) / 2 = sigmoid(2u)
  return x * (1.59576912160573071 + 0.0713548162726002527 * x * x);
}
template <Numeric X>
BOLIDE_FN X gelu_tanh_slope(X x) {
  X s = sigmoid(gelu_tanh_inner(x));
  return s + x * s * (1 - s) * (1.59576912160573071 + 0.214064448817800758 * x * x);
}
template <Numeric X>
BOLIDE_FN X silu_slope(X x) {
  X s = sigmoid(x);
  return conj(s * (1 + x * (1 - s)));
}
template <Numeric X>
BOLIDE_FN X mish_slope(X x) {
  X t = tanh(softplus(x));
  return t + x * (1 - t * t) * sigmoid(x);
}
// Of the gradient, at a maximum of a and b or at a minimum of -a and -b: at NaN all of it, as in PyTorch.
template <Numeric X>
BOLIDE_FN X share(X a, X b) {
  return select(a < b, X(0), select(a == b, X(0.5), X(1)));
}
template <Numeric X>
BOLIDE_FN X by_square(X a, X b) {  // a / (a^2 + b^2), and 0 at the origin, as in PyTorch
  X square = a * a + b * b;
  return select(square == 0, X(0), a / square);
}
template <Numeric X>
BOLIDE_FN X pow_slope(X a, X b) {
  return select(b == 0, X(0), b * pow(a, b - 1));
}
template <Numeric X>
// The slope of a^b in b is a^b log(a): at a = 0 it is 0 for b >= 0 (0 log 0 is taken as 0).
BOLIDE_FN X log_or_0(X a, X b) {
  return select((a == 0) & not_negative(b), X(0), log(a));
}
template <Numeric X>  // of x / |x|: what points along it changes nothing
BOLIDE_FN X sgn_slope(X g, X x, X y) {
  return select(x == 0, X(0), (g - real_part(g * conj(y)) * y) / abs(x));
}
template <Numeric X>
BOLIDE_FN X angle_slope(X x) {
  return select(x == 0, X(0), unit_like(x) / conj(x));
}
}  // namespace bolide::inline BOLIDE_ISA
