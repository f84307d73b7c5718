// counted.cpp - the object cache: free lists per thread, in classes of 64 bytes.
#include "runtime/counted.h"

#include <cstdlib>
#include <new>

namespace bolide {
namespace {

constexpr size_t kStep = 64, kClasses = 17;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint32_t kKeep = 0;  // the sanitizer has to see every free
#else
constexpr uint32_t kKeep = 512;
#endif

struct Cache {
  struct Block { Block* next; };
  Block* free[kClasses];
  uint32_t count[kClasses];
};
constinit thread_local Cache cache{};

struct Owner {  // frees a thread's cache when the thread ends
  ~Owner() {
    for (size_t c = 0; c < kClasses; c++) {
      while (cache.free[c]) std::free(std::exchange(cache.free[c], cache.free[c]->next));
      cache.count[c] = kKeep;  // what is freed after this goes straight back
    }
  }
};

constexpr size_t class_of(size_t bytes) { return (bytes + kStep - 1) / kStep; }

[[gnu::noinline]] void* allocate_slow(size_t c) {
  static thread_local Owner owner;  // made on the slow path only, so that the fast path has no guard
  (void)owner;
  if (void* p = std::aligned_alloc(kStep, c * kStep)) return p;
  throw std::bad_alloc();
}

}  // namespace

void* allocate_object(size_t bytes) {
  const size_t c = class_of(bytes);
  if (c >= kClasses || !cache.free[c]) [[unlikely]] return allocate_slow(c);
  cache.count[c]--;
  return std::exchange(cache.free[c], cache.free[c]->next);
}

void free_object(void* p, size_t bytes) noexcept {
  const size_t c = class_of(bytes);
  if (c >= kClasses || cache.count[c] >= kKeep) [[unlikely]] return std::free(p);
  cache.count[c]++;
  cache.free[c] = new (p) Cache::Block{cache.free[c]};
}

}  // namespace bolide
