"""The one table of the op tests: a row per op, with its oracle, its domain and what it may differ by.

harness.py says what the columns are and runs them. To add an op: a row in its group, whose cases are the shapes and
arguments to try (the elementwise ones get them from `unary`, `binary`, `ternary`). A test fails while an op of the
library has no row here and no reason in NOT_ROWS.
"""

import math

import numpy as np
import op_oracles as oracle
import op_rows_fft
import op_rows_linalg
import op_rows_places
import op_rows_products
import op_rows_rare
import op_rows_sort
import op_rows_statistics
from harness import Case, Fixed, Row
from op_rows_elementwise import (
    BINARY,
    COMPOSED,
    FC,
    MASK,
    POINTWISE,
    SLOPE,
    SLOPES,
    SPECIAL,
    SPECIAL_ONLY,
    TERNARY,
    UNARY,
    cases,
)
from op_rows_places import CUBE, MOVED, method, moved, tuple_method

CONTIGUOUS = ("contiguous", "offset")

# ---- reductions ----------------------------------------------------------------------------------
# Sums of n terms in a tree of pairs: the error grows with log(n) times the sum of the sizes.


def sizes(function):
    return lambda x, dim=None, keepdim=False, **_: function(
        abs(x), axis=oracle.axes(dim), keepdims=keepdim
    )


SUM_SIZES = sizes(np.sum)


def dims(*choices, shape=(3, 4, 5), **options):
    return tuple(Case((shape,), named=dict(choice), **options) for choice in choices)


EACH_WAY = (
    *dims(
        {},
        {"dim": 0},
        {"dim": 1, "keepdim": True},
        {"dim": -1},
        {"dim": (0, 2)},
        {"dim": (2, 1), "keepdim": True},
    ),
    *dims({}, shape=(131,)),
    *dims({"dim": 0}, shape=(70, 3)),
    *dims({}, {"dim": 0}, {"dim": -1}, shape=()),
    *dims({"dim": 1}, shape=(0, 3)),
    *dims({"dim": 1, "keepdim": True}, shape=(3, 1)),
)
ONE_DIM = tuple(c for c in EACH_WAY if not isinstance(c.named.get("dim"), tuple))
NEEDS_DIM = tuple(c for c in ONE_DIM if "dim" in c.named)
OF_NOTHING = dims({}, {"dim": 0}, {"dim": 0, "keepdim": True}, shape=(0, 3))
OF_NOTHING_ROUGH = dims({}, {"dim": 0}, shape=(0, 3), smooth=False)


def extreme_lines(special=True):
    """Rows with NaN, infinities and zeros of both signs among the numbers."""
    lines = [[1.0, math.nan, 3.0, -1.0], [math.inf, 1.0, 2.0, 0.0], [-math.inf, math.inf, 1.0, 5.0]]
    lines += [[-math.inf, -2.0, 1.0, 0.5], [0.0, -0.0, 0.0, -0.0], [math.nan] * 4, [-math.inf] * 4]
    return tuple(Case((Fixed(np.array(lines, dtype)),), named={"dim": 1}, dtypes=(dtype,), smooth=False)
                 for dtype in ("float32", "float64"))  # fmt: skip


LINES = extreme_lines()
SUMS = {"absolute": 4, "scale": SUM_SIZES, "reason": "rounding of sums"}


def of_name(name):
    return lambda library, *tensors, **named: getattr(library, name)(*tensors, **named)


def as_called(name):
    return lambda library, *tensors, **named: tuple(getattr(library, name)(*tensors, **named))


