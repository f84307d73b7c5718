// test_kernels.cpp - CPU kernels of matrices, images and indices against plain loops in double.
#include <complex>
#include <limits>

#include "kernel_support.h"
#include "runtime/errors.h"

namespace bolide {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNotANumber = std::nan("");

// ---- matmul ------------------------------------------------------------------------------------------------

enum class Layout { Rows, Columns, Gaps, Broadcast };
struct Operand2 {
  int64_t batch, row, column, size;
};
Operand2 layout_of(Layout layout, int64_t batch, int64_t rows, int64_t columns) {
  switch (layout) {
    case Layout::Rows: return {rows * columns, columns, 1, batch * rows * columns};
    case Layout::Columns: return {rows * columns, 1, rows, batch * rows * columns};
    case Layout::Gaps: return {rows * (2 * columns + 3), 2 * columns + 3, 2, batch * rows * (2 * columns + 3)};
    default: return {0, 0, 0, 1};
  }
}

enum class Beginning { Nothing, Bias, Accumulate };

template <class S>
void check_matmul(int64_t batch, int64_t m, int64_t n, int64_t k, Layout a_layout, Layout b_layout, Beginning start) {
  const Operand2 a = layout_of(a_layout, batch, m, k), b = layout_of(b_layout, batch, k, n);
  const auto av = random_numbers<S>(a.size, 1), bv = random_numbers<S>(b.size, 2), bias = random_numbers<S>(n, 3);
  const int64_t c_row = n + 3;  // the last three of each row are not to be touched
  auto c = random_numbers<S>(batch * m * c_row, 4);
  std::vector<double> wanted = doubles(c);
  for (int64_t t = 0; t < batch; t++)
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < n; j++) {
        double& to = wanted[size_t((t * m + i) * c_row + j)];
        double sum = start == Beginning::Bias ? to_double(bias[size_t(j)]) : start == Beginning::Nothing ? 0 : to;
        for (int64_t l = 0; l < k; l++)
          sum += to_double(av[size_t(t * a.batch + i * a.row + l * a.column)]) *
                 to_double(bv[size_t(t * b.batch + l * b.row + j * b.column)]);
        to = sum;
      }
  MatmulCall call;
  call.dtype = dtype_of<S>(), call.batch = batch, call.m = m, call.n = n, call.k = k;
  call.a = av.data(), call.a_batch = a.batch, call.a_row = a.row, call.a_column = a.column;
  call.b = bv.data(), call.b_batch = b.batch, call.b_row = b.row, call.b_column = b.column;
  call.c = c.data(), call.c_batch = m * c_row, call.c_row = c_row;
  call.bias = start == Beginning::Bias ? bias.data() : nullptr, call.accumulate = start == Beginning::Accumulate;
  cpu_kernels().matmul(call);
  expect_close(c, wanted, std::sqrt(double(k) + 1),
               str("matmul ", name_of(call.dtype), " ", batch, "x", m, "x", n, "x", k, " layouts ", int(a_layout), " ",
                   int(b_layout), " start ", int(start)));
}

