"""Fully connected layers, and the layers that only reshape or pass on."""

from __future__ import annotations

import math

import bolide
from bolide._C import Tensor
from bolide._C import linear as _linear
from bolide.nn import init
from bolide.nn.modules.module import Module
from bolide.nn.parameter import Parameter


class Linear(Module):
    """x @ weight.T + bias.

    Args:
        in_features, out_features: sizes of the last dim of input and output.
        bias: whether to add one.
        device, dtype: of the parameters.

    Shapes: input [..., in_features], output [..., out_features]; weight [out_features,
        in_features].
    Raises: ShapeError for another last dim, DTypeError for unequal dtypes.

    Example:
        >>> nn.Linear(20, 30)(bolide.randn(128, 20)).shape
        bolide.Size([128, 30])

    Reference: torch.nn.Linear.
    """

    bias: Parameter | None

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device=None, dtype=None
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(bolide.empty(out_features, in_features, device=device, dtype=dtype))
        self.register_parameter(
            "bias",
            Parameter(bolide.empty(out_features, device=device, dtype=dtype)) if bias else None,
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values: both uniform in +-1 / sqrt(in_features)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return _linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        sizes = f"in_features={self.in_features}, out_features={self.out_features}"
        return f"{sizes}, bias={self.bias is not None}"


class Flatten(Module):
    """Merge the dims from ``start_dim`` to ``end_dim`` into one. Reference: torch.nn.Flatten."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Identity(Module):
    """Returns its input; takes and ignores any arguments. Reference: torch.nn.Identity."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input
