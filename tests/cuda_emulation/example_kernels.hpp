// example_kernels.hpp - kernels for the emulator's own tests: right ones, and ones with one fault each.
//
// Each right one shows something that the emulator has to get right: vector loads with a tail, warp shuffles, tiles in
// shared memory, atomics with dynamic shared memory. test_emulator.cpp says by what each fault is found.
#pragma once
#include <tuple>

#include "cuda_emulation.hpp"
#include "fake_cudart.hpp"

// What bolide::launch does, without libbolide: at once, so that a fault reaches the caller...
template <class... P, class... A>
void run_kernel(void (*kernel)(P...), dim3 grid, dim3 block, size_t dynamic_bytes, A... arguments) {
  std::tuple<P...> values(arguments...);
  cuda_emulation::run_grid(grid, block, dynamic_bytes, [&] { std::apply(kernel, values); });
}
// ...and through a stream of the simulated runtime.
template <class... P, class... A>
cudaError_t queue_kernel(void (*kernel)(P...), dim3 grid, dim3 block, cudaStream_t stream, A... arguments) {
  auto run = [kernel, values = std::tuple<P...>(arguments...)] { std::apply(kernel, values); };
  return fake_cudart::enqueue_kernel(reinterpret_cast<const void*>(kernel), grid, block, 0, stream, run);
}

__device__ inline float warp_sum(float value) {
  for (int offset = 16; offset; offset /= 2) value += __shfl_xor_sync(0xffffffffu, value, offset);
  return value;
}

__global__ inline void vector_add_kernel(const float* a, const float* b, float* c, long n) {
  long i = (long(blockIdx.x) * blockDim.x + threadIdx.x) * 4;
  if (i + 3 < n) {
    float4 x = __ldg(reinterpret_cast<const float4*>(a + i));
    float4 y = __ldg(reinterpret_cast<const float4*>(b + i));
    *reinterpret_cast<float4*>(c + i) = make_float4(x.x + y.x, x.y + y.y, x.z + y.z, x.w + y.w);
  } else {
    for (; i < n; i++) c[i] = a[i] + b[i];
  }
}
__global__ inline void fill_kernel(float* x, float value, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] = value;
}
__global__ inline void copy_kernel(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i];
}
template <int kThreads>
__global__ void block_sum_kernel(const float* x, float* out, int n) {
  BOLIDE_SHARED(float, partial, [kThreads / 32]);
  float sum = 0;
  for (int i = blockIdx.x * kThreads + threadIdx.x; i < n; i += gridDim.x * kThreads) sum += x[i];
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x < 32) {
    sum = warp_sum(threadIdx.x < kThreads / 32 ? partial[threadIdx.x] : 0.f);
    if (threadIdx.x == 0) atomicAdd(out, sum);
  }
}
// kFault leaves out the second barrier: the next tile overwrites values that others still read.
template <int kTile, bool kFault>
__global__ void matmul_kernel(const float* a, const float* b, float* c, int m, int n, int k) {
  BOLIDE_SHARED(float, tile_a, [kTile][kTile + 1]);
  BOLIDE_SHARED(float, tile_b, [kTile][kTile + 1]);
  int tx = threadIdx.x, ty = threadIdx.y;
  int row = blockIdx.y * kTile + ty, column = blockIdx.x * kTile + tx;
  float sum = 0;
  for (int k0 = 0; k0 < k; k0 += kTile) {
    tile_a[ty][tx] = row < m && k0 + tx < k ? a[row * k + k0 + tx] : 0.f;
    tile_b[ty][tx] = column < n && k0 + ty < k ? b[(k0 + ty) * n + column] : 0.f;
    __syncthreads();
    for (int i = 0; i < kTile; i++) sum += tile_a[ty][i] * tile_b[i][tx];
    if (!kFault) __syncthreads();
  }
  if (row < m && column < n) c[row * n + column] = sum;
}
template <int kBins>
__global__ void histogram_kernel(const unsigned char* x, int* out, int n) {
  BOLIDE_DYNAMIC_SHARED(int, bins);
  for (int i = threadIdx.x; i < kBins; i += blockDim.x) bins[i] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
    atomicAdd(&bins[x[i] % kBins], 1);
  __syncthreads();
  for (int i = threadIdx.x; i < kBins; i += blockDim.x)
    if (bins[i]) atomicAdd(&out[i], bins[i]);
}
// Every lane's votes, as one number per kind.
__global__ inline void votes_kernel(unsigned* out) {
  const int lane = threadIdx.x;
  out[lane * 8 + 0] = __ballot_sync(0xffffffffu, lane % 3 == 0);
  out[lane * 8 + 1] = unsigned(__any_sync(0xffffffffu, lane == 31));
  out[lane * 8 + 2] = unsigned(__all_sync(0xffffffffu, lane < 31));
  out[lane * 8 + 3] = __match_any_sync(0xffffffffu, lane / 5);
  out[lane * 8 + 4] = unsigned(__shfl_sync(0xffffffffu, lane, 7));
  out[lane * 8 + 5] = unsigned(__shfl_up_sync(0xffffffffu, lane, 3));
  out[lane * 8 + 6] = unsigned(__shfl_down_sync(0xffffffffu, lane, 3, 16));
  out[lane * 8 + 7] = unsigned(__syncthreads_count(lane < 9));
}
template <class Index>
__global__ void scale_kernel(const float* x, float* y, long n) {
  Index i = Index(blockIdx.x) * Index(blockDim.x) + Index(threadIdx.x);
  if (i < n) y[i] = 2 * x[i];
}

