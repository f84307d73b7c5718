"""Normalisation layers."""

from __future__ import annotations

import bolide
from bolide._C import Tensor
from bolide.nn import functional, init
from bolide.nn.modules.module import Module
from bolide.nn.parameter import Parameter


class LayerNorm(Module):
    """Mean 0 and variance 1 over the last dims, then a learned factor and offset per element.

    Args:
        normalized_shape: the last dims, an int or a sequence.
        eps: added to the variance.
        elementwise_affine: whether to have weight (and, with ``bias``, bias) of that shape.

    Raises ShapeError for an input with other last dims.
    Reference: torch.nn.LayerNorm (Ba et al., 2016).
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | list[int] | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device=None,
        dtype=None,
    ) -> None:
        super().__init__()
        shape = (
            (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        )
        self.normalized_shape = shape
        self.eps = eps
        self.elementwise_affine = elementwise_affine

        def make(wanted: bool) -> Parameter | None:
            return Parameter(bolide.empty(shape, device=device, dtype=dtype)) if wanted else None

        self.register_parameter("weight", make(elementwise_affine))
        self.register_parameter("bias", make(elementwise_affine and bias))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight one, bias zero."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return functional.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        text = (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )
        return f"{text}, bias={self.bias is not None}" if self.elementwise_affine else text
