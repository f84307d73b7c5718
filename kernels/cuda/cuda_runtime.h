// cuda_runtime.h - the CUDA runtime API for host code, its errors as exceptions, and the current device.
#pragma once
#include <cuda_runtime_api.h>

#include "kernels/kernel_calls.h"

namespace bolide {

// Raises the error with its CUDA name unless it is cudaSuccess; clears it, so that the next call starts clean.
[[gnu::cold]] [[noreturn]] void raise_cuda(cudaError_t error, const char* op);
inline void check_cuda(cudaError_t error, const char* op) {
  if (error != cudaSuccess) [[unlikely]]
    raise_cuda(error, op);
}
[[noreturn]] void raise_dtype(const char* op, DType dtype);

// Makes `device` the current one of this thread, and the former one again at the end.
class DeviceScope {
 public:
  explicit DeviceScope(int device) {
    check_cuda(cudaGetDevice(&before_), "cuda");
    if (before_ != device) check_cuda(cudaSetDevice(device), "cuda"), changed_ = true;
  }
  ~DeviceScope() {
    if (changed_) cudaSetDevice(before_);
  }
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  int before_ = 0;
  bool changed_ = false;
};

inline cudaStream_t stream_of(StreamHandle stream) { return static_cast<cudaStream_t>(stream.handle); }

}  // namespace bolide
