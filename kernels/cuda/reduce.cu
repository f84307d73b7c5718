// reduce.cu - hands a call to the object of its compute type.
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/reduce.cuh"

namespace bolide::inline BOLIDE_ISA {

bool reduce_f32(const ReduceCall&, const ReducePlan&);
bool reduce_f64(const ReduceCall&, const ReducePlan&);
bool reduce_i32(const ReduceCall&, const ReducePlan&);
bool reduce_i64(const ReduceCall&, const ReducePlan&);
bool reduce_c64(const ReduceCall&, const ReducePlan&);
bool reduce_c128(const ReduceCall&, const ReducePlan&);

void reduce(const ReduceCall& call) {
  const ReducePlan plan(call);
  if (plan.results == 0) return;
  bool found = false;
  switch (call.compute) {
    case Compute::F32: found = reduce_f32(call, plan); break;
    case Compute::F64: found = reduce_f64(call, plan); break;
    case Compute::I32: found = reduce_i32(call, plan); break;
    case Compute::I64: found = reduce_i64(call, plan); break;
    case Compute::C64: found = reduce_c64(call, plan); break;
    case Compute::C128: found = reduce_c128(call, plan); break;
  }
  if (!found) raise_dtype("reduce", call.in.dtype);
}

}  // namespace bolide::inline BOLIDE_ISA
