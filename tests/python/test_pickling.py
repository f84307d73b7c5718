"""pickle, copy.copy and copy.deepcopy of tensors: values, layout, attributes, what is shared."""

import copy
import pickle

import bolide
import pytest
from bolide import nn


class Named(bolide.Tensor):
    def hello(self):
        return f"hello {self.name}"


def named(device):
    t = Named(bolide.arange(3.0, device=device))
    t.name = "t"
    return t


COPIES = {
    "pickle 2": lambda t: pickle.loads(pickle.dumps(t, 2)),
    "pickle 5": lambda t: pickle.loads(pickle.dumps(t, 5)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}
TENSORS = {
    "plain": lambda d: bolide.arange(6.0, device=d).view(2, 3),
    "transposed": lambda d: bolide.arange(6.0, device=d).view(2, 3).t(),
    "part": lambda d: bolide.arange(6, device=d)[1:5:2],
    "expanded": lambda d: bolide.ones(3, 1, device=d).expand(3, 4),
    "scalar": lambda d: bolide.tensor(3.5, device=d),
    "empty": lambda d: bolide.empty(0, 3, device=d),
    "bool": lambda d: bolide.tensor([True, False], device=d),
    "half": lambda d: bolide.tensor([1.5, -2.0], dtype=bolide.float16, device=d),
    "complex": lambda d: bolide.tensor([1 + 2j, 3j], device=d),
    "leaf": lambda d: bolide.ones(2, device=d, requires_grad=True),
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("kind", TENSORS)
def test_copies_are_equal_in_everything(kind, how, device):
    t = TENSORS[kind](device)
    c = COPIES[how](t)
    assert type(c) is bolide.Tensor and c is not t
    assert (c.dtype, c.shape, c.stride(), c.device, c.requires_grad) == (
        t.dtype,
        t.shape,
        t.stride(),
        t.device,
        t.requires_grad,
    )
    assert c.tolist() == t.tolist() and c.is_leaf and c.storage_offset() == t.storage_offset()
    if t.numel():
        assert (c.data_ptr() == t.data_ptr()) == (how == "copy")


@pytest.mark.parametrize("how", COPIES)
def test_subclasses_and_attributes(how, device):
    t = named(device)
    t.more = [1, 2]
    c = COPIES[how](t)
    assert type(c) is Named and c.hello() == "hello t" and c.more == [1, 2]
    assert (c.more is t.more) == (how == "copy")
    p = nn.Parameter(bolide.ones(2, device=device), requires_grad=False)
    assert type(COPIES[how](p)) is nn.Parameter and not COPIES[how](p).requires_grad
    assert COPIES[how](nn.Parameter(bolide.ones(2))).requires_grad


@pytest.mark.parametrize("how", ["pickle 2", "pickle 5", "deepcopy"])
def test_what_is_shared_stays_shared(how, device):
    base = bolide.arange(6.0, device=device)
    group = {"base": base, "part": base[2:4], "again": base, "other": base.clone()}
    copied = COPIES[how](group)
    assert copied["again"] is copied["base"]
    copied["part"][0] = 99
    assert copied["base"].tolist() == [0.0, 1.0, 99.0, 3.0, 4.0, 5.0]
    assert copied["other"].tolist() == base.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_deepcopy_takes_the_gradient_along(device):
    x = bolide.ones(2, device=device, requires_grad=True)
    (x * 3).sum().backward()
    c = copy.deepcopy(x)
    assert c.grad.tolist() == [3.0, 3.0] and c.grad is not x.grad
    c.grad.zero_()
    assert x.grad.tolist() == [3.0, 3.0]
    assert pickle.loads(pickle.dumps(x)).grad is None and copy.copy(x).grad is None


def test_tensors_with_a_history(device):
    y = bolide.ones(2, device=device, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match="deepcopy protocol"):
        copy.deepcopy(y)
    loaded = pickle.loads(pickle.dumps(y))
    assert loaded.is_leaf and loaded.requires_grad and loaded.tolist() == [2.0, 2.0]


def test_a_model_is_copied_and_pickled(device):
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).to(device)
    x = bolide.ones(4, 2, device=device)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other(x).tolist() == model(x).tolist()
        with bolide.no_grad():
            for p in other.parameters():
                p.zero_()
        assert other(x).tolist() != model(x).tolist()


def test_a_pickle_that_does_not_fit_its_storage_is_refused():
    storage = bolide._C._storage_bytes(bolide.zeros(4))
    for offset, size, stride in [
        (0, (5,), (1,)),
        (3, (2,), (1,)),
        (0, (2,), (-1,)),
        (-1, (1,), (1,)),
    ]:
        with pytest.raises(ValueError):
            bolide._C._on_storage(bolide.Tensor, storage, bolide.float32, offset, size, stride)
    with pytest.raises(TypeError):
        bolide._C._on_storage(int, storage, bolide.float32, 0, (1,), (1,))
