// test_elementwise.cpp - every line of elementwise.def on the CUDA device beside the CPU kernel: forward and all
// gradients, every dtype, dense and strided, aligned or not, with scalars, mixed dtypes and single elements.
#include "kernels/op_list.h"
#include "kernel_support.h"

namespace bolide::test {
namespace {

// How the operands of a case lie; the names are printed on failure.
// Packed ones have rows of whole packs: broadcast along one dimension or the other, or with gaps between them.
enum class Case {
  Dense,
  Unaligned,
  Odd,
  Transposed,
  RowBroadcast,
  PackedRow,
  PackedColumn,
  PackedGaps,
  Scalar,
  Single,
  Mixed,
  Half
};
constexpr Case kCases[] = {Case::Dense,        Case::Unaligned, Case::Odd,          Case::Transposed,
                           Case::RowBroadcast, Case::PackedRow, Case::PackedColumn, Case::PackedGaps,
                           Case::Scalar,       Case::Single,    Case::Mixed,        Case::Half};
constexpr const char* kCaseNames[] = {"dense",         "unaligned",  "odd",           "transposed",
                                      "row broadcast", "packed row", "packed column", "packed gaps",
                                      "scalar",        "single",     "mixed",         "half"};

struct OneCase {
  const char* name;
  ElementwiseOp op;
  int arity, scalars, gradient;
  bool boolean;
  DType dtype;
  Case layout;
};

View operand_view(const OneCase& c, int slot, const std::vector<int64_t>& shape) {
  View v = dense(shape);
  const bool last = slot == (c.gradient < 0 ? c.arity - 1 : 1);
  if (c.layout == Case::Transposed && slot % 2 == 0) v = transposed(shape);
  if ((c.layout == Case::RowBroadcast || c.layout == Case::PackedRow) && last) v.strides = {0, 1};
  if (c.layout == Case::PackedColumn && last) v.strides = {1, 0};
  if (c.layout == Case::PackedGaps && slot % 2 == 0) v.strides = {64, 1};
  if ((c.layout == Case::Scalar || c.layout == Case::Single) && last) v.strides.assign(shape.size(), 0);
  if (is_parameter(slot, c.arity, c.scalars, c.gradient)) v.strides.assign(shape.size(), 0);
  return v;
}
// Mixed: another dtype for the last operand, which is converted to the compute type.
DType operand_dtype(const OneCase& c, bool last) {
  if (c.layout != Case::Mixed || !last) return c.dtype;
  return compute_type(c.dtype) == Compute::I64 ? DType::U8 : is_float(c.dtype) ? DType::I32 : c.dtype;
}

void run_case(const OneCase& c) {
  const bool packed = c.layout >= Case::PackedRow && c.layout <= Case::PackedGaps;
  const std::vector<int64_t> shape = {c.layout == Case::Odd ? 1 : 7, packed ? 48 : 43};
  const int slots = c.gradient < 0 ? c.arity : c.arity + 2;
  const Compute compute = compute_type(c.dtype);
  const DType out_dtype = c.boolean && c.gradient < 0 ? DType::Bool : c.dtype;
  const View out_view = dense(shape);
  Array out(out_dtype, out_view.count(), c.layout == Case::Unaligned);
  std::vector<View> views;
  std::vector<std::unique_ptr<Array>> in;
  for (int s = 0; s < slots; s++) {
    const bool last = s == (c.gradient < 0 ? c.arity - 1 : 1);
    views.push_back(operand_view(c, s, shape));
    in.push_back(std::make_unique<Array>(operand_dtype(c, last), views[s].extent(), c.layout == Case::Unaligned));
    in[s]->fill_random(unsigned(s + 1), 0.25, compute == Compute::I32 ? 7 : 4);
  }
  const double number = 2;
  char scalar[8];
  set_number(scalar,
             compute == Compute::F64   ? DType::F64
             : compute == Compute::F32 ? DType::F32
             : compute == Compute::I64 ? DType::I64
                                       : DType::I32,
             0, number);
  const bool done = both_can([&](bool on_cuda) {
    ElementwiseCall call;
    call.op = c.op, call.gradient = c.gradient, call.compute = compute;
    call.rank = 2, call.shape = shape.data();
    for (int s = 0; s < slots; s++) call.slots[s] = in[size_t(s)]->operand(on_cuda, views[size_t(s)].strides.data());
    if (c.layout == Case::Scalar) {
      const int last = c.gradient < 0 ? c.arity - 1 : 1;
      const DType own[] = {DType::F32, DType::F64, DType::I32, DType::I64};
      call.scalars = 1u << last;
      call.slots[last].data = scalar, call.slots[last].dtype = own[int(compute)];
      if (!on_cuda) call.scalars = 1u << last;
    }
    call.out = out.operand(on_cuda, out_view.strides.data());
    if (on_cuda) call.stream = cuda_stream();
    kernels(on_cuda).elementwise(call);
  });
  if (!done) return;
  // Formulas are the same; a GPU's own exp, log and the like differ by a few units, and cancellation shows that.
  const double unit = c.dtype == DType::F64 ? 1e-12 : c.dtype == DType::F32 ? 1e-5 : 0;
  out.expect_equal(std::string(c.name) + " gradient " + std::to_string(c.gradient) + " " + name_of(c.dtype) + " " +
                       kCaseNames[int(c.layout)],
                   is_float(c.dtype) ? 8 : 0, unit);
}

template <class O>
void run_op() {
  if (kSlow && int(O::kOp) % 10) return;  // the kernels differ by their formula alone
  for (DType dtype : kReal) {
    if (!contains(O::kDTypes, dtype)) continue;
    const auto gradient_there = [](auto k) {
      if constexpr (k.value >= O::kArity) return false;
      else return kHasGradient<O, k.value>;
    };
    const bool has[] = {gradient_there(std::integral_constant<int, 0>()),
                        gradient_there(std::integral_constant<int, 1>()),
                        gradient_there(std::integral_constant<int, 2>())};
    for (int gradient = -1; gradient < O::kArity; gradient++) {
      if (gradient >= 0 && (!has[gradient] || !is_float(dtype))) continue;
      for (Case layout : kCases)
        run_case({O::kName, O::kOp, O::kArity, O::kScalars, gradient, kGivesBool<O>, dtype, layout});
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TEST(CudaElementwise, EveryOpEveryDtypeEveryLayout) {
  for_each_op([]<class O>(O) { run_op<O>(); });
}

// Packs whose places depend on three dimensions: a column of matrices times a row of each.
TEST(CudaElementwise, PacksOfSeveralDimensions) {
  const View v = dense({3, 5, 48});
  const int64_t first[] = {48, 0, 1}, second[] = {0, 1, 0};
  for (DType dtype : {DType::F32, DType::BF16, DType::F64}) {
    Array a(dtype, 3 * 48), b(dtype, 5), out(dtype, v.count());
    a.fill_random(1), b.fill_random(2);
    on_both([&](bool on_cuda) {
      ElementwiseCall call;
      call.op = ElementwiseOp::mul, call.compute = compute_type(dtype);
      call.slots[0] = a.operand(on_cuda, first), call.slots[1] = b.operand(on_cuda, second);
      call.out = out.operand(on_cuda, v.strides.data());
      call.rank = 3, call.shape = v.shape.data();
      if (on_cuda) call.stream = cuda_stream();
      kernels(on_cuda).elementwise(call);
    });
    out.expect_equal(std::string("packs of ") + name_of(dtype));
  }
}

// where(condition, a, b) with a bool condition and a result of half type: three dtypes in one call.
TEST(CudaElementwise, WhereWithABoolCondition) {
  for (DType dtype : kReal) {
    const View v = dense({300});
    Array condition(DType::Bool, 300), a(dtype, 300), b(dtype, 300), out(dtype, 300);
    condition.fill_random(1), a.fill_random(2), b.fill_random(3);
    on_both([&](bool on_cuda) {
      ElementwiseCall call;
      call.op = ElementwiseOp::where, call.compute = compute_type(dtype);
      call.slots[0] = condition.operand(on_cuda, v.strides.data());
      call.slots[1] = a.operand(on_cuda, v.strides.data());
      call.slots[2] = b.operand(on_cuda, v.strides.data());
      call.out = out.operand(on_cuda, v.strides.data());
      call.rank = 1, call.shape = v.shape.data();
      if (on_cuda) call.stream = cuda_stream();
      kernels(on_cuda).elementwise(call);
    });
    out.expect_equal(std::string("where ") + name_of(dtype));
  }
}

// In place on a large array, with more elements than one round of the grid takes.
TEST(CudaElementwise, LargeAndInPlace) {
  const View v = dense({kSlow ? 3001 : 3000001});
  Array x(DType::F32, v.count()), y(DType::F32, v.count());
  x.fill_random(1), y.fill_random(2);
  on_both([&](bool on_cuda) {
    ElementwiseCall call;
    call.op = ElementwiseOp::mul;
    call.slots[0] = x.operand(on_cuda, v.strides.data());
    call.slots[1] = y.operand(on_cuda, v.strides.data());
    call.out = call.slots[0];
    call.rank = 1, call.shape = v.shape.data();
    if (on_cuda) call.stream = cuda_stream();
    kernels(on_cuda).elementwise(call);
  });
  x.expect_equal("mul_ of three million");
}

TEST(CudaElementwise, EmptyDoesNothingAndManyDimensionsAreRefusedWithAReason) {
  Array x(DType::F32, 1);
  std::vector<int64_t> shape(40, 0), strides(40, 1);
  ElementwiseCall call;
  call.op = ElementwiseOp::neg;
  call.slots[0] = call.out = x.operand(true, strides.data());
  call.rank = 2, call.shape = shape.data(), call.stream = cuda_stream();
  kernels(true).elementwise(call);
  cuda().synchronize(cuda_stream());
  shape.assign(40, 2);
  call.rank = 40;
  for (int d = 0; d < 40; d++) strides[size_t(d)] = d + 1;  // nothing merges
  try {
    kernels(true).elementwise(call);
    ADD_FAILURE() << "40 dimensions were taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::NotImplemented);
    EXPECT_NE(std::string(error.what()).find("16 dimensions"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace bolide::test
