"""The way from Python to an op: arguments, overloads, errors, objects and their lives."""

import contextlib
import copy
import gc
import math
import pickle
import sys
import threading
import weakref

import bolide
import pytest


class Named(bolide.Tensor):
    """A subclass with nothing of its own."""


@pytest.fixture
def a(device):
    return bolide.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], device=device)


def raises(error, text, function, *args, **named):
    with pytest.raises(error) as found:
        function(*args, **named)
    assert text in str(found.value), str(found.value)
    return found.value


# ---- arguments --------------------------------------------------------------------------------------------------


def test_positional_and_keyword_arguments_are_the_same(a):
    wanted = a.sum(0, True).tolist()
    for form in (
        a.sum(dim=0, keepdim=True),
        bolide.sum(a, 0, keepdim=True),
        bolide.sum(input=a, dim=0, keepdim=True),
        a.sum(**{"dim": [0], "keepdim": True}),
        bolide.sum(x=a, axis=0, keepdims=True),
    ):
        assert form.tolist() == wanted


def test_a_keyword_that_is_not_interned(a):
    name = "".join(["d", "i", "m"])
    assert a.sum(**{name: 1}).tolist() == [6.0, 15.0]


@pytest.mark.parametrize("size", [(2, 3), [2, 3]])
def test_sizes_one_by_one_or_together(size):
    for tensor in (bolide.empty(*size), bolide.empty(size), bolide.empty(size=size)):
        assert tensor.shape == (2, 3)
    assert bolide.ones(6).reshape(*size).shape == bolide.ones(6).reshape(size).shape == (2, 3)
    assert bolide.ones(1, 3).expand(*size).shape == bolide.ones(1, 3).expand(size).shape == (2, 3)


def test_wrong_arguments_name_the_argument_and_what_was_given(a):
    raises(TypeError, "[sum] expected dim: int", a.sum, "x")
    raises(
        TypeError,
        "[sum] expected arguments of the signature, got an unknown one, 'foo'",
        a.sum,
        foo=1,
    )
    raises(TypeError, "[sum] expected at most 2 positional", a.sum, 0, True, None)
    raises(TypeError, "[sum] expected 'dim' once, got it twice", lambda: a.sum(0, dim=0))
    raises(TypeError, "[relu] expected input: Tensor", bolide.relu, "x")
    raises(TypeError, "[add] expected argument 'other', got none", a.add)
    raises(TypeError, "[add] expected other: Tensor or number, got str", a.add, "x")
    raises(TypeError, "[matmul] expected other: Tensor, got int", bolide.matmul, a, 1)
    raises(TypeError, "[transpose] expected dim1: int, got float", a.transpose, 0, 1.0)
    raises(TypeError, "[cat] expected a sequence of Tensors (item 1), got int", bolide.cat, [a, 1])
    raises(TypeError, "[max] expected (input | input, dim", bolide.max, a, "x")


@pytest.mark.parametrize("value", [None, "x", b"x", object(), {}, [], print, 1j, float("nan")])
def test_no_argument_crashes(a, value):
    """Whatever is passed anywhere, the answer is a result or a Python error."""
    errors = (
        TypeError,
        ValueError,
        RuntimeError,
        IndexError,
        OverflowError,
        BufferError,
        AttributeError,
    )
    names = [name for name in dir(bolide.Tensor) if not name.startswith("__")]
    for name in names:
        for args in ((value,), (value, value), (0, value)):
            with contextlib.suppress(*errors):
                getattr(a.clone(), name)(*args)
    for name in dir(bolide._C):
        function = getattr(bolide._C, name)
        if name.startswith("_") or isinstance(function, type) or not callable(function):
            continue
        for args in ((value,), (a, value), (a, 0, value), (a, a, value)):
            with contextlib.suppress(*errors):
                function(*args)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**400])
