// ops.h - every op of the runtime: each checks, promotes, broadcasts, allocates, calls a kernel, records.
//
// Names and arguments are PyTorch's. The elementwise ops come from kernels/elementwise.def and the reductions
// from kernels/reduce.def: one function per line. The others are declared by hand, in groups by kind, each with
// its source file. To add one: docs/add_an_op.md.
#pragma once
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/op_list.h"
#include "runtime/blocking.h"
#include "runtime/tensor.h"

namespace bolide {

using OptionalDims = std::optional<Dims>;
using TensorList = std::vector<Tensor>;

// A tensor or a Python number: what an elementwise op takes as any of its inputs.
struct Arg {
  const Tensor* tensor = nullptr;
  Scalar scalar;
  Arg(const Tensor& t) : tensor(&t) {}
  Arg(const Scalar& s) : scalar(s) {}
  Arg(double v) : scalar(v) {}
  Arg(int v) : scalar(v) {}
  Arg(int64_t v) : scalar(v) {}
};
BOLIDE_API DType promoted(std::span<const Arg> in);  // the dtype that these compute in together
// An operand of integers that this dtype of integers does not hold, converted: it wraps around. `made` keeps a tensor.
BOLIDE_API Arg narrowed(const Arg& a, DType dtype, Tensor& made);

// ---- elementwise (elementwise.cpp, op_info.cpp) --------------------------------------------------------------
struct OpInfo {
  const char* name;
  unsigned dtypes;
  Result result;
  Forms forms;
  int arity, scalars;          // inputs in all; how many of them, at the end, are numbers only
  const char* arguments;       // as in Python: "input, alpha=1.0"
  const char* doc;
  bool differentiable[3];      // by input
  bool passes_gradient[3];     // the gradient of this input is g itself
  bool zero_gradient[3];       // it is zero, whatever g is
  uint8_t reads[3];            // which slots of (g, inputs..., y) the gradient of this input reads
};
BOLIDE_API const OpInfo& op_info(ElementwiseOp op);
BOLIDE_API Tensor elementwise(ElementwiseOp op, std::span<const Arg> inputs);
// Into self, which is also the first input: add_, mul_, ...
BOLIDE_API void elementwise_(ElementwiseOp op, const Tensor& self, std::span<const Arg> others);
// Into `out`, which autograd does not see (the out= argument).
BOLIDE_API void elementwise_out(ElementwiseOp op, const Tensor& out, std::span<const Arg> inputs);

#define BOLIDE_ELEMENTWISE(name, count, parameters, ...)                        \
  inline Tensor name parameters {                                               \
    const Arg inputs[count] = {__VA_ARGS__};                                    \
    return elementwise(ElementwiseOp::name, std::span<const Arg>(inputs, count)); \
  }
#define UNARY(set, result, forms, name, ...) BOLIDE_ELEMENTWISE(name, 1, (const Arg& x), x)
#define UNARY_1(set, result, forms, name, ...) BOLIDE_ELEMENTWISE(name, 2, (const Arg& x, double s), x, s)
#define UNARY_2(set, result, forms, name, ...) \
  BOLIDE_ELEMENTWISE(name, 3, (const Arg& x, double s, double t), x, s, t)
#define BINARY(set, result, forms, name, ...) BOLIDE_ELEMENTWISE(name, 2, (const Arg& a, const Arg& b), a, b)
#define TERNARY(set, result, forms, name, ...) \
  BOLIDE_ELEMENTWISE(name, 3, (const Arg& a, const Arg& b, const Arg& c), a, b, c)
#include "kernels/elementwise.def"
#undef BOLIDE_ELEMENTWISE

// ---- functions called seldom (rare.cpp), from kernels/rare.def -----------------------------------------------
BOLIDE_API Tensor rare_function(RareOp op, const char* name, std::span<const Arg> inputs);
#define RARE_1(names, name, ...)                                            \
  inline Tensor name(const Arg& x) {                                       \
    return rare_function(RareOp::name, #name, std::span<const Arg>(&x, 1)); \
  }
#define RARE_2(names, name, ...)                           \
  inline Tensor name(const Arg& a, const Arg& b) {        \
    const Arg inputs[] = {a, b};                          \
    return rare_function(RareOp::name, #name, inputs);    \
  }
#include "kernels/rare.def"

// ---- reductions (reduce.cpp): over `dims`, all where there are none ------------------------------------------
struct ReductionInfo {
  const char* name;
  unsigned dtypes;
  Result result;
  Empty empty;
  bool differentiable;
  const char* doc;
};
BOLIDE_API const ReductionInfo& reduction_info(ReductionOp op);
BOLIDE_API Tensor reduce(ReductionOp op, const Tensor& x, const OptionalDims& dims, bool keepdim,
                         std::optional<DType> dtype = {}, double parameter = 0);
#define REDUCE(set, rule, empty, name, ...)                                                         \
  inline Tensor name(const Tensor& x, const OptionalDims& dims = {}, bool keepdim = false) {         \
    return reduce(ReductionOp::name, x, dims, keepdim, {}, ReductionOp::name == ReductionOp::var);   \
  }
#include "kernels/reduce.def"
struct ValuesIndices {
  Tensor values, indices;
};
BOLIDE_API Tensor argmax(const Tensor& x, std::optional<int64_t> dim = {}, bool keepdim = false);
BOLIDE_API Tensor argmin(const Tensor& x, std::optional<int64_t> dim = {}, bool keepdim = false);
BOLIDE_API ValuesIndices max_dim(const Tensor& x, int64_t dim, bool keepdim = false);  // gradient to the place
BOLIDE_API ValuesIndices min_dim(const Tensor& x, int64_t dim, bool keepdim = false);
BOLIDE_API Tensor sum_to(const Tensor& x, const Dims& sizes);  // undoes a broadcast

// ---- scans (scan.cpp): along a dimension, each element with all before it ------------------------------------
BOLIDE_API Tensor cumsum(const Tensor& x, int64_t dim, std::optional<DType> dtype = {});
BOLIDE_API Tensor cumprod(const Tensor& x, int64_t dim, std::optional<DType> dtype = {});
BOLIDE_API Tensor logcumsumexp(const Tensor& x, int64_t dim);
BOLIDE_API ValuesIndices cummax(const Tensor& x, int64_t dim);      // gradient to the place
BOLIDE_API ValuesIndices cummin(const Tensor& x, int64_t dim);

// ---- making tensors (creation.cpp) ---------------------------------------------------------------------------
BOLIDE_API Tensor full(const Dims& sizes, const Scalar& value, Options options);
BOLIDE_API Tensor zeros(const Dims& sizes, Options options);
BOLIDE_API Tensor ones(const Dims& sizes, Options options);
BOLIDE_API Tensor full_like(const Tensor& t, const Scalar& value);
BOLIDE_API Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, std::optional<DType> dtype,
                         Device device = {});
BOLIDE_API Tensor linspace(double start, double end, int64_t steps, Options options);
BOLIDE_API Tensor eye(int64_t n, int64_t m, Options options);
BOLIDE_API Tensor tril(const Tensor& x, int64_t diagonal = 0);
BOLIDE_API Tensor triu(const Tensor& x, int64_t diagonal = 0);

// ---- copies (copy.cpp) ---------------------------------------------------------------------------------------
BOLIDE_API Tensor clone(const Tensor& x, MemoryFormat format = MemoryFormat::preserve);
BOLIDE_API Tensor contiguous(const Tensor& x, MemoryFormat format = MemoryFormat::contiguous);
BOLIDE_API Tensor to(const Tensor& x, std::optional<DType> dtype, std::optional<Device> device, bool copy = false,
                     MemoryFormat format = MemoryFormat::preserve);
inline Tensor to(const Tensor& x, DType dtype) { return to(x, dtype, {}); }
BOLIDE_API void copy_(const Tensor& self, const Tensor& source);   // broadcasts, converts, crosses devices
BOLIDE_API void fill_(const Tensor& self, const Scalar& value);
BOLIDE_API Tensor cat(std::span<const Tensor> tensors, int64_t dim = 0);
BOLIDE_API Tensor stack(std::span<const Tensor> tensors, int64_t dim = 0);
BOLIDE_API Scalar item(const Tensor& x);                            // of one element; waits for its device
BOLIDE_API Tensor detach(const Tensor& x);
// Without history: plain copies for the ops themselves.
BOLIDE_API void copy_values(const Tensor& to, const Tensor& from);

// ---- results in given tensors (out.cpp) ----------------------------------------------------------------------
// out= of an op: raises unless dtype and device fit and nothing wants a gradient; resizes where sizes differ.
BOLIDE_API void check_out(const char* op, const Tensor& out, const Dims& sizes, DType dtype, Device device);
// Raises where a result of this dtype may not be cast to that of the output.
BOLIDE_API void check_castable(const char* op, DType result, DType out);
BOLIDE_API void write_out(const char* op, const Tensor& out, const Tensor& result);
// In place, other sizes; elements keep their places in row-major order, new ones are not set.
BOLIDE_API void resize_(const Tensor& x, const Dims& sizes);
// Where warnings go, set once by the bindings.
BOLIDE_API void set_warning_hook(void (*warn)(const char* text));
BOLIDE_API void warn(const std::string& text);

// ---- views (views.cpp, parts.cpp) ---------------------------------------------------------------------------------------
BOLIDE_API Tensor view(const Tensor& x, const Dims& sizes);         // one -1 is inferred; raises if not possible
BOLIDE_API Tensor reshape(const Tensor& x, const Dims& sizes);      // a view where possible
BOLIDE_API Tensor flatten(const Tensor& x, int64_t start_dim = 0, int64_t end_dim = -1);
BOLIDE_API Tensor unflatten(const Tensor& x, int64_t dim, const Dims& sizes);
BOLIDE_API Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1);
BOLIDE_API Tensor t(const Tensor& x);                               // of at most two dimensions
BOLIDE_API Tensor permute(const Tensor& x, const Dims& dims);
BOLIDE_API Tensor squeeze(const Tensor& x, const OptionalDims& dims = {});
BOLIDE_API Tensor unsqueeze(const Tensor& x, int64_t dim);
BOLIDE_API Tensor expand(const Tensor& x, const Dims& sizes);       // -1 keeps a size
BOLIDE_API Tensor select(const Tensor& x, int64_t dim, int64_t index);
BOLIDE_API Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t end, int64_t step = 1);
BOLIDE_API Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length);
BOLIDE_API Tensor diagonal(const Tensor& x, int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1);
BOLIDE_API Tensor as_strided(const Tensor& x, const Dims& sizes, const Dims& strides, int64_t offset);
BOLIDE_API TensorList split(const Tensor& x, int64_t size, int64_t dim = 0);
BOLIDE_API TensorList split_sizes(const Tensor& x, const Dims& sizes, int64_t dim = 0);
BOLIDE_API TensorList tensor_split(const Tensor& x, int64_t sections, int64_t dim = 0);
BOLIDE_API TensorList tensor_split_at(const Tensor& x, const Dims& places, int64_t dim = 0);
BOLIDE_API TensorList chunk(const Tensor& x, int64_t chunks, int64_t dim = 0);
BOLIDE_API TensorList unbind(const Tensor& x, int64_t dim = 0);
BOLIDE_API Tensor movedim(const Tensor& x, const Dims& source, const Dims& destination);
BOLIDE_API Tensor unfold(const Tensor& x, int64_t dim, int64_t size, int64_t step);  // windows
BOLIDE_API Tensor view_dtype(const Tensor& x, DType dtype);         // the same bytes; without a gradient
BOLIDE_API void become_view(const char* op, const Tensor& x, const Tensor& v);  // in place; v is a view of x
BOLIDE_API Tensor flip(const Tensor& x, const Dims& dims);          // a copy

