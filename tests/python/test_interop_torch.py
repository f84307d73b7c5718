"""bolide's ops, modules, losses and optimizers in a PyTorch program."""

import copy

import bolide
import pytest

torch = pytest.importorskip("torch")

import bolide.interop.torch as bt  # noqa: E402

F = torch.nn.functional


def close(a, b, tolerance=1e-5):
    return torch.allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


# ---- functions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (bt.tanh, torch.tanh),
        (bt.nn.functional.gelu, F.gelu),
        (lambda x: bt.softmax(x, -1), lambda x: torch.softmax(x, -1)),
        (lambda x: bt.sum(x, dim=0, keepdim=True), lambda x: torch.sum(x, dim=0, keepdim=True)),
        (lambda x: bt.cat([x, x * 2], dim=1), lambda x: torch.cat([x, x * 2], dim=1)),
    ],
)
def test_values_and_gradients_are_pytorchs(ours, theirs):
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    y, expected = ours(x), theirs(x)
    assert type(y) is torch.Tensor and close(y, expected)
    weight = torch.randn_like(expected)
    (g,) = torch.autograd.grad((y * weight).sum(), x)
    assert close(g, torch.autograd.grad((expected * weight).sum(), x)[0])
    assert torch.autograd.gradcheck(ours, x) and torch.autograd.gradgradcheck(ours, x)


def test_second_and_third_derivatives():
    x = torch.tensor([0.3, -1.2], dtype=torch.float64, requires_grad=True)
    for f, g in ((bt.exp, torch.exp), (bt.function(lambda x: x**4), lambda x: x**4)):
        a, b = f(x), g(x)
        for _ in range(3):
            (a,) = torch.autograd.grad(a.sum(), x, create_graph=True)
            (b,) = torch.autograd.grad(b.sum(), x, create_graph=True)
            assert close(a, b)


def test_memory_is_shared_both_ways():
    x = torch.arange(6.0).reshape(2, 3)
    seen = []
    bt.function(lambda t: seen.append(t.data_ptr()) or t + 1)(x[:, 1:])
    assert seen == [x[:, 1:].data_ptr()]
    held = []
    y = bt.function(lambda t: held.append(t + 1) or held[0])(x)
    assert y.data_ptr() == held[0].data_ptr()


def test_structures_of_arguments_and_results():
    def f(pair, *, named):
        a, b = pair["a"]
        return {"sum": a + b * named, "more": (a, 3, [b.max(dim=0)])}

    a, b = torch.ones(2, 3, requires_grad=True), torch.arange(6.0).reshape(2, 3)
    result = bt.function(f)({"a": (a, b)}, named=torch.tensor(2.0))
    assert close(result["sum"], a + 2 * b) and result["more"][1] == 3
    largest = result["more"][2][0]
    assert largest.values.tolist() == [3.0, 4.0, 5.0] and largest.indices.tolist() == [1, 1, 1]
    assert result["sum"].requires_grad and not largest.indices.requires_grad
    result["sum"].sum().backward()
    assert a.grad.tolist() == [[1.0] * 3] * 2


def test_a_result_that_is_a_view_is_a_copy():
    x = torch.arange(6.0).reshape(2, 3)
    y = bt.transpose(x, 0, 1)
    y.zero_()
    assert x.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    both = bt.function(lambda t: (t + 1).unbind(0))(x)
    both[0].zero_()
    assert both[1].tolist() == [4.0, 5.0, 6.0]
    whole, part = bt.function(lambda t: [t + 1] * 2)(x)
    whole.zero_()
    assert part.tolist() == (x + 1).tolist()


