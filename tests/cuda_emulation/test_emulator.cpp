// test_emulator.cpp - the emulator on right kernels, in every order, and on kernels with one fault each.
//
// Faults that only a sanitizer sees are tested in the builds that have it (BOLIDE_SANITIZE=address or thread); under
// ThreadSanitizer the shapes are small, since every CUDA thread is a fiber of its own there.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include <sys/mman.h>

#include "example_kernels.hpp"

using cuda_emulation::config;
using cuda_emulation::EmulationError;
using cuda_emulation::Order;

namespace {

#if defined(__SANITIZE_THREAD__)
constexpr int kScale = 16;  // smaller by this
#else
constexpr int kScale = 1;
#endif

std::vector<float> random_values(size_t n, unsigned seed = 1) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(n);
  for (auto& value : values) value = uniform(generator);
  return values;
}

struct Mode {
  const char* name;
  Order order;
  uint64_t seed;
  int host_threads;
};
class Emulator : public ::testing::TestWithParam<Mode> {
 protected:
  void SetUp() override {
    config.order = GetParam().order, config.seed = GetParam().seed, config.host_threads = GetParam().host_threads;
  }
  void TearDown() override { config = {}; }
};
INSTANTIATE_TEST_SUITE_P(Orders, Emulator,
                         ::testing::Values(Mode{"Forward", Order::Forward, 1, 1}, Mode{"Reverse", Order::Reverse, 1, 1},
                                           Mode{"Random1", Order::Random, 1, 1}, Mode{"Random2", Order::Random, 2, 1},
                                           Mode{"TwoHostThreads", Order::Forward, 1, 2}),
                         [](const auto& info) { return info.param.name; });

TEST_P(Emulator, VectorAdditionWithATail) {
  const size_t n = 10007 / kScale;
  auto a = random_values(n), b = random_values(n, 2);
  std::vector<float> c(n);
  run_kernel(vector_add_kernel, dim3(unsigned(n / 1024 + 1)), dim3(256), 0, a.data(), b.data(), c.data(), long(n));
  for (size_t i = 0; i < n; i++) ASSERT_EQ(c[i], a[i] + b[i]) << i;
}
TEST_P(Emulator, SumsByShufflesAndABarrier) {
  const int n = 20001 / kScale;
  auto x = random_values(size_t(n));
  float sum = 0, sum_of_large_blocks = 0;
  double expected = 0;
  for (float value : x) expected += double(value);
  run_kernel(block_sum_kernel<256>, dim3(2), dim3(256), 0, x.data(), &sum, n);
  run_kernel(block_sum_kernel<1024>, dim3(1), dim3(1024), 0, x.data(), &sum_of_large_blocks, n);
  EXPECT_NEAR(sum, expected, 1e-2);
  EXPECT_NEAR(sum_of_large_blocks, expected, 1e-2);
}

template <bool kFault>
std::vector<float> multiply(int m, int n, int k) {
  auto a = random_values(size_t(m * k)), b = random_values(size_t(k * n), 3);
  std::vector<float> c(size_t(m * n));
  run_kernel(matmul_kernel<16, kFault>, dim3(unsigned(n + 15) / 16, unsigned(m + 15) / 16), dim3(16, 16), 0, a.data(),
             b.data(), c.data(), m, n, k);
  return c;
}
TEST_P(Emulator, TiledProductWithRaggedEdges) {
  const int m = kScale > 1 ? 17 : 45, n = 18, k = 35;
  auto a = random_values(size_t(m * k)), b = random_values(size_t(k * n), 3), c = multiply<false>(m, n, k);
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++) {
      double sum = 0;
      for (int p = 0; p < k; p++) sum += double(a[size_t(i * k + p)]) * double(b[size_t(p * n + j)]);
      ASSERT_NEAR(c[size_t(i * n + j)], sum, 1e-4);
    }
}
TEST_P(Emulator, HistogramInDynamicSharedMemory) {
  const int n = 30000 / kScale;
  std::vector<unsigned char> x(static_cast<size_t>(n));
  std::vector<int> bins(64), expected(64);
  for (int i = 0; i < n; i++) x[size_t(i)] = static_cast<unsigned char>(i * 7);
  for (auto value : x) expected[value % 64]++;
  run_kernel(histogram_kernel<64>, dim3(2), dim3(64), 64 * sizeof(int), x.data(), bins.data(), n);
  EXPECT_EQ(bins, expected);
}
TEST_P(Emulator, VotesAndShuffles) {
  std::vector<unsigned> out(32 * 8);
  run_kernel(votes_kernel, dim3(1), dim3(32), 0, out.data());
  for (unsigned lane = 0; lane < 32; lane++) {
    const unsigned* got = &out[lane * 8];
    unsigned same = 0;
    for (unsigned j = 0; j < 32; j++) same |= unsigned(j / 5 == lane / 5) << j;
    EXPECT_EQ(got[0], 0x49249249u);
    EXPECT_EQ(got[1], 1u);
    EXPECT_EQ(got[2], 0u);
    EXPECT_EQ(got[3], same);
    EXPECT_EQ(got[4], 7u);
    EXPECT_EQ(got[5], lane < 3 ? lane : lane - 3);
    EXPECT_EQ(got[6], lane % 16 + 3 < 16 ? lane + 3 : lane);
    EXPECT_EQ(got[7], 9u);
  }
}

