// call.h - from a row of the op table to a Python function and method.
//
// A row gives C++ functions, their Python arguments as text and a docstring; types come from the C++ signatures:
//
//   op<&mean>("mean", "input, dim=None, keepdim=False, *, dtype=None", "Mean over dim.")
//
// "*" stands before keyword-only arguments; "size..." also takes its ints one by one ("size...=()": none too); " | " separates the
// overloads, one C++ function each, the first that fits is called. What a function returns becomes a Python
// object by to_python; one that returns void gives back its first argument (in-place ops).
#pragma once
#include <algorithm>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <pybind11/pytypes.h>

#include "bindings/convert.h"
#include "bindings/overrides.h"

namespace bolide::python {

inline constexpr int kMaxParameters = 10;

struct Signature {  // one overload
  int count = 0, positional = 0, variadic = -1;
  PyObject *names[kMaxParameters], *defaults[kMaxParameters];  // default: null if required
  std::string text[kMaxParameters];  // as in a stub, without the type
};
struct Bound {  // the arguments of one call, in the order of the signature
  PyObject* slots[kMaxParameters];
  PyObject* const* packed = nullptr;  // what a variadic parameter got as separate arguments
  Py_ssize_t packed_count = 0;
};

std::string_view next_part(std::string_view& rest, std::string_view separator);
// Once per overload, at import.
Signature parse_signature(std::string_view text);
// Puts each argument into its slot. Without an op name it fails silently, and where a class answers the call.
bool bind(const Signature& s, Bound& b, PyObject* self, PyObject* const* args, Py_ssize_t given, PyObject* keywords,
          const char* op);
// "def add(input: Tensor, *, alpha: Number = 1) -> Tensor: ..."
std::string stub_of(const char* op, const Signature& s, const char* const* types, const char* result, bool method);
// What no overload took: a class among the arguments may answer (overrides.h), else it is an error.
PyObject* no_overload(const char* op, const char* arguments, const PythonCall& call);

// ---- results -------------------------------------------------------------------------------------------------
inline PyObject* to_python(const char*, Tensor&& t) { return wrap(std::move(t)); }
inline PyObject* to_python(const char*, PyObject* owned) { return checked(owned); }
inline PyObject* to_python(const char*, bool v) { return PyBool_FromLong(v); }
inline PyObject* to_python(const char*, int64_t v) { return PyLong_FromLongLong(v); }
inline PyObject* to_python(const char*, double v) { return PyFloat_FromDouble(v); }
inline PyObject* to_python(const char*, const Scalar& s) { return scalar_to_python(s); }
inline PyObject* to_python(const char*, TensorList&& list) { return tuple_of(std::move(list)); }
inline PyObject* to_python(const char* op, ValuesIndices&& pair) { return pair_to_python(op, std::move(pair)); }

template <class R>
constexpr const char* result_name() {
  if constexpr (std::is_same_v<R, Tensor> || std::is_void_v<R>) return "Tensor";
  else if constexpr (std::is_same_v<R, bool>) return "bool";
  else if constexpr (std::is_same_v<R, int64_t>) return "int";
  else if constexpr (std::is_same_v<R, double>) return "float";
  else if constexpr (std::is_same_v<R, TensorList>) return "tuple[Tensor, ...]";
  else if constexpr (std::is_same_v<R, ValuesIndices>) return "ValuesIndices";
  else return "Any";
}

// ---- out= ----------------------------------------------------------------------------------------------------
// Every function that gives tensors takes out=: they are computed, then copied there. What is created from no tensor
// has the dtype and device of `out` unless the call says others.
struct CallWithOut {
  PyObject* out = nullptr;  // null: there is none
  PyObject* dtype = nullptr;  // what the call gives as dtype=
  std::vector<PyObject*> arguments;
  pybind11::object names;  // of the other keywords
  pybind11::object of_out;  // its device, where the call takes it from there

  CallWithOut(PyObject* const* args, Py_ssize_t given, PyObject* keywords, bool creates);
};
// Copies the result, or each of several, and gives `out`; takes over the reference to the result.
PyObject* copy_out(const char* op, PyObject* result, const CallWithOut& call);

// ---- one C++ function ----------------------------------------------------------------------------------------
template <class F>
struct Types;
template <class R, class... A>
struct Types<R (*)(A...)> {
  using Result = R;
  static constexpr size_t kCount = sizeof...(A);
  template <size_t i>
  using Argument = std::decay_t<std::tuple_element_t<i, std::tuple<A...>>>;
};

template <auto F>
struct Function {
  using T = Types<decltype(F)>;
  static_assert(T::kCount <= kMaxParameters);
  static inline Signature signature;

