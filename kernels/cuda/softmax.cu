// softmax.cu - softmax, log-softmax and cross entropy of rows, and their gradients.
//
// A team of threads takes a row. Up to 8192 numbers it keeps in registers, so that memory is read once; of a longer row
// it finds the largest number and the sum in one read, with states that combine (Milakov and Gimelshein 2018), and
// reads it again, mostly from cache, to write. Half types are computed in float. Sums have an order that depends on
// the length alone.
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/fault.cuh"
#include "kernels/cuda/numbers.cuh"
#include "kernels/cuda/rows.cuh"
#include "kernels/math.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

// The largest of some numbers, and the sum of exp(x - top).
template <class T>
struct TopAndSum {
  T top, sum;

  static BOLIDE_FN TopAndSum none() { return {-kInf<T>, 0}; }
  __device__ TopAndSum shuffle_xor(int lanes) const {
    return {__shfl_xor_sync(0xffffffffu, top, lanes), __shfl_xor_sync(0xffffffffu, sum, lanes)};
  }
  static BOLIDE_FN TopAndSum combine(TopAndSum a, TopAndSum b) {
    const Num<T> top = maximum(Num<T>(a.top), Num<T>(b.top));
    if (top.v == -kInf<T>) return {top.v, 0};  // no numbers, or only -inf: exp(-inf - -inf) would be NaN
    return {top.v, (a.sum * exp(Num<T>(a.top) - top) + b.sum * exp(Num<T>(b.top) - top)).v};
  }
};
struct Sum {
  template <class T>
  static BOLIDE_FN T combine(T a, T b) {
    return a + b;
  }
};
struct Largest {
  template <class T>
  static BOLIDE_FN T combine(T a, T b) {
    return maximum(Num<T>(a), Num<T>(b)).v;
  }
};
// Of a whole row, for all threads of the team. A row of -inf alone gives top -inf and sum NaN, as exp does.
// f(numbers) may replace the numbers of a pack, whose exp(x - top) it gets, if the row is kept.
template <class S, int kChunks, class F>
__device__ inline TopAndSum<ComputeOf<S>> top_and_sum(Row<S, kChunks>& row, const F& f) {
  using T = ComputeOf<S>;
  TopAndSum<T> state = TopAndSum<T>::none();
  if constexpr (kChunks > 0) {
    BOLIDE_SHARED(T, partial, [kTeam / kWarp]);
    row.each([&](int64_t, T(&x)[kPack<S>]) { BOLIDE_UNROLL for (T v : x) state.top = Largest::combine(state.top, v); });
    state.top = team_combine<Largest>(state.top, partial);
    row.each([&](int64_t, T(&x)[kPack<S>]) {
      BOLIDE_UNROLL for (T& v : x) {
        const T power = exp(Num<T>(v) - Num<T>(state.top)).v;
        state.sum += power;
        f(v, power);
      }
    });
    state.sum = team_combine<Sum>(state.sum, partial);
  } else {
    BOLIDE_SHARED(TopAndSum<T>, partial, [kTeam / kWarp]);
    row.each([&](int64_t, T(&x)[kPack<S>]) {  // a pack's exponentials beside one that brings the sum along
      TopAndSum<T> pack = TopAndSum<T>::none();
      BOLIDE_UNROLL for (T v : x) pack.top = Largest::combine(pack.top, v);
      if (pack.top != -kInf<T>) { BOLIDE_UNROLL for (T v : x) pack.sum += exp(Num<T>(v) - Num<T>(pack.top)).v; }
      state = TopAndSum<T>::combine(state, pack);
    });
    state = team_combine<TopAndSum<T>>(state, partial);
  }
  if (state.top == -kInf<T>) state.sum = kNan<T>;
  return state;
}

template <class S>
struct SoftmaxArguments {
  const S *x = nullptr, *g = nullptr;
  S* out = nullptr;
  int64_t rows = 0, columns = 0;
};

