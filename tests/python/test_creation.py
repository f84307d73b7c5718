"""Tensors made of data, sizes, other tensors and random numbers."""

import array
import collections
import math

import bolide
import pytest

FLOATS = [bolide.float16, bolide.bfloat16, bolide.float32, bolide.float64]
INTS = [bolide.uint8, bolide.int8, bolide.int16, bolide.int32, bolide.int64]


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (1, bolide.int64, ()),
        (1.5, bolide.float32, ()),
        (True, bolide.bool, ()),
        (1j, bolide.complex64, ()),
        ([], bolide.float32, (0,)),
        ([[], []], bolide.float32, (2, 0)),
        ([1, 2.0, True], bolide.float32, (3,)),
        ([True, 2], bolide.int64, (2,)),
        ([[1], [2]], bolide.int64, (2, 1)),
        (((1.0, 2.0), [3, 4]), bolide.float32, (2, 2)),
        (range(3), bolide.int64, (3,)),
        (collections.deque([1.0]), bolide.float32, (1,)),
        (array.array("d", [1.0, 2.0]), bolide.float64, (2,)),
        (memoryview(b"ab"), bolide.uint8, (2,)),
        (bytearray(b"abc"), bolide.uint8, (3,)),
    ],
    ids=str,
)
def test_dtype_and_shape_of_data(data, dtype, shape, device):
    x = bolide.tensor(data, device=device)
    assert x.dtype is dtype and x.shape == shape and x.device.type == device


@pytest.mark.parametrize(
    "dtype", FLOATS + INTS + [bolide.bool, bolide.complex64, bolide.complex128], ids=str
)
def test_a_dtype_of_choice(dtype, device):
    x = bolide.tensor([[0, 1], [1, 0]], dtype=dtype, device=device)
    assert x.dtype is dtype and x.tolist() == [[0, 1], [1, 0]]
    assert bolide.zeros(2, dtype=dtype, device=device).tolist() == [0, 0]
    assert bolide.full((2,), 1, dtype=dtype, device=device).tolist() == [1, 1]


@pytest.mark.parametrize(
    "data", [[1, [2]], [[1], 2], [[1, 2], [3]], [[[1]], [[2, 3]]], [[1, 2], []], [[], [1]]], ids=str
)
def test_ragged_lists(data):
    with pytest.raises(ValueError, match=r"\[tensor\] expected"):
        bolide.tensor(data)


@pytest.mark.parametrize(
    "data", ["text", b"bytes", None, [None], [[1, "x"]], {1: 2}, {1}, object(), [object()], print]
)
def test_data_of_no_numbers(data):
    with pytest.raises(TypeError, match=r"\[tensor\] expected"):
        bolide.tensor(data)


def test_a_list_in_itself():
    endless = []
    endless.append(endless)
    with pytest.raises((ValueError, RuntimeError)):
        bolide.tensor(endless)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (256, "uint8"),
        (-1, "uint8"),
        (128, "int8"),
        (-129, "int8"),
        (2**31, "int32"),
        (2**63, "int64"),
        (1e30, "int64"),
        (math.nan, "int32"),
        (math.inf, "int64"),
        (2.0**63, "int64"),
        (1j, "float32"),
        (10**400, "float64"),
    ],
)
def test_numbers_that_do_not_fit(value, dtype):
    with pytest.raises((OverflowError, TypeError)):
        bolide.tensor([value], dtype=getattr(bolide, dtype))


def test_numbers_that_just_fit():
    for dtype in INTS:
        limits = bolide.iinfo(dtype)
        assert bolide.tensor([limits.min, limits.max], dtype=dtype).tolist() == [
            limits.min,
            limits.max,
        ]
    assert bolide.tensor([1.9, -1.9], dtype=bolide.int32).tolist() == [1, -1]
    assert bolide.tensor([255.9], dtype=bolide.uint8).tolist() == [255]


def test_a_list_that_changes_while_it_is_read():
    class Treacherous(float):
        pass

    data = [[1.0, 2.0], [3.0, 4.0]]

    class Shrinks:
        def __len__(self):
            return 2

        def __getitem__(self, i):
            data[0].clear()
            if i >= 2:
                raise IndexError
            return 1.0

    with pytest.raises((ValueError, TypeError, RuntimeError)):
        bolide.tensor([data[0], Shrinks(), [1.0, 2.0]])
    assert bolide.tensor([Treacherous(1.5)]).tolist() == [1.5]


def test_tensors_inside_lists(device):
    x = bolide.ones(2, device=device)
    assert bolide.tensor([x[0], x[1], 3.0]).tolist() == [1.0, 1.0, 3.0]
    assert bolide.tensor([x, x + 1]).tolist() == [[1.0, 1.0], [2.0, 2.0]]
    y = bolide.tensor(x)
    assert y.data_ptr() != x.data_ptr() and y.device == x.device
    assert bolide.as_tensor(x) is x


def test_sizes_and_likes(device):
    x = bolide.ones(2, 3, dtype=bolide.float64, device=device)
    for y in (
        bolide.zeros_like(x),
        bolide.ones_like(x),
        bolide.empty_like(x),
        bolide.full_like(x, 7),
        x.new_zeros(2, 3),
    ):
        assert y.shape == (2, 3) and y.dtype == bolide.float64 and y.device == x.device
    assert x.new_tensor([1]).dtype == bolide.float64 and x.new_full((1,), 5).item() == 5.0
    assert bolide.zeros_like(x, dtype=bolide.int32).dtype == bolide.int32
    assert (
        bolide.full((2,), 5).dtype == bolide.int64 and bolide.full((2,), True).dtype == bolide.bool
    )
    assert bolide.eye(2, device=device).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert bolide.linspace(0, 1, 3, device=device).tolist() == [0.0, 0.5, 1.0]
    assert bolide.arange(0, 1, 0.25, device=device).tolist() == [0.0, 0.25, 0.5, 0.75]
    assert bolide.ones(2, requires_grad=True).requires_grad
    for bad in (
        lambda: bolide.arange(0, 5, 0),
        lambda: bolide.arange(5, 0),
        lambda: bolide.zeros(-1),
    ):
        with pytest.raises((ValueError, RuntimeError)):
            bad()


