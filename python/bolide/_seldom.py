"""Functions that few programs call, composed of others in Python.

To add one: a function here, its name in ``bolide._LAZY``, a test in tests/python/test_seldom.py.
"""

from __future__ import annotations

from typing import Any

from bolide import _C
from bolide._C import Tensor
from bolide.nn import functional


def get_device(input: Tensor) -> int:
    """The number of the tensor's GPU, -1 on the CPU. Reference: torch.get_device."""
    return input.get_device()


def set_flush_denormal(mode: bool) -> bool:
    """False: bolide computes with denormal numbers, whatever is asked. Reference: torch.set_flush_denormal."""
    if not isinstance(mode, bool):
        raise TypeError(f"[set_flush_denormal] expected a bool, got {type(mode).__name__}.")
    return False


# ---- activations in place ------------------------------------------------------------------------


def selu_(input: Tensor) -> Tensor:
    """In-place form of selu(). Reference: torch.selu_."""
    return functional.selu(input, inplace=True)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """In-place form of celu(). Reference: torch.celu_."""
    return functional.celu(input, alpha, inplace=True)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """In-place form of threshold(). Reference: torch.threshold_."""
    return functional.threshold(input, threshold, value, inplace=True)


def rrelu(
    input: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    generator: Any = None,
) -> Tensor:
    """x where positive, elsewhere a slope in [lower, upper] times x: drawn for each element while training,
    else the middle one (Xu et al. 2015).

        >>> bolide.rrelu(bolide.tensor([-1.0, 2.0]), 0.25, 0.75)
        tensor([-0.5000,  2.0000])

    Reference: torch.rrelu.
    """
    if not lower <= upper:
        raise _C.BolideError(f"[rrelu] expected lower of at most upper, got {lower} and {upper}.")
    if not training:
        return _C.leaky_relu(input, (lower + upper) / 2)
    slopes = _C.empty_like(input.detach()).uniform_(lower, upper, generator=generator)
    return _C.where(input > 0, input, input * slopes)


def rrelu_(
    input: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    generator: Any = None,
) -> Tensor:
    """In-place form of rrelu(). Reference: torch.rrelu_."""
    return functional._applied(rrelu, input, True, lower, upper, training, generator)


# ---- random numbers ------------------------------------------------------------------------------


def binomial(count: Tensor, prob: Tensor, generator: Any = None) -> Tensor:
    """How many of ``count`` trials succeed, each with ``prob``; both broadcast and have one floating dtype.

    As many passes as the largest count. Not differentiable. Raises ValueError for tensors of integers,
    DTypeError for two dtypes.

        >>> bolide.binomial(bolide.tensor([0.0, 3.0]), bolide.tensor([0.5, 1.0]))
        tensor([0., 3.])

    Reference: torch.binomial.
    """
    for name, given in (("count", count), ("prob", prob)):
        if not given.dtype.is_floating_point:
            raise ValueError(f"[binomial] expected a floating-point {name}, got {given.dtype}.")
    if count.dtype != prob.dtype:
        raise _C.DTypeError(
            f"[binomial] expected tensors of one dtype, got {count.dtype} and {prob.dtype}."
        )
    trials, chance = _C.broadcast_tensors(count.detach(), prob.detach())
    all_succeed = (chance >= 1) & (trials > 0)
    drawn = (trials > 0) & (chance > 0) & ~all_succeed
    successes = _C.zeros(trials.shape, dtype=_C.float64, device=trials.device)
    left = _C.where(drawn, trials, 0).to(_C.float64)
    for done in range(int(left.max().ceil().item()) if left.numel() else 0):
        draws = _C.empty_like(successes).uniform_(0, 1, generator=generator)
        successes += (draws < chance) & (left > done)
    found = _C.where(all_succeed, trials, successes.to(trials.dtype))
    return _C.where(_C.isnan(chance) | _C.isnan(trials), float("nan"), found)


# ---- segments ------------------------------------------------------------------------------------

_STARTS = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": -float("inf"), "min": float("inf")}


def _lengths(data: Tensor, lengths: Any, offsets: Any, axis: int, unsafe: bool) -> Tensor:
    if (lengths is None) == (offsets is None):
        raise _C.BolideError(
            "[segment_reduce] expected either lengths or offsets, got both or none."
        )
    if lengths is None:
        lengths = offsets.diff(dim=-1)
    if lengths.ndim != axis + 1 or lengths.shape[:axis] != data.shape[:axis]:
        raise _C.ShapeError(
            f"[segment_reduce] expected lengths of {axis + 1} dimensions that begin as data's, got "
            f"{tuple(lengths.shape)} for {tuple(data.shape)}."
        )
    if not unsafe:
        if lengths.numel() and lengths.min().item() < 0:
            raise _C.BolideError("[segment_reduce] expected lengths of 0 or more, got one below.")
        if offsets is None and not (lengths.sum(-1) == data.shape[axis]).all().item():
            raise _C.BolideError(
                f"[segment_reduce] expected lengths that add up to {data.shape[axis]}, got others."
            )
    return lengths


def segment_reduce(
    data: Tensor,
    reduce: str,
    *,
    lengths: Tensor | None = None,
    indices: Tensor | None = None,
    offsets: Tensor | None = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: float | None = None,
) -> Tensor:
    """The "sum", "mean", "max", "min" or "prod" of each segment of data along ``axis``, all dims before it apart.

    lengths: of the segments, [..., segments]; or offsets: where each begins and the last ends,
    [..., segments + 1]. initial: what each begins with; an empty one is that, or what the reduction begins
    with (of "mean" NaN).

        >>> bolide.segment_reduce(bolide.tensor([1.0, 2.0, 4.0]), "sum", lengths=bolide.tensor([1, 2]))
        tensor([1., 6.])

    Raises NotImplementedError for indices, ShapeError and BolideError for lengths that do not fit.
    Reference: torch.segment_reduce.
    """
    if reduce not in _STARTS:
        raise _C.BolideError(
            f"[segment_reduce] expected one of {', '.join(_STARTS)}, got {reduce!r}."
        )
    if indices is not None:
        raise NotImplementedError("[segment_reduce] expected lengths or offsets, got indices.")
    axis += data.ndim if axis < 0 else 0
    sizes = _lengths(data, lengths, offsets, axis, unsafe)
    starts = offsets if offsets is not None else _C.cumsum(sizes, -1) - sizes
    parts = []
    outer = data.reshape(-1, *data.shape[axis:])
    count = sizes.shape[-1]
    first = starts.reshape(outer.shape[0], -1).tolist()
    length = sizes.reshape(outer.shape[0], -1).tolist()
    for row in range(outer.shape[0]):
        for k in range(count):
            parts.append(
                _reduced(outer[row].narrow(0, first[row][k], length[row][k]), reduce, initial)
            )
    shape = (*data.shape[:axis], count, *data.shape[axis + 1 :])
    return _C.stack(parts).reshape(shape) if parts else data.new_empty(shape)


def _reduced(segment: Tensor, reduce: str, initial: float | None) -> Tensor:
    start = _STARTS[reduce] if initial is None else initial
    if not segment.shape[0]:
        empty_mean = reduce == "mean" and initial is None
        return segment.new_full(segment.shape[1:], float("nan") if empty_mean else start)
    if reduce in ("max", "min"):
        found = segment.amax(0) if reduce == "max" else segment.amin(0)
        return (
            found
            if initial is None
            else (found.clamp_min if reduce == "max" else found.clamp_max)(start)
        )
    if reduce == "prod":
        return segment.prod(0) * start
    total = segment.sum(0) + start
    return total / segment.shape[0] if reduce == "mean" else total
