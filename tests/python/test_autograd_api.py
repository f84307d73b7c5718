"""What programs use of autograd: backward, grad, hooks, modes, custom functions."""

import gc
import threading
import weakref

import bolide
import pytest


@pytest.fixture
def x(device):
    return bolide.tensor([1.0, 2.0, 3.0], device=device, requires_grad=True)


# ---- backward and grad ------------------------------------------------------------------------------------------


def test_backward_adds_to_grad(x):
    (x * x).sum().backward()
    (x * x).sum().backward()
    assert x.grad.tolist() == [4.0, 8.0, 12.0]
    x.grad = None
    assert x.grad is None
    (x * 2).backward(bolide.ones_like(x))
    assert x.grad.tolist() == [2.0] * 3


def test_backward_without_a_graph(x):
    for bad in (lambda: x.detach().sum().backward(), lambda: (x * 2).backward()):
        with pytest.raises(RuntimeError, match=r"\[backward\] expected"):
            bad()
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="retain_graph"):
        y.backward()
    z = (x * x).sum()
    z.backward(retain_graph=True)
    z.backward()
    with pytest.raises(RuntimeError):
        (x * 2).backward(bolide.ones(7, device=x.device))


def test_backward_of_some_inputs(x, device):
    w = bolide.ones(3, device=device, requires_grad=True)
    (x * w).sum().backward(inputs=[w])
    assert x.grad is None and w.grad.tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(RuntimeError):
        (x * w).sum().backward(inputs=[])


def test_grad_returns_and_leaves_grad_alone(x):
    y = (x**3).sum()
    (first,) = bolide.autograd.grad(y, x, create_graph=True)
    (second,) = bolide.autograd.grad(first.sum(), x)
    assert first.tolist() == [3.0, 12.0, 27.0] and second.tolist() == [6.0, 12.0, 18.0]
    assert x.grad is None


def test_grad_of_what_is_not_used(x, device):
    w = bolide.ones(3, device=device, requires_grad=True)
    y = (x * 2).sum()
    with pytest.raises(RuntimeError, match="allow_unused"):
        bolide.autograd.grad(y, [x, w], retain_graph=True)
    assert bolide.autograd.grad(y, [x, w], retain_graph=True, allow_unused=True)[1] is None
    assert bolide.autograd.grad(y, [x, w], materialize_grads=True)[1].tolist() == [0.0] * 3
    a, b = (x * 2), (x * 3)
    (g,) = bolide.autograd.grad([a, b], x, grad_outputs=[bolide.ones_like(x), bolide.ones_like(x)])
    assert g.tolist() == [5.0] * 3


def test_autograd_backward_of_several(x):
    bolide.autograd.backward([(x * 2).sum(), (x * 3).sum()])
    assert x.grad.tolist() == [5.0] * 3


# ---- attributes -------------------------------------------------------------------------------------------------


def test_leaves_and_history(x):
    y = x * 2
    assert x.is_leaf and x.grad_fn is None and not y.is_leaf and y.requires_grad
    assert y.grad_fn.name() == "MulBackward0" and y.grad_fn is y.grad_fn
    assert y.grad_fn.next_functions[0][0].name() == "AccumulateGrad"
    with pytest.raises(RuntimeError):
        y.requires_grad = False
    with pytest.raises(RuntimeError):
        bolide.tensor([1], requires_grad=True)
    x.requires_grad = False
    assert not (x * 2).requires_grad
    assert x.requires_grad_() is x and x.requires_grad


def test_the_grad_setter_checks(x):
    with pytest.raises(RuntimeError):
        x.grad = bolide.ones(4, device=x.device)
    with pytest.raises(RuntimeError):
        x.grad = bolide.ones(3, dtype=bolide.float64, device=x.device)
    with pytest.raises(RuntimeError):
        x.grad = x
    g = bolide.ones(3, device=x.device)
    x.grad = g
    assert x.grad is g


def test_retain_grad(x):
    y = x * 2
    y.retain_grad()
    assert y.retains_grad
    (y * y).sum().backward()
    assert y.grad.tolist() == [4.0, 8.0, 12.0]
    with pytest.raises(RuntimeError):
        x.detach().retain_grad()


def test_data_and_detach(x):
    assert not x.data.requires_grad and x.data.data_ptr() == x.data_ptr() == x.detach().data_ptr()
    x.data = bolide.ones(3, device=x.device)
    assert x.requires_grad and x.is_leaf and x.tolist() == [1.0] * 3
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3.0] * 3
    y = (x * 2).detach_()
    assert y.is_leaf and not y.requires_grad
    with pytest.raises(TypeError):
        x.data = bolide.ones(3, dtype=bolide.int64)


