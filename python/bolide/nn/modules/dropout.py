"""Dropout: noise while training, nothing in evaluation."""

from __future__ import annotations

from bolide._C import Tensor
from bolide.nn import functional
from bolide.nn.modules.module import Module


class Dropout(Module):
    """Zero elements with probability ``p`` and scale the rest by 1 / (1 - p); the identity after
    ``eval()``.

    Raises ValueError when ``p`` is not in [0, 1]. Reference: torch.nn.Dropout (Srivastava et al.,
    2014).
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return functional.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"
