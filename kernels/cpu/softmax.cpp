// softmax.cpp - softmax, log-softmax and cross entropy of rows, and their gradients.
//
// A row is read twice at most from memory and otherwise from L1. Half types are computed in float; a softmax
// of them keeps its exponentials in a row of floats, so that they are rounded once.
#include "kernels/cpu/rows.h"
#include "kernels/threads.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

template <class T>
struct TopAndSum {
  Num<T> top, sum;
};
// The largest number of a row and the sum of exp(x - top), each of which goes to e where that is wanted.
template <bool keep, class T, class S>
BOLIDE_FN TopAndSum<T> exp_row(int64_t n, const S* x, T* e) {
  using X = Num<T>;
  const X top = max_row<X>(n, x);
  return {top, sum_row<X>(n, [=](int64_t i) {
            const X y = exp(X(load_as<T>(x[i])) - top);
            if constexpr (keep) e[i] = y.v;
            return y;
          })};
}

template <class S>
void softmax_rows(const SoftmaxCall& call) {
  using T = ComputeOf<S>;
  using X = Num<T>;
  const int64_t n = call.columns;
  const S* x = static_cast<const S*>(call.x);
  S* out = static_cast<S*>(call.out);
  const bool logarithm = call.log;
  parallel_rows(call.rows, row_grain(n), [=](int64_t first, int64_t last) {
    T* kept = kIsHalf<S> && !logarithm ? static_cast<T*>(scratch(0, n * int64_t(sizeof(T)))) : nullptr;
    for (int64_t r = first; r < last; r++) {
      const S* xr = x + r * n;
      S* to = out + r * n;
      if (logarithm) {
        const auto [top, sum] = exp_row<false, T>(n, xr, nullptr);
        const X log_sum = log(sum), high = top;
        for_row(n, [=](int64_t i) { to[i] = store_as<S>(((X(load_as<T>(xr[i])) - high) - log_sum).v); });
      } else {
        T* e = kept;
        if constexpr (!kIsHalf<S>) e = to;
        const T inverse = 1 / exp_row<true, T>(n, xr, e).sum.v;
        for_row(n, [=](int64_t i) { to[i] = store_as<S>(e[i] * inverse); });
      }
    }
  });
}

template <class S>
void softmax_gradient(const SoftmaxCall& call) {
  using T = ComputeOf<S>;
  using X = Num<T>;
  const int64_t n = call.columns;
  const S *y = static_cast<const S*>(call.x), *g = static_cast<const S*>(call.g);
  S* out = static_cast<S*>(call.out);
  const bool logarithm = call.log;
  parallel_rows(call.rows, row_grain(n), [=](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; r++) {
      const S *yr = y + r * n, *gr = g + r * n;
      S* to = out + r * n;
      const auto yx = [=](int64_t i) { return X(load_as<T>(yr[i])); };
      const auto gx = [=](int64_t i) { return X(load_as<T>(gr[i])); };
      if (logarithm) {
        const X sum = sum_row<X>(n, gx);
        for_row(n, [=](int64_t i) { to[i] = store_as<S>((gx(i) - exp(yx(i)) * sum).v); });
      } else {
        const X dot = sum_row<X>(n, [=](int64_t i) { return gx(i) * yx(i); });
        for_row(n, [=](int64_t i) { to[i] = store_as<S>(((gx(i) - dot) * yx(i)).v); });
      }
    }
  });
}

// ---- cross entropy -----------------------------------------------------------------------------------------

// The first class number that is neither one of the columns nor the one to ignore is reported.
bool targets_are_right(const CrossEntropyCall& call) {
  for (int64_t r = 0; r < call.rows; r++) {
    const int64_t t = call.target[r];
    if (uint64_t(t) < uint64_t(call.columns) || t == call.ignore_index) continue;
    *call.fault = {call.op, "classes", t, 0, call.columns - 1};
    return false;
  }
  return true;
}

template <class S>
BOLIDE_FN ComputeOf<S> weight_of(const CrossEntropyCall& call, int64_t target) {
  using T = ComputeOf<S>;
  if (target == call.ignore_index) return T(0);
  return call.weight ? load_as<T>(static_cast<const S*>(call.weight)[target]) : T(1);
}

template <class S>
void cross_entropy_rows(const CrossEntropyCall& call) {
  using T = ComputeOf<S>;
  using X = Num<T>;
  const int64_t n = call.columns;
  parallel_rows(call.rows, call.logits ? row_grain(n) : 8192, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; r++) {
      const S* x = static_cast<const S*>(call.x) + r * n;
      const int64_t t = call.target[r];
      const bool ignored = t == call.ignore_index;
      const T weight = weight_of<S>(call, t);
      const T at_target = ignored ? T(0) : load_as<T>(x[t]);
      T loss = -at_target;
      if (call.logits) {
        const auto [top, sum] = exp_row<false, T>(n, x, nullptr);
        const X log_of_sum = log(sum);
        loss = (log_of_sum - (at_target - top)).v;  // without the rounding of top + log(sum)
        static_cast<T*>(call.log_sums)[r] = (top + log_of_sum).v;
      }
      static_cast<S*>(call.losses)[r] = store_as<S>(ignored ? T(0) : weight * loss);
      static_cast<S*>(call.row_weights)[r] = store_as<S>(weight);
    }
  });
}

template <class S>
void cross_entropy_gradient(const CrossEntropyCall& call) {
  using T = ComputeOf<S>;
  using X = Num<T>;
  const int64_t n = call.columns;
  parallel_rows(call.rows, row_grain(n), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; r++) {
      const S* x = static_cast<const S*>(call.x) + r * n;
      S* to = static_cast<S*>(call.out) + r * n;
      const int64_t t = call.target[r];
      if (t == call.ignore_index) {
        std::fill_n(to, n, store_as<S>(T(0)));
        continue;
      }
      const T scale = load_as<T>(static_cast<const S*>(call.g)[r * call.g_stride]) * weight_of<S>(call, t);
      if (!call.logits) {
        std::fill_n(to, n, store_as<S>(T(0)));
        to[t] = store_as<S>(-scale);
        continue;
      }
      const X log_sum = static_cast<const T*>(call.log_sums)[r], slope = scale;
      const T at_target = (exp(X(load_as<T>(x[t])) - log_sum).v - 1) * scale;
      for_row(n, [=](int64_t i) { to[i] = store_as<S>((exp(X(load_as<T>(x[i])) - log_sum) * slope).v); });
      to[t] = store_as<S>(at_target);
    }
  });
}

}  // namespace

void softmax(const SoftmaxCall& call) {
  if (call.columns == 0) return;
  for_dtype<BOLIDE_FLOATS>(call.log ? "log_softmax" : "softmax", call.dtype, [&]<class S> {
    if (call.backward) softmax_gradient<S>(call);
    else softmax_rows<S>(call);
  });
}

void cross_entropy(const CrossEntropyCall& call) {
  if (call.fault && !targets_are_right(call)) return;
  for_dtype<BOLIDE_FLOATS>("cross_entropy", call.dtype, [&]<class S> {
    if (call.backward) cross_entropy_gradient<S>(call);
    else cross_entropy_rows<S>(call);
  });
}

}  // namespace bolide::inline BOLIDE_ISA
