// fake_cudart.cpp - the simulated runtime: streams, events, memory, graphs, and the calls of the runtime API.
#include "fake_cudart.hpp"

#include <utility>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string_view>

#include <sys/mman.h>
#include <unistd.h>

#include "cuda_emulation.hpp"

namespace fake_cudart {
namespace {

// What BOLIDE_CUDA_EMULATION says.
void configure(State& s, std::string_view text) {
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(item.size() + 1, text.size()));
    const std::string_view name = item.substr(0, item.find('='));
    const std::string value(item.size() > name.size() ? item.substr(name.size() + 1) : "");
    const auto number = [&] { return std::strtoull(value.c_str(), nullptr, 0); };
    auto& config = cuda_emulation::config;
    if (name == "policy")
      s.policy = value == "eager" ? Policy::Eager : value == "random" ? Policy::RandomLazy : Policy::Lazy;
    else if (name == "order")
      config.order = value == "reverse"  ? cuda_emulation::Order::Reverse
                     : value == "random" ? cuda_emulation::Order::Random
                                         : cuda_emulation::Order::Forward;
    else if (name == "seed") config.seed = number(), s.random.seed(number());
    else if (name == "memory") s.total_bytes = number();
    else if (name == "devices") s.devices = static_cast<int>(number());
    else if (name == "threads") config.host_threads = static_cast<int>(number());
    else if (name == "fail") {
      const std::string call = value.substr(0, value.find(':'));
      const int which = std::atoi(value.substr(std::min(call.size() + 1, value.size())).c_str());
      s.faults.push_back({call, which, call == "cudaMalloc" ? cudaErrorMemoryAllocation : cudaErrorUnknown});
    }
  }
}
std::unique_ptr<State> first_state() {
  auto s = std::make_unique<State>();
  s->process = getpid();
  if (const char* text = std::getenv("BOLIDE_CUDA_EMULATION")) configure(*s, text);
  return s;
}
std::unique_ptr<State>& state_pointer() {
  static auto* pointer = new std::unique_ptr<State>(first_state());  // never destroyed at exit
  return *pointer;
}

thread_local cudaError_t last_error = cudaSuccess;
thread_local int current_device = 0;

cudaError_t fail(cudaError_t error) {
  if (error != cudaSuccess && error != cudaErrorNotReady) last_error = error;
  return error;
}
cudaError_t enter(const char* call) {
  State& s = state();
  if (s.process != getpid()) return cudaErrorInitializationError;  // a forked child
  const int number = ++s.calls[call];
  if (s.sticky != cudaSuccess) return s.sticky;
  for (auto& fault : s.faults)
    if (fault.call == call && fault.number == number) return fault.error;
  return cudaSuccess;
}
#define BOLIDE_FAKE_ENTER(call)            \
  std::lock_guard guard(lock());           \
  if (auto error_ = enter(call)) return fail(error_)

Stream* stream_of(cudaStream_t handle) {
  State& s = state();
  if (!handle || handle == cudaStreamLegacy || handle == cudaStreamPerThread) {
    Stream& stream = s.default_streams[current_device];
    stream.device = current_device;
    return &stream;
  }
  auto found = s.streams.find(reinterpret_cast<Stream*>(handle));
  return found == s.streams.end() ? nullptr : found->first;
}
EventRef event_of(cudaEvent_t handle) {
  auto found = state().events.find(reinterpret_cast<Event*>(handle));
  return found == state().events.end() ? nullptr : found->second;
}
// In the order of their making: that of their addresses would be another in every process.
std::vector<Stream*> all_streams() {
  std::vector<Stream*> streams;
  for (auto& entry : state().streams) streams.push_back(entry.first);
  std::ranges::sort(streams, {}, &Stream::number);
  for (auto& entry : state().default_streams) streams.push_back(&entry.second);
  return streams;
}

// Device memory can be touched while one of these lives, and at no other time.
class DeviceAccess {
 public:
  DeviceAccess() {
    if (depth_++ == 0) protect(PROT_READ | PROT_WRITE);
  }
  ~DeviceAccess() {
    if (--depth_ == 0) protect(PROT_NONE);
  }
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;

