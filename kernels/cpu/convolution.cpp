// convolution.cpp - 2-d convolution and its gradients: forward and the gradient of the input are correlations
// (correlation.h), the gradient of the weights sums products over pixels (weight_gradient.h), a kernel of one
// pixel is a plain matrix product, half types are converted to float as whole arrays.
#include <cstdlib>
#include <memory>
#include <new>

#include "kernels/cpu/correlation.h"
#include "kernels/cpu/types.h"
#include "kernels/cpu/weight_gradient.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

template <class T>
void forward(const ConvolutionCall& call) {
  const int64_t kh = call.kernel_height, kw = call.kernel_width, in = call.in_channels / call.groups;
  Tap* taps = numbers<Tap>(kTaps, kh * kw);
  for (int64_t i = 0; i < kh; i++)
    for (int64_t j = 0; j < kw; j++)
      taps[i * kw + j] = {i * call.dilation[0] - call.padding[0], j * call.dilation[1] - call.padding[1], i * kw + j};
  Correlation<T> s{};
  s.images = call.images, s.in = in, s.height = call.height, s.width = call.width;
  s.out = call.out_channels / call.groups, s.rows = call.out_height, s.columns = call.out_width;
  s.out_width = call.out_width, s.out_plane = call.out_height * call.out_width, s.groups = call.groups;
  for (int d = 0; d < 2; d++) s.stride[d] = call.stride[d], s.step[d] = 1;
  s.w_out = in * kh * kw, s.w_in = kh * kw, s.w_group = s.out * s.w_out;
  s.taps = taps, s.tap_count = kh * kw;
  s.x = static_cast<const T*>(call.input), s.w = static_cast<const T*>(call.weight);
  s.bias = static_cast<const T*>(call.bias), s.y = static_cast<T*>(call.output);
  correlate(s);
}

// Input pixel (p + stride y, q + stride x) is read by output pixels (y + tap.y, x + tap.x).
template <class T>
void input_gradient(const ConvolutionCall& call) {
  const int64_t kh = call.kernel_height, kw = call.kernel_width, in = call.in_channels / call.groups;
  Tap* taps = numbers<Tap>(kTaps, kh * kw);
  Correlation<T> s{};
  s.images = call.images, s.in = call.out_channels / call.groups, s.height = call.out_height;
  s.width = call.out_width, s.out = in, s.out_width = call.width, s.out_plane = call.height * call.width;
  s.groups = call.groups;
  for (int d = 0; d < 2; d++) s.stride[d] = 1, s.step[d] = call.stride[d];
  s.w_out = kh * kw, s.w_in = in * kh * kw, s.w_group = s.in * s.w_in;
  s.taps = taps;
  s.x = static_cast<const T*>(call.output), s.w = static_cast<const T*>(call.weight);
  for (int64_t p = 0; p < std::min(call.stride[0], call.height); p++)
    for (int64_t q = 0; q < std::min(call.stride[1], call.width); q++) {
      s.tap_count = 0;
      for (int64_t i = 0; i < kh; i++)
        for (int64_t j = 0; j < kw; j++) {
          const int64_t y = p + call.padding[0] - i * call.dilation[0], x = q + call.padding[1] - j * call.dilation[1];
          if (y % call.stride[0] == 0 && x % call.stride[1] == 0)
            taps[s.tap_count++] = {y / call.stride[0], x / call.stride[1], i * kw + j};
        }
      s.rows = (call.height - p + call.stride[0] - 1) / call.stride[0];
      s.columns = (call.width - q + call.stride[1] - 1) / call.stride[1];
      s.y = static_cast<T*>(call.input) + p * call.width + q;
      correlate(s);
    }
}

// ---- kernels of one pixel ----------------------------------------------------------------------------------

bool is_pointwise(const ConvolutionCall& call) {
  return call.kernel_height * call.kernel_width == 1 && call.groups == 1 && call.stride[0] == 1 &&
         call.stride[1] == 1 && call.padding[0] == 0 && call.padding[1] == 0 &&
         call.mode != ConvolutionCall::WeightGradient;
}

