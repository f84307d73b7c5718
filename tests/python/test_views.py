"""Views: what shares memory and version, what is a view for autograd, in-place changes of layout, out= in common code.

Values and gradients of the single ops are rows of op_rows.py and op_rows_places.py.
"""

import bolide
import numpy as np
import pytest
from conftest import DEVICE

VIEWS = {
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "H": lambda x: x.H,
    "mH": lambda x: x.mH,
    "adjoint": lambda x: x.adjoint(),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "movedim": lambda x: x.movedim(0, 1),
    "unfold": lambda x: x.unfold(1, 2, 1),
    "as_strided": lambda x: x.as_strided((2, 2), (1, 4)),
    "diagonal": lambda x: x.diagonal(1),
    "split": lambda x: x.split(2)[1],
    "tensor_split": lambda x: x.tensor_split(2, 1)[0],
    "hsplit": lambda x: x.hsplit(2)[1],
    "vsplit": lambda x: x.vsplit(3)[1],
    "chunk": lambda x: x.chunk(2)[0],
    "unbind": lambda x: x.unbind(1)[2],
    "squeeze": lambda x: x[:, None].squeeze((0, 1)),
    "unflatten": lambda x: x.unflatten(1, (2, 2)),
    "view": lambda x: x.view(2, 6),
    "view_as": lambda x: x.view_as(bolide.zeros(12)),
    "expand_as": lambda x: x.expand_as(bolide.zeros(2, 3, 4)),
    "narrow": lambda x: x.narrow(0, bolide.tensor(1), 2),
    "atleast_3d": lambda x: bolide.atleast_3d(x),
    "broadcast_tensors": lambda x: bolide.broadcast_tensors(x, bolide.zeros(2, 1, 1))[0],
    "meshgrid": lambda x: bolide.meshgrid(x[0], x[1], indexing="xy")[1],
    "x[1]": lambda x: x[1],
    "x[1, 2]": lambda x: x[1, 2],
    "x[..., None, ::2]": lambda x: x[..., None, ::2],
    "x[tensor(1)]": lambda x: x[bolide.tensor(1)],
}


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("requires_grad", [False, True])
def test_views_share_memory_and_version(name, requires_grad):
    x = (bolide.arange(12.0).requires_grad_(requires_grad) * 1).view(3, 4)
    y = VIEWS[name](x)
    assert y._is_view() and y._base is x._base
    assert y.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    before = y._version
    x.mul_(3)
    assert y._version == before + 1 == x._version
    assert np.array_equal(
        y.detach().numpy(), VIEWS[name](bolide.arange(12.0).view(3, 4) * 3).numpy()
    )


def test_what_is_no_view():
    x = bolide.arange(12.0).view(3, 4)
    for y in (
        x.detach().clone(),
        x + 0,
        x.t().contiguous(),
        x[[0]],
        x.roll(1),
        x.tile(1),
        x.diag(),
    ):
        assert not y._is_view() and y._base is None
        assert y.untyped_storage().data_ptr() != x.untyped_storage().data_ptr()
    assert not bolide.zeros(3)._is_view()
    assert x.positive() is x


def test_the_same_bytes_as_another_dtype(device):
    x = bolide.tensor([[1.0, -2.0], [0.5, 3.0]], device=device)
    array = x.cpu().numpy()
    for dtype, like in (
        (bolide.int32, np.int32),
        (bolide.int16, np.int16),
        (bolide.int64, np.int64),
        (bolide.uint8, np.uint8),
    ):
        y = x.view(dtype)
        assert np.array_equal(y.cpu().numpy(), array.view(like))
        assert y.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    assert tuple(x.t().view(bolide.int32).shape) == (2, 2)
    for wrong in (
        lambda: x.t().view(bolide.int64),
        lambda: x[:, 1:].view(bolide.int64),
        lambda: x[0, 0].view(bolide.int64),
    ):
        with pytest.raises(RuntimeError, match="to show"):
            wrong()


