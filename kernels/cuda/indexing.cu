// indexing.cu - rows taken from places of an array, put there or combined with what is there; and where these
// places are.
//
// Putting and combining must come out as if done in order, and the same in every run. So the rows are sorted by place
// and number (a bitonic sort: Batcher 1968; all keys differ, so that there is one order): of the rows for one place
// the last is put, or all are combined in turn, by the threads that have the first of them. No floating-point atomics.
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/fault.cuh"
#include "kernels/cuda/layout.cuh"
#include "kernels/cuda/rows.cuh"
#include "kernels/cuda/scratch.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

struct Key {
  int64_t offset, row;
  friend BOLIDE_FN bool operator>(const Key& a, const Key& b) {
    return a.offset != b.offset ? a.offset > b.offset : a.row > b.row;
  }
};
struct IndexArguments {
  void *array = nullptr, *values = nullptr;
  const int64_t* offsets = nullptr;
  Key* keys = nullptr;
  int64_t count = 0, padded = 0;  // rows, and the power of two that is sorted
  Layout<1> inner;
};

// ---------------------------------------------------------------------------------------------------- taking
template <class T>
__global__ void __launch_bounds__(kThreads) take_kernel(BOLIDE_ARGUMENTS(IndexArguments, a)) {
  const int64_t n = a.count * a.inner.count;
  for (int64_t i = thread_of_grid(); i < n; i += threads_of_grid()) {
    const int64_t row = i / a.inner.count;
    int64_t at[1];
    a.inner.place(i - row * a.inner.count, at);
    const int64_t offset = a.offsets[row];
    static_cast<T*>(a.values)[i] = offset < 0 ? T() : static_cast<const T*>(a.array)[offset + at[0]];
  }
}

// --------------------------------------------------------------------------------------------------- sorting
constexpr int kTile = 1024;  // keys that a block sorts in shared memory, two to a thread

__global__ void __launch_bounds__(kThreads) make_keys_kernel(BOLIDE_ARGUMENTS(IndexArguments, a)) {
  constexpr int64_t kLast = 0x7fffffffffffffff;
  for (int64_t i = thread_of_grid(); i < a.padded; i += threads_of_grid())
    a.keys[i] = {i < a.count ? a.offsets[i] : kLast, i};
}
// Orders the pair number `pair` of those that are `distance` apart within runs of `run` keys, up or down in turn.
__device__ inline void order_pair(Key* keys, int64_t pair, int64_t distance, int64_t run, int64_t first) {
  const int64_t i = pair / distance * distance * 2 + pair % distance;
  const bool down = (first + i) & run;
  const Key a = keys[i], b = keys[i + distance];
  if (down ? b > a : a > b) keys[i] = b, keys[i + distance] = a;
}
__global__ void __launch_bounds__(kThreads) sort_pass_kernel(Key* keys, int64_t padded, int64_t distance, int64_t run) {
  for (int64_t pair = thread_of_grid(); pair < padded / 2; pair += threads_of_grid())
    order_pair(keys, pair, distance, run, 0);
}
// All passes that stay within a tile: for runs of first_run to last_run keys.
__global__ void __launch_bounds__(kTile / 2)
    sort_tile_kernel(Key* keys, int64_t tile_size, int64_t first_run, int64_t last_run) {
  BOLIDE_SHARED(Key, tile, [kTile]);
  const int64_t first = int64_t(blockIdx.x) * tile_size;
  for (int64_t i = threadIdx.x; i < tile_size; i += blockDim.x) tile[i] = keys[first + i];
  for (int64_t run = first_run; run <= last_run; run *= 2)
    for (int64_t distance = run / 2 < tile_size / 2 ? run / 2 : tile_size / 2; distance > 0; distance /= 2) {
      __syncthreads();
      order_pair(tile, threadIdx.x, distance, run, first);
    }
  __syncthreads();
  for (int64_t i = threadIdx.x; i < tile_size; i += blockDim.x) keys[first + i] = tile[i];
}
void sort_keys(Key* keys, int64_t padded, StreamHandle stream) {
  const int64_t tile = padded < kTile ? padded : kTile;
  const dim3 tiles(unsigned(padded / tile)), threads(unsigned(tile / 2));
  launch("index", sort_tile_kernel, tiles, threads, stream, keys, tile, int64_t(2), tile);
  const Walk walk(padded / 2);
  for (int64_t run = 2 * tile; run <= padded; run *= 2) {
    for (int64_t distance = run / 2; distance >= tile; distance /= 2)
      launch("index", sort_pass_kernel, walk.grid, walk.block, stream, keys, padded, distance, run);
    launch("index", sort_tile_kernel, tiles, threads, stream, keys, tile, run, run);
  }
}

