"""Tensors as programs see them: indexing, operators, conversions, numbers and sequences."""

import math
import subprocess
import sys

import bolide
import pytest

FLOATS = [bolide.float16, bolide.bfloat16, bolide.float32, bolide.float64]
INTS = [bolide.uint8, bolide.int8, bolide.int16, bolide.int32, bolide.int64]


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