template <class S, int kChunks, bool logarithm>
__global__ void __launch_bounds__(kTeam) softmax_kernel(BOLIDE_ARGUMENTS(SoftmaxArguments<S>, a)) {
  using T = ComputeOf<S>;
  for_team_rows(a.rows, [&](int64_t r) {
    Row<S, kChunks> row(a.x + r * a.columns, a.columns, -kInf<T>);
    const TopAndSum<T> found = top_and_sum(row, [](T& x, T power) {
      if constexpr (!logarithm) x = power;
    });
    const Num<T> top = found.top, inverse = 1 / Num<T>(found.sum), log_sum = log(Num<T>(found.sum));
    row.each([&](int64_t e, T(&x)[kPack<S>]) {
      BOLIDE_UNROLL for (T& v : x) {
        if constexpr (logarithm) v = (Num<T>(v) - top - log_sum).v;
        else if constexpr (kChunks > 0) v = (Num<T>(v) * inverse).v;
        else v = (exp(Num<T>(v) - top) * inverse).v;
      }
      row.store(a.out + r * a.columns, e, x);
    });
  });
}

template <class S, int kChunks, bool logarithm>
__global__ void __launch_bounds__(kTeam) softmax_gradient_kernel(BOLIDE_ARGUMENTS(SoftmaxArguments<S>, a)) {
  using T = ComputeOf<S>;
  BOLIDE_SHARED(T, partial, [kTeam / kWarp]);
  for_team_rows(a.rows, [&](int64_t r) {
    Row<S, kChunks> y(a.x + r * a.columns, a.columns, T(0)), g(a.g + r * a.columns, a.columns, T(0));
    T sum = 0;
    y.each_with(g, [&](int64_t, const T(&yi)[kPack<S>], const T(&gi)[kPack<S>]) {
      BOLIDE_UNROLL for (int j = 0; j < kPack<S>; j++) sum += logarithm ? gi[j] : gi[j] * yi[j];
    });
    sum = team_combine<Sum>(sum, partial);
    y.each_with(g, [&](int64_t e, const T(&yi)[kPack<S>], T(&gi)[kPack<S>]) {
      BOLIDE_UNROLL for (int j = 0; j < kPack<S>; j++) {
        const Num<T> yj = yi[j], gj = gi[j];
        gi[j] = logarithm ? (gj - exp(yj) * sum).v : ((gj - sum) * yj).v;
      }
      g.store(a.out + r * a.columns, e, gi);
    });
  });
}

// -------------------------------------------------------------------------------------------- cross entropy
template <class S>
struct CrossEntropyArguments {
  using T = ComputeOf<S>;
  const S *x = nullptr, *weight = nullptr, *g = nullptr;
  const int64_t* target = nullptr;
  S *losses = nullptr, *row_weights = nullptr, *out = nullptr;
  T* log_sums = nullptr;
  Fault* fault = nullptr;
  Fault found;
  int64_t rows = 0, columns = 0, ignore_index = 0, g_stride = 0;
  bool logits = true;

  __device__ bool is_class(int64_t t) const { return uint64_t(t) < uint64_t(columns) && t != ignore_index; }
  __device__ T weight_of(int64_t t) const {
    if (!is_class(t)) return T(0);
    return weight ? load_as<T>(weight[t]) : T(1);
  }
};

// Looks for a target that is no class: the first one is reported. One block, so that the order is that of rows.
template <class S>
__global__ void __launch_bounds__(kTeam) check_targets_kernel(BOLIDE_ARGUMENTS(CrossEntropyArguments<S>, a)) {
  BOLIDE_SHARED(int64_t, partial, [kTeam / kWarp]);
  int64_t first = a.rows;
  for (int64_t r = threadIdx.x; r < a.rows && first == a.rows; r += blockDim.x)
    if (!a.is_class(a.target[r]) && a.target[r] != a.ignore_index) first = r;
  first = team_combine<Least>(first, partial);
  if (threadIdx.x != 0 || first == a.rows) return;
  Fault fault = a.found;
  fault.value = a.target[first];
  report_fault(a.fault, fault);
}

