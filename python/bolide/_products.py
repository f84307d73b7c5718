"""Sums of products as Python has them, einsum and tensordot; the work is done by the extension.

To add one: a function here, its name in ``bolide._LAZY``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bolide import _C
from bolide._C import Tensor

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _subscripts(sublist: Sequence[Any]) -> str:
    for label in sublist:
        if label is not Ellipsis and not 0 <= label < len(_LETTERS):
            raise ValueError(f"[einsum] expected subscripts from 0 to 51, got {label}.")
    return "".join("..." if label is Ellipsis else _LETTERS[label] for label in sublist)


def einsum(*args: Any) -> Tensor:
    """The sum of products that Einstein's notation says: ``einsum("ij,jk->ik", a, b)``.

    Letters are dimensions; a letter that the result lacks is summed over, one that repeats within an
    operand takes its diagonal; "..." stands for any dimensions, which broadcast. Without "->" the result
    has the letters that occur once, in alphabetical order. Or with lists of numbers:
    ``einsum(a, [0, 1], b, [1, 2], [0, 2])``. Operands have one dtype; any number of them is contracted
    from left to right.

    Raises BolideError for an equation that does not fit the operands, ShapeError for sizes that differ.

        >>> bolide.einsum("ii", bolide.eye(3))
        tensor(3.)

    Reference: torch.einsum.
    """
    if len(args) < 2:
        raise ValueError(f"[einsum] expected an equation and operands, got {len(args)} arguments.")
    if not isinstance(args[0], str):
        operands, sublists = args[: len(args) // 2 * 2 : 2], args[1::2]
        equation = ",".join(_subscripts(s) for s in sublists[: len(operands)])
        if len(args) % 2:
            equation += "->" + _subscripts(args[-1])
        return _C._einsum(equation, list(operands))
    equation, operands = args[0], args[1:]
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    return _C._einsum(equation, list(operands))


def tensordot(a: Tensor, b: Tensor, dims: Any = 2, out: Tensor | None = None) -> Tensor:
    """Sums of products over ``dims``: the last so many of a with the first of b, or two lists of dimensions.

    Raises ShapeError where their sizes differ. Reference: torch.tensordot.
    """
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0 or dims > min(a.ndim, b.ndim):
            raise _C.BolideError(
                f"[tensordot] expected dims in [0, {min(a.ndim, b.ndim)}], got {dims}."
            )
        first, second = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    else:
        first, second = ([d] if isinstance(d, int) else list(d) for d in dims)
    result = _C._tensordot(a, b, first, second)
    return result if out is None else out.copy_(result)
