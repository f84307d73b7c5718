// dlpack_import.cpp - tensors from the memory of other libraries.
//
// A producer whose type has the table of C functions is asked through that, which takes a tenth of a microsecond;
// any other through __dlpack__. Either way a struct comes back that is believed only after a look at each field.
#include <dlpack/dlpack.h>

#include <cstdlib>
#include <cstring>

#include "bindings/convert.h"
#include "bindings/dlpack.h"
#include "bindings/dlpack_common.h"
#include "runtime/autograd.h"
#include "runtime/backend.h"
#include "runtime/late_release.h"

namespace py = pybind11;

namespace bolide::python {
namespace {

[[noreturn]] void raise_copy_required(const char* what) {
  PyErr_Format(copy_required_error(), "[from_dlpack] expected memory that can be shared with copy=False, got %s.",
               what);
  throw Raised{};
}

// ---- what a capsule holds ------------------------------------------------------------------------------------
struct Contents {
  DType dtype;
  Device device;
  Dims sizes, strides;
  char* data = nullptr;
  bool read_only = false, negative = false, aligned = true;
};

// Those of dimensions with one element, or of no elements at all, are never followed and may be anything.
Dims strides_of(const DLTensor& d, const Dims& sizes, int64_t n) {
  Dims out(d.ndim);
  int64_t plain = 1;
  for (int i = d.ndim; i-- > 0;) {
    out[i] = d.strides && n > 0 && sizes[i] != 1 ? d.strides[i] : plain;
    if (__builtin_mul_overflow(plain, std::max<int64_t>(sizes[i], 1), &plain)) plain = INT64_MAX;  // of no elements
  }
  return out;
}
void check_reach(const Dims& sizes, const Dims& strides) {
  int64_t all = 0, one = 0;
  bool overflow = false;
  for (int i = 0; i < sizes.rank(); i++)
    overflow |= strides[i] == INT64_MIN || __builtin_mul_overflow(std::abs(strides[i]), sizes[i] - 1, &one) ||
                __builtin_add_overflow(all, one, &all);
  if (overflow || all >= INT64_MAX / 32)
    raise_buffer_error(str("[from_dlpack] expected strides within memory, got ", strides.text(), "."));
}
Device checked_device(DLDevice d) {
  const auto device = device_of_dlpack(d);
  if (!device)
    raise_buffer_error(str("[from_dlpack] expected memory of the CPU or of CUDA, got device type ", int(d.device_type),
                           ", number ", d.device_id, "."));
  if (device->is_cpu()) return *device;
  try {
    check_device(*device);
  } catch (const Error& e) { raise_buffer_error(e.what()); }
  return *device;
}
Contents read_contents(const DLTensor& d, uint64_t flags) {
  Contents c;
  const auto dtype = dtype_of_dlpack(d.dtype);
  if (!dtype)
    raise_buffer_error(str("[from_dlpack] expected a dtype that bolide has, got ", name_of_dlpack(d.dtype), "."));
  if (d.ndim < 0 || d.ndim > kMaxRank || (d.ndim > 0 && !d.shape))
    raise_buffer_error(str("[from_dlpack] expected 0 to ", kMaxRank, " dimensions, got ", d.ndim, "."));
  c.dtype = *dtype, c.device = checked_device(d.device);
  c.sizes.resize(d.ndim);
  for (int i = 0; i < d.ndim; i++) c.sizes[i] = d.shape[i];
  const int64_t n = checked_numel("from_dlpack", c.sizes, c.dtype);
  c.strides = strides_of(d, c.sizes, n);
  if (n > 0) check_reach(c.sizes, c.strides);
  if (n > 0 && !d.data) raise_buffer_error("[from_dlpack] expected memory, got a null pointer.");
  if (d.byte_offset > uint64_t(INTPTR_MAX))
    raise_buffer_error(str("[from_dlpack] expected an offset within memory, got ", d.byte_offset, " bytes."));
  c.data = d.data ? static_cast<char*>(d.data) + d.byte_offset : nullptr;
  c.read_only = flags & DLPACK_FLAG_BITMASK_READ_ONLY;
  for (int i = 0; i < d.ndim; i++) {
    c.negative |= c.strides[i] < 0 && n > 0;
    c.read_only |= c.strides[i] == 0 && c.sizes[i] > 1;  // one element seen many times
  }
  c.aligned = reinterpret_cast<uintptr_t>(c.data) % uintptr_t(item_size(real_type(c.dtype))) == 0;
  return c;
}

// ---- ownership -----------------------------------------------------------------------------------------------
// The owner may be told on any thread, with or without the GIL, and while the interpreter ends. What it does may be
// Python code, which must not disturb an error on its way.
template <class Managed>
void free_managed(void* owner) {
  auto* m = static_cast<Managed*>(owner);
  if (!m->deleter) return;
  const bool error = Py_IsInitialized() && PyGILState_Check() && PyErr_Occurred();
  PyObject *type, *value, *traceback;
  if (error) PyErr_Fetch(&type, &value, &traceback);
  without_unwinding([&] { m->deleter(m); });
  if (error) PyErr_Restore(type, value, traceback);
}
// Frees a struct that has come without a capsule, unless a tensor has taken it.
template <class Managed>
struct Held {
  Managed* managed;
  ~Held() {
    if (managed) free_managed<Managed>(managed);
  }
};

// The same memory as kernels can read it: strides below zero turned round, unaligned elements as bytes.
struct Readable {
  char* data;
  Dims sizes, strides, turned;
  DType dtype;
};
Readable readable(const Contents& c) {
  if (!c.aligned && (!c.device.is_cpu() || c.sizes.rank() == kMaxRank))
    raise_buffer_error("[from_dlpack] expected aligned memory for this device and rank, got other.");
  Readable r{c.data, c.sizes, c.strides, {}, c.dtype};
  const int64_t item = item_size(c.dtype);
  for (int d = 0; d < c.sizes.rank(); d++) {
    if (c.strides[d] < 0) {
      r.data += (c.sizes[d] - 1) * c.strides[d] * item;
      r.strides[d] = -c.strides[d], r.turned.push_back(d);
    }
    if (!c.aligned) r.strides[d] *= item;
  }
  if (!c.aligned) r.sizes.push_back(item), r.strides.push_back(1), r.dtype = DType::U8;
  return r;
}
Tensor copy_of(const Contents& c, const Readable& r, const Tensor& source) {
  if (c.aligned) return flip(source, r.turned);
  const Tensor bytes = contiguous(clone(source));
  const Tensor out = view_of(bytes, c.sizes, c.sizes.contiguous_strides(), 0, c.dtype);
  return r.turned.empty() ? out : flip(out, r.turned);
}

// A tensor on the memory, or a copy. Either owns the struct from the call of taken() on; before that nothing has happened.
template <class Managed, class Taken>
Tensor take(Managed* m, uint64_t flags, bool may_copy, bool want_copy, const Taken& taken) {
  const Contents c = read_contents(m->dl_tensor, flags);
  const bool shareable = c.aligned && !c.negative;
  if (!shareable && !may_copy) raise_copy_required(c.aligned ? "negative strides" : "unaligned memory");
  if (!may_copy && flags & DLPACK_FLAG_BITMASK_IS_COPIED) raise_copy_required("a copy that the producer has made");
  GradMode mode(false);
  const auto own = [&](const auto& layout, bool read_only) {
    Tensor t = from_blob(layout.data, layout.sizes, layout.strides, {layout.dtype, c.device}, free_managed<Managed>, m,
                         read_only);
    taken();
    if (!c.device.is_cpu()) record_stream(*t->storage, current_stream(c.device));
    return t;
  };
  if (!shareable) {
    const Readable r = readable(c);
    return copy_of(c, r, own(r, true));
  }
  const Tensor t = own(c, c.read_only);
  return want_copy && !(flags & DLPACK_FLAG_BITMASK_IS_COPIED) ? clone(t) : t;
}
// Only the version and the deleter of a struct of another major version may be read.
bool is_readable(const DLManagedTensorVersioned& m) { return m.version.major == DLPACK_MAJOR_VERSION; }
[[noreturn]] void raise_version(uint32_t major) {
  raise_buffer_error(str("[from_dlpack] expected DLPack version 1, got ", major, "."));
}

template <class Managed>
Tensor take_capsule(PyObject* capsule, uint64_t flags, bool may_copy, bool want_copy) {
  auto* m = static_cast<Managed*>(PyCapsule_GetPointer(capsule, capsule_name<Managed>()));
  // At once: a copy may let other threads run, which might take it too.
  return take(m, flags, may_copy, want_copy, [&] { PyCapsule_SetName(capsule, used_name<Managed>()); });
}

// ---- asking a producer ---------------------------------------------------------------------------------------
PyObject* interned(const char* text) { return PyUnicode_InternFromString(text); }
struct Names {
  PyObject *dlpack = interned("__dlpack__"), *device = interned("__dlpack_device__"),
           *table = interned("__dlpack_c_exchange_api__"), *requires_grad = interned("requires_grad"),
           *is_conj = interned("is_conj"), *module = interned("__module__"), *is_neg = interned("is_neg"),
           *stream = interned("stream"), *max_version = interned("max_version"), *dl_device = interned("dl_device"),
           *copy = interned("copy"), *version = Py_BuildValue("(ii)", DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION);
};
const Names& names() {
  static const Names* all = new Names;
  return *all;
}
py::object steal(PyObject* o) { return py::reinterpret_steal<py::object>(checked(o)); }

py::object stream_for(DLDevice device) {
  const auto own = device_of_dlpack(device);
  if (!own || own->is_cpu()) return {};
  const auto handle = reinterpret_cast<int64_t>(current_stream(checked_device(device)).handle);
  return py::int_(handle ? handle : 1);
}
DLDevice device_of_producer(PyObject* x) {
  const py::object pair = steal(PyObject_CallMethodNoArgs(x, names().device));
  int type = 0, index = 0;
  if (!PyTuple_Check(pair.ptr()) || !PyArg_ParseTuple(pair.ptr(), "ii", &type, &index)) {
    PyErr_Clear();
    const std::string found = py::repr(pair);
    raise_buffer_error(str("[from_dlpack] expected a pair of ints from __dlpack_device__, got ", found, "."));
  }
  return {DLDeviceType(type), index};
}
// x.__dlpack__(...) with the arguments that are not null.
struct Request {
  PyObject *version, *stream, *dl_device, *copy;

