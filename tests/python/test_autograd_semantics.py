"""Rules of PyTorch's autograd that programs lean on: nodes, order of hooks, views, inference mode, identity, anomalies."""

import gc
import threading
import warnings
import weakref

import bolide
import pytest
from bolide import nn
from bolide.autograd import Function, grad


@pytest.fixture
def x(device):
    return bolide.tensor([1.0, 2.0, 3.0], device=device, requires_grad=True)


# ---- nodes --------------------------------------------------------------------------------------------------------

NAMES = {
    "AddBackward0": lambda x: x + x,
    "MulBackward0": lambda x: x * 2,
    "SubBackward0": lambda x: x - 1,
    "DivBackward0": lambda x: x / 2,
    "TanhBackward0": lambda x: x.tanh(),
    "ExpBackward0": lambda x: x.exp(),
    "NegBackward0": lambda x: -x,
    "SumBackward0": lambda x: x.sum(),
    "MmBackward0": lambda x: x.view(3, 1) @ x.view(1, 3),
    "ViewBackward0": lambda x: x.view(3, 1),
    "SelectBackward0": lambda x: x[0],
    "SliceBackward0": lambda x: x[:2],
    "TransposeBackward0": lambda x: x.view(3, 1).transpose(0, 1),
    "CatBackward0": lambda x: bolide.cat([x, x]),
    "SplitBackward0": lambda x: x.split(2)[0],
    "UnbindBackward0": lambda x: x.unbind()[1],
    "CloneBackward0": lambda x: x.clone(),
    "CopyBackwards": lambda x: (x * 1).copy_(x),
    "AsStridedBackward0": lambda x: (x * 1)[:2].fill_(1),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_of_nodes(x, name):
    node = NAMES[name](x).grad_fn
    assert node.name() == name == type(node).__name__
    assert repr(node).startswith(f"<{name} object at 0x")
    assert isinstance(node, bolide.autograd.graph.Node)
    torch = pytest.importorskip("torch")
    # One row calls bolide.cat; of the other PyTorch's name() has the C++ namespace in front.
    if name not in ("CatBackward0", "CopyBackwards"):
        assert NAMES[name](torch.tensor([1.0, 2.0, 3.0], requires_grad=True)).grad_fn.name() == name


def test_a_node_is_one_object_with_metadata(x):
    y = x * 2
    assert y.grad_fn is y.grad_fn and y.grad_fn != (x * 2).grad_fn
    y.grad_fn.metadata["a"] = 1
    gc.collect()
    assert y.grad_fn.metadata == {"a": 1}  # it lives as long as the node
    ((accumulate, number), (nothing, _)) = y.grad_fn.next_functions
    assert accumulate.variable is x and number == 0 and nothing is None
    assert not hasattr(y.grad_fn, "variable") and y.grad_fn._sequence_nr() > 0
    parts = x.unbind()
    assert [p.output_nr for p in parts] == [0, 1, 2]
    assert parts[0].grad_fn is parts[2].grad_fn
    with pytest.raises(TypeError):
        type(y.grad_fn)()


def test_the_node_of_a_function_shows_its_ctx(x):
    class F(Function):
        @staticmethod
        def forward(ctx, t):
            ctx.k = 5
            ctx.save_for_backward(t)
            return t * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    node = F.apply(x).grad_fn
    assert node.name() == "FBackward" and node.k == 5 and node.saved_tensors[0] is x
    assert node.needs_input_grad == (True,) and not hasattr(node, "unknown")


# ---- hooks --------------------------------------------------------------------------------------------------------


def test_the_order_of_hooks(x):
    log = []
    y = x * 2
    y.retain_grad()
    y.grad_fn.register_hook(lambda gi, go: log.append(("after", gi[0].tolist(), gi[1], len(go))))
    y.grad_fn.register_prehook(lambda go: log.append(("before", go[0].tolist())))
    y.register_hook(lambda g: log.append(("tensor", g.tolist())))
    y.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: log.append(("leaf", g.tolist())))
    x.register_post_accumulate_grad_hook(lambda t: log.append(("post", t.grad.tolist())))
    accumulate = y.grad_fn.next_functions[0][0]
    accumulate.register_hook(lambda gi, go: log.append(("accumulated", gi, go[0].tolist())))
    accumulate.register_prehook(lambda go: log.append(("accumulate", go[0].tolist())))
    y.sum().backward()
    ten, twenty = [10.0] * 3, [20.0] * 3
    assert log == [
        ("tensor", [1.0] * 3),
        ("before", ten),
        ("after", twenty, None, 1),
        ("leaf", twenty),
        ("accumulate", twenty),
        ("post", twenty),
        ("accumulated", (), twenty),
    ]
    assert y.grad.tolist() == ten  # what is retained comes after all hooks


