// rare.cpp - runs the functions of kernels/rare.def over dense arrays of doubles. Compiled once; the functions are in rare.h.
#include "kernels/cpu/rare.h"

#include "kernels/cpu/cpu_kernels.h"
#include "kernels/op_list.h"
#include "kernels/threads.h"

namespace bolide {
namespace {

constexpr int64_t kGrain = 512;  // some tens of nanoseconds each

double value_of(RareOp op, double a, double b) {
  switch (op) {
#define RARE_1(names, name, ...) \
  case RareOp::name: return rare::name(a);
#define RARE_2(names, name, ...) \
  case RareOp::name: return rare::name(a, b);
#include "kernels/rare.def"
  }
  return rare::kNotANumber;
}

}  // namespace

void rare_functions(const RareCall& call) {
  parallel_rows(call.count, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) call.out[i] = value_of(call.op, call.a[i], call.b ? call.b[i] : 0);
  });
}

}  // namespace bolide
