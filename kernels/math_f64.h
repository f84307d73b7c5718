// math_f64.h - functions of double as branch-free formulas that become vector code; part of math.h, which includes it.
//
// Only for CPUs with FMA: elsewhere, and on a GPU, they are the library's. The polynomials interpolate in Chebyshev
// points, computed with 50 digits. Errors are below 1 to 2 units in the last place: docs/accuracy.md.
#pragma once
#include "kernels/num.h"

namespace bolide::inline BOLIDE_ISA {

#define BOLIDE_DOUBLE BOLIDE_FN Num<double>

// Whole numbers go to int64_t and back as the low bits of a double: AVX2 has no instruction for it.
inline constexpr double kWholeBits = 6755399441055744.0;  // 1.5 * 2^52
BOLIDE_DOUBLE whole_from_bits(Num<int64_t> n) {
  return from_bits<double>(n + bits(Num<double>(kWholeBits))) - kWholeBits;
}
BOLIDE_DOUBLE power_of_two(Num<double> n) { return from_bits<double>((bits(n + kWholeBits) + 1023) << 52); }

// ------------------------------------------------------------------------------------- exponentials
struct ExpPartsF64 {  // x = n ln 2 + r: n, and exp(r) - 1
  Num<double> n, expm1_r;
};
// Of x + low; |x| below 746.
BOLIDE_FN ExpPartsF64 exp_parts(Num<double> x, Num<double> low) {
  Num<double> n = round(x * 1.44269504088896341);
  Num<double> r = multiply_add(n, -2.8235290563031577e-13, multiply_add(n, -0.693147180559663, x)) + low;
  Num<double> p = polynomial(r, 2.51004947889050405e-8, 2.76202305675068979e-7, 2.75572682299632257e-6,
                             2.48015209968256958e-5, 1.98412698632018284e-4, 1.38888889174064456e-3,
                             8.33333333333003212e-3, 4.16666666666237416e-2, 0.166666666666666675, 0.5);
  return {n, multiply_add(p, r * r, r)};
}
BOLIDE_DOUBLE exp_of_parts(ExpPartsF64 parts) {  // in two steps, for results below the smallest normal number
  Num<double> half = round(parts.n * 0.5);
  return (parts.expm1_r + 1) * power_of_two(half) * power_of_two(parts.n - half);
}
BOLIDE_DOUBLE exp(Num<double> x) { return exp_of_parts(exp_parts(select(x > 710, 710, select(x < -746, -746, x)), 0)); }
BOLIDE_DOUBLE exp2(Num<double> x) {
  Num<double> c = select(x > 1025, 1025, select(x < -1077, -1077, x)), n = round(c);
  Num<double> r = c - n;
  return exp_of_parts({n, exp_parts(r * 0.693147180559945309, 0).expm1_r});
}
BOLIDE_DOUBLE expm1(Num<double> x) {
  auto [n, p] = exp_parts(select(x > 709, 709, select(x < -45, -45, x)), 0);
  Num<double> scale = power_of_two(n);
  return copysign(select(x > 709, exp(x), multiply_add(p, scale, scale - 1)), x);  // of -0 too
}
BOLIDE_DOUBLE tanh(Num<double> x) {
  Num<double> a = abs(x);
  auto [n, p] = exp_parts(select(a > 22, 44, 2 * a), 0);
  Num<double> scale = power_of_two(n), m = multiply_add(p, scale, scale - 1);  // exp(2a) - 1
  return copysign(m / (m + 2), x);
}

// --------------------------------------------------------------------------------------- logarithms
struct LogPartsF64 {  // x = 2^n m, with m in [sqrt(1/2), sqrt(2)); x is above 0
  Num<double> n, m;
};
BOLIDE_FN LogPartsF64 log_parts(Num<double> x) {
  auto tiny = x < 2.2250738585072014e-308;
  Num<int64_t> b = bits(select(tiny, x * 18014398509481984.0, x)), e = (b - 0x3FE6A09E667F3BCD) >> 52;
  return {whole_from_bits(e) - select(tiny, 54, Num<double>(0)), from_bits<double>(b - (e << 52))};
}
BOLIDE_DOUBLE log(Num<double> x) {
  auto [n, m] = log_parts(x);
  Num<double> t = m - 1, s = t / (t + 2), z = s * s, half = 0.5 * t * t;
  Num<double> p =
      z * polynomial(z, 0.130872361967068337, 0.132687147923428851, 0.153862418819388256, 0.181817956000607873,
                     0.22222222392089008, 0.285714285708019569, 0.400000000000008797, 0.666666666666666665);
  Num<double> y = n * 0.693147180559663 + (t - (half - multiply_add(n, 2.8235290563031577e-13, s * (half + p))));
  return select(x > 0, select(x < kInf<double>, y, x), select(x == 0, -kInf<double>, Num<double>(kNan<double>)));
}
BOLIDE_DOUBLE log1p(Num<double> x) {
  Num<double> u = 1 + x;
  return copysign(select(u < kInf<double>, log(u) + select(u > 0, (x - (u - 1)) / u, 0), log(u)), x);  // of -0 too
}

// The logarithm as a sum of two doubles, of a relative error of 2^-65: log(m) = 2 atanh(s) with s = (m - 1) / (m + 1).
struct TwoDoubles {
  Num<double> high, low;
};
BOLIDE_FN TwoDoubles sum_of(Num<double> large, Num<double> small) {
  Num<double> s = large + small;
  return {s, small - (s - large)};
}
BOLIDE_FN TwoDoubles log_in_two(Num<double> x) {
  auto [n, m] = log_parts(x);
  Num<double> t = m - 1, d = m + 1, d_low = m - (d - 1);
  Num<double> s = t / d, s_low = multiply_add(-s, d_low, multiply_add(-s, d, t)) / d;
  Num<double> z = s * s, z_low = multiply_add(s, s, -z) + 2 * s * s_low;
  Num<double> p =
      z * polynomial(z, 0.107628674280998885, 0.104562783752206237, 0.117668153034348047, 0.133332964839725059,
                     0.153846157618126224, 0.181818181796525146, 0.222222222222284446, 0.285714285714285646, 0.4);
  TwoDoubles c = sum_of(0.66666666666666663, p);  // (2/3 + p) z s beside 2 s
  c.low = c.low + 3.700743415417188e-17;
  Num<double> q = c.high * z, q_low = multiply_add(c.high, z, -q) + (c.high * z_low + c.low * z);
  Num<double> r = q * s, r_low = multiply_add(q, s, -r) + (q * s_low + q_low * s);
  TwoDoubles series = sum_of(2 * s, r);
  series.low = series.low + (2 * s_low + r_low);
  TwoDoubles y = sum_of(n * 0.693147180559663, series.high);
  return sum_of(y.high, y.low + multiply_add(n, 2.8235290563031577e-13, series.low));
}

// ----------------------------------------------------------------------------------- powers, angles
BOLIDE_DOUBLE pow_of_positive(Num<double> x, Num<double> b) {  // 0 and infinity too
  TwoDoubles l = log_in_two(x);
  l.high = select(x == 0, -kInf<double>, select(x < kInf<double>, l.high, x));
  Num<double> high = b * l.high, low = multiply_add(b, l.high, -high) + b * l.low;
  Num<double> near = select(high > 710, 710, select(high < -746, -746, high));
  return exp_of_parts(exp_parts(near, select(near == high, low, 0)));
}
// Of y / x, neither below 0; one division: of an angle from 0, a quarter or half of pi.
BOLIDE_DOUBLE angle_of(Num<double> y, Num<double> x) {
  auto low = y <= 0.41421356237309503 * x, high = y > 2.4142135623730949 * x;
  Num<double> t = select(low, y, select(high, -x, y - x)) / select(low, x, select(high, y, y + x)), z = t * t;
  Num<double> p =
      polynomial(z, 0.0162851830297789643, -0.0345700441860098594, 0.0455157308666050891, -0.0523044985670833875,
                 0.0587892839851709355, -0.0666642483361353844, 0.076922963721299629, -0.0909090875340049956,
                 0.111111111051534294, -0.142857142856598069, 0.199999999999998044, -0.333333333333333332);
  p = multiply_add(p, t * z, select(low, 0, select(high, 6.123233995736766e-17, Num<double>(3.061616997868383e-17)))) +
      t;
  return select(low, 0, select(high, 1.57079632679489662, Num<double>(0.785398163397448310))) + p;
}
BOLIDE_DOUBLE atan(Num<double> x) { return copysign(angle_of(abs(x), 1), x); }
BOLIDE_DOUBLE atan2(Num<double> a, Num<double> b) {
  Num<double> y = abs(a), x = abs(b);
  Num<double> scale = select((x > 1e300) | (y > 1e300), 0.25, Num<double>(1));  // y + x shall not overflow
  auto alike = (y == x) & ((y == 0) | isinf(y));
  Num<double> p = angle_of(select(alike, select(y == 0, y, 1), y * scale), select(alike, 1, x * scale));
  p = select(has_sign(b), 3.14159265358979312 - (p - 1.2246467991473532e-16), p);
  return select((a == a) & (b == b), copysign(p, a), a + b);
}
// ------------------------------------------------------------------------------- trigonometry, erf
// Sine of x plus kQuarter quarter turns, of |x| up to kLargestAngle: beyond, the caller asks the C library. x = n pi/2 +
// r + low, pi/2 in three parts: the first product is taken off without an error, what the second leaves is kept.
inline constexpr double kLargestAngle = 1e9;
template <int kQuarter>
BOLIDE_DOUBLE sin_plus(Num<double> x) {
  Num<double> shifted = multiply_add(x, 0.636619772367581343, kWholeBits), n = shifted - kWholeBits;
  Num<double> a = multiply_add(n, -1.57079632679489662, x), b = n * 6.123233995736766e-17;
  Num<double> r = a - b, back = r - a, error = (a - (r - back)) - (b + back);
  Num<double> low = multiply_add(n, 1.4973849048591833e-33, error - multiply_add(n, 6.123233995736766e-17, -b));
  Num<double> z = r * r, half = 0.5 * z, w = 1 - half;
  Num<double> s = polynomial(z, 1.59167261938893374e-10, -2.50511122725732437e-8, 2.75573160081715511e-6,
                             -1.9841269836575709e-4, 8.333333333330827e-3);
  Num<double> c = polynomial(z, -1.13817546536629368e-11, 2.08761340240901462e-9, -2.75573172126865901e-7,
                             2.4801587298651292e-5, -1.38888888888873212e-3, 4.16666666666666653e-2);
  s = r - ((z * (0.5 * low - r * z * s) - low) + 0.166666666666666645 * (r * z));
  c = w + (((1 - w) - half) + (z * z * c - r * low));
  Num<int64_t> q = bits(shifted) + kQuarter, odd = 0 - (q & 1), y = (bits(c) & odd) | (bits(s) & ~odd);
  return from_bits<double>(y ^ ((q & 2) << 62));
}
BOLIDE_DOUBLE sin(Num<double> x) { return select(x == 0, x, sin_plus<0>(x)); }  // -0 stays
BOLIDE_DOUBLE cos(Num<double> x) { return sin_plus<1>(x); }
BOLIDE_DOUBLE erf(Num<double> x) {
  Num<double> z = x * x, a = select(abs(x) > 6, 6, abs(x)), t = a - 1;
  Num<double> small =
      polynomial(z, -7.79589882700214224e-10, 1.37200645467776856e-8, -1.62084838018717059e-7, 1.64474247033173624e-6,
                 -1.49247369074196603e-5, 1.20552949048397079e-4, -8.54832597538969208e-4, 5.22397760711642273e-3,
                 -2.68661706432377704e-2, 0.112837916709450063, -0.376126389031835404, 0.128379167095512567);
  Num<double> minus_log_erfc =
      polynomial(t, -1.0304447369091049e-12, 2.86070261770220296e-11, -3.65989114749766853e-10, 2.84946612956200396e-9,
                 -1.48489145136400225e-8, 5.18491305894961235e-8, -9.71341167974389749e-8, -1.43542652518314987e-7,
                 2.06057190656050845e-6, -9.60961147594893866e-6, 2.71595774652544884e-5, -2.62780956612194431e-5,
                 -2.37322407504654788e-4, 1.97790255100966264e-3, -1.00338253719162134e-2, 4.15610980415907547e-2,
                 0.843107256358686559, 2.63896751423478809, 1.84960550993324826);
  auto [n, p] = exp_parts(-minus_log_erfc, 0);
  return select(abs(x) < 1, x + x * small, copysign(1 - (p + 1) * power_of_two(n), x));
}
#undef BOLIDE_DOUBLE

}  // namespace bolide::inline BOLIDE_ISA
