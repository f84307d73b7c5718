"""What an expression gives, as JSON can hold it: how test_behaviour.py compares bolide with PyTorch.

An expression reads the library as `t`; statements may go before it, separated by ";;". The outcome is its value with
dtypes, shapes and types, or the class of the error. references/make_behaviour.py writes down PyTorch's.
"""

import math

import numpy as np

# An error of PyTorch's is met by any of its class; these classes are told apart.
ERRORS = (
    TypeError, ValueError, IndexError, OverflowError, AttributeError, NotImplementedError,
    ZeroDivisionError, BufferError, RuntimeError,
)  # fmt: skip


def outcome(expression, library):
    """["value", what it is] or ["error", the names of the classes that it belongs to]."""
    names = {"t": library, "np": np, "math": math, "inf": math.inf, "nan": math.nan}
    *statements, last = (part.strip() for part in expression.split(";;"))
    try:
        for statement in statements:
            exec(statement, names)
        return ["value", described(eval(last, names), library)]
    except ERRORS as error:
        return ["error", [kind.__name__ for kind in ERRORS if isinstance(error, kind)]]


def described(value, library):
    if isinstance(value, library.Tensor):
        dtype = str(value.dtype).split(".")[-1]
        return ["Tensor", dtype, list(value.shape), number(value.detach().tolist())]
    if isinstance(value, library.Size):
        return ["Size", list(value)]
    if isinstance(value, (tuple, list)):
        kind = "list" if isinstance(value, list) else "tuple"
        return [kind, [described(item, library) for item in value]]
    if isinstance(value, np.ndarray):
        return ["ndarray", str(value.dtype), number(value.tolist())]
    if value is None or isinstance(value, (bool, int, float, complex)):
        return [type(value).__name__, number(value)]
    text = value if isinstance(value, str) else repr(value)
    return ["text", text.replace(library.__name__, "bolide")]


def number(value):
    """Floats with six digits, as text where JSON has no number."""
    if isinstance(value, list):
        return [number(item) for item in value]
    if isinstance(value, complex):
        return [number(value.real), number(value.imag)]
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else str(value)
    return value


def agree(found, wanted):
    """The same value; or an error of PyTorch's class. Its NotImplementedError, for dtypes, is a RuntimeError here too."""
    if wanted[0] == "error" and found[0] == "error":
        return wanted[1][0] in found[1] or (
            wanted[1][0] == "NotImplementedError" and "RuntimeError" in found[1]
        )
    return found == wanted
