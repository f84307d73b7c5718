// fft.cpp - Fourier transforms along one dimension; compiled once per ISA. fft_plan.h has the method.
//
// Only forward transforms are computed: the inverse one is the forward one of parts exchanged. A transform of real
// numbers is a complex one of half their number, and a step that parts the even from the odd ones.
#include <algorithm>

#include "kernels/cpu/fft_plan.h"
#include "kernels/cpu/simd.h"
#include "kernels/threads.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

template <class T>
constexpr int64_t kLanes = 64 / sizeof(T);

template <class T>
struct Parts {
  T *re, *im;
};

// ---- stages --------------------------------------------------------------------------------------------------
// Of V, a vector of T.
template <class T, class V>
BOLIDE_FN void butterfly(std::integral_constant<int, 2>, V* re, V* im) {
  const V r = re[1], i = im[1];
  re[1] = re[0] - r, im[1] = im[0] - i, re[0] += r, im[0] += i;
}
template <class T, class V>
BOLIDE_FN void butterfly(std::integral_constant<int, 3>, V* re, V* im) {
  const V sr = re[1] + re[2], si = im[1] + im[2], mr = re[0] - T(0.5) * sr, mi = im[0] - T(0.5) * si;
  const V dr = T(0.866025403784438647) * (im[1] - im[2]), di = T(0.866025403784438647) * (re[2] - re[1]);
  re[0] += sr, im[0] += si;
  re[1] = mr + dr, im[1] = mi + di, re[2] = mr - dr, im[2] = mi - di;
}
template <class T, class V>
BOLIDE_FN void butterfly(std::integral_constant<int, 4>, V* re, V* im) {
  const V ar = re[0] + re[2], ai = im[0] + im[2], br = re[0] - re[2], bi = im[0] - im[2];
  const V cr = re[1] + re[3], ci = im[1] + im[3], dr = im[1] - im[3], di = re[3] - re[1];
  re[0] = ar + cr, im[0] = ai + ci, re[1] = br + dr, im[1] = bi + di;
  re[2] = ar - cr, im[2] = ai - ci, re[3] = br - dr, im[3] = bi - di;
}
template <class T, class V>
BOLIDE_FN void butterfly(std::integral_constant<int, 5>, V* re, V* im) {
  constexpr T c1 = T(0.309016994374947424), c2 = T(-0.809016994374947424);
  constexpr T s1 = T(0.951056516295153572), s2 = T(0.587785252292473129);
  const V ar = re[1] + re[4], ai = im[1] + im[4], br = re[2] + re[3], bi = im[2] + im[3];
  const V cr = im[1] - im[4], ci = re[4] - re[1], dr = im[2] - im[3], di = re[3] - re[2];
  const V pr = re[0] + c1 * ar + c2 * br, pi = im[0] + c1 * ai + c2 * bi;
  const V qr = re[0] + c2 * ar + c1 * br, qi = im[0] + c2 * ai + c1 * bi;
  const V ur = s1 * cr + s2 * dr, ui = s1 * ci + s2 * di, vr = s2 * cr - s1 * dr, vi = s2 * ci - s1 * di;
  re[0] += ar + br, im[0] += ai + bi;
  re[1] = pr + ur, im[1] = pi + ui, re[4] = pr - ur, im[4] = pi - ui;
  re[2] = qr + vr, im[2] = qi + vi, re[3] = qr - vr, im[3] = qi - vi;
}
template <class T, class V>  // of the even and of the odd numbers, then of pairs of theirs
BOLIDE_FN void butterfly(std::integral_constant<int, 8>, V* re, V* im) {
  constexpr T c = T(0.707106781186547524);
  V er[4] = {re[0], re[2], re[4], re[6]}, ei[4] = {im[0], im[2], im[4], im[6]};
  V dr[4] = {re[1], re[3], re[5], re[7]}, di[4] = {im[1], im[3], im[5], im[7]};
  butterfly<T>(std::integral_constant<int, 4>(), er, ei);
  butterfly<T>(std::integral_constant<int, 4>(), dr, di);
  const V tr[4] = {dr[0], c * (dr[1] + di[1]), di[2], c * (di[3] - dr[3])};
  const V ti[4] = {di[0], c * (di[1] - dr[1]), -dr[2], -c * (dr[3] + di[3])};
#pragma GCC unroll 4
  for (int k = 0; k < 4; k++) {
    re[k] = er[k] + tr[k], im[k] = ei[k] + ti[k];
    re[k + 4] = er[k] - tr[k], im[k + 4] = ei[k] - ti[k];
  }
}

