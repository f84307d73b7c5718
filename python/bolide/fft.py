"""Discrete Fourier transforms under the names of torch.fft.

A transform of n numbers is X[k] = sum over j of x[j] exp(-2 pi i j k / n), the inverse one has exp(+...). Lengths may
be any; those of small primes are fastest. ``n`` or ``s`` cuts or fills up with zeros along ``dim`` first. ``norm``
says which of both is divided: "backward" the inverse by n, "forward" the other by n, "ortho" each by sqrt(n).
float32, float64, complex64 and complex128; integers and bool become the default dtype.

Raises IndexError for a dim that is not there, BolideError for a length below 1, another norm or dims that repeat,
DTypeError for other dtypes and for complex numbers where real ones are expected.

    >>> bolide.fft.ifft(bolide.fft.fft(bolide.tensor([1.0, 2.0, 4.0]))).real
    tensor([1., 2., 4.])

To add a transform: a function of ``_c2c``, ``_r2c`` and ``_c2r``, which the extension computes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from bolide import _C
from bolide._C import Tensor

__all__ = [
    *("fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fft2", "ifft2", "rfft2", "irfft2", "hfft2", "ihfft2"),
    *("fftn", "ifftn", "rfftn", "irfftn", "hfftn", "ihfftn", "fftfreq", "rfftfreq", "fftshift", "ifftshift"),
]  # fmt: skip

_SUPPORTED = (_C.float32, _C.float64, _C.complex64, _C.complex128)
_DIVIDES = {"backward": (0.0, 1.0), "ortho": (0.5, 0.5), "forward": (1.0, 0.0)}


class _Transform:
    """A call: its name, the dims with their sizes, and the numbers that it divides by."""

    def __init__(self, name: str, x: Tensor, s: Any, dim: Any, norm: Any, half: bool = False):
        self.name, self.norm = name, "backward" if norm is None else norm
        if self.norm not in _DIVIDES:
            raise _C.BolideError(
                f"[{name}] expected a norm of {', '.join(_DIVIDES)}, got {norm!r}."
            )
        s, dim = ((v,) if isinstance(v, int) else v for v in (s, dim))
        self.dims = self._dims(x, s, dim)
        self.sizes = [x.shape[d] for d in self.dims]
        if half and self.dims:  # a spectrum of which the last dim has half
            self.sizes[-1] = 2 * (self.sizes[-1] - 1)
        if s is not None:
            self.sizes = [own if n == -1 else n for n, own in zip(s, self.sizes, strict=True)]
        for n in self.sizes:
            if n < 1:
                raise _C.BolideError(
                    f"[{name}] expected at least one number to transform, got {n}."
                )

    def _dims(self, x: Tensor, s: Any, dim: Any) -> list[int]:
        if dim is None:
            count = x.ndim if s is None else len(s)
            if count > x.ndim:
                raise _C.ShapeError(f"[{self.name}] expected at most {x.ndim} sizes, got {count}.")
            return list(range(x.ndim - count, x.ndim))
        if s is not None and len(s) != len(dim):
            raise _C.ShapeError(
                f"[{self.name}] expected as many sizes as dims, got {len(s)} and {len(dim)}."
            )
        for d in dim:
            if not -x.ndim <= d < x.ndim:
                raise IndexError(
                    f"[{self.name}] expected a dim in [{-x.ndim}, {x.ndim - 1}], got {d}."
                )
        dims = [d % x.ndim for d in dim]
        if len(set(dims)) < len(dims):
            raise _C.BolideError(f"[{self.name}] expected different dims, got {tuple(dim)}.")
        return dims

    def scale(self, inverse: bool) -> float:
        """What the result is multiplied by."""
        return 1.0 / math.prod(self.sizes) ** _DIVIDES[self.norm][inverse]


def _number(name: str, x: Tensor, real: bool = False) -> Tensor:
    """In a dtype that can be transformed."""
    if not (x.dtype.is_floating_point or x.dtype.is_complex):
        x = x.to(_C.get_default_dtype())
    if x.dtype not in _SUPPORTED or (real and x.dtype.is_complex):
        kinds = "float32 or float64" if real else "float32, float64, complex64 or complex128"
        raise _C.DTypeError(f"[{name}] expected {kinds}, got {x.dtype}.")
    return x


def _complex(x: Tensor) -> Tensor:
    if x.dtype.is_complex:
        return x
    return x.to(_C.complex128 if x.dtype == _C.float64 else _C.complex64)


def _resized(x: Tensor, sizes: Sequence[int], dims: Sequence[int]) -> Tensor:
    for n, d in zip(sizes, dims, strict=True):
        if n < x.shape[d]:
            x = x.narrow(d, 0, n)
        elif n > x.shape[d]:
            shape = [*x.shape]
            shape[d] = n - x.shape[d]
            x = _C.cat([x, _C.zeros(shape, dtype=x.dtype, device=x.device)], d)
    return x


def _into(out: Tensor | None, op: Callable[..., Tensor], *args: Any) -> Tensor:
    return op(*args) if out is None else op(*args, out=out)


def _c2c(name: str, x: Tensor, s: Any, dim: Any, norm: Any, inverse: bool, out: Any) -> Tensor:
    x = _number(name, x)
    t = _Transform(name, x, s, dim, norm)
    x = _resized(_complex(x), t.sizes, t.dims)
    return _into(out, _C._fft_c2c, x, t.dims, t.scale(inverse), inverse)


def _needs_dims(t: _Transform) -> None:
    if not t.dims:
        raise _C.ShapeError(f"[{t.name}] expected at least one dim to transform, got none.")


def _r2c(name: str, x: Tensor, s: Any, dim: Any, norm: Any, inverse: bool, out: Any) -> Tensor:
    """The last dim first, which leaves half of it; inverse: of the other sign."""
    x = _number(name, x, real=True)
    t = _Transform(name, x, s, dim, norm)
    _needs_dims(t)
    x = _resized(x, t.sizes, t.dims)
    scale, rest = t.scale(inverse), t.dims[:-1]
    if not rest and not inverse:
        return _into(out, _C._fft_r2c, x, t.dims[-1], scale)
    half = _C._fft_r2c(x, t.dims[-1], scale)
    if inverse and not rest:
        return _into(out, _C.conj_physical, half)
    if inverse:
        half = _C.conj_physical(half)
    return _into(out, _C._fft_c2c, half, rest, 1.0, inverse)


def _c2r(name: str, x: Tensor, s: Any, dim: Any, norm: Any, inverse: bool, out: Any) -> Tensor:
    """The other dims first, then half of the last one to real numbers."""
    x = _complex(_number(name, x))
    t = _Transform(name, x, s, dim, norm, half=True)
    _needs_dims(t)
    n, last, rest = t.sizes[-1], t.dims[-1], t.dims[:-1]
    x = _resized(x, [*t.sizes[:-1], n // 2 + 1], t.dims)
    if rest:
        x = _C._fft_c2c(x, rest, 1.0, inverse)
    if not inverse:
        x = _C.conj_physical(x)
    return _into(out, _C._fft_c2r, x, last, n, t.scale(inverse))


def _one(n: int | None) -> tuple[int, ...] | None:
    if n == -1:  # of several lengths -1 keeps one; a single one has to be a length
        return (0,)
    return None if n is None else (n,)


def fft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: Any = None, *, out: Any = None
) -> Tensor:
    """The transform along dim. Reference: torch.fft.fft."""
    return _c2c("fft", input, _one(n), (dim,), norm, False, out)


def ifft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: Any = None, *, out: Any = None
) -> Tensor:
    """The inverse transform along dim. Reference: torch.fft.ifft."""
    return _c2c("ifft", input, _one(n), (dim,), norm, True, out)


def rfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: Any = None, *, out: Any = None
) -> Tensor:
    """The first n // 2 + 1 numbers of a real tensor's transform; the others are their conjugates.

    Reference: torch.fft.rfft.
    """
    return _r2c("rfft", input, _one(n), (dim,), norm, False, out)


def irfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: Any = None, *, out: Any = None
) -> Tensor:
    """The n real numbers, by default 2 * (size - 1), whose rfft() is input. Reference: torch.fft.irfft."""
    return _c2r("irfft", input, _one(n), (dim,), norm, True, out)


def hfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: Any = None, *, out: Any = None
) -> Tensor:
    """The transform, n real numbers, of a signal that is its own conjugate in reverse, of which input is half.

    Reference: torch.fft.hfft.
    """
    return _c2r("hfft", input, _one(n), (dim,), norm, False, out)


def ihfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: Any = None, *, out: Any = None
) -> Tensor:
    """The half of a signal whose hfft() is input. Reference: torch.fft.ihfft."""
    return _r2c("ihfft", input, _one(n), (dim,), norm, True, out)


def fftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: Any = None, *, out: Any = None
) -> Tensor:
    """The transform along dims, by default all or the last len(s). Reference: torch.fft.fftn."""
    return _c2c("fftn", input, s, dim, norm, False, out)


def ifftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: Any = None, *, out: Any = None
) -> Tensor:
    """The inverse of fftn(). Reference: torch.fft.ifftn."""
    return _c2c("ifftn", input, s, dim, norm, True, out)


def rfftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: Any = None, *, out: Any = None
) -> Tensor:
    """The transform of a real tensor along dims, of the last one half. Reference: torch.fft.rfftn."""
    return _r2c("rfftn", input, s, dim, norm, False, out)


def irfftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: Any = None, *, out: Any = None
) -> Tensor:
    """The inverse of rfftn(). Reference: torch.fft.irfftn."""
    return _c2r("irfftn", input, s, dim, norm, True, out)


def hfftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: Any = None, *, out: Any = None
) -> Tensor:
    """hfft() along the last of dims, fft() along the others. Reference: torch.fft.hfftn."""
    return _c2r("hfftn", input, s, dim, norm, False, out)


def ihfftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: Any = None, *, out: Any = None
) -> Tensor:
    """The inverse of hfftn(). Reference: torch.fft.ihfftn."""
    return _r2c("ihfftn", input, s, dim, norm, True, out)


def fft2(
    input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: Any = None, *, out: Any = None
) -> Tensor:
    """fftn() along two dims. Reference: torch.fft.fft2."""
    return _c2c("fft2", input, s, dim, norm, False, out)


def ifft2(
    input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: Any = None, *, out: Any = None
) -> Tensor:
    """ifftn() along two dims. Reference: torch.fft.ifft2."""
    return _c2c("ifft2", input, s, dim, norm, True, out)


def rfft2(
    input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: Any = None, *, out: Any = None
) -> Tensor:
    """rfftn() along two dims. Reference: torch.fft.rfft2."""
    return _r2c("rfft2", input, s, dim, norm, False, out)


def irfft2(
    input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: Any = None, *, out: Any = None
) -> Tensor:
    """irfftn() along two dims. Reference: torch.fft.irfft2."""
    return _c2r("irfft2", input, s, dim, norm, True, out)


def hfft2(
    input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: Any = None, *, out: Any = None
) -> Tensor:
    """hfftn() along two dims. Reference: torch.fft.hfft2."""
    return _c2r("hfft2", input, s, dim, norm, False, out)


def ihfft2(
    input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: Any = None, *, out: Any = None
) -> Tensor:
    """ihfftn() along two dims. Reference: torch.fft.ihfft2."""
    return _r2c("ihfft2", input, s, dim, norm, True, out)


def _frequencies(
    counts: list[Tensor], n: int, d: float, out: Any, dtype: Any, requires_grad: bool
) -> Tensor:
    step = n * d
    found = _C.cat(counts).to(dtype or _C.get_default_dtype()) * (1.0 / step if step else math.inf)
    if out is not None:
        return out.resize_(found.shape).copy_(found)
    return found.requires_grad_() if requires_grad else found


def fftfreq(
    n: int, d: float = 1.0, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The frequencies of fft()'s n results for samples d apart: 0, 1, ..., -2, -1 over n * d.

    Reference: torch.fft.fftfreq.
    """
    counts = [_C.arange(0, (n + 1) // 2, device=device), _C.arange(-(n // 2), 0, device=device)]
    return _frequencies(counts, n, d, out, dtype, requires_grad)


def rfftfreq(
    n: int, d: float = 1.0, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The frequencies of rfft()'s n // 2 + 1 results for samples d apart. Reference: torch.fft.rfftfreq."""
    return _frequencies([_C.arange(0, n // 2 + 1, device=device)], n, d, out, dtype, requires_grad)


def _shifted(x: Tensor, dim: Any, up: int) -> Tensor:
    dims = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    return (
        _C.roll(x, [(x.shape[d] + up) // 2 for d in dims], list(dims)) if len(dims) else x.clone()
    )


def fftshift(input: Tensor, dim: Any = None) -> Tensor:
    """With frequency 0 in the middle of dims, by default of all. Reference: torch.fft.fftshift."""
    return _shifted(input, dim, 0)


def ifftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The inverse of fftshift(). Reference: torch.fft.ifftshift."""
    return _shifted(input, dim, 1)
