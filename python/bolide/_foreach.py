"""bolide._foreach_NAME: an op on each tensor of a list, as optimizers written for PyTorch call them.

Each gives a list; with a last underscore it changes the tensors and gives None. What stands beside the first list is
one number or tensor for all, or a list of one for each. To add one: a name in a table below, that of the op.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bolide import _C, linalg
from bolide._C import Tensor

_UNARY = (
    "abs acos asin atan ceil cos cosh erf erfc exp expm1 floor frac lgamma log log10 log1p log2 neg reciprocal round "
    "rsqrt sigmoid sign sin sinh sqrt tan tanh trunc"
).split()
_BINARY = "add sub mul div clamp_min clamp_max pow".split()
_TERNARY = "lerp addcmul addcdiv".split()
_PURE = {"maximum": _C.maximum, "minimum": _C.minimum}
_SCALED = ("addcmul", "addcdiv")  # whose last argument is a factor: keyword only

NAMES = [
    *(f"_foreach_{name}{end}" for name in _UNARY + _BINARY + _TERNARY for end in ("", "_")),
    *(f"_foreach_{name}{end}" for name in ("maximum", "minimum") for end in ("", "_")),
    *("_foreach_copy", "_foreach_copy_", "_foreach_zero_", "_foreach_norm", "_foreach_max"),
]


def _checked(name: str, tensors: Sequence[Tensor], others: Sequence[Any]) -> list[Tensor]:
    found = list(tensors)
    if not found:
        raise _C.BolideError(f"[{name}] expected a list with tensors, got an empty one.")
    for other in others:
        if isinstance(other, list | tuple) and len(other) != len(found):
            raise _C.BolideError(
                f"[{name}] expected lists of {len(found)} tensors, got one of {len(other)}."
            )
    return found


def _each(name: str, call: Callable[..., Any], scaled: bool = False) -> Callable[..., list[Any]]:
    def run(tensors: Sequence[Tensor], *others: Any, **named: Any) -> list[Any]:
        found = _checked(name, tensors, others)
        factor = (
            others[2] if scaled and len(others) > 2 else named.pop("value", 1) if scaled else None
        )
        given = others[:2] if scaled else others
        if isinstance(factor, Tensor):
            factor = factor.tolist()
        results = []
        for i, t in enumerate(found):
            own = [other[i] if isinstance(other, list | tuple) else other for other in given]
            if scaled:
                named["value"] = factor[i] if isinstance(factor, list | tuple) else factor
            results.append(call(t, *own, **named))
        return results

    run.__name__ = run.__qualname__ = name
    run.__doc__ = f"{call.__name__}() of each tensor. Reference: torch.{name}."
    return run


def _in_place(name: str, call: Callable[..., Any], scaled: bool = False) -> Callable[..., None]:
    every = _each(name, call, scaled)

    def run(tensors: Sequence[Tensor], *others: Any, **named: Any) -> None:
        every(tensors, *others, **named)

    run.__name__ = run.__qualname__ = name
    run.__doc__ = every.__doc__
    return run


def _norm(x: Tensor, ord: Any = 2, dtype: Any = None) -> Tensor:  # noqa: A002: PyTorch's name
    return linalg.vector_norm(x, ord, dtype=dtype)


def _write(pure: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def run(x: Tensor, *others: Any) -> Tensor:
        return x.copy_(pure(x, *others))

    run.__name__ = pure.__name__ + "_"
    return run


def _as_tensor_too(pure: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def run(x: Tensor, other: Any) -> Tensor:
        return pure(
            x,
            other
            if isinstance(other, Tensor)
            else _C.full((), other, dtype=x.dtype, device=x.device),
        )

    run.__name__ = pure.__name__
    return run


def _copy(x: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:
    return source.to(x.dtype, copy=True)


def _make() -> dict[str, Callable[..., Any]]:
    made: dict[str, Callable[..., Any]] = {}
    for op in _UNARY + _BINARY + _TERNARY:
        name, scaled = f"_foreach_{op}", op in _SCALED
        made[name] = _each(name, getattr(_C, op), scaled)
        made[name + "_"] = _in_place(name + "_", getattr(Tensor, op + "_"), scaled)
    for op, pure in _PURE.items():
        name, call = f"_foreach_{op}", _as_tensor_too(pure)
        made[name], made[name + "_"] = _each(name, call), _in_place(name + "_", _write(call))
    made["_foreach_copy"] = _each("_foreach_copy", _copy)
    made["_foreach_copy_"] = _in_place("_foreach_copy_", Tensor.copy_)
    made["_foreach_zero_"] = _in_place("_foreach_zero_", Tensor.zero_)
    made["_foreach_norm"] = _each("_foreach_norm", _norm)
    made["_foreach_max"] = _each("_foreach_max", _C.max)
    return made


globals().update(_make())
