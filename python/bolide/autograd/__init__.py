"""Automatic differentiation: gradients, modes in which ops are recorded or not, ops with gradients of one's own."""

from bolide import _C
from bolide.autograd.grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = [
    "Function",
    "GradcheckError",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
]

# name: the module that defines it
_LAZY = {
    "Function": "function",
    "GradcheckError": "check",
    "Variable": "variable",
    "detect_anomaly": "anomaly_mode",
    "gradcheck": "check",
    "gradgradcheck": "check",
    "set_detect_anomaly": "anomaly_mode",
}
_MODULES = {"anomaly_mode", "check", "function", "functional", "graph", "variable"}


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
    is_grads_batched=False,
    materialize_grads=False,
):
    """The gradients of ``outputs`` with respect to ``inputs``, as a tuple; ``.grad`` stays as it is.

    Args:
        outputs, inputs: one tensor or several each.
        grad_outputs: for each output the gradient of the result; None for tensors of one element.
        retain_graph, create_graph: as in ``backward``.
        allow_unused: give None where no output depends on an input.
        is_grads_batched: ``grad_outputs`` have a first dimension more, and so do the results: one backward for
            each entry.
        materialize_grads: give zeros there.

    Raises:
        BolideError: an input that no output depends on, unless one of the two is True.
        ValueError: no inputs, or ``allow_unused=False`` with ``materialize_grads``.

    Example:
        >>> x = bolide.tensor(3.0, requires_grad=True)
        >>> (slope,) = bolide.autograd.grad(x * x, x)

    Reference: torch.autograd.grad.
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "[grad] expected allow_unused=True or unset with materialize_grads, got allow_unused=False."
        )
    if allow_unused is None:
        allow_unused = materialize_grads
    if is_grads_batched:
        found = _grad_batch(outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused)
    else:
        found = _C._autograd_grad(
            outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused
        )
    if not materialize_grads:
        return found
    given = (inputs,) if isinstance(inputs, _C.Tensor) else tuple(inputs)
    return tuple(
        _C.zeros_like(x, requires_grad=create_graph) if g is None else g
        for x, g in zip(given, found, strict=True)
    )


def _grad_batch(outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused):
    """One backward for each entry of the first dimension of ``grad_outputs``, stacked."""
    given = (grad_outputs,) if isinstance(grad_outputs, _C.Tensor) else tuple(grad_outputs or ())
    sizes = {len(g) for g in given if g is not None}
    if len(sizes) != 1 or sizes == {0}:
        raise ValueError(
            f"[grad] expected grad_outputs with one size of the first dimension, got {sorted(sizes)}."
        )
    (count,) = sizes
    rows = []
    for i in range(count):
        kept = True if i + 1 < count else retain_graph
        one = [None if g is None else g[i] for g in given]
        rows.append(_C._autograd_grad(outputs, inputs, one, kept, create_graph, allow_unused))
    return tuple(
        None if column[0] is None else _C.stack(column) for column in zip(*rows, strict=True)
    )


def __getattr__(name):
    from importlib import import_module

    if name in _LAZY:
        value = getattr(import_module(f"bolide.autograd.{_LAZY[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"bolide.autograd.{name}")
    else:
        raise AttributeError(f"module 'bolide.autograd' has no attribute '{name}'")
    globals()[name] = value
    return value