// ---------------------------------------------------------------------------------------------------- faults
__global__ inline void divergent_barrier_kernel(float* x) {
  if (threadIdx.x < 16) {
    __syncthreads();
    x[0] = 1;
  } else {
    __syncthreads();
    x[1] = 2;
  }
}
__global__ inline void early_exit_kernel(float* x, int n) {
  if (int(threadIdx.x) >= n) return;
  __syncthreads();
  x[threadIdx.x] = 1;
}
__global__ inline void absent_lane_kernel(float* x) {
  if (threadIdx.x < 16) x[threadIdx.x] = __shfl_xor_sync(0xffffffffu, 1.f, 8);
}
__global__ inline void wrong_mask_kernel(float* x) { x[threadIdx.x] = __shfl_xor_sync(0x0000ffffu, 1.f, 8); }
__global__ inline void deadlock_kernel(float* x) {
  if (threadIdx.x < 16) __syncthreads();
  else __syncwarp();
  x[0] = 1;
}
__global__ inline void unwritten_shared_kernel(float* x) {
  BOLIDE_SHARED(float, values, [32]);
  if (threadIdx.x) values[threadIdx.x] = 1.f;
  __syncthreads();
  x[threadIdx.x] = values[threadIdx.x];
}
__global__ inline void shared_overrun_kernel(float* x) {
  BOLIDE_SHARED(float, values, [32]);
  values[threadIdx.x + 1] = 1.f;
  __syncthreads();
  x[threadIdx.x] = values[threadIdx.x];
}
__global__ inline void shared_too_large_kernel(float* x) {
  BOLIDE_SHARED(float, values, [20000]);
  values[0] = 1;
  x[0] = values[0];
}
__global__ inline void global_overrun_kernel(float* x) { x[blockIdx.x * blockDim.x + threadIdx.x] = 1.f; }
__global__ inline void misaligned_kernel(const float* x, float* y) {
  *reinterpret_cast<float4*>(y) = *reinterpret_cast<const float4*>(x + 1);
}
__global__ inline void grid_race_kernel(float* x) { x[0] = x[0] + 1.f; }
// Relies on a warp's lanes running in step, as GPUs have not promised since Volta.
template <bool kFault>
__global__ void warp_exchange_kernel(float* x) {
  BOLIDE_SHARED(float, values, [32]);
  values[threadIdx.x] = float(threadIdx.x);
  if (!kFault) __syncwarp();
  x[threadIdx.x] = values[threadIdx.x ^ 1];
}