// From x, [radix][blocks][width], to y, [blocks][radix][width]; roots of radix * blocks lie `step` apart. The last stage
// has one block, whose roots are 1.
template <int kRadix, class T>
void stage(Parts<const T> x, Parts<T> y, int64_t blocks, int64_t width, const Complex<T>* roots, int64_t step) {
  using V = Vector<T>;
  auto turns = [&](int64_t p, auto turn) {
    const T *const xr = x.re + p * width, *const xi = x.im + p * width;
    T *const yr = y.re + p * kRadix * width, *const yi = y.im + p * kRadix * width;
    const int64_t apart = blocks * width;
    for (int64_t q = 0; q < width; q += kWidth<T>) {
      V re[kRadix], im[kRadix];
#pragma GCC unroll 8
      for (int j = 0; j < kRadix; j++) re[j] = load(xr + j * apart + q), im[j] = load(xi + j * apart + q);
      butterfly<T>(std::integral_constant<int, kRadix>(), re, im);
      store(yr + q, re[0]), store(yi + q, im[0]);
#pragma GCC unroll 8
      for (int k = 1; k < kRadix; k++) {
        turn(k, re[k], im[k]);
        store(yr + k * width + q, re[k]), store(yi + k * width + q, im[k]);
      }
    }
  };
  turns(0, [](int, V&, V&) {});
  for (int64_t p = 1; p < blocks; p++) {
    V wr[kRadix], wi[kRadix];
#pragma GCC unroll 8
    for (int k = 1; k < kRadix; k++) wr[k] = V{} + roots[p * k * step].re, wi[k] = V{} + roots[p * k * step].im;
    turns(p, [&](int k, V& re, V& im) {
      const V r = re, i = im;
      re = r * wr[k] - i * wi[k], im = r * wi[k] + i * wr[k];
    });
  }
}
template <class T>
void odd_stage(int radix, Parts<const T> x, Parts<T> y, int64_t blocks, int64_t width, const Complex<T>* roots,
               int64_t step) {
  const int64_t n = blocks * step * radix;
  for (int64_t p = 0; p < blocks; p++)
    for (int64_t k = 0; k < radix; k++) {
      T *const yr = y.re + (p * radix + k) * width, *const yi = y.im + (p * radix + k) * width;
      std::fill_n(yr, width, T(0)), std::fill_n(yi, width, T(0));
      for (int64_t j = 0; j < radix; j++) {
        const Complex<T> w = roots[(j * k % radix * (n / radix) + p * k * step) % n];
        const T *const xr = x.re + (j * blocks + p) * width, *const xi = x.im + (j * blocks + p) * width;
#pragma GCC ivdep
        for (int64_t q = 0; q < width; q++) {
          yr[q] += xr[q] * w.re - xi[q] * w.im;
          yi[q] += xr[q] * w.im + xi[q] * w.re;
        }
      }
    }
}
// All stages, to and fro between both buffers; gives the one that has the result.
template <class T>
Parts<T> transform_lanes(const Plan<T>& plan, Parts<T> x, Parts<T> y) {
  int64_t blocks = plan.n, width = kLanes<T>;
  for (const auto [radix] : plan.radices) {
    const int64_t step = plan.n / blocks;
    blocks /= radix;
    const Parts<const T> from = {x.re, x.im};
    switch (radix) {
      case 2: stage<2>(from, y, blocks, width, plan.roots.data(), step); break;
      case 3: stage<3>(from, y, blocks, width, plan.roots.data(), step); break;
      case 4: stage<4>(from, y, blocks, width, plan.roots.data(), step); break;
      case 5: stage<5>(from, y, blocks, width, plan.roots.data(), step); break;
      case 8: stage<8>(from, y, blocks, width, plan.roots.data(), step); break;
      default: odd_stage(radix, from, y, blocks, width, plan.roots.data(), step);
    }
    width *= radix;
    std::swap(x, y);
  }
  return x;
}

// ---- one dimension of an array -------------------------------------------------------------------------------
// Element i of lane l is at base[i * step + l * lane]. For the inverse transform its parts are exchanged.
template <class T, class Element>
struct Places {
  Element* base;
  int64_t step, lane;
};
template <class T>
using From = Places<T, const Complex<T>>;
template <class T>
using To = Places<T, Complex<T>>;

