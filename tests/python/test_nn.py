"""bolide.nn: registration, state, hooks and text of modules; values, shapes and errors of the
layers.

Gradients and dtypes of the single ops are the op harness's business; here stands what the layers
add to them.
"""

import copy
import gc
import math
import weakref

import bolide
import pytest
from bolide import nn
from bolide.nn import functional, init


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 4)
        self.scale = nn.Parameter(bolide.ones(4))
        self.register_buffer("count", bolide.zeros(1))
        self.register_buffer("cache", bolide.zeros(2), persistent=False)

    def forward(self, x):
        return self.inner(x) * self.scale


def values(tensor):
    return tensor.detach().flatten().tolist()


# ---- registration --------------------------------------------------------------------------------


def test_members_are_found_in_order_and_by_kind():
    model = nn.Sequential(Block(), nn.ReLU())
    assert [name for name, _ in model.named_parameters()] == [
        "0.scale",
        "0.inner.weight",
        "0.inner.bias",
    ]
    assert [name for name, _ in model.named_buffers()] == ["0.count", "0.cache"]
    assert [name for name, _ in model.named_modules()] == ["", "0", "0.inner", "1"]
    assert [type(child) for child in model.children()] == [Block, nn.ReLU]
    assert list(model.state_dict()) == ["0.scale", "0.count", "0.inner.weight", "0.inner.bias"]
    assert list(model[0]._parameters) == ["scale"]
    assert model[0]._buffers["count"] is model[0].count
    assert model[0]._modules.get("absent") is None


def test_attributes_are_read_without_a_detour():
    layer = nn.Linear(2, 2)
    assert layer.__dict__["weight"] is layer.weight
    assert not hasattr(nn.Module, "__getattr__")


def test_shared_parameters_come_once():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    assert len(list(model.parameters())) == 3
    assert len(list(model.named_parameters(remove_duplicate=False))) == 4


def test_assignment_is_checked():
    layer = nn.Linear(2, 3)
    with pytest.raises(TypeError, match="cannot assign 'int' object to parameter 'weight'"):
        layer.weight = 3
    with pytest.raises(TypeError, match="parameter 'weight'"):
        layer.weight = bolide.zeros(3, 2)
    layer.bias = None
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    assert tuple(layer(bolide.zeros(1, 2)).shape) == (1, 3)
    with pytest.raises(KeyError, match="already exists"):
        layer.register_buffer("forward", bolide.zeros(1))
    with pytest.raises(KeyError, match=r"can't be empty, got 'a.b'"):
        layer.register_parameter("a.b", None)


