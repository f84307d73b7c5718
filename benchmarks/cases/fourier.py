"""Fourier transforms: one row, many rows, two dimensions, real numbers, a prime length."""

from __future__ import annotations

import numpy as np

from cases import Case


def _names(*shape):
    def names(library):
        rng = np.random.default_rng(5)
        x = rng.standard_normal(shape, dtype=np.float32)
        z = (x + 1j * rng.standard_normal(shape, dtype=np.float32)).astype(np.complex64)
        return {"x": library.tensor(x), "z": library.tensor(z), "fft": library.module.fft}

    return names


def cases():
    """The rows of this file."""

    def row(name, statement, *shape):
        n = np.prod(shape)
        others = {"numpy": statement, "jax": f"{statement}.block_until_ready()"}
        return Case(name, "fourier", 1, _names(*shape), statement, others, flops=5 * n * np.log2(n))

    return [
        row("fft, 1024", "fft.fft(z)", 1024),
        row("fft, 64 rows of 1024", "fft.fft(z)", 64, 1024),
        row("rfft, 64 rows of 1024", "fft.rfft(x)", 64, 1024),
        row("fft, 65536", "fft.fft(z)", 65536),
        row("rfft, 65536", "fft.rfft(x)", 65536),
        row("fft, 10007", "fft.fft(z)", 10007),
        row("fft2, 512 x 512", "fft.fft2(z)", 512, 512),
    ]
