// kernels.h - a device's kernels: one pointer per line of kernels.def, null where the device has none.
#pragma once
#include "kernels/kernel_calls.h"

namespace bolide {

struct Kernels {
#define KERNEL(name, Call) void (*name)(const Call&) = nullptr;
#include "kernels/kernels.def"
};

}  // namespace bolide
