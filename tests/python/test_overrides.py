"""Subclasses of Tensor stay what they are through ops, and classes answer calls: __torch_function__."""

import copy
import pickle
import typing

import bolide
import pytest
from bolide import overrides


class Plain(bolide.Tensor):
    """Has nothing of its own."""


class Logged(bolide.Tensor):
    calls: typing.ClassVar[list] = []

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        cls.calls.append((func.__name__, types, args, dict(kwargs or {})))
        return super().__torch_function__(func, types, args, kwargs)


@pytest.fixture(autouse=True)
def nothing_logged():
    Logged.calls.clear()


def plain(*shape):
    return bolide.arange(1.0, 1 + bolide.empty(shape).numel()).view(shape).as_subclass(Plain)


RESULTS = {
    "a method": lambda x: x.sin(),
    "a function": lambda x: bolide.sin(x),
    "a keyword": lambda x: bolide.sum(input=x, dim=0),
    "an overload": lambda x: x.max(0),
    "an operator": lambda x: x + 1,
    "the other operand": lambda x: bolide.ones(2, 3) + x,
    "a number on the left": lambda x: 2 - x,
    "a comparison": lambda x: x > 2,
    "a product": lambda x: x @ x.T,
    "a negative": lambda x: -x,
    "an index": lambda x: x[0],
    "a mask": lambda x: x[x > 2],
    "a row": lambda x: next(iter(x)),
    "a list of tensors": lambda x: bolide.cat([bolide.ones(2, 3), x]),
    "parts": lambda x: x.split(1),
    "an attribute": lambda x: x.T,
    "a copy": lambda x: x.clone(),
    "another dtype": lambda x: x.double(),
    "new elements": lambda x: x.new_zeros(2),
    "a Python function": lambda x: bolide.einsum("ij,kj->ik", x, x),
    "a detached one": lambda x: x.detach(),
    "data": lambda x: x.data,
    "a deep copy": copy.deepcopy,
    "a pickled one": lambda x: pickle.loads(pickle.dumps(x)),
}


@pytest.mark.parametrize("name", RESULTS)
def test_what_comes_of_a_subclass_is_one(name):
    x = plain(2, 3)
    expected = RESULTS[name](bolide.arange(1.0, 7.0).view(2, 3))
    found = RESULTS[name](x)
    several = isinstance(found, tuple)
    assert not several or type(found).__name__ == type(expected).__name__
    for y, wanted in zip(found, expected, strict=True) if several else [(found, expected)]:
        assert type(y) is Plain and y.dtype == wanted.dtype and y.tolist() == wanted.tolist()


def test_what_is_no_tensor_stays():
    x = plain(3)
    assert type(x.tolist()) is list and x.sum().item() == 6.0 and type(x.shape) is bolide.Size
    assert x.dim() == 1 and bool((x > 0).all()) and float(x[0]) == 1.0 and len(x) == 3
    assert repr(x) == "Plain([1., 2., 3.])"


def test_in_place_ops_give_the_object_itself():
    x = plain(3)
    y = x
    y += 1
    assert y is x and x.add_(1) is x and x.tolist() == [3.0, 4.0, 5.0]
    x[0] = 9
    x[1:] = bolide.zeros(2)
    assert x.tolist() == [9.0, 0.0, 0.0] and type(x) is Plain
    out = bolide.empty(3)
    bolide.exp(x * 0, out=out)
    assert out.tolist() == [1.0, 1.0, 1.0]


def test_history_and_gradients():
    x = plain(3).requires_grad_()
    y = (x * x).sum()
    assert type(y) is Plain and y.requires_grad
    y.backward()
    assert type(x.grad) is bolide.Tensor and x.grad.tolist() == [2.0, 4.0, 6.0]
    (g,) = bolide.autograd.grad((x * 3).sum(), x)
    assert g.tolist() == [3.0] * 3
    base = bolide.ones(2, requires_grad=True)
    shared = base.as_subclass(Plain)
    assert shared.data_ptr() == base.data_ptr() and shared.grad_fn is not None
    (shared * 5).sum().backward()
    assert base.grad.tolist() == [5.0, 5.0]


def test_parameters_are_tensors_to_every_op():
    p = bolide.nn.Parameter(bolide.ones(2, 2))
    for y in (p + 1, p.sin(), p[0], p.T, p.detach(), bolide.cat([p, p]), p.data, next(iter(p))):
        assert type(y) is bolide.Tensor
    assert type(plain(2, 2) @ p) is Plain