 private:
  static void protect(int protection) {
    for (auto& [address, memory] : state().allocations) mprotect(address, memory.bytes, protection);
  }
  static inline int depth_ = 0;
};

bool is_ready(const Stream& stream) {
  if (stream.queue.empty()) return false;
  const Operation& front = stream.queue.front();
  return !front.wait || front.wait->completed >= front.wait_number;
}
void run_front(Stream& stream) {
  Operation operation = std::move(stream.queue.front());
  stream.queue.pop_front();
  if (operation.run && state().sticky == cudaSuccess) {
    try {
      operation.run();
    } catch (const std::exception& error) {
      state().errors.push_back(error.what());
      state().sticky = cudaErrorIllegalAddress;
    }
  }
  if (operation.record) operation.record->completed = std::max(operation.record->completed, operation.record_number);
}
// Runs one ready operation of a stream drawn at random; false when there is none.
bool run_any() {
  std::vector<Stream*> ready;
  for (auto* stream : all_streams())
    if (is_ready(*stream)) ready.push_back(stream);
  if (ready.empty()) return false;
  run_front(*ready[ready.size() == 1 ? 0 : state().random() % ready.size()]);
  return true;
}
// Runs device work until the condition holds, and no more: everything else stays delayed.
template <class Condition>
void wait_until(Condition holds) {
  if (holds()) return;
  DeviceAccess access;
  while (!holds()) {
    if (run_any()) continue;
    state().errors.push_back("deadlock: a wait can never finish");
    state().sticky = cudaErrorLaunchTimeout;
    return;
  }
}
void wait_for_stream(Stream& stream) {
  wait_until([&] { return stream.queue.empty(); });
}
void run_some() {
  if (state().policy != Policy::RandomLazy) return;
  DeviceAccess access;
  for (auto k = state().random() % 3; k > 0 && run_any(); k--) {}
}

// Who asks for the same a third time, with no work queued in between, is waiting: it is run for, a few milliseconds.
template <class Condition>
void run_for_poller(const void* asked, Condition holds) {
  State& s = state();
  s.times_asked = asked == s.asked ? s.times_asked + 1 : 1;
  s.asked = asked;
  if (s.times_asked < 3) return run_some();
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
  wait_until([&] { return holds() || std::chrono::steady_clock::now() > end; });
}

cudaError_t push(cudaStream_t handle, Operation operation) {
  Stream* stream = stream_of(handle);
  if (!stream || stream->device != current_device) return cudaErrorInvalidResourceHandle;
  if (stream->capture) {
    stream->capture->push_back(std::move(operation));
    return cudaSuccess;
  }
  const bool is_default = stream == &state().default_streams[current_device];
  if (is_default) {  // waits for the blocking streams, and they for it
    for (auto& entry : state().streams)
      if (entry.first->blocking) wait_for_stream(*entry.first);
  } else if (stream->blocking) {
    wait_for_stream(state().default_streams[current_device]);
  }
  stream->queue.push_back(std::move(operation));
  state().asked = nullptr;
  if (state().policy == Policy::Eager) wait_for_stream(*stream);
  else run_some();
  constexpr size_t kLongest = 1024;  // as a driver: a host far ahead of the device waits
  wait_until([&] { return stream->queue.size() <= kLongest; });
  return cudaSuccess;
}
cudaError_t push(cudaStream_t handle, std::function<void()> run) {
  Operation operation;
  operation.run = std::move(run);
  return push(handle, std::move(operation));
}

// Reads or writes outside every allocation are what a GPU calls an illegal address.
void check_device_range(const void* p, size_t bytes, const char* what) {
  if (!is_device_memory(p, bytes))
    throw cuda_emulation::EmulationError(std::string(what) + " reaches outside device memory");
}

}  // namespace

State& state() { return *state_pointer(); }
std::recursive_mutex& lock() {
  static auto* mutex = new std::recursive_mutex;
  return *mutex;
}

void fail_call(const std::string& call, int number, cudaError_t error) {
  std::lock_guard guard(lock());
  state().faults.push_back({call, state().calls[call] + number, error});
}

