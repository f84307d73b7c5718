"""Products of square f32 matrices."""

from __future__ import annotations

import numpy as np

from cases import Case


def _names_of(n):
    def names(library):
        rng = np.random.default_rng(2)
        a, b = (library.tensor(rng.standard_normal((n, n), dtype=np.float32)) for _ in range(2))
        return {"a": a, "b": b}

    return names


def cases():
    """The rows of this file."""
    return [
        Case(
            f"a @ b, {n}",
            "matmul",
            1.9,
            _names_of(n),
            "a @ b",
            {"numpy": "a @ b", "jax": "(a @ b).block_until_ready()"},
            bytes=12.0 * n * n,
            flops=2.0 * n**3,
        )
        for n in (256, 512, 1024, 2048)
    ]
