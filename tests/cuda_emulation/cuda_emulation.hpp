// cuda_emulation.hpp - runs CUDA kernels, compiled by g++ as plain C++, on the CPU, and checks them.
//
// CUDA threads are fibers, blocks run on one or more host threads. The scheduler (cuda_emulation.cpp) sees every
// barrier and every warp collective, so a divergent barrier, an absent lane, a wrong mask or a deadlock becomes
// an EmulationError that names block, thread and line. Kernels do not include this file: they include
// kernels/cuda/cuda.h, which takes it under g++. What a test sets is `config` below. A launch is queued in the
// simulated runtime (fake_cudart.hpp), which calls run_grid when the stream comes to it.
//
// To extend: another warp-wide instruction is a WarpOp::Custom, another intrinsic goes to cuda_names.hpp,
// another launch limit into check_launch.
#pragma once
#include <cuda_runtime_api.h>
#include <vector_functions.h>
#include <vector_types.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <source_location>
#include <stdexcept>
#include <string>
#include <vector>

namespace cuda_emulation {

struct EmulationError : std::runtime_error {
  using runtime_error::runtime_error;
};

// In which order blocks, and the threads of a block, get their turn. Results must not depend on it.
enum class Order { Forward, Reverse, Random };

struct Config {
  Order order = Order::Forward;
  uint64_t seed = 1;                         // of Order::Random
  int host_threads = 1;                      // blocks run on this many
  bool strict_exit = true;                   // a barrier after some thread has returned is an error
  bool poison_shared = true;                 // shared memory starts as 0xFF: NaN for floats
  bool fresh_tsan_fibers = false;            // finds more races between blocks, about 6x slower
  bool (*block_filter)(uint64_t) = nullptr;  // run only these blocks (tests of huge sizes)
};
extern Config config;

struct Counters {
  std::atomic<uint64_t> switches{0}, threads{0}, blocks{0}, launches{0};
};
extern Counters counters;

inline constexpr size_t kSharedBytes = 48 * 1024;      // without cudaFuncSetAttribute
inline constexpr size_t kMaxSharedBytes = 163 * 1024;  // with it, on the smallest GPU that bolide is built for (sm_80)

enum class State : uint8_t { Ready, AtBarrier, AtWarp, Done };
enum class BarrierKind : uint8_t { Sync, Count, And, Or };
enum class WarpOp : uint8_t { Sync, Index, Up, Down, Xor, Ballot, All, Any, Match, Custom };

// What a lane leaves behind when it enters a warp collective.
struct WarpRequest {
  WarpOp op = WarpOp::Sync;
  uint32_t mask = 0;
  uint64_t value = 0;
  int parameter = 0;  // source lane, delta or lane mask
  int width = 32;
  unsigned line = 0;
};

// Any warp-wide instruction: gets the operands of all lanes in the mask at once.
struct CustomWarpOp {
  void (*run)(void** lanes, uint32_t mask);
};

struct Block;

struct Thread {
  uint3 index{};
  Block* block = nullptr;
  unsigned linear = 0;
  State state = State::Ready;
  int fiber = -1;
  WarpRequest warp;
  uint64_t warp_result = 0;
  std::source_location barrier_site;
  BarrierKind barrier_kind = BarrierKind::Sync;
  int barrier_predicate = 0;
  int barrier_result = 0;
};

struct Block {
  using Bytes = std::unique_ptr<char, void (*)(void*)>;
  dim3 grid{}, dim{};
  uint3 index{};
  unsigned size = 0;
  size_t shared_limit = kSharedBytes;
  std::vector<Thread> threads;
  const std::function<void()>* body = nullptr;
  Bytes dynamic_shared{nullptr, std::free};
  std::map<const void*, Bytes> static_shared;  // by the address of the variable's key
  size_t shared_bytes = 0;
  // Tags of ThreadSanitizer's edges. Two, used in turn: one alone would hide write-after-read races.
  unsigned barrier_generation = 0;
  char barrier_tags[2] = {};
  unsigned warp_generation[32] = {};
  char warp_tags[32][2] = {};
  char done_tag = 0;
};

// The CUDA thread that runs now on this host thread.
extern constinit thread_local Thread* current __attribute__((tls_model("initial-exec")));

// What kernels call, through the names of cuda_names.hpp.
int barrier(BarrierKind kind, int predicate, const std::source_location& site);
uint64_t warp_collective(WarpOp op, uint32_t mask, uint64_t value, int parameter, int width,
                         const std::source_location& site);
// One copy a block and of exact size, so that AddressSanitizer sees an overrun.
void* static_shared_bytes(const void* key, size_t bytes);

// Whether a launch is possible at all: sizes of grid, block and shared memory as on a GPU.
bool check_launch(dim3 grid, dim3 dim, size_t dynamic_bytes, size_t shared_limit);
// Runs body() once for every thread of the grid; the first fault is thrown to the caller.
void run_grid(dim3 grid, dim3 dim, size_t dynamic_bytes, const std::function<void()>& body,
              size_t shared_limit = kSharedBytes);

}  // namespace cuda_emulation

#include "cuda_names.hpp"