REDUCTIONS = [
    Row("sum", oracle.reduction(np.sum), "Any|Complex", "sum", EACH_WAY + OF_NOTHING + LINES, complex_ulps=6, **SUMS, **SLOPE),
    Row("mean", oracle.reduction(np.mean), FC, "same", EACH_WAY + OF_NOTHING_ROUGH + LINES, complex_ulps=6, **SUMS, **SLOPE),
    Row("prod", oracle.reduction(np.prod), "Any|Complex", "sum", EACH_WAY + OF_NOTHING + LINES, domain=(0.5, 1.6), ulps=12, complex_ulps=200,
        integers=(-2, 2), reason="one rounding a factor; 131 in a tree", **SLOPE),
    Row("amax", oracle.reduction(np.max), "Any", "same", EACH_WAY + LINES, **SLOPE),
    Row("amin", oracle.reduction(np.min), "Any", "same", EACH_WAY + LINES, **SLOPE),
    Row("any", oracle.reduction(np.any), "Any|Complex", "boolean", EACH_WAY + OF_NOTHING + LINES),
    Row("all", oracle.reduction(np.all), "Any|Complex", "boolean", EACH_WAY + OF_NOTHING + LINES, integers=(0, 9)),
    Row("var", oracle.spread(np.var), "Float", "same", outside="skip", cases= (*(c for c in EACH_WAY if c.inputs not in (((),), ((3, 1),))),
        *dims({"dim": 1}, shape=(3, 1), smooth=False), *dims({"dim": 1, "correction": 0}, {"correction": 2})), absolute=8, scale=lambda x, **_: 9.0,
        reason="squares of differences from a rounded mean", **SLOPE),
    Row("logsumexp", oracle.logsumexp, "Float", "same", EACH_WAY + OF_NOTHING_ROUGH + LINES, absolute=6,
        reason="a sum of exponentials and its logarithm", outside="skip", **SLOPE),
    Row("logsumexp of complex numbers", oracle.logsumexp, "Complex", "same", dims({}, {"dim": 1}, {"dim": (0, 2), "keepdim": True}),
        call=of_name("logsumexp"), domain=(-1.0, 1.0), outside="skip", absolute=64, reason="as logsumexp", **SLOPE),
    Row("std", oracle.spread(np.std), "Float", "same", outside="skip", cases= (*dims({"dim": 1}, {"dim": (0, 2), "keepdim": True}),
        *dims({"correction": 0}, shape=(131,))), absolute=8, scale=lambda x, **_: 3.0, reason="as var", half_roundings=2, **SLOPE),
    Row("norm", oracle.norm, "Float", "same", outside="skip", cases=(*dims({}, {"dim": 1}, {"p": 1, "dim": 0}, {"p": 3.0, "dim": (0, 2)},
        {"p": math.inf, "dim": 1, "keepdim": True}, {"p": -math.inf}), *dims({"p": 0, "dim": 1}, smooth=False),
        *dims({}, shape=())), ulps=16, reason="a sum, and for odd p a power of powers", half_roundings=4,
        **SLOPE),
    Row("var of complex numbers", oracle.spread(np.var), "Complex", "real", dims({}, {"dim": 1, "correction": 0},
        {"dim": (0, 2), "keepdim": True}), call=of_name("var"), outside="skip", absolute=8, scale=lambda x, **_: 9.0, reason="as var",
        **SLOPE),
    Row("std of complex numbers", oracle.spread(np.std), "Complex", "real", dims({}, {"dim": 1}), call=of_name("std"), outside="skip",
        absolute=8, scale=lambda x, **_: 3.0, reason="as var", **SLOPE),
    Row("norm of complex numbers", oracle.norm, "Complex", "real", dims({}, {"dim": 1}, {"p": 1, "dim": 0}, {"p": 3.0,
        "dim": (0, 2)}), call=of_name("norm"), outside="skip", ulps=16, reason="as norm", **SLOPE),
    Row("count_nonzero", lambda x, dim=None: np.count_nonzero(x, axis=oracle.axes(dim)), "Any|Complex", "int64",
        dims({}, {"dim": 1}, {"dim": (0, 2)})),
    Row("argmax", oracle.place(np.argmax), "Number", "int64", ONE_DIM + LINES, integers=(-120, 120)),
    Row("argmin", oracle.place(np.argmin), "Number", "int64", ONE_DIM + LINES, integers=(-120, 120)),
    Row("max", oracle.extreme(np.max, np.argmax), "Any", "same", NEEDS_DIM + LINES, call=as_called("max"), places=True, **SLOPE),
    Row("min", oracle.extreme(np.min, np.argmin), "Any", "same", NEEDS_DIM + LINES, call=as_called("min"), places=True, **SLOPE),
]  # fmt: skip

# ---- scans -----------------------------------------------------------------------------------------

# Not one number repeated: 600 roundings the same way say nothing about the kernel.
LONG_SCANS = dims(
    {"dim": 0}, shape=(600,), smooth=False, layouts=("contiguous", "sliced", "offset")
)
SCANS = (*dims({"dim": 0}, {"dim": 1}, {"dim": -1}), *LONG_SCANS, *dims({"dim": 0}, shape=(70, 3)),
         *dims({"dim": 0}, {"dim": -1}, shape=()), *dims({"dim": 0}, {"dim": 1}, shape=(0, 3)))  # fmt: skip
