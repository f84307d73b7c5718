// conformance.cpp - the same kernels on two devices: does the GPU give what the emulator gives?
//
//   bolide_gpu_conformance write FILE       runs every case on the CUDA device that bolide finds
//   bolide_gpu_conformance compare A B      fails where an exact case differs, or a near one by more than its bound
//
// Exact cases are made of operations that IEEE 754 or integers fix, in an order that is part of the kernel: every bit
// must agree. Near ones go through the device's own exp, log, sin or through cuBLASLt; the table that is printed says
// by how much they differ. To add a case: a line in exact_cases or near_cases.
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>

#include "kernel_support.h"
#include "kernels/op_list.h"

using namespace bolide;
using namespace bolide::test;

namespace {

struct Record {
  bool exact;
  double bound;  // of a near case: relative to the larger number, plus as much absolute
  DType dtype;
  std::string bytes;
};
std::map<std::string, Record> records;

void keep(const std::string& name, const Array& array, double bound) {
  const std::vector<char> bytes = array.download();
  records[name] = {bound == 0, bound, array.dtype(), std::string(bytes.begin(), bytes.end())};
}

// Numbers at the edges, then a ramp; the second operand runs through them in another order.
std::vector<double> edges(bool shifted) {
  std::vector<double> v = {
      0.0,   -0.0,  1.0,     -1.0,        INFINITY,   -INFINITY, NAN, 0x1p-126, 0x1p-149, -0x1p-140, 0x1.fffffep127,
      65504, 65520, 0x1p-24, 1 + 0x1p-11, 1 + 0x1p-8, 0.5,       1.5, 2.5,      88.8,     -103.9,    1e-6};
  for (int i = -400; i < 400; i++) v.push_back(i * 0.0371 + 0.001);
  if (shifted) std::rotate(v.begin(), v.begin() + 57, v.end());
  return v;
}
constexpr int64_t kCount = 1000;

void elementwise_case(const char* name, ElementwiseOp op, int arity, int scalars, int gradient, bool boolean,
                      DType dtype, double bound) {
  const int64_t none = 0, one = 1, n = kCount;
  Array a(dtype, n), b(dtype, n), c(dtype, n), d(dtype, n), e(dtype, n), out(boolean ? DType::Bool : dtype, n);
  if (is_float(dtype)) {
    a.set(edges(false)), b.set(edges(true)), c.fill_random(3), d.fill_random(4), e.fill_random(5);
  } else {
    a.fill_random(1, -100, 100), b.fill_random(2, -9, 9), c.fill_random(3, -50, 50);
  }
  Array* slots[] = {&a, &b, &c, &d, &e};
  ElementwiseCall call;
  call.op = op, call.gradient = gradient, call.compute = compute_type(dtype);
  for (int s = 0; s < (gradient < 0 ? arity : arity + 2); s++)
    call.slots[s] = slots[s]->operand(true, is_parameter(s, arity, scalars, gradient) ? &none : &one);
  call.out = out.operand(true, &one);
  call.rank = 1, call.shape = &n, call.stream = cuda_stream();
  try {
    kernels(true).elementwise(call);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::NotImplemented) throw;
    return;
  }
  keep(std::string(name) + " " + std::to_string(gradient) + " " + name_of(dtype), out, bound);
}
// Formulas of + - * /, sqrt, comparisons and bits only: the rest of the table is near.
bool is_exact(const std::string& name) {
  static const std::string names =
      " neg abs square sign relu reciprocal sqrt rsqrt softsign floor ceil round trunc isnan isinf isfinite logical_not"
      " invert leaky_relu hardtanh add sub mul div maximum minimum eq ne lt le gt ge logical_and logical_or logical_xor"
      " bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift where clamp lerp addcmul addcdiv "
      "hypot ";
  return names.find(" " + name + " ") != std::string::npos;
}
void elementwise_cases() {
  for_each_op([]<class O>(O) {
    for (DType dtype : {DType::I32, DType::I64, DType::F16, DType::BF16, DType::F32, DType::F64}) {
      if (!contains(O::kDTypes, dtype)) continue;
      const bool exact = is_exact(O::kName) || !is_float(dtype);
      const double bound = dtype == DType::F64 ? 1e-12 : dtype == DType::F32 ? 1e-4 : 0.02;
      for (int k = -1; k < (is_float(dtype) ? O::kArity : 0); k++)
        elementwise_case(O::kName, O::kOp, O::kArity, O::kScalars, k, kGivesBool<O> && k < 0, dtype, exact ? 0 : bound);
    }
  });
}

