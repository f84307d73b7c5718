// convert.h - reading any storage type as a compute type and back, in runs: shared by the kernels that gather.
//
// A new dtype: one line in BOLIDE_STORAGE. Complex numbers are moved by copy.cpp alone.
#pragma once
#include <algorithm>
#include <array>

#include "kernels/half.h"
#include "kernels/kernel_calls.h"
#include "runtime/errors.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

//  X(dtype, C++ type it is stored as)
#define BOLIDE_STORAGE(X)                                                                  \
  X(Bool, bool) X(U8, uint8_t) X(I8, int8_t) X(I16, int16_t) X(I32, int32_t) X(I64, int64_t) \
  X(F16, F16) X(BF16, BF16) X(F32, float) X(F64, double)

// Between n stored elements `stride` apart and n dense numbers of a compute type.
using LoadRun = void (*)(const char* from, int64_t stride, void* to, int64_t n);
using StoreRun = void (*)(const void* from, char* to, int64_t stride, int64_t n);

template <class S, class C>
void load_run(const char* from, int64_t stride, void* to, int64_t n) {
  auto* p = reinterpret_cast<const S*>(from);
  auto* q = static_cast<C*>(to);
  if (stride == 1)
    for (int64_t i = 0; i < n; i++) q[i] = load_as<C>(p[i]);
  else
    for (int64_t i = 0; i < n; i++) q[i] = load_as<C>(p[i * stride]);
}
template <class S, class C>
void store_run(const void* from, char* to, int64_t stride, int64_t n) {
  auto* p = static_cast<const C*>(from);
  auto* q = reinterpret_cast<S*>(to);
  if (stride == 1)
    for (int64_t i = 0; i < n; i++) q[i] = store_as<S>(p[i]);
  else
    for (int64_t i = 0; i < n; i++) q[i * stride] = store_as<S>(p[i]);
}

#define BOLIDE_LOAD(dtype, S)                                                             \
  {load_run<S, float>, load_run<S, double>, load_run<S, int32_t>, load_run<S, int64_t>},
constexpr LoadRun kLoads[][4] = {BOLIDE_STORAGE(BOLIDE_LOAD)};
#undef BOLIDE_LOAD
#define BOLIDE_STORE(dtype, S)                                                                \
  {store_run<S, float>, store_run<S, double>, store_run<S, int32_t>, store_run<S, int64_t>},
constexpr StoreRun kStores[][4] = {BOLIDE_STORAGE(BOLIDE_STORE)};
#undef BOLIDE_STORE

constexpr DType kComputeDTypes[] = {DType::F32, DType::F64, DType::I32, DType::I64};
constexpr int64_t kComputeSizes[] = {4, 8, 4, 8};

inline void check_real(DType dtype, const char* op) {
  if (!contains(Any, dtype)) [[unlikely]]
    raise(ErrorKind::NotImplemented, op, "a real dtype on device cpu", name_of(dtype));
}

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
