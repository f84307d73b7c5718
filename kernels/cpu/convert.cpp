// convert.cpp - the conversions of convert.h, for every pair of a storage type and a compute type; once per ISA.
#include "kernels/cpu/convert.h"

#include "kernels/cpu/simd.h"
#include "kernels/cpu/types.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

// float16 by the instructions for it, which the compiler does not find by itself, a vector at a time. They return how many
// they have done.
template <class S, class C>
int64_t load_many(const S*, C*, int64_t) {
  return 0;
}
template <class S, class C>
int64_t store_many(const C*, S*, int64_t) {
  return 0;
}
#if defined(__F16C__)
template <>
int64_t load_many(const F16* p, float* q, int64_t n) {
  int64_t i = 0;
  for (; i + kWidth<float> <= n; i += kWidth<float>) store(q + i, load(p + i));
  return i;
}
template <>
int64_t store_many(const float* p, F16* q, int64_t n) {
  int64_t i = 0;
  for (; i + kWidth<float> <= n; i += kWidth<float>) store(q + i, load(p + i));
  return i;
}
#endif

template <class S, class C>
void load_run(const char* from, int64_t stride, void* to, int64_t n) {
  auto* p = reinterpret_cast<const S*>(from);
  auto* q = static_cast<C*>(to);
  if (stride == 1)
    for (int64_t i = load_many(p, q, n); i < n; i++) q[i] = load_as<C>(p[i]);
  else if (stride == 0) std::fill_n(q, n, load_as<C>(*p));  // broadcast
  else
    for (int64_t i = 0; i < n; i++) q[i] = load_as<C>(p[i * stride]);
}
template <class S, class C>
void store_run(const void* from, char* to, int64_t stride, int64_t n) {
  auto* p = static_cast<const C*>(from);
  auto* q = reinterpret_cast<S*>(to);
  if (stride == 1)
    for (int64_t i = store_many(p, q, n); i < n; i++) q[i] = store_as<S>(p[i]);
  else
    for (int64_t i = 0; i < n; i++) q[i * stride] = store_as<S>(p[i]);
}

template <class S, class C>
constexpr LoadRun kLoad = kIsComplex<S> && !kIsComplex<C> ? nullptr : load_run<S, C>;

}  // namespace

#define BOLIDE_LOAD(dtype, name, size)                                                                  \
  {kLoad<Stored<DType::dtype>, float>,   kLoad<Stored<DType::dtype>, double>,                           \
   kLoad<Stored<DType::dtype>, int32_t>, kLoad<Stored<DType::dtype>, int64_t>,                          \
   kLoad<Stored<DType::dtype>, C64>,     kLoad<Stored<DType::dtype>, C128>},
const LoadRun kLoads[kDTypeCount][6] = {BOLIDE_DTYPES(BOLIDE_LOAD)};
#undef BOLIDE_LOAD
#define BOLIDE_STORE(dtype, name, size)                                                                 \
  {store_run<Stored<DType::dtype>, float>,   store_run<Stored<DType::dtype>, double>,                   \
   store_run<Stored<DType::dtype>, int32_t>, store_run<Stored<DType::dtype>, int64_t>,                  \
   store_run<Stored<DType::dtype>, C64>,     store_run<Stored<DType::dtype>, C128>},
const StoreRun kStores[kDTypeCount][6] = {BOLIDE_DTYPES(BOLIDE_STORE)};
#undef BOLIDE_STORE

}  // namespace bolide::inline BOLIDE_ISA
