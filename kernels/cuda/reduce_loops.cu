// reduce_loops.cu - the kernels of reduce.def, argmax and argmin: compiled once per compute type.
//
//   nvcc ... -DBOLIDE_COMPUTE=float -DBOLIDE_TABLE=f32 -c reduce_loops.cu
//
// Two kernels for each reduction. Teams: a warp or a block reduces one result, its threads side by side along the
// reduced elements. Columns: a thread reduces one result, neighbours side by side along the results; for results
// that are adjacent in memory, and for short sums. Where there are few results of many elements they are cut into
// slices, whose partial results a second pass combines. Slices and orders depend on the shape alone: equal bits in
// every run and on every GPU.
#include <algorithm>

#include "kernels/cuda/numbers.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/rows.cuh"
#include "kernels/cuda/scratch.h"
#include "kernels/reduction_list.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

using C = BOLIDE_COMPUTE;
using X = Num<C>;

// -------------------------------------------------------------------------------------------- the reductions
using table = ReductionTable<C>;

// What the kernels know of a reduction: a state, how an element becomes one, how two combine, what is written.
template <class R>
struct ValueOf {
  using State = C;
  using Shift = typename R::Shift;
  static constexpr const char* kName = R::kName;
  static BOLIDE_FN State first() { return R::first().v; }
  static BOLIDE_FN State map(C x, C s, int64_t) { return R::map(x, s).v; }
  static BOLIDE_FN State combine(State a, State b) { return R::combine(a, b).v; }
  static BOLIDE_FN void store(void* out, DType dtype, int64_t at, State a, int64_t n, double p, C s) {
    store_any<C>(out, dtype, at, R::finish(a, C(n), C(p), s).v);
  }
};
// The place of the largest or smallest; the first of equal ones, and of NaN before all.
template <bool largest>
struct PlaceOf {
  struct State {
    C value;
    int64_t at;  // -1: of no element
    __device__ State shuffle_xor(int lanes) const {
      return {bolide::shuffle_xor(value, lanes), bolide::shuffle_xor(at, lanes)};
    }
  };
  using Shift = table::nothing;
  static constexpr const char* kName = largest ? "argmax" : "argmin";
  static BOLIDE_FN State first() { return {C(0), -1}; }
  static BOLIDE_FN State map(C x, C, int64_t i) { return {x, i}; }
  static BOLIDE_FN State combine(State a, State b) {
    if (a.at < 0 || b.at < 0) return a.at < 0 ? b : a;
    const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    const bool equal = a_nan ? b_nan : a.value == b.value;
    const bool b_wins = equal ? b.at < a.at : !a_nan && (b_nan || (largest ? b.value > a.value : b.value < a.value));
    return b_wins ? b : a;
  }
  static BOLIDE_FN void store(void* out, DType, int64_t at, State a, int64_t, double, C) {
    static_cast<int64_t*>(out)[at] = a.at;
  }
};

// ----------------------------------------------------------------------------------------------- the kernels
template <class Op>
struct Arguments {
  const void* in = nullptr;  // the array, or in the second pass the slices' states
  void* out = nullptr;
  DType in_dtype = DType::F32, out_dtype = DType::F32;
  Layout<2> kept;
  Layout<1> reduced;
  int64_t results = 0, n = 0;           // elements of a result in this pass
  int64_t slices = 1, slice = 0;        // of how many elements each
  bool dense = false;                   // the elements of a result are adjacent
  const C* shift = nullptr;             // one number per result
  typename Op::State* states = nullptr; // slices > 1: [result][slice], instead of out
  int64_t all = 0;                      // elements of a result in the whole call
  double parameter = 0;
};