TEST(Kernels, MatmulIsTheSumOfProducts) {
  constexpr int64_t kSizes[][4] = {{1, 1, 1, 1},    {1, 5, 7, 3},     {3, 14, 32, 16},  {1, 29, 65, 33},
                                   {2, 1, 40, 100}, {1, 40, 1, 100},  {1, 2, 9, 200},   {7, 4, 4, 4},
                                   {1, 100, 31, 1}, {1, 64, 130, 70}, {1, 13, 300, 400}};
  for_float_types([&]<class S> {
    for (const auto& s : kSizes)
      for (int a = 0; a < 4; a++)
        for (int b = 0; b < 4; b++)
          check_matmul<S>(s[0], s[1], s[2], s[3], Layout(a), Layout(b), Beginning((a + b) % 3));
  });
}
TEST(Kernels, MatmulOfLargeMatricesInBlocks) {
  for_float_types([]<class S> {
    check_matmul<S>(1, 230, 290, 530, Layout::Rows, Layout::Rows, Beginning::Nothing);
    check_matmul<S>(1, 200, 270, 300, Layout::Columns, Layout::Columns, Beginning::Bias);
    check_matmul<S>(2, 193, 197, 20, Layout::Rows, Layout::Columns, Beginning::Accumulate);
  });
}
TEST(Kernels, MatmulOfNothing) {
  for (const auto start : {Beginning::Nothing, Beginning::Bias, Beginning::Accumulate})
    for (const auto& s : {std::array<int64_t, 4>{2, 3, 4, 0}, {0, 3, 4, 5}, {1, 0, 4, 5}, {1, 3, 0, 5}})
      for_float_types([&]<class S> { check_matmul<S>(s[0], s[1], s[2], s[3], Layout::Rows, Layout::Rows, start); });
}
TEST(Kernels, MatmulPassesOnWhatIsNotANumber) {
  std::vector<float> a(20 * 30, 0.0f), b(30 * 40, 1.0f), c(20 * 40);
  b[7 * 40 + 11] = float(kNotANumber);
  MatmulCall call;
  call.m = 20, call.n = 40, call.k = 30;
  call.a = a.data(), call.a_row = 30, call.a_column = 1, call.b = b.data(), call.b_row = 40, call.b_column = 1;
  call.c = c.data(), call.c_row = 40;
  cpu_kernels().matmul(call);
  for (int i = 0; i < 20; i++)
    for (int j = 0; j < 40; j++) EXPECT_EQ(std::isnan(c[size_t(i * 40 + j)]), j == 11) << i << ", " << j;
}

template <class T>
void check_exact_matmul(DType dtype, const std::vector<T>& a, const std::vector<T>& b, int64_t m, int64_t n,
                        int64_t k) {
  std::vector<T> c(size_t(m * n)), wanted(size_t(m * n));
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      T sum{};
      for (int64_t l = 0; l < k; l++) sum = T(sum + T(a[size_t(i * k + l)] * b[size_t(j * k + l)]));  // b transposed
      wanted[size_t(i * n + j)] = sum;
    }
  MatmulCall call;
  call.dtype = dtype, call.m = m, call.n = n, call.k = k, call.a = a.data(), call.a_row = k, call.a_column = 1;
  call.b = b.data(), call.b_row = 1, call.b_column = k, call.c = c.data(), call.c_row = n;
  cpu_kernels().matmul(call);
  EXPECT_EQ(c, wanted) << name_of(dtype);
}
TEST(Kernels, MatmulOfIntegersWrapsAround) {
  const auto run = []<class T>(T, DType dtype) {
    std::vector<T> a(size_t(17 * 130)), b(size_t(23 * 130));
    for (size_t i = 0; i < a.size(); i++) a[i] = T(i * 7919);
    for (size_t i = 0; i < b.size(); i++) b[i] = T(i * 104729 + 3);
    check_exact_matmul(dtype, a, b, 17, 23, 130);
  };
  run(uint8_t(), DType::U8), run(uint16_t(), DType::I16), run(uint32_t(), DType::I32), run(uint64_t(), DType::I64);
}
TEST(Kernels, MatmulOfComplexNumbers) {
  std::vector<std::complex<double>> a, b;  // small whole numbers: exact
  for (int i = 0; i < 5 * 9; i++) a.emplace_back(i % 7 - 3, i % 5);
  for (int i = 0; i < 6 * 9; i++) b.emplace_back(i % 4, i % 3 - 1);
  check_exact_matmul(DType::C128, a, b, 5, 6, 9);
}
TEST(Kernels, MatmulWithoutAKernelSaysSo) {
  MatmulCall call;
  call.dtype = DType::Bool, call.m = call.n = call.k = 1;
  try {
    cpu_kernels().matmul(call);
    FAIL() << "did not raise";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::NotImplemented);
    for (const char* part : {"[matmul]", "bool", "cpu"}) EXPECT_NE(std::string(e.what()).find(part), std::string::npos);
  }
}

