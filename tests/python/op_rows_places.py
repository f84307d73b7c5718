"""Rows of op_rows.py: elements moved to other places (rearranging, joining, scattering), and views of windows and parts.

The oracles of the scattering ops are loops over the indices, which is what the ops mean.
"""

import dataclasses
import itertools

import numpy as np
from harness import EVERY, SETS, Case, Fixed, Mismatch, Row

MOVED = {"dtypes": "All", "ulps": 0.0, "outside": "skip"}
SLOPE = {"gradient": (True,)}
CUBE = (2, 3, 4)


def method(name):
    return lambda library, x, *args, **named: getattr(x, name)(*args, **named)


def tuple_method(name):
    return lambda library, x, *args, **named: tuple(getattr(x, name)(*args, **named))


def moved(name, function, *choices, call=None, **options):
    """choices: (shape, arguments...)."""
    return Row(name, function, cases=tuple(Case((c[0],), c[1:], **options) for c in choices),
               call=call or method(name), **MOVED, **SLOPE)  # fmt: skip


# Views whose copies are ops too; of the first ones the copy takes the numbers as one tuple.
PACKED = ("expand", "permute", "view")
COPIED = (*PACKED, *"as_strided diagonal narrow select split split_with_sizes squeeze t transpose unbind unfold unsqueeze "
          "view_as_complex view_as_real".split())  # fmt: skip


def copy_row(row):
    """The row of NAME_copy, of the view's."""

    def call(library, x, *args):
        given = (args,) if row.name in PACKED else args
        found = getattr(library, f"{row.name}_copy")(x, *given)
        parts = found if isinstance(found, tuple) else (found,)
        if x.numel() and any(
            part.untyped_storage().data_ptr() == x.untyped_storage().data_ptr() for part in parts
        ):
            raise Mismatch(f"{row.name}_copy is no copy")
        return found

    kept = tuple(c for c in row.cases if row.name != "split" or isinstance(c.args[0], int))
    return dataclasses.replace(row, name=f"{row.name}_copy", cases=kept, call=call)


def in_place_view(name):
    """What changes the tensor itself, on a view of a copy, which leaves the input as it is."""
    return lambda library, x, *args, **named: getattr(x.clone()[...], name)(*args, **named)


def windows(x, dim, size, step):
    found = np.lib.stride_tricks.sliding_window_view(x, size, axis=dim)
    return found[(slice(None),) * (dim % x.ndim) + (slice(None, None, step),)]


def diag_embed(x, offset=0, dim1=-2, dim2=-1):
    side = x.shape[-1] + abs(offset)
    y = np.zeros((*x.shape[:-1], side, side), x.dtype)
    for i in range(x.shape[-1]):
        y[..., i + max(-offset, 0), i + max(offset, 0)] = x[..., i]
    return np.moveaxis(y, (-2, -1), (dim1, dim2))


def at_least(n):
    return getattr(np, f"atleast_{n}d")


def diag(x, diagonal=0):
    return np.diag(x, diagonal)


