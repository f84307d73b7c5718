// random.cpp - random numbers (philox.h says which) and sequences.
//
// A chunk of elements is made in pieces that fit L1: first the words of the blocks, a loop that the compiler
// vectorises over blocks, then the numbers made of them.
#include "kernels/cpu/types.h"
#include "kernels/philox.h"
#include "kernels/threads.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

constexpr int64_t kPieceBlocks = 256, kChunk = 16384;
constexpr int kLanes = 16;

// The words of `count` blocks, up to kPieceBlocks; a few more than that may be written.
void make_words(const RandomCall& call, uint64_t first, int64_t count, uint32_t* words) {
  const uint64_t seed = call.seed, offset = call.offset;
  for (int64_t b = 0; b < count; b += kLanes) {
    uint32_t lanes[4][kLanes];
    for (int j = 0; j < kLanes; j++) {
      const PhiloxBlock block = philox(seed, offset, first + uint64_t(b) + uint64_t(j));
      for (int w = 0; w < 4; w++) lanes[w][j] = block.word[w];
    }
    for (int j = 0; j < kLanes; j++)
      for (int w = 0; w < 4; w++) words[(b + j) * 4 + w] = lanes[w][j];
  }
}

// Calls fill(words, first element, count) for pieces of the call's elements; `per_block` elements to a block.
template <class F>
void for_pieces(const RandomCall& call, int per_block, const F& fill) {
  const int64_t piece = kPieceBlocks * per_block;
  parallel_rows(call.count, kChunk, [&](int64_t begin, int64_t end) {
    alignas(64) uint32_t words[kPieceBlocks * 4];
    for (int64_t i = begin; i < end; i += piece) {
      const int64_t n = std::min(piece, end - i);
      make_words(call, uint64_t(i / per_block), (n + per_block - 1) / per_block, words);
      fill(words, i, n);
    }
  });
}

template <class S>
inline constexpr int kUniformDigits = std::is_same_v<S, BF16>  ? 8
                                      : std::is_same_v<S, F16> ? 11
                                                               : 24;

template <class S>
void fill_uniform(const RandomCall& call) {
  using T = ComputeOf<S>;
  const T a = T(call.a), b = T(call.b);
  S* out = static_cast<S*>(call.out);
  for_pieces(call, kPerPhiloxBlock<T>, [=](const uint32_t* words, int64_t first, int64_t n) {
    S* to = out + first;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
      T u;
      if constexpr (sizeof(T) == 8) u = uniform_number(words[2 * i], words[2 * i + 1]);
      else u = uniform_number<kUniformDigits<S>>(words[i]);
      to[i] = store_as<S>(scale_uniform(u, a, b));
    }
  });
}

template <class S>
void fill_normal(const RandomCall& call) {
  using T = ComputeOf<S>;
  constexpr int kPer = kPerPhiloxBlock<T>;
  const T mean = T(call.a), deviation = T(call.b);
  S* out = static_cast<S*>(call.out);
  for_pieces(call, kPer, [=](const uint32_t* words, int64_t first, int64_t n) {
    T normals[kPieceBlocks * kPer];
    const int64_t pairs = (n + 1) / 2;
#pragma GCC ivdep
    for (int64_t i = 0; i < pairs; i++) {
      T u, v;
      if constexpr (sizeof(T) == 8) {
        u = uniform_number(words[4 * i], words[4 * i + 1]), v = uniform_number(words[4 * i + 2], words[4 * i + 3]);
      } else {
        u = uniform_number<24>(words[2 * i]), v = uniform_number<24>(words[2 * i + 1]);
      }
      const NormalPair<T> pair = normal_pair(u, v);
      normals[2 * i] = pair.first, normals[2 * i + 1] = pair.second;
    }
    S* to = out + first;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) to[i] = store_as<S>(normals[i] * deviation + mean);
  });
}

template <class S>
void fill_integers(const RandomCall& call) {
  const int64_t low = call.low;
  const uint64_t range = call.range;
  S* out = static_cast<S*>(call.out);
  for_pieces(call, 2, [=](const uint32_t* words, int64_t first, int64_t n) {
    S* to = out + first;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
      to[i] = store_as<S>(ComputeOf<S>(integer_number(words[2 * i], words[2 * i + 1], low, range)));
  });
}

template <class S>
void drop_out(const RandomCall& call) {
  using T = ComputeOf<S>;
  const int32_t bound = dropout_bound(call.a);
  const T scale = T(dropout_scale(call.a));
  const S* x = static_cast<const S*>(call.x);
  S* out = static_cast<S*>(call.out);
  for_pieces(call, 4, [=](const uint32_t* words, int64_t first, int64_t n) {
    const S* from = x + first;
    S* to = out + first;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
      const Num<T> y = load_as<T>(from[i]) * scale;
      const Mask<T> kept{-IntOf<T>(is_kept(words[i], bound))};
      to[i] = store_as<S>(select(kept, y, Num<T>(T(0))).v);
    }
  });
}

void fill_poisson(const RandomCall& call) {
  const double* rates = static_cast<const double*>(call.x);
  double* out = static_cast<double*>(call.out);
  parallel_rows(call.count, kChunk / 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) out[i] = poisson_number(rates[i], call.seed, call.offset, uint64_t(i));
  });
}

}  // namespace

void random(const RandomCall& call) {
  switch (call.kind) {
    case RandomCall::Uniform:
      return for_dtype<BOLIDE_FLOATS>("uniform_", call.dtype, [&]<class S> { fill_uniform<S>(call); });
    case RandomCall::Normal:
      return for_dtype<BOLIDE_FLOATS>("normal_", call.dtype, [&]<class S> { fill_normal<S>(call); });
    case RandomCall::Dropout:
      return for_dtype<BOLIDE_FLOATS>("dropout", call.dtype, [&]<class S> { drop_out<S>(call); });
    case RandomCall::Poisson: return fill_poisson(call);
    case RandomCall::Integers:
      return for_dtype<BOLIDE_FLOATS, DType::Bool, DType::U8, DType::I8, DType::I16, DType::I32, DType::I64>(
          "randint", call.dtype, [&]<class S> { fill_integers<S>(call); });
  }
}

void arange(const ArangeCall& call) {
  const int64_t count = call.count;
  for_dtype<BOLIDE_FLOATS, DType::U8, DType::I8, DType::I16, DType::I32, DType::I64>(
      "arange", call.dtype, [&]<class S> {
        S* out = static_cast<S*>(call.out);
        const double start = call.start, step = call.step;
        const int64_t integer_start = call.integer_start, integer_step = call.integer_step;
        const double origin = call.backwards ? double(count - 1) : 0, sign = call.backwards ? -1 : 1;
        parallel_rows(count, 65536, [=](int64_t first, int64_t last) {
          for (int64_t i = first; i < last; i++) {
            if constexpr (std::is_integral_v<S>) out[i] = S(integer_start + i * integer_step);
            else out[i] = store_as<S>(ComputeOf<S>(start + (origin + sign * double(i)) * step));
          }
        });
      });
}

}  // namespace bolide::inline BOLIDE_ISA
