// dlpack.h - tensors of other libraries, without a copy: the DLPack protocol, in both directions.
//
// Reference: https://dmlc.github.io/dlpack/latest/python_spec.html
#pragma once
#include "bindings/tensor_type.h"

struct DLManagedTensorVersioned;

namespace bolide::python {

// tensor.__dlpack__(stream, max_version, dl_device, copy): a capsule.
PyObject* to_dlpack(const Tensor& t, PyObject* stream, PyObject* max_version, PyObject* dl_device, PyObject* copy);
// tensor.__dlpack_device__(): (type, number).
PyObject* dlpack_device(const Tensor& t);
// from_dlpack(x, device, copy), for any object with both methods.
Tensor from_dlpack(PyObject* x, PyObject* device, PyObject* copy);
// The capsule alone; the name says which of both structs it holds.
Tensor from_capsule(PyObject* capsule, bool may_copy, bool want_copy);
// The struct alone, which is owned from now on, whatever happens.
Tensor from_managed(DLManagedTensorVersioned* managed, bool may_copy, bool want_copy);
// The table of C functions that other libraries look up on the type.
PyObject* exchange_table();

}  // namespace bolide::python
