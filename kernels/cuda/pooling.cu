// pooling.cu - the largest number of each window of a plane, where it was, and the way back.
//
// A thread makes one output. On the way back a thread makes one input: it looks at the windows that hold it, in order,
// and adds the gradients of those that it won. So nothing is added by two threads, and sums have one order.
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/numbers.cuh"
#include "kernels/math.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

template <class S>
__global__ void __launch_bounds__(kThreads) max_pool_kernel(BOLIDE_ARGUMENTS(MaxPoolCall, p)) {
  using T = ComputeOf<S>;
  const int64_t count = p.planes * p.out_height * p.out_width;
  for (int64_t i = thread_of_grid(); i < count; i += threads_of_grid()) {
    const int64_t ox = i % p.out_width, oy = i / p.out_width % p.out_height, plane = i / p.out_width / p.out_height;
    const S* in = static_cast<const S*>(p.input) + plane * p.height * p.width;
    T best = -kInf<T>;
    int64_t place = -1;  // the first tap inside, unless a larger one follows
    for (int64_t ky = 0; ky < p.kernel[0]; ky++)
      for (int64_t kx = 0; kx < p.kernel[1]; kx++) {
        const int64_t y = oy * p.stride[0] - p.padding[0] + ky * p.dilation[0];
        const int64_t x = ox * p.stride[1] - p.padding[1] + kx * p.dilation[1];
        if (y < 0 || y >= p.height || x < 0 || x >= p.width) continue;
        const T v = load_as<T>(in[y * p.width + x]);
        if (place < 0 || v > best || v != v) best = v, place = y * p.width + x;
      }
    static_cast<S*>(p.output)[i] = store_as<S>(best);
    p.indices[i] = place;
  }
}

// The first and last window along one dimension that may hold `at`.
struct Windows {
  int64_t first, last;
  __device__ Windows(int64_t at, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation, int64_t outputs) {
    const int64_t reach = at + padding - (kernel - 1) * dilation;
    first = reach <= 0 ? 0 : (reach + stride - 1) / stride;
    last = (at + padding) / stride;
    if (last >= outputs) last = outputs - 1;
  }
};
template <class S>
__global__ void __launch_bounds__(kThreads) max_pool_gradient_kernel(BOLIDE_ARGUMENTS(MaxPoolCall, p)) {
  using T = ComputeOf<S>;
  const int64_t count = p.planes * p.height * p.width, outputs = p.out_height * p.out_width;
  for (int64_t i = thread_of_grid(); i < count; i += threads_of_grid()) {
    const int64_t place = i % (p.height * p.width), plane = i / (p.height * p.width);
    const Windows rows(place / p.width, p.kernel[0], p.stride[0], p.padding[0], p.dilation[0], p.out_height);
    const Windows columns(place % p.width, p.kernel[1], p.stride[1], p.padding[1], p.dilation[1], p.out_width);
    T sum = 0;
    for (int64_t oy = rows.first; oy <= rows.last; oy++)
      for (int64_t ox = columns.first; ox <= columns.last; ox++) {
        const int64_t at = plane * outputs + oy * p.out_width + ox;
        if (p.indices[at] == place) sum += load_as<T>(static_cast<const S*>(p.output)[at]);
      }
    static_cast<S*>(p.input)[i] = store_as<S>(sum);
  }
}

}  // namespace

void max_pool(const MaxPoolCall& call) {
  const Walk outputs(call.planes * call.out_height * call.out_width), inputs(call.planes * call.height * call.width);
  for_float("max_pool2d", call.dtype, [&]<class S> {
    if (call.backward) launch("max_pool2d", max_pool_gradient_kernel<S>, inputs.grid, inputs.block, call.stream, call);
    else launch("max_pool2d", max_pool_kernel<S>, outputs.grid, outputs.block, call.stream, call);
  });
}

}  // namespace bolide::inline BOLIDE_ISA
