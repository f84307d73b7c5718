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
// Where the packs of broadcast arrays start, in elements: the dimensions that are left when the last is cut into packs.
struct PackPlaces {
  static constexpr int kMaxRank = 4;
  int rank = 0;  // 0: pack after pack in every array
  Divider dividers[kMaxRank];
  int64_t strides[kMaxSlots + 1][kMaxRank] = {};

  __device__ void place(int64_t pack, int64_t (&at)[kMaxSlots + 1]) const {
    for (int s = 0; s <= kMaxSlots; s++) at[s] = 0;
    uint32_t rest = uint32_t(pack);
    for (int d = rank - 1; d >= 0; d--) {
      const uint32_t quotient = d > 0 ? dividers[d].divide(rest) : 0, index = rest - quotient * dividers[d].size;
      rest = quotient;
      BOLIDE_UNROLL for (int s = 0; s <= kMaxSlots; s++) at[s] += int64_t(index) * strides[s][d];
    }
  }
};
// Arrays of the object's storage type, read in packs; the result too, or bool for a comparison, or a complex type's
// real. Dense ones, or (places.rank > 0) ones that along the last dimension are adjacent or stand still.
struct DenseArguments {
  Slot slots[kMaxSlots];
  void* out = nullptr;
  int64_t count = 0;
  bool aligned = false;  // all packs on 16 bytes, so that they are read at once
  uint8_t still = 0;     // by slot: one number for a pack
  PackPlaces places;
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
