// ops_network.cpp - layers and losses.
#include "bindings/ops_table.h"

namespace bolide::python {
namespace {

using OptionalTensor = std::optional<Tensor>;

Tensor given(const OptionalTensor& t) { return t.value_or(Tensor()); }

LossReduction reduction_of(const char* op, std::string_view name) {
  if (name == "mean") return LossReduction::mean;
  if (name == "sum") return LossReduction::sum;
  if (name == "none") return LossReduction::none;
  raise(ErrorKind::Value, op, "reduction 'none', 'mean' or 'sum'", str("'", name, "'"));
}
// An int, or one per dimension of an image.
Dims pair_of(const char* op, const char* what, const Dims& v) {
  if (v.rank() == 1) return {v[0], v[0]};
  check(v.rank() == 2, ErrorKind::Value, op, str(what, " as an int or two"), [&] { return v.text(); });
  return v;
}

Tensor linear_layer(const Tensor& x, const Tensor& weight, const OptionalTensor& bias) {
  return linear(x, weight, given(bias));
}
// 'same' needs an odd number of zeros for an even kernel: the one more is put behind x.
Dims convolution_padding(PyObject* padding, const Tensor& weight, const Dims& stride, const Dims& dilation, Tensor& x) {
  if (!PyUnicode_Check(padding)) return pair_of("conv2d", "padding", Convert<Dims>::get(padding));
  const std::string_view name = Convert<std::string_view>::get(padding);
  if (name == "valid") return {0, 0};
  check(name == "same", ErrorKind::Value, "conv2d", "padding 'same', 'valid' or numbers",
        [&] { return str("'", name, "'"); });
  check(stride[0] == 1 && stride[1] == 1, ErrorKind::Value, "conv2d", "stride 1 with padding 'same'",
        [&] { return stride.text(); });
  check(weight.rank() == 4, ErrorKind::Shape, "conv2d", "a weight of 4 dimensions",
        [&] { return weight.sizes().text(); });
  Dims out(2);
  for (int i = 0; i < 2; i++) {
    const int64_t total = dilation[i] * (weight.size(2 + i) - 1);
    out[i] = total / 2;
    if (total % 2 == 0 || x.rank() < 3) continue;
    const int d = x.rank() - 2 + i;
    Dims sizes = x.sizes();
    sizes[d] = 1;
    const Tensor both[] = {x, zeros(sizes, {x.dtype(), x.device()})};
    x = cat(both, d);
  }
  return out;
}
Tensor convolve(const Tensor& x, const Tensor& weight, const OptionalTensor& bias, const Dims& stride,
                PyObject* padding, const Dims& dilation, int64_t groups) {
  const Dims strides = pair_of("conv2d", "stride", stride), dilations = pair_of("conv2d", "dilation", dilation);
  Tensor images = x;
  const Dims zeros_around = convolution_padding(padding, weight, strides, dilations, images);
  return conv2d(images, weight, given(bias), strides, zeros_around, dilations, groups);
}

ValuesIndices pool(const Tensor& x, const Dims& kernel, const OptionalDims& stride, const Dims& padding,
                   const Dims& dilation, bool ceil_mode) {
  const char* op = "max_pool2d";
  const bool no_stride = !stride || stride->empty();
  return max_pool2d(x, pair_of(op, "kernel_size", kernel), pair_of(op, "stride", no_stride ? kernel : *stride),
                    pair_of(op, "padding", padding), pair_of(op, "dilation", dilation), ceil_mode);
}
PyObject* pool_largest(const Tensor& x, const Dims& kernel, const OptionalDims& stride, const Dims& padding,
                       const Dims& dilation, bool ceil_mode, bool return_indices) {
  ValuesIndices found = pool(x, kernel, stride, padding, dilation, ceil_mode);
  if (return_indices) return tuple_of({found.values, found.indices});
  return wrap(std::move(found.values));
}

Tensor soft(const Tensor& x, int64_t dim, std::optional<DType> dtype) { return softmax(x, dim, dtype); }
Tensor log_soft(const Tensor& x, int64_t dim, std::optional<DType> dtype) { return log_softmax(x, dim, dtype); }
Tensor negative_log_likelihood(const Tensor& x, const Tensor& target, const OptionalTensor& weight,
                               int64_t ignore_index, std::string_view reduction) {
  return nll_loss(x, target, given(weight), ignore_index, reduction_of("nll_loss", reduction));
}
Tensor cross(const Tensor& x, const Tensor& target, const OptionalTensor& weight, int64_t ignore_index,
             std::string_view reduction, double label_smoothing) {
  return cross_entropy(x, target, given(weight), ignore_index, reduction_of("cross_entropy", reduction),
                       label_smoothing);
}
Tensor embed(const Tensor& indices, const Tensor& weight, std::optional<int64_t> padding_idx) {
  return embedding(indices, weight, padding_idx);
}

}  // namespace

std::vector<Op> network_rows() {
  return {
      op<&linear_layer>("linear", "input, weight, bias=None",
                        "input @ weight.T + bias.\n\nShapes: [..., in], [out, in], [out] give [..., out].\n"
                        "Reference: torch.nn.functional.linear.",
                        kFunction),
      op<&convolve>("conv2d", "input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1",
                    "Cross-correlation of images [N, C, H, W] with filters [O, C / groups, h, w].\n\n"
                    "padding: numbers, 'same' or 'valid'. Raises: ShapeError if the channels do not fit.\n"
                    "Reference: torch.nn.functional.conv2d.",
                    kFunction),
      op<&pool_largest>("max_pool2d",
                        "input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, "
                        "return_indices=False",
                        "The largest element of each window of images [N, C, H, W].\n\n"
                        "stride is kernel_size unless given.\nReference: torch.nn.functional.max_pool2d.",
                        kFunction),
      op<&soft>("softmax", "input, dim, dtype=None",
                "exp(x) divided by its sum over dim.\n\nExample: >>> bolide.softmax(bolide.zeros(4), 0)\n"
                "Reference: torch.softmax."),
      op<&log_soft>("log_softmax", "input, dim, dtype=None",
                    "Logarithm of softmax(), exact for large inputs.\n\nReference: torch.log_softmax."),
      op<&negative_log_likelihood>(
          "nll_loss", "input, target, weight=None, ignore_index=-100, reduction='mean'",
          "-input[i, target[i]], averaged, summed or as it is.\n\nShapes: log-probabilities [N, C], classes [N].\n"
          "Reference: torch.nn.functional.nll_loss.",
          kFunction),
      op<&cross>("cross_entropy",
                 "input, target, weight=None, ignore_index=-100, reduction='mean', label_smoothing=0.0",
                 "Cross entropy of softmax(input) with classes, in one pass.\n\nShapes: logits [N, C], classes [N].\n"
                 "Reference: torch.nn.functional.cross_entropy.",
                 kFunction),
      op<&bolide::dropout>("dropout", "input, p=0.5, train=True",
                           "Zeros with probability p, the rest scaled by 1 / (1 - p).\n\nReference: torch.dropout.",
                           kFunction),
      op<&embed>("embedding", "input, weight, padding_idx=None",
                 "Rows of weight [n, d] picked by integers [...]: [..., d].\n\n"
                 "Raises: IndexError outside [0, n).\nReference: torch.nn.functional.embedding.",
                 kFunction),
      op<&one_hot>("one_hot", "tensor, num_classes=-1",
                   "A 1 at each class, int64: [...] gives [..., num_classes].\n\nReference: "
                   "torch.nn.functional.one_hot.",
                   kFunction),
  };
}

}  // namespace bolide::python
