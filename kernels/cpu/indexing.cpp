// indexing.cpp - rows taken from places of an array, put there or combined with what is there; and where these
// places are.
//
// Rows are taken in parallel. Putting and combining go through the rows in order, so that the last one wins and
// sums are the same on every run; there the elements of a row are shared out instead. Where each index stands for a
// single element, offsets are found block by block as they are needed, and stay in the cache.
#include <algorithm>
#include <atomic>

#include "kernels/cpu/convert.h"
#include "kernels/cpu/types.h"
#include "kernels/threads.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

constexpr int64_t kBlock = 1024, kChunk = 32768;

struct Bytes16 {  // an element of 16 bytes that is moved and not looked at
  uint64_t halves[2];
};

// ---- offsets -----------------------------------------------------------------------------------------------
struct Key {
  Collapsed<1> layout;
  DType dtype;
  const char* data;
  int64_t size, stride, wrap;  // wrap: what is added to negative indices
  Key(const IndexOffsetsCall& call, int k)
      : layout(call.rank, call.shape, {call.indices[k].strides}), dtype(call.indices[k].dtype),
        data(static_cast<const char*>(call.indices[k].data)), size(call.sizes[k]), stride(call.strides[k]),
        wrap(call.wraps ? size : 0) {}

  // Calls f(indices, n, done) for runs of the indices of elements [first, first + n), up to kBlock of them.
  template <class F>
  void read(int64_t first, int64_t n, const F& f) const {
    int64_t block[kBlock];
    const int64_t step = layout.strides[0][layout.rank - 1], item = item_size(dtype);
    const LoadRun load = kLoads[int(dtype)][int(Compute::I64)];
    for_each_run(layout.rank, layout.shape, layout.strides[0], first, n,
                 [&](int64_t offset, int64_t length, int64_t done) {
                   const char* from = data + offset * item;
                   const bool ready = dtype == DType::I64 && step == 1;
                   if (!ready) load(from, step, block, length);
                   f(ready ? reinterpret_cast<const int64_t*>(from) : block, length, done);
                 });
  }
};

// What indices stand for: only looked at, added to offsets, or stored as them, counted from base + i * step. Below 0: an
// index is wrong.
enum class Follow { look, add, set };
template <Follow how>
int64_t follow(const Key& key, const int64_t* indices, int64_t n, int64_t* offsets, int64_t base = 0,
               int64_t step = 0) {
  const int64_t size = key.size, wrap = key.wrap, stride = key.stride;
  int64_t wrong = 0;
  for (int64_t i = 0; i < n; i++) {
    const int64_t at = indices[i] + (indices[i] >> 63 & wrap);
    wrong |= at | (size - 1 - at);  // the sign of either: below 0, or size and above
    if constexpr (how == Follow::add) offsets[i] += at * stride;
    if constexpr (how == Follow::set) offsets[i] = base + i * step + at * stride;
  }
  return wrong;
}

// The offsets of elements [first, first + n), up to kBlock of them (null: not wanted); are all indices right? The first
// key's count from where the elements lie.
bool find_block(const IndexOffsetsCall& call, int64_t first, int64_t n, int64_t* offsets) {
  int64_t wrong = 0;
  if (offsets && call.keys == 0) std::fill_n(offsets, n, 0);
  for (int k = 0; k < call.keys; k++) {
    const Key key(call, k);
    auto read = [&](auto how, int64_t from, int64_t count, int64_t base, int64_t step) {
      key.read(first + from, count, [&](const int64_t* indices, int64_t length, int64_t done) {
        wrong |= follow<how()>(key, indices, length, offsets + from + done, base + done * step, step);
      });
    };
    constexpr std::integral_constant<Follow, Follow::set> set;
    if (!offsets) read(std::integral_constant<Follow, Follow::look>(), 0, n, 0, 0);
    else if (k > 0) read(std::integral_constant<Follow, Follow::add>(), 0, n, 0, 0);
    else if (!call.base_strides) read(set, 0, n, 0, 0);
    else {
      const Collapsed<1> bases(call.rank, call.shape, {call.base_strides});
      const int64_t step = bases.strides[0][bases.rank - 1];
      for_each_run(bases.rank, bases.shape, bases.strides[0], first, n,
                   [&](int64_t base, int64_t length, int64_t done) { read(set, done, length, base, step); });
    }
  }
  return wrong >= 0;
}

void report_first_wrong(const IndexOffsetsCall& call) {
  int64_t count = 1;
  bool found = false;
  for (int d = 0; d < call.rank; d++) count *= call.shape[d];
  for (int64_t first = 0; first < count; first += kBlock)
    for (int k = 0; k < call.keys; k++) {
      const int64_t size = call.sizes[k], low = call.wraps ? -size : 0;
      Key(call, k).read(first, std::min(kBlock, count - first), [&](const int64_t* indices, int64_t n, int64_t) {
        for (int64_t i = 0; i < n && !found; i++) {
          if (indices[i] >= low && indices[i] < size) continue;
          *call.fault = {call.op, "indices", indices[i], low, size - 1}, found = true;
        }
      });
      if (found) return;
    }
}