def test_default_dtype():
    assert bolide.get_default_dtype() is bolide.float32
    bolide.set_default_dtype(bolide.float64)
    try:
        assert bolide.tensor([1.0]).dtype is bolide.float64 is bolide.zeros(1).dtype
    finally:
        bolide.set_default_dtype(bolide.float32)
    with pytest.raises(TypeError):
        bolide.set_default_dtype(bolide.int64)


def test_random(device):
    bolide.manual_seed(3)
    a, b = bolide.rand(100, device=device), bolide.randn(100, device=device)
    state = bolide.get_rng_state()
    c = bolide.rand(5)
    bolide.set_rng_state(state)
    assert bolide.rand(5).tolist() == c.tolist()
    bolide.manual_seed(3)
    assert bolide.rand(100).tolist() == a.tolist() and a.min().item() >= 0 and a.max().item() < 1
    assert bolide.initial_seed() == 3 and b.std().item() > 0.5
    one, two = bolide.Generator().manual_seed(7), bolide.Generator().manual_seed(7)
    before = bolide.get_rng_state().tolist()
    assert bolide.randn(4, generator=one).tolist() == bolide.randn(4, generator=two).tolist()
    assert bolide.get_rng_state().tolist() == before and one.initial_seed() == 7
    assert sorted(bolide.randperm(10, generator=one).tolist()) == list(range(10))
    assert (
        bolide.empty(50).uniform_(2, 3).min().item() >= 2
        and bolide.empty(5).normal_(5, 0).tolist() == [5.0] * 5
    )
    draws = bolide.randint(2, 5, (200,))
    assert draws.dtype == bolide.int64 and set(draws.tolist()) == {2, 3, 4}
    assert set(bolide.bernoulli(bolide.full((50,), 0.5)).tolist()) <= {0.0, 1.0}
    bolide.manual_seed(-5)
    for bad in (
        lambda: bolide.rand(2, generator=5),
        lambda: bolide.manual_seed(2**70),
        lambda: bolide.manual_seed("x"),
    ):
        with pytest.raises((TypeError, OverflowError)):
            bad()


# ---- sequences of numbers ------------------------------------------------------------------------


def test_range_has_its_end(device):
    with pytest.warns(UserWarning, match="deprecated"):
        x = bolide.range(0, 3, 0.75, device=device)
    assert x.tolist() == [0, 0.75, 1.5, 2.25, 3] and x.dtype is bolide.float32
    with pytest.warns(UserWarning):
        assert bolide.range(5, 1, -2, dtype=bolide.int32).tolist() == [5, 3, 1]
        assert bolide.range(0.7, 3.7, dtype=bolide.int64).tolist() == [0, 1, 2, 3]
        assert bolide.range(2, 2, requires_grad=True).requires_grad
        for arguments in ((0, 3, 0), (0, 3, -1), (float("nan"), 1), (0, float("inf"))):
            with pytest.raises(RuntimeError, match="range"):
                bolide.range(*arguments)
        with pytest.raises(NotImplementedError, match="bool"):
            bolide.range(0, 1, dtype=bolide.bool)


def test_complex_points_on_a_line(device):
    numpy = pytest.importorskip("numpy")
    x = bolide.linspace(1 + 1j, 4 - 2j, 4, device=device)
    assert x.dtype is bolide.complex64 and x.tolist() == [1 + 1j, 2, 3 - 1j, 4 - 2j]
    assert bolide.linspace(0, 1, 3, dtype=bolide.complex128).tolist() == [0, 0.5, 1]
    y = bolide.logspace(0, 1j, 3, dtype=bolide.complex128, device=device)
    assert numpy.allclose(y.cpu().numpy(), 10 ** numpy.linspace(0, 1j, 3), rtol=1e-15)
    powers = bolide.logspace(1, 2, 3, base=-2, dtype=bolide.complex128).numpy()
    assert numpy.allclose(powers, (-2 + 0j) ** numpy.array([1, 1.5, 2]))
    for function in (bolide.linspace, bolide.logspace):
        with pytest.raises(RuntimeError, match="complex dtype"):
            function(0, 1j, 3, dtype=bolide.float32)


# ---- joining nothing -----------------------------------------------------------------------------


def test_what_joins_nothing():
    nothing = bolide.zeros(0)
    assert bolide.cat([nothing, nothing]).shape == (0,)
    assert bolide.cat([nothing, bolide.ones(2, 3)], -1).shape == (2, 3)
    assert bolide.block_diag().shape == (1, 0) and bolide.broadcast_tensors() == ()
    assert bolide.atleast_2d() == () and bolide.block_diag(
        bolide.ones(2), bolide.ones(1)
    ).shape == (2, 3)


def test_parts_of_complex_numbers_are_set_to_numbers(device):
    x = bolide.tensor([1 + 2j, 3 + 4j], device=device)
    x.real, x.imag = 5, bolide.tensor([6.0, 7.0], device=device)
    x[1:].imag = -1.5
    assert x.tolist() == [5 + 6j, 5 - 1.5j]
    with pytest.raises(TypeError):
        x.real = "1"
