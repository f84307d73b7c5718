"""Comparing tensors in tests, and tensors to test with.

Reference: torch.testing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import bolide
from bolide._C import Tensor

__all__ = ["assert_close", "make_tensor"]

# (rtol, atol) of each dtype, PyTorch's; everything else has to be equal.
_TOLERANCES = {
    bolide.float16: (1e-3, 1e-5),
    bolide.bfloat16: (1.6e-2, 1e-5),
    bolide.float32: (1.3e-6, 1e-5),
    bolide.float64: (1e-7, 1e-7),
    bolide.complex64: (1.3e-6, 1e-5),
    bolide.complex128: (1e-7, 1e-7),
}


class _Difference(Exception):  # noqa: N818: turned into an AssertionError with the place in front
    pass


def _allowed(limit, exact):
    return "" if exact else f" (up to {limit} allowed)"


def _difference_of_numbers(actual, expected, rtol, atol):
    exact = rtol == atol == 0
    difference = abs(actual - expected)
    relative = difference / abs(expected) if expected else math.inf
    return _Difference(
        f"Scalars are not {'equal' if exact else 'close'}!\n\nExpected {expected} but got {actual}.\n"
        f"Absolute difference: {difference}{_allowed(atol, exact)}\n"
        f"Relative difference: {relative}{_allowed(rtol, exact)}"
    )


def _compare_numbers(actual, expected, rtol, atol, equal_nan):
    if isinstance(actual, bool) != isinstance(expected, bool):
        raise _Difference(f"Booleans mismatch: {actual} is not {expected}")
    if rtol is None:
        whole = isinstance(actual, int) and isinstance(expected, int)
        rtol, atol = (0, 0) if whole else _TOLERANCES[bolide.float64]
    both_nan = actual != actual and expected != expected
    if actual == expected or (both_nan and equal_nan):
        return
    close = abs(actual - expected) <= atol + rtol * abs(expected)
    if not (close and math.isfinite(abs(expected))):
        raise _difference_of_numbers(actual, expected, rtol, atol)


def _check_attributes(actual, expected, checks):
    if actual.shape != expected.shape:
        raise _Difference(
            f"The values for attribute 'shape' do not match: {actual.shape} != {expected.shape}."
        )
    for name in ("layout", "device", "dtype"):
        ours, theirs = getattr(actual, name), getattr(expected, name)
        if checks[name] and ours != theirs:
            raise _Difference(
                f"The values for attribute '{name}' do not match: {ours} != {theirs}."
            )
    if checks["stride"] and actual.stride() != expected.stride():
        raise _Difference(
            f"The values for attribute 'stride()' do not match: {actual.stride()} != {expected.stride()}."
        )


def _tolerances_of(actual, expected, rtol, atol):
    if rtol is not None:
        return rtol, atol
    pairs = [_TOLERANCES.get(x.dtype, (0.0, 0.0)) for x in (actual, expected)]
    return max(p[0] for p in pairs), max(p[1] for p in pairs)


def _largest(difference, wrong):
    """(value, place) of the largest element that is wrong; NaN is larger than all."""
    flat = bolide.where(wrong, difference, -1.0).flatten()
    flat = bolide.where(flat.isnan(), math.inf, flat)
    place = int(flat.argmax())
    return difference.flatten()[place].item(), tuple(
        int(i) for i in bolide.unravel_index(bolide.tensor(place), difference.shape)
    )


def _compare_tensors(actual, expected, rtol, atol, equal_nan, checks):
    _check_attributes(actual, expected, checks)
    rtol, atol = _tolerances_of(actual, expected, rtol, atol)
    with bolide.no_grad():
        actual, expected = actual.detach().cpu(), expected.detach().cpu()
        if actual.dtype != expected.dtype:
            actual = actual.to(bolide.promote_types(actual.dtype, expected.dtype))
            expected = expected.to(actual.dtype)
        if rtol == atol == 0:
            close = actual == expected
            if equal_nan:
                close |= (actual != actual) & (expected != expected)
        else:
            close = bolide.isclose(actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan)
        if bool(close.all()):
            return
        if not actual.ndim:
            raise _difference_of_numbers(actual.item(), expected.item(), rtol, atol)
        raise _difference_of_elements(actual, expected, ~close, rtol, atol)


def _difference_of_elements(actual, expected, wrong, rtol, atol):
    exact = rtol == atol == 0
    wide = bolide.complex128 if actual.is_complex() else bolide.float64
    difference = (actual.to(wide) - expected.to(wide)).abs()
    relative = difference / expected.to(wide).abs()
    count, number = int(wrong.sum()), wrong.numel()
    lines = [
        f"Tensor-likes are not {'equal' if exact else 'close'}!\n",
        f"Mismatched elements: {count} / {number} ({100 * count / number:.1f}%)",
    ]
    for name, found, limit in (("absolute", difference, atol), ("relative", relative, rtol)):
        value, place = _largest(found, wrong)
        if name == "absolute" and not (actual.is_floating_point() or actual.is_complex()):
            value = int(value)
        lines.append(
            f"Greatest {name} difference: {value} at index {place}{_allowed(limit, exact)}"
        )
    return _Difference("\n".join(lines))


def _is_number(x):
    return isinstance(x, int | float | complex)


def _is_sequence(x):
    return isinstance(x, Sequence) and not isinstance(x, str | bytes)


def _compare(actual, expected, place, options):
    """Walks both structures; every pair of tensors or numbers in them is compared."""
    try:
        if _is_sequence(actual) and _is_sequence(expected):
            if len(actual) != len(expected):
                raise _Difference(
                    f"The length of the sequences mismatch: {len(actual)} != {len(expected)}"
                )
            for i, pair in enumerate(zip(actual, expected, strict=True)):
                _compare(*pair, f"{place}[{i}]", options)
        elif isinstance(actual, Mapping) and isinstance(expected, Mapping):
            if actual.keys() != expected.keys():
                missing, extra = sorted(map(str, expected.keys() - actual.keys())), sorted(map(str, actual.keys() - expected.keys()))  # fmt: skip
                raise _Difference(
                    f"The keys of the mappings do not match:\nMissing keys in the actual mapping: {missing}\n"
                    f"Additional keys in the actual mapping: {extra}"
                )
            for key in expected:
                _compare(actual[key], expected[key], f"{place}[{key!r}]", options)
        elif actual is None and expected is None:
            pass
        elif _is_number(actual) and _is_number(expected):
            _compare_numbers(
                actual, expected, options["rtol"], options["atol"], options["equal_nan"]
            )
        else:
            _compare_like_tensors(actual, expected, options)
    except _Difference as difference:
        text = (
            str(difference)
            if not place
            else f"{difference}\n\nThe failure occurred for item {place}"
        )
        message = options["msg"]
        if message is not None:
            text = message(text) if callable(message) else message
        raise AssertionError(text) from None


def _compare_like_tensors(actual, expected, options):
    if not options["allow_subclasses"] and type(actual) is not type(expected):
        raise TypeError(
            f"[assert_close] expected one type, got {type(actual).__name__} and {type(expected).__name__}."
        )
    made = []
    for x in (actual, expected):
        try:
            made.append(x if isinstance(x, Tensor) else bolide.as_tensor(x))
        except (TypeError, ValueError, RuntimeError):
            made = []
            break
    if not made or (type(actual) is not type(expected) and not all(isinstance(x, Tensor) for x in (actual, expected))):  # fmt: skip
        raise TypeError(
            "[assert_close] expected tensors, numbers, sequences or mappings of one kind, "
            f"got {type(actual).__name__} and {type(expected).__name__}."
        )
    options = options["rtol"], options["atol"], options["equal_nan"], options["checks"]
    _compare_tensors(made[0], made[1], *options)


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raises unless ``|actual - expected| <= atol + rtol * |expected|`` in every element.

    Args:
        actual, expected: tensors, arrays, numbers, or sequences and mappings of them, of any depth.
        rtol, atol: both or neither; else by dtype: 1.3e-6 and 1e-5 for float32, 1e-7 and 1e-7 for float64, 1e-3 and 1e-5
            for float16, 1.6e-2 and 1e-5 for bfloat16, and 0 for what is not floating.
        equal_nan: is NaN equal to NaN?
        check_device, check_dtype, check_layout, check_stride: have these to be the same?
        msg: the text of the error, or a function of the usual one.

    Raises:
        AssertionError: they are not close, or differ in shape, dtype, device, length or keys.
        TypeError: they cannot be compared.
        ValueError: rtol without atol, or the other way round.

    Example:
        >>> bolide.testing.assert_close(bolide.tensor([1.0]), bolide.tensor([1.0 + 1e-8]))

    Reference: torch.testing.assert_close.
    """
    if (rtol is None) != (atol is None):
        raise ValueError(
            f"[assert_close] expected both rtol and atol or neither, got rtol={rtol} and atol={atol}."
        )
    checks = {"device": check_device, "dtype": check_dtype, "layout": check_layout, "stride": check_stride}  # fmt: skip
    options = {"rtol": rtol, "atol": atol, "equal_nan": equal_nan, "msg": msg, "checks": checks, "allow_subclasses": allow_subclasses}  # fmt: skip
    _compare(actual, expected, "", options)


