"""Group A of the tests taken from real bugs of other libraries: sizes and index arithmetic. Ids as in the list of bugs.

Large arrays are address space without memory behind it (MAP_NORESERVE): only the pages that are touched exist.
"""

import math
import mmap
import re
from pathlib import Path

import bolide
import numpy as np
import pytest
from conftest import DEVICE
from hypothesis import given, settings
from hypothesis import strategies as st

FLOATS = (bolide.float16, bolide.bfloat16, bolide.float32, bolide.float64)
INTEGERS = (bolide.uint8, bolide.int8, bolide.int16, bolide.int32, bolide.int64)
only_cpu = pytest.mark.skipif(
    DEVICE != "cpu", reason="memory that is not there cannot be copied to a device"
)


def sparse(elements, dtype):
    """A dense tensor of zeros that takes memory only where it is written."""
    size = elements * np.dtype(dtype).itemsize
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
    try:
        memory = mmap.mmap(-1, size, flags=flags)
    except (OSError, ValueError, OverflowError):
        pytest.skip(f"no address space for {size} bytes")
    return bolide.from_numpy(np.frombuffer(memory, dtype=dtype))


@only_cpu
def test_a1_few_elements_far_apart():
    """The last offset lies beyond 2^31 though there are six elements."""
    base = sparse(2 * 2**30 + 2**20, np.uint8)
    view = base.as_strided((3, 2), (2**30, 2**19))
    wanted = [[1, 2], [3, 4], [5, 6]]
    view.copy_(bolide.tensor(wanted, dtype=bolide.uint8))
    assert base[2**31].item() == 5 and base[2**31 + 2**19].item() == 6
    assert view.tolist() == wanted and view.contiguous().tolist() == wanted
    assert view.t().contiguous().tolist() == [[1, 3, 5], [2, 4, 6]]
    assert (view + 1).tolist() == [[2, 3], [4, 5], [6, 7]]
    assert view.sum(0).tolist() == [9, 12] and view.long().sum().item() == 21
    assert view.amax(1).tolist() == [2, 4, 6] and view.argmax().item() == 5
    assert view.cumsum(0)[2].tolist() == [9, 12]
    assert bolide.cat([view, view]).shape == (6, 2) and view[2].tolist() == [5, 6]
    assert view.float().mul(2)[2, 1].item() == 12
    view += 1
    assert base[2**31].item() == 6


@only_cpu
def test_a3_an_array_of_more_than_2_to_31_elements():
    n = 2**31 + 3
    x = sparse(n, np.int8)
    x[-1] = 5
    x[2**31 - 1] = 3
    assert x.numel() == n and x[n - 1].item() == 5 and x[-1:].tolist() == [5]
    assert x[2**31 - 2 : 2**31 + 1].tolist() == [0, 3, 0]
    assert x.narrow(0, n - 2, 2).tolist() == [0, 5] and x.view(-1, 1)[n - 1, 0].item() == 5


def test_a4_loops_over_a_grid_count_in_64_bits():
    """A counter of 32 bits runs over at i += the grid's size, with a number of elements that it still could hold."""
    kernels = Path(__file__).parents[2] / "kernels" / "cuda"
    loop = re.compile(r"for \((\w+) \w+ = [^;]*;[^;]*; \w+ \+= (?:gridDim|threads_of_grid|step\b)")
    types = [
        found.group(1)
        for file in (*kernels.glob("*.cu"), *kernels.glob("*.cuh"))
        for found in loop.finditer(file.read_text())
    ]
    assert len(types) > 20 and set(types) == {"int64_t"}


@only_cpu
def test_a5_row_times_width_beyond_32_bits():
    rows, width = 70_000, 40_000
    weight = sparse(rows * width, np.float32).view(rows, width)
    weight[rows - 1, width - 1] = 7.0
    weight[rows - 1, 0] = 2.0
    index = bolide.tensor([rows - 1, 0])
    for found in (
        weight[index],
        bolide.index_select(weight, 0, index),
        bolide.nn.functional.embedding(index, weight),
    ):
        assert found.shape == (2, width)
        assert found[0, 0].item() == 2 and found[0, -1].item() == 7 and found[1].sum().item() == 0
    picked = bolide.gather(weight[-1:], 1, bolide.tensor([[width - 1, 0]]))
    assert picked.tolist() == [[7.0, 2.0]]
    weight[bolide.tensor([rows - 1]), bolide.tensor([width - 2])] = 9.0
    assert weight[rows - 1, width - 2].item() == 9