  py::object send(PyObject* x) const {
    PyObject* values[5] = {x};
    const std::pair<PyObject*, PyObject*> all[] = {
        {names().max_version, version}, {names().stream, stream}, {names().dl_device, dl_device}, {names().copy, copy}};
    Py_ssize_t n = 0;
    for (auto& [name, value] : all) n += value != nullptr;
    const py::object keywords = steal(PyTuple_New(n));
    n = 0;
    for (auto& [name, value] : all) {
      if (!value) continue;
      PyTuple_SET_ITEM(keywords.ptr(), n, Py_NewRef(name));
      values[++n] = value;
    }
    return steal(PyObject_VectorcallMethod(names().dlpack, values, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET,
                                           n ? keywords.ptr() : nullptr));
  }
};
py::object ask(PyObject* x, PyObject* stream, PyObject* dl_device, PyObject* copy) {
  try {
    return Request{names().version, stream, dl_device, copy}.send(x);
  } catch (const Raised&) {  // producers from before version 1 know none of these: what they do not do, we do
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) throw;
  }
  PyErr_Clear();
  return Request{nullptr, stream, nullptr, nullptr}.send(x);
}

// ---- the table of C functions --------------------------------------------------------------------------------
// That of the first class which says how it is exported: a subclass with a __dlpack__ of its own goes by that.
const DLPackExchangeAPI* table_of(PyObject* x) {
  PyObject* mro = Py_TYPE(x)->tp_mro;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(mro); i++) {
    PyObject* dict = reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(mro, i))->tp_dict;
    if (!dict) continue;  // from Python 3.12 on those of built-in types are elsewhere, and have no table
    PyObject* found = PyDict_GetItemWithError(dict, names().table);
    if (found && PyCapsule_IsValid(found, "dlpack_exchange_api")) {
      auto* table = static_cast<const DLPackExchangeAPI*>(PyCapsule_GetPointer(found, "dlpack_exchange_api"));
      const bool usable = table->header.version.major == DLPACK_MAJOR_VERSION &&
                          table->managed_tensor_from_py_object_no_sync && table->current_work_stream;
      return usable ? table : nullptr;
    }
    if (found || PyDict_Contains(dict, names().dlpack)) return nullptr;
  }
  return nullptr;
}
bool is_true(PyObject* o) {
  if (!o) PyErr_Clear();
  const bool yes = o == Py_True;
  Py_XDECREF(o);
  return yes;
}
bool has(PyObject* x, PyObject* name) { return _PyType_Lookup(Py_TYPE(x), name) != nullptr; }
// The table tells the memory as it is. What a tensor of PyTorch means by it (that it is a part of a graph, conjugated,
// negated) only its attributes say: such tensors go the long way, where PyTorch refuses them.
bool is_plain(PyObject* x) {
  if (has(x, names().requires_grad) && is_true(PyObject_GetAttr(x, names().requires_grad))) return false;
  if (has(x, names().is_conj) && is_true(PyObject_CallMethodNoArgs(x, names().is_conj))) return false;
  if (has(x, names().is_neg) && is_true(PyObject_CallMethodNoArgs(x, names().is_neg)))
    raise_buffer_error(
        "[from_dlpack] expected values in memory, got a tensor that is lazily negated; resolve_neg() it.");
  return true;
}
// Their work on the memory, which is on their current stream, comes before ours.
void order_after(const DLPackExchangeAPI* table, Device device) {
  void* handle = nullptr;
  if (table->current_work_stream(kDLCUDA, device.index, &handle) != 0) throw Raised{};
  order_or_refuse(device, {handle, device.index}, current_stream(device));
}
// Null where the table has no answer; __dlpack__ has a better word for why.
Tensor by_table(PyObject* x, const DLPackExchangeAPI* table, bool may_copy, bool want_copy) {
  if (!is_plain(x)) return {};
  DLManagedTensorVersioned* m = nullptr;
  if (table->managed_tensor_from_py_object_no_sync(x, &m) != 0 || !m) {
    PyErr_Clear();
    return {};
  }
  const auto device = is_readable(*m) ? device_of_dlpack(m->dl_tensor.device) : std::nullopt;
  if (device && !device->is_cpu()) {
    Held<DLManagedTensorVersioned> held{m};
    order_after(table, checked_device(m->dl_tensor.device));
    held.managed = nullptr;
  }
  return from_managed(m, may_copy, want_copy);
}

