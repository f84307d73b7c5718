// tensor.h - Tensor: a cheap handle to storage + sizes + strides + offset + dtype + device.
//
// Views share the storage and its version counter, which every in-place op raises: what autograd saved can
// tell that it was changed. Everything that computes is a function in ops.h; here is only what a tensor is.
#pragma once
#include <atomic>
#include <cstdint>
#include <string>

#include "kernels/dtype.h"
#include "runtime/counted.h"
#include "runtime/device.h"
#include "runtime/dims.h"
#include "runtime/export.h"
#include "runtime/memory_pool.h"
#include "runtime/promotion.h"

namespace bolide {

struct AutogradMeta;  // autograd.h

// Bytes on a device: from the pool, or of somebody else (NumPy, DLPack), who is told when they are let go.
struct BOLIDE_API Storage : Counted, Pooled {
  char* data = nullptr;
  size_t bytes = 0;
  Device device;
  bool read_only = false;                  // memory of somebody who does not want it written
  std::atomic<uint32_t> version{0};
  Allocation allocation;                   // where it came from the pool
  void (*release)(void* owner) = nullptr;  // where it did not
  void* owner = nullptr;

  static Ref<Storage> make(Device device, size_t bytes);
  static Ref<Storage> wrap(Device device, void* data, size_t bytes, void (*release)(void*), void* owner);
  static void destroy(Storage* storage);
};

// Raised by in-place ops. A storage has one; what x.data gave counts for itself.
struct VersionCounter : Counted, Pooled {
  std::atomic<uint32_t> value{0};
  static void destroy(VersionCounter* v) { delete v; }
};

// How a view came about: in-place ops with autograd are for those of Normal only.
enum class ViewKind : uint8_t { Normal, NoGrad, Inference, Parts, Custom };

struct TensorImpl;
class Tensor;

struct BOLIDE_API TensorImpl : Counted, Pooled {
  DType dtype;
  Device device;
  bool contiguous = true;
  bool inference;                        // made in inference mode: never part of a graph
  bool owns_python = false;              // the tensor keeps `python` alive, not the other way round
  ViewKind view_kind = ViewKind::Normal;
  uint32_t generation = 0;               // of a base: raised when an in-place op gives it a new history;
                                         // of a view: which one of the base its grad_fn belongs to
  int64_t numel, offset;                 // elements
  char* data;                            // of the first element
  Dims sizes, strides;
  Ref<Storage> storage;
  Ref<TensorImpl> base;                  // of a view: the tensor that is not a view
  AutogradMeta* autograd = nullptr;      // null: nothing recorded
  Ref<VersionCounter> own_version;       // null: the storage's counts
  std::atomic<void*> python{nullptr};    // the live Python object of this tensor, borrowed; for the bindings

  TensorImpl(const Dims& sizes, const Dims& strides, DType dtype, int64_t numel, Ref<Storage> storage, int64_t offset);
  static void destroy(TensorImpl* impl);
};
// A view whose base nothing else leads to was made within an op: for who gets the result it is no view.
BOLIDE_API void forget_hidden_base(const Tensor& t);
// How the bindings let go of an object that a tensor owned when it died: set once, called on any thread.
BOLIDE_API void set_python_release(void (*release)(void* object) noexcept);

class BOLIDE_API Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Ref<TensorImpl> impl) : impl_(std::move(impl)) {}

  explicit operator bool() const { return bool(impl_); }  // is there a tensor?
  TensorImpl* get() const { return impl_.get(); }
  TensorImpl* operator->() const { return impl_.get(); }
  const Ref<TensorImpl>& ref() const { return impl_; }
  Ref<TensorImpl> take() && { return std::move(impl_); }
  bool same(const Tensor& o) const { return impl_ == o.impl_; }

  DType dtype() const { return impl_->dtype; }
  Device device() const { return impl_->device; }
  int rank() const { return impl_->sizes.rank(); }
  int64_t numel() const { return impl_->numel; }
  const Dims& sizes() const { return impl_->sizes; }
  const Dims& strides() const { return impl_->strides; }
  int64_t size(int dim) const { return impl_->sizes[dim]; }
  int64_t stride(int dim) const { return impl_->strides[dim]; }
  bool is_contiguous() const { return impl_->contiguous; }
  int64_t item_size() const { return bolide::item_size(dtype()); }
  template <class T = char>
  T* data() const {
    return reinterpret_cast<T*>(impl_->data);
  }
  uint32_t version() const { return version_counter().load(std::memory_order_acquire); }
  std::atomic<uint32_t>& version_counter() const {
    return impl_->own_version ? impl_->own_version->value : impl_->storage->version;
  }

  bool requires_grad() const;

 private:
  Ref<TensorImpl> impl_;
};