// ---- views of complex numbers (complex_views.cpp) ------------------------------------------------------------
BOLIDE_API Tensor view_as_real(const Tensor& x);                    // ..., 2: real and imaginary parts
BOLIDE_API Tensor view_as_complex(const Tensor& x);                 // the other way; strides have to allow it
BOLIDE_API Tensor real(const Tensor& x);                            // of a real tensor itself
BOLIDE_API Tensor imag(const Tensor& x);
BOLIDE_API Tensor conj(const Tensor& x);                            // a copy; of a real tensor itself

// ---- indexing (indexing.cpp, scatter.cpp) ---------------------------------------------------------------------------------
// One key of x[...]; ints and slices make a view, tensors (int64, int32, uint8 or bool masks) a copy.
struct Key {
  enum Kind : uint8_t { Int, Slice, None, Ellipsis, Index } kind = Int;
  int64_t start = 0, stop = 0, step = 1;  // Int: start; Slice: as Python gives them, kDefault where absent
  static constexpr int64_t kDefault = INT64_MIN;
  Tensor index;
};
BOLIDE_API Tensor index(const Tensor& x, std::span<const Key> keys);
BOLIDE_API void index_put_(const Tensor& x, std::span<const Key> keys, const Tensor& value, bool accumulate = false);
BOLIDE_API void index_put_(const Tensor& x, std::span<const Key> keys, const Scalar& value);
BOLIDE_API Tensor nonzero(const Tensor& x);  // rows of indices; waits for its device
BOLIDE_API TensorList nonzero_by_dim(const Tensor& x);  // as what indexes x: a 0-d tensor is a row of one element
BOLIDE_API Tensor masked_select(const Tensor& x, const Tensor& mask);
BOLIDE_API Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);
BOLIDE_API Tensor gather(const Tensor& x, int64_t dim, const Tensor& index);
BOLIDE_API Tensor take(const Tensor& x, const Tensor& index);  // by number in row-major order
BOLIDE_API Tensor take_along_dim(const Tensor& x, const Tensor& index, std::optional<int64_t> dim);
BOLIDE_API void index_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                           const Scalar& alpha = Scalar(1));
BOLIDE_API void index_copy_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
BOLIDE_API void index_fill_(const Tensor& x, int64_t dim, const Tensor& index, const Arg& value);
BOLIDE_API Tensor index_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                               std::string_view reduce, bool include_self = true);
BOLIDE_API void index_reduce_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                              std::string_view reduce, bool include_self = true);
// reduce: empty, "add" or "multiply"
BOLIDE_API void scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                         std::string_view reduce = {});
BOLIDE_API void scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value,
                         std::string_view reduce = {});