def test_parameters_before_init_are_refused():
    class Hasty(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter(bolide.zeros(1))

    with pytest.raises(AttributeError, match=r"before Module.__init__\(\) call"):
        Hasty()


def test_deleting_and_replacing_members():
    block = Block()
    del block.scale
    assert not hasattr(block, "scale")
    assert "scale" not in dict(block.named_parameters())
    block.inner = nn.Identity()
    assert list(block.parameters()) == []


def test_missing_attribute_and_missing_forward_name_the_class():
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'wieght'"):
        nn.Linear(1, 1).wieght  # noqa: B018
    with pytest.raises(NotImplementedError, match=r"\[Module\]"):
        nn.Module()(1)


def test_a_module_is_freed_without_the_collector():
    gc.disable()
    try:
        gone = weakref.ref(Block())
        assert gone() is None
    finally:
        gc.enable()


def test_parameter():
    data = bolide.zeros(2, 3)
    parameter = nn.Parameter(data)
    assert isinstance(parameter, bolide.Tensor)
    assert parameter.requires_grad
    assert parameter.is_leaf
    with bolide.no_grad():
        parameter.fill_(2.0)
    assert values(data) == [2.0] * 6
    assert repr(parameter).startswith("Parameter containing:")
    assert not nn.Parameter(data, requires_grad=False).requires_grad
    clone = copy.deepcopy(parameter)
    assert type(clone) is nn.Parameter
    assert clone.requires_grad
    assert values(clone) == values(parameter)
    assert (clone * 1).grad_fn is not None
    with pytest.raises(TypeError, match="expected a Tensor as data, got list"):
        nn.Parameter([1.0])


# ---- the whole tree ------------------------------------------------------------------------------


def test_train_eval_apply_and_freezing():
    model = nn.Sequential(Block(), nn.Dropout(0.5))
    assert model.eval() is model
    assert [module.training for module in model.modules()] == [False] * 4
    model.train()
    assert all(module.training for module in model.modules())
    with pytest.raises(ValueError, match="boolean"):
        model.train(1)
    seen = []
    model.apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["Linear", "Block", "Dropout", "Sequential"]
    model.requires_grad_(False)
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_zero_grad():
    layer = nn.Linear(2, 1)
    layer(bolide.ones(3, 2)).sum().backward()
    assert values(layer.weight.grad) == [3.0, 3.0]
    layer.zero_grad(set_to_none=False)
    assert values(layer.weight.grad) == [0.0, 0.0]
    layer.zero_grad()
    assert layer.weight.grad is None


def test_conversion_keeps_the_parameters_identity():
    block = Block()
    block.register_buffer("number", bolide.tensor([1, 2]))
    weight = block.inner.weight
    block(bolide.ones(1, 3)).sum().backward()
    assert block.double() is block
    assert block.inner.weight is weight
    assert weight.dtype == bolide.float64
    assert weight.grad.dtype == bolide.float64
    assert weight.is_leaf
    assert weight.requires_grad
    assert block.count.dtype == bolide.float64
    assert block.number.dtype == bolide.int64
    block(bolide.ones(1, 3, dtype=bolide.float64)).sum().backward()
    assert block.to("cpu", bolide.float32).scale.dtype == bolide.float32
    with pytest.raises(
        TypeError, match="only accepts floating point or complex dtypes, but got desired dtype"
    ):
        block.to(bolide.int32)


def test_deep_copy_is_independent():
    block = Block()
    twin = copy.deepcopy(block)
    with bolide.no_grad():
        twin.inner.weight.zero_()
    assert any(values(block.inner.weight))
    assert [name for name, _ in twin.named_parameters()] == [
        name for name, _ in block.named_parameters()
    ]


def test_submodules_by_name():
    model = nn.Sequential(Block())
    assert model.get_submodule("0.inner") is model[0].inner
    assert model.get_submodule("") is model
    assert model.get_parameter("0.inner.bias") is model[0].inner.bias
    assert model.get_buffer("0.count") is model[0].count
    with pytest.raises(AttributeError, match="no submodule `7`"):
        model.get_submodule("0.7")
    with pytest.raises(AttributeError, match="`count` is not a parameter"):
        model.get_parameter("0.count")


# ---- state ---------------------------------------------------------------------------------------


def test_state_dict_round_trip():
    source, target = Block(), Block()
    result = target.load_state_dict(source.state_dict())
    assert (result.missing_keys, result.unexpected_keys) == ([], [])
    assert "All keys matched" in repr(result)
    for name, tensor in source.state_dict().items():
        assert values(target.state_dict()[name]) == values(tensor)
        assert not tensor.requires_grad


def test_state_dict_that_does_not_fit_changes_nothing():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 3))
    before = values(model[0].weight)
    state = {name: tensor * 0 + 9 for name, tensor in model.state_dict().items()}
    state["extra"] = state.pop("1.bias")
    state["1.weight"] = bolide.zeros(5, 2)
    with pytest.raises(RuntimeError) as caught:
        model.load_state_dict(state)
    text = str(caught.value)
    assert "for Sequential" in text
    assert "Missing key(s) in state_dict: '1.bias'." in text
    assert "Unexpected key(s) in state_dict: 'extra'." in text
    assert "size mismatch for 1.weight: copying a param with shape (5, 2)" in text
    assert "current model is (3, 2)" in text
    assert values(model[0].weight) == before

    del state["1.weight"]
    result = model.load_state_dict(state, strict=False)
    assert (result.missing_keys, result.unexpected_keys) == (["1.weight", "1.bias"], ["extra"])
    assert values(model[0].weight) == [9.0] * 4