CHANGES = {
    "t_": (lambda x: x.t_(), lambda x: x.t()),
    "transpose_": (lambda x: x.transpose_(0, 1), lambda x: x.transpose(0, 1)),
    "unsqueeze_": (lambda x: x.unsqueeze_(1), lambda x: x.unsqueeze(1)),
    "squeeze_": (lambda x: x.unsqueeze_(0).squeeze_(), lambda x: x),
    "as_strided_": (lambda x: x.as_strided_((3,), (2,)), lambda x: x.as_strided((3,), (2,))),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("of_a_view", [False, True])
def test_layout_changed_in_place(name, of_a_view, device):
    change, same = CHANGES[name]
    gradients = []
    for f in (change, same):
        leaf = bolide.arange(12.0, device=device).requires_grad_()
        x = (leaf * 2).view(3, 4) if of_a_view else (leaf[:12].view(3, 4) * 2)
        version = x._version
        y = f(x)
        if f is change:
            assert y is x and x._version > version
        w = bolide.arange(float(y.numel()), device=device).view(y.shape) + 1
        (y * y * w).sum().backward()
        gradients.append((y.detach().cpu().numpy(), leaf.grad.cpu().numpy(), tuple(y.stride())))
    assert np.array_equal(gradients[0][0], gradients[1][0])
    assert np.array_equal(gradients[0][1], gradients[1][1])
    assert gradients[0][2] == gradients[1][2]
    with pytest.raises(RuntimeError, match="leaf"):
        change(bolide.ones(3, 4, requires_grad=True))


def test_writing_through_a_tensor_whose_layout_was_changed():
    leaf = bolide.arange(6.0).requires_grad_()
    x = (leaf * 1).view(2, 3)
    row = x[1]
    x.t_()
    x[0].mul_(10)  # a column of what it was
    x.sum().backward()
    assert leaf.grad.tolist() == [10, 1, 1, 10, 1, 1]
    assert row.tolist() == [30, 4, 5]


BASE = {
    "a view of a view": lambda x: x.view(3, 4)[1][1:3],
    "a diagonal": lambda x: x.view(3, 4).diagonal(),
    "windows apart": lambda x: x.unfold(0, 2, 3),
    "transposed columns": lambda x: x.view(3, 4).t()[1:3],
    "with a step": lambda x: x[1::3],
}


@pytest.mark.parametrize("name", BASE)
def test_in_place_through_a_view_reaches_the_base(name, device):
    """Base and view after `view *= w`, and the gradient, against the same by a mask."""
    part = BASE[name]
    leaf = bolide.arange(1.0, 13.0, device=device).requires_grad_()
    x = leaf * leaf
    v = part(x)
    places = part(bolide.arange(12, device=device)).reshape(-1)
    v.mul_(3)
    factor = bolide.ones(12, device=device)
    factor[places] = 3
    wanted = leaf.detach() ** 2 * factor
    assert np.array_equal(x.detach().cpu().numpy(), wanted.cpu().numpy())
    assert np.array_equal(v.detach().cpu().numpy(), part(wanted).cpu().numpy())
    (x * bolide.arange(12.0, device=device)).sum().backward(retain_graph=True)
    slope = 2 * leaf.detach() * factor * bolide.arange(12.0, device=device)
    assert np.array_equal(leaf.grad.cpu().numpy(), slope.cpu().numpy())
    leaf.grad = None
    v.sum().backward()  # through the view, as it is after the write
    wanted = bolide.zeros(12, device=device)
    wanted[places] = (6 * leaf.detach())[places]
    assert np.array_equal(leaf.grad.cpu().numpy(), wanted.cpu().numpy())


@pytest.mark.parametrize(
    "view", [lambda x: x.unfold(0, 4, 1), lambda x: x.as_strided((3, 2), (0, 0))]
)
def test_gradients_of_windows_of_an_expanded_tensor(view):
    """Each of its elements has a share, or they would all be counted again by what expanded it."""
    x = bolide.tensor([2.0], dtype=bolide.float64).requires_grad_()

    def windows(x):
        y = view(x.expand(5))
        return y * y * bolide.arange(1, y.numel() + 1).view(y.shape)

    y = windows(x)
    y.sum().backward()
    assert x.grad.tolist() == [sum(4.0 * i for i in range(1, y.numel() + 1))]
    assert bolide.autograd.gradgradcheck(windows, (x,))


def test_resize():
    x = bolide.arange(6.0)
    view = x[2:]
    assert x.resize_(2, 2) is x and x.tolist() == [[0, 1], [2, 3]]
    assert x.untyped_storage().nbytes() == 24
    x.resize_(3, 4)
    assert x.numel() == 12 and x.view(-1)[:6].tolist() == [0, 1, 2, 3, 4, 5]
    assert view.tolist() == [2, 3, 4, 5]
    assert x.resize_as_(bolide.zeros(2)).tolist() == [0, 1]
    with pytest.raises(RuntimeError, match="grad"):
        bolide.zeros(2, requires_grad=True).resize_(3)
    with pytest.raises(RuntimeError, match="zero or more"):
        x.resize_(-1)


def test_questions_about_storage():
    x = bolide.arange(6.0)
    assert x.is_set_to(x.view(6)) and not x.is_set_to(x[1:]) and not x.is_set_to(x.clone())
    assert x.is_same_size(bolide.zeros(6)) and not x.is_same_size(bolide.zeros(6, 1))
    assert x[2:].storage_offset() == 2 and x[2:].untyped_storage().data_ptr() == x.data_ptr()
    assert len(x.untyped_storage()) == 24 and x.untyped_storage().device == x.device


def test_out_is_resized_cast_and_checked(device):
    x = bolide.tensor([[3.0, 1.0], [2.0, 4.0]], device=device)
    i = bolide.tensor([1, 0], device=device)
    calls = {
        "cat": lambda **o: bolide.cat([x, x], **o),
        "stack": lambda **o: bolide.stack([x, x], **o),
        "hstack": lambda **o: bolide.hstack([x, x], **o),
        "index_select": lambda **o: bolide.index_select(x, 0, i, **o),
        "gather": lambda **o: bolide.gather(x, 0, i[None], **o),
        "take": lambda **o: bolide.take(x, i, **o),
        "masked_select": lambda **o: bolide.masked_select(x, x > 1, **o),
        "tril": lambda **o: bolide.tril(x, **o),
        "diag": lambda **o: bolide.diag(x, **o),
        "add": lambda **o: bolide.add(x, 1, **o),
    }
    for name, call in calls.items():
        wanted = call()
        other = bolide.empty(wanted.shape, dtype=bolide.float64, device=device)
        converts = name in ("cat", "stack", "hstack", "add")
        if not converts:
            with pytest.raises(bolide.DTypeError, match="out= of dtype float32, got float64"):
                call(out=other)
        for out in (bolide.empty(0, device=device), *([other] if converts else [])):
            version = out._version
            assert call(out=out) is out, name
            assert out._version > version
            assert np.array_equal(out.cpu().numpy(), wanted.cpu().numpy()), name
        with pytest.warns(UserWarning, match="resized"):
            call(out=bolide.empty(7, 1, device=device))
        with pytest.raises(bolide.DTypeError, match="cast" if converts else "out= of dtype"):
            call(out=bolide.empty(wanted.shape, dtype=bolide.int64, device=device))
        with pytest.raises(RuntimeError, match="grad"):
            call(out=bolide.empty(wanted.shape, device=device).requires_grad_())


def test_indices_of_triangles(device):
    for rows, columns, k in ((3, 4, 0), (4, 3, -1), (2, 5, 2), (0, 3, 0)):
        for f, g in (
            (bolide.tril_indices, np.tril_indices),
            (bolide.triu_indices, np.triu_indices),
        ):
            found = f(rows, columns, k, device=device)
            assert found.dtype == bolide.int64 and found.is_contiguous()
            assert np.array_equal(found.cpu().numpy(), np.stack(g(rows, k, columns)))
    assert bolide.tril_indices(2, 2, dtype=bolide.int32).dtype == bolide.int32


def test_parts_that_do_not_fit_are_refused():
    x = bolide.zeros(3, 4)
    wrong = [
        (lambda: x.hsplit(3), "divides"),
        (lambda: x.vsplit(0), "divides"),
        (lambda: x.dsplit(2), "dimensions"),
        (lambda: x.tensor_split(0), "sections"),
        (lambda: x.unfold(0, 4, 1), "at most 3"),
        (lambda: x.unfold(0, 1, 0), "step"),
        (lambda: x.narrow(0, bolide.tensor(1.0), 1), "integer"),
        (lambda: x.roll((1, 2), 0), "as many"),
        (lambda: x.rot90(1, (0, 0)), "different"),
        (lambda: x[0].fliplr(), "dimensions"),
        (lambda: bolide.zeros(2, 2, 2).diag(), "one or two"),
        (lambda: x.diag_embed(0, 1, 1), "different"),
        (lambda: x.repeat_interleave(bolide.tensor([1, 2]), 0), "3 repeats"),
        (lambda: x.repeat_interleave(bolide.tensor([1, -1, 1]), 0), "zero or more"),
        (lambda: x.repeat_interleave(2, 0, output_size=5), "output_size"),
        (lambda: x.select_scatter(bolide.zeros(4), 1, 0), "source of sizes"),
        (lambda: bolide.meshgrid(x), "at most one"),
        (lambda: bolide.meshgrid(x[0], indexing="yx"), "indexing"),
        (lambda: bolide.block_diag(bolide.zeros(1, 1, 1)), "two dimensions"),
        (lambda: bolide.combinations(x), "one dimension"),
        (lambda: x.mT.sum_to_size(2), "expand"),
        (lambda: bolide.zeros(2, 3, 4).H, "matrix"),
    ]
    for call, text in wrong:
        with pytest.raises(RuntimeError, match=text):
            call()


def test_results_that_are_views_of_what_nobody_sees_are_no_views():
    """A product with a vector is a view inside the op: to its user it is a tensor of its own."""
    m, v = bolide.ones(2, 3, device=DEVICE), bolide.ones(3, device=DEVICE)
    with bolide.no_grad():
        y = m @ v
        assert not y._is_view() and y._base is None
        y.detach_()
    w = bolide.full((2,), 2.0, requires_grad=True, device=DEVICE)
    y.mul_(w)  # refused for a view made under no_grad
    y.sum().backward()
    assert y.tolist() == [6.0, 6.0] and w.grad.tolist() == [3.0, 3.0]

    w = bolide.ones(3, requires_grad=True, device=DEVICE)
    y = m @ w
    y.mul_(y.detach())
    (g,) = bolide.autograd.grad(y.sum(), [w])
    assert g.tolist() == [6.0, 6.0, 6.0]
    assert m[0]._is_view() and m[0]._base is m and bolide.ones(2, 3)[0]._is_view()
