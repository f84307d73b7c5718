"""Rows of op_rows.py: what sorts, searches, finds equal elements and counts (runtime/sorting.h)."""

import math

import numpy as np
from harness import Case, Fixed, Row
from op_rows_places import CUBE, SLOPE

ORDERED = {"dtypes": "Any", "ulps": 0.0, "outside": "skip", "zero_sign": False}
LONG = (3, 1500)  # long enough for the radix sort
WIDE_DTYPES = ("float32", "float64")


def named(shape, *choices, **options):
    return tuple(Case((shape,), named=dict(choice), **options) for choice in choices)


def pairs_of(name):
    return lambda library, *tensors, **named: tuple(getattr(library, name)(*tensors, **named))


def of_name(name):
    return lambda library, *tensors, **named: getattr(library, name)(*tensors, **named)


LINES = [
    [1.0, math.nan, 3.0, -1.0, 1.0],
    [math.inf, 1.0, 2.0, 0.0, -math.inf],
    [0.0, -0.0, 0.0, -0.0, 1.0],
]
LINES += [[math.nan] * 5, [-math.nan, math.inf, math.nan, 5.0, -2.0]]
SPECIAL = tuple(Case((Fixed(np.array(LINES, dtype)),), dtypes=(dtype,), smooth=False) for dtype in WIDE_DTYPES)  # fmt: skip
ALL_NAN = tuple(Case((Fixed(np.full(5, np.nan, dtype)),), dtypes=(dtype,), smooth=False) for dtype in WIDE_DTYPES)  # fmt: skip


# ---- order ---------------------------------------------------------------------------------------


def order(x, dim=-1, descending=False, **_):
    """Stable, NaN as the largest number."""
    if not x.ndim:
        return np.int64(0)
    if not descending:
        return np.argsort(x, axis=dim, kind="stable")
    turned = np.argsort(np.flip(x, dim), axis=dim, kind="stable")
    return x.shape[dim] - 1 - np.flip(turned, dim)


def taken(x, places, dim):
    return np.take_along_axis(x, places, dim) if x.ndim else x


def sort(x, dim=-1, descending=False, **_):
    places = order(x, dim, descending)
    return taken(x, places, dim), places


def topk(x, k, dim=-1, largest=True, **_):
    places = order(x, dim, largest)
    places = np.take(places, range(k), dim) if x.ndim else places
    return taken(x, places, dim), places


def one_place(x, places, dim, keepdim):
    """The element at one place of each row."""
    if not x.ndim:
        return x, np.int64(0)
    values = np.take_along_axis(x, places, dim)
    return (values, places) if keepdim else (values.squeeze(dim), places.squeeze(dim))


def kthvalue(x, k, dim=-1, keepdim=False):
    return one_place(x, np.take(order(x, dim), [k - 1], dim) if x.ndim else 0, dim, keepdim)


def median(x, dim=-1, keepdim=False, ignore_nan=False):
    if not x.ndim:
        return x, np.int64(0)
    size, nans = x.shape[dim], np.isnan(x).sum(dim, keepdims=True)
    at = (size - 1 - nans) // 2 if ignore_nan else np.where(nans > 0, size - nans, (size - 1) // 2)
    places = np.take_along_axis(order(x, dim), np.maximum(at, 0), dim)
    return one_place(x, places, dim, keepdim)


def nanmedian(x, dim=-1, keepdim=False):
    return median(x, dim, keepdim, True)


def of_all(function):
    return lambda x: function(x.reshape(-1), 0)[0]


def mode(x, dim=-1, keepdim=False):
    """The last place of the most frequent value, the smallest of several."""
    if not x.ndim:
        return x, np.int64(0)

    def place(row):
        values, counts = np.unique(row, return_counts=True)
        return np.flatnonzero(row == values[np.argmax(counts)])[-1:]

    if not x.size:
        return kthvalue(x, 1, dim, keepdim)
    return one_place(x, np.apply_along_axis(place, dim, x), dim, keepdim)


def quantile(function):
    def found(x, q, dim=None, keepdim=False, interpolation="linear"):
        result = function(
            x, q, axis=dim if x.ndim else None, keepdims=keepdim, method=interpolation
        )
        return np.asarray(result, x.dtype)

    return found


def with_q(name):
    """q as a tensor of the input's dtype where it is a list."""

    def call(library, x, q, *args, **named):
        q = library.module.tensor(q, dtype=x.dtype, device=x.device) if isinstance(q, list) else q
        return getattr(library, name)(x, q, *args, **named)

    return call


BOTH_WAYS = ({}, {"dim": 0}, {"dim": 1, "descending": True}, {"descending": True})
ORDERS = (*named(CUBE, *BOTH_WAYS), *named((131,), *BOTH_WAYS[::3]), *named(LONG, *BOTH_WAYS[::3], smooth=False),
          *named((3, 300), *BOTH_WAYS[::3], smooth=False), *named((), {}), *named((0, 3), {}, {"dim": 0}), *SPECIAL)  # fmt: skip
