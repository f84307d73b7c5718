// out.cpp - results in tensors that are given: out=, and sizes changed in place.
#include <algorithm>

#include "runtime/autograd.h"
#include "runtime/ops.h"
#include "runtime/out.h"

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

// Ops that take what they compute only into an out= of its very dtype, where others convert it: those that PyTorch
// computes there without promoting.
void check_out_dtype(const char* op, DType result, DType out) {
  // clang-format off
  static constexpr std::string_view kExact[] = {
      "gather", "take", "take_along_dim", "masked_select", "index_select", "nonzero", "complex", "polar",
      "mm", "bmm", "matmul", "dot", "vdot", "mv", "inner", "tensordot", "linear", "addmm", "addmv", "addbmm", "baddbmm",
      "max", "min", "amax", "amin", "argmax", "argmin", "aminmax", "all", "any", "norm", "cross", "renorm",
      "sort", "msort", "topk", "kthvalue", "mode", "median", "nanmedian", "quantile", "nanquantile", "isin",
      "searchsorted", "bucketize", "histc", "histogram", "cummax", "cummin", "logcumsumexp", "tril", "triu", "diag",
      "index_add", "index_reduce", "scatter", "scatter_add", "scatter_reduce", "slice_scatter", "multinomial", "where",
      "abs", "neg", "ceil", "floor", "round", "trunc", "frac", "frexp", "sign", "sgn", "signbit", "isposinf",
      "isneginf", "conj_physical", "invert", "heaviside", "float_power", "softmax", "log_softmax", "softplus",
      "log_sigmoid", "softshrink", "hardshrink", "gelu", "lu_unpack", "lu_solve", "ormqr", "qr", "svd",
      "triangular_solve", "_linalg_det", "_linalg_slogdet", "_linalg_cholesky", "_linalg_cholesky_ex",
      "_linalg_vecdot", "_linalg_eigh", "_linalg_eigvalsh", "_linalg_ldl_factor", "_linalg_ldl_factor_ex",
      "_linalg_ldl_solve", "_linalg_matrix_power", "_linalg_norm", "_linalg_matrix_norm",
      "_linalg_vector_norm", "_linalg_qr", "_linalg_lu", "_linalg_lu_factor", "_linalg_lu_factor_ex", "_linalg_lu_solve",
      "_linalg_inv", "_linalg_inv_ex", "_linalg_solve", "_linalg_solve_ex", "_linalg_solve_triangular", "_linalg_svd",
      "_linalg_svdvals"};
  // clang-format on
  const std::string_view name = op;
  if (result == out || ((name == "all" || name == "any") && out == DType::U8)) return;
  const bool exact =
      name.ends_with("_copy") || std::find(std::begin(kExact), std::end(kExact), name) != std::end(kExact);
  if (exact) raise(ErrorKind::DType, op, str("an out= of dtype ", name_of(result)), name_of(out));
}

void check_out(const char* op, const Tensor& out, const Dims& sizes, DType dtype, Device device) {
  if (grad_enabled() && out.requires_grad())
    raise(ErrorKind::Runtime, op, "out= with tensors that do not require grad", "one that does");
  check_out_dtype(op, dtype, out.dtype());
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
