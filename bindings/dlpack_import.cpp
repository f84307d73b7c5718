// dlpack_import.cpp - tensors from capsules of other libraries.
#include <dlpack/dlpack.h>

#include <cstring>

#include "bindings/convert.h"
#include "bindings/dlpack.h"
#include "bindings/dlpack_common.h"
#include "runtime/autograd.h"
#include "runtime/backend.h"

namespace py = pybind11;

namespace bolide::python {
namespace {

[[noreturn]] void raise_buffer_error(const std::string& text) {
  PyErr_SetString(PyExc_BufferError, text.c_str());
  throw Raised{};
}
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

Dims strides_of(const DLTensor& d, const Dims& sizes) {
  const Dims plain = sizes.contiguous_strides();
  if (!d.strides) return plain;
  Dims out(d.ndim);
  for (int i = 0; i < d.ndim; i++) out[i] = sizes[i] == 1 ? plain[i] : d.strides[i];  // those are never followed
  return out;
}
Contents read_contents(const DLTensor& d, uint64_t flags) {
  Contents c;
  const auto dtype = dtype_of_dlpack(d.dtype);
  if (!dtype)
    raise_buffer_error(str("[from_dlpack] expected a dtype that bolide has, got code ", int(d.dtype.code), ", ",
                           int(d.dtype.bits), " bits, ", d.dtype.lanes, " lanes."));
  const auto device = device_of_dlpack(d.device);
  if (!device)
    raise_buffer_error(
        str("[from_dlpack] expected memory of the CPU or of CUDA, got device type ", int(d.device.device_type), "."));
  if (d.ndim < 0 || d.ndim > kMaxRank || (d.ndim > 0 && !d.shape))
    raise_buffer_error(str("[from_dlpack] expected 0 to ", kMaxRank, " dimensions, got ", d.ndim, "."));
  c.dtype = *dtype, c.device = *device;
  c.sizes.resize(d.ndim);
  for (int i = 0; i < d.ndim; i++) c.sizes[i] = d.shape[i];
  const int64_t n = checked_numel("from_dlpack", c.sizes, c.dtype);
  c.strides = strides_of(d, c.sizes);
  if (n > 0 && !d.data) raise_buffer_error("[from_dlpack] expected memory, got a null pointer.");
  c.data = d.data ? static_cast<char*>(d.data) + d.byte_offset : nullptr;
  c.read_only = flags & DLPACK_FLAG_BITMASK_READ_ONLY;
  for (int i = 0; i < d.ndim; i++) {
    c.negative |= c.strides[i] < 0 && n > 0;
    c.read_only |= c.strides[i] == 0 && c.sizes[i] > 1;  // one element seen many times
  }
  const int64_t alignment = is_complex(c.dtype) ? item_size(c.dtype) / 2 : item_size(c.dtype);
  c.aligned = reinterpret_cast<uintptr_t>(c.data) % uintptr_t(alignment) == 0;
  return c;
}

// ---- ownership -----------------------------------------------------------------------------------------------
template <class Managed>
void release_managed(void* owner) {
  auto* m = static_cast<Managed*>(owner);
  const auto device = device_of_dlpack(m->dl_tensor.device);
  // Our work on it must be done before its owner may use the memory for something else.
  if (device && !device->is_cpu()) {
    try {
      backend_of(device->type).backend->synchronize(current_stream(*device));
    } catch (...) {  // the device has gone: nothing of ours runs there
    }
  }
  if (m->deleter) m->deleter(m);
}

// A copy element by element, since neither strides nor alignment are what kernels want.
Tensor copy_by_bytes(const Contents& c) {
  if (!c.device.is_cpu())
    raise_buffer_error("[from_dlpack] expected aligned memory with strides of zero or more on CUDA, got other.");
  const Tensor out = empty(c.sizes, {c.dtype, {}});
  const int64_t item = out.item_size();
  char* to = out.data();
  Dims at(c.sizes.rank(), 0);
  for (int64_t n = out.numel(); n > 0; n--, to += item) {
    int64_t offset = 0;
    for (int d = 0; d < at.rank(); d++) offset += at[d] * c.strides[d];
    std::memcpy(to, c.data + offset * item, size_t(item));
    for (int d = at.rank(); d-- > 0;) {
      if (++at[d] < c.sizes[d]) break;
      at[d] = 0;
    }
  }
  return out;
}

template <class Managed>
Tensor take(PyObject* capsule, Managed* m, uint64_t flags, bool may_copy, bool want_copy) {
  const Contents c = read_contents(m->dl_tensor, flags);
  const bool shareable = c.aligned && !c.negative;
  if (!shareable && !may_copy) raise_copy_required(c.aligned ? "negative strides" : "unaligned memory");
  if (!shareable) return copy_by_bytes(c);  // the capsule keeps its memory, and frees it
  GradMode mode(false);
  if (c.device.type == DeviceType::CUDA) check_device(c.device);
  Tensor t = from_blob(c.data, c.sizes, c.strides, {c.dtype, c.device}, release_managed<Managed>, m, c.read_only);
  PyCapsule_SetName(capsule, used_name<Managed>());  // from here on the tensor owns it
  return want_copy && !(flags & DLPACK_FLAG_BITMASK_IS_COPIED) ? clone(t) : t;
}

// ---- asking a producer ---------------------------------------------------------------------------------------
py::object stream_for(DLDevice device) {
  const auto own = device_of_dlpack(device);
  if (!own || own->is_cpu()) return py::none();
  const auto handle = reinterpret_cast<int64_t>(current_stream(*own).handle);
  return py::int_(handle ? handle : 1);
}
DLDevice device_of_producer(const py::object& x) {
  const py::object pair = x.attr("__dlpack_device__")();
  if (!py::isinstance<py::tuple>(pair) || py::len(pair) != 2)
    raise_buffer_error("[from_dlpack] expected a pair from __dlpack_device__, got something else.");
  return {DLDeviceType(py::cast<int>(py::int_(pair[py::int_(0)]))), py::cast<int>(py::int_(pair[py::int_(1)]))};
}
py::object ask(const py::object& x, const py::object& stream, const py::object& dl_device, const py::object& copy) {
  const py::object method = x.attr("__dlpack__");
  py::dict keywords;
  if (!stream.is_none()) keywords["stream"] = stream;
  py::dict modern(keywords);
  modern["max_version"] = py::make_tuple(DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION);
  if (!dl_device.is_none()) modern["dl_device"] = dl_device;
  if (!copy.is_none()) modern["copy"] = copy;
  try {
    return method(**modern);
  } catch (py::error_already_set& e) {
    // Producers from before version 1 know none of these.
    if (!e.matches(PyExc_TypeError) || !dl_device.is_none()) throw;
    if (py::reinterpret_borrow<py::object>(copy).ptr() == Py_True) throw;
  }
  py::dict plain;
  if (!stream.is_none()) plain["stream"] = stream;
  return method(**plain);
}

}  // namespace

Tensor from_capsule(PyObject* capsule, bool may_copy, bool want_copy) {
  if (!PyCapsule_CheckExact(capsule)) throw Mismatch{capsule, "a DLPack capsule"};
  const char* name = PyCapsule_GetName(capsule);
  if (name && std::strcmp(name, capsule_name<DLManagedTensor>()) == 0) {
    auto* m = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule, name));
    return take(capsule, m, 0, may_copy, want_copy);
  }
  if (name && std::strcmp(name, capsule_name<DLManagedTensorVersioned>()) == 0) {
    auto* m = static_cast<DLManagedTensorVersioned*>(PyCapsule_GetPointer(capsule, name));
    if (m->version.major > DLPACK_MAJOR_VERSION) {  // nothing else of it may be read
      const uint32_t major = m->version.major;
      PyCapsule_SetName(capsule, used_name<DLManagedTensorVersioned>());
      if (m->deleter) m->deleter(m);
      raise_buffer_error(str("[from_dlpack] expected DLPack version 1, got ", major, "."));
    }
    return take(capsule, m, m->flags, may_copy, want_copy);
  }
  raise(ErrorKind::Value, "from_dlpack", "a capsule that nobody has consumed", str("'", name ? name : "", "'"));
}

Tensor from_dlpack(PyObject* object, PyObject* device, PyObject* copy) {
  if (PyCapsule_CheckExact(object)) return from_capsule(object, copy != Py_False, copy == Py_True);
  const py::object x = py::reinterpret_borrow<py::object>(object);
  if (copy != Py_None && !PyBool_Check(copy)) throw Mismatch{copy, "a bool or None as copy"};
  const DLDevice theirs = device_of_producer(x);
  py::object wanted = py::none();
  if (device != Py_None) {
    const DLDevice d = dlpack_device_of(Convert<Device>::get(device));
    if (d.device_type != theirs.device_type || d.device_id != theirs.device_id)
      wanted = py::make_tuple(int(d.device_type), int(d.device_id));
  }
  const py::object stream = wanted.is_none() ? stream_for(theirs) : py::none();
  const py::object capsule = ask(x, stream, wanted, py::reinterpret_borrow<py::object>(copy));
  const Tensor t = from_capsule(capsule.ptr(), copy != Py_False, false);
  if (device == Py_None) return t;
  const Device target = Convert<Device>::get(device);
  if (t.device() == target) return t;
  if (copy == Py_False) raise_copy_required("memory of another device");
  return to(t, {}, target);
}

}  // namespace bolide::python
