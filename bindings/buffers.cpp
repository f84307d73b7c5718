// buffers.cpp - sharing memory through Python's buffer protocol, in both directions: how NumPy arrays come and go
// without NumPy being imported.
#include <cstring>

#include "bindings/convert.h"
#include "bindings/creation.h"

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
    if (!memory_) {
      PyErr_Clear();
      raise(ErrorKind::DType, op, "an array of a dtype that bolide has", describe_dtype(o));
    }
    const Py_buffer& b = buffer();
    const auto found = dtype_of_format(b.format, b.itemsize);
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
    aligned_ &= reinterpret_cast<uintptr_t>(b.buf) % uintptr_t(alignment(dtype_)) == 0 && !b.suboffsets;
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
  static int64_t alignment(DType t) { return is_complex(t) ? item_size(t) / 2 : item_size(t); }
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
struct Exporter {
  PyObject_HEAD
  Tensor tensor;
  Py_ssize_t shape[kMaxRank], strides[kMaxRank];
};
PyTypeObject* exporter_type = nullptr;

const char* format_of(DType t) {
  constexpr const char* formats[] = {"?", "B", "b", "h", "i", "q", "e", nullptr, "f", "d", "Zf", "Zd"};
  static_assert(std::size(formats) == kDTypeCount);
  return formats[int(t)];
}
int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  auto* e = reinterpret_cast<Exporter*>(self);
  const Tensor& t = e->tensor;
  if ((flags & PyBUF_WRITABLE) && t->storage->read_only) {
    PyErr_SetString(PyExc_BufferError, "[numpy] expected memory that may be written, got a read-only tensor.");
    view->obj = nullptr;
    return -1;
  }
  static char nothing[16];  // an address for tensors without elements
  view->buf = t.numel() ? t.data() : nothing;
  view->len = t.numel() * t.item_size();
  view->itemsize = t.item_size();
  view->readonly = t->storage->read_only;
  view->format = const_cast<char*>(format_of(t.dtype()));
  view->ndim = t.rank();
  view->shape = e->shape;
  view->strides = e->strides;
  view->suboffsets = nullptr;
  view->internal = nullptr;
  view->obj = Py_NewRef(self);
  return 0;
}
void destroy_exporter(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  reinterpret_cast<Exporter*>(self)->tensor.~Tensor();
  type->tp_free(self);
  Py_DECREF(type);
}

}  // namespace

bool is_buffer(PyObject* o) {
  if (is_list(o) || PyFloat_CheckExact(o) || PyLong_CheckExact(o)) return false;
  return PyObject_CheckBuffer(o) && !PyBytes_Check(o) && !is_scalar(o);
}
Tensor share_buffer(const char* op, PyObject* o) { return View(op, o).share(); }
Tensor copy_buffer(const char* op, PyObject* o) { return View(op, o).copy(); }
Tensor share_array(PyObject* o) {
  View view("array", o);
  return view.can_share() ? view.share() : view.copy();
}

PyObject* export_buffer(const Tensor& t) {
  PyObject* self = checked(exporter_type->tp_alloc(exporter_type, 0));
  auto* e = reinterpret_cast<Exporter*>(self);
  new (&e->tensor) Tensor(t);
  for (int i = 0; i < t.rank(); i++) e->shape[i] = t.size(i), e->strides[i] = t.stride(i) * t.item_size();
  return self;
}
void add_buffer_type(PyObject* module) {
  PyType_Slot slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
                         {Py_tp_dealloc, reinterpret_cast<void*>(destroy_exporter)},
                         {0, nullptr}};
  PyType_Spec spec = {"bolide._Memory", sizeof(Exporter), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                      slots};
  exporter_type = reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, nullptr));
  if (!exporter_type) throw pybind11::error_already_set();
}

}  // namespace bolide::python
