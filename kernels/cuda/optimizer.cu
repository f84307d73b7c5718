// optimizer.cu - steps of SGD and Adam (with AdamW) over a whole list of parameters in few launches.
//
// The pointers of up to 40 parameters travel in the kernel's arguments, so that nothing is copied to the device; a
// block finds its parameter by the number of blocks that each one takes. The formulas and their order are those of
// the CPU kernels, which are PyTorch's; half types are computed in float. To add an optimizer: a struct with the
// factors and update(), and a function that fills it in.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cuda/cuda_kernels.h"
#include "kernels/cuda/numbers.cuh"
#include "kernels/math.h"

namespace bolide::inline BOLIDE_ISA {
namespace {

constexpr int kItems = 40;            // of a launch: what fits into 4 KB of arguments
constexpr int64_t kBlockCount = 2048;  // elements of a block: 8 a thread

// SGD: parameter, gradient, momentum buffer. Adam: parameter, gradient, mean, square, largest square.
struct Item {
  void* arrays[5];
  int64_t count;
  int64_t first_block;
};
template <class Update>
struct ListArguments {
  Update update;
  Item items[kItems];
  int count = 0;
};

template <class T>
struct SgdUpdate {
  T lr, momentum, keep, decay, sign;
  bool first, nesterov, decays;

  template <class S>
  __device__ void run(const Item& item, int64_t i) const {
    S *p = static_cast<S*>(item.arrays[0]) + i, *buffer = static_cast<S*>(item.arrays[2]);
    const T old = load_as<T>(*p);
    T d = load_as<T>(static_cast<const S*>(item.arrays[1])[i]) * sign;
    if (decays) d = d + decay * old;
    if (buffer) {
      const T b = first ? d : load_as<T>(buffer[i]) * momentum + keep * d;
      buffer[i] = store_as<S>(b);
      d = nesterov ? d + momentum * b : b;
    }
    *p = store_as<S>(old - lr * d);
  }
};

template <class T>
struct AdamUpdate {
  T first_weight, beta1, beta2, second_weight, keep, decay, step, root, eps, sign;
  bool decays, near_new;

  template <class S>
  __device__ void run(const Item& item, int64_t i) const {
    S *p = static_cast<S*>(item.arrays[0]) + i, *mean = static_cast<S*>(item.arrays[2]) + i;
    S *square = static_cast<S*>(item.arrays[3]) + i, *most = static_cast<S*>(item.arrays[4]);
    const T old = load_as<T>(*p), raw = load_as<T>(static_cast<const S*>(item.arrays[1])[i]) * sign;
    const T m0 = load_as<T>(*mean), d = decays ? raw + decay * old : raw, difference = d - m0;
    const T m = near_new ? d - difference * beta1 : m0 + first_weight * difference;  // lerp
    const T v = load_as<T>(*square) * beta2 + second_weight * d * d;
    *mean = store_as<S>(m), *square = store_as<S>(v);
    T used = v;
    if (most) {
      used = maximum(Num<T>(load_as<T>(most[i])), Num<T>(v)).v;
      most[i] = store_as<S>(used);
    }
    *p = store_as<S>(old * keep + step * m / (sqrt(Num<T>(used)).v / root + eps));
  }
};

template <class S, class Update>
__global__ void __launch_bounds__(kThreads) list_kernel(BOLIDE_ARGUMENTS(ListArguments<Update>, a)) {
  int k = 0;
  while (k + 1 < a.count && a.items[k + 1].first_block <= int64_t(blockIdx.x)) k++;
  const Item& item = a.items[k];
  const int64_t begin = (int64_t(blockIdx.x) - item.first_block) * kBlockCount;
  const int64_t end = begin + kBlockCount < item.count ? begin + kBlockCount : item.count;
  for (int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) a.update.template run<S>(item, i);
}

// Launches for all items of one dtype, in lists of kItems.
template <class S, class Update>
void run_list(const char* op, const std::vector<Item>& items, const Update& update, StreamHandle stream) {
  ListArguments<Update> a{update, {}, 0};
  int64_t blocks = 0, longest = 0;
  for (size_t i = 0; i < items.size(); i++) {
    longest = std::max(longest, items[i].count);
    a.items[a.count] = items[i];
    a.items[a.count++].first_block = blocks;
    blocks += ceil_div(items[i].count, kBlockCount);
    if (a.count < kItems && i + 1 < items.size()) continue;
    const int64_t threads = std::min<int64_t>(kThreads, ceil_div(longest, 32) * 32);
    launch(op, list_kernel<S, Update>, dim3(unsigned(blocks)), dim3(unsigned(threads)), stream, a);
    a.count = 0, blocks = longest = 0;
  }
}
// Calls f.template operator()<S>(items of storage type S) for every dtype in the list.
template <class Call, class Arrays, class F>
void for_each_dtype(const char* op, const Call& call, const Arrays& arrays_of, const F& f) {
  for (int64_t i = 0; i < call.item_count; i++)
    for_float(op, call.items[i].dtype, [&]<class S> {});  // raises before anything is changed
  for (DType dtype : {DType::F32, DType::F64, DType::F16, DType::BF16}) {
    std::vector<Item> items;
    for (int64_t i = 0; i < call.item_count; i++)
      if (call.items[i].dtype == dtype && call.items[i].count > 0) items.push_back(arrays_of(call.items[i]));
    if (!items.empty()) for_float(op, dtype, [&]<class S> { f.template operator()<S>(items); });
  }
}
void* address(const void* p) { return const_cast<void*>(p); }

}  // namespace

void sgd_step(const SgdCall& call) {
  const auto arrays = [](const SgdItem& i) {
    return Item{{i.parameter, address(i.gradient), i.momentum_buffer}, i.count, 0};
  };
  for_each_dtype("sgd_step", call, arrays, [&]<class S>(const std::vector<Item>& items) {
    using T = ComputeOf<S>;
    const SgdUpdate<T> update{T(call.lr),           T(call.momentum),          T(1 - call.dampening),
                              T(call.weight_decay), T(call.maximize ? -1 : 1), call.first_step,
                              call.nesterov,        call.weight_decay != 0};
    run_list<S>("sgd_step", items, update, call.stream);
  });
}

void adam_step(const AdamCall& call) {
  const double step_size = call.lr / (1 - std::pow(call.beta1, double(call.step)));
  const double root = std::sqrt(1 - std::pow(call.beta2, double(call.step)));
  const double keep = call.decoupled ? 1 - call.lr * call.weight_decay : 1;
  const double decay = call.decoupled ? 0 : call.weight_decay;
  const auto arrays = [](const AdamItem& i) {
    return Item{{i.parameter, address(i.gradient), i.exp_avg, i.exp_avg_sq, i.max_exp_avg_sq}, i.count, 0};
  };
  for_each_dtype("adam_step", call, arrays, [&]<class S>(const std::vector<Item>& items) {
    using T = ComputeOf<S>;
    const T weight = T(1 - call.beta1);
    const AdamUpdate<T> update{
        weight,        T(1) - weight, T(call.beta2), T(1 - call.beta2),         T(keep),    T(decay),
        T(-step_size), T(root),       T(call.eps),   T(call.maximize ? -1 : 1), decay != 0, 1 - call.beta1 >= 0.5};
    run_list<S>("adam_step", items, update, call.stream);
  });
}

}  // namespace bolide::inline BOLIDE_ISA
