// scan.cpp - running sums, products and extremes along one dimension (scan.h); compiled once per ISA.
//
// Along memory a row goes through blocks that are loaded, scanned and stored; sums and products of float32, float64
// and int64 need none: some rows side by side go from memory to memory, which is one long stream for each. Across
// memory a panel of neighbouring columns moves down together. Each row or column is taken in order, so threads change
// nothing.
#include "kernels/cpu/convert.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/scan.h"
#include "kernels/threads.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

constexpr int64_t kBlock = 512, kGrain = 16384;

template <class T, class Scan>
class Scanner {
 public:
  explicit Scanner(const ScanCall& call)
      : call_(call), load_(kLoads[int(call.dtype)][int(kCompute)]), store_(kStores[int(call.out_dtype)][int(kCompute)]),
        in_size_(item_size(call.dtype)), out_size_(item_size(call.out_dtype)) {}

  // Rows side by side, where inner == 1: each step of a row waits for the one before, but not for another row's.
  static constexpr int kRows = std::is_same_v<Scan, LogSumExpScan<T>> ? 1 : 4;
  void rows(int64_t first, int count_of_rows) const {  // up to kRows; what lacks is made up and not stored
    ScanState<T> states[kRows];
    std::fill_n(states, kRows, Scan::first());
    const int64_t n = call_.n;
    for (int64_t done = 0; done < n; done += kBlock) {
      const int64_t count = std::min(kBlock, n - done), begin = call_.reverse ? n - done - count : done;
      T blocks[kRows][kBlock];
      for (int r = count_of_rows; r < kRows; r++) std::fill_n(blocks[r], count, T(0));
      for (int r = 0; r < count_of_rows; r++) load((first + r) * n + begin, blocks[r], count);
      const int64_t at = first * n + begin;
      if (call_.places) run<true>(states, blocks, begin, count, call_.places + at, count_of_rows);
      else run<false>(states, blocks, begin, count, nullptr, 0);
      for (int r = 0; r < count_of_rows; r++) store(blocks[r], (first + r) * n + begin, count);
    }
  }
  // Rows that are stored as S and go through no block. Up to kRows of them: the last ones singly.
  template <class S>
  void stream(int64_t first, int count_of_rows) const {
    if (count_of_rows == kRows) return stream_rows<S, kRows>(first);
    for (int r = 0; r < count_of_rows; r++) stream_rows<S, 1>(first + r);
  }
  template <class S, int kCount>
  void stream_rows(int64_t first) const {
    const int64_t n = call_.n, step = call_.reverse ? -1 : 1, begin = first * n + (call_.reverse ? n - 1 : 0);
    const S* x = static_cast<const S*>(call_.x) + begin;
    S* out = static_cast<S*>(call_.out) + begin;
    ScanState<T> states[kCount];
    std::fill_n(states, kCount, Scan::first());
    for (int64_t k = 0; k < n; k++, x += step, out += step)
#pragma GCC unroll 4
      for (int r = 0; r < kCount; r++) {
        states[r] = Scan::combine(states[r], {T(x[r * n]), 0});
        out[r * n] = S(states[r].value);
      }
  }
  template <bool kPlaces>
  void run(ScanState<T>* states, T (*blocks)[kBlock], int64_t begin, int64_t count, int64_t* places, int rows) const {
    if (call_.reverse) run_to<kPlaces, true>(states, blocks, begin, count, places, rows);
    else run_to<kPlaces, false>(states, blocks, begin, count, places, rows);
  }
  template <bool kPlaces, bool kReverse>
  void run_to(ScanState<T>* kept, T (*blocks)[kBlock], int64_t begin, int64_t count, int64_t* places, int rows) const {
    ScanState<T> states[kRows];  // in registers
    std::copy_n(kept, kRows, states);
    for (int64_t k = 0; k < count; k++) {
      const int64_t i = kReverse ? count - 1 - k : k;
#pragma GCC unroll 4
      for (int r = 0; r < kRows; r++) {
        states[r] = Scan::combine(states[r], {blocks[r][i], begin + i});
        blocks[r][i] = states[r].value;
        if (kPlaces && r < rows) places[r * call_.n + i] = states[r].place;
      }
    }
    std::copy_n(states, kRows, kept);
  }
  void columns(int64_t outer, int64_t first, int64_t count) const {  // up to kBlock of them
    ScanState<T> states[kBlock];
    std::fill_n(states, count, Scan::first());
    for (int64_t k = 0; k < call_.n; k++) {
      const int64_t i = call_.reverse ? call_.n - 1 - k : k, at = (outer * call_.n + i) * call_.inner + first;
      T block[kBlock];
      load(at, block, count);
      for (int64_t j = 0; j < count; j++) {
        states[j] = Scan::combine(states[j], {block[j], i});
        block[j] = states[j].value;
        if (call_.places) call_.places[at + j] = states[j].place;
      }
      store(block, at, count);
    }
  }

 private:
  static constexpr Compute kCompute = std::is_same_v<T, double> ? Compute::F64 : Compute::I64;
  void load(int64_t at, T* block, int64_t count) const {
    load_(static_cast<const char*>(call_.x) + at * in_size_, 1, block, count);
  }
  void store(const T* block, int64_t at, int64_t count) const {
    store_(block, static_cast<char*>(call_.out) + at * out_size_, 1, count);
  }
  const ScanCall& call_;
  const LoadRun load_;
  const StoreRun store_;
  const int64_t in_size_, out_size_;
};

}  // namespace

void scan(const ScanCall& call) {
  with_scan(call, [&]<class T, class Scan>(T, Scan) {
    const Scanner<T, Scan> scanner(call);
    if (call.inner == 1) {
      auto each = [&](const auto& rows) {
        const int64_t grain = kGrain / std::max<int64_t>(call.n, 1);
        parallel_rows(call.outer, std::max<int64_t>(grain, scanner.kRows), [&](int64_t begin, int64_t end) {
          for (int64_t r = begin; r < end; r += scanner.kRows) rows(r, int(std::min<int64_t>(scanner.kRows, end - r)));
        });
      };
      if constexpr (std::is_same_v<Scan, SumScan<T>> || std::is_same_v<Scan, ProductScan<T>>) {
        if (call.dtype == call.out_dtype && item_size(call.dtype) == 8)
          return each([&](int64_t first, int count) { scanner.template stream<T>(first, count); });
        if constexpr (std::is_same_v<T, double>)
          if (call.dtype == DType::F32 && call.out_dtype == DType::F32)
            return each([&](int64_t first, int count) { scanner.template stream<float>(first, count); });
      }
      return each([&](int64_t first, int count) { scanner.rows(first, count); });
    }
    const int64_t share = call.outer * call.inner / thread_count() / 64 * 64;  // a panel for each thread, if worth it
    const int64_t width = call.n * call.inner < kGrain ? kBlock : std::clamp<int64_t>(share, 64, kBlock);
    const int64_t panels = (call.inner + width - 1) / width;
    parallel(call.outer * panels, [&](int64_t chunk) {
      const int64_t first = chunk % panels * width;
      scanner.columns(chunk / panels, first, std::min(width, call.inner - first));
    });
  });
}

}  // namespace bolide::inline BOLIDE_ISA