void reset() {
  std::lock_guard guard(lock());
  for (auto& [address, memory] : state().allocations) munmap(address, memory.bytes);
  for (auto& [address, memory] : state().pinned) std::free(address);
  auto fresh = std::make_unique<State>();
  fresh->policy = state().policy;
  fresh->process = getpid();
  state_pointer() = std::move(fresh);
  last_error = cudaSuccess;
  current_device = 0;
}

bool is_device_memory(const void* p, size_t bytes) {
  auto* address = static_cast<char*>(const_cast<void*>(p));
  auto next = state().allocations.upper_bound(address);
  if (next == state().allocations.begin()) return false;
  auto [start, memory] = *std::prev(next);
  return address + bytes <= start + memory.bytes;
}

cudaError_t enqueue(cudaStream_t stream, std::function<void()> run) {
  BOLIDE_FAKE_ENTER("launch");
  return fail(push(stream, std::move(run)));
}

cudaError_t enqueue_kernel(const void* kernel, dim3 grid, dim3 block, size_t dynamic_bytes, cudaStream_t stream,
                           std::function<void()> body) {
  BOLIDE_FAKE_ENTER("launch");
  auto found = state().shared_limits.find(kernel);
  const size_t limit = found == state().shared_limits.end() ? cuda_emulation::kSharedBytes : found->second;
  if (!cuda_emulation::check_launch(grid, block, dynamic_bytes, limit)) return fail(cudaErrorInvalidConfiguration);
  return fail(
      push(stream, [=, run = std::move(body)] { cuda_emulation::run_grid(grid, block, dynamic_bytes, run, limit); }));
}

}  // namespace fake_cudart

using namespace fake_cudart;

extern "C" {

// ------------------------------------------------------------------------------------------------ devices
cudaError_t CUDARTAPI cudaGetDeviceCount(int* count) {
  *count = 0;
  BOLIDE_FAKE_ENTER("cudaGetDeviceCount");
  *count = state().devices;
  return *count ? cudaSuccess : fail(cudaErrorNoDevice);
}
cudaError_t CUDARTAPI cudaSetDevice(int device) {
  BOLIDE_FAKE_ENTER("cudaSetDevice");
  if (device < 0 || device >= state().devices) return fail(cudaErrorInvalidDevice);
  current_device = device;
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaGetDevice(int* device) {
  BOLIDE_FAKE_ENTER("cudaGetDevice");
  *device = current_device;
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  BOLIDE_FAKE_ENTER("cudaGetDeviceProperties");
  if (device < 0 || device >= state().devices) return fail(cudaErrorInvalidDevice);
  *properties = {};
  std::strcpy(properties->name, "CUDA emulation (no GPU)");
  properties->major = 8, properties->minor = 0;
  properties->multiProcessorCount = 108;
  properties->totalGlobalMem = state().total_bytes;
  properties->sharedMemPerBlock = cuda_emulation::kSharedBytes;
  properties->sharedMemPerBlockOptin = cuda_emulation::kMaxSharedBytes;
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaDriverGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaDeviceSynchronize() {
  BOLIDE_FAKE_ENTER("cudaDeviceSynchronize");
  for (auto* stream : all_streams())
    if (stream->device == current_device) wait_for_stream(*stream);
  return fail(state().sticky);
}
cudaError_t CUDARTAPI cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  BOLIDE_FAKE_ENTER("cudaFuncSetAttribute");
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 ||
      size_t(value) > cuda_emulation::kMaxSharedBytes)
    return fail(cudaErrorInvalidValue);
  state().shared_limits[kernel] = std::max(cuda_emulation::kSharedBytes, size_t(value));
  return cudaSuccess;
}

// ------------------------------------------------------------------------------------------------- errors
cudaError_t CUDARTAPI cudaGetLastError() {
  auto error = last_error;
  last_error = cudaSuccess;
  return error;
}
cudaError_t CUDARTAPI cudaPeekAtLastError() { return last_error; }
const char* CUDARTAPI cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInitializationError: return "cudaErrorInitializationError";
    case cudaErrorInvalidConfiguration: return "cudaErrorInvalidConfiguration";
    case cudaErrorInvalidDevice: return "cudaErrorInvalidDevice";
    case cudaErrorNoDevice: return "cudaErrorNoDevice";
    case cudaErrorInvalidResourceHandle: return "cudaErrorInvalidResourceHandle";
    case cudaErrorNotReady: return "cudaErrorNotReady";
    case cudaErrorIllegalAddress: return "cudaErrorIllegalAddress";
    case cudaErrorLaunchTimeout: return "cudaErrorLaunchTimeout";
    case cudaErrorStreamCaptureUnsupported: return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorIllegalState: return "cudaErrorIllegalState";
    default: return "cudaErrorUnknown";
  }
}
// After a fault in device work, what the emulator said about it.
const char* CUDARTAPI cudaGetErrorString(cudaError_t error) {
  std::lock_guard guard(lock());
  const State& s = state();
  return error == s.sticky && !s.errors.empty() ? s.errors.front().c_str() : cudaGetErrorName(error);
}

