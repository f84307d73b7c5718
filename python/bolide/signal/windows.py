"""Windows under the names of torch.signal.windows: M numbers that fall to both sides of a middle.

``sym``: symmetric, for filters; otherwise one period of what repeats, for spectra. All take ``dtype`` (float32, float64;
None is the default dtype), ``layout``, ``device`` and ``requires_grad``, and raise ValueError for what does not fit.
The older names ``bolide.hann_window`` and its kin are at the end. To add a window: a function that calls ``_window``.

    >>> bolide.signal.windows.hann(5)
    tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from bolide import _C
from bolide._C import Tensor

__all__ = [
    *("bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine", "general_hamming"),
    *("hamming", "hann", "kaiser", "nuttall"),
]  # fmt: skip


def _window(
    name: str,
    M: int,
    sym: bool,
    values: Callable[[Tensor, int], Tensor],
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """values(n, N) of n = 0 ... M - 1, in float64, where N steps are a period; a single number is 1."""
    if M < 0:
        raise ValueError(f"[{name}] expected a non-negative M, got {M}.")
    if layout not in (None, _C.strided):
        raise ValueError(f"[{name}] expected layout strided, got {layout}.")
    dtype = _C.get_default_dtype() if dtype is None else dtype
    if dtype not in (_C.float32, _C.float64):
        raise ValueError(f"[{name}] expected a dtype of float32 or float64, got {dtype}.")
    n = _C.arange(M, dtype=_C.float64, device=device)
    window = _C.ones_like(n) if M <= 1 else values(n, M - 1 if sym else M)
    return window.to(dtype).requires_grad_(requires_grad)


def general_cosine(M: int, *, a: Iterable[float], sym: bool = True, **options: Any) -> Tensor:
    """The sum over i of (-1)^i a[i] cos(2 pi i n / N). Reference: torch.signal.windows.general_cosine."""
    if not isinstance(a, Iterable):
        raise TypeError(
            f"[general_cosine] expected coefficients as a list, got {type(a).__name__}."
        )
    weights = list(a)
    if not weights:
        raise ValueError("[general_cosine] expected at least one coefficient, got none.")

    def values(n: Tensor, steps: int) -> Tensor:
        angle, window = n * (2 * math.pi / steps), _C.zeros_like(n)
        for i, weight in enumerate(weights):
            window = window + (-1) ** i * weight * _C.cos(angle * i)
        return window

    return _window("general_cosine", M, sym, values, **options)


def general_hamming(M: int, *, alpha: float = 0.54, sym: bool = True, **options: Any) -> Tensor:
    """alpha - (1 - alpha) cos(2 pi n / N). Reference: torch.signal.windows.general_hamming."""
    return general_cosine(M, a=[alpha, 1.0 - alpha], sym=sym, **options)


def hamming(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """0.54 - 0.46 cos(2 pi n / N). Reference: torch.signal.windows.hamming."""
    return general_hamming(M, sym=sym, **options)


def hann(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """sin(pi n / N) squared. Reference: torch.signal.windows.hann."""
    return general_hamming(M, alpha=0.5, sym=sym, **options)


def blackman(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N). Reference: torch.signal.windows.blackman."""
    return general_cosine(M, a=[0.42, 0.5, 0.08], sym=sym, **options)


def nuttall(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """Nuttall's window of four terms (1981). Reference: torch.signal.windows.nuttall."""
    return general_cosine(M, a=[0.3635819, 0.4891775, 0.1365995, 0.0106411], sym=sym, **options)


def bartlett(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """A triangle: 1 - |2 n / N - 1|. Reference: torch.signal.windows.bartlett."""
    return _window("bartlett", M, sym, lambda n, steps: 1 - (n * 2 / steps - 1).abs(), **options)


def cosine(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """sin(pi (n + 1/2) / (N + 1)). Reference: torch.signal.windows.cosine."""
    return _window(
        "cosine", M, sym, lambda n, steps: _C.sin((n + 0.5) * (math.pi / (steps + 1))), **options
    )


def exponential(
    M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True, **options: Any
) -> Tensor:
    """exp(-|n - center| / tau). Reference: torch.signal.windows.exponential."""
    if tau <= 0:
        raise ValueError(f"[exponential] expected a positive tau, got {tau}.")
    if sym and center is not None:
        raise ValueError(f"[exponential] expected no center of a symmetric window, got {center}.")

    def values(n: Tensor, steps: int) -> Tensor:
        return _C.exp((n - (steps / 2 if center is None else center)).abs() / -tau)

    return _window("exponential", M, sym, values, **options)


def gaussian(M: int, *, std: float = 1.0, sym: bool = True, **options: Any) -> Tensor:
    """exp(-(n - N / 2)^2 / (2 std^2)). Reference: torch.signal.windows.gaussian."""
    if std <= 0:
        raise ValueError(f"[gaussian] expected a positive std, got {std}.")
    return _window(
        "gaussian", M, sym, lambda n, steps: _C.exp(((n - steps / 2) / std) ** 2 * -0.5), **options
    )


def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, **options: Any) -> Tensor:
    """i0(beta sqrt(1 - (2 n / N - 1)^2)) / i0(beta). Reference: torch.signal.windows.kaiser."""
    if beta < 0:
        raise ValueError(f"[kaiser] expected a non-negative beta, got {beta}.")

    def values(n: Tensor, steps: int) -> Tensor:
        inner = _C.clamp(1 - (n * 2 / steps - 1) ** 2, min=0.0)
        return _C.i0(beta * _C.sqrt(inner)) / _C.i0(_C.full_like(n[:1], beta))

    return _window("kaiser", M, sym, values, **options)


# ---- the older names, as functions of bolide: periodic unless told otherwise ---------------------


def hann_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """hann(), periodic unless told otherwise. Reference: torch.hann_window."""
    return hann(window_length, sym=not periodic, **options)


def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    **options: Any,
) -> Tensor:
    """alpha - beta cos(2 pi n / N), periodic unless told otherwise. Reference: torch.hamming_window."""
    return general_cosine(window_length, a=[alpha, beta], sym=not periodic, **options)


def blackman_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """blackman(), periodic unless told otherwise. Reference: torch.blackman_window."""
    return blackman(window_length, sym=not periodic, **options)


def bartlett_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """bartlett(), periodic unless told otherwise. Reference: torch.bartlett_window."""
    return bartlett(window_length, sym=not periodic, **options)


def kaiser_window(
    window_length: int, periodic: bool = True, beta: float = 12.0, **options: Any
) -> Tensor:
    """kaiser(), periodic unless told otherwise. Reference: torch.kaiser_window."""
    return kaiser(window_length, beta=beta, sym=not periodic, **options)
