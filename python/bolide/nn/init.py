"""Initial values of parameters, with PyTorch's names and formulas.

Every function fills its tensor in place, outside of autograd, and returns it. ``fan_in`` is the
number of inputs that feed one output (the size of dim 1 times the kernel's area), ``fan_out`` the
reverse.
"""

from __future__ import annotations

import math

import bolide
from bolide._C import Tensor

_LINEAR = ("linear", "conv1d", "conv2d", "conv3d", "sigmoid")
_FIXED_GAINS = {"tanh": 5.0 / 3.0, "relu": math.sqrt(2.0), "selu": 0.75}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the variance of activations after ``nonlinearity``.

    ``param`` is the negative slope of "leaky_relu" (0.01 when left out).
    Raises ValueError for an unknown name. Example: ``calculate_gain("relu")`` is sqrt(2).
    """
    if nonlinearity in _LINEAR:
        return 1.0
    if nonlinearity in _FIXED_GAINS:
        return _FIXED_GAINS[nonlinearity]
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"negative_slope {slope} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}")


def _fans(tensor: Tensor) -> tuple[int, int]:
    if tensor.ndim < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions, "
            f"got shape {tuple(tensor.shape)}"
        )
    area = math.prod(tensor.shape[2:])
    return tensor.shape[1] * area, tensor.shape[0] * area


def _fan(tensor: Tensor, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    return _fans(tensor)[mode == "fan_out"]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator=None) -> Tensor:
    """Fill with uniform values from [a, b)."""
    with bolide.no_grad():
        return tensor.uniform_(a, b, **_generator(generator))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator=None) -> Tensor:
    """Fill with normal values."""
    with bolide.no_grad():
        return tensor.normal_(mean, std, **_generator(generator))


def _generator(generator) -> dict:
    return {} if generator is None else {"generator": generator}


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value."""
    with bolide.no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros."""
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the identity."""
    if tensor.ndim != 2:
        raise ValueError(f"Only tensors with 2 dimensions are supported, got {tensor.ndim}")
    with bolide.no_grad():
        return tensor.copy_(bolide.eye(*tensor.shape, dtype=tensor.dtype, device=tensor.device))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator=None) -> Tensor:
    """Uniform in +-gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""
    bound = gain * math.sqrt(6.0 / max(1, sum(_fans(tensor))))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator=None) -> Tensor:
    """Normal, of deviation gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / max(1, sum(_fans(tensor)))), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator=None,
) -> Tensor:
    """Uniform in +-gain * sqrt(3 / fan) (He et al., 2015); ``a`` is leaky_relu's negative slope."""
    if 0 in tensor.shape:
        return tensor
    bound = math.sqrt(3.0) * calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator=None,
) -> Tensor:
    """Normal with standard deviation gain / sqrt(fan) (He et al., 2015)."""
    if 0 in tensor.shape:
        return tensor
    std = calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))
    return normal_(tensor, 0.0, std, generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator=None,
) -> Tensor:
    """Normal values of [a, b]: what lies outside is drawn again."""

    def distribution(bound):
        return (1 + math.erf((bound - mean) / (std * math.sqrt(2)))) / 2

    inside = distribution(b) - distribution(a)
    with bolide.no_grad():
        values = bolide.empty_like(tensor, dtype=bolide.float64)
        if inside < 0.05:  # drawing again would take long
            values.uniform_(**_generator(generator))
            values = _quantile(values, distribution(a), inside, a, b, mean, std)
        else:
            values.normal_(mean, std, **_generator(generator))
            outside = (values < a) | (values > b)
            while bool(outside.any()):
                again = bolide.empty_like(values).normal_(mean, std, **_generator(generator))
                values = bolide.where(outside, again, values)
                outside = (values < a) | (values > b)
        return tensor.copy_(values).clamp_(a, b)  # rounding may lead out again


def _quantile(uniform, low, inside, a, b, mean, std):
    """Where the normal distribution function is low + uniform * inside, by bisection of [a, b]."""
    target = low + uniform * inside
    left, right = bolide.full_like(uniform, a), bolide.full_like(uniform, b)
    for _ in range(60):
        middle = (left + right) / 2
        below = (1 + bolide.erf((middle - mean) / (std * math.sqrt(2)))) / 2 < target
        left, right = bolide.where(below, middle, left), bolide.where(below, right, middle)
    return (left + right) / 2


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill a convolution's weight so that it keeps as many input channels as it can."""
    if tensor.ndim not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    if tensor.shape[0] % groups:
        raise ValueError("dim 0 must be divisible by groups")
    each = tensor.shape[0] // groups
    centre = tuple(size // 2 for size in tensor.shape[2:])
    with bolide.no_grad():
        tensor.zero_()
        for group in range(groups):
            for channel in range(min(each, tensor.shape[1])):
                tensor[(group * each + channel, channel, *centre)] = 1
        return tensor


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator=None) -> Tensor:
    """Fill a matrix with normal values, of which a share of ``sparsity`` in each column is zero (Martens, 2010)."""
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    with bolide.no_grad():
        tensor.normal_(0, std, **_generator(generator))
        for column in range(columns):
            places = bolide.randperm(rows, device=tensor.device, **_generator(generator))[:zeros]
            tensor[places, column] = 0
        return tensor
