// test_kernels.cpp - kernels on the CUDA device beside the CPU's: reductions, copies, indexing, matrix products and
// images.
#include "kernel_support.h"
#include "kernels/op_list.h"

namespace bolide::test {
namespace {

// ------------------------------------------------------------------------------------------------ reductions
struct ReduceCase {
  std::vector<int64_t> shape;
  uint64_t reduced;
  View (*layout)(std::vector<int64_t>);
};
void run_reduction(ReductionOp op, DType in_dtype, DType out_dtype, Compute compute, const ReduceCase& c, double low) {
  const View in_view = c.layout(c.shape);
  std::vector<int64_t> kept = c.shape, out_strides(c.shape.size());
  int64_t results = 1;
  for (size_t d = c.shape.size(); d-- > 0;) {
    const bool reduced = c.reduced >> d & 1;
    out_strides[d] = reduced ? 0 : results;
    if (!reduced) results *= c.shape[d];
  }
  Array in(in_dtype, in_view.extent()), out(out_dtype, results);
  in.fill_random(7, low, 1.25);
  const bool done = both_can([&](bool on_cuda) {
    ReduceCall call;
    call.op = op, call.compute = compute, call.parameter = 1;
    call.in = in.operand(on_cuda, in_view.strides.data());
    call.out = out.operand(on_cuda, out_strides.data());
    call.rank = int(c.shape.size()), call.shape = c.shape.data(), call.reduced = c.reduced;
    if (on_cuda) call.stream = cuda_stream();
    kernels(on_cuda).reduce(call);
  });
  if (!done) return;
  std::string what = "reduction " + std::to_string(int(op)) + " of " + name_of(in_dtype) + " [";
  for (int64_t size : c.shape) what += std::to_string(size) + " ";
  // Sums are added in another order: the error grows with the logarithm of the number of elements.
  out.expect_equal(what + "] dims " + std::to_string(c.reduced), is_float(out_dtype) ? 64 : 0, 1e-6);
}
bool gives_place(ReductionOp op) { return op == ReductionOp::argmax || op == ReductionOp::argmin; }
bool gives_bool(ReductionOp op) { return op == ReductionOp::any || op == ReductionOp::all; }

// clang-format off
const std::vector<ReduceCase> kReduceCases = {
    {{5}, 1, dense},             {{1}, 1, dense},            {{0}, 1, dense},           {{3, 0, 2}, 2, dense},
    {{40, 700}, 2, dense},       {{40, 700}, 1, dense},      {{40, 700}, 3, dense},     {{37, 90}, 2, transposed},
    {{6, 7, 8}, 2, dense},       {{6, 7, 8}, 5, dense},      {{6, 7, 8}, 5, transposed}, {{9, 65}, 2, sliced},
    {{9, 65}, 1, sliced},        {{70001}, 1, dense},        {{3, 40000}, 2, dense},    {{5000, 12}, 1, dense},
    {{2, 2000}, 2, dense},       {{4, 1, 33}, 6, dense},     {{2, 3, 4, 5}, 10, transposed}};
// clang-format on

TEST(CudaReduce, EveryReductionEveryDtypeEveryLayout) {
  for (int op = 0; op < int(ReductionOp::kCount); op++)
    for (DType dtype : kReal)
      for (const ReduceCase& c : kReduceCases) {
        const ReductionOp which = ReductionOp(op);
        const bool empty = dense(c.shape).count() == 0;
        if (gives_place(which) && empty) continue;  // raised by the front
        if (kSlow && (dense(c.shape).count() > 3000 || op % 4)) continue;
        const bool product = which == ReductionOp::prod;
        const DType out = gives_place(which)  ? DType::I64
                          : gives_bool(which) ? DType::Bool
                          : is_float(dtype)   ? dtype
                                              : DType::I64;
        const Compute compute =
            is_float(dtype) || gives_bool(which) || gives_place(which) ? compute_type(dtype) : Compute::I64;
        run_reduction(which, dtype, out, compute, c, product ? 1 : -2);
        if (::testing::Test::HasFailure()) return;
      }
}

// Equal bits in every run, and from an address that is not a multiple of 16.
TEST(CudaReduce, SumsDoNotDependOnTheAddress) {
  const View v = dense({kSlow ? 1003 : 100003});
  const int64_t zero[] = {0};
  std::vector<char> results[4];
  for (int i = 0; i < 4; i++) {
    Array in(DType::F32, v.count(), i % 2), out(DType::F32, 1);
    in.fill_random(3, -1, 1);
    ReduceCall call;
    call.op = ReductionOp::sum;
    call.in = in.operand(true, v.strides.data()), call.out = out.operand(true, zero);
    call.rank = 1, call.shape = v.shape.data(), call.reduced = 1, call.stream = cuda_stream();
    kernels(true).reduce(call);
    results[i] = out.download();
  }
  for (int i = 1; i < 4; i++) EXPECT_EQ(results[0], results[i]);
}

TEST(CudaReduce, NanWinsAndTheFirstOfEqualsIsFound) {
  const double nan = std::nan("");
  const View v = dense({1, 400});
  const int64_t zeros[] = {0, 0};
  for (const std::vector<double>& values :
       {std::vector<double>{1, 3, 2, 3}, {1, nan, 5, nan}, {-0.0, 0.0, -0.0}, {nan}})
    for (ReductionOp op : {ReductionOp::argmax, ReductionOp::argmin, ReductionOp::amax, ReductionOp::amin}) {
      Array in(DType::F32, 400), out(gives_place(op) ? DType::I64 : DType::F32, 1);
      in.set(values);
      on_both([&](bool on_cuda) {
        ReduceCall call;
        call.op = op;
        call.in = in.operand(on_cuda, v.strides.data()), call.out = out.operand(on_cuda, zeros);
        call.rank = 2, call.shape = v.shape.data(), call.reduced = 2;
        if (on_cuda) call.stream = cuda_stream();
        kernels(on_cuda).reduce(call);
      });
      out.expect_equal("reduction " + std::to_string(int(op)));
    }
}

// ---------------------------------------------------------------------------------------------------- copies
void run_copy(DType from, DType to, const View& in_view, const View& out_view, int64_t offset = 0) {
  Array in(from, in_view.extent(), offset), out(to, out_view.extent(), offset);
  in.fill_random(3, from == DType::U8 || to == DType::U8 || !is_float(to) ? 0 : -3, 100);
  on_both([&](bool on_cuda) {
    CopyCall call;
    call.in = in.operand(on_cuda, in_view.strides.data()), call.out = out.operand(on_cuda, out_view.strides.data());
    call.rank = int(in_view.shape.size()), call.shape = in_view.shape.data();
    if (on_cuda) call.stream = cuda_stream();
    kernels(on_cuda).copy(call);
  });
  out.expect_equal(std::string("copy ") + name_of(from) + " to " + name_of(to));
}
TEST(CudaCopy, EveryPairOfDtypes) {
  std::vector<DType> all = kReal;
  all.push_back(DType::C64), all.push_back(DType::C128);
  for (DType from : all)
    for (DType to : all) {
      run_copy(from, to, dense({5, 41}), dense({5, 41}));
      run_copy(from, to, transposed({5, 41}), sliced({5, 41}));
    }
}
TEST(CudaCopy, LayoutsAndTransposes) {
  for (DType dtype : {DType::U8, DType::F16, DType::F32, DType::F64, DType::C128}) {
    run_copy(dtype, dtype, transposed({65, 100}), dense({65, 100}));
    run_copy(dtype, dtype, dense({3, 64, 33}), transposed({3, 64, 33}), 1);
    View swapped = dense({4, 50, 40});
    swapped.strides = {2000, 1, 50};
    run_copy(dtype, dtype, swapped, dense({4, 50, 40}));
    View row = dense({30, 20});
    row.strides = {0, 1};
    run_copy(dtype, dtype, row, dense({30, 20}));
    run_copy(dtype, dtype, dense({}), dense({}));
    run_copy(dtype, dtype, dense({0, 4}), dense({0, 4}));
  }
}
TEST(CudaCopy, FillsFromANumberOfTheHost) {
  std::vector<DType> all = kReal;
  all.push_back(DType::C64);
  for (DType dtype : all)
    for (double value : {0.0, 1.0, 3.0})
      for (const View& v : {dense({67}), sliced({9, 7})}) {
        Array out(dtype, v.extent());
        const int64_t zeros[] = {0, 0};
        on_both([&](bool on_cuda) {
          CopyCall call;
          call.scalar = true;
          call.in = {const_cast<double*>(&value), DType::F64, zeros};
          call.out = out.operand(on_cuda, v.strides.data());
          call.rank = int(v.shape.size()), call.shape = v.shape.data();
          if (on_cuda) call.stream = cuda_stream();
          kernels(on_cuda).copy(call);
        });
        out.expect_equal(std::string("fill ") + name_of(dtype));
      }
}

// -------------------------------------------------------------------------------------------------- indexing
void run_index(IndexCall::Mode mode, DType dtype, int64_t rows, int64_t count, int64_t inner, bool strided) {
  Array array(dtype, rows * inner * 2), values(dtype, count * inner), offsets(DType::I64, count);
  array.fill_random(1, 0, 9), values.fill_random(2, 0, 9);
  std::vector<double> places;
  for (int64_t i = 0; i < count; i++) places.push_back(double((i * 7 + i * i * 3) % rows * inner * (strided ? 1 : 2)));
  offsets.set(places);
  const int64_t shape[] = {inner}, strides[] = {strided ? rows : 1};
  on_both([&](bool on_cuda) {
    IndexCall call;
    call.mode = mode, call.dtype = dtype, call.count = count;
    call.array = array.data(on_cuda), call.values = values.data(on_cuda), call.offsets = offsets.as<int64_t>(on_cuda);
    call.inner_rank = 1, call.inner_shape = shape, call.inner_strides = strides;
    if (on_cuda) call.stream = cuda_stream();
    kernels(on_cuda).index(call);
  });
  const std::string what =
      "index mode " + std::to_string(int(mode)) + " " + name_of(dtype) + " " + std::to_string(count);
  const bool sums_of_halves = mode == IndexCall::Add && item_size(dtype) == 2 && is_float(dtype);
  values.expect_equal(what);
  array.expect_equal(what, sums_of_halves ? double(count) : mode == IndexCall::Add ? 4 : 0);
}
TEST(CudaIndex, TakePutAdd) {
  std::vector<DType> all = kReal;
  all.push_back(DType::C64), all.push_back(DType::C128);
  for (auto mode : {IndexCall::Take, IndexCall::Put, IndexCall::Add})
    for (DType dtype : all) {
      run_index(mode, dtype, 11, 1, 3, false);
      run_index(mode, dtype, 11, 50, 5, false);
      run_index(mode, dtype, 5, 37, 1, false);
    }
  for (auto mode : {IndexCall::Take, IndexCall::Put, IndexCall::Add}) {
    run_index(mode, DType::F32, 100, 0, 4, false);
    if (!kSlow) run_index(mode, DType::F32, 300, 5000, 3, false);  // several tiles of the sort
    run_index(mode, DType::I64, 7, 2049, 2, false);
  }
}
void run_offsets(int64_t columns) {
  const View v = dense({3, columns});
  const int64_t row[] = {0, 1}, column[] = {1, 0};
  for (double bad : {0.0, 20.0, -8.0}) {
    Array a(DType::I64, columns), b(DType::I32, 3), c(DType::U8, columns), d(DType::I64, 3), e(DType::I64, columns);
    Array offsets(DType::I64, v.count());
    Reports reports;
    a.fill_random(1, -7, 6), b.fill_random(2, -7, 6), c.fill_random(3, 0, 6), d.fill_random(4, -7, 6);
    e.fill_random(5, 0, 6);
    if (bad != 0) set_number(d.host(), DType::I64, 2, bad), d.upload();
    on_both([&](bool on_cuda) {
      IndexOffsetsCall call;
      call.keys = 5;
      Array* keys[] = {&a, &b, &c, &d, &e};
      for (int k = 0; k < 5; k++) {
        call.indices[k] = keys[k]->operand(on_cuda, k == 1 || k == 3 ? column : row);
        call.sizes[k] = 7, call.strides[k] = 1 + k * 100;
      }
      call.rank = 2, call.shape = v.shape.data();
      call.offsets = offsets.as<int64_t>(on_cuda), call.fault = reports.place(on_cuda);
      if (on_cuda) call.stream = cuda_stream();
      kernels(on_cuda).index_offsets(call);
    });
    EXPECT_EQ(reports.expect_equal("report"), bad != 0);
    if (bad == 0) offsets.expect_equal("offsets");
  }
}
TEST(CudaIndex, OffsetsWrapAndTheFirstBadIndexIsReported) {
  for (int64_t columns : {5, 500, 1000}) run_offsets(columns);  // by a warp, a block, many blocks
}

TEST(CudaIndex, NoKeysAreOffsetsOfZero) {
  Array offsets(DType::I64, 1);
  Reports reports;
  on_both([&](bool on_cuda) {
    IndexOffsetsCall call;
    call.offsets = offsets.as<int64_t>(on_cuda), call.fault = reports.place(on_cuda);
    if (on_cuda) call.stream = cuda_stream();
    kernels(on_cuda).index_offsets(call);
  });
  offsets.expect_equal("offsets");
  EXPECT_FALSE(reports.expect_equal("report"));
}

// -------------------------------------------------------------------------------------------------- matrices
struct MatmulCase {
  int64_t batch, m, n, k;
  bool transpose_a, transpose_b, bias, accumulate, awkward, one_b;
};
void run_matmul(DType dtype, const MatmulCase& c) {
  const int64_t gap = c.awkward ? 2 : 1;  // no adjacent dimension at all
  // Transposed ones also start off 16 bytes: the algorithm must be chosen for that.
  Array a(dtype, c.batch * c.m * c.k * gap + 1, c.transpose_a), b(dtype, c.batch * c.k * c.n * gap + 1, c.transpose_b);
  Array bias(dtype, c.n + 1), out(dtype, c.batch * c.m * c.n + 1, c.accumulate);
  const double low = is_float(dtype) || is_complex(dtype) ? -1 : 0;
  a.fill_random(1, low, 1), b.fill_random(2, low, 1), bias.fill_random(3, low, 1), out.fill_random(4, low, 1);
  on_both([&](bool on_cuda) {
    MatmulCall call;
    call.dtype = dtype, call.batch = c.batch, call.m = c.m, call.n = c.n, call.k = c.k;
    call.a = a.data(on_cuda), call.b = b.data(on_cuda), call.c = out.data(on_cuda);
    call.a_batch = c.m * c.k * gap, call.b_batch = c.one_b ? 0 : c.k * c.n * gap, call.c_batch = c.m * c.n;
    call.a_row = c.transpose_a ? gap : c.k * gap, call.a_column = c.transpose_a ? c.m * gap : gap;
    call.b_row = c.transpose_b ? gap : c.n * gap, call.b_column = c.transpose_b ? c.k * gap : gap;
    call.c_row = c.n, call.accumulate = c.accumulate;
    if (c.bias) call.bias = bias.data(on_cuda);
    if (on_cuda) call.stream = cuda_stream();
    kernels(on_cuda).matmul(call);
  });
  out.expect_equal(std::string("matmul ") + name_of(dtype) + " " + std::to_string(c.m) + "x" + std::to_string(c.k) +
                       "x" + std::to_string(c.n),
                   16, dtype == DType::F64 ? 1e-12 : 1e-4);
}
TEST(CudaMatmul, ShapesStridesBiasAndAccumulation) {
  // clang-format off
  const std::vector<MatmulCase> cases = {
      {1, 5, 7, 3, false, false, false, false, false, false}, {1, 33, 20, 65, true, false, true, false, false, false},
      {1, 8, 9, 10, false, true, false, true, false, false},  {3, 4, 5, 6, true, true, false, false, false, false},
      {3, 4, 5, 6, false, false, true, false, false, true},   {2, 7, 3, 4, false, false, false, true, true, false},
      {2, 7, 3, 4, false, false, true, false, true, true},    {1, 1, 6, 5, false, false, true, false, false, false},
      {1, 6, 1, 5, false, false, false, false, false, false}, {1, 6, 5, 1, true, true, true, false, false, false},
      {1, 4, 3, 0, false, false, true, false, false, false},  {1, 4, 3, 0, false, false, false, true, false, false},
      {0, 4, 3, 2, false, false, false, false, false, false}, {2, 0, 3, 2, false, false, false, false, false, false},
      {1, 130, 70, 50, false, false, false, false, false, false}};
  // clang-format on
  for (DType dtype : {DType::F32, DType::F64, DType::F16, DType::BF16, DType::I64, DType::I32, DType::U8, DType::C64})
    for (const MatmulCase& c : cases)
      if (!(c.bias && (is_integer(dtype) || is_complex(dtype)))) run_matmul(dtype, c);
}

// ---------------------------------------------------------------------------------------------------- images
struct ImageCase {
  int64_t images, channels, out_channels, height, width, kernel, stride, padding, dilation, groups;
};
void run_convolution(DType dtype, const ImageCase& c, ConvolutionCall::Mode mode, bool with_bias) {
  ConvolutionCall shape;
  shape.mode = mode, shape.dtype = dtype, shape.images = c.images, shape.in_channels = c.channels;
  shape.height = c.height, shape.width = c.width, shape.out_channels = c.out_channels, shape.groups = c.groups;
  shape.kernel_height = shape.kernel_width = c.kernel;
  for (int i = 0; i < 2; i++) shape.stride[i] = c.stride, shape.padding[i] = c.padding, shape.dilation[i] = c.dilation;
  const auto outputs = [&](int64_t size) {
    return (size + 2 * c.padding - c.dilation * (c.kernel - 1) - 1) / c.stride + 1;
  };
  shape.out_height = outputs(c.height), shape.out_width = outputs(c.width);
  Array input(dtype, c.images * c.channels * c.height * c.width + 1), bias(dtype, c.out_channels);
  Array weight(dtype, c.out_channels * c.channels / c.groups * c.kernel * c.kernel);
  Array output(dtype, c.images * c.out_channels * shape.out_height * shape.out_width + 1);
  input.fill_random(1, -1, 1), weight.fill_random(2, -1, 1), bias.fill_random(3, -1, 1), output.fill_random(4, -1, 1);
  on_both([&](bool on_cuda) {
    ConvolutionCall call = shape;
    call.input = input.data(on_cuda), call.weight = weight.data(on_cuda), call.output = output.data(on_cuda);
    if (with_bias) call.bias = bias.data(on_cuda);
    if (on_cuda) call.stream = cuda_stream();
    kernels(on_cuda).convolution(call);
  });
  const double absolute = dtype == DType::F64 ? 1e-12 : dtype == DType::F32 ? 1e-4 : dtype == DType::F16 ? 0.01 : 0.1;
  const std::string what = "convolution mode " + std::to_string(int(mode)) + " " + name_of(dtype) + " kernel " +
                           std::to_string(c.kernel) + " groups " + std::to_string(c.groups);
  for (Array* a : {&input, &weight, &output}) a->expect_equal(what, 16, absolute);
}
TEST(CudaImages, ConvolutionAndItsGradients) {
  // clang-format off
  const std::vector<ImageCase> cases = {{2, 3, 4, 9, 8, 3, 1, 1, 1, 1}, {3, 4, 6, 7, 7, 3, 2, 0, 1, 2},
                                        {1, 2, 2, 9, 10, 2, 3, 2, 2, 1}, {2, 6, 6, 5, 5, 1, 1, 0, 1, 6},
                                        {0, 2, 3, 5, 5, 3, 1, 1, 1, 1},  {2, 1, 5, 28, 28, 5, 1, 2, 1, 1}};
  // clang-format on
  for (DType dtype : kFloats)
    for (const ImageCase& c : cases)
      if (!(kSlow && c.height > 20))
        for (auto mode : {ConvolutionCall::Forward, ConvolutionCall::InputGradient, ConvolutionCall::WeightGradient})
          run_convolution(dtype, c, mode, mode == ConvolutionCall::Forward && c.padding > 0);
}
void run_max_pool(DType dtype, const ImageCase& c) {
  MaxPoolCall shape;
  shape.dtype = dtype, shape.planes = c.images * c.channels, shape.height = c.height, shape.width = c.width;
  for (int i = 0; i < 2; i++)
    shape.kernel[i] = c.kernel, shape.stride[i] = c.stride, shape.padding[i] = c.padding,
    shape.dilation[i] = c.dilation;
  const auto outputs = [&](int64_t size) {
    return (size + 2 * c.padding - c.dilation * (c.kernel - 1) - 1) / c.stride + 1;
  };
  shape.out_height = outputs(c.height), shape.out_width = outputs(c.width);
  const int64_t outs = shape.planes * shape.out_height * shape.out_width;
  Array input(dtype, shape.planes * c.height * c.width), output(dtype, outs), indices(DType::I64, outs);
  input.fill_random(1, -4, 4);  // half types have equal ones
  for (bool backward : {false, true}) {
    on_both([&](bool on_cuda) {
      MaxPoolCall call = shape;
      call.backward = backward;
      call.input = input.data(on_cuda), call.output = output.data(on_cuda), call.indices = indices.as<int64_t>(on_cuda);
      if (on_cuda) call.stream = cuda_stream();
      kernels(on_cuda).max_pool(call);
    });
    const std::string what = std::string("max_pool2d ") + name_of(dtype) + (backward ? " gradient" : "");
    output.expect_equal(what), indices.expect_equal(what + " indices");
    input.expect_equal(what + " input", 2);
    if (!backward) output.fill_random(2, -1, 1);
  }
}
TEST(CudaImages, MaxPoolAndItsGradient) {
  for (DType dtype : kFloats)
    for (const ImageCase& c : std::vector<ImageCase>{{2, 3, 0, 8, 8, 2, 2, 0, 1, 1},
                                                     {1, 2, 0, 9, 7, 3, 2, 1, 1, 1},
                                                     {1, 1, 0, 11, 10, 2, 1, 0, 3, 1},
                                                     {2, 2, 0, 5, 5, 3, 1, 1, 2, 1}})
      run_max_pool(dtype, c);
}

}  // namespace
}  // namespace bolide::test
