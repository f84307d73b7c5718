"""x[keys] and the ops that put by index: keys of every kind against NumPy, assignment, duplicates, gradients in place.

Values and gradients of the single ops are rows of op_rows.py and op_rows_places.py.
"""

import random

import bolide
import harness
import numpy as np
import op_rows_places
import pytest


def random_key(draw, shape):
    """A key as NumPy and bolide both take it (an array becomes a tensor)."""
    parts, left = [], len(shape)
    ellipsis = False
    while len(parts) < 5:
        kind = draw.choice(
            ("int", "slice", "none", "ellipsis", "array", "matrix", "mask", "list", "stop")
        )
        if kind == "stop" or (left == 0 and kind not in ("none", "ellipsis")):
            break
        size = shape[len(shape) - left] if left and not ellipsis else None
        if kind == "none":
            parts.append(None)
        elif kind == "ellipsis":
            if ellipsis:
                continue
            ellipsis = True
            parts.append(...)
            left = min(left, 1)
        elif kind == "slice":
            parts.append(
                slice(
                    *(draw.choice((None, -2, 0, 1, 3)) for _ in range(2)), draw.choice((None, 1, 2))
                )
            )
            left -= 1
        elif kind == "mask" and not ellipsis:
            rank = draw.randint(1, left)
            at = len(shape) - left
            parts.append(np.array([draw.random() < 0.5 for _ in range(int(np.prod(shape[at : at + rank])))])
                         .reshape(shape[at : at + rank]))  # fmt: skip
            left -= rank
        elif size is None or size:
            low, high = (-(size or shape[-1] or 1), (size or shape[-1] or 1) - 1)
            left -= 1
            number = [draw.randint(low, high) for _ in range(4)]
            parts.append({"int": number[0], "array": np.array(number[:2]), "list": number[:2]}.get(
                kind, np.array(number).reshape(2, 2)))  # fmt: skip
    return tuple(parts) if len(parts) != 1 or draw.random() < 0.5 else parts[0]


def with_tensors(key, device):
    def one(k):
        return bolide.from_numpy(k).to(device) if isinstance(k, np.ndarray) else k

    return tuple(one(k) for k in key) if isinstance(key, tuple) else one(key)


def order_differs(key):
    """PyTorch takes ints before arrays, NumPy as arrays, and for NumPy a ... separates arrays even where it stands for no
    dimension: the place of the indexed dimensions differs then."""
    parts = key if isinstance(key, tuple) else (key,)
    arrays = [isinstance(k, np.ndarray | list) for k in parts]
    return any(arrays) and (
        any(isinstance(k, int) for k in parts) or (sum(arrays) > 1 and any(k is ... for k in parts))
    )


def test_keys_of_every_kind_get_and_set(device):
    draw = random.Random(4)
    compared = refused = 0
    for _ in range(1500):
        shape = draw.choice(((4,), (3, 4), (2, 3, 4), (2, 1, 3, 2), (0, 3), (3,)))
        array = np.arange(float(np.prod(shape))).reshape(shape)
        key = random_key(draw, shape)
        if order_differs(key):
            continue
        x = bolide.from_numpy(array.copy()).to(device)
        try:
            wanted = array[key]
        except IndexError:
            refused += 1
            with pytest.raises(IndexError):
                x[with_tensors(key, device)]
            continue
        got = x[with_tensors(key, device)]
        assert tuple(got.shape) == wanted.shape and np.array_equal(got.cpu().numpy(), wanted), (
            shape,
            key,
        )
        value = np.arange(100.0, 100 + wanted.size).reshape(wanted.shape)
        array[key] = value
        x[with_tensors(key, device)] = bolide.from_numpy(value).to(device)
        assert np.array_equal(x.cpu().numpy(), array), (shape, key)
        array[key] = -1
        x[with_tensors(key, device)] = -1
        assert np.array_equal(x.cpu().numpy(), array), (shape, key)
        array[key] += 2
        x[with_tensors(key, device)] += 2
        assert np.array_equal(x.cpu().numpy(), array), (shape, key)
        compared += 1
    assert compared > 700 and refused > 20


