// rare.h - the functions of kernels/rare.def, of doubles: series, continued fractions and sums of integrands.
//
// No table of coefficients: a series where its terms have one sign or do not cancel, an asymptotic one where it is short
// enough, and between them the trapezoidal rule, which for an integrand that falls off doubly exponentially converges
// faster than any power of its step (Trefethen, Weideman 2014, SIAM Review 56). Numbers of DLMF's equations are given.
#pragma once
#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>

namespace bolide::rare {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kSmall = 1e-17;  // what is less, relatively, changes nothing
inline constexpr double kPi = 3.14159265358979324, kEuler = 0.577215664901532861;

// ---- modified Bessel functions -------------------------------------------------------------------------------
inline constexpr double kAsymptoticFrom = 20;

inline double i_series(int order, double x) {  // 10.25.2
  double term = order ? x / 2 : 1, sum = term;
  for (int k = 1; term > kSmall * sum; k++) term *= x * x / 4 / (k * (k + order)), sum += term;
  return sum;
}
// Of x >= kAsymptoticFrom, times exp(-x): 10.40.1.
inline double i_asymptotic(int order, double x) {
  double term = 1, sum = 1;
  for (int k = 1; k < 40 && std::fabs(term) > kSmall; k++)
    term *= ((2 * k - 1) * (2 * k - 1) - 4 * order) / (8 * x * k), sum += term;
  return sum / std::sqrt(2 * kPi * x);
}
inline double i_scaled(int order, double x) {
  const double a = std::fabs(x);
  const double y = a < kAsymptoticFrom ? i_series(order, a) * std::exp(-a) : i_asymptotic(order, a);
  return order ? std::copysign(y, x) : y + x * 0;
}
inline double i_plain(int order, double x) {
  const double a = std::fabs(x), half = std::exp(a / 2);  // exp(a) overflows first
  const double y = a < kAsymptoticFrom ? i_series(order, a) : a == kInfinity ? a : i_asymptotic(order, a) * half * half;
  return order ? std::copysign(y, x) : y;
}
inline double i0(double x) { return i_plain(0, x); }
inline double i1(double x) { return i_plain(1, x); }
inline double i0e(double x) { return std::isinf(x) ? 0 : i_scaled(0, x); }
inline double i1e(double x) { return std::isinf(x) ? std::copysign(0.0, x) : i_scaled(1, x); }

// exp(x) K(x) of x >= 2/3: the integral of exp(-x (cosh t - 1)) cosh(order t) over t > 0 (10.32.9).
inline double k_integral(double order, double x) {
  const double step = std::min(0.2, 0.6 / std::sqrt(x));
  double sum = 0.5;
  for (int k = 1;; k++) {
    const double t = k * step, half = std::sinh(t / 2), fall = 2 * x * half * half;
    if (!(fall < 42)) return step * sum;
    sum += std::exp(-fall) * std::cosh(order * t);
  }
}
inline double k_near_zero(int order, double x) {  // 10.31.2; order 1 by the Wronskian, 10.28.2
  double term = 1, harmonic = 0, sum = 0;
  for (int k = 1; k < 20; k++) term *= x * x / 4 / (k * k), harmonic += 1.0 / k, sum += term * harmonic;
  const double zero = sum - (std::log(x / 2) + kEuler) * i_series(0, x);
  return order ? (1 / x - i_series(1, x) * zero) / i_series(0, x) : zero;
}
inline double k_scaled(int order, double x) {
  if (!(x > 0)) return x == 0 ? kInfinity : kNotANumber;
  if (x == kInfinity) return 0;
  return x < 1 ? k_near_zero(order, x) * std::exp(x) : k_integral(order, x);
}
inline double k_plain(int order, double x) {
  return x > 0 && x < 1 ? k_near_zero(order, x) : k_scaled(order, x) * (x > 0 ? std::exp(-x) : 1);
}
inline double modified_bessel_k0(double x) { return k_plain(0, x); }
inline double modified_bessel_k1(double x) { return k_plain(1, x); }
inline double scaled_modified_bessel_k0(double x) { return k_scaled(0, x); }
inline double scaled_modified_bessel_k1(double x) { return k_scaled(1, x); }

// ---- Bessel and Airy functions -------------------------------------------------------------------------------
inline double bessel_j0(double x) { return ::j0(x); }
inline double bessel_j1(double x) { return ::j1(x); }
inline double bessel_y0(double x) { return x > 0 ? ::y0(x) : x == 0 ? -kInfinity : kNotANumber; }
inline double bessel_y1(double x) { return x > 0 ? ::y1(x) : x == 0 ? -kInfinity : kNotANumber; }
inline double spherical_bessel_j0(double x) { return x == 0 ? 1 : std::isinf(x) ? 0 : std::sin(x) / x; }

inline double airy_series(double x) {  // 9.4.1
  double f = 1, g = x, f_term = 1, g_term = x;
  for (int k = 1; k < 12; k++) {
    f_term *= x * x * x / ((3 * k - 1) * (3 * k)), f += f_term;
    g_term *= x * x * x / ((3 * k) * (3 * k + 1)), g += g_term;
  }
  return 0.355028053887817239 * f - 0.258819403792806798 * g;
}
// K of order 1/3 at i z, by the same integral on the path of steepest descent, t - i gd(t), where the integrand does not
// turn: cosh of it has the constant real part 1, and the imaginary part -sinh(t) tanh(t).
inline std::complex<double> k_third_imaginary(double z) {
  const double step = std::min(0.12, 0.35 / std::sqrt(z));
  std::complex<double> sum = std::complex<double>(0.5, -0.5);
  for (int k = 1;; k++) {
    const double t = k * step, fall = z * std::sinh(t) * std::tanh(t);
    if (!(fall < 42)) return step * sum * std::polar(1.0, -z);
    const std::complex<double> at(t, -std::atan(std::sinh(t))), slope(1, -1 / std::cosh(t));
    sum += std::exp(-fall) * std::cosh(at / 3.0) * slope;
  }
}
inline double airy_ai(double x) {
  if (std::isinf(x)) return x > 0 ? 0 : kNotANumber;
  const double a = std::fabs(x), z = a * std::sqrt(a) / 1.5;
  if (!(a >= 1)) return airy_series(x);
  if (x > 0) return std::sqrt(x / 3) / kPi * k_integral(1.0 / 3, z) * std::exp(-z);  // 9.6.2
  return -2 / kPi * std::sqrt(a / 3) * k_third_imaginary(z).imag();  // and 9.2.14
}

// ---- error functions -----------------------------------------------------------------------------------------
inline double erfcx(double x) {
  if (x < 25) {  // the square in two parts: exp() multiplies its rounding error by it
    const double square = x * x, rest = std::fma(x, x, -square);
    if (x < -26.7) return kInfinity;
    return std::exp(square) * (1 + rest) * std::erfc(x);
  }
  double term = 1, sum = 1;  // 7.12.1
  for (int k = 1; k < 9; k++) term *= -(2 * k - 1) / (2 * x * x), sum += term;
  return sum / (x * 1.77245385090551603);
}
inline double log_ndtr(double x) {
  const double z = x * 0.707106781186547524;
  return x < -1 ? std::log(erfcx(-z) / 2) - z * z : std::log1p(-std::erfc(z) / 2);
}
// Newton's steps on log_ndtr(), from 26.2.23 of Abramowitz and Stegun; p above a half is mirrored.
inline double ndtri(double p) {
  if (!(p > 0 && p < 1)) return p == 0 ? -kInfinity : p == 1 ? kInfinity : kNotANumber;
  if (p == 0.5) return 0;
  if (p > 0.5) return -ndtri(1 - p);
  const double t = std::sqrt(-2 * std::log(p));
  double x = (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
  for (int step = 0; step < 3; step++) {
    const double slope = 0.797884560802865356 / erfcx(x * -0.707106781186547524);
    const double miss =
        p > 0.1 ? std::log1p((std::erfc(x * -0.707106781186547524) / 2 - p) / p) : log_ndtr(x) - std::log(p);
    x -= miss / slope;
  }
  return x;
}

// ---- incomplete gamma functions ------------------------------------------------------------------------------
inline double log_minus(double x, double a) {  // log(x / a) - (x - a) / a, without cancelling
  const double d = (x - a) / a;
  if (std::fabs(d) > 0.4) return std::log(x / a) - d;
  const double r = d / (2 + d), square = r * r;
  double power = 2 * r * square, sum = -r * d;
  for (int k = 3; std::fabs(power) > kSmall * std::fabs(sum); k += 2, power *= square) sum += power / k;
  return sum;
}
inline double log_gamma(double x) {
  int sign;
  return ::lgamma_r(x, &sign);
}
// x^a exp(-x) / gamma(a + 1); of large a by Stirling's series (5.11.1).
inline double gamma_weight(double a, double x) {
  if (a < 20) return std::exp(a * std::log(x) - x - log_gamma(a + 1));
  const double r = 1 / (a * a), series = (1.0 / 12 - r * (1.0 / 360 - r * (1.0 / 1260 - r / 1680))) / a;
  return std::exp(a * log_minus(x, a) - series) / std::sqrt(2 * kPi * a);
}
inline double lower_gamma_series(double a, double x) {  // 8.11.4
  double term = 1, sum = 1;
  for (double n = a + 1; term > kSmall * sum; n += 1) term *= x / n, sum += term;
  return gamma_weight(a, x) * sum;
}
inline double upper_gamma_fraction(double a, double x) {  // 8.9.2, by Lentz's method
  double b = x + 1 - a, c = 1e300, d = 1 / b, product = d;
  for (int n = 1; n < 1000000; n++) {
    const double numerator = -n * (n - a);
    b += 2, d = 1 / (numerator * d + b), c = b + numerator / c;
    product *= d * c;
    if (std::fabs(d * c - 1) < 1e-16) break;
  }
  return gamma_weight(a, x) * a * product;
}
inline double upper_gamma_uniform(double a, double x) {  // 8.12.4, with its first term
  const double d = (x - a) / a, eta = std::copysign(std::sqrt(-2 * log_minus(x, a)), d);
  const double first = std::fabs(d) < 1e-5 ? -1.0 / 3 : 1 / d - 1 / eta;
  return 0.5 * std::erfc(eta * std::sqrt(a / 2)) + std::exp(-0.5 * a * eta * eta) / std::sqrt(2 * kPi * a) * first;
}
inline double incomplete_gamma(double a, double x, bool upper) {
  if (!(a >= 0 && x >= 0) || (a == 0 && x == 0) || (std::isinf(a) && std::isinf(x))) return kNotANumber;
  if (a == 0 || std::isinf(x)) return upper ? 0 : 1;
  if (x == 0 || std::isinf(a)) return upper ? 1 : 0;
  if (a > 1e8) {
    const double q = upper_gamma_uniform(a, x);
    return upper ? q : 1 - q;
  }
  if (x < a + 1) return upper ? 1 - lower_gamma_series(a, x) : lower_gamma_series(a, x);
  return upper ? upper_gamma_fraction(a, x) : 1 - upper_gamma_fraction(a, x);
}
inline double igamma(double a, double x) { return incomplete_gamma(a, x, false); }
inline double igammac(double a, double x) { return incomplete_gamma(a, x, true); }

// ---- orthogonal polynomials ----------------------------------------------------------------------------------
inline constexpr double kLongest = 1e6;  // steps of a recurrence

// p(n) by next(k, p(k), p(k - 1)) = p(k + 1). 0 of a degree below 0.
template <class Next>
double recurrence(double degree, double first, Next next) {
  const double n = std::trunc(degree);
  if (!(n >= 0)) return n < 0 ? 0 : kNotANumber;
  if (n > kLongest) return kNotANumber;
  double before = 1, now = first;
  if (n == 0) return before;
  for (double k = 1; k < n && !std::isnan(now); k++) {
    const double after = next(k, now, before);
    before = now, now = after;
  }
  return now;
}
inline double chebyshev(double x, double n, double first) {
  return recurrence(n, first, [x](double, double now, double before) { return 2 * x * now - before; });
}
inline double chebyshev_polynomial_t(double x, double n) { return chebyshev(x, n, x); }
inline double chebyshev_polynomial_u(double x, double n) { return chebyshev(x, n, 2 * x); }
inline double chebyshev_polynomial_v(double x, double n) { return chebyshev(x, n, 2 * x - 1); }
inline double chebyshev_polynomial_w(double x, double n) { return chebyshev(x, n, 2 * x + 1); }
inline double shifted_chebyshev_polynomial_t(double x, double n) { return chebyshev_polynomial_t(2 * x - 1, n); }
inline double shifted_chebyshev_polynomial_u(double x, double n) { return chebyshev_polynomial_u(2 * x - 1, n); }
inline double shifted_chebyshev_polynomial_v(double x, double n) { return chebyshev_polynomial_v(2 * x - 1, n); }
inline double shifted_chebyshev_polynomial_w(double x, double n) { return chebyshev_polynomial_w(2 * x - 1, n); }
inline double hermite_polynomial_h(double x, double n) {
  return recurrence(n, 2 * x, [x](double k, double now, double before) { return 2 * x * now - 2 * k * before; });
}
inline double hermite_polynomial_he(double x, double n) {
  return recurrence(n, x, [x](double k, double now, double before) { return x * now - k * before; });
}
inline double laguerre_polynomial_l(double x, double n) {
  return recurrence(
      n, 1 - x, [x](double k, double now, double before) { return ((2 * k + 1 - x) * now - k * before) / (k + 1); });
}
inline double legendre_polynomial_p(double x, double n) {
  return recurrence(
      n, x, [x](double k, double now, double before) { return ((2 * k + 1) * x * now - k * before) / (k + 1); });
}

}  // namespace bolide::rare
