// cuda_backend.cpp - every call to the runtime API that is not a launch, and the text of its errors.
//
// All streams are non-blocking: nothing waits for the legacy default stream. After a fork the child cannot use CUDA
// (the driver's threads and its context stay with the parent): it gets an error that says so, and what it frees is
// forgotten without a call.
#include "kernels/cuda/cuda_backend.h"

#include <pthread.h>

#include "runtime/errors.h"

namespace bolide {
namespace {

bool g_forked = false;  // this process is a child of one that has used CUDA

void remember_forks() {
  static const int once = pthread_atfork(nullptr, nullptr, [] { g_forked = true; });
  (void)once;
}
[[noreturn]] void raise_forked() {
  raise(ErrorKind::Runtime, "cuda", "the process that first used CUDA", "a child of it made by fork",
        "Start workers with multiprocessing's 'spawn' method, or use CUDA only after the fork.");
}
cudaEvent_t event_of(EventHandle event) { return static_cast<cudaEvent_t>(event); }

// Another library may be capturing a graph, in the mode that forbids queries and allocations to every thread: one of
// ours, which has nothing to do with it, would end its capture. PyTorch's allocator does the same.
class OutsideOfCaptures {
 public:
  OutsideOfCaptures() { cudaThreadExchangeStreamCaptureMode(&mode_); }
  ~OutsideOfCaptures() { cudaThreadExchangeStreamCaptureMode(&mode_); }
  OutsideOfCaptures(const OutsideOfCaptures&) = delete;
  OutsideOfCaptures& operator=(const OutsideOfCaptures&) = delete;

 private:
  cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
};

}  // namespace

void raise_cuda(cudaError_t error, const char* op) {
  cudaGetLastError();
  if (g_forked) raise_forked();
  const char *name = cudaGetErrorName(error), *text = cudaGetErrorString(error);
  const bool memory = error == cudaErrorMemoryAllocation;
  raise(memory ? ErrorKind::OutOfMemory : ErrorKind::Runtime, op, "success from CUDA",
        std::string(name) == text ? name : str(name, " (", text, ")"),
        memory ? "Free tensors, or call bolide.cuda.empty_cache()." : "");
}
void raise_dtype(const char* op, DType dtype) {
  raise(ErrorKind::NotImplemented, op, "a dtype with a kernel on device cuda", name_of(dtype));
}

std::string CudaBackend::device_name(int device) {
  cudaDeviceProp properties;
  check_cuda(cudaGetDeviceProperties(&properties, device), "cuda");
  return properties.name;
}
void CudaBackend::memory_info(int device, size_t* free_bytes, size_t* total_bytes) {
  const DeviceScope scope(device);
  check_cuda(cudaMemGetInfo(free_bytes, total_bytes), "cuda");
}

void* CudaBackend::allocate(int device, size_t bytes) {
  if (g_forked) raise_forked();
  remember_forks();
  const DeviceScope scope(device);
  const OutsideOfCaptures outside;
  void* data = nullptr;
  const cudaError_t error = cudaMalloc(&data, bytes);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // not an error yet: the pool frees what it has cached and asks again
    return nullptr;
  }
  check_cuda(error, "empty");
  return data;
}
void CudaBackend::deallocate(int device, void* data, size_t) {
  if (g_forked) return;
  const DeviceScope scope(device);
  const cudaError_t error = cudaFree(data);
  if (error != cudaErrorCudartUnloading) check_cuda(error, "cuda");  // at exit all is freed anyway
}

void CudaBackend::copy_bytes(void* to, const void* from, size_t bytes, CopyKind kind, StreamHandle stream) {
  if (bytes == 0) return;
  const DeviceScope scope(stream.device);
  const cudaMemcpyKind kinds[] = {cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice};
  check_cuda(cudaMemcpyAsync(to, from, bytes, kinds[int(kind)], stream_of(stream)), "copy");
  bool wait = kind == CopyKind::ToHost;
  if (kind == CopyKind::ToDevice) {  // bytes in pageable memory have been read by now, in pinned memory perhaps not
    cudaPointerAttributes attributes{};
    check_cuda(cudaPointerGetAttributes(&attributes, from), "copy");
    wait = attributes.type != cudaMemoryTypeUnregistered;
  }
  if (wait) synchronize(stream);
}
void CudaBackend::set_bytes(void* data, int value, size_t bytes, StreamHandle stream) {
  const DeviceScope scope(stream.device);
  check_cuda(cudaMemsetAsync(data, value, bytes, stream_of(stream)), "fill_");
}

StreamHandle CudaBackend::default_stream(int device) {
  const std::lock_guard lock(mutex_);
  void*& stream = streams_.at(size_t(device));
  if (!stream) stream = make_stream(device).handle;
  return {stream, device};
}
StreamHandle CudaBackend::make_stream(int device) {
  if (g_forked) raise_forked();
  remember_forks();
  const DeviceScope scope(device);
  cudaStream_t stream = nullptr;
  check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cuda");
  return {stream, device};
}
void CudaBackend::destroy_stream(StreamHandle stream) {
  if (!g_forked) cudaStreamDestroy(stream_of(stream));
}
EventHandle CudaBackend::record_event(StreamHandle stream) {
  const DeviceScope scope(stream.device);
  cudaEvent_t event = nullptr;
  check_cuda(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cuda");
  check_cuda(cudaEventRecord(event, stream_of(stream)), "cuda");
  return event;
}
bool CudaBackend::is_done(EventHandle event) {
  if (!event) return true;
  const OutsideOfCaptures outside;
  const cudaError_t error = cudaEventQuery(event_of(event));
  if (error == cudaErrorNotReady) return false;
  check_cuda(error, "cuda");
  return true;
}
bool CudaBackend::is_idle(StreamHandle stream) {
  const cudaError_t error = cudaStreamQuery(stream_of(stream));
  if (error == cudaErrorNotReady) return false;
  check_cuda(error, "synchronize");
  return true;
}
void CudaBackend::wait_event(StreamHandle stream, EventHandle event) {
  if (!event) return;
  const DeviceScope scope(stream.device);
  check_cuda(cudaStreamWaitEvent(stream_of(stream), event_of(event), 0), "cuda");
}
void CudaBackend::destroy_event(EventHandle event) {
  if (event && !g_forked) cudaEventDestroy(event_of(event));
}
void CudaBackend::synchronize(StreamHandle stream) {
  check_cuda(cudaStreamSynchronize(stream_of(stream)), "synchronize");
}
bool CudaBackend::is_capturing(StreamHandle stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  const cudaError_t error = cudaStreamIsCapturing(stream_of(stream), &status);
  if (error == cudaErrorStreamCaptureImplicit) {  // the legacy stream, while another one captures: as good as captured
    cudaGetLastError();
    return true;
  }
  check_cuda(error, "cuda");
  return status != cudaStreamCaptureStatusNone;
}
Fault* CudaBackend::fault(int device) {
  std::atomic<Fault*>& place = faults_[size_t(device)];
  if (Fault* made = place.load(std::memory_order_acquire)) return made;
  const std::lock_guard lock(mutex_);
  if (!place.load(std::memory_order_relaxed)) {
    const DeviceScope scope(device);
    void* memory = nullptr;
    check_cuda(cudaHostAlloc(&memory, sizeof(Fault), cudaHostAllocMapped | cudaHostAllocPortable), "cuda");
    place.store(new (memory) Fault, std::memory_order_release);
  }
  return place.load(std::memory_order_relaxed);
}

}  // namespace bolide
