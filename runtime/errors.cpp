// errors.cpp - the wording of errors.
#include "runtime/errors.h"

namespace bolide {

void raise(ErrorKind kind, std::string_view op, std::string_view expected, std::string_view got,
           std::string_view hint) {
  std::string text = str("[", op, "] expected ", expected, ", got ", got, ".");
  if (!hint.empty()) text += str(" ", hint);
  throw Error(kind, text);
}

}  // namespace bolide
