// convolution.cu - 2-d convolution and both of its gradients, as matrix products of unfolded images.
//
// The taps of a few images are unfolded into a matrix (a row for each channel and tap, a column for each image and
// output place), and cuBLASLt multiplies it with the weights. Images are taken in pieces, so that the matrix stays
// within kUnfoldedBytes. A thread folds one pixel back, adding its taps in order: no atomics, one order of sums.
#include <algorithm>

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/numbers.cuh"
#include "kernels/cuda/scratch.h"
#include "runtime/errors.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

constexpr int64_t kUnfoldedBytes = int64_t(64) << 20;

// A piece of the images, and one group of channels.
struct Piece {
  ConvolutionCall call;
  void* unfolded = nullptr;                    // taps() x columns()
  int64_t first_image = 0, images = 0, group = 0;

  BOLIDE_FN int64_t channels() const { return call.in_channels / call.groups; }
  BOLIDE_FN int64_t out_channels() const { return call.out_channels / call.groups; }
  BOLIDE_FN int64_t taps() const { return channels() * call.kernel_height * call.kernel_width; }
  BOLIDE_FN int64_t places() const { return call.out_height * call.out_width; }
  BOLIDE_FN int64_t columns() const { return images * places(); }
  // The first element of a channel of an image.
  BOLIDE_FN int64_t input_plane(int64_t image, int64_t channel) const {
    return ((first_image + image) * call.in_channels + group * channels() + channel) * call.height * call.width;
  }
};

// Within a plane 32-bit numbers do (convolution() sees to that): a GPU divides them several times faster.
struct Geometry {
  int height, width, out_height, out_width, kernel_height, kernel_width, stride[2], padding[2], dilation[2];
  explicit __device__ Geometry(const ConvolutionCall& c)
      : height(int(c.height)), width(int(c.width)), out_height(int(c.out_height)), out_width(int(c.out_width)),
        kernel_height(int(c.kernel_height)), kernel_width(int(c.kernel_width)),
        stride{int(c.stride[0]), int(c.stride[1])}, padding{int(c.padding[0]), int(c.padding[1])},
        dilation{int(c.dilation[0]), int(c.dilation[1])} {}
};

template <class S>
__global__ void __launch_bounds__(kThreads) unfold_kernel(BOLIDE_ARGUMENTS(Piece, p)) {
  const Geometry g(p.call);
  const int64_t columns = p.columns(), count = p.taps() * columns;
  for (int64_t i = thread_of_grid(); i < count; i += threads_of_grid()) {
    const int tap = int(i / columns);
    const int64_t column = i - tap * columns, image = column / p.places();
    const int place = int(column - image * p.places()), channel = tap / (g.kernel_width * g.kernel_height);
    const int kx = tap % g.kernel_width, ky = tap / g.kernel_width % g.kernel_height;
    const int y = place / g.out_width * g.stride[0] - g.padding[0] + ky * g.dilation[0];
    const int x = place % g.out_width * g.stride[1] - g.padding[1] + kx * g.dilation[1];
    S value{};
    if (y >= 0 && y < g.height && x >= 0 && x < g.width)
      value = static_cast<const S*>(p.call.input)[p.input_plane(image, channel) + y * g.width + x];
    static_cast<S*>(p.unfolded)[i] = value;
  }
}

template <class S>
__global__ void __launch_bounds__(kThreads) fold_kernel(BOLIDE_ARGUMENTS(Piece, p)) {
  using T = ComputeOf<S>;
  const Geometry g(p.call);
  const int64_t plane = p.call.height * p.call.width, count = p.images * p.channels() * plane, columns = p.columns();
  for (int64_t i = thread_of_grid(); i < count; i += threads_of_grid()) {
    const int64_t image_channel = i / plane, image = image_channel / p.channels();
    const int place = int(i - image_channel * plane), channel = int(image_channel - image * p.channels());
    const int y = place / g.width + g.padding[0], x = place % g.width + g.padding[1];
    const S* first = static_cast<const S*>(p.unfolded) + image * p.places() +
                     int64_t(channel) * g.kernel_height * g.kernel_width * columns;
    T sum = 0;
    for (int ky = 0; ky < g.kernel_height; ky++)
      for (int kx = 0; kx < g.kernel_width; kx++) {
        const int down = y - ky * g.dilation[0], right = x - kx * g.dilation[1];
        if (down < 0 || right < 0 || down % g.stride[0] || right % g.stride[1]) continue;
        const int oy = down / g.stride[0], ox = right / g.stride[1];
        if (oy >= g.out_height || ox >= g.out_width) continue;
        sum += load_as<T>(first[(ky * g.kernel_width + kx) * columns + oy * g.out_width + ox]);
      }
    static_cast<S*>(p.call.input)[p.input_plane(image, channel) + place] = store_as<S>(sum);
  }
}

