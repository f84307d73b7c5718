// test_training.cpp - whole training steps through the runtime on the CUDA device beside the CPU: an MLP with dropout
// and Adam, a small convolutional network with SGD, indexing and errors on the way.
#include <gtest/gtest.h>

#include <cmath>

#include "runtime/autograd.h"
#include "runtime/memory_pool.h"
#include "runtime/ops.h"

namespace bolide {
namespace {

constexpr Device kCpu{}, kCuda{DeviceType::CUDA, 0};

std::vector<double> values_of(const Tensor& t) {
  const Tensor dense = contiguous(to(detach(t), DType::F64, kCpu));
  return {dense.data<double>(), dense.data<double>() + dense.numel()};
}
void expect_near(const Tensor& a, const Tensor& b, double tolerance, const std::string& what) {
  const std::vector<double> x = values_of(a), y = values_of(b);
  ASSERT_EQ(x.size(), y.size()) << what;
  for (size_t i = 0; i < x.size(); i++)
    ASSERT_TRUE(std::abs(x[i] - y[i]) <= tolerance * (1 + std::abs(x[i])))
        << what << " at " << i << ": " << x[i] << ", " << y[i];
}

// The same numbers on any device.
Tensor drawn(uint64_t seed, const Dims& sizes, double scale, Device device) {
  manual_seed(seed);
  return mul(randn(sizes, {DType::F32, device}), scale);
}
Tensor parameter(uint64_t seed, const Dims& sizes, double scale, Device device) {
  Tensor t = detach(drawn(seed, sizes, scale, device));
  set_requires_grad(t, true);
  return t;
}
Tensor classes(int64_t n, int64_t count, Device device) {
  return remainder(arange(0, n, 1, DType::I64, device), count);
}

TEST(CudaTraining, AnMlpWithDropoutAndAdam) {
  std::vector<std::vector<Tensor>> trained;
  std::vector<double> losses[2];
  for (Device device : {kCpu, kCuda}) {
    std::vector<Tensor> p = {parameter(1, {32, 20}, 0.2, device), parameter(2, {32}, 0.1, device),
                             parameter(3, {10, 32}, 0.2, device), parameter(4, {10}, 0.1, device)};
    std::vector<Tensor> means, squares;
    for (auto& t : p)
      means.push_back(zeros(t.sizes(), {DType::F32, device})),
          squares.push_back(zeros(t.sizes(), {DType::F32, device}));
    const Tensor x = drawn(5, {16, 20}, 1, device), y = classes(16, 10, device);
    for (int64_t step = 1; step <= 5; step++) {
      manual_seed(uint64_t(100 + step));
      const Tensor hidden = dropout(relu(linear(x, p[0], p[1])), 0.2, true);
      const Tensor loss = cross_entropy(linear(hidden, p[2], p[3]), y, {}, -100, LossReduction::mean, 0);
      const Tensor none[1];
      std::vector<Tensor> gradients = gradients_of({&loss, 1}, p, {none, 1}, {}, false);
      AdamOptions options;
      options.step = step, options.lr = 1e-2, options.weight_decay = 0.01, options.decoupled = true;
      const GradMode off(false);
      adam_step(p, gradients, means, squares, {}, options);
      losses[device.is_cpu() ? 0 : 1].push_back(values_of(loss)[0]);
    }
    trained.push_back(p);
  }
  for (size_t i = 0; i < losses[0].size(); i++) EXPECT_NEAR(losses[0][i], losses[1][i], 1e-4) << "step " << i;
  EXPECT_LT(losses[1].back(), losses[1].front());
  for (size_t i = 0; i < trained[0].size(); i++)
    expect_near(trained[0][i], trained[1][i], 1e-3, "parameter " + std::to_string(i));
}

TEST(CudaTraining, AConvolutionalNetworkWithSgd) {
  std::vector<std::vector<Tensor>> gradients;
  for (Device device : {kCpu, kCuda}) {
    const std::vector<Tensor> p = {parameter(1, {4, 1, 3, 3}, 0.3, device), parameter(2, {4}, 0.1, device),
                                   parameter(3, {5, 4 * 4 * 4}, 0.1, device)};
    const Tensor x = drawn(5, {6, 1, 8, 8}, 1, device), y = classes(6, 5, device);
    const Tensor features = relu(conv2d(x, p[0], p[1], {1, 1}, {1, 1}, {1, 1}, 1));
    const Tensor pooled = max_pool2d(features, {2, 2}, {2, 2}, {0, 0}, {1, 1}, false).values;
    const Tensor loss = nll_loss(log_softmax(matmul(flatten(pooled, 1), t(p[2])), 1), y, {}, -100, LossReduction::mean);
    const Tensor none[1];
    std::vector<Tensor> g = gradients_of({&loss, 1}, p, {none, 1}, {}, false);
    SgdOptions options;
    options.lr = 0.1;
    const GradMode off(false);
    sgd_step(p, g, {}, options);
    for (auto& parameter : p) g.push_back(parameter);
    gradients.push_back(g);
  }
  for (size_t i = 0; i < gradients[0].size(); i++)
    expect_near(gradients[0][i], gradients[1][i], 1e-4, "tensor " + std::to_string(i));
}

TEST(CudaTraining, MixedDtypesViewsAndIndices) {
  std::vector<Tensor> results;
  for (Device device : {kCpu, kCuda}) {
    const Tensor x = drawn(1, {7, 9}, 1, device), w = to(drawn(2, {9}, 1, device), DType::BF16);
    const Tensor rows = remainder(arange(0, 12, 1, DType::I64, device), 7);
    Tensor y = add(mul(transpose(x, 0, 1), 2.5), to(x, DType::F64).numel() ? unsqueeze(w, 1) : w);
    y = where(gt(y, 0.5), y, -1.0);
    Key keys[2];
    keys[0].kind = Key::Slice, keys[0].start = keys[0].stop = Key::kDefault;
    keys[1].kind = Key::Index, keys[1].index = rows;
    results.push_back(sum(index(y, keys), Dims{0}));
    results.push_back(to(var(y, Dims{1}), DType::F32));
    results.push_back(embedding(rows, x));
  }
  for (size_t i = 0; i < 3; i++) expect_near(results[i], results[i + 3], 1e-5, "result " + std::to_string(i));
}

// Every step gives its memory back to the pool: after the first ones it asks for no more.
TEST(CudaTraining, StepsLeaveThePoolAsItWas) {
  const Tensor w = parameter(1, {64, 64}, 0.1, kCuda), x = drawn(2, {32, 64}, 1, kCuda);
  int64_t allocated = 0, reserved = 0;
  for (int step = 0; step < 50; step++) {
    {
      const Tensor loss = mean(square(tanh(matmul(x, w)))), none[1];
      gradients_of({&loss, 1}, {&w, 1}, {none, 1}, {}, false);
    }
    const MemoryStats stats = memory_stats(kCuda);
    if (step == 5) allocated = stats.allocated, reserved = stats.reserved;
    if (step > 5) {
      ASSERT_EQ(stats.allocated, allocated) << step;
      ASSERT_EQ(stats.reserved, reserved) << step;
    }
  }
}

TEST(CudaTraining, AnIndexOutOfRangeIsAnError) {
  const Tensor table = drawn(1, {7, 3}, 1, kCuda), rows = full({2}, int64_t(7), {DType::I64, kCuda});
  try {
    to(embedding(rows, table), {}, kCpu);  // the device does not wait: the read raises
    ADD_FAILURE() << "row 7 of 7 was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Index) << error.what();
    EXPECT_NE(std::string(error.what()).find('7'), std::string::npos) << error.what();
  }
  expect_near(embedding(zeros({2}, {DType::I64, kCuda}), table),
              embedding(zeros({2}, {DType::I64, kCpu}), to(table, {}, kCpu)), 0, "after it");
}

}  // namespace
}  // namespace bolide
