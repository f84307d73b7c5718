"""bolide.array_api beside NumPy, whose namespace follows the same standard, and array-api-strict where it is installed.

CASES are calls that a library answers with an array or a tuple of arrays: values, dtypes and shapes have to agree.
What NumPy does otherwise than the standard says has a test of its own. docs/array_api.md has what the standard's own
test suite says, which is not part of this repository.
"""

import subprocess
import sys
from operator import attrgetter

import bolide
import bolide.array_api as xp
import numpy as np
import pytest
from conftest import DEVICE

try:
    import array_api_strict
except ImportError:
    array_api_strict = None
OTHERS = [np] + ([array_api_strict] if array_api_strict else [])
NOT_IN_STRICT = ("isin", "fft.fft", "fft.fftn")  # it forgets invert; no real numbers

RANDOM = np.random.default_rng(7)
F64 = RANDOM.normal(size=(2, 3, 4))
F32 = RANDOM.normal(size=(3, 4)).astype("float32")
C64 = (RANDOM.normal(size=(2, 3)) + 1j * RANDOM.normal(size=(2, 3))).astype("complex64")
INTS = np.array([[3, -1, 3, 0], [2, -7, 2, 2]], "int64")
BYTES = np.array([200, 3, 255], "uint8")
BOOLS = np.array([[True, False, True], [False, False, True]])
SORTED = np.array([0.0, 1.0, 1.0, 2.5])
SQUARE = F64 @ F64.swapaxes(1, 2) + np.eye(3)
ANGLES = np.linspace(-0.9, 0.9, 7)


def case(name, *args, **named):
    """The call of a function of the namespace; NumPy arrays among the arguments become the library's."""
    return pytest.param(name, args, named, id=f"{name}-{len(CASES)}")


CASES = []
for _name in "abs acos asin asinh atan atanh ceil cos cosh exp expm1 floor isfinite isinf isnan log1p negative".split():
    CASES.append(case(_name, ANGLES))
for _name in "positive reciprocal round sign signbit sin sinh square tan tanh trunc".split():
    CASES.append(case(_name, ANGLES))
for _name in "acosh log log2 log10 sqrt".split():
    CASES.append(case(_name, ANGLES + 2))
for _name in "conj imag real sign exp sqrt round".split():
    CASES.append(case(_name, C64 * 3))
for _name in (
    "add subtract multiply divide floor_divide remainder pow atan2 copysign hypot logaddexp".split()
):
    CASES.append(case(_name, abs(F64) + 0.5, F64[:, :1] ** 2 + 1))
for (
    _name
) in "maximum minimum nextafter equal not_equal less less_equal greater greater_equal".split():
    CASES.append(case(_name, F32, F32[::-1].copy()))
for _name in "add subtract multiply floor_divide remainder maximum equal bitwise_and bitwise_or bitwise_xor".split():
    CASES.append(case(_name, INTS, np.array(3, "int8")))
for _name in "bitwise_left_shift bitwise_right_shift".split():
    CASES.append(case(_name, abs(INTS), np.array([1, 2, 0, 3])))
for _name in "logical_and logical_or logical_xor bitwise_and".split():
    CASES.append(case(_name, BOOLS, BOOLS[::-1].copy()))
for _name in "logical_not bitwise_invert".split():
    CASES.append(case(_name, BOOLS))
for _name in "sum prod max min mean std var".split():
    CASES += [
        case(_name, F64),
        case(_name, F64, axis=1),
        case(_name, F64, axis=(0, -1), keepdims=True),
    ]
    CASES.append(case(_name, F64, axis=(0, 1, 2)))