def test_state_dict_of_something_else():
    with pytest.raises(TypeError, match="dict-like, got int"):
        nn.Linear(1, 1).load_state_dict(3)
    with pytest.raises(TypeError, match="expected a Tensor for 'weight', got list"):
        nn.Linear(1, 1).load_state_dict({"weight": [1.0], "bias": bolide.zeros(1)})


def test_assigning_state_takes_the_tensor_itself():
    layer = nn.Linear(2, 2, bias=False)
    new = bolide.ones(2, 2, dtype=bolide.float64)
    layer.load_state_dict({"weight": new}, assign=True)
    assert layer.weight.dtype == bolide.float64
    assert isinstance(layer.weight, nn.Parameter)
    assert layer.weight.data_ptr() == new.data_ptr()


# ---- hooks ---------------------------------------------------------------------------------------


def test_hooks_see_and_change_arguments_and_results():
    layer = nn.Identity()
    calls = []
    before = layer.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    after = layer.register_forward_hook(
        lambda module, args, output: calls.append(output.item()) or output * 10
    )
    first = layer.register_forward_hook(
        lambda module, args, output: calls.append("first"), prepend=True
    )
    assert layer(bolide.tensor(1.0)).item() == 20.0
    assert calls == ["first", 2.0]
    before.remove()
    first.remove()
    with after:
        assert layer(bolide.tensor(1.0)).item() == 10.0
    assert layer(bolide.tensor(1.0)).item() == 1.0


def test_hooks_with_keyword_arguments():
    class Add(nn.Module):
        def forward(self, x, *, y):
            return x + y

    layer = Add()
    layer.register_forward_pre_hook(
        lambda module, args, kwargs: (args, {"y": kwargs["y"] * 2}), with_kwargs=True
    )
    layer.register_forward_hook(
        lambda module, args, kwargs, output: output + kwargs["y"], with_kwargs=True
    )
    assert layer(1, y=2) == 9


# ---- containers ----------------------------------------------------------------------------------


def test_sequential():
    model = nn.Sequential({"linear": nn.Linear(1, 1), "act": nn.ReLU()})
    assert list(dict(model.named_children())) == ["linear", "act"]
    model.append(nn.Identity())
    assert len(model) == 3
    assert isinstance(model[-1], nn.Identity)
    assert len(model[:2]) == 2
    model[0] = nn.Identity()
    assert model(bolide.tensor([-1.0, 2.0])).tolist() == [0.0, 2.0]
    del model[1]
    assert model(bolide.tensor([-1.0])).tolist() == [-1.0]
    with pytest.raises(IndexError, match="index 5 is out of range for Sequential of length 2"):
        model[5]
    with pytest.raises(TypeError, match="cannot assign 'int' object to module"):
        nn.Sequential(3)


def test_module_list_and_dict_and_parameter_list():
    layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    layers.insert(1, nn.ReLU())
    assert [type(layer).__name__ for layer in layers] == ["Linear", "ReLU", "Linear", "Linear"]
    assert len(list(layers.parameters())) == 6
    assert len(layers[1:]) == 3

    heads = nn.ModuleDict({"a": nn.Linear(1, 1)})
    heads["b"] = nn.ReLU()
    assert list(heads) == ["a", "b"]
    assert "a" in heads
    assert isinstance(heads.pop("b"), nn.ReLU)
    assert len(heads) == 1
    with pytest.raises(KeyError):
        heads["b"]

    weights = nn.ParameterList([bolide.zeros(2), nn.Parameter(bolide.ones(1))])
    weights.append(bolide.zeros(3))
    assert [len(weight) for weight in weights] == [2, 1, 3]
    assert [name for name, _ in weights.named_parameters()] == ["0", "1", "2"]


def test_repr():
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.Sequential(nn.Linear(2, 1, bias=False), nn.Dropout(0.1))
    )
    assert repr(model) == (
        "Sequential(\n"
        "  (0): Conv2d(1, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))\n"
        "  (1): Sequential(\n"
        "    (0): Linear(in_features=2, out_features=1, bias=False)\n"
        "    (1): Dropout(p=0.1, inplace=False)\n"
        "  )\n"
        ")"
    )


