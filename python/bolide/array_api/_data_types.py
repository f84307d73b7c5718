"""Data types of the Array API: what two arrays have in common, casts, limits, and what the namespace has to offer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import bolide
from bolide import Tensor, promote_types

MAX_DIMENSIONS = 64  # kMaxRank of the core
_SIGNED = ("int8", "int16", "int32", "int64")
_UNSIGNED = ("uint8",)
_REAL = ("float32", "float64")
_COMPLEX = ("complex64", "complex128")
KINDS = {
    "bool": ("bool",),
    "signed integer": _SIGNED,
    "unsigned integer": _UNSIGNED,
    "integral": (*_SIGNED, *_UNSIGNED),
    "real floating": _REAL,
    "complex floating": _COMPLEX,
    "numeric": (*_SIGNED, *_UNSIGNED, *_REAL, *_COMPLEX),
}


def complex_of(dtype: Any) -> Any:
    """The complex dtype with parts of this floating dtype."""
    if dtype.is_complex:
        return dtype
    return bolide.complex128 if dtype == bolide.float64 else bolide.complex64


def _with_number(dtype: Any, number: Any) -> Any:
    """What dtype becomes beside a Python number: a number has a kind and no width."""
    if dtype.is_complex:
        return dtype
    if isinstance(number, complex):
        return complex_of(dtype if dtype.is_floating_point else bolide.get_default_dtype())
    if dtype.is_floating_point:
        return dtype
    if isinstance(number, float):
        return bolide.get_default_dtype()
    return bolide.int64 if dtype == bolide.bool and not isinstance(number, bool) else dtype


def result_type(*arrays_and_dtypes: Any) -> Any:
    """The dtype that all can be promoted to. A 0-d array counts as any other, which in PyTorch it does not.

    Raises ValueError where there are Python numbers only.
    """
    dtypes: list[Any] = []
    numbers: list[Any] = []
    for value in arrays_and_dtypes:
        if isinstance(value, Tensor):
            dtypes.append(value.dtype)
        else:
            (dtypes if isinstance(value, bolide.dtype) else numbers).append(value)
    if not dtypes:
        raise ValueError(f"[result_type] expected an array or a dtype, got {arrays_and_dtypes}.")
    return reduce(_with_number, numbers, reduce(promote_types, dtypes))


def together(*values: Any) -> list[Tensor]:
    """Arrays and numbers as tensors of their result_type, on the arrays' device."""
    dtype = result_type(*values)
    device = next(value.device for value in values if isinstance(value, Tensor))
    return [
        value.to(dtype)
        if isinstance(value, Tensor)
        else bolide.full((), value, dtype=dtype, device=device)
        for value in values
    ]


def astype(x: Tensor, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Tensor:
    """x in another dtype; x itself where nothing changes and copy is False. Complex to real is a TypeError."""
    if x.dtype.is_complex and not dtype.is_complex:
        raise bolide.DTypeError(f"[astype] expected a complex dtype for {x.dtype}, got {dtype}.")
    return x.to(x.device if device is None else device, dtype, copy=copy)


def can_cast(from_: Any, to: Any, /) -> bool:
    """Whether promotion of from_ (an array or dtype) and ``to`` gives ``to``."""
    return promote_types(from_.dtype if isinstance(from_, Tensor) else from_, to) == to


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether dtype is that dtype, of that kind ("integral", "real floating", ...), or any of a tuple of both.

    Raises ValueError for a kind that the standard does not know.
    """
    if isinstance(kind, tuple):
        return any(isdtype(dtype, one) for one in kind)
    if not isinstance(kind, str):
        return dtype == kind
    if kind not in KINDS:
        raise ValueError(f"[isdtype] expected a kind of {', '.join(KINDS)}, got {kind!r}.")
    return str(dtype).removeprefix("bolide.") in KINDS[kind]


@dataclass(frozen=True)
class finfo_object:  # noqa: N801: the standard's name
    """Limits of a floating dtype, of a complex one those of its parts."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: Any


@dataclass(frozen=True)
class iinfo_object:  # noqa: N801: the standard's name
    """Limits of an integer dtype."""

    bits: int
    max: int
    min: int
    dtype: Any


def finfo(type: Any, /) -> finfo_object:
    """The limits of a floating or complex dtype, or of an array's."""
    limits = bolide.finfo(type.dtype if isinstance(type, Tensor) else type)
    part = getattr(bolide, limits.dtype)
    return finfo_object(
        part.itemsize * 8, limits.eps, limits.max, limits.min, limits.smallest_normal, part
    )


def iinfo(type: Any, /) -> iinfo_object:
    """The limits of an integer dtype, or of an array's."""
    limits = bolide.iinfo(type.dtype if isinstance(type, Tensor) else type)
    return iinfo_object(limits.bits, limits.max, limits.min, getattr(bolide, limits.dtype))


class Info:
    """What ``__array_namespace_info__()`` gives: capabilities, devices and dtypes."""

    def capabilities(self) -> dict[str, Any]:
        """Boolean masks and data-dependent shapes work; the number of dimensions has a limit."""
        return {
            "boolean indexing": True,
            "data-dependent shapes": True,
            "max dimensions": MAX_DIMENSIONS,
        }

    def default_device(self) -> Any:
        """Where arrays are made unless device says otherwise."""
        return bolide.device("cpu")

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        """The dtypes of what is made without a dtype, by kind."""
        real = bolide.get_default_dtype()
        return {
            "real floating": real,
            "complex floating": complex_of(real),
            "integral": bolide.int64,
            "indexing": bolide.int64,
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        """The standard's dtypes that there are, by name: all, or those of a kind or of a tuple of kinds."""
        if kind is None:
            names = KINDS["bool"] + KINDS["numeric"]
        else:
            kinds = kind if isinstance(kind, tuple) else (kind,)
            names = tuple(name for one in kinds for name in KINDS[one])
        return {name: getattr(bolide, name) for name in names}

    def devices(self) -> tuple[Any, ...]:
        """All devices of this machine."""
        count = bolide.cuda.device_count()
        return (bolide.device("cpu"), *(bolide.device("cuda", i) for i in range(count)))


def __array_namespace_info__() -> Info:  # noqa: N807
    """What this namespace can do, as the standard asks for it."""
    return Info()
