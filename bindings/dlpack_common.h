// dlpack_common.h - what both directions of DLPack share: its numbers for dtypes and devices.
#pragma once
#include <dlpack/dlpack.h>

#include <optional>
#include <type_traits>

#include "bindings/errors.h"
#include "kernels/dtype.h"
#include "runtime/backend.h"

namespace bolide::python {

[[noreturn]] inline void raise_buffer_error(const std::string& text) {
  PyErr_SetString(PyExc_BufferError, text.c_str());
  throw Raised{};
}

// order_streams() with DLPack's kind of error.
inline void order_or_refuse(Device device, StreamHandle before, StreamHandle after) {
  try {
    order_streams(device, before, after);
  } catch (const Error& e) { raise_buffer_error(e.what()); }
}

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

// "float8_e5m2", "uint16", "float32x4": for errors.
inline std::string name_of_dlpack(DLDataType d) {
  static constexpr const char* names[] = {"int",
                                          "uint",
                                          "float",
                                          "an opaque handle of bits: ",
                                          "bfloat",
                                          "complex",
                                          "bool",
                                          "float8_e3m4",
                                          "float8_e4m3",
                                          "float8_e4m3b11fnuz",
                                          "float8_e4m3fn",
                                          "float8_e4m3fnuz",
                                          "float8_e5m2",
                                          "float8_e5m2fnuz",
                                          "float8_e8m0fnu",
                                          "float6_e2m3fn",
                                          "float6_e3m2fn",
                                          "float4_e2m1fn"};
  const bool known = d.code < std::size(names), sized = known && d.code > kDLBool;
  return (known ? names[d.code] : str("code ", int(d.code), " with bits: ")) + (sized ? "" : str(int(d.bits))) +
         (d.lanes == 1 ? "" : str("x", d.lanes));
}

}  // namespace bolide::python
