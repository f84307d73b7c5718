// forms.h - the forms of an op that is composed of others: function and method, and in-place method.
//
//   Tensor frac(const Tensor& x) { return sub(x, trunc(x)); }
//   add_forms<&frac>(rows, "frac", "input", "The part behind the point.");
//
// gives bolide.frac(x), x.frac() and x.frac_(). add_function leaves the in-place form out. out= comes by itself.
#pragma once
#include "bindings/ops_table.h"

namespace bolide::python {

// Puts a finished result into the tensor, which keeps its dtype: a narrower kind of number is refused.
void write_in_place(const Tensor& self, const Tensor& result);

template <auto F, class = decltype(F)>
struct InPlace;
template <auto F, class First, class... Rest>
struct InPlace<F, Tensor (*)(First, Rest...)> {
  static void call(const Tensor& self, Rest... rest) {
    Tensor y = F(self, rest...);
    if (y.requires_grad()) {  // what it saved must not be what is about to change
      const Tensor original = clone(self);
      y = F(original, rest...);
    }
    write_in_place(self, y);
  }
};

// Of half types computed in float32 and rounded once: InFloat<&f>::call.
inline bool is_half(const Tensor& x) { return x.dtype() == DType::F16 || x.dtype() == DType::BF16; }
template <auto F, class = decltype(F)>
struct InFloat;
template <auto F, class... Rest>
struct InFloat<F, Tensor (*)(const Tensor&, Rest...)> {
  static Tensor call(const Tensor& x, Rest... rest) {
    return is_half(x) ? to(F(to(x, DType::F32), rest...), x.dtype()) : F(x, rest...);
  }
};

template <auto F>
void add_function(std::vector<Op>& rows, const char* name, const char* arguments, const char* doc,
                  Where where = kBoth) {
  rows.push_back(op<F>(name, arguments, doc, where));
}
template <auto F>
void add_forms(std::vector<Op>& rows, const std::string& name, const char* arguments, const char* doc) {
  add_function<F>(rows, name.c_str(), arguments, doc);
  const std::string text = "In-place form of " + name + "(): changes the tensor and returns it.";
  rows.push_back(op<&InPlace<F>::call>((name + "_").c_str(), arguments, text.c_str(), kMethod));
}

}  // namespace bolide::python
