"""Bugs that others had with layout, aliasing and empty tensors; the ids (B1, C4, ...) and the real bug stand at each test.

References are NumPy and plain loops, so nothing here needs another library.
"""

import itertools
import math
import random

import bolide
import numpy as np
import pytest

IN_PLACE = {
    "add_": lambda x: x.add_(1),
    "mul_": lambda x: x.mul_(2),
    "cos_": lambda x: x.cos_(),
    "clamp_": lambda x: x.clamp_(0, 1),
    "copy_": lambda x: x.copy_(bolide.ones(x.shape, device=x.device)),
    "index_add_": lambda x: x.index_add_(0, places(x), bolide.ones(x.shape, device=x.device)),
    "index_copy_": lambda x: x.index_copy_(0, places(x), bolide.ones(x.shape, device=x.device)),
    "scatter_": lambda x: x.scatter_(0, bolide.zeros(1, x.size(1), dtype=bolide.int64, device=x.device), 1.0),
    "masked_fill_": lambda x: x.masked_fill_(x == 0, 1.0),
    "masked_scatter_": lambda x: x.masked_scatter_(x == x, bolide.ones(x.shape, device=x.device)),
    "put_": lambda x: x.put_(bolide.tensor([0], device=x.device), bolide.tensor([1.0], device=x.device)),
    "setitem": lambda x: x.__setitem__(bolide.tensor([0], device=x.device), 1.0),
    "out": lambda x: bolide.cos(x, out=x),
    "cat out": lambda x: bolide.cat([bolide.ones_like(x)], out=x),
}  # fmt: skip


def places(x):
    return bolide.arange(x.size(0), device=x.device)


def array_of(x):
    return x.detach().cpu().numpy()


@pytest.mark.parametrize("name", IN_PLACE)
def test_b1_writing_to_an_expanded_tensor_raises(name, device):
    """pytorch#17935, #23063, #1424: cos(out=expanded) gave cos(cos(cos(x)))."""
    base = bolide.tensor([[0.5], [0.25]], device=device)
    for x in (base.expand(2, 3), bolide.tensor([0.5, 0.25], device=device).expand(3, 2)):
        before = array_of(x.clone())
        with pytest.raises(RuntimeError, match="distinct"):
            IN_PLACE[name](x)
        assert np.array_equal(array_of(x), before)


def test_b1_one_value_everywhere_may_be_written():
    x = bolide.zeros(2, 1)
    x.expand(2, 3).fill_(2)
    assert x.tolist() == [[2.0], [2.0]]


def overlaps(sizes, strides):
    """By trying every index."""
    found = [
        sum(i * s for i, s in zip(at, strides, strict=True))
        for at in itertools.product(*map(range, sizes))
    ]
    return len(set(found)) < len(found)


def test_b2_overlap_is_found_exactly():
    """pytorch#34100: size-1 dimensions with stride 0 gave a false alarm. Against brute force over small layouts."""
    draw = random.Random(2)
    seen = {True: 0, False: 0}
    memory = bolide.zeros(400)
    for _ in range(3000):
        rank = draw.randint(1, 4)
        sizes = [draw.choice((0, 1, 1, 2, 3, 4, 5)) for _ in range(rank)]
        strides = [draw.choice((0, 1, 2, 3, 4, 5, 7, 9, 12, 20)) for _ in range(rank)]
        x = memory.as_strided(sizes, strides)
        wanted = overlaps(sizes, strides)
        seen[wanted] += 1
        if wanted:
            with pytest.raises(RuntimeError, match="distinct"):
                x.add_(1)
        else:
            x.add_(1)
    assert min(seen.values()) > 500


@pytest.mark.parametrize("name", ["add_", "sub_", "mul_", "atan2_", "copy_"])
@pytest.mark.parametrize("pair", ["transposed", "shifted", "reversed rows", "columns"])
def test_b3_overlapping_operands_give_what_copies_give(name, pair, device):
    """numpy#1683 (x += x.T), #6166, #8043."""
    x = bolide.arange(1.0, 37.0, device=device).view(6, 6)
    target, other = {
        "transposed": lambda: (x, x.t()),
        "shifted": lambda: (x[1:], x[:-1]),
        "reversed rows": lambda: (x.view(-1)[1:], x.view(-1)[:-1]),
        "columns": lambda: (x[:, 1:4], x[:, 0:3]),
    }[pair]()
    copy = target.clone()
    wanted = getattr(copy, name)(other.clone())
    getattr(target, name)(other)
    assert np.array_equal(array_of(target), array_of(wanted))


