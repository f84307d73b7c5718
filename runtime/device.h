// device.h - where a tensor lives: a kind of device and an index.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/export.h"

namespace bolide {

enum class DeviceType : uint8_t { CPU, CUDA };
inline constexpr int kDeviceTypes = 2;

struct Device {
  DeviceType type = DeviceType::CPU;
  int8_t index = 0;

  bool operator==(const Device&) const = default;
  bool is_cpu() const { return type == DeviceType::CPU; }
};

// "cpu", "cuda:0"
BOLIDE_API std::string name_of(Device device);
// From "cpu", "cuda", "cuda:1"; raises for anything else. Without an index: the current device.
BOLIDE_API Device parse_device(std::string_view text);

// The device of this type that "cuda" without an index means, per thread.
BOLIDE_API int current_device(DeviceType type);
BOLIDE_API void set_current_device(Device device);

}  // namespace bolide