def test_node_hooks_replace_and_are_removed(x):
    y = x * 2
    before = y.grad_fn.register_prehook(lambda go: (go[0] * 3,))
    with y.grad_fn.register_hook(lambda gi, go: (gi[0] + 1, None)):
        y.sum().backward(retain_graph=True)
    assert x.grad.tolist() == [7.0] * 3
    x.grad = None
    before.remove()
    before.remove()
    y.sum().backward()
    assert x.grad.tolist() == [2.0] * 3
    for wrong, error in [
        (lambda gi, go: (gi[0],), "incorrect number"),
        (lambda gi, go: gi[0], "a tuple or None"),
        (lambda gi, go: ("x", None), "Tensors or None"),
    ]:
        z = x * 2
        z.grad_fn.register_hook(wrong)
        with pytest.raises((RuntimeError, TypeError), match=error):
            z.sum().backward()
    with pytest.raises(TypeError):
        y.grad_fn.register_hook(5)


def test_hooks_and_in_place_ops(x):
    log = []
    y = x * 1
    y.register_hook(lambda g: log.append(("old", g.tolist())))
    y.retain_grad()
    y.mul_(3)
    y.register_hook(lambda g: log.append(("new", g.tolist())))
    y.sum().backward()
    assert log == [("new", [1.0] * 3), ("old", [3.0] * 3)]
    assert y.grad.tolist() == [1.0] * 3 and y.retains_grad  # of the newest value


def test_retained_gradients_of_views_follow(x):
    y = x * 1
    v = y[:2]
    v.retain_grad()
    y.mul_(3)
    z = (v * 2).sum()
    z.backward(retain_graph=True)
    assert v.grad.tolist() == [2.0, 2.0] and x.grad.tolist() == [6.0, 6.0, 0.0]
    z.backward()
    assert v.grad.tolist() == [4.0, 4.0]  # it adds up, as on leaves


def test_hooks_of_a_leaf_survive_new_data(x):
    calls = []
    x.register_hook(lambda g: calls.append(g.tolist()))
    (x * 2).sum().backward()
    x.grad = None
    x.data = bolide.ones(2, 2, device=x.device)
    (x * 2).sum().backward()
    assert [len(c) for c in calls] == [3, 2] and x.grad.shape == (2, 2)
    x.requires_grad_(False)
    x.requires_grad_()
    (x * 2).sum().backward()
    assert len(calls) == 3


def test_hooks_may_add_hooks(x):
    calls = []

    def more(t):
        calls.append(1)
        for _ in range(20):
            x.register_post_accumulate_grad_hook(lambda t: calls.append(2))

    x.register_post_accumulate_grad_hook(more)
    (x * 2).sum().backward()
    assert calls == [1]


# ---- running ------------------------------------------------------------------------------------------------------


def test_grad_stops_at_the_inputs(x):
    """What lies below the inputs is neither run nor freed."""
    y = x * x
    z = y.exp().sum()
    calls = []
    y.grad_fn.register_hook(lambda gi, go: calls.append(1))
    grad(z, y)
    assert not calls
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 4.0, 6.0] and calls == [1]


def test_grad_of_an_input_that_leads_to_another(x):
    y = x * 2
    z = (y * y).sum()
    gy, gx = grad(z, [y, x])
    assert gy.tolist() == [4.0, 8.0, 12.0] and gx.tolist() == [8.0, 16.0, 24.0]


def test_texts_of_errors_have_pytorchs_words(x):
    y = (x * x).sum()
    y.backward()
    for bad, words in [
        (lambda: y.backward(), "Trying to backward through the graph a second time"),
        (lambda: (x * 2).backward(), "Grad can be implicitly created only for scalar outputs"),
        (lambda: x.detach().sum().backward(), "does not require grad and does not have a grad_fn"),
        (lambda: grad((x * 2).sum(), bolide.ones(1)), "One of the differentiated Tensors"),
        (
            lambda: grad(x.sum(), bolide.ones(1, requires_grad=True)),
            "appears to not have been used",
        ),
        (lambda: (x * 2).backward(bolide.ones(2, device=x.device)), "Mismatch in shape"),
        (lambda: x.add_(1), "A leaf Variable that requires grad is being used in an in-place"),
        (lambda: x[0].add_(1), "A view of a leaf Variable that requires grad"),
        (lambda: (x * 1).requires_grad_(False), "requires_grad flags of leaf variables"),
        (lambda: x.detach().retain_grad(), "Can't retain_grad"),
        (lambda: x.view(3).detach_(), "no view"),
    ]:
        with pytest.raises(RuntimeError, match=words):
            bad()
    with pytest.raises(ValueError, match="cannot be empty"):
        grad(x.sum(), [])
    with pytest.raises(TypeError):
        x.grad = 5
    assert x.tolist() == [1.0, 2.0, 3.0]