def test_b3_values_put_into_the_tensor_that_they_come_from(device):
    x = bolide.arange(6.0, device=device)
    x[bolide.tensor([1, 2, 3, 4, 5, 0], device=device)] = x
    assert array_of(x).tolist() == [5, 0, 1, 2, 3, 4]
    x = bolide.arange(6.0, device=device)
    x.index_add_(0, bolide.tensor([1, 2, 3, 4, 5, 0], device=device), x)
    assert array_of(x).tolist() == [5, 1, 3, 5, 7, 9]


def test_b4_in_place_operands_that_broadcast_beyond_raise(device):
    """numpy#2705: self was changed, or grew."""
    x = bolide.ones(3, device=device)
    for change in (lambda: x.add_(bolide.ones(2, 3, device=device)), lambda: x.copy_(bolide.zeros(2, 3, device=device)),
                   lambda: x.__setitem__(slice(0, 2), bolide.zeros(3, device=device))):  # fmt: skip
        with pytest.raises(RuntimeError):
            change()
        assert array_of(x).tolist() == [1, 1, 1]


def layouts(array, device):
    """The array as tensors in several layouts."""
    plain = bolide.from_numpy(array.copy()).to(device)
    yield "contiguous", plain
    yield "transposed", bolide.from_numpy(array.T.copy()).to(device).t()
    wide = bolide.from_numpy(np.repeat(array, 2, 1)).to(device)
    yield "sliced", wide[:, 1::2]
    flat = bolide.from_numpy(np.concatenate([array.reshape(-1)[:3], array.reshape(-1)])).to(device)
    yield "offset", flat[3:].view(array.shape)


def test_b5_masks_of_every_layout(device):
    """pytorch#12230: masked_fill_ with a broadcast mask."""
    array = np.arange(20.0).reshape(4, 5)
    mask = array % 3 == 0
    row = mask[:1]
    for (_, x), (name, m) in itertools.product(layouts(array, device), layouts(mask, device)):
        for wanted_mask, given in (
            (mask, m),
            (np.broadcast_to(row, mask.shape), m[:1].expand(4, 5)),
        ):
            assert np.array_equal(
                array_of(x.masked_fill(given, -1.0)), np.where(wanted_mask, -1, array)
            ), name
            y = x.clone()
            y[given] = -1.0
            assert np.array_equal(array_of(y), np.where(wanted_mask, -1, array)), name
            assert np.array_equal(array_of(x[given]), array[wanted_mask]), name
            y = x.clone().masked_scatter_(
                given, bolide.arange(100.0, 120.0, device=device).double()
            )
            wanted = array.copy()
            wanted[wanted_mask] = np.arange(100, 100 + wanted_mask.sum())
            assert np.array_equal(array_of(y), wanted), name


def test_b6_negative_strides_are_copied_or_right():
    """mlx#3720: a fused path read them as if positive."""
    array = np.arange(12.0).reshape(3, 4)[::-1, ::-2]
    for make in (bolide.tensor, bolide.as_tensor, np.asarray):
        x = bolide.as_tensor(make(array))
        assert np.array_equal((x + x.sqrt() * 2).numpy(), array + np.sqrt(array) * 2)
        assert np.array_equal(x[bolide.tensor([2, 0])].numpy(), array[[2, 0]])
    with pytest.raises(ValueError, match="strides"):
        bolide.from_numpy(array)


def test_b7_extremes_of_every_layout(device):
    """pytorch#1036: the place of a maximum of a column."""
    array = np.random.default_rng(0).permutation(20).astype(np.float64).reshape(4, 5)
    for name, x in layouts(array, device):
        for dim in (0, 1):
            values, at = x.max(dim)
            assert np.array_equal(array_of(values), array.max(dim)), name
            assert np.array_equal(array_of(at), array.argmax(dim)), name
            assert np.array_equal(array_of(x.argmin(dim)), array.argmin(dim)), name
        column = x[:, 3]
        assert int(column.argmax()) == array[:, 3].argmax(), name


