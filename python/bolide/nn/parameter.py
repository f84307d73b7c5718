"""Parameter: the Tensor that a Module registers and an optimizer changes."""

from __future__ import annotations

import bolide
from bolide._C import Tensor, _disabled_torch_function_impl


class Parameter(Tensor):
    """A tensor that a module counts among its parameters when it is set as an attribute.

    Shares the storage of ``data`` and is a leaf: gradients collect in ``.grad``.

    Args:
        data: a tensor of any shape; an empty one when left out.
        requires_grad: whether backward fills ``.grad``; only floating dtypes can.

    Raises:
        TypeError: ``data`` is not a tensor.

    Example:
        >>> weight = nn.Parameter(bolide.zeros(3, 4))
        >>> weight.requires_grad
        True

    Reference: torch.nn.Parameter.
    """

    __torch_function__ = _disabled_torch_function_impl  # what ops make of it are tensors

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        if data is None:
            data = bolide.empty(0)
        elif not isinstance(data, Tensor):
            raise TypeError(f"[Parameter] expected a Tensor as data, got {type(data).__name__}.")
        parameter = Tensor.__new__(cls, data.detach())
        parameter.requires_grad_(requires_grad)
        return parameter

    def __deepcopy__(self, memo: dict) -> Parameter:
        known = memo.get(id(self))
        if known is None:
            known = memo[id(self)] = type(self)(self.detach().clone(), self.requires_grad)
        return known

    def __repr__(self) -> str:
        return "Parameter containing:\n" + Tensor.__repr__(self)