CASES += [
    case("sum", INTS.astype("int32")),
    case("sum", F64, axis=()),
    case("max", F64, axis=()),
    case("prod", INTS, axis=1, dtype="float64"),
    case("std", F64, axis=0, correction=1),
    case("all", BOOLS, axis=1),
    case("any", BOOLS, axis=(0, 1), keepdims=True),
    case("any", INTS),
    case("argmax", INTS, axis=1, keepdims=True),
    case("argmin", INTS),
    case("count_nonzero", INTS, axis=0, keepdims=True),
    case("cumulative_sum", INTS, axis=1, include_initial=True),
    case("cumulative_sum", ANGLES),
    case("cumulative_prod", F64, axis=0, include_initial=True),
    case("diff", F64, axis=1, n=2),
    case("diff", SORTED, prepend=np.array([-1.0]), append=np.array([9.0, 9.5])),
    case("sort", F64, axis=1),
    case("sort", INTS),
    case("argsort", F64, axis=0),
    case("searchsorted", SORTED, np.array([[1.0, -1.0], [3.0, 2.5]]), side="right"),
    case("searchsorted", SORTED[::-1].copy(), np.array([1.0]), sorter=np.array([3, 2, 1, 0])),
    case("unique_all", INTS),
    case("unique_counts", INTS),
    case("unique_inverse", INTS),
    case("isin", INTS, np.array([3, 2]), invert=True),
    case("where", BOOLS, C64, np.array(1.5, "float64")),
    case("clip", F64, -0.5, 0.5),
    case("clip", INTS, np.array([0, 0, 1, 1]), None),
    case("nonzero", INTS),
    case("take", F64, np.array([2, -1, 0]), axis=1),
    case("take_along_axis", F64, np.array([[[0, -1]]]), axis=2),
    case("broadcast_arrays", F32, F64),
    case("broadcast_to", F32, (2, 3, 4)),
    case("concat", [F64, F64[:1]], axis=0),
    case("concat", [INTS, BYTES], axis=None),
    case("stack", [F32, F32], axis=-1),
    case("unstack", F64, axis=1),
    case("expand_dims", F64, axis=-2),
    case("squeeze", F64[:1], axis=0),
    case("flip", F64),
    case("flip", F64, axis=(0, 2)),
    case("moveaxis", F64, (0, 1), (-1, 0)),
    case("permute_dims", F64, (2, 0, 1)),
    case("repeat", INTS, np.array([0, 2], "int64"), axis=0),
    case("repeat", INTS, 2),
    case("reshape", F64, (4, -1)),
    case("roll", F64, 2),
    case("roll", F64, (1, -2), axis=(0, 2)),
    case("tile", F32, (2, 1, 2)),
    case("tril", F64, k=-1),
    case("triu", F64, k=1),
    case("matmul", F64, F32.T.astype("float64")),
    case("matrix_transpose", F64),
    case("tensordot", F64, F64, axes=((0, 1), (0, 1))),
    case("vecdot", C64, C64[:1]),
    case("vecdot", F64, F64[:, :1], axis=-1),
    case("linalg.cholesky", SQUARE, upper=True),
    case("linalg.cross", F64[:, :, :1], np.ones((3, 1)), axis=-2),
    case("linalg.det", SQUARE),
    case("linalg.diagonal", F64, offset=1),
    case("linalg.eigvalsh", SQUARE),
    case("linalg.inv", SQUARE),
    case("linalg.matmul", SQUARE, SQUARE),
    case("linalg.matrix_norm", F64, keepdims=True),
    case("linalg.matrix_power", SQUARE, -2),
    case("linalg.matrix_rank", F64),
    case("linalg.outer", ANGLES, SORTED),
    case("linalg.pinv", F64),
    case("linalg.slogdet", SQUARE),
    case("linalg.solve", SQUARE, F64[0, :, :2]),
    case("linalg.solve", SQUARE, np.array([1.0, 2.0, 3.0])),
    case("linalg.svdvals", F64),
    case("linalg.trace", F64, offset=1),
    case("linalg.trace", INTS.astype("int32")),
    case("linalg.vector_norm", F64, axis=(0, 2), ord=1),
    case("linalg.vector_norm", C64),
    case("linalg.vector_norm", F64, axis=()),
    case("fft.fft", F64, n=6, axis=1),
    case("fft.ifft", C64, norm="ortho"),
    case("fft.rfft", F64),
    case("fft.irfft", C64, n=5),
    case("fft.hfft", C64),
    case("fft.ihfft", F64, norm="forward"),
    case("fft.fftn", F64, axes=(0, 2)),
    case("fft.ifftn", C64),
    case("fft.rfftn", F64, s=(2, 5), axes=(1, 2)),
    case("fft.irfftn", C64),
    case("meshgrid", ANGLES, SORTED),
    case("meshgrid", ANGLES, SORTED, indexing="ij"),
    case("astype", F64, "int32"),
    case("empty_like", F64[:0]),
    case("full_like", F64, 3),
    case("zeros_like", INTS),
    case("ones_like", C64),
    case("zeros", (2, 0)),
    case("ones", 3, dtype="int8"),
    case("full", (2,), 7),
    case("full", (), 1.5, dtype="float64"),
    case("eye", 3, 4, k=-1, dtype="float64"),
    case("eye", 2, 5, k=7, dtype="float64"),
    case("arange", 2, 11, 3),
    case("arange", 5, 2),
    case("arange", 5.0, dtype="float32"),
    case("linspace", 0.0, 1.0, 5, dtype="float64", endpoint=False),
]


