// copy.cpp - copies between any layouts and dtypes; compiled once per ISA.
//
// Equal dtypes move bytes: one memcpy where both sides are dense, square tiles where the fast dimensions of
// the two sides differ (a transpose; in vector registers where they hold the type), runs otherwise. Different dtypes
// go through blocks of the source's compute type, as elementwise ops do.
#include <array>
#include <cstring>

#include "kernels/cpu/convert.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/simd.h"
#include "kernels/threads.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

constexpr int64_t kBlock = 1024, kChunk = 32768, kTile = 64;
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
  else if (from_stride == -1 && to_stride == 1) std::reverse_copy(from - n + 1, from + 1, to);
  else
    for (int64_t i = 0; i < n; i++) to[i * to_stride] = from[i * from_stride];
}

// What moves as numbers does in vector registers.
template <class T>
struct Lane {
  static constexpr bool kKnown = sizeof(T) == 4 || sizeof(T) == 8;
  using type = std::conditional_t<sizeof(T) == 8, double, float>;
};

// to[k * to_step + i] = from[i * from_step + k] for i < rows and k < columns, both at most kTile.
template <class T>
void move_tile(const T* from, int64_t from_step, int64_t rows, int64_t columns, T* to, int64_t to_step) {
  using V = typename Lane<T>::type;
  int64_t whole = 0;  // rows that are done
  if constexpr (Lane<T>::kKnown) {
    constexpr int64_t kSide = kWidth<V>;
    const int64_t width = columns - columns % kSide;
    for (; whole + kSide <= rows; whole += kSide) {
      auto* p = reinterpret_cast<const V*>(from + whole * from_step);
      auto* q = reinterpret_cast<V*>(to + whole);
      for (int64_t k = 0; k < width; k += kSide)
        transpose_block(p + k, from_step, int(kSide), int(kSide), q + k * to_step, to_step);
      for (int64_t k = width; k < columns; k++)
        for (int64_t i = whole; i < whole + kSide; i++) to[k * to_step + i] = from[i * from_step + k];
    }
  }
  for (int64_t k = 0; k < columns; k++)
    for (int64_t i = whole; i < rows; i++) to[k * to_step + i] = from[i * from_step + k];
}

// The last two dimensions in tiles, so that whole cache lines of both sides are used: rows [begin, end) of the output.
template <class T>
void move_tiles(const T* from, T* to, const Layout& l, int64_t begin, int64_t end) {
  const int64_t columns = l.shape[l.rank - 1], from_step = l.strides[0][l.rank - 1], to_step = l.strides[1][l.rank - 2];
  for (int64_t j = 0; j < columns; j += kTile)
    move_tile(from + j * from_step + begin, from_step, std::min(kTile, columns - j), end - begin,
              to + begin * to_step + j, to_step);
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
      move_tiles(from + in_offset, to + out_offset, l, begin, std::min(begin + kTile, rows));
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

void move_any(const CopyCall& call, const Layout& l) {
  with_size(item_size(call.in.dtype), [&](auto t) { move<decltype(t)>(call, l); });
}

void convert(const CopyCall& call, const Layout& l) {
  const int compute = int(compute_type(call.in.dtype)), last = l.rank - 1;
  const LoadRun load = kLoads[int(call.in.dtype)][compute];
  const StoreRun store = kStores[int(call.out.dtype)][compute];
  const int64_t in_size = item_size(call.in.dtype), out_size = item_size(call.out.dtype),
                width = kComputeSizes[compute];
  auto* from = static_cast<const char*>(call.in.data);
  auto* to = static_cast<char*>(call.out.data);
  // One of the two steps is enough where the numbers of one side lie dense, as they are computed.
  const DType own = kComputeDTypes[compute];
  const bool stores = call.in.dtype == own && l.strides[0][last] == 1,
             loads = call.out.dtype == own && l.strides[1][last] == 1;
  if (l.rank == 1 && (stores || loads))
    return parallel_rows(l.count, kChunk, [&](int64_t begin, int64_t end) {
      const char* source = from + begin * l.strides[0][0] * in_size;
      char* target = to + begin * l.strides[1][0] * out_size;
      if (stores) store(source, target, l.strides[1][0], end - begin);
      else load(source, l.strides[0][0], target, end - begin);
    });
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
  Layout layout(call.rank, call.shape, {call.in.strides, call.out.strides});
  if (layout.count == 0) return;
  const int last = layout.rank - 1;
  const bool runs = layout.strides[0][last] == 1 && layout.strides[1][last] == 1;
  if (last > 0 && layout.shape[last] < (runs ? 4 : 16) && layout.shape[last - 1] > layout.shape[last]) {
    // Long runs with strides, in place of short ones.
    std::swap(layout.shape[last], layout.shape[last - 1]);
    for (auto& strides : layout.strides) std::swap(strides[last], strides[last - 1]);
  }
  if (call.in.dtype == call.out.dtype) return move_any(call, layout);
  bool constant = true;
  for (int d = 0; d < layout.rank; d++) constant &= layout.strides[0][d] == 0;
  if (!constant) return convert(call, layout);
  // One number for all: converted once.
  const int compute = int(compute_type(call.in.dtype));
  alignas(16) char number[16], stored[16];
  kLoads[int(call.in.dtype)][compute](static_cast<const char*>(call.in.data), 0, number, 1);
  kStores[int(call.out.dtype)][compute](number, stored, 1, 1);
  CopyCall filled = call;
  filled.in = {stored, call.out.dtype, call.in.strides};
  move_any(filled, layout);
}

}  // namespace bolide::inline BOLIDE_ISA