def test_ints_come_before_tensors_as_in_pytorch(device):
    x = bolide.arange(24.0, device=device).view(2, 3, 4)
    i = bolide.tensor([0, 2], device=device)
    assert tuple(x[0, :, i].shape) == (3, 2)  # NumPy: (2, 3)
    assert tuple(x[:, bolide.tensor(1, device=device), i].shape) == (2, 2)


def test_keys_that_are_not_tensors():
    x = bolide.arange(12.0).view(3, 4)
    assert x[[0, 2]].tolist() == x[bolide.tensor([0, 2])].tolist() == x[range(0, 3, 2)].tolist()
    assert x[np.array([0, 2])].tolist() == x[[0, 2]].tolist()
    assert x[[True, False, True]].tolist() == x[[0, 2]].tolist()
    assert x[np.int64(1)].tolist() == x[1].tolist() == x[bolide.tensor(1)].tolist()
    assert x[[[0, 1], [2, 0]]].shape == (2, 2, 4)
    assert x[[0, 1], [2, 3]].tolist() == [2, 7]
    assert x[True].shape == (1, 3, 4) and x[False].shape == (0, 3, 4)
    assert x[bolide.tensor([1, 0, 1], dtype=bolide.uint8)].tolist() == x[[0, 2]].tolist()
    assert x[[]].shape == (0, 4)
    for wrong in (1.5, {}, (0, 0, 0), bolide.tensor([0.5]), bolide.tensor([True, False]), (..., ...), 3, -4,
                  bolide.tensor([1], dtype=bolide.int16)):  # fmt: skip
        with pytest.raises(IndexError):
            x[wrong]
    with pytest.raises(ValueError, match="step"):
        x[::-1]


def test_later_values_win_where_places_repeat(device):
    x = bolide.zeros(3, 2, device=device)
    i = bolide.tensor([1, 0, 1, 1], device=device)
    values = bolide.arange(8.0, device=device).view(4, 2)
    for put in (lambda y: y.__setitem__(i, values), lambda y: y.index_copy_(0, i, values),
                lambda y: y.scatter_(0, i[:, None].expand(4, 2), values)):  # fmt: skip
        y = x.clone()
        put(y)
        assert y.cpu().tolist() == [[2, 3], [6, 7], [0, 0]]
    y = x.clone()
    y[i] += 1  # reads first, so each place gets it once
    assert y.cpu().tolist() == [[1, 1], [1, 1], [0, 0]]
    assert x.index_put((i,), values, accumulate=True).cpu().tolist() == [[2, 3], [10, 13], [0, 0]]


@pytest.mark.parametrize("row", op_rows_places.PLACED, ids=lambda row: row.name.replace(" ", "_"))
def test_in_place_forms_do_what_their_ops_do(row, device):
    """Into strided memory, and nothing between."""
    library = harness.Library(bolide, device)
    name = row.name.split(" ")[0]
    if name.endswith("_") or name in ("take", "take_along_dim", "argwhere", "index_put"):
        return
    for case in row.cases:
        for dtype in ("float32", "int64"):
            arrays = harness.prepared(row, case, dtype, "in place")
            x, *others = [library.tensor(a, dtype if not isinstance(a, harness.Fixed) else "int64")
                          if isinstance(a, np.ndarray) else a for a in arrays]  # fmt: skip
            memory = bolide.full((*x.shape, 2), 77, dtype=x.dtype, device=device)
            part = memory[..., 1]
            part.copy_(x)
            wanted = getattr(x, name)(*others, *case.args, **case.named)
            assert getattr(part, name + "_")(*others, *case.args, **case.named) is part
            assert np.array_equal(part.cpu().numpy(), wanted.cpu().numpy())
            assert bool((memory[..., 0] == 77).all())