def test_b8_out_of_a_wrong_size(device):
    """pytorch#170573: out= that is a small view was written past its end. It is resized, and its neighbours stay."""
    memory = bolide.full((10,), 7.0, device=device)
    x = bolide.arange(6.0, device=device)
    small = memory[2:4]
    with pytest.warns(UserWarning, match="resized"):
        bolide.mul(x, 2, out=small)
    assert array_of(small).tolist() == [0, 2, 4, 6, 8, 10]
    assert array_of(memory[:2]).tolist() == [7, 7] and array_of(memory[8:]).tolist() == [7, 7]
    last = memory[8:]
    with pytest.warns(UserWarning, match="resized"):
        bolide.cat([x, x], out=last)  # beyond the storage: memory of its own
    assert array_of(last).tolist() == [0, 1, 2, 3, 4, 5] * 2 and array_of(memory[8:]).tolist() == [
        7,
        7,
    ]
    with pytest.raises(RuntimeError, match="cast"):
        bolide.mul(x, 2.5, out=bolide.zeros(6, dtype=bolide.int64, device=device))
    same = bolide.arange(2.0, device=device)
    with pytest.raises(bolide.ShapeError, match="broadcast"):  # an input keeps its shape
        bolide.add(same, bolide.ones(3, 2, device=device), out=same)
    assert array_of(same).tolist() == [0, 1]


def test_b9_views_beyond_the_storage_raise(device):
    """pytorch#176718, #194051: a view reached outside."""
    draw = random.Random(9)
    refused = 0
    for _ in range(500):
        x = bolide.arange(24.0, device=device)[draw.randint(0, 12) :]
        sizes = [draw.randint(0, 4) for _ in range(draw.randint(1, 3))]
        strides = [draw.choice((0, 1, 2, 5, 9)) for _ in sizes]
        offset = draw.randint(-1, 26)
        last = offset + sum((n - 1) * s for n, s in zip(sizes, strides, strict=True))
        if offset < 0 or (0 not in sizes and last >= 24):
            refused += 1
            with pytest.raises(RuntimeError, match="within"):
                x.as_strided(sizes, strides, offset)
        else:
            wanted = np.lib.stride_tricks.as_strided(
                np.arange(24.0)[min(offset, 23) :], sizes, [s * 8 for s in strides]
            )
            assert np.array_equal(array_of(x.as_strided(sizes, strides, offset)), wanted)
    assert 100 < refused < 450
    for change in (lambda: bolide.zeros(4, device=device).view(dtype=bolide.float64).view(3),
                   lambda: bolide.zeros(5, device=device).unfold(0, 6, 1),
                   lambda: bolide.zeros(3, device=device).view(bolide.float64)):  # fmt: skip
        with pytest.raises((RuntimeError, TypeError)):
            change()


def test_b10_cat_of_empty_parts_into_strided_memory(device):
    """pytorch#49937, #5971, #86918, #5332."""
    full, empty = bolide.arange(6.0, device=device).view(2, 3), bolide.zeros(0, device=device)
    flat = bolide.zeros(0, 3, device=device)
    for parts in (
        [empty, full],
        [full, empty],
        [flat, full],
        [full, flat, empty],
        [empty, flat, full, full],
    ):
        rows = [array_of(p) for p in parts if p.numel()]
        assert np.array_equal(array_of(bolide.cat(parts)), np.concatenate(rows))
    assert tuple(bolide.cat([empty, empty]).shape) == (0,)
    out = bolide.zeros(3, 4, device=device).t()
    bolide.cat([full, full], out=out)
    assert np.array_equal(array_of(out), np.concatenate([array_of(full)] * 2))
    for dim in (2, -3):
        with pytest.raises(IndexError):
            bolide.cat([full, full], dim)


def test_b11_strides_of_dimensions_of_size_1_do_not_matter(device):
    """pytorch#85558, #83069, #163274."""
    x = bolide.arange(6.0, device=device).as_strided((1, 2, 1, 3), (77, 3, 5, 1))
    assert x.is_contiguous() and x.contiguous() is x
    assert array_of(x.view(6)).tolist() == [0, 1, 2, 3, 4, 5]
    assert array_of(x[0, 1, 0]).tolist() == [3, 4, 5]
    again = bolide.from_dlpack(x.cpu())
    assert again.is_contiguous() and np.array_equal(again.numpy(), array_of(x))
    assert array_of(x.add_(1)).reshape(-1).tolist() == [1, 2, 3, 4, 5, 6]


