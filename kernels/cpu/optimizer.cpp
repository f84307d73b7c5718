// optimizer.cpp - steps of SGD and Adam (with AdamW) over a whole list of parameters, in one pass over memory.
//
// The elements of all items count as one long row that is cut into chunks, so that a hundred small parameters
// cost as much as one of their size. The formulas and their order are PyTorch's; half types are computed in
// float. To add an optimizer: a call in kernel_calls.h, a `..._range` here for one stretch of one item.
#include <cmath>

#include "kernels/cpu/rows.h"
#include "kernels/threads.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

constexpr int64_t kChunk = 16384;

// Calls step(item, begin, end) for stretches of the items' elements, in parallel.
template <class Call, class F>
void for_items(const char* op, const Call& call, const F& step) {
  int64_t* starts = static_cast<int64_t*>(scratch(0, (call.item_count + 1) * int64_t(sizeof(int64_t))));
  int64_t total = 0;
  for (int64_t i = 0; i < call.item_count; i++) {
    for_dtype<BOLIDE_FLOATS>(op, call.items[i].dtype, []<class S> {});  // raises before anything is changed
    starts[i] = total;
    total += call.items[i].count;
  }
  starts[call.item_count] = total;
  parallel_rows(total, kChunk, [&](int64_t begin, int64_t end) {
    int64_t item = std::upper_bound(starts, starts + call.item_count, begin) - starts - 1;
    for (; begin < end; item++) {
      const int64_t stop = std::min(end, starts[item + 1]);
      if (begin < stop) step(call.items[item], begin - starts[item], stop - starts[item]);
      begin = stop;
    }
  });
}

template <class S>
void sgd_range(const SgdCall& call, const SgdItem& item, int64_t begin, int64_t end) {
  using T = ComputeOf<S>;
  const T lr = T(call.lr), momentum = T(call.momentum), keep = T(1 - call.dampening);
  const T decay = T(call.weight_decay), sign = T(call.maximize ? -1 : 1);
  const bool first = call.first_step, nesterov = call.nesterov, decays = call.weight_decay != 0;
  S *p = static_cast<S*>(item.parameter), *buffer = static_cast<S*>(item.momentum_buffer);
  const S* g = static_cast<const S*>(item.gradient);
  const auto gradient = [=](int64_t i) {
    const T d = load_as<T>(g[i]) * sign;
    return decays ? d + decay * load_as<T>(p[i]) : d;
  };
  if (!buffer) {
    for_row(end - begin, [=](int64_t j) {
      const int64_t i = begin + j;
      p[i] = store_as<S>(load_as<T>(p[i]) - lr * gradient(i));
    });
    return;
  }
  for_row(end - begin, [=](int64_t j) {
    const int64_t i = begin + j;
    const T d = gradient(i), b = first ? d : load_as<T>(buffer[i]) * momentum + keep * d;
    buffer[i] = store_as<S>(b);
    p[i] = store_as<S>(load_as<T>(p[i]) - lr * (nesterov ? d + momentum * b : b));
  });
}

struct AdamFactors {
  double keep;       // of the parameter, for decoupled weight decay
  double decay;      // of the gradient otherwise
  double step_size;  // lr / (1 - beta1 ^ step)
  double root;       // sqrt(1 - beta2 ^ step)
};

template <bool amsgrad, class S>
void adam_range(const AdamCall& call, const AdamFactors& f, const AdamItem& item, int64_t begin, int64_t end) {
  using T = ComputeOf<S>;
  const T first_weight = T(1 - call.beta1), beta2 = T(call.beta2), second_weight = T(1 - call.beta2);
  const T keep = T(f.keep), decay = T(f.decay), step = T(-f.step_size), root = T(f.root), eps = T(call.eps);
  const T sign = T(call.maximize ? -1 : 1);
  const bool decays = f.decay != 0, near_new = 1 - call.beta1 >= 0.5;
  const T beta1 = T(1) - first_weight;
  S *p = static_cast<S*>(item.parameter), *mean = static_cast<S*>(item.exp_avg);
  S *square = static_cast<S*>(item.exp_avg_sq), *most = static_cast<S*>(item.max_exp_avg_sq);
  const S* g = static_cast<const S*>(item.gradient);
  for_row(end - begin, [=](int64_t j) {
    const int64_t i = begin + j;
    const T old = load_as<T>(p[i]), raw = load_as<T>(g[i]) * sign, m0 = load_as<T>(mean[i]);
    const T d = decays ? raw + decay * old : raw, difference = d - m0;
    const T m = near_new ? d - difference * beta1 : m0 + first_weight * difference;  // lerp
    const T v = load_as<T>(square[i]) * beta2 + second_weight * d * d;
    mean[i] = store_as<S>(m), square[i] = store_as<S>(v);
    T v_used = v;
    if constexpr (amsgrad) {
      v_used = maximum(Num<T>(load_as<T>(most[i])), Num<T>(v)).v;
      most[i] = store_as<S>(v_used);
    }
    p[i] = store_as<S>(old * keep + step * m / (std::sqrt(v_used) / root + eps));
  });
}

}  // namespace

void sgd_step(const SgdCall& call) {
  for_items("sgd_step", call, [&](const SgdItem& item, int64_t begin, int64_t end) {
    for_dtype<BOLIDE_FLOATS>("sgd_step", item.dtype, [&]<class S> { sgd_range<S>(call, item, begin, end); });
  });
}

void adam_step(const AdamCall& call) {
  const AdamFactors factors = {
      call.decoupled ? 1 - call.lr * call.weight_decay : 1, call.decoupled ? 0 : call.weight_decay,
      call.lr / (1 - std::pow(call.beta1, double(call.step))), std::sqrt(1 - std::pow(call.beta2, double(call.step)))};
  for_items("adam_step", call, [&](const AdamItem& item, int64_t begin, int64_t end) {
    for_dtype<BOLIDE_FLOATS>("adam_step", item.dtype, [&]<class S> {
      if (item.max_exp_avg_sq) adam_range<true, S>(call, factors, item, begin, end);
      else adam_range<false, S>(call, factors, item, begin, end);
    });
  });
}

}  // namespace bolide::inline BOLIDE_ISA
