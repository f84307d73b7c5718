// counted.h - intrusive reference counts, and the per-thread cache that their objects come from.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "runtime/export.h"

namespace bolide {

// Small blocks (up to 1 KB) of host memory for the runtime's own objects: a free list per thread and size
// class, so that making and dropping a tensor takes no lock. Any thread may free a block.
BOLIDE_API void* allocate_object(size_t bytes);
BOLIDE_API void free_object(void* p, size_t bytes) noexcept;

struct Pooled {
  static void* operator new(size_t n) { return allocate_object(n); }
  static void operator delete(void* p, size_t n) { free_object(p, n); }
  static void* operator new(size_t, void* p) { return p; }
};

struct Counted {
  mutable std::atomic<int32_t> references{1};
};

// A shared pointer to T, which derives from Counted and has `static void destroy(T*)`.
template <class T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}
  static Ref steal(T* p) {
    Ref r;
    r.p_ = p;
    return r;
  }
  static Ref share(T* p) {
    if (p) p->references.fetch_add(1, std::memory_order_relaxed);
    return steal(p);
  }
  Ref(const Ref& o) : p_(o.p_) {
    if (p_) p_->references.fetch_add(1, std::memory_order_relaxed);
  }
  Ref(Ref&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  Ref& operator=(const Ref& o) {
    Ref copy(o);
    std::swap(p_, copy.p_);
    return *this;
  }
  Ref& operator=(Ref&& o) noexcept {
    Ref taken(std::move(o));
    std::swap(p_, taken.p_);
    return *this;
  }
  ~Ref() {  // a sole owner needs no locked instruction: nobody else can take a reference
    if (p_ && (p_->references.load(std::memory_order_acquire) == 1 ||
               p_->references.fetch_sub(1, std::memory_order_acq_rel) == 1))
      T::destroy(p_);
  }
  T* get() const { return p_; }
  T* operator->() const { return p_; }
  T& operator*() const { return *p_; }
  explicit operator bool() const { return p_ != nullptr; }
  bool operator==(const Ref& o) const { return p_ == o.p_; }
  T* release() { return std::exchange(p_, nullptr); }

 private:
  T* p_ = nullptr;
};

}  // namespace bolide