def test_batches_of_gradients(x):
    y = x * x
    seeds = bolide.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 1.0]], device=x.device)
    (g,) = grad(y, x, seeds, is_grads_batched=True, retain_graph=True)
    assert g.tolist() == [[2.0, 0.0, 0.0], [0.0, 8.0, 6.0]]
    with pytest.raises(ValueError, match="first dimension"):
        grad(y, x, is_grads_batched=True)


def test_accumulation(x):
    (x * 2).sum().backward()
    first = x.grad
    (x * 2).sum().backward()
    assert x.grad is first and first.tolist() == [4.0] * 3  # added in place
    (x * 2).sum().backward(create_graph=True)
    assert x.grad is not first and first.tolist() == [4.0] * 3 and x.grad.tolist() == [6.0] * 3
    x.grad = None
    v = bolide.ones(3, device=x.device, requires_grad=True)
    (x + 0).backward(v)
    assert x.grad is not v and not x.grad.requires_grad
    x.grad.add_(1)
    assert v.tolist() == [1.0] * 3
    x.grad = None
    (x + 0).backward(v, create_graph=True)
    assert x.grad is not v and x.grad.requires_grad


def test_the_gradient_has_the_leafs_layout(device):
    w = bolide.ones(2, 3, device=device).t().requires_grad_()
    (w * bolide.ones(3, 2, device=device)).sum().backward()
    assert w.grad.stride() == w.stride() == (1, 3)
    v = bolide.ones(2, 3, device=device).requires_grad_()
    (v.t() * 1).sum().backward()
    assert v.grad.stride() == (3, 1)


def test_nonleaf_grad_warns(x):
    y = x * 2
    with pytest.warns(UserWarning, match="not a leaf"):
        assert y.grad is None
    y.retain_grad()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert y.grad is None and x.grad is None


# ---- views --------------------------------------------------------------------------------------------------------


def test_views_made_without_gradients(x, device):
    base = x * 1
    with bolide.no_grad():
        v = base.view(3)
        v.add_(1)
    assert not v.requires_grad
    with pytest.raises(RuntimeError, match="created in no_grad mode"):
        v.mul_(2)
    free = bolide.ones(3, device=device)
    with bolide.no_grad():
        part = free[:2]
    part.add_(1)
    with pytest.raises(RuntimeError, match="created in no_grad mode"):
        part.mul_(x[:2])
    assert free.tolist() == [2.0, 2.0, 1.0]
    with pytest.raises(RuntimeError, match="created in no_grad mode"):
        part[0] = x[0]
    with bolide.inference_mode():
        w = base.view(3)
    with pytest.raises(RuntimeError, match="created in inference mode"):
        w.mul_(2)


@pytest.mark.parametrize(
    "parts",
    [lambda t: t.split(2), lambda t: t.chunk(2), lambda t: t.unbind(), lambda t: t.split([1, 2])],
)
def test_in_place_ops_on_one_of_several_views(x, parts):
    y = x * 1
    first, *_ = parts(y)
    with pytest.raises(RuntimeError, match="returns multiple views"):
        first.add_(1)
    assert y.tolist() == [1.0, 2.0, 3.0]
    first, *_ = parts(bolide.ones(3, device=x.device))
    first.add_(1)
    with pytest.raises(RuntimeError, match="returns multiple views"):
        first.mul_(x[0])
    z = x * 1
    first, *_ = parts(z)
    z.add_(1)
    with pytest.raises(RuntimeError, match="returns multiple views"):
        first * 2


def test_gradients_of_several_views(x):
    a, b = (x * 1).split(2)
    (a * a).sum().backward()  # b has no gradient: zeros there
    assert x.grad.tolist() == [2.0, 4.0, 0.0]
    x.grad = None
    a, b, c = x.unbind()
    (a * b * c).backward()
    assert x.grad.tolist() == [6.0, 3.0, 2.0]
    (first,) = grad((x.unbind()[0] ** 3).sum(), x, create_graph=True)
    assert grad(first.sum(), x)[0].tolist() == [6.0, 0.0, 0.0]


