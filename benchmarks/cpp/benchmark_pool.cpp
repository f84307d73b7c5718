// benchmark_pool.cpp - what it costs to take memory from the pool and give it back.
//
// pair: one block at a time, always found at once. Live: many blocks at once, freed in another order, so that
// blocks are split and joined. Each also from two threads, which share the pool's lock for large blocks only.
#include <benchmark/benchmark.h>

#include <vector>

#include "runtime/memory_pool.h"
#include "runtime/tensor.h"

namespace bolide {
namespace {

void allocate_pair(benchmark::State& state) {
  const size_t bytes = size_t(state.range(0));
  for (auto _ : state) {
    const Allocation a = allocate(Device{}, bytes, {});
    benchmark::DoNotOptimize(a.data);
    deallocate(Device{}, a);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(allocate_pair)->ArgName("bytes")->Arg(32)->Arg(4096)->Arg(64 << 10)->Arg(1 << 20)->Arg(40'000'000);
BENCHMARK(allocate_pair)->ArgName("bytes")->Arg(32)->Arg(64 << 10)->Threads(2);

// 64 blocks of mixed sizes around `bytes`, freed in a shuffled order.
void allocate_live(benchmark::State& state) {
  constexpr size_t kBlocks = 64;
  const size_t bytes = size_t(state.range(0));
  std::vector<Allocation> blocks(kBlocks);
  for (auto _ : state) {
    for (size_t i = 0; i < kBlocks; i++) blocks[i] = allocate(Device{}, bytes * (1 + i % 7) / 4, {});
    for (size_t i = 0; i < kBlocks; i++) deallocate(Device{}, blocks[i * 37 % kBlocks]);  // 37: no factor of 64
  }
  state.SetItemsProcessed(state.iterations() * int64_t(kBlocks));
}
BENCHMARK(allocate_live)->ArgName("bytes")->Arg(256)->Arg(64 << 10)->Arg(1 << 20);
BENCHMARK(allocate_live)->ArgName("bytes")->Arg(256)->Arg(64 << 10)->Threads(2);

void make_tensor(benchmark::State& state) {
  const Dims sizes{state.range(0)};
  for (auto _ : state) benchmark::DoNotOptimize(empty(sizes).get());
}
BENCHMARK(make_tensor)->ArgName("elements")->Arg(8)->Arg(10'000'000);

}  // namespace
}  // namespace bolide