@only_cpu
def test_a6_matrix_product_over_more_than_2_to_32_offsets():
    stride = 2**31 + 8
    base = sparse(2 * stride + 16, np.float32)
    a = base.as_strided((3, 4), (stride, 1))
    values = bolide.arange(12.0).view(3, 4)
    a.copy_(values)
    b = bolide.arange(8.0).view(4, 2)
    assert bolide.equal(a @ b, values @ b)
    assert bolide.equal(a.t() @ a, values.t() @ values)


# The y and the z of a grid end at 65,535 blocks.
@pytest.mark.parametrize("batch", [65535, 65536, 65537])
def test_a7_as_many_rows_and_matrices_as_a_grid_has_blocks(batch):
    r = (np.arange(batch)[:, None] % 97 + np.arange(3)).astype(np.float32)
    rows = bolide.from_numpy(r).to(DEVICE)

    def check(found, expected):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found.cpu().numpy(), expected, rtol=1e-6)

    e = np.exp(r - r.max(1, keepdims=True))
    check(rows.sum(1), r.sum(1))
    check(rows.t().contiguous().sum(0), r.sum(1))
    check(rows.amax(1), r.max(1))
    check(rows.cumsum(1), r.cumsum(1))
    check(rows.softmax(1), e / e.sum(1, keepdims=True))
    check(rows.index_select(0, bolide.arange(batch, device=DEVICE) // 2), r[np.arange(batch) // 2])
    check(bolide.bmm(rows.view(batch, 3, 1), rows.view(batch, 1, 3)), r[:, :, None] * r[:, None])
    check(bolide.cat([rows, rows], 1), np.concatenate([r, r], 1))
    check(rows.unsqueeze(2).expand(batch, 3, 2).contiguous(), np.stack([r, r], 2))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a8_reductions_of_every_shape_and_layout(data):
    """Integers that float32 adds exactly in any order: a launch that leaves one out is seen."""
    lengths = [1, 2, 3, 7, 31, 32, 33, 64, 127, 129, 255, 256, 257, 1023, 1025, 4097]
    shape = []
    for _ in range(data.draw(st.integers(1, 4))):
        room = 20_000 // math.prod(shape)
        shape.append(data.draw(st.sampled_from([n for n in lengths if n <= room])))
    order = data.draw(st.permutations(range(len(shape))))
    step = data.draw(st.sampled_from([1, 1, 2]))
    dims = tuple(data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1)))
    dtype = data.draw(st.sampled_from(["float32", "float64", "int64"]))
    base = (np.arange(math.prod(shape) * step) * 7919 % 509 - 200).astype(dtype)
    wide = (*shape[:-1], shape[-1] * step)
    x = bolide.from_numpy(base).to(DEVICE).view(wide)[..., ::step].permute(order)
    values = base.reshape(wide)[..., ::step].transpose(order)
    for name, expected in (("sum", values.sum(dims)), ("amax", values.max(dims))):
        np.testing.assert_array_equal(getattr(x, name)(dims).cpu().numpy(), expected, err_msg=name)
    nonzero = np.count_nonzero(values, dims)
    np.testing.assert_array_equal(x.count_nonzero(dims).cpu().numpy(), nonzero)
    place = x.argmax(dims[0]).cpu().numpy()
    np.testing.assert_array_equal(place, values.argmax(dims[0]))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a2_views_span_what_they_show(data):
    """The offsets of a view's elements, by brute force, are those elements of its base."""
    shape = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    base = bolide.arange(math.prod(shape), device=DEVICE).view(shape)
    array = np.arange(math.prod(shape)).reshape(shape)
    view = base
    for _ in range(data.draw(st.integers(1, 4))):
        d = data.draw(st.integers(0, view.ndim - 1)) if view.ndim else 0
        kind = data.draw(st.sampled_from(["split", "narrow", "select", "transpose", "slice"]))
        if not view.ndim or view.size(d) == 0:
            break
        n = view.size(d)
        at = data.draw(st.integers(0, n - 1))
        if kind == "split":
            size = data.draw(st.integers(1, n))
            which = data.draw(st.integers(0, (n - 1) // size))
            view = view.split(size, d)[which]
            array = np.split(array, range(size, n, size), d)[which]
        elif kind == "narrow":
            length = data.draw(st.integers(0, n - at))
            view, array = view.narrow(d, at, length), array.take(range(at, at + length), d)
        elif kind == "select" and view.ndim > 1:
            view, array = view.select(d, at), array.take(at, d)
        elif kind == "transpose":
            view, array = view.transpose(d, 0), array.swapaxes(d, 0)
        else:
            step = data.draw(st.integers(1, 3))
            key = (slice(None),) * d + (slice(at, None, step),)
            view, array = view[key], array[key]
    assert view.tolist() == array.tolist()
    offsets = view.storage_offset() + sum(
        (np.indices(view.shape)[d] * view.stride(d) for d in range(view.ndim)),
        np.zeros(view.shape, int),
    )
    assert np.array_equal(offsets, array)  # element k of the base holds k
    if view.numel():
        assert offsets.min() >= 0 and offsets.max() < base.numel()


@pytest.mark.parametrize(
    "shape",
    [(2, 2, 1, 2**61), (2**32, 2**32), (2**62, 4), (2**63 - 1, 2), (3, 2**62), (2**21,) * 3],
)
def test_a9_a_product_of_sizes_that_wraps_is_an_error(shape):
    before = bolide._C._memory_stats(DEVICE)["allocations"] if DEVICE == "cpu" else None
    one = bolide.ones(1, device=DEVICE)
    for make in (bolide.empty, bolide.zeros, bolide.rand, one.new_ones):
        with pytest.raises(RuntimeError):
            make(shape) if make is one.new_ones else make(shape, device=DEVICE)
    with pytest.raises(RuntimeError):
        one.expand(shape).contiguous()
    if before is not None:
        assert bolide._C._memory_stats("cpu")["allocations"] - before <= 2


@pytest.mark.parametrize("dtype", FLOATS + INTEGERS, ids=str)
def test_a10_a_number_of_bytes_that_wraps_is_an_error(dtype):
    for n in (
        2**63 // dtype.itemsize - 1,
        2**63 // dtype.itemsize,
        2**64 // dtype.itemsize // 2 - 1,
    ):
        if n >= 2**63:
            continue
        for make in (bolide.empty, bolide.ones):
            with pytest.raises((RuntimeError, MemoryError)):
                make(n, dtype=dtype, device=DEVICE)
    with pytest.raises(RuntimeError):
        bolide.empty_strided((2, 2), (2**62, 2**62), dtype=dtype, device=DEVICE)


def test_a11_huge_sizes_beside_a_zero_are_legal():
    for shape in [(0, 2**62, 8), (2**62, 0, 8), (2**62, 8, 0), (0, 2**63 - 1)]:
        x = bolide.empty(shape, device=DEVICE)
        assert x.numel() == 0 and x.shape == shape and x.nbytes == 0
        assert all(stride >= 0 for stride in x.stride())
        assert (x + 1).shape == shape and x.transpose(0, 1).numel() == 0
        assert x.clone().shape == shape


@pytest.mark.parametrize(
    "dim", [7, -8, 2**31, 2**63, -(2**63) - 1, 1.0, "0", None, [0, "a"], (0, 0), 2**100]
)
def test_a13_a_dim_that_is_none_never_aborts(dim):
    x = bolide.ones(2, 3, device=DEVICE)
    errors = (TypeError, ValueError, IndexError, RuntimeError, OverflowError)
    calls = [x.cumsum, x.argmax, x.unbind, x.cummax, lambda d: x.softmax(d), lambda d: x.flip([d])]
    calls += [
        lambda d: bolide.cat([x, x], d),
        lambda d: bolide.stack([x, x], d),
        lambda d: x.transpose(0, d),
    ]
    calls += [
        lambda d: x.narrow(d, 0, 1),
        lambda d: x.select(d, 0),
        lambda d: x.split(1, d),
        x.unsqueeze,
    ]
    if dim is not None:
        calls += [x.sum, x.amax, x.var, x.logsumexp]
    for call in calls:
        if dim is None and call == x.argmax:
            continue
        with pytest.raises(errors):
            call(dim)
    assert x.sum().item() == 6


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9)), max_size=4),
    st.integers(0, 30),
    st.integers(1, 40),
)
def test_a14_as_strided_stays_inside(pairs, offset, n):
    """What reaches beyond the storage is refused, by brute force; what does not gives the right elements."""
    base = bolide.arange(n, device=DEVICE)
    sizes, strides = [s for s, _ in pairs], [t for _, t in pairs]
    places = offset + sum(
        (np.indices(sizes)[d] * strides[d] for d in range(len(sizes))), np.zeros(sizes, int)
    )
    if places.size and places.max() >= n:
        with pytest.raises((RuntimeError, ValueError)):
            base.as_strided(sizes, strides, offset)
        return
    if not places.size and offset > n:
        return  # nothing is read: both answers are right
    assert base.as_strided(sizes, strides, offset).tolist() == places.tolist()


