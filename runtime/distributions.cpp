// distributions.cpp - random numbers of further distributions, by inverting their distribution functions.
//
// Each element is made of its own Philox number (philox.h), so a seed gives the same numbers on every device, up to
// what the devices' log and tan differ. To add a distribution: a function here, a row in bindings/random.cpp, a test
// against its distribution function in tests/python/test_random.py.
#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "runtime/autograd.h"
#include "runtime/backend.h"
#include "runtime/ops.h"
#include "runtime/random.h"

namespace bolide {
namespace {

// Uniform in [0, 1), with 53 bits: the tails of what is made of fewer would be cut off early.
Tensor uniform_like(const Tensor& self) { return rand(self.sizes(), {DType::F64, self.device()}); }

void check_floating(const char* op, const Tensor& self) {
  check(is_float(self.dtype()), ErrorKind::DType, op, "a floating-point dtype",
        [&] { return std::string(name_of(self.dtype())); });
}

// Takes the values, after the checks; the gradient of what was there before is zero.
template <class Make>
void fill(const char* op, const Tensor& self, const Make& make) {
  check_inplace(op, self);
  Tensor values;
  {
    GradMode off(false);
    values = make();
  }
  copy_(self, values);
}

// The whole numbers from 0 on (or their opposites) that the dtype holds without a gap.
struct Range {
  int64_t low, high;
};
Range range_of(DType dtype) {
  switch (dtype) {
    case DType::Bool: return {0, 1};
    case DType::U8: return {0, 255};
    case DType::I8: return {-128, 127};
    case DType::I16: return {INT16_MIN, INT16_MAX};
    case DType::I32: return {INT32_MIN, INT32_MAX};
    case DType::F16: return {-2048, 2048};
    case DType::BF16: return {-256, 256};
    case DType::F32: return {-(1 << 24), 1 << 24};
    case DType::F64: return {-(int64_t(1) << 53), int64_t(1) << 53};
    default: return {INT64_MIN, INT64_MAX};
  }
}
// All whole numbers between the smallest and the largest one.
Range widest(DType dtype) {
  if (dtype == DType::F16) return {-65504, 65504};
  return is_float(dtype) ? Range{INT64_MIN, INT64_MAX} : range_of(dtype);
}
// The nearest number below that the dtype holds: the number less what its digits have no room for.
int64_t rounded_down(int64_t v, const Range& exact) {
  const uint64_t size = v < 0 ? -uint64_t(v) : uint64_t(v), most = uint64_t(exact.high);
  if (size <= most) return v;
  const int spare = std::bit_width(size) - (std::bit_width(most) - 1);
  return int64_t(uint64_t(v >> spare) << spare);
}
int64_t rounded_up(int64_t v, const Range& exact) { return v == INT64_MIN ? v : -rounded_down(-v, exact); }

}  // namespace

void exponential_(const Tensor& self, double rate) {
  check_floating("exponential_", self);
  check(rate > 0, ErrorKind::Shape, "exponential_", "a lambd above 0", [&] { return str(rate); });
  // Never 0: the smallest number stands for the middle of its interval.
  fill("exponential_", self, [&] { return div(maximum(neg(log1p(neg(uniform_like(self)))), 0x1p-54), rate); });
}

void geometric_(const Tensor& self, double p) {
  check(p > 0 && p < 1, ErrorKind::Shape, "geometric_", "a p between 0 and 1", [&] { return str(p); });
  fill("geometric_", self, [&] { return add(floor(div(log1p(neg(uniform_like(self))), std::log1p(-p))), 1); });
}

void cauchy_(const Tensor& self, double median, double sigma) {
  check_floating("cauchy_", self);
  check(sigma > 0, ErrorKind::Shape, "cauchy_", "a sigma above 0", [&] { return str(sigma); });
  fill("cauchy_", self,
       [&] { return add(mul(tan(mul(sub(uniform_like(self), 0.5), 3.14159265358979324)), sigma), median); });
}

void log_normal_(const Tensor& self, double mean, double std) {
  check_floating("log_normal_", self);
  check(std > 0, ErrorKind::Shape, "log_normal_", "a standard deviation above 0", [&] { return str(std); });
  fill("log_normal_", self, [&] {
    const Tensor normal = empty(self.sizes(), {self.dtype() == DType::F64 ? DType::F64 : DType::F32, self.device()});
    normal_(normal, mean, std);
    return exp(normal);
  });
}

void random_(const Tensor& self, std::optional<int64_t> from, std::optional<int64_t> to) {
  check(!is_complex(self.dtype()), ErrorKind::NotImplemented, "random_", "a real dtype",
        [&] { return describe(self); });
  const Range exact = range_of(self.dtype()), most = widest(self.dtype());
  int64_t low = from.value_or(0), last = exact.high;
  if (to) {
    check(low < *to, ErrorKind::Shape, "random_", "from below to", [&] { return str(low, " and ", *to); });
    last = *to - 1;
  }
  check(low >= most.low && last <= most.high && low <= last, ErrorKind::Shape, "random_",
        str("bounds within [", most.low, ", ", most.high, "] for ", name_of(self.dtype())),
        [&] { return str(low, " and ", last); });
  if (low < exact.low || last > exact.high) {
    warn(str("[random_] expected bounds within [", exact.low, ", ", exact.high, "] for ", name_of(self.dtype()),
             ", got ", low, " and ", last, ": only some of these numbers are among its own."));
    low = rounded_up(low, exact), last = rounded_down(last, exact);
  }
  fill("random_", self, [&] { return randint_up_to(low, last, self.sizes(), {DType::I64, self.device()}); });
}

Tensor bernoulli(const Tensor& probability) {
  check_floating("bernoulli", probability);
  const Tensor out = empty_like(probability, probability.dtype());
  bernoulli_(out, probability);
  return out;
}

void bernoulli_(const Tensor& self, const Arg& probability) {
  if (!probability.tensor) {
    const double p = probability.scalar.real;
    check(p >= 0 && p <= 1, ErrorKind::Shape, "bernoulli_", "a probability in [0, 1]", [&] { return str(p); });
  } else {
    check_floating("bernoulli", *probability.tensor);
    // Elsewhere it would wait for the device; there such an element is 0 or 1.
    const Tensor p = detach(*probability.tensor);
    if (p.device().is_cpu() && !item(all(logical_and(ge(p, 0), le(p, 1)))).integer)
      raise(ErrorKind::Shape, "bernoulli", "probabilities in [0, 1]", "another number, or NaN");
  }
  // A number of [0, 1) is below 1 always, and below 0 never: these are exact.
  fill("bernoulli_", self, [&] {
    const Tensor uniform = rand(self.sizes(), {DType::F64, self.device()});
    if (probability.tensor) return lt(uniform, detach(*probability.tensor));
    return lt(uniform, probability);
  });
}

Tensor poisson(const Tensor& rate) {
  check_floating("poisson", rate);
  GradMode off(false);
  const Tensor rates = contiguous(to(rate, DType::F64)), out = empty(rate.sizes(), {DType::F64, rate.device()});
  if (rate.device().is_cpu() && rate.numel() && !item(all(ge(rate, 0))).integer)
    raise(ErrorKind::Shape, "poisson", "rates of zero or more", "a negative one, or NaN");
  fill_poisson(out, rates);
  return to(out, rate.dtype());
}

// ---- multinomial ---------------------------------------------------------------------------------------------
namespace {

// On the host: the numbers of a row depend on each other.
void check_weights(const double* w, int64_t n) {
  double total = 0;
  for (int64_t i = 0; i < n; i++) {
    if (!(w[i] >= 0 && std::isfinite(w[i])))
      raise(ErrorKind::Shape, "multinomial", "finite weights of zero or more", str(w[i]));
    total += w[i];
  }
  check(total > 0, ErrorKind::Shape, "multinomial", "a positive sum of weights", [&] { return str(total); });
}
// By the running sum: a weight of zero adds nothing, so no number falls on it.
void draw_with_replacement(const double* w, int64_t n, const double* uniform, int64_t samples, int64_t* out) {
  std::vector<double> sums(static_cast<size_t>(n));
  std::partial_sum(w, w + n, sums.begin());
  int64_t last = n - 1;
  while (w[last] == 0) last--;
  for (int64_t i = 0; i < samples; i++) {
    const int64_t at = std::upper_bound(sums.begin(), sums.end(), uniform[i] * sums[n - 1]) - sums.begin();
    out[i] = std::min(at, last);  // where the product was rounded up to the sum
  }
}
// The first of exponential clocks that ring at their weights' rates (Efraimidis and Spirakis 2006).
void draw_without_replacement(const double* w, int64_t n, const double* uniform, int64_t samples, int64_t* out) {
  std::vector<std::pair<double, int64_t>> times;
  for (int64_t i = 0; i < n; i++)
    if (w[i] > 0) times.push_back({-std::log1p(-uniform[i]) / w[i], i});
  check(int64_t(times.size()) >= samples, ErrorKind::Shape, "multinomial",
        str("at least ", samples, " weights above zero to draw from without replacement"),
        [&] { return str(times.size()); });
  std::partial_sort(times.begin(), times.begin() + samples, times.end());
  for (int64_t i = 0; i < samples; i++) out[i] = times[size_t(i)].second;
}

}  // namespace

Tensor multinomial(const Tensor& weights, int64_t samples, bool replacement) {
  check_floating("multinomial", weights);
  check(weights.rank() == 1 || weights.rank() == 2, ErrorKind::Shape, "multinomial", "one or two dimensions",
        [&] { return describe(weights); });
  const int64_t n = weights.size(-1 + weights.rank()), rows = weights.rank() == 2 ? weights.size(0) : 1;
  check(samples > 0, ErrorKind::Shape, "multinomial", "a number of samples above 0", [&] { return str(samples); });
  check(n > 0 && (replacement || samples <= n), ErrorKind::Shape, "multinomial",
        "no more samples than weights without replacement", [&] { return str(samples, " of ", n); });
  GradMode off(false);
  const Tensor host = contiguous(to(weights, DType::F64, Device{}));
  const int64_t numbers = replacement ? samples : n;
  const Tensor uniform = rand({rows, numbers}, {DType::F64, Device{}});
  Dims sizes = weights.sizes();
  sizes[weights.rank() - 1] = samples;
  const Tensor out = empty(sizes, {DType::I64, Device{}});
  for (int64_t r = 0; r < rows; r++) {
    const double *w = host.data<double>() + r * n, *u = uniform.data<double>() + r * numbers;
    check_weights(w, n);
    (replacement ? draw_with_replacement : draw_without_replacement)(w, n, u, samples,
                                                                     out.data<int64_t>() + r * samples);
  }
  return to(out, {}, weights.device());
}

}  // namespace bolide