# What CUDA may have no kernel for yet, beside fft and linalg.
WITHOUT_KERNEL = (
    "sort argsort searchsorted isin unique_all unique_counts unique_inverse unique_values".split()
)


def call(library, name, args, named):
    def convert(value):
        if isinstance(value, np.ndarray):
            return (
                library.asarray(value, device=DEVICE) if library is xp else library.asarray(value)
            )
        if isinstance(value, str) and value.startswith(("float", "int")):
            return getattr(library, value)
        return [convert(one) for one in value] if isinstance(value, list) else value

    result = attrgetter(name)(library)(
        *map(convert, args), **{key: convert(value) for key, value in named.items()}
    )
    return tuple(result) if isinstance(result, tuple | list) else (result,)


def numbers(array):
    if isinstance(array, bolide.Tensor):
        return array.cpu().numpy()
    return np.asarray(
        array if isinstance(array, np.generic | np.ndarray) else np.from_dlpack(array)
    )


@pytest.mark.parametrize(("name", "args", "named"), CASES)
def test_a_call_gives_what_other_libraries_give(name, args, named):
    try:
        got = [numbers(one) for one in call(xp, name, args, named)]
    except NotImplementedError:
        assert DEVICE != "cpu" and (name in WITHOUT_KERNEL or name.startswith(("fft", "linalg")))
        return
    for library in OTHERS:
        if library is array_api_strict and name in NOT_IN_STRICT:
            continue
        wanted = [numbers(one) for one in call(library, name, args, named)]
        assert len(got) == len(wanted)
        for mine, theirs in zip(got, wanted, strict=True):
            assert mine.shape == theirs.shape
            default = "dtype" not in named and name in (
                "zeros",
                "full",
            )  # NumPy's default is float64
            assert mine.dtype == theirs.dtype or (default and mine.dtype == "float32")
            if name != "empty_like":
                tolerance = 1e-5 if mine.dtype in ("float32", "complex64") else 1e-12
                np.testing.assert_allclose(mine, theirs, tolerance, tolerance)


def test_the_namespace_is_that_of_the_standard():
    missing = [name for name in {c.values[0] for c in CASES} if not hasattr(xp, name.split(".")[0])]
    assert not missing
    for name in "asarray from_dlpack can_cast finfo iinfo isdtype result_type broadcast_shapes empty e pi inf nan newaxis".split():
        assert hasattr(xp, name), name
    x = xp.ones((2, 2))
    assert x.__array_namespace__() is xp is x.__array_namespace__(api_version="2023.12")
    with pytest.raises(
        ValueError, match=r"\[__array_namespace__\] expected an api_version of .*, got 2099.01"
    ):
        x.__array_namespace__(api_version="2099.01")
    assert xp.__array_api_version__ == "2025.12"
    assert x.to_device("cpu") is x and x.to_device(x.device, stream=None).mT.shape == (2, 2)


def test_importing_bolide_does_not_import_it():
    code = "import bolide, sys; print('bolide.array_api' in sys.modules, bolide.array_api.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "bolide.array_api"]


def test_a_0_d_array_is_promoted_as_any_other():
    x, scalar = xp.ones((2,), dtype=xp.float32), xp.asarray(1.0, dtype=xp.float64)
    assert (x + scalar).dtype == xp.float32  # PyTorch's
    assert xp.add(x, scalar).dtype == xp.result_type(x, scalar) == xp.float64
    assert xp.where(x > 0, scalar, x).dtype == xp.float64
    assert xp.add(x, 1).dtype == xp.add(2.5, x).dtype == xp.float32
    assert xp.multiply(x, 2j).dtype == xp.complex64
    assert xp.result_type(xp.int8, 1.5) == xp.float32 and xp.result_type(xp.bool, True) == xp.bool
    assert xp.result_type(xp.bool, 1) == xp.int64 and xp.result_type(xp.int8, 1) == xp.int8
    with pytest.raises(ValueError, match=r"\[result_type\] expected an array or a dtype"):
        xp.result_type(1, 2.0)


