"""Windows (bolide.signal.windows and the older names) and short-time Fourier transforms, beside NumPy's."""

import math
import warnings

import bolide
import numpy as np
import pytest
from conftest import DEVICE

if DEVICE != "cpu":
    pytest.skip("the transforms have no CUDA kernel yet", allow_module_level=True)

windows = bolide.signal.windows
OF_NUMPY = {
    "hann": np.hanning, "hamming": np.hamming, "blackman": np.blackman, "bartlett": np.bartlett,
    "kaiser": lambda M: np.kaiser(M, 12.0),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_NUMPY)
@pytest.mark.parametrize("M", [0, 1, 2, 5, 16])
def test_windows_of_numpy(name, M):
    function = getattr(windows, name)
    assert np.allclose(function(M, dtype=bolide.float64).numpy(), OF_NUMPY[name](M), atol=1e-15)
    # one period: the last number of a longer one left out
    periodic = OF_NUMPY[name](M + 1)[:M] if M > 1 else np.ones(M)
    assert np.allclose(function(M, sym=False, dtype=bolide.float64).numpy(), periodic, atol=1e-15)
    older = getattr(bolide, f"{name}_window")
    assert older(M).tolist() == function(M, sym=False).tolist()
    assert older(M, False).tolist() == function(M).tolist()


def test_windows_of_formulas():
    n = np.arange(7)
    cosines = [np.cos(2 * math.pi * k * n / 6) for k in range(4)]
    wanted = {
        "nuttall": 0.3635819 - 0.4891775 * cosines[1] + 0.1365995 * cosines[2] - 0.0106411 * cosines[3],
        "cosine": np.sin(math.pi * (n + 0.5) / 7),
        "gaussian": np.exp(-((n - 3.0) ** 2) / 2 / 1.5**2),
        "exponential": np.exp(-abs(n - 3.0) / 2.0),
        "general_hamming": 0.7 - 0.3 * cosines[1],
        "general_cosine": 1.0 - 2.0 * cosines[1] + 0.5 * cosines[2],
    }  # fmt: skip
    named = {"gaussian": {"std": 1.5}, "exponential": {"tau": 2.0}, "general_hamming": {"alpha": 0.7},
             "general_cosine": {"a": [1.0, 2.0, 0.5]}}  # fmt: skip
    for name, values in wanted.items():
        found = getattr(windows, name)(7, dtype=bolide.float64, **named.get(name, {}))
        assert np.allclose(found.numpy(), values, atol=1e-15), name
    assert np.allclose(
        windows.exponential(3, center=0.0, sym=False).numpy(), np.exp(-np.arange(3.0))
    )
    assert windows.hann(4, requires_grad=True).requires_grad


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: windows.hann(-1), ValueError),
        (lambda: windows.hann(3, dtype=bolide.int64), ValueError),
        (lambda: windows.kaiser(3, beta=-1.0), ValueError),
        (lambda: windows.gaussian(3, std=0.0), ValueError),
        (lambda: windows.exponential(3, tau=-1.0), ValueError),
        (lambda: windows.exponential(3, center=1.0), ValueError),
        (lambda: windows.general_cosine(3, a=[]), ValueError),
        (lambda: windows.general_cosine(3, a=2.0), TypeError),
        (lambda: windows.hann(3, layout=bolide.contiguous_format), ValueError),
    ],
)
def test_windows_refuse(call, error):
    with pytest.raises(error, match=r"\[\w+\] expected .+ got .+\."):
        call()


# ---- short-time Fourier transforms ---------------------------------------------------------------

SIGNAL = np.random.default_rng(0).normal(size=(2, 50))


