// memory_pool.cpp - see memory_pool.h.
#include "runtime/memory_pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <set>
#include <utility>
#include <vector>

#include "runtime/backend.h"
#include "runtime/errors.h"

namespace bolide {
namespace {

constexpr size_t kAlign = 256, kSmall = 4096, kClasses = kSmall / kAlign + 1;
constexpr size_t kSegment = size_t(2) << 20;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint32_t kKeep = 0;  // the sanitizer has to see every free
#else
constexpr uint32_t kKeep = 256;
#endif

size_t round_up(size_t n, size_t step) { return (n + step - 1) / step * step; }

// ------------------------------------------------------------------------------------- small CPU blocks
// Counters are written by their own thread only (plain loads and stores), and read by all.
struct Counter {
  std::atomic<int64_t> value{0};
  void add(int64_t n) { value.store(value.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  int64_t get() const { return value.load(std::memory_order_relaxed); }
};
struct SmallCache {
  struct Block {
    Block* next;
  };
  Block* free[kClasses] = {};
  uint32_t count[kClasses] = {};
  Counter live_bytes, live_blocks, allocations;
};
// initial-exec: read without a call; counted.cpp says why it is a pointer.
[[gnu::tls_model("initial-exec")]] constinit thread_local SmallCache* small = nullptr;

struct SmallTotals {
  std::mutex mutex;
  std::set<SmallCache*> threads;
  int64_t live_bytes = 0, live_blocks = 0, allocations = 0;  // of threads that have ended
  void add(int64_t bytes, int64_t blocks, int64_t calls) {
    live_bytes += bytes, live_blocks += blocks, allocations += calls;
  }
};
SmallTotals& small_totals() {
  static SmallTotals* totals = new SmallTotals;  // leaked: threads may end after main
  return *totals;
}

struct SmallOwner {
  SmallOwner() {
    small = new SmallCache;
    std::lock_guard lock(small_totals().mutex);
    small_totals().threads.insert(small);
  }
  ~SmallOwner() {
    SmallCache* ended = std::exchange(small, nullptr);
    {
      std::lock_guard lock(small_totals().mutex);
      small_totals().threads.erase(ended);
      small_totals().add(ended->live_bytes.get(), ended->live_blocks.get(), ended->allocations.get());
    }
    for (SmallCache::Block* block : ended->free)
      while (block) std::free(std::exchange(block, block->next));
    delete ended;
  }
};
// The cache of a thread that has none yet; null where the thread is ending and its cache has gone.
[[gnu::noinline]] SmallCache* first_use() {
  static thread_local SmallOwner owner;
  (void)owner;
  return small;
}
// What a thread that is ending does to the counts of those that have ended.
[[gnu::noinline]] void count_late(int64_t bytes, int64_t blocks, int64_t calls) {
  std::lock_guard lock(small_totals().mutex);
  small_totals().add(bytes, blocks, calls);
}

void* allocate_small(size_t c) {
  SmallCache* own = small;
  if (!own) [[unlikely]]
    own = first_use();
  void* p;
  if (own && own->free[c]) [[likely]] {
    own->count[c]--;
    p = std::exchange(own->free[c], own->free[c]->next);
  } else if (!(p = std::aligned_alloc(kAlign, c * kAlign))) return nullptr;
  const auto bytes = int64_t(c * kAlign);
  if (own) [[likely]]
    own->live_bytes.add(bytes), own->live_blocks.add(1), own->allocations.add(1);
  else count_late(bytes, 1, 1);
  return p;
}
void free_small(void* p, size_t c) noexcept {
  SmallCache* own = small;
  if (!own) [[unlikely]]
    own = first_use();
  const auto bytes = int64_t(c * kAlign);
  if (own) [[likely]]
    own->live_bytes.add(-bytes), own->live_blocks.add(-1);
  else count_late(-bytes, -1, 0);
  if (!own || own->count[c] >= kKeep) return std::free(p);
  own->count[c]++;
  own->free[c] = new (p) SmallCache::Block{own->free[c]};
}
size_t small_class(size_t bytes) { return std::max<size_t>(1, (bytes + kAlign - 1) / kAlign); }

// ---------------------------------------------------------------------------------------------- the pool
struct Segment;
struct Block {
  char* data = nullptr;
  size_t bytes = 0;
  Segment* segment = nullptr;
  Block *before = nullptr, *after = nullptr;  // neighbours in the segment
  bool free = false;
  std::vector<StreamHandle> other_streams;    // that have used it besides its own
  std::vector<EventHandle> pending;           // to be done before it is free again
};
struct BySize {
  bool operator()(const Block* a, const Block* b) const {
    return a->bytes != b->bytes ? a->bytes < b->bytes : a->data < b->data;
  }
};
using FreeBlocks = std::set<Block*, BySize>;
struct Segment {
  char* data;
  size_t bytes;
  FreeBlocks* home;  // of its stream
};

class Pool {
 public:
  explicit Pool(Device device) : device_(device), backend_(*backend_of(device.type).backend) {
    size_t free_bytes = 0, total = 0;
    backend_.memory_info(device.index, &free_bytes, &total);
    limit_ = int64_t(total);
  }

  Allocation allocate(size_t bytes, StreamHandle stream) {
    std::lock_guard lock(mutex_);
    FreeBlocks& home = free_[stream.handle];
    const size_t size = round_up(std::max<size_t>(bytes, 1), kAlign);
    check(size >= bytes && size < size_t(1) << 62, ErrorKind::OutOfMemory, "allocate", "a size that can exist",
          [&] { return str(bytes, " bytes"); });
    if (!pending_.empty()) drain(false);
    Block* block = find(home, size);
    if (!block) block = grow(home, size);
    if (!block) {  // wait for frees that other streams hold back, give everything unused away, try again
      drain(true);
      trim();
      if (!(block = find(home, size))) block = grow(home, size);
    }
    if (!block) fail(bytes);
    split(block, size);
    allocated_ += int64_t(block->bytes), peak_ = std::max(peak_, allocated_);
    allocations_++, live_++;
    return {block->data, block, bytes};
  }
  void free(Block* block) {
    std::lock_guard lock(mutex_);
    allocated_ -= int64_t(block->bytes), live_--;
    for (StreamHandle s : block->other_streams) {
      try {
        block->pending.push_back(backend_.record_event(s));
      } catch (const Error&) {  // a stream of others that has gone: whoever ended it has waited for its work
      }
    }
    block->other_streams.clear();
    if (block->pending.empty()) release(block);
    else pending_.push_back(block);
  }
  void record(Block* block, StreamHandle stream) {
    std::lock_guard lock(mutex_);
    for (StreamHandle s : block->other_streams)
      if (s.handle == stream.handle) return;
    block->other_streams.push_back(stream);
  }
  void empty() {
    std::lock_guard lock(mutex_);
    drain(true);
    trim();
  }
  MemoryStats stats() {
    std::lock_guard lock(mutex_);
    return {allocated_, peak_, reserved_, largest_free(), live_, allocations_};
  }
  void reset_peak() {
    std::lock_guard lock(mutex_);
    peak_ = allocated_;
  }
  void set_limit(int64_t bytes) {
    std::lock_guard lock(mutex_);
    limit_ = bytes;
  }
  std::mutex& mutex() { return mutex_; }

 private:
  Block* find(FreeBlocks& home, size_t size) {
    Block key;
    key.bytes = size;
    auto at = home.lower_bound(&key);
    if (at == home.end()) return nullptr;
    Block* block = *at;
    home.erase(at);
    block->free = false;
    return block;
  }
  Block* grow(FreeBlocks& home, size_t size) {
    size_t bytes = round_up(size, kSegment);
    if (bytes < 10 * kSegment && size > kSegment / 2) bytes = 10 * kSegment;  // shared by its like
    for (size_t attempt : {bytes, round_up(size, kSegment)}) {
      if (reserved_ + int64_t(attempt) > limit_) continue;
      char* data = static_cast<char*>(backend_.allocate(device_.index, attempt));
      if (!data) continue;
      reserved_ += int64_t(attempt);
      auto* segment = new Segment{data, attempt, &home};
      auto* block = new Block;
      block->data = data, block->bytes = attempt, block->segment = segment;
      return block;
    }
    return nullptr;
  }
  void split(Block* block, size_t size) {
    if (block->bytes - size < kSmall) return;
    auto* rest = new Block;
    rest->data = block->data + size, rest->bytes = block->bytes - size, rest->segment = block->segment;
    rest->before = block, rest->after = block->after;
    if (rest->after) rest->after->before = rest;
    block->after = rest, block->bytes = size;
    rest->free = true;
    rest->segment->home->insert(rest);
  }
  void release(Block* block) {
    FreeBlocks& home = *block->segment->home;
    auto absorb = [&](Block* a, Block* b) {  // b, just after a, becomes part of a
      a->bytes += b->bytes, a->after = b->after;
      if (b->after) b->after->before = a;
      delete b;
    };
    if (Block* b = block->after; b && b->free) home.erase(b), absorb(block, b);
    if (Block* a = block->before; a && a->free) home.erase(a), absorb(a, block), block = a;
    block->free = true;
    home.insert(block);
  }
  void drain(bool wait) {
    std::erase_if(pending_, [&](Block* block) {
      std::erase_if(block->pending, [&](EventHandle e) {
        if (!backend_.is_done(e)) {
          if (!wait) return false;
          const StreamHandle own = backend_.default_stream(device_.index);
          backend_.wait_event(own, e);
          backend_.synchronize(own);
        }
        backend_.destroy_event(e);
        return true;
      });
      if (!block->pending.empty()) return false;
      release(block);
      return true;
    });
  }
  void trim() {
    for (auto& [stream, home] : free_)
      std::erase_if(home, [&](Block* block) {
        if (block->before || block->after) return false;
        backend_.deallocate(device_.index, block->segment->data, block->segment->bytes);
        reserved_ -= int64_t(block->segment->bytes);
        delete block->segment;
        delete block;
        return true;
      });
  }
  int64_t largest_free() {
    size_t largest = 0;
    for (auto& [stream, home] : free_)
      if (!home.empty()) largest = std::max(largest, (*home.rbegin())->bytes);
    return int64_t(largest);
  }
  [[noreturn]] void fail(size_t bytes) {
    raise(ErrorKind::OutOfMemory, "allocate", str(bytes, " bytes of memory on ", name_of(device_)),
          str("none: ", allocated_, " bytes are live in ", live_, " blocks, ", reserved_ - allocated_,
              " cached (largest block ", largest_free(), "), the limit is ", limit_),
          "Free tensors that are not needed, or use smaller batches.");
  }

  const Device device_;
  Backend& backend_;
  std::mutex mutex_;
  std::map<void*, FreeBlocks> free_;  // by stream
  std::vector<Block*> pending_;
  int64_t allocated_ = 0, peak_ = 0, reserved_ = 0, live_ = 0, allocations_ = 0, limit_ = 0;
};

constexpr int kMaxDevices = 64;
std::atomic<Pool*> pools[kDeviceTypes][kMaxDevices];
std::mutex pools_mutex;

// In a child process the lock of a pool may be held by a thread that is not there: take all before the fork.
void before_fork() {
  pools_mutex.lock();
  small_totals().mutex.lock();
  for (auto& row : pools)
    for (auto& p : row)
      if (p) p.load()->mutex().lock();
}
void after_fork() {
  for (auto& row : pools)
    for (auto& p : row)
      if (p) p.load()->mutex().unlock();
  small_totals().mutex.unlock();
  pools_mutex.unlock();
}

Pool& pool_of(Device device) {
  std::atomic<Pool*>& slot = pools[int(device.type)][int(device.index)];
  if (Pool* p = slot.load(std::memory_order_acquire)) [[likely]]
    return *p;
  check_device(device);
  std::lock_guard lock(pools_mutex);
  static const int registered = pthread_atfork(before_fork, after_fork, after_fork);
  (void)registered;
  if (!slot.load()) slot.store(new Pool(device), std::memory_order_release);  // leaked on purpose
  return *slot.load();
}

}  // namespace

Allocation allocate(Device device, size_t bytes, StreamHandle stream) {
  if (device.is_cpu() && bytes <= kSmall) [[likely]]
    if (void* p = allocate_small(small_class(bytes))) return {p, nullptr, bytes};
  return pool_of(device).allocate(bytes, stream);
}

void deallocate(Device device, const Allocation& a) noexcept {
  if (!a.block) {
    if (a.data) free_small(a.data, small_class(a.bytes));
  } else pool_of(device).free(static_cast<Block*>(a.block));
}

void record_stream(Device device, const Allocation& a, StreamHandle stream) {
  if (a.block) pool_of(device).record(static_cast<Block*>(a.block), stream);
}

MemoryStats memory_stats(Device device) {
  MemoryStats stats = pool_of(device).stats();
  if (!device.is_cpu()) return stats;
  SmallTotals& totals = small_totals();
  std::lock_guard lock(totals.mutex);
  int64_t bytes = totals.live_bytes, blocks = totals.live_blocks, calls = totals.allocations;
  for (SmallCache* t : totals.threads)
    bytes += t->live_bytes.get(), blocks += t->live_blocks.get(), calls += t->allocations.get();
  stats.allocated += bytes, stats.reserved += bytes, stats.live_blocks += blocks, stats.allocations += calls;
  stats.peak = std::max(stats.peak, stats.allocated);
  return stats;
}

void reset_peak_memory(Device device) { pool_of(device).reset_peak(); }
void empty_cache(Device device) { pool_of(device).empty(); }
void set_memory_limit(Device device, int64_t bytes) {
  check(bytes >= 0, ErrorKind::Value, "set_memory_limit", "a number of bytes", [&] { return str(bytes); });
  pool_of(device).set_limit(bytes);
}

}  // namespace bolide