BOLIDE_API void scatter_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
// reduce: "sum", "prod", "mean", "amax" or "amin"
BOLIDE_API Tensor scatter_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                                 std::string_view reduce, bool include_self = true);
BOLIDE_API void scatter_reduce_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                                std::string_view reduce, bool include_self = true);
BOLIDE_API void put_(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate = false);
BOLIDE_API void masked_scatter_(const Tensor& x, const Tensor& mask, const Tensor& source);
BOLIDE_API Tensor embedding(const Tensor& input, const Tensor& weight, std::optional<int64_t> padding_idx = {});
BOLIDE_API Tensor one_hot(const Tensor& x, int64_t classes = -1);

// ---- matrices (matmul.cpp) -----------------------------------------------------------------------------------
BOLIDE_API Tensor matmul(const Tensor& a, const Tensor& b);
BOLIDE_API Tensor mm(const Tensor& a, const Tensor& b);
BOLIDE_API Tensor bmm(const Tensor& a, const Tensor& b);
BOLIDE_API Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias);  // bias may be unset

// ---- neural networks (nn.cpp) --------------------------------------------------------------------------------
BOLIDE_API Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Dims& stride,
                         const Dims& padding, const Dims& dilation, int64_t groups);
BOLIDE_API ValuesIndices max_pool2d(const Tensor& x, const Dims& kernel, const Dims& stride, const Dims& padding,
                                    const Dims& dilation, bool ceil_mode);
