"""Elementwise functions: of two arrays, with the standard's promotion before the op, and those that differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bolide
from bolide import Tensor
from bolide.array_api._data_types import together


def _binary(name: str, op: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The op on two arrays, or an array and a number, in their result_type."""

    def function(x1: Any, x2: Any, /) -> Tensor:
        return op(*together(x1, x2))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = op.__doc__
    return function


add = _binary("add", bolide.add)
atan2 = _binary("atan2", bolide.atan2)
bitwise_and = _binary("bitwise_and", bolide.bitwise_and)
bitwise_left_shift = _binary("bitwise_left_shift", bolide.bitwise_left_shift)
bitwise_or = _binary("bitwise_or", bolide.bitwise_or)
bitwise_right_shift = _binary("bitwise_right_shift", bolide.bitwise_right_shift)
bitwise_xor = _binary("bitwise_xor", bolide.bitwise_xor)
copysign = _binary("copysign", bolide.copysign)
divide = _binary("divide", bolide.div)
equal = _binary("equal", bolide.eq)
greater = _binary("greater", bolide.gt)
greater_equal = _binary("greater_equal", bolide.ge)
hypot = _binary("hypot", bolide.hypot)
less = _binary("less", bolide.lt)
less_equal = _binary("less_equal", bolide.le)
logaddexp = _binary("logaddexp", bolide.logaddexp)
logical_and = _binary("logical_and", bolide.logical_and)
logical_or = _binary("logical_or", bolide.logical_or)
logical_xor = _binary("logical_xor", bolide.logical_xor)
maximum = _binary("maximum", bolide.maximum)
minimum = _binary("minimum", bolide.minimum)
multiply = _binary("multiply", bolide.mul)
nextafter = _binary("nextafter", bolide.nextafter)
not_equal = _binary("not_equal", bolide.ne)
pow = _binary("pow", bolide.pow)
remainder = _binary("remainder", bolide.remainder)
subtract = _binary("subtract", bolide.sub)


def expm1(x: Tensor, /) -> Tensor:
    """exp(x) - 1; of the complex -0 + 0j it is 0, where PyTorch's is -0."""
    y = bolide.expm1(x)
    return y + 0 if y.dtype.is_complex else y


def tanh(x: Tensor, /) -> Tensor:
    """Hyperbolic tangent; of a complex number with an infinite real part, 1 or -1 with the sign of its angle's zero."""
    y = bolide.tanh(x)
    if not y.dtype.is_complex:
        return y
    far = bolide.isinf(x.real) & bolide.isfinite(x.imag)
    return bolide.complex(
        y.real, bolide.where(far, bolide.copysign(bolide.zeros_like(x.imag), x.imag), y.imag)
    )


def floor_divide(x1: Any, x2: Any, /) -> Tensor:
    """The quotient rounded down; with an infinite operand the quotient itself, where PyTorch's is NaN or -1."""
    a, b = together(x1, x2)
    quotient = bolide.floor_divide(a, b)
    if not a.dtype.is_floating_point:
        return quotient
    return bolide.where(bolide.isinf(a) | bolide.isinf(b), a / b, quotient)


def where(condition: Tensor, x1: Any = None, x2: Any = None, /) -> Any:
    """x1 where condition, else x2, in their result_type.

    Of the condition alone it is nonzero, as in NumPy: not of the standard, but scikit-learn calls it so.
    """
    if x1 is None and x2 is None:
        return bolide.where(condition)
    x1, x2 = together(x1, x2)
    return bolide.where(condition, x1, x2)


def clip(x: Tensor, /, min: Any = None, max: Any = None) -> Tensor:
    """x within [min, max], either of which may be missing, in x's dtype."""
    for bound, op in ((min, bolide.maximum), (max, bolide.minimum)):
        if bound is not None:
            x = op(x, bolide.asarray(bound, device=x.device).to(x.dtype))
    return x.clone() if min is None and max is None else x


def round(x: Tensor, /) -> Tensor:
    """Half to even; of complex numbers, each part."""
    if x.dtype.is_complex:
        return bolide.complex(bolide.round(x.real), bolide.round(x.imag))
    return bolide.round(x)
