"""default_collate: a list of samples becomes one batch."""

from __future__ import annotations

import bolide
from bolide._C import Tensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _is_numpy(value: Any) -> bool:
    # by name, so that NumPy is not imported; its arrays and scalars both come here
    return type(value).__module__ == "numpy"


def default_collate(batch: list[Any]) -> Any:
    """Stack samples along a new dim 0.

    Tensors and NumPy arrays are stacked, numbers become tensors (float64, int64, bool), strings
    stay a list, and dictionaries, tuples and lists are collated member by member (a tuple gives a
    list, a named tuple itself).

    Raises TypeError for other types, RuntimeError for sequences of unequal length.

    Example:
        >>> default_collate([{"a": 0}, {"a": 1}])
        {'a': tensor([0, 1])}

    Reference: torch.utils.data.default_collate.
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return bolide.stack(list(batch))
    if _is_numpy(first):
        if hasattr(first, "ndim") and first.ndim > 0:
            return bolide.stack([bolide.from_numpy(array) for array in batch])
        import numpy

        return bolide.from_numpy(numpy.array(batch))
    if isinstance(first, float):
        return bolide.tensor(batch, dtype=bolide.float64)
    if isinstance(first, int):
        return bolide.tensor(batch)
    if isinstance(first, (str, bytes)):
        return list(batch)
    if isinstance(first, dict):
        return type(first)(
            {key: default_collate([sample[key] for sample in batch]) for key in first}
        )
    if isinstance(first, (tuple, list)):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError(
                "each element in list of batch should be of equal size, "
                f"got lengths {sorted({len(sample) for sample in batch})}"
            )
        members = [default_collate(list(column)) for column in zip(*batch, strict=True)]
        return type(first)(*members) if hasattr(first, "_fields") else members
    raise TypeError(
        "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; "
        f"found {type(first).__name__}"
    )
