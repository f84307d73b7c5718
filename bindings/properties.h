// properties.h - attributes of Tensor that are not methods.
#pragma once
#include <vector>

#include "bindings/tensor_type.h"

namespace bolide::python {

struct Property {
  const char* name;
  getter get;
  setter set;        // null: read-only
  const char* type;  // in stubs
  const char* doc;
};
const std::vector<Property>& tensor_properties();  // properties.cpp

// __cuda_array_interface__ (cuda_array.cpp).
PyObject* cuda_array_interface(PyObject* self, void*);
// bolide.strided (services.cpp).
PyObject* strided_layout();

}  // namespace bolide::python
