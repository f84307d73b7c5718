// test_training_kernels.cpp - softmax, cross entropy, random numbers, sequences and optimizer steps on the CUDA device
// beside the CPU's.
#include "kernel_support.h"

namespace bolide::test {
namespace {

// -------------------------------------------------------------------------------------------- rows of numbers
void run_softmax(DType dtype, bool logarithm, bool backward, int64_t rows, int64_t columns, bool unaligned) {
  Array x(dtype, rows * columns, unaligned), g(dtype, rows * columns), out(dtype, rows * columns, unaligned);
  x.fill_random(1, backward ? 0.01 : -5, backward ? 0.9 : 5), g.fill_random(2, -1, 1);
  on_both([&](bool on_cuda) {
    SoftmaxCall call;
    call.log = logarithm, call.backward = backward, call.dtype = dtype, call.rows = rows, call.columns = columns;
    call.x = x.data(on_cuda), call.g = g.data(on_cuda), call.out = out.data(on_cuda);
    if (on_cuda) call.stream = cuda_stream();
    kernels(on_cuda).softmax(call);
  });
  out.expect_equal("softmax " + std::to_string(columns) + " " + name_of(dtype), 16,
                   dtype == DType::F64   ? 1e-12
                   : dtype == DType::F32 ? 1e-4
                                         : 0.02);
}
TEST(CudaSoftmax, RowsOfAllLengths) {
  for (DType dtype : kFloats)
    for (bool logarithm : {false, true})
      for (bool backward : {false, true})
        for (int64_t columns : {1, 2, 10, 64, 1000, 1500, 8192, 9001})  // a warp's, a block's, and longer ones
          for (int64_t rows : {1, 7})
            for (bool unaligned : {false, true})
              if (rows * columns < 10000) run_softmax(dtype, logarithm, backward, rows, columns, unaligned);
}
TEST(CudaSoftmax, InfiniteNumbers) {
  const double inf = INFINITY;
  for (const std::vector<double>& row : {std::vector<double>{-inf, 0, 1, -inf}, {-inf, -inf}, {0, inf}, {NAN, 1}}) {
    Array x(DType::F32, 64), out(DType::F32, 64);
    x.set(row);
    on_both([&](bool on_cuda) {
      SoftmaxCall call;
      call.rows = 1, call.columns = 64, call.x = x.data(on_cuda), call.out = out.data(on_cuda);
      if (on_cuda) call.stream = cuda_stream();
      kernels(on_cuda).softmax(call);
    });
    out.expect_equal("softmax of infinite numbers", 8);
  }
}

struct CrossEntropyArrays {
  Array x, weight, target, losses, row_weights, log_sums, g, out;
  Reports reports;
  CrossEntropyArrays(DType dtype, int64_t rows, int64_t columns)
      : x(dtype, rows * columns), weight(dtype, columns), target(DType::I64, rows), losses(dtype, rows),
        row_weights(dtype, rows), log_sums(dtype == DType::F64 ? DType::F64 : DType::F32, rows), g(dtype, rows),
        out(dtype, rows * columns) {
    x.fill_random(1, -3, 3), weight.fill_random(2), target.fill_random(3, 0, double(columns) - 1);
    g.fill_random(4);
  }
  CrossEntropyCall call(bool on_cuda, bool logits, bool backward, bool weighted) {
    CrossEntropyCall c;
    c.backward = backward, c.logits = logits, c.dtype = x.dtype();
    c.rows = target.count(), c.columns = weight.count(), c.ignore_index = 2;
    c.x = x.data(on_cuda), c.target = target.as<int64_t>(on_cuda);
    if (weighted) c.weight = weight.data(on_cuda);
    c.losses = losses.data(on_cuda), c.row_weights = row_weights.data(on_cuda), c.log_sums = log_sums.data(on_cuda);
    c.g = g.data(on_cuda), c.g_stride = weighted ? 1 : 0;
    c.out = out.data(on_cuda), c.fault = reports.place(on_cuda);
    if (on_cuda) c.stream = cuda_stream();
    return c;
  }
};
TEST(CudaCrossEntropy, LossesAndGradients) {
  for (DType dtype : kFloats)
    for (bool logits : {true, false})
      for (bool weighted : {true, false})
        for (int64_t columns : {3, 10, 640, 1200, 9000}) {
          CrossEntropyArrays a(dtype, 9, columns);
          for (bool backward : {false, true})
            on_both([&](bool on_cuda) { kernels(on_cuda).cross_entropy(a.call(on_cuda, logits, backward, weighted)); });
          const std::string what = std::string("cross entropy ") + name_of(dtype) + " " + std::to_string(columns);
          const double absolute = dtype == DType::F64 ? 1e-12 : dtype == DType::F32 ? 1e-5 : 0.02;
          a.losses.expect_equal(what + " losses", 8, absolute);
          a.row_weights.expect_equal(what + " weights");
          a.out.expect_equal(what + " gradient", 8, absolute);
          EXPECT_FALSE(a.reports.expect_equal(what + " report"));
        }
}
TEST(CudaCrossEntropy, TheFirstWrongClassIsReported) {
  for (double wrong : {10.0, -1.0, 1e18}) {
    CrossEntropyArrays a(DType::F32, 300, 10);
    set_number(a.target.host(), DType::I64, 40, wrong), set_number(a.target.host(), DType::I64, 41, 99);
    a.target.upload();
    on_both([&](bool on_cuda) { kernels(on_cuda).cross_entropy(a.call(on_cuda, true, false, false)); });
    EXPECT_TRUE(a.reports.expect_equal("report of a wrong class"));
  }
}

// -------------------------------------------------------------------------------------------- random, arange
void run_random(RandomCall::Kind kind, DType dtype, int64_t count, double a, double b) {
  Array x(dtype, count), out(dtype, count, 1);
  x.fill_random(5);
  on_both([&](bool on_cuda) {
    RandomCall call;
    call.kind = kind, call.dtype = dtype, call.seed = 0x123456789abcdef, call.offset = 77, call.count = count;
    call.out = out.data(on_cuda), call.x = x.data(on_cuda), call.a = a, call.b = b;
    call.low = 3, call.range = kind == RandomCall::Integers && dtype == DType::Bool ? 1 : 100;
    if (on_cuda) call.stream = cuda_stream();
    kernels(on_cuda).random(call);
  });
  // Bits, uniform numbers, integers and dropout are the same everywhere; normals go through log, sin and cos.
  out.expect_equal("random " + std::to_string(int(kind)) + " " + name_of(dtype), kind == RandomCall::Normal ? 16 : 0,
                   kind == RandomCall::Normal ? 1e-6 : 0);
}
TEST(CudaRandom, TheSameNumbersAsOnTheCpu) {
  for (int64_t count : {1, 3, 1000, kSlow ? 999 : 100001})
    for (DType dtype : kFloats) {
      run_random(RandomCall::Uniform, dtype, count, -2, 3);
      run_random(RandomCall::Normal, dtype, count, 1, 0.5);
      for (double p : {0.0, 0.3, 1.0}) run_random(RandomCall::Dropout, dtype, count, p, 0);
    }
  for (DType dtype : kReal) run_random(RandomCall::Integers, dtype, 1003, 0, 0);
}
TEST(CudaRandom, Arange) {
  for (DType dtype : kReal) {
    if (dtype == DType::Bool) continue;
    Array out(dtype, 97);
    on_both([&](bool on_cuda) {
      ArangeCall call;
      call.dtype = dtype, call.start = 1.5, call.step = 0.25, call.integer_start = 5, call.integer_step = 1;
      call.count = 97, call.out = out.data(on_cuda);
      if (on_cuda) call.stream = cuda_stream();
      kernels(on_cuda).arange(call);
    });
    out.expect_equal(std::string("arange ") + name_of(dtype));
  }
}

// ------------------------------------------------------------------------------------------------ optimizers
struct ParameterArrays {
  std::vector<std::unique_ptr<Array>> arrays;  // parameter, gradient and three states for each
  ParameterArrays() {
    const DType dtypes[] = {DType::F32, DType::F16, DType::F64, DType::BF16};
    for (int i = 0; i < (kSlow ? 8 : 90); i++)  // more than one launch takes
      for (int k = 0; k < 5; k++) {
        const int64_t counts[] = {3, 257, 0, 5000};
        arrays.push_back(std::make_unique<Array>(dtypes[i % 7 == 0 ? i % 4 : 0], counts[i % 4]));
        arrays.back()->fill_random(unsigned(i * 5 + k), k == 0 ? -1 : 0.01, 1);
      }
  }
  int64_t count() const { return int64_t(arrays.size()) / 5; }
  Array& at(int64_t i, int k) { return *arrays[size_t(i * 5 + k)]; }
  void expect_equal(const std::string& what) {
    for (auto& a : arrays) a->expect_equal(what, 4, a->dtype() == DType::F32 ? 1e-6 : 1e-12);
  }
};
TEST(CudaOptimizer, SgdSteps) {
  for (int variant = 0; variant < 5; variant++) {
    ParameterArrays p;
    for (bool first : {true, false})
      on_both([&](bool on_cuda) {
        std::vector<SgdItem> items;
        for (int64_t i = 0; i < p.count(); i++)
          items.push_back({p.at(i, 0).dtype(), p.at(i, 0).count(), p.at(i, 0).data(on_cuda), p.at(i, 1).data(on_cuda),
                           variant == 0 ? nullptr : p.at(i, 2).data(on_cuda)});
        SgdCall call;
        call.items = items.data(), call.item_count = p.count(), call.lr = 0.1, call.first_step = first;
        call.momentum = variant ? 0.9 : 0, call.weight_decay = variant == 2 ? 0.01 : 0, call.nesterov = variant == 3;
        call.maximize = variant == 4, call.dampening = variant == 2 ? 0.5 : 0;
        if (on_cuda) call.stream = cuda_stream();
        kernels(on_cuda).sgd_step(call);
      });
    p.expect_equal("sgd variant " + std::to_string(variant));
  }
}
TEST(CudaOptimizer, AdamSteps) {
  for (int variant = 0; variant < 4; variant++) {
    ParameterArrays p;
    for (int64_t step : {1, 2, 3})
      on_both([&](bool on_cuda) {
        std::vector<AdamItem> items;
        for (int64_t i = 0; i < p.count(); i++)
          items.push_back({p.at(i, 0).dtype(), p.at(i, 0).count(), p.at(i, 0).data(on_cuda), p.at(i, 1).data(on_cuda),
                           p.at(i, 2).data(on_cuda), p.at(i, 3).data(on_cuda),
                           variant == 3 ? p.at(i, 4).data(on_cuda) : nullptr});
        AdamCall call;
        call.items = items.data(), call.item_count = p.count(), call.step = step, call.lr = 1e-2, call.eps = 1e-8;
        call.beta1 = 0.9, call.beta2 = 0.999, call.weight_decay = variant ? 0.1 : 0;
        call.decoupled = variant == 2, call.maximize = variant == 3;
        if (on_cuda) call.stream = cuda_stream();
        kernels(on_cuda).adam_step(call);
      });
    p.expect_equal("adam variant " + std::to_string(variant));
  }
}

}  // namespace
}  // namespace bolide::test
