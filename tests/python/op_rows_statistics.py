"""Rows of op_rows.py: covariances, histograms, integrals and slopes of samples. NumPy's are the oracle."""

import numpy as np
from harness import Case, Fixed, Row
from op_rows_elementwise import FC
from op_rows_places import SLOPE

WIDE = ("float32", "float64")
NUMBERS = ("float16", "bfloat16", *WIDE, "complex64", "complex128")


def cases(*choices, **options):
    """choices: (shape, named arguments)."""
    return tuple(Case((shape,), named=named, **options) for shape, named in choices)


# ---- covariance ----------------------------------------------------------------------------------

SIZES = {"absolute": 16, "scale": lambda x, **_: 9.0, "half_roundings": 8, "outside": "skip", "reason": "sums of products"}  # fmt: skip


def cov(x, correction=1, fweights=None, aweights=None):
    return np.cov(x, ddof=correction, fweights=fweights, aweights=aweights)


def weighted(library, x, fweights=None, aweights=None, **named):
    made = {
        name: library.from_array(np.array(w), dtype)
        for name, w, dtype in (("fweights", fweights, "int64"), ("aweights", aweights, "float64"))
        if w is not None
    }
    return library.cov(x, **made, **named)


def correlation(x):
    return np.corrcoef(x)


COVARIANCES = [
    Row("cov", cov, FC, cases=(*cases(((3, 5), {}), ((7,), {}), ((2, 6), {"correction": 0}), dtypes=WIDE + NUMBERS[4:]),
        *cases(((3, 4), {"fweights": [1, 2, 0, 3]}), ((2, 4), {"aweights": [0.5, 1.0, 2.0, 0.25]}),
               ((2, 4), {"fweights": [1, 2, 1, 3], "aweights": [0.5, 1.0, 2.0, 0.25]}), dtypes=("float64",))),
        call=weighted, complex_ulps=16, **SIZES, **SLOPE),
    Row("corrcoef", correlation, FC, cases=cases(((3, 6), {}), ((2, 9), {}), dtypes=WIDE + NUMBERS[4:],
        layouts=("contiguous", "transposed", "sliced", "offset")), complex_ulps=16, **{**SIZES, "absolute": 64}, **SLOPE),
    Row("renorm", lambda x, p, dim, limit: oracle_renorm(x, p, dim, limit), FC, cases=tuple(Case(((3, 4), p, dim, 2.5), dtypes=
        WIDE + NUMBERS[4:]) for p, dim in ((2, 0), (1, 1), (3, -1))), ulps=16, absolute=1e3, outside="skip",
        reason="PyTorch adds 1e-7 to the norm; here exactly so", **SLOPE),
]  # fmt: skip


def oracle_renorm(x, p, dim, limit):
    axes = tuple(d for d in range(x.ndim) if d != dim % x.ndim)
    norms = np.sum(abs(x) ** p, axis=axes, keepdims=True) ** (1 / p)
    return x * np.where(norms > limit, limit / (norms + 1e-7), 1.0)


# ---- counting ------------------------------------------------------------------------------------


def histogram(x, bins, range=None, weight=None, density=False):
    return np.histogram(x, bins, range, density, None if weight is None else weight)


def of_points(x, bins, range=None, density=False):
    pairs = None if range is None else list(zip(range[::2], range[1::2], strict=True))
    counts, edges = np.histogramdd(x.reshape(-1, x.shape[-1]), bins, pairs, density)
    return counts, *edges


def points_call(library, x, *args, **named):
    found = library.histogramdd(x, *args, **named)
    return found.hist, *found.bin_edges


def frexp(library, x):
    mantissa, exponent = library.frexp(x)
    assert str(exponent.dtype).endswith("int32")
    return mantissa, exponent.long()


