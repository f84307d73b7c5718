// elementwise_loops.cu - the kernels of elementwise.def: compiled once per storage type, by nvcc and by g++ (emulation).
//
//   nvcc ... -DBOLIDE_STORED=BF16 -DBOLIDE_COMPUTE=float -DBOLIDE_TABLE=bf16 -c elementwise_loops.cu
//
// A formula is an op's forward or the gradient of one input. Two kernels for each: dense reads arrays of the storage
// type in packs of 16 bytes, broadcast ones too; strided takes any mixture of dtypes and layouts, one element at a time.
// The strided one
// depends on the compute type alone, so that only the object whose storage is the compute type itself has it.
#include "kernels/cuda/elementwise_loops.cuh"
#include "kernels/cuda/numbers.cuh"
#include "kernels/op_list.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

using S = BOLIDE_STORED;
using C = BOLIDE_COMPUTE;
using X = Num<C>;

template <class O>
struct Forward {
  static constexpr const char* kName = O::kName;
  static constexpr int kSlots = O::kArity;
  static constexpr bool kBool = kGivesBool<O>;
  template <int>
  static constexpr bool reads() {
    return true;
  }
  static BOLIDE_FN auto compute(const X* x) { return forward_of<O>(x); }
};
template <class O, int k>
struct Gradient {
  static constexpr const char* kName = O::kName;
  static constexpr int kSlots = O::kArity + 2;
  static constexpr bool kBool = false;
  template <int slot>
  static constexpr bool reads() {
    return kUses<O, k, slot>;
  }
  static BOLIDE_FN auto compute(const X* x) { return gradient_of<O, k>(x); }
};
// The formula's result as a number: a comparison gives 0 or 1, the length of a complex number a real one.
template <class F>
BOLIDE_FN auto result_of(const X* x) {
  if constexpr (F::kBool) return int32_t(F::compute(x).v != 0);
  else return F::compute(x).v;
}

// Numbers that are the same for all elements.
template <class F>
__device__ inline void load_constants(const Slot* slots, X* x) {
  unrolled<F::kSlots>([&](auto s) {
    x[s.value] = C(0);
    if constexpr (F::template reads<s.value>()) {
      const Slot& slot = slots[s.value];
      if (slot.source == Source::Number) x[s.value] = slot.value<C>();
      else if (slot.source == Source::Single) x[s.value] = load_any<C>(slot.data, slot.dtype, 0);
    }
  });
}

// Elements i to i + N of every array, fewer at the end.
template <class F, int N>
__device__ inline void compute_pack(const DenseArguments& a, const X* constants, int64_t i) {
  using Number = decltype(result_of<F>((const X*)nullptr));
  using Result = std::conditional_t<F::kBool, bool, std::conditional_t<std::is_same_v<Number, C>, S, Number>>;
  X x[N][F::kSlots];
  const bool whole = a.aligned && i + N <= a.count;
  int64_t at[kMaxSlots + 1];
  if (a.places.rank > 0) a.places.place(i / N, at);
  else
    for (int64_t& element : at) element = i;
  unrolled<F::kSlots>([&](auto s) {
    if constexpr (F::template reads<s.value>()) {
      if (a.slots[s.value].source == Source::Array) {
        const S* p = static_cast<const S*>(a.slots[s.value].data) + at[s.value];
        if (a.still >> s.value & 1) {
          const X one = load_as<C>(*p);
          BOLIDE_UNROLL for (int j = 0; j < N; j++) x[j][s.value] = one;
          return;
        }
        Pack<S, N> pack = {};
        if (whole) pack = *reinterpret_cast<const Pack<S, N>*>(p);
        else
          for (int j = 0; j < N; j++)
            if (i + j < a.count) pack.v[j] = p[j];
        BOLIDE_UNROLL for (int j = 0; j < N; j++) x[j][s.value] = load_as<C>(pack.v[j]);
        return;
      }
    }
    BOLIDE_UNROLL for (int j = 0; j < N; j++) x[j][s.value] = constants[s.value];
  });
  Result* q = static_cast<Result*>(a.out) + at[kMaxSlots];
  Pack<Result, N> pack;
  BOLIDE_UNROLL for (int j = 0; j < N; j++) pack.v[j] = store_as<Result>(result_of<F>(x[j]));
  if (whole) *reinterpret_cast<Pack<Result, N>*>(q) = pack;
  else
    for (int j = 0; j < N; j++)
      if (i + j < a.count) q[j] = pack.v[j];
}

