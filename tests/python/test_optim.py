"""bolide.optim: steps against the papers' formulas in plain Python, options, state, schedules."""

import math

import bolide
import pytest
from bolide import nn, optim
from bolide.optim import lr_scheduler

START = [1.0, -2.0, 0.5]


def gradient(number):
    return [0.3 * (number + 1), -0.7, (-1) ** number * 0.2]


def run(make, steps=6):
    """The parameter after some steps with known gradients."""
    param = nn.Parameter(bolide.tensor(START, dtype=bolide.float64))
    optimizer = make([param])
    for number in range(steps):
        param.grad = bolide.tensor(gradient(number), dtype=bolide.float64)
        optimizer.step()
    return param.tolist()


def sgd(lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False, steps=6):
    params, buffers = list(START), [None] * 3
    for number in range(steps):
        for i, g in enumerate(gradient(number)):
            g = -g if maximize else g
            g += weight_decay * params[i]
            if momentum:
                buffers[i] = (
                    g if buffers[i] is None else momentum * buffers[i] + (1 - dampening) * g
                )
                g = g + momentum * buffers[i] if nesterov else buffers[i]
            params[i] -= lr * g
    return params


def adam(
    lr,
    betas=(0.9, 0.999),
    eps=1e-8,
    weight_decay=0.0,
    amsgrad=False,
    decoupled=False,
    maximize=False,
):
    params, first, second, largest = list(START), [0.0] * 3, [0.0] * 3, [0.0] * 3
    for number in range(6):
        t = number + 1
        for i, g in enumerate(gradient(number)):
            g = -g if maximize else g
            if decoupled:
                params[i] *= 1 - lr * weight_decay
            else:
                g += weight_decay * params[i]
            first[i] = betas[0] * first[i] + (1 - betas[0]) * g
            second[i] = betas[1] * second[i] + (1 - betas[1]) * g * g
            largest[i] = max(largest[i], second[i])
            root = math.sqrt((largest if amsgrad else second)[i] / (1 - betas[1] ** t)) + eps
            params[i] -= lr * first[i] / (1 - betas[0] ** t) / root
    return params


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.1},
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.4, "weight_decay": 0.1, "maximize": True},
        {"momentum": 0.9, "nesterov": True},
    ],
    ids=str,
)
def test_sgd(options):
    assert run(lambda params: optim.SGD(params, lr=0.05, **options)) == pytest.approx(
        sgd(0.05, **options), rel=1e-12
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"betas": (0.5, 0.8), "eps": 0.1},
        {"weight_decay": 0.3},
        {"amsgrad": True},
        {"maximize": True},
    ],
    ids=str,
)
def test_adam(options):
    assert run(lambda params: optim.Adam(params, lr=0.05, **options)) == pytest.approx(
        adam(0.05, **options), rel=1e-12
    )


@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.3, "amsgrad": True}], ids=str)
def test_adamw(options):
    expected = adam(0.05, decoupled=True, **{"weight_decay": 0.01, **options})
    assert run(lambda params: optim.AdamW(params, lr=0.05, **options)) == pytest.approx(
        expected, rel=1e-12
    )


def test_parameters_without_gradient_keep_their_own_step_count():
    params = [
        nn.Parameter(bolide.ones(2)),
        nn.Parameter(bolide.ones(3)),
        nn.Parameter(bolide.ones(1)),
    ]
    optimizer = optim.Adam(params, lr=0.1)
    for number in range(3):
        params[0].grad = bolide.ones(2)
        params[1].grad = bolide.ones(3) if number == 1 else None
        optimizer.step()
    assert [optimizer.state[param]["step"] for param in params[:2]] == [3, 1]
    assert params[2] not in optimizer.state
    assert params[2].tolist() == [1.0]
    # a first step of Adam is lr, whatever the gradient
    assert params[1].tolist() == pytest.approx([0.9] * 3)


def test_momentum_starts_for_each_parameter_with_its_first_gradient():
    params = [nn.Parameter(bolide.zeros(1)), nn.Parameter(bolide.zeros(1))]
    optimizer = optim.SGD(params, lr=1.0, momentum=0.5, dampening=0.5)
    for number in range(2):
        params[0].grad = bolide.ones(1)
        params[1].grad = bolide.ones(1) if number else None
        optimizer.step()
    assert params[0].item() == -2.0  # 1, then 0.5 * 1 + 0.5 * 1
    assert params[1].item() == -1.0


