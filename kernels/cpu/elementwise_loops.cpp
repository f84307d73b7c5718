// elementwise_loops.cpp - the loops of one compute type for one ISA: compiled 18 times with other flags.
//
//   g++ ... -mavx2 -mfma -DBOLIDE_ISA=avx2 -DBOLIDE_TYPE=float -DBOLIDE_TABLE=avx2_f32 -c elementwise_loops.cpp
//
// Gradients are loops too, one per input: both gradients of a block run while its numbers are in L1, which
// is what fusing them would give, and an input that wants no gradient costs nothing.
#include "kernels/cpu/elementwise_loops.h"

#include <algorithm>

#include "kernels/op_list.h"

namespace bolide {
extern const OpLoops kLoops_baseline_f64[];
inline namespace BOLIDE_ISA {
namespace {

using T = BOLIDE_TYPE;
using X = Num<T>;
// Numbers a turn: enough independent vectors to hide the latency of long formulas; and one vector of 32 bytes, for
// what is left over and for arrays of few numbers.
constexpr int kStep = 64, kRest = 32 / sizeof(T);

template <class O>
struct Forward {
  static constexpr int kSlots = O::kArity;
  template <int slot>
  static constexpr bool kReads = true;
  template <int slot>  // one number for all: the elements of the slot are equal
  static constexpr bool kConstant = slot >= O::kArity - O::kScalars;
  static BOLIDE_FN auto call(auto... x) { return O::forward(x...); }
};
template <class O, int k>
struct Gradient {
  static constexpr int kSlots = O::kArity + 2;
  template <int slot>
  static constexpr bool kReads = kUses<O, k, slot>;
  template <int slot>
  static constexpr bool kConstant = slot > O::kArity - O::kScalars&& slot <= O::kArity;
  static BOLIDE_FN auto call(auto... x) { return O::template gradient<k>(x...); }
};

template <bool kRead>
BOLIDE_FN auto load(const T* p) {
  if constexpr (kRead) return X(*p);
  else return Unused{};
}

template <class R>
BOLIDE_FN void store(Num<R> x, R* p) {
  *p = x.v;
}
template <class M>
BOLIDE_FN void store(Mask<M> m, uint8_t* p) {
  *p = m.v & 1;
}

// Fewer than 32 bytes, as two pieces that may overlap. A call of memcpy would cost more than a small op computes.
[[gnu::noinline]] void copy_few(void* to, const void* from, int64_t bytes) {
  auto* p = static_cast<const char*>(from);
  auto* q = static_cast<char*>(to);
  auto both_ends = [&](auto size) {
    char first[size], last[size];
    std::memcpy(first, p, size), std::memcpy(last, p + bytes - size, size);
    std::memcpy(q, first, size), std::memcpy(q + bytes - size, last, size);
  };
  if (bytes >= 16) both_ends(std::integral_constant<int, 16>());
  else if (bytes >= 8) both_ends(std::integral_constant<int, 8>());
  else if (bytes >= 4) both_ends(std::integral_constant<int, 4>());
  else
    for (int64_t i = 0; i < bytes; i++) q[i] = p[i];
}

template <class Result>
struct OutOf {
  using type = uint8_t;  // a Mask
};
template <class R>
struct OutOf<Num<R>> {
  using type = R;  // T, or its real type
};

// Some vector code is right for near operands only. Far<F> says which are not, and has their results: is(the slots'
// numbers), exact(a pointer to each slot's number).
template <class F>
struct Far {
  static constexpr bool kAny = false;
};

#if defined(BOLIDE_VECTOR_F64)
// Angles beyond kLargestAngle: the C library's results, from the loops of the baseline.
template <class O>
inline constexpr bool kOfAngle =
    std::is_same_v<T, double> &&
    (O::kOp == ElementwiseOp::sin || O::kOp == ElementwiseOp::cos || O::kOp == ElementwiseOp::tan);
BOLIDE_FN bool is_far_angle(auto x) { return x.v < -kLargestAngle || x.v > kLargestAngle; }
template <class O>
  requires kOfAngle<O>
struct Far<Forward<O>> {
  static constexpr bool kAny = true;
  static BOLIDE_FN bool is(auto x) { return is_far_angle(x); }
  static T exact(const void* const* in) {
    T y;
    kLoops_baseline_f64[int(O::kOp)].forward(in, &y, 1);
    return y;
  }
};
template <class O, int k>
  requires(kOfAngle<O> && kUses<O, k, 1>)
struct Far<Gradient<O, k>> {
  static constexpr bool kAny = true;
  static BOLIDE_FN bool is(auto, auto x, auto) { return is_far_angle(x); }
  static T exact(const void* const* in) {
    T y;
    kLoops_baseline_f64[int(O::kOp)].gradient[k](in, &y, 1);
    return y;
  }
};
#endif

// Remainders of float are vector code for quotients that double holds; of larger ones the C library's.
template <class O>
  requires(O::kOp == ElementwiseOp::remainder && kRemainderInDouble<T>)
struct Far<Forward<O>> {
  static constexpr bool kAny = true;
  static BOLIDE_FN bool is(auto a, auto b) { return std::abs(a.v) > std::abs(b.v) * kLargestQuotient; }
  static T exact(const auto* in) {
    return exact_remainder(X(*static_cast<const T*>(in[0])), X(*static_cast<const T*>(in[1]))).v;
  }
};

// The numbers of a slot, from the i-th of its array on; of a constant one, the number that the loop has read at its start.
template <class F, int slot>
BOLIDE_FN auto load_slot(const T* const* p, const T* constants, int64_t i) {
  if constexpr (F::template kReads<slot> && F::template kConstant<slot>) return X(constants[slot]);
  else return load<F::template kReads<slot>>(p[slot] + i);
}

template <class F, int kCount, int... s>
BOLIDE_FN void near_step(const T* const* p, const T* constants, auto* q, int64_t i, std::integer_sequence<int, s...>) {
#pragma GCC ivdep
#pragma GCC unroll 1  // before it is vector code
  for (int j = 0; j < kCount; j++) store(F::call(load_slot<F, s>(p, constants, i + j)...), q + i + j);
}
// Some of these numbers are far: their results are made first, since the output may be where an input is.
template <class F, int kCount, int... s>
[[gnu::noinline]] void far_step(const T* const* p, T* q, int64_t i, std::integer_sequence<int, s...> slots) {
  T exact[kCount];
  uint64_t far = 0;
  for (int j = 0; j < kCount; j++) {
    if (!Far<F>::is(load_slot<F, s>(p, nullptr, i + j)...)) continue;
    const void* in[] = {p[s] ? p[s] + i + j : nullptr...};
    exact[j] = Far<F>::exact(in), far |= uint64_t(1) << j;
  }
  near_step<F, kCount>(p, nullptr, q, i, slots);
  for (int j = 0; j < kCount; j++)
    if (far >> j & 1) q[i + j] = exact[j];
}

template <class F, int kCount, int... s>
BOLIDE_FN void step(const T* const* p, const T* constants, auto* q, int64_t i, std::integer_sequence<int, s...> slots) {
  if constexpr (Far<F>::kAny) {
    IntOf<T> far = 0;
    for (int j = 0; j < kCount; j++) far |= -IntOf<T>(Far<F>::is(load_slot<F, s>(p, constants, i + j)...));
    if (far) [[unlikely]]
      return far_step<F, kCount>(p, q, i, slots);
  }
  near_step<F, kCount>(p, constants, q, i, slots);
}

template <class F, int... s>
BOLIDE_FN void run(const void* const* in, void* out, int64_t n, std::integer_sequence<int, s...> slots) {
  using Result = decltype(F::call(load<F::template kReads<s>>(nullptr)...));
  using Out = typename OutOf<Result>::type;
  const T* p[] = {static_cast<const T*>(in[s])...};
  const T constants[] = {F::template kReads<s> && F::template kConstant<s> && n > 0 ? *p[s] : T(0)...};
  Out* q = static_cast<Out*>(out);
  int64_t i = 0, left = 0;
  for (; i + kStep <= n; i += kStep) step<F, kStep>(p, constants, q, i, slots);
  T padded[sizeof...(s)][kRest];
  Out padded_out[kRest];
  Out* end = nullptr;
  for (;;) {  // at most twice: what fills a vector, then the rest in a padded copy, by the same code
    for (; i + kRest <= n; i += kRest) step<F, kRest>(p, constants, q, i, slots);
    if (end) copy_few(end, padded_out, left * int64_t(sizeof(Out)));
    if (end || i == n) return;
    left = n - i;
    std::memset(padded, 0, sizeof padded);
    ((F::template kReads<s> && !F::template kConstant<s> ? copy_few(padded[s], p[s] + i, left * int64_t(sizeof(T)))
                                                         : void()),
     ...);
    ((p[s] = padded[s]), ...);
    end = q + i, q = padded_out, i = 0, n = kRest;
  }
}
template <class F>
void loop(const void* const* in, void* out, int64_t n) {
  run<F>(in, out, n, std::make_integer_sequence<int, F::kSlots>());
}

template <class O, int k>
constexpr void add_gradient(OpLoops& loops) {
  if constexpr (k < O::kArity && std::is_floating_point_v<RealOf<T>>) {
    if constexpr (kHasGradient<O, k>) loops.gradient[k] = loop<Gradient<O, k>>;
  }
}
constexpr unsigned kDTypes = std::is_same_v<T, float>     ? kSet<DType::F32>
                             : std::is_same_v<T, double>  ? kSet<DType::F64>
                             : std::is_same_v<T, C64>     ? kSet<DType::C64>
                             : std::is_same_v<T, C128>    ? kSet<DType::C128>
                             : std::is_same_v<T, int32_t> ? kSet<DType::Bool, DType::I32>
                                                          : kSet<DType::I64>;
template <class O>
constexpr OpLoops loops_of() {
  OpLoops loops;
  if constexpr ((O::kDTypes & kDTypes) != 0) {
    loops.forward = loop<Forward<O>>;
    add_gradient<O, 0>(loops), add_gradient<O, 1>(loops), add_gradient<O, 2>(loops);
  }
  return loops;
}

}  // namespace
}  // namespace BOLIDE_ISA

#define BOLIDE_JOIN_(a, b) a##b
#define BOLIDE_JOIN(a, b) BOLIDE_JOIN_(a, b)
extern const OpLoops BOLIDE_JOIN(kLoops_, BOLIDE_TABLE)[];
const OpLoops BOLIDE_JOIN(kLoops_, BOLIDE_TABLE)[] = {
#define UNARY(set, result, forms, name, ...) loops_of<name##_op>(),
#define UNARY_1 UNARY
#define UNARY_2 UNARY
#define BINARY UNARY
#define TERNARY UNARY
#include "kernels/elementwise.def"
};
}  // namespace bolide
