// simd.h - one vector of T, as wide as the ISA that this file is compiled for, by GCC's vector types.
//
// Matrix tiles need to say which numbers stay in registers, which a plain loop cannot; everything else in
// these kernels is a plain loop over numbers, for the compiler to vectorise.
#pragma once
#include <cstdint>
#include <cstring>

#include "kernels/half.h"
#if defined(__AVX2__) || defined(__F16C__)
#include <immintrin.h>
#endif

namespace bolide::inline BOLIDE_ISA {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64, kTileRows = 14;  // 28 sums, 2 vectors of B, 2 broadcasts: 32 registers
#elif defined(__AVX__)
inline constexpr int kVectorBytes = 32, kTileRows = 6;   // 12 sums, 2 vectors, a broadcast: 16 registers
#else
inline constexpr int kVectorBytes = 16, kTileRows = 6;
#endif
inline constexpr int kTileVectors = 2;

template <class T>
inline constexpr int kWidth = kVectorBytes / int(sizeof(T));
template <class T>
inline constexpr int kTileColumns = kTileVectors * kWidth<T>;

template <class T>
struct VectorTypes {
  typedef T Vector __attribute__((vector_size(kVectorBytes)));
  typedef T Loose __attribute__((vector_size(kVectorBytes), aligned(sizeof(T)), may_alias));  // at any address
  typedef IntOf<T> Index __attribute__((vector_size(kVectorBytes)));
};
template <class T>
using Vector = typename VectorTypes<T>::Vector;

template <class T>
BOLIDE_FN Vector<T> load(const T* p) {
  return *reinterpret_cast<const typename VectorTypes<T>::Loose*>(p);
}
template <class T>
BOLIDE_FN void store(T* p, std::type_identity_t<Vector<T>> v) {
  *reinterpret_cast<typename VectorTypes<T>::Loose*>(p) = v;
}

template <class T>
BOLIDE_FN T sum_of(const Vector<T>& v) {
  T lanes[kWidth<T>];
  std::memcpy(lanes, &v, sizeof v);
  for (int width = kWidth<T> / 2; width > 0; width /= 2)
    for (int i = 0; i < width; i++) lanes[i] += lanes[i + width];
  return lanes[0];
}

// The sum of vectors that were added to in turns; it uses them up.
template <class T, int n>
BOLIDE_FN T sum_of(Vector<T> (&v)[n]) {
#pragma GCC unroll 4
  for (int half = n / 2; half > 0; half /= 2)
#pragma GCC unroll 8
    for (int i = 0; i < half; i++) v[i] += v[i + half];
  return sum_of<T>(v[0]);
}

// Which lanes of two vectors, one after the other, zip their first halves and their second halves.
template <class T>
struct Zip {
  typename VectorTypes<T>::Index low, high;
  BOLIDE_FN Zip() {
    for (int i = 0; i < kWidth<T>; i++) low[i] = i / 2 + (i & 1) * kWidth<T>, high[i] = low[i] + kWidth<T> / 2;
  }
};

// The sums of kWidth vectors, as one vector: each round adds halves and zips two vectors into one.
template <class T>
BOLIDE_FN Vector<T> sums_of(Vector<T> (&v)[kWidth<T>]) {
  const Zip<T> zip;
#pragma GCC unroll 4
  for (int half = kWidth<T> / 2; half > 0; half /= 2)
#pragma GCC unroll 8
    for (int i = 0; i < half; i++)
      v[i] = __builtin_shuffle(v[i], v[i + half], zip.low) + __builtin_shuffle(v[i], v[i + half], zip.high);
  return v[0];
}

// Transposes kWidth vectors: log2(kWidth) rounds, each of which zips the first half with the second.
template <class T>
BOLIDE_FN void transpose(Vector<T> (&v)[kWidth<T>]) {
  const Zip<T> zip;
#pragma GCC unroll 4
  for (int round = 1; round < kWidth<T>; round *= 2) {
    Vector<T> w[kWidth<T>];
#pragma GCC unroll 16
    for (int i = 0; i < kWidth<T> / 2; i++) {
      w[2 * i] = __builtin_shuffle(v[i], v[i + kWidth<T> / 2], zip.low);
      w[2 * i + 1] = __builtin_shuffle(v[i], v[i + kWidth<T> / 2], zip.high);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kWidth<T>; i++) v[i] = w[i];
  }
}

// Half types are converted as they are loaded. Where there are instructions for it they are named, since GCC makes two
// vectors of half the width out of __builtin_convertvector, and does not find those of float16. The 0xFFFF is for a
// warning about the plain form.
typedef uint16_t Halves __attribute__((vector_size(kVectorBytes / 2), aligned(2), may_alias));
typedef int32_t Words __attribute__((vector_size(kVectorBytes)));
BOLIDE_FN Words load_words(const void* p) {
#if defined(__AVX512F__)
  return Words(_mm512_maskz_cvtepu16_epi32(0xFFFF, _mm256_loadu_si256(static_cast<const __m256i*>(p))));
#elif defined(__AVX2__)
  return Words(_mm256_cvtepu16_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))));
