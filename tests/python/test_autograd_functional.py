"""autograd.functional, gradcheck's options, checkpoint, hooks on what is saved: beside PyTorch where it is installed."""

import bolide
import pytest
from bolide.autograd import Function, functional, gradcheck, gradgradcheck
from bolide.autograd.graph import (
    disable_saved_tensors_hooks,
    get_gradient_edge,
    increment_version,
    save_on_cpu,
    saved_tensors_hooks,
)


def leaf(*values):
    return bolide.tensor(values, dtype=bolide.float64, requires_grad=True)


X = [0.5, -1.0, 2.0]
Y = [1.5, 0.25, -0.75]


def plain(value):
    """Nested lists of rounded numbers: a common form of both libraries' results."""
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    return [round(v, 9) for v in value.detach().reshape(-1).tolist()]


def scalar(x, y):
    return (x * x * y + x.exp()).sum()


def vector(x, y):
    return x * y.exp(), (x + y).sum()


@pytest.mark.parametrize("create_graph", [False, True])
def test_functional_agrees_with_torch(create_graph):
    torch = pytest.importorskip("torch")
    other = torch.autograd.functional

    def both(name, func, inputs, v=None):
        results = []
        for module, tensor in ((functional, bolide.tensor), (other, torch.tensor)):
            dtype = (bolide if module is functional else torch).float64
            made = tuple(tensor(i, dtype=dtype, requires_grad=create_graph) for i in inputs)
            more = () if v is None else (tuple(tensor(i, dtype=dtype) for i in v),)
            found = getattr(module, name)(func, made, *more, create_graph=create_graph)
            results.append(plain(found))
        assert results[0] == results[1]

    both("jacobian", vector, (X, Y))
    both("jacobian", scalar, (X, Y))
    both("hessian", scalar, (X, Y))
    both("vjp", vector, (X, Y), ([1.0, 2.0, 3.0], 0.5))
    both("jvp", vector, (X, Y), ([1.0, 2.0, 3.0], [0.5, 0.25, 1.0]))
    both("vhp", scalar, (X, Y), ([1.0, 2.0, 3.0], [0.5, 0.25, 1.0]))
    both("hvp", scalar, (X, Y), ([1.0, 2.0, 3.0], [0.5, 0.25, 1.0]))


def test_results_have_a_graph_only_if_asked():
    x = leaf(1.0, 2.0)
    j = functional.jacobian(lambda t: t**3, x, create_graph=True)
    assert j.shape == (2, 2)
    j.sum().backward()
    assert x.grad.tolist() == [6.0, 12.0]
    assert not functional.jacobian(lambda t: t**3, x).requires_grad
    assert functional.hessian(lambda t: (t**3).sum(), x).tolist() == [[6.0, 0.0], [0.0, 12.0]]


def test_functional_checks_its_arguments():
    x = leaf(1.0, 2.0)
    constant = bolide.ones(2, dtype=bolide.float64)
    assert functional.jacobian(lambda t: constant, x).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    with pytest.raises(RuntimeError, match="strict"):
        functional.jacobian(lambda t: constant, x, strict=True)
    with pytest.raises(RuntimeError, match="strict"):
        functional.jacobian(lambda t, u: t * 2, (x, leaf(1.0)), strict=True)
    with pytest.raises(RuntimeError, match="one element"):
        functional.hessian(lambda t: t * 2, x)
    with pytest.raises(RuntimeError, match="scalars only"):
        functional.vjp(lambda t: t * 2, x)
    with pytest.raises(RuntimeError, match=r"v\[0\] of shape \[2\]"):
        functional.vjp(lambda t: t * 2, x, bolide.ones(3, dtype=bolide.float64))
    with pytest.raises(TypeError):
        functional.jacobian(lambda t: 5, x)
    with pytest.raises(NotImplementedError):
        functional.jacobian(lambda t: t, x, strategy="forward-mode")
    assert functional.vjp(lambda t: (t * t).sum(), x)[1].tolist() == [2.0, 4.0]


# ---- gradcheck ----------------------------------------------------------------------------------------------------