// ---- convolution -------------------------------------------------------------------------------------------

struct ConvolutionCase {
  int64_t images, in, height, width, out, kernel[2], stride[2], padding[2], dilation[2], groups;
};
ConvolutionCall call_of(const ConvolutionCase& s, DType dtype) {
  ConvolutionCall call;
  call.dtype = dtype, call.images = s.images, call.in_channels = s.in, call.height = s.height, call.width = s.width;
  call.out_channels = s.out, call.kernel_height = s.kernel[0], call.kernel_width = s.kernel[1], call.groups = s.groups;
  for (int d = 0; d < 2; d++)
    call.stride[d] = s.stride[d], call.padding[d] = s.padding[d], call.dilation[d] = s.dilation[d];
  const auto size = [&](int64_t n, int d) {
    return (n + 2 * s.padding[d] - s.dilation[d] * (s.kernel[d] - 1) - 1) / s.stride[d] + 1;
  };
  call.out_height = size(s.height, 0), call.out_width = size(s.width, 1);
  return call;
}

// Calls f(index in x, index in w, index in y) for every product of the convolution.
template <class F>
void for_products(const ConvolutionCall& c, const F& f) {
  const int64_t in = c.in_channels / c.groups, out = c.out_channels / c.groups;
  for (int64_t n = 0; n < c.images; n++)
    for (int64_t o = 0; o < c.out_channels; o++)
      for (int64_t y = 0; y < c.out_height; y++)
        for (int64_t x = 0; x < c.out_width; x++)
          for (int64_t i = 0; i < in; i++)
            for (int64_t u = 0; u < c.kernel_height; u++)
              for (int64_t v = 0; v < c.kernel_width; v++) {
                const int64_t iy = y * c.stride[0] + u * c.dilation[0] - c.padding[0];
                const int64_t ix = x * c.stride[1] + v * c.dilation[1] - c.padding[1];
                if (iy < 0 || iy >= c.height || ix < 0 || ix >= c.width) continue;
                f(size_t(((n * c.in_channels + o / out * in + i) * c.height + iy) * c.width + ix),
                  size_t(((o * in + i) * c.kernel_height + u) * c.kernel_width + v),
                  size_t(((n * c.out_channels + o) * c.out_height + y) * c.out_width + x));
              }
}

template <class S>
void check_convolution(const ConvolutionCase& s) {
  ConvolutionCall call = call_of(s, dtype_of<S>());
  auto x = random_numbers<S>(s.images * s.in * s.height * s.width, 1);
  auto w = random_numbers<S>(s.out * s.in / s.groups * s.kernel[0] * s.kernel[1], 2);
  auto y = random_numbers<S>(s.images * s.out * call.out_height * call.out_width, 3);
  const auto bias = random_numbers<S>(s.out, 4);
  const std::vector<double> xd = doubles(x), wd = doubles(w), gd = doubles(y);
  std::vector<double> yd(y.size()), dx(x.size()), dw(w.size());
  const size_t plane = size_t(call.out_height * call.out_width);
  for (size_t i = 0; i < yd.size(); i++) yd[i] = to_double(bias[i / plane % bias.size()]);
  for_products(call, [&](size_t i, size_t j, size_t k) {
    yd[k] += xd[i] * wd[j], dx[i] += gd[k] * wd[j], dw[j] += gd[k] * xd[i];
  });
  const std::string what =
      str("convolution ", name_of(call.dtype), " ", s.images, "x", s.in, "x", s.height, "x", s.width, " to ", s.out,
          " kernel ", s.kernel[0], "x", s.kernel[1], " stride ", s.stride[0], " ", s.stride[1], " groups ", s.groups);
  call.input = x.data(), call.weight = w.data(), call.output = y.data();
  std::vector<S> dx_got(x.size(), from_double<S>(9)), dw_got(w.size(), from_double<S>(9));
  call.mode = ConvolutionCall::InputGradient, call.input = dx_got.data();
  cpu_kernels().convolution(call);
  const double taps = double(s.kernel[0] * s.kernel[1]);  // sums of n products are off by about the root of n
  expect_close(dx_got, dx, 1 + std::sqrt(taps * double(s.out)), what + ", input gradient");
  call.mode = ConvolutionCall::WeightGradient, call.input = x.data(), call.weight = dw_got.data();
  cpu_kernels().convolution(call);
  expect_close(dw_got, dw, 1 + std::sqrt(double(s.images) * double(plane)), what + ", weight gradient");
  call.mode = ConvolutionCall::Forward, call.weight = w.data(), call.bias = bias.data();
  cpu_kernels().convolution(call);
  expect_close(y, yd, 1 + std::sqrt(taps * double(s.in)), what);
}

