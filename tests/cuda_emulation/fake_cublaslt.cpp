// fake_cublaslt.cpp - a stand-in for cuBLASLt that checks what the real library requires of its arguments.
//
// Fills the table of kernels/cuda/cublaslt_api.h. Descriptors are plain structs; the heuristic answers with a made-up
// algorithm that remembers for which problem and alignment it was chosen; the product itself is a loop, queued on the
// stream like any device work. What the real library refuses, or what would make it read outside the matrices, is
// refused here too: leading dimensions, batch counts, alignment, an algorithm of another problem, a workspace that is
// too small or not aligned, a bias with float64. What the real one may do to half types, it does: a bias in the epilogue
// is added to a sum that is rounded already (seen on an H200), and so are sums unless their type is asked for.
#include "kernels/cuda/cublaslt_api.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "cuda_emulation.hpp"
#include "fake_cudart.hpp"
#include "kernels/half.h"

namespace bolide::cublaslt {
namespace {

struct FakeDesc {
  ComputeType compute;
  DataType scale;
  Operation transpose_a = Operation::None, transpose_b = Operation::None;
  cublaslt::Epilogue epilogue = cublaslt::Epilogue::Default;
  const void* bias = nullptr;
};
struct FakeLayout {
  DataType type;
  int64_t rows, columns, leading;
  int32_t batch = 1;
  int64_t batch_stride = 0;
};
struct FakePreference {
  uint64_t workspace = 0;
  uint32_t schemes = 7;  // all
  uint32_t alignment[4] = {256, 256, 256, 256};
};
constexpr size_t kWorkspace = 4096;  // what every algorithm here asks for, to see that it is given

size_t size_of(DataType type) { return type == DataType::F64 ? 8 : type == DataType::F32 ? 4 : 2; }
FakeDesc& desc_of(MatmulDesc p) { return *static_cast<FakeDesc*>(p); }
FakeLayout& layout_of(Layout p) { return *static_cast<FakeLayout*>(p); }

template <class T>
bool take(T& to, const void* from, size_t bytes) {
  if (!from || bytes != sizeof(T)) return false;
  std::memcpy(&to, from, sizeof(T));
  return true;
}
Status ok(bool good) { return good ? Status::Success : Status::InvalidValue; }

Status create(Handle* handle) {
  static int one = 1;
  *handle = &one;
  return Status::Success;
}
Status get_version() { return Status(130000); }

Status desc_create(MatmulDesc* desc, ComputeType compute, DataType scale) {
  *desc = new FakeDesc{compute, scale};
  return ok((compute == ComputeType::F64) == (scale == DataType::F64));
}
Status desc_destroy(MatmulDesc desc) {
  delete static_cast<FakeDesc*>(desc);
  return Status::Success;
}
Status desc_set(MatmulDesc desc, DescAttribute which, const void* value, size_t bytes) {
  FakeDesc& d = desc_of(desc);
  switch (which) {
    case DescAttribute::TransposeA: return ok(take(d.transpose_a, value, bytes));
    case DescAttribute::TransposeB: return ok(take(d.transpose_b, value, bytes));
    case DescAttribute::Epilogue: return ok(take(d.epilogue, value, bytes));
    case DescAttribute::BiasPointer: return ok(take(d.bias, value, bytes));
  }
  return Status::InvalidValue;
}
Status layout_create(Layout* layout, DataType type, uint64_t rows, uint64_t columns, int64_t leading) {
  *layout = new FakeLayout{type, int64_t(rows), int64_t(columns), leading};
  return ok(rows > 0 && columns > 0 && leading >= int64_t(rows));
}
Status layout_destroy(Layout layout) {
  delete static_cast<FakeLayout*>(layout);
  return Status::Success;
}
Status layout_set(Layout layout, LayoutAttribute which, const void* value, size_t bytes) {
  FakeLayout& l = layout_of(layout);
  switch (which) {
    case LayoutAttribute::BatchCount: return ok(take(l.batch, value, bytes) && l.batch > 0);
    case LayoutAttribute::BatchStride: return ok(take(l.batch_stride, value, bytes) && l.batch_stride >= 0);
  }
  return Status::InvalidValue;
}
Status preference_create(Preference* preference) {
  *preference = new FakePreference;
  return Status::Success;
}
Status preference_destroy(Preference preference) {
  delete static_cast<FakePreference*>(preference);
  return Status::Success;
}
Status preference_set(Preference preference, PreferenceAttribute which, const void* value, size_t bytes) {
  auto& p = *static_cast<FakePreference*>(preference);
  if (which == PreferenceAttribute::MaxWorkspaceBytes) return ok(take(p.workspace, value, bytes));
  if (which == PreferenceAttribute::ReductionSchemes) return ok(take(p.schemes, value, bytes));
  uint32_t& alignment = p.alignment[int(which) - int(PreferenceAttribute::AlignmentA)];
  return ok(take(alignment, value, bytes) && alignment && (alignment & (alignment - 1)) == 0);
}

// Are the sizes of the four matrices those of one product, and their types a combination that exists?
Status check_problem(const FakeDesc& d, const FakeLayout& a, const FakeLayout& b, const FakeLayout& c,
                     const FakeLayout& out) {
  const bool ta = d.transpose_a == Operation::Transpose, tb = d.transpose_b == Operation::Transpose;
  const int64_t m = ta ? a.columns : a.rows, k = ta ? a.rows : a.columns;
  const int64_t kb = tb ? b.columns : b.rows, n = tb ? b.rows : b.columns;
  if (k != kb || out.rows != m || out.columns != n || c.rows != m || c.columns != n) return Status::InvalidValue;
  if (a.batch != out.batch || b.batch != out.batch || c.batch != out.batch) return Status::InvalidValue;
  if (out.batch > 1 && out.batch_stride < out.leading * (out.columns - 1) + out.rows) return Status::InvalidValue;
  if (a.type != b.type || a.type != out.type || c.type != out.type) return Status::NotSupported;
  if ((a.type == DataType::F64) != (d.compute == ComputeType::F64)) return Status::NotSupported;
  if (d.epilogue == cublaslt::Epilogue::Bias && (!d.bias || a.type == DataType::F64)) return Status::NotSupported;
  return Status::Success;
}
uint64_t fingerprint(const FakeDesc& d, const FakeLayout& a, const FakeLayout& b, const FakeLayout& out) {
  uint64_t hash = 1469598103934665603ull;
  for (int64_t v : {int64_t(d.transpose_a), int64_t(d.transpose_b), int64_t(d.epilogue), int64_t(a.type), a.rows,
                    a.columns, a.leading, b.rows, b.columns, b.leading, out.leading, int64_t(out.batch)})
    hash = (hash ^ uint64_t(v)) * 1099511628211ull;
  return hash;
}

Status heuristic(Handle handle, MatmulDesc desc, Layout a, Layout b, Layout c, Layout d, Preference preference,
                 int wanted, HeuristicResult* results, int* found) {
  *found = 0;
  if (!handle || !desc || !a || !b || !c || !d || !preference || wanted < 1 || !results) return Status::InvalidValue;
  const auto& p = *static_cast<FakePreference*>(preference);
  const Status status = check_problem(desc_of(desc), layout_of(a), layout_of(b), layout_of(c), layout_of(d));
  if (status != Status::Success) return status;
  if (p.workspace < kWorkspace) return Status::NotSupported;
  HeuristicResult& r = results[0];
  r = {};
  r.algorithm.data[0] = fingerprint(desc_of(desc), layout_of(a), layout_of(b), layout_of(d));
  for (int i = 0; i < 4; i++) r.algorithm.data[1 + i] = p.alignment[i];
  r.algorithm.data[5] = p.schemes > uint32_t(ReductionScheme::ComputeType) ||
                        desc_of(desc).epilogue == cublaslt::Epilogue::Bias;  // sums in the type of the result
  r.workspace_bytes = kWorkspace;
  r.waves = 1;
  *found = 1;
  return Status::Success;
}

template <class T>
T number_at(const void* data, DataType type, int64_t at) {
  if (type == DataType::F64) return T(static_cast<const double*>(data)[at]);
  if (type == DataType::F32) return T(static_cast<const float*>(data)[at]);
  if (type == DataType::F16) return T(to_float(static_cast<const F16*>(data)[at]));
  return T(to_float(static_cast<const BF16*>(data)[at]));
}
// One matrix as dense numbers of type T, row by row, of op(x).
template <class T>
std::vector<T> gather(const FakeLayout& l, bool transposed, const void* data, int64_t batch) {
  const char* start = static_cast<const char*>(data) + batch * l.batch_stride * int64_t(size_of(l.type));
  const int64_t extent = l.leading * (l.columns - 1) + l.rows;
  if (!fake_cudart::is_device_memory(start, size_t(extent) * size_of(l.type)))
    throw cuda_emulation::EmulationError("cublasLtMatmul: a matrix reaches outside device memory");
  const int64_t rows = transposed ? l.columns : l.rows, columns = transposed ? l.rows : l.columns;
  std::vector<T> out(size_t(rows * columns));
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) {
      const int64_t at = transposed ? i * l.leading + j : j * l.leading + i;
      out[size_t(i * columns + j)] = number_at<T>(start, l.type, at);
    }
  return out;
}
void put(void* data, DataType type, int64_t at, double value) {
  if (type == DataType::F64) static_cast<double*>(data)[at] = value;
  else if (type == DataType::F32) static_cast<float*>(data)[at] = float(value);
  else if (type == DataType::F16) from_float(float(value), static_cast<F16*>(data)[at]);
  else from_float(float(value), static_cast<BF16*>(data)[at]);
}

struct Problem {
  FakeDesc desc;
  FakeLayout a, b, out;
  const void *pa, *pb;
  void* po;
  double alpha, beta;
  bool rounds_sums;
};
template <class T>
void multiply(const Problem& p) {
  const bool ta = p.desc.transpose_a == Operation::Transpose, tb = p.desc.transpose_b == Operation::Transpose;
  const int64_t m = p.out.rows, n = p.out.columns, k = ta ? p.a.rows : p.a.columns;
  std::vector<T> bias;
  if (p.desc.epilogue == cublaslt::Epilogue::Bias)
    bias = gather<T>(FakeLayout{p.out.type, m, 1, m}, false, p.desc.bias, 0);
  std::vector<T> row(static_cast<size_t>(m));
  for (int64_t batch = 0; batch < p.out.batch; batch++) {
    // Column j of the result is a sum of columns of a: the inner loop runs along memory.
    const std::vector<T> a = gather<T>(p.a, !ta, p.pa, batch), b = gather<T>(p.b, tb, p.pb, batch);
    const std::vector<T> before = gather<T>(p.out, false, p.po, batch);
    for (int64_t j = 0; j < n; j++) {
      std::fill(row.begin(), row.end(), T(0));
      for (int64_t l = 0; l < k; l++) {
        const T factor = b[size_t(l * n + j)];
        const T* column = &a[size_t(l * m)];
        for (int64_t i = 0; i < m; i++) row[size_t(i)] += column[i] * factor;
      }
      for (int64_t i = 0; i < m; i++) {
        const int64_t at = batch * p.out.batch_stride + j * p.out.leading + i;
        if (p.rounds_sums)
          put(p.po, p.out.type, at, double(row[size_t(i)])), row[size_t(i)] = number_at<T>(p.po, p.out.type, at);
        double value = p.alpha * double(row[size_t(i)]);
        if (p.beta != 0) value += p.beta * double(before[size_t(i * n + j)]);
        if (!bias.empty()) value += double(bias[size_t(i)]);
        put(p.po, p.out.type, at, value);
      }
    }
  }
}

bool is_aligned(const void* p, uint64_t bytes) { return reinterpret_cast<uintptr_t>(p) % bytes == 0; }

Status matmul(Handle handle, MatmulDesc desc, const void* alpha, const void* a, Layout layout_a, const void* b,
              Layout layout_b, const void* beta, const void* c, Layout layout_c, void* d, Layout layout_d,
              const Algorithm* algorithm, void* workspace, size_t workspace_bytes, cudaStream_t stream) {
  if (!handle || !desc || !alpha || !beta || !a || !b || !c || !d || !algorithm) return Status::InvalidValue;
  const FakeDesc& f = desc_of(desc);
  const FakeLayout &la = layout_of(layout_a), &lb = layout_of(layout_b), &ld = layout_of(layout_d);
  const Status status = check_problem(f, la, lb, layout_of(layout_c), ld);
  if (status != Status::Success) return status;
  if (algorithm->data[0] != fingerprint(f, la, lb, ld)) return Status::InvalidValue;
  const void* pointers[] = {a, b, c, d};
  for (int i = 0; i < 4; i++)
    if (!is_aligned(pointers[i], algorithm->data[1 + i])) return Status::InvalidValue;
  if (workspace_bytes < kWorkspace || !is_aligned(workspace, 256) ||
      !fake_cudart::is_device_memory(workspace, workspace_bytes) || c != d)
    return Status::InvalidValue;
  const auto scale = [&](const void* p) {
    return f.scale == DataType::F64 ? *static_cast<const double*>(p) : double(*static_cast<const float*>(p));
  };
  const Problem problem{f, la, lb, ld, a, b, d, scale(alpha), scale(beta), algorithm->data[5] != 0};
  const auto error = fake_cudart::enqueue(stream, [problem] {
    if (problem.a.type == DataType::F64) multiply<double>(problem);
    else multiply<float>(problem);
  });
  return error == cudaSuccess ? Status::Success : Status::ExecutionFailed;
}

}  // namespace

const Functions& functions() {
  static const Functions f = {create,         get_version,    desc_create, desc_destroy,      desc_set,
                              layout_create,  layout_destroy, layout_set,  preference_create, preference_destroy,
                              preference_set, heuristic,      matmul};
  return f;
}

}  // namespace bolide::cublaslt