template <class T>
struct Work {  // two buffers of a thread
  Parts<T> x, y;
  explicit Work(int64_t n) {
    const int64_t size = n * kLanes<T> * int64_t(sizeof(T));
    char* memory = static_cast<char*>(scratch(0, 4 * size));
    auto at = [&](int i) { return reinterpret_cast<T*>(memory + i * size); };
    x = {at(0), at(1)}, y = {at(2), at(3)};
  }
};

// Of dense rows and full lanes: squares of real and imaginary parts are transposed in registers, read by in(i, l, k) and
// written by out(i, l, k, vector): row or column k of the square at element i and lane l. Returns how many elements of
// each row are done.
template <class T, class In, class Out>
BOLIDE_FN int64_t transpose_squares(int64_t n, In in, Out out) {
  constexpr int64_t kSide = kWidth<T>, kStep = kSide / 2;
  int64_t i = 0;
  for (; i + kStep <= n; i += kStep)
    for (int64_t l = 0; l < kLanes<T>; l += kSide) {
      Vector<T> v[kSide];
#pragma GCC unroll 16
      for (int64_t k = 0; k < kSide; k++) v[k] = in(i, l, k);
      transpose<T>(v);
#pragma GCC unroll 16
      for (int64_t k = 0; k < kSide; k++) out(i, l, k, v[k]);
    }
  return i;
}
template <class T>
int64_t load_squares(From<T> from, T* re, T* im, int64_t n) {
  return transpose_squares<T>(
      n, [=](int64_t i, int64_t l, int64_t k) { return load(&from.base[(l + k) * from.lane + i].re); },
      [=](int64_t i, int64_t l, int64_t k, Vector<T> v) { store((k % 2 ? im : re) + (i + k / 2) * kLanes<T> + l, v); });
}
template <class T>
int64_t store_squares(const T* re, const T* im, To<T> to, int64_t n, T scale) {
  return transpose_squares<T>(
      n, [=](int64_t i, int64_t l, int64_t k) { return load((k % 2 ? im : re) + (i + k / 2) * kLanes<T> + l) * scale; },
      [=](int64_t i, int64_t l, int64_t k, Vector<T> v) { store(&to.base[(l + k) * to.lane + i].re, v); });
}
// Complex numbers side by side: their parts, in two vectors each, and back.
template <class T>
BOLIDE_FN void part(const Complex<T>* row, T* re, T* im) {
  typename VectorTypes<T>::Index even;
  for (int i = 0; i < kWidth<T>; i++) even[i] = 2 * i;
#pragma GCC unroll 4
  for (int64_t l = 0; l < kLanes<T>; l += kWidth<T>) {
    const Vector<T> v = load(&row[l].re), w = load(&row[l].re + kWidth<T>);
    store(re + l, __builtin_shuffle(v, w, even)), store(im + l, __builtin_shuffle(v, w, even + 1));
  }
}
template <class T>
BOLIDE_FN void join(const T* re, const T* im, Complex<T>* row, T scale) {
  const Zip<T> zip;
#pragma GCC unroll 4
  for (int64_t l = 0; l < kLanes<T>; l += kWidth<T>) {
    const Vector<T> v = load(re + l) * scale, w = load(im + l) * scale;
    store(&row[l].re, __builtin_shuffle(v, w, zip.low));
    store(&row[l].re + kWidth<T>, __builtin_shuffle(v, w, zip.high));
  }
}
// Lanes that nothing is loaded to are zero.
template <class T>
void load_lanes(From<T> from, Parts<T> x, int64_t n, int64_t lanes, bool inverse) {
  T *const re = inverse ? x.im : x.re, *const im = inverse ? x.re : x.im;
  int64_t done = 0;
  if (lanes < kLanes<T>) {
    std::fill_n(re, n * kLanes<T>, T(0)), std::fill_n(im, n * kLanes<T>, T(0));
  } else if (from.lane == 1) {
    for (; done < n; done++) part(from.base + done * from.step, re + done * kLanes<T>, im + done * kLanes<T>);
  } else if (from.step == 1) {
    done = load_squares(from, re, im, n);
  }
  for (int64_t i = done; i < n; i++) {
    const Complex<T>* row = from.base + i * from.step;
    for (int64_t l = 0; l < lanes; l++)
      re[i * kLanes<T> + l] = row[l * from.lane].re, im[i * kLanes<T> + l] = row[l * from.lane].im;
  }
}
template <class T>
void store_lanes(Parts<T> y, To<T> to, int64_t n, int64_t lanes, bool inverse, T scale) {
  const T *const re = inverse ? y.im : y.re, *const im = inverse ? y.re : y.im;
  int64_t done = 0;
  if (lanes == kLanes<T> && to.lane == 1) {
    for (; done < n; done++) join(re + done * kLanes<T>, im + done * kLanes<T>, to.base + done * to.step, scale);
  } else if (lanes == kLanes<T> && to.step == 1) {
    done = store_squares(re, im, to, n, scale);
  }
  for (int64_t i = done; i < n; i++) {
    Complex<T>* row = to.base + i * to.step;
    for (int64_t l = 0; l < lanes; l++)
      row[l * to.lane] = {re[i * kLanes<T> + l] * scale, im[i * kLanes<T> + l] * scale};
  }
}