// ---- moves -------------------------------------------------------------------------------------------------
// Half types are combined in float, small integers in int.
template <class T>
BOLIDE_FN auto number_of(T x) {
  if constexpr (kIsHalf<T>) return to_float(x);
  else return x;
}
template <class T, class A>
BOLIDE_FN T number_as(A x) {
  if constexpr (kIsHalf<T>) return store_as<T>(x);
  else return T(x);
}

// What a mode does with a place of the array and its value. NaN is the largest and the smallest number.
template <IndexCall::Mode mode, class T>
BOLIDE_FN void move(T& place, T& value) {
  if constexpr (mode == IndexCall::Take) value = place;
  else if constexpr (mode == IndexCall::Put) place = value;
  else {
    const auto a = number_of(place), b = number_of(value);
    if constexpr (mode == IndexCall::Add) place = number_as<T>(a + b);
    else if constexpr (mode == IndexCall::Multiply) place = number_as<T>(a * b);
    else if constexpr (mode == IndexCall::Max) place = b > a || b != b ? value : place;
    else place = b < a || b != b ? value : place;
  }
}

// The same for a run of elements, `stride` apart in the array and adjacent in the values ...
template <IndexCall::Mode mode, class T>
void move_run(char* places, int64_t stride, char* numbers, int64_t n) {
  T *array = reinterpret_cast<T*>(places), *values = reinterpret_cast<T*>(numbers);
  if (stride == 1) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) move<mode>(array[i], values[i]);
  } else {
    for (int64_t i = 0; i < n; i++) move<mode>(array[i * stride], values[i]);
  }
}
// ... and for single elements at offsets.
template <IndexCall::Mode mode, class T>
void move_elements(char* places, const int64_t* offsets, char* numbers, int64_t n) {
  T *array = reinterpret_cast<T*>(places), *values = reinterpret_cast<T*>(numbers);
#pragma GCC unroll 4
  for (int64_t i = 0; i < n; i++) move<mode>(array[offsets[i]], values[i]);
}
struct Moves {
  void (*run)(char*, int64_t, char*, int64_t);
  void (*elements)(char*, const int64_t*, char*, int64_t);
};
template <IndexCall::Mode mode, class T>
constexpr Moves kMoves = {move_run<mode, T>, move_elements<mode, T>};

// Every row by the same indices (columns): their offsets are found once, and each row counts them from where it lies.
bool rows_share_indices(const IndexOffsetsCall& call) {
  const int last = call.rank - 1;
  constexpr int64_t kMost = 1 << 16;  // offsets that are kept
  if (last < 1 || call.keys != 1 || !call.base_strides || call.base_strides[last] != 0) return false;
  if (call.shape[last] > kMost) return false;
  for (int d = 0; d < last; d++)
    if (call.indices[0].strides[d] != 0 && call.shape[d] != 1) return false;
  return true;
}
bool take_columns(const IndexCall& call, const Moves& moves) {
  IndexOffsetsCall row = *call.find;
  const int last = row.rank - 1;
  const int64_t columns = row.shape[last], rows = call.count / columns, item = item_size(call.dtype);
  auto* offsets = static_cast<int64_t*>(scratch(7, columns * 8));
  row.rank = 1, row.shape += last, row.indices[0].strides += last, row.base_strides = nullptr;
  for (int64_t i = 0; i < columns; i += kBlock)
    if (!find_block(row, i, std::min(kBlock, columns - i), offsets + i)) return false;
  const Collapsed<1> bases(last, call.find->shape, {call.find->base_strides});
  const int64_t step = bases.strides[0][bases.rank - 1];
  parallel_rows(rows, kChunk / columns, [&](int64_t begin, int64_t end) {
    for_each_run(bases.rank, bases.shape, bases.strides[0], begin, end - begin,
                 [&](int64_t base, int64_t length, int64_t done) {
                   for (int64_t r = 0; r < length; r++)
                     moves.elements(static_cast<char*>(call.array) + (base + r * step) * item, offsets,
                                    static_cast<char*>(call.values) + (begin + done + r) * columns * item, columns);
                 });
  });
  return true;
}

// Where a piece of a row ends that was to end before element `at`: where a cache line begins, which two threads that go
// down the rows side by side would take from each other.
int64_t line_after(const char* row, int64_t item, int64_t at, int64_t n) {
  constexpr int64_t kLine = 64;
  const int64_t over = int64_t(uintptr_t(row + at * item) % kLine) / item;
  return at == 0 || at == n || over == 0 ? at : std::min(n, at + kLine / item - over);
}

