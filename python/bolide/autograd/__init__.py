"""Automatic differentiation: gradients, modes in which ops are recorded or not, ops with gradients of one's own."""

from bolide import _C
from bolide.autograd.grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = [
    "Function",
    "backward",
    "enable_grad",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "no_grad",
    "set_grad_enabled",
]


def backward(
    tensors,
    grad_tensors=None,
    retain_graph=None,
    create_graph=False,
    inputs=None,
):
    """Add the gradients of ``tensors`` to ``.grad`` of the leaves that they were computed from.

    Args:
        tensors: one tensor or several.
        grad_tensors: for each of them the gradient of the result; None for tensors of one element.
        retain_graph: keep what was saved, for another backward (as ``create_graph`` does).
        create_graph: record the backward itself, for higher derivatives.
        inputs: the only leaves to add to.

    Raises:
        BolideError: no graph, or one that an earlier backward has freed.

    Example:
        >>> x = bolide.ones(2, requires_grad=True)
        >>> bolide.autograd.backward([(x * x).sum(), x.sum()])

    Reference: torch.autograd.backward.
    """
    _C._autograd_backward(tensors, grad_tensors, retain_graph, create_graph, inputs)


def grad(
    outputs,
    inputs,
    grad_outputs=None,
    retain_graph=None,
    create_graph=False,
    allow_unused=None,
    materialize_grads=False,
):
    """The gradients of ``outputs`` with respect to ``inputs``, as a tuple; ``.grad`` stays as it is.

    Args:
        outputs, inputs: one tensor or several each.
        grad_outputs: for each output the gradient of the result; None for tensors of one element.
        retain_graph, create_graph: as in ``backward``.
        allow_unused: give None where no output depends on an input.
        materialize_grads: give zeros there.

    Raises:
        BolideError: an input that no output depends on, unless one of the two is True.

    Example:
        >>> x = bolide.tensor(3.0, requires_grad=True)
        >>> (slope,) = bolide.autograd.grad(x * x, x)

    Reference: torch.autograd.grad.
    """
    if allow_unused is None:
        allow_unused = materialize_grads
    found = _C._autograd_grad(
        outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused
    )
    if not materialize_grads:
        return found
    given = (inputs,) if isinstance(inputs, _C.Tensor) else tuple(inputs)
    return tuple(_C.zeros_like(x) if g is None else g for x, g in zip(given, found, strict=True))


def __getattr__(name):
    if name == "Function":
        from bolide.autograd import function

        value = function.Function
    elif name in ("gradcheck", "gradgradcheck"):
        from bolide.autograd import check

        value = getattr(check, name)
    elif name in ("function", "check"):
        from importlib import import_module

        return import_module(f"bolide.autograd.{name}")
    else:
        raise AttributeError(f"module 'bolide.autograd' has no attribute '{name}'")
    globals()[name] = value
    return value
