// benchmark_dispatch.cpp - what a call of an op costs before it computes: the C++ fronts on 8 elements, and
// autograd around them. The same ops from Python are in compare.py; the difference is the bindings.
#include <benchmark/benchmark.h>

#include "runtime/autograd.h"
#include "runtime/ops.h"

namespace bolide {
namespace {

Tensor eight(double start = 0) { return linspace(start, start + 1, 8, {}); }

void add_tensors(benchmark::State& state) {
  const Tensor a = eight(), b = eight(1);
  for (auto _ : state) benchmark::DoNotOptimize(add(a, b).get());
}
BENCHMARK(add_tensors);

void mul_by_number(benchmark::State& state) {
  const Tensor a = eight();
  for (auto _ : state) benchmark::DoNotOptimize(mul(a, 2.0).get());
}
BENCHMARK(mul_by_number);

void add_broadcast(benchmark::State& state) {
  const Tensor a = reshape(eight(), {2, 4}), b = narrow(eight(1), 0, 0, 4);
  for (auto _ : state) benchmark::DoNotOptimize(add(a, b).get());
}
BENCHMARK(add_broadcast);

void add_promoted(benchmark::State& state) {
  const Tensor a = eight(), b = to(eight(1), DType::F64, {});
  for (auto _ : state) benchmark::DoNotOptimize(add(a, b).get());
}
BENCHMARK(add_promoted);

void add_in_place(benchmark::State& state) {
  const Tensor a = eight(), b = eight(1);
  const Arg other[] = {b};
  for (auto _ : state) elementwise_(ElementwiseOp::add, a, other);
}
BENCHMARK(add_in_place);

void sum_all(benchmark::State& state) {
  const Tensor a = eight();
  for (auto _ : state) benchmark::DoNotOptimize(sum(a).get());
}
BENCHMARK(sum_all);

void sum_rows(benchmark::State& state) {
  const Tensor a = reshape(eight(), {2, 4});
  for (auto _ : state) benchmark::DoNotOptimize(sum(a, Dims{1}).get());
}
BENCHMARK(sum_rows);

void select_row(benchmark::State& state) {
  const Tensor a = reshape(eight(), {4, 2});
  for (auto _ : state) benchmark::DoNotOptimize(select(a, 0, 1).get());
}
BENCHMARK(select_row);

void reshape_view(benchmark::State& state) {
  const Tensor a = eight();
  const Dims sizes{2, 4};
  for (auto _ : state) benchmark::DoNotOptimize(reshape(a, sizes).get());
}
BENCHMARK(reshape_view);

// A chain of tanh: recorded; and recorded, run backward and freed.
void record_chain(benchmark::State& state) {
  const Tensor x = eight();
  set_requires_grad(x, true);
  for (auto _ : state) {
    Tensor y = x;
    for (int64_t i = 0; i < state.range(0); i++) y = tanh(y);
    benchmark::DoNotOptimize(y.get());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(record_chain)->ArgName("nodes")->Arg(10)->Arg(1000);

void backward_chain(benchmark::State& state) {
  const Tensor x = eight(), g = eight(1);
  set_requires_grad(x, true);
  for (auto _ : state) {
    Tensor y = x;
    for (int64_t i = 0; i < state.range(0); i++) y = tanh(y);
    backward(std::span(&y, 1), std::span(&g, 1));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(backward_chain)->ArgName("nodes")->Arg(10)->Arg(1000);

}  // namespace
}  // namespace bolide