template <class F>
__global__ void __launch_bounds__(kThreads) dense_kernel(BOLIDE_ARGUMENTS(DenseArguments, a)) {
  X constants[F::kSlots];
  load_constants<F>(a.slots, constants);
  const int64_t step = threads_of_grid() * kPack<S>;
  for (int64_t i = thread_of_grid() * kPack<S>; i < a.count; i += step) compute_pack<F, kPack<S>>(a, constants, i);
}

template <class F>
__global__ void __launch_bounds__(kThreads) strided_kernel(BOLIDE_ARGUMENTS(StridedArguments, a)) {
  X constants[F::kSlots];
  load_constants<F>(a.slots, constants);
  for (int64_t i = thread_of_grid(); i < a.layout.count; i += threads_of_grid()) {
    int64_t at[kMaxSlots + 1];
    a.layout.place(i, at);
    X x[F::kSlots];
    unrolled<F::kSlots>([&](auto s) {
      x[s.value] = constants[s.value];
      if constexpr (F::template reads<s.value>()) {
        const Slot& slot = a.slots[s.value];
        if (slot.source == Source::Array) x[s.value] = load_any<C>(slot.data, slot.dtype, at[s.value]);
      }
    });
    store_any(a.out, a.out_dtype, at[kMaxSlots], result_of<F>(x));
  }
}

template <class F>
void launch_dense(const DenseArguments& a, StreamHandle stream) {
  const Walk walk(a.count, kPack<S>, int64_t(1) << 22);  // a pack a thread: the last ones end together
  launch(F::kName, dense_kernel<F>, walk.grid, walk.block, stream, a);
}
template <class F>
void launch_strided(const StridedArguments& a, StreamHandle stream) {
  const Walk walk(a.layout.count);
  launch(F::kName, strided_kernel<F>, walk.grid, walk.block, stream, a);
}

template <class F>
constexpr FormulaLaunchers launchers_of() {
  if constexpr (std::is_same_v<S, C>) return {launch_dense<F>, launch_strided<F>};
  else return {launch_dense<F>, nullptr};
}
// The dtypes that are computed in C: bool and the small integers come as int32.
constexpr unsigned kOwn = std::is_same_v<C, int32_t> ? kSet<DType::Bool, DType::I32> : kSet<kDTypeOf<S>>;
template <class O, int k>
constexpr void add_gradient(OpLaunchers& op) {
  if constexpr (k < O::kArity && std::is_floating_point_v<RealOf<C>>)
    if constexpr (kHasGradient<O, k>) op.gradient[k] = launchers_of<Gradient<O, k>>();
}
template <class O>
constexpr OpLaunchers op_launchers() {
  OpLaunchers op;
  if constexpr ((O::kDTypes & kOwn) != 0) {
    op.forward = launchers_of<Forward<O>>();
    add_gradient<O, 0>(op), add_gradient<O, 1>(op), add_gradient<O, 2>(op);
  }
  return op;
}

}  // namespace

#define BOLIDE_JOIN_(a, b) a##b
#define BOLIDE_JOIN(a, b) BOLIDE_JOIN_(a, b)
extern const OpLaunchers BOLIDE_JOIN(kOpLaunchers_, BOLIDE_TABLE)[];
const OpLaunchers BOLIDE_JOIN(kOpLaunchers_, BOLIDE_TABLE)[] = {
#define UNARY(dtypes, result, forms, name, ...) op_launchers<name##_op>(),
#define UNARY_1 UNARY
#define UNARY_2 UNARY
#define BINARY UNARY
#define TERNARY UNARY
#include "kernels/elementwise.def"
};

}  // namespace bolide::inline BOLIDE_ISA