def test_a_class_is_told_what_was_called():
    x = bolide.ones(2).as_subclass(Logged)
    for call, name, args, kwargs in [
        (lambda: bolide.add(x, 2, alpha=3), "add", (x, 2), {"alpha": 3}),
        (lambda: x.sum(dim=0), "sum", (x,), {"dim": 0}),
        (lambda: x + 1, "add", (x, 1), {}),
        (lambda: 1 - x, "sub", (1, x), {}),
        (lambda: x.__iadd__(1), "add_", (x, 1), {}),
        (lambda: bolide.cat([x, x]), "cat", ([x, x],), {}),
        (lambda: x[0], "__getitem__", (x, 0), {}),
        (lambda: x.T, "__get__", (x,), {}),
        (lambda: bolide.clamp(x, min=0), "clamp", (x,), {"min": 0}),
        (lambda: x.view(2, 1), "view", (x, 2, 1), {}),
    ]:
        Logged.calls.clear()
        call()
        found = Logged.calls[0]
        assert found[0] == name and found[1] == (Logged,) and found[3] == kwargs
        assert len(found[2]) == len(args)
        for got, wanted in zip(found[2], args, strict=True):
            assert got is wanted or got == wanted
        assert len(Logged.calls) == 1  # what the op does inside is not told
    Logged.calls.clear()
    x[0] = 3.0
    assert Logged.calls[0][0] == "__setitem__" and x.tolist() == [3.0, 2.0]


def test_which_functions_a_class_is_given():
    given = []

    class Given(bolide.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            given.append(func)
            return func

    x = bolide.ones(2).as_subclass(Given)
    assert bolide.mean(x) is bolide.mean and bolide.sin(x) is bolide.sin
    assert x.mean() is bolide.Tensor.mean and x.exp() is bolide.Tensor.exp and (x * 2) is given[-1]
    assert given[-1] is bolide.Tensor.mul
    assert overrides.is_tensor_method_or_property(given[-1])
    assert not overrides.is_tensor_method_or_property(bolide.mean)


def test_without_an_answer_the_next_class_is_asked():
    order = []

    class First(bolide.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            order.append(cls)
            return NotImplemented

    class Second(First):
        pass

    class Third(First):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            order.append(cls)
            assert types == (Second, Third, First)
            return "third"

    first, second, third = (bolide.ones(1).as_subclass(kind) for kind in (First, Second, Third))
    assert bolide.stack([first, second, third, second]) == "third"
    assert order == [Second, Third]  # subclasses before their base, from left to right
    with pytest.raises(TypeError, match=r"\[mul\] expected a class that answers it"):
        first * second
    unrelated = bolide.ones(1).as_subclass(Plain)
    with pytest.raises(TypeError, match="NotImplemented"):  # neither knows the other
        unrelated + bolide.ones(1).as_subclass(Logged)


def test_errors_of_a_class_are_errors_of_the_call():
    class Broken(bolide.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            raise KeyError("broken")

    x = bolide.ones(2).as_subclass(Broken)
    for call in (
        lambda: x + 1,
        lambda: x.sum(),
        lambda: bolide.cat([x]),
        lambda: x[0],
        lambda: x.T,
    ):
        with pytest.raises(KeyError, match="broken"):
            call()
    with pytest.raises(KeyError, match="broken"):
        x[0] = 1


def test_an_object_that_is_no_tensor():
    class Diagonal:
        def __init__(self, n, value):
            self.n, self.value = n, value

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            if func is bolide.mean:
                return args[0].value / args[0].n
            if func in (bolide.add, bolide.Tensor.add, bolide.Tensor.matmul):
                return func.__name__, len(args)
            return NotImplemented

    d = Diagonal(4, 2.0)
    assert bolide.mean(d) == 0.5
    assert bolide.add(d, 1) == ("add", 2) and bolide.ones(2).add(d) == ("add", 2)
    assert bolide.ones(2, 2).matmul(d) == ("matmul", 2)
    with pytest.raises(TypeError, match="NotImplemented"):
        bolide.sin(d)
    with pytest.raises(TypeError, match="NotImplemented"):
        bolide.stack([d, d])
    with pytest.raises(TypeError, match="expected"):
        bolide.mean(object())


def test_the_protocol_for_functions_of_ones_own():
    def double(x):
        if overrides.has_torch_function((x,)):
            return overrides.handle_torch_function(double, (x,), x)
        return x * 2

    class Halved:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return "halved" if func is double else NotImplemented

    assert double(Halved()) == "halved" and double(bolide.ones(1)).item() == 2.0
    assert overrides.is_tensor_like(Halved()) and overrides.is_tensor_like(bolide.ones(1))
    assert not overrides.is_tensor_like(3) and not overrides.has_torch_function((3, bolide.ones(1)))
    with pytest.raises(TypeError, match="NotImplemented"):
        overrides.handle_torch_function(test_history_and_gradients, (Halved(),))


def test_disabled_inside_a_block():
    x = bolide.ones(2).as_subclass(Logged)
    with overrides.DisableTorchFunctionSubclass():
        assert type(x + 1) is bolide.Tensor and type(x.sin()) is bolide.Tensor
        with overrides.DisableTorchFunctionSubclass():
            pass
        assert type(bolide.sin(x)) is bolide.Tensor
    assert not Logged.calls and type(x + 1) is Logged


def test_as_subclass_takes_classes_of_tensors():
    x = bolide.ones(2)
    for wrong in (int, 3, "Tensor"):
        with pytest.raises(TypeError, match="a subclass of Tensor"):
            x.as_subclass(wrong)
    assert type(x.as_subclass(Plain).as_subclass(bolide.Tensor)) is bolide.Tensor