SCAN_LINES = tuple(
    Case((c.inputs[0],), named={"dim": 1}, dtypes=c.dtypes, smooth=False) for c in LINES
)
WITH_ZEROS = (Case((Fixed(np.array([[1.5, 0.0, 2.0, 0.5], [0.0, 3.0, 1.0, 0.0], [2.0, 1.0, 0.5, 0.0]])),), named={"dim": 1},
                   dtypes=("float64",), smooth=False),)  # fmt: skip

SCAN_ROWS = [
    Row("cumsum", oracle.scan(np.add), "Any|Complex", "sum", SCANS + SCAN_LINES, complex_ulps=6, absolute=8, scale=oracle.scan_size,
        reason="added up in float64, rounded once", **SLOPE),
    Row("cumprod", oracle.scan(np.multiply), "Any|Complex", "sum", SCANS + SCAN_LINES + WITH_ZEROS, domain=(0.7, 1.4), integers=(-2, 2),
        ulps=32, complex_ulps=200, reason="multiplied in float64; in float64 one rounding a factor, of 600, either way", **SLOPE),
    Row("logcumsumexp", oracle.scan(np.logaddexp), "Float", "same", SCANS + SCAN_LINES, absolute=8,
        reason="logarithms of sums near 0", gradient_ulps=64, outside="skip", **SLOPE),
    Row("logcumsumexp of complex numbers", oracle.running_logsumexp, "Complex", "same", dims({"dim": 0}, {"dim": -1}),
        call=of_name("logcumsumexp"), domain=(-1.0, 1.0), outside="skip", absolute=64, reason="as logcumsumexp", **SLOPE),
    Row("cummax", oracle.running_extreme(np.fmax), "Any", "same", SCANS, call=as_called("cummax"), places=True, **SLOPE),
    Row("cummin", oracle.running_extreme(np.fmin), "Any", "same", SCANS, call=as_called("cummin"), places=True, **SLOPE),
    Row("diff", lambda x, n=1, dim=-1: np.diff(x, n, dim), "Number|Complex", "same", (*(Case(((4, 5),), named={"n": n, "dim": d}) for n, d in ((1, 0), (2, -1), (0, 0), (7, 1))),
        Case(((131,),)), Case(((0, 3),), named={"dim": 0})),
        call=lambda library, x, n=1, dim=-1: library.diff(x, n, dim), absolute=4, scale=lambda x, n=1, dim=-1: 8.0,
        reason="differences of differences cancel", outside="skip", half_roundings=4, **SLOPE),
    Row("nansum", oracle.reduction(np.nansum), "Any", "sum", EACH_WAY + OF_NOTHING + LINES, **SUMS, **SLOPE),
    Row("nanmean", oracle.nanmean, "Float", "same", EACH_WAY + OF_NOTHING_ROUGH + LINES, **SUMS, half_roundings=2, **SLOPE),
    Row("aminmax", lambda x, dim=None, keepdim=False: (oracle.reduction(np.min)(x, dim, keepdim),
        oracle.reduction(np.max)(x, dim, keepdim)), "Any", "same", ONE_DIM + LINES, call=as_called("aminmax"), **SLOPE),
]  # fmt: skip

# ---- views and rearrangements: the elements as they are ------------------------------------------


def by_shape(x, *shape):
    return x.reshape(shape)


def like_other(function):
    return lambda x, other: function(x, *other.shape)