def test_b12_broadcasting_of_bools(device):
    """mlx#124: products of broadcast bools."""
    a, b = np.arange(70) % 3 == 0, np.arange(33) % 2 == 0
    x, y = bolide.from_numpy(a).to(device)[:, None], bolide.from_numpy(b).to(device)[None]
    for name, function in (
        ("mul", np.logical_and),
        ("logical_xor", np.logical_xor),
        ("maximum", np.logical_or),
    ):
        assert np.array_equal(array_of(getattr(bolide, name)(x, y)), function(a[:, None], b[None]))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_b13_memory_at_every_offset(dtype, device):
    """pytorch#46702: rows of an odd length were read as if aligned."""
    memory = np.arange(1, 200).astype(dtype)
    x = bolide.from_numpy(memory).to(device)
    for offset, width in itertools.product(range(16), (1, 3, 7, 17)):
        rows = x[offset : offset + 5 * width].view(5, width)
        wanted = memory[offset : offset + 5 * width].reshape(5, width)
        assert np.array_equal(array_of(rows + rows), wanted + wanted)
        assert np.array_equal(array_of(rows.sum(1)), wanted.sum(1))
        assert np.array_equal(array_of(rows[bolide.tensor([3, 0], device=device)]), wanted[[3, 0]])


def test_b14_tails_are_not_read_or_written_past(device):
    """pytorch#30806: a vectorised copy went on past the end."""
    for n in range(1, 70):
        memory = bolide.full((n + 2,), 5.0, device=device)
        part = memory[1 : n + 1]
        part.copy_(bolide.arange(float(n), device=device))
        part.mul_(2)
        part[bolide.arange(n, device=device)] = part + 1
        wanted = [5.0, *(2.0 * i + 1 for i in range(n)), 5.0]
        assert array_of(memory).tolist() == wanted


# ---- zero-size and 0-d -----------------------------------------------------------------------------

EMPTY_RESULTS = {
    "add": (lambda x: x + 1, lambda s: s),
    "transpose": (lambda x: x.transpose(0, 2), lambda s: s[::-1]),
    "flip": (lambda x: x.flip(0, 2), lambda s: s),
    "roll": (lambda x: x.roll(1, 1), lambda s: s),
    "cat": (lambda x: bolide.cat([x, x], 1), lambda s: (s[0], 2 * s[1], s[2])),
    "stack": (lambda x: bolide.stack([x, x]), lambda s: (2, *s)),
    "repeat": (lambda x: x.repeat(2, 1, 1), lambda s: (2 * s[0], *s[1:])),
    "index": (lambda x: x[:, bolide.zeros(0, dtype=bolide.int64, device=x.device)], lambda s: (s[0], 0, s[2])),
    "mask": (lambda x: x[x == 7], lambda s: (0,)),
    "nonzero": (lambda x: (x == 7).nonzero(), lambda s: (0, 3)),
    "index_select": (lambda x: x.index_select(0, bolide.zeros(0, dtype=bolide.int32, device=x.device)), lambda s: (0, *s[1:])),
    "scatter_add": (lambda x: x.scatter_add(0, bolide.zeros(0, 0, 0, dtype=bolide.int64, device=x.device), x), lambda s: s),
    "index_add": (lambda x: x.index_add(1, bolide.zeros(0, dtype=bolide.int64, device=x.device), x[:, :0]), lambda s: s),
    "masked_fill": (lambda x: x.masked_fill(x == 7, 0), lambda s: s),
    "tril": (lambda x: x.tril(), lambda s: s),
    "unfold": (lambda x: x.unfold(0, 0, 1), lambda s: (s[0] + 1, *s[1:], 0)),
    "reshape": (lambda x: x.reshape(-1), lambda s: (0,)),
}  # fmt: skip


@pytest.mark.parametrize("name", EMPTY_RESULTS)
def test_c1_every_dimension_may_be_empty(name, device):
    """pytorch_scatter#39, sbd#50: a launch of no blocks."""
    call, shape_of = EMPTY_RESULTS[name]
    for shape in ((0, 3, 2), (4, 0, 2), (4, 3, 0), (0, 0, 0)):
        y = call(bolide.zeros(shape, device=device))
        assert tuple(y.shape) == tuple(shape_of(shape)), shape
        assert tuple((bolide.ones(3, device=device) + 1).tolist()) == (
            2,
            2,
            2,
        )  # no error is left behind


