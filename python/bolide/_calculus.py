"""Integrals and slopes of samples, histograms of points, and arithmetic on shapes: made of other ops.

To add one: a function here, its name in ``bolide._LAZY``.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

from bolide import _C
from bolide._C import Tensor

# ---- integrals by the trapezoidal rule -----------------------------------------------------------


def _neighbours(t: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """All but the first along dim, and all but the last."""
    n = max(t.shape[dim] - 1, 0)
    return t.narrow(dim, t.shape[dim] - n, n), t.narrow(dim, 0, n)


def _trapezoids(name: str, y: Tensor, x: Any, dx: Any, dim: int) -> Tensor:
    """The area between each two neighbours along dim."""
    if x is not None and dx is not None:
        raise TypeError(f"[{name}] expected x or dx, got both.")
    if y.dtype == _C.bool or (isinstance(x, Tensor) and x.dtype == _C.bool):
        raise _C.DTypeError(f"[{name}] expected numbers, got bool.")
    if not -y.ndim <= dim < y.ndim:
        raise IndexError(f"[{name}] expected a dim of {y.ndim} dimensions, got {dim}.")
    later, earlier = _neighbours(y, dim)
    if not isinstance(x, Tensor):  # a number is dx
        step = x if x is not None else 1 if dx is None else dx
        return (later + earlier) * (step / 2)
    if not x.ndim:
        raise _C.ShapeError(f"[{name}] expected x with dimensions, got a 0-d one.")
    behind = y.ndim - 1 - dim % y.ndim
    if x.ndim == 1:
        if x.shape[0] != y.shape[dim]:
            raise _C.ShapeError(f"[{name}] expected x of {y.shape[dim]} numbers, got {x.shape[0]}.")
        x = x.view(-1, *[1] * behind)
    elif x.ndim < y.ndim:
        x = x.view(*[1] * (y.ndim - x.ndim), *x.shape)
    x_later, x_earlier = _neighbours(x, x.ndim - 1 - behind)
    return (later + earlier) * (x_later - x_earlier) / 2


def trapezoid(y: Tensor, x: Any = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The integral along dim of what is sampled at x, or every dx (1), by the trapezoidal rule.

        >>> bolide.trapezoid(bolide.tensor([1.0, 5.0, 10.0]))
        tensor(10.5000)

    Reference: torch.trapezoid.
    """
    areas = _trapezoids("trapezoid", y, x, dx, dim)
    return areas.sum(dim) if y.shape[dim] else y.sum(dim)


