// elementwise_loops.h - what the per-ISA objects offer to the rest: tables of loops over contiguous numbers.
//
// A loop knows one op, one compute type and one ISA, and nothing of layouts, storage types or threads:
// elementwise.cpp brings everything else into this shape, block by block. So each formula is compiled once per
// compute type (f32, f64, i32, i64, c64, c128) and ISA, not once per dtype and layout.
#pragma once
#include <cstdint>

namespace bolide {

// in: one pointer per slot (inputs; for gradients g, inputs, y), null where kUses says it is not read; of a parameter
// (UNARY_1, UNARY_2) only the first number is read.
// out: n results of the compute type, n bytes 0 or 1 where the formula gives a Mask, or
// n reals where it gives one of complex numbers.
using Loop = void (*)(const void* const* in, void* out, int64_t n);

struct OpLoops {
  Loop forward = nullptr;  // null: the op does not take this type
  Loop gradient[3] = {};   // null: none
};

}  // namespace bolide
