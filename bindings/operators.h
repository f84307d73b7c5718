// operators.h - Python's operators on Tensor, as slots of its type.
#pragma once
#include <vector>

#include "bindings/tensor_type.h"

namespace bolide::python {

std::vector<PyType_Slot> operator_slots();  // operators.cpp
std::vector<PyType_Slot> indexing_slots();  // indexing.cpp
PyObject* tensor_repr(PyObject* self);      // printing.cpp

}  // namespace bolide::python