def _range_of(dtype, low, high):
    """[low, high) as the dtype has them; PyTorch's ranges where they are not given."""
    if dtype == bolide.bool:
        usual, least, most = (0, 2), 0, 2
    elif dtype.is_floating_point or dtype.is_complex:
        top = bolide.finfo(dtype).max
        usual, least, most = (-9, 9), -top, top
    else:
        info = bolide.iinfo(dtype)
        usual, least, most = ((0, 10) if info.min == 0 else (-9, 10)), info.min, info.max + 1
    low, high = (u if given is None else given for given, u in zip((low, high), usual, strict=True))
    if math.isnan(low) or math.isnan(high):
        raise ValueError(
            f"[make_tensor] expected bounds that are numbers, got low={low} and high={high}."
        )
    if not low < high:
        raise ValueError(f"[make_tensor] expected low < high, got low={low} and high={high}.")
    if low >= most or high <= least:
        raise ValueError(
            f"[make_tensor] expected bounds that {dtype} holds, got low={low} and high={high}."
        )
    return max(low, least), min(high, most)


def _filled(shape, dtype, device, low, high):
    if dtype.is_complex:
        parts = dtype.to_real()
        return bolide.complex(*(_filled(shape, parts, device, low, high) for _ in range(2)))
    if dtype.is_floating_point:
        wide = bolide.rand(shape, dtype=bolide.float64, device=device)
        return (wide * (high - low) + low).to(dtype).clamp(low, high)
    return bolide.randint(math.ceil(low), math.ceil(high), shape, device=device).to(dtype)


