// pickling.cpp - what bolide._pickling needs: a tensor's storage as bytes, and tensors on a storage.
#include <cstring>

#include "bindings/ops_table.h"

namespace bolide::python {
namespace {

Tensor storage_bytes(const Tensor& t) {
  Tensor bytes = alias(t);
  bytes->dtype = DType::U8, bytes->offset = 0, bytes->data = bytes->storage->data, bytes->contiguous = true;
  bytes->numel = int64_t(bytes->storage->bytes);
  bytes->sizes = {bytes->numel}, bytes->strides = {1};
  return bytes;
}
PyObject* to_bytes(const Tensor& bytes) {
  const Tensor host = contiguous(to(bytes, {}, Device{}));
  return checked(PyBytes_FromStringAndSize(host.data(), host.numel()));
}
Tensor from_bytes(PyObject* bytes, Device device) {
  char* data = nullptr;
  Py_ssize_t size = 0;
  if (PyBytes_AsStringAndSize(bytes, &data, &size) < 0) throw Raised{};
  const Tensor host = empty({size}, {DType::U8, {}});
  if (size) std::memcpy(host.data(), data, size_t(size));
  return to(host, {}, device);
}
PyObject* on_storage(PyObject* type, const Tensor& bytes, DType dtype, int64_t offset, const Dims& sizes,
                     const Dims& strides) {
  if (!PyType_Check(type) || !PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(type), tensor_type))
    throw Mismatch{type, "Tensor or a subclass of it"};
  check(sizes.rank() == strides.rank() && offset >= 0, ErrorKind::Shape, "tensor", "as many strides as sizes",
        [&] { return str(sizes.text(), " and ", strides.text()); });
  const int64_t n = checked_numel("tensor", sizes, dtype), room = bytes.numel() / item_size(dtype);
  int64_t last = offset;
  bool fits = true;
  for (int d = 0; d < sizes.rank() && n > 0; d++) {
    int64_t reach = 0;
    fits = fits && strides[d] >= 0 && !__builtin_mul_overflow(strides[d], sizes[d] - 1, &reach) &&
           !__builtin_add_overflow(last, reach, &last);
  }
  if (!fits || (n > 0 && last >= room))
    raise(ErrorKind::Shape, "tensor", str("a tensor within the storage's ", room, " elements"),
          str(sizes.text(), " with strides ", strides.text(), " from ", offset));
  Tensor whole = alias(bytes);
  whole->dtype = dtype;
  return make_instance(reinterpret_cast<PyTypeObject*>(type), view_of(whole, sizes, strides, offset));
}

PyObject* call_module(const char* function, PyObject* self, PyObject* argument) {
  namespace py = pybind11;
  const py::object f = py::module_::import("bolide._pickling").attr(function);
  return checked(PyObject_CallFunctionObjArgs(f.ptr(), self, argument, nullptr));
}
PyObject* reduce_ex(PyObject* self, PyObject* protocol) { return call_module("reduce_tensor", self, protocol); }
PyObject* deep_copy(PyObject* self, PyObject* memo) { return call_module("deepcopy_tensor", self, memo); }

}  // namespace

std::vector<Op> pickling_rows() {
  return {
      op<&storage_bytes>("_storage_bytes", "input", "All bytes of the storage: uint8, on the same memory.", kFunction),
      op<&to_bytes>("_to_bytes", "input", "bytes of a uint8 tensor.", kFunction),
      op<&from_bytes>("_from_bytes", "data, device", "A uint8 tensor from bytes.", kFunction),
      op<&on_storage>("_on_storage", "type, input, dtype, offset, size, stride",
                      "A tensor of this type on the storage of a uint8 tensor.", kFunction),
      op<&reduce_ex>("__reduce_ex__", "input, protocol", "For pickle and copy.copy().", kMethod),
      op<&deep_copy>("__deepcopy__", "input, memo", "For copy.deepcopy().", kMethod),
  };
}

}  // namespace bolide::python