void reduce_case(ReductionOp op, DType dtype, int64_t rows, int64_t columns, bool along_rows, double bound) {
  const bool place = op == ReductionOp::argmax || op == ReductionOp::argmin;
  Array in(dtype, rows * columns), out(place ? DType::I64 : dtype, along_rows ? columns : rows);
  in.fill_random(9, op == ReductionOp::prod ? 0.99 : -1, 1.01);
  const int64_t shape[] = {rows, columns}, strides[] = {columns, 1};
  const int64_t out_strides[] = {along_rows ? 0 : 1, along_rows ? 1 : 0};
  ReduceCall call;
  call.op = op, call.compute = compute_type(dtype), call.parameter = 1;
  call.in = in.operand(true, strides), call.out = out.operand(true, out_strides);
  call.rank = 2, call.shape = shape, call.reduced = along_rows ? 1 : 2, call.stream = cuda_stream();
  kernels(true).reduce(call);
  std::ostringstream name;
  name << "reduction " << int(op) << " " << name_of(dtype) << " " << rows << "x" << columns
       << (along_rows ? " rows" : "");
  keep(name.str(), out, bound);
}
void reduce_cases() {
  for (DType dtype : kFloats)
    for (int op = 0; op < int(ReductionOp::kCount); op++) {
      const ReductionOp which = ReductionOp(op);
      if (which == ReductionOp::any || which == ReductionOp::all) continue;
      const double bound =
          which == ReductionOp::logsumexp ? (is_float(dtype) && item_size(dtype) < 4 ? 0.02 : 1e-5) : 0;
      for (bool along_rows : {false, true}) {
        reduce_case(which, dtype, 30, 20, along_rows, bound);
        reduce_case(which, dtype, 3, 3000, along_rows, bound);
        reduce_case(which, dtype, 1, 100001, along_rows, bound);
        reduce_case(which, dtype, 5000, 9, along_rows, bound);
      }
    }
}

void random_case(RandomCall::Kind kind, DType dtype, double bound) {
  Array x(dtype, kCount), out(dtype, kCount);
  x.fill_random(1);
  RandomCall call;
  call.kind = kind, call.dtype = dtype, call.seed = 42, call.offset = 7, call.count = kCount;
  call.x = x.data(true), call.out = out.data(true), call.a = kind == RandomCall::Dropout ? 0.3 : -1, call.range = 1000;
  call.stream = cuda_stream();
  kernels(true).random(call);
  keep("random " + std::to_string(int(kind)) + " " + name_of(dtype), out, bound);
}
void conversion_case(DType from, DType to) {
  const int64_t one = 1, n = kCount;
  Array in(from, n), out(to, n);
  if (is_float(from) && is_float(to)) in.set(edges(false));
  else in.fill_random(3, 0, 100);
  CopyCall call;
  call.in = in.operand(true, &one), call.out = out.operand(true, &one);
  call.rank = 1, call.shape = &n, call.stream = cuda_stream();
  kernels(true).copy(call);
  keep(std::string("copy ") + name_of(from) + " " + name_of(to), out, 0);
}
void softmax_case(DType dtype, bool logarithm, int64_t columns) {
  Array x(dtype, 5 * columns), out(dtype, 5 * columns);
  x.fill_random(2, -4, 4);
  SoftmaxCall call;
  call.log = logarithm, call.dtype = dtype, call.rows = 5, call.columns = columns;
  call.x = x.data(true), call.out = out.data(true), call.stream = cuda_stream();
  kernels(true).softmax(call);
  keep("softmax " + std::to_string(logarithm) + " " + name_of(dtype) + " " + std::to_string(columns), out,
       item_size(dtype) < 4 ? 0.02 : 1e-5);
}
void matmul_case(DType dtype, int64_t m, int64_t n, int64_t k, bool transpose, bool with_bias) {
  Array a(dtype, m * k), b(dtype, k * n), bias(dtype, n), c(dtype, m * n);
  a.fill_random(1, -1, 1), b.fill_random(2, -1, 1), bias.fill_random(3, -1, 1);
  MatmulCall call;
  call.dtype = dtype, call.m = m, call.n = n, call.k = k;
  call.a = a.data(true), call.b = b.data(true), call.c = c.data(true);
  call.a_row = k, call.a_column = 1, call.b_row = transpose ? 1 : n, call.b_column = transpose ? k : 1, call.c_row = n;
  if (with_bias) call.bias = bias.data(true);
  call.stream = cuda_stream();
  kernels(true).matmul(call);
  std::ostringstream name;
  name << "matmul " << name_of(dtype) << " " << m << "x" << k << "x" << n << (transpose ? " t" : "")
       << (with_bias ? " bias" : "");
  keep(name.str(), c, item_size(dtype) < 4 ? 0.05 : dtype == DType::F32 ? 2e-4 : 1e-11);
}
void other_cases() {
  for (DType dtype : kFloats) {
    for (auto kind : {RandomCall::Uniform, RandomCall::Dropout, RandomCall::Integers}) random_case(kind, dtype, 0);
    random_case(RandomCall::Normal, dtype, item_size(dtype) < 4 ? 0.02 : 1e-5);
    for (DType to : kReal) conversion_case(dtype, to), conversion_case(to, dtype);
    for (bool logarithm : {false, true}) softmax_case(dtype, logarithm, 10), softmax_case(dtype, logarithm, 2000);
    for (bool transpose : {false, true})
      for (bool with_bias : {false, true}) {
        matmul_case(dtype, 64, 32, 48, transpose, with_bias);
        matmul_case(dtype, 7, 5, 3, transpose, with_bias);
      }
  }
}