def make_tensor(
    *shape: int | Sequence[int],
    dtype: bolide.dtype,
    device: Any = "cpu",
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """A tensor of random numbers from [low, high).

    Args:
        shape: the sizes, one by one or in a sequence.
        dtype: any dtype; without bounds floats come from [-9, 9), integers from [-9, 10), uint8 from [0, 10).
        noncontiguous: with strides of 2 in the last dimension.
        exclude_zero: 1, or for floats the smallest normal number, in place of 0.

    Raises:
        ValueError: bounds that are no range of the dtype; requires_grad for a dtype without gradients.

    Example:
        >>> x = bolide.testing.make_tensor(2, 3, dtype=bolide.float32, low=0, high=1)

    Reference: torch.testing.make_tensor.
    """
    sizes = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], Sequence) else shape
    if requires_grad and not (dtype.is_floating_point or dtype.is_complex):
        raise ValueError(
            f"[make_tensor] expected a dtype with gradients for requires_grad, got {dtype}."
        )
    if noncontiguous and memory_format is not None:
        raise ValueError("[make_tensor] expected noncontiguous or memory_format, got both.")
    x = _filled(sizes, dtype, device, *_range_of(dtype, low, high))
    if exclude_zero:
        real = dtype.to_real() if dtype.is_complex else dtype
        least = bolide.finfo(real).tiny if real.is_floating_point else 1
        x = bolide.where(x == 0, bolide.full_like(x, least), x)
    if noncontiguous and x.numel() > 1:
        x = x.repeat_interleave(2, -1)[..., ::2]
    if memory_format is not None:
        x = x.clone(memory_format=memory_format)
    return x.requires_grad_(requires_grad)
