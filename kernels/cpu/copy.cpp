// copy.cpp - copies between any layouts and dtypes; compiled once per ISA.
//
// Equal dtypes move bytes: one memcpy where both sides are dense, square tiles where the fast dimensions of
// the two sides differ (a transpose), runs otherwise. Different dtypes go through blocks of the source's
// compute type, as elementwise ops do.
#include <array>
#include <cstring>

#include "kernels/cpu/convert.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/threads.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

constexpr int64_t kBlock = 1024, kChunk = 32768, kTile = 32;
struct Bytes16 {
  uint64_t half[2];
};

using Layout = Collapsed<2>;  // in, out

// f(stored type of this many bytes)
template <class F>
void with_size(int64_t size, F f) {
  switch (size) {
    case 1: return f(uint8_t());
    case 2: return f(uint16_t());
    case 4: return f(uint32_t());
    case 8: return f(uint64_t());
    default: return f(Bytes16());
  }
}

template <class T>
void move_run(const T* from, int64_t from_stride, T* to, int64_t to_stride, int64_t n) {
  if (from_stride == 1 && to_stride == 1) std::memcpy(to, from, n * sizeof(T));
  else if (from_stride == 0 && to_stride == 1) std::fill_n(to, n, *from);
  else
    for (int64_t i = 0; i < n; i++) to[i * to_stride] = from[i * from_stride];
}

// The last two dimensions in tiles, so that whole cache lines of both sides are used.
template <class T>
void move_tiles(const T* from, T* to, const Layout& l, int slow, int64_t begin, int64_t end) {
  const int fast = l.rank - 1;
  const int64_t f0 = l.strides[0][slow], f1 = l.strides[0][fast], t0 = l.strides[1][slow], t1 = l.strides[1][fast];
  for (int64_t j = 0; j < l.shape[fast]; j += kTile) {
    const int64_t width = std::min(kTile, l.shape[fast] - j);
    for (int64_t i = begin; i < end; i++)
      for (int64_t k = j; k < j + width; k++) to[i * t0 + k * t1] = from[i * f0 + k * f1];
  }
}

template <class T>
void move(const CopyCall& call, const Layout& l) {
  auto* from = static_cast<const T*>(call.in.data);
  auto* to = static_cast<T*>(call.out.data);
  const int last = l.rank - 1;
  const bool transposed =
      l.rank >= 2 && l.strides[1][last] == 1 && l.strides[0][last] > 1 && l.strides[0][last - 1] == 1;
  if (transposed) {
    const int64_t rows = l.shape[last - 1], blocks = (rows + kTile - 1) / kTile;
    const int64_t outer = l.count / (rows * l.shape[last]);
    return parallel(outer * blocks, [&](int64_t chunk) {
      int64_t rest = chunk / blocks, in_offset = 0, out_offset = 0;
      for (int d = last - 2; d >= 0; rest /= l.shape[d--]) {
        in_offset += rest % l.shape[d] * l.strides[0][d];
        out_offset += rest % l.shape[d] * l.strides[1][d];
      }
      const int64_t begin = chunk % blocks * kTile;
      move_tiles(from + in_offset, to + out_offset, l, last - 1, begin, std::min(begin + kTile, rows));
    });
  }
  parallel_rows(l.count, kChunk, [&](int64_t begin, int64_t end) {
    int64_t out_offset = 0;
    // Both sides have the same runs, since they share the collapsed shape.
    for_each_run(l.rank, l.shape, l.strides[0], begin, end - begin, [&](int64_t offset, int64_t n, int64_t done) {
      int64_t at = begin + done, row = at / l.shape[last];
      out_offset = at % l.shape[last] * l.strides[1][last];
      for (int d = last - 1; d >= 0; row /= l.shape[d--]) out_offset += row % l.shape[d] * l.strides[1][d];
      move_run(from + offset, l.strides[0][last], to + out_offset, l.strides[1][last], n);
    });
  });
}

void convert(const CopyCall& call, const Layout& l) {
  const int compute = int(compute_type(call.in.dtype)), last = l.rank - 1;
  const LoadRun load = kLoads[int(call.in.dtype)][compute];
  const StoreRun store = kStores[int(call.out.dtype)][compute];
  const int64_t in_size = item_size(call.in.dtype), out_size = item_size(call.out.dtype),
                width = kComputeSizes[compute];
  auto* from = static_cast<const char*>(call.in.data);
  auto* to = static_cast<char*>(call.out.data);
  parallel_rows(l.count, kChunk, [&](int64_t begin, int64_t end) {
    alignas(64) std::array<char, kBlock * 16> block;
    for (int64_t n; begin < end; begin += n) {
      n = std::min(kBlock, end - begin);
      for_each_run(l.rank, l.shape, l.strides[0], begin, n, [&](int64_t offset, int64_t length, int64_t done) {
        load(from + offset * in_size, l.strides[0][last], block.data() + done * width, length);
      });
      for_each_run(l.rank, l.shape, l.strides[1], begin, n, [&](int64_t offset, int64_t length, int64_t done) {
        store(block.data() + done * width, to + offset * out_size, l.strides[1][last], length);
      });
    }
  });
}

}  // namespace

void copy(const CopyCall& call) {
  const Layout layout(call.rank, call.shape, {call.in.strides, call.out.strides});
  if (layout.count == 0) return;
  if (call.in.dtype == call.out.dtype)
    with_size(item_size(call.in.dtype), [&](auto t) { move<decltype(t)>(call, layout); });
  else convert(call, layout);
}

}  // namespace bolide::inline BOLIDE_ISA