def test_dtypes():
    assert xp.isdtype(xp.int8, "integral") and xp.isdtype(xp.uint8, ("bool", "unsigned integer"))
    assert xp.isdtype(xp.float32, xp.float32) and not xp.isdtype(xp.complex64, "real floating")
    with pytest.raises(ValueError, match=r"\[isdtype\] expected a kind of bool, .*, got 'number'"):
        xp.isdtype(xp.int8, "number")
    assert xp.can_cast(xp.int8, xp.int32) and not xp.can_cast(xp.int32, xp.int8)
    assert xp.can_cast(xp.ones((1,), dtype=xp.float32), xp.complex128)
    assert xp.finfo(xp.complex128).bits == 64 and xp.finfo(xp.ones((1,))).dtype == xp.float32
    assert (xp.iinfo(xp.int8).min, xp.iinfo(xp.ones((1,), dtype=xp.uint8)).max) == (-128, 255)
    with pytest.raises(
        TypeError,
        match=r"\[astype\] expected a complex dtype for bolide.complex64, got bolide.float32",
    ):
        xp.astype(xp.ones((1,), dtype=xp.complex64), xp.float32)
    x = xp.ones((1,))
    assert xp.astype(x, xp.float32, copy=False) is x and xp.astype(x, xp.float32) is not x


def test_what_the_namespace_says_of_itself():
    info = xp.__array_namespace_info__()
    assert info.capabilities()["max dimensions"] == 64
    assert xp.zeros((1,) * 64).ndim == 64
    with pytest.raises(bolide.ShapeError):
        xp.zeros((1,) * 65)
    assert info.default_device() == xp.ones((1,)).device in info.devices()
    assert info.default_dtypes()["real floating"] == xp.ones((1,)).dtype
    assert info.default_dtypes()["complex floating"] == xp.asarray([1j]).dtype
    assert info.dtypes(kind="complex floating") == {
        "complex64": xp.complex64,
        "complex128": xp.complex128,
    }
    assert "bool" in info.dtypes() and "bool" not in info.dtypes(kind=("integral", "real floating"))


def test_where_numpy_s_answer_is_another_one():
    inf, nan = xp.inf, xp.nan
    quotient = xp.floor_divide(
        xp.asarray([inf, -inf, 1.0, -1.0]), xp.asarray([2.0, 2.0, -inf, inf])
    )
    assert quotient.tolist() == [inf, -inf, 0, 0] and quotient.signbit().tolist() == [
        False,
        True,
        True,
        True,
    ]
    assert xp.unique_values(xp.asarray([nan, 1.0, nan])).shape == (3,)
    assert xp.unique_values(xp.asarray(INTS)).tolist() == [-7, -1, 0, 2, 3]
    assert xp.linspace(0, 1j, 3).tolist() == [0, 0.5j, 1j]
    assert xp.expand_dims(xp.ones((2,)), (0, -1)).shape == (1, 2, 1)
    x = xp.clip(xp.asarray([1, 5]), 0, 3.0)
    assert x.dtype == xp.int64 and x.tolist() == [1, 3]
    assert xp.sort(xp.asarray([1, 3, 2]), descending=True).tolist() == [3, 2, 1]
    assert xp.argsort(xp.asarray([1, 3, 1]), descending=True, stable=True).tolist() == [1, 0, 2]
    assert xp.broadcast_shapes((2, 1), (3,), ()) == (2, 3) and xp.broadcast_shapes() == ()
    assert (
        xp.isin(2, xp.asarray([1, 2])).item() and xp.searchsorted(xp.asarray([1, 2]), 2).item() == 1
    )