VIEWS = [
    moved("unfold", windows, ((7,), 0, 3, 2), (CUBE, 2, 2, 1), (CUBE, -2, 3, 1), ((5,), 0, 5, 9)),
    moved("tensor_split", np.array_split, ((7, 2), 3), ((2, 5), 2, 1), call=tuple_method("tensor_split")),
    Row("tensor_split at places", lambda x: np.split(x, [1, 3]), cases=(Case(((5, 2),)),),
        call=lambda library, x: tuple(x.tensor_split((1, 3))), **MOVED, **SLOPE),
    moved("split_with_sizes", lambda x, sizes, dim=0: np.split(x, np.cumsum(sizes)[:-1], dim), ((5, 3), (1, 4)),
          ((2, 6), (2, 0, 4), 1), call=tuple_method("split_with_sizes")),
    moved("hsplit", lambda x, n: np.split(x, n, min(1, x.ndim - 1)), ((4,), 2), ((3, 4), 2), call=tuple_method("hsplit")),
    moved("vsplit", np.vsplit, ((4, 3), 2), call=tuple_method("vsplit")),
    moved("dsplit", np.dsplit, (CUBE, 2), call=tuple_method("dsplit")),
    moved("t_", np.transpose, ((3, 4),), ((3,),), call=in_place_view("t_")),
    moved("transpose_", np.swapaxes, (CUBE, 0, 2), call=in_place_view("transpose_")),
    moved("squeeze_", lambda x, dim=None: np.squeeze(x, dim), ((2, 1, 3, 1),), ((2, 1, 3, 1), 1),
          call=in_place_view("squeeze_")),
    moved("unsqueeze_", np.expand_dims, (CUBE, 1), call=in_place_view("unsqueeze_")),
    moved("as_strided_", lambda x, size, stride: np.lib.stride_tricks.as_strided(np.ascontiguousarray(x).reshape(-1),
          size, [s * x.itemsize for s in stride]), ((12,), (3, 2), (1, 4)), call=in_place_view("as_strided_"),
          layouts=("contiguous",)),
    moved("sum_to_size", lambda x, *size: x.sum(0).reshape(size), ((2, 3), 3), ((2, 3), 1, 3), dtypes=SETS["Float"]),
    moved("positive", lambda x: x, (CUBE,), dtypes=tuple(d for d in EVERY if d != "bool")),
    *(moved(f"atleast_{n}d", at_least(n), ((),), ((3,),), ((2, 3),), (CUBE,),
            call=lambda library, x, name=f"atleast_{n}d": getattr(library, name)(x)) for n in (1, 2, 3)),
    Row("broadcast_tensors", lambda *x: tuple(np.broadcast_arrays(*x)), cases=(Case(((3, 1), (2, 1, 4))),),
        gradient=(True, True), call=lambda library, *x: tuple(library.broadcast_tensors(*x)), **MOVED),
    Row("meshgrid", lambda *x, indexing="ij": tuple(np.meshgrid(*x, indexing=indexing)), cases=(Case(((3,), (4,), (2,))),
        Case(((3,), (4,)), named={"indexing": "xy"}), Case(((3,), ()))), gradient=(True, True, True),
        call=lambda library, *x, **named: tuple(library.meshgrid(*x, **named)), **MOVED),
]  # fmt: skip


# ---- copies --------------------------------------------------------------------------------------


def joined(name, function, *shapes, gradient=(True, True), call=None):
    return Row(name, lambda *x: function(x), cases=tuple(Case(s) for s in shapes), gradient=gradient,
               call=call or (lambda library, *x: getattr(library, name)(list(x))), **MOVED)  # fmt: skip


def block_diag(blocks):
    blocks = [np.atleast_2d(b) for b in blocks]
    y = np.zeros(np.sum([b.shape for b in blocks], 0), blocks[0].dtype)
    row = column = 0
    for b in blocks:
        y[row : row + b.shape[0], column : column + b.shape[1]] = b
        row, column = row + b.shape[0], column + b.shape[1]
    return y


def choices(x, r=2, with_replacement=False):
    kind = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    return np.array(list(kind(x, r)), x.dtype).reshape(-1, r)


def replaced(part):
    """Of a copy, what part() shows becomes the source."""

    def scattered(x, source, *args, **named):
        y = x.copy()
        place = part(y, *args, **named)
        y[place] = source
        return y

    return scattered


def diagonal_places(y):
    n = np.arange(min(y.shape))
    return n, n


def with_source(name, part, *choices, **options):
    return Row(name, replaced(part), cases=tuple(Case(c[:2], c[2:], **options) for c in choices), gradient=(True, True),
               call=method(name), **MOVED)  # fmt: skip


def filled_diagonal(x, value, wrap=False):
    y = x.copy()
    np.fill_diagonal(y, value, wrap)
    return y


def masked(x, mask, source):
    mask = np.broadcast_to(mask, x.shape)
    y = x.copy()
    y[mask] = source.reshape(-1)[: mask.sum()]
    return y