def test_data_of_another_shape(x):
    (x * 2).sum().backward()
    x.grad = None
    x.data = bolide.ones(2, 2, device=x.device)
    (x * 3).sum().backward()
    assert x.grad.tolist() == [[3.0, 3.0], [3.0, 3.0]]


# ---- modes ------------------------------------------------------------------------------------------------------


def test_modes_as_context_managers_and_decorators(x):
    with bolide.no_grad():
        assert not bolide.is_grad_enabled() and not (x * 2).requires_grad
        with bolide.enable_grad():
            assert (x * 2).requires_grad
        assert not bolide.is_grad_enabled()
    assert bolide.is_grad_enabled()

    @bolide.no_grad()
    def double(t):
        """Twice."""
        return t * 2

    @bolide.no_grad
    def triple(t):
        return t * 3

    assert (
        not double(x).requires_grad and not triple(x).requires_grad and double.__doc__ == "Twice."
    )
    with bolide.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    assert bolide.is_grad_enabled()
    bolide.set_grad_enabled(False)
    assert not bolide.is_grad_enabled()
    bolide.set_grad_enabled(True)
    with pytest.raises(ZeroDivisionError), bolide.no_grad():
        raise ZeroDivisionError
    assert bolide.is_grad_enabled()


def test_a_decorated_generator_has_the_mode_only_while_it_runs():
    @bolide.no_grad()
    def numbers():
        got = yield bolide.is_grad_enabled()
        assert not bolide.is_grad_enabled()
        try:
            yield got
        except KeyError:
            yield "caught"
        return "end"

    steps = numbers()
    assert next(steps) is False and bolide.is_grad_enabled()
    assert steps.send(5) == 5 and bolide.is_grad_enabled()
    assert steps.throw(KeyError()) == "caught"
    with pytest.raises(StopIteration, match="end"):
        next(steps)


def test_inference_mode(x):
    with bolide.inference_mode():
        assert bolide.is_inference_mode_enabled()
        y = x * 2
    assert not y.requires_grad and y._is_inference and not bolide.is_inference_mode_enabled()
    with pytest.raises(RuntimeError):
        (x * y).sum().backward()


