// random.cu - random numbers (philox.h says which), dropout, and sequences.
//
// A thread makes one block of Philox, that is two or four elements, at a time: the numbers depend on the element
// alone, so any grid gives the same ones as the CPU.
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/numbers.cuh"
#include "kernels/philox.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

struct RandomArguments {
  uint64_t seed = 0, offset = 0;
  int64_t count = 0;
  const void* x = nullptr;
  void* out = nullptr;
  double a = 0, b = 1;
  int64_t low = 0;
  uint64_t range = 0;
  int32_t bound = 0;
  double scale = 1;
};

template <class S>
inline constexpr int kUniformDigits = std::is_same_v<S, BF16>  ? 8
                                      : std::is_same_v<S, F16> ? 11
                                                               : 24;

// The numbers of one block of words, as the compute type: each distribution has one of these.
template <class S>
struct Uniform {
  using T = ComputeOf<S>;
  static constexpr int kPer = kPerPhiloxBlock<T>;
  static __device__ void make(const RandomArguments& a, const PhiloxBlock& b, int64_t, S (&to)[kPer]) {
    for (int i = 0; i < kPer; i++) {
      T u;
      if constexpr (sizeof(T) == 8) u = uniform_number(b.word[2 * i], b.word[2 * i + 1]);
      else u = uniform_number<kUniformDigits<S>>(b.word[i]);
      to[i] = store_as<S>(scale_uniform(u, T(a.a), T(a.b)));
    }
  }
};
template <class S>
struct Normal {
  using T = ComputeOf<S>;
  static constexpr int kPer = kPerPhiloxBlock<T>;
  static __device__ void make(const RandomArguments& a, const PhiloxBlock& b, int64_t, S (&to)[kPer]) {
    for (int i = 0; i < kPer; i += 2) {
      T u, v;
      if constexpr (sizeof(T) == 8) {
        u = uniform_number(b.word[0], b.word[1]), v = uniform_number(b.word[2], b.word[3]);
      } else {
        u = uniform_number<24>(b.word[i]), v = uniform_number<24>(b.word[i + 1]);
      }
      const NormalPair<T> pair = normal_pair(u, v);
      to[i] = store_as<S>(pair.first * T(a.b) + T(a.a));
      to[i + 1] = store_as<S>(pair.second * T(a.b) + T(a.a));
    }
  }
};
template <class S>
struct Integers {
  static constexpr int kPer = 2;
  static __device__ void make(const RandomArguments& a, const PhiloxBlock& b, int64_t, S (&to)[kPer]) {
    for (int i = 0; i < kPer; i++)
      to[i] = store_as<S>(ComputeOf<S>(integer_number(b.word[2 * i], b.word[2 * i + 1], a.low, a.range)));
  }
};
template <class S>
struct Dropout {
  using T = ComputeOf<S>;
  static constexpr int kPer = 4;
  static __device__ void make(const RandomArguments& a, const PhiloxBlock& b, int64_t first, S (&to)[kPer]) {
    for (int i = 0; i < kPer; i++) {
      const bool there = first + i < a.count;
      const T x = there ? load_as<T>(static_cast<const S*>(a.x)[first + i]) : T(0);
      to[i] = store_as<S>(is_kept(b.word[i], a.bound) ? x * T(a.scale) : T(0));
    }
  }
};

template <template <class> class Make, class S>
__global__ void __launch_bounds__(kThreads) random_kernel(BOLIDE_ARGUMENTS(RandomArguments, a)) {
  constexpr int kPer = Make<S>::kPer;
  const int64_t blocks = (a.count + kPer - 1) / kPer;
  for (int64_t b = thread_of_grid(); b < blocks; b += threads_of_grid()) {
    S made[kPer];
    Make<S>::make(a, philox(a.seed, a.offset, uint64_t(b)), b * kPer, made);
    S* out = static_cast<S*>(a.out) + b * kPer;
    for (int i = 0; i < kPer; i++)
      if (b * kPer + i < a.count) out[i] = made[i];
  }
}
template <template <class> class Make, class S>
void launch_random(const char* op, const RandomArguments& a, StreamHandle stream) {
  const Walk walk(a.count, Make<S>::kPer);
  launch(op, random_kernel<Make, S>, walk.grid, walk.block, stream, a);
}

__global__ void __launch_bounds__(kThreads) poisson_kernel(BOLIDE_ARGUMENTS(RandomArguments, a)) {
  for (int64_t i = thread_of_grid(); i < a.count; i += threads_of_grid())
    static_cast<double*>(a.out)[i] = poisson_number(static_cast<const double*>(a.x)[i], a.seed, a.offset, uint64_t(i));
}

struct SequenceArguments {
  double start = 0, step = 1;
  int64_t integer_start = 0, integer_step = 1, count = 0;
  void* out = nullptr;
  bool backwards = false;
};
template <class S>
__global__ void __launch_bounds__(kThreads) arange_kernel(BOLIDE_ARGUMENTS(SequenceArguments, a)) {
  S* out = static_cast<S*>(a.out);
  for (int64_t i = thread_of_grid(); i < a.count; i += threads_of_grid()) {
    if constexpr (std::is_integral_v<S>) out[i] = S(a.integer_start + i * a.integer_step);
    else out[i] = store_as<S>(ComputeOf<S>(a.start + double(a.backwards ? a.count - 1 - i : i) * a.step));
  }
}

}  // namespace

void random(const RandomCall& call) {
  if (call.count == 0) return;
  RandomArguments a{call.seed, call.offset, call.count, call.x, call.out, call.a, call.b, call.low, call.range};
  switch (call.kind) {
    case RandomCall::Uniform:
      return for_float("uniform_", call.dtype, [&]<class S> { launch_random<Uniform, S>("uniform_", a, call.stream); });
    case RandomCall::Normal:
      return for_float("normal_", call.dtype, [&]<class S> { launch_random<Normal, S>("normal_", a, call.stream); });
    case RandomCall::Dropout:
      a.bound = dropout_bound(call.a), a.scale = dropout_scale(call.a);
      return for_float("dropout", call.dtype, [&]<class S> { launch_random<Dropout, S>("dropout", a, call.stream); });
    case RandomCall::Poisson: {
      const Walk walk(call.count);
      return launch("poisson", poisson_kernel, walk.grid, walk.block, call.stream, a);
    }
    case RandomCall::Integers: break;
  }
  if (!contains(Any, call.dtype)) raise_dtype("randint", call.dtype);
  with_storage(call.dtype, [&]<class S>(S) { launch_random<Integers, S>("randint", a, call.stream); });
}

void arange(const ArangeCall& call) {
  if (!contains(Any, call.dtype)) raise_dtype("arange", call.dtype);
  const SequenceArguments a{call.start, call.step, call.integer_start, call.integer_step,
                            call.count, call.out,  call.backwards};
  const Walk walk(call.count);
  with_storage(call.dtype,
               [&]<class S>(S) { launch("arange", arange_kernel<S>, walk.grid, walk.block, call.stream, a); });
}

}  // namespace bolide::inline BOLIDE_ISA
