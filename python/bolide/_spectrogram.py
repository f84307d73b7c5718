"""Short-time Fourier transforms, made of windows along the signal (unfold) and bolide.fft.

Also the methods Tensor.stft and Tensor.istft: a row each in bindings/ops_fft.cpp calls these functions.
"""

from __future__ import annotations

import warnings

from bolide import _C, fft
from bolide._C import Tensor


def _padded(x: Tensor, pad: int, mode: str) -> Tensor:
    """The last dimension with `pad` numbers more at both ends."""
    n = x.shape[-1]
    if mode == "constant":
        return _C.constant_pad_nd(x, [pad, pad], 0)
    if mode == "replicate":
        shape = [*x.shape[:-1], pad]
        return _C.cat([x[..., :1].expand(shape), x, x[..., -1:].expand(shape)], -1)
    if mode == "reflect":
        if pad >= n:
            raise _C.ShapeError(
                f"[stft] expected a signal longer than the padding of {pad}, got {n}."
            )
        return _C.cat([x[..., 1 : pad + 1].flip(-1), x, x[..., n - pad - 1 : n - 1].flip(-1)], -1)
    if mode == "circular":
        if pad > n:
            raise _C.ShapeError(
                f"[stft] expected a signal at least as long as the padding of {pad}, got {n}."
            )
        return _C.cat([x[..., n - pad :], x, x[..., :pad]], -1)
    raise NotImplementedError(
        f"[stft] expected pad_mode constant, reflect, replicate or circular, got {mode!r}."
    )


def _window(
    name: str, x: Tensor, window: Tensor | None, n_fft: int, win_length: int | None
) -> tuple[Tensor | None, int]:
    """The window with zeros around up to n_fft numbers; None: all ones. And its own length."""
    length = n_fft if win_length is None else win_length
    if not 0 < length <= n_fft:
        raise _C.BolideError(f"[{name}] expected 0 < win_length <= {n_fft}, got {length}.")
    if window is None:
        if length == n_fft:
            return None, length
        kind = x.abs().dtype if x.is_complex() else x.dtype
        window = _C.ones(length, dtype=kind, device=x.device)
    elif window.ndim != 1 or window.shape[0] != length:
        raise _C.ShapeError(
            f"[{name}] expected a 1-d window of {length} numbers, got {tuple(window.shape)}."
        )
    left = (n_fft - length) // 2
    return _C.constant_pad_nd(window, [left, n_fft - length - left], 0), length


def stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """Fourier transforms of pieces of n_fft numbers, hop_length apart, of a signal [length] or [batch, length].

    Gives [batch, frequencies, pieces]. window: what each piece is multiplied with. center: the signal is padded, so
    that the pieces' middles are on it. onesided: half the spectrum, all there is of real signals. return_complex has
    to be given for those: False adds a last dimension of real and imaginary parts instead.

    Raises ShapeError for signals, BolideError for lengths that do not fit. Reference: torch.stft.
    """
    is_complex = input.is_complex() or (window is not None and window.is_complex())
    if return_complex is None and not is_complex:
        raise _C.BolideError("[stft] expected return_complex for a real input, got none.")
    if align_to_window is not None:
        if center:
            raise _C.BolideError("[stft] expected no align_to_window with center, got one.")
        if align_to_window:
            raise NotImplementedError("[stft] expected align_to_window False, got True.")
    if not (input.is_floating_point() or input.is_complex()):
        raise _C.BolideError(
            f"[stft] expected a floating-point or complex signal, got {input.dtype}."
        )
    if input.ndim not in (1, 2):
        raise _C.ShapeError(f"[stft] expected one or two dimensions, got {tuple(input.shape)}.")
    x = input if input.ndim == 2 else input.unsqueeze(0)
    if center:
        x = _padded(x, n_fft // 2, pad_mode)
    if not 0 < n_fft <= x.shape[-1]:
        raise _C.BolideError(f"[stft] expected 0 < n_fft <= {x.shape[-1]}, got {n_fft}.")
    hop = n_fft // 4 if hop_length is None else hop_length
    if hop <= 0:
        raise _C.BolideError(f"[stft] expected a hop_length above 0, got {hop}.")
    weights, _ = _window("stft", x, window, n_fft, win_length)
    pieces = x.unfold(-1, n_fft, hop)
    if weights is not None:
        pieces = pieces * weights
    half = not is_complex if onesided is None else onesided
    if half and is_complex:
        raise _C.BolideError("[stft] expected onesided False for complex numbers, got True.")
    transform = fft.rfft if half else fft.fft
    spectra = transform(pieces, norm="ortho" if normalized else "backward").transpose(1, 2)
    spectra = spectra if input.ndim == 2 else spectra.squeeze(0)
    return spectra if return_complex or return_complex is None else _C.view_as_real(spectra)


def _added(pieces: Tensor, hop: int) -> Tensor:
    """Pieces [batch, pieces, n], hop apart, summed where they overlap."""
    batch, count, n = pieces.shape
    starts = _C.arange(count, device=pieces.device).unsqueeze(1) * hop
    places = (starts + _C.arange(n, device=pieces.device)).reshape(-1)
    length = n + hop * (count - 1)
    zeros = _C.zeros(batch, length, dtype=pieces.dtype, device=pieces.device)
    return zeros.index_add(1, places, pieces.reshape(batch, -1))


def istft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """The signal whose stft() this is, from complex [batch, frequencies, pieces]: overlapping pieces are added, and
    divided by the sum of the squares of their windows, which must nowhere be 0.

    length: of the signal, where stft() dropped an end of it. Raises ShapeError and BolideError for spectra and lengths
    that do not fit. Reference: torch.istft.
    """
    if not input.is_complex():
        raise _C.BolideError(f"[istft] expected a complex spectrum, got {input.dtype}.")
    if input.ndim not in (2, 3) or not input.numel():
        raise _C.ShapeError(
            f"[istft] expected two or three dimensions with elements, got {tuple(input.shape)}."
        )
    hop = n_fft // 4 if hop_length is None else hop_length
    size = win_length if win_length is not None else n_fft
    if not 0 < hop <= size:
        raise _C.BolideError(f"[istft] expected 0 < hop_length <= {size}, got {hop}.")
    spectra = (input if input.ndim == 3 else input.unsqueeze(0)).transpose(1, 2)
    half = spectra.shape[-1] != n_fft if onesided is None else onesided
    if spectra.shape[-1] != (n_fft // 2 + 1 if half else n_fft):
        raise _C.ShapeError(
            f"[istft] expected {n_fft // 2 + 1 if half else n_fft} frequencies, got {spectra.shape[-1]}."
        )
    if half and return_complex:
        raise _C.BolideError("[istft] expected onesided False for complex signals, got True.")
    if window is not None and window.is_complex() and not return_complex:
        raise _C.BolideError("[istft] expected a real window for real signals, got a complex one.")
    weights, _ = _window("istft", spectra, window, n_fft, win_length)
    norm = "ortho" if normalized else "backward"
    if return_complex:
        pieces = fft.ifft(spectra, norm=norm)
    else:
        pieces = fft.irfft(spectra[..., : n_fft // 2 + 1], n_fft, norm=norm)
    if weights is None:
        weights = _C.ones(n_fft, dtype=pieces.abs().dtype, device=input.device)
    signal = _added(pieces * weights, hop)
    squares = (weights * weights).expand(1, pieces.shape[1], n_fft)
    envelope = _added(squares, hop)
    start = n_fft // 2 if center else 0
    total = signal.shape[-1]
    end = start + length if length is not None else total - n_fft // 2 if center else total
    signal, envelope = signal[:, start : min(end, total)], envelope[:, start : min(end, total)]
    least = envelope.abs().min().item()
    if not least > 1e-11:
        raise _C.BolideError(
            f"[istft] expected windows that overlap everywhere, got a sum of squares of {least}."
        )
    signal = signal / envelope
    if end > total:
        warnings.warn("istft: the length is longer than the signal; zeros are added.", stacklevel=2)
        signal = _C.constant_pad_nd(signal, [0, end - total], 0)
    return signal if input.ndim == 3 else signal.squeeze(0)