// -------------------------------------------------------------------------------------------- putting, combining
template <class T>
__global__ void __launch_bounds__(kThreads) put_kernel(BOLIDE_ARGUMENTS(IndexArguments, a)) {
  const int64_t n = a.count * a.inner.count;
  for (int64_t i = thread_of_grid(); i < n; i += threads_of_grid()) {
    const int64_t p = i / a.inner.count, j = i - p * a.inner.count;
    const Key key = a.keys[p];
    if (key.offset < 0 || (p + 1 < a.count && a.keys[p + 1].offset == key.offset)) continue;  // a later one wins
    int64_t at[1];
    a.inner.place(j, at);
    static_cast<T*>(a.array)[key.offset + at[0]] = static_cast<const T*>(a.values)[key.row * a.inner.count + j];
  }
}

template <class S>
BOLIDE_FN auto to_number(S x) {  // half types are combined in float
  if constexpr (std::is_same_v<S, F16> || std::is_same_v<S, BF16>) return to_float(x);
  else return x;
}
template <class S, class A>
BOLIDE_FN S from_number(A x) {
  if constexpr (std::is_same_v<S, A>) return x;
  else return store_as<S>(x);
}
template <IndexCall::Mode mode, class A>
BOLIDE_FN A combined(A a, A b) {
  if constexpr (mode == IndexCall::Add) return A(a + b);
  else if constexpr (mode == IndexCall::Multiply) return A(a * b);
  else if constexpr (mode == IndexCall::Max) return b > a || b != b ? b : a;  // NaN wins
  else return b < a || b != b ? b : a;
}
template <IndexCall::Mode mode, class S>
__global__ void __launch_bounds__(kThreads) combine_kernel(BOLIDE_ARGUMENTS(IndexArguments, a)) {
  const int64_t n = a.count * a.inner.count;
  for (int64_t i = thread_of_grid(); i < n; i += threads_of_grid()) {
    const int64_t p = i / a.inner.count, j = i - p * a.inner.count;
    const int64_t offset = a.keys[p].offset;
    if (offset < 0 || (p > 0 && a.keys[p - 1].offset == offset)) continue;  // the first one's threads take them all
    int64_t at[1];
    a.inner.place(j, at);
    S* place = static_cast<S*>(a.array) + offset + at[0];
    auto sum = to_number(*place);
    for (int64_t q = p; q < a.count && a.keys[q].offset == offset; q++)
      sum = combined<mode>(sum, to_number(static_cast<const S*>(a.values)[a.keys[q].row * a.inner.count + j]));
    *place = from_number<S>(sum);
  }
}

template <IndexCall::Mode mode>
void combine(const char* op, const IndexCall& call, const IndexArguments& a) {
  const Walk walk(a.count * a.inner.count);
  const auto run = [&]<class S>(S) { launch(op, combine_kernel<mode, S>, walk.grid, walk.block, call.stream, a); };
  constexpr bool kOrdered = mode == IndexCall::Max || mode == IndexCall::Min;  // complex numbers are not
  if (kOrdered && is_complex(call.dtype)) raise_dtype(op, call.dtype);
  with_storage<std::conditional_t<kOrdered, double, C128>>(call.dtype, run);
}

void put_or_combine(const IndexCall& call, IndexArguments& a) {
  a.padded = 2;
  while (a.padded < a.count) a.padded *= 2;
  const Scratch keys(a.padded * int64_t(sizeof(Key)), call.stream);
  a.keys = keys.as<Key>();
  const Walk all(a.padded), walk(a.count * a.inner.count);
  launch("index", make_keys_kernel, all.grid, all.block, call.stream, a);
  sort_keys(a.keys, a.padded, call.stream);
  switch (call.mode) {
    case IndexCall::Add: return combine<IndexCall::Add>("index_add", call, a);
    case IndexCall::Multiply: return combine<IndexCall::Multiply>("index_multiply", call, a);
    case IndexCall::Max: return combine<IndexCall::Max>("index_amax", call, a);
    case IndexCall::Min: return combine<IndexCall::Min>("index_amin", call, a);
    default:
      for_size(item_size(call.dtype),
               [&]<class T> { launch("index_put", put_kernel<T>, walk.grid, walk.block, call.stream, a); });
  }
}

// --------------------------------------------------------------------------------------------------- offsets
constexpr int kKeys = 4;  // index arrays of a launch
constexpr int64_t kNoneBad = 0x7f7f7f7f7f7f7f7f;

