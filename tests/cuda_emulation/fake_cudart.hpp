// fake_cudart.hpp - the CUDA runtime API as a deterministic, hostile simulator on the host: what tests set and read.
//
// Link fake_cudart.cpp instead of the CUDA runtime. A stream is a queue of closures, and the policy decides when
// they run: Eager at once, as a naive mock would; Lazy only when somebody waits and only what he needs; RandomLazy
// like Lazy with a few random operations at every call. Device memory is mapped without access except while device
// work runs, starts as 0xFF, and its addresses are never used again: a host access and a use after cudaFree fault at
// once. Every call can be made to fail. One lock guards it all, so any number of host threads may call.
//
//   fake_cudart::reset();  fake_cudart::state().policy = fake_cudart::Policy::Lazy;
//   fake_cudart::fail_call("cudaMalloc", 3, cudaErrorMemoryAllocation);   // the third from here
//
// A program that cannot call these (Python on the emulated library) sets BOLIDE_CUDA_EMULATION instead, a list of
// policy=eager|lazy|random, order=forward|reverse|random, seed=N, memory=BYTES, devices=N, threads=N,
// fail=CALL:NUMBER (with cudaErrorUnknown; cudaMalloc: out of memory).
//
// Not modelled: memory pools of the driver, 2-D copies, capture across streams, host callbacks. To extend: begin
// each call with BOLIDE_FAKE_ENTER.
#pragma once
#include <cuda_runtime_api.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace fake_cudart {

enum class Policy { Eager, Lazy, RandomLazy };

// A record or a wait means the event as it was at that call: the number says which.
struct Event {
  uint64_t recorded = 0;
  uint64_t completed = 0;
};
using EventRef = std::shared_ptr<Event>;

struct Operation {
  std::function<void()> run;
  EventRef record, wait;
  uint64_t record_number = 0, wait_number = 0;
};
using Graph = std::vector<Operation>;

struct Stream {
  std::deque<Operation> queue;
  int device = 0;
  uint64_t number = 0;
  bool blocking = true;            // ordered with the legacy default stream
  std::unique_ptr<Graph> capture;  // set while a capture is under way
  bool captures_globally = false, invalidated = false;
};

struct Fault {
  std::string call;
  int number;
  cudaError_t error;
};
struct Memory {
  size_t bytes = 0;
  int device = 0;
};

struct State {
  Policy policy = Policy::Lazy;
  std::mt19937_64 random{1};
  int devices = 1;
  size_t total_bytes = size_t(4) << 30;  // of each device
  std::map<int, size_t> used_bytes;
  cudaError_t sticky = cudaSuccess;
  std::map<char*, Memory> allocations, pinned;
  std::map<int, Stream> default_streams;
  std::map<Stream*, std::unique_ptr<Stream>> streams;
  uint64_t streams_made = 0;
  std::map<Event*, EventRef> events;
  std::map<const void*, size_t> shared_limits;  // by kernel: cudaFuncSetAttribute
  std::map<std::string, int> calls;
  std::vector<Fault> faults;
  std::vector<std::string> errors;              // what went wrong in device work, in words
  const void* asked = nullptr;                  // the stream or event of the last query,
  int times_asked = 0;                          // and how often in a row it was asked about
  int process = 0;
};

State& state();
std::recursive_mutex& lock();

// The number-th call from now of this function returns the error and does nothing.
void fail_call(const std::string& call, int number, cudaError_t error);
// Back to the beginning, with nothing allocated; only the policy stays.
void reset();
// Queues device work; what bolide::launch and the stand-in for cuBLASLt do.
cudaError_t enqueue(cudaStream_t stream, std::function<void()> run);
cudaError_t enqueue_kernel(const void* kernel, dim3 grid, dim3 block, size_t dynamic_bytes, cudaStream_t stream,
                           std::function<void()> body);
// Is it memory of a device, with this many bytes from p on inside one allocation?
bool is_device_memory(const void* p, size_t bytes = 1);

}  // namespace fake_cudart
