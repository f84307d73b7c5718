// call.cpp - signatures as text, and putting the arguments of a call into their places.
#include "bindings/call.h"

#include <pybind11/eval.h>

#include "runtime/autograd.h"
#include "runtime/out.h"

namespace bolide::python {

std::string_view next_part(std::string_view& rest, std::string_view separator) {
  const size_t at = std::min(rest.find(separator), rest.size());
  const std::string_view part = rest.substr(0, at);
  rest.remove_prefix(std::min(at + separator.size(), rest.size()));
  return part;
}

namespace {

PyObject* parse_default(std::string_view text) {  // without the compiler for the common ones: import is quick
  if (text == "None") return Py_NewRef(Py_None);
  if (text == "True") return Py_NewRef(Py_True);
  if (text == "False") return Py_NewRef(Py_False);
  const std::string copy(text);
  if (copy.find_first_not_of("-0123456789") == std::string::npos) return PyLong_FromString(copy.c_str(), nullptr, 10);
  if (copy.front() == '\'') return PyUnicode_InternFromString(copy.substr(1, copy.size() - 2).c_str());
  if (copy.find_first_not_of("-.e0123456789") == std::string::npos) return PyFloat_FromDouble(std::stod(copy));
  return pybind11::eval(copy).release().ptr();
}

// NumPy's names for some arguments, which PyTorch takes too.
PyObject* torch_name(PyObject* name) {
  static const std::pair<const char*, PyObject*> names[] = {{"axis", PyUnicode_InternFromString("dim")},
                                                            {"keepdims", PyUnicode_InternFromString("keepdim")},
                                                            {"x", PyUnicode_InternFromString("input")},
                                                            {"x1", PyUnicode_InternFromString("input")},
                                                            {"x2", PyUnicode_InternFromString("other")}};
  for (auto& [numpy, torch] : names)
    if (PyUnicode_CompareWithASCIIString(name, numpy) == 0) return torch;
  return nullptr;
}
// The number of the parameter, or s.count.
int place_of(const Signature& s, PyObject* name) {
  int i = 0;
  while (i < s.count && s.names[i] != name) i++;  // by pointer first: names in compiled code are interned
  if (i < s.count) return i;
  for (i = 0; i < s.count && PyUnicode_Compare(s.names[i], name) != 0;) i++;
  if (i < s.count) return i;
  PyObject* other = torch_name(name);
  for (i = 0; i < s.count && s.names[i] != other;) i++;
  return i;
}

}  // namespace

Signature parse_signature(std::string_view rest) {
  Signature s;
  std::string mark;
  while (!rest.empty()) {
    std::string_view part = next_part(rest, ", ");
    if (part == "*") {
      mark = "*, ";
      s.positional = s.count;
      continue;
    }
    std::string text(part);
    if (const size_t dots = text.find("..."); dots != std::string::npos) s.variadic = s.count, text.erase(dots, 3);
    const size_t equals = std::min(text.find('='), text.size());
    s.names[s.count] = PyUnicode_InternFromString(text.substr(0, equals).c_str());
    s.defaults[s.count] = equals == text.size() ? nullptr : parse_default(std::string_view(text).substr(equals + 1));
    s.text[s.count] = (s.positional == s.count ? mark : "") + text;
    s.count++;
    if (mark.empty()) s.positional = s.count;
  }
  return s;
}

bool bind(const Signature& s, Bound& b, PyObject* self, PyObject* const* args, Py_ssize_t given, PyObject* keywords,
          const char* op) {
  if (overriding && is_overridden({self, args, given, keywords})) [[unlikely]]
    return false;
  int at = 0;
  PyObject* const* values = args + given;  // of the keywords
  auto error = [&](const char* format, auto... more) {
    if (op) PyErr_Format(PyExc_TypeError, format, op, more...);
    return false;
  };
  if (self) b.slots[at++] = self;
  if (s.variadic >= 0 && at + given > s.variadic + 1) {
    b.packed = args + (s.variadic - at), b.packed_count = given - (s.variadic - at);
    given = s.variadic - at;
  } else if (at + given > s.positional) {
    return error("[%s] expected at most %d positional arguments, got %d.", s.positional - at, int(given));
  }
  for (Py_ssize_t i = 0; i < given; i++) b.slots[at++] = args[i];
  auto fill = [&](int i) {
    const bool packed = b.packed && i == s.variadic;
    return (b.slots[i] = packed ? nullptr : s.defaults[i]) || packed;
  };
  if (!keywords) [[likely]] {
    for (int i = at; i < s.count; i++)
      if (!fill(i)) return error("[%s] expected argument '%U', got none.", s.names[i]);
    return true;
  }
  for (int i = at; i < s.count; i++) b.slots[i] = nullptr;
  for (Py_ssize_t k = 0, n = PyTuple_GET_SIZE(keywords); k < n; k++) {
    PyObject* name = PyTuple_GET_ITEM(keywords, k);
    const int i = place_of(s, name);
    if (i == s.count) return error("[%s] expected arguments of the signature, got an unknown one, '%U'.", name);
    if (b.slots[i] || (b.packed && i == s.variadic)) return error("[%s] expected '%U' once, got it twice.", name);
    b.slots[i] = values[k];
  }
  for (int i = at; i < s.count; i++)
    if (!b.slots[i] && !fill(i)) return error("[%s] expected argument '%U', got none.", s.names[i]);
  return true;
}

std::string stub_of(const char* op, const Signature& s, const char* const* types, const char* result, bool method) {
  std::string out = std::string("def ") + op + "(";
  for (int k = 0; k < s.count; k++) {
    std::string text = s.text[k];
    const size_t equals = text.find('=');
    const std::string value = equals == std::string::npos ? "" : " = " + text.substr(equals + 1);
    text = text.substr(0, equals) + ": " + types[k] + value;
    if (k == s.variadic) {  // size... in a stub: *size
      text = "*" + text.substr(0, text.find(':')) + ": Any";
    } else if (s.variadic >= 0 && text.starts_with("*, ")) {
      text = text.substr(3);  // what follows *size is keyword-only anyway
    }
    out += (k ? ", " : "") + (method && k == 0 ? std::string("self") : text);
  }
  return out + ") -> " + result + ": ...\n";
}

CallWithOut::CallWithOut(PyObject* const* args, Py_ssize_t given, PyObject* keywords, bool creates) {
  static PyObject* const name = PyUnicode_InternFromString("out");
  static PyObject* const of_dtype = PyUnicode_InternFromString("dtype");
  static PyObject* const device = PyUnicode_InternFromString("device");
  const Py_ssize_t count = PyTuple_GET_SIZE(keywords);
  Py_ssize_t at = 0;
  while (at < count && PyTuple_GET_ITEM(keywords, at) != name) at++;  // keywords are interned
  if (at == count) return;
  arguments.assign(args, args + given + count);
  for (Py_ssize_t k = 0; k < count; k++)
    if (PyTuple_GET_ITEM(keywords, k) == of_dtype) dtype = arguments[size_t(given + k)];
  out = arguments[size_t(given + at)];
  arguments.erase(arguments.begin() + (given + at));
  auto left = pybind11::reinterpret_steal<pybind11::list>(PySequence_List(keywords));
  PySequence_DelItem(left.ptr(), at);
  const auto add = [&](PyObject* keyword, PyObject* value) {
    if (PySequence_Contains(left.ptr(), keyword)) return;
    left.append(pybind11::handle(keyword));
    arguments.push_back(value);
  };
  if (creates && is_tensor(out)) {
    of_out = pybind11::reinterpret_steal<pybind11::object>(device_to_python(unwrap(out).device()));
    add(of_dtype, dtype_objects[int(unwrap(out).dtype())]);
    add(device, of_out.ptr());
  }
  names = pybind11::reinterpret_steal<pybind11::object>(PyList_AsTuple(left.ptr()));
  if (out == Py_None) out = nullptr;
}

namespace {

// dtype= says what is computed; out= of another dtype contradicts it.
void check_wanted(const char* op, PyObject* dtype, const Tensor& out) {
  if (!dtype || dtype == Py_None) return;
  const DType wanted = Convert<DType>::get(dtype);
  check(wanted == out.dtype(), ErrorKind::DType, op, str("an out= of the dtype that is asked for, ", name_of(wanted)),
        [&] { return std::string(name_of(out.dtype())); });
}

}  // namespace

PyObject* copy_out(const char* op, PyObject* result, const CallWithOut& call) {
  PyObject* const out = call.out;
  if (!result) return nullptr;
  const auto held = pybind11::reinterpret_steal<pybind11::object>(result);
  return guarded(op, [&]() -> PyObject* {
    if (is_tensor(result)) {
      check_wanted(op, call.dtype, Convert<Tensor>::get(out));
      write_out(op, Convert<Tensor>::get(out), unwrap(result));
      return Py_NewRef(out);
    }
    const TensorList from = Convert<TensorList>::get(result), to = Convert<TensorList>::get(out);
    check(from.size() == to.size(), ErrorKind::Type, op, str("an out of ", from.size(), " tensors"),
          [&] { return str(to.size()); });
    for (size_t i = 0; i < from.size(); i++) check_out_dtype(op, from[i].dtype(), to[i].dtype());
    for (size_t i = 0; i < from.size(); i++) write_out(op, to[i], from[i]);
    return PyTuple_Check(out) ? Py_NewRef(out) : checked(PySequence_Tuple(out));
  });
}

PyObject* no_overload(const char* op, const char* arguments, const PythonCall& call) {
  if (PyErr_Occurred()) return nullptr;
  if (PyObject* result = nullptr; ask_class(result, op, call)) return result;
  std::string got;
  for (Py_ssize_t i = 0; i < call.given; i++) got += (i ? ", " : "") + std::string(type_name(call.arguments[i]));
  PyErr_Format(PyExc_TypeError, "[%s] expected (%s), got (%s).", op, arguments, got.c_str());
  return nullptr;
}

}  // namespace bolide::python