// Where a pass takes its states from.
template <class S>
struct Elements {  // an array of storage type S
  static constexpr int kPer = kPack<S>;
  static __device__ C load(const void* in, DType, int64_t at) { return load_as<C>(static_cast<const S*>(in)[at]); }
};
struct AnyElements {  // an array of a type that is looked up
  static constexpr int kPer = 1;
  static __device__ C load(const void* in, DType dtype, int64_t at) { return load_any<C>(in, dtype, at); }
};
struct States {};  // the states of the first pass

// State number i of result r, whose first element is at `base`.
template <class Op, class From>
__device__ inline typename Op::State state_at(const Arguments<Op>& a, int64_t r, int64_t base, int64_t i, C shift) {
  if constexpr (std::is_same_v<From, States>) {
    return static_cast<const typename Op::State*>(a.in)[r * a.n + i];
  } else {
    int64_t at[1];
    a.reduced.place(i, at);
    return Op::map(From::load(a.in, a.in_dtype, base + at[0]), shift, i);
  }
}

constexpr int kInFlight = 4;  // packs, or elements of a column, that a thread asks for before it uses the first

// This thread's part of [begin, end): packs in turn. A pack that lies on 16 bytes is read at once, any other by
// element; the order is the same, so that an array's address does not change its sum.
template <class Op, class From>
__device__ inline typename Op::State thread_part(const Arguments<Op>& a, int64_t r, int64_t base, int64_t begin,
                                                 int64_t end, C shift) {
  typename Op::State state = Op::first();
  if constexpr (std::is_same_v<From, States>) {
    for (int64_t i = begin + threadIdx.x; i < end; i += blockDim.x)
      state = Op::combine(state, state_at<Op, From>(a, r, base, i, shift));
  } else {
    constexpr int kPer = From::kPer;
    const int64_t size = kPer > 1 ? 16 / kPer : 0;
    const char* first = static_cast<const char*>(a.in) + base * size;
    const bool packed = kPer > 1 && a.dense && is_aligned(first + begin * size, 16);
    const int64_t step = int64_t(blockDim.x) * kPer;
    int64_t i = begin + int64_t(threadIdx.x) * kPer;
    for (; packed && i + (kInFlight - 1) * step + kPer <= end; i += kInFlight * step) {
      Pack<char, 16> packs[kInFlight];
      BOLIDE_UNROLL for (int k = 0; k < kInFlight; k++) packs[k] =
          *reinterpret_cast<const Pack<char, 16>*>(first + (i + k * step) * size);
      BOLIDE_UNROLL for (int k = 0; k < kInFlight; k++) {
        BOLIDE_UNROLL for (int j = 0; j < kPer; j++) state =
            Op::combine(state, Op::map(From::load(&packs[k], a.in_dtype, j), shift, i + k * step + j));
      }
    }
    for (; i < end; i += step) {
      if (packed && i + kPer <= end) {
        const Pack<char, 16> pack = *reinterpret_cast<const Pack<char, 16>*>(first + i * size);
        BOLIDE_UNROLL for (int j = 0; j < kPer; j++) state =
            Op::combine(state, Op::map(From::load(&pack, a.in_dtype, j), shift, i + j));
      } else {
        for (int64_t j = i; j < i + kPer && j < end; j++)
          state = Op::combine(state, state_at<Op, From>(a, r, base, j, shift));
      }
    }
  }
  return state;
}
template <class Op>
__device__ inline void write(const Arguments<Op>& a, int64_t r, int64_t slice, int64_t out, typename Op::State state,
                             C shift) {
  if (a.slices > 1) a.states[r * a.slices + slice] = state;
  else Op::store(a.out, a.out_dtype, out, state, a.all, a.parameter, shift);
}

