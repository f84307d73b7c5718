// tensor.cpp - storage, tensors without values, and the checks that ops share.
#include "runtime/tensor.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "runtime/autograd.h"
#include "runtime/backend.h"
#include "runtime/late_release.h"
#include "runtime/overlap.h"
#include "runtime/strided.h"

namespace bolide {

// ------------------------------------------------------------------------------------------------- storage
Ref<Storage> Storage::make(Device device, size_t bytes) {
  auto storage = Ref<Storage>::steal(new Storage);
  storage->device = device;
  // Made in its place: an assignment would read what allocate() has just written, in other pieces, and wait for it.
  new (&storage->allocation) Allocation(allocate(device, bytes, current_stream(device)));
  storage->data = static_cast<char*>(storage->allocation.data);
  storage->bytes = bytes;
  return storage;
}

Ref<Storage> Storage::wrap(Device device, void* data, size_t bytes, void (*release)(void*), void* owner) {
  auto storage = Ref<Storage>::steal(new Storage);
  storage->device = device, storage->data = static_cast<char*>(data), storage->bytes = bytes;
  storage->release = release, storage->owner = owner;
  return storage;
}

void Storage::destroy(Storage* s) {
  if (s->release) release_foreign(*s);
  else deallocate(s->device, s->allocation);
  delete s;
}

// ------------------------------------------------------------------------------------------------- tensors
namespace {
void (*g_release_python)(void*) noexcept = nullptr;
}
void set_python_release(void (*release)(void*) noexcept) { g_release_python = release; }

TensorImpl::TensorImpl(const Dims& own_sizes, const Dims& own_strides, DType own_dtype, int64_t elements,
                       Ref<Storage> memory, int64_t start)
    : dtype(own_dtype), device(memory->device), inference(inference_enabled()), numel(elements), offset(start),
      data(memory->data + start * item_size(own_dtype)), sizes(own_sizes), strides(own_strides),
      storage(std::move(memory)) {}

void TensorImpl::destroy(TensorImpl* impl) {
  if (impl->autograd) [[unlikely]] {
    if (impl->autograd->weak && !impl->autograd->weak->forget()) return;
    delete impl->autograd;
  }
  if (impl->owns_python) [[unlikely]]
    g_release_python(impl->python);
  delete impl;
}

bool Tensor::requires_grad() const {
  const AutogradMeta* meta = impl_->autograd;
  if (meta && (meta->requires_grad || meta->grad_fn)) return true;
  return impl_->base && is_view_with_new_history(*impl_);
}

namespace {

Tensor make_impl(const Dims& sizes, const Dims& strides, DType dtype, int64_t numel, Ref<Storage> storage,
                 int64_t offset) {
  return Tensor(Ref<TensorImpl>::steal(new TensorImpl(sizes, strides, dtype, numel, std::move(storage), offset)));
}

// A size or stride of a dimension that has one element does not matter.
bool strides_are_contiguous(const Dims& sizes, const Dims& strides) {
  int64_t expected = 1;
  bool gaps = false;
  for (int d = sizes.rank(); d-- > 0; expected *= sizes[d]) {
    if (sizes[d] == 0) return true;  // of no elements, whatever the strides
    gaps |= sizes[d] != 1 && strides[d] != expected;
  }
  return !gaps;
}

// The elements from the lowest to the highest that these strides reach: [first, last].
void extent(const char* op, const Dims& sizes, const Dims& strides, int64_t& first, int64_t& last) {
  bool overflow = false;
  first = last = 0;
  for (int d = 0; d < sizes.rank(); d++) {
    int64_t reach, &end = strides[d] < 0 ? first : last;
    overflow |= __builtin_mul_overflow(sizes[d] - 1, strides[d], &reach) || __builtin_add_overflow(end, reach, &end);
  }
  check(!overflow && last - first < INT64_MAX / 16, ErrorKind::Shape, op, "strides whose bytes fit into 63 bits",
        [&] { return strides.text(); });
}
// Of a shape without elements: products of its sizes need not fit.
void set_strides_of_nothing(const Dims& sizes, Dims& strides) {
  int64_t n = 1;
  for (int i = sizes.rank(); i-- > 0;) {
    strides[i] = n;
    if (__builtin_mul_overflow(n, std::max<int64_t>(sizes[i], 1), &n)) n = INT64_MAX;
  }
}

}  // namespace

int64_t checked_numel(const char* op, const Dims& sizes, DType dtype) {
  int64_t n = 1, bytes = item_size(dtype);
  bool overflow = false, empty = false;
  for (int64_t size : sizes) {
    check(size >= 0, ErrorKind::Shape, op, "sizes of zero or more", [&] { return sizes.text(); });
    if (size == 0) {
      empty = true;
      continue;
    }
    overflow |= __builtin_mul_overflow(n, size, &n) || __builtin_mul_overflow(bytes, size, &bytes);
  }
  if (overflow && !empty) [[unlikely]]
    raise(ErrorKind::Shape, op, "sizes whose bytes fit into 63 bits", sizes.text());
  return empty ? 0 : n;
}

static Tensor make_empty(const Dims& sizes, int64_t n, DType dtype, Device device) {
  Tensor t = make_impl(sizes, sizes, dtype, n, Storage::make(device, size_t(n * item_size(dtype))), 0);
  if (n) t->strides.set_contiguous(sizes);
  else set_strides_of_nothing(sizes, t->strides);
  return t;
}
Tensor empty(const Dims& sizes, Options o) {
  const int64_t n = checked_numel("empty", sizes, o.dtype);
  if (!o.device.is_cpu()) check_device(o.device);
  return make_empty(sizes, n, o.dtype, o.device);
}

Tensor empty_strided(const Dims& sizes, const Dims& strides, Options o) {
  const int64_t n = checked_numel("empty_strided", sizes, o.dtype);
  int64_t first = 0, last = -1;
  if (n > 0) extent("empty_strided", sizes, strides, first, last);
  check(first >= 0, ErrorKind::Shape, "empty_strided", "strides of zero or more", [&] { return strides.text(); });
  Tensor t = make_impl(sizes, strides, o.dtype, n, Storage::make(o.device, size_t((last + 1) * item_size(o.dtype))), 0);
  t->contiguous = strides_are_contiguous(sizes, strides);
  return t;
}

Dims dense_strides(const Dims& sizes, const Dims& strides) {
  Dims order;
  for (int d = sizes.rank(); d-- > 0;) order.push_back(d);  // the innermost first
  // Above 0: a belongs further out than b; 0: either may. This and the sorting are PyTorch's, for its strides.
  auto compare = [&](int64_t a, int64_t b) {
    const int64_t x = strides[int(a)], y = strides[int(b)];
    if (!x || !y) return 0;
    return x != y ? (x > y ? 1 : -1) : int(sizes[int(a)] > sizes[int(b)]);
  };
  for (int i = 1; i < order.rank(); i++)
    for (int at = i, other = i - 1; other >= 0; other--) {
      const int place = compare(order[other], order[at]);
      if (place < 0) break;
      if (place > 0) std::swap(order[other], order[at]), at = other;
    }
  Dims dense(sizes.rank());
  int64_t step = 1;
  for (int i = 0; i < order.rank(); i++)
    dense[int(order[i])] = step, step *= std::max<int64_t>(sizes[int(order[i])], 1);
  return dense;
}

Tensor empty_like(const Tensor& t, DType dtype) {
  if (t.is_contiguous() && item_size(dtype) <= t.item_size()) [[likely]]  // sizes known to be right
    return make_empty(t.sizes(), t.numel(), dtype, t.device());
  if (t.is_contiguous()) return empty(t.sizes(), {dtype, t.device()});
  if (is_dense(t.sizes(), t.strides())) return empty_strided(t.sizes(), t.strides(), {dtype, t.device()});
  return empty_strided(t.sizes(), dense_strides(t.sizes(), t.strides()), {dtype, t.device()});
}
Tensor empty_like(const Tensor& t) { return empty_like(t, t.dtype()); }

Tensor from_blob(void* data, const Dims& sizes, const Dims& strides, Options o, void (*release)(void*), void* owner,
                 bool read_only) {
  const int64_t n = checked_numel("from_blob", sizes, o.dtype);
  int64_t first = 0, last = -1;
  if (n > 0) extent("from_blob", sizes, strides, first, last);
  const int64_t item = item_size(o.dtype);
  auto storage = Storage::wrap(o.device, static_cast<char*>(data) + first * item, size_t((last - first + 1) * item),
                               release, owner);
  storage->read_only = read_only;
  Tensor t = make_impl(sizes, strides, o.dtype, n, std::move(storage), -first);
  t->contiguous = strides_are_contiguous(sizes, strides);
  return t;
}

Tensor view_of(const Tensor& t, const Dims& sizes, const Dims& strides, int64_t offset) {
  return view_of(t, sizes, strides, offset, t.dtype());
}
Tensor view_of(const Tensor& t, const Dims& sizes, const Dims& strides, int64_t offset, DType dtype) {
  Tensor v = make_impl(sizes, strides, dtype, sizes.product(), t->storage, offset);
  v->contiguous = strides_are_contiguous(sizes, strides);
  v->inference = t->inference;
  if (t->own_version) [[unlikely]]
    v->own_version = t->own_version;
  return v;
}
Tensor alias(const Tensor& t) { return view_of(t, t.sizes(), t.strides(), t->offset); }

// -------------------------------------------------------------------------------------------------- checks
int wrap_dim(const char* op, int64_t dim, int rank) {
  const int r = std::max(rank, 1);
  if (dim < -r || dim >= r) [[unlikely]]
    raise(ErrorKind::Index, op, str("a dimension in [", -r, ", ", r - 1, "]"), str(dim));
  return int(dim < 0 ? dim + r : dim);
}

Dims broadcast_sizes(const char* op, const Dims& a, const Dims& b) {
  const int rank = std::max(a.rank(), b.rank());
  Dims out(rank);
  for (int i = 1; i <= rank; i++) {
    const int64_t x = i <= a.rank() ? a[a.rank() - i] : 1, y = i <= b.rank() ? b[b.rank() - i] : 1;
    if (x != y && x != 1 && y != 1) [[unlikely]]
      raise(ErrorKind::Shape, op, "shapes that broadcast together", str(a.text(), " and ", b.text()));
    out[rank - i] = x == 1 ? y : x;
  }
  return out;
}

bool is_dense(const Dims& sizes, const Dims& strides) {
  // The dimensions in the order of their strides must tile memory without a hole.
  int order[kMaxRank], n = 0;
  for (int d = 0; d < sizes.rank(); d++)
    if (sizes[d] != 1) order[n++] = d;
  std::sort(order, order + n, [&](int a, int b) { return strides[a] < strides[b]; });
  int64_t expected = 1;
  for (int i = 0; i < n; i++) {
    if (strides[order[i]] != expected) return false;
    expected *= sizes[order[i]];
  }
  return true;
}

Dims strides_in(const char* op, const Dims& sizes, MemoryFormat format) {
  if (format == MemoryFormat::contiguous || format == MemoryFormat::preserve) return sizes.contiguous_strides();
  const int rank = format == MemoryFormat::channels_last ? 4 : 5;
  check(sizes.rank() == rank, ErrorKind::Runtime, op,
        str(rank, " dimensions for channels_last", rank == 4 ? "" : "_3d"), [&] { return sizes.text(); });
  Dims strides(rank);
  int64_t n = 1;
  auto next = [&](int d) { strides[d] = n, n *= std::max<int64_t>(sizes[d], 1); };
  next(1);
  for (int d = rank - 1; d > 1; d--) next(d);
  next(0);
  return strides;
}
bool is_contiguous_in(const Tensor& t, MemoryFormat format) {
  if (format == MemoryFormat::contiguous || format == MemoryFormat::preserve) return t.is_contiguous();
  if (t.rank() != (format == MemoryFormat::channels_last ? 4 : 5)) return false;
  const Dims strides = strides_in("is_contiguous", t.sizes(), format);
  for (int d = 0; d < t.rank(); d++)
    if (t.size(d) != 1 && t.stride(d) != strides[d] && t.numel()) return false;
  return true;
}
MemoryFormat format_of(const Tensor& t) {
  const int rank = t.rank();
  if ((rank != 4 && rank != 5) || t.stride(1) == 0) return MemoryFormat::contiguous;
  // Channels, then the image from its last dimension on, then the batch: each stride beyond what lies within it.
  int64_t within = 0;
  for (int i = 0; i < rank; i++) {
    const int d = i == 0 ? 1 : i == rank - 1 ? 0 : rank - i;
    const bool ambiguous = d == 0 && within == t.stride(1);  // one channel, one pixel
    if (t.size(d) == 0 || t.stride(d) < within || ambiguous) return MemoryFormat::contiguous;
    within = t.stride(d) * std::max<int64_t>(t.size(d), 1);
  }
  return rank == 4 ? MemoryFormat::channels_last : MemoryFormat::channels_last_3d;
}

void check_not_read_only(const char* op, const Tensor& t) {
  check(!t->storage->read_only, ErrorKind::Runtime, op, "memory that may be written",
        [&] { return str("a read-only buffer (", describe(t), ")"); });
}
void check_writable(const char* op, const Tensor& t) {
  check_not_read_only(op, t);
  if (t.is_contiguous()) return;
  check(!overlaps_itself(t.sizes(), t.strides()), ErrorKind::Runtime, op, "a tensor whose elements are all distinct",
        [&] { return str("an expanded or overlapping one with strides ", t.strides().text(), "; clone() it first"); });
}

bool may_overlap(const Tensor& a, const Tensor& b) {
  if (a->storage.get() != b->storage.get() || !a.numel() || !b.numel()) return false;
  int64_t first, last;
  auto range = [&](const Tensor& t, const char*& from, const char*& to) {
    extent("view", t.sizes(), t.strides(), first, last);
    from = t.data() + first * t.item_size(), to = t.data() + (last + 1) * t.item_size();
  };
  const char *a0, *a1, *b0, *b1;
  range(a, a0, a1), range(b, b0, b1);
  return a0 < b1 && b0 < a1;
}

std::string describe(const Tensor& t) { return str(name_of(t.dtype()), t.sizes().text(), " on ", name_of(t.device())); }

}  // namespace bolide
