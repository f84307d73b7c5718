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
  struct Block {
    Block* next;
  };
  Block* free[kClasses] = {};
  uint32_t count[kClasses] = {};
};
// initial-exec: read without a call, which an op would make nine times. In exchange all thread-local variables of
// this library must fit into the little that the loader keeps for libraries that come late (see tls_size in
// tests/python/test_library.py), so what is large is behind a pointer.
[[gnu::tls_model("initial-exec")]] constinit thread_local Cache* cache = nullptr;

struct Owner {  // of a thread's cache; when the thread has ended, blocks come from and go to the system
  Owner() { cache = new Cache; }
  ~Owner() {
    const Cache* ended = std::exchange(cache, nullptr);
    for (Cache::Block* block : ended->free)
      while (block) std::free(std::exchange(block, block->next));
    delete ended;
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
  Cache* own = cache;
  if (c >= kClasses || !own || !own->free[c]) [[unlikely]]
    return allocate_slow(c);
  own->count[c]--;
  return std::exchange(own->free[c], own->free[c]->next);
}

void free_object(void* p, size_t bytes) noexcept {
  const size_t c = class_of(bytes);
  Cache* own = cache;
  if (c >= kClasses || !own || own->count[c] >= kKeep) [[unlikely]]
    return std::free(p);
  own->count[c]++;
  own->free[c] = new (p) Cache::Block{own->free[c]};
}

}  // namespace bolide
