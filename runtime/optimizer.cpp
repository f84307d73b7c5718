// optimizer.cpp - the fused optimizer steps: all parameters of a list in one call per device, in place.
#include <cmath>

#include "runtime/autograd.h"
#include "runtime/backend.h"
#include "runtime/ops.h"

namespace bolide {
namespace {

// The kernels want dense memory. A parameter or state of another layout is worked on as a copy and written back.
class DenseList {
 public:
  void* use(const Tensor& t, bool written) {
    if (t.is_contiguous()) return t.data();
    Tensor copy = empty(t.sizes(), {t.dtype(), t.device()});
    copy_values(copy, t);
    kept_.push_back(copy);
    if (written) back_.emplace_back(t, copy);
    return copy.data();
  }
  void write_back() {
    for (auto& [to, from] : back_) copy_values(to, from);
  }

 private:
  TensorList kept_;
  std::vector<std::pair<Tensor, Tensor>> back_;
};

void check_list(const char* op, const char* what, std::span<const Tensor> parameters, std::span<const Tensor> list) {
  check(list.size() == parameters.size(), ErrorKind::Value, op, str(parameters.size(), " ", what),
        [&] { return str(list.size()); });
  for (size_t i = 0; i < list.size(); i++) {
    const Tensor &p = parameters[i], &t = list[i];
    if (t.sizes() != p.sizes() || t.dtype() != p.dtype() || t.device() != p.device())
      raise(ErrorKind::Shape, op, str(what, " like their parameters, ", describe(p)), describe(t));
  }
}
void check_parameters(const char* op, std::span<const Tensor> parameters) {
  for (const Tensor& p : parameters) {
    if (!is_differentiable(p.dtype()))
      raise(ErrorKind::DType, op, "floating-point or complex parameters", name_of(p.dtype()));
    check_writable(op, p);
    if (p.device() != parameters[0].device())
      raise(ErrorKind::Runtime, op, "parameters on one device",
            str(name_of(parameters[0].device()), " and ", name_of(p.device())));
  }
}
void check_number(const char* op, const char* name, double value, bool ok) {
  check(ok && std::isfinite(value), ErrorKind::Value, op, str("a valid ", name), [&] { return str(value); });
}
// A complex parameter is as many pairs of real ones, as in PyTorch.
int64_t count_reals(const Tensor& p) { return p.numel() * (is_complex(p.dtype()) ? 2 : 1); }
void changed(std::span<const Tensor> list) {
  for (const Tensor& t : list) bump_version(t);
}

}  // namespace

void sgd_step(std::span<const Tensor> parameters, std::span<const Tensor> gradients,
              std::span<const Tensor> momentum_buffers, const SgdOptions& o) {
  constexpr const char* op = "sgd_step";
  check_number(op, "lr", o.lr, o.lr >= 0), check_number(op, "momentum", o.momentum, o.momentum >= 0);
  check_number(op, "weight_decay", o.weight_decay, o.weight_decay >= 0),
      check_number(op, "dampening", o.dampening, true);
  check_parameters(op, parameters), check_list(op, "gradients", parameters, gradients);
  const bool momentum = o.momentum != 0;
  if (momentum) check_list(op, "momentum buffers", parameters, momentum_buffers);
  if (parameters.empty()) return;
  std::vector<SgdItem> items;
  DenseList dense;
  int64_t total = 0;
  for (size_t i = 0; i < parameters.size(); i++) {
    const Tensor& p = parameters[i];
    items.push_back({real_type(p.dtype()), count_reals(p), dense.use(p, true), dense.use(gradients[i], false),
                     momentum ? dense.use(momentum_buffers[i], true) : nullptr});
    total += p.numel();
  }
  SgdCall call;
  call.items = items.data(), call.item_count = int64_t(items.size());
  call.lr = o.lr, call.momentum = o.momentum, call.dampening = o.dampening, call.weight_decay = o.weight_decay;
  call.nesterov = o.nesterov, call.maximize = o.maximize, call.first_step = o.first_step;
  const Device device = parameters[0].device();
  call.stream = current_stream(device);
  auto* kernel = backend_of(device.type).kernels->sgd_step;
  if (!kernel) raise(ErrorKind::NotImplemented, op, "a kernel on " + name_of(device), "none");
  {
    BlockingScope scope(total >= 1 << 20);
    kernel(call);
  }
  dense.write_back();
  changed(parameters);
  if (momentum) changed(momentum_buffers);
}

void adam_step(std::span<const Tensor> parameters, std::span<const Tensor> gradients, std::span<const Tensor> exp_avgs,
               std::span<const Tensor> exp_avg_sqs, std::span<const Tensor> max_exp_avg_sqs, const AdamOptions& o) {
  constexpr const char* op = "adam_step";
  check_number(op, "lr", o.lr, o.lr >= 0), check_number(op, "eps", o.eps, o.eps >= 0);
  check_number(op, "beta1", o.beta1, o.beta1 >= 0 && o.beta1 < 1),
      check_number(op, "beta2", o.beta2, o.beta2 >= 0 && o.beta2 < 1);
  check_number(op, "weight_decay", o.weight_decay, o.weight_decay >= 0);
  check(o.step >= 1, ErrorKind::Value, op, "a step of at least 1", [&] { return str(o.step); });
  check_parameters(op, parameters), check_list(op, "gradients", parameters, gradients);
  check_list(op, "exp_avgs", parameters, exp_avgs), check_list(op, "exp_avg_sqs", parameters, exp_avg_sqs);
  const bool amsgrad = !max_exp_avg_sqs.empty();
  if (amsgrad) check_list(op, "max_exp_avg_sqs", parameters, max_exp_avg_sqs);
  if (parameters.empty()) return;
  std::vector<AdamItem> items;
  DenseList dense;
  int64_t total = 0;
  for (size_t i = 0; i < parameters.size(); i++) {
    const Tensor& p = parameters[i];
    items.push_back({real_type(p.dtype()), count_reals(p), dense.use(p, true), dense.use(gradients[i], false),
                     dense.use(exp_avgs[i], true), dense.use(exp_avg_sqs[i], true),
                     amsgrad ? dense.use(max_exp_avg_sqs[i], true) : nullptr});
    total += p.numel();
  }
  AdamCall call;
  call.items = items.data(), call.item_count = int64_t(items.size()), call.step = o.step;
  call.lr = o.lr, call.beta1 = o.beta1, call.beta2 = o.beta2, call.eps = o.eps, call.weight_decay = o.weight_decay;
  call.decoupled = o.decoupled, call.maximize = o.maximize;
  const Device device = parameters[0].device();
  call.stream = current_stream(device);
  auto* kernel = backend_of(device.type).kernels->adam_step;
  if (!kernel) raise(ErrorKind::NotImplemented, op, "a kernel on " + name_of(device), "none");
  {
    BlockingScope scope(total >= 1 << 20);
    kernel(call);
  }
  dense.write_back();
  for (auto list : {parameters, exp_avgs, exp_avg_sqs, max_exp_avg_sqs}) changed(list);
}

}  // namespace bolide