KEPT = ({"dim": 0}, {"dim": 1, "keepdim": True}, {"dim": -1})
ROWS = (
    *named(CUBE, *KEPT),
    *named((4, 70), {"dim": 1}),
    *named((), {"dim": 0}),
    *named((0, 3), {"dim": 1}),
)


def also(cases, **more):
    return tuple(
        Case(c.inputs, c.args, {**c.named, **more}, c.layouts, c.dtypes, c.smooth) for c in cases
    )


QUANTILES = tuple(
    Case((shape,), args, choice, dtypes=WIDE_DTYPES)
    for shape, args, choice in [
        (CUBE, (0.37,), {}), (CUBE, (0.37,), {"dim": 1}), (CUBE, ([0.2, 0.6, 1.0],), {"dim": 0, "keepdim": True}),
        (CUBE, ([0.2, 0.61],), {"keepdim": True}), ((131,), (0.37,), {"interpolation": "lower"}), ((), (0.5,), {"dim": 0}),
        ((131,), (0.37,), {"interpolation": "higher"}), ((131,), (0.37,), {"interpolation": "nearest"}),
        ((131,), (0.37,), {"interpolation": "midpoint"}), (CUBE, ([0.2, 0.61],), {"dim": 2}),
    ]
)  # fmt: skip
QUANTILES_OF_LINES = tuple(
    Case(c.inputs, (0.37,), {"dim": 1, "interpolation": "lower"}, dtypes=c.dtypes, smooth=False)
    for c in SPECIAL
)

ORDER = [
    Row("sort", sort, cases=ORDERS, call=pairs_of("sort"), places=True, integers=(-120, 120), **ORDERED, **SLOPE),
    Row("argsort", order, result="int64", cases=ORDERS, integers=(-120, 120), **ORDERED),
    Row("msort", lambda x: sort(x, 0)[0], cases=(*named(CUBE, {}), *named((131,), {})), **ORDERED, **SLOPE),
    Row("topk", topk, cases=(*named(CUBE, {"k": 2}, {"k": 2, "dim": 0, "largest": False}, {"k": 0}), *named((131,), {"k": 131}),
        *named(LONG, {"k": 7}, {"k": 900}, smooth=False), *named((), {"k": 1}), *also(SPECIAL, k=3)), call=pairs_of("topk"),
        places=True, integers=(-120, 120), **ORDERED, **SLOPE),
    Row("kthvalue", kthvalue, cases=(*also(ROWS, k=1), *named(CUBE, {"k": 3, "dim": 1}), *named(LONG, {"k": 5}, {"k": 1000},
        smooth=False), *also(SPECIAL, k=4)), call=pairs_of("kthvalue"), places=True, integers=(-120, 120), **ORDERED, **SLOPE),
    Row("median", median, cases=(*ROWS, *also(SPECIAL, dim=1), *named(LONG, {"dim": 1}, smooth=False)), call=pairs_of("median"), places=True, **ORDERED, **SLOPE),
    Row("nanmedian", nanmedian, cases=(*ROWS, *also(SPECIAL, dim=1)), call=pairs_of("nanmedian"), places=True, **ORDERED,
        **SLOPE),
    Row("median of all", of_all(median), cases=(*named(CUBE, {}), *named((131,), {}), *named((), {}), *named(LONG, {}, smooth=False),
        *SPECIAL), call=of_name("median"), **ORDERED, **SLOPE),
    Row("nanmedian of all", of_all(nanmedian), cases=(*named(CUBE, {}), *SPECIAL, *ALL_NAN), call=of_name("nanmedian"), **ORDERED,
        **SLOPE),
    Row("mode", mode, cases=(*ROWS, *named((4, 700), {})), call=pairs_of("mode"), places=True, integers=(-3, 3), **ORDERED,
        **SLOPE),
    Row("quantile", quantile(np.quantile), cases=QUANTILES + QUANTILES_OF_LINES, call=with_q("quantile"), outside="skip", absolute=8,
        scale=lambda x, *_, **__: 131.0, reason="the place in a row is rounded: an error of n eps of the distance", **SLOPE),
    Row("nanquantile", quantile(np.nanquantile), cases=QUANTILES, call=with_q("nanquantile"), outside="skip", absolute=8,
        scale=lambda x, *_, **__: 131.0, reason="as quantile", **SLOPE),
]  # fmt: skip

# ---- search --------------------------------------------------------------------------------------


def searchsorted(rows, x, right=False, **_):
    side, rows = "right" if right else "left", np.sort(rows, -1)
    if rows.ndim == 1:
        return np.searchsorted(rows, x, side)
    found = [np.searchsorted(r, v, side) for r, v in zip(rows.reshape(-1, rows.shape[-1]), x.reshape(-1, x.shape[-1]),
                                                         strict=True)]  # fmt: skip
    return np.array(found).reshape(x.shape)


