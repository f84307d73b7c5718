// layout.cuh - from the number of an element to its places in several strided arrays.
//
// Dimensions are merged on the host where every operand runs through them evenly, so most calls have one or two.
// Division by a size is a multiplication (Granlund and Montgomery 1994) while all numbers are below 2^31.
#pragma once
#include "kernels/cuda/cuda.h"
#include "kernels/num.h"
#include "runtime/errors.h"

namespace bolide::inline BOLIDE_ISA {

inline constexpr int kMaxMerged = 16;  // dimensions that are left: what fits into a kernel's arguments

struct Divider {
  uint32_t size = 1, factor = 1, shift = 0;

  Divider() = default;
  explicit Divider(int64_t n) : size(uint32_t(n)) {
    while (shift < 32 && (uint64_t(1) << shift) < uint64_t(n)) shift++;
    factor = uint32_t(((uint64_t(1) << 32) * ((uint64_t(1) << shift) - uint64_t(n))) / uint64_t(n) + 1);
  }
  __device__ uint32_t divide(uint32_t n) const { return (__umulhi(n, factor) + n) >> shift; }
};

template <int kOperands>
struct Layout {
  int rank = 0;
  bool small = true;  // fewer than 2^31 elements
  int64_t count = 1;
  Divider dividers[kMaxMerged];
  int64_t shape[kMaxMerged];
  int64_t strides[kOperands][kMaxMerged];

  Layout() = default;
  // A null pointer for strides: an operand that is not there.
  Layout(const char* op, int call_rank, const int64_t* call_shape, const int64_t* const (&call_strides)[kOperands]) {
    for (int d = 0; d < call_rank; d++) {
      int64_t by_operand[kOperands];
      for (int k = 0; k < kOperands; k++) by_operand[k] = call_strides[k] ? call_strides[k][d] : 0;
      push(op, call_shape[d], by_operand);
    }
    finish();
  }
  void push(const char* op, int64_t size, const int64_t (&by_operand)[kOperands]) {
    count *= size;
    if (size == 1) return;
    bool merge = rank > 0;
    for (int k = 0; k < kOperands && merge; k++) merge = strides[k][rank - 1] == by_operand[k] * size;
    if (!merge) {
      check(rank < kMaxMerged, ErrorKind::NotImplemented, op,
            str("at most ", kMaxMerged, " dimensions that cannot be merged on device cuda"),
            [&] { return str(rank + 1, " or more"); });
      shape[rank++] = 1;
    }
    shape[rank - 1] *= size;
    for (int k = 0; k < kOperands; k++) strides[k][rank - 1] = by_operand[k];
  }
  void finish() {
    small = count < (int64_t(1) << 31);
    for (int d = 0; d < rank && small && count > 0; d++) dividers[d] = Divider(shape[d]);
  }
  // One run through memory for this operand: stride 1, or a single element.
  bool is_dense(int operand) const { return rank == 0 || (rank == 1 && strides[operand][0] == 1); }
  bool is_constant(int operand) const {
    for (int d = 0; d < rank; d++)
      if (strides[operand][d] != 0) return false;
    return true;
  }

  // Where element i lies in every operand.
  __device__ void place(int64_t i, int64_t (&at)[kOperands]) const {
    for (int k = 0; k < kOperands; k++) at[k] = 0;
    if (small) {
      uint32_t rest = uint32_t(i);
      for (int d = rank - 1; d >= 0; d--) {
        const uint32_t quotient = d > 0 ? dividers[d].divide(rest) : 0, index = rest - quotient * dividers[d].size;
        rest = quotient;
        BOLIDE_UNROLL for (int k = 0; k < kOperands; k++) at[k] += int64_t(index) * strides[k][d];
      }
      return;
    }
    for (int d = rank - 1; d >= 0; d--) {
      const int64_t quotient = d > 0 ? i / shape[d] : 0, index = i - quotient * shape[d];
      i = quotient;
      BOLIDE_UNROLL for (int k = 0; k < kOperands; k++) at[k] += index * strides[k][d];
    }
  }
};

}  // namespace bolide::inline BOLIDE_ISA
