// copy.cu - copies between any layouts and dtypes, and fills.
//
// Equal dtypes move bytes: one memcpy where both sides are dense, tiles through shared memory where the fast
// dimension of the source is another than that of the result (a transpose), element by element otherwise. Different
// dtypes go through the source's compute type, as on the CPU.
#include <algorithm>

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/layout.cuh"
#include "kernels/cuda/numbers.cuh"

namespace bolide::inline BOLIDE_ISA {
namespace {

constexpr int kTile = 32, kTileRows = 8;

struct CopyArguments {
  const void* in = nullptr;
  void* out = nullptr;
  DType in_dtype = DType::F32, out_dtype = DType::F32;
  Layout<2> layout;  // in, out
};

// ------------------------------------------------------------------------------------------- moves of bytes
template <class T>
__global__ void __launch_bounds__(kThreads) move_kernel(BOLIDE_ARGUMENTS(CopyArguments, a)) {
  for (int64_t i = thread_of_grid(); i < a.layout.count; i += threads_of_grid()) {
    int64_t at[2];
    a.layout.place(i, at);
    static_cast<T*>(a.out)[at[1]] = static_cast<const T*>(a.in)[at[0]];
  }
}

// `slow` and `fast` are the dimensions along which source and result are adjacent; the others are the layout's.
struct TransposeArguments {
  const void* in = nullptr;
  void* out = nullptr;
  int64_t slow = 0, fast = 0, in_stride = 0, out_stride = 0;  // sizes; strides of the dimension that is not adjacent
  int64_t slow_tiles = 0, fast_tiles = 0, tiles = 0;
  Layout<2> others;
};
template <class T>
__global__ void __launch_bounds__(kTile* kTileRows) transpose_kernel(BOLIDE_ARGUMENTS(TransposeArguments, a)) {
  BOLIDE_SHARED(T, tile, [kTile][kTile + 1]);  // one column more: the columns lie in different banks
  for (int64_t t = blockIdx.x; t < a.tiles; t += gridDim.x) {
    int64_t base[2];
    a.others.place(t / (a.slow_tiles * a.fast_tiles), base);
    const int64_t slow = t / a.fast_tiles % a.slow_tiles * kTile, fast = t % a.fast_tiles * kTile;
    const T* in = static_cast<const T*>(a.in) + base[0];
    T* out = static_cast<T*>(a.out) + base[1];
    for (int r = int(threadIdx.y); r < kTile; r += kTileRows)
      if (fast + r < a.fast && slow + threadIdx.x < a.slow)
        tile[r][threadIdx.x] = in[slow + threadIdx.x + (fast + r) * a.in_stride];
    __syncthreads();
    for (int r = int(threadIdx.y); r < kTile; r += kTileRows)
      if (slow + r < a.slow && fast + threadIdx.x < a.fast)
        out[fast + threadIdx.x + (slow + r) * a.out_stride] = tile[threadIdx.x][r];
    __syncthreads();
  }
}

// Is it worth tiles: adjacent along the last dimension in the result, along another in the source?
bool as_transpose(const CopyArguments& a, TransposeArguments* to) {
  const Layout<2>& l = a.layout;
  const int last = l.rank - 1;
  if (l.rank < 2 || l.strides[1][last] != 1 || l.strides[0][last] == 1 || l.shape[last] < kTile / 2) return false;
  int slow = last - 1;
  while (slow >= 0 && l.strides[0][slow] != 1) slow--;
  if (slow < 0 || l.shape[slow] < kTile / 2) return false;
  to->in = a.in, to->out = a.out;
  to->slow = l.shape[slow], to->fast = l.shape[last];
  to->in_stride = l.strides[0][last], to->out_stride = l.strides[1][slow];
  for (int d = 0; d < last; d++)
    if (d != slow) to->others.push("copy", l.shape[d], {l.strides[0][d], l.strides[1][d]});
  to->others.finish();
  to->slow_tiles = ceil_div(to->slow, kTile), to->fast_tiles = ceil_div(to->fast, kTile);
  to->tiles = to->slow_tiles * to->fast_tiles * to->others.count;
  return true;
}

template <class T>
void move_elements(const CopyArguments& a, StreamHandle stream) {
  if (TransposeArguments transpose; as_transpose(a, &transpose)) {
    const dim3 grid(unsigned(std::min<int64_t>(transpose.tiles, kMostBlocks)));
    return launch("copy", transpose_kernel<T>, grid, dim3(kTile, kTileRows), stream, transpose);
  }
  const Walk walk(a.layout.count);
  launch("copy", move_kernel<T>, walk.grid, walk.block, stream, a);
}

// ---------------------------------------------------------------------------------------------- conversions
template <class C>
BOLIDE_FN void store_number(void* data, DType dtype, int64_t at, C x) {
  if constexpr (kIsComplex<C>) store_any(data, dtype, at, x);
  else if (dtype == DType::C64) static_cast<C64*>(data)[at] = C64(x);
  else if (dtype == DType::C128) static_cast<C128*>(data)[at] = C128(x);
  else store_any(data, dtype, at, x);
}
template <class F>
void for_compute_type(DType dtype, const F& f) {
  switch (compute_type(dtype)) {
    case Compute::F32: return f.template operator()<float>();
    case Compute::F64: return f.template operator()<double>();
    case Compute::I32: return f.template operator()<int32_t>();
    case Compute::I64: return f.template operator()<int64_t>();
    case Compute::C64: return f.template operator()<C64>();
    case Compute::C128: return f.template operator()<C128>();
  }
}
template <class C>
__global__ void __launch_bounds__(kThreads) convert_kernel(BOLIDE_ARGUMENTS(CopyArguments, a)) {
  for (int64_t i = thread_of_grid(); i < a.layout.count; i += threads_of_grid()) {
    int64_t at[2];
    a.layout.place(i, at);
    store_number(a.out, a.out_dtype, at[1], load_any<C>(a.in, a.in_dtype, at[0]));
  }
}

// ---------------------------------------------------------------------------------------------------- fills
struct FillArguments {
  void* out = nullptr;
  Layout<1> layout;
  Bytes16 value = {};
};
template <class T>
__global__ void __launch_bounds__(kThreads) fill_kernel(BOLIDE_ARGUMENTS(FillArguments, a)) {
  T value;
  memcpy(&value, &a.value, sizeof(T));
  for (int64_t i = thread_of_grid(); i < a.layout.count; i += threads_of_grid()) {
    int64_t at[1];
    a.layout.place(i, at);
    static_cast<T*>(a.out)[at[0]] = value;
  }
}

void fill(const CopyCall& call) {
  FillArguments a;
  a.out = call.out.data;
  a.layout = Layout<1>("fill_", call.rank, call.shape, {call.out.strides});
  if (a.layout.count == 0) return;
  for_compute_type(call.in.dtype, [&]<class C> {
    store_number(&a.value, call.out.dtype, 0, load_any<C>(call.in.data, call.in.dtype, 0));
  });
  const int64_t size = item_size(call.out.dtype);
  const auto* bytes = reinterpret_cast<const unsigned char*>(&a.value);
  bool same = a.layout.is_dense(0);
  for (int64_t i = 1; i < size; i++) same &= bytes[i] == bytes[0];
  if (same) {
    const DeviceScope scope(call.stream.device);
    return check_cuda(cudaMemsetAsync(a.out, bytes[0], size_t(a.layout.count * size), stream_of(call.stream)), "fill_");
  }
  const Walk walk(a.layout.count);
  for_size(size, [&]<class T> { launch("fill_", fill_kernel<T>, walk.grid, walk.block, call.stream, a); });
}

}  // namespace

void copy(const CopyCall& call) {
  if (call.scalar) return fill(call);
  CopyArguments a{call.in.data, call.out.data, call.in.dtype, call.out.dtype,
                  Layout<2>("copy", call.rank, call.shape, {call.in.strides, call.out.strides})};
  if (a.layout.count == 0) return;
  const int64_t size = item_size(a.out_dtype);
  if (a.in_dtype != a.out_dtype) {
    const Walk walk(a.layout.count);
    for_compute_type(a.in_dtype,
                     [&]<class C> { launch("copy", convert_kernel<C>, walk.grid, walk.block, call.stream, a); });
  } else if (a.layout.is_dense(0) && a.layout.is_dense(1)) {
    const DeviceScope scope(call.stream.device);
    check_cuda(
        cudaMemcpyAsync(a.out, a.in, size_t(a.layout.count * size), cudaMemcpyDeviceToDevice, stream_of(call.stream)),
        "copy");
  } else {
    for_size(size, [&]<class T> { move_elements<T>(a, call.stream); });
  }
}

}  // namespace bolide::inline BOLIDE_ISA
