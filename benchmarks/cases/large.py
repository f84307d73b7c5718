"""Elementwise ops on 10^7 numbers: memory bandwidth, page faults and vector code."""

from __future__ import annotations

import numpy as np

from cases import Case

COUNT = 10_000_000


def _names(library):
    rng = np.random.default_rng(1)
    a, b, c = (library.tensor(rng.standard_normal(COUNT, dtype=np.float32)) for _ in range(3))
    names = {"a": a, "b": b, "c": c, "lib": library.module}
    if library.follows_pytorch:
        names["out"] = library.module.empty(COUNT, device=library.device)
        names["gelu"] = library.functional.gelu
    elif library.name == "numpy":
        names["out"] = np.empty_like(a)
    return names


def cases():
    """The rows of this file."""
    mb4 = 4 * COUNT  # bytes of one operand

    def row(name, at_least, statement, operands, others=None):
        return Case(
            f"{name}, 10^7",
            "large",
            at_least,
            _names,
            statement,
            others or {},
            bytes=mb4 * operands,
        )

    wait = ".block_until_ready()"
    return [
        row("a + b", 4, "a + b", 3, {"numpy": "a + b", "jax": f"(a + b){wait}"}),
        row("a * b + c", 4, "a * b + c", 4, {"numpy": "a * b + c", "jax": f"(a * b + c){wait}"}),
        row("exp(a)", 4, "lib.exp(a)", 2, {"numpy": "lib.exp(a)", "jax": f"lib.exp(a){wait}"}),
        row("tanh(a)", 4, "lib.tanh(a)", 2, {"numpy": "lib.tanh(a)", "jax": f"lib.tanh(a){wait}"}),
        row("gelu(a)", 4, "gelu(a)", 2),
        row(
            "add(a, b, out=out)",
            1,
            "lib.add(a, b, out=out)",
            3,
            {"numpy": "lib.add(a, b, out=out)"},
        ),
    ]
