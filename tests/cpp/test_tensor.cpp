// test_tensor.cpp - tensors, promotion, views, elementwise ops and reductions through the C++ fronts.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/cpp/support.h"

namespace bolide {
namespace {

TEST(Promotion, FollowsCategoriesThenWidth) {
  EXPECT_EQ(promote(DType::U8, DType::I8), DType::I16);
  EXPECT_EQ(promote(DType::Bool, DType::U8), DType::U8);
  EXPECT_EQ(promote(DType::I64, DType::F16), DType::F16);
  EXPECT_EQ(promote(DType::F16, DType::BF16), DType::F32);
  EXPECT_EQ(promote(DType::F64, DType::C64), DType::C128);
  const Tensor ints = arange(0, 3, 1, DType::I32);
  EXPECT_EQ(add(ints, 2).dtype(), DType::I32);
  EXPECT_EQ(add(ints, 2.5).dtype(), DType::F32);
  EXPECT_EQ(div(ints, 2).dtype(), DType::F32);
  EXPECT_EQ(add(full({}, 1.0, {DType::F64}), ones({2}, {DType::F32})).dtype(), DType::F32);
  EXPECT_EQ(lt(ints, 1).dtype(), DType::Bool);
}

TEST(Tensor, SizesThatOverflowRaise) {
  EXPECT_ERROR(empty({int64_t(1) << 40, int64_t(1) << 40}), ErrorKind::Shape, "63 bits");
  EXPECT_ERROR(empty({-1}), ErrorKind::Shape, "zero or more");
  EXPECT_ERROR(empty({int64_t(1) << 50}), ErrorKind::OutOfMemory, "limit");
}

TEST(Elementwise, BroadcastsAndConverts) {
  const Tensor a = numbers({1, 2, 3, 4, 5, 6}, {2, 3}), b = numbers({10, 20}, {2, 1});
  EXPECT_VALUES(add(a, b), {11, 12, 13, 24, 25, 26});
  EXPECT_VALUES(mul(transpose(a, 0, 1), arange(0, 2, 1, {})), {0, 4, 0, 5, 0, 6});
  EXPECT_VALUES(where(gt(a, 2), a, -1), {-1, -1, 3, 4, 5, 6});
  EXPECT_VALUES(sub(1, a), {0, -1, -2, -3, -4, -5});
  EXPECT_ERROR(add(a, numbers({1, 2}, {2})), ErrorKind::Shape, "[2, 3] and [2]");
  EXPECT_ERROR(invert(a), ErrorKind::DType, "float32");
}

TEST(Elementwise, KeepsSpecialValues) {
  const double nan = std::nan(""), inf = INFINITY;
  const Tensor x = numbers({nan, inf, -inf, -0.0}, {4});
  EXPECT_VALUES(relu(x), {nan, inf, 0, 0});
  EXPECT_VALUES(maximum(x, 0), {nan, inf, 0, 0});
  EXPECT_VALUES(exp(x), {nan, inf, 0, 1});
  EXPECT_VALUES(tanh(x), {nan, 1, -1, 0});
}

TEST(Elementwise, InPlaceChecks) {
  Tensor a = numbers({1, 2, 3}, {3});
  const Arg two[] = {2};
  elementwise_(ElementwiseOp::mul, a, two);
  EXPECT_VALUES(a, {2, 4, 6});
  const Tensor wide = expand(numbers({1}, {1}), {3});
  EXPECT_ERROR(elementwise_(ElementwiseOp::mul, wide, two), ErrorKind::Runtime, "expanded");
  const Tensor ints = arange(0, 3, 1, {});
  const Arg half[] = {0.5};
  EXPECT_ERROR(elementwise_(ElementwiseOp::mul, ints, half), ErrorKind::DType, "int64");
  // The source overlaps the target: it is read before it is written.
  const Tensor row = arange(0, 6, 1, DType::F32);
  const Tensor shifted = slice(row, 0, 0, 5);
  const Arg others[] = {shifted};
  elementwise_(ElementwiseOp::add, slice(row, 0, 1, 6), others);
  EXPECT_VALUES(row, {0, 1, 3, 5, 7, 9});
}

TEST(Reduce, OverAnyDimensions) {
  const Tensor x = reshape(arange(0, 24, 1, DType::F32), {2, 3, 4});
  EXPECT_VALUES(sum(x), {276});
  EXPECT_VALUES(sum(x, Dims{0, 2}), {60, 92, 124});
  EXPECT_VALUES(mean(transpose(x, 0, 2), Dims{1}), {4, 16, 5, 17, 6, 18, 7, 19});
  EXPECT_VALUES(amax(x, Dims{1}), {8, 9, 10, 11, 20, 21, 22, 23});
  EXPECT_VALUES(argmax(x, 2), {3, 3, 3, 3, 3, 3});
  EXPECT_VALUES(sum(empty({0, 3}), Dims{0}), {0, 0, 0});
  EXPECT_ERROR(amax(empty({0, 3}), Dims{0}), ErrorKind::Index, "at least one element");
  EXPECT_EQ(sum(ones({3}, {DType::Bool})).dtype(), DType::I64);
  EXPECT_NEAR(item(var(arange(0, 5, 1, DType::F64))).real, 2.5, 1e-12);
  const Tensor large = numbers({1000, 1000}, {2});
  EXPECT_NEAR(item(logsumexp(large)).real, 1000 + std::log(2), 1e-3);
}

TEST(Views, ShareMemory) {
  const Tensor x = arange(0, 12, 1, DType::F32), m = view(x, {3, 4});
  fill_(select(m, 0, 1), 7.0);
  EXPECT_VALUES(x, {0, 1, 2, 3, 7, 7, 7, 7, 8, 9, 10, 11});
  EXPECT_VALUES(diagonal(m), {0, 7, 10});
  EXPECT_VALUES(slice(m, 1, 0, 4, 2), {0, 2, 7, 7, 8, 10});
  EXPECT_ERROR(view(transpose(m, 0, 1), {12}), ErrorKind::Shape, "reshape");
  EXPECT_ERROR(select(m, 0, 3), ErrorKind::Index, "got 3");
  EXPECT_ERROR(reshape(m, {5, -1}), ErrorKind::Shape, "12 elements");
  EXPECT_EQ(unsqueeze(m, -1).sizes(), (Dims{3, 4, 1}));
}

TEST(Indexing, ByTensors) {
  const Tensor x = reshape(arange(0, 12, 1, DType::F32), {3, 4});
  const Tensor rows = to(numbers({2, -3}, {2}), DType::I64);
  const Key keys[] = {{.kind = Key::Index, .index = rows}};
  EXPECT_VALUES(index(x, keys), {8, 9, 10, 11, 0, 1, 2, 3});
  EXPECT_VALUES(index_select(x, 1, to(numbers({2, 1}, {2}), DType::I64)), {2, 1, 6, 5, 10, 9});
  const Key bad[] = {{.kind = Key::Index, .index = to(numbers({3}, {1}), DType::I64)}};
  EXPECT_ERROR(index(x, bad), ErrorKind::Index, "got 3");
  const Key mask[] = {{.kind = Key::Index, .index = gt(x, 9)}};
  EXPECT_VALUES(index(x, mask), {10, 11});
  index_put_(x, mask, Scalar(-1.0));
  EXPECT_VALUES(select(x, 0, 2), {8, 9, -1, -1});
}

TEST(Matmul, FollowsNumPy) {
  const Tensor a = reshape(arange(0, 6, 1, DType::F32), {2, 3}), b = reshape(arange(0, 6, 1, DType::F32), {3, 2});
  EXPECT_VALUES(matmul(a, b), {10, 13, 28, 40});
  EXPECT_VALUES(matmul(select(a, 0, 1), b), {28, 40});
  EXPECT_VALUES(matmul(a, select(b, 1, 0)), {10, 28});
  EXPECT_EQ(matmul(ones({4, 1, 2, 3}, {}), ones({5, 3, 2}, {})).sizes(), (Dims{4, 5, 2, 2}));
  EXPECT_ERROR(matmul(a, a), ErrorKind::Shape, "[2, 3] and [2, 3]");
  EXPECT_VALUES(mm(empty({2, 0}), empty({0, 2})), {0, 0, 0, 0});
}

}  // namespace
}  // namespace bolide