def test_changes_in_place_are_seen_by_pytorch():
    x = torch.ones(3)
    w = torch.ones(3, requires_grad=True)
    product = w * x
    bt.function(lambda t: t.mul_(5))(x)
    assert x.tolist() == [5.0] * 3
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.sum().backward()
    with pytest.raises(RuntimeError):
        bt.function(lambda t: t.mul_(5))(w)
    y = w * 2
    z = bt.exp(y)
    with torch.no_grad():
        y.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def test_backward_twice_needs_retain_graph():
    w = torch.ones(3, requires_grad=True)
    y = bt.exp(w).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert close(w.grad, 2 * w.exp())
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_what_is_computed_again_for_create_graph_is_the_same():
    x = torch.ones(1000, dtype=torch.float64, requires_grad=True)
    dropped = bt.nn.functional.dropout(x, 0.5) ** 2
    (g,) = torch.autograd.grad(dropped.sum(), x, create_graph=True)
    assert torch.equal(g == 0, dropped == 0) and 300 < (g == 0).sum() < 700
    model = bt.module(Counting())
    (g,) = torch.autograd.grad(model(x[:2]).sum(), x, create_graph=True)
    g.sum().backward()
    assert model.calls.item() == 1.0 and model.weight.grad.tolist() == [2.0, 2.0]
    memory = torch.zeros(3)
    y = torch.ones(3, requires_grad=True)
    product = bt.function(lambda x, m: x * m.add_(1))(y, memory)
    with pytest.raises(RuntimeError, match="in place"):
        torch.autograd.grad(product.sum(), y, create_graph=True)
    assert memory.tolist() == [1.0] * 3


def test_inputs_without_gradient_get_none():
    a, b = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    (bt.function(lambda a, b: a * 2)(a, b)).sum().backward()
    assert a.grad.tolist() == [2.0, 2.0] and b.grad is None
    x = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        assert not bt.exp(x).requires_grad
    with pytest.raises(BufferError):
        bt.exp(torch.ones(2, dtype=torch.complex64).conj())
    with pytest.raises(BufferError, match="float8"):
        bt.exp(torch.ones(2).to(torch.float8_e5m2))


# ---- modules ----------------------------------------------------------------------------------------------------


def test_a_module_trains_like_pytorchs():
    theirs = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.GELU(), torch.nn.Linear(8, 3))
    mixed = torch.nn.Sequential(
        bt.nn.Linear(4, 8), torch.nn.GELU(), bt.module(bolide.nn.Linear(8, 3))
    )
    assert list(mixed.state_dict()) == list(theirs.state_dict())
    mixed.load_state_dict(theirs.state_dict())
    x, target = torch.randn(16, 4), torch.randint(0, 3, (16,))
    losses = (torch.nn.CrossEntropyLoss(), bt.nn.CrossEntropyLoss())
    for model, loss_fn in zip((theirs, mixed), losses, strict=True):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for _ in range(5):
            optimizer.zero_grad()
            loss = loss_fn(model(x), target)
            loss.backward()
            optimizer.step()
    for a, b in zip(theirs.parameters(), mixed.parameters(), strict=True):
        assert close(a, b)


def test_modules_follow_their_parameters():
    layer = bt.nn.Linear(2, 2)
    assert isinstance(layer, torch.nn.Module) and "bolide Linear" in repr(layer)
    layer.double()
    x = torch.randn(3, 2, dtype=torch.float64)
    assert close(layer(x), F.linear(x, layer.weight, layer.bias))
    with torch.no_grad():
        layer.weight.zero_()
    assert close(layer(x), layer.bias.expand(3, 2))
    other = copy.deepcopy(layer)
    with torch.no_grad():
        other.bias.fill_(7.0)
    assert other(x).eq(7).all() and not layer(x).eq(7).any()
    dropout = bt.nn.Dropout(0.5)
    assert dropout.eval()(x).equal(x) and (dropout.train()(torch.ones(1000)) == 0).any()
    assert torch.autograd.gradgradcheck(lambda x: bt.nn.Tanh()(layer(x)), x.requires_grad_())


class Counting(bolide.nn.Module):
    """Buffers, one of them changed in place and one replaced, and a parameter that two names have."""

    def __init__(self):
        super().__init__()
        self.weight = bolide.nn.Parameter(bolide.ones(2))
        self.child = bolide.nn.Module()
        self.child.weight = self.weight
        self.register_buffer("calls", bolide.zeros(()))
        self.register_buffer("last", bolide.zeros(2), persistent=False)

    def forward(self, x):
        self.calls += 1
        self.last = x.detach() + 0
        return x * self.weight * self.child.weight


