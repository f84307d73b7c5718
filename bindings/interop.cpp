// interop.cpp - NumPy, DLPack, pickling and copying, as methods and functions.
#include <pybind11/pybind11.h>

#include <cstring>

#include "bindings/creation.h"
#include "bindings/dlpack.h"
#include "bindings/module.h"
#include "bindings/ops_table.h"
#include "runtime/autograd.h"

namespace py = pybind11;

namespace bolide::python {
namespace {

py::object steal(PyObject* o) { return py::reinterpret_steal<py::object>(checked(o)); }

// ---- NumPy ---------------------------------------------------------------------------------------------------
Tensor tensor_of_array(PyObject* array) {
  if (!is_numpy_array(array)) throw Mismatch{array, "numpy.ndarray"};
  return share_buffer("from_numpy", array);
}
Tensor tensor_of_buffer(PyObject* buffer, DType dtype, int64_t count, int64_t offset, bool requires_grad) {
  if (!PyObject_CheckBuffer(buffer))
    raise(ErrorKind::Value, "frombuffer", "an object with a buffer", Py_TYPE(buffer)->tp_name);
  const py::object bytes = steal(PyMemoryView_FromObject(buffer));
  const Py_buffer& b = *PyMemoryView_GET_BUFFER(bytes.ptr());
  check(PyBuffer_IsContiguous(&b, 'C'), ErrorKind::Value, "frombuffer", "contiguous memory",
        [] { return std::string("memory with gaps"); });
  check(offset >= 0 && offset < std::max<int64_t>(b.len, 1), ErrorKind::Value, "frombuffer",
        str("an offset below ", b.len), [&] { return str(offset); });
  const int64_t item = item_size(dtype), there = (b.len - offset) / item;
  if (count < 0) {
    check((b.len - offset) % item == 0 && b.len > 0, ErrorKind::Value, "frombuffer",
          str("a multiple of ", item, " bytes"), [&] { return str(b.len - offset); });
    count = there;
  }
  check(count > 0 && count <= there, ErrorKind::Value, "frombuffer", str("1 to ", there, " elements"),
        [&] { return str(count); });
  char* data = static_cast<char*>(b.buf) + offset;
  check(reinterpret_cast<uintptr_t>(data) % uintptr_t(item) == 0, ErrorKind::Value, "frombuffer",
        str("an address that is a multiple of ", item), [&] { return str(offset, " as offset"); });
  const Tensor t = from_blob(data, {count}, {1}, {dtype, {}}, drop_reference, bytes.ptr(), b.readonly);
  Py_INCREF(bytes.ptr());  // the tensor's
  if (requires_grad) set_requires_grad(t, true);
  return t;
}

}  // namespace

Tensor share_foreign(PyObject* o, bool may_copy) {
  static PyObject* const dlpack = PyUnicode_InternFromString("__dlpack__");
  static PyObject* const cuda = PyUnicode_InternFromString("__cuda_array_interface__");
  static PyObject* const array = PyUnicode_InternFromString("__array__");
  if (is_scalar(o) || PyType_Check(o)) return {};  // NumPy's numbers have __array__ too
  const auto has = [o](PyObject* name) { return _PyType_Lookup(Py_TYPE(o), name) != nullptr; };
  if (has(dlpack) || PyCapsule_CheckExact(o)) return from_dlpack(o, Py_None, may_copy ? Py_None : Py_False);
  if (has(cuda)) return share_cuda_array(steal(PyObject_GetAttr(o, cuda)).ptr(), o);
  if (!has(array)) return {};
  const py::object made = steal(PyObject_CallMethodNoArgs(o, array));
  if (!is_numpy_array(made.ptr())) throw Mismatch{made.ptr(), "a numpy.ndarray from __array__"};
  return may_copy ? share_array(made.ptr()) : share_buffer("asarray", made.ptr());
}

namespace {

// What tensor() would copy is shared, where it can be: a tensor, an array, what has DLPack, a buffer.
Tensor as_array(PyObject* data, std::optional<DType> dtype, std::optional<Device> device, std::optional<bool> copy,
                std::optional<bool> requires_grad) {
  Tensor shared;
  if (is_tensor(data)) shared = unwrap(data);
  else if (is_numpy_array(data)) shared = copy && !*copy ? share_buffer("asarray", data) : share_array(data);
  else if (const Tensor foreign = share_foreign(data, copy.value_or(true))) shared = foreign;
  else if (PyObject_CheckBuffer(data) && !is_scalar(data))
    shared = tensor_of_buffer(data, dtype.value_or(default_dtype()), -1, 0, false);
  if (!shared) {
    if (copy && !*copy)
      raise(ErrorKind::Value, "asarray", "data whose memory a tensor can share for copy=False", type_name(data));
    const Tensor made = tensor_from(data, dtype, device.value_or(Device{}));
    if (requires_grad.value_or(false)) set_requires_grad(made, true);
    return made;
  }
  const bool same =
      dtype.value_or(shared.dtype()) == shared.dtype() && device.value_or(shared.device()) == shared.device();
  check(same || !copy || *copy, ErrorKind::Value, "asarray", "the dtype and device of the data for copy=False",
        [&] { return describe(shared); });
  const Tensor out = to(shared, dtype, device, copy.value_or(false));
  if (!requires_grad || *requires_grad == out.requires_grad()) return out;
  if (!*requires_grad) return detach(out);
  set_requires_grad(out, true);
  return out;
}

PyObject* to_numpy(const Tensor& x, bool force);

// NumPy has no bfloat16; the package ml_dtypes gives it one.
PyObject* to_bfloat16_array(const Tensor& t) {
  py::object dtype;
  try {
    dtype = py::module_::import("ml_dtypes").attr("bfloat16");
  } catch (const py::error_already_set&) {
    raise(ErrorKind::DType, "numpy", "a dtype that NumPy has", "bfloat16; use float().numpy()",
          "With the package ml_dtypes installed it has bfloat16 too.");
  }
  const Tensor bits = view_of(t, t.sizes(), t.strides(), t->offset, DType::I16);
  const py::object array = steal(to_numpy(bits, false));
  return array.attr("view")(dtype).release().ptr();
}
PyObject* to_numpy(const Tensor& x, bool force) {
  const bool recording = grad_enabled();
  GradMode mode(false);
  const Tensor t = force ? to(detach(x), {}, Device{}) : recording ? x : detach(x);
  check(!t.requires_grad(), ErrorKind::Runtime, "numpy", "a tensor that does not require grad",
        [] { return std::string("one that does; use detach().numpy()"); });
  check(t.device().is_cpu(), ErrorKind::Type, "numpy", "a tensor on the CPU",
        [&] { return name_of(t.device()) + "; use cpu().numpy()"; });
  if (t.dtype() == DType::BF16) return to_bfloat16_array(t);
  static PyObject* const asarray = py::object(py::module_::import("numpy").attr("asarray")).release().ptr();
  return PyObject_CallOneArg(asarray, steal(wrap(t)).ptr());
}
PyObject* to_array(const Tensor& x, PyObject* dtype, PyObject* copy) {
  const py::object array = py::reinterpret_steal<py::object>(to_numpy(x, false));
  if (dtype == Py_None || py::object(array.attr("dtype")).equal(py::reinterpret_borrow<py::object>(dtype)))
    return copy == Py_True ? array.attr("copy")().release().ptr() : py::object(array).release().ptr();
  check(copy != Py_False, ErrorKind::Value, "__array__", "copy=None or True for another dtype",
        [] { return std::string("False"); });
  return array.attr("astype")(py::handle(dtype)).release().ptr();
}
Tensor wrap_array(const Tensor&, PyObject* array, PyObject*, bool) {  // what NumPy's functions give
  return is_numpy_array(array) ? share_array(array) : tensor_from(array, {}, {});
}

// ---- DLPack --------------------------------------------------------------------------------------------------
PyObject* dlpack(const Tensor& x, PyObject* stream, PyObject* max_version, PyObject* dl_device, PyObject* copy) {
  return to_dlpack(x, stream, max_version, dl_device, copy);
}

PyObject* capsule_of(const Tensor& x) { return to_dlpack(x, Py_None, Py_None, Py_None, Py_None); }

// ---- the Array API standard ----------------------------------------------------------------------------------
PyObject* array_namespace(const Tensor&, PyObject* api_version) {
  const py::object xp = py::module_::import("bolide.array_api");
  const py::object known = xp.attr("__array_api_versions__");
  if (api_version != Py_None && !known.contains(py::handle(api_version)))
    raise(ErrorKind::Value, "__array_namespace__", str("an api_version of ", py::str(known).cast<std::string>()),
          py::str(py::handle(api_version)).cast<std::string>());
  return py::object(xp).release().ptr();
}
Tensor to_device(const Tensor& x, Device device, PyObject*) { return to(x, {}, device); }

// ---- text ------------------------------------------------------------------------------------------------------
PyObject* format(PyObject* self, PyObject* specification) {
  const Tensor& t = Convert<Tensor>::get(self);
  if (t.rank() || Py_TYPE(self) != tensor_type) {
    if (PyObject_Length(specification) != 0)
      raise(ErrorKind::Type, "format", "no specification for a tensor with dimensions", "one");
    return PyObject_Str(self);
  }
  return PyObject_Format(steal(scalar_to_python(item(t))).ptr(), specification);
}
}  // namespace

std::vector<Op> interop_rows() {
  return {
      op<&tensor_of_array>(
          "from_numpy", "ndarray",
          "A tensor on the memory of a NumPy array, which it keeps alive; read-only arrays give tensors "
          "that cannot be changed in place.\n\nRaises: DTypeError for a dtype that bolide does not "
          "have; ValueError for negative strides.\nReference: torch.from_numpy.",
          kFunction),
      op<&tensor_of_buffer>("frombuffer", "buffer, *, dtype, count=-1, offset=0, requires_grad=False",
                            "A tensor on the memory of a bytes-like object.\n\nReference: torch.frombuffer.",
                            kFunction),
      op<&as_array>("asarray", "obj, *, dtype=None, device=None, copy=None, requires_grad=None",
                    "A tensor on the memory of a tensor, an array, a buffer or what other libraries share by DLPack, "
                    "__cuda_array_interface__ or __array__, where that can be; of other data a new one."
                    "\n\ncopy: True always copies, False never does, None only where it must. requires_grad None "
                    "leaves a tensor as it is. "
                    "Raises: ValueError where copy=False cannot be met.\nReference: torch.asarray.",
                    kFunction),
      op<&to_numpy>("numpy", "input, *, force=False",
                    "A NumPy array on the memory of this tensor, which it keeps alive.\n\nforce detaches, and copies "
                    "from another device. Raises: TypeError for another device or bfloat16; BolideError if it "
                    "requires grad.\nReference: torch.Tensor.numpy.",
                    kMethod),
      op<&to_array>("__array__", "input, dtype=None, copy=None", "For numpy.asarray().", kMethod),
      op<&wrap_array>("__array_wrap__", "input, array, context=None, return_scalar=False",
                      "For functions of NumPy: their result as a tensor.", kMethod),
      op<&dlpack>("__dlpack__", "input, *, stream=None, max_version=None, dl_device=None, copy=None",
                  "A DLPack capsule of this tensor.\n\nRaises: BufferError if it requires grad, or if the request "
                  "cannot be met.",
                  kMethod),
      op<&dlpack_device>("__dlpack_device__", "input", "(device type, device number) in DLPack's numbers.", kMethod),
      op<&capsule_of>("to_dlpack", "tensor", "tensor.__dlpack__().\n\nReference: torch.to_dlpack.", kFunction),
      op<&from_dlpack>("from_dlpack", "x, *, device=None, copy=None",
                       "A tensor on the memory of any object with __dlpack__ and __dlpack_device__.\n\ncopy: True "
                       "always copies, False never does, None only where it must. Raises: BufferError if the memory "
                       "is of a kind that bolide does not have.\nReference: torch.from_dlpack.",
                       kFunction),
      op<&array_namespace>("__array_namespace__", "input, *, api_version=None",
                           "The functions of the Array API standard: bolide.array_api.\n\nRaises: ValueError for a "
                           "version that it does not follow.",
                           kMethod),
      op<&to_device>("to_device", "input, device, *, stream=None",
                     "The Array API's to(device); the copy is ordered on the current stream, whichever is given.",
                     kMethod),
      op<&format>("__format__", "input, specification", "For f-strings: a 0-d tensor as its number.", kMethod),
  };
}

void finish_type() {
  auto* type = reinterpret_cast<PyObject*>(tensor_type);
  const py::object priority = py::int_(1000), table = steal(exchange_table());
  // NumPy's operators step back for these, so that ours decide.
  if (PyObject_SetAttrString(type, "__array_priority__", priority.ptr()) < 0 ||
      PyObject_SetAttrString(type, "__dlpack_c_exchange_api__", table.ptr()) < 0)
    throw py::error_already_set();
}

}  // namespace bolide::python