def test_modes_are_per_thread():
    seen = []
    with bolide.no_grad():
        thread = threading.Thread(target=lambda: seen.append(bolide.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


# ---- hooks ------------------------------------------------------------------------------------------------------


def test_hooks_see_and_replace_gradients(x):
    seen = []
    y = x * 2
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10)
    y.sum().backward()
    assert seen == [[1.0] * 3] and x.grad.tolist() == [20.0] * 3


def test_hooks_of_leaves_and_their_handles(x):
    calls = []
    handle = x.register_hook(lambda g: calls.append("hook"))
    after = x.register_post_accumulate_grad_hook(lambda t: calls.append(t is x and t.grad.tolist()))
    (x * 2).sum().backward()
    assert calls == ["hook", [2.0] * 3]
    handle.remove()
    handle.remove()
    after.remove()
    (x * 2).sum().backward()
    assert len(calls) == 2
    with x.register_hook(lambda g: calls.append("again")):
        (x * 2).sum().backward()
    (x * 2).sum().backward()
    assert calls[2:] == ["again"]


def test_a_hook_may_remove_itself_and_others(x):
    calls, handles = [], []

    def once(g):
        calls.append("once")
        for handle in handles:
            handle.remove()

    handles.append(x.register_hook(once))
    handles.append(x.register_hook(lambda g: calls.append("never")))
    handles.append(x.register_post_accumulate_grad_hook(lambda t: calls.append("never")))
    for _ in range(2):
        (x * 2).sum().backward()
    assert calls == ["once"]


def test_a_post_hook_may_remove_itself(x):
    calls = []

    def once(t):
        calls.append(1)
        handle.remove()

    handle = x.register_post_accumulate_grad_hook(once)
    for _ in range(3):
        (x * 2).sum().backward()
    assert calls == [1]


def test_hooks_live_on_without_the_object_and_errors_pass(x):
    calls = []
    y = x * 2
    y.register_hook(lambda g: calls.append(1))
    z = y * 3
    del y
    gc.collect()
    z.sum().backward()
    assert calls == [1]

    def fail(g):
        raise KeyError("from the hook")

    x.register_hook(fail)
    with pytest.raises(KeyError, match="from the hook"):
        (x * 2).sum().backward()
    w = x.detach().requires_grad_()
    w.register_hook(lambda g: "no tensor")
    with pytest.raises(TypeError, match="a Tensor or None"):
        (w * 2).sum().backward()
    with pytest.raises(TypeError):
        x.register_hook(5)
    with pytest.raises(RuntimeError):
        x.detach().register_hook(print)


# ---- functions of one's own -------------------------------------------------------------------------------------


class Scale(bolide.autograd.Function):
    @staticmethod
    def forward(ctx, t, factor):
        ctx.factor = factor
        ctx.save_for_backward(t)
        return t * factor

    @staticmethod
    def backward(ctx, g):
        assert ctx.needs_input_grad == (True, False)
        return g * ctx.factor, None


def test_custom_function(x):
    y = Scale.apply(x, 3.0)
    assert y.grad_fn.name() == "ScaleBackward" and "ScaleBackward" in repr(y)
    y.sum().backward()
    assert x.grad.tolist() == [3.0] * 3
    assert not Scale.apply(x.detach(), 2.0).requires_grad
    with bolide.no_grad():
        assert not Scale.apply(x, 2.0).requires_grad


def test_custom_function_twice_differentiated(x):
    class Cube(bolide.autograd.Function):
        @staticmethod
        def forward(ctx, t):
            ctx.save_for_backward(t)
            return t**3

        @staticmethod
        def backward(ctx, g):
            (t,) = ctx.saved_tensors
            return 3 * t**2 * g

    class Exp(bolide.autograd.Function):
        @staticmethod
        def forward(ctx, t):
            y = t.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            return y * g

    (first,) = bolide.autograd.grad(Cube.apply(x).sum(), x, create_graph=True)
    (second,) = bolide.autograd.grad(first.sum(), x)
    assert second.tolist() == [6.0, 12.0, 18.0]
    z = bolide.zeros(2, device=x.device, requires_grad=True)
    (first,) = bolide.autograd.grad(Exp.apply(z).sum(), z, create_graph=True)
    (second,) = bolide.autograd.grad(first.sum(), z, create_graph=True)
    (third,) = bolide.autograd.grad(second.sum(), z)
    assert third.tolist() == [1.0, 1.0]
    d = bolide.tensor([0.3, -0.7], dtype=bolide.float64, requires_grad=True)
    assert bolide.autograd.gradcheck(Cube.apply, (d,)) and bolide.autograd.gradcheck(
        Exp.apply, (d,)
    )


def test_several_outputs_and_unused_ones(x):
    seen = []

    class Split(bolide.autograd.Function):
        @staticmethod
        def forward(ctx, t, materialize):
            ctx.set_materialize_grads(materialize)
            places = (t > 1.5).to(bolide.int64)
            ctx.mark_non_differentiable(places)
            return t * 2, t * 3, places, "text"

        @staticmethod
        def backward(ctx, a, b, c, d):
            seen.append((a is None, b is None))
            return (0 if a is None else 2 * a) + (0 if b is None else 3 * b), None

    a, b, places, text = Split.apply(x, True)
    assert not places.requires_grad and text == "text"
    a.sum().backward()
    assert x.grad.tolist() == [2.0] * 3 and seen == [(False, False)]
    x.grad = None
    a, b, *_ = Split.apply(x, False)
    b.sum().backward()
    assert x.grad.tolist() == [3.0] * 3 and seen[1] == (True, False)


def test_setup_context(x):
    class Double(bolide.autograd.Function):
        @staticmethod
        def forward(t, n):
            return t * n

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.n = inputs[1]
            ctx.save_for_backward(output)

        @staticmethod
        def backward(ctx, g):
            assert len(ctx.saved_tensors) == 1
            return g * ctx.n, None

    Double.apply(x, 2).sum().backward()
    assert x.grad.tolist() == [2.0] * 3


def test_results_that_are_inputs_or_views(x):
    class Same(bolide.autograd.Function):
        @staticmethod
        def forward(ctx, t):
            return t

        @staticmethod
        def backward(ctx, g):
            return g * 5

    class View(bolide.autograd.Function):
        @staticmethod
        def forward(ctx, t):
            return t.view(3, 1)

        @staticmethod
        def backward(ctx, g):
            return g.view(3) * 7

    y = Same.apply(x)
    assert y is not x and y.data_ptr() == x.data_ptr()
    y.sum().backward()
    assert x.grad.tolist() == [5.0] * 3
    View.apply(x).sum().backward()
    assert x.grad.tolist() == [12.0] * 3


def test_in_place_function(x):
    class Fill(bolide.autograd.Function):
        @staticmethod
        def forward(ctx, t):
            t.mul_(4)
            ctx.mark_dirty(t)
            return t

        @staticmethod
        def backward(ctx, g):
            return g * 4

    y = x * 1
    z = Fill.apply(y)
    assert z is y
    z.sum().backward()
    assert x.grad.tolist() == [4.0] * 3
    with pytest.raises(RuntimeError):
        Fill.apply(x.detach().requires_grad_())


@pytest.mark.parametrize(
    "result",
    [(), (1.0, None), (None, None, 5), ("x", None), (lambda: None,)],
    ids=lambda r: str(len(r)),
)
def test_wrong_gradients_of_a_function(x, result):
    class Wrong(bolide.autograd.Function):
        @staticmethod
        def forward(ctx, t, n):
            return t * n

        @staticmethod
        def backward(ctx, g):
            return result

    with pytest.raises((RuntimeError, TypeError), match=r"\[WrongBackward\]"):
        Wrong.apply(x, 2).sum().backward()


def test_errors_in_a_function_and_after_it(x):
    class Fails(bolide.autograd.Function):
        @staticmethod
        def forward(ctx, t):
            ctx.save_for_backward(t)
            return t * 2

        @staticmethod
        def backward(ctx, g):
            raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        Fails.apply(x).sum().backward()
    y = Scale.apply(x, 2.0).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="retain_graph"):
        y.backward()
    with pytest.raises(RuntimeError):
        Scale()
    with pytest.raises(TypeError):
        Scale.apply()


