"""Where bolide differs from PyTorch's samples on purpose: an entry of ACCEPTED each, with its reason.

torch_samples.py matches an entry by the op's name (a glob), the kind of difference ("differs", "raises", "error type", "no error",
"missing"), a pattern of the message and one of the call. An entry that a run of all ops with second gradients does not meet is reported.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass


@dataclass
class Accepted:
    ops: str
    kind: str
    text: str  # searched in the message and the sample, as "message | sample"
    reason: str
    dtypes: str = ""  # the only ones that may differ, where it says some
    rare: bool = False  # shown by reference inputs alone
    seen: int = 0


NUMBER = "a Python number where PyTorch wants a tensor is taken"
OVERLAP = "an out= that overlaps an input is right: what is computed is copied there at the end"
NO_COMPLEX_HALF = "there is no complex32: half and complex numbers meet in complex64"
NO_CONJ_VIEW = "a conjugate is a copy, not a lazy view (docs/design, 11)"
INNER_OVERLAP = "what is written in place has to be distinct elements: PyTorch lets some overlap, and gives what comes"
OUTSIDE = (
    "outside of where the function is defined bolide's gradient is NaN, PyTorch's a number or zero"
)
INFINITE = "infinite complex numbers: C99 says that they are infinite, PyTorch's formula gives NaN, or the other way"
TRIANGLE = "PyTorch gives the triangle that is not read a gradient; its derivative is 0"

ACCEPTED = [
    Accepted("*", "no error", r"must be Tensor, not (int|float)|got \(int, (Tensor|int)", NUMBER),
    Accepted("*", "no error", "refer to a single memory location|unsupported operation", OVERLAP),
    Accepted("*", "raises", "elements are all distinct, got an expanded", INNER_OVERLAP, rare=True),
    Accepted("histogramdd", "raises", "argument 'out'", "PyTorch's takes no out= either"),
    Accepted(
        "add* sub* mul* div* ldexp log* exp* pow* asinh nn.functional.silu* rsub __r*",
        "differs",
        "(inf|nan).*, bolide .*j|j.*, bolide .*nan",
        INFINITE,
        "complex64 complex128",
        rare=True,
    ),
    Accepted(
        "abs acosh acos asin atanh copysign", "differs", "gradient 0.*nan", OUTSIDE, rare=True
    ),
    Accepted(
        "addcdiv addcmul",
        "differs",
        "gradient",
        "PyTorch rounds value * tensor1 to bfloat16 in the gradient",
        "float64 complex128",
        rare=True,
    ),
    Accepted(
        "clamp clamp_m*",
        "differs",
        "gradient",
        "a bound that is infinite gets no gradient",
        "float64",
        rare=True,
    ),
    Accepted(
        "svd_lowrank",
        "differs",
        "values.*M=[a-z]",
        "a random sketch of two vectors of a matrix of higher rank",
    ),
    Accepted("igamma igammac sign sgn", "differs", "bolide nan", "NaN gives NaN", rare=True),
    Accepted(
        "__r*", "raises", "descriptor", "an unbound operator wants its tensor first", rare=True
    ),
    Accepted("i0", "differs", "nan, bolide inf", "PyTorch's is NaN at infinity", rare=True),
    Accepted(
        "gcd isclose", "differs", "", "PyTorch computes in int8, and overflows", "int8", rare=True
    ),
    Accepted(
        "nn.functional.elu nn.functional.celu nn.functional.selu",
        "differs",
        "gradient 0.*bolide nan",
        "the gradient at NaN is NaN",
        rare=True,
    ),
    Accepted(
        "nn.functional.softshrink nn.functional.hardshrink nn.functional.hardtanh nn.functional.relu6",
        "differs",
        "gradient 0",
        "at NaN PyTorch's vector code and its scalar code give different gradients",
        rare=True,
    ),
    Accepted(
        "fmod",
        "differs",
        "gradient 1",
        "trunc(a / b) where the quotient rounds up to a whole number; bolide's is (fmod - a) / b",
        rare=True,
    ),
    Accepted("clamp", "no samples", "", "PyTorch's own samples raise", rare=True),
    Accepted("addcmul addcdiv", "no samples", "", "PyTorch's own samples raise", rare=True),
    Accepted(
        "linalg.norm.subgradients_at_zero",
        "differs",
        "second gradient.*nan.*bolide 0",
        "a second derivative at zero does not exist: PyTorch's is NaN, that of the subgradient is 0",
    ),
    Accepted("conj H mH", "differs", "shares memory, bolide a copy", NO_CONJ_VIEW),
    Accepted("complex view_as_complex", "raises", "float16", NO_COMPLEX_HALF),
    Accepted("cholesky_inverse cholesky_solve", "differs", "gradient [01]", TRIANGLE),
    Accepted(
        "as_strided_scatter",
        "differs",
        "gradient 0",
        "PyTorch's gradient is wrong: its gradcheck says so",
    ),
    Accepted(
        "*polygamma*",
        "differs",
        "bolide inf",
        "a pole is infinite; PyTorch's sin(pi x) is not 0 there",
        "int8",
    ),
    Accepted("chalf to_sparse", "missing", "", "neither complex32 nor sparse tensors are there"),
    Accepted(
        "normal* bernoulli",
        "differs",
        "requires_grad True",
        "random numbers have no gradient; PyTorch's is zero",
    ),
    Accepted(
        "nextafter",
        "differs",
        "requires_grad True|gradient 0",
        "has no gradient; PyTorch's backward raises",
    ),
    Accepted(
        "logcumsumexp",
        "differs",
        "values",
        "the imaginary part up to 2 pi: sums are formed in another order",
        "complex64 complex128",
    ),
    Accepted("addbmm", "raises", r"\[copy_\]", "a tensor with history does not grow in place"),
    Accepted(
        "linspace* logspace*",
        "error type",
        "bolide TypeError",
        "a tensor of several numbers is no number",
    ),
]


def entry_of(name: str, kind: str, message: str, dtypes: set, sample: str) -> Accepted | None:
    for entry in ACCEPTED:
        names = any(fnmatch.fnmatch(name, pattern) for pattern in entry.ops.split())
        fits = not entry.dtypes or dtypes <= set(entry.dtypes.split())
        if names and fits and kind == entry.kind and re.search(entry.text, f"{message} | {sample}"):
            return entry
    return None
