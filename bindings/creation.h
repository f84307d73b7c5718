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
// On the memory of an array or another buffer; raises where strides or dtype allow none.
Tensor share_buffer(const char* op, PyObject* o);
// Likewise, but a copy where it cannot be shared: for operands.
Tensor share_array(PyObject* o);
Tensor copy_buffer(const char* op, PyObject* o);
// An object with the buffer of a CPU tensor, which it keeps alive: what NumPy makes its view of.
PyObject* export_buffer(const Tensor& t);
void add_buffer_type(PyObject* module);

}  // namespace bolide::python