def test_saved_tensors_notice_changes(x):
    y = x * 1

    class Keeps(bolide.autograd.Function):
        @staticmethod
        def forward(ctx, t):
            ctx.save_for_backward(t, None)
            return t * 2

        @staticmethod
        def backward(ctx, g):
            t, nothing = ctx.saved_tensors
            assert nothing is None
            return g * t

    z = Keeps.apply(y)
    y.add_(1)
    with pytest.raises(RuntimeError, match="in-place"):
        z.sum().backward()


def test_contexts_are_freed_with_the_graph(x):
    class Mark:
        pass

    class Holds(bolide.autograd.Function):
        @staticmethod
        def forward(ctx, t):
            ctx.mark = Mark()
            marks.append(weakref.ref(ctx.mark))
            return t * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    marks = []
    y = Holds.apply(x)
    del y
    gc.collect()
    assert marks[0]() is None
    y = Holds.apply(x)
    waiting = [y]
    del y
    thread = threading.Thread(target=lambda: waiting.pop().sum().backward())
    thread.start()
    thread.join()
    assert x.grad.tolist() == [2.0] * 3
    gc.collect()
    assert marks[1]() is None


def test_once_differentiable(x):
    from bolide.autograd.function import once_differentiable

    class Once(bolide.autograd.Function):
        @staticmethod
        def forward(ctx, t):
            return t * 2

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            assert not bolide.is_grad_enabled()
            return g * 2

    (g,) = bolide.autograd.grad(Once.apply(x).sum(), x, create_graph=True)
    assert not g.requires_grad


def test_a_function_without_backward(x):
    class Forward(bolide.autograd.Function):
        @staticmethod
        def forward(ctx, t):
            return t * 2

    with pytest.raises(NotImplementedError, match="backward"):
        Forward.apply(x).sum().backward()


def test_a_long_chain_of_functions(x):
    y = x
    for _ in range(3000):
        y = Scale.apply(y, 1.0)
    y.sum().backward()
    assert x.grad.tolist() == [1.0] * 3
    del y


def test_gradcheck_notices_a_wrong_gradient():
    class Wrong(bolide.autograd.Function):
        @staticmethod
        def forward(ctx, t):
            return t * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2.1

    d = bolide.ones(2, dtype=bolide.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match="finite differences"):
        bolide.autograd.gradcheck(Wrong.apply, (d,))
    assert not bolide.autograd.gradcheck(Wrong.apply, (d,), raise_exception=False)
    with pytest.raises(ValueError):
        bolide.autograd.gradcheck(bolide.exp, (bolide.ones(1),))


# ---- hooks on several tensors, and on what is saved -------------------------------------------------------------


