"""Sums of products as Python has them, einsum, tensordot and chains; the work is done by the extension.

To add one: a function here, its name in ``bolide._LAZY``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from bolide import _C
from bolide._C import Tensor

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def into(out: Tensor | None, result: Tensor, exact: str = "") -> Tensor:
    """The result, in ``out`` where there is one. exact: the op's name, if ``out`` has to have the result's dtype."""
    if exact and out is not None and out.dtype != result.dtype:
        raise _C.DTypeError(f"[{exact}] expected an out= of dtype {result.dtype}, got {out.dtype}.")
    return result if out is None else _C.clone(result, out=out)  # type: ignore[call-arg]


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
    if not isinstance(args[0], str | Tensor):
        raise TypeError(f"[einsum] expected an equation or a Tensor, got {type(args[0]).__name__}.")
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
    return into(out, result)


# ---- chains of matrices --------------------------------------------------------------------------


def _best_cuts(sizes: Sequence[int]) -> dict[tuple[int, int], int]:
    """Where to cut each run of matrices first: the dynamic program of chains, by number of products."""
    count = len(sizes) - 1
    cost = {(i, i): 0 for i in range(count)}
    cut = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            options = [
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            ]
            cost[i, j], cut[i, j] = min(options)
    return cut


def _check_chain(tensors: list[Tensor], dims: list[int]) -> None:
    for i, (t, allowed) in enumerate(zip(tensors, dims, strict=True)):
        if t.ndim > 2 or t.ndim < allowed:
            raise _C.ShapeError(
                f"[linalg.multi_dot] expected matrices, and vectors at the ends, got tensor {i} of "
                f"{t.ndim} dimensions."
            )
        if t.dtype != tensors[0].dtype:
            raise _C.DTypeError(
                f"[linalg.multi_dot] expected tensors of one dtype, got {tensors[0].dtype} and {t.dtype}."
            )


def multi_dot(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """The product of matrices in the cheapest order; the first and the last may be vectors.

    Raises ShapeError where sizes do not fit. Reference: torch.linalg.multi_dot.
    """
    given = list(tensors)
    if len(given) < 2:
        raise _C.BolideError(f"[linalg.multi_dot] expected at least 2 tensors, got {len(given)}.")
    _check_chain(given, [1, *[2] * (len(given) - 2), 1])
    row, column = given[0].ndim == 1, given[-1].ndim == 1
    matrices = [t.reshape(1, -1) if t.ndim == 1 else t for t in given]
    if column:
        matrices[-1] = given[-1].unsqueeze(-1)
    for i, (a, b) in enumerate(pairwise(matrices)):
        if a.shape[1] != b.shape[0]:
            raise _C.ShapeError(
                f"[linalg.multi_dot] expected tensors {i} and {i + 1} that can be multiplied, got "
                f"{tuple(a.shape)} and {tuple(b.shape)}."
            )
    cut = _best_cuts([*(t.shape[0] for t in matrices), matrices[-1].shape[1]])

    def product(i: int, j: int) -> Tensor:
        if i == j:
            return matrices[i]
        return _C.mm(product(i, cut[i, j]), product(cut[i, j] + 1, j))

    result = product(0, len(matrices) - 1)
    shape = [*([] if row else [result.shape[0]]), *([] if column else [result.shape[1]])]
    return into(out, result.reshape(shape), "linalg.multi_dot")


def chain_matmul(*matrices: Tensor, out: Tensor | None = None) -> Tensor:
    """The product of matrices in the cheapest order. Reference: torch.chain_matmul."""
    for m in matrices:
        if m.ndim != 2:
            raise _C.ShapeError(f"[chain_matmul] expected matrices, got {m.ndim} dimensions.")
    if len(matrices) != 1:
        return multi_dot(matrices, out=out)
    return into(out, matrices[0])


def powers(x: Tensor, count: int) -> Tensor:
    """x to 0, 1, ..., count - 1, along a dimension behind the others."""
    if x.is_complex():  # cumprod takes real numbers
        found = [_C.ones_like(x)]
        while len(found) < count:
            found.append(found[-1] * x)
        return _C.stack(found[:count], -1) if count else x.new_empty(*x.shape, 0)
    if not x.is_floating_point():
        x = x.to(_C.int64)
    wide = x.unsqueeze(-1).expand(*x.shape, count)
    first = wide.new_ones(*x.shape, 1)
    return _C.cat([first, wide[..., 1:].cumprod(-1)], -1)[..., :count]


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The powers of each element of a vector, falling to 0 unless ``increasing``: N columns (N: the size).

    Reference: torch.vander.
    """
    if x.ndim != 1:
        raise _C.ShapeError(f"[vander] expected x of one dimension, got {x.ndim}.")
    count = x.shape[0] if N is None else N
    if count < 0:
        raise _C.BolideError(f"[vander] expected a non-negative N, got {count}.")
    result = powers(x, count)
    return result if increasing else result.flip(-1)