def test_huge_numbers_are_errors(a, number):
    for call in (
        lambda: a.int() + number,
        lambda: a[number],
        lambda: a.sum(number),
        lambda: a.view(number),
        lambda: bolide.empty(number),
        lambda: bolide.tensor([number]),
        lambda: bolide.arange(number),
        lambda: a.int().fill_(number),
    ):
        with pytest.raises((OverflowError, IndexError, ValueError, RuntimeError)):
            call()
    far = abs(number)
    assert a[-far:far].shape == (2, 3) and a[far:].shape == (0, 3) and a[:-far].shape == (0, 3)


def test_sizes_that_overflow_are_errors():
    for sizes in [(2**62, 4), (2**40, 2**40), (-1,), (2**31, 2**31, 2**31)]:
        with pytest.raises(RuntimeError):
            bolide.empty(sizes)


def test_overloads_by_type(a):
    assert a.max().item() == 6.0
    pair = bolide.max(a, 1)
    assert pair.values.tolist() == [3.0, 6.0] and pair.indices.tolist() == [2, 2]
    values, indices = a.max(dim=0, keepdim=True)
    assert values.shape == indices.shape == (1, 3)
    assert type(pair).__name__ == "max" and "values=" in repr(pair)
    assert bolide.max(a, other=a * 2).tolist() == (a * 2).tolist() == a.max(a * 2).tolist()
    assert a.var().item() == pytest.approx(3.5)
    assert (
        a.var(False).item()
        == a.var(unbiased=False).item()
        == a.var(correction=0).item()
        == pytest.approx(35 / 12)
    )
    assert a.var(0, False).tolist() == a.var(dim=0, correction=0).tolist() == [2.25] * 3
    assert a.std(1, keepdim=True).tolist() == [[1.0], [1.0]]
    assert (
        bolide.arange(3).tolist()
        == [0, 1, 2]
        == bolide.arange(0, 3).tolist()
        == bolide.arange(0, 3, 1).tolist()
    )
    assert bolide.randint(1, (2,)).tolist() == [0, 0] and bolide.randint(5, 6, (2,)).tolist() == [
        5,
        5,
    ]


def test_bool_is_no_int(a):
    raises(TypeError, "dim", a.sum, True)
    raises(TypeError, "dim0", a.transpose, True, False)


def test_extra_arguments_of_elementwise_ops(device):
    x = bolide.tensor([1.0, -7.0], device=device)
    y = bolide.tensor([2.0, 2.0], device=device)
    assert bolide.add(x, y, alpha=3).tolist() == [7.0, -1.0] == x.add(2, alpha=3).tolist()
    assert x.sub(y, alpha=0.5).tolist() == [0.0, -8.0]
    assert x.clone().add_(y, alpha=2).tolist() == [5.0, -3.0]
    assert bolide.div(x, y, rounding_mode="floor").tolist() == [0.0, -4.0]
    assert bolide.div(x, y, rounding_mode="trunc").tolist() == [0.0, -3.0]
    i, j = (
        bolide.tensor([7, -7, 7, -7, 6], device=device),
        bolide.tensor([2, 2, -2, -2, 3], device=device),
    )
    assert i.div(j, rounding_mode="trunc").tolist() == [3, -3, -3, 3, 2]
    assert i.div(j, rounding_mode="floor").tolist() == [3, -4, -4, 3, 2]
    assert i.div(j, rounding_mode="trunc").dtype == bolide.int64
    raises(RuntimeError, "rounding_mode", x.div, y, rounding_mode="up")
    raises(TypeError, "an integer", i.add, j, alpha=0.5)
    assert bolide.addcmul(x, y, y, value=2).tolist() == [9.0, 1.0]
    assert bolide.round(bolide.tensor(2.345, device=device), decimals=2).item() == pytest.approx(
        2.34, abs=0.006
    )
    out = bolide.empty(2, device=device)
    assert bolide.add(x, y, out=out) is out and out.tolist() == [3.0, -5.0]


