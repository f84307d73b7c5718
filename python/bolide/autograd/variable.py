"""Variable: what tensors with a gradient were called once; programs of that time still say it."""

from bolide import _C


class _VariableMeta(type):
    def __instancecheck__(cls, instance):
        return isinstance(instance, _C.Tensor)


class Variable(metaclass=_VariableMeta):
    """``Variable(data, requires_grad=False)`` is a Tensor on the same storage. Reference: torch.autograd.Variable."""

    def __new__(cls, data=None, requires_grad=False):
        data = _C.empty(0) if data is None else data
        if not isinstance(data, _C.Tensor):
            raise TypeError(f"[Variable] expected a Tensor, got {type(data).__name__}.")
        return data.detach().requires_grad_() if requires_grad else data