def test_a_hook_of_several_tensors_runs_once_for_each_backward():
    a, b, c = (bolide.ones(2, requires_grad=True) for _ in range(3))
    product = a * b
    seen, first = [], []
    graph = bolide.autograd.graph
    everything = graph.register_multi_grad_hook((a, product, c), seen.append)
    any_of_them = graph.register_multi_grad_hook((product, c), first.append, mode="any")
    (product * 3 + c).sum().backward(retain_graph=True)
    assert [g.tolist() for g in seen.pop()] == [[3, 3], [3, 3], [1, 1]] and len(first) == 1
    product.sum().backward(retain_graph=True)
    assert [g and g.tolist() for g in seen.pop()[2:]] == [None] and len(first) == 2
    bolide.autograd.grad(product.sum(), b, retain_graph=True)  # which does not ask for a's
    assert seen[0][0] is None and seen.pop()[1].tolist() == [1, 1] and not seen
    everything.remove(), any_of_them.remove()
    product.sum().backward()
    assert not seen and len(first) == 3


def test_a_hook_of_several_tensors_says_what_it_does_not_take():
    with pytest.raises(ValueError, match="got 'some'"):
        bolide.autograd.graph.register_multi_grad_hook((), print, mode="some")
    with pytest.raises(RuntimeError, match="requires grad"):
        bolide.autograd.graph.register_multi_grad_hook((bolide.ones(1),), print)


def test_what_is_saved_may_change_where_it_is_copied():
    leaf = bolide.ones(2, requires_grad=True)
    with bolide.autograd.graph.allow_mutation_on_saved_tensors():
        x = leaf * 3
        y = (x * x).sum()
        x.detach().zero_()
    (slope,) = bolide.autograd.grad(y, x, create_graph=True)
    assert slope.tolist() == [6, 6]
    assert bolide.autograd.grad(slope.sum(), leaf)[0].tolist() == [6, 6]


def test_a_pack_hook_leaves_its_tensor_as_it_is():
    x = bolide.ones(2, requires_grad=True)
    hooks = bolide.autograd.graph.saved_tensors_hooks(lambda t: t.add_(1), lambda t: t)
    with hooks, pytest.raises(RuntimeError, match="modifying its input in place"):
        x.exp()


def test_inference_tensors_have_no_version_to_raise():
    with bolide.inference_mode():
        x = bolide.ones(2)
    with pytest.raises(RuntimeError, match="inference tensor"):
        bolide.autograd.graph.increment_version(x)


# ---- modes and checks -------------------------------------------------------------------------------------------


def test_a_generator_is_closed_in_its_mode():
    modes = []

    @bolide.no_grad()
    def numbers():
        try:
            yield 1
        finally:
            modes.append(bolide.is_grad_enabled())

    steps = numbers()
    next(steps)
    steps.close()
    assert modes == [False] and bolide.is_grad_enabled()


def test_zeros_for_unused_inputs_may_be_differentiated():
    x = bolide.ones(2, requires_grad=True)
    (first,) = bolide.autograd.grad((x * 2).sum(), x, create_graph=True, materialize_grads=True)
    (second,) = bolide.autograd.grad(
        first.sum() + x.sum() * 0, x, create_graph=True, materialize_grads=True
    )
    y = bolide.ones(1, requires_grad=True)
    (unused,) = bolide.autograd.grad(x.sum(), y, create_graph=True, materialize_grads=True)
    assert second.tolist() == [0, 0] and unused.requires_grad
    assert not bolide.autograd.grad(x.sum(), y, materialize_grads=True)[0].requires_grad


@pytest.mark.parametrize("fast", [False, True])
def test_gradcheck_runs_the_function_as_a_program_does(fast):
    asked = []

    def f(x):
        asked.append(x.requires_grad and bolide.is_grad_enabled())
        return x * x

    x = bolide.tensor([1.0, 2.0], dtype=bolide.float64, requires_grad=True)
    assert bolide.autograd.gradcheck(f, (x,), fast_mode=fast)
    assert len(asked) > 2 and all(asked)


def test_attributes_of_what_a_gradient_holds_survive_the_garbage_collector():
    class Mark:
        pass

    x, y, holder = bolide.ones(2), bolide.ones(2), bolide.ones(2)
    x.mark, y.mark = Mark(), Mark()
    x.other, y.other = y, x
    alive = [weakref.ref(x.mark), weakref.ref(y.mark)]
    holder.grad = x
    del x, y
    gc.collect()
    assert all(m() is not None for m in alive) and holder.grad.other.other is holder.grad
    del holder
    gc.collect()
    gc.collect()
    assert not any(m() for m in alive)
