"""Planted faults: ways in which an op can be wrong, put between the harness and the op.

Each is a wrapper of the call, given the library's module, and says for which rows it makes a difference. test_harness.py
shows that the harness notices every one of them in every row that it applies to.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from harness import COMPLEX, FLOATS, SETS, Fixed, name_of, result_dtype
from harness_gradients import gradient_cases


@dataclass(frozen=True)
class Fault:
    name: str
    plant: Any  # plant(module, call) gives the faulty call
    applies: Any = lambda row: True  # to rows
    noticed_by: tuple = ("values", "extremes")  # which checks of the harness are to notice


def outputs_changed(change):
    """Every output y becomes change(module, y)."""

    def plant(module, call):
        def faulty(*values, **named):
            found = call(*values, **named)
            if isinstance(found, tuple | list):
                return tuple(change(module, y) for y in found)
            return change(module, found) if hasattr(found, "dtype") else found

        return faulty

    return plant


def is_floating(y):
    return name_of(y) in FLOATS + COMPLEX


def off_by_a_little(module, y):
    return y + 1e-3 if is_floating(y) else y


def one_in_the_last_element(module, y):
    """The rest after whole blocks: wrong in the last element only."""
    if y.numel() != 131 or not is_floating(y):
        return y
    where = module.arange(131) == 130
    return module.where(where.to(y.device), y * 1.01 + 0.01, y)


def wrong_in_bfloat16(module, y):
    return y * 1.05 if name_of(y) == "bfloat16" else y


def wrong_sign(module, y):
    return -y if is_floating(y) else y


def wrong_dtype(module, y):
    other = "float64" if name_of(y) != "float64" else "float32"
    return y.to(getattr(module, other))


def wrong_shape(module, y):
    return y.reshape(1, *y.shape)


def nan_dropped(module, y):
    return module.where(y != y, module.zeros_like(y), y) if is_floating(y) else y


def inputs_changed(change):
    def plant(module, call):
        return lambda *values, **named: call(
            *(change(module, v) if hasattr(v, "dtype") else v for v in values), **named
        )

    return plant


def offset_ignored(module, x):
    if not x.storage_offset() or x.requires_grad:
        return x
    return x.as_strided(tuple(x.shape), x.stride(), 0)


def strides_ignored(module, x):
    if x.is_contiguous() or not x.numel() or x.requires_grad or 0 in x.stride():
        return x
    dense = [1] * x.ndim
    for d in range(x.ndim - 2, -1, -1):
        dense[d] = dense[d + 1] * x.shape[d + 1]
    return x.as_strided(tuple(x.shape), tuple(dense), x.storage_offset())


def input_overwritten(module, call):
    def faulty(*values, **named):
        found = call(*values, **named)
        for x in values:
            if hasattr(x, "dtype") and is_floating(x) and not x.requires_grad and x.is_contiguous():
                x.copy_(x * 0.5 + 1)
                break
        return found

    return faulty


def wrong_broadcast(module, call):
    """A second input of another shape meets the wrong elements of the first."""

    def faulty(*values, **named):
        first, *rest = values
        if not hasattr(first, "dtype"):
            return call(*values, **named)
        other = [hasattr(x, "dtype") and x.ndim > 0 and x.shape != first.shape for x in rest]
        return call(
            first, *(x.flip(0) if flip else x for x, flip in zip(rest, other, strict=True)), **named
        )

    return faulty


@functools.cache
def identity_with(module, slope):
    """y = x with the gradient slope(module, g)."""

    class Changed(module.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return slope(module, g)

    return Changed.apply


def gradient_changed(slope):
    def change(module, y):
        return identity_with(module, slope)(y) if is_floating(y) and y.requires_grad else y

    return outputs_changed(change)


def gradient_missing(module, y):
    return y.detach().requires_grad_() if is_floating(y) and y.requires_grad else y


def has_gradient(row):
    return row.name not in EMPTY and bool(gradient_cases(row))


def has_slope(row):
    return has_gradient(row) and row.name not in FLAT


FLAT = ("sign", "floor", "ceil", "round", "trunc", "floor_divide")  # whose gradients are zero
CONSTANT = ("zero_", "fill_")  # whose results do not depend on the input
EMPTY = ("index nothing",)  # whose results have no elements


def gives_floats(row):
    return (
        any(result_dtype(row, d) in FLOATS for d in SETS[row.dtypes])
        and row.name not in CONSTANT + EMPTY
    )


def takes_floats(row):
    return (
        any(isinstance(spec, tuple) and spec for case in row.cases for spec in case.inputs)
        and "float32" in SETS[row.dtypes]
    )


def has_layout(layout):
    def applies(row):
        if row.name in (
            *CONSTANT,
            *EMPTY,
            "isnan",
            "isinf",
            "isposinf",
            "isneginf",
            "isfinite",
        ):  # what else is drawn is finite too
            return False
        return takes_floats(row) and any(layout in c.layouts for c in row.cases)

    return applies


def sees_nan(row):
    if row.name in ("nan_to_num", "isnan", "isfinite", "isinf"):
        return False
    with_nan = any(
        isinstance(s, Fixed) and s.dtype.kind == "f" and np.isnan(s).any()
        for c in row.cases
        for s in c.inputs
    )
    return gives_floats(row) and (with_nan or row.extremes)


def has_long_case(row):
    """Some output has 131 elements."""
    return row.extremes and gives_floats(row)


def in_bfloat16(row):
    given = any("bfloat16" in case.dtypes for case in row.cases)
    return (
        gives_floats(row) and given and "bfloat16" in SETS[row.dtypes] and row.result != "float64"
    )


def has_complex_gradient(row):
    return (
        has_gradient(row)
        and "complex128" in SETS[row.dtypes]
        and any("complex128" in case.dtypes for case in row.cases)
        and row.result != "real"
    )


def broadcasts(row):
    return row.extremes and any(
        isinstance(s, tuple) and s == (3, 1) for c in row.cases for s in c.inputs
    )


FAULTS = [
    Fault("value off by 1e-3", outputs_changed(off_by_a_little), gives_floats),
    Fault("last of an odd number", outputs_changed(one_in_the_last_element), has_long_case),
    Fault("wrong in bfloat16 only", outputs_changed(wrong_in_bfloat16), in_bfloat16),
    Fault("wrong sign", outputs_changed(wrong_sign), gives_floats),
    Fault("wrong dtype", outputs_changed(wrong_dtype)),
    Fault("wrong shape", outputs_changed(wrong_shape)),
    Fault("offset ignored", inputs_changed(offset_ignored), has_layout("offset")),
    Fault("strides ignored", inputs_changed(strides_ignored), has_layout("sliced")),
    Fault("input overwritten", input_overwritten, takes_floats),
    Fault("NaN dropped", outputs_changed(nan_dropped), sees_nan),
    Fault("wrong broadcast", wrong_broadcast, broadcasts),
    Fault("gradient scaled by 1.001", gradient_changed(lambda module, g: g * 1.001), has_slope, ("gradients",)),
    Fault("gradient of wrong sign", gradient_changed(lambda module, g: -g), has_slope, ("gradients",)),
    Fault("gradient not conjugated", gradient_changed(lambda module, g: module.conj(g)), has_complex_gradient,
          ("gradients",)),
    Fault("gradient missing", outputs_changed(gradient_missing), has_gradient, ("gradients",)),
    Fault("gradient of gradient missing", gradient_changed(lambda module, g: g.detach()),
          lambda row: has_slope(row) and row.second, ("second_order",)),
]  # fmt: skip
