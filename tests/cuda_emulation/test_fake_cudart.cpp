// test_fake_cudart.cpp - the simulated runtime: what a caching pool gets wrong, faults, errors, graphs, many threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "example_kernels.hpp"

using fake_cudart::Policy;

namespace {

class FakeCudart : public ::testing::Test {
 protected:
  void SetUp() override { start(Policy::Lazy); }
  void TearDown() override { start(Policy::Lazy); }
  static void start(Policy policy) {
    fake_cudart::reset();
    fake_cudart::state().policy = policy;
  }
};

cudaStream_t make_stream() {
  cudaStream_t stream;
  EXPECT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  return stream;
}
float* device_floats(size_t n) {
  void* p = nullptr;
  EXPECT_EQ(cudaMalloc(&p, n * sizeof(float)), cudaSuccess);
  return static_cast<float*>(p);
}

// A pool of one block that is given out again at once. It may forget on purpose that another stream uses it.
struct Pool {
  bool records_streams;
  void* block = nullptr;
  cudaEvent_t used = nullptr;
  void* allocate(size_t bytes) {
    void* p = nullptr;
    if (block && (!used || cudaEventQuery(used) == cudaSuccess)) std::swap(p, block);
    else cudaMalloc(&p, bytes);
    return p;
  }
  void free(void* p, cudaStream_t other_user) {
    if (records_streams) {
      cudaEventCreateWithFlags(&used, cudaEventDisableTiming);
      cudaEventRecord(used, other_user);
    }
    block = p;
  }
};
// x is written on a, read on b, freed and allocated again on a. Did b still read what it should?
bool side_stream_reads_its_value(bool records_streams, uint64_t seed) {
  constexpr int n = 256;
  fake_cudart::reset();
  fake_cudart::state().random.seed(seed);
  Pool pool{records_streams};
  cudaStream_t a = make_stream(), b = make_stream();
  cudaEvent_t written;
  cudaEventCreateWithFlags(&written, 0);
  auto* x = static_cast<float*>(pool.allocate(n * sizeof(float)));
  float* y = device_floats(n);
  queue_kernel(fill_kernel, dim3(1), dim3(n), a, x, 7.f, n);
  cudaEventRecord(written, a);
  cudaStreamWaitEvent(b, written, 0);
  queue_kernel(copy_kernel, dim3(1), dim3(n), b, static_cast<const float*>(x), y, n);
  pool.free(x, b);
  auto* z = static_cast<float*>(pool.allocate(n * sizeof(float)));  // may be x again
  queue_kernel(fill_kernel, dim3(1), dim3(n), a, z, 99.f, n);
  std::vector<float> host(n);
  cudaMemcpyAsync(host.data(), y, n * sizeof(float), cudaMemcpyDeviceToHost, b);
  cudaStreamSynchronize(b);
  return std::all_of(host.begin(), host.end(), [](float value) { return value == 7.f; });
}

// What ran in which order on four streams made one after the other, wherever their memory lies.
std::vector<int> order_of_work(uint64_t seed, bool shuffle_addresses) {
  fake_cudart::reset();
  std::vector<cudaStream_t> old, streams;
  if (shuffle_addresses) {  // freed last to first, so that the next ones get descending addresses, or any other
    for (int k = 0; k < 4; k++) old.push_back(make_stream());
    for (auto stream : old) cudaStreamDestroy(stream);
  }
  for (int k = 0; k < 4; k++) streams.push_back(make_stream());
  fake_cudart::state().random.seed(seed);
  std::vector<int> order;
  for (int k = 0; k < 16; k++) fake_cudart::enqueue(streams[k % 4], [&order, k] { order.push_back(k % 4); });
  cudaDeviceSynchronize();
  return order;
}
TEST_F(FakeCudart, SameSeedSameOrder) {
  for (uint64_t seed = 1; seed <= 20; seed++) {
    const auto order = order_of_work(seed, false);
    EXPECT_EQ(order.size(), 16u);
    EXPECT_EQ(order, order_of_work(seed, true));
  }
  EXPECT_NE(order_of_work(1, false), order_of_work(2, false));
}

TEST_F(FakeCudart, FindsABlockThatIsReusedTooSoon) {
  for (Policy policy : {Policy::Eager, Policy::Lazy, Policy::RandomLazy}) {
    start(policy);
    int wrong_without = 0, wrong_with = 0;
    for (uint64_t seed = 1; seed <= 50; seed++) {
      wrong_without += !side_stream_reads_its_value(false, seed);
      wrong_with += !side_stream_reads_its_value(true, seed);
    }
    EXPECT_EQ(wrong_with, 0);
    if (policy == Policy::Eager) EXPECT_EQ(wrong_without, 0);  // why a mock that runs at once is not enough
    else EXPECT_GT(wrong_without, 5);
  }
}

TEST_F(FakeCudart, MemoryIsLimitedAndGivenBack) {
  fake_cudart::state().total_bytes = 1 << 20;
  void *p, *q;
  EXPECT_EQ(cudaMalloc(&p, 700 << 10), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&q, 700 << 10), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_EQ(cudaFree(p), cudaSuccess);
  EXPECT_EQ(cudaFree(p), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMalloc(&q, 700 << 10), cudaSuccess);
  size_t free_bytes, total_bytes;
  cudaMemGetInfo(&free_bytes, &total_bytes);
  EXPECT_EQ(total_bytes - free_bytes, size_t(700 << 10));
}

TEST_F(FakeCudart, TheNthCallCanFail) {
  fake_cudart::fail_call("cudaMalloc", 2, cudaErrorMemoryAllocation);
  void* p;
  EXPECT_EQ(cudaMalloc(&p, 1), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&p, 1), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaMalloc(&p, 1), cudaSuccess);
}

