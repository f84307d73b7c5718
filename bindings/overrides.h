// overrides.h - calls that a class of its own answers: __torch_function__, PyTorch's protocol (after NumPy's NEP 18).
//
//   class Logged(bolide.Tensor):
//       @classmethod
//       def __torch_function__(cls, func, types, args=(), kwargs=None): ...
//
// An op with such an object among its arguments, or in a list of them, asks the object's class instead of computing.
// Tensor's own answer (overrides.cpp) computes and gives what comes out the class, so a subclass stays one.
// Parameter has opted out, as any class does whose __torch_function__ is _C._disabled_torch_function_impl.
//
// Until a program makes a tensor of another subclass, `overriding` is false and a call pays the test of it. Where calls
// come in (call.cpp, ops_elementwise.cpp, operators.cpp, indexing.cpp, and module.cpp for attributes) it is asked first.
#pragma once
#include <pybind11/pybind11.h>

namespace bolide::python {

inline bool overriding = false;  // guarded by the GIL; set once and for all

// A new object of this type has been made: does its class answer calls?
void note_subclass(PyTypeObject* type);

struct PythonCall {
  PyObject* self;  // null: a function
  PyObject* const* arguments;
  Py_ssize_t given;
  PyObject* keywords;
};
// Is there an object that answers calls among the arguments?
bool is_overridden(const PythonCall& call);
// If so, what it gives for the function or method of this name: a new reference, or null for its error.
bool ask_class(PyObject*& result, const char* name, const PythonCall& call);
// The same for an operator: as a method where the first operand is a tensor.
bool ask_class(PyObject*& result, const char* name, std::initializer_list<PyObject*> operands);
// The same for reading an attribute of Tensor.
bool ask_class_of(PyObject*& result, const char* attribute, PyObject* self);

// Does an object of another library that is no tensor answer calls?
bool answers_calls(PyObject* o);

void add_overrides(pybind11::module_& m);

}  // namespace bolide::python