MASK = Fixed(np.arange(15).reshape(3, 5) % 3 == 0)
COPIES = [
    moved("tile", np.tile, ((2, 3), (2,)), ((2, 3), (2, 2)), ((3,), (2, 1))),
    Row("repeat_interleave by one each", lambda x, n, dim: np.repeat(x, n, dim), cases=(
        Case(((3, 2), Fixed(np.array([2, 0, 1])), 0)), Case(((2, 3), Fixed(np.array([1, 1, 3])), -1))),
        call=method("repeat_interleave"), **MOVED, **SLOPE),
    moved("roll", lambda x, n, dim=None: np.roll(x, n, dim), (CUBE, 1), (CUBE, -2, 1), (CUBE, (1, -5), (2, 0)), ((0, 3), 1, 1)),
    moved("rot90", np.rot90, (CUBE, 1, (0, 1)), (CUBE, 2, (2, 1)), (CUBE, -1, (0, 2)), (CUBE, 4, (0, 1))),
    moved("fliplr", np.fliplr, (CUBE,)),
    moved("flipud", np.flipud, (CUBE,), ((3,),)),
    moved("diag", diag, ((3,),), ((3,), -1), ((3, 4),), ((3, 4), 2), ((3, 4), -7)),
    moved("diagflat", np.diagflat, (CUBE,), ((3,), 1)),
    moved("diag_embed", diag_embed, ((2, 3),), ((2, 3), 1), ((2, 3), -2, 0, 2)),
    Row("trace", np.trace, "Any", "sum", cases=(Case(((3, 4),)), Case(((1, 1),)), Case(((0, 3),))), absolute=4,
        scale=lambda x: abs(x).sum(), reason="rounding of sums", outside="skip", **SLOPE),
    moved("fill_diagonal_", filled_diagonal, ((3, 4), 1), ((7, 2), 1, True), ((3, 3, 3), 1),
          call=lambda library, x, *args: x.clone().fill_diagonal_(*args)),
    moved("tril_", np.tril, ((4, 5), 1), call=lambda library, x, k: x.clone().tril_(k), dtypes=SETS["Any"]),
    moved("triu_", np.triu, ((4, 5), -1), call=lambda library, x, k: x.clone().triu_(k), dtypes=SETS["Any"]),
    with_source("select_scatter", lambda y, dim, i: (slice(None),) * dim + (i,), ((3, 4), (3,), 1, 2), (CUBE, (3, 4), 0, -1)),
    with_source("slice_scatter", lambda y, dim, start, end, step=1: (slice(None),) * dim + (slice(start, end, step),),
                ((5, 3), (2, 3), 0, 1, 5, 2), ((3, 4), (3, 2), 1, -2, None)),
    with_source("diagonal_scatter", diagonal_places, ((3, 4), (3,))),
    with_source("as_strided_scatter", lambda y, size, stride: np.unravel_index(np.add.outer(
        np.arange(size[0]) * stride[0], np.arange(size[1]) * stride[1]), y.shape), ((3, 4), (2, 2), (2, 2), (4, 1)), layouts=("contiguous",)),
    joined("hstack", np.hstack, ((3,), (2,)), ((3, 2), (3, 1)), ((), ())),
    joined("vstack", np.vstack, ((3,), (3,)), ((2, 3), (3,)), ((), ())),
    joined("dstack", np.dstack, ((3,), (3,)), ((2, 3), (2, 3)), (CUBE, (2, 3, 1))),
    joined("column_stack", np.column_stack, ((3,), (3, 2)), ((3,), (3,))),
    joined("block_diag", block_diag, ((2, 3), (1, 2)), ((3,), ()), call=lambda library, *x: library.block_diag(*x)),
    joined("cartesian_prod", lambda x: np.array(list(itertools.product(*x)), x[0].dtype), ((3,), (2,)),
           call=lambda library, *x: library.cartesian_prod(*x)),
    Row("combinations", choices, cases=(Case(((4,),)), Case(((4,),), named={"r": 3}), Case(((3,),), named={"r": 2,
        "with_replacement": True}), Case(((2,),), named={"r": 3})), **MOVED, **SLOPE),
    Row("masked_scatter", masked, cases=(Case(((3, 5), MASK, (4, 5))), Case(((3, 5), MASK[0], (3, 5)))),
        call=method("masked_scatter"), gradient=(True, False, True), **MOVED),
]  # fmt: skip


