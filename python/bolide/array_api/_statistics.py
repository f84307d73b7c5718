"""Reductions, running sums, order and products of arrays, with the standard's axis and keepdims."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bolide
from bolide import ShapeError, Tensor
from bolide.array_api._data_types import together


def _reduce(
    op: Callable[..., Tensor], x: Tensor, axis: Any, keepdims: bool, **named: Any
) -> Tensor:
    """op over axis. Over no axis at all each element is reduced alone; PyTorch would take all of them."""
    if axis == ():
        x, axis, keepdims = x.unsqueeze(-1), -1, False
    return op(x, dim=axis, keepdim=keepdims, **named)


def all(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Is no element zero?"""
    return _reduce(bolide.all, x, axis, keepdims).bool()


def any(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Is one element not zero?"""
    return _reduce(bolide.any, x, axis, keepdims).bool()


def max(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The largest element; NaN wins."""
    return _reduce(bolide.amax, x, axis, keepdims)


def min(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The smallest element; NaN wins."""
    return _reduce(bolide.amin, x, axis, keepdims)


def mean(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The mean."""
    return _reduce(bolide.mean, x, axis, keepdims)


def sum(x: Tensor, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The sum; of integers an int64 unless dtype says otherwise."""
    return _reduce(bolide.sum, x, axis, keepdims, dtype=dtype)


def prod(x: Tensor, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The product; of integers an int64 unless dtype says otherwise."""
    return _reduce(bolide.prod, x, axis, keepdims, dtype=dtype)


def var(
    x: Tensor, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False
) -> Tensor:
    """The variance; its divisor is the number of elements less the correction."""
    return _reduce(bolide.var, x, axis, keepdims, correction=correction)


def std(
    x: Tensor, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False
) -> Tensor:
    """The standard deviation; its divisor is the number of elements less the correction."""
    return _reduce(bolide.std, x, axis, keepdims, correction=correction)


def count_nonzero(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """How many elements are not zero."""
    return _reduce(bolide.sum, x != 0, axis, keepdims)


def argmax(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Where the first largest element is, along axis or in the flattened array."""
    return bolide.argmax(x, axis, keepdims)


def argmin(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Where the first smallest element is, along axis or in the flattened array."""
    return bolide.argmin(x, axis, keepdims)


def _cumulative(
    name: str, op: Callable[..., Tensor], x: Tensor, axis: Any, dtype: Any, include_initial: bool
) -> Tensor:
    if axis is None:
        if x.ndim > 1:
            raise ShapeError(f"[{name}] expected an axis for {x.ndim} dimensions, got None.")
        axis = 0
    result = op(x, axis, dtype=dtype)
    if not include_initial:
        return result
    shape = list(result.shape)
    shape[axis] = 1
    start = 0 if op is bolide.cumsum else 1
    first = bolide.full(shape, start, dtype=result.dtype, device=result.device)
    return bolide.cat([first, result], axis)


def cumulative_sum(
    x: Tensor, /, *, axis: Any = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """The sum of each element along axis and all before it; include_initial puts a 0 in front."""
    return _cumulative("cumulative_sum", bolide.cumsum, x, axis, dtype, include_initial)


def cumulative_prod(
    x: Tensor, /, *, axis: Any = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """The product of each element along axis and all before it; include_initial puts a 1 in front."""
    return _cumulative("cumulative_prod", bolide.cumprod, x, axis, dtype, include_initial)


def diff(
    x: Tensor, /, n: int = 1, *, axis: int = -1, prepend: Any = None, append: Any = None
) -> Tensor:
    """The n-th differences of neighbours along axis, of x between prepend and append.

    The standard has n by name only; scikit-learn gives it by place, as NumPy has it.
    """
    return bolide.diff(x, n=n, dim=axis, prepend=prepend, append=append)


def sort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The elements along axis in order."""
    return bolide.sort(x, dim=axis, descending=descending, stable=stable)[0]


def argsort(
    x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True
) -> Tensor:
    """The indices that bring the elements along axis into order."""
    return bolide.argsort(x, dim=axis, descending=descending, stable=stable)


def searchsorted(
    x1: Tensor, x2: Any, /, *, side: str = "left", sorter: Tensor | None = None
) -> Tensor:
    """Where each element of x2 would stand in x1, which is in order or brought into it by sorter."""
    if x1.ndim != 1:
        raise ShapeError(f"[searchsorted] expected x1 of one dimension, got {x1.ndim}.")
    return bolide.searchsorted(*together(x1, x2), side=side, sorter=sorter)