PUTS = {
    "x[i] = v": lambda x, v, i: x.__setitem__(i, v),
    "x[i] += v": lambda x, v, i: x.__setitem__(i, x[i] + v),
    "x[:, mask] = v": lambda x, v, i: x.__setitem__(
        (slice(None), bolide.tensor([True, False, True])), v[:, :2].sum()
    ),
    "index_put_": lambda x, v, i: x.index_put_((i,), v, accumulate=True),
    "index_add_": lambda x, v, i: x.index_add_(0, i, v, alpha=2),
    "index_copy_": lambda x, v, i: x.index_copy_(0, i, v),
    "index_fill_": lambda x, v, i: x.index_fill_(0, i, v.sum()),
    "index_reduce_ prod": lambda x, v, i: x.index_reduce_(0, i, v, "prod"),
    "index_reduce_ amax": lambda x, v, i: x.index_reduce_(0, i, v, "amax", include_self=False),
    "scatter_": lambda x, v, i: x.scatter_(0, i[:, None].expand(3, 3), v),
    "scatter_add_": lambda x, v, i: x.scatter_add_(0, i[:, None].expand(3, 3), v),
    "scatter_reduce_ mean": lambda x, v, i: x.scatter_reduce_(
        0, i[:, None].expand(3, 3), v, "mean"
    ),
    "scatter_reduce_ prod": lambda x, v, i: x.scatter_reduce_(
        0, i[:, None].expand(3, 3), v, "prod"
    ),
    "put_": lambda x, v, i: x.put_(i, v[0]),
    "masked_fill_": lambda x, v, i: x.masked_fill_(x.detach() > 3, v.sum()),
    "masked_scatter_": lambda x, v, i: x.masked_scatter_(x.detach() > 3, v),
}


@pytest.mark.parametrize("name", PUTS)
@pytest.mark.parametrize("through_a_view", [False, True])
def test_gradients_of_putting_in_place(name, through_a_view):
    """First and second derivatives of x.clone(), changed in place, by both x and the values."""
    i = (
        bolide.tensor([3, 0, 1])
        if name not in ("index_add_", "index_put_")
        else bolide.tensor([3, 0, 3])
    )

    def changed(x, v):
        y = x * 1.5
        PUTS[name](y.view(2, 4, 3)[1].unsqueeze(0)[0] if through_a_view else y, v, i)
        return y * y

    shape = (8, 3) if through_a_view else (4, 3)
    draw = np.random.default_rng(3)
    x = bolide.from_numpy(draw.uniform(0.5, 2, shape)).requires_grad_()
    v = bolide.from_numpy(draw.uniform(0.5, 2, (3, 3))).requires_grad_()
    assert bolide.autograd.gradcheck(changed, (x, v))
    assert bolide.autograd.gradgradcheck(changed, (x, v))


def test_an_index_changed_before_backward_is_noticed():
    x = bolide.arange(4.0).requires_grad_()
    for call in (
        lambda i: x[i],
        lambda i: x.gather(0, i),
        lambda i: x.index_add(0, i, x[:2]),
        lambda i: x.take(i),
    ):
        i = bolide.tensor([0, 1])
        y = call(i)
        i.add_(1)
        with pytest.raises(RuntimeError, match="in-place"):
            y.sum().backward()


def test_arguments_that_do_not_fit(device):
    x = bolide.zeros(3, 4, device=device)
    i, long = (
        bolide.tensor([0, 1], device=device),
        bolide.zeros(1, 1, dtype=bolide.int64, device=device),
    )
    wrong = [
        (lambda: x.index_add(0, i, bolide.zeros(3, 4, device=device)), "sizes"),
        (
            lambda: x.index_copy(0, i, bolide.zeros(2, 4, dtype=bolide.float64, device=device)),
            "dtype",
        ),
        (lambda: x.index_fill(0, i, x), "0-d"),
        (lambda: x.index_reduce(0, i, x[:2], "sum"), "reduce"),
        (lambda: x.scatter(0, i, x), "dimensions"),
        (lambda: x.scatter(0, long.expand(4, 1), x), "no larger"),
        (lambda: x.scatter(0, long, x, reduce="max"), "reduce"),
        (lambda: x.scatter_reduce(0, long, x, "median"), "reduce"),
        (lambda: x.scatter_add(0, long, x.double()), "dtype"),
        (lambda: x.put(i, x), "as many"),
        (lambda: x.masked_scatter(x == 0, x[0]), "at least 12"),
        (lambda: x.masked_scatter(x, x), "bool"),
        (lambda: x.index_put((i,), bolide.zeros(3, device=device)), "broadcast"),
        (lambda: x.gather(0, i), "dimensions"),
    ]
    for call, text in wrong:
        with pytest.raises(RuntimeError, match=text):
            call()
    for call in (
        lambda: x.index_select(0, x),
        lambda: x.gather(0, x),
        lambda: x.index_add(0, long, x[:1]),
    ):
        with pytest.raises((IndexError, RuntimeError)):
            call()


