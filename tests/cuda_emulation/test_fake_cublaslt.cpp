// test_fake_cublaslt.cpp - does the stand-in for cuBLASLt refuse what the real library refuses?
#include <gtest/gtest.h>

#include <cstring>

#include "fake_cudart.hpp"
#include "kernels/cuda/cublaslt_api.h"

using namespace bolide::cublaslt;

namespace {

// c = a b for column-major 4 x 3 times 3 x 2 of ones, whose arguments a test may spoil before it runs.
class Product : public ::testing::Test {
 protected:
  void SetUp() override {
    fake_cudart::reset();
    cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking);
    for (void** p : {&a_, &b_, &c_, &workspace_}) cudaMalloc(p, 1 << 16);
    std::vector<float> ones(1000, 1.f);
    for (void* p : {a_, b_}) cudaMemcpyAsync(p, ones.data(), 4000, cudaMemcpyHostToDevice, stream_);
    cudaMemsetAsync(c_, 0, 1 << 16, stream_);
    f_.create(&handle_);
    f_.desc_create(&desc_, ComputeType::F32, DataType::F32);
    f_.layout_create(&layout_a_, DataType::F32, 4, 3, 4);
    f_.layout_create(&layout_b_, DataType::F32, 3, 2, 3);
    f_.layout_create(&layout_c_, DataType::F32, 4, 2, 4);
    f_.preference_create(&preference_);
    const uint64_t bytes = 1 << 16;
    f_.preference_set(preference_, PreferenceAttribute::MaxWorkspaceBytes, &bytes, sizeof bytes);
  }
  void TearDown() override {
    f_.desc_destroy(desc_);
    for (Layout layout : {layout_a_, layout_b_, layout_c_}) f_.layout_destroy(layout);
    f_.preference_destroy(preference_);
    fake_cudart::reset();
  }
  Status ask() {
    int found = 0;
    const Status status =
        f_.heuristic(handle_, desc_, layout_a_, layout_b_, layout_c_, layout_c_, preference_, 1, &result_, &found);
    return status == Status::Success && !found ? Status::NotSupported : status;
  }
  Status run(size_t workspace_bytes = size_t(1) << 16) {
    const float one = 1, zero = 0;
    return f_.matmul(handle_, desc_, &one, a_, layout_a_, b_, layout_b_, &zero, c_, layout_c_, c_, layout_c_,
                     &result_.algorithm, workspace_, workspace_bytes, stream_);
  }

  const Functions& f_ = functions();
  cudaStream_t stream_ = nullptr;
  Handle handle_ = nullptr;
  MatmulDesc desc_ = nullptr;
  Layout layout_a_ = nullptr, layout_b_ = nullptr, layout_c_ = nullptr;
  Preference preference_ = nullptr;
  HeuristicResult result_{};
  void *a_ = nullptr, *b_ = nullptr, *c_ = nullptr, *workspace_ = nullptr;
};

TEST_F(Product, IsRight) {
  ASSERT_EQ(ask(), Status::Success);
  ASSERT_EQ(run(), Status::Success);
  float c[8];
  cudaMemcpyAsync(c, c_, sizeof c, cudaMemcpyDeviceToHost, stream_);
  ASSERT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  for (float value : c) EXPECT_EQ(value, 3.f);
}
TEST_F(Product, RefusesASmallLeadingDimension) {
  Layout layout = nullptr;
  EXPECT_EQ(f_.layout_create(&layout, DataType::F32, 4, 3, 3), Status::InvalidValue);
  f_.layout_destroy(layout);
}
TEST_F(Product, RefusesSizesThatDoNotFit) {
  const Operation transpose = Operation::Transpose;
  f_.desc_set(desc_, DescAttribute::TransposeA, &transpose, sizeof transpose);
  EXPECT_EQ(ask(), Status::InvalidValue);
}
TEST_F(Product, RefusesBatchesThatDiffer) {
  const int32_t batch = 2;
  f_.layout_set(layout_a_, LayoutAttribute::BatchCount, &batch, sizeof batch);
  EXPECT_EQ(ask(), Status::InvalidValue);
}
TEST_F(Product, RefusesAnAttributeOfTheWrongSize) {
  const int64_t batch = 2;
  EXPECT_EQ(f_.layout_set(layout_a_, LayoutAttribute::BatchCount, &batch, sizeof batch), Status::InvalidValue);
}
TEST_F(Product, RefusesPointersThatAreLessAlignedThanPromised) {
  ASSERT_EQ(ask(), Status::Success);
  a_ = static_cast<char*>(a_) + 4;
  EXPECT_EQ(run(), Status::InvalidValue);
  const uint32_t alignment = 4;
  f_.preference_set(preference_, PreferenceAttribute::AlignmentA, &alignment, sizeof alignment);
  ASSERT_EQ(ask(), Status::Success);
  EXPECT_EQ(run(), Status::Success);
}
TEST_F(Product, RefusesAnAlgorithmOfAnotherProblem) {
  ASSERT_EQ(ask(), Status::Success);
  result_.algorithm.data[0]++;
  EXPECT_EQ(run(), Status::InvalidValue);
}
TEST_F(Product, RefusesAWorkspaceThatIsTooSmallOrNotThere) {
  ASSERT_EQ(ask(), Status::Success);
  EXPECT_EQ(run(result_.workspace_bytes - 1), Status::InvalidValue);
  workspace_ = this;
  EXPECT_EQ(run(), Status::InvalidValue);
}
TEST_F(Product, RefusesABiasWithFloat64) {
  const Epilogue bias = Epilogue::Bias;
  f_.desc_set(desc_, DescAttribute::Epilogue, &bias, sizeof bias);
  EXPECT_EQ(ask(), Status::NotSupported) << "no pointer";
  f_.desc_set(desc_, DescAttribute::BiasPointer, &b_, sizeof b_);
  EXPECT_EQ(ask(), Status::Success);
}
TEST_F(Product, MatricesOutsideDeviceMemoryAreAFault) {
  ASSERT_EQ(ask(), Status::Success);
  cudaFree(b_);
  EXPECT_EQ(run(), Status::Success);
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorIllegalAddress);
}

}  // namespace