def test_a_sum_with_alpha_is_one_op_under_its_own_name(device):
    x = bolide.tensor([1.0, 2.0], device=device)
    raises(bolide.ShapeError, "[add]", x.add, bolide.ones(3, device=device), alpha=2)
    raises(bolide.ShapeError, "[sub", x.sub_, bolide.ones(3, device=device), alpha=2)
    out = bolide.empty(2, device=device)
    assert bolide.sub(x, 1, alpha=3, out=out) is out and out.tolist() == [-2.0, -1.0]
    assert bolide.add(2, x, alpha=-1).tolist() == [1.0, 0.0]
    y = bolide.ones(2, device=device, requires_grad=True)
    for f, slope in ((bolide.add, 2.5), (bolide.sub, -2.5)):
        z = f(x, y, alpha=2.5)
        assert type(z.grad_fn).__name__.lower() == f.__name__ + "backward0"
        assert bolide.autograd.grad(z.sum(), y)[0].tolist() == [slope, slope]
    # 3 * 1.0009765625 is no float16: it is not rounded before the sum
    half = bolide.tensor([1.0009765625], dtype=bolide.float16, device=device)
    minus = bolide.tensor([-3.0], dtype=bolide.float16, device=device)
    assert minus.add(half, alpha=3).item() == 0.0029296875
    small = bolide.tensor([3, 250], dtype=bolide.uint8, device=device)
    assert bolide.sub(small, small, alpha=-2).tolist() == [9, 238]  # modulo 256
    assert small.clone().add_(small, alpha=-1).tolist() == [0, 0]


@pytest.mark.parametrize("dtype", [bolide.float32, bolide.float64, bolide.float16])
def test_clamp_with_nan(device, dtype):
    nan = math.nan
    x = bolide.tensor([-2.0, 0.5, nan, math.inf], dtype=dtype, device=device)
    for bounds in ((nan, 1), (0, nan), (nan, nan)):
        assert x.clamp(*bounds).isnan().all()
        as_tensors = (bolide.tensor(float(b), dtype=dtype, device=device) for b in bounds)
        assert bolide.clamp(x, *as_tensors).isnan().all()
    assert str(x.clamp(0, 1).tolist()) == "[0.0, 0.5, nan, 1.0]"
    assert str(x.clamp(3, 1).tolist()) == "[1.0, 1.0, nan, 1.0]"  # the upper bound wins
    assert str(x.clamp(-math.inf, math.inf).tolist()) == "[-2.0, 0.5, nan, inf]"


def test_clamp_with_one_bound(device):
    x = bolide.tensor([-2.0, 0.5, 3.0], device=device)
    assert x.clamp(min=0).tolist() == [0.0, 0.5, 3.0]
    assert x.clamp(max=1).tolist() == [-2.0, 0.5, 1.0] == x.clip(None, 1).tolist()
    assert bolide.clamp(x, -1, 1).tolist() == [-1.0, 0.5, 1.0]
    for dtype in (bolide.uint8, bolide.int8, bolide.int16, bolide.int32, bolide.int64):
        i = bolide.tensor([1, 5, 100], dtype=dtype, device=device)
        assert i.clamp(min=3).tolist() == [3, 5, 100] and i.clamp(max=7).tolist() == [1, 5, 7]
        assert i.clamp(min=3).dtype == dtype
        assert i.clamp(min=2.5).dtype == bolide.float32
    assert x.clamp(min=bolide.zeros(3, device=device)).tolist() == [0.0, 0.5, 3.0]
    raises(RuntimeError, "min or max", x.clamp)
    assert x.clamp_(0, 1) is x and x.tolist() == [0.0, 0.5, 1.0]


# ---- objects ----------------------------------------------------------------------------------------------------


def test_one_object_per_tensor(device):
    x = bolide.ones(2, requires_grad=True, device=device)
    (x * 2).sum().backward()
    assert x.grad is x.grad and (x.cpu() is x) == (device == "cpu")
    assert x.to(x.dtype) is x and x.contiguous() is x
    y = x.detach()
    assert y.add_(1) is y and y.requires_grad_(False) is y


