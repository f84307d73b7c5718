// cuda_backend.h - the CUDA device behind runtime/backend.h: memory, streams and events of the runtime API.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "kernels/cuda/cuda_runtime.h"
#include "runtime/backend.h"

namespace bolide {

class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(int devices)
      : streams_(size_t(devices), nullptr), faults_(new std::atomic<Fault*>[size_t(devices)]()) {}

  int device_count() override { return int(streams_.size()); }
  std::string device_name(int device) override;
  void memory_info(int device, size_t* free_bytes, size_t* total_bytes) override;

  void* allocate(int device, size_t bytes) override;
  void deallocate(int device, void* data, size_t bytes) override;

  void copy_bytes(void* to, const void* from, size_t bytes, CopyKind kind, StreamHandle stream) override;
  void set_bytes(void* data, int value, size_t bytes, StreamHandle stream) override;

  StreamHandle default_stream(int device) override;
  StreamHandle make_stream(int device) override;
  void destroy_stream(StreamHandle stream) override;
  EventHandle record_event(StreamHandle stream) override;
  bool is_done(EventHandle event) override;
  bool is_idle(StreamHandle stream) override;
  void wait_event(StreamHandle stream, EventHandle event) override;
  void destroy_event(EventHandle event) override;
  void synchronize(StreamHandle stream) override;
  bool is_capturing(StreamHandle stream) override;
  Fault* fault(int device) override;

 private:
  std::mutex mutex_;
  std::vector<void*> streams_;  // the default stream of each device, made when it is first asked for
  std::unique_ptr<std::atomic<Fault*>[]> faults_;  // likewise, in pinned memory
};

}  // namespace bolide
