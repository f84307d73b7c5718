"""Creation of arrays, with the standard's arguments."""

from __future__ import annotations

from typing import Any

import bolide
from bolide import Tensor
from bolide.array_api._data_types import complex_of


def _sizes(shape: Any) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: Any = None) -> Tensor:
    """An array of numbers, nested sequences, buffers or arrays; copy=False shares memory or raises ValueError."""
    return bolide.asarray(obj, dtype=dtype, device=device, copy=copy)


def from_dlpack(x: Any, /, *, device: Any = None, copy: Any = None) -> Tensor:
    """An array on the memory of any object with __dlpack__."""
    return bolide.from_dlpack(x, device=device, copy=copy)


def arange(
    start: float,
    /,
    stop: Any = None,
    step: float = 1,
    *,
    dtype: Any = None,
    device: Any = None,
) -> Tensor:
    """Numbers from start (0 where only one is given) up to, not including, stop; none if step leads away."""
    if stop is None:
        start, stop = 0, start
    if dtype is None:
        floats = any(isinstance(value, float) for value in (start, stop, step))
        dtype = bolide.get_default_dtype() if floats else bolide.int64
    if (stop - start) * step <= 0:
        start = stop
    return bolide.arange(start, stop, step, dtype=dtype, device=device)


def linspace(
    start: Any,
    stop: Any,
    /,
    num: int,
    *,
    dtype: Any = None,
    device: Any = None,
    endpoint: bool = True,
) -> Tensor:
    """num numbers from start to stop, which is the last one unless endpoint is False."""
    if isinstance(start, complex) or isinstance(stop, complex):
        dtype = complex_of(bolide.get_default_dtype() if dtype is None else dtype)
        part = bolide.float64 if dtype == bolide.complex128 else bolide.float32
        ends = complex(start), complex(stop)
        named: Any = {"dtype": part, "device": device, "endpoint": endpoint}
        real = linspace(ends[0].real, ends[1].real, num, **named)
        return bolide.complex(real, linspace(ends[0].imag, ends[1].imag, num, **named))
    if not endpoint:
        return bolide.linspace(start, stop, num + 1, dtype=dtype, device=device)[:num]
    return bolide.linspace(start, stop, num, dtype=dtype, device=device)


def eye(
    n_rows: int, n_cols: Any = None, /, *, k: int = 0, dtype: Any = None, device: Any = None
) -> Tensor:
    """A matrix with ones on its k-th diagonal."""
    result = bolide.zeros(
        (n_rows, n_rows if n_cols is None else n_cols), dtype=dtype, device=device
    )
    if -n_rows <= k <= result.shape[1]:
        result.diagonal(k).fill_(1)
    return result


def empty(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """An array with nothing written to it."""
    return bolide.empty(_sizes(shape), dtype=dtype, device=device)


def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """An array of zeros."""
    return bolide.zeros(_sizes(shape), dtype=dtype, device=device)


def ones(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """An array of ones."""
    return bolide.ones(_sizes(shape), dtype=dtype, device=device)


def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """An array of one number, whose kind decides the dtype where none is given."""
    return bolide.full(_sizes(shape), fill_value, dtype=dtype, device=device)


def meshgrid(*arrays: Tensor, indexing: str = "xy") -> tuple[Tensor, ...]:
    """Grids of coordinates, one per array."""
    return tuple(bolide.meshgrid(*arrays, indexing=indexing))


def tril(x: Tensor, /, *, k: int = 0) -> Tensor:
    """The part of matrices on and below the k-th diagonal."""
    return bolide.tril(x, k)


def triu(x: Tensor, /, *, k: int = 0) -> Tensor:
    """The part of matrices on and above the k-th diagonal."""
    return bolide.triu(x, k)
