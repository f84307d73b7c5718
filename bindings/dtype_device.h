// dtype_device.h - the Python types dtype, device and Size.
//
// There is one object per dtype, and one per device that tensors live on, so that x.dtype costs a look-up.
#pragma once
#include <Python.h>

#include <optional>

#include "kernels/dtype.h"
#include "runtime/device.h"
#include "runtime/dims.h"

namespace bolide::python {

inline PyTypeObject *dtype_type = nullptr, *device_type = nullptr, *size_type = nullptr;
inline PyObject* dtype_objects[kDTypeCount] = {};

void add_dtype_device(PyObject* module);

// Also Python's float, int, bool and complex; nullopt for anything else.
std::optional<DType> dtype_of(PyObject* o);
inline PyObject* dtype_to_python(DType t) { return Py_NewRef(dtype_objects[int(t)]); }

inline bool is_device(PyObject* o) { return Py_TYPE(o) == device_type; }
// From a device, a string or the number of a CUDA device.
Device device_of(PyObject* o);
PyObject* device_to_python(Device device);

}  // namespace bolide::python
