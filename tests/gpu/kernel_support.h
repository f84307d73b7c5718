// kernel_support.h - one call on two devices: arrays that lie on the host and on the CUDA device, and their comparison.
//
// The CUDA device is whatever bolide finds: a GPU with libbolide_cuda.so, the emulated one with BOLIDE_CUDA_LIBRARY.
// The reference is the CPU kernel of the same name, which the Python suite checks against NumPy.
//
//   Array x(DType::F32, 100), y(DType::F32, 100);
//   x.fill_random(1);
//   on_both([&](bool cuda) { call.in = x.operand(cuda, strides); call.out = y.operand(cuda, strides);
//                            kernels(cuda).copy(call); });
//   y.expect_equal("copy");
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/cpu/cpu_kernels.h"
#include "kernels/half.h"
#include "runtime/backend.h"
#include "runtime/errors.h"
#include "runtime/memory_pool.h"

namespace bolide::test {

inline Backend& cuda() { return *backend_of(DeviceType::CUDA).backend; }
inline StreamHandle cuda_stream() { return cuda().default_stream(0); }
inline const Kernels& kernels(bool on_cuda) { return on_cuda ? *backend_of(DeviceType::CUDA).kernels : cpu_kernels(); }

// Element `at` as a double (the real part of a complex one), and back.
inline double number_at(const char* data, DType dtype, int64_t at) {
  data += at * item_size(dtype);
  const auto as = [&](auto x) { return std::memcpy(&x, data, sizeof x), x; };
  switch (dtype) {
    case DType::Bool:
    case DType::U8: return as(uint8_t());
    case DType::I8: return as(int8_t());
    case DType::I16: return as(int16_t());
    case DType::I32: return as(int32_t());
    case DType::I64: return double(as(int64_t()));
    case DType::F16: return to_float(as(F16()));
    case DType::BF16: return to_float(as(BF16()));
    case DType::F32: return as(float());
    case DType::F64: return as(double());
    case DType::C64: return as(std::complex<float>()).real();
    case DType::C128: return as(std::complex<double>()).real();
  }
  return 0;
}
inline void set_number(char* data, DType dtype, int64_t at, double x) {
  data += at * item_size(dtype);
  const auto put = [&](auto v) { std::memcpy(data, &v, sizeof v); };
  switch (dtype) {
    case DType::Bool: return put(uint8_t(x != 0));
    case DType::U8: return put(uint8_t(int64_t(x)));
    case DType::I8: return put(int8_t(int64_t(x)));
    case DType::I16: return put(int16_t(x));
    case DType::I32: return put(int32_t(x));
    case DType::I64: return put(int64_t(x));
    case DType::F16: return put(store_as<F16>(float(x)));
    case DType::BF16: return put(store_as<BF16>(float(x)));
    case DType::F32: return put(float(x));
    case DType::F64: return put(x);
    case DType::C64: return put(std::complex<float>(float(x), float(-2 * x)));
    case DType::C128: return put(std::complex<double>(x, -2 * x));
  }
}

// What kernels report of wrong numbers: on the CPU to a place of its own, on the device where the backend says.
struct Reports {
  Fault on_cpu;
  Fault* place(bool on_cuda) { return on_cuda ? cuda().fault(0) : &on_cpu; }
  // Both devices have reported the same; was there anything? Forgets it.
  bool expect_equal(const std::string& what) {
    cuda().synchronize(cuda_stream());
    const Fault a = std::exchange(on_cpu, {}), b = std::exchange(*cuda().fault(0), {});
    EXPECT_EQ(a.op != nullptr, b.op != nullptr) << what;
    if (!a.op || !b.op) return a.op || b.op;  // one that was raised keeps its numbers
    EXPECT_TRUE(std::string(a.op) == b.op && std::string(a.what) == b.what) << what;
    EXPECT_TRUE(a.value == b.value && a.low == b.low && a.high == b.high)
        << what << ": " << a.value << " and " << b.value;
    return true;
  }
};

class Array {
 public:
  Array(DType dtype, int64_t count, int64_t offset = 0)
      : dtype_(dtype), count_(count), skip_(offset * item_size(dtype)),
        host_(size_t(count * item_size(dtype) + skip_), char(0x55)),
        device_(allocate({DeviceType::CUDA, 0}, host_.size(), cuda_stream())) {
    upload();
  }
  ~Array() { deallocate({DeviceType::CUDA, 0}, device_); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  DType dtype() const { return dtype_; }
  int64_t count() const { return count_; }
  char* host() { return host_.data() + skip_; }
  char* data(bool on_cuda) { return on_cuda ? static_cast<char*>(device_.data) + skip_ : host(); }
  template <class T>
  T* as(bool on_cuda) {
    return reinterpret_cast<T*>(data(on_cuda));
  }
  Operand operand(bool on_cuda, const int64_t* strides) { return {data(on_cuda), dtype_, strides}; }

  void upload() {
    cuda().copy_bytes(device_.data, host_.data(), host_.size(), Backend::CopyKind::ToDevice, cuda_stream());
  }
  std::vector<char> download() const {
    std::vector<char> bytes(host_.size());
    cuda().copy_bytes(bytes.data(), device_.data, bytes.size(), Backend::CopyKind::ToHost, cuda_stream());
    bytes.erase(bytes.begin(), bytes.begin() + skip_);
    return bytes;
  }
  Array& set(const std::vector<double>& values) {
    for (int64_t i = 0; i < count_; i++) set_number(host(), dtype_, i, values[size_t(i) % values.size()]);
    upload();
    return *this;
  }
  // Numbers in [low, high]; integers and bool as well.
  Array& fill_random(unsigned seed, double low = 0.25, double high = 4) {
    std::mt19937_64 random(seed);
    for (int64_t i = 0; i < count_; i++) {
      double x = low + (high - low) * double(random() >> 11) * 0x1p-53;
      if (dtype_ == DType::Bool) x = random() & 1;
      else if (!is_float(dtype_) && !is_complex(dtype_)) x = std::round(x);
      set_number(host(), dtype_, i, x);
    }
    upload();
    return *this;
  }

  // The device's numbers are those of the host: the same bits, or for floats within `ulps` of the larger one.
  void expect_equal(const std::string& what, double ulps = 0, double absolute = 0) {
    const std::vector<char> got = download();
    const DType real = dtype_ == DType::C64 ? DType::F32 : dtype_ == DType::C128 ? DType::F64 : dtype_;
    const int64_t n = count_ * item_size(dtype_) / item_size(real);
    const double unit = real == DType::F64   ? 0x1p-52
                        : real == DType::F32 ? 0x1p-23
                        : real == DType::F16 ? 0x1p-10
                                             : 0x1p-7;
    int64_t wrong = 0;
    for (int64_t i = 0; i < n; i++) {
      const double a = number_at(host(), real, i), b = number_at(got.data(), real, i);
      const double bound = is_float(real) ? absolute + ulps * unit * std::max(std::abs(a), std::abs(b)) : 0;
      const bool same = a == b || (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= bound;
      if (!same && ++wrong <= 3) ADD_FAILURE() << what << ": element " << i << " is " << b << ", not " << a;
    }
    if (wrong > 3) ADD_FAILURE() << what << ": " << wrong << " of " << n << " elements differ";
  }

 private:
  DType dtype_;
  int64_t count_, skip_;
  std::vector<char> host_;
  Allocation device_;
};

template <class F>
void on_both(const F& f) {
  f(false);
  f(true);
}
// Runs it on both devices; true if both did it, false if both said that they cannot.
template <class F>
bool both_can(const F& f) {
  bool can[2] = {true, true};
  for (bool on_cuda : {false, true}) try {
      f(on_cuda);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::NotImplemented) throw;
      can[on_cuda] = false;
    }
  EXPECT_EQ(can[0], can[1]) << (can[0] ? "only the CPU" : "only CUDA") << " has a kernel";
  return can[0] && can[1];
}

// A shape with the strides of one operand, in elements; `extent` is the memory it needs.
struct View {
  std::vector<int64_t> shape, strides;
  int64_t extent() const {
    int64_t last = 0;
    for (size_t d = 0; d < shape.size(); d++) {
      if (shape[d] == 0) return 1;
      last += (shape[d] - 1) * strides[d];
    }
    return last + 1;
  }
  int64_t count() const {
    int64_t n = 1;
    for (int64_t size : shape) n *= size;
    return n;
  }
};
inline View dense(std::vector<int64_t> shape) {
  View v{shape, shape};
  int64_t n = 1;
  for (size_t d = shape.size(); d-- > 0; n *= shape[d]) v.strides[d] = n;
  return v;
}
// The same shape stored with its dimensions in reverse order, and with every second element only.
inline View transposed(std::vector<int64_t> shape) {
  View v{shape, shape};
  int64_t n = 1;
  for (size_t d = 0; d < shape.size(); n *= shape[d++]) v.strides[d] = n;
  return v;
}
inline View sliced(std::vector<int64_t> shape) {
  View v = dense(shape);
  for (int64_t& s : v.strides) s *= 2;
  return v;
}

// Under ThreadSanitizer a CUDA thread is a fiber of its own and a launch takes a thousand times longer: there the tests
// are for races, on fewer dtypes and small shapes.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kSlow = true;
inline const std::vector<DType> kReal = {DType::Bool, DType::F16, DType::F32};
inline const std::vector<DType> kFloats = {DType::BF16, DType::F32};
#else
inline constexpr bool kSlow = false;
inline const std::vector<DType> kReal = {DType::Bool, DType::U8,  DType::I8,   DType::I16, DType::I32,
                                         DType::I64,  DType::F16, DType::BF16, DType::F32, DType::F64};
inline const std::vector<DType> kFloats = {DType::F16, DType::BF16, DType::F32, DType::F64};
#endif

// Is a slot of an elementwise call, of gradient -1 the op itself, a parameter of the op? These are one number.
inline bool is_parameter(int slot, int arity, int scalars, int gradient) {
  const int input = slot - (gradient >= 0);
  return input >= arity - scalars && input < arity;
}

}  // namespace bolide::test