# ---- inference mode -----------------------------------------------------------------------------------------------


def test_inference_tensors(x):
    with bolide.inference_mode():
        t = bolide.ones(3, device=x.device)
        t.add_(1)
        normal_view = x.view(3)
        assert t.is_inference() and bolide.is_inference(t)
    assert t.tolist() == [2.0] * 3 and not normal_view.is_inference()
    assert t.view(3).is_inference() and t.detach().is_inference() and not (t + 1).is_inference()
    for bad, words in [
        (lambda: t.add_(1), "Inplace update to inference tensor"),
        (lambda: t.view(3).zero_(), "Inplace update to inference tensor"),
        (lambda: t.__setitem__(0, 1.0), "Inplace update to inference tensor"),
        (lambda: bolide.add(t + 1, 1, out=t), "Inplace update to inference tensor"),
        (lambda: t * x, "Inference tensors cannot be saved for backward"),
        (lambda: t.requires_grad_(), "Setting requires_grad=True on inference tensor"),
        (lambda: t._version, "do not track version counter"),
    ]:
        with pytest.raises(RuntimeError, match=words):
            bad()
    assert t.tolist() == [2.0] * 3
    (t + x).sum().backward()  # nothing is saved
    (t.clone() * x).sum().backward()
    assert x.grad.tolist() == [3.0] * 3
    with bolide.inference_mode(), bolide.inference_mode(False):
        assert not bolide.ones(1).is_inference()


# ---- modes --------------------------------------------------------------------------------------------------------


def test_modes_decorate_classes_with_a_warning():
    with pytest.warns(FutureWarning):

        @bolide.no_grad()
        class Made:
            def __init__(self):
                self.enabled = bolide.is_grad_enabled()

    assert Made().enabled is False and bolide.is_grad_enabled()


# ---- anomalies ----------------------------------------------------------------------------------------------------


def test_anomaly_mode_shows_the_line(device):
    x = bolide.zeros(1, device=device, requires_grad=True)
    with pytest.warns(UserWarning, match="Anomaly Detection has been enabled"):
        mode = bolide.autograd.detect_anomaly()
    with mode:
        assert bolide.is_anomaly_enabled()
        y = (x * 0).sqrt() * 0  # the line to be shown
        with (
            pytest.warns(UserWarning, match="Error detected in SqrtBackward0") as shown,
            pytest.raises(
                RuntimeError, match="'SqrtBackward0' returned nan values in its 0th output"
            ),
        ):
            y.backward()
        assert "the line to be shown" in str(shown[0].message)
    assert not bolide.is_anomaly_enabled()
    y = (x * 0).sqrt() * 0
    y.backward()
    assert x.grad.isnan().all()
    with bolide.autograd.set_detect_anomaly(True, check_nan=False):
        ((x * 0).sqrt() * 0).backward()


def test_anomaly_mode_shows_who_made_a_second_derivative():
    x = bolide.ones(1, requires_grad=True)

    class Fails(Function):
        @staticmethod
        def forward(ctx, t):
            return t * 1

        @staticmethod
        def backward(ctx, g):
            return Broken.apply(g)

    class Broken(Function):
        @staticmethod
        def forward(ctx, t):
            return t * 1

        @staticmethod
        def backward(ctx, g):
            raise KeyError("second")

    with bolide.autograd.set_detect_anomaly(True):
        v = bolide.ones(1, requires_grad=True)
        (first,) = grad(Fails.apply(x), x, v, create_graph=True)
        with pytest.warns(UserWarning) as shown, pytest.raises(KeyError, match="second"):
            first.backward()
    text = str(shown[0].message)
    assert "Error detected in BrokenBackward" in text and "induced by FailsBackward" in text


# ---- identity -----------------------------------------------------------------------------------------------------


class Tagged(bolide.Tensor):
    pass


def test_objects_survive_while_only_the_graph_holds_them():
    made = []
    x = Tagged(bolide.ones(3)).requires_grad_()
    x.tag = [1]
    ref = weakref.ref(x)
    made.append((x * x).sum())
    del x
    gc.collect()
    again = made[0].grad_fn.next_functions[0][0].next_functions[0][0].variable
    assert type(again) is Tagged and again.tag == [1] and ref() is again
    made[0].backward(retain_graph=True)
    assert again.grad is again.grad and again.grad.tolist() == [2.0] * 3
    again.grad.note = "kept"
    gc.collect()
    assert again.grad.note == "kept"
    del again
    gc.collect()
    assert ref() is not None  # the graph of made[0] has saved it
    made.clear()
    gc.collect()
    assert ref() is None


