// kernel_list.cpp - the kernels of one ISA as a table; compiled once per ISA.
#include "kernels/cpu/cpu_kernels.h"

namespace bolide::inline BOLIDE_ISA {

extern const Kernels kKernels;
const Kernels kKernels = {
#define KERNEL(name, Call) .name = name,
#include "kernels/kernels.def"
};

}  // namespace bolide::inline BOLIDE_ISA
