// module.h - what the files of this folder add to the module besides rows of the op table, with pybind11.
#pragma once
#include <pybind11/pybind11.h>

namespace bolide::python {

void add_autograd(pybind11::module_& m);           // autograd.cpp: modes, nodes, backward, grad
void add_hooks(pybind11::module_& m);              // autograd_hooks.cpp
void add_custom_function(pybind11::module_& m);    // custom_function.cpp
void add_dlpack(pybind11::module_& m);             // dlpack.cpp
void add_interop(pybind11::module_& m);            // interop.cpp
void add_printing(pybind11::module_& m);           // printing.cpp
void add_random(pybind11::module_& m);             // random.cpp
void add_services(pybind11::module_& m);           // services.cpp: devices, memory, threads, optimizer steps
void finish_type();                                // attributes of Tensor that are set last

}  // namespace bolide::python
