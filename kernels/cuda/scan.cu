// scan.cu - running sums, products and extremes along one dimension (scan.h).
//
// Along memory a block takes a row in tiles: every thread's element is combined with those before it in log steps
// (Hillis and Steele 1986), and the tile's total is carried on. Across memory a thread takes a column, or a row of so few
// elements that most of a block would be idle. The order depends on the shape alone.
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/numbers.cuh"
#include "kernels/scan.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

constexpr int64_t kShortRow = 16;

struct ScanArguments {
  const void* x = nullptr;
  void* out = nullptr;
  int64_t* places = nullptr;
  DType dtype = DType::F32, out_dtype = DType::F32;
  int64_t outer = 0, n = 0, inner = 1;
  bool reverse = false;

  template <class T>
  __device__ void put(int64_t at, ScanState<T> state) const {
    store_any<T>(out, out_dtype, at, state.value);
    if (places) places[at] = state.place;
  }
};

template <class T, class Scan>
__global__ void __launch_bounds__(kThreads) scan_rows_kernel(BOLIDE_ARGUMENTS(ScanArguments, a)) {
  BOLIDE_SHARED(ScanState<T>, tile, [2][kThreads]);
  const int thread = int(threadIdx.x);
  for (int64_t r = blockIdx.x; r < a.outer; r += gridDim.x) {
    ScanState<T> carry = Scan::first();
    for (int64_t done = 0; done < a.n; done += kThreads) {
      const int64_t k = done + thread, i = a.reverse ? a.n - 1 - k : k, at = r * a.n + i;
      ScanState<T> state = Scan::first();
      if (k < a.n) state = {load_any<T>(a.x, a.dtype, at), i};
      tile[0][thread] = state;
      int from = 0;
      for (int step = 1; step < kThreads; step *= 2, from ^= 1) {
        __syncthreads();
        if (thread >= step) state = Scan::combine(tile[from][thread - step], state);
        tile[from ^ 1][thread] = state;
      }
      __syncthreads();
      const ScanState<T> total = tile[from][kThreads - 1];
      if (k < a.n) a.put(at, Scan::combine(carry, state));
      carry = Scan::combine(carry, total);
      __syncthreads();  // before the next tile is written
    }
  }
}

template <class T, class Scan>
__global__ void __launch_bounds__(kThreads) scan_columns_kernel(BOLIDE_ARGUMENTS(ScanArguments, a)) {
  for (int64_t c = thread_of_grid(); c < a.outer * a.inner; c += threads_of_grid()) {
    ScanState<T> state = Scan::first();
    for (int64_t k = 0; k < a.n; k++) {
      const int64_t i = a.reverse ? a.n - 1 - k : k, at = (c / a.inner * a.n + i) * a.inner + c % a.inner;
      state = Scan::combine(state, {load_any<T>(a.x, a.dtype, at), i});
      a.put(at, state);
    }
  }
}

}  // namespace

void scan(const ScanCall& call) {
  const ScanArguments a{call.x,     call.out, call.places, call.dtype,  call.out_dtype,
                        call.outer, call.n,   call.inner,  call.reverse};
  with_scan(call, [&]<class T, class Scan>(T, Scan) {
    if (call.inner == 1 && call.n > kShortRow) {
      const int64_t blocks = call.outer < kMostBlocks ? call.outer : kMostBlocks;
      return launch("scan", scan_rows_kernel<T, Scan>, dim3(unsigned(blocks)), dim3(kThreads), call.stream, a);
    }
    const Walk walk(call.outer * call.inner);
    launch("scan", scan_columns_kernel<T, Scan>, walk.grid, walk.block, call.stream, a);
  });
}

}  // namespace bolide::inline BOLIDE_ISA
