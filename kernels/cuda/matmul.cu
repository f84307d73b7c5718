// matmul.cu - matrix products: floats through cuBLASLt, integers and complex numbers by a plain kernel.
//
// cuBLASLt takes column-major matrices with one adjacent dimension each. A row-major product c = a b is the
// column-major product c^T = b^T a^T of the same memory, so nothing is moved; an operand with no adjacent dimension
// is first copied. float32 is computed in float32 (no TF32), half types add up in float32.
#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <optional>

#include "kernels/cuda/cublaslt_api.h"
#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/numbers.cuh"
#include "kernels/cuda/scratch.h"
#include "runtime/errors.h"

namespace bolide {
namespace cublaslt {

const char* name_of(Status status) {
  switch (status) {
    case Status::Success: return "CUBLAS_STATUS_SUCCESS";
    case Status::NotInitialized: return "CUBLAS_STATUS_NOT_INITIALIZED";
    case Status::AllocFailed: return "CUBLAS_STATUS_ALLOC_FAILED";
    case Status::InvalidValue: return "CUBLAS_STATUS_INVALID_VALUE";
    case Status::ArchMismatch: return "CUBLAS_STATUS_ARCH_MISMATCH";
    case Status::ExecutionFailed: return "CUBLAS_STATUS_EXECUTION_FAILED";
    case Status::InternalError: return "CUBLAS_STATUS_INTERNAL_ERROR";
    case Status::NotSupported: return "CUBLAS_STATUS_NOT_SUPPORTED";
  }
  return "an unknown status";
}

}  // namespace cublaslt

inline namespace BOLIDE_ISA {
namespace {

namespace lt = cublaslt;
constexpr size_t kMaxWorkspace = size_t(32) << 20;

void check_lt(lt::Status status) {
  if (status != lt::Status::Success) [[unlikely]]
    raise(ErrorKind::Runtime, "matmul", "success from cuBLASLt", lt::name_of(status));
}
// Something of cuBLASLt's that has to be destroyed.
struct Owned {
  void* value = nullptr;
  lt::Status (*destroy)(void*);
  ~Owned() {
    if (value) destroy(value);
  }
};

// A matrix as cuBLASLt sees its memory: the adjacent dimension first.
struct Side {
  const void* data = nullptr;
  bool swapped = false;  // the rows are adjacent, not the columns
  int64_t rows = 0, columns = 0, leading = 0, batch_stride = 0;
};
bool find_side(Side& s, int64_t row, int64_t column) {
  if ((column == 1 || s.columns == 1) && (row >= s.columns || s.rows == 1)) {
    s.leading = s.rows == 1 ? s.columns : row;
    return true;
  }
  s.swapped = (row == 1 || s.rows == 1) && (column >= s.rows || s.columns == 1);
  s.leading = s.columns == 1 ? s.rows : column;
  return s.swapped;
}

struct Product {
  MatmulCall call;
  Side a, b;
  lt::DataType type;
  bool bias_in_epilogue, read_c;

  // Everything that the choice of an algorithm depends on.
  using Key = std::array<int64_t, 18>;
  Key key() const {
    const int64_t device = call.stream.device, epilogue = bias_in_epilogue;
    return {device,    int64_t(type),     call.batch,        call.m,           call.n,         call.k,     a.swapped,
            a.leading, a.batch_stride,    b.swapped,         b.leading,        b.batch_stride, call.c_row, call.c_batch,
            epilogue,  alignment(a.data), alignment(b.data), alignment(call.c)};
  }
  static uint32_t alignment(const void* p) {
    const auto address = reinterpret_cast<uintptr_t>(p);
    return uint32_t(std::min<uintptr_t>(address & -address, 256));
  }
};

// One layout: column-major, so `columns` of the side come first unless it is swapped.
void make_layout(Owned& layout, lt::DataType type, const Side& s, int64_t batch) {
  const auto& f = lt::functions();
  const auto adjacent = uint64_t(s.swapped ? s.rows : s.columns), other = uint64_t(s.swapped ? s.columns : s.rows);
  check_lt(f.layout_create(&layout.value, type, adjacent, other, s.leading));
  if (batch == 1) return;
  const int32_t count = int32_t(batch);
  check_lt(f.layout_set(layout.value, lt::LayoutAttribute::BatchCount, &count, sizeof count));
  check_lt(f.layout_set(layout.value, lt::LayoutAttribute::BatchStride, &s.batch_stride, sizeof s.batch_stride));
}

lt::Handle handle_of(int device) {
  static std::mutex mutex;
  static auto* handles = new std::map<int, lt::Handle>;
  const std::lock_guard lock(mutex);
  lt::Handle& handle = (*handles)[device];
  if (!handle) check_lt(lt::functions().create(&handle));
  return handle;
}

struct Choice {
  lt::Algorithm algorithm;
  size_t workspace_bytes;
};
Choice ask_heuristic(const Product& p, void* desc, void* a, void* b, void* c) {
  const auto& f = lt::functions();
  Owned preference{nullptr, f.preference_destroy};
  check_lt(f.preference_create(&preference.value));
  const auto set = [&](lt::PreferenceAttribute which, auto value) {
    check_lt(f.preference_set(preference.value, which, &value, sizeof value));
  };
  set(lt::PreferenceAttribute::MaxWorkspaceBytes, uint64_t(kMaxWorkspace));
  set(lt::PreferenceAttribute::ReductionSchemes, lt::ReductionScheme::ComputeType);  // halfs add up in float32, always
  set(lt::PreferenceAttribute::AlignmentA, Product::alignment(p.b.data));  // cuBLASLt's A is our b
  set(lt::PreferenceAttribute::AlignmentB, Product::alignment(p.a.data));
  set(lt::PreferenceAttribute::AlignmentC, Product::alignment(p.call.c));
  set(lt::PreferenceAttribute::AlignmentD, Product::alignment(p.call.c));
  lt::HeuristicResult result{};
  int found = 0;
  check_lt(f.heuristic(handle_of(p.call.stream.device), desc, b, a, c, c, preference.value, 1, &result, &found));
  check(found == 1 && result.state == lt::Status::Success, ErrorKind::NotImplemented, "matmul",
        "a product that cuBLASLt has an algorithm for", [&] {
          return str(p.call.m, " x ", p.call.k, " times ", p.call.k, " x ", p.call.n, " of ", name_of(p.call.dtype));
        });
  return {result.algorithm, result.workspace_bytes};
}
// The choice, remembered: asking takes tens of microseconds.
Choice choose(const Product& p, void* desc, void* a, void* b, void* c) {
  constexpr size_t kRemembered = 4096;
  static std::mutex mutex;
  static auto* known = new std::map<Product::Key, Choice>;
  const Product::Key key = p.key();
  const std::lock_guard lock(mutex);
  if (auto found = known->find(key); found != known->end()) return found->second;
  if (known->size() >= kRemembered) known->clear();
  return (*known)[key] = ask_heuristic(p, desc, a, b, c);
}

void run_product(const Product& p) {
  const auto& f = lt::functions();
  const MatmulCall& call = p.call;
  const DeviceScope scope(call.stream.device);
  const bool wide = p.type == lt::DataType::F64;
  Owned desc{nullptr, f.desc_destroy}, a{nullptr, f.layout_destroy}, b{nullptr, f.layout_destroy},
      c{nullptr, f.layout_destroy};
  check_lt(f.desc_create(&desc.value, wide ? lt::ComputeType::F64 : lt::ComputeType::F32,
                         wide ? lt::DataType::F64 : lt::DataType::F32));
  const auto set = [&](lt::DescAttribute which, auto value) {
    check_lt(f.desc_set(desc.value, which, &value, sizeof value));
  };
  // A side whose columns are adjacent is its own transpose in column-major order, which is what is wanted.
  set(lt::DescAttribute::TransposeA, p.b.swapped ? lt::Operation::Transpose : lt::Operation::None);
  set(lt::DescAttribute::TransposeB, p.a.swapped ? lt::Operation::Transpose : lt::Operation::None);
  if (p.bias_in_epilogue) {
    set(lt::DescAttribute::Epilogue, lt::Epilogue::Bias);
    set(lt::DescAttribute::BiasPointer, call.bias);
  }
  make_layout(a, p.type, p.a, call.batch);
  make_layout(b, p.type, p.b, call.batch);
  make_layout(c, p.type, {call.c, false, call.m, call.n, call.c_row, call.c_batch}, call.batch);
  const Choice choice = choose(p, desc.value, a.value, b.value, c.value);
  const Scratch workspace(int64_t(choice.workspace_bytes), call.stream);
  const double one = 1, beta = p.read_c;
  const float one_f32 = 1, beta_f32 = p.read_c;
  check_lt(f.matmul(handle_of(call.stream.device), desc.value, wide ? static_cast<const void*>(&one) : &one_f32,
                    p.b.data, b.value, p.a.data, a.value, wide ? static_cast<const void*>(&beta) : &beta_f32, call.c,
                    c.value, call.c, c.value, &choice.algorithm, workspace.as<void>(), choice.workspace_bytes,
                    stream_of(call.stream)));
}

// Dense memory for an operand that cuBLASLt cannot read as it lies.
struct DenseCopy {
  Scratch memory;
  DenseCopy(const MatmulCall& call, Side& s, int64_t row, int64_t column)
      : memory(batches(call, s) * s.rows * s.columns * item_size(call.dtype), call.stream) {
    const int64_t shape[] = {batches(call, s), s.rows, s.columns};
    const int64_t from[] = {s.batch_stride, row, column}, to[] = {s.rows * s.columns, s.columns, 1};
    CopyCall copy_call;
    copy_call.in = {const_cast<void*>(s.data), call.dtype, from};
    copy_call.out = {memory.as<void>(), call.dtype, to};
    copy_call.rank = 3, copy_call.shape = shape, copy_call.stream = call.stream;
    copy(copy_call);
    s.data = memory.as<void>();
    if (s.batch_stride) s.batch_stride = s.rows * s.columns;
    s.swapped = false, s.leading = s.columns;
  }
  static int64_t batches(const MatmulCall& call, const Side& s) { return s.batch_stride ? call.batch : 1; }
};

// c = bias in every row, or 0.
void start_c(const MatmulCall& call) {
  const int64_t shape[] = {call.batch, call.m, call.n}, to[] = {call.c_batch, call.c_row, 1};
  const int64_t from[] = {0, 0, call.bias ? 1 : 0};
  const double zero = 0;
  CopyCall copy_call;
  copy_call.scalar = !call.bias;
  copy_call.in = {const_cast<void*>(call.bias ? call.bias : &zero), call.bias ? call.dtype : DType::F64, from};
  copy_call.out = {call.c, call.dtype, to};
  copy_call.rank = 3, copy_call.shape = shape, copy_call.stream = call.stream;
  copy(copy_call);
}

void float_product(MatmulCall call, lt::DataType type) {
  if (call.batch > 1 && call.b_batch == 0 && call.a_batch == call.m * call.a_row && call.c_batch == call.m * call.c_row)
    call.m *= call.batch, call.batch = 1;  // rows of one matrix
  if (call.batch == 1) call.a_batch = call.b_batch = 0;
  const Side side_a{call.a, false, call.m, call.k, 0, call.a_batch},
      side_b{call.b, false, call.k, call.n, 0, call.b_batch};
  // An epilogue knows no float64 bias, and to half types it may add the bias after it has rounded the sum.
  Product p{call, side_a, side_b, type, call.bias && type == lt::DataType::F32, call.accumulate};
  if (call.m == 1) p.call.c_row = call.n;
  std::optional<DenseCopy> dense_a, dense_b;
  if (!find_side(p.a, call.a_row, call.a_column)) dense_a.emplace(call, p.a, call.a_row, call.a_column);
  if (!find_side(p.b, call.b_row, call.b_column)) dense_b.emplace(call, p.b, call.b_row, call.b_column);
  if (call.bias && !p.bias_in_epilogue) start_c(call), p.read_c = true;
  run_product(p);
}

// ------------------------------------------------------------------------------------------------ other types
// One thread per element of c.
template <class T>
__global__ void __launch_bounds__(kThreads) plain_product_kernel(BOLIDE_ARGUMENTS(MatmulCall, p)) {
  for (int64_t i = thread_of_grid(); i < p.batch * p.m * p.n; i += threads_of_grid()) {
    const int64_t column = i % p.n, row = i / p.n % p.m, batch = i / p.n / p.m;
    const T* a = static_cast<const T*>(p.a) + batch * p.a_batch + row * p.a_row;
    const T* b = static_cast<const T*>(p.b) + batch * p.b_batch + column * p.b_column;
    T* c = static_cast<T*>(p.c) + batch * p.c_batch + row * p.c_row + column;
    T sum{};
    if (p.accumulate) sum = *c;
    else if (p.bias) sum = static_cast<const T*>(p.bias)[column];
    for (int64_t k = 0; k < p.k; k++) sum = T(sum + a[k * p.a_column] * b[k * p.b_row]);
    *c = sum;
  }
}
template <class T>
void plain_product(const MatmulCall& call) {
  const Walk walk(call.batch * call.m * call.n);
  launch("matmul", plain_product_kernel<T>, walk.grid, walk.block, call.stream, call);
}

}  // namespace

void matmul(const MatmulCall& call) {
  if (call.batch * call.m * call.n == 0) return;
  if (call.k == 0) {
    if (!call.accumulate) start_c(call);
    return;
  }
  switch (call.dtype) {
    case DType::F32: return float_product(call, lt::DataType::F32);
    case DType::F64: return float_product(call, lt::DataType::F64);
    case DType::F16: return float_product(call, lt::DataType::F16);
    case DType::BF16: return float_product(call, lt::DataType::BF16);
    case DType::Bool: return plain_product<bool>(call);
    case DType::U8: return plain_product<uint8_t>(call);
    case DType::I8: return plain_product<int8_t>(call);
    case DType::I16: return plain_product<int16_t>(call);
    case DType::I32: return plain_product<int32_t>(call);
    case DType::I64: return plain_product<int64_t>(call);
    case DType::C64: return plain_product<C64>(call);
    case DType::C128: return plain_product<C128>(call);
  }
}

}  // namespace BOLIDE_ISA
}  // namespace bolide