def search(library, rows, x, **named):
    return library.searchsorted(rows.sort(-1).values, x, **named)


def search_by_order(library, rows, x, **named):
    return library.searchsorted(rows, x, sorter=rows.argsort(-1), **named)


SEARCHES = tuple(
    Case(inputs, named=choice)
    for inputs in (((7,), (3, 5)), ((2, 3, 9), (2, 3, 4)), ((131,), ()), ((0,), (3,)), ((5,), (0, 3)), ((4,), 2), ((2, 40), (2, 21)))
    for choice in ({}, {"right": True})
)  # fmt: skip
SEARCHED = {"result": "int64", "dtypes": "Number", "outside": "skip"}

SEARCH = [
    Row("searchsorted", searchsorted, cases=SEARCHES, call=search, **SEARCHED),
    Row("searchsorted by order", searchsorted, cases=SEARCHES[:6] + SEARCHES[-2:], call=search_by_order, **SEARCHED),
    Row("bucketize", lambda x, rows, **named: searchsorted(rows, x, **named), cases=(Case(((3, 5), (7,))),
        Case(((), (7,)), named={"right": True}), Case((2, (7,)))), **SEARCHED,
        call=lambda library, x, rows, **named: library.bucketize(x, rows.sort().values, **named)),
    Row("isin", np.isin, result="bool", cases=(Case(((3, 5), (7,))), Case(((131,), (2, 70))), Case(((3,), (0,))),
        Case(((3, 5), 2)), Case(((3, 5), (7,)), named={"invert": True})), dtypes="Number", outside="skip"),
]  # fmt: skip

# ---- equal elements, counts ----------------------------------------------------------------------


def places_of_unique(x, **named):
    _, inverse, counts = np.unique(
        x, return_inverse=True, return_counts=True, axis=named.get("dim")
    )
    return (inverse.reshape(x.shape) if "dim" not in named else inverse.reshape(-1)), counts


def runs(x, dim=0):
    """The first slice of each run of equal ones, the run of each slice, and how long the runs are."""
    x = np.moveaxis(x, dim, 0)
    flat = x.reshape(len(x), int(np.prod(x.shape[1:])))
    new = np.ones(len(x), bool)
    new[1:] = (flat[1:] != flat[:-1]).any(1)
    number = np.cumsum(new) - 1
    return np.moveaxis(x[new], 0, dim), number, np.bincount(number, minlength=0)


def places(name):
    return lambda library, x, **named: tuple(getattr(library, name)(x, return_inverse=True, return_counts=True, **named))[1:]  # fmt: skip


def histogram(x, bins=100, min=0, max=0):
    limits = None if min == max else (min, max)
    return np.histogram(x, bins, limits)[0].astype(np.float64)


FEW = {"integers": (-3, 3), "ulps": 0.0, "outside": "skip"}
EQUALS = (*named(CUBE, {}), *named((131,), {}), *named((), {}), *named((0, 3), {}))
SLICES = (*named((9, 2), {"dim": 0}), *named((2, 9), {"dim": 1}), *named((3, 5, 2), {"dim": -1}))
BINS = ({"bins": 7}, {"bins": 4, "min": -1, "max": 2})
VECTORS = (*named((131,), {}, {"minlength": 20}), *named((0,), {}, {"minlength": 3}))

COUNTS = [
    Row("unique", np.unique, "Any", cases=EQUALS, **FEW),
    Row("unique slices", lambda x, dim: np.unique(x, axis=dim), "Number", cases=SLICES, call=of_name("unique"), **FEW),
    Row("unique places", places_of_unique, "Any", "int64", cases=EQUALS + SLICES[:2], call=places("unique"), **FEW),
    Row("unique_consecutive", lambda x: runs(x.reshape(-1))[0], "Any", cases=EQUALS, **FEW),
    Row("unique_consecutive slices", lambda x, dim: runs(x, dim)[0], "Any", cases=SLICES, call=of_name("unique_consecutive"),
        **FEW),
    Row("unique_consecutive places", lambda x, **named: runs(x, **named)[1:], "Any", "int64", cases=EQUALS[1:2] + SLICES,
        call=places("unique_consecutive"), **FEW),
    Row("bincount", lambda x, minlength=0: np.bincount(x, minlength=minlength), "Int", "int64", cases=VECTORS, integers=(0, 9),
        outside="skip"),
    Row("bincount of weights", lambda w, at: np.bincount(at, w), "Float", "float64", ulps=4, reason="a sum", outside="skip",
        cases=(Case(((131,), Fixed(np.arange(131) % 7)), dtypes=("float16", "bfloat16", "float64")),),
        call=lambda library, w, at: library.bincount(at, w)),
    Row("histc", histogram, cases=(*named(CUBE, *BINS), *named((700,), *BINS, {}), *named((), {"bins": 3})), ulps=0.0,
        outside="skip"),
]  # fmt: skip

ALL = ORDER + SEARCH + COUNTS