def test_attributes_and_type_survive_while_only_cpp_holds_the_tensor(device):
    x = bolide.ones(2, requires_grad=True, device=device)
    (x * 2).sum().backward()
    x.grad.note = "kept"
    gc.collect()
    assert x.grad.note == "kept"

    class Square(bolide.autograd.Function):
        @staticmethod
        def forward(ctx, t):
            kept = Named(t.detach())
            kept.note = "inside"
            ctx.save_for_backward(t, kept)
            return t * t

        @staticmethod
        def backward(ctx, g):
            t, kept = ctx.saved_tensors
            assert type(kept) is Named and kept.note == "inside"
            return 2 * t * g

    y = Square.apply(x)
    gc.collect()
    y.sum().backward()
    assert x.grad.tolist() == [4.0, 4.0]


def test_weak_references_and_attributes_with_cycles():
    for make in (lambda: bolide.ones(2) + 1, lambda: Named(bolide.ones(2))):
        x = make()
        x.name, x.me = "w", x
        x.__dict__["list"] = [x]
        ref = weakref.ref(x)
        assert ref() is x
        del x
        gc.collect()
        assert ref() is None


def test_a_cycle_through_a_hook_is_collected():
    class Mark:
        pass

    for make in (
        lambda: bolide.ones(2, requires_grad=True),
        lambda: bolide.ones(2, requires_grad=True) * 2,
    ):
        x, mark = make(), Mark()
        ref = weakref.ref(mark)
        x.register_hook(lambda g, x=x, mark=mark: None)
        del x, mark
        gc.collect()
        assert ref() is None


def test_objects_are_not_leaked(device):
    def work():
        x = bolide.ones(4, requires_grad=True, device=device)
        y = (x * 2).relu()[1:].sum()
        y.backward()
        z = Named(x.detach())
        z.extra = [y]
        return x.grad.numpy() if device == "cpu" else x.grad

    for _ in range(3):
        work()
    gc.collect()
    nodes, before = bolide._C._live_nodes(), len(gc.get_objects())
    blocks = bolide._C._memory_stats(device)["live_blocks"]
    for _ in range(200):
        work()
    gc.collect()
    assert bolide._C._live_nodes() == nodes
    assert len(gc.get_objects()) <= before + 20
    assert bolide._C._memory_stats(device)["live_blocks"] <= blocks + 2


def test_references_of_arguments_are_balanced(device):
    x = bolide.ones(3, device=device)
    shape, key, other = (1, 3), (slice(None),), [1.0, 2.0, 3.0]
    counts = [sys.getrefcount(o) for o in (x, shape, key, other, None)]
    for _ in range(1000):
        for value in (x + x, x.reshape(shape), x[key], x.sum(dim=0, keepdim=True), x == None):  # noqa: E711
            assert value is not x
        assert bolide.tensor(other).shape and x.shape and x.dtype and x.device and x.grad is None
        with pytest.raises(TypeError):
            x.sum("x")
    after = [sys.getrefcount(o) for o in (x, shape, key, other, None)]
    assert all(abs(b - c) < 50 for b, c in zip(after, counts, strict=True)), (counts, after)


def test_subclasses(device):
    x = Named(bolide.ones(2, device=device))
    assert isinstance(x, bolide.Tensor) and type(x + 1) is Named
    y = pickle.loads(pickle.dumps(x))
    assert type(y) is Named and y.tolist() == x.tolist()

    class WithInit(bolide.Tensor):
        def __new__(cls, data, tag):
            return bolide.Tensor.__new__(cls, data)

        def __init__(self, data, tag):
            self.tag = tag

        def __radd__(self, other):
            return "mine"

    z = WithInit(bolide.ones(1), "t")
    assert z.tag == "t" and (1.0 + z) == "mine" and z.data_ptr() != 0


