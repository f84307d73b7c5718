"""Bad input: every kind raises the error that is promised, with what was expected and what was given in the text, and
leaves everything as it was.

One table: what is called, the types it has to be caught as, and words of the text. Files are test_io.py's business,
lists and numbers test_creation.py's; here stands one of each, so that the whole list is in one place.
"""

import gzip
import math
import os

import bolide
import pytest
from bolide import nn, optim
from conftest import DEVICE

ON = {"device": DEVICE}


class Inputs:
    """What the calls below use. `snapshot` is what none of them may change."""

    def __init__(self):
        self.a = bolide.arange(12.0, **ON).reshape(3, 4)
        self.i = bolide.arange(6, **ON)
        self.leaf = bolide.ones(3, 4, requires_grad=True, **ON)
        self.result = self.leaf * 2
        self.row = bolide.zeros(1, 4, **ON)
        self.wide = self.row.expand(3, 4)
        self.image = bolide.ones(1, 3, 5, 5, **ON)

    def snapshot(self):
        return {
            name: (t.tolist(), t._version, t.requires_grad, t.grad is None)
            for name, t in vars(self).items()
        }


# (what, call, types, words): the error is an instance of every type and has every word in its text
SHAPE = (bolide.ShapeError, bolide.BolideError, RuntimeError, ValueError)
DTYPE = (bolide.DTypeError, bolide.BolideError, RuntimeError, TypeError)
RUNTIME = (bolide.BolideError, RuntimeError)
INDEX = (IndexError,)
VALUE = (ValueError,)
TYPE = (TypeError,)
F = nn.functional

SHAPES = [
    ("add", lambda s: s.a + bolide.ones(5, **ON), SHAPE, ["[3, 4]", "[5]"]),
    ("in-place add", lambda s: s.a.add_(bolide.ones(5, **ON)), SHAPE, ["[3, 4]", "[5]"]),
    ("in-place add that broadcasts self", lambda s: s.row.add_(s.a), SHAPE, ["[1, 4]", "[3, 4]"]),
    ("where", lambda s: bolide.where(s.a > 0, s.a, s.i), SHAPE, ["[3, 4]", "[6]"]),
    ("copy_", lambda s: s.row.copy_(s.a), SHAPE, ["[1, 4]", "[3, 4]"]),
    ("matmul", lambda s: s.a @ s.a, SHAPE, ["[3, 4] and [3, 4]"]),
    ("mm of vectors", lambda s: bolide.mm(s.i, s.i), SHAPE, ["two matrices", "[6]"]),
    ("bmm", lambda s: bolide.bmm(s.image[0], s.image[0][:2]), SHAPE, ["[3, 5, 5]", "[2, 5, 5]"]),
    ("linear", lambda s: F.linear(s.a, bolide.ones(2, 5, **ON)), SHAPE, ["5", "[3, 4]"]),
    ("linear bias", lambda s: F.linear(s.a, bolide.ones(2, 4, **ON), s.row[0]), SHAPE, ["[2]", "[4]"]),
    ("conv2d channels", lambda s: F.conv2d(s.image, bolide.ones(2, 4, 3, 3, **ON)), SHAPE, ["[2, 4, 3, 3]", "[1, 3, 5, 5]"]),
    ("conv2d kernel", lambda s: F.conv2d(s.image, bolide.ones(2, 3, 6, 6, **ON)), SHAPE, ["[2, 3, 6, 6]", "[1, 3, 5, 5]"]),
    ("max_pool2d", lambda s: F.max_pool2d(s.a, 2), SHAPE, ["4 dimensions", "[3, 4]"]),
    ("cat", lambda s: bolide.cat([s.a, s.image[0, 0]]), SHAPE, ["[3, 4]", "[5, 5]"]),
    ("stack", lambda s: bolide.stack([s.a, s.row]), SHAPE, ["[3, 4]", "[1, 4]"]),
    ("reshape", lambda s: s.a.reshape(5, -1), SHAPE, ["12", "[5, -1]"]),
    ("reshape, two unknown", lambda s: s.a.reshape(-1, -1), SHAPE, ["-1", "[-1, -1]"]),
    ("view of a transposed", lambda s: s.a.t().view(12), SHAPE, ["reshape"]),
    ("expand", lambda s: s.a.expand(3, 5), SHAPE, ["[3, 4]", "[3, 5]"]),
    ("split", lambda s: s.a.split([1, 1]), SHAPE, ["3", "[1, 1]"]),
    ("as_strided beyond", lambda s: s.a.as_strided((3, 4), (4, 2), 0), SHAPE, ["12"]),
    ("amax of nothing", lambda s: s.a[:0].amax(), SHAPE, ["at least one", "[0, 4]"]),
    ("nll_loss target", lambda s: F.nll_loss(s.a, s.i), SHAPE, ["[3]", "[6]"]),
    ("index_put value", lambda s: s.a.__setitem__(s.i[:2], bolide.ones(3, **ON)), SHAPE, ["[2, 4]", "[3]"]),
    ("layer_norm", lambda s: F.layer_norm(s.a, (5,)), SHAPE, ["(5,)", "(3, 4)"]),
    ("backward gradient", lambda s: s.result.backward(s.row), SHAPE, ["[3, 4]", "[1, 4]"]),
    ("backward of several", lambda s: s.result.backward(), RUNTIME, ["scalar", "[3, 4]"]),
    ("grad of another shape", lambda s: setattr(s.leaf, "grad", s.row), SHAPE, ["[3, 4]", "[1, 4]"]),
    ("item of several", lambda s: s.a.item(), RUNTIME, ["one element", "[3, 4]"]),
]  # fmt: skip

