"""The fft extension of the Array API: bolide.fft with the standard's arguments.

To add a function: a line of ``_along_axis`` or ``_along_axes``, or a function of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bolide import Tensor
from bolide import fft as _fft


def _along_axis(op: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def function(x: Tensor, /, *, n: Any = None, axis: int = -1, norm: str = "backward") -> Tensor:
        return op(x, n, axis, norm)

    function.__name__, function.__doc__ = op.__name__, op.__doc__
    return function


def _along_axes(op: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def function(
        x: Tensor, /, *, s: Any = None, axes: Any = None, norm: str = "backward"
    ) -> Tensor:
        return op(x, s, axes, norm)

    function.__name__, function.__doc__ = op.__name__, op.__doc__
    return function


fft = _along_axis(_fft.fft)
ifft = _along_axis(_fft.ifft)
rfft = _along_axis(_fft.rfft)
irfft = _along_axis(_fft.irfft)
hfft = _along_axis(_fft.hfft)
ihfft = _along_axis(_fft.ihfft)
fftn = _along_axes(_fft.fftn)
ifftn = _along_axes(_fft.ifftn)
rfftn = _along_axes(_fft.rfftn)
irfftn = _along_axes(_fft.irfftn)


def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """The frequencies of fft()'s n results for samples d apart."""
    return _fft.fftfreq(n, d, dtype=dtype, device=device)


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """The frequencies of rfft()'s results for samples d apart."""
    return _fft.rfftfreq(n, d, dtype=dtype, device=device)


def fftshift(x: Tensor, /, *, axes: Any = None) -> Tensor:
    """With frequency 0 in the middle of axes, by default of all."""
    return _fft.fftshift(x, axes)


def ifftshift(x: Tensor, /, *, axes: Any = None) -> Tensor:
    """The inverse of fftshift()."""
    return _fft.ifftshift(x, axes)
