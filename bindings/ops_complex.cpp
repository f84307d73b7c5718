// ops_complex.cpp - complex numbers: their parts as views, tensors made of parts, conjugates.
//
// The elementwise functions of complex numbers (abs, angle, sgn, conj_physical, exp, ...) come from the op table.
#include "bindings/ops_table.h"

namespace bolide::python {
namespace {

// Two parts of one real dtype, side by side in a last dimension.
Tensor joined(const char* op, const Tensor& a, const Tensor& b) {
  check(a.dtype() == b.dtype() && (a.dtype() == DType::F32 || a.dtype() == DType::F64), ErrorKind::DType, op,
        "two tensors of float32 or two of float64",
        [&] { return str(name_of(a.dtype()), " and ", name_of(b.dtype())); });
  const Dims sizes = broadcast_sizes(op, a.sizes(), b.sizes());
  const Tensor parts[] = {expand(a, sizes), expand(b, sizes)};
  return view_as_complex(stack(parts, -1));
}
Tensor complex_of(const Tensor& real, const Tensor& imag) { return joined("complex", real, imag); }
Tensor polar(const Tensor& length, const Tensor& angle) {
  check(length.dtype() == angle.dtype(), ErrorKind::DType, "polar", "two tensors of one dtype",
        [&] { return str(name_of(length.dtype()), " and ", name_of(angle.dtype())); });
  return joined("polar", mul(length, cos(angle)), mul(length, sin(angle)));
}
Tensor conjugate(const Tensor& x) { return conj(x); }
Tensor resolved(const Tensor& x) { return x; }
bool never(const Tensor&) { return false; }
bool nothing_negative(const Tensor&) { return false; }
Tensor resolved_sign(const Tensor& x) { return x; }
Tensor isreal(const Tensor& x) { return is_complex(x.dtype()) ? eq(imag(x), 0) : to(full_like(x, 1), DType::Bool); }
Tensor vdot(const Tensor& a, const Tensor& b) {
  if (a.rank() != 1 || b.rank() != 1 || a.size(0) != b.size(0))
    raise(ErrorKind::Shape, "vdot", "two vectors of one size", str(a.sizes().text(), " and ", b.sizes().text()));
  return matmul(conj(a), b);
}
Tensor real_part(const Tensor& x) { return real(x); }
Tensor imaginary_part(const Tensor& x) { return imag(x); }
Tensor as_pairs(const Tensor& x) { return view_as_real(x); }
Tensor from_pairs(const Tensor& x) { return view_as_complex(x); }

}  // namespace

std::vector<Op> complex_rows() {
  return {
      op<&as_pairs>("view_as_real", "input",
                    "Complex numbers [...] as pairs [..., 2] of real and imaginary part: a view.\n\n"
                    "Raises: BolideError for a real tensor.\nReference: torch.view_as_real.",
                    kFunction),
      op<&from_pairs>("view_as_complex", "input",
                      "Pairs [..., 2] of float32 or float64 as complex numbers [...]: a view.\n\n"
                      "Raises: BolideError where pairs do not lie together in memory.\n"
                      "Example: >>> bolide.view_as_complex(bolide.ones(3, 2))\nReference: torch.view_as_complex.",
                      kFunction),
      op<&real_part>("real", "input", "The real parts: a view; of a real tensor itself.\n\nReference: torch.real.",
                     kFunction),
      op<&imaginary_part>("imag", "input",
                          "The imaginary parts: a view.\n\nRaises: BolideError for a real tensor.\n"
                          "Reference: torch.imag.",
                          kFunction),
      op<&complex_of>("complex", "real, imag",
                      "Complex numbers from their parts, two tensors of float32 or of float64.\n\n"
                      "Example: >>> bolide.complex(bolide.ones(2), bolide.zeros(2))\nReference: torch.complex.",
                      kFunction),
      op<&polar>("polar", "abs, angle",
                 "Complex numbers from length and angle: abs * (cos(angle) + i sin(angle)).\n\n"
                 "Reference: torch.polar.",
                 kFunction),
      op<&conjugate>("conj", "input",
                     "Complex conjugate, a copy (PyTorch gives a lazy view); of a real tensor itself.\n\n"
                     "Reference: torch.conj."),
      op<&resolved>("resolve_conj", "input", "Itself: conjugates are never lazy.\n\nReference: torch.resolve_conj."),
      op<&resolved_sign>("resolve_neg", "input", "Itself: signs are never lazy.\n\nReference: torch.resolve_neg."),
      op<&never>("is_conj", "input", "False: conjugates are never lazy.\n\nReference: torch.is_conj."),
      op<&nothing_negative>("is_neg", "input", "False: signs are never lazy.\n\nReference: torch.is_neg."),
      op<&isreal>("isreal", "input", "Which elements have no imaginary part?\n\nReference: torch.isreal."),
      op<&vdot>("vdot", "input, other",
                "Sum of the products of conj(input) and other, two vectors.\n\nReference: torch.vdot."),
  };
}

}  // namespace bolide::python