# ---- taking and putting --------------------------------------------------------------------------

COMBINE = {
    "sum": lambda a, b: a + b,
    "add": lambda a, b: a + b,
    "prod": lambda a, b: a * b,
    "multiply": lambda a, b: a * b,
    "amax": np.maximum,
    "amin": np.minimum,
    None: lambda a, b: b,
}


def combined(places, x, source, reduce=None, include_self=True):
    """places: for every element of the source where it goes."""
    y, count = x.copy(), np.full(x.shape, int(include_self))
    combine = COMBINE["sum" if reduce == "mean" else reduce]
    for at, value in zip(places, source.reshape(-1), strict=True):
        y[at] = value if not count[at] else combine(y[at], value)
        count[at] += 1
    if reduce != "mean":
        return y
    count = np.maximum(count, 1)
    return y // count if y.dtype.kind in "iu" else y / count


def scatter(x, dim, index, source, reduce=None, include_self=True):
    source = np.broadcast_to(source, index.shape) if np.ndim(source) == 0 else source
    part = source[tuple(slice(n) for n in index.shape)]
    places = []
    for at in np.ndindex(index.shape):
        place = list(at)
        if x.ndim:
            place[dim] = int(index[at])
        places.append(tuple(place))
    return combined(places, x, np.asarray(part), reduce, include_self)


def index_rows(x, dim, index, source, reduce=None, include_self=True):
    places = []
    source = np.broadcast_to(source, (*x.shape[:dim], len(index), *x.shape[dim:][1:]))
    for at in np.ndindex(source.shape):
        place = list(at)
        place[dim] = int(index[at[dim]])
        places.append(tuple(place))
    return combined(places, x, source, reduce, include_self)


def flat_put(x, index, source, accumulate=False):
    flat = combined(
        [(int(i),) for i in index.reshape(-1)], x.reshape(-1), source, "sum" if accumulate else None
    )
    return flat.reshape(x.shape)


def take_along(x, index, dim=None):
    if dim is None:
        return np.take_along_axis(x.reshape(-1), index.reshape(-1), 0)
    return np.take_along_axis(x, index, dim)


UPPER = Fixed(np.array([[0, 2, 1, 0], [1, 1, 2, 2]]))
DISTINCT = Fixed(np.array([[0, 2, 1, 2], [1, 0, 2, 0]]))  # of each column
TWICE, ONCE = Fixed(np.array([3, 0, 2, 3])), Fixed(np.array([4, 0, 3]))
SUMS = {"outside": "skip", "absolute": 4, "scale": lambda *_, **__: 12.0, "half_roundings": 4, "reason": "rounding of sums"}  # fmt: skip
BOTH = {"gradient": (True, False, False, True)}
SCATTERED = ((3, 4), 0, UPPER, (2, 4))


def reductions(row_name, function, inputs, which, domain=(0.5, 1.6)):
    """One row for each way to combine."""
    for how in which:
        cases = [Case(inputs, (how,)), Case(inputs, (how,), named={"include_self": False})]
        yield Row(f"{row_name} {how}", function, "Number", cases=tuple(cases), domain=domain, integers=(-3, 3),
                  call=method(row_name), **BOTH, ulps=8.0, half_roundings=4, outside="skip",
                  reason="one rounding for each of at most three values, all positive")  # fmt: skip


