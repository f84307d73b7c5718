// limits.cpp - what this machine can do at best: bytes copied and floating-point operations a second.
//
//   c++ -O3 -march=native -pthread limits.cpp -o limits && ./limits 2
//
// Prints {"copy": bytes read and written per second, "fma": f32 operations per second}, the best of some rounds
// with that many threads. compare.py builds and runs it: no case can be faster than these allow.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace {

#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif
typedef float Vector __attribute__((vector_size(kBytes)));
constexpr int kLanes = kBytes / 4, kChains = 16;  // enough chains to hide the latency of an fma on two ports

// The best seconds of work(thread), done by all threads at once.
template <class Work>
double best_seconds(int threads, int rounds, Work work) {
  double best = 1e9;
  for (int round = 0; round < rounds; round++) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> others;
    for (int t = 1; t < threads; t++) others.emplace_back(work, t);
    work(0);
    for (std::thread& t : others) t.join();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

// Of 40 MB, the arrays of the large cases; the better of memcpy, which may go past the caches, and a plain loop.
double copy_rate(int threads) {
  constexpr size_t kAll = 40'000'000;
  const size_t size = kAll / threads;
  std::vector<std::vector<char>> from(threads, std::vector<char>(size, 1)), to = from;
  const double past = best_seconds(threads, 30, [&](int t) { std::memcpy(to[t].data(), from[t].data(), size); });
  const double plain = best_seconds(threads, 30, [&](int t) {
    const char* p = from[t].data();
    char* q = to[t].data();
    for (size_t i = 0; i + kBytes <= size; i += kBytes) {
      Vector x;
      __builtin_memcpy(&x, p + i, kBytes);
      __builtin_memcpy(q + i, &x, kBytes);
    }
  });
  return 2.0 * double(size) * threads / std::min(past, plain);
}

volatile float sink;
double fma_rate(int threads) {
  constexpr int kTurns = 2'000'000;
  const double seconds = best_seconds(threads, 10, [](int t) {
    Vector x[kChains], a = Vector{} + 0.999f + float(t) * 1e-9f, b = Vector{} + 1e-3f;
    for (int c = 0; c < kChains; c++) x[c] = a * float(c);
    for (int i = 0; i < kTurns; i++)
      for (int c = 0; c < kChains; c++) x[c] = x[c] * a + b;  // contracted to an fma by default
    Vector sum = x[0];
    for (int c = 1; c < kChains; c++) sum += x[c];
    sink = sum[0];
  });
  return 2.0 * kLanes * kChains * kTurns * threads / seconds;
}

}  // namespace

int main(int count, char** arguments) {
  const int threads = count > 1 ? std::max(1, std::atoi(arguments[1])) : 1;
  std::printf("{\"copy\": %.4g, \"fma\": %.4g}\n", copy_rate(threads), fma_rate(threads));
}
