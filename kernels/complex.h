// complex.h - Num<ComplexOf<T>>: complex numbers, which the op table's formulas run on as on any other number.
//
// A comparison gives the Mask of the real type. There is no order: <, >, maximum and what needs them do not compile,
// so that a line of the table that lists Complex among its dtypes and uses them is found by the compiler. The
// functions take the branches of C99's Annex G by `select`; at the corners where PyTorch and C99 differ they do what
// PyTorch does. Real and imaginary part are right to a few units of |result|'s last place, not always of their own.
#pragma once
#include "kernels/math.h"

namespace bolide::inline BOLIDE_ISA {

template <class T>
struct Num<ComplexOf<T>> {
  using R = Num<T>;
  ComplexOf<T> v;
  Num() = default;
  template <class A>
    requires std::is_arithmetic_v<A>
  BOLIDE_FN Num(A re) : v(re) {}
  BOLIDE_FN Num(ComplexOf<T> z) : v(z) {}
  BOLIDE_FN Num(R re) : v(re.v) {}
  BOLIDE_FN Num(R re, R im) : v(re.v, im.v) {}
  BOLIDE_FN R re() const { return v.real; }
  BOLIDE_FN R im() const { return v.imaginary; }

  friend BOLIDE_FN Num operator+(Num a, Num b) { return a.v + b.v; }
  friend BOLIDE_FN Num operator*(Num a, Num b) { return a.v * b.v; }
  friend BOLIDE_FN Num operator-(Num a, Num b) { return {a.re() - b.re(), a.im() - b.im()}; }
  friend BOLIDE_FN Num operator-(Num a) { return {-a.re(), -a.im()}; }
  // By Smith's method: the larger part of the divisor goes first, so that no square overflows.
  friend BOLIDE_FN Num operator/(Num a, Num b) {
    Mask<T> swap = abs(b.im()) > abs(b.re());
    R large = select(swap, b.im(), b.re()), small = select(swap, b.re(), b.im());
    R ratio = select(large == 0, 0, small / large), divisor = large + small * ratio;
    R x = select(swap, a.im(), a.re()), y = select(swap, a.re(), a.im());
    R im = y - x * ratio;
    return {(x + y * ratio) / divisor, select(swap, -im, im) / divisor};
  }
  // With a literal: no products with its imaginary part, which would make NaN of infinities.
  template <class A>
    requires std::is_arithmetic_v<A>
  friend BOLIDE_FN Num operator*(A a, Num b) {
    return {R(a) * b.re(), R(a) * b.im()};
  }
  template <class A>
    requires std::is_arithmetic_v<A>
  friend BOLIDE_FN Num operator*(Num a, A b) {
    return b * a;
  }
  template <class A>
    requires std::is_arithmetic_v<A>
  friend BOLIDE_FN Num operator/(Num a, A b) {
    return {a.re() / R(b), a.im() / R(b)};
  }
  friend BOLIDE_FN Mask<T> operator==(Num a, Num b) { return (a.re() == b.re()) & (a.im() == b.im()); }
  friend BOLIDE_FN Mask<T> operator!=(Num a, Num b) { return (a.re() != b.re()) | (a.im() != b.im()); }
  friend BOLIDE_FN Num select(Mask<T> m, Num a, Num b) {
    return {select(m, a.re(), b.re()), select(m, a.im(), b.im())};
  }
};

#define BOLIDE_COMPLEX template <class T> BOLIDE_FN Num<ComplexOf<T>>
#define BOLIDE_REAL_PART template <class T> BOLIDE_FN Num<T>

// ------------------------------------------------------------------------------------ parts, length, angle
BOLIDE_COMPLEX conj(Num<ComplexOf<T>> z) { return {z.re(), -z.im()}; }
BOLIDE_COMPLEX real_part(Num<ComplexOf<T>> z) { return {z.re(), Num<T>(0)}; }
BOLIDE_REAL_PART abs(Num<ComplexOf<T>> z) { return hypot(z.re(), z.im()); }
BOLIDE_REAL_PART angle(Num<ComplexOf<T>> z) { return atan2(z.im(), z.re()); }
BOLIDE_COMPLEX sgn(Num<ComplexOf<T>> z) {
  Num<T> length = abs(z);
  return select(length == 0, 0, Num<ComplexOf<T>>(z.re() / length, z.im() / length));
}
template <class T>
BOLIDE_FN Mask<T> isnan(Num<ComplexOf<T>> z) {
  return isnan(z.re()) | isnan(z.im());
}
template <class T>
BOLIDE_FN Mask<T> isinf(Num<ComplexOf<T>> z) {
  return isinf(z.re()) | isinf(z.im());
}
template <class T>
BOLIDE_FN Mask<T> isfinite(Num<ComplexOf<T>> z) {
  return isfinite(z.re()) & isfinite(z.im());
}
template <class T>
BOLIDE_FN Mask<T> not_negative(Num<ComplexOf<T>> z) {
  return z.re() >= 0;
}
BOLIDE_COMPLEX unit_like(Num<ComplexOf<T>>) { return {Num<T>(0), Num<T>(1)}; }
BOLIDE_COMPLEX times_i(Num<ComplexOf<T>> z) { return {-z.im(), z.re()}; }
BOLIDE_COMPLEX by_minus_i(Num<ComplexOf<T>> z) { return {z.im(), -z.re()}; }

// -------------------------------------------------------------------------------- exponentials, logarithms
// The vector code of float64 ends at kLargestAngle.
#define BOLIDE_OF_ANY(name)                                              \
  template <class T>                                                     \
  BOLIDE_FN Num<T> name##_of_any(Num<T> x) {                             \
    if constexpr (std::is_same_v<T, double>) return std::name(x.v);      \
    else return name(x);                                                 \
  }
