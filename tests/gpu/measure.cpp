// measure.cpp - a few kernels against the limits of the machine: bytes a second beside a copy's, operations a second.
//
//   bolide_gpu_measure [FILE.json]        on a GPU; one line per case, and the same as JSON
//   bolide_gpu_measure --dry-run          tiny sizes on any device, to see that it runs; prints no figure
//
// Every case runs many times between two waits; the median of five such times counts. Arrays are larger than the
// caches of any GPU. To add a case: a line in measure_all.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "kernels/op_list.h"
#include "runtime/backend.h"
#include "runtime/errors.h"

using namespace bolide;

namespace {

Backend& cuda() { return *backend_of(DeviceType::CUDA).backend; }
const Kernels& kernels() { return *backend_of(DeviceType::CUDA).kernels; }

struct Result {
  std::string name;
  double seconds, bytes, operations;
};
std::vector<Result> results;
bool dry_run = false;

void measure(const std::string& name, double bytes, double operations, const std::function<void()>& run) {
  const StreamHandle stream = cuda().default_stream(0);
  run();
  cuda().synchronize(stream);
  const auto once = [&](int count) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < count; i++) run();
    cuda().synchronize(stream);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / count;
  };
  const int count = dry_run ? 1 : int(std::clamp(0.02 / std::max(once(3), 1e-6), 3.0, 2000.0));
  double times[5];
  for (double& t : times) t = once(count);
  std::sort(times, times + 5);
  results.push_back({name, times[2], bytes, operations});
}