struct OffsetArguments {
  const void* data[kKeys] = {};
  DType dtype[kKeys] = {};
  int64_t sizes[kKeys] = {}, strides[kKeys] = {};
  Layout<kKeys + 1> layout;  // of the index arrays, and of the places that they count from
  int keys = 0, first_key = 0;
  bool wraps = true;
  int64_t* offsets = nullptr;
  Fault* fault = nullptr;
  Fault found;
  long long* first_bad = nullptr;  // the smallest of element * kMaxRank + key
};
// Writes the offset of element i. The element and the key that is out of range, or kNoneBad.
__device__ inline int64_t write_offset(const OffsetArguments& a, int64_t i) {
  int64_t at[kKeys + 1], bad = kNoneBad;
  a.layout.place(i, at);
  int64_t offset = a.first_key ? a.offsets[i] : at[kKeys];
  for (int k = 0; k < a.keys && offset >= 0; k++) {
    const int64_t index = load_any<int64_t>(a.data[k], a.dtype[k], at[k]), size = a.sizes[k];
    if (index < (a.wraps ? -size : 0) || index >= size) offset = -1, bad = i * kMaxRank + a.first_key + k;
    else offset += (index < 0 ? index + size : index) * a.strides[k];
  }
  a.offsets[i] = offset;
  return bad;
}
__device__ inline void report_bad(const OffsetArguments& a, int64_t found) {
  const int k = int(found % kMaxRank) - a.first_key;
  if (found == kNoneBad || k < 0 || k >= a.keys) return;
  int64_t at[kKeys + 1];
  a.layout.place(found / kMaxRank, at);
  Fault fault = a.found;
  fault.value = load_any<int64_t>(a.data[k], a.dtype[k], at[k]);
  fault.low = a.wraps ? -a.sizes[k] : 0, fault.high = a.sizes[k] - 1;
  report_fault(a.fault, fault);
}
__global__ void __launch_bounds__(kThreads) offsets_kernel(BOLIDE_ARGUMENTS(OffsetArguments, a)) {
  for (int64_t i = thread_of_grid(); i < a.layout.count; i += threads_of_grid()) {
    const int64_t bad = write_offset(a, i);
    if (bad != kNoneBad) atomicMin(a.first_bad, static_cast<long long>(bad));
  }
}
__global__ void report_kernel(BOLIDE_ARGUMENTS(OffsetArguments, a)) { report_bad(a, *a.first_bad); }

// Few offsets, by one block, which reports by itself: a launch is what costs.
constexpr int64_t kFew = 2048;
__global__ void __launch_bounds__(kTeam) few_offsets_kernel(BOLIDE_ARGUMENTS(OffsetArguments, a)) {
  BOLIDE_SHARED(int64_t, partial, [kTeam / kWarp]);
  int64_t bad = kNoneBad;
  for (int64_t i = threadIdx.x; i < a.layout.count; i += blockDim.x) bad = Least::combine(bad, write_offset(a, i));
  bad = team_combine<Least>(bad, partial);
  if (threadIdx.x == 0) report_bad(a, bad);
}

OffsetArguments offset_arguments(const IndexOffsetsCall& call, int first_key) {
  OffsetArguments a;
  const int64_t* strides[kKeys] = {};
  a.first_key = first_key, a.keys = call.keys - first_key < kKeys ? call.keys - first_key : kKeys;
  for (int k = 0; k < a.keys; k++) {
    const Operand& index = call.indices[first_key + k];
    if (!contains(IntBool, index.dtype)) raise_dtype("index", index.dtype);
    a.data[k] = index.data, a.dtype[k] = index.dtype, strides[k] = index.strides;
    a.sizes[k] = call.sizes[first_key + k], a.strides[k] = call.strides[first_key + k];
  }
  a.layout = Layout<kKeys + 1>("index", call.rank, call.shape,
                               {strides[0], strides[1], strides[2], strides[3], call.base_strides});
  a.offsets = call.offsets, a.wraps = call.wraps;
  a.fault = call.fault, a.found.op = call.op, a.found.what = "indices";
  return a;
}

}  // namespace

void index(const IndexCall& call) {
  IndexArguments a;
  a.array = call.array, a.values = call.values, a.offsets = call.offsets, a.count = call.count;
  a.inner = Layout<1>("index", call.inner_rank, call.inner_shape, {call.inner_strides});
  if (a.count * a.inner.count == 0) return;
  if (call.mode != IndexCall::Take) return put_or_combine(call, a);
  const Walk walk(a.count * a.inner.count);
  for_size(item_size(call.dtype),
           [&]<class T> { launch("index", take_kernel<T>, walk.grid, walk.block, call.stream, a); });
}

void index_offsets(const IndexOffsetsCall& call) {
  const Scratch first_bad(sizeof(long long), call.stream);
  int first_key = 0;
  do {  // once where there is no key, as for a tensor without dimensions: all offsets are 0
    OffsetArguments a = offset_arguments(call, first_key);
    if (a.layout.count > 0 && a.layout.count <= kFew) {
      const dim3 team(unsigned(a.layout.count > kWarp ? kTeam : kWarp));
      launch("index", few_offsets_kernel, dim3(1), team, call.stream, a);
    } else if (a.layout.count > 0) {
      a.first_bad = first_bad.as<long long>();
      const Walk walk(a.layout.count);
      if (first_key == 0) {
        const DeviceScope scope(call.stream.device);
        check_cuda(cudaMemsetAsync(a.first_bad, 0x7f, sizeof(long long), stream_of(call.stream)), "index");
      }
      launch("index", offsets_kernel, walk.grid, walk.block, call.stream, a);
      launch("index", report_kernel, dim3(1), dim3(1), call.stream, a);
    }
    first_key += kKeys;
  } while (first_key < call.keys);
}

}  // namespace bolide::inline BOLIDE_ISA