BOLIDE_OF_ANY(sin)
BOLIDE_OF_ANY(cos)
#undef BOLIDE_OF_ANY
BOLIDE_COMPLEX exp(Num<ComplexOf<T>> z) {
  constexpr double kNear = std::is_same_v<T, float> ? 80 : 700;  // beyond it in two steps, as e^x alone overflows
  Num<T> large = select(z.re() > kNear, kNear / 2, Num<T>(0)), e = exp(z.re() - large), f = exp(large);
  Num<T> re = e * cos_of_any(z.im()) * f, im = e * sin_of_any(z.im()) * f;
  Mask<T> zero = z.re() == -kInf<T>, whole = (z.im() == 0) | ((z.re() == kInf<T>)&!isfinite(z.im()));
  return {select(zero, 0, select(whole, e * f, re)), select(zero | (z.im() == 0), copysign(Num<T>(0), z.im()), im)};
}
BOLIDE_COMPLEX exp2(Num<ComplexOf<T>> z) { return exp(z * kLn2); }
BOLIDE_COMPLEX expm1(Num<ComplexOf<T>> z) {
  Num<T> s = sin_of_any(z.im() * 0.5), down = s * s * 2;
  Num<ComplexOf<T>> far = exp(z);
  Num<T> near = expm1(z.re()) * cos_of_any(z.im()) - down;
  return {select(z.im() == 0, expm1(z.re()), select(abs(z.re()) < 1, near, far.re() - 1)), far.im()};
}
// log(hypot(x, y)): where that is near 0, by log1p of the square's distance from 1.
BOLIDE_REAL_PART log_length(Num<T> x, Num<T> y) {
  Num<T> a = abs(x), b = abs(y), large = select(a > b, a, b), small = select(a > b, b, a), h = hypot(x, y);
  Num<T> near = 0.5 * log1p((large - 1) * (large + 1) + small * small);
  Num<T> scale = select(h > 1e30, 0.25, select(h < 1e-30, 1099511627776.0, Num<T>(1)));  // 2^40: for subnormal ones
  Num<T> shift = select(h > 1e30, 1.38629436111989062, select(h < 1e-30, -27.7258872223978124, Num<T>(0)));
  return select((h > 0.7) & (h < 1.5), near, log(hypot(x * scale, y * scale)) + shift);
}
BOLIDE_COMPLEX log(Num<ComplexOf<T>> z) { return {log_length(z.re(), z.im()), angle(z)}; }
BOLIDE_COMPLEX log1p(Num<ComplexOf<T>> z) {
  Num<T> x = z.re() + 1, near = 0.5 * log1p(z.re() * (z.re() + 2) + z.im() * z.im());
  return {select((abs(z.re()) < 0.5) & (abs(z.im()) < 0.5), near, log_length(x, z.im())), atan2(z.im(), x)};
}
BOLIDE_COMPLEX logaddexp(Num<ComplexOf<T>> a, Num<ComplexOf<T>> b) {
  Mask<T> less = a.re() < b.re(), alike = (a.re() == b.re()) & isinf(a.re());  // which differ by NaN
  Num<ComplexOf<T>> large = select(less, b, a), small = select(less, a, b);
  Num<ComplexOf<T>> e = exp(select(alike, small, small - large));
  Num<ComplexOf<T>> sum = log1p(select(alike, e + exp(large) - 1, e));  // of infinite ones: 1 more or less is nothing
  return select(alike, select(a.re() < 0, small, sum), large + sum);
}
// 1 / (1 + e^-z) with an exponential that is never large.
BOLIDE_COMPLEX sigmoid(Num<ComplexOf<T>> z) {
  Num<ComplexOf<T>> e = exp(select(z.re() < 0, z, -z));
  return select(z.re() < 0, e, 1) / (e + 1);
}