void* at_element(const void* data, DType dtype, int64_t offset) {
  return const_cast<char*>(static_cast<const char*>(data)) + offset * item_size(dtype);
}
void* group_weight(const Piece& p) {
  return at_element(p.call.weight, p.call.dtype, p.group * p.out_channels() * p.taps());
}
void* group_output(const Piece& p) {
  return at_element(p.call.output, p.call.dtype,
                    (p.first_image * p.call.out_channels + p.group * p.out_channels()) * p.places());
}
void launch_unfold(const Piece& p) {
  const Walk walk(p.taps() * p.columns());
  for_float("conv2d", p.call.dtype,
            [&]<class S> { launch("conv2d", unfold_kernel<S>, walk.grid, walk.block, p.call.stream, p); });
}
MatmulCall product(const Piece& p, int64_t m, int64_t n, int64_t k) {
  MatmulCall call;
  call.dtype = p.call.dtype, call.m = m, call.n = n, call.k = k;
  call.a_row = k, call.a_column = 1, call.b_row = n, call.b_column = 1, call.c_row = n;
  call.stream = p.call.stream;
  return call;
}

// output[image] = weight x unfolded, for each image: (out_channels x taps) (taps x places).
void forward(const Piece& p) {
  launch_unfold(p);
  MatmulCall call = product(p, p.out_channels(), p.places(), p.taps());
  call.batch = p.images, call.a = group_weight(p), call.b = p.unfolded, call.c = group_output(p);
  call.b_batch = p.places(), call.b_row = p.columns(), call.c_batch = p.call.out_channels * p.places();
  if (p.call.bias) {
    const int64_t shape[] = {p.images, p.out_channels(), p.places()};
    const int64_t from[] = {0, 1, 0}, to[] = {call.c_batch, p.places(), 1};
    CopyCall start;
    start.in = {at_element(p.call.bias, p.call.dtype, p.group * p.out_channels()), p.call.dtype, from};
    start.out = {call.c, p.call.dtype, to};
    start.rank = 3, start.shape = shape, start.stream = p.call.stream;
    copy(start);
    call.accumulate = true;
  }
  matmul(call);
}

// The output's gradient as one matrix, out_channels x columns: the images side by side.
struct OutputMatrix {
  Scratch memory;
  explicit OutputMatrix(const Piece& p)
      : memory(p.out_channels() * p.columns() * item_size(p.call.dtype), p.call.stream) {
    const int64_t shape[] = {p.out_channels(), p.images, p.places()};
    const int64_t from[] = {p.places(), p.call.out_channels * p.places(), 1}, to[] = {p.columns(), p.places(), 1};
    CopyCall call;
    call.in = {group_output(p), p.call.dtype, from}, call.out = {memory.as<void>(), p.call.dtype, to};
    call.rank = 3, call.shape = shape, call.stream = p.call.stream;
    copy(call);
  }
};
// unfolded = weight^T x output, folded into the input's gradient.
void input_gradient(const Piece& p) {
  const OutputMatrix output(p);
  MatmulCall call = product(p, p.taps(), p.columns(), p.out_channels());
  call.a = group_weight(p), call.a_row = 1, call.a_column = p.taps();
  call.b = output.memory.as<void>(), call.c = p.unfolded;
  matmul(call);
  const Walk walk(p.images * p.channels() * p.call.height * p.call.width);
  for_float("conv2d", p.call.dtype,
            [&]<class S> { launch("conv2d", fold_kernel<S>, walk.grid, walk.block, p.call.stream, p); });
}
// weight = output x unfolded^T, added up over the pieces.
void weight_gradient(const Piece& p) {
  const OutputMatrix output(p);
  launch_unfold(p);
  MatmulCall call = product(p, p.out_channels(), p.taps(), p.columns());
  call.a = output.memory.as<void>(), call.b = p.unfolded, call.b_row = 1, call.b_column = p.columns();
  call.c = group_weight(p), call.accumulate = p.first_image > 0;
  matmul(call);
}

}  // namespace

void convolution(const ConvolutionCall& call) {
  Piece p{call};
  constexpr int64_t kMost = (int64_t(1) << 31) - 1;
  const int64_t padded = (call.height + 2 * call.padding[0]) * (call.width + 2 * call.padding[1]);
  check(padded <= kMost && p.taps() <= kMost, ErrorKind::NotImplemented, "conv2d",
        "planes and kernels of less than 2^31 elements on device cuda", [&] { return str(padded, " and ", p.taps()); });
  if (call.mode == ConvolutionCall::WeightGradient && call.images * p.places() == 0) {
    const DeviceScope scope(call.stream.device);
    const int64_t bytes = call.out_channels * p.taps() * item_size(call.dtype);
    check_cuda(cudaMemsetAsync(call.weight, 0, size_t(bytes), stream_of(call.stream)), "conv2d");
    return;
  }
  const int64_t per_image = std::max<int64_t>(1, p.taps() * p.places() * item_size(call.dtype));
  const int64_t together = std::clamp<int64_t>(kUnfoldedBytes / per_image, 1, std::max<int64_t>(1, call.images));
  const Scratch unfolded(together * per_image, call.stream);
  p.unfolded = unfolded.as<void>();
  for (p.group = 0; p.group < call.groups; p.group++)
    for (p.first_image = 0; p.first_image < call.images; p.first_image += together) {
      p.images = std::min(together, call.images - p.first_image);
      switch (call.mode) {
        case ConvolutionCall::Forward: forward(p); break;
        case ConvolutionCall::InputGradient: input_gradient(p); break;
        case ConvolutionCall::WeightGradient: weight_gradient(p); break;
      }
    }
}

}  // namespace bolide::inline BOLIDE_ISA
