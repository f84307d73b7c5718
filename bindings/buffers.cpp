// buffers.cpp - sharing memory through Python's buffer protocol, in both directions: how NumPy arrays come and go
// without NumPy being imported, and what memoryview(tensor) shows.
#include <cstring>

#include "bindings/convert.h"
#include "bindings/creation.h"
#include "runtime/autograd.h"

namespace bolide::python {
namespace {

using pybind11::object;

// ---- in ------------------------------------------------------------------------------------------------------
std::optional<DType> dtype_of_format(const char* format, Py_ssize_t size) {
  std::string_view f = format ? format : "B";
  if (!f.empty() && (f[0] == '@' || f[0] == '=' || f[0] == '<')) f.remove_prefix(1);
  else if (!f.empty() && (f[0] == '>' || f[0] == '!')) {
    f.remove_prefix(1);
    if (size != 1) return std::nullopt;
  }
  if (f == "?") return DType::Bool;
  if (f == "Zf") return DType::C64;
  if (f == "Zd") return DType::C128;
  if (f.size() != 1) return std::nullopt;
  switch (f[0]) {
    case 'B': return DType::U8;
    case 'b': return DType::I8;
    case 'e': return DType::F16;
    case 'f': return DType::F32;
    case 'd': return DType::F64;
    case 'h':
    case 'i':
    case 'l':
    case 'q':
    case 'n':
      return size == 2 ? DType::I16 : size == 4 ? DType::I32 : size == 8 ? std::optional(DType::I64) : std::nullopt;
    default: return std::nullopt;
  }
}

// A memoryview of the object, which keeps its memory in place and alive.
class View {
 public:
  View(const char* op, PyObject* o) : op_(op) {
    memory_ = pybind11::reinterpret_steal<object>(PyMemoryView_FromObject(o));
    const bool bfloat16 = !memory_ && is_bfloat16(o);
    if (!memory_) {
      PyErr_Clear();
      if (!bfloat16) raise(ErrorKind::DType, op, "an array of a dtype that bolide has", describe_dtype(o));
      memory_ = pybind11::reinterpret_steal<object>(
          PyMemoryView_FromObject(object(pybind11::handle(o).attr("view")("int16")).ptr()));
      if (!memory_) throw Raised{};
    }
    const Py_buffer& b = buffer();
    const auto found = bfloat16 ? DType::BF16 : dtype_of_format(b.format, b.itemsize);
    if (!found) raise(ErrorKind::DType, op, "an array of a dtype that bolide has", describe_dtype(o));
    dtype_ = *found;
    if (b.ndim > kMaxRank) raise(ErrorKind::Shape, op, str("at most ", kMaxRank, " dimensions"), str(b.ndim));
    sizes_.resize(b.ndim), strides_.resize(b.ndim);
    for (int i = 0; i < b.ndim; i++) sizes_[i] = b.shape[i];
    for (int i = 0; i < b.ndim; i++) {
      negative_ |= b.strides[i] < 0 && sizes_[i] > 1;
      aligned_ &= b.strides[i] % b.itemsize == 0 || sizes_[i] <= 1;
      strides_[i] = b.strides[i] / b.itemsize;
    }
    aligned_ &= reinterpret_cast<uintptr_t>(b.buf) % uintptr_t(item_size(real_type(dtype_))) == 0 && !b.suboffsets;
  }
  const Py_buffer& buffer() const { return *PyMemoryView_GET_BUFFER(memory_.ptr()); }
  bool can_share() const { return aligned_ && !negative_; }

  Tensor share() {
    check(!negative_, ErrorKind::Value, op_, "strides of zero or more", [&] { return strides_.text(); });
    check(aligned_, ErrorKind::Value, op_, "aligned elements",
          [] { return std::string("an array without alignment"); });
    const Py_buffer& b = buffer();
    Tensor t = from_blob(b.buf, sizes_, strides_, {dtype_, {}}, drop_reference, memory_.ptr(), b.readonly);
    memory_.release();  // the tensor's now
    return t;
  }
  Tensor copy() {
    Tensor out = empty(sizes_, {dtype_, {}});
    Py_buffer& b = *PyMemoryView_GET_BUFFER(memory_.ptr());
    if (b.len && PyBuffer_ToContiguous(out.data(), &b, b.len, 'C') < 0) throw Raised{};
    return out;
  }

 private:
  // That of the package ml_dtypes, for which buffers have no letter: its bits are shared.
  static bool is_bfloat16(PyObject* o) {
    PyErr_Clear();
    return is_numpy_array(o) && describe_dtype(o) == "dtype bfloat16";
  }
  static std::string describe_dtype(PyObject* o) {
    const auto dtype = pybind11::reinterpret_steal<object>(PyObject_GetAttrString(o, "dtype"));
    if (dtype) return str("dtype ", std::string(pybind11::str(dtype)));
    PyErr_Clear();
    return type_name(o);
  }