# ---- layers --------------------------------------------------------------------------------------


def test_linear():
    layer = nn.Linear(2, 1)
    with bolide.no_grad():
        layer.weight.copy_(bolide.tensor([[2.0, 3.0]]))
        layer.bias.fill_(1.0)
    assert layer(bolide.tensor([[1.0, 1.0], [0.0, 2.0]])).tolist() == [[6.0], [7.0]]
    assert tuple(layer(bolide.zeros(4, 5, 2)).shape) == (4, 5, 1)
    with pytest.raises((RuntimeError, ValueError), match="3"):
        layer(bolide.zeros(4, 3))


def test_convolution_and_pooling():
    layer = nn.Conv2d(1, 1, 2, stride=2, padding=1, bias=False)
    init.ones_(layer.weight)
    image = bolide.arange(9.0).reshape(1, 1, 3, 3)
    assert layer(image).tolist() == [[[[0.0, 3.0], [9.0, 24.0]]]]
    assert nn.MaxPool2d(2)(image).tolist() == [[[[4.0]]]]
    assert nn.MaxPool2d(2, stride=1)(image).tolist() == [[[[4.0, 5.0], [7.0, 8.0]]]]
    assert tuple(
        nn.Conv2d(4, 6, (3, 5), padding="same", groups=2)(bolide.zeros(2, 4, 8, 8)).shape
    ) == (2, 6, 8, 8)
    with pytest.raises(ValueError, match="must be divisible by groups, got 3, 4, 2"):
        nn.Conv2d(3, 4, 3, groups=2)
    with pytest.raises(
        ValueError, match="kernel_size should be an integer >= 1 or a pair of them, got 0"
    ):
        nn.Conv2d(3, 4, 0)


def test_flatten_and_identity():
    x = bolide.zeros(2, 3, 4)
    assert tuple(nn.Flatten()(x).shape) == (2, 12)
    assert tuple(nn.Flatten(0, 1)(x).shape) == (6, 4)
    assert nn.Identity(1, anything=2)(x) is x


def softplus(x):
    return math.log1p(math.exp(-abs(x))) + max(x, 0.0)


@pytest.mark.parametrize(
    ("layer", "formula"),
    [
        (nn.ReLU(), lambda x: max(x, 0.0)),
        (nn.ReLU(inplace=True), lambda x: max(x, 0.0)),
        (nn.GELU(), lambda x: x * 0.5 * (1 + math.erf(x / math.sqrt(2)))),
        (
            nn.GELU("tanh"),
            lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        ),
        (nn.SiLU(), lambda x: x / (1 + math.exp(-x))),
        (nn.SiLU(inplace=True), lambda x: x / (1 + math.exp(-x))),
        (nn.Tanh(), math.tanh),
        (nn.Sigmoid(), lambda x: 1 / (1 + math.exp(-x))),
        (nn.LeakyReLU(0.2), lambda x: x if x > 0 else 0.2 * x),
        (nn.ELU(0.5), lambda x: x if x > 0 else 0.5 * math.expm1(x)),
        (nn.ELU(0.5, inplace=True), lambda x: x if x > 0 else 0.5 * math.expm1(x)),
        (nn.Softplus(2.0), lambda x: softplus(2 * x) / 2),
    ],
    ids=repr,
)
def test_activations(layer, formula):
    points = [-3.0, -0.5, 0.0, 0.25, 4.0]
    x = bolide.tensor(points, dtype=bolide.float64)
    y = layer(x)
    assert (y is x) == getattr(layer, "inplace", False)
    assert y.tolist() == pytest.approx([formula(point) for point in points], rel=1e-7, abs=1e-12)


def test_softmax():
    x = bolide.tensor([[0.0, math.log(3.0)]])
    assert values(nn.Softmax(1)(x)) == pytest.approx([0.25, 0.75])
    assert values(nn.LogSoftmax(-1)(x)) == pytest.approx([math.log(0.25), math.log(0.75)])
    with pytest.raises(TypeError, match="expected an int as dim, got None"):
        nn.Softmax(None)


