// philox.h - random numbers that depend on (seed, offset, index of the element) alone: Philox 4x32-10.
//
// The CPU and CUDA kernels both call these functions, so the bits and the uniform numbers are the same on
// every device, for any number of threads and any order of work; normals differ by what the devices' log, sin
// and cos differ (math.h). One call of philox() gives a block of four 32-bit words:
//
//   float, half types, dropout:  element i takes word i % 4 of block i / 4
//   double, integers:            element i takes words 2 (i % 2), 2 (i % 2) + 1 of block i / 2
//
// Reference: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011. To add a
// distribution: a function from the words of a block to its numbers, and a case in random.cpp of each device.
#pragma once
#include "kernels/math.h"

namespace bolide::inline BOLIDE_ISA {

struct PhiloxBlock {
  uint32_t word[4];
};

BOLIDE_FN PhiloxBlock philox(uint64_t seed, uint64_t offset, uint64_t block) {
  uint32_t c0 = uint32_t(block), c1 = uint32_t(block >> 32), c2 = uint32_t(offset), c3 = uint32_t(offset >> 32);
  uint32_t key0 = uint32_t(seed), key1 = uint32_t(seed >> 32);
  for (int round = 0; round < 10; round++) {
    const uint64_t p = uint64_t(0xD2511F53u) * c0, q = uint64_t(0xCD9E8D57u) * c2;
    c0 = uint32_t(q >> 32) ^ c1 ^ key0, c1 = uint32_t(q);
    c2 = uint32_t(p >> 32) ^ c3 ^ key1, c3 = uint32_t(p);
    key0 += 0x9E3779B9u, key1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// How many numbers of compute type T a block of four words gives.
template <class T>
inline constexpr int kPerPhiloxBlock = sizeof(T) == 8 ? 2 : 4;

// ---- uniform -----------------------------------------------------------------------------------------------

// In [0, 1): the upper kDigits bits of a word, at most 24; half types take the 11 or 8 that they can hold.
template <int kDigits>
BOLIDE_FN float uniform_number(uint32_t word) {
  return float(int32_t(word >> (32 - kDigits))) * (1.0f / float(1 << kDigits));
}
BOLIDE_FN double uniform_number(uint32_t low, uint32_t high) {  // 53 bits
  return double(int64_t((uint64_t(high) << 32 | low) >> 11)) * 0x1p-53;
}
// In [a, b) (a where they are equal), whatever the rounding of the product and the sum.
template <class T>
BOLIDE_FN T scale_uniform(T u, T a, T b) {
  const Num<T> x = u * (b - a) + a;
  return select(x < b, x, Num<T>(a)).v;
}

// ---- normal ------------------------------------------------------------------------------------------------

// Two independent standard normals from two uniform numbers in [0, 1): Box and Muller, 1958.
template <class T>
struct NormalPair {
  T first, second;
};
template <class T>
BOLIDE_FN NormalPair<T> normal_pair(T u, T v) {
  using X = Num<T>;
  const X radius = sqrt(-2 * log(1 - X(u))), angle = 6.283185307179586477 * X(v);
  return {(radius * cos(angle)).v, (radius * sin(angle)).v};
}

// ---- integers ----------------------------------------------------------------------------------------------

// The upper half of a product of 64-bit numbers, by parts of 32 bits: the same everywhere, and vectorisable.
BOLIDE_FN uint64_t multiply_high(uint64_t a, uint64_t b) {
  const uint64_t a0 = uint32_t(a), a1 = a >> 32, b0 = uint32_t(b), b1 = b >> 32;
  const uint64_t middle = a1 * b0 + (a0 * b0 >> 32), other = a0 * b1 + uint32_t(middle);
  return a1 * b1 + (middle >> 32) + (other >> 32);
}
// In [low, low + range); range 0 stands for 2^64. No value is more than 2^-64 likelier than another.
BOLIDE_FN int64_t integer_number(uint32_t low_word, uint32_t high_word, int64_t low, uint64_t range) {
  const uint64_t bits = uint64_t(high_word) << 32 | low_word;
  return int64_t(uint64_t(low) + (range ? multiply_high(bits, range) : bits));
}

// ---- Poisson -----------------------------------------------------------------------------------------------

// Two uniform numbers for an element's n-th attempt: from blocks that no plain numbers come from.
struct UniformPair {
  double first, second;
};
BOLIDE_FN UniformPair attempt(uint64_t seed, uint64_t offset, uint64_t element, uint64_t n) {
  const PhiloxBlock b = philox(seed, offset, element | (n + 1) << 44);
  return {uniform_number(b.word[0], b.word[1]), uniform_number(b.word[2], b.word[3])};
}
BOLIDE_FN double log_factorial(double k) {
  double product = 1;
  if (k < 16) {
    for (double i = 2; i <= k; i++) product *= i;
    return std::log(product);
  }
  const double inverse = 1 / k, square = inverse * inverse;  // Stirling's series
  return (k + 0.5) * std::log(k) - k + 0.918938533204672742 +
         inverse * (1.0 / 12 - square * (1.0 / 360 - square / 1260));
}
// Small rates by the running sum of probabilities; larger ones by rejection: Hoermann 1993, "The transformed
// rejection method for generating Poisson random variables".
inline BOLIDE_HOST_DEVICE double poisson_number(double rate, uint64_t seed, uint64_t offset, uint64_t element) {
  if (!(rate > 0)) return rate == 0 ? 0 : std::numeric_limits<double>::quiet_NaN();
  if (rate < 10) {
    const double u = attempt(seed, offset, element, 0).first;
    double probability = std::exp(-rate), sum = probability, k = 0;
    while (u >= sum && probability > 0x1p-64) k++, probability *= rate / k, sum += probability;
    return k;
  }
  const double b = 0.931 + 2.53 * std::sqrt(rate), a = -0.059 + 0.02483 * b, limit = 0.9277 - 3.6224 / (b - 2);
  const double log_rate = std::log(rate), log_scale = std::log(1.1239 + 1.1328 / (b - 3.4));
  for (uint64_t n = 0; n < 1000; n++) {
    const UniformPair pair = attempt(seed, offset, element, n);
    const double u = pair.first - 0.5, v = pair.second, room = 0.5 - std::fabs(u);
    const double k = std::floor((2 * a / room + b) * u + rate + 0.43);
    if (room >= 0.07 && v <= limit) return k;
    if (k < 0 || (room < 0.013 && v > room)) continue;
    if (std::log(v) + log_scale - std::log(a / (room * room) + b) <= k * log_rate - rate - log_factorial(k)) return k;
  }
  return rate;  // infinite rates
}

// ---- dropout -----------------------------------------------------------------------------------------------

// An element is kept where its bits are above a bound, so that p = 0 keeps all and p = 1 none.
BOLIDE_FN int32_t dropout_bound(double p) { return int32_t(int64_t(p * 0x1p31) - 1); }
BOLIDE_FN bool is_kept(uint32_t word, int32_t bound) { return int32_t(word >> 1) > bound; }
BOLIDE_FN double dropout_scale(double p) { return p < 1 ? 1 / (1 - p) : 0; }

}  // namespace bolide::inline BOLIDE_ISA