template <class T>
void pointwise(const ConvolutionCall& call) {
  const int64_t pixels = call.height * call.width, in = call.in_channels, out = call.out_channels;
  const bool forward = call.mode == ConvolutionCall::Forward;
  MatmulCall product;
  product.dtype = call.dtype, product.batch = call.images;
  product.m = forward ? out : in, product.k = forward ? in : out, product.n = pixels;
  product.a = call.weight, product.a_row = forward ? in : 1, product.a_column = forward ? 1 : in;
  product.b = forward ? call.input : call.output, product.b_row = pixels, product.b_column = 1;
  product.c = forward ? call.output : call.input, product.c_row = pixels;
  product.b_batch = product.k * pixels, product.c_batch = product.m * pixels;
  if (forward && call.bias) {
    product.accumulate = true;
    T* y = static_cast<T*>(call.output);
    parallel_rows(call.images * out, 32768 / pixels + 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; i++)
        std::fill_n(y + i * pixels, pixels, static_cast<const T*>(call.bias)[i % out]);
    });
  }
  matmul(product);
}

template <class T>
void run(const ConvolutionCall& call) {
  if (is_pointwise(call)) pointwise<T>(call);
  else if (call.mode == ConvolutionCall::Forward) forward<T>(call);
  else if (call.mode == ConvolutionCall::InputGradient) input_gradient<T>(call);
  else weight_gradient<T>(call);
}

// ---- sizes of nothing, half types --------------------------------------------------------------------------

struct Sizes {
  int64_t input, weight, output;
};
Sizes sizes_of(const ConvolutionCall& call) {
  return {call.images * call.in_channels * call.height * call.width,
          call.out_channels * (call.in_channels / call.groups) * call.kernel_height * call.kernel_width,
          call.images * call.out_channels * call.out_height * call.out_width};
}

// Without an operand's elements the result is a sum of nothing: zeros, or the bias.
template <class S>
bool run_empty(const ConvolutionCall& call, const Sizes& sizes) {
  const S zero = store_as<S>(ComputeOf<S>(0));
  const int64_t plane = call.out_height * call.out_width;
  S *input = static_cast<S*>(call.input), *weight = static_cast<S*>(call.weight),
    *output = static_cast<S*>(call.output);
  if (sizes.input && sizes.weight && sizes.output) return false;
  if (call.mode == ConvolutionCall::InputGradient) std::fill_n(input, sizes.input, zero);
  else if (call.mode == ConvolutionCall::WeightGradient) std::fill_n(weight, sizes.weight, zero);
  else
    for (int64_t i = 0; i < sizes.output; i++)
      output[i] = call.bias ? static_cast<const S*>(call.bias)[i / plane % call.out_channels] : zero;
  return true;
}

struct Free {
  void operator()(float* p) const { std::free(p); }
};
using Floats = std::unique_ptr<float, Free>;

template <class S>
Floats to_floats(const void* from, int64_t n) {
  Floats floats(static_cast<float*>(std::malloc(size_t(n) * sizeof(float) + 1)));
  if (!floats) throw std::bad_alloc();
  const S* p = static_cast<const S*>(from);
  float* q = floats.get();
  if (p)
    parallel_rows(n, 65536, [=](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; i++) q[i] = to_float(p[i]);
    });
  return floats;
}

template <class S>
void run_half(const ConvolutionCall& call, const Sizes& sizes) {
  using Call = ConvolutionCall;
  const auto operand = [&](Call::Mode result, const void* from, int64_t n) {
    return to_floats<S>(call.mode == result ? nullptr : from, n);
  };
  const Floats input = operand(Call::InputGradient, call.input, sizes.input);
  const Floats weight = operand(Call::WeightGradient, call.weight, sizes.weight);
  const Floats output = operand(Call::Forward, call.output, sizes.output);
  const Floats bias = to_floats<S>(call.bias, call.bias ? call.out_channels : 0);
  Call floats = call;
  floats.dtype = DType::F32;
  floats.input = input.get(), floats.weight = weight.get(), floats.output = output.get();
  floats.bias = call.bias ? bias.get() : nullptr;
  run<float>(floats);
  const bool is_forward = call.mode == Call::Forward, is_input = call.mode == Call::InputGradient;
  const int64_t n = is_forward ? sizes.output : is_input ? sizes.input : sizes.weight;
  const float* from = (is_forward ? output : is_input ? input : weight).get();
  S* to = static_cast<S*>(is_forward ? call.output : is_input ? call.input : call.weight);
  parallel_rows(n, 65536, [=](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) to[i] = store_as<S>(from[i]);
  });
}

}  // namespace

void convolution(const ConvolutionCall& call) {
  for_dtype<BOLIDE_FLOATS>("conv2d", call.dtype, [&]<class S> {
    const Sizes sizes = sizes_of(call);
    if (run_empty<S>(call, sizes)) return;
    if constexpr (kIsHalf<S>) run_half<S>(call, sizes);
    else run<S>(call);
  });
}

}  // namespace bolide::inline BOLIDE_ISA
