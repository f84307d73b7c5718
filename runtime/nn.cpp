// nn.cpp - the fronts of convolution, pooling, softmax, losses and dropout.
#include <cmath>

#include "runtime/autograd.h"
#include "runtime/backend.h"
#include "runtime/ops.h"
#include "runtime/random.h"
#include "runtime/sorting.h"
#include "runtime/view_support.h"

namespace bolide {
namespace {

template <class Call>
void run_kernel(const char* op, void (*Kernels::*which)(const Call&), const Call& call, Device device, bool long_work) {
  auto* kernel = backend_of(device.type).kernels->*which;
  if (!kernel) raise(ErrorKind::NotImplemented, op, "a kernel on " + name_of(device), "none");
  BlockingScope scope(long_work);
  kernel(call);
}

void check_float(const char* op, const Tensor& x) {
  if (!is_float(x.dtype())) raise(ErrorKind::DType, op, "a floating-point dtype", name_of(x.dtype()));
}
void check_alike(const char* op, const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype())
    raise(ErrorKind::DType, op, "tensors of one dtype", str(name_of(a.dtype()), " and ", name_of(b.dtype())));
  if (a.device() != b.device())
    raise(ErrorKind::Runtime, op, "tensors on one device", str(name_of(a.device()), " and ", name_of(b.device())));
}

// One number for both dimensions, or two.
void read_pair(const char* op, const char* name, const Dims& given, int64_t least, int64_t (&to)[2]) {
  if (given.rank() != 1 && given.rank() != 2)
    raise(ErrorKind::Shape, op, str(name, " of one or two numbers"), given.text());
  for (int i = 0; i < 2; i++) {
    to[i] = given[given.rank() == 1 ? 0 : i];
    if (to[i] < least) raise(ErrorKind::Runtime, op, str(name, " of at least ", least), given.text());
  }
}

// ---------------------------------------------------------------------------------------------- convolution
struct ConvolutionShape {
  ConvolutionCall call;  // without pointers
  Dims input, weight, output;
};

ConvolutionShape convolution_shape(const Tensor& x, const Tensor& w, const Dims& stride, const Dims& padding,
                                   const Dims& dilation, int64_t groups) {
  ConvolutionShape s;
  ConvolutionCall& c = s.call;
  check(x.rank() == 4 && w.rank() == 4, ErrorKind::Shape, "conv2d", "an input and a weight of 4 dimensions",
        [&] { return str(describe(x), " and ", describe(w)); });
  check_alike("conv2d", x, w);
  read_pair("conv2d", "stride", stride, 1, c.stride), read_pair("conv2d", "padding", padding, 0, c.padding);
  read_pair("conv2d", "dilation", dilation, 1, c.dilation);
  c.dtype = x.dtype(), c.groups = groups;
  c.images = x.size(0), c.in_channels = x.size(1), c.height = x.size(2), c.width = x.size(3);
  c.out_channels = w.size(0), c.kernel_height = w.size(2), c.kernel_width = w.size(3);
  check(groups > 0, ErrorKind::Runtime, "conv2d", "groups of at least 1", [&] { return str(groups); });
  if (c.in_channels != w.size(1) * groups || c.out_channels % groups)
    raise(ErrorKind::Shape, "conv2d",
          str("channels that go with a weight of ", w.sizes().text(), " and ", groups, " groups"), x.sizes().text());
  c.out_height = (c.height + 2 * c.padding[0] - c.dilation[0] * (c.kernel_height - 1) - 1) / c.stride[0] + 1;
  c.out_width = (c.width + 2 * c.padding[1] - c.dilation[1] * (c.kernel_width - 1) - 1) / c.stride[1] + 1;
  const bool fits = c.kernel_height > 0 && c.kernel_width > 0 &&
                    c.height + 2 * c.padding[0] >= c.dilation[0] * (c.kernel_height - 1) + 1 &&
                    c.width + 2 * c.padding[1] >= c.dilation[1] * (c.kernel_width - 1) + 1;
  if (!fits)
    raise(ErrorKind::Shape, "conv2d", "a kernel no larger than the padded input",
          str(w.sizes().text(), " on ", x.sizes().text()));
  s.input = x.sizes(), s.weight = w.sizes(), s.output = {c.images, c.out_channels, c.out_height, c.out_width};
  return s;
}

// One of the three products of a convolution; the operand that the mode names is made. Each one's gradients are the
// other two, so it can be differentiated as often as one likes.
Tensor convolve(ConvolutionCall::Mode mode, const ConvolutionShape& s, const Tensor& x, const Tensor& w,
                const Tensor& y, const Tensor& bias) {
  const Tensor& model = x ? x : w;
  const Options options{model.dtype(), model.device()};
  const Dims& sizes = mode == ConvolutionCall::Forward         ? s.output
                      : mode == ConvolutionCall::InputGradient ? s.input
                                                               : s.weight;
  Tensor out = empty(sizes, options), cx, cw, cy, cb;
  {
    GradMode off(false);
    cx = x ? contiguous(x) : out, cw = w ? contiguous(w) : out, cy = y ? contiguous(y) : out;
    if (bias) cb = contiguous(bias);
  }
  ConvolutionCall call = s.call;
  call.mode = mode, call.input = cx.data(), call.weight = cw.data(), call.output = cy.data();
  call.bias = cb ? cb.data() : nullptr, call.stream = current_stream(out.device());
  if (out.numel() > 0) run_kernel("conv2d", &Kernels::convolution, call, out.device(), cy.numel() >= 1 << 16);
  const bool x_in = bool(x), w_in = bool(w), y_in = bool(y);
  record("ConvolutionBackward", out, {&x, &w, &y, &bias}, [&] {
    return [mode, s, x = x_in ? Saved(x) : Saved(), w = w_in ? Saved(w) : Saved(), y = y_in ? Saved(y) : Saved()](
               const Tensor& g, Grads& grads) {
      // The gradient of the result takes the place of the result among the three.
      const Tensor xs = mode == ConvolutionCall::InputGradient ? g : x.get();
      const Tensor ws = mode == ConvolutionCall::WeightGradient ? g : w.get();
      const Tensor ys = mode == ConvolutionCall::Forward ? g : y.get();
      if (grads.needs(0)) grads[0] = convolve(ConvolutionCall::InputGradient, s, {}, ws, ys, {});
      if (grads.needs(1)) grads[1] = convolve(ConvolutionCall::WeightGradient, s, xs, {}, ys, {});
      if (grads.needs(2)) grads[2] = convolve(ConvolutionCall::Forward, s, xs, ws, {}, {});
      if (grads.needs(3)) grads[3] = sum(g, Dims{0, 2, 3});
    };
  });
  return out;
}

// Of integers and complex numbers, which are rare: the windows as rows of matrices.
Tensor convolve_windows(const ConvolutionShape& s, const Tensor& x, const Tensor& w) {
  const ConvolutionCall& c = s.call;
  const int64_t channels = c.in_channels / c.groups, rows = c.images * c.out_height * c.out_width;
  Tensor padded = zeros({c.images, c.in_channels, c.height + 2 * c.padding[0], c.width + 2 * c.padding[1]},
                        {x.dtype(), x.device()});
  copy_(narrow(narrow(padded, 2, c.padding[0], c.height), 3, c.padding[1], c.width), x);
  const Dims t = padded.strides();
  const Tensor windows = as_strided(
      padded, {c.groups, c.images, c.out_height, c.out_width, channels, c.kernel_height, c.kernel_width},
      {channels * t[1], t[0], c.stride[0] * t[2], c.stride[1] * t[3], t[1], c.dilation[0] * t[2], c.dilation[1] * t[3]},
      0);
  const int64_t size = channels * c.kernel_height * c.kernel_width, filters = c.out_channels / c.groups;
  const Tensor product =
      bmm(reshape(windows, {c.groups, rows, size}), transpose(reshape(w, {c.groups, filters, size}), 1, 2));
  const Tensor apart = reshape(product, {c.groups, c.images, c.out_height, c.out_width, filters});
  return reshape(permute(apart, {1, 0, 4, 2, 3}), s.output);
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Dims& stride, const Dims& padding,
              const Dims& dilation, int64_t groups) {
  if (x.rank() == 3) return squeeze(conv2d(unsqueeze(x, 0), weight, bias, stride, padding, dilation, groups), Dims{0});
  const ConvolutionShape s = convolution_shape(x, weight, stride, padding, dilation, groups);
  if (bias) {
    check_alike("conv2d", x, bias);
    if (bias.rank() != 1 || bias.size(0) != s.call.out_channels)
      raise(ErrorKind::Shape, "conv2d", str("a bias of shape [", s.call.out_channels, "]"), bias.sizes().text());
  }
  if (is_float(x.dtype())) return convolve(ConvolutionCall::Forward, s, x, weight, {}, bias);
  check(x.dtype() != DType::Bool, ErrorKind::DType, "conv2d", "numbers", [] { return std::string("bool"); });
  const Tensor y = convolve_windows(s, x, weight);
  return bias ? add(y, reshape(bias, {bias.size(0), 1, 1})) : y;
}

// -------------------------------------------------------------------------------------------------- pooling
namespace {

int64_t pooled_size(int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation, bool ceil_mode) {
  const int64_t span = size + 2 * padding - dilation * (kernel - 1) - 1;
  if (span < 0) return 0;
  int64_t out = (span + (ceil_mode ? stride - 1 : 0)) / stride + 1;
  if (ceil_mode && (out - 1) * stride >= size + padding) out--;  // the last window must start inside
  return out;
}

// The places of a pooling in its input, as linear numbers, for gradients of the gradient.
Tensor take_pooled(const Tensor& x, const Tensor& indices) {
  const Dims& s = indices.sizes();
  const Dims flat{s[0], s[1], s[2] * s[3]};
  return reshape(gather(reshape(x, {x.size(0), x.size(1), x.size(2) * x.size(3)}), 2, reshape(indices, flat)), s);
}

Tensor unpool(const Tensor& g, const Tensor& indices, MaxPoolCall call, const Dims& sizes) {
  Tensor out = empty(sizes, {g.dtype(), g.device()}), dense;
  {
    GradMode off(false);
    dense = contiguous(g);
  }
  call.backward = true, call.input = out.data(), call.output = dense.data(), call.indices = indices.data<int64_t>();
  call.stream = current_stream(g.device());
  if (out.numel() > 0) run_kernel("max_pool2d", &Kernels::max_pool, call, g.device(), out.numel() >= 1 << 20);
  record("MaxPoolBackwardBackward", out, {&g},
         [&] { return [indices](const Tensor& gg, Grads& grads) { grads[0] = take_pooled(gg, indices); }; });
  return out;
}

}  // namespace

ValuesIndices max_pool2d(const Tensor& input, const Dims& kernel, const Dims& stride, const Dims& padding,
                         const Dims& dilation, bool ceil_mode) {
  if (input.rank() == 3) {
    auto [values, indices] = max_pool2d(unsqueeze(input, 0), kernel, stride, padding, dilation, ceil_mode);
    return {squeeze(values, Dims{0}), squeeze(indices, Dims{0})};
  }
  check(input.rank() == 4, ErrorKind::Shape, "max_pool2d", "an input of 4 dimensions", [&] { return describe(input); });
  if (is_integer(input.dtype())) {  // what is the largest, their order tells, which float64 has exactly
    const Tensor order = item_size(input.dtype()) < 8 ? input : unique(input, true).inverse;
    const Tensor places = max_pool2d(to(order, DType::F64), kernel, stride, padding, dilation, ceil_mode).indices;
    return {take_pooled(input, places), places};
  }
  check_float("max_pool2d", input);
  MaxPoolCall call;
  read_pair("max_pool2d", "kernel_size", kernel, 1, call.kernel);
  read_pair("max_pool2d", "stride", stride.empty() ? kernel : stride, 1, call.stride);
  read_pair("max_pool2d", "padding", padding, 0, call.padding),
      read_pair("max_pool2d", "dilation", dilation, 1, call.dilation);
  for (int i = 0; i < 2; i++)
    if (call.padding[i] > call.kernel[i] / 2)
      raise(ErrorKind::Runtime, "max_pool2d", "padding of at most half the kernel_size",
            str(call.padding[i], " for ", call.kernel[i]));
  call.dtype = input.dtype(), call.planes = input.size(0) * input.size(1), call.height = input.size(2),
  call.width = input.size(3);
  call.out_height =
      pooled_size(call.height, call.kernel[0], call.stride[0], call.padding[0], call.dilation[0], ceil_mode);
  call.out_width =
      pooled_size(call.width, call.kernel[1], call.stride[1], call.padding[1], call.dilation[1], ceil_mode);
  if (call.out_height <= 0 || call.out_width <= 0)
    raise(ErrorKind::Shape, "max_pool2d", "a window no larger than the padded input",
          str(kernel.text(), " on ", input.sizes().text()));
  const Dims sizes{input.size(0), input.size(1), call.out_height, call.out_width};
  Tensor values = empty(sizes, {input.dtype(), input.device()}), indices = empty(sizes, {DType::I64, input.device()}),
         x;
  {
    GradMode off(false);
    x = contiguous(input);
  }
  call.input = x.data(), call.output = values.data(), call.indices = indices.data<int64_t>(),
  call.stream = current_stream(x.device());
  if (values.numel() > 0) run_kernel("max_pool2d", &Kernels::max_pool, call, x.device(), x.numel() >= 1 << 20);
  record("MaxPoolBackward", values, {&input}, [&] {
    return [indices, call, sizes = input.sizes()](const Tensor& g, Grads& grads) {
      grads[0] = unpool(g, indices, call, sizes);
    };
  });
  return {values, indices};
}

// -------------------------------------------------------------------------------------------------- softmax
namespace {

// The kernel works on the last dimension of dense rows; another dimension is brought there and back.
Tensor softmax_of(const char* op, const Tensor& input, int64_t dim, std::optional<DType> dtype, bool log) {
  const Tensor x = dtype ? to(input, *dtype) : input;
  const int d = wrap_dim(op, dim, x.rank());
  check_float(op, x);
  if (x.rank() == 0) return as_own(reshape(softmax_of(op, reshape(x, {1}), 0, {}, log), {}));
  if (d != x.rank() - 1) return as_own(transpose(softmax_of(op, transpose(x, d, -1), -1, {}, log), d, -1));
  Tensor y = empty(x.sizes(), {x.dtype(), x.device()}), dense;
  {
    GradMode off(false);
    dense = contiguous(x);
  }
  SoftmaxCall call;
  call.log = log, call.dtype = x.dtype(), call.columns = x.size(d), call.stream = current_stream(x.device());
  call.rows = x.numel() / std::max<int64_t>(call.columns, 1), call.x = dense.data(), call.out = y.data();
  if (y.numel() > 0) run_kernel(op, &Kernels::softmax, call, x.device(), y.numel() >= 1 << 19);
  record(op, y, {&x}, [&] {
    return [op, log, call, y = Saved::output(y)](const Tensor& g, Grads& grads) {
      const Tensor out = y.get(grads.node());
      if (grad_enabled()) {  // in ops, to be differentiated again
        if (log) grads[0] = sub(g, mul(exp(out), sum(g, Dims{-1}, true)));
        else grads[0] = mul(out, sub(g, sum(mul(g, out), Dims{-1}, true)));
        return;
      }
      const Tensor dense = contiguous(g), dx = empty(g.sizes(), {g.dtype(), g.device()});
      SoftmaxCall back = call;
      back.backward = true, back.x = out.data(), back.g = dense.data(), back.out = dx.data();
      if (dx.numel() > 0) run_kernel(op, &Kernels::softmax, back, g.device(), dx.numel() >= 1 << 19);
      grads[0] = dx;
    };
  });
  return y;
}

}  // namespace

Tensor softmax(const Tensor& x, int64_t dim, std::optional<DType> dtype) {
  return softmax_of("softmax", x, dim, dtype, false);
}
Tensor log_softmax(const Tensor& x, int64_t dim, std::optional<DType> dtype) {
  return softmax_of("log_softmax", x, dim, dtype, true);
}

// --------------------------------------------------------------------------------------------------- losses
namespace {

// Rows of classes: the class dimension (the second, or the only one) brought to the end.
Tensor class_rows(const Tensor& x) {
  if (x.rank() <= 2) return reshape(x, {x.rank() == 2 ? x.size(0) : 1, x.size(x.rank() - 1)});
  const Tensor last = movedim(x, Dims{1}, Dims{-1});
  return reshape(last, {-1, x.size(1)});
}

void check_loss(const char* op, const Tensor& x, const Tensor& target, const Tensor& weight) {
  check_float(op, x);
  check(x.rank() >= 1, ErrorKind::Shape, op, "an input with dimensions", [&] { return describe(x); });
  if (target.dtype() != DType::I64) raise(ErrorKind::DType, op, "a target of dtype int64", name_of(target.dtype()));
  if (target.device() != x.device())
    raise(ErrorKind::Runtime, op, "tensors on one device", str(name_of(x.device()), " and ", name_of(target.device())));
  Dims expected;
  for (int d = 0; d < x.rank(); d++)
    if (d != (x.rank() == 1 ? 0 : 1)) expected.push_back(x.size(d));
  if (target.sizes() != expected)
    raise(ErrorKind::Shape, op, str("a target of shape ", expected.text()), target.sizes().text());
  if (!weight) return;
  check_alike(op, x, weight);
  const int64_t classes = x.size(x.rank() == 1 ? 0 : 1);
  if (weight.rank() != 1 || weight.size(0) != classes)
    raise(ErrorKind::Shape, op, str("a weight of shape [", classes, "]"), weight.sizes().text());
}

// The losses of all rows, and each row's weight; one fused kernel forward, one backward.
struct RowLosses {
  Tensor losses, weights;
};
RowLosses row_losses(const char* op, const Tensor& rows, const Tensor& target, const Tensor& weight,
                     int64_t ignore_index, bool logits) {
  const Options options{rows.dtype(), rows.device()};
  const DType sums_dtype = rows.dtype() == DType::F64 ? DType::F64 : DType::F32;
  RowLosses r{empty({rows.size(0)}, options), empty({rows.size(0)}, options)};
  Tensor x, classes, weights, log_sums = empty({rows.size(0)}, {sums_dtype, rows.device()});
  FaultReport faults(rows.device());
  {
    GradMode off(false);
    x = contiguous(rows), classes = contiguous(reshape(target, {-1}));
    if (weight) weights = contiguous(weight);
  }
  CrossEntropyCall call;
  call.logits = logits, call.dtype = rows.dtype(), call.rows = rows.size(0), call.columns = rows.size(1),
  call.ignore_index = ignore_index;
  call.x = x.data(), call.target = classes.data<int64_t>(), call.weight = weights ? weights.data() : nullptr;
  call.losses = r.losses.data(), call.row_weights = r.weights.data(), call.log_sums = log_sums.data();
  call.op = op, call.fault = faults.place(), call.stream = current_stream(rows.device());
  if (call.rows > 0) run_kernel(op, &Kernels::cross_entropy, call, rows.device(), rows.numel() >= 1 << 19);
  faults.check();
  call.fault = nullptr;
  record(op, r.losses, {&rows}, [&] {
    return [op, call, x = Saved(rows), dense = x, targets = Saved(classes), weights = Saved(weights), log_sums,
            row_weights = r.weights](const Tensor& g, Grads& grads) {
      const Tensor rows = x.get(), classes = targets.get();
      if (call.weight) weights.get();
      if (grad_enabled()) {  // in ops, to be differentiated again
        const Tensor valid = unsqueeze(row_weights, 1);
        const Tensor picked =
            eq(unsqueeze(classes, 1), arange(int64_t(0), call.columns, int64_t(1), DType::I64, rows.device()));
        const Tensor slope = sub(call.logits ? softmax(rows, 1) : zeros({1, 1}, {rows.dtype(), rows.device()}),
                                 to(picked, rows.dtype()));
        grads[0] = mul(mul(slope, valid), unsqueeze(g, 1));
        return;
      }
      const Tensor gs = contiguous(g), out = empty(rows.sizes(), {rows.dtype(), rows.device()});
      CrossEntropyCall back = call;
      back.backward = true, back.x = dense.data(), back.g = gs.data(), back.out = out.data(),
      back.log_sums = log_sums.data();
      if (out.numel() > 0) run_kernel(op, &Kernels::cross_entropy, back, rows.device(), out.numel() >= 1 << 19);
      grads[0] = out;
    };
  });
  return r;
}

Tensor reduced(const RowLosses& r, const Dims& sizes, LossReduction reduction) {
  if (reduction == LossReduction::none) return reshape(r.losses, sizes);
  const Tensor total = sum(r.losses);
  return reduction == LossReduction::sum ? total : div(total, sum(r.weights));
}

}  // namespace

Tensor nll_loss(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t ignore_index,
                LossReduction reduction) {
  check_loss("nll_loss", x, target, weight);
  return reduced(row_losses("nll_loss", class_rows(x), target, weight, ignore_index, false), target.sizes(), reduction);
}

Tensor cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t ignore_index,
                     LossReduction reduction, double label_smoothing) {
  check(label_smoothing >= 0 && label_smoothing <= 1, ErrorKind::Value, "cross_entropy", "a label_smoothing in [0, 1]",
        [&] { return str(label_smoothing); });
  if (is_float(target.dtype())) {  // probabilities of the classes
    if (target.sizes() != x.sizes())
      raise(ErrorKind::Shape, "cross_entropy", str("probabilities of shape ", x.sizes().text()), target.sizes().text());
    check_float("cross_entropy", x);
    const int d = x.rank() == 1 ? 0 : 1;
    Tensor p =
        label_smoothing > 0 ? add(mul(target, 1 - label_smoothing), label_smoothing / double(x.size(d))) : target;
    Tensor w = weight;
    for (int i = x.rank() - 2; w && i > 0; i--) w = unsqueeze(w, -1);
    const Tensor terms = mul(w ? mul(p, w) : p, log_softmax(x, d));
    const Tensor losses = neg(sum(terms, Dims{d}));
    if (reduction == LossReduction::none) return losses;
    return reduction == LossReduction::sum ? sum(losses)
                                           : div(sum(losses), double(std::max<int64_t>(losses.numel(), 1)));
  }
  check_loss("cross_entropy", x, target, weight);
  const Tensor rows = class_rows(x);
  const RowLosses r = row_losses("cross_entropy", rows, target, weight, ignore_index, true);
  const Tensor hard = reduced(r, target.sizes(), reduction);
  if (label_smoothing == 0) return hard;
  // The uniform part: the weighted mean of -log p over the classes, for rows that count.
  const Tensor logs = log_softmax(rows, 1), valid = to(ne(reshape(target, {-1}), ignore_index), rows.dtype());
  const Tensor smooth = neg(mul(sum(weight ? mul(logs, weight) : logs, Dims{1}), valid));
  const Tensor soft = reduced({smooth, r.weights}, target.sizes(), reduction);
  return add(mul(hard, 1 - label_smoothing), mul(soft, label_smoothing / double(rows.size(1))));
}