constexpr ConvolutionCase kConvolutions[] = {
    {2, 3, 17, 15, 5, {3, 3}, {2, 2}, {1, 1}, {1, 1}, 1},    // a stride
    {2, 6, 19, 18, 8, {5, 3}, {3, 2}, {2, 0}, {1, 2}, 2},    // all at once, groups
    {2, 5, 9, 9, 7, {1, 1}, {2, 2}, {0, 0}, {1, 1}, 1},      // pixels that nothing reads
    {3, 4, 11, 11, 33, {3, 3}, {1, 1}, {0, 0}, {1, 1}, 1},   // channels that are no whole vectors
    {2, 32, 13, 13, 48, {3, 3}, {1, 1}, {1, 1}, {1, 1}, 1},  // by channel
    {2, 20, 7, 6, 17, {3, 3}, {2, 1}, {1, 1}, {2, 1}, 1},    // by channel, a stride and a dilation
    {2, 1, 28, 28, 32, {3, 3}, {1, 1}, {0, 0}, {1, 1}, 1},   // one input channel
    {2, 2, 30, 21, 3, {3, 3}, {1, 1}, {1, 1}, {1, 1}, 1},    // few products
    {2, 7, 12, 20, 7, {3, 3}, {1, 1}, {1, 1}, {1, 1}, 7},    // depthwise
    {2, 7, 13, 20, 7, {3, 3}, {2, 2}, {1, 1}, {1, 1}, 7},    // depthwise, a stride
    {3, 24, 5, 7, 20, {1, 1}, {1, 1}, {0, 0}, {1, 1}, 1},    // a product of matrices
    {2, 3, 4, 5, 6, {4, 5}, {1, 1}, {0, 0}, {1, 1}, 1},      // one output pixel
    {2, 3, 3, 3, 6, {3, 3}, {1, 1}, {4, 4}, {1, 1}, 1},      // outputs that read nothing
    {1, 40, 90, 70, 20, {3, 3}, {1, 1}, {1, 1}, {1, 1}, 1},  // more than one band
};
TEST(Kernels, ConvolutionAndItsGradients) {
  for (const ConvolutionCase& s : kConvolutions) for_float_types([&]<class S> { check_convolution<S>(s); });
}
TEST(Kernels, ConvolutionOfNothing) {
  for (const ConvolutionCase& s : {ConvolutionCase{0, 3, 5, 5, 2, {3, 3}, {1, 1}, {0, 0}, {1, 1}, 1},
                                   {2, 0, 5, 5, 2, {3, 3}, {1, 1}, {0, 0}, {1, 1}, 1}})
    check_convolution<float>(s);
}
TEST(Kernels, ConvolutionKeepsWhatIsNotANumberInItsWindows) {
  ConvolutionCall call = call_of({1, 2, 12, 12, 20, {3, 3}, {1, 1}, {1, 1}, {1, 1}, 1}, DType::F32);
  std::vector<float> x(2 * 12 * 12, 1.0f), w(20 * 2 * 9, 1.0f), y(20 * 12 * 12);
  x[5 * 12 + 11] = float(kNotANumber);
  call.input = x.data(), call.weight = w.data(), call.output = y.data();
  cpu_kernels().convolution(call);
  for (int i = 0; i < 20 * 144; i++) {
    const int row = i % 144 / 12, column = i % 12;
    EXPECT_EQ(std::isnan(y[size_t(i)]), std::abs(row - 5) <= 1 && column >= 10) << i;
  }
}