// ------------------------------------------------------------------------------------------------- memory
// What a capture in the global mode does not allow any thread that has not asked for the relaxed mode: it is lost then.
thread_local cudaStreamCaptureMode capture_mode = cudaStreamCaptureModeGlobal;
bool ends_captures() {
  bool any = false;
  if (capture_mode != cudaStreamCaptureModeRelaxed)
    for (auto& [stream, owned] : state().streams)
      if (stream->capture && stream->captures_globally) any = stream->invalidated = true;
  return any;
}

cudaError_t CUDARTAPI cudaMalloc(void** p, size_t bytes) {
  *p = nullptr;
  BOLIDE_FAKE_ENTER("cudaMalloc");
  if (ends_captures()) return fail(cudaErrorStreamCaptureUnsupported);
  State& s = state();
  if (!bytes) return cudaSuccess;
  const size_t rounded = (bytes + 4095) & ~size_t(4095);
  size_t& used = s.used_bytes[current_device];
  if (rounded < bytes || used + rounded > s.total_bytes) return fail(cudaErrorMemoryAllocation);
  void* memory = mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return fail(cudaErrorMemoryAllocation);
  std::memset(memory, 0xFF, rounded);
  mprotect(memory, rounded, PROT_NONE);
  s.allocations[static_cast<char*>(memory)] = {rounded, current_device};
  used += rounded;
  *p = memory;
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaFree(void* p) {
  BOLIDE_FAKE_ENTER("cudaFree");
  if (!p) return cudaSuccess;
  State& s = state();
  auto found = s.allocations.find(static_cast<char*>(p));
  if (found == s.allocations.end()) return fail(cudaErrorInvalidValue);
  for (auto* stream : all_streams()) wait_for_stream(*stream);
  madvise(p, found->second.bytes, MADV_DONTNEED);
  s.used_bytes[found->second.device] -= found->second.bytes;  // the mapping stays, without access, for good
  s.allocations.erase(found);
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaHostAlloc(void** p, size_t bytes, unsigned) {
  BOLIDE_FAKE_ENTER("cudaHostAlloc");
  *p = std::calloc(1, bytes);
  state().pinned[static_cast<char*>(*p)] = {bytes, current_device};
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaFreeHost(void* p) {
  BOLIDE_FAKE_ENTER("cudaFreeHost");
  if (!state().pinned.erase(static_cast<char*>(p))) return fail(cudaErrorInvalidValue);
  std::free(p);
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* p) {
  BOLIDE_FAKE_ENTER("cudaPointerGetAttributes");
  *attributes = {};
  auto* address = static_cast<char*>(const_cast<void*>(p));
  auto next = state().pinned.upper_bound(address);
  const bool pinned =
      next != state().pinned.begin() && address < std::prev(next)->first + std::prev(next)->second.bytes;
  attributes->type = is_device_memory(p) ? cudaMemoryTypeDevice
                     : pinned            ? cudaMemoryTypeHost
                                         : cudaMemoryTypeUnregistered;
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  BOLIDE_FAKE_ENTER("cudaMemGetInfo");
  *total_bytes = state().total_bytes;
  *free_bytes = *total_bytes - state().used_bytes[current_device];
  return cudaSuccess;
}
// As documented: bytes of pageable memory have been read when a copy to the device returns, those of pinned memory
// have not; a copy to pageable memory has arrived when it returns.
cudaError_t CUDARTAPI cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                                      cudaStream_t stream) {
  BOLIDE_FAKE_ENTER("cudaMemcpyAsync");
  if (!bytes) return cudaSuccess;
  cudaPointerAttributes host;
  if (kind == cudaMemcpyHostToDevice) {
    cudaPointerGetAttributes(&host, from);
    if (host.type == cudaMemoryTypeDevice) return fail(cudaErrorInvalidValue);
    const char* source = static_cast<const char*>(from);
    std::shared_ptr<std::string> staged;
    if (host.type == cudaMemoryTypeUnregistered) staged = std::make_shared<std::string>(source, bytes);
    return fail(push(stream, [=] {
      check_device_range(to, bytes, "cudaMemcpyAsync");
      std::memcpy(to, staged ? staged->data() : source, bytes);
    }));
  }
  const bool to_host = kind == cudaMemcpyDeviceToHost;
  auto error = push(stream, [=] {
    check_device_range(from, bytes, "cudaMemcpyAsync");
    if (!to_host) check_device_range(to, bytes, "cudaMemcpyAsync");
    std::memcpy(to, from, bytes);
  });
  return fail(error);
}
cudaError_t CUDARTAPI cudaMemsetAsync(void* p, int value, size_t bytes, cudaStream_t stream) {
  BOLIDE_FAKE_ENTER("cudaMemsetAsync");
  if (!bytes) return cudaSuccess;
  return fail(push(stream, [=] {
    check_device_range(p, bytes, "cudaMemsetAsync");
    std::memset(p, value, bytes);
  }));
}

// ---------------------------------------------------------------------------------------- streams, events
cudaError_t CUDARTAPI cudaStreamCreateWithFlags(cudaStream_t* handle, unsigned flags) {
  BOLIDE_FAKE_ENTER("cudaStreamCreateWithFlags");
  auto stream = std::make_unique<Stream>();
  stream->blocking = !(flags & cudaStreamNonBlocking);
  stream->device = current_device;
  stream->number = ++state().streams_made;
  auto* key = stream.get();
  *handle = reinterpret_cast<cudaStream_t>(key);
  state().streams[key] = std::move(stream);
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaStreamDestroy(cudaStream_t handle) {
  BOLIDE_FAKE_ENTER("cudaStreamDestroy");
  auto found = state().streams.find(reinterpret_cast<Stream*>(handle));
  if (found == state().streams.end()) return fail(cudaErrorInvalidResourceHandle);
  wait_for_stream(*found->first);
  state().streams.erase(found);
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaStreamSynchronize(cudaStream_t handle) {
  BOLIDE_FAKE_ENTER("cudaStreamSynchronize");
  Stream* stream = stream_of(handle);
  if (!stream) return fail(cudaErrorInvalidResourceHandle);
  if (stream->capture) return fail(cudaErrorStreamCaptureUnsupported);
  wait_for_stream(*stream);
  return fail(state().sticky);
}
cudaError_t CUDARTAPI cudaStreamQuery(cudaStream_t handle) {
  BOLIDE_FAKE_ENTER("cudaStreamQuery");
  Stream* stream = stream_of(handle);
  if (!stream) return fail(cudaErrorInvalidResourceHandle);
  run_for_poller(stream, [&] { return stream->queue.empty(); });
  if (stream->queue.empty() && state().sticky != cudaSuccess) return fail(state().sticky);
  return stream->queue.empty() ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t CUDARTAPI cudaEventCreateWithFlags(cudaEvent_t* handle, unsigned) {
  BOLIDE_FAKE_ENTER("cudaEventCreateWithFlags");
  auto event = std::make_shared<Event>();
  *handle = reinterpret_cast<cudaEvent_t>(event.get());
  state().events[event.get()] = event;
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaEventDestroy(cudaEvent_t handle) {  // pending records and waits live on
  BOLIDE_FAKE_ENTER("cudaEventDestroy");
  bool known = state().events.erase(reinterpret_cast<Event*>(handle));
  return known ? cudaSuccess : fail(cudaErrorInvalidResourceHandle);
}
cudaError_t CUDARTAPI cudaEventRecord(cudaEvent_t handle, cudaStream_t stream) {
  BOLIDE_FAKE_ENTER("cudaEventRecord");
  auto event = event_of(handle);
  if (!event) return fail(cudaErrorInvalidResourceHandle);
  Operation operation;
  operation.record_number = ++event->recorded;
  operation.record = std::move(event);
  return fail(push(stream, std::move(operation)));
}
cudaError_t CUDARTAPI cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t handle, unsigned) {
  BOLIDE_FAKE_ENTER("cudaStreamWaitEvent");
  auto event = event_of(handle);
  if (!event) return fail(cudaErrorInvalidResourceHandle);
  if (!event->recorded) return cudaSuccess;
  Operation operation;
  operation.wait_number = event->recorded;
  operation.wait = std::move(event);
  return fail(push(stream, std::move(operation)));
}
cudaError_t CUDARTAPI cudaEventQuery(cudaEvent_t handle) {
  BOLIDE_FAKE_ENTER("cudaEventQuery");
  if (ends_captures()) return fail(cudaErrorStreamCaptureUnsupported);
  auto event = event_of(handle);
  if (!event) return fail(cudaErrorInvalidResourceHandle);
  run_for_poller(event.get(), [&] { return event->completed >= event->recorded; });
  return event->completed >= event->recorded ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t CUDARTAPI cudaEventSynchronize(cudaEvent_t handle) {
  BOLIDE_FAKE_ENTER("cudaEventSynchronize");
  auto event = event_of(handle);
  if (!event) return fail(cudaErrorInvalidResourceHandle);
  wait_until([&] { return event->completed >= event->recorded; });
  return fail(state().sticky);
}

// ------------------------------------------------------------------------------------------------- graphs
// Visible, so that a test in Python can be the one who captures.
__attribute__((visibility("default"))) cudaError_t CUDARTAPI cudaStreamBeginCapture(cudaStream_t handle,
                                                                                    cudaStreamCaptureMode mode) {
  BOLIDE_FAKE_ENTER("cudaStreamBeginCapture");
  Stream* stream = stream_of(handle);
  if (!stream || !handle || stream->capture) return fail(cudaErrorStreamCaptureUnsupported);
  stream->capture = std::make_unique<Graph>();
  stream->captures_globally = mode == cudaStreamCaptureModeGlobal;
  return cudaSuccess;
}
__attribute__((visibility("default"))) cudaError_t CUDARTAPI cudaStreamEndCapture(cudaStream_t handle,
                                                                                  cudaGraph_t* graph) {
  BOLIDE_FAKE_ENTER("cudaStreamEndCapture");
  Stream* stream = stream_of(handle);
  if (!stream || !stream->capture) return fail(cudaErrorIllegalState);
  *graph = reinterpret_cast<cudaGraph_t>(stream->capture.release());
  if (std::exchange(stream->invalidated, false)) {
    delete reinterpret_cast<Graph*>(std::exchange(*graph, nullptr));
    return fail(cudaErrorStreamCaptureInvalidated);
  }
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  std::swap(*mode, capture_mode);
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  BOLIDE_FAKE_ENTER("cudaStreamIsCapturing");
  Stream* stream = stream_of(handle);
  if (!stream) return fail(cudaErrorInvalidResourceHandle);
  *status = stream->capture ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaGraphInstantiateWithFlags(cudaGraphExec_t* executable, cudaGraph_t graph,
                                                    unsigned long long) {
  BOLIDE_FAKE_ENTER("cudaGraphInstantiateWithFlags");
  *executable = reinterpret_cast<cudaGraphExec_t>(new Graph(*reinterpret_cast<Graph*>(graph)));
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  BOLIDE_FAKE_ENTER("cudaGraphLaunch");
  for (auto& operation : *reinterpret_cast<Graph*>(executable))
    if (auto error = push(stream, operation)) return fail(error);
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaGraphDestroy(cudaGraph_t graph) {
  BOLIDE_FAKE_ENTER("cudaGraphDestroy");
  delete reinterpret_cast<Graph*>(graph);
  return cudaSuccess;
}
cudaError_t CUDARTAPI cudaGraphExecDestroy(cudaGraphExec_t executable) {
  BOLIDE_FAKE_ENTER("cudaGraphExecDestroy");
  delete reinterpret_cast<Graph*>(executable);
  return cudaSuccess;
}

}  // extern "C"