VIEWS = [
    moved("view", by_shape, (CUBE, 6, 4), (CUBE, -1), (CUBE, 2, 1, 12), ((0, 3), 3, 0), ((), 1, 1),
          layouts=CONTIGUOUS),
    moved("reshape", by_shape, (CUBE, 6, 4), (CUBE, -1, 2), ((0, 3), 0, 7), ((), 1)),
    moved("flatten", oracle.flatten, (CUBE,), (CUBE, 1), (CUBE, 0, 1), ((),), ((0, 3),)),
    moved("unflatten", lambda x, dim, sizes: x.reshape(*x.shape[:dim], *sizes, *x.shape[dim + 1 :]),
          (CUBE, 2, (2, 2)), (CUBE, 0, (2, 1))),
    moved("ravel", np.ravel, (CUBE,), ((),)),
    moved("transpose", np.swapaxes, (CUBE, 0, 2), (CUBE, -1, 1), ((0, 3), 0, 1)),
    moved("t", np.transpose, ((3, 4),), ((3,),), ((),)),
    moved("T", np.transpose, ((3, 4),), call=lambda library, x: x.T),
    moved("mT", lambda x: np.swapaxes(x, -1, -2), (CUBE,), call=lambda library, x: x.mT),
    moved("permute", lambda x, *order: np.transpose(x, order), (CUBE, 2, 0, 1), (CUBE, 0, -1, 1)),
    moved("movedim", np.moveaxis, (CUBE, 0, 2), (CUBE, (0, 1), (2, 0))),
    moved("squeeze", oracle.squeeze, ((2, 1, 3, 1),), ((2, 1, 3, 1), 1), ((2, 1, 3, 1), -2), ((1, 1), (0, 1)), ((),)),
    moved("unsqueeze", np.expand_dims, (CUBE, 0), (CUBE, -1), ((), 0)),
    moved("expand", oracle.expand, ((3, 1), 3, 4), ((3, 1), 2, -1, 4), ((), 2, 3), ((1, 3), 0, 3)),
    moved("broadcast_to", lambda x, size: np.broadcast_to(x, size), ((3, 1), (2, 3, 4))),
    moved("select", lambda x, dim, i: np.take(x, i, dim), (CUBE, 1, 2), (CUBE, -1, -1)),
    moved("narrow", lambda x, dim, start, n: np.take(x, range(start, start + n), dim), (CUBE, 2, 1, 2), (CUBE, 0, 1, 0)),
    moved("diagonal", lambda x, offset=0, a=0, b=1: np.diagonal(x, offset, a, b), ((3, 4),), ((3, 4), 1),
          (CUBE, -1, 1, 2)),
    moved("as_strided", lambda x, size, stride, offset: np.lib.stride_tricks.as_strided(
          np.ascontiguousarray(x).reshape(-1)[offset:], size, [s * x.itemsize for s in stride]),
          ((12,), (2, 3), (4, 1), 1), ((12,), (3, 3), (1, 1), 2), layouts=("contiguous",)),
    moved("split", oracle.split, ((5, 3), 2), ((5, 3), (1, 4)), ((2, 6), 4, 1), call=tuple_method("split")),
    moved("chunk", oracle.chunk, ((5, 3), 2), ((2, 7), 3, 1), call=tuple_method("chunk")),
    moved("unbind", oracle.unbind, (CUBE,), (CUBE, 1), call=tuple_method("unbind")),
    moved("flip", lambda x, *d: np.flip(x, d), (CUBE, 0), (CUBE, 0, 2), ((131,), 0), ((0, 3), 1)),
    moved("repeat", lambda x, *n: np.tile(x, n), ((2, 3), 2, 2), ((2, 3), 3, 1, 2), ((), 3), ((2, 3), 0, 1)),
    moved("repeat_interleave", lambda x, n, dim=None: np.repeat(x, n, dim), ((2, 3), 2), ((2, 3), 3, 1)),
    moved("tril", np.tril, ((4, 5),), ((4, 5), 1), ((2, 3, 3), -1)),
    moved("triu", np.triu, ((4, 5),), ((4, 5), 1), ((2, 3, 3), -1)),
    moved("clone", np.copy, (CUBE,), ((),), ((0, 3),), ((131,),)),
    moved("contiguous", np.copy, (CUBE,), ((),), ((0, 3),)),
    Row("view_as", like_other(by_shape), cases=cases((CUBE, (6, 4)), layouts=CONTIGUOUS), call=method("view_as"),
        **MOVED, **SLOPE),
    Row("reshape_as", like_other(by_shape), cases=cases((CUBE, (6, 4))), call=method("reshape_as"), **MOVED, **SLOPE),
    Row("expand_as", like_other(oracle.expand), cases=cases(((3, 1), (2, 3, 4))), call=method("expand_as"), **MOVED,
        **SLOPE),
    Row("cat", lambda *x, dim=0: np.concatenate(x, dim), cases=(*cases(((3, 5), (2, 5)), ((4,), (0,), (3,)), ((131,), (1,),
        (70,))), *cases(((3, 5), (3, 1), (3, 2)), (CUBE[:2], (2, 0)), named={"dim": 1}),
        Case((CUBE, CUBE), named={"dim": -2})), gradient=(True, True, True),
        call=lambda library, *x, dim=0: library.cat(list(x), dim), **MOVED),
    Row("stack", lambda *x, dim=0: np.stack(x, dim), cases=(*cases(((3, 5), (3, 5)), ((), (), ())),
        Case((CUBE, CUBE), named={"dim": 1}), Case((CUBE,), named={"dim": -1})), gradient=(True, True, True),
        call=lambda library, *x, dim=0: library.stack(list(x), dim), **MOVED),
    Row("copy_", lambda x, y: np.broadcast_to(y, x.shape), cases=cases((CUBE, CUBE), (CUBE, (4,)), ((3, 5), ()),
        ((0, 3), (3,))), gradient=(False, True), call=lambda library, x, y: x.clone().copy_(y), **MOVED),
    Row("fill_", lambda x, v: np.full_like(x, v), cases=cases((CUBE, 1), ((), 1), ((131,), 1)),
        call=lambda library, x, v: x.clone().fill_(v), **MOVED),
    Row("zero_", np.zeros_like, cases=cases((CUBE,), ((),)), call=lambda library, x: x.clone().zero_(), **MOVED),
]  # fmt: skip

