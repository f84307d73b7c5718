// errors.cpp - the exception types of bolide, and the translation of C++ exceptions, done in one place.
#include "bindings/errors.h"

#include <pybind11/pybind11.h>

#include <new>

#include "bindings/overrides.h"

namespace bolide::python {
namespace {

struct Types {
  PyObject *bolide = nullptr, *index = nullptr, *shape = nullptr, *dtype = nullptr, *range = nullptr, *memory = nullptr,
           *copy = nullptr, *linalg = nullptr;
} types;

PyObject* make_type(PyObject* module, const char* name, std::initializer_list<PyObject*> bases, const char* doc) {
  pybind11::tuple base_tuple(bases.size());
  size_t i = 0;
  for (PyObject* base : bases) base_tuple[i++] = pybind11::reinterpret_borrow<pybind11::object>(base);
  const std::string full = std::string("bolide.") + name;
  PyObject* type = PyErr_NewExceptionWithDoc(full.c_str(), doc, base_tuple.ptr(), nullptr);
  if (!type || PyModule_AddObjectRef(module, name, type) < 0) throw pybind11::error_already_set();
  return type;
}

// "numpy.ndarray" and the like for what a Mismatch got.
void set_mismatch(const char* op, const char* argument, const Mismatch& e) {
  PyErr_Format(PyExc_TypeError, "[%s] expected %s%s%s, got %s.", op, argument, *argument ? ": " : "", e.wanted.c_str(),
               type_name(e.got));
}

}  // namespace

PyObject* type_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::Shape: return types.shape;
    case ErrorKind::DType: return types.dtype;
    case ErrorKind::OutOfMemory: return types.memory;
    case ErrorKind::Index: return types.index;
    case ErrorKind::Value: return PyExc_ValueError;
    case ErrorKind::Type: return PyExc_TypeError;
    case ErrorKind::Overflow: return types.range;
    case ErrorKind::NotImplemented: return PyExc_NotImplementedError;
    case ErrorKind::LinAlg: return types.linalg;
    case ErrorKind::Runtime: break;
  }
  return types.bolide;
}
PyObject* copy_required_error() { return types.copy; }

PyObject* raise_current(const char* op, const char* argument) noexcept {
  try {
    throw;
  } catch (const Raised&) {
  } catch (const abi::__forced_unwind&) { sleep_until_the_end(); } catch (const Mismatch& e) {
    if (*argument && answers_calls(e.got)) return nullptr;  // of an op: its class will be asked
    set_mismatch(op, argument, e);
  } catch (pybind11::error_already_set& e) { e.restore(); } catch (const Error& e) {
    PyErr_SetString(type_of(e.kind()), e.what());
  } catch (const std::bad_alloc&) {
    PyErr_Format(types.memory, "[%s] expected host memory for the runtime, got none.", op);
  } catch (const pybind11::builtin_exception& e) { e.set_error(); } catch (const std::exception& e) {
    PyErr_Format(types.bolide, "[%s] %s", op, e.what());
  } catch (...) { PyErr_Format(types.bolide, "[%s] failed with an unknown C++ exception.", op); }
  if (!PyErr_Occurred()) PyErr_SetString(PyExc_SystemError, "an error was reported without an exception");
  return nullptr;
}

void add_errors(PyObject* module) {
  types.bolide = make_type(module, "BolideError", {PyExc_RuntimeError}, "Base of the errors that bolide defines.");
  types.shape = make_type(module, "ShapeError", {types.bolide, PyExc_ValueError},
                          "Sizes or strides that an op cannot work with.");
  types.index = make_type(module, "OutOfRangeError", {types.bolide, PyExc_IndexError},
                          "An index or a dimension that is not there. PyTorch raises either of its bases.");
  types.dtype =
      make_type(module, "DTypeError", {types.bolide, PyExc_TypeError}, "An element type that an op cannot work with.");
  types.range = make_type(module, "RangeError", {types.bolide, PyExc_ValueError, PyExc_OverflowError},
                          "A number that a dtype does not hold.");
  types.linalg = make_type(module, "LinAlgError", {types.bolide},
                           "A matrix that is singular, not positive definite, or whose iteration does not converge.");
  types.memory = make_type(module, "OutOfMemoryError", {types.bolide, PyExc_MemoryError},
                           "No memory left on a device; the text has the pool's figures.");
  types.copy = make_type(module, "CopyRequiredError", {PyExc_BufferError, PyExc_ValueError},
                         "copy=False was asked for what only a copy can give.");
  pybind11::register_local_exception_translator([](std::exception_ptr p) {
    if (!p) return;
    try {
      std::rethrow_exception(p);
    } catch (const Raised&) {  // the error is set
    } catch (const Mismatch& e) { set_mismatch("bolide", "", e); } catch (const Error& e) {
      PyErr_SetString(type_of(e.kind()), e.what());
    } catch (const std::bad_alloc&) {
      PyErr_SetString(types.memory, "[bolide] expected host memory for the runtime, got none.");
    }
  });
}

}  // namespace bolide::python