def test_objects_come_and_go_between_python_and_the_graph():
    p = nn.Parameter(bolide.ones(2))
    p.tag = "p"
    loss = (p * p).sum()
    accumulate = loss.grad_fn.next_functions[0][0].next_functions[0][0]
    ref = weakref.ref(p)
    for _ in range(100):
        del p
        gc.collect(0)
        p = accumulate.variable
        assert type(p) is nn.Parameter and p.tag == "p" and ref() is p
    p.self = p  # a cycle of its own
    del loss, accumulate
    del p
    gc.collect()
    assert ref() is None


def test_objects_survive_in_threads():
    """One thread drops the last reference while another asks for the object again."""
    x = Tagged(bolide.ones(1)).requires_grad_()
    x.tag = 7
    loss = (x * x).sum()
    accumulate = loss.grad_fn.next_functions[0][0].next_functions[0][0]
    ref = weakref.ref(x)
    del x
    wrong = []

    def work():
        for _ in range(5000):
            t = accumulate.variable
            if type(t) is not Tagged or t.tag != 7 or ref() is not t:
                wrong.append(t)
            del t

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for _ in range(20):
        gc.collect()
    for worker in workers:
        worker.join()
    assert not wrong


def test_an_object_freed_by_a_thread_without_python_objects_of_its_own():
    ref = []

    def work():
        x = Tagged(bolide.ones(1 << 20)).requires_grad_()
        x.cycle = [x]
        ref.append(weakref.ref(x))
        (x * x).sum().backward()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    gc.collect()
    assert ref[0]() is None


# ---- functions ----------------------------------------------------------------------------------------------------


def test_once_differentiable_refuses_the_second_derivative(x):
    class Once(Function):
        @staticmethod
        def forward(ctx, t):
            return t * 2

        @staticmethod
        @bolide.autograd.function.once_differentiable
        def backward(ctx, g):
            return g * 2

    v = bolide.ones(3, device=x.device, requires_grad=True)
    (g,) = grad(Once.apply(x), x, v, create_graph=True)
    assert g.requires_grad and g.tolist() == [2.0] * 3
    with pytest.raises(RuntimeError, match="differentiate twice"):
        g.sum().backward()


def test_arguments_by_name_and_defaults(x):
    class Scale(Function):
        @staticmethod
        def forward(t, factor=3.0, *, shift=1.0):
            return t * factor + shift

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.count, ctx.factor = len(inputs), inputs[1]

        @staticmethod
        def backward(ctx, g):
            return (g * ctx.factor, *[None] * (ctx.count - 1))

    Scale.apply(x).sum().backward()
    Scale.apply(x, factor=5.0).sum().backward()
    Scale.apply(t=x).sum().backward()
    assert x.grad.tolist() == [11.0] * 3
    with pytest.raises(NotImplementedError):
        Scale.jvp(None, x)
    with pytest.raises(NotImplementedError):
        Scale.vmap(None, None, x)


def test_what_is_marked_dirty_has_to_come_back(x):
    class Dirty(Function):
        @staticmethod
        def forward(ctx, t):
            ctx.mark_dirty(t)
            return t.add_(1) * 2

        @staticmethod
        def backward(ctx, g):
            return g

    with pytest.raises(RuntimeError, match="marked as dirty"):
        Dirty.apply(x * 1)


def test_a_function_inside_a_function_is_not_recorded(x):
    class Inner(Function):
        @staticmethod
        def forward(ctx, t):
            return t * 2

        @staticmethod
        def backward(ctx, g):
            raise AssertionError("not recorded")

    class Outer(Function):
        @staticmethod
        def forward(ctx, t):
            y = Inner.apply(t)
            assert not y.requires_grad
            return y

        @staticmethod
        def backward(ctx, g):
            return g * 7

    Outer.apply(x).sum().backward()
    assert x.grad.tolist() == [7.0] * 3


def test_variable_is_a_tensor(x):
    from bolide.autograd import Variable

    assert isinstance(x, Variable) and Variable(x) is x
    v = Variable(bolide.ones(2), requires_grad=True)
    assert v.requires_grad and v.is_leaf and isinstance(v, bolide.Tensor)