// -------------------------------------------------------------------------------------- dropout, activations
namespace {

Tensor apply_dropout(const Tensor& x, double p, RandomState state) {
  Tensor y = empty(x.sizes(), {x.dtype(), x.device()}), dense;
  {
    GradMode off(false);
    dense = contiguous(x);
  }
  RandomCall call;
  call.kind = RandomCall::Dropout, call.dtype = x.dtype(), call.seed = state.seed, call.offset = state.offset;
  call.count = y.numel(), call.a = p, call.x = dense.data(), call.out = y.data(),
  call.stream = current_stream(x.device());
  if (y.numel() > 0) run_kernel("dropout", &Kernels::random, call, x.device(), y.numel() >= 1 << 19);
  // The same numbers again make the same mask: nothing has to be kept.
  record("DropoutBackward", y, {&x},
         [&] { return [p, state](const Tensor& g, Grads& grads) { grads[0] = apply_dropout(g, p, state); }; });
  return y;
}

}  // namespace

Tensor dropout(const Tensor& x, double p, bool training) {
  check(p >= 0 && p <= 1, ErrorKind::Value, "dropout", "a probability in [0, 1]", [&] { return str(p); });
  check_float("dropout", x);
  if (!training || p == 0) return x;
  if (p == 1) return mul(x, 0);
  return apply_dropout(x, p, take_random_numbers(x.numel()));
}

Tensor gelu(const Tensor& x, bool tanh_approximation) { return tanh_approximation ? gelu_tanh(x) : gelu_erf(x); }

}  // namespace bolide
