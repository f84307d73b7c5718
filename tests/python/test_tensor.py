"""Tensors as programs see them: making, indexing, operators, conversions, NumPy, printing."""

import array
import collections
import math
import subprocess
import sys

import bolide
import pytest

FLOATS = [bolide.float16, bolide.bfloat16, bolide.float32, bolide.float64]
INTS = [bolide.uint8, bolide.int8, bolide.int16, bolide.int32, bolide.int64]


# ---- making -----------------------------------------------------------------------------------------------------


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


# ---- indexing ---------------------------------------------------------------------------------------------------


KEYS = [
    0, -1, (0, 1), (1, -1, 2), slice(None), slice(1, None), slice(None, None, 2), slice(-2, None), (slice(None), 0),
    (..., 1), (0, ...), ..., None, (None, 0, None), (slice(None), None, 1), (slice(5, 1),), slice(-100, 100),
    [0, 1], [1, 1, 0], (slice(None), [0, 2]), ([0, 1], [1, 2]), ([[0, 1], [1, 0]],), (0, [0, 2]), ([0, 1], 1),
    (slice(None), [0, 1], [2, 3]), ([1, 0], slice(None), [0, 1]), ([0], None, [1]), (slice(None), -1, [0, 0]),
    True, False, (True, 0), [True, False],
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_reading_and_writing_as_numpy_does(key, device):
    numpy = pytest.importorskip("numpy")
    base = numpy.arange(24.0).reshape(2, 3, 4)
    x = bolide.tensor(base, device=device)
    wanted = base[key if not isinstance(key, list) else numpy.array(key)]
    found = x[key]
    assert found.shape == wanted.shape and found.tolist() == wanted.tolist()
    x[key] = -1.0
    base[key] = -1.0
    assert x.tolist() == base.tolist()


def test_masks_and_index_tensors(device):
    x = bolide.arange(6, device=device).reshape(2, 3)
    assert x[x > 2].tolist() == [3, 4, 5] and x[x > 9].tolist() == []
    assert x[:, bolide.tensor([True, False, True], device=device)].tolist() == [[0, 2], [3, 5]]
    assert x[bolide.tensor([1, 0], device=device)].tolist() == [[3, 4, 5], [0, 1, 2]]
    assert (
        x[bolide.tensor(1, device=device)].tolist() == [3, 4, 5]
        and x[bolide.tensor(1), bolide.tensor(-1)].item() == 5
    )
    assert x[: bolide.tensor(1)].tolist() == [[0, 1, 2]] and x[[]].shape == (0, 3)
    x[x > 2] = 0
    x[0] = bolide.tensor([7, 8, 9], device=device)
    x[1, 1:] = [5, 6]
    assert x.tolist() == [[7, 8, 9], [0, 5, 6]]
    x[[0, 1], [0, 0]] += 1
    assert x[:, 0].tolist() == [8, 1]


def test_views_share_memory(device):
    x = bolide.zeros(3, 4, device=device)
    x[1][2] = 5.0
    x[:, 0] = 1.0
    x[::2, ::3] += 1
    assert x.tolist() == [[2.0, 0.0, 0.0, 1.0], [1.0, 0.0, 5.0, 0.0], [2.0, 0.0, 0.0, 1.0]]
    assert x[1]._base is x and x[1].data_ptr() == x.data_ptr() + 16


@pytest.mark.parametrize(
    ("key", "error"),
    [(2, IndexError), (-3, IndexError), ((0, 0, 0), IndexError), ((..., ...), IndexError), ("x", TypeError),
     (1.0, IndexError), ([0, 5], IndexError), ([1.5], (IndexError, TypeError)), ([[True]], IndexError), ({}, IndexError),
     (slice(None, None, -1), ValueError), (slice(None, None, 0), ValueError), (slice("a"), TypeError),
     (10**30, IndexError)],
    ids=str,
)  # fmt: skip
def test_keys_that_do_not_fit(key, error, device):
    x = bolide.zeros(2, 3, device=device)
    with pytest.raises(error):
        repr(x[key])  # a device says so when it is read
    with pytest.raises(error):
        x[key] = 1
        x.tolist()


def test_values_that_do_not_fit(device):
    x = bolide.zeros(2, 3, device=device)
    for value, error in (
        (bolide.ones(4, device=device), RuntimeError),
        ("x", TypeError),
        (None, TypeError),
        ([1, [2]], ValueError),
    ):
        with pytest.raises(error):
            x[0] = value
    with pytest.raises(IndexError):
        bolide.tensor(1)[0]


# ---- operators --------------------------------------------------------------------------------------------------


def test_operators_of_tensors_and_numbers(device):
    x, y = bolide.tensor([1.0, -4.0], device=device), bolide.tensor([2.0, 3.0], device=device)
    table = [
        (x + y, [3.0, -1.0]), (x - y, [-1.0, -7.0]), (x * y, [2.0, -12.0]), (y / x, [2.0, -0.75]),
        (x + 1, [2.0, -3.0]), (1 - x, [0.0, 5.0]), (2 * x, [2.0, -8.0]), (1 / y, [0.5, 1 / 3]),
        (x // y, [0.0, -2.0]), (x % y, [1.0, 2.0]), (7 // y, [3.0, 2.0]), (7 % y, [1.0, 1.0]),
        (y**2, [4.0, 9.0]), (2**y, [4.0, 8.0]), (-x, [-1.0, 4.0]), (+x, [1.0, -4.0]), (abs(x), [1.0, 4.0]),
    ]  # fmt: skip
    for got, wanted in table:
        assert got.tolist() == pytest.approx(wanted, abs=1e-6)
    assert (
        (x < y).tolist() == [True, True]
        and (x >= 1).tolist() == [True, False]
        and (1 > x).tolist() == [False, True]  # noqa: SIM300
    )
    assert (x == x).tolist() == [True, True] and (x != y).tolist() == [True, True]
    i = bolide.tensor([6, 3], device=device)
    assert (
        (i & 2).tolist() == [2, 2] and (i | 8).tolist() == [14, 11] and (i ^ 1).tolist() == [7, 2]
    )
    assert (
        (i << 1).tolist() == [12, 6] and (i >> 1).tolist() == [3, 1] and (~i).tolist() == [-7, -4]
    )
    assert (1 << i).tolist() == [64, 8] and (~(i > 4)).tolist() == [False, True]
    m = bolide.ones(2, 2, device=device)
    assert (m @ m).tolist() == [[2.0, 2.0], [2.0, 2.0]] and (m @ x).tolist() == [-3.0, -3.0]


def test_operators_in_place(device):
    x = bolide.tensor([4.0, 9.0], device=device)
    same = x
    x += 1
    x -= bolide.tensor([1.0, 1.0], device=device)
    x *= 2
    x /= 4
    x **= 2
    x //= 1
    x %= 3
    assert x is same and x.tolist() == [1.0, 2.0]
    i = bolide.tensor([6], device=device)
    i &= 3
    i |= 8
    i ^= 1
    i <<= 2
    i >>= 1
    assert i.tolist() == [22]
    with pytest.raises(RuntimeError):
        i += 0.5
    with pytest.raises(RuntimeError):
        x += bolide.ones(3, device=device)


def test_operators_with_something_else(device):
    x = bolide.ones(2, device=device)
    for other in ("x", None, [1, 2], (1,), {}, object()):
        for operator in (
            lambda a, b: a + b,
            lambda a, b: b - a,
            lambda a, b: a @ b,
            lambda a, b: a < b,
            lambda a, b: a**b,
        ):
            with pytest.raises(TypeError):
                operator(x, other)
        assert (x == other) is False and (x != other) is True
    with pytest.raises(TypeError):
        x @ 2
    with pytest.raises(TypeError):
        pow(x, 2, 3)
    with pytest.raises(TypeError):
        x += "x"


def test_an_operand_that_knows_better(device):
    class Wise:
        def __radd__(self, other):
            return "wise"

        def __eq__(self, other):
            return "equal"

        __hash__ = None

    assert (
        bolide.ones(2, device=device) + Wise() == "wise" and (bolide.ones(2) == Wise()) == "equal"
    )


def test_promotion():
    assert (bolide.tensor([1]) * 1.5).dtype == bolide.float32 and (
        bolide.tensor([1]) + True
    ).dtype == bolide.int64
    assert (bolide.tensor([True]) + 1).dtype == bolide.int64 and (
        bolide.tensor([1], dtype=bolide.uint8) + 300
    ).dtype == bolide.uint8
    assert (bolide.tensor([1.0], dtype=bolide.float16) * 2.5).dtype == bolide.float16
    assert (
        bolide.tensor([1.0], dtype=bolide.float16) + bolide.tensor(1.0, dtype=bolide.float64)
    ).dtype == bolide.float16
    assert (bolide.tensor([1]) + bolide.tensor(1.5)).dtype == bolide.float32
    assert (bolide.tensor([1]) / 2).dtype == bolide.float32
    assert bolide.result_type(bolide.tensor([1]), 2.0) is bolide.float32
    assert bolide.promote_types(bolide.float16, bolide.bfloat16) is bolide.float32


def test_comparisons_hash_by_identity(device):
    x, y = bolide.ones(1, device=device), bolide.ones(1, device=device)
    assert len({x, y, x}) == 2 and {x: 1}[x] == 1 and x in [x] and hash(x) == hash(x)
    assert 1 in bolide.tensor([1, 2], device=device) and 5 not in bolide.tensor(
        [1, 2], device=device
    )
    with pytest.raises(TypeError):
        "x" in x  # noqa: B015


# ---- numbers and sequences --------------------------------------------------------------------------------------


def test_as_numbers(device):
    one = bolide.tensor([2.7], device=device)
    assert (
        float(one) == pytest.approx(2.7)
        and int(one) == 2
        and bool(one)
        and one.item() == pytest.approx(2.7)
    )
    assert range(5)[bolide.tensor(2, device=device)] == 2 and bolide.tensor(7).__index__() == 7
    assert (
        not bolide.tensor(0.0)
        and bolide.tensor(True).item() is True
        and isinstance(bolide.tensor(3).item(), int)
    )
    assert f"{bolide.tensor(2.5):.2f}" == "2.50" and f"{bolide.tensor([1])}" == "tensor([1])"
    for bad in (bolide.ones(2, device=device), bolide.ones(0, device=device)):
        for convert in (bool, float, int, lambda t: t.item()):
            with pytest.raises(RuntimeError):
                convert(bad)
    with pytest.raises(RuntimeError, match="ambiguous"):
        if bolide.ones(2):
            pass
    with pytest.raises(TypeError):
        range(5)[bolide.tensor(2.0)]
    for value in (math.nan, math.inf):
        with pytest.raises((ValueError, OverflowError)):
            int(bolide.tensor(value))


def test_as_sequences(device):
    x = bolide.arange(6, device=device).reshape(2, 3)
    assert len(x) == 2 and [row.tolist() for row in x] == x.tolist()
    first, second = x
    assert (
        first.tolist() == [0, 1, 2] and second.tolist() == [3, 4, 5] and list(bolide.ones(0)) == []
    )
    for bad in (len, iter):
        with pytest.raises(TypeError):
            bad(bolide.tensor(1))
    assert list(zip(*x.tolist(), strict=True)) == [(0, 3), (1, 4), (2, 5)]
    for dtype in (*FLOATS, *INTS, bolide.bool, bolide.complex64, bolide.complex128):
        assert bolide.ones(2, dtype=dtype, device=device).tolist() == [1, 1]


def test_shapes_and_sizes(device):
    x = bolide.empty(2, 3, 4, device=device)
    assert (
        isinstance(x.shape, bolide.Size)
        and x.shape == x.size() == (2, 3, 4)
        and x.size(-1) == 4 == x.shape[2]
    )
    assert (
        x.shape.numel() == 24 == x.numel() == x.nelement()
        and repr(x.shape) == "bolide.Size([2, 3, 4])"
    )
    assert isinstance(x.shape[1:], bolide.Size) and isinstance(x.shape + (1,), bolide.Size)  # noqa: RUF005
    assert (
        x.stride() == (12, 4, 1)
        and x.stride(0) == 12
        and x.dim() == x.ndim == 3
        and x.element_size() == 4
    )
    assert (
        x.nbytes == 96
        and x.itemsize == 4
        and x.storage_offset() == 0
        and x[1].storage_offset() == 12
    )
    for bad in (lambda: x.size(3), lambda: x.stride(-4), lambda: bolide.tensor(1).size(0)):
        with pytest.raises(IndexError):
            bad()


def test_views_and_rearrangements(device):
    x = bolide.arange(24, device=device).reshape(2, 3, 4)
    assert (
        x.view(6, -1).shape == (6, 4)
        and x.T.shape == (4, 3, 2) == x.permute(2, 1, 0).shape
        and x.mT.shape == (2, 4, 3)
    )
    assert (
        x.flatten(1).shape == (2, 12)
        and x.unflatten(2, (2, 2)).shape == (2, 3, 2, 2)
        and x.ravel().shape == (24,)
    )
    assert (
        x.unsqueeze(-1).squeeze().shape == (2, 3, 4)
        and x.transpose(0, -1).shape == (4, 3, 2) == x.swapaxes(0, 2).shape
    )
    assert (
        x.movedim(0, 2).shape == (3, 4, 2)
        and x.narrow(2, 1, 2).shape == (2, 3, 2)
        and x.select(1, 0).shape == (2, 4)
    )
    assert [t.shape[2] for t in x.split(3, dim=2)] == [3, 1] and [
        t.shape[2] for t in x.split([1, 3], 2)
    ] == [1, 3]
    assert (
        len(x.chunk(2, 1)) == 2 and len(x.unbind(1)) == 3 and isinstance(bolide.split(x, 1), tuple)
    )
    assert (
        x.flip(0, 2)[0, 0].tolist() == [15, 14, 13, 12]
        and bolide.tensor([1, 2]).repeat(2, 2).tolist() == [[1, 2, 1, 2]] * 2
    )
    assert bolide.tensor([1, 2]).repeat_interleave(2).tolist() == [1, 1, 2, 2]
    assert (
        bolide.tensor([[1], [2]]).expand(2, 3).tolist() == [[1, 1, 1], [2, 2, 2]]
        and x.expand_as(x).shape == x.shape
    )
    assert x.as_strided((2, 2), (1, 2)).tolist() == [[0, 2], [1, 3]] and x.diagonal(
        0, 1, 2
    ).shape == (2, 3)
    assert x.is_contiguous() and not x.T.is_contiguous() and x.T.contiguous().is_contiguous()
    assert (
        bolide.ones(3, 3).tril().sum().item() == 6.0 == bolide.triu(bolide.ones(3, 3)).sum().item()
    )
    for bad in (
        lambda: x.view(5),
        lambda: x.T.view(24),
        lambda: x.view(-1, -1),
        lambda: x.permute(0, 0, 1),
        lambda: x.reshape(7, -1),
    ):
        with pytest.raises(RuntimeError):
            bad()
    for bad in (lambda: x.transpose(0, 3), lambda: x.unsqueeze(5), lambda: x.sum(3)):
        with pytest.raises(IndexError):
            bad()


def test_composed_functions(device):
    x = bolide.tensor([1.0, math.nan, -math.inf, 4.0], device=device)
    assert (
        bolide.where(x > 2, x, 0.0).tolist() == [0.0, 0.0, 0.0, 4.0] == x.where(x > 2, 0.0).tolist()
    )
    assert [t.tolist() for t in bolide.where(x > 0)] == [[0, 3]] and bolide.nonzero(
        x > 0
    ).tolist() == [[0], [3]]
    assert x.nan_to_num(0.0, neginf=-1.0).tolist() == [1.0, 0.0, -1.0, 4.0]
    assert (
        x.masked_fill(x.isnan(), 9).tolist()[1] == 9.0
        and x.masked_fill_(x.isnan(), 2).tolist()[1] == 2.0
    )
    y = bolide.tensor([1.0, 2.0], device=device)
    assert (
        bolide.allclose(y, y + 1e-9)
        and not bolide.allclose(y, y + 1)
        and bolide.equal(y, y.clone())
        and not bolide.equal(y, x)
    )
    assert (
        bolide.norm(bolide.tensor([3.0, 4.0], device=device)).item() == 5.0
        and y.norm(1).item() == 3.0
    )
    assert bolide.dot(y, y).item() == 5.0 and bolide.outer(y, y).tolist() == [
        [1.0, 2.0],
        [2.0, 4.0],
    ]
    assert bolide.fmod(bolide.tensor([-7.0, 7.0]), 3.0).tolist() == [-1.0, 1.0] and y.rsub(
        1
    ).tolist() == [0.0, -1.0]
    assert bolide.cat([y, y]).shape == (4,) and bolide.stack((y, y), 1).tolist() == [
        [1.0, 1.0],
        [2.0, 2.0],
    ]
    assert bolide.masked_select(y, y > 1).tolist() == [2.0] and y.index_select(
        0, bolide.tensor([1, 1], device=device)
    ).tolist() == [2.0, 2.0]
    z = bolide.tensor([[1, 2], [3, 4]], device=device)
    assert (
        z.gather(1, bolide.tensor([[0], [1]], device=device)).tolist() == [[1], [4]]
        and z.count_nonzero().item() == 4
    )


def test_conversions(device):
    x = bolide.tensor([1.7, 0.0], device=device)
    for name, dtype in (
        ("double", "float64"),
        ("half", "float16"),
        ("bfloat16", "bfloat16"),
        ("long", "int64"),
        ("int", "int32"),
        ("short", "int16"),
        ("char", "int8"),
        ("byte", "uint8"),
        ("bool", "bool"),
    ):
        assert (
            getattr(x, name)().dtype is getattr(bolide, dtype) is x.to(getattr(bolide, dtype)).dtype
        )
    assert x.float() is x and x.to(bolide.float32) is x and x.to(bolide.float32, copy=True) is not x
    assert (
        x.to("cpu", bolide.int64).tolist() == [1, 0]
        and x.to(bolide.ones(1, dtype=bolide.float64)).dtype == bolide.float64
    )
    assert (
        x.to(device=device) is x
        and x.type_as(bolide.ones(1, dtype=bolide.int32)).dtype == bolide.int32
    )
    for bad in ("nowhere", "cpu:3", "", "cuda:x", "cuda:-1"):
        with pytest.raises(RuntimeError):
            x.to(bad)
    with pytest.raises(TypeError):
        x.to(1.5)
    assert (
        x.is_floating_point()
        and not x.long().is_floating_point()
        and bolide.is_tensor(x)
        and not bolide.is_tensor(1)
    )


def test_dtypes_and_devices():
    assert (
        repr(bolide.float32) == str(bolide.float32) == "bolide.float32"
        and bolide.float is bolide.float32
    )
    assert (
        bolide.float16.is_floating_point
        and bolide.complex64.is_complex
        and not bolide.uint8.is_signed
    )
    assert (
        bolide.int64.itemsize == 8
        and isinstance(bolide.int64, bolide.dtype)
        and {bolide.int8: 1}[bolide.int8] == 1
    )
    cpu, cuda = bolide.device("cpu"), bolide.device("cuda", 1)
    assert (
        repr(cuda) == "device(type='cuda', index=1)"
        and str(cuda) == "cuda:1"
        and cpu.index is None
        and cpu.type == "cpu"
    )
    assert cuda == bolide.device("cuda:1") == bolide.device(1) != cpu and hash(cuda) == hash(
        bolide.device("cuda:1")
    )
    assert (
        bolide.device(cuda) is cuda
        and bolide.device("cuda").index is None
        and bolide.ones(1).device == cpu
    )
    for bad in (
        lambda: bolide.device("x"),
        lambda: bolide.device(-1),
        lambda: bolide.device(None),
        lambda: bolide.dtype(),
    ):
        with pytest.raises((RuntimeError, TypeError)):
            bad()
    assert bolide.finfo(bolide.float16).max == 65504.0 and bolide.finfo(bolide.bfloat16).bits == 16
    assert (
        bolide.finfo().eps == 2.0**-23
        and bolide.iinfo(bolide.uint8).max == 255
        and bolide.iinfo(bolide.int8).min == -128
    )
    for bad in (lambda: bolide.finfo(bolide.int8), lambda: bolide.iinfo(bolide.float32)):
        with pytest.raises(TypeError):
            bad()


def test_errors_have_pytorchs_and_numpys_types():
    assert issubclass(bolide.ShapeError, (bolide.BolideError,)) and issubclass(
        bolide.ShapeError, ValueError
    )
    assert issubclass(bolide.DTypeError, TypeError) and issubclass(
        bolide.OutOfMemoryError, MemoryError
    )
    for error in (bolide.ShapeError, bolide.DTypeError, bolide.OutOfMemoryError):
        assert issubclass(error, RuntimeError) and issubclass(error, bolide.BolideError)
    with pytest.raises(
        bolide.ShapeError,
        match=r"^\[add\] expected shapes that broadcast together, got \[2\] and \[3\]\.$",
    ):
        bolide.ones(2) + bolide.ones(3)
    with pytest.raises(bolide.OutOfMemoryError):
        bolide.empty(2**50)


# ---- NumPy ------------------------------------------------------------------------------------------------------


def test_numpy_arrays_share_memory():
    numpy = pytest.importorskip("numpy")
    a = numpy.arange(6.0).reshape(2, 3)
    x = bolide.from_numpy(a)
    x[0, 0] = 9.0
    assert (
        a[0, 0] == 9.0
        and x.numpy().ctypes.data == a.ctypes.data
        and bolide.as_tensor(a).data_ptr() == x.data_ptr()
    )
    assert bolide.tensor(a).data_ptr() != x.data_ptr() and x.T.numpy().tolist() == a.T.tolist()
    b = bolide.ones(3)
    b.numpy()[1] = 5.0
    assert (
        b.tolist() == [1.0, 5.0, 1.0]
        and numpy.asarray(b)[1] == 5.0
        and bolide.from_numpy(a[::2, 1:]).tolist() == a[::2, 1:].tolist()
    )
    kept = bolide.ones(1000).numpy()
    assert kept.sum() == 1000.0
    for shape in ((), (0,), (2, 0)):
        assert (
            bolide.from_numpy(numpy.ones(shape)).shape == shape == bolide.ones(shape).numpy().shape
        )


@pytest.mark.parametrize(
    "name", "bool uint8 int8 int16 int32 int64 float16 float32 float64 complex64 complex128".split()
)
def test_numpy_dtypes(name):
    numpy = pytest.importorskip("numpy")
    a = numpy.array([0, 1, 1], dtype=name)
    x = bolide.from_numpy(a)
    assert (
        x.dtype is getattr(bolide, name) and x.tolist() == [0, 1, 1] and x.numpy().dtype == a.dtype
    )
    assert bolide.tensor(a).dtype is x.dtype and bolide.tensor(a[0]).item() == 0


def test_numpy_arrays_that_do_not_fit():
    numpy = pytest.importorskip("numpy")
    for bad in (
        numpy.zeros(2, numpy.uint16),
        numpy.zeros(2, "datetime64[s]"),
        numpy.array(["x"]),
        numpy.array([None]),
        numpy.zeros(2, numpy.longdouble),
        numpy.zeros(2, ">f4"),
        numpy.zeros(2, [("a", "f4")]),
    ):
        with pytest.raises(TypeError):
            bolide.from_numpy(bad)
        with pytest.raises(TypeError):
            bolide.tensor(bad)
    with pytest.raises(ValueError):
        bolide.from_numpy(numpy.arange(3.0)[::-1])
    assert bolide.tensor(numpy.arange(3.0)[::-1]).tolist() == [2.0, 1.0, 0.0]
    packed = numpy.zeros(3, [("a", "u1"), ("b", "<f4")])["b"]
    with pytest.raises(ValueError):
        bolide.from_numpy(packed)
    assert bolide.tensor(packed).tolist() == [0.0] * 3
    with pytest.raises(TypeError):
        bolide.from_numpy([1.0])
    frozen = numpy.arange(3.0)
    frozen.flags.writeable = False
    x = bolide.from_numpy(frozen)
    with pytest.raises(RuntimeError, match="read-only"):
        x += 1
    for bad, error in (
        (bolide.ones(1, requires_grad=True), RuntimeError),
        (bolide.ones(1, dtype=bolide.bfloat16), TypeError),
    ):
        with pytest.raises(error):
            bad.numpy()
    assert bolide.ones(1, requires_grad=True).numpy(force=True).tolist() == [1.0]


def test_operators_with_numpy():
    numpy = pytest.importorskip("numpy")
    x, a = bolide.tensor([1.0, 2.0]), numpy.array([3.0, 4.0])
    for result in (x + a, a + x, a * x, x - a, a - x, a / x, x < a, a < x):
        assert isinstance(result, bolide.Tensor)
    assert (
        (a - x).tolist() == [2.0, 2.0]
        and (x + a).dtype == bolide.float64
        and (a < x).tolist() == [False, False]
    )
    for scalar in (
        numpy.float32(2),
        numpy.float64(2),
        numpy.int64(2),
        numpy.float16(2),
        numpy.uint8(2),
    ):
        assert (x * scalar).tolist() == [2.0, 4.0] == (scalar * x).tolist() and (
            x * scalar
        ).dtype == bolide.float32
    assert (bolide.tensor([1]) + numpy.int32(2)).dtype == bolide.int64 and (
        x == numpy.float32(1)
    ).tolist() == [True, False]
    assert bolide.ones(3)[numpy.int64(1)].item() == 1.0 and bolide.ones(numpy.int64(3)).shape == (
        3,
    )
    assert x[numpy.array([1, 0])].tolist() == [2.0, 1.0] and x[
        numpy.array([True, False])
    ].tolist() == [1.0]
    x[0] = numpy.float32(7)
    x[1:] = numpy.array([8.0])
    assert x.tolist() == [7.0, 8.0] and isinstance(numpy.exp(x), bolide.Tensor)
    assert bolide.tensor([numpy.float32(1.5), numpy.int64(2), numpy.bool_(True)]).tolist() == [
        1.5,
        2.0,
        1.0,
    ]
    assert (
        bolide.tensor([a, a]).tolist() == [[3.0, 4.0]] * 2
        and bolide.tensor([a]).dtype == bolide.float64
    )
    y = bolide.ones(2)
    y += numpy.array([1.0, 2.0])
    assert y.tolist() == [2.0, 3.0] and numpy.array([y, y]).shape == (2, 2)
    assert numpy.asarray(y, dtype="int64").tolist() == [2, 3] and numpy.array(y).base is None


def test_frombuffer():
    data = bytearray(b"\x01\x00\x00\x00\x02\x00\x00\x00")
    x = bolide.frombuffer(data, dtype=bolide.int32)
    assert x.tolist() == [1, 2] and bolide.frombuffer(
        data, dtype=bolide.int32, offset=4
    ).tolist() == [2]
    data[0] = 9
    assert x[0].item() == 9
    with pytest.raises(RuntimeError):
        bolide.frombuffer(b"\x01\x00\x00\x00", dtype=bolide.int32).add_(1)
    for named in ({"offset": 100}, {"offset": -1}, {"count": 3}, {"offset": 3}, {"count": 0}):
        with pytest.raises(ValueError):
            bolide.frombuffer(data, dtype=bolide.int32, **named)
    with pytest.raises(TypeError):
        bolide.frombuffer(5, dtype=bolide.int32)


# ---- printing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: bolide.tensor([1.0, 2.5]), "tensor([1.0000, 2.5000])"),
        (lambda: bolide.tensor([1.0, 2.0]), "tensor([1., 2.])"),
        (lambda: bolide.tensor([1, -20]), "tensor([  1, -20])"),
        (lambda: bolide.tensor([True, False]), "tensor([ True, False])"),
        (lambda: bolide.tensor(1.5), "tensor(1.5000)"),
        (lambda: bolide.tensor(3), "tensor(3)"),
        (lambda: bolide.tensor([]), "tensor([])"),
        (lambda: bolide.empty(2, 0), "tensor([], size=(2, 0))"),
        (lambda: bolide.tensor([], dtype=bolide.int64), "tensor([], dtype=bolide.int64)"),
        (lambda: bolide.tensor([1e-8, 1.0]), "tensor([1.0000e-08, 1.0000e+00])"),
        (lambda: bolide.tensor([math.nan, math.inf, -math.inf, 1.0]), "tensor([nan, inf, -inf, 1.])"),
        (lambda: bolide.tensor([math.nan, 1.5]), "tensor([   nan, 1.5000])"),
        (lambda: bolide.tensor([0.0, 0.0]), "tensor([0., 0.])"),
        (lambda: bolide.tensor([1.0], dtype=bolide.float64), "tensor([1.], dtype=bolide.float64)"),
        (lambda: bolide.tensor([1], dtype=bolide.uint8), "tensor([1], dtype=bolide.uint8)"),
        (lambda: bolide.tensor([1.0], requires_grad=True), "tensor([1.], requires_grad=True)"),
        (lambda: bolide.tensor([1.0], requires_grad=True) * 2, "tensor([2.], grad_fn=<MulBackward0>)"),
        (lambda: bolide.tensor([[1, 2], [3, 4]]), "tensor([[1, 2],\n        [3, 4]])"),
        (lambda: bolide.tensor([[[1], [2]], [[3], [4]]]), "tensor([[[1],\n         [2]],\n\n        [[3],\n         [4]]])"),
        (lambda: bolide.tensor([1 + 2j, -1.5j]), "tensor([1.+2.0000j, -0.-1.5000j])"),
        (lambda: bolide.arange(1001), "tensor([   0,    1,    2,  ...,  998,  999, 1000])"),
    ],
)  # fmt: skip
def test_repr(make, text):
    assert repr(make()) == text