// An order of dimensions in memory. preserve: that of the tensor copied, where it is dense.
enum class MemoryFormat : uint8_t { preserve, contiguous, channels_last, channels_last_3d };
// The strides of a dense tensor in this order; raises for another rank than channels_last (4) or channels_last_3d (5) has.
BOLIDE_API Dims strides_in(const char* op, const Dims& sizes, MemoryFormat format);
BOLIDE_API bool is_contiguous_in(const Tensor& t, MemoryFormat format);
// Which one the strides tell: contiguous where they tell none.
BOLIDE_API MemoryFormat format_of(const Tensor& t);

// Where and as what a new tensor is made.
struct Options {
  DType dtype = DType::F32;
  Device device = {};
};

// ---- making tensors without values: everything else is made by ops on these --------------------------------
BOLIDE_API Tensor empty(const Dims& sizes, Options options = {});
BOLIDE_API Tensor empty_strided(const Dims& sizes, const Dims& strides, Options options = {});
// With the layout of `like` where that is dense, else contiguous.
BOLIDE_API Tensor empty_like(const Tensor& like);
BOLIDE_API Tensor empty_like(const Tensor& like, DType dtype);
// Memory of somebody else; release(owner) is called when the last tensor lets go of it.
BOLIDE_API Tensor from_blob(void* data, const Dims& sizes, const Dims& strides, Options options, void (*release)(void*),
                            void* owner, bool read_only = false);
// A tensor on the same storage, with no history and no base: detach().
BOLIDE_API Tensor alias(const Tensor& t);
// A view without history; ops.h has the differentiable ones. offset is counted from the storage's start.
BOLIDE_API Tensor view_of(const Tensor& t, const Dims& sizes, const Dims& strides, int64_t offset);
// The same of the bytes as another dtype, in whose elements strides and offset count.
BOLIDE_API Tensor view_of(const Tensor& t, const Dims& sizes, const Dims& strides, int64_t offset, DType dtype);

// ---- checks shared by ops ------------------------------------------------------------------------------------
// dim in [-rank, rank) as one in [0, rank); raises IndexError. A 0-d tensor has one dimension here, as in PyTorch.
BOLIDE_API int wrap_dim(const char* op, int64_t dim, int rank);
// The number of elements of a tensor of these sizes; raises where one is negative or the bytes overflow.
BOLIDE_API int64_t checked_numel(const char* op, const Dims& sizes, DType dtype);
// The sizes that both broadcast to; raises ShapeError.
BOLIDE_API Dims broadcast_sizes(const char* op, const Dims& a, const Dims& b);
// Raises where an in-place op could write one element through two indices, or must not write at all.
BOLIDE_API void check_writable(const char* op, const Tensor& t);
BOLIDE_API void check_not_read_only(const char* op, const Tensor& t);  // the half of it for writing the same everywhere
// Every element lies in memory once, with no holes between them.
BOLIDE_API bool is_dense(const Dims& sizes, const Dims& strides);
// May both share bytes?
BOLIDE_API bool may_overlap(const Tensor& a, const Tensor& b);
BOLIDE_API std::string describe(const Tensor& t);  // "float32[2, 3] on cpu", for errors

// The stream that work of this thread on this device goes to.
BOLIDE_API StreamHandle current_stream(Device device);
BOLIDE_API void set_current_stream(Device device, StreamHandle stream);

}  // namespace bolide