  template <size_t i>
  using Argument = Convert<typename T::template Argument<i>>;
  template <size_t i>
  static decltype(auto) argument(const Bound& b) {
    if constexpr (requires { Argument<i>::pack(b.packed, b.packed_count); })
      if (!b.slots[i]) return Argument<i>::pack(b.packed, b.packed_count);
    return Argument<i>::get(b.slots[i]);
  }
  template <class G>
  static constexpr auto for_all(G g) {
    return g(std::make_index_sequence<T::kCount>());
  }

  template <class A>
  static constexpr bool kIsTensor =
      std::is_same_v<A, Tensor> || std::is_same_v<A, Arg> || std::is_same_v<A, TensorList>;
  static constexpr bool kTakesTensor = for_all(
      []<size_t... i>(std::index_sequence<i...>) { return (kIsTensor<typename T::template Argument<i>> || ...); });

  static bool accepts(const Bound& b) {
    for (Py_ssize_t i = 0; i < b.packed_count; i++)
      if (!is_int(b.packed[i])) return false;
    return for_all([&]<size_t... i>(std::index_sequence<i...>) {
      return ((!b.slots[i] || Argument<i>::accepts(b.slots[i])) && ...);
    });
  }
  static PyObject* invoke(const Bound& b, const char* op) noexcept {
    try {
      return for_all([&]<size_t... i>(std::index_sequence<i...>) {
        // In braces, so that arguments are converted in order and the first wrong one is reported.
        std::tuple<decltype(argument<i>(b))...> converted{argument<i>(b)...};
        if constexpr (std::is_void_v<typename T::Result>) {
          std::apply(F, std::move(converted));
          return Py_NewRef(b.slots[0]);
        } else {
          return to_python(op, std::apply(F, std::move(converted)));
        }
      });
    } catch (const Mismatch& e) {
      const size_t i = std::find(b.slots, b.slots + T::kCount, e.got) - b.slots;
      return raise_current(op, i < T::kCount ? PyUnicode_AsUTF8(signature.names[i]) : "");
    } catch (...) { return raise_current(op); }
  }
  static std::string stub(const char* op, bool method) {
    return for_all([&]<size_t... i>(std::index_sequence<i...>) {
      const char* types[] = {Argument<i>::kName..., nullptr};
      return stub_of(op, signature, types, result_name<typename T::Result>(), method);
    });
  }
};

// ---- all overloads of a name ---------------------------------------------------------------------------------
template <auto... Fs>
struct Overloads {
  static inline const char *name, *arguments;
  static inline bool creates = false;  // takes a dtype and a device and no tensor

  template <bool method>
  static PyObject* call(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
    if constexpr (!method)
      if (keywords) [[unlikely]] {
        const CallWithOut other(args, n, keywords, creates);
        if (other.out) {
          const Py_ssize_t named = PyTuple_GET_SIZE(other.names.ptr());
          return copy_out(name, call<false>(self, other.arguments.data(), n, named ? other.names.ptr() : nullptr),
                          other);
        }
      }
    PyObject *first = method ? self : nullptr, *out = nullptr;
    constexpr bool alone = sizeof...(Fs) == 1;  // then its own error is the best one
    auto attempt = [&]<class F>(F) {
      Bound b;
      if (!bind(F::signature, b, first, args, n, keywords, alone ? name : nullptr)) return false;
      if (!alone && !F::accepts(b)) return false;  // types are checked before anything is converted
      out = F::invoke(b, name);
      return true;
    };
    (void)(attempt(Function<Fs>{}) || ...);
    return out ? out : no_overload(name, arguments, {first, args, n, keywords});
  }
  static void prepare(const char* op, const char* text) {
    name = op, arguments = text;
    std::string_view rest = text;
    creates = !(Function<Fs>::kTakesTensor || ...) && rest.find("dtype=None, device=None") != rest.npos;
    ((Function<Fs>::signature = parse_signature(next_part(rest, " | "))), ...);
  }
  static std::string stub(const char* op, bool method) {
    const std::string indent = method ? "    " : "", mark = sizeof...(Fs) > 1 ? indent + "@overload\n" : "";
    return ((mark + indent + Function<Fs>::stub(op, method)) + ...);
  }
};

// ---- rows ----------------------------------------------------------------------------------------------------
enum Where { kBoth, kFunction, kMethod };

struct Op {
  std::string name, arguments, doc;
  Where where;
  _PyCFunctionFastWithKeywords function, method;
  void (*prepare)(const char* name, const char* arguments);
  std::string (*stub)(const char* name, bool method);
};

// One C++ function may stand in one row only: its signature is kept with it. alias_of() gives a row a second name.
template <auto... Fs>
Op op(const char* name, const char* arguments, const char* doc, Where where = kBoth) {
  using O = Overloads<Fs...>;
  return {name, arguments, doc, where, O::template call<false>, O::template call<true>, O::prepare, O::stub};
}
inline Op alias_of(Op op, const char* name) {
  op.doc = "Another name of " + op.name + "().\n\n" + op.doc;
  op.name = name, op.prepare = nullptr;
  return op;
}

}  // namespace bolide::python
