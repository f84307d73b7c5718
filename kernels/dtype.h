// dtype.h - the element types, and the sets of them that the op tables name.
//
// Included by kernels and runtime alike; it includes nothing, so that a run-time compiler can read it.
// To add a type: a line in BOLIDE_DTYPES, a place in the sets, a row in runtime/dtype.cpp's promotion.
#pragma once
#include <cstddef>
#include <cstdint>

namespace bolide {

//  X(enumerator, name, bytes of an element)
#define BOLIDE_DTYPES(X) \
  X(Bool, bool, 1)       \
  X(U8, uint8, 1)        \
  X(I8, int8, 1)         \
  X(I16, int16, 2)       \
  X(I32, int32, 4)       \
  X(I64, int64, 8)       \
  X(F16, float16, 2)     \
  X(BF16, bfloat16, 2)   \
  X(F32, float32, 4)     \
  X(F64, float64, 8)     \
  X(C64, complex64, 8)   \
  X(C128, complex128, 16)

enum class DType : uint8_t {
#define BOLIDE_ENUMERATOR(id, name, size) id,
  BOLIDE_DTYPES(BOLIDE_ENUMERATOR)
#undef BOLIDE_ENUMERATOR
};
#define BOLIDE_ONE(id, name, size) +1
inline constexpr int kDTypeCount = BOLIDE_DTYPES(BOLIDE_ONE);
#undef BOLIDE_ONE

inline constexpr const char* kDTypeNames[] = {
#define BOLIDE_NAME(id, name, size) #name,
    BOLIDE_DTYPES(BOLIDE_NAME)
#undef BOLIDE_NAME
};
inline constexpr size_t kItemSizes[] = {
#define BOLIDE_SIZE(id, name, size) size,
    BOLIDE_DTYPES(BOLIDE_SIZE)
#undef BOLIDE_SIZE
};
constexpr const char* name_of(DType t) { return kDTypeNames[int(t)]; }
constexpr int64_t item_size(DType t) { return int64_t(kItemSizes[int(t)]); }

// Sets of types, as bits: how the op tables say what an op takes.
template <DType... kDTypes>
inline constexpr unsigned kSet = ((1u << int(kDTypes)) | ...);
constexpr bool contains(unsigned set, DType t) { return set >> int(t) & 1; }

inline constexpr unsigned Float = kSet<DType::F16, DType::BF16, DType::F32, DType::F64>;
inline constexpr unsigned Int = kSet<DType::U8, DType::I8, DType::I16, DType::I32, DType::I64>;
inline constexpr unsigned IntBool = Int | kSet<DType::Bool>;
inline constexpr unsigned Number = Int | Float;
inline constexpr unsigned Any = Number | IntBool;
inline constexpr unsigned Complex = kSet<DType::C64, DType::C128>;
inline constexpr unsigned kEveryDType = Any | Complex;

constexpr bool is_float(DType t) { return contains(Float, t); }
constexpr bool is_integer(DType t) { return contains(Int, t); }
constexpr bool is_complex(DType t) { return contains(Complex, t); }
constexpr DType real_type(DType t) { return t == DType::C64 ? DType::F32 : t == DType::C128 ? DType::F64 : t; }
constexpr bool is_differentiable(DType t) { return contains(Float | Complex, t); }

// What the loops compute in: half types in float, small integers and bool in int32.
enum class Compute : uint8_t { F32, F64, I32, I64, C64, C128 };
constexpr Compute compute_type(DType t) {
  switch (t) {
    case DType::F64: return Compute::F64;
    case DType::I64: return Compute::I64;
    case DType::C64: return Compute::C64;
    case DType::C128: return Compute::C128;
    default: return contains(Float, t) ? Compute::F32 : Compute::I32;
  }
}

}  // namespace bolide
