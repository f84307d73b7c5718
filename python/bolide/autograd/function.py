"""Function: an op whose forward and backward are written in Python."""

from bolide import _C
from bolide._C import FunctionCtx

__all__ = ["Function", "FunctionCtx", "once_differentiable"]


def _no_setup(ctx, inputs, output):
    """Keeps in ``ctx`` what backward needs, where forward takes no ``ctx``."""
    raise NotImplementedError("setup_context is not defined")


_no_setup._is_default = True  # type: ignore[attr-defined]


class Function:
    """Base of ops with a gradient of one's own: define ``forward`` and ``backward``, call ``apply``.

    ``forward(ctx, *args)`` computes without being recorded and keeps what it needs with
    ``ctx.save_for_backward``; ``backward(ctx, *grads)`` gets one gradient per output and gives one per argument of
    forward, None for those that are no tensors. It is made of ops, so that it can be differentiated again. With
    ``setup_context(ctx, inputs, output)`` defined, forward takes no ctx.

    Raises:
        BolideError: backward gives another number of gradients than forward has arguments.

    Example:
        >>> class Exp(bolide.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         y = x.exp()
        ...         ctx.save_for_backward(y)
        ...         return y
        ...     @staticmethod
        ...     def backward(ctx, g):
        ...         (y,) = ctx.saved_tensors
        ...         return g * y
        >>> y = Exp.apply(bolide.zeros(3, requires_grad=True))

    Reference: torch.autograd.Function.
    """

    def __init__(self, *args, **named):
        raise RuntimeError(f"[{type(self).__name__}] expected a call of apply(), got an instance.")

    @staticmethod
    def forward(*args):
        """Compute the outputs."""
        raise NotImplementedError("a Function has to define forward")

    @staticmethod
    def backward(ctx, *grads):
        """Compute the gradients of forward's arguments."""
        raise NotImplementedError("a Function has to define backward to be differentiated")

    setup_context = staticmethod(_no_setup)
    apply = classmethod(_C._apply_function)


def once_differentiable(backward):
    """Decorates a backward that is not made of ops: its results have no history."""
    from functools import wraps

    from bolide.autograd.grad_mode import no_grad

    @wraps(backward)
    def wrapped(ctx, *grads):
        with no_grad():
            return backward(ctx, *grads)

    return wrapped
