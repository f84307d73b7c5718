// test_memory_pool.cpp - the pool: reuse, splitting and joining, limits, statistics, threads, fork.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <random>
#include <thread>

#include "runtime/memory_pool.h"
#include "tests/cpp/support.h"

namespace bolide {
namespace {

constexpr Device kCpu{};
constexpr size_t kMega = size_t(1) << 20;

struct Held {  // an allocation for a scope
  Allocation a;
  explicit Held(size_t bytes) : a(allocate(kCpu, bytes, {})) {}
  ~Held() { deallocate(kCpu, a); }
  Held(const Held&) = delete;
};

TEST(MemoryPool, AlignsAndReuses) {
  for (size_t bytes : {size_t(0), size_t(1), size_t(4096), size_t(4097), kMega, 50 * kMega}) {
    const Allocation a = allocate(kCpu, bytes, {});
    EXPECT_EQ(reinterpret_cast<uintptr_t>(a.data) % 256, 0u);
    std::memset(a.data, 1, bytes);
    deallocate(kCpu, a);
    const Allocation b = allocate(kCpu, bytes, {});
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    EXPECT_EQ(a.data, b.data) << bytes;  // the same block again, still mapped
#endif
    deallocate(kCpu, b);
  }
}

TEST(MemoryPool, SplitsAndJoins) {
  empty_cache(kCpu);
  const int64_t reserved = memory_stats(kCpu).reserved;
  {
    std::vector<std::unique_ptr<Held>> parts;
    for (int i = 0; i < 30; i++) parts.push_back(std::make_unique<Held>(60000));
    EXPECT_LE(memory_stats(kCpu).reserved - reserved, int64_t(2 * kMega));  // one segment for all
    for (int i = 0; i < 30; i += 2) parts[size_t(i)].reset();
    const Allocation a = allocate(kCpu, 50000, {});  // into a hole
    EXPECT_LE(memory_stats(kCpu).reserved - reserved, int64_t(2 * kMega));
    deallocate(kCpu, a);
  }
  const Held whole(2 * kMega - 4096);  // the parts are one block again
  EXPECT_LE(memory_stats(kCpu).reserved - reserved, int64_t(2 * kMega));
}

TEST(MemoryPool, GivesSegmentsBack) {
  { const Held big(100 * kMega); }
  EXPECT_GE(memory_stats(kCpu).reserved, int64_t(100 * kMega));
  empty_cache(kCpu);
  EXPECT_LT(memory_stats(kCpu).reserved, int64_t(100 * kMega));
}

TEST(MemoryPool, RaisesWithFiguresAndGoesOn) {
  empty_cache(kCpu);
  const MemoryStats before = memory_stats(kCpu);
  set_memory_limit(kCpu, before.reserved + int64_t(64 * kMega));
  {
    const Held live(40 * kMega);
    EXPECT_ERROR(allocate(kCpu, 41 * kMega, {}), ErrorKind::OutOfMemory, str(41 * kMega, " bytes"));
    EXPECT_ERROR(allocate(kCpu, SIZE_MAX - 5, {}), ErrorKind::OutOfMemory, "bytes");
  }
  const Held fits(41 * kMega);  // the cached 40 MB were given back for it
  set_memory_limit(kCpu, int64_t(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE));
  EXPECT_EQ(memory_stats(kCpu).live_blocks, before.live_blocks + 1);
}

TEST(MemoryPool, ManyThreadsNeverShareABlock) {
  const MemoryStats before = memory_stats(kCpu);
  std::vector<std::thread> threads;
  std::atomic<int> broken{0};
  for (int t = 0; t < 4; t++)
    threads.emplace_back([t, &broken] {
      std::mt19937 random(unsigned(t) + 1);
      std::vector<Allocation> held;
      for (int i = 0; i < 3000; i++) {
        if (held.size() > 20 || (!held.empty() && random() % 2)) {
          const size_t at = random() % held.size();
          const auto* p = static_cast<unsigned char*>(held[at].data);
          if (held[at].bytes && (p[0] != t || p[held[at].bytes - 1] != t)) broken++;
          deallocate(kCpu, held[at]);
          held.erase(held.begin() + long(at));
        } else {
          held.push_back(allocate(kCpu, random() % (1 << (random() % 20)), {}));
          std::memset(held.back().data, t, held.back().bytes);
        }
      }
      for (const Allocation& a : held) deallocate(kCpu, a);
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(broken.load(), 0);
  const MemoryStats after = memory_stats(kCpu);
  EXPECT_EQ(after.allocated, before.allocated);
  EXPECT_EQ(after.live_blocks, before.live_blocks);
}

TEST(MemoryPool, FreedByAnotherThread) {
  const int64_t before = memory_stats(kCpu).allocated;
  Allocation small, large;
  std::thread([&] { small = allocate(kCpu, 100, {}), large = allocate(kCpu, kMega, {}); }).join();
  EXPECT_GT(memory_stats(kCpu).allocated, before);
  deallocate(kCpu, small), deallocate(kCpu, large);
  EXPECT_EQ(memory_stats(kCpu).allocated, before);
}

#if !defined(__SANITIZE_THREAD__)
TEST(MemoryPool, WorksInAForkedChild) {
  const Held held(kMega);
  const pid_t child = fork();
  if (child == 0) {
    const Tensor t = add(ones({300000}, {}), 1);
    _exit(values_of(sum(t))[0] == 600000 ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}
#endif

}  // namespace
}  // namespace bolide