def test_buffers_and_shared_parameters():
    model = bt.module(Counting())
    assert model.weight is model.child.weight and len(list(model.parameters())) == 1
    x = torch.tensor([2.0, 3.0])
    model(x).sum().backward()
    model(x)
    assert model.calls.item() == 2.0 and model.last.tolist() == [2.0, 3.0]
    assert list(model.state_dict()) == ["weight", "calls", "child.weight"]
    assert model.weight.grad.tolist() == [4.0, 6.0]


# ---- optimizers -------------------------------------------------------------------------------------------------

OPTIMIZERS = [
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    ("Adam", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.1}),
]


def steps(model, optimizer, count, schedule=None):
    x, y = torch.linspace(-1, 1, 24).reshape(8, 3), torch.linspace(0, 1, 16).reshape(8, 2)
    for _ in range(count):
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()
        if schedule:
            schedule.step()


def models(count):
    first = torch.nn.Linear(3, 2)
    return [first, *(copy.deepcopy(first) for _ in range(count - 1))]


def same(a, b):
    return all(close(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=[name for name, _ in OPTIMIZERS])
def test_optimizers_step_like_pytorchs(name, options):
    theirs, ours = models(2)
    addresses = [p.data_ptr() for p in ours.parameters()]
    pairs = [
        (theirs, getattr(torch.optim, name)(theirs.parameters(), **options)),
        (ours, getattr(bt.optim, name)(ours.parameters(), **options)),
    ]
    assert isinstance(pairs[1][1], torch.optim.Optimizer)
    for model, optimizer in pairs:
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
        steps(model, optimizer, 6, schedule)
    assert same(theirs, ours) and addresses == [p.data_ptr() for p in ours.parameters()]


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=[name for name, _ in OPTIMIZERS])
def test_the_state_of_an_optimizer_goes_on(name, options):
    whole, parts = models(2)
    kind = getattr(bt.optim, name)
    steps(whole, kind(whole.parameters(), **options), 6)
    first = kind(parts.parameters(), **options)
    steps(parts, first, 3)
    saved = copy.deepcopy(first.state_dict())
    second = kind(parts.parameters(), lr=99.0)
    second.load_state_dict(saved)
    assert second.param_groups[0]["lr"] == options["lr"] and len(second.state) == 2
    steps(parts, second, 3)
    assert same(whole, parts)


def test_groups_memory_and_closures_of_an_optimizer():
    model = models(1)[0]
    optimizer = bt.optim.SGD([{"params": [model.weight], "lr": 0.5}], lr=0.1)
    optimizer.add_param_group({"params": model.bias, "lr": 0.0})
    before = model.bias.clone()
    steps(model, optimizer, 1)
    assert model.bias.equal(before) and [g["lr"] for g in optimizer.param_groups] == [0.5, 0.0]
    model.double()
    weight = model.weight.clone()
    model.weight.grad = torch.ones_like(model.weight)
    model.bias.grad = None
    assert optimizer.step(lambda: 5.0) == 5.0
    assert close(model.weight, weight - 0.5)
    with pytest.raises(ValueError):
        bt.optim.SGD(model.parameters(), lr=-1.0)
    y = (model.weight * model.weight).sum()
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_three_changed_lines():
    """A loss, an optimizer and the import: the program of the module's docstring."""
    model = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
    loss_fn = bt.nn.CrossEntropyLoss()
    optimizer = bt.optim.AdamW(model.parameters(), lr=0.05)
    x = torch.randn(60, 4)
    target = x[:, :3].argmax(1)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = loss_fn(model(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_names():
    assert bt.float32 is bolide.float32 and "tanh" in dir(bt.nn.functional)
    with pytest.raises(AttributeError):
        bt.no_such_op  # noqa: B018