def test_repr_of_large_tensors():
    text = repr(bolide.zeros(100, 100))
    assert text.count("\n") == 6 and text.startswith(
        "tensor([[0., 0., 0.,  ..., 0., 0., 0.],\n        [0., 0., 0.,"
    )
    assert "        ...,\n" in text
    lines = repr(bolide.arange(100.0)).splitlines()
    assert (
        len(lines) > 1
        and all(len(line) <= 80 for line in lines)
        and lines[1].startswith("        ")
    )
    assert repr(bolide.zeros(10**6).expand(1000, 10**6)).count("...") > 2


def test_print_options():
    x = bolide.tensor([1.123456789, 2.0])
    try:
        bolide.set_printoptions(precision=2)
        assert repr(x) == "tensor([1.12, 2.00])"
        bolide.set_printoptions(sci_mode=True, precision=1)
        assert repr(x) == "tensor([1.1e+00, 2.0e+00])"
        bolide.set_printoptions(profile="default", threshold=1, edgeitems=1)
        assert repr(bolide.arange(5)) == "tensor([0,  ..., 4])"
    finally:
        bolide.set_printoptions(profile="default")
    assert repr(x) == "tensor([1.1235, 2.0000])"
    for bad in ({"precision": -1}, {"profile": "loud"}):
        with pytest.raises(ValueError):
            bolide.set_printoptions(**bad)