DTYPES = [
    ("invert a float", lambda s: ~s.a, DTYPE, ["int64", "float32"]),
    ("bitwise and", lambda s: s.a & s.a, DTYPE, ["float32"]),
    ("int += float", lambda s: s.i.add_(0.5), DTYPE, ["int64", "float32"]),
    ("int /= int", lambda s: s.i.div_(2), DTYPE, ["int64", "float32"]),
    ("minus of bool", lambda s: (s.a > 0) - (s.a > 1), DTYPE, ["bool"]),
    ("mean of ints", lambda s: s.i.mean(), DTYPE, ["floating", "int64"]),
    ("softmax of ints", lambda s: s.i.softmax(0), DTYPE, ["floating", "int64"]),
    ("matmul of two dtypes", lambda s: s.a @ s.a.t().double(), DTYPE, ["float32 and float64"]),
    ("conv2d of two dtypes", lambda s: F.conv2d(s.image, bolide.ones(1, 3, 1, 1, dtype=bolide.float64, **ON)), DTYPE,
     ["float32 and float64"]),
    ("nll_loss target", lambda s: F.nll_loss(s.a, s.a[:, 0]), DTYPE, ["int64", "float32"]),
    ("masked_fill mask", lambda s: s.a.masked_fill(s.a, 0), DTYPE, ["bool", "float32"]),
    ("requires_grad of ints", lambda s: s.i.requires_grad_(), RUNTIME, ["floating", "int64"]),
    ("index by floats", lambda s: s.a[s.a], INDEX, ["int64", "float32"]),
    ("embedding of floats", lambda s: F.embedding(s.a, s.a), INDEX, ["int64", "float32"]),
    ("one_hot", lambda s: F.one_hot(s.a) if hasattr(F, "one_hot") else bolide._C.one_hot(s.a), DTYPE, ["int64", "float32"]),
    ("add a string", lambda s: s.a + "1", TYPE, ["str"]),
    ("add of a string", lambda s: bolide.add(s.a, "1"), TYPE, ["other", "str"]),
    ("sum of a list", lambda s: bolide.sum([1, 2]), TYPE, ["Tensor", "list"]),
    ("an unknown argument", lambda s: s.a.sum(axles=1), TYPE, ["axles"]),
    ("an argument too many", lambda s: bolide.exp(s.a, s.a, s.a), TYPE, ["exp"]),
    ("an argument twice", lambda s: bolide.sum(s.a, input=s.a), TYPE, ["input"]),
    ("a dtype that is none", lambda s: bolide.zeros(2, dtype="float32"), TYPE, ["dtype", "str"]),
]  # fmt: skip

