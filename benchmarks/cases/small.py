"""Tensors of 8 elements: what a call costs before it computes anything."""

from __future__ import annotations

import numpy as np

from cases import Case


def _names(library):
    rng = np.random.default_rng(0)
    a, b = (library.tensor(rng.standard_normal(8, dtype=np.float32)) for _ in range(2))
    m = library.tensor(rng.standard_normal((4, 2), dtype=np.float32))
    index, mask = (
        library.tensor(np.array([2, 0, 3])),
        library.tensor(np.arange(8).reshape(4, 2) % 3 == 0),
    )
    return {"a": a, "b": b, "m": m, "index": index, "mask": mask, "lib": library.module}


# Views and indexing.
VIEWS = ("m[:, 1]", "m[1, 1]", "m[mask]", "m[index]", "m.T", "m.transpose(0, 1)", "m.view(2, 4)", "m.permute(1, 0)",
         "m.unsqueeze(1)", "m.squeeze()", "m.expand(3, 4, 2)", "m.narrow(0, 1, 2)", "m.split(2)", "m.unbind()")  # fmt: skip


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
    tanh, ones = library.module.tanh, library.module.ones(8, device=library.device)

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
    rows += [Case(f"{text}, 8 elements", "small", 8, _names, text) for text in VIEWS]
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