struct Memory {
  void* data;
  explicit Memory(int64_t bytes) : data(cuda().allocate(0, size_t(bytes))), bytes_(size_t(bytes)) {
    if (!data) raise(ErrorKind::OutOfMemory, "measure", str(bytes, " bytes"), "none");
    cuda().set_bytes(data, 0x3c, size_t(bytes), cuda().default_stream(0));  // small positive floats of every type
  }
  ~Memory() { cuda().deallocate(0, data, bytes_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

 private:
  size_t bytes_;
};

void measure_elementwise(const char* name, ElementwiseOp op, int inputs, DType dtype, int64_t n,
                         bool broadcast = false) {
  const int64_t size = item_size(dtype), columns = 1024, rows = n / columns;
  const int64_t shape[] = {rows, columns}, dense[] = {columns, 1}, row[] = {0, 1};
  Memory a(n * size), b(n * size), out(n * size);
  ElementwiseCall call;
  call.op = op, call.compute = compute_type(dtype);
  call.slots[0] = {a.data, dtype, dense};
  if (inputs > 1) call.slots[1] = {b.data, dtype, broadcast ? row : dense};
  call.out = {out.data, dtype, dense};
  call.rank = 2, call.shape = shape, call.stream = cuda().default_stream(0);
  measure(str(name, " ", name_of(dtype)), double(size * n) * (broadcast ? 2 : inputs + 1), 0,
          [&] { kernels().elementwise(call); });
}
void measure_sum(const char* name, DType dtype, int64_t rows, int64_t columns, uint64_t reduced) {
  const int64_t shape[] = {rows, columns}, strides[] = {columns, 1};
  const int64_t kept[] = {reduced & 1 ? 0 : 1, reduced & 2 ? 0 : 1};
  Memory in(rows * columns * item_size(dtype)), out((rows + columns) * item_size(dtype));
  ReduceCall call;
  call.op = ReductionOp::sum, call.compute = compute_type(dtype);
  call.in = {in.data, dtype, strides}, call.out = {out.data, dtype, kept};
  call.rank = 2, call.shape = shape, call.reduced = reduced, call.stream = cuda().default_stream(0);
  measure(str(name, " ", name_of(dtype)), double(rows * columns * item_size(dtype)), 0,
          [&] { kernels().reduce(call); });
}
void measure_softmax(DType dtype, int64_t rows, int64_t columns) {
  const int64_t bytes = rows * columns * item_size(dtype);
  Memory x(bytes), out(bytes);
  SoftmaxCall call;
  call.dtype = dtype, call.rows = rows, call.columns = columns, call.x = x.data, call.out = out.data;
  call.stream = cuda().default_stream(0);
  measure(str("softmax ", columns, " ", name_of(dtype)), 2.0 * double(bytes), 0, [&] { kernels().softmax(call); });
}
void measure_matmul(DType dtype, int64_t n) {
  const int64_t bytes = n * n * item_size(dtype);
  Memory a(bytes), b(bytes), c(bytes);
  MatmulCall call;
  call.dtype = dtype, call.m = call.n = call.k = n, call.a = a.data, call.b = b.data, call.c = c.data;
  call.a_row = call.b_row = call.c_row = n, call.a_column = call.b_column = 1, call.stream = cuda().default_stream(0);
  measure(str("matmul ", n, " ", name_of(dtype)), 0, 2.0 * double(n) * double(n) * double(n),
          [&] { kernels().matmul(call); });
}
void measure_adam(int64_t n) {
  Memory memory(n * 16);
  char* p = static_cast<char*>(memory.data);
  const AdamItem item{DType::F32, n, p, p + n * 4, p + n * 8, p + n * 12, nullptr};
  AdamCall call;
  call.items = &item, call.item_count = 1, call.lr = 1e-3, call.beta1 = 0.9, call.beta2 = 0.999, call.eps = 1e-8;
  call.stream = cuda().default_stream(0);
  measure("adam_step float32", 28.0 * double(n), 0, [&] { kernels().adam_step(call); });
}

void measure_all() {
  const int64_t n = dry_run ? 1 << 12 : 1 << 28, rows = n / 1024, side = dry_run ? 32 : 8192;
  {
    Memory from(n * 4), to(n * 4);
    measure("copy (the limit)", 8.0 * double(n), 0, [&] {
      cuda().copy_bytes(to.data, from.data, size_t(n) * 4, Backend::CopyKind::OnDevice, cuda().default_stream(0));
    });
  }
  measure_elementwise("add of 1024", ElementwiseOp::add, 2, DType::F32, 1024);
  measure_elementwise("add", ElementwiseOp::add, 2, DType::F32, n);
  measure_elementwise("add", ElementwiseOp::add, 2, DType::BF16, n);
  measure_elementwise("add of a row", ElementwiseOp::add, 2, DType::F32, n, true);
  measure_elementwise("gelu_tanh", ElementwiseOp::gelu_tanh, 1, DType::F32, n);
  measure_sum("sum", DType::F32, rows, 1024, 3);
  measure_sum("sum of rows", DType::F32, rows, 1024, 2);
  measure_sum("sum of columns", DType::F32, rows, 1024, 1);
  measure_softmax(DType::F32, rows, 1024);
  measure_softmax(DType::BF16, std::max<int64_t>(rows / 8, 1), 8192);
  measure_adam(n / 4);
  for (DType dtype : {DType::F32, DType::BF16}) measure_matmul(dtype, side);
}

void report(const char* path) {
  const double limit = results[0].bytes / results[0].seconds;
  std::ofstream json;
  if (path) json.open(path), json << "[\n";
  for (size_t i = 0; i < results.size(); i++) {
    const Result& r = results[i];
    const double rate = (r.bytes ? r.bytes : r.operations) / r.seconds;
    std::printf("%-26s %10.1f us", r.name.c_str(), r.seconds * 1e6);
    if (r.bytes) std::printf(" %9.1f GB/s  %.2f of the copy\n", rate / 1e9, rate / limit);
    else std::printf(" %9.1f TFLOP/s\n", rate / 1e12);
    if (path)
      json << "  {\"case\": \"" << r.name << "\", \"seconds\": " << r.seconds << ", \"bytes\": " << r.bytes
           << ", \"operations\": " << r.operations << "}" << (i + 1 < results.size() ? ",\n" : "\n]\n");
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    dry_run = argc > 1 && !std::strcmp(argv[1], "--dry-run");
    const std::string device = cuda().device_name(0);
    if (!dry_run && device.find("emulation") != std::string::npos)
      raise(ErrorKind::Runtime, "measure", "a GPU", str("'", device, "'"), "Figures of the emulation mean nothing.");
    std::printf("measure: %s\n", device.c_str());
    measure_all();
    if (dry_run) std::printf("measure: %zu cases ran\n", results.size());
    else report(argc > 1 ? argv[1] : nullptr);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "measure: %s\n", error.what());
    return 1;
  }
}
