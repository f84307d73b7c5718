// copy.cpp - copies: between layouts, dtypes and devices; joining tensors; one value to the host.
#include <cstring>

#include "runtime/autograd.h"
#include "runtime/backend.h"
#include "runtime/ops.h"
#include "runtime/strided.h"

namespace bolide {
namespace {

void run_copy(const CopyCall& call, Device device) {
  auto* kernel = backend_of(device.type).kernels->copy;
  if (!kernel) raise(ErrorKind::NotImplemented, "copy", "a kernel on " + name_of(device), "none");
  kernel(call);
}

// On one device, by its kernel.
void copy_on_device(const Tensor& to, const Tensor& from) {
  Dims strides(to.rank());
  const int missing = to.rank() - from.rank();
  for (int d = 0; d < to.rank(); d++)
    strides[d] = d < missing || (from.size(d - missing) == 1 && to.size(d) != 1) ? 0 : from.stride(d - missing);
  CopyCall call;
  call.in = {from.data(), from.dtype(), strides.data()};
  call.out = {to.data(), to.dtype(), to.strides().data()};
  call.rank = to.rank(), call.shape = to.sizes().data(), call.stream = current_stream(to.device());
  BlockingScope scope(to.numel() >= 1 << 20);
  run_copy(call, to.device());
}

// Across devices bytes move between two dense tensors of one dtype; each device does its own conversion.
void copy_across(const Tensor& to, const Tensor& from) {
  const Device far = to.device().is_cpu() ? from.device() : to.device();
  Tensor source = from;
  if (!source.is_contiguous() || source.sizes() != to.sizes() || source.dtype() != to.dtype()) {
    source = empty(to.sizes(), {to.dtype(), from.device()});
    copy_on_device(source, from);
  }
  const Tensor target = to.is_contiguous() ? to : empty(to.sizes(), {to.dtype(), to.device()});
  const auto kind = far == to.device()
                        ? (from.device().is_cpu() ? Backend::CopyKind::ToDevice : Backend::CopyKind::OnDevice)
                        : Backend::CopyKind::ToHost;
  if (kind == Backend::CopyKind::ToHost) wait_for(far, current_stream(far));
  BlockingScope scope(to.numel() >= 1 << 18);
  backend_of(far.type).backend->copy_bytes(target.data(), source.data(), size_t(to.numel() * to.item_size()), kind,
                                           current_stream(far));
  if (!target.same(to)) copy_on_device(to, target);
}

Device common_device(const char* op, std::span<const Tensor> tensors) {
  for (const Tensor& t : tensors)
    if (t.device() != tensors[0].device())
      raise(ErrorKind::Runtime, op, "all tensors on one device",
            str(name_of(tensors[0].device()), " and ", name_of(t.device())));
  return tensors[0].device();
}

}  // namespace

void copy_values(const Tensor& to, const Tensor& from) {
  if (to.numel() == 0) return;
  if (to.device() != from.device()) copy_across(to, from);
  else copy_on_device(to, from);
}

Tensor clone(const Tensor& x, MemoryFormat format) {
  Tensor y = format == MemoryFormat::preserve
                 ? empty_like(x)
                 : empty_strided(x.sizes(), strides_in("clone", x.sizes(), format), {x.dtype(), x.device()});
  copy_values(y, x);
  record("CloneBackward", y, {&x}, [] { return [](const Tensor& g, Grads& grads) { grads[0] = g; }; });
  return y;
}

Tensor contiguous(const Tensor& x, MemoryFormat format) { return is_contiguous_in(x, format) ? x : clone(x, format); }

namespace {

Dims strides_like(const Tensor& x, MemoryFormat format) {
  if (format != MemoryFormat::preserve) return strides_in("to", x.sizes(), format);
  return is_dense(x.sizes(), x.strides()) ? x.strides() : dense_strides(x.sizes(), x.strides());
}

}  // namespace

Tensor to(const Tensor& x, std::optional<DType> dtype, std::optional<Device> device, bool copy, MemoryFormat format) {
  const Options o{dtype.value_or(x.dtype()), device.value_or(x.device())};
  const bool same_format = format == MemoryFormat::preserve || format == format_of(x);
  if (!copy && o.dtype == x.dtype() && o.device == x.device() && same_format) return x;
  if (!o.device.is_cpu()) check_device(o.device);
  const bool plain = x.is_contiguous() && format == MemoryFormat::preserve;
  Tensor y = plain ? empty(x.sizes(), o) : empty_strided(x.sizes(), strides_like(x, format), o);
  copy_values(y, x);
  if (is_differentiable(o.dtype))  // the engine brings the gradient back to x's dtype and device
    record("ToCopyBackward", y, {&x}, [] { return [](const Tensor& g, Grads& grads) { grads[0] = g; }; });
  return y;
}

Tensor detach(const Tensor& x) { return alias(x); }

void copy_(const Tensor& self, const Tensor& source) {
  const bool recorded = is_differentiable(self.dtype()) && wants_grad({&self, &source});
  const bool same = self->storage.get() == source->storage.get() && self.data() == source.data() &&
                    self.sizes() == source.sizes() && self.strides() == source.strides() &&
                    self.dtype() == source.dtype();
  if (same) check_not_leaf("copy_", self, recorded);  // nothing is written
  else check_inplace("copy_", self, recorded);
  if (broadcast_sizes("copy_", self.sizes(), source.sizes()) != self.sizes())
    raise(ErrorKind::Shape, "copy_", str("a source that broadcasts to ", self.sizes().text()), source.sizes().text());
  Tensor from = source;
  if (!same && may_overlap(self, source)) {
    from = empty(source.sizes(), {source.dtype(), source.device()});
    copy_values(from, source);
  }
  if (!same) copy_values(self, from);
  bump_version(self);
  if (!recorded) return;
  set_inplace_history(self, make_node("CopyBackwards", {&self, &source}, [] {
                        return [](const Tensor& g, Grads& grads) {
                          if (grads.needs(0)) grads[0] = zeros(g.sizes(), {g.dtype(), g.device()});
                          if (grads.needs(1)) grads[1] = g;
                        };
                      }));
}

void fill_(const Tensor& self, const Scalar& given) {
  const Scalar value = fitting("fill_", given, self.dtype());
  check_not_read_only("fill_", self);  // elements on top of each other may all get the same value
  check_not_leaf("fill_", self);
  const bool recorded = is_differentiable(self.dtype()) && wants_grad({&self});
  if (self.numel() > 0) {
    // The number in a dtype that holds it exactly; the kernel converts.
    CopyCall call;
    const bool whole = value.kind <= Scalar::Int && !value.beyond;
    double number[2] = {value.real, value.imaginary};
    if (whole) std::memcpy(number, &value.integer, sizeof value.integer);
    if (value.imaginary != 0 && !is_complex(self.dtype()))
      raise(ErrorKind::DType, "fill_", str("a number that fits ", name_of(self.dtype())), "a complex one");
    call.in = {number, whole ? DType::I64 : value.kind == Scalar::Complex ? DType::C128 : DType::F64, nullptr};
    const Dims zeros(self.rank(), 0);
    call.in.strides = zeros.data(), call.scalar = true;
    call.out = {self.data(), self.dtype(), self.strides().data()};
    call.rank = self.rank(), call.shape = self.sizes().data(), call.stream = current_stream(self.device());
    BlockingScope scope(self.numel() >= 1 << 20);
    run_copy(call, self.device());
  }
  bump_version(self);
  if (recorded)
    set_inplace_history(self, make_node("FillBackward", {&self}, [] {
                          return [](const Tensor& g, Grads& grads) {
                            grads[0] = zeros(g.sizes(), {g.dtype(), g.device()});
                          };
                        }));
}

Scalar item(const Tensor& x) {
  check(x.numel() == 1, ErrorKind::Runtime, "item", "a tensor with one element", [&] { return describe(x); });
  alignas(16) char bytes[16];
  const DType own = is_complex(x.dtype()) ? DType::C128 : is_float(x.dtype()) ? DType::F64 : DType::I64;
  Tensor host = x.device().is_cpu() ? x : to(detach(x), {}, Device{});
  const int64_t none[1] = {};
  CopyCall call;
  call.in = {host.data(), host.dtype(), none}, call.out = {bytes, own, none}, call.shape = none;
  run_copy(call, Device{});
  if (own == DType::I64) {
    int64_t v;
    std::memcpy(&v, bytes, sizeof v);
    return x.dtype() == DType::Bool ? Scalar(v != 0) : Scalar(v);
  }
  double v[2] = {};
  std::memcpy(v, bytes, own == DType::C128 ? 16 : 8);
  return own == DType::C128 ? Scalar(v[0], v[1]) : Scalar(v[0]);
}

Tensor cat(std::span<const Tensor> tensors, int64_t dim) {
  check(!tensors.empty(), ErrorKind::Value, "cat", "at least one tensor", [] { return std::string("none"); });
  const Device device = common_device("cat", tensors);
  auto is_legacy_empty = [](const Tensor& t) { return t.rank() == 1 && t.numel() == 0; };  // torch.tensor([])
  const Tensor* model = &tensors[0];
  for (const Tensor& t : tensors)
    if (!is_legacy_empty(t)) {
      model = &t;
      break;
    }
  check(model->rank() > 0, ErrorKind::Shape, "cat", "tensors with dimensions", [] { return std::string("a 0-d one"); });
  const int d = wrap_dim("cat", dim, model->rank());
  Dims sizes = model->sizes();
  DType dtype = tensors[0].dtype();
  sizes[d] = 0;
  for (const Tensor& t : tensors) {
    dtype = promote(dtype, t.dtype());
    if (is_legacy_empty(t)) continue;
    for (int i = 0; i < sizes.rank(); i++)
      if (t.rank() != sizes.rank() || (i != d && t.size(i) != model->size(i)))
        raise(ErrorKind::Shape, "cat", str("shapes that agree except in dimension ", d),
              str(model->sizes().text(), " and ", t.sizes().text()));
    sizes[d] += t.size(d);
  }
  Tensor y = empty(sizes, {dtype, device});
  int64_t start = 0;
  Dims starts;
  std::vector<int64_t> lengths;
  std::vector<bool> flat;  // of shape [0] among others of more dimensions
  {
    GradMode off(false);
    for (const Tensor& t : tensors) {
      const int64_t length = is_legacy_empty(t) ? 0 : t.size(d);
      if (length) copy_values(narrow(y, d, start, length), t);
      lengths.push_back(length), flat.push_back(is_legacy_empty(t)), start += length;
    }
  }
  std::vector<const Tensor*> inputs;
  for (const Tensor& t : tensors) inputs.push_back(&t);
  if (!is_differentiable(dtype) || !wants_grad(inputs)) return y;
  set_history(y, make_node("CatBackward", inputs, [&] {
                return [d, lengths, flat](const Tensor& g, Grads& grads) {
                  int64_t at = 0;
                  for (int i = 0; i < grads.count(); at += lengths[size_t(i++)])
                    if (grads.needs(i))
                      grads[i] =
                          flat[size_t(i)] ? empty({0}, {g.dtype(), g.device()}) : narrow(g, d, at, lengths[size_t(i)]);
                };
              }));
  return y;
}

Tensor stack(std::span<const Tensor> tensors, int64_t dim) {
  check(!tensors.empty(), ErrorKind::Value, "stack", "at least one tensor", [] { return std::string("none"); });
  TensorList rows;
  for (const Tensor& t : tensors) {
    if (t.sizes() != tensors[0].sizes())
      raise(ErrorKind::Shape, "stack", "tensors of one shape",
            str(tensors[0].sizes().text(), " and ", t.sizes().text()));
    rows.push_back(unsqueeze(t, dim));
  }
  return cat(rows, wrap_dim("stack", dim, tensors[0].rank() + 1));
}

}  // namespace bolide