def test_construction():
    assert bolide.Tensor([1, 2]).dtype == bolide.float32 and bolide.Tensor(2, 3).shape == (2, 3)
    assert bolide.Tensor().shape == (0,)
    x = bolide.ones(2)
    assert bolide.Tensor(x).data_ptr() == x.data_ptr() and bolide.Tensor(x) is not x


def test_deleting_and_setting_odd_attributes(a):
    with pytest.raises(AttributeError):
        a.shape = (1,)
    with pytest.raises(AttributeError):
        del a.dtype
    with pytest.raises(TypeError):
        del a.requires_grad
    with pytest.raises(TypeError):
        del a.data
    with pytest.raises(TypeError):
        a.data = None
    with pytest.raises((TypeError, RuntimeError)):
        a.grad = "x"
    with pytest.raises(TypeError):
        del a[0]
    del a.grad
    a.__dict__ = {"x": 1}
    assert a.x == 1


def test_pickling_and_copying(device):
    x = bolide.tensor([[1.0, 2.0]], device=device, requires_grad=True)
    x.tag = ["t"]
    for y in (
        pickle.loads(pickle.dumps(x)),
        copy.deepcopy(x),
        pickle.loads(pickle.dumps(x, protocol=2)),
    ):
        assert (
            y.tolist() == x.tolist() and y.requires_grad and y.tag == ["t"] and y.tag is not x.tag
        )
        assert y.device == x.device and y.data_ptr() != x.data_ptr()
    assert copy.copy(x).data_ptr() == x.data_ptr()
    memo = [x, x]
    twice = copy.deepcopy(memo)
    assert twice[0] is twice[1]
    raises(RuntimeError, "leaf", copy.deepcopy, x * 2)
    for o in (bolide.float32, bolide.device("cuda:1"), bolide.Size([2, 3])):
        again = pickle.loads(pickle.dumps(o))
        assert again == o and type(again) is type(o)
    assert (
        pickle.loads(pickle.dumps(bolide.float32))
        is bolide.float32
        is copy.deepcopy(bolide.float32)
    )
    for dtype in (bolide.bfloat16, bolide.float16, bolide.bool, bolide.complex64):
        z = bolide.ones(3, dtype=dtype, device=device)
        assert pickle.loads(pickle.dumps(z)).tolist() == z.tolist()
    x.grad = bolide.ones(1, 2, device=device)
    assert copy.deepcopy(x).grad.tolist() == [[1.0, 1.0]]


def test_tensors_of_threads_die_in_others(device):
    made = []

    def make():
        for _ in range(200):
            x = bolide.ones(8, requires_grad=True, device=device)
            x.tag = object()
            made.append((x * 2, x))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(y.sum().item() for y, _ in made) == 800 * 16
    made.clear()
    gc.collect()


def test_the_stub_has_every_function_and_method():
    from bolide._stubs import stub_text

    text = stub_text()
    compile(text, "_C.pyi", "exec")
    for name in ("add", "sum", "max", "conv2d", "tensor", "manual_seed", "no_such"):
        assert (f"def {name}(" in text) == (name != "no_such")
    assert "def add_(self, other: Tensor | Number, *, alpha: Number = 1) -> Tensor" in text


def test_signatures_can_be_inspected():
    import inspect

    wanted = {
        bolide.add: "(input, other, *, alpha=1, out=None)",
        bolide.Tensor.add_: "(self, other, *, alpha=1)",
        bolide.Tensor.reshape: "(self, *shape)",
        bolide.zeros: "(*size, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False)",
        bolide.softplus: "(input, beta=1.0, threshold=20.0, *, out=None)",
        bolide.gelu: "(input, approximate='none')",
    }
    for function, text in wanted.items():
        assert str(inspect.signature(function)).replace("self, /, ", "self, ") == text
    assert bolide.add.__doc__.startswith("Sum.")


def test_every_function_has_a_docstring():
    missing = [
        name
        for name, value in vars(bolide._C).items()
        if callable(value) and not name.startswith("_") and not (value.__doc__ or "").strip()
    ]
    assert missing == []
