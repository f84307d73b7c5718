// errors.h - errors on their way from C++ to Python.
//
//   PyObject* f(PyObject* self, PyObject*) {
//     return guarded("f", [&] { return wrap(op(unwrap(self))); });
//   }
//
// To add an exception type: a line in errors.cpp.
#pragma once
#include <Python.h>
#include <cxxabi.h>
#include <unistd.h>

#include <string>

#include "runtime/errors.h"

namespace bolide::python {

struct Raised {};  // thrown where a Python error is set already
struct Mismatch {  // thrown for an argument of the wrong type
  PyObject* got;
  std::string wanted;
};

void add_errors(PyObject* module);  // the exception types, and how pybind11 translates
// The Python type of a kind of error.
PyObject* type_of(ErrorKind kind);
PyObject* copy_required_error();
// Sets the Python error for the C++ exception that is being handled; always null. `argument` names what a
// Mismatch is about: no error is set where that answers calls (overrides.h).
PyObject* raise_current(const char* op, const char* argument = "") noexcept;

// When the interpreter ends, CPython ends each other thread that asks for the GIL by unwinding its stack, and C++ code
// there (destructors, catch (...)) would end the process with it. Such a thread sleeps instead.
[[noreturn]] inline void sleep_until_the_end() noexcept {
  for (;;) pause();
}
template <class F>
auto without_unwinding(const F& f) {
  try {
    return f();
  } catch (const abi::__forced_unwind&) { sleep_until_the_end(); }
}

template <class F>
PyObject* guarded(const char* op, const F& f) noexcept {
  try {
    return f();
  } catch (...) { return raise_current(op); }
}
template <class F>
int guarded_int(const char* op, const F& f) noexcept {
  try {
    return f();
  } catch (...) {
    raise_current(op);
    return -1;
  }
}

// Throws Raised for a null result of the C API.
inline PyObject* checked(PyObject* o) { return o ? o : throw Raised{}; }
// "float" or "Tensor": the type of an argument, for texts.
inline const char* type_name(PyObject* o) { return Py_TYPE(o)->tp_name; }

}  // namespace bolide::python
