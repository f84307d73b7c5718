// cuda_names.hpp - the CUDA keywords, built-in variables and intrinsics that g++ does not know.
//
// Included by cuda_emulation.hpp, never directly. The toolkit's own headers supply the rest under g++: uint4 and its
// kin, dim3, the types of the runtime API. bolide's kernels compute in Num<T> (kernels/num.h), so few intrinsics are
// needed; float16 and bfloat16 are bolide's own (kernels/half.h).
//
// To extend: one function per intrinsic, of the same signature; add a std::source_location at the end when the
// emulator may have to name the line.
#pragma once
#include "cuda_emulation.hpp"

#include <atomic>
#include <bit>
#include <cmath>
#include <type_traits>

#undef __shared__
#undef __global__
#undef __device__
#undef __constant__
#undef __launch_bounds__
#define __global__
#define __device__
#define __constant__ static
#define __launch_bounds__(...)

#define threadIdx (::cuda_emulation::current->index)
#define blockIdx (::cuda_emulation::current->block->index)
#define blockDim (::cuda_emulation::current->block->dim)
#define gridDim (::cuda_emulation::current->block->grid)
#define warpSize 32

// Shared memory: BOLIDE_SHARED(float, tile, [32][33]); BOLIDE_DYNAMIC_SHARED(float, buffer);
#define BOLIDE_SHARED(T, name, ...)  \
  static const char name##_key = 0; \
  auto& name = *static_cast<std::type_identity_t<T __VA_ARGS__>*>(          \
      ::cuda_emulation::static_shared_bytes(&name##_key, sizeof(T __VA_ARGS__)))
#define BOLIDE_DYNAMIC_SHARED(T, name) \
  T* name = reinterpret_cast<T*>(::cuda_emulation::current->block->dynamic_shared.get())

#define CUDA_EMULATION_SITE std::source_location site = std::source_location::current()

namespace cuda_emulation {
template <class T>
uint64_t to_bits(T value) {
  static_assert(sizeof(T) <= 8);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}
template <class T>
T from_bits(uint64_t bits) {
  T value;
  std::memcpy(static_cast<void*>(&value), &bits, sizeof value);
  return value;
}
template <class T>
T shuffle(WarpOp op, unsigned mask, T value, int parameter, int width, const std::source_location& site) {
  return from_bits<T>(warp_collective(op, mask, to_bits(value), parameter, width, site));
}
inline unsigned vote(WarpOp op, unsigned mask, int predicate, const std::source_location& site) {
  return static_cast<unsigned>(warp_collective(op, mask, predicate != 0, 0, 32, site));
}
template <class T, class F>
T read_modify_write(T* p, F next) {
  std::atomic_ref<T> atomic(*p);
  T old = atomic.load(std::memory_order_relaxed);
  while (!atomic.compare_exchange_weak(old, next(old), std::memory_order_relaxed)) {}
  return old;
}
}  // namespace cuda_emulation

// Barriers.
inline void __syncthreads(CUDA_EMULATION_SITE) { cuda_emulation::barrier(cuda_emulation::BarrierKind::Sync, 0, site); }
inline int __syncthreads_count(int predicate, CUDA_EMULATION_SITE) {
  return cuda_emulation::barrier(cuda_emulation::BarrierKind::Count, predicate, site);
}
inline int __syncthreads_and(int predicate, CUDA_EMULATION_SITE) {
  return cuda_emulation::barrier(cuda_emulation::BarrierKind::And, predicate, site);
}
inline int __syncthreads_or(int predicate, CUDA_EMULATION_SITE) {
  return cuda_emulation::barrier(cuda_emulation::BarrierKind::Or, predicate, site);
}

// Warp collectives. Only numbers move between lanes: nvcc has no shuffle of a struct.
template <class T>
concept ShuffledNumber = std::is_arithmetic_v<T>;
inline void __syncwarp(unsigned mask = ~0u, CUDA_EMULATION_SITE) {
  cuda_emulation::warp_collective(cuda_emulation::WarpOp::Sync, mask, 0, 0, 32, site);
}
template <ShuffledNumber T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32, CUDA_EMULATION_SITE) {
  return cuda_emulation::shuffle(cuda_emulation::WarpOp::Index, mask, value, lane, width, site);
}
template <ShuffledNumber T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, CUDA_EMULATION_SITE) {
  return cuda_emulation::shuffle(cuda_emulation::WarpOp::Up, mask, value, int(delta), width, site);
}
template <ShuffledNumber T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, CUDA_EMULATION_SITE) {
  return cuda_emulation::shuffle(cuda_emulation::WarpOp::Down, mask, value, int(delta), width, site);
}
template <ShuffledNumber T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32, CUDA_EMULATION_SITE) {
  return cuda_emulation::shuffle(cuda_emulation::WarpOp::Xor, mask, value, lane_mask, width, site);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, CUDA_EMULATION_SITE) {
  return cuda_emulation::vote(cuda_emulation::WarpOp::Ballot, mask, predicate, site);
}
inline int __any_sync(unsigned mask, int predicate, CUDA_EMULATION_SITE) {
  return int(cuda_emulation::vote(cuda_emulation::WarpOp::Any, mask, predicate, site));
}
inline int __all_sync(unsigned mask, int predicate, CUDA_EMULATION_SITE) {
  return int(cuda_emulation::vote(cuda_emulation::WarpOp::All, mask, predicate, site));
}
template <class T>
unsigned __match_any_sync(unsigned mask, T value, CUDA_EMULATION_SITE) {
  return unsigned(cuda_emulation::warp_collective(cuda_emulation::WarpOp::Match, mask, cuda_emulation::to_bits(value),
                                                  0, 32, site));
}

// Memory. Sequentially consistent here: a missing fence is not found.
inline void __threadfence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
inline void __threadfence_block() { __threadfence(); }
inline void __threadfence_system() { __threadfence(); }
template <class T>
T __ldg(const T* p) {
  return *p;
}
template <class T>
T __ldcs(const T* p) {
  return *p;
}
template <class T>
void __stcs(T* p, T value) {
  *p = value;
}

// Atomics.
template <class T>
T atomicAdd(T* p, std::type_identity_t<T> value) {
  return cuda_emulation::read_modify_write(p, [value](T old) { return T(old + value); });
}
template <class T>
T atomicMax(T* p, std::type_identity_t<T> value) {
  return cuda_emulation::read_modify_write(p, [value](T old) { return old < value ? value : old; });
}
template <class T>
T atomicMin(T* p, std::type_identity_t<T> value) {
  return cuda_emulation::read_modify_write(p, [value](T old) { return value < old ? value : old; });
}
template <class T>
T atomicExch(T* p, std::type_identity_t<T> value) {
  return std::atomic_ref<T>(*p).exchange(value);
}
template <class T>
T atomicCAS(T* p, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  std::atomic_ref<T>(*p).compare_exchange_strong(expected, value);
  return expected;
}

// Arithmetic. Results are the host's: compare with a tolerance, not bit by bit with a GPU.
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return std::countl_zero(unsigned(x)); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned((uint64_t(a) * b) >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return static_cast<unsigned long long>((static_cast<unsigned __int128>(a) * b) >> 64);
}