template <class T>
void transform_block(const Plan<T>& plan, From<T> from, To<T> to, int64_t lanes, bool inverse, T scale) {
  const Work<T> work(plan.n);
  load_lanes(from, work.x, plan.n, lanes, inverse);
  store_lanes(transform_lanes(plan, work.x, work.y), to, plan.n, lanes, inverse, scale);
}
// f(first, count) for all lanes, in blocks that share a vector register or two.
template <class T, class F>
void each_block(int64_t lanes, const F& f) {
  parallel((lanes + kLanes<T> - 1) / kLanes<T>,
           [&](int64_t i) { f(i * kLanes<T>, std::min(kLanes<T>, lanes - i * kLanes<T>)); });
}

// A dense row as a matrix of columns->n x rows->n: columns, roots, rows. `middle` has room for a row.
template <class T>
void transform_long(const Plan<T>& plan, const Complex<T>* x, Complex<T>* y, Complex<T>* middle, bool inverse,
                    T scale) {
  const int64_t a = plan.columns->n, b = plan.rows->n;
  each_block<T>(b, [&](int64_t first, int64_t lanes) {
    const Work<T> work(a);
    load_lanes<T>({x + first, b, 1}, work.x, a, lanes, inverse);
    const Parts<T> found = transform_lanes(*plan.columns, work.x, work.y);
    for (int64_t k = 0; k < a; k++) {
      const T *turn_re = plan.turn_re.data() + k * b + first, *turn_im = plan.turn_im.data() + k * b + first;
      T *const re = found.re + k * kLanes<T>, *const im = found.im + k * kLanes<T>;
#pragma GCC ivdep
      for (int64_t l = 0; l < lanes; l++) {
        const T x_re = re[l], x_im = im[l];
        re[l] = x_re * turn_re[l] - x_im * turn_im[l], im[l] = x_re * turn_im[l] + x_im * turn_re[l];
      }
    }
    store_lanes<T>(found, {middle + first * a, 1, a}, a, lanes, false, T(1));
  });
  each_block<T>(a, [&](int64_t first, int64_t lanes) {
    const Work<T> work(b);
    load_lanes<T>({middle + first, a, 1}, work.x, b, lanes, false);
    store_lanes<T>(transform_lanes(*plan.rows, work.x, work.y), {y + first, a, 1}, b, lanes, inverse, scale);
  });
}

template <class T>
void transform_row(const Plan<T>& plan, const Complex<T>* x, Complex<T>* y, bool inverse, T scale);

// Bluestein: X[k] = c[k] sum x[j] c[j] conj(c)[k - j], a cyclic convolution of the longer length.
template <class T>
void transform_by_chirp(const Plan<T>& plan, const Complex<T>* x, Complex<T>* y, bool inverse, T scale) {
  const int64_t n = plan.n, m = plan.longer->n;
  std::vector<Complex<T>> row(size_t(2 * m), Complex<T>{0, 0});
  Complex<T>*const a = row.data(), *const b = a + m;
  auto turned = [inverse](Complex<T> z) { return inverse ? Complex<T>{z.im, z.re} : z; };
  for (int64_t k = 0; k < n; k++) a[k] = turned(x[k]) * plan.chirp[k];
  transform_row(*plan.longer, a, b, false, T(1));
  for (int64_t k = 0; k < m; k++) b[k] = b[k] * plan.spectrum[k];
  transform_row(*plan.longer, b, a, true, T(1) / T(m));
  for (int64_t k = 0; k < n; k++) {
    const Complex<T> z = turned(a[k] * plan.chirp[k]);
    y[k] = {z.re * scale, z.im * scale};
  }
}
template <class T>
void finish_plan(Plan<T>& plan) {
  const int64_t n = plan.n, m = plan.longer->n;
  std::vector<Complex<T>> inverse(size_t(m), Complex<T>{0, 0});
  for (int64_t k = 0; k < n; k++) inverse[k] = inverse[(m - k) % m] = {plan.chirp[k].re, -plan.chirp[k].im};
  plan.spectrum.resize(size_t(m));
  transform_row(*plan.longer, inverse.data(), plan.spectrum.data(), false, T(1));
}