BOLIDE_API Tensor softmax(const Tensor& x, int64_t dim, std::optional<DType> dtype = {});
BOLIDE_API Tensor log_softmax(const Tensor& x, int64_t dim, std::optional<DType> dtype = {});
enum class LossReduction : uint8_t { none, mean, sum };
BOLIDE_API Tensor nll_loss(const Tensor& log_probabilities, const Tensor& target, const Tensor& weight,
                           int64_t ignore_index, LossReduction reduction);
BOLIDE_API Tensor cross_entropy(const Tensor& logits, const Tensor& target, const Tensor& weight, int64_t ignore_index,
                                LossReduction reduction, double label_smoothing);
BOLIDE_API Tensor dropout(const Tensor& x, double p, bool training);
BOLIDE_API Tensor gelu(const Tensor& x, bool tanh_approximation);

// ---- random (random.cpp) -------------------------------------------------------------------------------------
BOLIDE_API void manual_seed(uint64_t seed);
BOLIDE_API uint64_t initial_seed();
// The generator's whole state: what get_rng_state and set_rng_state exchange.
struct RandomState {
  uint64_t seed, offset;
};
BOLIDE_API RandomState random_state();
BOLIDE_API void set_random_state(RandomState state);
BOLIDE_API Tensor rand(const Dims& sizes, Options options);
BOLIDE_API Tensor randn(const Dims& sizes, Options options);
BOLIDE_API Tensor randint(int64_t low, int64_t high, const Dims& sizes, Options options);
BOLIDE_API Tensor randperm(int64_t n, Options options);
BOLIDE_API void uniform_(const Tensor& self, double from, double to);
BOLIDE_API void normal_(const Tensor& self, double mean, double std);