def test_training_a_line():
    bolide.manual_seed(0)
    x = bolide.randn(64, 3)
    y = x @ bolide.tensor([[1.0], [-2.0], [3.0]]) + 0.5
    for make in (
        lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
        lambda p: optim.AdamW(p, lr=0.05, weight_decay=0.0),
    ):
        model = nn.Linear(3, 1)
        optimizer = make(model.parameters())
        for _ in range(300):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
        assert loss.item() < 1e-4
        assert model.weight.tolist()[0] == pytest.approx([1.0, -2.0, 3.0], abs=0.02)


def test_groups_have_options_of_their_own():
    first, second = nn.Parameter(bolide.zeros(1)), nn.Parameter(bolide.zeros(1))
    optimizer = optim.SGD([{"params": first}, {"params": [second], "lr": 0.5}], lr=0.1)
    first.grad, second.grad = bolide.ones(1), bolide.ones(1)
    optimizer.step()
    assert (first.item(), second.item()) == (pytest.approx(-0.1), -0.5)
    assert "Parameter Group 1" in repr(optimizer)
    third = nn.Parameter(bolide.zeros(1))
    optimizer.add_param_group({"params": [third], "momentum": 0.9})
    assert [group["momentum"] for group in optimizer.param_groups] == [0.0, 0.0, 0.9]


