// dlpack_export.cpp - capsules of our tensors.
#include <dlpack/dlpack.h>

#include <cstring>
#include <new>

#include "bindings/convert.h"
#include "bindings/dlpack.h"
#include "bindings/dlpack_common.h"
#include "runtime/autograd.h"
#include "runtime/backend.h"
#include "runtime/late_release.h"

namespace py = pybind11;

namespace bolide::python {
namespace {

// ---- the struct ----------------------------------------------------------------------------------------------
// One block: the managed struct, the tensor that it keeps alive, and the arrays. Freeing it needs no GIL.
template <class Managed>
struct Export {
  Managed managed{};
  Tensor tensor;
  int64_t shape[kMaxRank], strides[kMaxRank];

  static void release(Managed* m) { delete static_cast<Export*>(m->manager_ctx); }
};

// Dimensions of one element get the stride that a contiguous tensor has there.
void fill_strides(const Tensor& t, int64_t* strides) {
  int64_t plain = 1;
  for (int i = t.rank(); i-- > 0; plain *= t.size(i))
    strides[i] = t.size(i) == 1 && t.numel() > 0 ? plain : t.stride(i);
}
DLTensor describe_tensor(const Tensor& t, int64_t* shape, int64_t* strides) {
  DLTensor d{};
  d.data = t.numel() ? t.data() : nullptr;
  d.device = dlpack_device_of(t.device());
  d.ndim = t.rank();
  d.dtype = dlpack_type_of(t.dtype());
  d.shape = t.rank() ? shape : nullptr;
  d.strides = t.rank() ? strides : nullptr;
  for (int i = 0; i < t.rank(); i++) shape[i] = t.size(i);
  fill_strides(t, strides);
  return d;
}
template <class Managed>
Managed* make_managed(const Tensor& t) {
  auto* e = new Export<Managed>;
  e->tensor = alias(t);
  e->managed.manager_ctx = e;
  e->managed.deleter = Export<Managed>::release;
  e->managed.dl_tensor = describe_tensor(t, e->shape, e->strides);
  return &e->managed;
}
DLManagedTensorVersioned* make_versioned(const Tensor& t, bool copied) {
  auto* m = make_managed<DLManagedTensorVersioned>(t);
  m->version = {1, 0};  // nothing newer is filled in
  m->flags = copied ? DLPACK_FLAG_BITMASK_IS_COPIED : 0;
  if (t->storage->read_only) m->flags |= DLPACK_FLAG_BITMASK_READ_ONLY;
  return m;
}

// ---- capsules ------------------------------------------------------------------------------------------------
template <class Managed>
void destroy_capsule(PyObject* capsule) {
  const char* name = PyCapsule_GetName(capsule);
  if (!name || std::strcmp(name, capsule_name<Managed>()) != 0) return;  // consumed
  auto* m = static_cast<Managed*>(PyCapsule_GetPointer(capsule, name));
  m->deleter(m);  // ours: runs no Python code, so an error on its way stays
}
template <class Managed>
PyObject* make_capsule(Managed* m) {
  PyObject* capsule = PyCapsule_New(m, capsule_name<Managed>(), destroy_capsule<Managed>);
  if (!capsule) {
    m->deleter(m);
    throw Raised{};
  }
  return capsule;
}

// ---- requests ------------------------------------------------------------------------------------------------
void check_exportable(const Tensor& t) {
  if (t.requires_grad())  // even under no_grad: what the other library changes in place, the graph would not know of
    raise_buffer_error("[__dlpack__] expected a tensor that does not require grad, got one that does. Use detach().");
}
// A CUDA stream by DLPack's rules: None and 1 mean the legacy default stream, 2 the per-thread one.
void order_after_us(const Tensor& t, PyObject* stream) {
  const Device device = t.device();
  int64_t number = 1;
  if (stream != Py_None) {
    if (!PyLong_Check(stream) || PyBool_Check(stream)) throw Mismatch{stream, "an int or None as stream"};
    number = Convert<int64_t>::get(stream);
  }
  if (device.is_cpu()) {
    check(stream == Py_None || number == -1, ErrorKind::Value, "__dlpack__", "stream None for a tensor on the CPU",
          [&] { return str(number); });
    return;
  }
  check(number != 0 && number >= -1, ErrorKind::Value, "__dlpack__",
        "a stream of -1, 1, 2 or a handle (0 is ambiguous)", [&] { return str(number); });
  if (number == -1) return;
  const StreamHandle theirs{reinterpret_cast<void*>(number), device.index}, ours = current_stream(device);
  if (theirs.handle == ours.handle) return;
  order_or_refuse(device, ours, theirs);
  // Their work may still run when they let go: the memory is kept back until it is done.
  record_stream(*t->storage, theirs);
}

std::optional<Device> requested_device(const Tensor& t, PyObject* dl_device) {
  if (dl_device == Py_None) return std::nullopt;
  int type, index;
  if (!PyTuple_Check(dl_device) || PyTuple_GET_SIZE(dl_device) != 2)
    throw Mismatch{dl_device, "a pair (device type, device number) as dl_device"};
  type = int(Convert<int64_t>::get(py::int_(py::object(py::handle(dl_device)[py::int_(0)])).ptr()));
  index = int(Convert<int64_t>::get(py::int_(py::object(py::handle(dl_device)[py::int_(1)])).ptr()));
  const DLDevice own = dlpack_device_of(t.device());
  if (type == own.device_type && index == own.device_id) return t.device();
  if (type == kDLCPU) return Device{};
  raise_buffer_error(str("[__dlpack__] expected the tensor's device (", int(own.device_type), ", ", own.device_id,
                         ") or the CPU as dl_device, got (", type, ", ", index, ")."));
}
bool wants_versioned(PyObject* max_version) {
  if (max_version == Py_None) return false;
  if (!PyTuple_Check(max_version) || PyTuple_GET_SIZE(max_version) != 2)
    throw Mismatch{max_version, "a pair (major, minor) or None as max_version"};
  return Convert<int64_t>::get(PyTuple_GET_ITEM(max_version, 0)) >= 1;
}

}  // namespace

PyObject* to_dlpack(const Tensor& t, PyObject* stream, PyObject* max_version, PyObject* dl_device, PyObject* copy) {
  check_exportable(t);
  const bool versioned = wants_versioned(max_version);
  const Device device = requested_device(t, dl_device).value_or(t.device());
  const bool moved = device != t.device();
  if (copy != Py_None && !PyBool_Check(copy)) throw Mismatch{copy, "a bool or None as copy"};
  if (moved && copy == Py_False) {
    PyErr_SetString(copy_required_error(), "[__dlpack__] expected copy=None or True for another device, got False.");
    throw Raised{};
  }
  const bool copied = moved || copy == Py_True;
  GradMode mode(false);
  const Tensor source = copied ? to(t, {}, device, true) : t;
  if (!versioned && source->storage->read_only)
    raise_buffer_error("[__dlpack__] expected max_version=(1, 0) or later for a read-only tensor, got an older one.");
  if (!moved || stream != Py_None) order_after_us(moved ? t : source, stream);
  return versioned ? make_capsule(make_versioned(source, copied)) : make_capsule(make_managed<DLManagedTensor>(source));
}
PyObject* dlpack_device(const Tensor& t) {
  const DLDevice d = dlpack_device_of(t.device());
  return Py_BuildValue("(ii)", int(d.device_type), int(d.device_id));
}

// ---- the table of C functions --------------------------------------------------------------------------------
namespace {

int table_allocate(DLTensor* prototype, DLManagedTensorVersioned** out, void* context,
                   void (*set_error)(void*, const char*, const char*)) {
  try {
    const auto dtype = dtype_of_dlpack(prototype->dtype);
    const auto device = device_of_dlpack(prototype->device);
    const int rank = prototype->ndim;
    if (!dtype || !device || rank < 0 || rank > kMaxRank || (rank && !prototype->shape)) {
      set_error(context, "BufferError", "[dlpack] expected a dtype, device and shape that bolide has, got others.");
      return -1;
    }
    Dims sizes(rank);
    for (int i = 0; i < rank; i++) sizes[i] = prototype->shape[i];
    *out = make_versioned(empty(sizes, {*dtype, *device}), false);
    return 0;
  } catch (const Error& e) {
    set_error(context, e.kind() == ErrorKind::OutOfMemory ? "MemoryError" : "BufferError", e.what());
  } catch (const std::exception& e) { set_error(context, "RuntimeError", e.what()); }
  return -1;
}
int table_export(void* object, DLManagedTensorVersioned** out) {
  return guarded_int("dlpack", [&] {
    const Tensor& t = Convert<Tensor>::get(static_cast<PyObject*>(object));
    check_exportable(t);
    *out = make_versioned(t, false);
    return 0;
  });
}
int table_import(DLManagedTensorVersioned* managed, void** out) {  // owns it from now on, whatever happens
  return guarded_int("dlpack", [&] {
    *out = wrap(from_managed(managed, true, false));
    return 0;
  });
}
int table_view(void* object, DLTensor* out) {  // points into the tensor's own sizes and strides
  return guarded_int("dlpack", [&] {
    const Tensor& t = Convert<Tensor>::get(static_cast<PyObject*>(object));
    check_exportable(t);
    *out = {};
    out->data = t.numel() ? t.data() : nullptr;
    out->device = dlpack_device_of(t.device());
    out->ndim = t.rank();
    out->dtype = dlpack_type_of(t.dtype());
    out->shape = t.rank() ? const_cast<int64_t*>(t.sizes().data()) : nullptr;
    out->strides = t.rank() ? const_cast<int64_t*>(t.strides().data()) : nullptr;
    return 0;
  });
}
int table_stream(DLDeviceType type, int32_t index, void** out) {
  return guarded_int("dlpack", [&] {
    const auto device = device_of_dlpack({type, index});
    if (!device) raise_buffer_error(str("[dlpack] expected a device that bolide has, got type ", int(type), "."));
    *out = current_stream(*device).handle;
    return 0;
  });
}

}  // namespace

PyObject* exchange_table() {
  static DLPackExchangeAPI table{};
  table.header.version = {DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION};
  table.managed_tensor_allocator = table_allocate;
  table.managed_tensor_from_py_object_no_sync = table_export;
  table.managed_tensor_to_py_object_no_sync = table_import;
  table.dltensor_from_py_object_no_sync = table_view;
  table.current_work_stream = table_stream;
  return PyCapsule_New(&table, "dlpack_exchange_api", nullptr);
}

}  // namespace bolide::python