# ---- complex numbers and their parts -------------------------------------------------------------

PARTS = {"dtypes": ("float32", "float64")}
COMPLEX_PARTS = [
    Row("view_as_real", lambda z: np.stack([z.real, z.imag], -1), "Complex", "real", cases(((3, 5),), ((),), ((0, 3),),
        ((131,),)), ulps=0.0, outside="skip", **SLOPE),
    Row("view_as_complex", lambda x: x[..., 0] + 1j * x[..., 1], "Float", "complex", cases(((3, 2),), ((2,),), ((0, 2),),
        ((131, 2),), layouts=("contiguous",), **PARTS), ulps=0.0, outside="skip", **SLOPE),
    Row("real", np.real, "All", "real", cases((CUBE,), ((),)), call=of_name("real"), ulps=0.0, outside="skip", **SLOPE),
    Row("imag", np.imag, "Complex", "real", cases((CUBE,), ((),)), call=of_name("imag"), ulps=0.0, outside="skip", **SLOPE),
    Row("complex", lambda a, b: a + 1j * b, "Float", "complex", cases(((3, 5), (3, 5)), ((3, 1), (5,)), ((), ()), **PARTS),
        ulps=0.0, outside="skip", **SLOPES),
    Row("polar", lambda r, a: r * np.exp(1j * a), "Float", "complex", cases(((3, 5), (3, 5)), ((3, 1), (5,)), **PARTS),
        ulps=3, reason="a sine and a product", outside="skip", **SLOPES),
    Row("conj", np.conj, cases=cases((CUBE,), ((),)), call=of_name("conj"), **MOVED, **SLOPE),
    Row("isreal", np.isreal, "All", "bool", cases((CUBE,), (Fixed(np.array([1 + 0j, 1j, 0])),)), call=of_name("isreal"),
        outside="skip"),
    moved("adjoint", lambda x: np.conj(np.swapaxes(x, -1, -2)), (CUBE,), ((3, 4),)),
    moved("H", lambda x: np.conj(x.T), ((3, 4),), call=lambda library, x: x.H),
    moved("mH", lambda x: np.conj(np.swapaxes(x, -1, -2)), (CUBE,), call=lambda library, x: x.mH),
]  # fmt: skip

# ---- indexing ------------------------------------------------------------------------------------

ROWS = Fixed(np.array([2, -3, 0, 2]))
PLACES = Fixed(np.array([[0, 2, 1, 0], [1, 1, 0, 2]]))


def get(*key):
    """x[key], where a Fixed of the key is a tensor too."""

    def call(library, x, *tensors):
        rest = iter(tensors)
        found = tuple(next(rest) if isinstance(k, Fixed) else k for k in key)
        return x[found if len(found) != 1 else found[0]]

    def expected(x, *arrays):
        rest = iter(arrays)
        found = tuple(next(rest) if isinstance(k, Fixed) else k for k in key)
        return x[found if len(found) != 1 else found[0]]

    return call, expected, tuple(k for k in key if isinstance(k, Fixed))


def index_row(name, shape, *key):
    call, expected, fixed = get(*key)
    return Row(name, expected, cases=cases((shape, *fixed)), call=call, gradient=(True,), **MOVED)