// A warp-wide instruction of one's own: the sum over all lanes, of operands that the lanes bring.
struct SumOperands : cuda_emulation::CustomWarpOp {
  int value, result;
};
void sum_lanes(void** lanes, uint32_t) {
  int sum = 0;
  const auto operands = [&](int lane) -> SumOperands& {
    return *static_cast<SumOperands*>(static_cast<cuda_emulation::CustomWarpOp*>(lanes[lane]));
  };
  for (int lane = 0; lane < 32; lane++) sum += operands(lane).value;
  for (int lane = 0; lane < 32; lane++) operands(lane).result = sum;
}
void custom_kernel(int* out) {
  SumOperands operands{{sum_lanes}, int(threadIdx.x), 0};
  cuda_emulation::CustomWarpOp* base = &operands;
  cuda_emulation::warp_collective(cuda_emulation::WarpOp::Custom, ~0u, reinterpret_cast<uint64_t>(base), 0, 32,
                                  std::source_location::current());
  out[threadIdx.x] = operands.result;
}
TEST_P(Emulator, AnInstructionOfOnesOwn) {
  std::vector<int> out(32);
  run_kernel(custom_kernel, dim3(1), dim3(32), 0, out.data());
  EXPECT_EQ(out, std::vector<int>(32, 31 * 16));
}

// ------------------------------------------------------------------------ faults that the emulator itself reports
template <class F>
std::string error_of(F f) {
  try {
    f();
  } catch (const EmulationError& error) { return error.what(); }
  return "no error";
}
#define EXPECT_FAULT(statement, text) EXPECT_NE(error_of([&] { statement; }).find(text), std::string::npos) \
    << error_of([&] { statement; })

TEST(EmulatorFaults, AreReportedWithThreadAndLine) {
  std::vector<float> storage(4096);
  float* x = storage.data();
  const dim3 one(1), warp(32), two_warps(64);
  EXPECT_FAULT(run_kernel(divergent_barrier_kernel, one, warp, 0, x), "divergent barrier");
  EXPECT_FAULT(run_kernel(early_exit_kernel, one, two_warps, 0, x, 40), "already exited");
  EXPECT_FAULT(run_kernel(absent_lane_kernel, one, warp, 0, x), "has exited or does not exist");
  EXPECT_FAULT(run_kernel(wrong_mask_kernel, one, warp, 0, x), "not in its mask");
  EXPECT_FAULT(run_kernel(deadlock_kernel, one, warp, 0, x), "deadlock");
  EXPECT_FAULT(run_kernel(fill_kernel, one, dim3(2048), 0, x, 1.f, 8), "invalid launch");
  EXPECT_FAULT(run_kernel(fill_kernel, dim3(1, 65536), one, 0, x, 1.f, 8), "invalid launch");
  EXPECT_FAULT(run_kernel(shared_too_large_kernel, one, one, 0, x), "shared memory");
  EXPECT_FAULT(run_kernel(histogram_kernel<64>, one, warp, 49 * 1024, nullptr, nullptr, 0), "invalid launch");
  run_kernel(fill_kernel, one, warp, 0, x, 3.f, 32);  // usable after faults
  EXPECT_EQ(x[31], 3.f);
}
TEST(EmulatorFaults, SharedMemoryThatNobodyWroteIsNan) {
  std::vector<float> x(32);
  run_kernel(unwritten_shared_kernel, dim3(1), dim3(32), 0, x.data());
  EXPECT_TRUE(std::isnan(x[0]));
  EXPECT_EQ(x[1], 1.f);
}
#if !defined(__SANITIZE_THREAD__)
TEST(EmulatorFaults, AMissingBarrierChangesResultsBetweenOrders) {
  const auto forward = multiply<true>(32, 32, 64);
  config.order = Order::Reverse;
  const auto reverse = multiply<true>(32, 32, 64);
  config = {};
  EXPECT_NE(forward, reverse);
}
#endif

