// scratch.h - temporary device memory for a kernel, from the memory pool.
//
// It is given back when the host is done with it, that is before the device is: the pool hands it out again to later
// work of the same stream only, which runs after the work that uses it now.
#pragma once
#include "runtime/memory_pool.h"

namespace bolide {

class Scratch {
 public:
  Scratch(int64_t bytes, StreamHandle stream)
      : device_{DeviceType::CUDA, int8_t(stream.device)}, allocation_(allocate(device_, size_t(bytes), stream)) {}
  ~Scratch() { deallocate(device_, allocation_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  template <class T>
  T* as() const {
    return static_cast<T*>(allocation_.data);
  }

 private:
  Device device_;
  Allocation allocation_;
};

}  // namespace bolide
