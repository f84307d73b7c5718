"""Functions behind the modules of ``bolide.nn``: ops of the extension, and compositions of them.

A function that is one op is re-exported as it is, so that it costs nothing more than the op; one
with PyTorch's extra arguments (inplace, reduction) is a few lines here. Names, arguments and
results are those of torch.nn.functional. To add one, compose ops; it gets its gradient for free.
"""

from __future__ import annotations

from collections.abc import Callable

from bolide import _C
from bolide._C import (
    Tensor,
    conv2d,
    cross_entropy,
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
from bolide.autograd.grad_mode import no_grad

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


def _applied(op: Callable[..., Tensor], input: Tensor, inplace: bool, *args: float) -> Tensor:
    """op(input), in place where asked: what it saves must not be what is about to change."""
    if not inplace:
        return op(input, *args)
    recorded = input.requires_grad and _C.is_grad_enabled()
    return input.copy_(op(input.clone() if recorded else input, *args))


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x * sigmoid(x), any shape."""
    return _applied(_C.silu, input, inplace)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where positive, negative_slope * x elsewhere."""
    return _applied(_C.leaky_relu, input, inplace, negative_slope)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, alpha * (exp(x) - 1) elsewhere."""
    return _applied(_C.elu, input, inplace, alpha)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where larger than the threshold, value elsewhere."""
    return _applied(_C.threshold, input, inplace, threshold, value)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x within [min_val, max_val]. Raises ValueError where min_val is the larger one."""
    if min_val > max_val:
        raise ValueError(
            f"[hardtanh] expected min_val of at most max_val, got {min_val} and {max_val}."
        )
    return _applied(_C.hardtanh, input, inplace, min_val, max_val)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """x within [0, 6]."""
    return _applied(_C.relu6, input, inplace)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Scaled elu (Klambauer et al. 2017)."""
    return _applied(_C.selu, input, inplace)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, alpha * (exp(x / alpha) - 1) elsewhere (Barron 2017)."""
    return _applied(_C.celu, input, inplace, alpha)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """relu6(x + 3) / 6."""
    return _applied(_C.hardsigmoid, input, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * hardsigmoid(x) (Howard et al. 2019)."""
    return _applied(_C.hardswish, input, inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * tanh(softplus(x)) (Misra 2019)."""
    return _applied(_C.mish, input, inplace)


def logsigmoid(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """log(sigmoid(x)), without overflow."""
    return _C.log_sigmoid(input, out=out)


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of weight [n, d] picked by integers [...]: [..., d].

    The row ``padding_idx`` gets no gradient. With ``max_norm``, rows that are picked and whose ``norm_type``-norm
    is larger are scaled down to it first, in weight itself. ``scale_grad_by_freq`` divides a row's
    gradient by how often it was picked. Gradients are dense, also with ``sparse``.

    Raises IndexError outside [0, n). Reference: torch.nn.functional.embedding.
    """
    if max_norm is not None:
        _shorten_rows(weight, input, max_norm, norm_type)
    if not scale_grad_by_freq or not weight.requires_grad or not _C.is_grad_enabled():
        return _C.embedding(input, weight, padding_idx)
    counts = _C.bincount(input.reshape(-1), minlength=weight.shape[0]).clamp(min=1)
    scale = (1 / counts).to(weight.dtype).unsqueeze(1)
    scaled = weight.detach() * (1 - scale) + weight * scale
    return _C.embedding(input, scaled, padding_idx)


def _shorten_rows(weight: Tensor, picked: Tensor, most: float, order: float) -> None:
    rows = picked.detach().reshape(-1).unique()
    with no_grad():
        found = weight.detach()[rows]
        norms = found.norm(order, 1, True)
        weight[rows] = _C.where(norms > most, found * (most / (norms + 1e-7)), found)


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
