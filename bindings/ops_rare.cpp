// ops_rare.cpp - functions, methods and in-place methods of every line of kernels/rare.def. A new line needs nothing here.
#include "bindings/forms.h"

namespace bolide::python {
namespace {

template <RareOp line>
struct Rare;
#define RARE_1(names, name, ...)                                           \
  template <>                                                              \
  struct Rare<RareOp::name> {                                              \
    static Tensor call(const Tensor& x) { return bolide::name(x); }        \
  };
#define RARE_2(names, name, ...)                                                      \
  template <>                                                                         \
  struct Rare<RareOp::name> {                                                         \
    static Tensor call(const Arg& a, const Arg& b) { return bolide::name(a, b); }     \
  };
#include "kernels/rare.def"

enum class Names { own, special };

std::string doc_of(const char* text, const char* name, Names names) {
  return str(
      text,
      "\n\nReal floating dtypes, computed in float64; integers and bool become the default dtype. Inputs broadcast."
      "\nRaises: DTypeError for complex numbers.\nReference: torch.",
      names == Names::own ? "" : "special.", name, ".");
}
template <RareOp line>
void add_line(std::vector<Op>& rows, Names names, const std::string& name, const char* arguments, const char* text) {
  const std::string doc = doc_of(text, name.c_str(), names);
  if (names == Names::own) add_forms<&Rare<line>::call>(rows, name, arguments, doc.c_str());
  else add_function<&Rare<line>::call>(rows, ("_" + name).c_str(), arguments, doc.c_str(), kFunction);
}

}  // namespace

std::vector<Op> rare_rows() {
  std::vector<Op> rows;
#define RARE_1(names, name, slope, doc) add_line<RareOp::name>(rows, Names::names, #name, "input", doc);
#define RARE_2(names, name, arguments, slope_a, slope_b, doc) \
  add_line<RareOp::name>(rows, Names::names, #name, arguments, doc);
#include "kernels/rare.def"
  return rows;
}

}  // namespace bolide::python
