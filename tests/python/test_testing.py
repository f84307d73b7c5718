"""bolide.testing: what is close, what the error says, and tensors to test with."""

import math

import bolide
import numpy as np
import pytest
from bolide.testing import assert_close, make_tensor

NAN, INF = math.nan, math.inf
FLOATS = [bolide.float16, bolide.bfloat16, bolide.float32, bolide.float64]
DTYPES = [*FLOATS, bolide.complex64, bolide.complex128, bolide.bool, bolide.uint8, bolide.int8, bolide.int64]  # fmt: skip


def t(values, dtype=None):
    return bolide.tensor(values, dtype=dtype)


CLOSE = [
    (t([1.0, 2.0]), t([1.0, 2.0 + 1e-7])),
    (t([1.0, INF, -INF]), t([1.0, INF, -INF])),
    (t([]), t([])),
    (t([1 + 1j]), t([1 + 1j])),
    (t([True, False]), t([True, False])),
    (1.0, 1.0 + 1e-9),
    (INF, INF),
    ((1, [t([2.0])]), [1, (t([2.0]),)]),
    ({"a": t([1.0]), "b": None}, {"b": None, "a": t([1.0])}),
    (np.ones(2), np.ones(2)),
]


@pytest.mark.parametrize(("actual", "expected"), CLOSE, ids=str)
def test_what_is_close(actual, expected):
    assert_close(actual, expected)


DIFFERENT = [
    (t([1.0, 2.0]), t([1.0, 2.5]),
     "Tensor-likes are not close!\n\nMismatched elements: 1 / 2 (50.0%)\nGreatest absolute difference: 0.5 at index (1,) "
     "(up to 1e-05 allowed)\nGreatest relative difference: 0.2 at index (1,) (up to 1.3e-06 allowed)"),
    (t([[1, 2], [3, 4]]), t([[1, 2], [8, 4]]),
     "Tensor-likes are not equal!\n\nMismatched elements: 1 / 4 (25.0%)\nGreatest absolute difference: 5 at index (1, 0)\n"
     "Greatest relative difference: 0.625 at index (1, 0)"),
    (t([NAN, 1.0]), t([NAN, 1.0]), "difference: nan at index (0,)"),
    (t([1.0]), t([INF]), "difference: inf at index (0,)"),
    (t(1.0), t(1.5), "Scalars are not close!\n\nExpected 1.5 but got 1.0.\nAbsolute difference: 0.5 (up to 1e-05 allowed)"),
    (2, 3, "Scalars are not equal!\n\nExpected 3 but got 2.\nAbsolute difference: 1\n"),
    (1.0, NAN, "Expected nan but got 1.0."),
    (True, 1, "Booleans mismatch"),
    (t([1.0]), t([[1.0]]), "'shape' do not match: bolide.Size([1]) != bolide.Size([1, 1])"),
    (t([1.0]), t([1.0], bolide.float64), "'dtype' do not match: bolide.float32 != bolide.float64"),
    ([1], [1, 2], "The length of the sequences mismatch: 1 != 2"),
    ({"a": 1}, {"b": 1}, "Missing keys in the actual mapping: ['b']\nAdditional keys in the actual mapping: ['a']"),
    ({"a": [1, t([2.0])]}, {"a": [1, t([3.0])]}, "The failure occurred for item ['a'][1]"),
]  # fmt: skip


@pytest.mark.parametrize(("actual", "expected", "text"), DIFFERENT, ids=str)
def test_what_the_error_says(actual, expected, text):
    with pytest.raises(AssertionError) as error:
        assert_close(actual, expected)
    assert text in str(error.value)


