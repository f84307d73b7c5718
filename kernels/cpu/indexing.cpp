// indexing.cpp - rows taken from places of an array, put there or added there; and where these places are.
//
// Rows are taken in parallel. Putting and adding go through the rows in order, so that the last one wins and
// sums are the same on every run; there the elements of a row are shared out instead.
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

template <class T>
BOLIDE_FN T sum_of_two(T a, T b) {
  if constexpr (kIsHalf<T>) return store_as<T>(to_float(a) + to_float(b));
  else return T(a + b);
}

// One run of elements, `stride` apart in the array and adjacent in the values.
template <IndexCall::Mode mode, class T>
BOLIDE_FN void move_run(T* array, int64_t stride, T* values, int64_t n) {
  const auto move = [&](T& place, T& value) {
    if constexpr (mode == IndexCall::Take) value = place;
    else if constexpr (mode == IndexCall::Put) place = value;
    else place = sum_of_two(place, value);
  };
  if (stride == 1) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) move(array[i], values[i]);
  } else {
    for (int64_t i = 0; i < n; i++) move(array[i * stride], values[i]);
  }
}

template <IndexCall::Mode mode, class T>
void move_rows(const IndexCall& call) {
  const Collapsed<1> inner(call.inner_rank, call.inner_shape, {call.inner_strides});
  const int64_t n = inner.count, rank = inner.rank, stride = inner.strides[0][rank - 1];
  if (n == 0 || call.count == 0) return;
  T *array = static_cast<T*>(call.array), *values = static_cast<T*>(call.values);
  int64_t piece = std::min(n, kChunk), rows = std::max<int64_t>(1, kChunk / piece);
  if (mode != IndexCall::Take) {
    rows = call.count;
    piece = n * call.count < kChunk ? n : std::clamp<int64_t>((n + 15) / 16, std::min<int64_t>(n, 64), n);
  }
  const int64_t pieces = (n + piece - 1) / piece, blocks = (call.count + rows - 1) / rows;
  parallel(blocks * pieces, [&](int64_t chunk) {
    const int64_t first = chunk / pieces * rows, last = std::min(first + rows, call.count);
    const int64_t begin = chunk % pieces * piece, size = std::min(piece, n - begin);
    for (int64_t i = first; i < last; i++) {
      T *place = array + call.offsets[i], *row = values + i * n + begin;
      if (rank == 1) {
        move_run<mode>(place + begin * stride, stride, row, size);
        continue;
      }
      for_each_run(int(rank), inner.shape, inner.strides[0], begin, size,
                   [&](int64_t offset, int64_t length, int64_t done) {
                     move_run<mode>(place + offset, stride, row + done, length);
                   });
    }
  });
}

template <IndexCall::Mode mode>
void move_bytes(const IndexCall& call) {
  switch (item_size(call.dtype)) {
    case 1: return move_rows<mode, uint8_t>(call);
    case 2: return move_rows<mode, uint16_t>(call);
    case 4: return move_rows<mode, uint32_t>(call);
    case 8: return move_rows<mode, uint64_t>(call);
    default: return move_rows<mode, Bytes16>(call);
  }
}

// ---- offsets -----------------------------------------------------------------------------------------------

struct Key {
  Collapsed<1> layout;
  LoadRun load;
  const char* data;
  int64_t item, size, stride;
  Key(const IndexOffsetsCall& call, int k)
      : layout(call.rank, call.shape, {call.indices[k].strides}),
        load(kLoads[int(call.indices[k].dtype)][int(Compute::I64)]),
        data(static_cast<const char*>(call.indices[k].data)), item(item_size(call.indices[k].dtype)),
        size(call.sizes[k]), stride(call.strides[k]) {}

  // The indices of elements [first, first + n), up to kBlock of them.
  void read(int64_t first, int64_t n, int64_t* to) const {
    const int64_t step = layout.strides[0][layout.rank - 1];
    for_each_run(
        layout.rank, layout.shape, layout.strides[0], first, n,
        [&](int64_t offset, int64_t length, int64_t done) { load(data + offset * item, step, to + done, length); });
  }
};

// Adds the key's part to the offsets of a block; are all indices right?
bool add_offsets(const Key& key, int64_t first, int64_t n, int64_t* offsets) {
  int64_t indices[kBlock], wrong = 0;
  key.read(first, n, indices);
  const int64_t size = key.size, stride = key.stride;
  for (int64_t i = 0; i < n; i++) {
    const int64_t at = indices[i] + (indices[i] >> 63 & size);
    wrong |= at | (size - 1 - at);  // the sign of either: below 0, or size and above
    offsets[i] += at * stride;
  }
  return wrong >= 0;
}

void report_first_wrong(const IndexOffsetsCall& call, int64_t count) {
  int64_t indices[kBlock];
  for (int64_t first = 0; first < count; first += kBlock)
    for (int k = 0; k < call.keys; k++) {
      const int64_t n = std::min(kBlock, count - first), size = call.sizes[k];
      Key(call, k).read(first, n, indices);
      for (int64_t i = 0; i < n; i++) {
        if (indices[i] >= -size && indices[i] < size) continue;
        *call.fault = {call.op, "indices", indices[i], -size, size - 1};
        return;
      }
    }
}

}  // namespace

void index(const IndexCall& call) {
  if (call.mode == IndexCall::Take) return move_bytes<IndexCall::Take>(call);
  if (call.mode == IndexCall::Put) return move_bytes<IndexCall::Put>(call);
  for_dtype<BOLIDE_FLOATS, DType::Bool, DType::U8, DType::I8, DType::I16, DType::I32, DType::I64, DType::C64,
            DType::C128>("index_add", call.dtype, [&]<class S> { move_rows<IndexCall::Add, S>(call); });
}

void index_offsets(const IndexOffsetsCall& call) {
  int64_t count = 1;
  for (int d = 0; d < call.rank; d++) count *= call.shape[d];
  for (int k = 0; k < call.keys; k++)
    if (is_complex(call.indices[k].dtype)) raise(ErrorKind::Index, "index", "integers", name_of(call.indices[k].dtype));
  if (count == 0) return;
  std::atomic<bool> wrong{false};
  parallel_rows(count, 16 * kBlock, [&](int64_t begin, int64_t end) {
    std::fill(call.offsets + begin, call.offsets + end, 0);
    for (int k = 0; k < call.keys; k++) {
      const Key key(call, k);
      for (int64_t first = begin; first < end; first += kBlock)
        if (!add_offsets(key, first, std::min(kBlock, end - first), call.offsets + first))
          wrong.store(true, std::memory_order_relaxed);
    }
  });
  if (wrong.load(std::memory_order_relaxed)) report_first_wrong(call, count);
}

}  // namespace bolide::inline BOLIDE_ISA
