// out.cpp - results in tensors that are given: out=, and sizes changed in place.
#include <algorithm>

#include "runtime/autograd.h"
#include "runtime/ops.h"

namespace bolide {
namespace {

void (*g_warn)(const char*) = nullptr;

void set_sizes(const Tensor& x, const Dims& sizes, int64_t numel) {
  x->sizes = sizes, x->strides = sizes.contiguous_strides();
  x->numel = numel, x->contiguous = true;
}

}  // namespace

void set_warning_hook(void (*warn)(const char*)) { g_warn = warn; }
void warn(const std::string& text) {
  if (g_warn) g_warn(text.c_str());
}

void resize_(const Tensor& x, const Dims& sizes) {
  check(!x.requires_grad(), ErrorKind::Runtime, "resize_", "a tensor that does not require grad",
        [&] { return describe(x); });
  const int64_t n = checked_numel("resize_", sizes, x.dtype()), item = x.item_size();
  const int64_t room = int64_t(x->storage->bytes) / item;
  if (x.sizes() == sizes) return;
  if (n > room - x->offset) {
    // Other tensors on the storage keep the old one; PyTorch's would see the new.
    check_not_read_only("resize_", x);
    const Tensor larger = empty({x->offset + n}, {x.dtype(), x.device()});
    copy_values(view_of(larger, {room}, {1}, 0), view_of(x, {room}, {1}, 0));
    larger->storage->version = x->storage->version.load();
    x->storage = larger->storage, x->base = {}, x->view_kind = ViewKind::Normal;
    x->data = x->storage->data + x->offset * item;
  }
  set_sizes(x, sizes, n);
  bump_version(x);
}

void check_castable(const char* op, DType result, DType out) {
  if (!can_cast(result, out))
    raise(ErrorKind::DType, op, str("a result that can be cast to ", name_of(out)), name_of(result));
}

void check_out(const char* op, const Tensor& out, const Dims& sizes, DType dtype, Device device) {
  if (grad_enabled() && out.requires_grad())
    raise(ErrorKind::Runtime, op, "out= with tensors that do not require grad", "one that does");
  check_castable(op, dtype, out.dtype());
  if (out.device() != device) raise(ErrorKind::Runtime, op, "an out= on " + name_of(device), name_of(out.device()));
  if (out->inference) check_inplace(op, out);
  else check_writable(op, out);
  if (out.sizes() != sizes) {
    if (out.numel())
      warn(str("[", op, "] expected out= of sizes ", sizes.text(), ", got ", out.sizes().text(),
               ": it was resized. Give an empty tensor, or call out.resize_(0) before."));
    resize_(out, sizes);
  }
}

void write_out(const char* op, const Tensor& out, const Tensor& result) {
  if (result.requires_grad())
    raise(ErrorKind::Runtime, op, "out= with tensors that do not require grad", "one that does");
  check_out(op, out, result.sizes(), result.dtype(), result.device());
  copy_values(out, result);
  bump_version(out);
}

}  // namespace bolide
