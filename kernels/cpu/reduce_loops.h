// reduce_loops.h - the inner loops of every reduction of reduce.def, behind pointers: reduce.cpp walks through memory.
//
// What is here is compiled for each reduction and each type that it computes in, so it is little. A line of
// reduce.def is all that a new reduction needs.
#pragma once
#include <algorithm>

#include "kernels/cpu/simd.h"
#include "kernels/reduction_list.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

constexpr int64_t kLanes = 64, kFewLanes = 16;
constexpr int64_t kTogether = 8;  // rows of a panel that are combined before what there is is read

template <class T>
using table = ReductionTable<T>;

// Partial results that start as `first`. `rows` are rows of numbers, `shift` what finish() and the others call s: null
// where the reduction has none.
template <class T>
struct Loops {
  T first;
  bool is_sum;  // as far as these loops go: it reads half types, too
  const Loops* shift;
  T (*dense)(const void* numbers, int64_t n, T shift);
  void (*take)(const void* const* rows, T* to, const T* shift, int64_t columns);  // kTogether rows, each into `to`
  void (*take_one)(const void* const* rows, T* to, const T* shift, int64_t columns);
  void (*merge)(T* to, const T* from, int64_t n);
  void (*finish)(T* totals, const T* shift, int64_t columns, T n, T parameter);
};

// At -O3 the lanes stay in registers; the rest is smaller without it.
template <class R, class T>
[[gnu::noinline, gnu::optimize("O3")]] T reduce_dense(const void* numbers, int64_t n, T s) {
  const T* p = static_cast<const T*>(numbers);
  T total = R::first().v;
  int64_t i = 0;
  if (n >= kFewLanes) {
    T lanes[kLanes];
    for (T& lane : lanes) lane = total;
    for (; i + kLanes <= n; i += kLanes)
#pragma GCC ivdep
      for (int64_t j = 0; j < kLanes; j++) lanes[j] = R::combine(lanes[j], R::map(p[i + j], s)).v;
    for (; i + kFewLanes <= n; i += kFewLanes)
#pragma GCC ivdep
      for (int64_t j = 0; j < kFewLanes; j++) lanes[j] = R::combine(lanes[j], R::map(p[i + j], s)).v;
#pragma GCC unroll 8
    for (int64_t width = kLanes / 2; width > 0; width /= 2)
#pragma GCC ivdep
      for (int64_t j = 0; j < width; j++) lanes[j] = R::combine(lanes[j], lanes[j + width]).v;
    total = lanes[0];
  }
  for (; i < n; i++) {
    asm("");  // fewer than kFewLanes: not worth vector code
    total = R::combine(total, R::map(p[i], s)).v;
  }
  return total;
}

template <class R, class T>
inline constexpr bool kShifted = !std::is_same_v<typename R::Shift, typename table<T>::nothing>;
template <class R, class S, class T, int first, int count>
BOLIDE_FN Num<T> combined(const void* const* rows, int64_t j, T s) {
  if constexpr (count == 1) return R::map(load_as<T>(static_cast<const S*>(rows[first])[j]), s);
  else
    return R::combine(combined<R, S, T, first, count / 2>(rows, j, s),
                      combined<R, S, T, first + count / 2, count / 2>(rows, j, s));
}
template <class R, class S, class T, int count>
BOLIDE_FN void take_rows(const void* const* rows, T* to, const T* shift, int64_t columns) {
#pragma GCC ivdep
  for (int64_t j = 0; j < columns; j++)
    to[j] = R::combine(to[j], combined<R, S, T, 0, count>(rows, j, kShifted<R, T> ? shift[j] : T(0))).v;
}
template <class R, class T>
[[gnu::optimize("O3")]] void take(const void* const* rows, T* to, const T* shift, int64_t columns) {
  take_rows<R, T, T, kTogether>(rows, to, shift, columns);
}
template <class R, class S, class T>
void take_one(const void* const* rows, T* to, const T* shift, int64_t columns) {
  take_rows<R, S, T, 1>(rows, to, shift, columns);
}
template <class R, class T>
void merge(T* to, const T* from, int64_t n) {
#pragma GCC ivdep
  for (int64_t j = 0; j < n; j++) to[j] = R::combine(to[j], from[j]).v;
}
template <class R, class T>
void finish(T* totals, const T* shift, int64_t columns, T n, T parameter) {
  for (int64_t j = 0; j < columns; j++)
    totals[j] = R::finish(totals[j], n, parameter, kShifted<R, T> ? shift[j] : T(0)).v;
}

template <class R, class T>
Loops<T> loops_of(const Loops<T>* shift = nullptr) {
  constexpr bool is_sum = std::is_same_v<R, typename table<T>::sum> || std::is_same_v<R, typename table<T>::mean>;
  return {R::first().v, is_sum, shift, reduce_dense<R, T>, take<R, T>, take_one<R, T, T>, merge<R, T>, finish<R, T>};
}

// Sums of half types, which are widened in registers.
template <class S>
[[gnu::noinline]] float sum_halves(const void* numbers, int64_t n, float) {
  constexpr int kVectors = int(kLanes) / kWidth<float>;
  const S* p = static_cast<const S*>(numbers);
  Vector<float> sums[kVectors] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; v++) sums[v] += load(p + i + v * kWidth<float>);
  for (; i + kWidth<float> <= n; i += kWidth<float>) sums[0] += load(p + i);
  float total = sum_of<float>(sums);
  for (; i < n; i++) total += to_float(p[i]);
  return total;
}
template <class S>
void take_halves(const void* const* rows, float* to, const float* shift, int64_t columns) {
  const S* p[kTogether];
  for (int64_t k = 0; k < kTogether; k++) p[k] = static_cast<const S*>(rows[k]);
  int64_t j = 0;
  for (; j + kWidth<float> <= columns; j += kWidth<float>) {
    auto sum = [&](int k) { return load(p[k] + j) + load(p[k + 1] + j); };
    store(to + j, load(to + j) + ((sum(0) + sum(2)) + (sum(4) + sum(6))));
  }
  if (j == columns) return;
  const void* rest[kTogether];
  for (int64_t k = 0; k < kTogether; k++) rest[k] = p[k] + j;
  for (int64_t k = 0; k < kTogether; k++) take_one<table<float>::sum, S>(rest + k, to + j, shift, columns - j);
}

}  // namespace
}  // namespace bolide::inline BOLIDE_ISA