  const char* op_;
  object memory_;
  DType dtype_ = DType::U8;
  Dims sizes_, strides_;
  bool negative_ = false, aligned_ = true;
};

// ---- out -----------------------------------------------------------------------------------------------------
const char* format_of(DType t) {
  constexpr const char* formats[] = {"?", "B", "b", "h", "i", "q", "e", nullptr, "f", "d", "Zf", "Zd"};
  static_assert(std::size(formats) == kDTypeCount);
  return formats[int(t)];
}
// What a view keeps: the tensor may get other memory meanwhile, by an assignment to .data.
struct Shown {
  Ref<Storage> storage;
  Dims sizes, strides;  // in bytes
};

bool is_column_major(const Tensor& t) {
  int64_t expected = 1;
  for (int d = 0; d < t.rank(); expected *= t.size(d++))
    if (t.size(d) != 1 && t.stride(d) != expected) return t.numel() == 0;
  return true;
}
// Why the memory of this tensor cannot be shown to one who asks like that; null: it can.
const char* objection(const Tensor& t, int flags) {
  if (t.requires_grad() && grad_enabled())
    return "expected a tensor that does not require grad, got one that does; use detach()";
  if (!t.device().is_cpu()) return "expected a tensor on the CPU, got one on a device; use cpu()";
  if (!format_of(t.dtype())) return "expected a dtype that buffers have, got bfloat16; use float()";
  if ((flags & PyBUF_WRITABLE) && t->storage->read_only)
    return "expected memory that may be written, got a read-only tensor";
  const auto wants = [&](int flag) { return (flags & flag) == flag; };
  if ((wants(PyBUF_C_CONTIGUOUS) || !wants(PyBUF_STRIDES)) && !t.is_contiguous())
    return "expected contiguous memory, got a tensor with strides; use contiguous()";
  if (wants(PyBUF_F_CONTIGUOUS) && !is_column_major(t)) return "expected memory in column-major order, got other";
  if (wants(PyBUF_ANY_CONTIGUOUS) && !t.is_contiguous() && !is_column_major(t))
    return "expected contiguous memory, got other";
  return nullptr;
}
int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  const Tensor& t = unwrap(self);
  view->obj = nullptr;
  if (const char* why = objection(t, flags)) {
    PyErr_Format(PyExc_BufferError, "[Tensor] %s.", why);
    return -1;
  }
  static char nothing[16];  // an address for tensors without elements
  auto* shown = new Shown{t->storage, t.sizes(), t.strides()};
  for (int64_t& stride : shown->strides) stride *= t.item_size();
  view->buf = t.numel() ? t.data() : nothing;
  view->len = t.numel() * t.item_size();
  view->itemsize = t.item_size();
  view->readonly = t->storage->read_only;
  view->format = flags & PyBUF_FORMAT ? const_cast<char*>(format_of(t.dtype())) : nullptr;
  view->ndim = t.rank();
  view->shape = flags & PyBUF_ND ? shown->sizes.data() : nullptr;
  view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? shown->strides.data() : nullptr;
  view->suboffsets = nullptr;
  view->internal = shown;
  view->obj = Py_NewRef(self);
  return 0;
}
void release_buffer(PyObject*, Py_buffer* view) { delete static_cast<Shown*>(view->internal); }

}  // namespace

bool is_buffer(PyObject* o) {
  if (is_list(o) || PyFloat_CheckExact(o) || PyLong_CheckExact(o)) return false;
  return PyObject_CheckBuffer(o) && !PyBytes_Check(o) && !is_scalar(o);
}
std::optional<DType> dtype_of_scalar(PyObject* o) {
  if (!is_numpy_scalar(o)) return std::nullopt;
  const auto memory = pybind11::reinterpret_steal<object>(PyMemoryView_FromObject(o));
  if (!memory) return PyErr_Clear(), std::nullopt;
  const Py_buffer& b = *PyMemoryView_GET_BUFFER(memory.ptr());
  return dtype_of_format(b.format, b.itemsize);
}
Tensor share_buffer(const char* op, PyObject* o) { return View(op, o).share(); }
Tensor copy_buffer(const char* op, PyObject* o) { return View(op, o).copy(); }
Tensor share_array(PyObject* o) {
  View view("array", o);
  return view.can_share() ? view.share() : view.copy();
}

std::vector<PyType_Slot> buffer_slots() {
  return {{Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
          {Py_bf_releasebuffer, reinterpret_cast<void*>(release_buffer)}};
}

}  // namespace bolide::python
