"""Products of matrices and vectors that the main namespace shares with linalg."""

from __future__ import annotations

from typing import Any

import bolide
from bolide import ShapeError, Tensor
from bolide.array_api._data_types import together


def matmul(x1: Tensor, x2: Tensor, /) -> Tensor:
    """Matrix products of the last two dimensions, the others broadcast."""
    return bolide.matmul(*together(x1, x2))


def matrix_transpose(x: Tensor, /) -> Tensor:
    """The last two dimensions exchanged: a view."""
    return x.mT


def tensordot(x1: Tensor, x2: Tensor, /, *, axes: Any = 2) -> Tensor:
    """Sums of products over the last ``axes`` of x1 with the first of x2, or over two lists of axes."""
    return bolide.tensordot(*together(x1, x2), dims=axes)


def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """The sum over axis of conj(x1) * x2, the other dimensions broadcast.

    Raises ShapeError where the sizes along axis differ, which counts from the end as they broadcast.
    """
    if not -min(x1.ndim, x2.ndim) <= axis < 0:
        raise IndexError(
            f"[vecdot] expected an axis in [{-min(x1.ndim, x2.ndim)}, -1], got {axis}."
        )
    if x1.shape[axis] != x2.shape[axis]:
        raise ShapeError(
            f"[vecdot] expected one size along axis {axis}, got {x1.shape[axis]}, {x2.shape[axis]}."
        )
    x1, x2 = together(x1, x2)
    return bolide.sum(bolide.conj(x1) * x2, axis, dtype=x1.dtype)
