// elementwise_loops.cuh - what the objects of elementwise_loops.cu offer to elementwise.cu: launchers for every op.
#pragma once
#include "kernels/cuda/layout.cuh"
#include "kernels/num.h"

namespace bolide::inline BOLIDE_ISA {

// Where the number of a slot comes from.
enum class Source : uint8_t {
  None,    // the slot is not there
  Array,   // an array: one number per element
  Single,  // one element in device memory, of any dtype, for all
  Number,  // a number of the host, for all
};
struct Slot {
  const void* data = nullptr;
  DType dtype = DType::F32;
  Source source = Source::None;
  union {
    float f32;
    double f64;
    int32_t i32;
    int64_t i64;
    C64 c64;
    C128 c128;
  } number = {.i64 = 0};

  template <class C>
  BOLIDE_FN C value() const {
    if constexpr (std::is_same_v<C, float>) return number.f32;
    else if constexpr (std::is_same_v<C, double>) return number.f64;
    else if constexpr (std::is_same_v<C, int32_t>) return number.i32;
    else if constexpr (std::is_same_v<C, C64>) return number.c64;
    else if constexpr (std::is_same_v<C, C128>) return number.c128;
    else return number.i64;
  }
};
// Every array dense, of the object's storage type; the result too, or bool for a comparison, or a complex type's real.
struct DenseArguments {
  Slot slots[kMaxSlots];
  void* out = nullptr;
  int64_t count = 0;
  bool aligned = false;  // all arrays on 16 bytes, so that they are read in packs
};
// Any dtype and layout. Operand kMaxSlots of the layout is the result.
struct StridedArguments {
  Slot slots[kMaxSlots];
  void* out = nullptr;
  DType out_dtype = DType::F32;
  Layout<kMaxSlots + 1> layout;
};
struct FormulaLaunchers {
  void (*dense)(const DenseArguments&, StreamHandle) = nullptr;
  void (*strided)(const StridedArguments&, StreamHandle) = nullptr;
};
struct OpLaunchers {
  FormulaLaunchers forward, gradient[3];
};

}  // namespace bolide::inline BOLIDE_ISA
