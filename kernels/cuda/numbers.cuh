// numbers.cuh - elements in device memory: the C++ types they are stored as, packs of 16 bytes, and loads and stores
// of a dtype that is known only at run time.
//
// To add a dtype: a line in BOLIDE_REAL_STORAGE or BOLIDE_COMPLEX_STORAGE.
#pragma once
#include "kernels/cuda/cuda.h"
#include "kernels/half.h"

namespace bolide::inline BOLIDE_ISA {

//  X(dtype, type it is stored as)
#define BOLIDE_REAL_STORAGE(X)                                                                  \
  X(Bool, bool) X(U8, uint8_t) X(I8, int8_t) X(I16, int16_t) X(I32, int32_t) X(I64, int64_t) \
  X(F16, F16) X(BF16, BF16) X(F32, float) X(F64, double)
#define BOLIDE_COMPLEX_STORAGE(X) X(C64, C64) X(C128, C128)

template <DType>
struct StorageOf;
#define BOLIDE_STORAGE_OF(dtype, T)                      \
  template <>                                            \
  struct StorageOf<DType::dtype> { using type = T; };
BOLIDE_REAL_STORAGE(BOLIDE_STORAGE_OF)
BOLIDE_COMPLEX_STORAGE(BOLIDE_STORAGE_OF)
#undef BOLIDE_STORAGE_OF
template <class S>
inline constexpr DType kDTypeOf = DType::F32;
#define BOLIDE_DTYPE_OF(dtype, T) \
  template <>                     \
  inline constexpr DType kDTypeOf<T> = DType::dtype;
BOLIDE_REAL_STORAGE(BOLIDE_DTYPE_OF)
BOLIDE_COMPLEX_STORAGE(BOLIDE_DTYPE_OF)
#undef BOLIDE_DTYPE_OF

// Half types are computed in float, everything else in itself.
template <class S>
using ComputeOf = std::conditional_t<kIsHalf<S>, float, S>;

// Elements that move together: 16 bytes, or as many elements of a smaller type as go with 16 bytes of another.
template <class T, int N>
struct alignas(sizeof(T) * N <= 16 ? sizeof(T) * N : 16) Pack {
  T v[N];
};
template <class S>
inline constexpr int kPack = int(16 / sizeof(S));
BOLIDE_FN bool is_aligned(const void* p, size_t bytes) { return reinterpret_cast<uintptr_t>(p) % bytes == 0; }

// f(storage type of dtype, as a value of it that is not to be read). Complex ones only for a complex C: whatever is
// computed in real numbers has met none.
template <class C = float, class F>
BOLIDE_FN void with_storage(DType dtype, const F& f) {
  switch (dtype) {
#define BOLIDE_CASE(id, T) \
  case DType::id: return f(T{});
    BOLIDE_REAL_STORAGE(BOLIDE_CASE)
    default: break;
  }
  if constexpr (kIsComplex<C>) switch (dtype) {
      BOLIDE_COMPLEX_STORAGE(BOLIDE_CASE)
      default: return;
    }
#undef BOLIDE_CASE
}
// Element `at` of an array, as a number of the compute type, and back.
template <class C>
BOLIDE_FN C load_any(const void* data, DType dtype, int64_t at) {
  C x = 0;
  with_storage<C>(dtype, [&]<class S>(S) { x = load_as<C>(static_cast<const S*>(data)[at]); });
  return x;
}
template <class C>
BOLIDE_FN void store_any(void* data, DType dtype, int64_t at, C x) {
  with_storage<C>(dtype, [&]<class S>(S) { static_cast<S*>(data)[at] = store_as<S>(x); });
}

// Calls f(std::integral_constant<int, i>()) for i < n, unrolled.
template <int n, class F>
BOLIDE_FN void unrolled(F f) {
  [&]<int... i>(std::integer_sequence<int, i...>) {
    (f(std::integral_constant<int, i>()), ...);
  }(std::make_integer_sequence<int, n>());
}

// For host code: calls f.template operator()<S>() with the storage type of a float dtype; raises for another.
template <class F>
void for_float(const char* op, DType dtype, const F& f) {
  switch (dtype) {
    case DType::F16: return f.template operator()<F16>();
    case DType::BF16: return f.template operator()<BF16>();
    case DType::F32: return f.template operator()<float>();
    case DType::F64: return f.template operator()<double>();
    default: raise_dtype(op, dtype);
  }
}

// For host code that moves elements without looking at them: f.template operator()<T>() with a type of that size.
struct Bytes16 {
  uint64_t halves[2];
};
template <class F>
void for_size(int64_t bytes, const F& f) {
  switch (bytes) {
    case 1: return f.template operator()<uint8_t>();
    case 2: return f.template operator()<uint16_t>();
    case 4: return f.template operator()<uint32_t>();
    case 8: return f.template operator()<uint64_t>();
    default: return f.template operator()<Bytes16>();
  }
}

}  // namespace bolide::inline BOLIDE_ISA
