// types.h - from a dtype to the C++ type that its elements are stored as, and what that is computed in.
//
//   for_dtype<DType::F32, DType::BF16>("softmax", call.dtype, [&]<class S> { run<S>(call); });
//
// calls the lambda with the one that fits, and raises where none does.
#pragma once
#include <type_traits>

#include "kernels/cpu/cpu_kernels.h"
#include "kernels/half.h"

namespace bolide::inline BOLIDE_ISA {

template <DType>
struct StoredType;
#define BOLIDE_STORED(dtype, T)      \
  template <>                        \
  struct StoredType<DType::dtype> {  \
    using type = T;                  \
  };
BOLIDE_STORED(Bool, bool)
BOLIDE_STORED(U8, uint8_t)
BOLIDE_STORED(I8, int8_t)
BOLIDE_STORED(I16, int16_t)
BOLIDE_STORED(I32, int32_t)
BOLIDE_STORED(I64, int64_t)
BOLIDE_STORED(F16, F16)
BOLIDE_STORED(BF16, BF16)
BOLIDE_STORED(F32, float)
BOLIDE_STORED(F64, double)
BOLIDE_STORED(C64, C64)
BOLIDE_STORED(C128, C128)
#undef BOLIDE_STORED
template <DType kDType>
using Stored = typename StoredType<kDType>::type;

// Half types are computed in float, everything else in itself.
template <class S>
using ComputeOf = std::conditional_t<kIsHalf<S>, float, S>;

template <DType... kDTypes, class F>
BOLIDE_FN void for_dtype(const char* op, DType dtype, const F& f) {
  const bool found = ((dtype == kDTypes && (f.template operator()<Stored<kDTypes>>(), true)) || ...);
  if constexpr (sizeof...(kDTypes) < kDTypeCount)
    if (!found) [[unlikely]]
      raise(ErrorKind::NotImplemented, op, "a dtype with a kernel on device cpu", name_of(dtype));
}
#define BOLIDE_FLOATS DType::F32, DType::F64, DType::F16, DType::BF16

}  // namespace bolide::inline BOLIDE_ISA