def test_repr_on_the_device(device):
    x = bolide.ones(2, device=device)
    assert repr(x) == (
        "tensor([1., 1.])" if device == "cpu" else "tensor([1., 1.], device='cuda:0')"
    )


# ---- the rest ---------------------------------------------------------------------------------------------------


def test_number_of_threads():
    assert bolide.get_num_threads() >= 1
    before = bolide.get_num_threads()
    bolide.set_num_threads(1)
    assert bolide.get_num_threads() == 1
    bolide.set_num_threads(before)
    for bad in (0, -1, 10**30, "x", 1.5):
        with pytest.raises((ValueError, TypeError)):
            bolide.set_num_threads(bad)


def test_other_threads_run_during_long_work(device):
    import threading

    x = bolide.ones(1500, 1500, device=device)
    stop, turns = threading.Event(), []

    def count():
        while not stop.is_set():
            turns.append(1)
            stop.wait(0.0005)

    thread = threading.Thread(target=count)
    thread.start()
    total = sum((x @ x)[0, 0].item() for _ in range(3))
    stop.set()
    thread.join()
    assert total == 3 * 1500.0 and turns


def test_a_fresh_interpreter_ends_cleanly():
    code = (
        "import bolide\n"
        "x = bolide.ones(3, requires_grad=True); x.tag = x\n"
        "x.register_hook(lambda g: print('hook'))\n"
        "y = (x * 2).sum(); y.backward(); z = x.numpy(force=True) if False else None\n"
        "class P(bolide.Tensor): pass\n"
        "p = P(bolide.ones(2)); p.other = y"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["hook"], "")


def test_unknown_attributes_of_the_package():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        bolide.nothing  # noqa: B018
    assert {"nn", "tensor", "cuda"} <= set(dir(bolide)) and isinstance(bolide.__version__, str)