DIMS = [
    ("sum", lambda s: s.a.sum(2), INDEX, ["[-2, 1]", "2"]),
    ("sum, negative", lambda s: s.a.sum(-3), INDEX, ["[-2, 1]", "-3"]),
    ("sum of a dim twice", lambda s: s.a.sum((0, -2)), RUNTIME, ["once", "[0, -2]"]),
    ("a 0-d tensor", lambda s: s.a[0, 0].sum(1), INDEX, ["[-1, 0]", "1"]),
    ("an empty tensor", lambda s: s.a[:0].sum(2), INDEX, ["[-2, 1]", "2"]),
    ("softmax", lambda s: s.a.softmax(2), INDEX, ["[-2, 1]", "2"]),
    ("cat", lambda s: bolide.cat([s.a, s.a], 2), INDEX, ["[-2, 1]", "2"]),
    ("stack", lambda s: bolide.stack([s.a, s.a], 3), INDEX, ["[-3, 2]", "3"]),
    ("transpose", lambda s: s.a.transpose(0, 5), INDEX, ["[-2, 1]", "5"]),
    ("permute, a dim twice", lambda s: s.a.permute(0, 0), RUNTIME, ["[0, 0]"]),
    ("unsqueeze", lambda s: s.a.unsqueeze(4), INDEX, ["[-3, 2]", "4"]),
    ("a float", lambda s: s.a.sum(1.0), TYPE, ["float"]),
    ("beyond 64 bits", lambda s: s.a.sum(2**70), (OverflowError, ), [str(2**70)]),
    ("an index beyond 64 bits", lambda s: s.a[2**70], INDEX, [str(2**70)]),
    ("select", lambda s: s.a.select(0, 3), INDEX, ["[-3, 2]", "3"]),
    ("an int", lambda s: s.a[3], INDEX, ["[-3, 2]", "3"]),
    ("an int, negative", lambda s: s.a[-4], INDEX, ["[-3, 2]", "-4"]),
    ("too many keys", lambda s: s.a[0, 0, 0], INDEX, ["2", "3"]),
    ("a step of zero", lambda s: s.a[::0], VALUE, ["zero"]),
    ("a step backwards", lambda s: s.a[::-1], VALUE, ["-1"]),
    ("narrow", lambda s: s.a.narrow(0, 2, 5), SHAPE, ["3", "5", "2"]),
    ("a mask of another shape", lambda s: s.a[bolide.ones(4, 3, **ON) > 0], INDEX, ["[3, 4]", "[4, 3]"]),
    ("gather", lambda s: s.a.gather(1, s.i), SHAPE, ["2", "[6]"]),
    ("tril", lambda s: s.i.tril(), SHAPE, ["2 dimensions", "[6]"]),
    ("padding_idx", lambda s: F.embedding(s.i[:2], s.a, padding_idx=7), INDEX, ["[-3, 2]", "7"]),
]  # fmt: skip

