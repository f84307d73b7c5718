// cuda_kernels.h - every CUDA kernel: one function per line of kernels.def.
#pragma once
#include "kernels/kernels.h"
#include "kernels/num.h"

namespace bolide::inline BOLIDE_ISA {

#define KERNEL(name, Call) void name(const Call&);
#define CPU_KERNEL(name, Call)
#define CPU_ISA_KERNEL(name, Call)
#include "kernels/kernels.def"

}  // namespace bolide::inline BOLIDE_ISA