// ------------------------------------------------------------------------------------------------------ files
void write_file(const char* path) {
  std::ofstream file(path, std::ios::binary);
  for (auto& [name, r] : records) {
    file << name << '\n' << r.exact << ' ' << r.bound << ' ' << int(r.dtype) << ' ' << r.bytes.size() << '\n';
    file.write(r.bytes.data(), std::streamsize(r.bytes.size()));
    file << '\n';
  }
  file.close();
  if (!file) throw std::runtime_error(std::string("cannot write ") + path);
}
std::map<std::string, Record> read_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(std::string("cannot read ") + path);
  std::map<std::string, Record> found;
  for (std::string name; std::getline(file, name);) {
    Record r;
    int dtype = 0;
    size_t size = 0;
    file >> r.exact >> r.bound >> dtype >> size;
    file.get();
    r.dtype = DType(dtype), r.bytes.resize(size);
    file.read(r.bytes.data(), std::streamsize(size));
    file.get();
    found[name] = r;
  }
  return found;
}

// The largest difference of two arrays as a multiple of the larger number (or of 1); infinite where one is NaN.
double difference(const Record& a, const Record& b) {
  double worst = 0;
  for (int64_t i = 0; i < int64_t(a.bytes.size()) / item_size(a.dtype); i++) {
    const double x = number_at(a.bytes.data(), a.dtype, i), y = number_at(b.bytes.data(), b.dtype, i);
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    const double d = std::abs(x - y) / (1 + std::max(std::abs(x), std::abs(y)));
    if (!(d <= worst)) worst = std::isnan(d) ? INFINITY : d;
  }
  return worst;
}
// For exact cases NaN of any sign and payload is one value; everything else is compared bit by bit.
bool same_bits(const Record& a, const Record& b) {
  if (a.bytes == b.bytes) return true;
  const int64_t size = item_size(a.dtype);
  for (int64_t i = 0; i < int64_t(a.bytes.size()) / size; i++) {
    if (a.bytes.compare(size_t(i * size), size_t(size), b.bytes, size_t(i * size), size_t(size)) == 0) continue;
    if (!std::isnan(number_at(a.bytes.data(), a.dtype, i)) || !std::isnan(number_at(b.bytes.data(), b.dtype, i)))
      return false;
  }
  return true;
}

int compare(const char* path_a, const char* path_b) {
  const auto a = read_file(path_a), b = read_file(path_b);
  int exact = 0, near = 0, wrong = a.size() != b.size();
  std::map<std::string, double> worst;  // of near cases, by the first word
  for (auto& [name, r] : a) {
    const auto other = b.find(name);
    if (other == b.end() || other->second.bytes.size() != r.bytes.size()) {
      wrong++;
      std::cout << "MISSING  " << name << "\n";
      continue;
    }
    const double d = difference(r, other->second);
    const bool good = r.exact ? same_bits(r, other->second) : d <= r.bound;
    (r.exact ? exact : near)++;
    if (!good) {
      wrong++;
      std::cout << "DIFFERS  " << name << (r.exact ? " (exact)" : "") << ": " << d << "\n";
    }
    double& of_kind = worst[name.substr(0, name.find(' ')) + " " + name_of(r.dtype)];
    if (!r.exact) of_kind = std::max(of_kind, d);
  }
  for (auto& [kind, d] : worst)
    if (d > 0) std::printf("near  %-28s largest difference %.3g\n", kind.c_str(), d);
  std::printf("conformance: %d exact and %d near cases, %d wrong\n", exact, near, wrong);
  return wrong != 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  try {
    if (mode == "compare" && argc == 4) return compare(argv[2], argv[3]);
    if (mode != "write" || argc != 3) return std::puts("usage: bolide_gpu_conformance write FILE | compare A B"), 2;
    std::printf("conformance: %s\n", cuda().device_name(0).c_str());
    elementwise_cases(), reduce_cases(), other_cases();
    write_file(argv[2]);
    std::printf("conformance: %zu cases written\n", records.size());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "conformance: %s\n", error.what());
    return 1;
  }
}
