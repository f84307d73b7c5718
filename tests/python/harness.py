"""The op harness: runs a row of op_rows.py over dtypes and layouts, and compares with its oracle.

Values, dtypes and shapes are compared with NumPy; first and second derivatives with finite differences in float64, by
random projection: one number stands for a whole Jacobian, and a wrong entry shows in it. Whatever differs raises
Mismatch, which says where. `Counts` counts the combinations. What the harness notices is itself tested with planted
faults (faults.py).

A comparison is `not (difference <= tolerance)`, so that NaN never passes.
"""

import math
import os
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


# ---- the checks of a row -------------------------------------------------------------------------


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


def shapes_text(case):
    return str(
        [spec if isinstance(spec, tuple) else np.shape(spec) or spec for spec in case.inputs]
    )


# ---- derivatives ---------------------------------------------------------------------------------


def gradient_places(row, case):
    given = zip(case.inputs, row.gradient, strict=False)
    return [k for k, (spec, wanted) in enumerate(given) if wanted and isinstance(spec, tuple)]


def floating_outputs(outputs):
    return [y for y in as_tuple(outputs) if hasattr(y, "dtype") and name_of(y) in FLOATS + COMPLEX]


def real_sum(products):
    """The sum of the real parts: a real number of complex ones."""
    return (products.real if name_of(products) in COMPLEX else products).sum()


def along(slope, direction):
    """How fast a real number grows in a direction, by its gradient; and the sum of the sizes."""
    products = np.conj(slope) * direction
    return float(np.sum(products.real)), float(np.sum(abs(products)))


class Projection:
    """L = sum of w * f(x): the number whose slopes along random directions are compared."""

    def __init__(self, row, case, library, dtype, layout, key):
        self.row, self.case, self.library, self.dtype, self.layout = (
            row,
            case,
            library,
            dtype,
            layout,
        )
        self.arrays = prepared(row, case, dtype, key, smooth=True)
        if dtype not in WIDE:
            self.arrays = [round_to(a, dtype) if self.is_drawn(a) else a for a in self.arrays]
        self.places = gradient_places(row, case)
        self.random = random_for(row.name, key, "directions")
        self.weights = None

    @staticmethod
    def is_drawn(a):
        return isinstance(a, np.ndarray) and not isinstance(a, Fixed) and a.dtype.kind in "fc"

    def leaves(self, arrays):
        _, tensors = tensors_of(self.library, arrays, self.dtype, self.layout)
        for k in self.places:
            tensors[k] = tensors[k].detach().requires_grad_()
        return tensors

    def outputs(self, tensors):
        return floating_outputs(
            self.library.run(self.row, *tensors, *self.case.args, **self.case.named)
        )

    def weights_for(self, outputs):
        if self.weights is None:
            self.weights = [round_to(self.weight(tuple(y.shape)) if name_of(y) not in COMPLEX else
                                     self.weight(tuple(y.shape)) + 1j * self.weight(tuple(y.shape)), name_of(y))
                            for y in outputs]  # fmt: skip
        return self.weights

    def weight(self, shape):
        return self.random.uniform(0.5, 1.5, shape) * self.random.choice([-1, 1], shape)

    def loss(self, outputs, weights):
        terms = [real_sum(y * w) for y, w in zip(outputs, weights, strict=True)]
        return sum(terms[1:], terms[0])

    def weight_tensors(self, outputs, requires_grad=False):
        made = [
            self.library.from_array(w, name_of(y))
            for w, y in zip(self.weights_for(outputs), outputs, strict=True)
        ]
        return [w.requires_grad_() for w in made] if requires_grad else made

    def gradients(self):
        """Of the loss, as arrays: one per differentiated input."""
        tensors = self.leaves(self.arrays)
        outputs = self.outputs(tensors)
        loss = self.loss(outputs, self.weight_tensors(outputs))
        inputs = [tensors[k] for k in self.places]
        found = self.library.module.autograd.grad(loss, inputs, allow_unused=True)
        for x, g in zip(inputs, found, strict=True):
            if g is None:
                raise Mismatch(f"{self.text()}: there is no gradient")
            if tuple(g.shape) != tuple(x.shape) or g.dtype != x.dtype:
                raise Mismatch(f"{self.text()}: expected a gradient of {tuple(x.shape)} {x.dtype}, "
                               f"got {tuple(g.shape)} {g.dtype}")  # fmt: skip
        return [self.library.array_of(g) for g in found]

    def text(self):
        return f"{self.row.name} {shapes_text(self.case)} {self.dtype} {self.layout}"

    def moved(self, directions, step):
        arrays = list(self.arrays)
        for k, v in zip(self.places, directions, strict=True):
            arrays[k] = np.asarray(arrays[k] + step * v)
        return arrays

    def directions(self):
        return [self.direction_like(self.arrays[k]) for k in self.places]

    def direction_like(self, array):
        step = self.random.uniform(-1, 1, array.shape)
        return (
            step + 1j * self.random.uniform(-1, 1, array.shape) if array.dtype.kind == "c" else step
        )

    def value(self, arrays):
        outputs = self.outputs(self.leaves(arrays))
        return float(
            self.library.array_of(self.loss(outputs, self.weight_tensors(outputs)).detach())
        )

    def check_slope(self):
        """The gradients agree with finite differences."""
        analytic = self.gradients()
        directions = self.directions()
        h = 1e-5
        numeric = (
            self.value(self.moved(directions, h)) - self.value(self.moved(directions, -h))
        ) / (2 * h)
        found = [along(g, v) for g, v in zip(analytic, directions, strict=True)]
        got, size = sum(f[0] for f in found), sum(f[1] for f in found)
        compare_slopes(f"{self.text()} gradient", got, numeric, size)
        return analytic

    def inner(self, arrays, weights, projections, differentiate):
        """G = <gradient of L by x, u>, and if wanted G's own gradients by x and by w."""
        tensors = self.leaves(arrays)
        outputs = self.outputs(tensors)
        ws = [
            self.library.from_array(w, name_of(y)).requires_grad_()
            for w, y in zip(weights, outputs, strict=True)
        ]
        inputs = [tensors[k] for k in self.places]
        grad = self.library.module.autograd.grad
        first = grad(self.loss(outputs, ws), inputs, create_graph=True, allow_unused=True)
        terms = [real_sum(g * self.library.from_array(u, self.dtype))
                 for g, u in zip(first, projections, strict=True) if g is not None]  # fmt: skip
        total = sum(terms[1:], terms[0])
        if not differentiate:
            return float(self.library.array_of(total.detach())), None
        # Without a history of its own it says that everything is zero, which the differences may deny.
        second = (
            grad(total, inputs + ws, allow_unused=True)
            if total.requires_grad
            else [None] * (len(inputs) + len(ws))
        )
        return total, [0.0 if g is None else self.library.array_of(g) for g in second]

    def check_second(self):
        """The gradients of the gradients agree with finite differences, by the inputs and by the incoming gradient."""
        self.gradients()
        projections, directions = self.directions(), self.directions()
        turns = [self.direction_like(w) for w in self.weights]
        _, second = self.inner(self.arrays, self.weights, projections, True)
        h = 1e-5
        values = [self.inner(self.moved(directions, s * h), [w + s * h * v for w, v in zip(self.weights, turns, strict=True)],
                             projections, False)[0] for s in (1, -1)]  # fmt: skip
        numeric = (values[0] - values[1]) / (2 * h)
        found = [along(g, v) for g, v in zip(second, directions + turns, strict=True)]
        compare_slopes(
            f"{self.text()} second derivative",
            sum(f[0] for f in found),
            numeric,
            sum(f[1] for f in found),
        )