// ------------------------------------------------------------------- more than 2^31 elements, without the memory
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(EmulatorHugeSizes, ChosenBlocksOfASparseArray) {
  constexpr long kElements = (1l << 31) + 5000, kMiddle = 1l << 31;
  constexpr uint64_t kBlocks = (kElements + 255) / 256;
  const auto sparse = [] {
    void* p = mmap(nullptr, kElements * sizeof(float), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? nullptr : static_cast<float*>(p);
  };
  float *x = sparse(), *y = sparse();
  if (!x || !y) GTEST_SKIP() << "no address space for this test";
  x[0] = 5, x[kMiddle - 1] = 4, x[kElements - 1] = 3;
  config.block_filter = [](uint64_t block) {
    return block < 2 || (block + 2 > kMiddle / 256 && block < kMiddle / 256 + 2) || block + 2 > kBlocks;
  };
  run_kernel(scale_kernel<long>, dim3(unsigned(kBlocks)), dim3(256), 0, x, y, kElements);
  EXPECT_EQ(y[0], 10);
  EXPECT_EQ(y[kMiddle - 1], 8);
  EXPECT_EQ(y[kElements - 1], 6);
  EXPECT_DEATH(run_kernel(scale_kernel<int>, dim3(unsigned(kBlocks)), dim3(256), 0, x, y, kElements), "");
  config = {};
  munmap(x, kElements * sizeof(float)), munmap(y, kElements * sizeof(float));
}
#endif

// ----------------------------------------------------------------------------------- faults that a sanitizer sees
#if defined(__SANITIZE_ADDRESS__)
TEST(EmulatorDeathTest, AddressAndUndefined) {
  std::vector<float> x(64), y(64);
  EXPECT_DEATH(run_kernel(shared_overrun_kernel, dim3(1), dim3(32), 0, x.data()), "Sanitizer|runtime error");
  EXPECT_DEATH(run_kernel(global_overrun_kernel, dim3(3), dim3(32), 0, x.data()), "Sanitizer|runtime error");
  EXPECT_DEATH(run_kernel(misaligned_kernel, dim3(1), dim3(1), 0, x.data(), y.data()), "runtime error");
}
#endif
#if defined(__SANITIZE_THREAD__)
constexpr int kTsanExitCode = 66;
#define EXPECT_RACE(statement) \
  EXPECT_EXIT({ statement; std::exit(0); }, ::testing::ExitedWithCode(kTsanExitCode), "data race")
TEST(EmulatorDeathTest, Races) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  std::vector<float> x(64);
  EXPECT_RACE(multiply<true>(16, 16, 32));
  EXPECT_RACE(run_kernel(grid_race_kernel, dim3(8), dim3(32), 0, x.data()));
  EXPECT_RACE(run_kernel(warp_exchange_kernel<true>, dim3(1), dim3(32), 0, x.data()));
  EXPECT_EXIT(
      {
        run_kernel(warp_exchange_kernel<false>, dim3(1), dim3(32), 0, x.data());
        std::exit(0);
      },
      ::testing::ExitedWithCode(0), "");
}
#endif

}  // namespace
