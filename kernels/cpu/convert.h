// convert.h - reading any storage type as a compute type and back, in runs: shared by the kernels that gather.
//
// The functions are made in convert.cpp.
#pragma once
#include <algorithm>

#include "kernels/kernel_calls.h"
#include "runtime/errors.h"

namespace bolide::inline BOLIDE_ISA {

// Between n stored elements `stride` apart and n dense numbers of a compute type.
using LoadRun = void (*)(const char* from, int64_t stride, void* to, int64_t n);
using StoreRun = void (*)(const void* from, char* to, int64_t stride, int64_t n);

extern const LoadRun kLoads[kDTypeCount][6];    // by dtype and Compute; null: complex to real
extern const StoreRun kStores[kDTypeCount][6];  // a real type gets the real part
constexpr DType kComputeDTypes[] = {DType::F32, DType::F64, DType::I32, DType::I64, DType::C64, DType::C128};
constexpr int64_t kComputeSizes[] = {4, 8, 4, 8, 8, 16};

namespace {

// The dimensions of a call, merged where every operand runs through them evenly; sizes of 1 are dropped.
template <int kOperands>
struct Collapsed {
  int rank = 0;
  int64_t count = 1;
  int64_t shape[kMaxRank];
  int64_t strides[kOperands][kMaxRank];

  Collapsed(int call_rank, const int64_t* call_shape, const int64_t* const (&call_strides)[kOperands]) {
    for (int d = 0; d < call_rank; d++) {
      const int64_t size = call_shape[d];
      count *= size;
      if (size == 1) continue;
      bool merge = rank > 0;
      for (int k = 0; k < kOperands && merge; k++)
        merge = !call_strides[k] || strides[k][rank - 1] == call_strides[k][d] * size;
      if (!merge) shape[rank++] = 1;
      shape[rank - 1] *= size;
      for (int k = 0; k < kOperands; k++) strides[k][rank - 1] = call_strides[k] ? call_strides[k][d] : 0;
    }
    if (rank > 0) return;
    rank = 1, shape[0] = count;  // a single element, or none
    for (int k = 0; k < kOperands; k++) strides[k][0] = call_strides[k] ? 1 : 0;
  }
};

// Calls f(offset, length, done) for every run along the last dimension of elements [start, start + n).
template <class F>
void for_each_run(int rank, const int64_t* shape, const int64_t* strides, int64_t start, int64_t n, F f) {
  if (n == 0) return;
  const int64_t inner = shape[rank - 1];
  int64_t row = start / inner, column = start % inner;
  for (int64_t done = 0; done < n; row++, column = 0) {
    const int64_t length = std::min(inner - column, n - done);
    int64_t offset = column * strides[rank - 1], rest = row;
    for (int d = rank - 2; d >= 0; rest /= shape[d--]) offset += rest % shape[d] * strides[d];
    f(offset, length, done);
    done += length;
  }
}

}  // namespace
}  // namespace bolide::inline BOLIDE_ISA