def trapz(y: Tensor, x: Any = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """Another name of trapezoid(). Reference: torch.trapz."""
    return trapezoid(y, x, dx=dx, dim=dim)


def cumulative_trapezoid(y: Tensor, x: Any = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """trapezoid() up to each sample but the first. Reference: torch.cumulative_trapezoid."""
    return _trapezoids("cumulative_trapezoid", y, x, dx, dim).cumsum(dim)


# ---- slopes --------------------------------------------------------------------------------------


def _places(x: Any, input: Tensor, dim: int) -> Tensor | None:
    """The coordinates along dim, in the middle of the others; None: they are a step apart."""
    if not isinstance(x, Tensor) or not x.ndim:
        return None
    if x.shape[0] != input.shape[dim]:
        raise _C.ShapeError(
            f"[gradient] expected {input.shape[dim]} coordinates along dim {dim}, got {x.shape[0]}."
        )
    return x.view(-1, *[1] * (input.ndim - 1 - dim))


def _slope(f: Tensor, spacing: Any, dim: int, edge_order: int) -> Tensor:
    """Second order inside (Fornberg 1988), of order edge_order at the ends."""
    n = f.shape[dim]
    x = _places(spacing, f, dim)
    at = x if x is None or x.ndim == f.ndim else x.view(*[1] * (f.ndim - x.ndim), *x.shape)

    def values(start: int, count: int) -> Tensor:
        return f.narrow(dim, start, count)

    def steps(start: int, count: int) -> Any:
        if at is None:
            return spacing
        return at.narrow(dim, start + 1, count) - at.narrow(dim, start, count)

    h, k = steps(0, n - 2), steps(1, n - 2)
    if at is None:
        inside = (values(2, n - 2) - values(0, n - 2)) / (2 * spacing)
    else:
        inside = (
            values(0, n - 2) * (-k / (h * (h + k)))
            + values(1, n - 2) * ((k - h) / (h * k))
            + values(2, n - 2) * (h / (k * (h + k)))
        )
    h, k = steps(0, 1), steps(n - 2, 1)
    first, last = (values(1, 1) - values(0, 1)) / h, (values(n - 1, 1) - values(n - 2, 1)) / k
    if edge_order == 2:
        far, near = steps(1, 1), steps(n - 3, 1)
        second = (values(2, 1) - values(1, 1)) / far
        before = (values(n - 2, 1) - values(n - 3, 1)) / near
        first = first + (first - second) * (h / (h + far))
        last = last + (last - before) * (k / (k + near))
    return _C.cat([first, inside, last], dim)


def gradient(
    input: Tensor, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1
) -> tuple[Tensor, ...]:
    """The slope along each of dim (all): differences of both neighbours, at the ends of one.

    spacing: the step, one for all or one per dim, or the coordinates along each dim. edge_order: 1 or 2.

        >>> bolide.gradient(bolide.tensor([1.0, 4.0, 9.0]))
        (tensor([3., 4., 5.]),)

    Reference: torch.gradient.
    """
    if input.dtype in (_C.uint8, _C.bool):
        raise _C.DTypeError(f"[gradient] expected numbers with a sign, got {input.dtype}.")
    if edge_order not in (1, 2):
        raise _C.BolideError(f"[gradient] expected an edge_order of 1 or 2, got {edge_order}.")
    given = range(input.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    dims = []
    for d in given:
        if not -input.ndim <= d < input.ndim:
            raise IndexError(f"[gradient] expected dims of {input.ndim} dimensions, got {d}.")
        dims.append(d % input.ndim)
    if len(set(dims)) < len(dims):
        raise _C.BolideError(f"[gradient] expected different dims, got {dims}.")
    spacing = 1 if spacing is None else spacing
    many = isinstance(spacing, list | tuple)
    if many and len(spacing) != len(dims):
        raise _C.BolideError(
            f"[gradient] expected spacing for {len(dims)} dims, got {len(spacing)}."
        )
    for d in dims:
        if input.shape[d] < edge_order + 1:
            raise _C.ShapeError(
                f"[gradient] expected at least {edge_order + 1} numbers along dim {d}, got "
                f"{input.shape[d]}."
            )
    if not (input.is_floating_point() or input.is_complex()):
        input = input.to(_C.get_default_dtype())
    each = spacing if many else [spacing] * len(dims)
    return tuple(_slope(input, h, d, edge_order) for h, d in zip(each, dims, strict=True))


# ---- histograms of points ------------------------------------------------------------------------

HistogramOfPoints = namedtuple("HistogramOfPoints", ["hist", "bin_edges"])


def histogramdd(
    input: Tensor,
    bins: Any,
    *,
    range: Any = None,  # noqa: A002: PyTorch's name
    weight: Tensor | None = None,
    density: bool = False,
) -> HistogramOfPoints:
    """How many points, the rows of [..., D], lie in each box: (hist, bin_edges), one tensor of edges per dim.

    bins: numbers of equal bins, one for all or one per dim, or the edges along each. range: 2 D numbers.
    weight: what each point counts. Reference: torch.histogramdd.
    """
    found = _C._histogramdd(input, bins, range, weight, density)
    return HistogramOfPoints(found[0], tuple(found[1:]))


# ---- shapes --------------------------------------------------------------------------------------


def unravel_index(indices: Tensor, shape: int | Sequence[int]) -> tuple[Tensor, ...]:
    """The place in a tensor of this shape of each element's number in row-major order: int64, a tensor per dim.

    Raises TypeError unless the indices are integers. Reference: torch.unravel_index.
    """
    if not isinstance(indices, Tensor) or indices.dtype.is_floating_point or indices.dtype.is_complex \
            or indices.dtype == _C.bool:  # fmt: skip
        raise TypeError(f"[unravel_index] expected indices of integers, got {indices}.")
    sizes = [shape] if isinstance(shape, int) else list(shape)
    for n in sizes:
        if not isinstance(n, int):
            raise TypeError(f"[unravel_index] expected a shape of integers, got {shape}.")
        if n < 0:
            raise ValueError(f"[unravel_index] expected non-negative sizes, got {shape}.")
    found = []
    rest = indices.to(_C.int64)
    for n in reversed(sizes):
        found.append(rest % n)
        rest = rest.div(n, rounding_mode="floor")
    return tuple(reversed(found))


def broadcast_shapes(*shapes: int | Sequence[int]) -> tuple[int, ...]:
    """The shape that tensors of these shapes broadcast to. Raises ShapeError if they do not.

    Reference: torch.broadcast_shapes.
    """
    sizes: list[int] = []
    for shape in shapes:
        own = list(shape) if isinstance(shape, Sequence) else [shape]
        sizes = [1] * (len(own) - len(sizes)) + sizes
        for i in range(-len(own), 0):
            if not isinstance(own[i], int):
                raise _C.BolideError(f"[broadcast_shapes] expected ints, got {own[i]!r}.")
            if own[i] < 0:
                raise _C.BolideError(f"[broadcast_shapes] expected sizes, got {own[i]}.")
            if own[i] != 1 and sizes[i] not in (1, own[i]):
                raise _C.ShapeError(
                    f"[broadcast_shapes] expected shapes that broadcast, got {shapes}."
                )
            sizes[i] = own[i] if own[i] != 1 else sizes[i]
    return _C.Size(sizes)