template <class Op, class From>
__global__ void __launch_bounds__(kTeam) team_kernel(BOLIDE_ARGUMENTS(Arguments<Op>, a)) {
  BOLIDE_SHARED(typename Op::State, partial, [kTeam / kWarp]);
  for_team_rows(a.results * a.slices, [&](int64_t unit) {
    const int64_t r = unit / a.slices, slice = unit - r * a.slices, begin = slice * a.slice;
    const int64_t end = begin + a.slice < a.n ? begin + a.slice : a.n;
    int64_t at[2];
    a.kept.place(r, at);
    const C shift = a.shift ? a.shift[r] : C(0);
    auto state = thread_part<Op, From>(a, r, at[0], begin, end, shift);
    state = team_combine<Op>(state, partial);
    if (threadIdx.x == 0) write(a, r, slice, at[1], state, shift);
  });
}

// Sums of 64 elements first: the rounding error grows with n / 64.
template <class Op, class From>
__global__ void __launch_bounds__(kThreads) column_kernel(BOLIDE_ARGUMENTS(Arguments<Op>, a)) {
  const int64_t r = thread_of_grid(), slice = blockIdx.y, begin = slice * a.slice;
  if (r >= a.results) return;
  const int64_t end = begin + a.slice < a.n ? begin + a.slice : a.n;
  int64_t at[2];
  a.kept.place(r, at);
  const C shift = a.shift ? a.shift[r] : C(0);
  auto total = Op::first();
  for (int64_t i = begin; i < end;) {
    auto some = Op::first();
    const int64_t stop = i + 64 < end ? i + 64 : end;
    if constexpr (!std::is_same_v<From, States>) {
      if (a.reduced.rank <= 1) {
        const int64_t step = a.reduced.rank ? a.reduced.strides[0][0] : 0;
        for (; i + 2 * kInFlight <= stop; i += 2 * kInFlight) {
          C x[2 * kInFlight];
          BOLIDE_UNROLL for (int k = 0; k < 2 * kInFlight; k++) x[k] =
              From::load(a.in, a.in_dtype, at[0] + (i + k) * step);
          BOLIDE_UNROLL for (int k = 0; k < 2 * kInFlight; k++) some = Op::combine(some, Op::map(x[k], shift, i + k));
        }
      }
    }
    for (; i < stop; i++) some = Op::combine(some, state_at<Op, From>(a, r, at[0], i, shift));
    total = Op::combine(total, some);
  }
  write(a, r, slice, at[1], total, shift);
}

// ------------------------------------------------------------------------------------------------- the host
template <class Op, class From>
void launch_pass(const Arguments<Op>& a, bool columns, StreamHandle stream) {
  if (columns) {
    const int64_t threads = a.results < kThreads ? ceil_div(a.results, kWarp) * kWarp : kThreads;
    const dim3 grid(unsigned(ceil_div(a.results, threads)), unsigned(a.slices));
    return launch(Op::kName, column_kernel<Op, From>, grid, dim3(unsigned(threads)), stream, a);
  }
  const RowGrid rows(a.results * a.slices, a.slice);
  launch(Op::kName, team_kernel<Op, From>, rows.grid, rows.block, stream, a);
}
template <class Op>
void launch_first_pass(const Arguments<Op>& a, bool columns, StreamHandle stream) {
  if (a.in_dtype == kDTypeOf<C>) return launch_pass<Op, Elements<C>>(a, columns, stream);
  if constexpr (std::is_same_v<C, float>) {
    if (a.in_dtype == DType::F16) return launch_pass<Op, Elements<F16>>(a, columns, stream);
    if (a.in_dtype == DType::BF16) return launch_pass<Op, Elements<BF16>>(a, columns, stream);
  }
  launch_pass<Op, AnyElements>(a, columns, stream);
}

constexpr int64_t kShort = 32;  // so few elements are a thread's work

// Into how many slices: enough for about 2048 teams, or 131072 columns, of not too few elements.
template <class Op>
void cut_into_slices(Arguments<Op>& a, bool columns) {
  const int64_t least = columns ? 128 : 16384, wanted = columns ? 131072 : 2048;
  if (a.n > 2 * least && a.results < wanted / 2)
    a.slices = std::min({ceil_div(a.n, least), ceil_div(wanted, a.results), int64_t(1024)});
  a.slice = ceil_div(ceil_div(a.n, a.slices), 64) * 64;
  a.slices = std::max<int64_t>(1, ceil_div(a.n, a.slice ? a.slice : 1));
}