def pieces_of(x, n_fft, hop, window, center=True, mode="reflect"):
    """The definition: [batch, frequencies, pieces], all frequencies."""
    if center:
        x = np.pad(x, [(0, 0), (n_fft // 2, n_fft // 2)], mode=mode)
    starts = range(0, x.shape[1] - n_fft + 1, hop)
    return np.stack([np.fft.fft(x[:, s : s + n_fft] * window) for s in starts], -1)


@pytest.mark.parametrize(
    ("mode", "numpy_mode"), [("reflect", "reflect"), ("constant", "constant"), ("replicate", "edge"), ("circular", "wrap")]
)  # fmt: skip
def test_stft_is_the_definition(mode, numpy_mode):
    window = bolide.hann_window(8, dtype=bolide.float64)
    x = bolide.from_numpy(SIGNAL)
    wanted = pieces_of(SIGNAL, 8, 3, window.numpy(), mode=numpy_mode)
    found = bolide.stft(x, 8, 3, window=window, pad_mode=mode, return_complex=True)
    assert np.allclose(found.numpy(), wanted[:, :5])
    whole = x.stft(8, 3, window=window, pad_mode=mode, onesided=False, return_complex=False)
    assert np.allclose(whole.numpy(), np.stack([wanted.real, wanted.imag], -1))


def test_stft_of_other_arguments():
    x = bolide.from_numpy(SIGNAL)
    short = np.pad(np.ones(4), (2, 2))
    wanted = pieces_of(SIGNAL, 8, 2, short, center=False)
    found = bolide.stft(x[1], 8, win_length=4, center=False, normalized=True, return_complex=True)
    assert np.allclose(found.numpy(), wanted[1, :5] / math.sqrt(8))
    z = bolide.complex(x, x.flip(1))
    both = pieces_of(SIGNAL + 1j * SIGNAL[:, ::-1], 8, 2, np.ones(8))
    assert np.allclose(bolide.stft(z, 8).numpy(), both)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("normalized", [True, False])
def test_istft_gives_the_signal_back(center, normalized):
    x = bolide.from_numpy(SIGNAL)
    window = bolide.hamming_window(8, dtype=bolide.float64)
    named = {"hop_length": 2, "window": window, "center": center, "normalized": normalized}
    spectra = bolide.stft(x, 8, return_complex=True, **named)
    assert np.allclose(spectra.istft(8, **named).numpy(), SIGNAL)
    assert np.allclose(bolide.istft(spectra[0], 8, length=20, **named).numpy(), SIGNAL[0, :20])
    z = bolide.complex(x, x.flip(1))
    spectra = bolide.stft(z, 8, **named)
    assert np.allclose(bolide.istft(spectra, 8, return_complex=True, **named).numpy(), z.numpy())


def test_istft_fills_up_a_longer_length():
    spectra = bolide.stft(bolide.from_numpy(SIGNAL[0]), 8, return_complex=True)
    with pytest.warns(UserWarning, match="istft"):
        longer = bolide.istft(spectra, 8, length=60)
    assert longer.shape == (60,) and longer[54:].tolist() == [0.0] * 6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bolide.istft(spectra, 8, length=50)


def test_gradients():
    x = bolide.from_numpy(SIGNAL[:, :20].copy()).requires_grad_()
    window = bolide.hamming_window(6, dtype=bolide.float64).requires_grad_()

    def there(x, w):
        return bolide.view_as_real(bolide.stft(x, 6, 2, window=w, return_complex=True))

    def and_back(x, w):
        return bolide.istft(bolide.stft(x, 6, 2, return_complex=True), 6, 2, window=w)

    for function in (there, and_back):
        assert bolide.autograd.gradcheck(function, (x, window))
        assert bolide.autograd.gradgradcheck(function, (x, window))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: bolide.stft(x, 8),
        lambda x: bolide.stft(x, 200, return_complex=True),
        lambda x: bolide.stft(x, 8, 0, return_complex=True),
        lambda x: bolide.stft(x, 8, win_length=9, return_complex=True),
        lambda x: bolide.stft(x, 8, window=bolide.ones(5), return_complex=True),
        lambda x: bolide.stft(x.unsqueeze(0), 8, return_complex=True),
        lambda x: bolide.stft(x.long(), 8, return_complex=True),
        lambda x: bolide.stft(x, 8, center=False, return_complex=True, onesided=True, window=bolide.ones(8, dtype=bolide.complex64)),
        lambda x: bolide.istft(x, 8),
        lambda x: bolide.istft(bolide.ones(7, 4, dtype=bolide.complex64), 8),
        lambda x: bolide.istft(bolide.ones(5, 4, dtype=bolide.complex64), 8, 9),
        lambda x: bolide.istft(bolide.ones(5, 4, dtype=bolide.complex64), 8, window=bolide.zeros(8)),
        lambda x: bolide.istft(bolide.ones(5, 4, dtype=bolide.complex64), 8, return_complex=True, onesided=True),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(call):
    with pytest.raises(RuntimeError, match=r"\[i?stft\] expected .+ got .+\."):
        call(bolide.from_numpy(SIGNAL))
