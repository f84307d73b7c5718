// cuda.h - the one header that CUDA code includes first: real CUDA under nvcc, the emulator under g++.
//
// Every .cu file here is compiled twice, by nvcc and by g++ (tests/cuda_emulation runs the kernels on the CPU and
// checks them). Hence the rules, which a lint test checks:
//   - every launch goes through bolide::launch, never <<<>>>
//   - shared memory is BOLIDE_SHARED(float, tile, [32][33]), never __shared__
//   - a kernel takes a struct of arguments as BOLIDE_ARGUMENTS(Type, name): in place, without a copy per thread
//   - inline PTX lies in one header (instructions.cuh, once there is any), each instruction beside a model of it
//   - one order of additions: no floating-point atomics; 64-bit indices, or a bound checked where it is launched
#pragma once
#include "kernels/cuda/cuda_runtime.h"

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#define BOLIDE_SHARED(T, name, ...) __shared__ T name __VA_ARGS__
#define BOLIDE_ARGUMENTS(T, name) const __grid_constant__ T name
#define BOLIDE_UNROLL _Pragma("unroll")
#else
#include <tuple>

#include "cuda_emulation.hpp"
#include "fake_cudart.hpp"
#define BOLIDE_ARGUMENTS(T, name) const T& name
#define BOLIDE_UNROLL
#endif

namespace bolide {

// Queues the kernel on the stream. Nothing happens for an empty grid.
template <class... P, class... A>
void launch(const char* op, void (*kernel)(P...), dim3 grid, dim3 block, StreamHandle stream, const A&... arguments) {
  if (grid.x == 0 || grid.y == 0) return;
  const DeviceScope scope(stream.device);
#if defined(__CUDACC__)
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.stream = stream_of(stream);
  check_cuda(cudaLaunchKernelEx(&config, kernel, P(arguments)...), op);
#else
  auto run = [kernel, values = std::tuple<std::decay_t<P>...>(arguments...)] { std::apply(kernel, values); };
  check_cuda(fake_cudart::enqueue_kernel(reinterpret_cast<const void*>(kernel), grid, block, 0, stream_of(stream),
                                         std::move(run)),
             op);
#endif
}

inline constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Blocks for a kernel whose threads take `per_thread` elements a turn and walk on by the size of the grid.
// At most 16 blocks of 256 for each of an H200's 132 multiprocessors, unless asked for more; the device does not change
// what is computed.
inline constexpr int kThreads = 256;
inline constexpr int64_t kMostBlocks = 132 * 16;
struct Walk {
  dim3 grid, block;
  explicit Walk(int64_t n, int64_t per_thread = 1, int64_t most_blocks = kMostBlocks)
      : grid(unsigned(threads(n, per_thread) > kThreads ? blocks(n, per_thread, most_blocks) : n > 0)),
        block(unsigned(threads(n, per_thread) > kThreads ? kThreads : ceil_div(threads(n, per_thread), 32) * 32)) {}

 private:
  static int64_t threads(int64_t n, int64_t per_thread) { return ceil_div(n, per_thread); }
  static int64_t blocks(int64_t n, int64_t per_thread, int64_t most) {
    const int64_t all = ceil_div(threads(n, per_thread), kThreads);
    return all < most ? all : most;
  }
};
// The thread's place in the whole grid, and how many threads there are.
__device__ inline int64_t thread_of_grid() { return int64_t(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ inline int64_t threads_of_grid() { return int64_t(gridDim.x) * blockDim.x; }

}  // namespace bolide