def test_c2_reductions_of_nothing(device):
    """onnxruntime#28353, pytorch#19612."""
    x = bolide.zeros(2, 0, device=device)
    assert x.sum(1).tolist() == [0, 0] and x.prod(1).tolist() == [1, 1]
    assert x.any(1).tolist() == [False, False] and x.all(1).tolist() == [True, True]
    assert all(math.isnan(v) for v in x.mean(1).tolist())
    for name in ("amax", "amin", "argmax", "max", "min"):
        with pytest.raises((IndexError, ValueError)):
            getattr(x, name)(1)
    assert tuple(x.amax(0).shape) == (0,)


def test_c3_reductions_of_a_number(device):
    """pytorch#37084: argmax(dim) of a 0-d tensor gave random memory."""
    x = bolide.tensor(3.5, device=device)
    for dim in (0, -1):
        assert int(x.argmax(dim)) == 0 and int(x.argmin(dim)) == 0
        assert float(x.sum(dim)) == 3.5 and float(x.prod(dim)) == 3.5 and float(x.mean(dim)) == 3.5
        values, at = x.max(dim)
        assert (float(values), int(at)) == (3.5, 0)
        assert tuple(x.amax(dim, keepdim=True).shape) == ()


@pytest.mark.parametrize("name", ["sum", "amax", "argmax", "squeeze", "unbind", "flip", "softmax", "cat", "index_select",
                                  "roll", "select", "unfold", "gather"])  # fmt: skip
def test_c4_a_dimension_that_is_not_there(name, device):
    """pytorch#71477: not checked for 0-d tensors."""
    index = bolide.zeros(1, dtype=bolide.int64, device=device)
    for shape, wrong in (((), 1), ((), -2), ((0,), 1), ((2, 3), 2), ((2, 3), -3)):
        x = bolide.zeros(shape, device=device)
        call = {
            "cat": lambda x=x, d=wrong: bolide.cat([x, x], d),
            "index_select": lambda x=x, d=wrong: x.index_select(d, index),
            "gather": lambda x=x, d=wrong: x.gather(d, index),
            "roll": lambda x=x, d=wrong: x.roll(1, d),
            "select": lambda x=x, d=wrong: x.select(d, 0),
            "unfold": lambda x=x, d=wrong: x.unfold(d, 1, 1),
        }.get(name, lambda x=x, d=wrong: getattr(x, name)(d))
        with pytest.raises((IndexError, RuntimeError) if name == "cat" else IndexError):
            call()


def test_c5_indexing_a_number(device):
    """pytorch#90998: index_select on a 0-d tensor wrote outside."""
    index = bolide.tensor([0], device=device)
    x = bolide.tensor(2.0, device=device)
    one = bolide.tensor([1.0], device=device)
    assert x.index_select(0, index).item() == 2 and x.gather(0, index[0]).item() == 2
    assert x.take(index).tolist() == [2] and x[...].item() == 2 and x[None].tolist() == [2]
    assert x[True].tolist() == [2] and x[False].tolist() == [] and x[x > 1].tolist() == [2]
    assert x.clone().index_fill_(0, index, 5).item() == 5
    assert x.clone().index_add_(0, index, one).item() == 3
    assert x.clone().index_copy_(0, index, one).item() == 1
    assert x.clone().scatter_(0, index[0], 4.0).item() == 4
    assert x.clone().scatter_add_(0, index[0], one[0]).item() == 3
    assert x.clone().put_(index, one).item() == 1
    assert x.masked_select(x > 1).tolist() == [2] and x.nonzero().tolist() == [[]]
    for wrong in (1, -2, 2**62):
        with pytest.raises(IndexError):
            x.index_select(0, bolide.tensor([wrong], device=device)).tolist()
        with pytest.raises(IndexError):
            x.take(bolide.tensor([wrong], device=device)).tolist()
        with pytest.raises(IndexError):
            x.clone().index_fill_(0, bolide.tensor([wrong], device=device), 1.0).tolist()
    with pytest.raises(IndexError):
        x[0]