void move_all(const IndexCall& call, const Moves& moves) {
  const Collapsed<1> inner(call.inner_rank, call.inner_shape, {call.inner_strides});
  const int64_t n = inner.count, rank = inner.rank, stride = inner.strides[0][rank - 1];
  if (n == 0 || call.count == 0) return;
  if (call.mode == IndexCall::Take && call.find && rows_share_indices(*call.find)) {
    if (!take_columns(call, moves)) report_first_wrong(*call.find);
    return;
  }
  const int64_t item = item_size(call.dtype);
  char *array = static_cast<char*>(call.array), *values = static_cast<char*>(call.values);
  int64_t piece = std::min(n, kChunk), rows = std::max<int64_t>(1, kChunk / piece);
  if (call.mode != IndexCall::Take) {
    const int64_t part = call.count / call.parts;
    rows = part * std::max<int64_t>(1, kChunk / (part * n));
    // A stretch for each thread: reading is fastest in long rows.
    const int64_t stretch = std::max<int64_t>(n / thread_count() + 63, 256) / 64 * 64;
    piece = call.parts > 1 || n * call.count < kChunk ? n : std::min(n, stretch);
  } else if (rank == 1 && stride != 1 && n > 16) {  // columns: 16 rows of the array, that stay in the cache
    piece = 16, rows = kChunk / piece;
  }
  const int64_t pieces = (n + piece - 1) / piece, blocks = (call.count + rows - 1) / rows;
  std::atomic<bool> wrong{false};
  parallel(blocks * pieces, [&](int64_t chunk) {
    const int64_t first = chunk / pieces * rows, last = std::min(first + rows, call.count);
    const int64_t begin = chunk % pieces * piece, size = std::min(piece, n - begin);
    if (call.find) {
      int64_t offsets[kBlock];
      for (int64_t i = first, length; i < last; i += length) {
        length = std::min(kBlock, last - i);
        if (find_block(*call.find, i, length, offsets)) moves.elements(array, offsets, values + i * item, length);
        else wrong.store(true, std::memory_order_relaxed);
      }
      return;
    }
    if (n == 1) return moves.elements(array, call.offsets + first, values + first * item, last - first);
    for (int64_t i = first; i < last; i++) {
      char *place = array + call.offsets[i] * item, *row = values + (i * n + begin) * item;
      if (rank == 1 && stride == 1) {
        const int64_t from = line_after(place, item, begin, n), to = line_after(place, item, begin + size, n);
        moves.run(place + from * item, 1, values + (i * n + from) * item, to - from);
        continue;
      }
      if (rank == 1) {
        moves.run(place + begin * stride * item, stride, row, size);
        continue;
      }
      for_each_run(int(rank), inner.shape, inner.strides[0], begin, size,
                   [&](int64_t offset, int64_t length, int64_t done) {
                     moves.run(place + offset * item, stride, row + done * item, length);
                   });
    }
  });
  if (wrong.load(std::memory_order_relaxed)) report_first_wrong(*call.find);
}

template <IndexCall::Mode mode>
void move_bytes(const IndexCall& call) {
  switch (item_size(call.dtype)) {
    case 1: return move_all(call, kMoves<mode, uint8_t>);
    case 2: return move_all(call, kMoves<mode, uint16_t>);
    case 4: return move_all(call, kMoves<mode, uint32_t>);
    case 8: return move_all(call, kMoves<mode, uint64_t>);
    default: return move_all(call, kMoves<mode, Bytes16>);
  }
}
template <IndexCall::Mode mode, DType... kDTypes>
void combine(const char* op, const IndexCall& call) {
  for_dtype<kDTypes...>(op, call.dtype, [&]<class S> { move_all(call, kMoves<mode, S>); });
}

}  // namespace

void index(const IndexCall& call) {
#define BOLIDE_REALS BOLIDE_FLOATS, DType::Bool, DType::U8, DType::I8, DType::I16, DType::I32, DType::I64
  switch (call.mode) {
    case IndexCall::Take: return move_bytes<IndexCall::Take>(call);
    case IndexCall::Put: return move_bytes<IndexCall::Put>(call);
    case IndexCall::Add: return combine<IndexCall::Add, BOLIDE_REALS, DType::C64, DType::C128>("index_add", call);
    case IndexCall::Multiply:
      return combine<IndexCall::Multiply, BOLIDE_REALS, DType::C64, DType::C128>("index_multiply", call);
    case IndexCall::Max: return combine<IndexCall::Max, BOLIDE_REALS>("index_amax", call);
    case IndexCall::Min: return combine<IndexCall::Min, BOLIDE_REALS>("index_amin", call);
  }
#undef BOLIDE_REALS
}

void index_offsets(const IndexOffsetsCall& call) {
  int64_t count = 1;
  for (int d = 0; d < call.rank; d++) count *= call.shape[d];
  for (int k = 0; k < call.keys; k++)
    if (is_complex(call.indices[k].dtype)) raise(ErrorKind::Index, "index", "integers", name_of(call.indices[k].dtype));
  std::atomic<bool> wrong{false};
  parallel_rows(count, 16 * kBlock, [&](int64_t begin, int64_t end) {
    for (int64_t first = begin; first < end; first += kBlock)
      if (!find_block(call, first, std::min(kBlock, end - first), call.offsets ? call.offsets + first : nullptr))
        wrong.store(true, std::memory_order_relaxed);
  });
  if (wrong.load(std::memory_order_relaxed)) report_first_wrong(call);
}

}  // namespace bolide::inline BOLIDE_ISA
