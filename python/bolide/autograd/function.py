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

    @staticmethod
    def jvp(ctx, *grad_inputs):
        """Derivatives in forward mode, which bolide does not have."""
        raise NotImplementedError(
            "[Function] expected a jvp of its own for forward mode, got none."
        )

    @staticmethod
    def vmap(info, in_dims, *args):
        """A rule for vmap, which bolide does not have."""
        raise NotImplementedError("[Function] expected a vmap rule of its own, got none.")

    setup_context = staticmethod(_no_setup)

    @classmethod
    def apply(cls, *args, **kwargs):
        """Compute forward, and record it: with the arguments of forward, whose result is returned."""
        if cls.setup_context is not _no_setup:
            forward = cls.forward
            if kwargs or forward.__defaults__ or forward.__kwdefaults__:
                from inspect import signature

                bound = signature(forward).bind(*args, **kwargs)
                bound.apply_defaults()
                args, kwargs = bound.args, bound.kwargs
        return _C._apply_function(cls, *args, **kwargs)


class _Refuse(Function):
    """Results of a backward that cannot be differentiated: an error when somebody tries."""

    @staticmethod
    def forward(ctx, count, *tensors):
        return tuple(None if t is None else t.detach() for t in tensors[:count])

    @staticmethod
    def backward(ctx, *grads):
        raise RuntimeError(
            "[once_differentiable] expected one derivative, got a second: trying to differentiate twice a function "
            "that was marked with @once_differentiable."
        )


def once_differentiable(backward):
    """Decorates a backward that is not made of ops: to differentiate its results is an error.

    Reference: torch.autograd.function.once_differentiable.
    """
    from functools import wraps

    from bolide.autograd.grad_mode import no_grad

    @wraps(backward)
    def wrapped(ctx, *grads):
        with no_grad():
            found = backward(ctx, *grads)
        reached = [g for g in grads if isinstance(g, _C.Tensor) and g.requires_grad]
        if not (_C.is_grad_enabled() and reached):
            return found
        alone = not isinstance(found, tuple)
        results = (found,) if alone else found
        refusing = _Refuse.apply(len(results), *results, *reached)
        return refusing[0] if alone else refusing

    return wrapped