def test_closure_zero_grad_and_return():
    param = nn.Parameter(bolide.tensor([3.0]))
    optimizer = optim.SGD([param], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (param * param).sum()
        loss.backward()
        return loss

    with bolide.no_grad():
        assert optimizer.step(closure).item() == 9.0
    assert param.item() == pytest.approx(2.4)
    optimizer.zero_grad(set_to_none=False)
    assert param.grad.tolist() == [0.0]
    optimizer.zero_grad()
    assert param.grad is None
    assert optimizer.step() is None


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
@pytest.mark.parametrize(
    ("make", "option", "text"),
    [
        (optim.SGD, "lr", "Invalid learning rate: "),
        (optim.SGD, "momentum", "Invalid momentum value: "),
        (optim.SGD, "weight_decay", "Invalid weight_decay value: "),
        (optim.Adam, "lr", "Invalid learning rate: "),
        (optim.Adam, "eps", "Invalid epsilon value: "),
        (optim.AdamW, "weight_decay", "Invalid weight_decay value: "),
    ],
)
def test_options_out_of_range(make, option, text, bad):
    with pytest.raises(ValueError, match=text + str(bad)):
        make([nn.Parameter(bolide.zeros(1))], **{option: bad})


@pytest.mark.parametrize("bad", [-0.1, 1.0, math.nan, math.inf])
def test_betas_out_of_range(bad):
    param = nn.Parameter(bolide.zeros(1))
    with pytest.raises(ValueError, match=f"Invalid beta parameter at index 0: {bad}"):
        optim.Adam([param], betas=(bad, 0.9))
    with pytest.raises(ValueError, match=f"Invalid beta parameter at index 1: {bad}"):
        optim.AdamW([param], betas=(0.9, bad))
    with pytest.raises(ValueError, match="expected 2 values"):
        optim.Adam([param], betas=(0.9,))


def test_bad_parameters():
    param = nn.Parameter(bolide.zeros(1))
    with pytest.raises(ValueError, match="empty parameter list"):
        optim.SGD([])
    with pytest.raises(ValueError, match="duplicate parameters"):
        optim.SGD([param, param])
    with pytest.raises(ValueError, match="more than one parameter group"):
        optim.SGD([{"params": [param]}, {"params": [param]}])
    with pytest.raises(ValueError, match="non-leaf"):
        optim.SGD([param * 2])
    with pytest.raises(TypeError, match="one of the params is int"):
        optim.SGD([3])
    with pytest.raises(TypeError, match="iterable of Tensors or dicts, but got Parameter"):
        optim.SGD(param)
    with pytest.raises(TypeError, match="ordered collections"):
        optim.SGD([{"params": {param}}])
    with pytest.raises(
        ValueError, match="Nesterov momentum requires a momentum and zero dampening"
    ):
        optim.SGD([param], nesterov=True)
    with pytest.raises(ValueError, match="Invalid learning rate: -1"):
        optim.SGD([{"params": [param], "lr": -1}])


def test_state_dict_continues_the_same_run():
    def make():
        bolide.manual_seed(3)
        model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        return model, optim.AdamW(model.parameters(), lr=0.01, amsgrad=True)

    def train(model, optimizer, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            model(bolide.ones(2, 3)).square().sum().backward()
            optimizer.step()

    whole, whole_optimizer = make()
    train(whole, whole_optimizer, 6)
    half, half_optimizer = make()
    train(half, half_optimizer, 3)
    resumed, resumed_optimizer = make()
    resumed.load_state_dict(half.state_dict())
    saved = half_optimizer.state_dict()
    assert saved["param_groups"][0]["params"] == [0, 1, 2, 3]
    resumed_optimizer.load_state_dict(saved)
    train(half, half_optimizer, 1)  # the copy is independent of the original
    train(resumed, resumed_optimizer, 3)
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert a.tolist() == b.tolist()


def test_state_dict_that_does_not_fit_changes_nothing():
    optimizer = optim.SGD([nn.Parameter(bolide.zeros(1)), nn.Parameter(bolide.zeros(2))], lr=0.1)
    before = optimizer.state_dict()
    other = optim.SGD([nn.Parameter(bolide.zeros(1))], lr=0.5).state_dict()
    with pytest.raises(ValueError, match="size of optimizer's group: 1, expected 2"):
        optimizer.load_state_dict(other)
    with pytest.raises(ValueError, match="different number of parameter groups: 2, expected 1"):
        optimizer.load_state_dict({"state": {}, "param_groups": before["param_groups"] * 2})
    bad = optimizer.state_dict()
    bad["param_groups"][0]["lr"] = math.nan
    with pytest.raises(ValueError, match="Invalid learning rate: nan"):
        optimizer.load_state_dict(bad)
    wrong_shape = {
        "state": {1: {"momentum_buffer": bolide.zeros(3)}},
        "param_groups": before["param_groups"],
    }
    with pytest.raises(ValueError, match=r"shape \(3,\), its parameter \(2,\)"):
        optimizer.load_state_dict(wrong_shape)
    assert optimizer.state_dict() == before


# ---- schedules -----------------------------------------------------------------------------------


def rates(make, steps):
    optimizer = optim.SGD([nn.Parameter(bolide.zeros(1))], lr=0.8)
    schedule = make(optimizer)
    found = [optimizer.param_groups[0]["lr"]]
    for _ in range(steps):
        optimizer.step()
        schedule.step()
        assert schedule.get_last_lr() == [optimizer.param_groups[0]["lr"]]
        found.append(optimizer.param_groups[0]["lr"])
    return found


def test_step_lr():
    found = rates(lambda optimizer: lr_scheduler.StepLR(optimizer, 2, gamma=0.5), 5)
    assert found == pytest.approx([0.8, 0.8, 0.4, 0.4, 0.2, 0.2])


def test_cosine_annealing():
    found = rates(lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 4, eta_min=0.2), 9)
    expected = [0.2 + 0.6 * (1 + math.cos(math.pi * step / 4)) / 2 for step in range(10)]
    assert found == pytest.approx(expected)


def test_lambda_lr():
    assert rates(
        lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (step + 1)), 3
    ) == pytest.approx([0.8, 0.4, 0.8 / 3, 0.2])
    optimizer = optim.SGD([nn.Parameter(bolide.zeros(1))], lr=0.8)
    with pytest.raises(ValueError, match="Expected 1 lr_lambdas, but got 2"):
        lr_scheduler.LambdaLR(optimizer, [abs, abs])


def test_schedules_check_and_resume():
    optimizer = optim.SGD([nn.Parameter(bolide.zeros(1))], lr=0.8)
    with pytest.raises(TypeError, match="int is not an Optimizer"):
        lr_scheduler.StepLR(3, 1)
    with pytest.raises(ValueError, match="Invalid step_size: 0"):
        lr_scheduler.StepLR(optimizer, 0)
    with pytest.raises(ValueError, match="Invalid T_max: 0"):
        lr_scheduler.CosineAnnealingLR(optimizer, 0)
    schedule = lr_scheduler.StepLR(optimizer, 2, gamma=0.5)
    schedule.step()
    twin = lr_scheduler.StepLR(optimizer, 2, gamma=0.1)
    twin.load_state_dict(schedule.state_dict())
    assert (twin.last_epoch, twin.gamma) == (1, 0.5)
    fresh = optim.SGD([nn.Parameter(bolide.zeros(1))], lr=0.8)
    with pytest.raises(KeyError, match="initial_lr"):
        lr_scheduler.StepLR(fresh, 2, last_epoch=4)