// Arrays of JAX never change, and its capsules are of the kind that cannot say so.
bool is_immutable(PyObject* x) {
  PyObject* module = _PyType_Lookup(Py_TYPE(x), names().module);
  const char* text = module && PyUnicode_Check(module) ? PyUnicode_AsUTF8(module) : nullptr;
  return text && std::strncmp(text, "jax", 3) == 0;
}

Tensor by_method(PyObject* x, PyObject* device, PyObject* copy) {
  const DLDevice theirs = device_of_producer(x);
  py::object wanted;  // only of a copy on the CPU may be expected that others make it
  if (device != Py_None && Convert<Device>::get(device).is_cpu() && device_of_dlpack(theirs) != Device{})
    wanted = py::make_tuple(int(kDLCPU), 0);
  const py::object stream = wanted ? py::object() : stream_for(theirs);
  const py::object capsule = ask(x, stream.ptr(), wanted.ptr(), copy == Py_None ? nullptr : copy);
  const Tensor t = from_capsule(capsule.ptr(), copy != Py_False, copy == Py_True);
  if (wanted && !t.device().is_cpu())  // not done after all, and without a stream what is there waits on the legacy one
    order_or_refuse(t.device(), {reinterpret_cast<void*>(1), t.device().index}, current_stream(t.device()));
  const auto claimed = device_of_dlpack(theirs);
  if (!wanted && (!claimed || *claimed != t.device()))
    raise_buffer_error(str("[from_dlpack] expected memory of the device that __dlpack_device__ names, (",
                           int(theirs.device_type), ", ", theirs.device_id, "), got some on ", name_of(t.device()),
                           "."));
  if (copy != Py_True && is_immutable(x)) t->storage->read_only = true;
  return t;
}

}  // namespace

