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
  static BOLIDE_FN auto call(auto... x) { return O::forward(x...); }
};
template <class O, int k>
struct Gradient {
  static constexpr int kSlots = O::kArity + 2;
  template <int slot>
  static constexpr bool kReads = kUses<O, k, slot>;
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

#if defined(BOLIDE_VECTOR_F64)
// The slot of the angle where the vector code knows angles up to kLargestAngle only; else -1.
template <class F>
inline constexpr int kAngle = -1;
template <class O>
inline constexpr bool kOfAngle =
    std::is_same_v<T, double> &&
    (O::kOp == ElementwiseOp::sin || O::kOp == ElementwiseOp::cos || O::kOp == ElementwiseOp::tan);
template <class O>
inline constexpr int kAngle<Forward<O>> = kOfAngle<O> ? 0 : -1;
template <class O, int k>
inline constexpr int kAngle<Gradient<O, k>> = kOfAngle<O> && kUses<O, k, 1> ? 1 : -1;
template <class O>
Loop library_loop(Forward<O>) {
  return kLoops_baseline_f64[int(O::kOp)].forward;
}
template <class O, int k>
Loop library_loop(Gradient<O, k>) {
  return kLoops_baseline_f64[int(O::kOp)].gradient[k];
}
template <class F, class A>
BOLIDE_FN bool is_far(A x) {
  return x < -kLargestAngle || x > kLargestAngle;
}

template <class F>
void loop(const void* const* in, void* out, int64_t n);
// Some of these angles are larger: of those the C library's results, from the loops of the baseline.
template <class F, int... s>
[[gnu::noinline]] void far_step(const T* const* p, T* q, int64_t i, int count) {
  T angles[kStep], near[kStep], y[kStep];  // the output may be where the input is
  const void* in[] = {p[s] ? p[s] + i : nullptr...};
  std::copy_n(p[kAngle<F>] + i, count, angles);
  for (int j = 0; j < count; j++) near[j] = is_far<F>(angles[j]) ? T(0) : angles[j];
  in[kAngle<F>] = near;
  loop<F>(in, y, count);
  for (int j = 0; j < count; j++) {
    if (!is_far<F>(angles[j])) continue;
    const void* one[] = {p[s] ? p[s] + i + j : nullptr...};
    one[kAngle<F>] = angles + j;
    library_loop(F())(one, y + j, 1);
  }
  std::copy_n(y, count, q + i);
}
#endif

// Remainders of float are vector code for quotients that double holds; of larger ones the C library's.
template <class F>
inline constexpr bool kOfQuotient = false;
template <class O>
inline constexpr bool kOfQuotient<Forward<O>> = O::kOp == ElementwiseOp::remainder && kRemainderInDouble<T>;
template <class V>
BOLIDE_FN bool is_large_quotient(V a, V b) {
  return std::abs(a) > std::abs(b) * kLargestQuotient;
}
template <class F>
[[gnu::noinline]] void quotient_step(const T* a, const T* b, T* q, int count) {
  for (int j = 0; j < count; j++) {
    const X x = a[j], y = b[j];
    q[j] = (is_large_quotient(x.v, y.v) ? exact_remainder(x, y) : F::call(x, y)).v;
  }
}

template <class F, int kCount, int... s>
BOLIDE_FN void step(const T* const* p, auto* q, int64_t i, std::integer_sequence<int, s...>) {
#if defined(BOLIDE_VECTOR_F64)
  if constexpr (kAngle<F> >= 0) {
    int64_t far = 0;
    for (int j = 0; j < kCount; j++) far |= -int64_t(is_far<F>(p[kAngle<F>][i + j]));
    if (far) [[unlikely]]
      return far_step<F, s...>(p, q, i, kCount);
  }
#endif
  if constexpr (kOfQuotient<F>) {
    int32_t large = 0;
    for (int j = 0; j < kCount; j++) large |= -int32_t(is_large_quotient(p[0][i + j], p[1][i + j]));
    if (large) [[unlikely]]
      return quotient_step<F>(p[0] + i, p[1] + i, q + i, kCount);
  }
#pragma GCC ivdep
#pragma GCC unroll 1  // before it is vector code
  for (int j = 0; j < kCount; j++) store(F::call(load<F::template kReads<s>>(p[s] + i + j)...), q + i + j);
}

template <class F, int... s>
BOLIDE_FN void run(const void* const* in, void* out, int64_t n, std::integer_sequence<int, s...> slots) {
  using Result = decltype(F::call(load<F::template kReads<s>>(nullptr)...));
  using Out = typename OutOf<Result>::type;
  const T* p[] = {static_cast<const T*>(in[s])...};
  Out* q = static_cast<Out*>(out);
  int64_t i = 0, left = 0;
  for (; i + kStep <= n; i += kStep) step<F, kStep>(p, q, i, slots);
  T padded[sizeof...(s)][kRest];
  Out padded_out[kRest];
  Out* end = nullptr;
  for (;;) {  // at most twice: what fills a vector, then the rest in a padded copy, by the same code
    for (; i + kRest <= n; i += kRest) step<F, kRest>(p, q, i, slots);
    if (end) copy_few(end, padded_out, left * int64_t(sizeof(Out)));
    if (end || i == n) return;
    left = n - i;
    std::memset(padded, 0, sizeof padded);
    ((F::template kReads<s> ? copy_few(padded[s], p[s] + i, left * int64_t(sizeof(T))) : void()), ...);
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
