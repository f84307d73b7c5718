// creation.h - tensors from Python data.
#pragma once
#include <optional>

#include "bindings/tensor_type.h"

namespace bolide::python {

// A new tensor with the values of nested lists, numbers, an array, a buffer or a tensor (from_python.cpp).
Tensor tensor_from(PyObject* data, std::optional<DType> dtype, Device device);
// An uninitialized tensor of the default dtype whose sizes are a tuple of ints.
Tensor tensor_of_sizes(PyObject* sizes);

// ---- buffers.cpp: memory of NumPy and other owners of buffers -------------------------------------------------
// Does it show its memory, and is it no string?
bool is_buffer(PyObject* o);
// The dtype of one of NumPy's numbers, where bolide has it.
std::optional<DType> dtype_of_scalar(PyObject* o);
// On the memory of an array or another buffer; raises where strides or dtype allow none.
Tensor share_buffer(const char* op, PyObject* o);
// Likewise, but a copy where it cannot be shared: for operands.
Tensor share_array(PyObject* o);
Tensor copy_buffer(const char* op, PyObject* o);
// The buffer protocol of Tensor.
std::vector<PyType_Slot> buffer_slots();

// ---- interop.cpp, cuda_array.cpp: memory of other libraries ----------------------------------------------------
// On the memory of an object with DLPack, __cuda_array_interface__ or __array__; no tensor for any other object.
// may_copy: where nothing else is possible; else that raises.
Tensor share_foreign(PyObject* o, bool may_copy = true);
// On the memory that __cuda_array_interface__ describes.
Tensor share_cuda_array(PyObject* description, PyObject* owner);

}  // namespace bolide::python
