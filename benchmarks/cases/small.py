"""Tensors of 8 elements: what a call costs before it computes anything."""

from __future__ import annotations

import numpy as np

from cases import Case


def _names(library):
    rng = np.random.default_rng(0)
    a, b = (library.tensor(rng.standard_normal(8, dtype=np.float32)) for _ in range(2))
    m = library.tensor(rng.standard_normal((4, 2), dtype=np.float32))
    return {"a": a, "b": b, "m": m, "lib": library.module}


def _functions(library):
    names = _names(library)
    return {**names, "relu": library.module.relu, "empty": library.module.empty}


def _empty(library):
    return {
        "empty": library.module.empty,
        "check": lambda: [np.zeros(library.module.empty(8).shape)],
    }


def _chain(library):
    x = library.tensor(np.linspace(-1, 1, 8, dtype=np.float32)).requires_grad_()
    tanh, ones = library.module.tanh, library.module.ones(8)

    def step():
        y = x
        for _ in range(10):
            y = tanh(y)
        y.backward(ones)

    def check():
        x.grad = None
        step()
        return [x.grad]

    return {"step": step, "check": check}


def cases():
    """The rows of this file."""
    numpy = {"a + b": "a + b", "a * 2": "a * 2", "a.sum()": "a.sum()", "m[1]": "m[1]"}
    rows = [
        Case(f"{text}, 8 elements", "small", 8, _names, text, {"numpy": numpy[text]})
        for text in numpy
    ]
    rows += [
        Case("relu(a), 8 elements", "small", 8, _functions, "relu(a)"),
        Case(
            "a.reshape(2, 4), 8 elements",
            "small",
            8,
            _names,
            "a.reshape(2, 4)",
            {"numpy": "a.reshape(2, 4)"},
        ),
        Case("empty(8)", "small", 8, _empty, "empty(8)", {"numpy": "empty(8)"}),
        Case("10 tanh forward + backward, 8 elements", "small", 8, _chain, "step()"),
    ]
    return rows
