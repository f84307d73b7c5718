// cuda_array.cpp - __cuda_array_interface__, version 3, in both directions: what Numba and older CuPy share by.
//
// Reference: https://numba.readthedocs.io/en/stable/cuda/cuda_array_interface.html
#include <cstring>

#include "bindings/convert.h"
#include "bindings/creation.h"
#include "bindings/properties.h"
#include "runtime/backend.h"
#include "runtime/late_release.h"

namespace py = pybind11;

namespace bolide::python {
namespace {

constexpr const char* kTypes[] = {"|b1", "|u1", "|i1", "<i2", "<i4", "<i8", "<f2", "<V2", "<f4", "<f8", "<c8", "<c16"};
static_assert(std::size(kTypes) == kDTypeCount);

[[noreturn]] void refuse(const char* expected, const py::handle& got) {
  raise(ErrorKind::Value, "__cuda_array_interface__", expected, std::string(py::repr(got)));
}
py::object field(const py::handle& description, const char* name) {
  PyObject* found = PyDict_GetItemString(description.ptr(), name);
  return py::reinterpret_borrow<py::object>(found ? found : Py_None);
}
DType dtype_of_field(const py::object& type) {
  if (!py::isinstance<py::str>(type)) refuse("a string as typestr", type);
  const std::string text = py::cast<std::string>(type);
  for (int i = 0; i < kDTypeCount; i++)
    if (text == kTypes[i] && DType(i) != DType::BF16) return DType(i);
  raise(ErrorKind::DType, "__cuda_array_interface__", "a typestr of a dtype that bolide has", text);
}
Dims sizes_of_field(const py::object& shape, const char* what) {
  if (!PyTuple_Check(shape.ptr()) || py::len(shape) > kMaxRank) refuse(what, shape);
  return Convert<Dims>::get(shape.ptr());
}
// In elements; the interface has them in bytes, and None for contiguous memory.
Dims strides_of_field(const py::object& strides, const Dims& sizes, int64_t item, int64_t n) {
  if (n == 0) return Dims(sizes.rank(), 1);  // never followed
  if (strides.is_none()) return sizes.contiguous_strides();
  Dims out = sizes_of_field(strides, "a tuple of strides, or None");
  if (out.rank() != sizes.rank()) refuse("as many strides as sizes", strides);
  for (int64_t& stride : out) {
    if (stride < 0 || stride % item) refuse("strides of zero or more that are multiples of the element", strides);
    stride /= item;
  }
  return out;
}
// Work that is on the producer's stream comes before ours.
void order_after(Device device, const py::object& stream) {
  if (stream.is_none()) return;
  const int64_t number = Convert<int64_t>::get(stream.ptr());
  if (number < 1) refuse("a stream of 1, 2 or a handle", stream);
  order_streams(device, {reinterpret_cast<void*>(number), device.index}, current_stream(device));
}

}  // namespace

PyObject* cuda_array_interface(PyObject* self, void*) {
  return guarded("__cuda_array_interface__", [&]() -> PyObject* {
    const Tensor& t = unwrap(self);
    if (t.device().is_cpu()) {
      PyErr_SetString(
          PyExc_AttributeError,
          "[__cuda_array_interface__] expected a tensor on CUDA, got one on cpu; use cuda() for a copy there.");
      throw Raised{};
    }
    check(!t.requires_grad(), ErrorKind::Runtime, "__cuda_array_interface__", "a tensor that does not require grad",
          [] { return std::string("one that does; use detach()"); });
    py::dict out;
    Dims strides = t.strides();
    for (int64_t& stride : strides) stride *= t.item_size();
    out["shape"] = py::reinterpret_steal<py::object>(ints_to_python(t.sizes()));
    out["typestr"] = kTypes[int(t.dtype())];
    out["data"] = py::make_tuple(t.numel() ? reinterpret_cast<uintptr_t>(t.data()) : 0, t->storage->read_only);
    out["strides"] =
        t.is_contiguous() ? py::object(py::none()) : py::reinterpret_steal<py::object>(ints_to_python(strides));
    out["stream"] = reinterpret_cast<uintptr_t>(current_stream(t.device()).handle);
    out["version"] = 3;
    return out.release().ptr();
  });
}

Tensor share_cuda_array(PyObject* description, PyObject* owner) {
  if (!PyDict_Check(description)) throw Mismatch{description, "a dict as __cuda_array_interface__"};
  const DType dtype = dtype_of_field(field(description, "typestr"));
  if (const py::object mask = field(description, "mask"); !mask.is_none()) refuse("no mask", mask);
  const Dims sizes = sizes_of_field(field(description, "shape"), "a tuple of sizes");
  const int64_t n = checked_numel("__cuda_array_interface__", sizes, dtype);
  const Dims strides = strides_of_field(field(description, "strides"), sizes, item_size(dtype), n);
  const py::object data = field(description, "data");
  if (!PyTuple_Check(data.ptr()) || py::len(data) != 2) refuse("a pair (address, read-only) as data", data);
  const auto address = uintptr_t(Convert<int64_t>::get(PyTuple_GET_ITEM(data.ptr(), 0)));
  const bool read_only = Convert<bool>::get(PyTuple_GET_ITEM(data.ptr(), 1));
  if (address % uintptr_t(item_size(real_type(dtype))) || (!address && n != 0)) refuse("an aligned address", data);
  const Device device{DeviceType::CUDA, int8_t(current_device(DeviceType::CUDA))};
  check_device(device);
  order_after(device, field(description, "stream"));
  const Tensor t =
      from_blob(reinterpret_cast<void*>(address), sizes, strides, {dtype, device}, drop_reference, owner, read_only);
  Py_INCREF(owner);  // the tensor's
  record_stream(*t->storage, current_stream(device));
  return t;
}

}  // namespace bolide::python