// ---- max pool ----------------------------------------------------------------------------------------------

template <class S>
void check_pool(MaxPoolCall call) {
  call.dtype = dtype_of<S>(), call.planes = 3;
  const auto size = [&](int64_t n, int d) {
    return (n + 2 * call.padding[d] - call.dilation[d] * (call.kernel[d] - 1) - 1) / call.stride[d] + 1;
  };
  call.out_height = size(call.height, 0), call.out_width = size(call.width, 1);
  const int64_t plane = call.height * call.width, out_plane = call.out_height * call.out_width;
  auto x = random_numbers<S>(3 * plane);
  x[size_t(plane / 2)] = from_double<S>(kNotANumber);
  for (int64_t i = 2 * plane; i < 3 * plane; i++) x[size_t(i)] = from_double<S>(-kInfinity);
  std::vector<S> y(size_t(3 * out_plane));
  std::vector<int64_t> indices(y.size());
  std::vector<double> wanted, gradient(x.size());
  std::vector<int64_t> places;
  for (int64_t i = 0; i < 3 * out_plane; i++) {
    double best = -kInfinity;
    int64_t place = -1;
    for (int64_t t = 0; t < call.kernel[0] * call.kernel[1]; t++) {
      const int64_t r =
          i % out_plane / call.out_width * call.stride[0] - call.padding[0] + t / call.kernel[1] * call.dilation[0];
      const int64_t c = i % call.out_width * call.stride[1] - call.padding[1] + t % call.kernel[1] * call.dilation[1];
      if (r < 0 || r >= call.height || c < 0 || c >= call.width) continue;
      const double v = to_double(x[size_t(i / out_plane * plane + r * call.width + c)]);
      if (place < 0 || v > best || std::isnan(v)) best = v, place = r * call.width + c;
    }
    wanted.push_back(best), places.push_back(place);
    gradient[size_t(i / out_plane * plane + place)] += double(i % 5 + 1);
  }
  call.input = x.data(), call.output = y.data(), call.indices = indices.data();
  cpu_kernels().max_pool(call);
  expect_close(y, wanted, 0, "max_pool");
  EXPECT_EQ(indices, places);
  for (size_t i = 0; i < y.size(); i++) y[i] = from_double<S>(double(i % 5 + 1));
  call.backward = true;
  cpu_kernels().max_pool(call);
  expect_close(x, gradient, 0, "max_pool, gradient");
}
TEST(Kernels, MaxPoolAndItsGradient) {
  const MaxPoolCall calls[] = {
      {.height = 26, .width = 26, .kernel = {2, 2}, .stride = {2, 2}},
      {.height = 13, .width = 37, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}},
      {.height = 9, .width = 8, .kernel = {2, 3}, .stride = {1, 1}, .padding = {0, 1}, .dilation = {2, 3}},
      {.height = 17, .width = 40, .kernel = {3, 5}, .stride = {3, 4}, .padding = {1, 2}},
      {.height = 1, .width = 1, .kernel = {1, 1}, .stride = {1, 1}},
  };
  for (const MaxPoolCall& call : calls) for_float_types([&]<class S> { check_pool<S>(call); });
}

// ---- index -------------------------------------------------------------------------------------------------