@pytest.mark.parametrize("n", [32767, 32768, 65536])
def test_c6_places_of_extremes_of_single_elements(n, device):
    """pytorch#40022: argmin over a dimension of size 1, of many rows."""
    x = bolide.arange(n, device=device)
    assert int(x.view(n, 1).argmin(1).amax()) == 0 and int(x.view(n, 1).argmax(1).amax()) == 0
    assert int(x.view(1, n).argmax(0).amax()) == 0 and int(x.argmax()) == n - 1
    assert np.array_equal(array_of(x.view(n, 1).amax(1)), np.arange(n))


def test_c7_empty_tensors_through_dlpack():
    """onnxruntime#27450: a tensor without elements was called non-contiguous."""
    x = bolide.zeros(1, 8, 0, 128)
    for y in (bolide.from_dlpack(x), bolide.from_dlpack(x.transpose(0, 3).transpose(0, 3))):
        assert tuple(y.shape) == (1, 8, 0, 128) and y.is_contiguous()
    assert np.from_dlpack(x).shape == (1, 8, 0, 128)


# ---- indices that are not there --------------------------------------------------------------------

WRITES = {
    "index_put_": lambda x, i: x.__setitem__(i, 9.0),
    "index_add_": lambda x, i: x.index_add_(0, i, bolide.ones(len(i), 3, device=x.device)),
    "index_copy_": lambda x, i: x.index_copy_(0, i, bolide.ones(len(i), 3, device=x.device)),
    "index_fill_": lambda x, i: x.index_fill_(0, i, 9.0),
    "index_reduce_": lambda x, i: x.index_reduce_(0, i, bolide.ones(len(i), 3, device=x.device), "amax"),
    "scatter_": lambda x, i: x.scatter_(0, i[:, None], 9.0),
    "scatter_add_": lambda x, i: x.scatter_add_(0, i[:, None], bolide.ones(len(i), 3, device=x.device)),
    "scatter_reduce_": lambda x, i: x.scatter_reduce_(0, i[:, None], bolide.ones(len(i), 3, device=x.device), "prod"),
    "put_": lambda x, i: x.put_(i * 3, bolide.ones(len(i), device=x.device)),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("wrong", [4, -5, 2**60, -(2**63)])
def test_d19_indices_out_of_range_write_nothing(name, wrong, device):
    """pytorch#1368, tvm#20297, jax#278: not checked on the device."""
    memory = bolide.full((8, 3), 2.0, device=device)
    x = memory[2:6]
    with pytest.raises(IndexError):
        WRITES[name](x, bolide.tensor([0, wrong, 1] if device == "cpu" else [wrong], device=device))
        x.tolist()  # a device says so when somebody waits for it
    assert array_of(memory).min() == array_of(memory).max() == 2


def test_d19_reading_out_of_range_raises(device):
    x = bolide.zeros(4, 3, device=device)
    for wrong in (4, -5, -(2**63)):
        i = bolide.tensor([0, wrong], device=device)
        for call in (lambda i=i: x[i], lambda i=i: x.index_select(0, i), lambda i=i: x.gather(0, i[:, None]),
                     lambda i=i: x.take_along_dim(i[:, None], 0), lambda i=i: x[:, i], lambda i=i: x[i, i]):  # fmt: skip
            with pytest.raises(IndexError):
                call().tolist()
    with pytest.raises(IndexError):
        x.take(bolide.tensor([12], device=device)).tolist()


def test_d18_sums_of_many_duplicates_are_the_same_on_every_run(device):
    """pytorch#55516, #88244, mxnet#11899."""
    draw = np.random.default_rng(1)
    index = bolide.from_numpy(draw.integers(0, 7, 3000)).to(device)
    values = bolide.from_numpy(draw.standard_normal((3000, 2)).astype(np.float32)).to(device)
    first = bolide.zeros(7, 2, device=device).index_add_(0, index, values)
    for _ in range(3):
        again = bolide.zeros(7, 2, device=device).index_put_((index,), values, accumulate=True)
        assert np.array_equal(array_of(first), array_of(again))
    wide = np.zeros((7, 2))
    np.add.at(wide, array_of(index), array_of(values).astype(np.float64))
    assert np.allclose(array_of(first), wide, rtol=1e-4, atol=1e-4)
