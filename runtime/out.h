// out.h - what of out= the bindings check of all of several results before the first one is written.
#pragma once
#include "runtime/export.h"
#include "kernels/dtype.h"

namespace bolide {

// Refuses an out= of another dtype for the ops that do not convert; check_out() and write_out() call it, too.
BOLIDE_API void check_out_dtype(const char* op, DType result, DType out);

}  // namespace bolide
