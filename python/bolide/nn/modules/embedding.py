"""Embedding: a table of learned vectors, looked up by integers."""

from __future__ import annotations

import bolide
from bolide._C import Tensor
from bolide.nn import functional, init
from bolide.nn.modules.module import Module
from bolide.nn.parameter import Parameter


class Embedding(Module):
    """Rows of a learned table [num_embeddings, embedding_dim].

    Args:
        num_embeddings, embedding_dim: the table's size.
        padding_idx: a row that starts at zero and gets no gradient.
        device, dtype: of the table.

    Shapes: integers [...] to [..., embedding_dim]. Raises IndexError for an index outside of the
        table.

    Example:
        >>> nn.Embedding(10, 3)(bolide.tensor([[1, 2], [4, 3]])).shape
        bolide.Size([2, 2, 3])

    Reference: torch.nn.Embedding.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        device=None,
        dtype=None,
    ) -> None:
        super().__init__()
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(
                f"padding_idx must be within num_embeddings {num_embeddings}, got {padding_idx}"
            )
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.weight = Parameter(
            bolide.empty(num_embeddings, embedding_dim, device=device, dtype=dtype)
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values: standard normal, the padding row zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with bolide.no_grad():
                self.weight[self.padding_idx].fill_(0)

    def forward(self, input: Tensor) -> Tensor:
        return functional.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        return text if self.padding_idx is None else f"{text}, padding_idx={self.padding_idx}"