def test_layer_norm():
    layer = nn.LayerNorm(4, eps=0.0)
    assert values(layer(bolide.tensor([[1.0, 3.0, 1.0, 3.0]]))) == pytest.approx(
        [-1.0, 1.0, -1.0, 1.0]
    )
    assert tuple(nn.LayerNorm([2, 3])(bolide.zeros(5, 2, 3)).shape) == (5, 2, 3)
    assert layer(bolide.ones(2, 4, dtype=bolide.float16).float()).dtype == bolide.float32
    with pytest.raises(ValueError, match=r"last dims are \(4,\), got \(2, 3\)"):
        layer(bolide.zeros(2, 3))


def test_dropout():
    bolide.manual_seed(0)
    layer = nn.Dropout(0.25)
    x = bolide.ones(10_000)
    y = layer(x)
    kept = (y != 0).sum().item()
    # five standard deviations of the binomial distribution
    assert abs(kept - 7_500) < 5 * math.sqrt(10_000 * 0.25 * 0.75)
    assert sorted(set(y.tolist())) == pytest.approx([0.0, 4 / 3])
    assert layer.eval()(x) is x
    for wrong in (-0.1, 1.5, math.nan):
        with pytest.raises(ValueError, match="between 0 and 1, but got"):
            nn.Dropout(wrong)