@pytest.mark.parametrize("offset", [2**62, 2**63 - 1, 2**40])
def test_a14_as_strided_with_huge_numbers(offset):
    base = bolide.arange(4, device=DEVICE)
    for sizes, strides in [
        ((2,), (1,)),
        ((2, 2), (2**62, 2**62)),
        ((2**32, 2**32), (2**31, 2**31)),
        ((), ()),
    ]:
        with pytest.raises((RuntimeError, ValueError)):
            base.as_strided(sizes, strides, offset)
    for strides in [(-1,), (2**63 - 1,), (2**62,)]:
        with pytest.raises((RuntimeError, ValueError)):
            base.as_strided((3,), strides)


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_a15_extremes_of_integers(dtype):
    """Additions and products wrap as in two's complement; nothing traps (and UBSan, in CI, is silent)."""
    limits = bolide.iinfo(dtype)
    values = [limits.min, limits.min + 1, 0, 1, limits.max - 1, limits.max] + (
        [-1] if limits.min else []
    )
    bits = limits.bits

    def wrapped(v):
        v &= 2**bits - 1
        return v - 2**bits if limits.min and v >= 2 ** (bits - 1) else v

    a = bolide.tensor(values, dtype=dtype, device=DEVICE)
    grid = a.unsqueeze(1)
    for name, function in {
        "add": lambda p, q: p + q,
        "sub": lambda p, q: p - q,
        "mul": lambda p, q: p * q,
        "maximum": max,
        "minimum": min,
        "bitwise_and": lambda p, q: p & q,
        "bitwise_xor": lambda p, q: p ^ q,
    }.items():
        found = getattr(bolide, name)(grid, a).tolist()
        assert found == [[wrapped(function(p, q)) for q in values] for p in values], name
    for name, function in {
        "neg": lambda p: -p,
        "abs": abs,
        "square": lambda p: p * p,
        "sign": lambda p: (p > 0) - (p < 0),
        "invert": lambda p: ~p,
    }.items():
        assert getattr(bolide, name)(a).tolist() == [wrapped(function(p)) for p in values], name
    assert a.amax().item() == limits.max and a.amin().item() == limits.min
    total = sum(values)
    assert a.sum().item() == (total + 2**63) % 2**64 - 2**63
    assert a.cumsum(0)[-1].item() == (total + 2**63) % 2**64 - 2**63
    for name in (
        "floor_divide",
        "remainder",
        "fmod",
        "pow",
        "bitwise_left_shift",
        "bitwise_right_shift",
        "div",
    ):
        assert getattr(bolide, name)(grid, a).shape == (len(values), len(values))
    bolide.clamp(a, limits.min, limits.max)
    bolide.arange(limits.max - 3, limits.max, dtype=dtype, device=DEVICE)
    assert bolide.full((2,), limits.min, dtype=dtype, device=DEVICE).tolist() == [limits.min] * 2
