"""Rows of op_rows.py: the Fourier transforms of bolide.fft. NumPy's are the oracle, in double.

Results are complex and inputs real or the other way round, which the harness has no word for: a row of a real input
gives view_as_real() of its spectrum. Errors are measured against the length of the whole input.
"""

import numpy as np
from harness import Case, Row
from op_rows_places import SLOPE

WIDE = ("float32", "float64")


def size(x, *args, **named):
    return np.sqrt(np.sum(abs(x) ** 2, keepdims=True)) * np.ones((1,) * x.ndim)


def cases(*choices):
    return tuple(
        Case((shape,), named=dict(named), dtypes=(*WIDE, "complex64", "complex128"))
        for shape, named in choices
    )


def pairs(z):
    return np.stack([z.real, z.imag], -1)


def row(name, function, dtypes, result, chosen, call, oracle):
    return Row(f"fft.{name}", oracle, dtypes, result, cases(*chosen), call=call, absolute=16, scale=size, outside="skip",
               reason="sums over the whole length", zero_sign=False, **SLOPE)  # fmt: skip


def numpy_named(named):
    return {
        {"dim": "axis" if isinstance(value, int) else "axes"}.get(key, key): value
        for key, value in named.items()
    }


def complex_row(name, *chosen):
    function = getattr(np.fft, name)
    return row(name, function, "Complex", "same", chosen, lambda library, x, **named: getattr(library.fft, name)(x, **named),
               lambda x, **named: function(x, **numpy_named(named)))  # fmt: skip


def spectrum_row(name, *chosen):
    function = getattr(np.fft, name)
    return row(name, function, "Float", "same", chosen,
               lambda library, x, **named: library.view_as_real(getattr(library.fft, name)(x, **named)),
               lambda x, **named: pairs(function(x, **numpy_named(named))))  # fmt: skip


def signal_row(name, *chosen):
    function = getattr(np.fft, name)
    return row(name, function, "Complex", "real", chosen, lambda library, x, **named: getattr(library.fft, name)(x, **named),
               lambda x, **named: function(x, **numpy_named(named)))  # fmt: skip


# Lengths: small primes, a large one, 1; across memory; cut and filled up.
ALONG = (
    ((2, 6), {}),
    ((3, 8, 2), {"dim": 1}),
    ((37,), {}),
    ((4, 1), {}),
    ((0, 3), {}),
    ((2, 5), {"n": 3}),
    ((2, 5), {"n": 8, "norm": "ortho"}),
    ((5, 2), {"dim": 0, "norm": "forward"}),
)
OVER = (
    ((3, 4), {}),
    ((2, 3, 5), {"s": (4, 4)}),
    ((2, 3, 4), {"dim": (0, 2), "norm": "ortho"}),
    ((0, 3, 2), {"dim": (1, 2)}),
)
HALVES = (
    ((2, 6), {}),
    ((3, 5, 2), {"dim": 1}),
    ((3, 5, 2), {"dim": 1, "n": 7}),
    ((19,), {"n": 37}),
    ((0, 3), {}),
    ((2, 5), {"n": 4, "norm": "ortho"}),
    ((5, 2), {"dim": 0, "norm": "forward"}),
    ((3, 1), {"n": 1}),
)
ALL = [
    complex_row("fft", *ALONG),
    complex_row("ifft", *ALONG),
    complex_row("fftn", *OVER),
    complex_row("ifftn", *OVER),
    spectrum_row("rfft", *ALONG),
    spectrum_row("ihfft", *ALONG),
    spectrum_row("rfftn", *OVER),
    signal_row("irfft", *HALVES),
    signal_row("hfft", *HALVES),
    signal_row("irfftn", *OVER),
]