PLACED = [
    Row("take", lambda x, i: np.take(x, i), cases=(Case((CUBE, Fixed(np.array([[0, -1], [7, 7]])))), Case(((), Fixed(np.array(0))))),
        call=method("take"), **MOVED, **SLOPE),
    Row("take_along_dim", take_along, cases=(Case(((3, 4), DISTINCT, 0)), Case(((3, 4), Fixed(np.array([[1], [0], [3]])), 1)),
        Case((CUBE, Fixed(np.array([5, 0, 23]))))), call=method("take_along_dim"), **MOVED, **SLOPE),
    Row("argwhere", np.argwhere, "Any", "int64", (Case(((3, 5),)), Case(((0, 3),))), integers=(0, 2), outside="skip"),
    Row("index_put", lambda x, i, j, v, accumulate=False: combined(list(zip(i, j, strict=True)), x, np.broadcast_to(v,
        i.shape), "sum" if accumulate else None), cases=(Case(((5, 4), ONCE, Fixed(np.array([1, 0, 3])), (3,))),
        Case(((5, 4), TWICE, Fixed(np.array([1, 0, 3, 1])), ()), named={"accumulate": True})),
        call=lambda library, x, i, j, v, **named: x.index_put((i, j), v, **named), gradient=(True, False, False, True),
        dtypes="All", **SUMS),
    Row("index_put_", lambda x, j, v: combined([(a, int(b)) for a in range(5) for b in j], x, np.broadcast_to(v, (5, 3))),
        cases=(Case(((5, 4), Fixed(np.array([1, 0, 3])), (5, 3))),), gradient=(True, False, True),
        call=lambda library, x, j, v: x.clone().index_put_((None, j), v), **MOVED),
    Row("index_add", lambda x, d, i, s, alpha=1: index_rows(x, d, i, s * alpha if alpha != 1 else s, "sum"), "All", cases=(
        Case(((5, 3), 0, TWICE, (4, 3))), Case(((2, 5), 1, TWICE, (2, 4))),
        Case(((5, 3), 0, TWICE, (4, 3)), named={"alpha": 2}, dtypes=SETS["Number"])), **BOTH, **SUMS),
    Row("index_copy", lambda x, d, i, s: index_rows(x, d, i, s), cases=(Case(((5, 3), 0, ONCE, (3, 3))),
        Case(((2, 5), 1, ONCE, (2, 3)))), **BOTH, **MOVED),
    Row("index_fill", lambda x, d, i, v: index_rows(x, d, i, v), cases=(Case(((5, 3), 0, ONCE, 1)),
        Case(((2, 5), 1, ONCE, ()))), **BOTH, **MOVED),
    *reductions("index_reduce", index_rows, ((5, 3), 0, TWICE, (4, 3)), ("prod", "mean", "amax", "amin")),
    Row("scatter", scatter, cases=(Case(((3, 4), 0, DISTINCT, (2, 4))), Case(((2, 5), -1, Fixed(np.array([[4, 0], [1, 2]])),
        (2, 3))), Case(((3, 4), 0, DISTINCT, 1)), Case(((), 0, Fixed(np.array(0)), ())),
        Case(((3, 4), 0, Fixed(np.zeros((0, 4), np.int64)), (2, 4)))), call=method("scatter"), **BOTH, **MOVED),
    Row("scatter with a reduction", scatter, "Any", cases=(Case(SCATTERED, named={"reduce": "add"}), Case(SCATTERED,
        named={"reduce": "multiply"})), call=method("scatter"), **BOTH, **SUMS),
    Row("scatter_add", lambda x, d, i, s: scatter(x, d, i, s, "sum"), "All", cases=(Case(SCATTERED), Case(((2, 5), 1,
        Fixed(np.array([[4, 4, 0], [1, 1, 1]])), (2, 4)))), **BOTH, **SUMS),
    *reductions("scatter_reduce", scatter, SCATTERED, ("sum", "prod", "mean", "amax", "amin")),
    Row("put", flat_put, cases=(Case((CUBE, Fixed(np.array([[0, -1], [7, 5]])), (4,))), Case((CUBE, Fixed(np.array([3, 3])),
        (2, 1)), named={"accumulate": True})), call=method("put"), gradient=(True, False, True), dtypes="All", **SUMS),
]  # fmt: skip

ALL = VIEWS + COPIES + PLACED