Tensor from_managed(DLManagedTensorVersioned* m, bool may_copy, bool want_copy) {
  Held<DLManagedTensorVersioned> held{m};
  if (!is_readable(*m)) raise_version(m->version.major);
  return take(m, m->flags, may_copy, want_copy, [&] { held.managed = nullptr; });
}

Tensor from_capsule(PyObject* capsule, bool may_copy, bool want_copy) {
  if (!PyCapsule_CheckExact(capsule)) throw Mismatch{capsule, "a DLPack capsule"};
  const char* name = PyCapsule_GetName(capsule);
  if (name && std::strcmp(name, capsule_name<DLManagedTensor>()) == 0)
    return take_capsule<DLManagedTensor>(capsule, 0, may_copy, want_copy);
  if (name && std::strcmp(name, capsule_name<DLManagedTensorVersioned>()) == 0) {
    auto* m = static_cast<DLManagedTensorVersioned*>(PyCapsule_GetPointer(capsule, name));
    if (is_readable(*m)) return take_capsule<DLManagedTensorVersioned>(capsule, m->flags, may_copy, want_copy);
    const uint32_t major = m->version.major;
    PyCapsule_SetName(capsule, used_name<DLManagedTensorVersioned>());
    { const Held<DLManagedTensorVersioned> held{m}; }
    raise_version(major);
  }
  raise(ErrorKind::Value, "from_dlpack", "a capsule that nobody has consumed", str("'", name ? name : "", "'"));
}

Tensor from_dlpack(PyObject* x, PyObject* device, PyObject* copy) {
  release_finished();
  if (PyCapsule_CheckExact(x)) return from_capsule(x, copy != Py_False, copy == Py_True);
  if (copy != Py_None && !PyBool_Check(copy)) throw Mismatch{copy, "a bool or None as copy"};
  Tensor t;
  if (device == Py_None)
    if (const DLPackExchangeAPI* table = table_of(x)) t = by_table(x, table, copy != Py_False, copy == Py_True);
  if (!t) t = by_method(x, device, copy);
  if (device == Py_None) return t;
  const Device target = Convert<Device>::get(device);
  if (t.device() == target) return t;
  if (copy == Py_False) raise_copy_required("memory of another device");
  return to(t, {}, target);
}

}  // namespace bolide::python