@pytest.mark.parametrize("dtype", ["bool", "float16", "int32", "float64", "complex128"])
@pytest.mark.parametrize("shape", [(3, 2500), (2, 3, 1100), (40, 7)])
def test_single_elements_of_many_blocks(dtype, shape):
    """Offsets of single elements are found block by block: more than a block, rows that end within one, shared rows."""
    random = np.random.default_rng(3)
    given = random.integers(0, 50, shape).astype(dtype)
    places = random.integers(0, shape[-1], shape)
    x, at = bolide.from_numpy(given), bolide.from_numpy(places)
    np.testing.assert_array_equal(
        bolide.gather(x, -1, at).numpy(), np.take_along_axis(given, places, -1)
    )
    turned = bolide.gather(x.transpose(0, -1), 0, at.transpose(0, -1).int())
    np.testing.assert_array_equal(
        turned.numpy(), np.swapaxes(np.take_along_axis(given, places, -1), 0, -1)
    )
    line = places[(0,) * (len(shape) - 1)]
    columns = bolide.index_select(x, -1, bolide.from_numpy(line))
    np.testing.assert_array_equal(columns.numpy(), given[..., line])
    backwards = bolide.from_numpy(line - shape[-1])  # negative: from the end
    np.testing.assert_array_equal(x[..., backwards].numpy(), given[..., line])
    put = given.copy()
    np.put_along_axis(put, places, given[..., ::-1].copy(), -1)  # the last one wins, as here
    x.scatter_(-1, at, x.flip(-1))
    np.testing.assert_array_equal(x.numpy(), put)
    mask = random.random(shape) < 0.3
    np.testing.assert_array_equal(x[bolide.from_numpy(mask)].numpy(), put[mask])
    np.testing.assert_array_equal(
        x.transpose(0, -1)[bolide.from_numpy(mask).transpose(0, -1)].numpy(),
        np.swapaxes(put, 0, -1)[np.swapaxes(mask, 0, -1)],
    )
    np.testing.assert_array_equal(x[1:][bolide.from_numpy(mask[1:])].numpy(), put[1:][mask[1:]])


@pytest.mark.parametrize("wrong", [-1, 5000])
def test_a_wrong_index_far_behind_is_found_before_anything_is_written(wrong):
    x, at = bolide.zeros(2, 5000), bolide.zeros(2, 5000, dtype=bolide.int64)
    at[1, 4321] = wrong
    for call in (
        lambda: x.scatter_(1, at, 1.0),
        lambda: x.scatter_add_(1, at, bolide.ones(2, 5000)),
        lambda: x.view(-1).put_(at.view(-1) * 10_001, bolide.ones(10_000)),
        lambda: bolide.gather(x, 1, at),
        lambda: bolide.index_select(x, 1, at[1]),
        lambda: bolide.take(x.view(-1)[:4000], at * 5000),
    ):
        with pytest.raises(IndexError, match="indices"):
            call()
    assert not x.any()


def test_indices_that_a_scatter_writes_over_are_read_before():
    at = bolide.tensor([3, 2, 1, 0])
    at.scatter_(0, at, bolide.tensor([9, 9, 9, 9]))
    assert at.tolist() == [9, 9, 9, 9]
    at = bolide.tensor([1, 2, 3, 0])
    at.index_put_((at,), bolide.tensor([10, 20, 30, 40]))
    assert at.tolist() == [40, 10, 20, 30]


def test_a_mask_of_a_view_that_wants_a_gradient():
    x = bolide.arange(24.0).reshape(2, 3, 4).requires_grad_()
    mask = bolide.arange(12).reshape(3, 4) % 3 == 0
    x[:, mask].sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.broadcast_to(mask.numpy(), (2, 3, 4)))
