"""Functions behind the modules of ``bolide.nn``: ops of the extension, and compositions of them.

A function that is one op is re-exported as it is, so that it costs nothing more than the op; one
with PyTorch's extra arguments (inplace, reduction) is a few lines here. Names, arguments and
results are those of torch.nn.functional. To add one, compose ops; it gets its gradient for free.
"""

from __future__ import annotations

from bolide import _C
from bolide._C import (
    Tensor,
    conv2d,
    cross_entropy,
    embedding,
    gelu,
    glu,
    hardshrink,
    linear,
    log_softmax,
    max_pool2d,
    nll_loss,
    prelu,
    sigmoid,
    softmax,
    softplus,
    softshrink,
    tanh,
    tanhshrink,
)

__all__ = [
    "binary_cross_entropy_with_logits",
    "celu",
    "conv2d",
    "cross_entropy",
    "dropout",
    "elu",
    "embedding",
    "gelu",
    "glu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "max_pool2d",
    "mish",
    "mse_loss",
    "nll_loss",
    "prelu",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softshrink",
    "tanh",
    "tanhshrink",
    "threshold",
]


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0), any shape."""
    return input.relu_() if inplace else _C.relu(input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x * sigmoid(x), any shape."""
    return input.copy_(_C.silu(input)) if inplace else _C.silu(input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where positive, negative_slope * x elsewhere."""
    result = _C.leaky_relu(input, negative_slope)
    return input.copy_(result) if inplace else result


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, alpha * (exp(x) - 1) elsewhere."""
    result = _C.elu(input, alpha)
    return input.copy_(result) if inplace else result


def _given(input: Tensor, result: Tensor, inplace: bool) -> Tensor:
    """The result, or the input with its values."""
    return input.copy_(result) if inplace else result


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where larger than the threshold, value elsewhere."""
    return _given(input, _C.threshold(input, threshold, value), inplace)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x within [min_val, max_val]."""
    return _given(input, _C.hardtanh(input, min_val, max_val), inplace)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """x within [0, 6]."""
    return _given(input, _C.relu6(input), inplace)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Scaled elu (Klambauer et al. 2017)."""
    return _given(input, _C.selu(input), inplace)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, alpha * (exp(x / alpha) - 1) elsewhere (Barron 2017)."""
    return _given(input, _C.celu(input, alpha), inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """relu6(x + 3) / 6."""
    return _given(input, _C.hardsigmoid(input), inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * hardsigmoid(x) (Howard et al. 2019)."""
    return _given(input, _C.hardswish(input), inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * tanh(softplus(x)) (Misra 2019)."""
    return _given(input, _C.mish(input), inplace)


def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(x)), without overflow."""
    return _C.log_sigmoid(input)


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero each element with probability ``p`` and scale the others by 1 / (1 - p), while training.

    Raises ValueError when ``p`` is not in [0, 1].
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0.0:
        return input
    result = _C.dropout(input, p, True)
    return input.copy_(result) if inplace else result


def layer_norm(
    input: Tensor,
    normalized_shape: tuple[int, ...] | list[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias over the last dims, which must equal
    ``normalized_shape``.

    Raises ShapeError when they do not. Half inputs are computed in float32.
    """
    shape = tuple(normalized_shape)
    if not shape or tuple(input.shape)[-len(shape) :] != shape:
        raise _C.ShapeError(
            f"[layer_norm] expected an input whose last dims are {shape}, got {tuple(input.shape)}."
        )
    half = input.dtype in (_C.float16, _C.bfloat16)
    x = input.float() if half else input
    dims = tuple(range(-len(shape), 0))
    centred = x - x.mean(dims, keepdim=True)
    result = centred * (centred.square().mean(dims, keepdim=True) + eps).rsqrt()
    if half:
        result = result.to(input.dtype)
    if weight is not None:
        result = result * weight
    return result if bias is None else result + bias


def _reduce(losses: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return losses.mean()
    if reduction == "sum":
        return losses.sum()
    if reduction == "none":
        return losses
    raise ValueError(f"{reduction} is not a valid value for reduction")


def _warn_if_broadcast(input: Tensor, target: Tensor) -> None:
    if input.shape != target.shape:
        import warnings

        warnings.warn(
            f"Using a target size {tuple(target.shape)} that is different to the input size "
            f"{tuple(input.shape)}. This will likely lead to incorrect results due to "
            "broadcasting. "
            "Please ensure they have the same size.",
            stacklevel=3,
        )


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """(input - target)^2, averaged, summed or element by element ("none")."""
    _warn_if_broadcast(input, target)
    return _reduce((input - target).square(), reduction)


def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """abs(input - target), averaged, summed or element by element ("none")."""
    _warn_if_broadcast(input, target)
    return _reduce((input - target).abs(), reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Cross entropy of sigmoid(input) with probabilities ``target`` of the same shape, without
    overflow.

    ``weight`` scales the losses, ``pos_weight`` the positive part of each. Raises ValueError on
    unequal shapes.
    """
    if input.shape != target.shape:
        raise ValueError(
            f"Target size {tuple(target.shape)} must be the same as input size {tuple(input.shape)}"
        )
    positive = _C.log_sigmoid(input)
    if pos_weight is not None:
        positive = ((pos_weight - 1) * target + 1) * positive
    losses = (1 - target) * input - positive
    return _reduce(losses if weight is None else losses * weight, reduction)
