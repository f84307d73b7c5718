// elementwise.h - reading the operands of elementwise ops: shared by functions, methods and operators.
#pragma once
#include "bindings/convert.h"

namespace bolide::python {

// A tensor, a number or a NumPy array (which `made` then shares); false for anything else. Throws Raised.
bool read_arg(PyObject* o, Arg& arg, Tensor& made);

}  // namespace bolide::python