template <class S, int kChunks>
__global__ void __launch_bounds__(kTeam) cross_entropy_kernel(BOLIDE_ARGUMENTS(CrossEntropyArguments<S>, a)) {
  using T = ComputeOf<S>;
  for_team_rows(a.rows, [&](int64_t r) {
    const S* x = a.x + r * a.columns;
    const int64_t t = a.target[r];
    const bool ignored = !a.is_class(t);
    TopAndSum<T> row = TopAndSum<T>::none();
    if (a.logits) {
      Row<S, kChunks> numbers(x, a.columns, -kInf<T>);
      row = top_and_sum(numbers, [](T&, T) {});
    }
    if (threadIdx.x) return;
    const T weight = a.weight_of(t), at_target = ignored ? T(0) : load_as<T>(x[t]);
    T loss = -at_target;
    if (a.logits) {
      const T log_sum = log(Num<T>(row.sum)).v;
      loss = log_sum - (at_target - row.top);  // without the rounding of top + log(sum)
      a.log_sums[r] = row.top + log_sum;
    }
    a.losses[r] = store_as<S>(ignored ? T(0) : weight * loss);
    a.row_weights[r] = store_as<S>(weight);
  });
}

template <class S>
__global__ void __launch_bounds__(kTeam) cross_entropy_gradient_kernel(BOLIDE_ARGUMENTS(CrossEntropyArguments<S>, a)) {
  using T = ComputeOf<S>;
  for_team_rows(a.rows, [&](int64_t r) {
    const S* x = a.x + r * a.columns;
    S* out = a.out + r * a.columns;
    const int64_t t = a.target[r];
    const bool counts = a.is_class(t);
    const T scale = counts ? load_as<T>(a.g[r * a.g_stride]) * a.weight_of(t) : T(0);
    const Num<T> log_sum = a.logits && counts ? a.log_sums[r] : T(0);
    for (int64_t i = threadIdx.x; i < a.columns; i += blockDim.x) {
      const T hit = i == t ? T(1) : T(0);
      const T softmax = a.logits && counts ? exp(Num<T>(load_as<T>(x[i])) - log_sum).v : T(0);
      out[i] = store_as<S>(counts ? (softmax - hit) * scale : T(0));
    }
  });
}

template <class S>
void run_softmax(const char* op, const SoftmaxCall& call) {
  const SoftmaxArguments<S> a{static_cast<const S*>(call.x), static_cast<const S*>(call.g), static_cast<S*>(call.out),
                              call.rows, call.columns};
  for_row_shape<S>(call.rows, call.columns, [&]<int kChunks>(const RowGrid& grid) {
    auto* kernel = call.backward ? call.log ? softmax_gradient_kernel<S, kChunks, true>
                                            : softmax_gradient_kernel<S, kChunks, false>
                   : call.log    ? softmax_kernel<S, kChunks, true>
                                 : softmax_kernel<S, kChunks, false>;
    launch(op, kernel, grid.grid, grid.block, call.stream, a);
  });
}
template <class S>
void run_cross_entropy(const CrossEntropyCall& call) {
  CrossEntropyArguments<S> a;
  a.x = static_cast<const S*>(call.x), a.weight = static_cast<const S*>(call.weight);
  a.g = static_cast<const S*>(call.g), a.target = call.target;
  a.losses = static_cast<S*>(call.losses), a.row_weights = static_cast<S*>(call.row_weights);
  a.out = static_cast<S*>(call.out), a.log_sums = static_cast<ComputeOf<S>*>(call.log_sums);
  a.rows = call.rows, a.columns = call.columns, a.ignore_index = call.ignore_index, a.g_stride = call.g_stride;
  a.logits = call.logits, a.fault = call.fault, a.found = {call.op, "classes", 0, 0, call.columns - 1};
  if (call.fault)
    launch("cross_entropy", check_targets_kernel<S>, dim3(1), dim3(call.rows > 64 ? kTeam : kWarp), call.stream, a);
  for_row_shape<S>(call.rows, call.columns, [&]<int kChunks>(const RowGrid& grid) {
    auto* kernel = call.backward ? cross_entropy_gradient_kernel<S> : cross_entropy_kernel<S, kChunks>;
    launch("cross_entropy", kernel, grid.grid, grid.block, call.stream, a);
  });
}

}  // namespace

void softmax(const SoftmaxCall& call) {
  if (call.rows == 0 || call.columns == 0) return;
  const char* op = call.log ? "log_softmax" : "softmax";
  for_float(op, call.dtype, [&]<class S> { run_softmax<S>(op, call); });
}

void cross_entropy(const CrossEntropyCall& call) {
  if (call.rows == 0) return;
  for_float("cross_entropy", call.dtype, [&]<class S> { run_cross_entropy<S>(call); });
}

}  // namespace bolide::inline BOLIDE_ISA
