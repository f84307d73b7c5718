// support.h - what the C++ tests share: tensors from numbers, and checks of values and errors.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "runtime/autograd.h"
#include "runtime/ops.h"

namespace bolide {

inline Tensor numbers(std::vector<double> values, const Dims& sizes, DType dtype = DType::F32, Device device = {}) {
  Tensor t = empty(sizes, {DType::F64});
  std::copy(values.begin(), values.end(), t.data<double>());
  return to(t, dtype, device, true);
}

inline std::vector<double> values_of(const Tensor& t) {
  const Tensor dense = contiguous(to(detach(t), DType::F64, Device{}));
  return {dense.data<double>(), dense.data<double>() + dense.numel()};
}

inline void expect_values(const Tensor& got, const std::vector<double>& wanted, double tolerance, const char* text) {
  const std::vector<double> values = values_of(got);
  ASSERT_EQ(values.size(), wanted.size()) << text;
  for (size_t i = 0; i < wanted.size(); i++) {
    const bool same = (std::isnan(wanted[i]) && std::isnan(values[i])) || values[i] == wanted[i] ||
                      std::abs(values[i] - wanted[i]) <= tolerance * (1 + std::abs(wanted[i]));
    EXPECT_TRUE(same) << text << " at " << i << ": got " << values[i] << ", expected " << wanted[i];
  }
}
#define EXPECT_VALUES(got, ...) expect_values(got, std::vector<double> __VA_ARGS__, 1e-6, #got)

// The expression throws an Error of this kind whose text holds `part`.
#define EXPECT_ERROR(expression, expected_kind, part)                                              \
  try {                                                                                            \
    (void)(expression);                                                                            \
    ADD_FAILURE() << #expression << " did not raise";                                              \
  } catch (const Error& e) {                                                                       \
    EXPECT_EQ(int(e.kind()), int(expected_kind)) << e.what();                                      \
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();                    \
  }

}  // namespace bolide