TEST(Kernels, IndexTakesPutsAndAddsInOrder) {
  // An array of 6 rows of 4 x 3 in which the dimension of 4 is the inner one with gaps.
  const int64_t shape[] = {4, 3}, strides[] = {5, 1}, offsets[] = {40, 0, 40, 20, 100};
  std::vector<float> array(120), values(5 * 12), before;
  for (size_t i = 0; i < array.size(); i++) array[i] = float(i);
  before = array;
  IndexCall call;
  call.array = array.data(), call.offsets = offsets, call.count = 5, call.inner_rank = 2;
  call.inner_shape = shape, call.inner_strides = strides, call.values = values.data();
  cpu_kernels().index(call);
  for (int64_t i = 0; i < 60; i++) EXPECT_EQ(values[size_t(i)], float(offsets[i / 12] + i % 12 / 3 * 5 + i % 3));
  for (size_t i = 0; i < values.size(); i++) values[i] = float(1000 + i);
  call.mode = IndexCall::Put;
  cpu_kernels().index(call);
  std::vector<float> wanted = before;
  for (int64_t i = 0; i < 60; i++) wanted[size_t(offsets[i / 12] + i % 12 / 3 * 5 + i % 3)] = values[size_t(i)];
  EXPECT_EQ(array, wanted);
  array = before, wanted = before;
  call.mode = IndexCall::Add;
  cpu_kernels().index(call);
  for (int64_t i = 0; i < 60; i++) wanted[size_t(offsets[i / 12] + i % 12 / 3 * 5 + i % 3)] += values[size_t(i)];
  EXPECT_EQ(array, wanted);
}
TEST(Kernels, IndexOfEveryElementSizeAndManyRows) {
  std::vector<int64_t> offsets;
  for (int64_t i = 0; i < 3000; i++) offsets.push_back(i * 7919 % 500 * 40);
  const int64_t shape[] = {40}, strides[] = {1};
  for (const DType dtype : {DType::Bool, DType::BF16, DType::I32, DType::C64, DType::C128}) {
    const int64_t size = item_size(dtype);
    std::vector<uint8_t> array(size_t(500 * 40 * size)), values(size_t(3000 * 40 * size));
    for (size_t i = 0; i < array.size(); i++) array[i] = uint8_t(i * 31 >> 3);
    const std::vector<uint8_t> before = array;
    IndexCall call;
    call.dtype = dtype, call.array = array.data(), call.offsets = offsets.data(), call.count = 3000;
    call.inner_rank = 1, call.inner_shape = shape, call.inner_strides = strides, call.values = values.data();
    cpu_kernels().index(call);
    for (size_t i = 0; i < offsets.size(); i++)
      ASSERT_TRUE(std::equal(&values[i * 40 * size_t(size)], &values[i * 40 * size_t(size)] + 40 * size,
                             &array[size_t(offsets[i] * size)]))
          << name_of(dtype) << " row " << i;
    std::fill(array.begin(), array.end(), uint8_t(0));
    call.mode = IndexCall::Put;  // back where it came from
    cpu_kernels().index(call);
    EXPECT_EQ(array, before) << name_of(dtype);
  }
}
TEST(Kernels, IndexOffsetsWrapAndReport) {
  const int64_t first[] = {0, -1, 2}, shape[] = {3, 4}, down[] = {1, 0}, along[] = {0, 1};
  int32_t second[] = {3, -4, 0, 1};
  int64_t offsets[12];
  Fault fault;
  IndexOffsetsCall call;
  call.keys = 2, call.rank = 2, call.shape = shape, call.offsets = offsets, call.fault = &fault;
  call.indices[0] = {const_cast<int64_t*>(first), DType::I64, down};
  call.indices[1] = {second, DType::I32, along};
  call.sizes[0] = 3, call.sizes[1] = 4, call.strides[0] = 100, call.strides[1] = 7;
  cpu_kernels().index_offsets(call);
  EXPECT_EQ(fault.op, nullptr);
  const int64_t rows[] = {0, 2, 2}, columns[] = {3, 0, 0, 1};
  for (int i = 0; i < 12; i++) EXPECT_EQ(offsets[i], rows[i / 4] * 100 + columns[i % 4] * 7);
  for (const int32_t wrong : {4, -5, std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::min()}) {
    second[2] = wrong;
    cpu_kernels().index_offsets(call);
    EXPECT_EQ(fault.value, wrong);
    EXPECT_EQ(str(fault.op, " ", fault.what, " ", fault.low, " ", fault.high), "index indices -4 3");
  }
}

}  // namespace
}  // namespace bolide
