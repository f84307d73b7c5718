// cpu_kernels.h - every CPU kernel: one function per line of kernels.def, compiled once per ISA.
//
// The files of this folder are compiled with -DBOLIDE_ISA=baseline, avx2 and avx512, each with that ISA's
// flags. Whatever they define lies in the ISA's inline namespace or in an anonymous one: an inline function
// of any other namespace would be one symbol for all three, and a machine without AVX-512 might run that
// one. cpu_dispatch.cpp alone is compiled without an ISA; it picks the set that this machine runs.
#pragma once
#include "kernels/kernels.h"
#include "runtime/errors.h"
#include "runtime/export.h"

namespace bolide {

// The kernels for this machine, or for BOLIDE_CPU_ISA.
BOLIDE_API const Kernels& cpu_kernels();
// Which one that is: "baseline", "avx2", "avx512" or "generic".
BOLIDE_API const char* cpu_isa();

#define KERNEL(name, Call)
#define CPU_KERNEL(name, Call) void name(const Call&);
#include "kernels/kernels.def"

#if defined(BOLIDE_ISA)
inline namespace BOLIDE_ISA {

#define KERNEL(name, Call) void name(const Call&);
#define CPU_KERNEL(name, Call)
#include "kernels/kernels.def"

}  // namespace BOLIDE_ISA
#endif

}  // namespace bolide
