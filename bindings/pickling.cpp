// pickling.cpp - what bolide._pickling needs: a tensor's storage as bytes, and tensors on a storage.
#include <atomic>
#include <cstring>

#include <pybind11/pybind11.h>

#include "bindings/ops_table.h"
#include "runtime/autograd.h"

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
  check(offset >= 0, ErrorKind::Shape, "tensor", "an offset of zero or more", [&] { return str(offset); });
  check(sizes.rank() == strides.rank(), ErrorKind::Shape, "tensor", "as many strides as sizes",
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

// What Python object owns the memory: None for memory of the pool.
PyObject* storage_owner(const Tensor& t) {
  if (t->storage->release != drop_reference) Py_RETURN_NONE;
  return Py_NewRef(static_cast<PyObject*>(t->storage->owner));
}

// Or with a base that only this view holds, like that of arange(6).reshape(2, 3).
bool has_storage_alone(const Tensor& t) {
  const bool own_base = t->base && !t.requires_grad() && t->base->references.load(std::memory_order_acquire) == 1;
  return t->storage->references.load(std::memory_order_acquire) == (own_base ? 2 : 1);
}

// To other memory, where its values are already. A graph that saved the tensor sees no change, since there is none.
void move_memory(const Tensor& t, const Tensor& bytes) {
  bytes->storage->version = t->storage->version.load();
  t->storage = bytes->storage;
  t->data = t->storage->data + t->offset * t.item_size();
  t->base = {}, t->view_kind = ViewKind::Normal;
}

template <class... A>
PyObject* call_module(const char* module, const char* function, A... arguments) {
  const pybind11::object f = pybind11::module_::import(module).attr(function);
  return checked(PyObject_CallFunctionObjArgs(f.ptr(), arguments..., nullptr));
}
PyObject* reduce_ex(PyObject* self, PyObject* protocol) {
  return call_module("bolide._pickling", "reduce_tensor", self, protocol);
}
PyObject* deep_copy(PyObject* self, PyObject* memo) {
  return call_module("bolide._pickling", "deepcopy_tensor", self, memo);
}
PyObject* untyped_storage(PyObject* self) { return call_module("bolide.storage", "_untyped_storage", self); }
PyObject* typed_storage(PyObject* self) { return call_module("bolide.storage", "_typed_storage", self); }
PyObject* storage_type(PyObject* self) { return call_module("bolide.storage", "_storage_type", self); }
PyObject* set_to(PyObject* self, PyObject* source, PyObject* offset, PyObject* size, PyObject* stride) {
  const auto shown = pybind11::reinterpret_steal<pybind11::object>(
      call_module("bolide.storage", "_shown", self, source, offset, size, stride));
  const Tensor &x = unwrap(self), &y = Convert<Tensor>::get(shown.ptr());
  check_not_leaf("set_", x, false);
  check(!grad_enabled() || !(x.requires_grad() || y.requires_grad()), ErrorKind::NotImplemented, "set_",
        "tensors that do not require grad: it has no derivative", [&] { return describe(x.requires_grad() ? x : y); });
  bump_version(x);  // for who saved what was there
  set_data(x, y);
  bump_version(x);
  return Py_NewRef(self);
}
PyObject* apply_elements(PyObject* self, PyObject* function) {
  return call_module("bolide._elements", "apply_", self, function);
}
PyObject* map_elements(PyObject* self, PyObject* other, PyObject* function) {
  return call_module("bolide._elements", "map_", self, other, function);
}
PyObject* map_two(PyObject* self, PyObject* x, PyObject* y, PyObject* function) {
  return call_module("bolide._elements", "map2_", self, x, y, function);
}
PyObject* share_memory(PyObject* self) { return call_module("bolide.multiprocessing", "share_memory", self); }
PyObject* is_shared(PyObject* self) { return call_module("bolide.multiprocessing", "is_shared", self); }

}  // namespace

std::vector<Op> pickling_rows() {
  return {
      op<&storage_bytes>("_storage_bytes", "input", "All bytes of the storage: uint8, on the same memory.", kFunction),
      op<&to_bytes>("_to_bytes", "input", "bytes of a uint8 tensor.", kFunction),
      op<&from_bytes>("_from_bytes", "data, device", "A uint8 tensor from bytes.", kFunction),
      op<&on_storage>("_on_storage", "type, input, dtype, offset, size, stride",
                      "A tensor of this type on the storage of a uint8 tensor.", kFunction),
      op<&storage_owner>("_storage_owner", "input", "The Python object whose memory it is: None for bolide's own.",
                         kFunction),
      op<&move_memory>("_move_memory", "input, bytes",
                       "Puts a tensor that alone uses its storage on another, that has a copy of it.", kFunction),
      op<&has_storage_alone>("_has_storage_alone", "input", "Does no other tensor use its storage?", kFunction),
      op<&untyped_storage>("untyped_storage", "input",
                           "The memory that it shares with its views, as bytes.\n\nReference: "
                           "torch.Tensor.untyped_storage.",
                           kMethod),
      op<&typed_storage>("storage", "input",
                         "The memory that it shares with its views, as numbers of its dtype.\n\nReference: "
                         "torch.Tensor.storage.",
                         kMethod),
      op<&storage_type>("storage_type", "input", "The type of its storage(), as bolide.FloatStorage.", kMethod),
      op<&set_to>(
          "set_", "input, source=None, storage_offset=None, size=None, stride=None",
          "Takes the storage, offset, sizes and strides of another tensor, or shows a storage (all of it unless "
          "told); without a source it becomes empty.\n\nRaises: TypeError or RuntimeError for another dtype or "
          "device; ShapeError where the storage is too small.\nExample: >>> x.set_(y.untyped_storage(), 1, (2,))\n"
          "Reference: torch.Tensor.set_.",
          kMethod),
      op<&apply_elements>("apply_", "input, callable",
                          "Puts what a Python function gives for each element in its place; on the CPU, slow.\n\n"
                          "Reference: torch.Tensor.apply_.",
                          kMethod),
      op<&map_elements>("map_", "input, tensor, callable",
                        "Likewise with a function of this element and that of another tensor, which broadcasts.\n\n"
                        "Reference: torch.Tensor.map_.",
                        kMethod),
      op<&map_two>("map2_", "input, x, y, callable", "Likewise with two other tensors.", kMethod),
      op<&share_memory>("share_memory_", "input",
                        "Moves its memory to where other processes can see it, and returns it (bolide.multiprocessing)."
                        "\n\nRaises: BolideError if views or a graph use the memory too.\nReference: "
                        "torch.Tensor.share_memory_.",
                        kMethod),
      op<&is_shared>("is_shared", "input", "Can other processes see its memory?", kMethod),
      op<&reduce_ex>("__reduce_ex__", "input, protocol", "For pickle and copy.copy().", kMethod),
      op<&deep_copy>("__deepcopy__", "input, memo", "For copy.deepcopy().", kMethod),
  };
}

}  // namespace bolide::python
