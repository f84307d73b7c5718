"""Data sets: anything with ``__len__`` and ``__getitem__``.

A data set that can fetch many samples at once may define ``__getitems__(indices)``, a list of
samples, as in PyTorch, or ``fetch_batch(indices)``, which returns the collated batch itself and
saves taking it apart first.
"""

from __future__ import annotations

import bolide
from bolide._C import Tensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


class Dataset:
    """Base class of data sets with samples by number. Reference: torch.utils.data.Dataset."""

    def __class_getitem__(cls, item: Any) -> type:
        return cls  # Dataset[tuple[Tensor, int]] is for type checkers

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__")


class TensorDataset(Dataset):
    """Samples are the slices of the tensors along dim 0.

    Raises ValueError when the tensors differ in their first size.

    Example:
        >>> data = TensorDataset(bolide.zeros(5, 2), bolide.arange(5))
        >>> len(data), data[3][1].item()
        (5, 3)

    Reference: torch.utils.data.TensorDataset.
    """

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors:
            raise ValueError("[TensorDataset] expected at least one tensor, got none.")
        sizes = [tensor.shape[0] if tensor.ndim else None for tensor in tensors]
        if None in sizes or len(set(sizes)) > 1:
            raise ValueError(
                f"Size mismatch between tensors: expected equal first sizes, got {sizes}"
            )
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return self.tensors[0].shape[0]

    def fetch_batch(self, indices: Sequence[int]) -> list[Tensor]:
        """The batch of those samples: one indexing per tensor instead of one per sample and a
        stack.
        """
        picked = bolide.tensor(indices, dtype=bolide.int64)
        return [
            tensor[picked if tensor.device.type == "cpu" else picked.to(tensor.device)]
            for tensor in self.tensors
        ]


class Subset(Dataset):
    """The samples of ``dataset`` at ``indices``. Reference: torch.utils.data.Subset."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def fetch_batch(self) -> Callable[[Sequence[int]], Any]:
        fetch = self.dataset.fetch_batch  # AttributeError: then this has none either
        return lambda indices: fetch([self.indices[i] for i in indices])


def random_split(
    dataset: Any, lengths: Sequence[int | float], generator: Any = None
) -> list[Subset]:
    """Split into random parts of the given lengths, or of the given fractions when they add up to
    1.

    Raises ValueError when the lengths do not add up to the size of ``dataset``, or a fraction is
    not in [0, 1].

    Example:
        >>> train, test = random_split(range(10), [0.8, 0.2])
        >>> len(train), len(test)
        (8, 2)

    Reference: torch.utils.data.random_split.
    """
    from math import isclose

    total = len(dataset)
    lengths = list(lengths)
    if isclose(sum(lengths), 1) and sum(lengths) <= 1:
        for number, fraction in enumerate(lengths):
            if not 0 <= fraction <= 1:
                raise ValueError(
                    f"Fraction at index {number} is not between 0 and 1, got {fraction}"
                )
        counts = [int(total * fraction) for fraction in lengths]
        for number in range(total - sum(counts)):
            counts[number % len(counts)] += 1
    else:
        counts = [int(length) for length in lengths]
    if sum(counts) != total:
        raise ValueError(
            f"Sum of input lengths does not equal the length of the input dataset: {sum(counts)} "
            f"and {total}"
        )
    order = permutation(total, generator)
    parts, start = [], 0
    for count in counts:
        parts.append(Subset(dataset, order[start : start + count]))
        start += count
    return parts


def permutation(count: int, generator: Any = None) -> list[int]:
    """The numbers below ``count`` in random order, from bolide's generator or the one given."""
    options = {} if generator is None else {"generator": generator}
    return bolide.randperm(count, **options).tolist()
