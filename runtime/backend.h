// backend.h - the device abstraction: about a dozen functions that move bytes and order work.
//
// A backend never mentions an op; what it can compute is its Kernels (kernels/kernels.h). The CPU is one, the
// CUDA library another, loaded the first time a CUDA device is asked for (backend.cpp). To add a device: derive
// Backend, fill in Kernels, give both to register_backend or export a BackendModule (backend_module.h).
#pragma once
#include <cstddef>
#include <string>

#include "kernels/kernels.h"
#include "runtime/device.h"
#include "runtime/export.h"

namespace bolide {

// A place in a stream's work, made by record_event. Null: nothing to wait for.
using EventHandle = void*;

class BOLIDE_API Backend {
 public:
  virtual ~Backend() = default;

  virtual int device_count() = 0;
  virtual std::string device_name(int device) = 0;
  virtual void memory_info(int device, size_t* free_bytes, size_t* total_bytes) = 0;

  // Raw segments for the memory pool, aligned to 256 bytes; null where there is no more.
  virtual void* allocate(int device, size_t bytes) = 0;
  virtual void deallocate(int device, void* data, size_t bytes) = 0;

  // Bytes between any two places of this backend and the host, in the order of the stream. To or from the
  // host it returns when the host's bytes may be used again.
  enum class CopyKind { ToDevice, ToHost, OnDevice };
  virtual void copy_bytes(void* to, const void* from, size_t bytes, CopyKind kind, StreamHandle stream) = 0;
  virtual void set_bytes(void* data, int value, size_t bytes, StreamHandle stream) = 0;

  // Streams and events. default_stream is where work goes unless a thread says otherwise.
  virtual StreamHandle default_stream(int device) = 0;
  virtual StreamHandle make_stream(int device) = 0;
  virtual void destroy_stream(StreamHandle stream) = 0;
  virtual EventHandle record_event(StreamHandle stream) = 0;
  virtual bool is_done(EventHandle event) = 0;
  virtual bool is_idle(StreamHandle stream) = 0;
  virtual void wait_event(StreamHandle stream, EventHandle event) = 0;  // the stream waits, not the host
  virtual void destroy_event(EventHandle event) = 0;
  virtual void synchronize(StreamHandle stream) = 0;                    // the host waits; users' waits: blocking.h
  // Is its work being written down for a graph? Then it may not wait for work outside of that.
  virtual bool is_capturing(StreamHandle) { return false; }

  // Where the kernels of a device report to; null where they have finished when a call returns.
  virtual Fault* fault(int device) = 0;
};

// What a backend library hands over; see backend_module.h for how it is found.
struct BackendEntry {
  Backend* backend = nullptr;
  const Kernels* kernels = nullptr;
};

// Raises with a hint where the device type has no library, driver or device on this machine.
BOLIDE_API const BackendEntry& backend_of(DeviceType type);
// Is there a working backend with at least one device? Never raises.
BOLIDE_API bool is_available(DeviceType type);
// Raises where the index is out of range.
BOLIDE_API void check_device(Device device);
// Later work of `after` waits for what `before` has now; the host waits for nothing. Raises where one of them is being
// captured and the other is not: neither may become a part of the other's graph unseen.
BOLIDE_API void order_streams(Device device, StreamHandle before, StreamHandle after);

}  // namespace bolide