@pytest.mark.parametrize("dtype", FLOATS)
def test_tolerances_of_a_dtype(dtype):
    rtol, atol = {
        bolide.float16: (1e-3, 1e-5),
        bolide.bfloat16: (1.6e-2, 1e-5),
        bolide.float32: (1.3e-6, 1e-5),
        bolide.float64: (1e-7, 1e-7),
    }[dtype]
    for size in (0.0, 100.0):
        limit = atol + rtol * size
        expected = t([size], dtype)
        step = bolide.finfo(dtype).eps * size + bolide.finfo(dtype).smallest_normal
        assert_close(t([size + 0.8 * limit], dtype), expected)
        with pytest.raises(AssertionError):
            assert_close(t([size + 1.2 * limit + step], dtype), expected)


def test_options():
    one, other = t([1.0]), t([1.1])
    assert_close(one, other, rtol=0, atol=0.2)
    assert_close(t([NAN]), t([NAN]), equal_nan=True)
    assert_close(NAN, NAN, equal_nan=True)
    assert_close(one, one.double(), check_dtype=False)
    assert_close(bolide.ones(2, 3).T, bolide.ones(3, 2))
    with pytest.raises(AssertionError, match=r"stride"):
        assert_close(bolide.ones(2, 3).T, bolide.ones(3, 2), check_stride=True)
    with pytest.raises(AssertionError, match=r"^mine$"):
        assert_close(one, other, msg="mine")
    with pytest.raises(AssertionError, match=r"^mine: Tensor-likes"):
        assert_close(one, other, msg=lambda text: f"mine: {text}")
    with pytest.raises(ValueError, match="both rtol and atol"):
        assert_close(one, other, rtol=1.0)
    with pytest.raises(TypeError, match="one type"):
        assert_close(bolide.nn.Parameter(one), one, allow_subclasses=False)
    for wrong in (("a", "a"), (object(), 1), (one, 1.0), (None, 1)):
        with pytest.raises(TypeError, match="expected tensors, numbers"):
            assert_close(*wrong)


def test_tensors_of_any_device(device):
    x = bolide.ones(3, device=device)
    assert_close(x, x.clone())
    with pytest.raises(AssertionError, match="not close"):
        assert_close(x, x * 2)
    if device != "cpu":
        with pytest.raises(AssertionError, match="device"):
            assert_close(x, x.cpu())
        assert_close(x, x.cpu(), check_device=False)


@pytest.mark.parametrize("dtype", DTYPES)
def test_made_tensors(dtype):
    x = make_tensor(50, 20, dtype=dtype)
    assert x.shape == (50, 20) and x.dtype == dtype and x.is_contiguous()
    real = bolide.view_as_real(x) if dtype.is_complex else x.double()
    least = 0 if dtype in (bolide.bool, bolide.uint8) else -9
    assert least <= real.min().item() and real.max().item() <= 9 and real.unique().numel() > 1
    odd = make_tensor((4, 6), dtype=dtype, noncontiguous=True)
    assert odd.shape == (4, 6) and not odd.is_contiguous()
    if dtype != bolide.bool:
        assert not (make_tensor(500, dtype=dtype, low=0, high=2, exclude_zero=True) == 0).any()
        two = make_tensor(200, dtype=dtype, low=2, high=4)
        two = two.real if dtype.is_complex else two
        assert two.double().min().item() >= 2 and two.double().max().item() <= 4


def test_bounds_of_made_tensors():
    for low, high in ((2, 2), (3, 1), (NAN, 1)):
        with pytest.raises(ValueError, match="make_tensor"):
            make_tensor(2, dtype=bolide.float32, low=low, high=high)
    with pytest.raises(ValueError, match="holds"):
        make_tensor(2, dtype=bolide.uint8, low=300, high=400)
    with pytest.raises(ValueError, match="requires_grad"):
        make_tensor(2, dtype=bolide.int64, requires_grad=True)
    assert make_tensor(2, dtype=bolide.float32, requires_grad=True).requires_grad
    x = make_tensor(1, 2, 3, 4, dtype=bolide.float32, memory_format=bolide.channels_last)
    assert x.is_contiguous(memory_format=bolide.channels_last)
    with pytest.raises(ValueError, match="both"):
        make_tensor(2, dtype=bolide.float32, noncontiguous=True, memory_format=bolide.contiguous_format)  # fmt: skip
