"""Rows of op_rows.py: the functions of kernels/rare.def. Large arguments are in test_special.py."""

import numpy as np
import op_oracles
import rare_oracles as oracle
from harness import Case, Fixed, Row
from op_rows_elementwise import BINARY_CASES, FLOATING, GAMMA, ONES, POSITIVE, SLOPE, special, unary

# Computed in float64, so float32 and half types are exact; float64 itself by series and sums of some tens of terms.
SERIES = {"ulps": 16, "reason": "a series, or a sum of an integrand, in float64"}
WAVES = {**SERIES, "absolute": 16, "reason": "it crosses 0"}


def one(name, domain=(-3.0, 3.0), gradient=SLOPE, **options):
    return special(
        name, getattr(oracle, name), *ONES, domain=domain, **{**SERIES, **gradient, **options}
    )


DEGREES = Fixed(np.array([0, 1, 2, 3, 5, 8, 12]))


def polynomial(name, function, domain):
    return special(
        name, function, ((3, 7), DEGREES), ((7,), DEGREES), ((131,), 4), domain=domain, absolute=64,
        scale=lambda x, n: 1.0 + abs(function(x, n)), half_roundings=2, reason="a recurrence",
    )  # fmt: skip


def incomplete_gamma(name):
    row = {"gradient": (False, True), **SERIES, "domain": (POSITIVE, POSITIVE), "integers": (1, 9)}
    return Row(name, getattr(oracle, name), "Float", cases=BINARY_CASES[:6], inplace=True, absolute=2,
               aliases=(f"special.{'gammainc' if name == 'igamma' else 'gammaincc'}",), **FLOATING, **row)  # fmt: skip


ALL = [
    unary("i0", oracle.i0, inplace=True, extremes=False, **SERIES, **FLOATING, **SLOPE),
    *(one(name) for name in ("i0e", "i1", "i1e")),
    *(one(name, POSITIVE) for name in ("modified_bessel_k0", "modified_bessel_k1", "scaled_modified_bessel_k0",
                                       "scaled_modified_bessel_k1")),
    *(one(name, **WAVES) for name in ("bessel_j0", "bessel_j1")),
    *(one(name, POSITIVE, **WAVES) for name in ("bessel_y0", "bessel_y1")),
    one("spherical_bessel_j0", gradient={}, **WAVES),
    one("airy_ai", (-6.0, 4.0), gradient={}, **WAVES),
    one("erfcx", (-2.0, 4.0)),
    one("log_ndtr"),
    special("ndtri", oracle.ndtri, ((3, 5),), ((),), ((0, 3),), domain=(0.05, 0.95), absolute=4, **SERIES, **SLOPE),
    incomplete_gamma("igamma"),
    incomplete_gamma("igammac"),
    *(polynomial(name, function, (-0.98, 0.98)) for name, function in oracle.POLYNOMIALS.items()),
    *(polynomial(f"shifted_{name}", lambda x, n, f=function: f(2 * x - 1, n), (0.01, 0.99))
      for name, function in oracle.POLYNOMIALS.items() if name.startswith("chebyshev")),
]  # fmt: skip
MADE_OF_OTHERS = [
    Row("mvlgamma", op_oracles.multigammaln, cases=(Case(((3, 5),), args=(3,)), Case(((),), args=(2,)), Case(((0, 3),),
        args=(1,))), **{**GAMMA, "domain": (2.2, 6.0), "integers": (3, 9), "absolute": 16, "half_roundings": 2,
        "reason": "a sum of logarithms that may cancel"}, aliases=("special.multigammaln",)),
]  # fmt: skip
