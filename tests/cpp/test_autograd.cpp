// test_autograd.cpp - graphs: gradients, in-place ops on views, versions, second order, very long chains.
#include <gtest/gtest.h>
#include <pthread.h>

#include "tests/cpp/support.h"

namespace bolide {
namespace {

Tensor leaf(std::vector<double> values, const Dims& sizes, DType dtype = DType::F64) {
  Tensor t = numbers(std::move(values), sizes, dtype);
  set_requires_grad(t, true);
  return t;
}
void run(const Tensor& y, BackwardOptions options = {}) {
  const Tensor outputs[] = {y};
  backward(outputs, {}, options);
}

TEST(Autograd, ChainAndFanOut) {
  const Tensor x = leaf({1, 2, 3}, {3});
  const Tensor y = mul(x, x);
  run(sum(add(y, mul(y, 2))));
  EXPECT_VALUES(grad(x), {6, 12, 18});
  run(sum(x));  // accumulates
  EXPECT_VALUES(grad(x), {7, 13, 19});
}

TEST(Autograd, BroadcastsAreSummedBack) {
  const Tensor a = leaf({1, 2}, {2, 1}), b = leaf({1, 2, 3}, {3}, DType::F32);
  run(sum(mul(a, b)));
  EXPECT_VALUES(grad(a), {6, 6});
  EXPECT_VALUES(grad(b), {3, 3, 3});
  EXPECT_EQ(grad(b).dtype(), DType::F32);
}

TEST(Autograd, InPlaceOnViewsBecomesTheBasesHistory) {
  const Tensor x = leaf({1, 2, 3}, {3});
  const Tensor y = mul(x, 1);
  const Arg five[] = {5};
  const Tensor view = select(y, 0, 0);
  elementwise_(ElementwiseOp::mul, view, five);
  run(sum(y), {.retain_graph = true});
  EXPECT_VALUES(grad(x), {5, 1, 1});
  set_grad(x, {});
  run(mul(view, 2));  // the view knows the base's new history
  EXPECT_VALUES(grad(x), {10, 0, 0});
}

TEST(Autograd, WritingATensorIntoAConstant) {
  const Tensor w = leaf({3}, {1});
  const Tensor x = zeros({3}, {DType::F64});
  copy_(slice(x, 0, 1, 2), w);
  EXPECT_TRUE(x.requires_grad());
  run(sum(mul(x, numbers({1, 2, 4}, {3}, DType::F64))));
  EXPECT_VALUES(grad(w), {2});
}

TEST(Autograd, GuardsWhatWasSaved) {
  const Tensor x = leaf({1, 2}, {2});
  const Tensor a = mul(x, 2), y = mul(a, a);
  const Arg one[] = {1};
  elementwise_(ElementwiseOp::add, a, one);
  EXPECT_ERROR(run(sum(y)), ErrorKind::Runtime, "in-place");
  EXPECT_ERROR(elementwise_(ElementwiseOp::add, x, one), ErrorKind::Runtime, "leaf");
  const Tensor z = sum(exp(x));
  run(z);
  EXPECT_ERROR(run(z), ErrorKind::Runtime, "retain_graph");
  EXPECT_ERROR(run(exp(x)), ErrorKind::Runtime, "not a scalar");
  EXPECT_ERROR(run(detach(z)), ErrorKind::Runtime, "requires grad");
}

TEST(Autograd, InPlaceKeepsTheOldValueWhereItIsNeeded) {
  const Tensor a = leaf({2}, {1}), b = leaf({3}, {1});
  const Tensor y = mul(a, 1);
  const Arg other[] = {b};
  elementwise_(ElementwiseOp::mul, y, other);
  run(sum(y));
  EXPECT_VALUES(grad(a), {3});
  EXPECT_VALUES(grad(b), {2});
}

TEST(Autograd, SecondOrder) {
  const Tensor x = leaf({0.3, -0.7}, {2});
  const Tensor y[] = {sum(tanh(mul(x, x)))}, in[] = {x};
  const auto first = gradients_of(y, in, {}, {.create_graph = true}, false);
  const Tensor total[] = {sum(first[0])};
  const auto second = gradients_of(total, in, {}, {}, false);
  std::vector<double> wanted;
  for (double v : {0.3, -0.7}) {
    const double t = std::tanh(v * v), s = 1 - t * t;
    wanted.push_back(2 * s - 8 * v * v * t * s);
  }
  expect_values(second[0], wanted, 1e-9, "second derivative");
}

TEST(Autograd, UnusedInputs) {
  const Tensor x = leaf({1}, {1}), z = leaf({1}, {1});
  const Tensor y[] = {sum(mul(x, 2))}, in[] = {x, z};
  EXPECT_ERROR(gradients_of(y, in, {}, {.retain_graph = true}, false), ErrorKind::Runtime, "unused");
  const auto found = gradients_of(y, in, {}, {}, true);
  EXPECT_VALUES(found[0], {2});
  EXPECT_FALSE(bool(found[1]));
}

TEST(Autograd, HooksSeeAndReplace) {
  const Tensor x = leaf({1, 2}, {2});
  const uint64_t id = add_hook(x, [](const Tensor& g) { return mul(g, 10); });
  run(sum(x));
  EXPECT_VALUES(grad(x), {10, 10});
  remove_hook(x, id);
  run(sum(x));
  EXPECT_VALUES(grad(x), {11, 11});
}

TEST(Autograd, NodesAreFreed) {
  const int64_t before = live_nodes();
  {
    const Tensor x = leaf({1, 2}, {2});
    Tensor y = x;
    for (int i = 0; i < 100; i++) y = exp(mul(y, 0.1));
    EXPECT_GT(live_nodes(), before + 100);
  }
  EXPECT_EQ(live_nodes(), before);
}

// Built, run and freed without recursion: on a stack of 256 KB a call per node would not fit.
void* long_chain(void*) {
  constexpr int kNodes = 1000000;
  const int64_t before = live_nodes();
  {
    const Tensor x = leaf({1}, {1});
    Tensor y = x;
    for (int i = 0; i < kNodes; i++) y = add(y, 1);
    run(y);
    EXPECT_VALUES(grad(x), {1});
    Tensor z = x;
    for (int i = 0; i < kNodes; i++) z = mul(z, 1);
  }  // freed without having run
  EXPECT_EQ(live_nodes(), before);
  return nullptr;
}
TEST(Autograd, AMillionNodesOnASmallStack) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 << 10);
  pthread_t thread;
  ASSERT_EQ(pthread_create(&thread, &attributes, long_chain, nullptr), 0);
  pthread_join(thread, nullptr);
}

}  // namespace
}  // namespace bolide
