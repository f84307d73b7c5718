// benchmark_threads.cpp - what it costs to give work to the thread pool: fork and join of empty and small chunks.
//
// The argument is the number of threads. "Asleep" lets the workers fall asleep before every call.
#include <benchmark/benchmark.h>

#include <chrono>
#include <thread>

#include "kernels/threads.h"

namespace bolide {
namespace {

void run_empty_chunks(benchmark::State& state) {
  set_thread_count(int(state.range(0)));
  for (auto _ : state) parallel(state.range(0), [](int64_t i) { benchmark::DoNotOptimize(i); });
}
BENCHMARK(run_empty_chunks)->Name("fork_join/empty")->Arg(1)->Arg(2)->Arg(4)->Arg(8)->UseRealTime();

// About ten microseconds of arithmetic in all, in 16 chunks: less than one thread's time shows in the rate.
void run_small_chunks(benchmark::State& state) {
  set_thread_count(int(state.range(0)));
  for (auto _ : state)
    parallel(16, [](int64_t i) {
      double x = double(i);
      for (int k = 0; k < 250; k++) x = x * 0.999 + 1e-3;
      benchmark::DoNotOptimize(x);
    });
}
BENCHMARK(run_small_chunks)->Name("fork_join/small")->Arg(1)->Arg(2)->Arg(4)->Arg(8)->UseRealTime();

void run_after_sleep(benchmark::State& state) {
  set_thread_count(int(state.range(0)));
  for (auto _ : state) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const auto start = std::chrono::steady_clock::now();
    parallel(16, [](int64_t i) { benchmark::DoNotOptimize(i); });
    state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
}
BENCHMARK(run_after_sleep)->Name("fork_join/asleep")->Arg(2)->Arg(4)->UseManualTime()->Iterations(200);

}  // namespace
}  // namespace bolide