#else
  return __builtin_convertvector(*reinterpret_cast<const Halves*>(p), Words);
#endif
}
BOLIDE_FN Vector<float> load(const BF16* p) { return Vector<float>(load_words(p) << 16); }
BOLIDE_FN Vector<float> load(const F16* p) {
#if defined(__AVX512F__)
  return Vector<float>(_mm512_maskz_cvtph_ps(0xFFFF, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
#elif defined(__F16C__)
  return Vector<float>(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#else
  const Words half = load_words(p), magnitude = (half & 0x7FFF) << 13;
  const Words special = (magnitude >= 0x7C00 << 13) & 0x7F800000;
  return Vector<float>(Words(Vector<float>(magnitude) * 0x1p112f) | special | (half & 0x8000) << 16);
#endif
}

// And back, to nearest even, as from_float() does it.
BOLIDE_FN void store_words(void* p, Words v) {
#if defined(__AVX512F__)
  _mm256_storeu_si256(static_cast<__m256i*>(p), _mm512_maskz_cvtepi32_epi16(0xFFFF, __m512i(v)));
#else
  *static_cast<Halves*>(p) = __builtin_convertvector(v, Halves);
#endif
}
BOLIDE_FN void store(BF16* p, Vector<float> v) {
  typedef uint32_t Bits __attribute__((vector_size(kVectorBytes)));
  const Bits b = Bits(v), rounded = (b + 0x7FFF + (b >> 16 & 1)) >> 16;
  const Words nan = v != v;
  store_words(p, (nan & 0x7FC0) | (~nan & Words(rounded)));
}
BOLIDE_FN void store(F16* p, Vector<float> v) {
#if defined(__AVX512F__)
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_maskz_cvtps_ph(0xFFFF, __m512(v), _MM_FROUND_TO_NEAREST_INT));
#elif defined(__F16C__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(__m256(v), _MM_FROUND_TO_NEAREST_INT));
#else
  for (int i = 0; i < kWidth<float>; i++) from_float(v[i], p[i]);
#endif
}

// to[c * to_step + r] = from[r * from_step + c] for a block of kWidth x kWidth, or of fewer rows, with zeros
// after them, or fewer columns. From a half type to float, too.
template <class S, class T>
BOLIDE_FN void transpose_block(const S* from, int64_t from_step, int rows, int columns, T* to, int64_t to_step) {
  if (columns < kWidth<T>) {
    for (int c = 0; c < columns; c++)
      for (int r = 0; r < kWidth<T>; r++) to[c * to_step + r] = r < rows ? load_as<T>(from[r * from_step + c]) : T(0);
    return;
  }
  Vector<T> v[kWidth<T>];
#pragma GCC unroll 16
  for (int r = 0; r < kWidth<T>; r++) v[r] = r < rows ? load(from + r * from_step) : Vector<T>{};
  transpose<T>(v);
#pragma GCC unroll 16
  for (int c = 0; c < kWidth<T>; c++) store(to + c * to_step, v[c]);
}

}  // namespace bolide::inline BOLIDE_ISA