// ---- distributions (distributions.cpp): made of the numbers above, in any real dtype of self -----------------
BOLIDE_API void exponential_(const Tensor& self, double rate);
BOLIDE_API void geometric_(const Tensor& self, double p);
BOLIDE_API void cauchy_(const Tensor& self, double median, double sigma);
BOLIDE_API void log_normal_(const Tensor& self, double mean, double std);
BOLIDE_API void random_(const Tensor& self, std::optional<int64_t> from, std::optional<int64_t> to);
BOLIDE_API Tensor bernoulli(const Tensor& probability);
BOLIDE_API void bernoulli_(const Tensor& self, const Arg& probability);
BOLIDE_API Tensor poisson(const Tensor& rate);
BOLIDE_API Tensor multinomial(const Tensor& weights, int64_t samples, bool replacement);

// ---- fused optimizer steps (optimizer.cpp) -------------------------------------------------------------------
struct SgdOptions {
  double lr = 1e-3, momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false, maximize = false, first_step = false;
};
BOLIDE_API void sgd_step(std::span<const Tensor> parameters, std::span<const Tensor> gradients,
                         std::span<const Tensor> momentum_buffers, const SgdOptions& options);
struct AdamOptions {
  int64_t step = 1;
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  bool decoupled = false, maximize = false;
};
BOLIDE_API void adam_step(std::span<const Tensor> parameters, std::span<const Tensor> gradients,
                          std::span<const Tensor> exp_avgs, std::span<const Tensor> exp_avg_sqs,
                          std::span<const Tensor> max_exp_avg_sqs, const AdamOptions& options);

}  // namespace bolide
