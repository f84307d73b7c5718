// ops_table.h - the parts of the op table; module.cpp joins them into functions, methods and stubs.
//
// To add an op that is not in kernels/elementwise.def or kernels/reduce.def (those come by themselves): one row in
// the file of its group. To add a group: a file with a function that returns rows, and its name here.
#pragma once
#include <array>
#include <vector>

#include "bindings/call.h"

namespace bolide::python {

std::vector<Op> elementwise_rows();  // ops_elementwise.cpp
std::vector<Op> composed_rows();     // ops_composed.cpp
std::vector<Op> complex_rows();      // ops_complex.cpp
std::vector<Op> pointwise_rows();    // ops_pointwise.cpp
std::vector<Op> rare_rows();         // ops_rare.cpp
std::vector<Op> statistics_rows();   // ops_statistics.cpp
std::vector<Op> reduction_rows();    // ops_reduce.cpp
std::vector<Op> scan_rows();         // ops_scan.cpp
std::vector<Op> fft_rows();          // ops_fft.cpp
std::vector<Op> sorting_rows();      // ops_sort.cpp
std::vector<Op> shape_rows();        // ops_shape.cpp
std::vector<Op> view_copy_rows();    // ops_view_copies.cpp
std::vector<Op> copy_rows();         // ops_copy.cpp
std::vector<Op> product_rows();      // ops_products.cpp
std::vector<Op> linalg_rows();       // ops_linalg.cpp
std::vector<Op> network_rows();      // ops_network.cpp
std::vector<Op> creation_rows();     // creation.cpp
std::vector<Op> random_rows();       // random.cpp
std::vector<Op> indexing_rows();     // indexing.cpp
std::vector<Op> interop_rows();      // interop.cpp
std::vector<Op> autograd_rows();     // autograd.cpp
std::vector<Op> pickling_rows();     // pickling.cpp
std::vector<Op> override_rows();     // overrides.cpp

// "float32, float64": a set of dtypes, for docstrings.
std::string dtypes_text(unsigned set);

// Two operands as the integers that they compute in have them; see narrowed().
struct Narrowed {
  Tensor made[2];
  Arg a, b;
  Narrowed(const Arg& x, const Arg& y) : Narrowed(x, y, promoted(std::array{x, y})) {}

 private:
  Narrowed(const Arg& x, const Arg& y, DType dtype) : a(narrowed(x, dtype, made[0])), b(narrowed(y, dtype, made[1])) {}
};
// The bound that clamp does not have: the end of the range, in a kind of number that promotes nothing.
Scalar end_of_range(DType dtype, bool high);
Tensor signbit(const Tensor& x);  // also where a gradient depends on the sign of zero

}  // namespace bolide::python