template <class T>
void transform_row(const Plan<T>& plan, const Complex<T>* x, Complex<T>* y, bool inverse, T scale) {
  if (plan.longer) return transform_by_chirp(plan, x, y, inverse, scale);
  if (!plan.columns) return transform_block<T>(plan, {x, 1, plan.n}, {y, 1, plan.n}, 1, inverse, scale);
  auto* middle = static_cast<Complex<T>*>(scratch(1, plan.n * int64_t(sizeof(Complex<T>))));
  transform_long(plan, x, y, middle, inverse, scale);
}

// Dense arrays of outer x n x inner.
template <class T>
void transform(const Plan<T>& plan, const Complex<T>* x, Complex<T>* y, int64_t outer, int64_t inner, bool inverse,
               T scale) {
  const int64_t n = plan.n;
  if (inner == 1) {
    const bool by_row = plan.longer || (plan.columns && (n > kShort || outer < kLanes<T>));
    if (outer == 1) return transform_row(plan, x, y, inverse, scale);
    if (by_row) return parallel(outer, [&](int64_t r) { transform_row(plan, x + r * n, y + r * n, inverse, scale); });
    return each_block<T>(outer, [&](int64_t first, int64_t lanes) {
      transform_block<T>(plan, {x + first * n, 1, n}, {y + first * n, 1, n}, lanes, inverse, scale);
    });
  }
  if (plan.longer)
    return parallel(outer * inner, [&](int64_t i) {
      std::vector<Complex<T>> column(size_t(2 * n));
      const int64_t at = i / inner * n * inner + i % inner;
      for (int64_t k = 0; k < n; k++) column[k] = x[at + k * inner];
      transform_row(plan, column.data(), column.data() + n, inverse, scale);
      for (int64_t k = 0; k < n; k++) y[at + k * inner] = column[n + k];
    });
  const int64_t panels = (inner + kLanes<T> - 1) / kLanes<T>;
  parallel(outer * panels, [&](int64_t i) {
    const int64_t first = i % panels * kLanes<T>, at = i / panels * n * inner + first;
    transform_block<T>(plan, {x + at, inner, 1}, {y + at, inner, 1}, std::min(kLanes<T>, inner - first), inverse,
                       scale);
  });
}

// ---- real numbers --------------------------------------------------------------------------------------------
// Rows that are transformed together, so that what lies between stays in the cache.
template <class T, class F>
void each_group(const Plan<T>& plan, int64_t outer, const F& f) {
  const int64_t group = plan.n > kShort || plan.longer ? 1 : kLanes<T>;
  parallel_rows(outer, group, [&](int64_t begin, int64_t end) {
    f(begin, end - begin, static_cast<Complex<T>*>(scratch(2, (end - begin) * plan.n * int64_t(sizeof(Complex<T>)))));
  });
}
// Between the transform z of half as many complex numbers and that of the real ones: to[k] = s - i w d (+ i conj(w) d the
// other way), where s and d are z[k] plus and minus the conjugate of z[half - k], w root k; of 0 < k < half.
template <bool kBack, class T>
void tangle(const Complex<T>* z, const Complex<T>* roots, int64_t half, Complex<T>* to) {
  using V = Vector<T>;
  constexpr int kPairs = kWidth<T> / 2;
  typename VectorTypes<T>::Index turned, swapped, real, imaginary;
  V conjugate;
  for (int i = 0; i < kWidth<T>; i++) {
    turned[i] = kWidth<T> - 2 - (i & ~1) + (i & 1), swapped[i] = i ^ 1, real[i] = i & ~1, imaginary[i] = i | 1;
    conjugate[i] = i % 2 ? T(-1) : T(1);
  }
  const V sign = kBack ? -conjugate : conjugate;
  int64_t k = 1;
  for (; k + kPairs <= half; k += kPairs) {
    const V a = load(&z[k].re), w = load(&roots[k].re);
    const V b = __builtin_shuffle(load(&z[half - k - kPairs + 1].re), turned) * conjugate;
    const V d = a - b;
    store(&to[k].re, a + b + d * __builtin_shuffle(w, imaginary) +
                         __builtin_shuffle(d, swapped) * (__builtin_shuffle(w, real) * sign));
  }
  for (; k < half; k++) {
    const Complex<T> a = z[k], b = {z[half - k].re, -z[half - k].im}, w = roots[k], d = {a.re - b.re, a.im - b.im};
    const T s = kBack ? -w.re : w.re;
    to[k] = {a.re + b.re + d.re * w.im + d.im * s, a.im + b.im + d.im * w.im - d.re * s};
  }
}

