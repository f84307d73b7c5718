// reduce.cuh - what the objects of reduce_loops.cu offer to reduce.cu: one function per compute type.
#pragma once
#include "kernels/cuda/layout.cuh"

namespace bolide::inline BOLIDE_ISA {

// A call with its dimensions merged: those kept, then those reduced.
struct ReducePlan {
  Layout<2> kept;     // in, out
  Layout<1> reduced;  // in
  int64_t results = 1, n = 1;

  explicit ReducePlan(const ReduceCall& call) {
    for (int d = 0; d < call.rank; d++) {
      if (call.reduced >> d & 1) reduced.push("reduce", call.shape[d], {call.in.strides[d]});
      else kept.push("reduce", call.shape[d], {call.in.strides[d], call.out.strides[d]});
    }
    kept.finish(), reduced.finish();
    results = kept.count, n = reduced.count;
  }
};

}  // namespace bolide::inline BOLIDE_ISA
