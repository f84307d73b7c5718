// kernel_calls.h - what the op fronts ask of a device: one struct of plain pointers per kind of kernel.
//
// A kernel knows nothing of Tensor, autograd, promotion or broadcasting: the front has checked and done all
// that. Strides are in elements, one per dimension of the call, 0 where an operand is broadcast. Arrays that
// a comment calls dense are contiguous in row-major order. The result never overlaps an operand unless it is
// exactly the same array (in-place), which every elementwise-like kernel allows.
//
// To add a kind of kernel: a struct here, a line in kernels.def, a file of that name per device.
#pragma once
#include "kernels/dtype.h"

namespace bolide {

// A stream of the device, as its backend made it; null on the CPU, which works at once.
struct StreamHandle {
  void* handle = nullptr;
  int device = 0;
};

// What a kernel found wrong in the numbers themselves: an index or a class out of its range. It lies in host memory
// that the device can write to. On the CPU the front looks at it at once, on a device the next wait (runtime/blocking.h).
struct Fault {
  const char* op = nullptr;          // null: nothing was found
  const char* what = nullptr;        // "indices", "classes"
  int64_t value = 0, low = 0, high = 0;
  int claimed = 0;                   // a device's kernels: the first one reports
};

struct Operand {
  void* data = nullptr;              // null: a slot that is not read
  DType dtype = DType::F32;
  const int64_t* strides = nullptr;
};

inline constexpr int kMaxRank = 64;  // of a tensor; rows of kernels are collapsed first
inline constexpr int kMaxSlots = 5;  // g, three inputs, y

// ---- the op tables -----------------------------------------------------------------------------------------
enum class ElementwiseOp : uint8_t;  // kernels/op_list.h
enum class ReductionOp : uint8_t;
enum class RareOp : uint8_t;

struct ElementwiseCall {
  ElementwiseOp op{};
  int gradient = -1;                 // -1: forward on the inputs; k: gradient of input k on (g, inputs, y)
  Compute compute = Compute::F32;    // what the numbers are computed in; operands are converted
  Operand slots[kMaxSlots] = {};
  Operand out = {};                  // bool where the formula is a comparison
  uint32_t scalars = 0;              // bit per slot: its data is one number in *host* memory, of the compute
                                     // type's own dtype (float, int32, a complex one...), strides all 0
  int rank = 0;
  const int64_t* shape = nullptr;
  StreamHandle stream = {};
};

// out[kept] = reduction of in over the dimensions whose bit is set in `reduced`. `out` has a stride for
// every dimension of the input, 0 for the reduced ones. With `indices` (argmax, argmin) out is int64.
struct ReduceCall {
  ReductionOp op{};
  Compute compute = Compute::F32;
  Operand in = {}, out = {};
  int rank = 0;
  const int64_t* shape = nullptr;
  uint64_t reduced = 0;
  double parameter = 0;              // correction of var
  StreamHandle stream = {};
};

// out[i] = op(a[i], b[i]); dense.
struct RareCall {
  RareOp op{};
  int64_t count = 0;
  const double *a = nullptr, *b = nullptr;  // b: null where the function has one argument
  double* out = nullptr;
  StreamHandle stream = {};
};

// out[o, i, j] = x[o, 0, j] combined with all up to x[o, i, j]; dense arrays of outer x n x inner.
struct ScanCall {
  enum Kind : uint8_t { Sum, Product, Largest, Smallest, LogSumExp } kind = Sum;
  bool reverse = false;              // from the end to the beginning
  DType dtype = DType::F32, out_dtype = DType::F32;  // computed in double or int64
  int64_t outer = 1, n = 1, inner = 1;
  const void* x = nullptr;
  void* out = nullptr;
  int64_t* places = nullptr;         // which element along n each result is, or null
  StreamHandle stream = {};
};

// out[o, :, j] = scale * the Fourier transform of x[o, :, j]; dense arrays of outer x n x inner. Real and ToReal, which
// have n real numbers on one side and n / 2 + 1 complex ones on the other, have an inner of 1.
struct FftCall {
  enum Kind : uint8_t { Forward, Inverse, Real, ToReal } kind = Forward;
  DType dtype = DType::C64;          // of the complex side
  int64_t outer = 1, n = 1, inner = 1;
  double scale = 1;
  const void* x = nullptr;
  void* out = nullptr;               // may be x, of a complex transform
  StreamHandle stream = {};
};

// ---- moves -------------------------------------------------------------------------------------------------
struct CopyCall {                    // out = in, converted; any strides
  Operand in = {}, out = {};
  bool scalar = false;               // in.data is one number in *host* memory, strides all 0 (a fill)
  int rank = 0;
  const int64_t* shape = nullptr;
  StreamHandle stream = {};
};

// Rows of `inner` elements at offsets[i] (in elements) of a larger array, and rows of a dense one:
//   take: values[i, :] = array[offsets[i] + inner_offset(j)]
//   put:  array[...] = values[i, :], in order (the last write to a place wins)
//   add:  array[...] += values[i, :], in order, so that the result is the same on every run
//   multiply, max, min: likewise (NaN wins; not for complex numbers)
struct IndexCall {
  enum Mode : uint8_t { Take, Put, Add, Multiply, Max, Min } mode = Take;
  DType dtype = DType::F32;
  void* array = nullptr;
  const int64_t* offsets = nullptr;  // dense, `count` of them, from index_offsets
  const struct IndexOffsetsCall* find = nullptr;  // or how to find them, of single elements (the CPU)
  int64_t count = 0;
  int64_t parts = 1;                 // the rows are this many equal parts, one after the other, that share no place
  int inner_rank = 0;                // dimensions of the array that are not indexed
  const int64_t* inner_shape = nullptr;
  const int64_t* inner_strides = nullptr;
  void* values = nullptr;            // dense: count x inner
  StreamHandle stream = {};
};

// offsets[i] = base(i) + sum over k of wrap(indices[k][i], sizes[k]) * strides[k]. The first index out of range is
// reported; its offset is -1, for which IndexCall takes zeros and writes nothing.
struct IndexOffsetsCall {
  const char* op = "index";          // for the report
  int keys = 0;
  Operand indices[kMaxRank] = {};    // int64 or int32 or uint8, broadcast to `shape`
  int64_t sizes[kMaxRank] = {};
  int64_t strides[kMaxRank] = {};
  bool wraps = true;                 // may indices count from the end?
  int rank = 0;
  const int64_t* shape = nullptr;
  const int64_t* base_strides = nullptr;  // of base(i), where element i of `shape` counts from; null: 0
  int64_t* offsets = nullptr;        // dense; null: indices are only looked at (the CPU)
  Fault* fault = nullptr;
  StreamHandle stream = {};
};

// ---- matrices, images --------------------------------------------------------------------------------------
// c[b] = a[b] @ b[b] (+ c[b] if accumulate), for each of `batch` matrices: m x k times k x n.
struct MatmulCall {
  DType dtype = DType::F32;          // of a, b and c; half types accumulate in float
  int64_t batch = 1, m = 0, n = 0, k = 0;
  const void *a = nullptr, *b = nullptr;
  void* c = nullptr;
  int64_t a_batch = 0, a_row = 0, a_column = 0;  // strides; any
  int64_t b_batch = 0, b_row = 0, b_column = 0;
  int64_t c_batch = 0, c_row = 0;                // columns of c are adjacent
  const void* bias = nullptr;        // n elements added to every row, or null; not with accumulate
  bool accumulate = false;
  StreamHandle stream = {};
};

// 2-d convolution of dense NCHW images (cross-correlation, as everywhere in the field).
struct ConvolutionCall {
  enum Mode : uint8_t { Forward, InputGradient, WeightGradient } mode = Forward;
  DType dtype = DType::F32;
  int64_t images = 0, in_channels = 0, height = 0, width = 0;
  int64_t out_channels = 0, kernel_height = 0, kernel_width = 0, out_height = 0, out_width = 0;
  int64_t stride[2] = {1, 1}, padding[2] = {}, dilation[2] = {1, 1}, groups = 1;
  // input: images x in_channels x height x width; weight: out_channels x in_channels/groups x kh x kw;
  // output: images x out_channels x oh x ow. The one that the mode names is written, the others are read.
  void *input = nullptr, *weight = nullptr, *output = nullptr;
  const void* bias = nullptr;        // out_channels, forward only, or null
  StreamHandle stream = {};
};

// Largest of each window; `indices` gets the place (y * width + x) within the input plane. NaN wins.
struct MaxPoolCall {
  bool backward = false;             // then input (zeroed by the kernel) gets output's gradient at indices
  DType dtype = DType::F32;
  int64_t planes = 0, height = 0, width = 0, out_height = 0, out_width = 0;
  int64_t kernel[2] = {}, stride[2] = {}, padding[2] = {}, dilation[2] = {1, 1};
  void *input = nullptr, *output = nullptr;  // dense
  int64_t* indices = nullptr;        // dense, as output
  StreamHandle stream = {};
};

// ---- rows --------------------------------------------------------------------------------------------------
// (log-)softmax over the last dimension of dense rows; backward: x is y, gradient g, result into out.
struct SoftmaxCall {
  bool log = false, backward = false;
  DType dtype = DType::F32;
  int64_t rows = 0, columns = 0;
  const void *x = nullptr, *g = nullptr;  // forward: input; backward: output y and its gradient g
  void* out = nullptr;
  StreamHandle stream = {};
};

// Cross entropy of rows of logits with class numbers, in one pass: losses[r] = weight[t] * (log_sum_exp -
// x[t]), 0 where t == ignore_index. backward: out[r, :] = g_rows[r] * weight[t] * (softmax(x) - onehot(t)).
// The first target outside [0, columns) that is not ignore_index is reported; its row counts as ignored.
struct CrossEntropyCall {
  const char* op = "cross_entropy";  // for the report
  bool backward = false;
  bool logits = true;                // false: x are log-probabilities (nll_loss), no softmax
  DType dtype = DType::F32;
  int64_t rows = 0, columns = 0, ignore_index = -100;
  const void* x = nullptr;           // dense rows
  const int64_t* target = nullptr;
  const void* weight = nullptr;      // one per class, or null
  void* losses = nullptr;            // forward: one per row
  void* row_weights = nullptr;       // forward: weight of each row's class (0 if ignored), for the mean
  void* log_sums = nullptr;          // forward writes, backward reads; one per row (logits only), compute type
  const void* g = nullptr;           // backward: gradient of each row's loss
  int64_t g_stride = 1;              // 0: the same for all rows
  void* out = nullptr;               // backward
  Fault* fault = nullptr;            // null in the backward of what was checked
  StreamHandle stream = {};
};

// ---- sorted rows -------------------------------------------------------------------------------------------
// The first `kept` of each dense row in order, stable; NaN is the largest number.
struct SortCall {
  DType dtype = DType::F32;
  int64_t rows = 0, columns = 0, kept = 0;
  bool descending = false;
  bool last_only = false;            // only the last that is kept: a single column
  const void* x = nullptr;
  void* values = nullptr;            // rows x kept, or null
  int64_t* indices = nullptr;        // rows x kept, or null
  StreamHandle stream = {};
};
// Where each x would stand in its row of sorted numbers: before equal ones, with `right` behind them.
struct SearchCall {
  DType dtype = DType::F32;          // of both
  int64_t rows = 0, columns = 0, values_per_row = 0;
  bool right = false, shared = false;  // shared: one sorted row for all
  const void *sorted = nullptr, *x = nullptr;
  const int64_t* order = nullptr;    // the places of a row in its order, where it is not sorted itself, or null
  int64_t* out = nullptr;            // as x
  StreamHandle stream = {};
};

// ---- linear algebra: LAPACK on a batch of dense matrices, one after the other ---------------------------------
// Matrices are in LAPACK's order, column after column. What each kind reads and writes: kernels/cpu/lapack.cpp.
struct LapackCall {
  enum Kind : uint8_t {  // clang-format off
    Lu, LuSolve, Ldl, LdlSolve, Cholesky, CholeskyInverse, Triangular, Qr, Householder, Eigh, Eig, Svd
  } kind = Lu;  // clang-format on
  DType dtype = DType::F32;          // float32, float64, complex64 or complex128
  int64_t batch = 0, m = 0, n = 0, k = 0;
  bool upper = false, unit = false;  // which triangle; are there ones on its diagonal?
  bool vectors = true, full = false; // of Eigh, Eig, Svd: are they wanted? Of Svd: all of them?
  char trans = 'N';                  // 'N', 'T', 'C': of what is solved with; of Ldl: what a is equal to, 'T' or 'C'
  void* a = nullptr;                 // batch x (m x n), in and out
  void *b = nullptr, *c = nullptr, *d = nullptr;  // more matrices or vectors
  int32_t* pivots = nullptr;         // batch x min(m, n), from 1
  int32_t* info = nullptr;           // batch: 0, or what LAPACK says about the matrix
  StreamHandle stream = {};
};

// ---- random ------------------------------------------------------------------------------------------------
// Philox 4x32-10 keyed by (seed, offset, element index): the same numbers on every device, in any order.
struct RandomCall {
  enum Kind : uint8_t { Uniform, Normal, Integers, Dropout, Poisson } kind = Uniform;
  DType dtype = DType::F32;
  uint64_t seed = 0, offset = 0;
  int64_t count = 0;
  void* out = nullptr;               // dense
  double a = 0, b = 1;               // Uniform: [a, b); Normal: mean, standard deviation; Dropout: p
  int64_t low = 0;                   // Integers: [low, low + range)
  uint64_t range = 0;
  const void* x = nullptr;           // Dropout: out = x * keep / (1 - p); for the gradient again, on g
                                     // Poisson: the rates; float64, as out
  StreamHandle stream = {};
};
struct ArangeCall {                  // out[i] = start + i * step (integers exactly)
  bool backwards = false;            // out[count - 1 - i], for floating-point dtypes
  DType dtype = DType::F32;
  double start = 0, step = 1;
  int64_t integer_start = 0, integer_step = 1;
  int64_t count = 0;
  void* out = nullptr;
  StreamHandle stream = {};
};

// ---- optimizer steps: every parameter of a list in one call; all arrays dense, of one dtype per item --------
struct SgdItem {
  DType dtype = DType::F32;
  int64_t count = 0;
  void* parameter = nullptr;
  const void* gradient = nullptr;
  void* momentum_buffer = nullptr;   // null without momentum
};
struct SgdCall {
  const SgdItem* items = nullptr;
  int64_t item_count = 0;
  double lr = 0, momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false, maximize = false, first_step = false;
  StreamHandle stream = {};
};
struct AdamItem {
  DType dtype = DType::F32;
  int64_t count = 0;
  void* parameter = nullptr;
  const void* gradient = nullptr;
  void *exp_avg = nullptr, *exp_avg_sq = nullptr;
  void* max_exp_avg_sq = nullptr;    // null without amsgrad
};
struct AdamCall {
  const AdamItem* items = nullptr;
  int64_t item_count = 0;
  int64_t step = 1;
  double lr = 0, beta1 = 0, beta2 = 0, eps = 0, weight_decay = 0;
  bool decoupled = false;            // AdamW
  bool maximize = false;
  StreamHandle stream = {};
};

}  // namespace bolide
