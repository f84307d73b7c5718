// scan.h - what runs along a scan (cumsum and its kin): a state, where it starts, how it takes in the next.
//
// The CPU and CUDA kernels share it. T is double for floats, which are added up that exactly, int64_t for
// integers. combine() is associative up to rounding, `a` being the earlier one. To add a scan: a struct here, a kind
// in ScanCall, a case in with_scan().
#pragma once
#include "kernels/kernel_calls.h"
#include "kernels/math.h"

namespace bolide::inline BOLIDE_ISA {

template <class T>
struct ScanState {
  T value;
  int64_t place;  // of the element that the value is, for cummax and cummin
};

template <class T>
struct SumScan {
  static BOLIDE_FN ScanState<T> first() { return {T(0), 0}; }
  static BOLIDE_FN ScanState<T> combine(ScanState<T> a, ScanState<T> b) { return {a.value + b.value, 0}; }
};
template <class T>
struct ProductScan {
  static BOLIDE_FN ScanState<T> first() { return {T(1), 0}; }
  static BOLIDE_FN ScanState<T> combine(ScanState<T> a, ScanState<T> b) { return {a.value * b.value, 0}; }
};
// Of equal ones, and of several NaN, the last, as in PyTorch.
template <class T, bool largest>
struct ExtremeScan {
  static BOLIDE_FN ScanState<T> first() { return {largest ? kLowest<T> : kHighest<T>, 0}; }
  static BOLIDE_FN ScanState<T> combine(ScanState<T> a, ScanState<T> b) {
    const bool b_wins = b.value != b.value || (largest ? b.value >= a.value : b.value <= a.value);
    return b_wins ? b : a;
  }
};
template <class T>
using LargestScan = ExtremeScan<T, true>;
template <class T>
using SmallestScan = ExtremeScan<T, false>;
template <class T>
struct LogSumExpScan {
  static BOLIDE_FN ScanState<T> first() { return {kLowest<T>, 0}; }
  static BOLIDE_FN ScanState<T> combine(ScanState<T> a, ScanState<T> b) {
    if (a.value == kLowest<T>) return b;  // also keeps -inf and -inf
    if (b.value == kLowest<T>) return a;
    return {logaddexp(Num<T>(a.value), Num<T>(b.value)).v, 0};
  }
};

// f(Scan<T>()) for the call's kind; T is double or int64_t.
template <class F>
void with_scan(const ScanCall& call, const F& f) {
  auto of = [&]<class T>(T) {
    switch (call.kind) {
      case ScanCall::Sum: return f(T(), SumScan<T>());
      case ScanCall::Product: return f(T(), ProductScan<T>());
      case ScanCall::Largest: return f(T(), LargestScan<T>());
      case ScanCall::Smallest: return f(T(), SmallestScan<T>());
      case ScanCall::LogSumExp:
        if constexpr (std::is_same_v<T, double>) return f(T(), LogSumExpScan<T>());
    }
  };
  if (is_float(call.dtype)) of(double());
  else of(int64_t());
}

}  // namespace bolide::inline BOLIDE_ISA