def compare_slopes(where, got, numeric, size):
    # Differences in float64 with a step of 1e-5 hold about ten digits; 1e-6 leaves room for curvature.
    if not abs(got - numeric) <= 1e-6 * (1 + size + abs(numeric)):
        raise Mismatch(
            f"{where}: expected {numeric} along a random direction, as differences say, got {got}"
        )


# The types whose slopes are compared with finite differences; the others are compared with these.
WIDE = ("float64", "complex128")


def wide_dtypes(row, case):
    return [d for d in WIDE if d in SETS[row.dtypes] and d in case.dtypes]


def gradient_cases(row):
    return [(at, case) for at, case in enumerate(row.cases)
            if case.smooth and gradient_places(row, case) and "float64" in case.dtypes]  # fmt: skip


def check_gradients(row, library, counts=COUNTS):
    """float64 against finite differences in every layout; the other floats against float64."""
    for at, case in gradient_cases(row):
        for dtype in wide_dtypes(row, case):
            for layout in layouts_of(row, case, dtype):
                # Broadcast makes elements equal, where the largest one has no derivative.
                if layout != "broadcast":
                    Projection(row, case, library, dtype, layout, at).check_slope()
                    counts.add("gradients")
        for dtype in SETS[row.dtypes]:
            if dtype in FLOATS + COMPLEX and dtype in case.dtypes and dtype not in WIDE:
                compare_narrow(row, case, library, dtype, at)
                counts.add("gradients")


def compare_narrow(row, case, library, dtype, key):
    """The gradients of a narrower type are those of float64 at the same inputs, but for rounding."""
    narrow = Projection(
        row,
        case,
        library,
        dtype,
        "sliced" if key % 2 and "sliced" in case.layouts else "contiguous",
        key,
    )
    got = narrow.gradients()
    wide = Projection(
        row, case, library, "complex128" if dtype in COMPLEX else "float64", "contiguous", key
    )
    wide.arrays, wide.weights = narrow.arrays, narrow.weights
    for g, wanted in zip(got, wide.gradients(), strict=True):
        size = float(abs(wanted).max(initial=0.0))
        limit = row.gradient_ulps * EPSILON[dtype] * (abs(wanted) + size + 1)
        wrong = ~(abs(g - wanted) <= limit)
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise Mismatch(
                f"{narrow.text()}: expected the gradient {wanted[at]} at {at}, got {g[at]}"
            )


def check_second_order(row, library, counts=COUNTS):
    if not row.second:
        return
    for at, case in gradient_cases(row):
        for dtype in wide_dtypes(row, case):
            for layout in ("contiguous", "transposed"):
                if layout in layouts_of(row, case, dtype):
                    Projection(row, case, library, dtype, layout, at).check_second()
                    counts.add("second derivatives")


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