def planted(backward, outputs=1):
    """A Function that doubles, with this backward."""

    class Planted(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2 if outputs == 1 else (x * 2, x * 3)

    Planted.backward = staticmethod(backward)
    return Planted.apply


@pytest.mark.parametrize("fast_mode", [False, True])
@pytest.mark.parametrize(
    "wrong",
    [
        lambda ctx, g: g * 2.01,
        lambda ctx, g: g,
        lambda ctx, g: g * 0,
        lambda ctx, g: None,
        lambda ctx, g: (g * 2).flip(0),
        lambda ctx, g: g * float("nan"),
    ],
)
def test_gradcheck_sees_planted_gradients(wrong, fast_mode):
    x = leaf(*X)
    f = planted(wrong)
    with pytest.raises(RuntimeError, match="finite differences") as raised:
        gradcheck(lambda t: f(t) * t, (x,), fast_mode=fast_mode)
    assert type(raised.value).__name__ == "GradcheckError"
    assert not gradcheck(lambda t: f(t) * t, (x,), raise_exception=False, fast_mode=fast_mode)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_gradcheck_accepts_what_is_right(fast_mode):
    x, y = leaf(*X), leaf(*Y)
    options = {"fast_mode": fast_mode, "check_batched_grad": True, "check_grad_dtypes": True}
    assert gradcheck(scalar, (x, y), **options)
    assert gradcheck(vector, (x, y), **options)
    assert gradgradcheck(vector, (x, y), gen_non_contig_grad_outputs=True, **options)
    assert gradcheck(lambda t: t.detach() > 0, (x,), **options)  # nothing to differentiate


def test_gradcheck_sees_backwards_that_differ():
    calls = []

    def wavers(ctx, g):
        calls.append(1)
        return g * (2 + 1e-7 * len(calls))

    with pytest.raises(RuntimeError, match="two backwards"):
        gradcheck(planted(wavers), (leaf(*X),))
    assert gradcheck(planted(wavers), (leaf(*X),), nondet_tol=1e-3)


def test_gradcheck_sees_a_backward_that_needs_every_gradient():
    f = planted(lambda ctx, g, h: g * 2 + h * 3, outputs=2)
    with pytest.raises(RuntimeError, match="undefined output grads"):
        gradcheck(f, (leaf(*X),))
    assert gradcheck(f, (leaf(*X),), check_undefined_grad=False)


def test_gradgradcheck_sees_a_backward_that_hides_its_dependence():
    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.kept = x.detach()
            return x * x

        @staticmethod
        def backward(ctx, g):
            return 2 * ctx.kept * g

    assert gradcheck(Square.apply, (leaf(*X),))
    with pytest.raises(RuntimeError, match="finite differences"):
        gradgradcheck(Square.apply, (leaf(*X),))


def test_gradcheck_checks_its_arguments():
    with pytest.raises(ValueError, match="requires grad"):
        gradcheck(bolide.exp, (bolide.ones(1),))
    with pytest.raises(ValueError, match="distinct"):
        gradcheck(bolide.exp, (leaf(1.0).expand(3),))
    with pytest.warns(UserWarning, match="double precision"):
        gradcheck(bolide.exp, (bolide.ones(1, requires_grad=True),), eps=1e-2, atol=1e-1)
    for option in ("check_forward_ad", "check_batched_forward_grad", "masked"):
        with pytest.raises(NotImplementedError, match=option):
            gradcheck(bolide.exp, (leaf(1.0),), **{option: True})


# ---- hooks on saved tensors -----------------------------------------------------------------------------------------


def test_saved_tensors_hooks_see_everything_and_may_change_it():
    x, packed, unpacked = leaf(1.0, 2.0), [], []

    def pack(t):
        packed.append(t.tolist())
        return t.tolist()

    def unpack(kept):
        unpacked.append(kept)
        return bolide.tensor(kept, dtype=bolide.float64) * 10

    with saved_tensors_hooks(pack, unpack):
        y = x.exp() * x  # saves the output of exp, and both factors
    assert len(packed) == 3 and not unpacked
    y.sum().backward()
    assert len(unpacked) == 3
    e = x.exp()
    assert x.grad.tolist() == pytest.approx((10 * e + 10 * x * 10 * e).tolist())
    packed.clear()
    (x * x).sum().backward()
    assert not packed  # outside


def test_second_derivatives_through_hooks_on_saved_tensors():
    x = leaf(0.5, 2.0)
    with saved_tensors_hooks(lambda t: t.clone(), lambda t: t.clone()):
        y = (x.tanh() * x).exp() + Keeps.apply(x)
        (first,) = bolide.autograd.grad(y.sum(), x, create_graph=True)
        (second,) = bolide.autograd.grad(first.sum(), x)
    z = (x.tanh() * x).exp() + x**2
    (right,) = bolide.autograd.grad(z.sum(), x, create_graph=True)
    (right2,) = bolide.autograd.grad(right.sum(), x)
    assert first.tolist() == pytest.approx(right.tolist())
    assert second.tolist() == pytest.approx(right2.tolist())


class Keeps(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0]


def test_hooks_on_saved_tensors_nest_and_fail_cleanly():
    x, seen = leaf(1.0), []
    with (
        saved_tensors_hooks(lambda t: seen.append("outer"), lambda k: None),
        saved_tensors_hooks(lambda t: seen.append("inner"), lambda k: None),
    ):
        y = x * x
    assert seen == ["inner", "inner"]
    with pytest.raises(TypeError, match="a Tensor from unpack_hook"):
        y.backward()

    def fail(t):
        raise KeyError("pack")

    with saved_tensors_hooks(fail, fail), pytest.raises(KeyError, match="pack"):
        x * x
    (x * x).backward()
    assert x.grad.tolist() == [2.0]
    with pytest.raises(TypeError):
        saved_tensors_hooks(5, 6).__enter__()
    with disable_saved_tensors_hooks("not here"), pytest.raises(RuntimeError, match="not here"):
        saved_tensors_hooks(fail, fail).__enter__()


def test_save_on_cpu(device):
    x = bolide.ones(3, device=device, requires_grad=True)
    with save_on_cpu():
        y = x.exp() * x
    y.sum().backward()
    assert x.grad.tolist() == pytest.approx([5.4365635] * 3)


def test_edges_and_versions():
    x = leaf(1.0)
    y = x * 2
    assert get_gradient_edge(y) == (y.grad_fn, 0)
    assert get_gradient_edge(x).node.name() == "AccumulateGrad"
    with pytest.raises(RuntimeError):
        get_gradient_edge(x.detach())
    z = y * y
    increment_version(y)
    increment_version([y, y])
    assert y._version == 3
    with pytest.raises(RuntimeError, match="in-place"):
        z.backward()


# ---- checkpoint -------------------------------------------------------------------------------------------------------


def test_checkpoint_gives_the_same_gradients_and_keeps_nothing(device):
    from bolide.utils.checkpoint import checkpoint

    x = bolide.randn(64, 64, device=device, requires_grad=True)
    calls = []

    def block(t, *, scale):
        calls.append(1)
        return bolide.nn.functional.dropout((t @ t).tanh().exp() * scale, 0.5)

    bolide.manual_seed(3)
    plain_ = block(x, scale=2.0)
    (wanted,) = bolide.autograd.grad(plain_.sum(), x)
    bolide.manual_seed(3)
    before = bolide._C._memory_stats(device)["allocated"]
    y = checkpoint(block, x, scale=2.0, use_reentrant=False)
    kept = bolide._C._memory_stats(device)["allocated"] - before
    assert kept <= 2 * y.nbytes  # the result, and nothing that its ops saved
    after = bolide.get_rng_state().tolist()
    for _ in range(2):
        (got,) = bolide.autograd.grad(y.sum(), x, retain_graph=True)
        assert got.tolist() == wanted.tolist()
    assert len(calls) == 4 and bolide.get_rng_state().tolist() == after
    assert y.tolist() == plain_.tolist()


def test_checkpoint_notices_another_computation():
    from bolide.utils.checkpoint import checkpoint

    x, calls = leaf(1.0), []

    def changes(t):
        calls.append(1)
        return t.exp() if len(calls) == 1 else t * 2

    y = checkpoint(changes, x, use_reentrant=False)
    with pytest.raises(RuntimeError, match="second computation"):
        y.backward()
    with pytest.raises(NotImplementedError):
        checkpoint(changes, x, use_reentrant=True)