def put_row(name, shape, value, *key):
    _call, _expected, fixed = get(*key)

    def assign(library, x, v, *tensors):
        rest = iter(tensors)
        found = tuple(next(rest) if isinstance(k, Fixed) else k for k in key)
        y = x.clone()
        y[found if len(found) != 1 else found[0]] = v
        return y

    def wanted(x, v, *arrays):
        rest = iter(arrays)
        found = tuple(next(rest) if isinstance(k, Fixed) else k for k in key)
        return oracle.put(x, v, found)

    return Row(
        name,
        wanted,
        cases=cases((shape, value, *fixed)),
        call=assign,
        gradient=(True, True),
        **MOVED,
    )


COLUMNS = Fixed(np.array([1, 0, 3, -1]))
INDEXING = [
    index_row("index int", CUBE, 1),
    index_row("index ints and slices", CUBE, -1, slice(None, None, 2), slice(1, None)),
    index_row("index ellipsis and None", CUBE, None, ..., 2),
    index_row("index rows", (5, 3), ROWS),
    index_row("index pairs", (5, 4), ROWS, COLUMNS),
    index_row("index after a slice", (2, 5, 3), slice(None), ROWS),
    index_row("index apart", (5, 3, 4), ROWS, slice(None), COLUMNS),
    index_row("index by an array of two dimensions", (5, 3), PLACES),
    index_row("index mask", (3, 5), MASK),
    index_row("index mask of rows", (3, 2), Fixed(np.array([True, False, True]))),
    index_row("index nothing", (3, 2), Fixed(np.zeros(0, np.int64))),
    put_row("put int", CUBE, (4,), 1),
    put_row("put slice", CUBE, (3, 1), slice(None), slice(None), slice(1, 3)),
    put_row("put rows", (5, 3), (3,), Fixed(np.array([2, -5, 1]))),
    put_row("put pairs", (5, 4), (3,), Fixed(np.array([2, 0, 1])), Fixed(np.array([1, 0, -1]))),
    put_row("put mask", (3, 5), (), MASK),
    Row("gather", oracle.gather, cases=(Case(((3, 4), 0, PLACES)), Case(((3, 4), 1, PLACES)), Case(((2, 5), -1, PLACES)),
        Case(((), 0, Fixed(np.array(0)))), Case(((3, 4), 1, Fixed(np.zeros((3, 0), np.int64))))), **MOVED, **SLOPE),
    Row("index_select", lambda x, dim, i: np.take(x, i, dim), cases=(Case(((5, 3), 0, abs(ROWS))),
        Case((CUBE, -1, Fixed(np.array([3, 3, 0]))))), **MOVED, **SLOPE),
    Row("masked_select", lambda x, mask: np.broadcast_to(x, np.broadcast_shapes(x.shape, mask.shape))[
        np.broadcast_to(mask, np.broadcast_shapes(x.shape, mask.shape))], cases=cases(((3, 5), MASK), ((5,), MASK),
        ((3, 5), Fixed(np.array([True, False, True, True, False])))), **MOVED, **SLOPE),
    Row("nonzero", lambda x: np.argwhere(x), "Any|Complex", "int64", cases(((3, 5),), ((131,),), ((9, 41),), ((3, 2, 17),), ((0, 3),)),
        integers=(0, 2)),
    Row("embedding", lambda places, weight: weight[places], cases=cases((Fixed(np.array([2, 1, 0, 2])), (5, 3)), (PLACES,
        (5, 3)), (Fixed(np.array(3)), (4, 131))), call=lambda library, places, weight:
        library.module.nn.functional.embedding(places, weight), gradient=(False, True), **MOVED),
    Row("one_hot", oracle.one_hot, "Int64", "int64", (Case((Fixed(np.array([[0, 2], [1, 3]])),)),
        Case((Fixed(np.array([1, 0])),), named={"num_classes": 5})), outside="skip"),
]  # fmt: skip

# ---- networks ------------------------------------------------------------------------------------


def products(function):
    """What the rounding of sums of products goes with: the sum of their sizes, and their number where it is large, as
    they are added one after the other."""
    return lambda *x, **named: (
        function(*(abs(a) for a in x), **named) * max(1, *(a.shape[-1] / 16 for a in x[:2]))
    )


def matrices(name, function, *shapes, dtypes="Number|Complex", gradient=(True, True), **options):
    return Row(name, function, dtypes, cases=cases(*shapes), gradient=gradient, absolute=4, scale=products(function),
               reason="sums of products", outside="skip", **options)  # fmt: skip


