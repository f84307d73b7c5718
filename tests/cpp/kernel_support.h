// kernel_support.h - what the tests of kernels share: arrays of any float type, and checks against doubles.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/cpu/cpu_kernels.h"
#include "kernels/half.h"

namespace bolide {

template <class S>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<S, F16>) return DType::F16;
  else if constexpr (std::is_same_v<S, BF16>) return DType::BF16;
  else if constexpr (std::is_same_v<S, float>) return DType::F32;
  else return DType::F64;
}
// The rounding of one number of type S, and a little more for sums.
template <class S>
constexpr double tolerance_of() {
  if constexpr (std::is_same_v<S, F16>) return 2e-3;
  else if constexpr (std::is_same_v<S, BF16>) return 1.6e-2;
  else if constexpr (std::is_same_v<S, float>) return 4e-6;
  else return 1e-13;
}

template <class S>
double to_double(S x) {
  if constexpr (std::is_class_v<S>) return to_float(x);
  else return double(x);
}
template <class S>
S from_double(double x) {
  if constexpr (std::is_class_v<S>) return store_as<S>(float(x));
  else return S(x);
}

// Numbers of a normal distribution, rounded to S: the same on every run.
template <class S>
std::vector<S> random_numbers(int64_t n, unsigned seed = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  std::vector<S> v(static_cast<size_t>(n));
  for (S& x : v) x = from_double<S>(normal(generator));
  return v;
}
template <class S>
std::vector<double> doubles(const std::vector<S>& v) {
  std::vector<double> d;
  for (S x : v) d.push_back(to_double(x));
  return d;
}

// |got - wanted| <= tolerance * (scale + |wanted|), and not-a-number in the same places.
template <class S>
void expect_close(const std::vector<S>& got, const std::vector<double>& wanted, double scale, const std::string& what) {
  ASSERT_EQ(got.size(), wanted.size()) << what;
  int wrong = 0;
  for (size_t i = 0; i < wanted.size() && wrong < 5; i++) {
    const double x = to_double(got[i]), y = wanted[i];
    const bool same =
        (std::isnan(x) && std::isnan(y)) || x == y || std::abs(x - y) <= tolerance_of<S>() * (scale + std::abs(y));
    if (same) continue;
    wrong++;
    ADD_FAILURE() << what << " at " << i << ": got " << x << ", expected " << y;
  }
}

template <class F>
void for_float_types(const F& f) {
  f.template operator()<float>();
  f.template operator()<double>();
  f.template operator()<F16>();
  f.template operator()<BF16>();
}

}  // namespace bolide