// --------------------------------------------------------------------------------------------------- roots
BOLIDE_COMPLEX sqrt(Num<ComplexOf<T>> z) {
  constexpr double kLarge = std::is_same_v<T, float> ? 1e37 : 1e307, kSmall = std::is_same_v<T, float> ? 1e-30 : 1e-290;
  Num<T> x = abs(z.re()), y = abs(z.im()), size = maximum(x, y);
  Mask<T> down = size > kLarge, up = size < kSmall;
  Num<T> scale = select(down, 0.0625, select(up, 281474976710656.0, Num<T>(1)));  // 2^48
  Num<T> back = select(down, 4, select(up, 5.9604644775390625e-8, Num<T>(1)));  // its root, inverted
  x = x * scale, y = y * scale;
  Num<T> t = sqrt(0.5 * (x + hypot(x, y))), other = select(t == 0, 0, 0.5 * (y / t));
  other = select(isinf(y), y, select(isinf(x), 0 * y, other)) * back, t = t * back;
  return {select(z.re() < 0, other, t), copysign(select(z.re() < 0, t, other), z.im())};
}

// -------------------------------------------------------------------------- circular, hyperbolic functions
template <class T>
struct CoshSinh {
  Num<T> cosh, sinh;
};
template <class T>
BOLIDE_FN CoshSinh<T> cosh_sinh(Num<T> x) {
  Num<T> a = abs(x), m = expm1(a), far = exp(a - 1) * 1.35914091422952262;  // e / 2: no overflow before the result's
  Mask<T> large = a > 40;
  return {select(large, far, 0.5 * ((m + 1) + 1 / (m + 1))), copysign(select(large, far, 0.5 * (m + m / (m + 1))), x)};
}
BOLIDE_REAL_PART times_or_0(Num<T> a, Num<T> b) {  // a product in which 0 wins over infinity and NaN
  Num<T> signs = copysign(Num<T>(1), a) * copysign(Num<T>(1), b);
  return select((a == 0) | (b == 0), copysign(Num<T>(0), signs), a * b);
}
BOLIDE_REAL_PART times_far(Num<T> circular, Num<T> h, Num<T> x) {  // and infinity over an angle that is not known
  return select((circular != circular) & isinf(x), kInf<T>, times_or_0(circular, h));
}
BOLIDE_COMPLEX sin(Num<ComplexOf<T>> z) {
  CoshSinh<T> h = cosh_sinh(z.im());
  return {times_or_0(sin_of_any(z.re()), h.cosh), times_far(cos_of_any(z.re()), h.sinh, z.im())};
}
BOLIDE_COMPLEX cos(Num<ComplexOf<T>> z) {
  CoshSinh<T> h = cosh_sinh(z.im());
  return {times_far(cos_of_any(z.re()), h.cosh, z.im()), -times_or_0(sin_of_any(z.re()), h.sinh)};
}
// By Kahan (1987): (t b sqrt(1 + s^2) + ...) with s = sinh(x), t = tan(y); far out by its limit.
BOLIDE_COMPLEX tanh(Num<ComplexOf<T>> z) {
  Num<T> a = abs(z.re()), far = exp(-2 * a);
  Num<T> s = cosh_sinh(minimum(a, 20)).sinh, c = cos_of_any(z.im()), n = sin_of_any(z.im()), d = c * c + s * s;
  Mask<T> large = a > 20, known = isfinite(z.im());
  Num<T> re = select(isinf(a) | (large & known), 1, select(a == 0, 0, s * sqrt(1 + s * s) / d));
  Num<T> im = select(large, 4 * n * c * far, n * c / d);
  return {copysign(re, z.re()),
          select(isinf(a) & !known, copysign(Num<T>(0), z.im()), select(z.im() == 0, z.im(), im))};
}
BOLIDE_COMPLEX tan(Num<ComplexOf<T>> z) { return by_minus_i(tanh(times_i(z))); }
// In double: a * a must not vanish beside the pole at i.
BOLIDE_CALLED Num<C128> atan_of(Num<C128> z) {
  using R = Num<double>;
  R a = z.re(), b = abs(z.im()), low = 1 - b, im = 0.25 * log1p(4 * b / (a * a + low * low));
  R re = 0.5 * atan2(2 * a, low * (1 + b) - a * a), right = copysign(R(1.57079632679489662), a);
  auto infinite = isinf(a) | isinf(b);
  return {select(infinite & (a == a), right, re), copysign(select(infinite | (b == 0), 0, im), z.im())};
}
BOLIDE_COMPLEX atan(Num<ComplexOf<T>> z) { return ComplexOf<T>(atan_of(C128(z.v)).v); }

// -------------------------------------------------------------------------------------------------- powers
// exp(b log(a)), for float in double, since an error of the logarithm grows with the product.
BOLIDE_CALLED Num<C128> power_of(Num<C128> a, Num<C128> b) { return exp(b * log(a)); }
BOLIDE_COMPLEX pow(Num<ComplexOf<T>> a, Num<ComplexOf<T>> b) {
  Num<ComplexOf<T>> y = ComplexOf<T>(power_of(C128(a.v), C128(b.v)).v);
  y = select(b == 1, a, select(b == 2, a * a, select(b == -1, 1 / a, select(b == 0.5, sqrt(a), y))));
  return select(b == 0, 1, select((a == 0) & (b.re() > 0), 0, y));
}

#undef BOLIDE_COMPLEX
#undef BOLIDE_REAL_PART
}  // namespace bolide::inline BOLIDE_ISA
