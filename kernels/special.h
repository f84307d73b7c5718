// special.h - inverse and hyperbolic trigonometry, and the gamma and error functions, for the op table's formulas.
//
// As in math.h: float is branch-free where the loop is worth vectorising; what is rare (gamma functions, the inverse
// functions of complex numbers) or needs more digits than float has on the way is computed one number at a time in
// double, in functions that are called, not inlined: a loop would hold many copies. To add one: as there.
#pragma once
#include "kernels/complex.h"

namespace bolide::inline BOLIDE_ISA {

inline constexpr double kHalfRootPi = 0.886226925452758014;

#define BOLIDE_MATH template <class T> BOLIDE_FN Num<T>

// ------------------------------------------------------------------- inverse and hyperbolic trigonometry
#define BOLIDE_EXACT(name) \
  if constexpr (std::is_same_v<T, double>) return std::name(x.v);
BOLIDE_MATH asin(Num<T> x) {
  BOLIDE_EXACT(asin)
  return atan(x / sqrt((1 - x) * (1 + x)));
}
BOLIDE_MATH acos(Num<T> x) {
  BOLIDE_EXACT(acos)
  return 2 * atan(sqrt((1 - x) / (1 + x)));
}
// exp(a) overflows before half of it does: near that exp(a / 2) is squared.
BOLIDE_MATH sinh(Num<T> x) {
  BOLIDE_EXACT(sinh)
  Num<T> a = abs(x), e = expm1(a), root = exp(0.5 * a);
  return copysign(select(a > 87, 0.5 * root * root, 0.5 * (e + e / (e + 1))), x);
}
BOLIDE_MATH cosh(Num<T> x) {
  BOLIDE_EXACT(cosh)
  Num<T> a = abs(x), e = exp(a), root = exp(0.5 * a);
  return select(a > 87, 0.5 * root * root, 0.5 * (e + 1 / e));
}
BOLIDE_MATH asinh(Num<T> x) {
  BOLIDE_EXACT(asinh)
  Num<T> a = abs(x), z = a * a;
  return copysign(select(a > 1e9, log(a) + kLn2, log1p(a + z / (1 + sqrt(z + 1)))), x);
}
BOLIDE_MATH acosh(Num<T> x) {
  BOLIDE_EXACT(acosh)
  Num<T> t = x - 1, y = select(x > 1e9, log(x) + kLn2, log1p(t + sqrt(t * (t + 2))));
  return select(x < 1, kNan<T>, y);
}
BOLIDE_MATH atanh(Num<T> x) {
  BOLIDE_EXACT(atanh)
  Num<T> a = abs(x);
  return copysign(0.5 * log1p(2 * a / (1 - a)), x);
}
#undef BOLIDE_EXACT

// Of complex numbers, by Kahan (1987): the branch cuts are where C99 has them, and signed zeros choose the side.
using Complex128 = Num<C128>;
BOLIDE_CALLED Complex128 acos_of(Complex128 z) {
  using R = Num<double>;
  R size = abs(z.im());
  if (z.re().v == 0 && isnan(z.im()).v) return {R(1.57079632679489662), z.im()};
  if (isinf(z).v) return {atan2(size, z.re()), -copysign(R(kInf<double>), z.im())};
  Complex128 p = sqrt(Complex128(1 - z.re(), -z.im())), q = sqrt(Complex128(1 + z.re(), z.im()));
  return {2 * atan2(p.re(), q.re()), asinh((conj(q) * p).im())};
}
BOLIDE_CALLED Complex128 asin_of(Complex128 z) {
  using R = Num<double>;
  if (z.re().v == 0 && isnan(z.im()).v) return z;
  if (isinf(z).v) return {atan2(z.re(), abs(z.im())), copysign(R(kInf<double>), z.im())};
  Complex128 p = sqrt(Complex128(1 - z.re(), -z.im())), q = sqrt(Complex128(1 + z.re(), z.im()));
  return {atan2(z.re(), (p * q).re()), asinh((conj(p) * q).im())};
}
#define BOLIDE_COMPLEX template <class T> BOLIDE_FN Num<ComplexOf<T>>
BOLIDE_COMPLEX asin(Num<ComplexOf<T>> z) { return ComplexOf<T>(asin_of(C128(z.v)).v); }
BOLIDE_COMPLEX acos(Num<ComplexOf<T>> z) { return ComplexOf<T>(acos_of(C128(z.v)).v); }
BOLIDE_COMPLEX asinh(Num<ComplexOf<T>> z) { return by_minus_i(asin(times_i(z))); }
BOLIDE_COMPLEX acosh(Num<ComplexOf<T>> z) {
  Num<ComplexOf<T>> w = acos(z);
  return {abs(w.im()), copysign(w.re(), z.im())};
}
BOLIDE_COMPLEX atanh(Num<ComplexOf<T>> z) { return by_minus_i(atan(times_i(z))); }
BOLIDE_COMPLEX sinh(Num<ComplexOf<T>> z) { return by_minus_i(sin(times_i(z))); }
BOLIDE_COMPLEX cosh(Num<ComplexOf<T>> z) { return cos(times_i(z)); }
#undef BOLIDE_COMPLEX

// -------------------------------------------------------------------------------------- error functions
BOLIDE_MATH erfc(Num<T> x) { return T(std::erfc(double(x.v))); }
// Giles 2012, for float; a double takes that as a start and two steps of Halley's method, in the tail on erfc.
BOLIDE_MATH erfinv_start(Num<T> x) {
  Num<T> w = -log((1 - x) * (1 + x)), u = w - 2.5, v = sqrt(w) - 3;
  Num<T> middle = polynomial(u, 2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
                             -0.00125372503, -0.00417768164, 0.246640727, 1.50140941);
  Num<T> tail = polynomial(v, -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
                           -0.0076224613, 0.00943887047, 1.00167406, 2.83297682);
  return select(abs(x) == 1, copysign(Num<T>(kInf<T>), x), select(w < 5, middle, tail) * x);
}
BOLIDE_CALLED double erfinv_of(double x) {
  const double a = std::fabs(x), start = std::fabs(erfinv_start(Num<double>(x)).v);
  if (!(a < 1)) return start > 0 ? std::copysign(start, x) : x + start;
  double r = start;
  for (int step = 0; step < 2; step++) {
    const double miss = a < 0.5 ? std::erf(r) - a : (1 - a) - std::erfc(r);
    const double newton = miss / (kTwoByRootPi * std::exp(-r * r));
    r -= newton / (1 + r * newton);
  }
  return std::copysign(r, x);
}
BOLIDE_MATH erfinv(Num<T> x) {
  if constexpr (std::is_same_v<T, double>) return erfinv_of(x.v);
  else return erfinv_start(x);
}

// -------------------------------------------------------------------------------------- gamma functions
BOLIDE_FN double log_gamma(double x) {
#if defined(__CUDA_ARCH__)
  return ::lgamma(x);
#else
  int sign;  // the plain function writes a global variable
  return ::lgamma_r(x, &sign);
#endif
}
BOLIDE_MATH lgamma(Num<T> x) { return T(log_gamma(double(x.v))); }

// Recurrence to 10 and above, then the asymptotic series (Bernardo 1976, AS 103); reflection below 0.
BOLIDE_CALLED double digamma_of_positive(double x) {
  double sum = 0;
  for (; x < 10; x += 1) sum -= 1 / x;
  const Num<double> z = 1 / (x * x);
  const double series =
      (z * polynomial(z, 8.33333333333333333e-2, -2.10927960927960928e-2, 7.57575757575757576e-3,
                      -4.16666666666666667e-3, 3.96825396825396825e-3, -8.33333333333333333e-3, 8.33333333333333333e-2))
          .v;
  return sum + std::log(x) - 0.5 / x - series;
}
BOLIDE_CALLED double digamma_of(double x) {
  constexpr double kPi = 3.14159265358979324;
  if (x > 0 || x != x) return digamma_of_positive(x);
  if (x == 0) return std::copysign(kInf<double>, -x);
  const double fraction = x - std::floor(x);
  if (!(fraction > 0)) return kNan<double>;  // a pole, where the sign is either; and -inf
  return digamma_of_positive(1 - x) - kPi / std::tan(kPi * fraction);
}
BOLIDE_MATH digamma(Num<T> x) { return T(digamma_of(double(x.v))); }

// Hurwitz' zeta(s, q) of an s > 1 and a q > 0: ten terms, then the Euler-Maclaurin series.
BOLIDE_CALLED double zeta_of_positive(double s, double q) {
  constexpr double kOverBernoulli[] = {12.0,
                                       -720.0,
                                       30240.0,
                                       -1209600.0,
                                       47900160.0,
                                       -1.8924375803183791606e9,
                                       7.47242496e10,
                                       -2.950130727918164224e12,
                                       1.1646782814350067249e14,
                                       -4.5979787224074726105e15,
                                       1.8152105401943546773e17,
                                       -7.1661652561756670113e18};
  double sum = std::pow(q, -s), term = 0, at = q;
  for (int i = 0; i < 9 || at <= 9; i++) {
    at += 1;
    term = std::pow(at, -s);
    sum += term;
    if (term < 1e-17 * sum) return sum;
  }
  sum += term * at / (s - 1) - 0.5 * term;
  double product = 1;
  for (int i = 0; i < 12; i++) {
    product *= s + 2 * i, term /= at;
    sum += product * term / kOverBernoulli[i];
    product *= s + 2 * i + 1, term /= at;
  }
  return sum;
}
BOLIDE_CALLED double zeta_of(double s, double q) {
  if (q != q || s != s || !(s >= 1)) return kNan<double>;
  if (s == 1) return kInf<double>;
  if (q > 0) return q < kInf<double> ? zeta_of_positive(s, q) : 0;
  const double fraction = q - std::floor(q);
  if (q == std::floor(q)) return kInf<double>;
  if (s != std::floor(s) || !(fraction > 0)) return kNan<double>;
  // The sum over all integers has the period 1; what stands left of q is taken off.
  const double sign = std::fmod(s, 2) == 0 ? 1 : -1;
  return zeta_of_positive(s, fraction) + sign * (zeta_of_positive(s, 1 - fraction) - zeta_of_positive(s, 1 - q));
}
BOLIDE_MATH zeta(Num<T> s, std::type_identity_t<Num<T>> q) { return T(zeta_of(double(s.v), double(q.v))); }

// The n-th derivative of digamma.
BOLIDE_CALLED double polygamma_of(double x, double n) {
  if (n == 0) return digamma_of(x);
  const double sign = std::fmod(n, 2) == 0 ? -1 : 1;
  return sign * std::exp(log_gamma(n + 1)) * zeta_of(n + 1, x);
}
BOLIDE_MATH polygamma_at(Num<T> x, std::type_identity_t<Num<T>> n) { return T(polygamma_of(double(x.v), double(n.v))); }

// ---------------------------------------------------------------------------------------- two arguments
BOLIDE_MATH xlogy(Num<T> a, std::type_identity_t<Num<T>> b) { return select((a == 0) & (b == b), 0, a * log(b)); }
template <class U>
BOLIDE_CALLED U gcd_of(U x, U y) {
  while (y) {
    const U rest = x % y;
    x = y, y = rest;
  }
  return x;
}
BOLIDE_MATH gcd(Num<T> a, Num<T> b) {
  using U = std::make_unsigned_t<T>;  // the smallest integer has no negative
  return T(gcd_of(a.v < 0 ? U(0) - U(a.v) : U(a.v), b.v < 0 ? U(0) - U(b.v) : U(b.v)));
}

#undef BOLIDE_MATH

template <Numeric X>
BOLIDE_FN X trigamma(X x) {
  return polygamma_at(x, X(1));
}
template <Numeric X>
BOLIDE_FN X no_slope(X g) {  // 0, of the gradient's kind: flat where it has a derivative
  return select(g == 0, g, X(0));
}
template <Numeric X>
BOLIDE_FN X copysign_slope(X a, X y) {  // of copysign: 1 or -1, 0 at 0
  return sign(a) * sign(y);
}

}  // namespace bolide::inline BOLIDE_ISA