TEST_F(FakeCudart, AFaultyKernelIsReportedAtTheWaitAndForGood) {
  cudaStream_t stream = make_stream();
  float* x = device_floats(1024);
  EXPECT_EQ(queue_kernel(early_exit_kernel, dim3(1), dim3(64), stream, x, 40), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorIllegalAddress);
  EXPECT_NE(std::string(cudaGetErrorString(cudaErrorIllegalAddress)).find("already exited"), std::string::npos);
  void* p;
  EXPECT_EQ(cudaMalloc(&p, 1), cudaErrorIllegalAddress);
}

TEST_F(FakeCudart, CopiesToTheDeviceAreStagedUnlessPinned) {
  cudaStream_t stream = make_stream();
  float* x = device_floats(1);
  void* pinned;
  cudaHostAlloc(&pinned, sizeof(float), 0);
  float pageable = 1, back = 0;
  auto* fixed = static_cast<float*>(pinned);
  cudaMemcpyAsync(x, &pageable, sizeof(float), cudaMemcpyHostToDevice, stream);
  pageable = 2;  // the copy has read it already
  cudaMemcpyAsync(&back, x, sizeof(float), cudaMemcpyDeviceToHost, stream);
  cudaStreamSynchronize(stream);
  EXPECT_EQ(back, 1);
  *fixed = 1;
  cudaMemcpyAsync(x, fixed, sizeof(float), cudaMemcpyHostToDevice, stream);
  *fixed = 2;  // too soon: the copy has not run
  cudaMemcpyAsync(&back, x, sizeof(float), cudaMemcpyDeviceToHost, stream);
  cudaStreamSynchronize(stream);
  EXPECT_EQ(back, 2);
  cudaPointerAttributes attributes;
  cudaPointerGetAttributes(&attributes, fixed);
  EXPECT_EQ(attributes.type, cudaMemoryTypeHost);
  cudaPointerGetAttributes(&attributes, x);
  EXPECT_EQ(attributes.type, cudaMemoryTypeDevice);
  cudaFreeHost(pinned);
}

TEST_F(FakeCudart, ACopyBeyondAnAllocationIsAFault) {
  cudaStream_t stream = make_stream();
  void* x = device_floats(16);
  std::vector<char> host(8192);
  cudaMemcpyAsync(x, host.data(), host.size(), cudaMemcpyHostToDevice, stream);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorIllegalAddress);
}