STILL = {"layouts": ("contiguous", "transposed", "sliced", "offset"), "dtypes": ("float64",)}
COUNTS = {"dtypes": "Float", "outside": "skip", "ulps": 8, "reason": "edges as NumPy rounds them, or the next number"}  # fmt: skip
COUNTING = [
    Row("histogram", histogram, cases=(Case(((30,), 4), **STILL), Case(((5, 6), 3), named={"range": (-2.0, 1.5)}, **STILL),
        Case(((30,), 5), named={"density": True}, **STILL), Case(((0,), 3), named={"range": (0.0, 1.0)}, **STILL)),
        call=lambda library, x, *args, **named: tuple(library.histogram(x, *args, **named)), **COUNTS),
    Row("histogram between edges", histogram, cases=(Case(((30,), Fixed(np.array([-2.0, -0.5, 0.0, 2.5]))), **STILL),),
        call=lambda library, x, edges: tuple(library.histogram(x, edges)), **COUNTS),
    Row("histogramdd", of_points, cases=(Case(((30, 2),), args=((3, 4),), **STILL), Case(((5, 6, 2), 3), named={"range": (-2.0, 2.0, -1.0,
        3.0)}, **STILL), Case(((20, 2),), args=((2, 2),), named={"density": True}, **STILL)), call=points_call,
        **{**COUNTS, "absolute": 2, "reason": "edges are counted from the nearer end, as in linspace"}),
    Row("nonzero_static", lambda x, size, fill_value=-1: np.concatenate([np.argwhere(x), np.full((99, x.ndim), fill_value)])[:size],
        "Any|Complex", "int64", tuple(Case(((3, 5),), named={"size": n, **more}) for n, more in ((4, {}), (20, {"fill_value":
        7}), (0, {}))), integers=(0, 2)),
    Row("frexp", lambda x: np.frexp(x), cases=tuple(Case((shape,)) for shape in ((3, 5), (131,), (), (0, 3))), outside="skip",
        ulps=0.0, places=True, call=frexp, **SLOPE),
]  # fmt: skip

# ---- integrals and slopes ------------------------------------------------------------------------

SUMS = {"absolute": 16, "scale": lambda y, *x, **_: 9.0, "half_roundings": 8, "outside": "skip", "reason": "sums"}  # fmt: skip


def trapezoid(y, x=None, dx=1.0, dim=-1):
    return np.trapezoid(y, x, dx, dim) if hasattr(np, "trapezoid") else np.trapz(y, x, dx, dim)


def cumulative(y, x=None, dx=1.0, dim=-1):
    y = np.moveaxis(y, dim, -1)
    steps = dx if x is None else np.diff(x if x.ndim == 1 else np.moveaxis(x, dim, -1))
    return np.moveaxis(np.cumsum((y[..., 1:] + y[..., :-1]) / 2 * steps, -1), -1, dim)


def slopes(x, spacing=1, dim=None, edge_order=1):
    found = np.gradient(
        x, *(spacing if isinstance(spacing, list) else [spacing]), axis=dim, edge_order=edge_order
    )
    return tuple(found) if isinstance(found, list | tuple) else found


AREAS = (*cases(((3, 5), {}), ((3, 5), {"dx": 0.5}), ((4, 3), {"dim": 0}), ((1, 3), {"dim": 0}), dtypes=NUMBERS),
         Case(((3, 5), (5,)), dtypes=NUMBERS), Case(((3, 4), (3, 4)), named={"dim": 0}, dtypes=NUMBERS))  # fmt: skip
SAMPLES = [
    Row("trapezoid", trapezoid, FC, cases=AREAS, gradient=(True, True), complex_ulps=16, **SUMS),
    Row("cumulative_trapezoid", cumulative, FC, cases=AREAS, gradient=(True, True), complex_ulps=16, **SUMS),
    Row("gradient", slopes, FC, cases=cases(((5,), {}), ((4, 5), {"spacing": 0.5}), ((4, 5), {"dim": 1}), ((3, 5),
        {"edge_order": 2}), ((4, 3), {"spacing": [2.0, 0.5]}), ((4, 4), {"spacing": 2.0, "dim": (1, 0)}), dtypes=NUMBERS),
        complex_ulps=16, **SUMS, **SLOPE),
    Row("gradient at places", lambda f, x, edge_order=1: np.gradient(f, x, axis=1, edge_order=edge_order), FC, cases=tuple(
        Case(((3, 5), Fixed(np.array([0.0, 1.0, 1.5, 3.0, 3.25]))), named={"edge_order": order}, dtypes=("float64",
        "complex128")) for order in (1, 2)), call=lambda library, f, x, **named: library.gradient(f, spacing=[x], dim=1,
        **named), complex_ulps=16, **SUMS, **SLOPE),
]  # fmt: skip

ALL = COVARIANCES + COUNTING + SAMPLES
ON_SORT = [row.name for row in COUNTING if row.name.startswith("histogram")]