template <class Op>
void run(const ReduceCall& call, const ReducePlan& plan, void* out, DType out_dtype, const Layout<2>& kept);

// A reduction with a shift needs another one first: the mean of var, the largest of logsumexp.
template <class Op>
void run_shift(const ReduceCall& call, const ReducePlan& plan, C* shift) {
  Layout<2> kept = plan.kept;
  int64_t stride = 1;
  for (int d = kept.rank - 1; d >= 0; stride *= kept.shape[d--]) kept.strides[1][d] = stride;
  run<ValueOf<typename Op::Shift>>(call, plan, shift, kDTypeOf<C>, kept);
}

template <class Op>
void run(const ReduceCall& call, const ReducePlan& plan, void* out, DType out_dtype, const Layout<2>& kept) {
  constexpr bool kShifted = !std::is_same_v<typename Op::Shift, table::nothing>;
  Arguments<Op> a;
  a.in = call.in.data, a.out = out, a.in_dtype = call.in.dtype, a.out_dtype = out_dtype;
  a.kept = kept, a.reduced = plan.reduced, a.dense = plan.reduced.is_dense(0);
  a.results = plan.results, a.n = a.all = plan.n, a.parameter = call.parameter;
  const int last = kept.rank - 1;
  const bool adjacent = kept.rank > 0 && kept.strides[0][last] == 1 && kept.shape[last] >= 8 && !a.dense;
  const bool columns = adjacent || a.n <= kShort;
  cut_into_slices(a, columns);
  const Scratch shift(kShifted ? a.results * int64_t(sizeof(C)) : 0, call.stream);
  if constexpr (kShifted) run_shift<Op>(call, plan, shift.as<C>()), a.shift = shift.as<C>();
  if (a.slices == 1) return launch_first_pass(a, columns, call.stream);
  const Scratch states(a.results * a.slices * int64_t(sizeof(typename Op::State)), call.stream);
  a.states = states.as<typename Op::State>();
  launch_first_pass(a, columns, call.stream);
  a.in = a.states, a.n = a.slice = a.slices, a.slices = 1;
  launch_pass<Op, States>(a, a.n <= kShort, call.stream);
}

// False where the table does not have the reduction for this compute type.
template <class Op, unsigned kDTypes>
bool run_if(const ReduceCall& call, const ReducePlan& plan) {
  constexpr unsigned kOwn = kIsComplex<C> ? Complex : std::is_floating_point_v<C> ? Float : IntBool;
  if constexpr ((kDTypes & kOwn) != 0) run<Op>(call, plan, call.out.data, call.out.dtype, plan.kept);
  return (kDTypes & kOwn) != 0;
}

}  // namespace

#define BOLIDE_JOIN_(a, b) a##b
#define BOLIDE_JOIN(a, b) BOLIDE_JOIN_(a, b)
bool BOLIDE_JOIN(reduce_, BOLIDE_TABLE)(const ReduceCall& call, const ReducePlan& plan);
bool BOLIDE_JOIN(reduce_, BOLIDE_TABLE)(const ReduceCall& call, const ReducePlan& plan) {
  switch (call.op) {
#define REDUCE(set, rule, empty, name, ...) \
  case ReductionOp::name: return run_if<ValueOf<table::name>, table::name::kDTypes>(call, plan);
#include "kernels/reduce.def"
    case ReductionOp::argmax: return run_if<PlaceOf<true>, Any>(call, plan);
    case ReductionOp::argmin: return run_if<PlaceOf<false>, Any>(call, plan);
    case ReductionOp::kCount: break;
  }
  return false;
}

}  // namespace bolide::inline BOLIDE_ISA