template <class T>
void from_real(const T* x, Complex<T>* y, int64_t outer, int64_t n, T scale) {
  const int64_t half = n / 2, kept = half + 1;
  if (n % 2) {
    std::vector<Complex<T>> whole(size_t(2 * outer * n));
    Complex<T>*const in = whole.data(), *const out = in + outer * n;
    for (int64_t i = 0; i < outer * n; i++) in[i] = {x[i], T(0)};
    transform(*plan_of<T>(n), in, out, outer, 1, false, scale);
    for (int64_t r = 0; r < outer; r++) std::copy_n(out + r * n, kept, y + r * kept);
    return;
  }
  const auto plan = plan_of<T>(n), packed = plan_of<T>(half);
  each_group(*packed, outer, [&](int64_t first, int64_t rows, Complex<T>* z) {
    transform(*packed, reinterpret_cast<const Complex<T>*>(x + first * n), z, rows, 1, false, scale * T(0.5));
    for (Complex<T>* to = y + first * kept; rows > 0; rows--, z += half, to += kept) {
      to[0] = {2 * (z[0].re + z[0].im), 0}, to[half] = {2 * (z[0].re - z[0].im), 0};
      tangle<false>(z, plan->roots.data(), half, to);
    }
  });
}
// From half a spectrum, whose parts that have to be real are taken as that.
template <class T>
void to_real(const Complex<T>* x, T* y, int64_t outer, int64_t n, T scale) {
  const int64_t half = n / 2, kept = half + 1;
  if (n % 2) {
    std::vector<Complex<T>> whole(size_t(2 * outer * n));
    Complex<T>*const in = whole.data(), *const out = in + outer * n;
    for (int64_t r = 0; r < outer; r++) {
      const Complex<T>* z = x + r * kept;
      in[r * n] = {z[0].re, 0};
      for (int64_t k = 1; k < kept; k++) in[r * n + k] = z[k], in[r * n + n - k] = {z[k].re, -z[k].im};
    }
    transform(*plan_of<T>(n), in, out, outer, 1, true, scale);
    for (int64_t i = 0; i < outer * n; i++) y[i] = out[i].re;
    return;
  }
  const auto plan = plan_of<T>(n), packed = plan_of<T>(half);
  each_group(*packed, outer, [&](int64_t first, int64_t rows, Complex<T>* to) {
    const Complex<T>* z = x + first * kept;
    for (int64_t r = 0; r < rows; r++, z += kept) {
      to[r * half] = {z[0].re + z[half].re, z[0].re - z[half].re};
      tangle<true>(z, plan->roots.data(), half, to + r * half);
    }
    transform(*packed, to, reinterpret_cast<Complex<T>*>(y + first * n), rows, 1, true, scale);
  });
}

template <class T>
void run(const FftCall& call) {
  const T scale = T(call.scale);
  const auto* const x = static_cast<const Complex<T>*>(call.x);
  auto* const y = static_cast<Complex<T>*>(call.out);
  switch (call.kind) {
    case FftCall::Real: return from_real(static_cast<const T*>(call.x), y, call.outer, call.n, scale);
    case FftCall::ToReal: return to_real(x, static_cast<T*>(call.out), call.outer, call.n, scale);
    default: return transform(*plan_of<T>(call.n), x, y, call.outer, call.inner, call.kind == FftCall::Inverse, scale);
  }
}

}  // namespace

void fft(const FftCall& call) { call.dtype == DType::C128 ? run<double>(call) : run<float>(call); }

}  // namespace bolide::inline BOLIDE_ISA