TEST_F(FakeCudart, AGraphIsReplayed) {
  cudaStream_t stream = make_stream();
  float* x = device_floats(4);
  cudaGraph_t graph;
  cudaGraphExec_t executable;
  cudaStreamCaptureStatus status;
  EXPECT_EQ(cudaStreamIsCapturing(stream, &status), cudaSuccess);
  EXPECT_EQ(status, cudaStreamCaptureStatusNone);
  cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal);
  EXPECT_EQ(cudaStreamIsCapturing(stream, &status), cudaSuccess);
  EXPECT_EQ(status, cudaStreamCaptureStatusActive);
  queue_kernel(vector_add_kernel, dim3(1), dim3(1), stream, static_cast<const float*>(x), static_cast<const float*>(x),
               x, 4L);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorStreamCaptureUnsupported);
  cudaStreamEndCapture(stream, &graph);
  cudaGraphInstantiateWithFlags(&executable, graph, 0);
  float ones[4] = {1, 1, 1, 1}, host[4];
  cudaMemcpyAsync(x, ones, sizeof ones, cudaMemcpyHostToDevice, stream);
  for (int i = 0; i < 5; i++) cudaGraphLaunch(executable, stream);
  cudaMemcpyAsync(host, x, sizeof host, cudaMemcpyDeviceToHost, stream);
  cudaStreamSynchronize(stream);
  EXPECT_EQ(host[0], 32);
  EXPECT_EQ(host[3], 32);
  cudaGraphExecDestroy(executable);
  cudaGraphDestroy(graph);
}

TEST_F(FakeCudart, AStreamBelongsToItsDevice) {
  fake_cudart::state().devices = 2;
  cudaStream_t stream = make_stream();
  float* x = device_floats(32);
  EXPECT_EQ(cudaSetDevice(1), cudaSuccess);
  EXPECT_EQ(queue_kernel(fill_kernel, dim3(1), dim3(32), stream, x, 1.f, 32), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaSetDevice(2), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
  EXPECT_EQ(queue_kernel(fill_kernel, dim3(1), dim3(32), stream, x, 1.f, 32), cudaSuccess);
}

TEST_F(FakeCudart, MoreSharedMemoryMustBeAskedFor) {
  cudaStream_t stream = make_stream();
  const auto queue = [&] {
    return fake_cudart::enqueue_kernel(reinterpret_cast<const void*>(fill_kernel), dim3(1), dim3(32), 100 << 10, stream,
                                       [] {});
  };
  EXPECT_EQ(queue(), cudaErrorInvalidConfiguration);
  EXPECT_EQ(cudaFuncSetAttribute(reinterpret_cast<const void*>(fill_kernel),
                                 cudaFuncAttributeMaxDynamicSharedMemorySize, 100 << 10),
            cudaSuccess);
  EXPECT_EQ(queue(), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
}

TEST_F(FakeCudart, ManyHostThreads) {
  constexpr int kThreads = 4, kRounds = 50, n = 64;
  std::vector<int> wrong(kThreads, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; t++)
    threads.emplace_back([&, t] {
      cudaStream_t stream = make_stream();
      float* x = device_floats(n);
      for (int i = 0; i < kRounds; i++) {
        float host[n];
        queue_kernel(fill_kernel, dim3(2), dim3(32), stream, x, float(t * 1000 + i), n);
        cudaMemcpyAsync(host, x, sizeof host, cudaMemcpyDeviceToHost, stream);
        wrong[size_t(t)] += cudaStreamSynchronize(stream) != cudaSuccess || host[n - 1] != float(t * 1000 + i);
      }
      cudaFree(x);
      cudaStreamDestroy(stream);
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(kThreads, 0));
}

// Ends its process by a memory fault, or by exit code 0 if nothing stops it.
template <class F>
bool dies(F f) {
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);
    fake_cudart::state().process = getpid();  // not what is tested here
    (void)!freopen("/dev/null", "w", stderr);
    f();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
TEST_F(FakeCudart, StrayAccessesFault) {
  volatile float* x = device_floats(1024);
  EXPECT_TRUE(dies([&] { (void)x[0]; })) << "the host read device memory";
  EXPECT_TRUE(dies([] {
    cudaStream_t stream = make_stream();
    float* freed = device_floats(1024);
    cudaFree(freed);
    queue_kernel(fill_kernel, dim3(1), dim3(32), stream, freed, 1.f, 32);
    cudaStreamSynchronize(stream);
  })) << "a kernel wrote to freed memory";
  EXPECT_FALSE(dies([] { device_floats(4); }));
}
TEST_F(FakeCudart, AForkedChildCannotUseIt) {
  const pid_t child = fork();
  if (child == 0) {
    void* p;
    _exit(cudaMalloc(&p, 16) == cudaErrorInitializationError ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
