"""The op harness: runs a row of op_rows.py over dtypes and layouts, and compares with its oracle.

Here is what a row says, how inputs are drawn and laid out, and how a result is compared. harness_checks.py has the checks
of a row, harness_gradients.py those of its derivatives. Whatever differs raises Mismatch, which says where. `Counts`
counts the combinations. What the harness notices is itself tested with planted faults (faults.py).

A comparison is `not (difference <= tolerance)`, so that NaN never passes.
"""

import math
import warnings
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# The sets of kernels/elementwise.def; All is what is only moved about.
INTEGERS = ("uint8", "int8", "int16", "int32", "int64")
FLOATS = ("float16", "bfloat16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
SETS = {
    "Float": FLOATS,
    "Int": INTEGERS,
    "IntBool": (*INTEGERS, "bool"),
    "Number": INTEGERS + FLOATS,
    "Any": (*INTEGERS, "bool", *FLOATS),
    "All": (*INTEGERS, "bool", *FLOATS, *COMPLEX),
    "Int64": ("int64",),
    "Bool": ("bool",),
    "Complex": COMPLEX,
}
SETS |= {f"{name}|Complex": SETS[name] + COMPLEX for name in ("Float", "Number", "Any")}
EVERY = SETS["All"]
EPSILON = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
REAL_OF = {"complex64": "float32", "complex128": "float64"}
SMALLEST = {"float16": 2.0**-24, "bfloat16": 2.0**-133, "float32": 2.0**-149, "float64": 2.0**-1074}
LARGEST = {"float16": 65504.0, "bfloat16": 3.3895313892515355e38, "float32": 3.4028234663852886e38,
           "float64": 1.7976931348623157e308}  # fmt: skip
for _table in (EPSILON, SMALLEST, LARGEST):
    _table.update({dtype: _table[real] for dtype, real in REAL_OF.items()})
LAYOUTS = ("contiguous", "transposed", "sliced", "offset", "broadcast", "mixed")


class Mismatch(AssertionError):  # noqa: N818: reads as what it is
    """What an op gave is not what its row wants."""


@dataclass(frozen=True)
class Case:
    """Inputs and arguments of one call. An input is a shape, filled from the row's domain in the dtype under test; an
    array, which keeps its dtype (indices, masks); or a Python number, passed as it is."""

    inputs: tuple
    args: tuple = ()
    named: dict = field(default_factory=dict)
    layouts: tuple = LAYOUTS
    dtypes: tuple = EVERY
    smooth: bool = True  # used for gradients too


@dataclass(frozen=True)
class Row:
    """What is known of an op. The error allowed is ulps * eps * |wanted| + absolute * eps * scale, with the eps of what
    it computes in (float32 for half types, which round once more); `reason` says why, where it is not the usual."""

    name: str
    oracle: Any
    dtypes: str = "Float"
    result: str = "same"  # as in the tables; or the name of a dtype
    cases: tuple = ()
    domain: tuple = (-3.0, 3.0)  # of floats; or one pair per input
    integers: tuple = (-9, 9)
    gradient: tuple = ()  # by input: is there one?
    second: bool = True  # and one of the gradient?
    call: Any = None  # call(library, *tensors, *args, **named); else the function of that name
    inplace: bool = False
    outside: str = "raises"  # a dtype not in the set; "floats": computes as float32; "skip": another row's business
    ulps: float = 2.0
    absolute: float = 0.0
    scale: Any = None  # of the absolute error: a function like the oracle
    half_roundings: int = 1  # how often half types are rounded on the way
    places: bool = False  # the second output is where the values are: int64
    gradient_ulps: float = 16.0
    extremes: bool = False
    complex_extremes: bool = False  # of complex numbers too
    complex_ulps: float = 0.0  # more of them are allowed for complex numbers
    zero_sign: bool = True
    ignore: Any = None  # inputs of the extremes that are not compared: a function of the arrays
    reason: str = ""
    aliases: tuple = ()

    @property
    def tensors(self):
        return len(self.cases[0].inputs)


@dataclass
class Counts:
    combinations: Counter = field(default_factory=Counter)

    def add(self, kind):
        self.combinations[kind] += 1

    def text(self):
        parts = ", ".join(f"{number} {kind}" for kind, number in sorted(self.combinations.items()))
        return f"{sum(self.combinations.values())} combinations ({parts})"


COUNTS = Counts()


# ---- dtypes --------------------------------------------------------------------------------------


def numpy_dtype(name):
    return np.dtype("float32" if name == "bfloat16" else name)


def round_to(x, dtype):
    """float64 to the nearest number of a narrower type, still as float64; complex128 likewise."""
    if dtype in COMPLEX:
        with np.errstate(all="ignore"):
            return np.asarray(x, np.complex128).astype(dtype).astype(np.complex128)
    x = np.asarray(x, np.float64)
    with np.errstate(all="ignore"):
        if dtype != "bfloat16":
            return x.astype(dtype).astype(np.float64)
        # To 8 bits directly: by way of float32 it would be rounded twice.
        fraction, exponent = np.frexp(x)
        digits = np.minimum(8, exponent + 133)
        rounded = np.ldexp(
            np.rint(np.ldexp(fraction, np.maximum(digits, 0))), exponent - np.maximum(digits, 0)
        )
        rounded = np.where(digits < 0, np.copysign(0.0, x), rounded)
        rounded = np.where(abs(rounded) > LARGEST["bfloat16"], np.copysign(np.inf, x), rounded)
        return np.where(np.isfinite(x) & (x != 0), np.copysign(rounded, x), x)


def compute_dtype(dtype):
    return "float32" if dtype in ("float16", "bfloat16") else dtype


def result_dtype(row, dtype):
    if row.result == "boolean":  # as PyTorch documents, any and all of uint8 are uint8
        return "uint8" if dtype == "uint8" and row.name in ("any", "all") else "bool"
    if row.result == "floating":
        return dtype if dtype in FLOATS + COMPLEX else "float32"
    if row.result == "sum":
        return dtype if dtype in FLOATS + COMPLEX else "int64"
    if row.result == "complex":
        return {"float32": "complex64", "float64": "complex128"}.get(dtype, dtype)
    if row.result == "real":
        floating = "float32" if row.outside == "floats" and dtype not in FLOATS else dtype
        return REAL_OF.get(dtype, floating)
    return dtype if row.result == "same" else row.result


# ---- data ----------------------------------------------------------------------------------------


def random_for(*key):
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def draw(random, shape, dtype, row, number, smooth=False):
    """An array of the values that the op is tried with, exact in the dtype: float64, int64, bool or complex128.

    smooth: all different and near a grid, another one for each input, so that no value is near a kink (whole and half
    numbers, equal elements or inputs, multiples)."""
    domain = row.domain[number] if isinstance(row.domain[0], tuple) else row.domain
    if dtype == "bool":
        return random.random(shape) < 0.5
    if dtype in INTEGERS:
        limits = np.iinfo(dtype)
        low, high = max(row.integers[0], limits.min), min(row.integers[1], limits.max)
        return random.integers(low, high + 1, shape)
    if dtype in COMPLEX:
        size = max(map(abs, domain))  # in every direction, also where real numbers are positive
        return round_to(
            random.uniform(-size, size, shape) + 1j * random.uniform(-size, size, shape), dtype
        )
    if smooth:
        low, high = math.ceil(domain[0] * 10), math.floor(domain[1] * 10)
        count = math.prod(shape)
        distinct = random.permutation(count).reshape(shape) * (0.008 / max(count, 1))
        return random.integers(low, high, shape) * 0.1 + 0.03 + 0.02 * number + distinct
    return round_to(random.uniform(*domain, shape), dtype)


def prepared(row, case, dtype, key, smooth=False):
    """The inputs of a case as arrays (and Python numbers)."""
    random = random_for(row.name, key, dtype)
    return [np.asarray(draw(random, spec, dtype, row, k, smooth)) if isinstance(spec, tuple) else spec
            for k, spec in enumerate(case.inputs)]  # fmt: skip


def repeated(array):
    """Constant along the first dimension, as an expanded tensor is."""
    return (
        np.ascontiguousarray(np.broadcast_to(array[:1], array.shape))
        if array.ndim and array.shape[0]
        else array
    )


# ---- the library under test ----------------------------------------------------------------------


class Library:
    """The module, the device, and what stands between the harness and an op: `wrap` is how faults are planted."""

    def __init__(self, module, device="cpu", wrap=None):
        self.module, self.device, self.wrap = module, device, wrap

    def __getattr__(self, name):
        module = self.__dict__["module"]
        return (
            getattr(module, name) if hasattr(module, name) else getattr(module.nn.functional, name)
        )

    def run(self, row, *inputs, **named):
        function = row.call or (
            lambda library, *args, **kw: getattr(library, row.name)(*args, **kw)
        )

        def call(*values, **keywords):
            return function(self, *values, **keywords)

        return (self.wrap(call, row) if self.wrap else call)(*inputs, **named)

    def dtype(self, name):
        return getattr(self.module, name)

    def from_array(self, array, dtype):
        """A contiguous tensor of the dtype."""
        kept = np.array(array, dtype=numpy_dtype(dtype), order="C", copy=True)
        return self.module.from_numpy(kept).to(self.device).to(self.dtype(dtype))

    def array_of(self, tensor):
        """The values: float64, int64, bool or complex128."""
        x = tensor.detach().cpu()
        name = str(x.dtype).split(".")[-1]
        if name in ("float16", "bfloat16"):
            x = x.to(self.module.float32)
        array = x.numpy()
        return array.astype(
            {"f": np.float64, "c": np.complex128, "b": bool}.get(array.dtype.kind, np.int64)
        )

    def tensor(self, array, dtype, layout="contiguous"):
        """A tensor of these values whose elements lie in memory as the layout says; between them lies what would show."""
        array = np.asarray(array)
        if layout == "transposed" and array.ndim >= 2:
            order = tuple(reversed(range(array.ndim)))
            return self.from_array(array.transpose(order), dtype).permute(*order)
        if layout == "sliced" and array.ndim >= 1:
            wide = np.repeat(array, 2, axis=-1)
            wide[..., 0::2] = other_than(array)
            return self.from_array(wide, dtype)[..., 1::2]
        if layout == "offset":
            filler = other_than(array.reshape(-1)[:1]) if array.size else array.reshape(-1)
            flat = self.from_array(np.concatenate([filler] * 3 + [array.reshape(-1)]), dtype)
            return flat[flat.numel() - array.size :].view(array.shape)
        if layout == "broadcast" and array.ndim >= 1 and array.shape[0] > 1:
            return self.from_array(array[:1], dtype).expand(*array.shape)
        return self.from_array(array, dtype)


def other_than(array):
    """Values that are not those of the array, in its kind."""
    return (
        ~array
        if array.dtype == bool
        else array + 1
        if array.dtype.kind in "iu"
        else np.full_like(array, 0.77)
    )


def name_of(tensor):
    return str(tensor.dtype).split(".")[-1]


def tensors_of(library, arrays, dtype, layout):
    """The arrays as tensors in a layout, and the arrays as they are then (a broadcast layout repeats values)."""
    values, tensors = [], []
    for number, x in enumerate(arrays):
        if not isinstance(x, np.ndarray):
            values.append(x), tensors.append(x)
            continue
        kept = x.dtype.name if isinstance(x, Fixed) else dtype
        how = LAYOUTS[(number + 1) % 4] if layout == "mixed" else layout
        if how == "broadcast":
            if isinstance(x, Fixed):
                how = "contiguous"
            else:
                x = repeated(x)
        values.append(np.asarray(x)), tensors.append(library.tensor(np.asarray(x), kept, how))
    return values, tensors


class Fixed(np.ndarray):
    """An array that keeps its dtype: indices, masks."""

    def __new__(cls, values, dtype=None):
        return np.array(values, dtype).view(cls)


# ---- comparing -----------------------------------------------------------------------------------


def as_tuple(x):
    return tuple(x) if isinstance(x, tuple | list) else (x,)


def tolerance_of(row, dtype, wanted, scale):
    own, rounding = EPSILON[compute_dtype(dtype)], 0.0
    with np.errstate(all="ignore"):
        size = abs(wanted)
        if dtype != compute_dtype(dtype):  # rounded once more, by half a place at most
            on_the_way = (row.half_roundings - 1) * np.maximum(size, scale)
            rounding = 0.502 * EPSILON[dtype] * (size + on_the_way)
        ulps = row.ulps + (row.complex_ulps if dtype in COMPLEX else 0)
        limit = (
            ulps * own * size
            + rounding
            + row.absolute * own * scale
            + SMALLEST[dtype] * (row.ulps > 0)
        )
    return np.nan_to_num(limit, nan=0.0, posinf=LARGEST[dtype])


def differing(row, dtype, got, wanted, scale, zero_sign):
    """Which elements are not what they should be."""
    with np.errstate(all="ignore"):
        if dtype in COMPLEX:  # by the distance in the plane
            same = (got == round_to(wanted, dtype)) | (np.isnan(got) & np.isnan(wanted))
            return ~(same | (abs(got - wanted) <= tolerance_of(row, dtype, wanted, scale)))
        if dtype not in FLOATS:
            if dtype in INTEGERS:
                wanted = np.asarray(wanted).astype(np.int64).astype(dtype).astype(np.int64)
            return ~(got == wanted)
        rounded = round_to(wanted, dtype)
        same = (got == rounded) | (np.isnan(got) & np.isnan(wanted))
        if zero_sign:
            same &= (np.signbit(got) == np.signbit(rounded)) | (got != 0) | (rounded != 0)
        close = abs(got - wanted) <= tolerance_of(row, dtype, wanted, scale)
        if zero_sign:
            close &= (got != 0) | (wanted != 0)
        # Where the exact value is so near the largest number that either side of it may come out.
        limit = LARGEST[dtype]
        edge = (abs(wanted) > limit * (1 - 4 * EPSILON[dtype])) & (
            abs(wanted) < limit * (1 + 4 * EPSILON[dtype])
        )
        return ~(same | close | (edge & (abs(got) >= limit * (1 - 8 * EPSILON[dtype]))))


def check_output(row, got, dtype, wanted, scale, where, library, zero_sign=False, skip=None):
    if not hasattr(got, "dtype"):
        if not np.array_equal(got, wanted):
            raise Mismatch(f"{where}: expected {wanted}, got {got}")
        return
    wanted = np.asarray(wanted)
    if name_of(got) != dtype:
        raise Mismatch(f"{where}: expected dtype {dtype}, got {name_of(got)}")
    if tuple(got.shape) != wanted.shape:
        raise Mismatch(f"{where}: expected shape {wanted.shape}, got {tuple(got.shape)}")
    if str(got.device).split(":")[0] != library.device:
        raise Mismatch(f"{where}: expected a result on {library.device}, got one on {got.device}")
    values = library.array_of(got)
    wrong = differing(row, dtype, values, wanted, scale, zero_sign)
    if skip is not None:
        wrong &= ~skip
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise Mismatch(
            f"{where}: expected {wanted[at]!r} at {at}, got {values[at]!r}; {int(wrong.sum())} of {wrong.size} differ"
        )


def oracle_inputs(values, dtype):
    """What the oracle computes with: float64 for what becomes floating, int64, bool."""
    return [np.asarray(v, np.float64 if isinstance(v, float) else None) if not isinstance(v, np.ndarray) else v
            for v in values]  # fmt: skip


def expected(row, case, values, dtype):
    values = oracle_inputs(values, dtype)
    if result_dtype(row, dtype) in FLOATS and row.result == "floating":
        values = [v.astype(np.float64) if v.dtype.kind in "ib" else v for v in values]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy says so where a mean is of nothing
        wanted = as_tuple(row.oracle(*values, *case.args, **case.named))
        scale = 1.0 if row.scale is None else row.scale(*values, *case.args, **case.named)
    return wanted, as_tuple(scale) * (len(wanted) if not isinstance(scale, tuple) else 1)


def check_result(row, case, got, values, dtype, where, library, **options):
    wanted, scales = expected(row, case, values, dtype)
    got = as_tuple(got)
    if len(got) != len(wanted):
        raise Mismatch(f"{where}: expected {len(wanted)} outputs, got {len(got)}")
    for number, (g, w, s) in enumerate(zip(got, wanted, scales, strict=True)):
        kind = result_dtype(row, dtype)
        if number == 1 and row.places:
            kind = "int64"
        check_output(row, g, kind, w, s, where, library, **options)


def layouts_of(row, case, dtype):
    arrays = [spec for spec in case.inputs if isinstance(spec, tuple | np.ndarray)]
    ranks = [len(spec) if isinstance(spec, tuple) else spec.ndim for spec in arrays]
    for layout in case.layouts:
        if layout in ("transposed", "mixed") and max(ranks, default=0) < 2:
            continue
        if layout in ("sliced", "broadcast") and max(ranks, default=0) < 1:
            continue
        if layout == "mixed" and len(arrays) < 2:
            continue
        yield layout


def shapes_text(case):
    return str(
        [spec if isinstance(spec, tuple) else np.shape(spec) or spec for spec in case.inputs]
    )