def linear(x, weight, bias=None):
    y = x @ weight.T
    return y if bias is None else y + bias


def image_cases():
    x, w = (2, 3, 7, 6), (4, 3, 3, 3)
    return (
        *cases((x, w), (x, w, (4,)), ((3, 7, 6), w, (4,))),
        Case((x, w, (4,)), named={"stride": (2, 1), "padding": (1, 2)}),
        Case((x, (4, 3, 2, 3)), named={"dilation": (2, 1), "padding": (1, 0)}),
        Case(((1, 4, 5, 5), (6, 2, 3, 1), (6,)), named={"groups": 2}),
        Case(((1, 4, 5, 5), (8, 1, 3, 3)), named={"groups": 4, "padding": (1, 1)}),
        Case((x, w), named={"padding": "same"}),
        Case(((2, 3, 4, 4), (5, 3, 1, 1), (5,))),
        Case(((0, 3, 7, 6), w), layouts=("contiguous",), smooth=False),
    )


CLASSES = Fixed(np.array([1, 0, 4, -100, 2]))
CLASSES_2D = Fixed(np.array([[1, 0], [2, -100]]))
WEIGHTS = Fixed(np.array([0.5, 1.0, 2.0, 0.25, 1.5]))
IMAGES = (2, 2, 6, 5)
NETWORKS = [
    matrices("matmul", np.matmul, ((3, 4), (4, 5)), ((4,), (4,)), ((3, 4), (4,)), ((4,), (4, 5)), ((2, 3, 4), (4, 5)),
             ((2, 1, 3, 4), (3, 4, 2)), ((4,), (2, 4, 3)), ((2, 3, 4), (4,)), ((33, 70), (70, 37)), ((2, 0), (0, 3)),
             ((2, 3, 0), (0, 4)), ((0, 3), (3, 2)), ((1, 1), (1, 1))),
    matrices("mm", np.matmul, ((3, 4), (4, 5)), ((2, 0), (0, 3)), ((65, 3), (3, 17)), ((1, 131), (131, 1))),
    matrices("bmm", np.matmul, ((2, 3, 4), (2, 4, 5)), ((0, 3, 4), (0, 4, 5)), ((3, 1, 7), (3, 7, 1))),
    matrices("mv", np.matmul, ((3, 4), (4,)), ((2, 131), (131,))),
    matrices("dot", np.dot, ((7,), (7,)), ((131,), (131,)), ((0,), (0,))),
    matrices("vdot", np.vdot, ((7,), (7,)), ((131,), (131,)), ((0,), (0,))),
    matrices("outer", np.outer, ((3,), (4,)), aliases=("ger",)),
    matrices("addmm", lambda c, a, b, beta=1, alpha=1: beta * c + alpha * (a @ b), ((3, 5), (3, 4), (4, 5)),
             ((5,), (3, 4), (4, 5)), gradient=(True, True, True), half_roundings=2),
    matrices("baddbmm", lambda c, a, b, beta=1, alpha=1: beta * c + alpha * (a @ b), ((2, 3, 5), (2, 3, 4), (2, 4, 5)),
             gradient=(True, True, True), half_roundings=2),
    matrices("linear", linear, ((3, 4), (5, 4)), ((3, 4), (5, 4), (5,)), ((2, 3, 4), (5, 4), (5,)), ((4,), (5, 4), (5,)),
             ((0, 4), (5, 4), (5,)), ((66, 40), (35, 40), (35,)), dtypes="Float", gradient=(True, True, True)),
    Row("conv2d", oracle.convolution, "Float", outside="skip", cases=image_cases(), gradient=(True, True, True), absolute=4,
        scale=lambda x, w, b=None, **named: oracle.convolution(abs(x), abs(w), None if b is None else abs(b), **named),
        reason="sums of products", half_roundings=2),
    Row("max_pool2d", oracle.largest_of_windows, "Float", outside="skip", cases=(*cases((IMAGES,), (IMAGES[1:],), named={"kernel_size":
        (2, 2)}), Case((IMAGES,), named={"kernel_size": (3, 2), "stride": (1, 2), "padding": (1, 1)}), Case((IMAGES,),
        named={"kernel_size": (2, 2), "dilation": (2, 2), "stride": (1, 1)}), Case((IMAGES,), named={"kernel_size": (3,
        3), "stride": (2, 2), "ceil_mode": True}), Case((Fixed(np.array([[[[1.0, math.nan, 2.0, 0.0], [-math.inf] * 4,
        [-math.inf] * 4, [-math.inf] * 4]]])),), named={"kernel_size": (2, 2)}, dtypes=("float64",), smooth=False)),
        call=lambda library, x, **named: library.max_pool2d(x, return_indices=True, **named), places=True,
        **SLOPE),
    Row("softmax", lambda x, dim: np.exp(oracle.log_softmax(x, dim)), "Float", cases=(Case(((3, 5), 1)), Case(((3, 5), 0)),
        Case((CUBE, -2)), Case(((131,), 0)), Case(((), 0)), Case(((0, 3), 1))), ulps=8, reason="an exponential and a "
        "quotient", **SLOPE),
    Row("log_softmax", oracle.log_softmax, "Float", cases=(Case(((3, 5), 1)), Case(((3, 5), 0)), Case((CUBE, -2)),
        Case(((131,), 0)), Case(((), 0)), Case(((0, 3), 1)), Case((Fixed(np.array([[1e4, -1e4, 0.0], [-math.inf, 0.0,
        1.0]])), 1), dtypes=("float64",), smooth=False)), ulps=4, absolute=4, reason="a logarithm that cancels", **SLOPE),
    Row("nll_loss", oracle.nll_loss, "Float", cases=(*(Case(((5, 5), CLASSES), named={"reduction": r}) for r in ("mean",
        "sum", "none")), Case(((5,), Fixed(np.array(3)))), Case(((2, 3, 2), CLASSES_2D)), Case(((5, 5), Fixed(abs(CLASSES) % 5)),
        named={"ignore_index": 2})), absolute=4, scale=lambda *x, **_: 15.0, reason="sums", half_roundings=2,
        outside="skip", **SLOPE),
    Row("cross_entropy", oracle.cross_entropy, "Float", cases=(*(Case(((5, 5), CLASSES), named={"reduction": r})
        for r in ("mean", "sum", "none")), Case(((5,), Fixed(np.array(3)))), Case(((2, 3, 2), CLASSES_2D)),
        Case(((5, 5), CLASSES, WEIGHTS), dtypes=("float64",)), Case(((5, 5), CLASSES), named={"label_smoothing": 0.2}),
        Case(((5, 5), CLASSES), named={"label_smoothing": 0.1, "reduction": "none"})), absolute=8,
        scale=lambda *x, **_: 15.0, reason="sums of logarithms", half_roundings=2, outside="skip", **SLOPE),
]  # fmt: skip

