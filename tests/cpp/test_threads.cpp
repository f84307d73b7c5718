// test_threads.cpp - the thread pool: every chunk runs once, whatever else happens, and results are the same.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "kernel_support.h"
#include "kernels/threads.h"
#include "runtime/errors.h"

namespace bolide {
namespace {

// Sets the number of threads for a test, and afterwards back.
class ThreadCount {
 public:
  explicit ThreadCount(int n) : before_(thread_count()) { set_thread_count(n); }
  ~ThreadCount() { set_thread_count(before_); }

 private:
  int before_;
};

TEST(Threads, EveryChunkRunsOnce) {
  for (const int threads : {1, 2, 5}) {
    ThreadCount count(threads);
    for (const int64_t chunks : {0, 1, 2, 3, 1000}) {
      std::vector<std::atomic<int>> runs(static_cast<size_t>(chunks));
      parallel(chunks, [&](int64_t i) { runs[size_t(i)]++; });
      for (const auto& r : runs) EXPECT_EQ(r, 1);
    }
  }
}
TEST(Threads, RowsAreCutWithoutGaps) {
  ThreadCount count(3);
  for (const int64_t rows : {0, 1, 7, 100}) {
    std::vector<std::atomic<int>> runs(static_cast<size_t>(rows));
    parallel_rows(rows, 8, [&](int64_t begin, int64_t end) {
      EXPECT_LE(end - begin, 8);
      for (int64_t i = begin; i < end; i++) runs[size_t(i)]++;
    });
    for (const auto& r : runs) EXPECT_EQ(r, 1);
  }
}
TEST(Threads, MoreThreadsThanCpusAndBack) {
  for (const int threads : {32, 1, 3, 2}) {
    ThreadCount count(threads);
    EXPECT_EQ(thread_count(), threads);
    std::atomic<int64_t> sum{0};
    for (int repeat = 0; repeat < 50; repeat++) parallel(64, [&](int64_t i) { sum += i; });
    EXPECT_EQ(sum, 50 * 2016);
  }
}
TEST(Threads, CountIsChecked) {
  for (const int wrong : {0, -1, 1 << 20}) {
    try {
      set_thread_count(wrong);
      ADD_FAILURE() << wrong << " was accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::Value);
      EXPECT_NE(std::string(e.what()).find(str("got ", wrong)), std::string::npos) << e.what();
    }
  }
}
TEST(Threads, ChunksWithinChunksRunAlone) {
  ThreadCount count(4);
  std::atomic<int> runs{0};
  parallel(8, [&](int64_t) { parallel(8, [&](int64_t) { runs++; }); });
  EXPECT_EQ(runs, 64);
}
TEST(Threads, CallersDoNotWaitForEachOther) {
  ThreadCount count(3);
  std::atomic<int64_t> runs{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; c++)
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 200; repeat++) parallel(16, [&](int64_t) { runs++; });
    });
  for (std::thread& t : callers) t.join();
  EXPECT_EQ(runs, 4 * 200 * 16);
}
TEST(Threads, AnExceptionReachesTheCaller) {
  for (const int threads : {1, 4}) {
    ThreadCount count(threads);
    EXPECT_THROW(parallel(100,
                          [](int64_t i) {
                            if (i % 10 == 3) throw std::runtime_error("chunk");
                          }),
                 std::runtime_error);
    std::atomic<int> runs{0};
    parallel(100, [&](int64_t) { runs++; });  // and the pool still works
    EXPECT_EQ(runs, 100);
  }
}
TEST(Threads, AChildOfForkHasAPoolOfItsOwn) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer ends a child of fork that starts threads";
#endif
  ThreadCount count(3);
  std::atomic<int> before{0};
  parallel(16, [&](int64_t) { before++; });
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(20);  // a child that hangs is ended
    std::atomic<int> runs{0};
    for (int repeat = 0; repeat < 100; repeat++) parallel(16, [&](int64_t) { runs++; });
    _exit(runs == 1600 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  parallel(16, [&](int64_t) { before++; });
  EXPECT_EQ(before, 32);
}
TEST(Threads, ScratchIsAlignedAndKept) {
  auto* p = static_cast<char*>(scratch(7, 100));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % 64, 0u);
  p[99] = 5;
  EXPECT_EQ(scratch(7, 50), p);
  auto* larger = static_cast<char*>(scratch(7, 5 << 20));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(larger) % 64, 0u);
  larger[(5 << 20) - 1] = 1;
  EXPECT_NE(scratch(6, 100), scratch(7, 100));
}

// The bits of everything that a few kernels compute.
std::vector<float> results() {
  std::vector<float> all;
  const auto a = random_numbers<float>(300 * 260, 1), b = random_numbers<float>(260 * 310, 2);
  std::vector<float> c(300 * 310);
  MatmulCall matmul;
  matmul.m = 300, matmul.n = 310, matmul.k = 260, matmul.a = a.data(), matmul.a_row = 260, matmul.a_column = 1;
  matmul.b = b.data(), matmul.b_row = 310, matmul.b_column = 1, matmul.c = c.data(), matmul.c_row = 310;
  cpu_kernels().matmul(matmul);
  all.insert(all.end(), c.begin(), c.end());

  auto x = random_numbers<float>(12 * 20 * 15 * 15, 3), y = random_numbers<float>(12 * 30 * 13 * 13, 4);
  std::vector<float> w(30 * 20 * 9);
  ConvolutionCall convolution;
  convolution.mode = ConvolutionCall::WeightGradient, convolution.images = 12, convolution.in_channels = 20;
  convolution.height = convolution.width = 15, convolution.out_channels = 30;
  convolution.kernel_height = convolution.kernel_width = 3, convolution.out_height = convolution.out_width = 13;
  convolution.input = x.data(), convolution.output = y.data(), convolution.weight = w.data();
  cpu_kernels().convolution(convolution);
  all.insert(all.end(), w.begin(), w.end());

  std::vector<float> normals(100000);
  RandomCall random;
  random.kind = RandomCall::Normal, random.count = 100000, random.out = normals.data();
  cpu_kernels().random(random);
  all.insert(all.end(), normals.begin(), normals.end());
  return all;
}
TEST(Threads, ResultsDoNotDependOnTheirNumber) {
  std::vector<std::vector<float>> all;
  for (const int threads : {1, 2, 3, 7}) {
    ThreadCount count(threads);
    all.push_back(results());
  }
  for (const auto& r : all) EXPECT_EQ(r, all[0]);
}

}  // namespace
}  // namespace bolide
