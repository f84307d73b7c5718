// dlpack_common.h - what both directions of DLPack share: its numbers for dtypes and devices.
#pragma once
#include <dlpack/dlpack.h>

#include <optional>
#include <type_traits>

#include "kernels/dtype.h"
#include "runtime/device.h"

namespace bolide::python {

template <class Managed>
constexpr const char* capsule_name() {
  return std::is_same_v<Managed, DLManagedTensor> ? "dltensor" : "dltensor_versioned";
}
template <class Managed>
constexpr const char* used_name() {
  return std::is_same_v<Managed, DLManagedTensor> ? "used_dltensor" : "used_dltensor_versioned";
}

inline DLDevice dlpack_device_of(Device device) {
  return {device.is_cpu() ? kDLCPU : kDLCUDA, device.is_cpu() ? 0 : int32_t(device.index)};
}
inline std::optional<Device> device_of_dlpack(DLDevice d) {
  if (d.device_type == kDLCPU || d.device_type == kDLCUDAHost) return Device{};
  if ((d.device_type != kDLCUDA && d.device_type != kDLCUDAManaged) || d.device_id < 0 || d.device_id > 63)
    return std::nullopt;
  return Device{DeviceType::CUDA, int8_t(d.device_id)};
}

inline DLDataType dlpack_type_of(DType t) {
  const uint8_t code = t == DType::Bool   ? uint8_t(kDLBool)
                       : t == DType::U8   ? uint8_t(kDLUInt)
                       : t == DType::BF16 ? uint8_t(kDLBfloat)
                       : is_float(t)      ? uint8_t(kDLFloat)
                       : is_complex(t)    ? uint8_t(kDLComplex)
                                          : uint8_t(kDLInt);
  return {code, uint8_t(8 * item_size(t)), 1};
}
inline std::optional<DType> dtype_of_dlpack(DLDataType d) {
  for (int i = 0; i < kDTypeCount; i++) {
    const DLDataType own = dlpack_type_of(DType(i));
    if (own.code == d.code && own.bits == d.bits && d.lanes == 1) return DType(i);
  }
  return std::nullopt;
}

}  // namespace bolide::python
