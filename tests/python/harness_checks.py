"""The op harness: the checks of a row, of values and extremes here, of derivatives in harness_gradients.py.

all_checks says which of them a row gets; to add a kind of check, add it there.
"""

import math
import os

import numpy as np
from harness import (
    COMPLEX,
    COUNTS,
    FLOATS,
    INTEGERS,
    LARGEST,
    SETS,
    SMALLEST,
    Fixed,
    Mismatch,
    check_result,
    differing,
    expected,
    layouts_of,
    prepared,
    result_dtype,
    round_to,
    shapes_text,
    tensors_of,
)
from harness_gradients import check_gradients, check_second_order


def combinations(row):
    for at, case in enumerate(row.cases):
        for dtype in SETS[row.dtypes]:
            if dtype in case.dtypes:
                for layout in layouts_of(row, case, dtype):
                    yield at, case, dtype, layout


# Where lines are counted, a part of the combinations will do: `make check`'s coverage sets it.
EVERY_NTH = int(os.environ.get("BOLIDE_TEST_EVERY_NTH", "1"))


def check_values(row, library, counts=COUNTS, keep=lambda n: n % EVERY_NTH == 0):
    """Value, dtype, shape and device, for every dtype of the op's set and every layout. Inputs stay as they are."""
    for n, (at, case, dtype, layout) in enumerate(combinations(row)):
        if not keep(n):
            continue
        where = f"{row.name} case {at} {shapes_text(case)} {dtype} {layout}"
        arrays = prepared(row, case, dtype, at)
        values, tensors = tensors_of(library, arrays, dtype, layout)
        got = library.run(row, *tensors, *case.args, **case.named)
        check_result(row, case, got, values, dtype, where, library)
        for value, tensor in zip(values, tensors, strict=True):
            if hasattr(tensor, "dtype") and not unchanged(library.array_of(tensor), value):
                raise Mismatch(f"{where}: the op changed an input")
        counts.add("values")


def unchanged(now, before):
    return np.array_equal(now, before, equal_nan=now.dtype.kind in "fc")


def check_floating_result(row, library, counts=COUNTS):
    """Integers and bool, of an op whose result is floating: computed as float32."""
    case = row.cases[0]
    for dtype in (*INTEGERS, "bool"):
        arrays = [np.abs(a) if isinstance(a, np.ndarray) and a.dtype.kind == "i" and row_is_positive(row) else a
                  for a in prepared(row, case, dtype, "int")]  # fmt: skip
        values, tensors = tensors_of(library, arrays, dtype, "contiguous")
        got = library.run(row, *tensors, *case.args, **case.named)
        check_result(row, case, got, values, dtype, f"{row.name} {dtype}", library)
        counts.add("values")


def row_is_positive(row):
    domain = row.domain[0] if isinstance(row.domain[0], tuple) else row.domain
    return domain[0] > 0


def extreme_values(dtype):
    if dtype == "bool":
        return np.array([False, True])
    if dtype in INTEGERS:
        limits = np.iinfo(dtype)
        low = [limits.min, limits.min + 1, -2, -1] if limits.min else [0]
        return np.array([*low, 0, 1, 2, 7, limits.max - 1, limits.max], np.int64)
    if dtype in COMPLEX:
        parts = np.array([math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -2.5])
        return as_complex(parts)
    largest, smallest = LARGEST[dtype], SMALLEST[dtype]
    normal = {"float16": 2.0**-14, "float64": 2.0**-1022}.get(dtype, 2.0**-126)
    finite = [0.0, smallest, normal, 0.5, 1.0, 2.5, 3.0, 70.0, round_to(1e4, dtype), largest]
    return np.array([math.nan, math.inf, -math.inf, *finite, *(-v for v in finite)])


def as_complex(parts):
    """Every pair of these parts. (A product with 1j would make NaN of infinities.)"""
    values = np.empty((len(parts), len(parts)), np.complex128)
    values.real, values.imag = parts[:, None], parts
    return values.reshape(-1)


def check_extremes(row, library, counts=COUNTS, disagreements=None):
    """NaN, infinities, zeros of both signs, the largest and smallest numbers, each with each."""
    case = row.cases[0]
    for dtype in SETS[row.dtypes]:
        if dtype in COMPLEX and not row.complex_extremes:
            continue
        one = extreme_values(dtype)
        drawn = [spec for spec in case.inputs if isinstance(spec, tuple)]
        grids = [
            np.ascontiguousarray(g.reshape(-1))
            for g in np.meshgrid(*[one] * len(drawn), indexing="ij")
        ]
        fixed = [s for s in case.inputs if not isinstance(s, tuple)]
        values = [Fixed(np.resize(f, grids[0].shape), f.dtype) for f in fixed] + grids
        values, tensors = tensors_of(library, values, dtype, "contiguous")
        got = library.run(row, *tensors, *case.args, **case.named)
        skip = None
        if row.ignore is not None and dtype in FLOATS:
            with np.errstate(all="ignore"):
                skip = row.ignore(*values)
            if disagreements is not None:
                wanted, scales = expected(row, case, values, dtype)
                wrong = differing(
                    row,
                    result_dtype(row, dtype),
                    library.array_of(got),
                    wanted[0],
                    scales[0],
                    False,
                )
                disagreements[row.name] = disagreements.get(row.name, 0) + int((wrong & skip).sum())
        where = f"{row.name} extremes {dtype}"
        check_result(
            row, case, got, values, dtype, where, library, zero_sign=row.zero_sign, skip=skip
        )
        counts.add("extremes")


def all_checks(row):
    """Every check that makes sense for the row, as (name, function)."""
    found = [("values", check_values)]
    if row.extremes:
        found.append(("extremes", check_extremes))
    if any(row.gradient):
        found.append(("gradients", check_gradients))
        found.append(("second_order", check_second_order))
    return found


def check_row(row, library, counts=COUNTS, names=None):
    """All checks of a row, or those of these names."""
    for name, check in all_checks(row):
        if names is None or name in names:
            check(row, library, counts=counts)
