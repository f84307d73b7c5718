// errors.h - the one family of errors: raised by every layer, translated to Python once, in the bindings.
//
// The text is always "[op] expected X, got Y." with both values, and a hint where one helps:
//
//   raise(ErrorKind::Shape, "matmul", str("inner sizes to agree"), str(k, " and ", j));
//   check(rank == 2, ErrorKind::Shape, "mm", "a matrix", [&] { return str("rank ", rank); });
//
// To add a kind: an enumerator here and one line in bindings/errors.cpp that names its Python type.
#pragma once
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "runtime/export.h"

namespace bolide {

enum class ErrorKind {
  Runtime,         // BolideError (a RuntimeError)
  Shape,           // ShapeError (RuntimeError, ValueError)
  DType,           // DTypeError (RuntimeError, TypeError)
  OutOfMemory,     // OutOfMemoryError (RuntimeError, MemoryError)
  Index,           // OutOfRangeError (RuntimeError, IndexError)
  Value,           // ValueError
  Type,            // TypeError
  Overflow,        // OverflowError
  NotImplemented,  // NotImplementedError
  LinAlg,          // LinAlgError (a BolideError): a matrix that is singular, not positive definite, ...
};

class BOLIDE_API Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& text) : std::runtime_error(text), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

// The arguments written one after the other.
template <class... A>
std::string str(const A&... parts) {
  std::ostringstream out;
  out.precision(9);
  ((out << parts), ...);
  return out.str();
}

// Throws "[op] expected X, got Y. Hint".
[[noreturn]] BOLIDE_API void raise(ErrorKind kind, std::string_view op, std::string_view expected, std::string_view got,
                                   std::string_view hint = {});

// Raises unless `ok`; `got` is called only then, so that a check on a hot path costs one branch.
template <class Got>
void check(bool ok, ErrorKind kind, std::string_view op, std::string_view expected, const Got& got) {
  if (!ok) [[unlikely]]
    raise(kind, op, expected, got());
}

}  // namespace bolide
