"""Shapes, indices and sets: views and selections with the standard's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import bolide
from bolide import ShapeError, Tensor
from bolide.array_api._data_types import together


def astuple(axis: Any) -> tuple[int, ...]:
    """One axis or several as several."""
    return (axis,) if isinstance(axis, int) else tuple(axis)


def broadcast_arrays(*arrays: Tensor) -> tuple[Tensor, ...]:
    """All expanded to their common shape: views."""
    return tuple(bolide.broadcast_tensors(*arrays))


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that arrays of these shapes broadcast to. Raises ShapeError where they do not."""
    ndim = max(map(len, shapes), default=0)
    result = [1] * ndim
    for shape in shapes:
        for i, size in enumerate(shape, ndim - len(shape)):
            if size != 1 and result[i] not in (1, size):
                raise ShapeError(
                    f"[broadcast_shapes] expected shapes that broadcast, got {shapes}."
                )
            result[i] = result[i] if size == 1 else size
    return tuple(result)


def broadcast_to(x: Tensor, /, shape: tuple[int, ...]) -> Tensor:
    """x expanded to a shape: a view."""
    return bolide.broadcast_to(x, shape)


def concat(arrays: Sequence[Tensor], /, *, axis: Any = 0) -> Tensor:
    """Arrays one behind the other along axis; flattened first if it is None."""
    joined = together(*arrays)
    if axis is None:
        return bolide.cat([x.reshape(-1) for x in joined])
    return bolide.cat(joined, axis)


def stack(arrays: Sequence[Tensor], /, *, axis: int = 0) -> Tensor:
    """Arrays of one shape along a new axis."""
    return bolide.stack(together(*arrays), axis)


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """The slices along axis: views."""
    return tuple(bolide.unbind(x, axis))


def expand_dims(x: Tensor, /, axis: Any = 0) -> Tensor:
    """New dimensions of size 1 at these places of the result: a view. Raises IndexError and ValueError."""
    places = astuple(axis)
    ndim = x.ndim + len(places)
    for place in places:
        if not -ndim <= place < ndim:
            raise IndexError(
                f"[expand_dims] expected an axis in [{-ndim}, {ndim - 1}], got {place}."
            )
    known = sorted(place % ndim for place in places)
    if len(set(known)) < len(known):
        raise ValueError(f"[expand_dims] expected different axes, got {axis}.")
    for place in known:
        x = x.unsqueeze(place)
    return x


def squeeze(x: Tensor, /, axis: Any) -> Tensor:
    """Without these dimensions: a view. Raises ValueError if one is not of size 1."""
    for place in astuple(axis):
        if x.shape[place] != 1:
            raise ShapeError(f"[squeeze] expected size 1 at axis {place}, got {x.shape[place]}.")
    return bolide.squeeze(x, astuple(axis))


def flip(x: Tensor, /, *, axis: Any = None) -> Tensor:
    """Elements in reverse order along axis, by default along all."""
    return bolide.flip(x, tuple(range(x.ndim)) if axis is None else astuple(axis))


def moveaxis(x: Tensor, source: Any, destination: Any, /) -> Tensor:
    """Dimensions moved from their places to others: a view."""
    return bolide.moveaxis(x, source, destination)


def permute_dims(x: Tensor, /, axes: tuple[int, ...]) -> Tensor:
    """Dimensions in another order: a view."""
    return bolide.permute(x, axes)


def repeat(x: Tensor, repeats: Any, /, *, axis: Any = None) -> Tensor:
    """Every element along axis repeated, by one number or one each; flattened if axis is None."""
    if isinstance(repeats, Tensor):
        repeats = repeats.long()
    return bolide.repeat_interleave(x, repeats, dim=axis)


def reshape(x: Tensor, /, shape: tuple[int, ...], *, copy: Any = None) -> Tensor:
    """The elements in another shape. copy=False raises ValueError where no view can have it."""
    if copy:
        return x.clone().reshape(shape)
    if copy is None:
        return x.reshape(shape)
    try:
        return x.view(shape)
    except RuntimeError as error:
        raise ShapeError(f"[reshape] expected a shape that needs no copy, got {shape}.") from error


def roll(x: Tensor, /, shift: Any, *, axis: Any = None) -> Tensor:
    """Elements moved along axis, round the end; of the flattened array if it is None."""
    if axis is None:
        return bolide.roll(x, shift)
    places = astuple(axis)
    return bolide.roll(x, (shift,) * len(places) if isinstance(shift, int) else shift, places)


def tile(x: Tensor, repetitions: tuple[int, ...], /) -> Tensor:
    """Copies of x side by side, so many along each dimension."""
    return bolide.tile(x, repetitions)


def take(x: Tensor, indices: Tensor, /, *, axis: Any = None) -> Tensor:
    """Slices along axis by an array of indices; axis may be missing for one dimension."""
    if axis is None:
        if x.ndim != 1:
            raise ShapeError(f"[take] expected an axis for {x.ndim} dimensions, got None.")
        axis = 0
    return x[(slice(None),) * (axis % max(x.ndim, 1)) + (indices,)]


def take_along_axis(x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Tensor:
    """Elements along axis, by indices that broadcast with x elsewhere and may be negative."""
    size = x.shape[axis]
    return bolide.take_along_dim(x, bolide.where(indices < 0, indices + size, indices).long(), axis)


def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """The indices of elements that are not zero, an array per dimension. Raises ValueError for 0-d arrays."""
    if x.ndim == 0:
        raise ShapeError("[nonzero] expected at least one dimension, got 0.")
    return tuple(bolide.nonzero(x, as_tuple=True))


class UniqueAll(NamedTuple):
    """unique_all's result."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    """unique_counts' result."""

    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    """unique_inverse's result."""

    values: Tensor
    inverse_indices: Tensor


def unique_all(x: Tensor, /) -> UniqueAll:
    """The distinct elements in order, the place of each one's first occurrence, whose each is, and counts."""
    values, inverse, counts = bolide.unique(x, return_inverse=True, return_counts=True)
    # Sorted by value and stably, an element's first occurrence leads its run.
    order = bolide.argsort(inverse.reshape(-1), stable=True)
    return UniqueAll(values, order[bolide.cumsum(counts, 0) - counts], inverse, counts)


def unique_counts(x: Tensor, /) -> UniqueCounts:
    """The distinct elements in order and how many there are of each."""
    return UniqueCounts(*bolide.unique(x, return_counts=True))


def unique_inverse(x: Tensor, /) -> UniqueInverse:
    """The distinct elements in order and which of them each element is."""
    return UniqueInverse(*bolide.unique(x, return_inverse=True))


def unique_values(x: Tensor, /) -> Tensor:
    """The distinct elements in order."""
    return bolide.unique(x)


def isin(x1: Any, x2: Any, /, *, invert: bool = False) -> Tensor:
    """Which elements of x1 are in x2; invert: which are not."""
    return bolide.isin(*together(x1, x2), invert=invert)
