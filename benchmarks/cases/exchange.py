"""Memory that goes from one library to another: tensors of 8 elements, so that only the way counts."""

from __future__ import annotations

import importlib

import numpy as np

from cases import Case


def _own(library):
    a = library.tensor(np.arange(8, dtype=np.float32))
    return {
        "a": a,
        "np": np,
        "capsule": a.__dlpack__,
        "check": lambda: [library.module.from_dlpack(a)],
    }


def _partner(make):
    def names(library):
        take = library.module.from_dlpack
        return {"take": take, "x": make(), "np": np, "from_numpy": library.module.from_numpy}

    return names


def _numpy_array():
    return np.arange(8, dtype=np.float32)


def _torch_tensor():
    return importlib.import_module("torch").arange(8.0)


def _bolide_tensor():
    return importlib.import_module("bolide").arange(8.0)


def cases():
    """The rows of this file."""
    return [
        Case("a.__dlpack__()", "exchange", 6, _own, "capsule()"),
        Case(
            "a.__dlpack__(max_version=(1, 0))", "exchange", 6, _own, "capsule(max_version=(1, 0))"
        ),
        Case("a.numpy()", "exchange", 1.5, _own, "a.numpy()"),
        Case("numpy.asarray(a)", "exchange", 1.5, _own, "np.asarray(a)"),
        Case("from_dlpack(NumPy array)", "exchange", 1.5, _partner(_numpy_array), "take(x)"),
        Case("from_dlpack(PyTorch tensor)", "exchange", 5, _partner(_torch_tensor), "take(x)"),
        Case("from_dlpack(bolide tensor)", "exchange", 3, _partner(_bolide_tensor), "take(x)"),
        Case("from_numpy(array)", "exchange", 1.5, _partner(_numpy_array), "from_numpy(x)"),
    ]