@pytest.mark.parametrize(
    ("name", "args", "named", "error", "text"),
    [
        ("nonzero", (3.0,), {}, ValueError, "at least one dimension, got 0"),
        ("squeeze", ([[1, 2]],), {"axis": 1}, ValueError, "size 1 at axis 1, got 2"),
        ("expand_dims", ([1],), {"axis": 4}, IndexError, r"an axis in \[-2, 1\], got 4"),
        ("expand_dims", ([1],), {"axis": (0, -3)}, ValueError, "different axes"),
        ("take", ([[1]], [0]), {}, ValueError, "an axis for 2 dimensions, got None"),
        ("cumulative_sum", ([[1]],), {}, ValueError, "an axis for 2 dimensions, got None"),
        ("searchsorted", ([[1]], [1]), {}, ValueError, "x1 of one dimension, got 2"),
        ("vecdot", ([1, 2], [1, 2, 3]), {}, ValueError, "one size along axis -1, got 2, 3"),
        ("vecdot", ([1], [1]), {"axis": 0}, IndexError, "an axis in .-1, -1., got 0"),
    ],
)
def test_errors(name, args, named, error, text):
    with pytest.raises(error, match=rf"\[{name}\] expected {text}"):
        getattr(xp, name)(*map(xp.asarray, args), **named)


@pytest.mark.skipif(DEVICE != "cpu", reason="LAPACK has no CUDA kernel yet")
def test_factors_give_the_matrix_back():
    x = xp.asarray(F64)
    q, r = xp.linalg.qr(x)
    assert xp.linalg.qr(x, mode="complete").Q.shape == (2, 3, 3) and bolide.allclose(q @ r, x)
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    assert xp.linalg.svd(x).Vh.shape == (2, 4, 4) and bolide.allclose(u * s[:, None] @ vh, x)
    square = xp.asarray(SQUARE)
    found = xp.linalg.eig(square)
    assert bolide.allclose(
        square.to(xp.complex128) @ found.eigenvectors,
        found.eigenvectors * found.eigenvalues[:, None],
    )
    assert found.eigenvalues.shape == xp.linalg.eigvals(square).shape


def test_frequencies_and_shifts():
    assert (
        xp.fft.fftfreq(4, d=0.5).tolist() == [0, 0.5, -1, -0.5]
        and xp.fft.fftfreq(4).dtype == xp.float32
    )
    assert xp.fft.rfftfreq(4, dtype=xp.float64).tolist() == [0, 0.25, 0.5]
    assert xp.fft.fftshift(xp.arange(5)).tolist() == [3, 4, 0, 1, 2]
    assert xp.fft.ifftshift(xp.reshape(xp.arange(4), (2, 2)), axes=1).tolist() == [[1, 0], [3, 2]]


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"\[broadcast_shapes\] expected shapes that broadcast"):
        xp.broadcast_shapes((2,), (3,))
    x = xp.reshape(xp.arange(6), (2, 3))
    assert (
        xp.reshape(x, (6,), copy=False).data_ptr()
        == x.data_ptr()
        != xp.reshape(x, (6,), copy=True).data_ptr()
    )
    with pytest.raises(
        ValueError, match=r"\[reshape\] expected a shape that needs no copy, got \(6,\)"
    ):
        xp.reshape(x.mT, (6,), copy=False)
    with pytest.raises(ValueError, match="copy=False"):
        xp.asarray([1], copy=False)


def test_gradients_pass_through():
    x = xp.asarray([1.0, 2.0, 4.0]).requires_grad_()
    xp.sum(xp.divide(xp.cumulative_sum(x), 2)).backward()
    assert x.grad.tolist() == [1.5, 1.0, 0.5]


def test_complex_corners_where_pytorch_s_answer_is_another_one():
    x = xp.tanh(
        xp.asarray([complex(xp.inf, 1), complex(xp.inf, -1), complex(-xp.inf, 2), 0.5 + 1j])
    )
    assert xp.real(x)[:3].tolist() == [1, 1, -1]
    assert xp.imag(x)[:3].tolist() == [0, 0, 0]
    assert xp.signbit(xp.imag(x))[:3].tolist() == [False, True, False]
    assert complex(x[3]) == pytest.approx(np.tanh(0.5 + 1j), rel=1e-6)
    y = xp.expm1(xp.asarray([complex(-0.0, 0.0), 1 + 1j]))
    assert xp.signbit(xp.real(y)).tolist() == [False, False]
    assert complex(y[1]) == pytest.approx(np.expm1(1 + 1j), rel=1e-6)
    assert xp.signbit(xp.expm1(xp.asarray(-0.0))) and xp.tanh(xp.asarray(1.0)).dtype == xp.float32


def test_a_complex_number_leaves_a_complex_dtype():
    for dtype in (bolide.complex64, bolide.complex128):
        assert bolide.array_api.result_type(dtype, dtype, 1j) == dtype
    assert bolide.array_api.result_type(bolide.float64, 1j) == bolide.complex128
