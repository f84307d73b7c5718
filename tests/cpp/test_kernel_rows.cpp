// test_kernel_rows.cpp - CPU kernels of rows, random numbers and optimizers against plain loops in double.
#include <limits>

#include "kernel_support.h"
#include "kernels/philox.h"
#include "kernels/threads.h"
#include "runtime/errors.h"

namespace bolide {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNotANumber = std::nan("");
constexpr int64_t kShapes[][2] = {{1, 1}, {3, 7}, {5, 16}, {4, 63}, {2, 65}, {3, 1000}, {70, 700}};

std::vector<double> log_softmax_of(const std::vector<double>& x, int64_t n) {
  std::vector<double> y;
  for (size_t r = 0; r < x.size() / size_t(n); r++) {
    const double *row = &x[r * size_t(n)], top = *std::max_element(row, row + n);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += std::exp(row[i] - top);
    for (int64_t i = 0; i < n; i++) y.push_back(row[i] - top - std::log(sum));
  }
  return y;
}

// ---- softmax -----------------------------------------------------------------------------------------------

template <class S>
void check_softmax(int64_t rows, int64_t n, bool logarithm) {
  auto x = random_numbers<S>(rows * n, 1), out = x;
  for (S& v : x) v = from_double<S>(to_double(v) * 4);
  const auto g = random_numbers<S>(rows * n, 2);
  std::vector<double> y = log_softmax_of(doubles(x), n), gradient;
  if (!logarithm)
    for (double& v : y) v = std::exp(v);
  SoftmaxCall call;
  call.log = logarithm, call.dtype = dtype_of<S>(), call.rows = rows, call.columns = n, call.x = x.data(),
  call.out = out.data();
  cpu_kernels().softmax(call);
  const std::string what = str("softmax ", name_of(call.dtype), " ", rows, "x", n, logarithm ? " log" : "");
  expect_close(out, y, logarithm ? 1 : 1e-3, what);
  // The gradient at the outputs that there are, which are rounded.
  const std::vector<double> yd = doubles(out), gd = doubles(g);
  for (int64_t r = 0; r < rows; r++) {
    double sum = 0;
    for (int64_t i = r * n; i < (r + 1) * n; i++) sum += gd[size_t(i)] * (logarithm ? 1 : yd[size_t(i)]);
    for (int64_t i = r * n; i < (r + 1) * n; i++)
      gradient.push_back(logarithm ? gd[size_t(i)] - std::exp(yd[size_t(i)]) * sum
                                   : (gd[size_t(i)] - sum) * yd[size_t(i)]);
  }
  std::vector<S> dx(x.size());
  call.backward = true, call.x = out.data(), call.g = g.data(), call.out = dx.data();
  cpu_kernels().softmax(call);
  expect_close(dx, gradient, 1, what + ", gradient");
}
TEST(KernelRows, SoftmaxAndItsGradient) {
  for (const auto& s : kShapes)
    for (const bool logarithm : {false, true})
      for_float_types([&]<class S> { check_softmax<S>(s[0], s[1], logarithm); });
}
TEST(KernelRows, SoftmaxOfExtremes) {
  const float high = 3e38f, infinite = float(kInfinity), nan = float(kNotANumber);
  std::vector<float> x = {high, -high, 0, /**/ -infinite, 0, 0, /**/ nan, 0, 0, /**/ infinite, 0, 0}, y(12);
  SoftmaxCall call;
  call.rows = 4, call.columns = 3, call.x = x.data(), call.out = y.data();
  cpu_kernels().softmax(call);
  expect_close(y, {1, 0, 0, 0, 0.5, 0.5, nan, nan, nan, nan, nan, nan}, 0, "softmax");
  call.rows = 0;
  cpu_kernels().softmax(call);
}

// ---- cross entropy -----------------------------------------------------------------------------------------

template <class S>
void check_cross_entropy(int64_t rows, int64_t n, bool logits, bool weighted) {
  using T = std::conditional_t<std::is_same_v<S, double>, double, float>;
  auto x = random_numbers<S>(rows * n, 1);
  for (S& v : x) v = from_double<S>(to_double(v) * (logits ? 5 : 1));
  auto weight = random_numbers<S>(n, 2), g = random_numbers<S>(rows, 3);
  for (S& v : weight) v = from_double<S>(std::abs(to_double(v)) + 0.1);
  std::vector<int64_t> target;
  for (int64_t r = 0; r < rows; r++) target.push_back(r % 5 == 2 ? -7 : r * 31 % n);
  const std::vector<double> xd = doubles(x), probabilities = logits ? log_softmax_of(xd, n) : xd;
  std::vector<double> losses, row_weights, gradient;
  for (int64_t r = 0; r < rows; r++) {
    const int64_t t = target[size_t(r)];
    const double w = t < 0 ? 0 : weighted ? to_double(weight[size_t(t)]) : 1;
    losses.push_back(t < 0 ? 0 : -w * probabilities[size_t(r * n + t)]), row_weights.push_back(w);
    for (int64_t i = 0; i < n; i++)
      gradient.push_back(to_double(g[size_t(r)]) * w *
                         ((logits ? std::exp(probabilities[size_t(r * n + i)]) : 0) - double(i == t)));
  }
  std::vector<S> got(static_cast<size_t>(rows)), got_weights(got), out(x.size());
  std::vector<T> log_sums(static_cast<size_t>(rows));
  Fault fault;
  CrossEntropyCall call;
  call.logits = logits, call.dtype = dtype_of<S>(), call.rows = rows, call.columns = n, call.ignore_index = -7;
  call.x = x.data(), call.target = target.data(), call.weight = weighted ? weight.data() : nullptr;
  call.losses = got.data(), call.row_weights = got_weights.data(), call.log_sums = log_sums.data(), call.fault = &fault;
  cpu_kernels().cross_entropy(call);
  const std::string what =
      str("cross entropy ", name_of(call.dtype), " ", rows, "x", n, logits ? "" : " of probabilities");
  expect_close(got, losses, 1, what);
  expect_close(got_weights, row_weights, 0, what + ", weights");
  EXPECT_EQ(fault.op, nullptr);
  call.backward = true, call.g = g.data(), call.out = out.data();
  cpu_kernels().cross_entropy(call);
  expect_close(out, gradient, 5, what + ", gradient");
}
TEST(KernelRows, CrossEntropyAndItsGradient) {
  for (const auto& s : kShapes)
    for (const bool logits : {true, false})
      for (const bool weighted : {true, false})
        for_float_types([&]<class S> { check_cross_entropy<S>(s[0], s[1], logits, weighted); });
}
TEST(KernelRows, CrossEntropyReportsTheFirstWrongClass) {
  std::vector<float> x(12, 0.0f), losses(4), weights(4), sums(4);
  const int64_t target[] = {0, -100, 3, -1};
  Fault fault;
  CrossEntropyCall call;
  call.rows = 4, call.columns = 3, call.x = x.data(), call.target = target, call.fault = &fault;
  call.losses = losses.data(), call.row_weights = weights.data(), call.log_sums = sums.data();
  cpu_kernels().cross_entropy(call);
  ASSERT_NE(fault.op, nullptr);
  EXPECT_EQ(str(fault.op, " ", fault.what, " ", fault.value, " ", fault.low, " ", fault.high),
            "cross_entropy classes 3 0 2");
}
TEST(KernelRows, CrossEntropyOfLargeLogitsIsExact) {
  std::vector<float> x = {1e6f, 1e6f - 1}, loss(1), weight(1), sums(1);
  const int64_t target[] = {1};
  CrossEntropyCall call;
  call.rows = 1, call.columns = 2, call.x = x.data(), call.target = target;
  call.losses = loss.data(), call.row_weights = weight.data(), call.log_sums = sums.data();
  cpu_kernels().cross_entropy(call);
  EXPECT_NEAR(loss[0], 1 + std::log1p(std::exp(-1.0)), 1e-6);
}

// ---- random ------------------------------------------------------------------------------------------------

TEST(KernelRandom, PhiloxGivesThePublishedWords) {  // the known answers of Random123
  struct Answer {
    uint64_t seed, offset, block;
    uint32_t words[4];
  };
  constexpr Answer kAnswers[] = {
      {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {~0ull, ~0ull, ~0ull, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const Answer& a : kAnswers) {
    const PhiloxBlock block = philox(a.seed, a.offset, a.block);
    for (int i = 0; i < 4; i++) EXPECT_EQ(block.word[i], a.words[i]);
  }
}

template <class S>
std::vector<S> draw(RandomCall::Kind kind, int64_t count, double a, double b, DType dtype = dtype_of<S>()) {
  std::vector<S> out(static_cast<size_t>(count));
  RandomCall call;
  call.kind = kind, call.dtype = dtype, call.seed = 42, call.offset = 5, call.count = count, call.out = out.data();
  call.a = a, call.b = b;
  cpu_kernels().random(call);
  return out;
}

TEST(KernelRandom, UniformNumbersAreTheWordsOfTheirElements) {
  const std::vector<float> u = draw<float>(RandomCall::Uniform, 100001, 0, 1);
  const std::vector<double> v = draw<double>(RandomCall::Uniform, 100001, 0, 1);
  for (const size_t i : {size_t(0), size_t(1), size_t(6), size_t(4095), size_t(77777), size_t(100000)}) {
    EXPECT_EQ(u[i], float(philox(42, 5, i / 4).word[i % 4] >> 8) * 0x1p-24f);
    const PhiloxBlock block = philox(42, 5, i / 2);
    const uint64_t bits = uint64_t(block.word[i % 2 * 2 + 1]) << 32 | block.word[i % 2 * 2];
    EXPECT_EQ(v[i], double(bits >> 11) * 0x1p-53);
  }
  const std::vector<float> fewer = draw<float>(RandomCall::Uniform, 4099, 0, 1);
  EXPECT_TRUE(std::equal(fewer.begin(), fewer.end(), u.begin()));
}

// The first four moments, which for n numbers are known to about 1 / sqrt(n).
void expect_moments(const std::vector<double>& x, double mean, double deviation, double fourth, const char* what) {
  double sums[5] = {};
  for (const double v : x)
    for (int p = 1; p <= 4; p++) sums[p] += std::pow((v - mean) / deviation, p) / double(x.size());
  const double near = 12 / std::sqrt(double(x.size()));
  EXPECT_NEAR(sums[1], 0, near) << what;
  EXPECT_NEAR(sums[2], 1, near) << what;
  EXPECT_NEAR(sums[3], 0, 3 * near) << what;
  EXPECT_NEAR(sums[4], fourth, 8 * near) << what;
}
TEST(KernelRandom, DistributionsHaveTheirMoments) {
  for_float_types([]<class S> {
    const std::vector<double> u = doubles(draw<S>(RandomCall::Uniform, 200001, -2, 4));
    EXPECT_GE(*std::min_element(u.begin(), u.end()), -2);
    EXPECT_LE(*std::max_element(u.begin(), u.end()), 4);
    expect_moments(u, 1, std::sqrt(3.0), 1.8, "uniform");
    const std::vector<double> z = doubles(draw<S>(RandomCall::Normal, 200001, 1, 3));
    expect_moments(z, 1, 3, 3, "normal");
    double neighbours = 0;
    for (size_t i = 0; i + 1 < z.size(); i += 2) neighbours += (z[i] - 1) * (z[i + 1] - 1) / 9;
    EXPECT_NEAR(neighbours / 100000, 0, 0.02);
    const std::vector<double> unit = doubles(draw<S>(RandomCall::Uniform, 200001, 0, 1));
    EXPECT_LT(*std::max_element(unit.begin(), unit.end()), 1);
  });
}
TEST(KernelRandom, IntegersFillTheirRange) {
  std::vector<int8_t> out(70001);
  RandomCall call;
  call.kind = RandomCall::Integers, call.dtype = DType::I8, call.count = 70001, call.out = out.data();
  call.low = -3, call.range = 7;
  cpu_kernels().random(call);
  int counts[7] = {};
  for (const int8_t v : out) {
    ASSERT_TRUE(v >= -3 && v <= 3);
    counts[v + 3]++;
  }
  for (const int c : counts) EXPECT_NEAR(c, 10000, 500);
  for (const uint64_t range : {~uint64_t(0), uint64_t(0)}) {  // 0 stands for 2^64
    std::vector<int64_t> wide(1000);
    call.dtype = DType::I64, call.count = 1000, call.out = wide.data();
    call.low = std::numeric_limits<int64_t>::min(), call.range = range;
    cpu_kernels().random(call);
    int64_t negative = 0;
    for (const int64_t v : wide) negative += v < 0;
    EXPECT_NEAR(double(negative), 500, 80);
  }
}
TEST(KernelRandom, DropoutKeepsAPartAndScalesIt) {
  for_float_types([]<class S> {
    const std::vector<S> x(100003, from_double<S>(3));
    for (const double p : {0.0, 0.25, 1.0}) {
      std::vector<S> out(x.size());
      RandomCall call;
      call.kind = RandomCall::Dropout, call.dtype = dtype_of<S>(), call.seed = 1, call.count = int64_t(x.size());
      call.out = out.data(), call.x = x.data(), call.a = p;
      cpu_kernels().random(call);
      double kept = 0;
      for (const S v : out) {
        if (to_double(v) == 0) continue;
        kept++;
        ASSERT_NEAR(to_double(v), 3 / (1 - p), 0.02);
      }
      EXPECT_NEAR(kept / double(x.size()), 1 - p, p == 0.25 ? 0.01 : 0);
    }
  });
}
TEST(KernelRandom, Arange) {
  std::vector<int64_t> integers(5);
  std::vector<double> numbers(5);
  ArangeCall call;
  call.count = 5, call.dtype = DType::I64, call.out = integers.data();
  call.integer_start = (int64_t(1) << 60) + 1, call.integer_step = -3;
  cpu_kernels().arange(call);
  call.dtype = DType::F64, call.out = numbers.data(), call.start = 0.5, call.step = 0.1;
  cpu_kernels().arange(call);
  for (int i = 0; i < 5; i++) {
    EXPECT_EQ(integers[size_t(i)], (int64_t(1) << 60) + 1 - 3 * i);
    EXPECT_EQ(numbers[size_t(i)], 0.5 + i * 0.1);
  }
}

// ---- optimizers --------------------------------------------------------------------------------------------

// A few parameters of different sizes, and the same as one row of doubles.
template <class S>
struct Parameters {
  std::vector<std::vector<S>> arrays;
  explicit Parameters(unsigned seed, bool zero = false) {
    for (const int64_t n : {3, 20000, 1, 0, 17, 16384}) {
      arrays.push_back(random_numbers<S>(n, seed++));
      if (zero) std::fill(arrays.back().begin(), arrays.back().end(), from_double<S>(0));
    }
  }
  std::vector<S> flat() const {
    std::vector<S> all;
    for (const auto& a : arrays) all.insert(all.end(), a.begin(), a.end());
    return all;
  }
};

// S is rounded after every step, and so is the reference.
template <class S>
void round_to(std::vector<double>& v) {
  for (double& x : v) x = to_double(from_double<S>(x));
}

template <class S>
void check_sgd(double momentum, double dampening, double decay, bool nesterov, bool maximize) {
  Parameters<S> p(1), buffer(0, true);
  std::vector<double> pd = doubles(p.flat()), bd(pd.size());
  for (int step = 0; step < 3; step++) {
    const Parameters<S> g(10 + unsigned(step));
    const std::vector<double> gd = doubles(g.flat());
    std::vector<SgdItem> items;
    for (size_t i = 0; i < p.arrays.size(); i++)
      items.push_back({dtype_of<S>(), int64_t(p.arrays[i].size()), p.arrays[i].data(), g.arrays[i].data(),
                       momentum != 0 ? buffer.arrays[i].data() : nullptr});
    SgdCall call;
    call.items = items.data(), call.item_count = int64_t(items.size()), call.lr = 0.1, call.momentum = momentum;
    call.dampening = dampening, call.weight_decay = decay, call.nesterov = nesterov, call.maximize = maximize;
    call.first_step = step == 0;
    cpu_kernels().sgd_step(call);
    for (size_t i = 0; i < pd.size(); i++) {
      const double d = (maximize ? -gd[i] : gd[i]) + decay * pd[i];
      double direction = d;
      if (momentum != 0) {
        bd[i] = step == 0 ? d : momentum * bd[i] + (1 - dampening) * d;
        direction = nesterov ? d + momentum * bd[i] : bd[i];
      }
      pd[i] -= 0.1 * direction;
    }
    round_to<S>(pd), round_to<S>(bd);
  }
  expect_close(p.flat(), pd, 2, "sgd");
}
TEST(KernelOptimizers, SgdFollowsItsFormulas) {
  for_float_types([]<class S> {
    check_sgd<S>(0, 0, 0, false, false);
    check_sgd<S>(0.9, 0, 0.01, false, false);
    check_sgd<S>(0.9, 0.5, 0, false, true);
    check_sgd<S>(0.8, 0, 0.1, true, false);
  });
}

template <class S>
void check_adam(double beta1, double decay, bool decoupled, bool amsgrad, bool maximize) {
  const double lr = 0.01, beta2 = 0.99, eps = 1e-6;
  Parameters<S> p(1), m(0, true), v(0, true), most(0, true);
  std::vector<double> pd = doubles(p.flat()), md(pd.size()), vd(pd.size()), xd(pd.size());
  for (int step = 1; step <= 3; step++) {
    const Parameters<S> g(10 + unsigned(step));
    const std::vector<double> gd = doubles(g.flat());
    std::vector<AdamItem> items;
    for (size_t i = 0; i < p.arrays.size(); i++)
      items.push_back({dtype_of<S>(), int64_t(p.arrays[i].size()), p.arrays[i].data(), g.arrays[i].data(),
                       m.arrays[i].data(), v.arrays[i].data(), amsgrad ? most.arrays[i].data() : nullptr});
    AdamCall call;
    call.items = items.data(), call.item_count = int64_t(items.size()), call.step = step, call.lr = lr;
    call.beta1 = beta1, call.beta2 = beta2, call.eps = eps, call.weight_decay = decay;
    call.decoupled = decoupled, call.maximize = maximize;
    cpu_kernels().adam_step(call);
    for (size_t i = 0; i < pd.size(); i++) {
      double d = maximize ? -gd[i] : gd[i];
      if (decoupled) pd[i] -= lr * decay * pd[i];
      else d += decay * pd[i];
      md[i] = beta1 * md[i] + (1 - beta1) * d, vd[i] = beta2 * vd[i] + (1 - beta2) * d * d;
      xd[i] = std::max(xd[i], vd[i]);
      const double root = std::sqrt((amsgrad ? xd[i] : vd[i]) / (1 - std::pow(beta2, step)));
      pd[i] -= lr / (1 - std::pow(beta1, step)) * md[i] / (root + eps);
    }
    round_to<S>(pd), round_to<S>(md), round_to<S>(vd), round_to<S>(xd);
  }
  expect_close(p.flat(), pd, 1, "adam");
}
TEST(KernelOptimizers, AdamFollowsItsFormulas) {
  for_float_types([]<class S> {
    check_adam<S>(0.9, 0, false, false, false);
    check_adam<S>(0.9, 0.1, false, true, false);
    check_adam<S>(0.9, 0.1, true, false, true);
    check_adam<S>(0.3, 0, true, true, false);
  });
}
TEST(KernelOptimizers, AWrongTypeChangesNothing) {
  float p = 1, g = 1, m = 0, v = 0;
  const AdamItem items[] = {{DType::F32, 1, &p, &g, &m, &v, nullptr}, {DType::I32, 1, &p, &g, &m, &v, nullptr}};
  AdamCall call;
  call.items = items, call.item_count = 2, call.lr = 1;
  EXPECT_THROW(cpu_kernels().adam_step(call), Error);
  EXPECT_EQ(p, 1);
}

}  // namespace
}  // namespace bolide