def test_embedding():
    layer = nn.Embedding(4, 2, padding_idx=-1)
    assert layer.padding_idx == 3
    assert values(layer.weight[3]) == [0.0, 0.0]
    layer(bolide.tensor([[0, 3], [0, 1]])).sum().backward()
    assert layer.weight.grad.tolist() == [[2.0, 2.0], [1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]
    with pytest.raises(IndexError):
        layer(bolide.tensor([4]))
    with pytest.raises(ValueError, match="within num_embeddings 4, got 4"):
        nn.Embedding(4, 2, padding_idx=4)


# ---- losses --------------------------------------------------------------------------------------


def test_squared_and_absolute_loss():
    x, y = bolide.tensor([1.0, 2.0, 5.0]), bolide.tensor([1.0, 4.0, 2.0])
    assert nn.MSELoss()(x, y).item() == pytest.approx(13 / 3)
    assert nn.MSELoss(reduction="sum")(x, y).item() == 13.0
    assert nn.L1Loss(reduction="none")(x, y).tolist() == [0.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="average is not a valid value for reduction"):
        nn.L1Loss(reduction="average")
    with pytest.warns(UserWarning, match=r"target size \(1,\)"):
        nn.MSELoss()(x, bolide.zeros(1))


def test_cross_entropy():
    logits = bolide.tensor([[0.0, math.log(3.0)], [0.0, 0.0], [5.0, 1.0]], requires_grad=True)
    target = bolide.tensor([1, 0, -100])
    loss = nn.CrossEntropyLoss()(logits, target)
    assert loss.item() == pytest.approx((-math.log(0.75) - math.log(0.5)) / 2, rel=1e-6)
    loss.backward()
    assert values(logits.grad) == pytest.approx([0.125, -0.125, -0.25, 0.25, 0.0, 0.0], rel=1e-6)
    weighted = nn.CrossEntropyLoss(weight=bolide.tensor([1.0, 3.0]))(logits, target).item()
    assert weighted == pytest.approx((-3 * math.log(0.75) - math.log(0.5)) / 4, rel=1e-6)
    log_probabilities = functional.log_softmax(logits, 1)
    assert nn.NLLLoss()(log_probabilities, target).item() == pytest.approx(loss.item(), rel=1e-6)
    assert "weight" in nn.CrossEntropyLoss(weight=bolide.ones(2)).state_dict()


def test_binary_cross_entropy_with_logits():
    def expected(x, y, positive=1.0):
        return (1 - y) * softplus(x) + positive * y * softplus(-x)

    points, targets = [-800.0, -2.0, 0.0, 3.0, 800.0], [1.0, 0.0, 0.5, 1.0, 1.0]
    x = bolide.tensor(points, dtype=bolide.float64, requires_grad=True)
    y = bolide.tensor(targets, dtype=bolide.float64)
    losses = nn.BCEWithLogitsLoss(reduction="none")(x, y)
    assert values(losses) == pytest.approx(
        [expected(*pair) for pair in zip(points, targets, strict=True)]
    )
    losses.sum().backward()
    slopes = [
        1 / (1 + math.exp(-min(max(a, -700), 700))) - b
        for a, b in zip(points, targets, strict=True)
    ]
    assert values(x.grad) == pytest.approx(slopes, abs=1e-12)
    heavy = nn.BCEWithLogitsLoss(pos_weight=bolide.tensor(2.0, dtype=bolide.float64))(
        x[1:4], y[1:4]
    ).item()
    assert heavy == pytest.approx(
        sum(expected(*p, 2.0) for p in zip(points[1:4], targets[1:4], strict=True)) / 3
    )
    with pytest.raises(
        ValueError, match=r"Target size \(2,\) must be the same as input size \(5,\)"
    ):
        functional.binary_cross_entropy_with_logits(x, bolide.zeros(2))


# ---- initial values ------------------------------------------------------------------------------


def spread(tensor):
    numbers = values(tensor)
    mean = sum(numbers) / len(numbers)
    return (
        mean,
        math.sqrt(sum((number - mean) ** 2 for number in numbers) / len(numbers)),
        max(map(abs, numbers)),
    )


@pytest.mark.parametrize(
    ("fill", "deviation", "bound"),
    [
        (lambda t: init.uniform_(t, -2, 2), 4 / math.sqrt(12), 2.0),
        (lambda t: init.normal_(t, 0.0, 3.0), 3.0, None),
        (init.xavier_uniform_, math.sqrt(2 / 1050), math.sqrt(6 / 1050)),
        (lambda t: init.xavier_normal_(t, gain=2.0), 2 * math.sqrt(2 / 1050), None),
        (
            lambda t: init.kaiming_uniform_(t, a=math.sqrt(5)),
            1 / math.sqrt(3 * 50),
            1 / math.sqrt(50),
        ),
        (
            lambda t: init.kaiming_normal_(t, mode="fan_out", nonlinearity="relu"),
            math.sqrt(2 / 1000),
            None,
        ),
    ],
    ids=[
        "uniform",
        "normal",
        "xavier_uniform",
        "xavier_normal",
        "kaiming_uniform",
        "kaiming_normal",
    ],
)
def test_random_initial_values(fill, deviation, bound):
    bolide.manual_seed(1)
    weight = nn.Parameter(bolide.empty(200, 10, 5))
    assert fill(weight) is weight
    mean, found, largest = spread(weight)
    # 10,000 samples: five standard errors of the mean; the deviation's own error is below 1 percent
    assert abs(mean) < 5 * deviation / 100
    assert found == pytest.approx(deviation, rel=0.04)
    if bound is not None:
        assert largest <= bound
        assert largest > 0.99 * bound
    assert weight.grad_fn is None


def test_fixed_initial_values_and_gains():
    assert values(init.constant_(bolide.empty(2), 3.5)) == [3.5, 3.5]
    assert values(init.ones_(bolide.empty(1))) == [1.0]
    assert values(init.zeros_(bolide.empty(1))) == [0.0]
    assert init.eye_(bolide.empty(2, 3)).tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    assert init.calculate_gain("tanh") == 5 / 3
    assert init.calculate_gain("leaky_relu", 0.5) == math.sqrt(2 / 1.25)
    with pytest.raises(ValueError, match="Unsupported nonlinearity sine"):
        init.calculate_gain("sine")
    with pytest.raises(ValueError, match="fewer than 2 dimensions"):
        init.xavier_uniform_(bolide.empty(3))


def test_layers_start_within_their_bounds():
    bolide.manual_seed(2)
    linear, convolution = nn.Linear(16, 400), nn.Conv2d(4, 100, 2)
    for tensor in (linear.weight, linear.bias, convolution.weight, convolution.bias):
        _, _, largest = spread(tensor)
        assert 0.9 * 0.25 < largest <= 0.25
