// fault.cuh - how a kernel reports an index or a class out of range: nobody waits for it, the next wait raises it.
#pragma once
#include "kernels/cuda/cuda.h"

namespace bolide::inline BOLIDE_ISA {

// The first report stays until the host has raised it. `op` comes last: the host may look at any time.
__device__ inline void report_fault(Fault* to, const Fault& found) {
  if (atomicCAS(&to->claimed, 0, 1) != 0) return;
  to->what = found.what, to->value = found.value, to->low = found.low, to->high = found.high;
  __threadfence_system();
  *const_cast<const char* volatile*>(&to->op) = found.op;
}

}  // namespace bolide::inline BOLIDE_ISA