COPIES = [
    *(op_rows_places.copy_row(row) for row in VIEWS + op_rows_places.VIEWS + COMPLEX_PARTS if row.name in op_rows_places.COPIED),
    moved("alias_copy", np.copy, (CUBE,), ((),), call=of_name("alias_copy")),
    Row("detach_copy", np.copy, cases=cases((CUBE,)), call=of_name("detach_copy"), **MOVED),
    moved("slice_copy", lambda x, dim=0, start=None, end=None, step=1: np.take(x, range(x.shape[dim])[start:end:step], dim),
          (CUBE,), (CUBE, 1, 1, 3), (CUBE, -1, None, 100, 2), call=of_name("slice_copy")),
    Row("constant_pad_nd", oracle.padded, cases=tuple(Case((shape,), args) for shape, *args in (((3, 4), (1, 2)), ((3, 4),
        (1, 0, 0, 2), 1), (CUBE, (-1, 2, 1, -1)), ((), ()), ((0, 3), (1, 1, 1, 1), 1))), **MOVED, **SLOPE),
]  # fmt: skip

ALL = (
    UNARY
    + BINARY
    + TERNARY
    + SPECIAL
    + COMPOSED
    + POINTWISE
    + SPECIAL_ONLY
    + REDUCTIONS
    + SCAN_ROWS
    + op_rows_fft.ALL
    + op_rows_sort.ALL
    + op_rows_products.ALL
    + op_rows_linalg.ALL
    + VIEWS
    + COMPLEX_PARTS
    + INDEXING
    + NETWORKS
    + op_rows_places.ALL
    + op_rows_rare.ALL
    + op_rows_rare.MADE_OF_OTHERS
    + op_rows_statistics.ALL
    + COPIES
)
BY_NAME = {row.name: row for row in ALL}
assert len(BY_NAME) == len(ALL), "a row stands twice"
