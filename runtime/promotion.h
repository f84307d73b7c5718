// promotion.h - PyTorch's type promotion, once: which dtype a mix of tensors and Python numbers computes in.
//
// Tensors with dimensions decide first, then 0-d tensors, then Python numbers: a later group counts only where
// its category (bool, integer, float, complex) is higher. See torch.result_type.
#pragma once
#include <cstdint>

#include "kernels/dtype.h"
#include "runtime/export.h"

namespace bolide {

// A Python number.
struct Scalar {
  enum Kind : uint8_t { Bool, Int, Float, Complex } kind = Float;
  bool beyond = false;             // an integer that 64 bits do not hold: `real` has it
  double real = 0, imaginary = 0;  // real also for integers, rounded
  int64_t integer = 0;

  Scalar() = default;
  Scalar(bool v) : kind(Bool), real(v), integer(v) {}
  Scalar(int v) : Scalar(int64_t(v)) {}
  Scalar(int64_t v) : kind(Int), real(double(v)), integer(v) {}
  Scalar(double v) : kind(Float), real(v) {}
  Scalar(double re, double im) : kind(Complex), real(re), imaginary(im) {}
  // float32 for a float, int64 for an int, as tensor(v) would be.
  BOLIDE_API DType default_dtype() const;
};

// An integer as this dtype of integers or bool has it, in two's complement.
BOLIDE_API int64_t wrapped(int64_t value, DType dtype);
// For an integer that 64 bits do not hold where one is needed that they do.
[[noreturn]] BOLIDE_API void raise_beyond(const char* op, const Scalar& s);

// A Python number as a tensor of this dtype holds it. Raises where that is beyond the dtype's range.
BOLIDE_API Scalar fitting(const char* op, Scalar value, DType dtype);

BOLIDE_API DType promote(DType a, DType b);
// Does in-place arithmetic bring `from` into `to`? Not into a lower category.
BOLIDE_API bool can_cast(DType from, DType to);

// float32 unless set_default_dtype said otherwise: what Python floats and integer division become.
BOLIDE_API DType default_dtype();
BOLIDE_API void set_default_dtype(DType dtype);

// Collects the operands of one call.
class BOLIDE_API Promotion {
 public:
  void add_tensor(DType dtype, bool zero_dim) { add(dtype, zero_dim ? 1 : 0); }
  void add_scalar(const Scalar& s) { add(s.default_dtype(), 2); }
  DType result() const;

 private:
  void add(DType dtype, int group);
  DType dtypes_[3] = {};
  bool seen_[3] = {};
};

}  // namespace bolide
