// dims.h - Dims: the sizes or strides of a tensor; up to six of them inside the object, more on the heap.
#pragma once
#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "kernels/kernel_calls.h"
#include "runtime/errors.h"

namespace bolide {

class Dims {
 public:
  static constexpr int kInline = 6;

  Dims() = default;
  explicit Dims(int rank) { resize(rank); }
  Dims(int rank, int64_t value) : Dims(rank) { std::fill(begin(), end(), value); }
  Dims(std::initializer_list<int64_t> values) : Dims(int(values.size())) {
    std::copy(values.begin(), values.end(), begin());
  }
  Dims(const Dims& o) {
    if (o.heap_) [[unlikely]]
      copy(o);
    else rank_ = o.rank_, copy_inline(o);
  }
  Dims(Dims&& o) noexcept { take(o); }
  Dims& operator=(const Dims& o) {
    if (this != &o) copy(o);
    return *this;
  }
  Dims& operator=(Dims&& o) noexcept {
    if (this == &o) return *this;
    delete[] heap_;
    take(o);
    return *this;
  }
  ~Dims() { delete[] heap_; }

  int rank() const { return rank_; }
  bool empty() const { return rank_ == 0; }
  int64_t* data() { return heap_ ? heap_ : inline_; }
  const int64_t* data() const { return heap_ ? heap_ : inline_; }
  int64_t* begin() { return data(); }
  int64_t* end() { return data() + rank_; }
  const int64_t* begin() const { return data(); }
  const int64_t* end() const { return data() + rank_; }
  int64_t& operator[](int i) { return data()[i]; }
  int64_t operator[](int i) const { return data()[i]; }
  int64_t back() const { return data()[rank_ - 1]; }
  bool operator==(const Dims& o) const {  // by hand: ranks are small, a call of memcmp is not
    if (rank_ != o.rank_) return false;
    const int64_t *p = data(), *q = o.data();
    for (int i = 0; i < rank_; i++)
      if (p[i] != q[i]) return false;
    return true;
  }

  void resize(int rank) {  // new elements are not set
    if (rank > capacity_) [[unlikely]]
      grow(rank);
    rank_ = rank;
  }
  void push_back(int64_t value) { resize(rank_ + 1), data()[rank_ - 1] = value; }
  void insert(int at, int64_t value) {
    resize(rank_ + 1);
    std::copy_backward(begin() + at, end() - 1, end());
    data()[at] = value;
  }
  void erase(int at) {
    std::copy(begin() + at + 1, end(), begin() + at);
    rank_--;
  }
  int64_t product() const {  // of sizes that are known not to overflow
    int64_t n = 1;
    for (int64_t v : *this) n *= v;
    return n;
  }
  Dims contiguous_strides() const {
    Dims strides(rank_);
    strides.set_contiguous(*this);
    return strides;
  }
  void set_contiguous(const Dims& sizes) {  // as strides, of the same rank
    const int64_t* from = sizes.data();
    int64_t* to = data();
    int64_t n = 1;
    for (int i = rank_; i-- > 0; n *= std::max<int64_t>(from[i], 1)) to[i] = n;
  }
  std::string text() const {  // "[2, 3]"
    std::string out = "[";
    for (int i = 0; i < rank_; i++) out += (i ? ", " : "") + std::to_string(data()[i]);
    return out + "]";
  }

 private:
  void copy(const Dims& o) {
    resize(o.rank_);
    if (heap_ || o.heap_) std::copy(o.begin(), o.end(), begin());
    else copy_inline(o);
  }
  void take(Dims& o) noexcept {
    rank_ = o.rank_, capacity_ = o.capacity_, heap_ = o.heap_;
    copy_inline(o);
    o.heap_ = nullptr, o.rank_ = 0, o.capacity_ = kInline;
  }

  // One number at a time: they have often just been written, and a load of two at once would wait for both stores.
  void copy_inline(const Dims& o) {
    for (int i = 0; i < kInline; i++) {
      int64_t value = o.inline_[i];
      asm("" : "+r"(value));  // keeps the compiler from joining them
      inline_[i] = value;
    }
  }
  [[gnu::noinline]] void grow(int rank) {
    if (rank > kMaxRank) raise(ErrorKind::Shape, "shape", str("at most ", kMaxRank, " dimensions"), str(rank));
    int64_t* larger = new int64_t[kMaxRank];
    std::copy_n(inline_, rank_, larger);
    heap_ = larger, capacity_ = kMaxRank;
  }

  int rank_ = 0, capacity_ = kInline;
  int64_t* heap_ = nullptr;
  int64_t inline_[kInline];
};

}  // namespace bolide