HUGE = 1 << 62
SIZES = [
    ("a product beyond 64 bits", lambda s: bolide.empty(2, 2, 1, HUGE, **ON), SHAPE, ["63 bits", str(HUGE)]),
    ("bytes beyond 64 bits", lambda s: bolide.empty(HUGE // 2, dtype=bolide.float64, **ON), SHAPE, [str(HUGE // 2)]),
    ("a negative size", lambda s: bolide.zeros(3, -1, **ON), SHAPE, ["zero or more", "[3, -1]"]),
    ("more than there is", lambda s: bolide.empty(1 << 50, **ON), (bolide.OutOfMemoryError, RuntimeError, MemoryError), [str(1 << 52)]),
    ("expand", lambda s: s.row.expand(HUGE, HUGE, 1, 4), SHAPE, [str(HUGE)]),
    ("repeat", lambda s: s.a.repeat(HUGE, HUGE), (OverflowError,), [str(HUGE)]),
    ("arange", lambda s: bolide.arange(0, 1e30, 1e-3, **ON), VALUE, ["1e+33"]),
    ("linspace", lambda s: bolide.linspace(0, 1, -1, **ON), VALUE, ["zero or more", "-1"]),
    ("one_hot", lambda s: bolide._C.one_hot(bolide.tensor([2**62], **ON)), SHAPE, [str(2**62 + 1)]),
    ("an int beyond 64 bits", lambda s: s.i + 2**70, (OverflowError,), [str(2**70)]),
    ("an int that the dtype does not hold", lambda s: bolide.tensor([300], dtype=bolide.uint8), (OverflowError,), ["uint8", "300"]),
]  # fmt: skip

VALUES = [
    ("dropout", lambda s: F.dropout(s.a, 1.5), VALUE, ["0", "1", "1.5"]),
    ("dropout of NaN", lambda s: F.dropout(s.a, math.nan), VALUE, ["nan"]),
    ("conv2d stride", lambda s: F.conv2d(s.image, s.image, stride=0), RUNTIME, ["stride", "0"]),
    ("conv2d groups", lambda s: F.conv2d(s.image, s.image, groups=0), RUNTIME, ["groups", "0"]),
    ("max_pool2d padding", lambda s: F.max_pool2d(s.image, 2, padding=2), RUNTIME, ["2"]),
    ("a loss's reduction", lambda s: F.nll_loss(s.a, s.i[:3], reduction="most"), VALUE, ["mean", "most"]),
    ("label_smoothing", lambda s: F.cross_entropy(s.a, s.i[:3], label_smoothing=2.0), VALUE, ["2"]),
    ("a class too large", lambda s: F.nll_loss(s.a, s.i[2:5]).tolist(), INDEX, ["[0, 3]", "4"]),
    ("ragged lists", lambda s: bolide.tensor([[1.0, 2.0], [3.0]]), VALUE, ["2 and 1"]),
    ("a number beside a list", lambda s: bolide.tensor([[1.0], 2.0]), VALUE, ["depth"]),
    ("an empty list of tensors", lambda s: bolide.cat([]), VALUE, ["at least one", "none"]),
    ("clamp without bounds", lambda s: s.a.clamp(), RUNTIME, ["min or max", "None"]),
    ("no threads", lambda s: bolide.set_num_threads(0), VALUE, ["0"]),
    ("randint without numbers", lambda s: bolide.randint(3, 3, (2,), **ON), VALUE, ["3"]),
    ("arange with a step of zero", lambda s: bolide.arange(0, 3, 0, **ON), VALUE, ["step"]),
    ("arange in the wrong direction", lambda s: bolide.arange(0, 3, -1, **ON), VALUE, ["-1"]),
    ("an empty argmax", lambda s: s.a[:0].argmax(), (IndexError, ), ["at least one", "[0, 4]"]),
]  # fmt: skip

DEVICES = [
    ("unknown", lambda s: bolide.ones(2, device="gpu"), (RuntimeError,), ["cpu", "cuda", "gpu"]),
    ("a number that is not there", lambda s: bolide.ones(2, device="cuda:77"), (RuntimeError,), ["77" if DEVICE == "cuda" else "cuda"]),
    ("a negative number", lambda s: bolide.ones(2, device="cuda:-2"), (RuntimeError,), ["-2"]),
    ("no device at all", lambda s: bolide.ones(2, device=3.5), TYPE, ["float"]),
]  # fmt: skip


def version_mismatch(s):
    saved = s.a.clone().requires_grad_()
    y = saved * 1
    z = y.exp().sin()
    w = y.square()
    y.mul_(2)
    return z, w


def backward_twice(s):
    y = (s.leaf * s.leaf).sum()
    bolide.autograd.grad(y, s.leaf)
    y.backward()


AUTOGRAD = [
    ("in-place on a leaf", lambda s: s.leaf.add_(1), RUNTIME, ["leaf"]),
    ("in-place on a view of a leaf", lambda s: s.leaf[0].mul_(2), RUNTIME, ["view of a leaf"]),
    ("assignment to a leaf", lambda s: s.leaf.__setitem__(0, 1.0), RUNTIME, ["leaf"]),
    ("in-place on a broadcast view", lambda s: s.wide.add_(1), RUNTIME, ["expanded"]),
    ("copy_ to a broadcast view", lambda s: s.wide.copy_(s.a), RUNTIME, ["expanded"]),
    ("indexed assignment to a broadcast view", lambda s: s.wide.__setitem__(s.i[:1], 3.0), RUNTIME, ["expanded"]),
    ("out= that wants a gradient", lambda s: bolide.exp(s.a, out=s.leaf), RUNTIME, ["out="]),
    ("changed after it was saved", lambda s: version_mismatch(s)[1].sum().backward(), RUNTIME, ["version 0", "version 1", "in-place"]),
    ("backward twice", backward_twice, RUNTIME, ["retain_graph"]),
    ("backward without a graph", lambda s: s.a.sum().backward(), RUNTIME, ["requires grad"]),
    ("grad of what was not used", lambda s: bolide.autograd.grad(s.result.sum(), s.leaf.detach().requires_grad_()), RUNTIME,
     ["allow_unused"]),
    ("numpy() of what requires grad", lambda s: s.leaf.numpy(), (RuntimeError,), ["detach"]),
    ("requires_grad off, of a result", lambda s: s.result.requires_grad_(False), RUNTIME, ["leaf"]),
    ("deepcopy of a result", lambda s: __import__("copy").deepcopy(s.result), RUNTIME, ["leaf"]),
]  # fmt: skip

TABLE = [(group, *line) for group, lines in (("shape", SHAPES), ("dtype", DTYPES), ("dim", DIMS), ("size", SIZES),
         ("value", VALUES), ("device", DEVICES), ("autograd", AUTOGRAD)) for line in lines]  # fmt: skip


@pytest.mark.parametrize("line", TABLE, ids=lambda line: f"{line[0]}: {line[1]}".replace(" ", "_"))
def test_bad_input(line):
    _, _, call, types, words = line
    inputs = Inputs()
    before = inputs.snapshot()
    with pytest.raises(types[0]) as raised:
        call(inputs)
    text = str(raised.value)
    for kind in types:
        assert isinstance(raised.value, kind), f"{type(raised.value)} is no {kind}"
    missing = [word for word in words if word not in text]
    assert not missing, f"{missing} not in {text!r}"
    now = inputs.snapshot()
    assert now == before


def test_every_error_of_an_op_says_what_was_expected_and_what_came():
    """The texts of the table have one form: "[op] expected X, got Y." """
    others = []
    for group, what, call, *_ in TABLE:
        try:
            call(Inputs())
        except Exception as error:
            text = str(error)
            if not (text.startswith("[") and " expected " in text and ", got " in text):
                others.append((group, what, text))
    # Python's own wording, where Python finds the error, and PyTorch's in the frontend.
    assert len(others) <= 10, others


# ---- optimizers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf, "much"], ids=str)
@pytest.mark.parametrize("option", ["lr", "eps", "weight_decay", "betas", "momentum"])
def test_options_of_optimizers(option, value):
    weight = bolide.ones(2, requires_grad=True, **ON)
    kinds = [optim.SGD] if option == "momentum" else [optim.Adam, optim.AdamW]
    kinds += [optim.SGD] if option in ("lr", "weight_decay") else []
    for kind in kinds:
        given = (0.9, value) if option == "betas" else value
        error, text = (TypeError, "str") if isinstance(value, str) else (ValueError, str(value))
        with pytest.raises(error, match=text):
            kind([weight], **({"lr": 0.1} | {option: given}))
    assert weight.tolist() == [1.0, 1.0]


def test_a_step_that_is_refused_changes_nothing():
    """The second parameter's gradient does not fit: the first parameter is not updated either."""
    first, second = (bolide.ones(3, requires_grad=True, **ON) for _ in range(2))
    grads = [bolide.ones(3, **ON), bolide.ones(4, **ON)]
    averages = [bolide.zeros(3, **ON) for _ in range(4)]
    with pytest.raises(RuntimeError, match=r"\[3\].*\[4\]"):
        bolide._C._adam_step([first, second], grads, averages[:2], averages[2:], [], 1, 0.1, 0.9, 0.999, 1e-8, 0.0, False,
                             False, False)  # fmt: skip
    assert first.tolist() == second.tolist() == [1.0] * 3
    assert all(a.tolist() == [0.0] * 3 for a in averages)


# ---- memory --------------------------------------------------------------------------------------


def test_out_of_memory_says_what_was_asked_and_leaves_the_pool_usable():
    before = bolide._C._memory_stats(DEVICE)
    x = bolide.ones(4, **ON)
    with pytest.raises(bolide.OutOfMemoryError) as raised:
        bolide.empty(1 << 48, dtype=bolide.float64, **ON)
    assert str(1 << 51) in str(raised.value)
    assert (x + x).tolist() == [2.0] * 4
    del x, raised
    after = bolide._C._memory_stats(DEVICE)
    assert (
        after["live_blocks"] == before["live_blocks"] and after["allocated"] == before["allocated"]
    )


def test_out_of_memory_in_a_backward_leaves_nothing_behind():
    """No leaf has a gradient, what the graph held is free again, and the same step works once there is memory."""
    size = 1 << 20
    leaf = bolide.full((size,), 2.0, requires_grad=True, **ON)

    def loss():
        return (leaf * leaf).exp().sum()

    loss().backward()  # what is made once and kept is there
    leaf.grad = None
    before = bolide._C._memory_stats(DEVICE)["live_blocks"]
    filler, whole = [], bolide._C._cuda_memory_info()[1] if DEVICE == "cuda" else 1 << 40
    result = loss()
    bolide._C._empty_cache(DEVICE)
    try:
        bolide._C._set_memory_limit(DEVICE, bolide._C._memory_stats(DEVICE)["reserved"])
        while (free := bolide._C._memory_stats(DEVICE)["largest_free"]) >= 4 * size:
            filler.append(bolide.empty(free, dtype=bolide.uint8, **ON))
        with pytest.raises(bolide.OutOfMemoryError, match="live in"):
            result.backward()
    finally:
        bolide._C._set_memory_limit(DEVICE, whole)
    assert leaf.grad is None
    del result, filler
    assert bolide._C._memory_stats(DEVICE)["live_blocks"] == before
    loss().backward()
    assert leaf.grad[size - 1].item() == pytest.approx(4 * math.exp(4))


# ---- threads (signals: test_interrupts.py) ---------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 123_456, 999_999])
def test_an_error_in_a_worker_thread_comes_out_once(place):
    """An index out of range, found by whichever thread has that part; the threads go on working afterwards."""
    threads = bolide.get_num_threads()
    bolide.set_num_threads(4)
    try:
        table = bolide.arange(100.0, **ON).reshape(50, 2)
        index = bolide.zeros(1_000_000, dtype=bolide.int64, **ON)
        index[place] = 50
        for _ in range(3):
            with pytest.raises(IndexError, match=r"50") as raised:
                table[index].sum().item()
            assert "[-50, 49]" in str(raised.value)
        index[place] = 49
        assert table[index][place].tolist() == [98.0, 99.0]
        assert bolide.ones(1_000_000, **ON).sum().item() == 1e6
    finally:
        bolide.set_num_threads(threads)


# ---- files ---------------------------------------------------------------------------------------


def test_hostile_files(tmp_path):
    """One of each kind; test_io.py has the rest."""
    path = tmp_path / "weights.safetensors"
    path.write_bytes((1 << 60).to_bytes(8, "little") + b"{}")
    with pytest.raises(ValueError, match=str(1 << 60)):
        bolide.io.load_safetensors(path)
    images = tmp_path / "images-idx3-ubyte.gz"
    images.write_bytes(gzip.compress(bytes([0, 0, 8, 3]) + (1 << 31).to_bytes(4, "big") * 3))
    with pytest.raises(ValueError, match=os.path.basename(images)):
        bolide.io.read_idx(images)
