"""Bugs that other libraries had in sorting and counting, as tests; the ids of the list of such bugs are in the names.

D3 to D5 and A12. Sorting has no CUDA kernel yet, so these run on the CPU.
"""

import math
import struct

import bolide
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

FLOATS = ("float16", "bfloat16", "float32", "float64")
SIZES = (*range(1, 34), 128, 129, 1025)
MINUS_NAN = struct.unpack("d", b"\xff" * 8)[0]
SPECIAL = (math.nan, MINUS_NAN, 0.0, -0.0, math.inf, -math.inf, 1.0, -1.0)


def pattern_of(dtype, n):
    """n of the special values, negative NaN with its sign, in the dtype."""
    values = np.array([SPECIAL[(5 * i + i // 8) % 8] for i in range(n)])
    x = bolide.from_numpy(values.astype("float64" if dtype == "float64" else "float32"))
    return x.to(getattr(bolide, dtype))


@pytest.mark.parametrize("dtype", FLOATS)
def test_d3_nan_of_either_sign_comes_last(dtype):
    for n in SIZES:
        x = pattern_of(dtype, n)
        places = x.isnan()
        count = int(places.sum())
        values, indices = x.sort(stable=True)
        assert values.isnan().tolist() == [False] * (n - count) + [True] * count
        assert bolide.equal(values[: n - count], x[indices[: n - count]])
        assert indices[n - count :].tolist() == places.nonzero().flatten().tolist()
        ordered = values[: n - count].double().numpy()
        assert (ordered[1:] >= ordered[:-1]).all()
        down, indices = x.sort(descending=True, stable=True)
        assert down.isnan().tolist() == [True] * count + [False] * (n - count)
        assert indices[:count].tolist() == places.nonzero().flatten().tolist()
        largest = x.topk(n).values
        assert largest.isnan().tolist() == [True] * count + [False] * (n - count)
        smallest = x.topk(n, largest=False).values
        assert bolide.equal(smallest[: n - count], values[: n - count])
        assert math.isnan(x.median().item()) == (count > 0)
        assert math.isnan(x.kthvalue(n).values.item()) == (count > 0)


@settings(max_examples=150, deadline=None)
@given(
    values=st.lists(st.sampled_from(SPECIAL) | st.floats(width=32), min_size=1, max_size=70),
    dtype=st.sampled_from(("float32", "float64")),
    k=st.integers(0, 70),
    largest=st.booleans(),
    repeats=st.sampled_from((1, 1, 20)),
)
def test_d4_topk_is_a_part_of_its_input(values, dtype, k, largest, repeats):
    """Whatever is NaN: valid places, no place twice, the values that lie there, and nothing better left out."""
    x = bolide.tensor(values * repeats, dtype=getattr(bolide, dtype))
    k = min(k, len(x))
    found, places = x.topk(k, largest=largest)
    assert len(set(places.tolist())) == k and all(0 <= place < len(x) for place in places.tolist())
    there = x.numpy()[places.numpy()]
    np.testing.assert_array_equal(found.numpy(), there)
    key = np.where(np.isnan(x.numpy()), np.inf, x.numpy())  # NaN is the largest, as inf and beyond
    rank = np.sort(key)[::-1][:k] if largest else np.sort(key)[:k]
    np.testing.assert_array_equal(np.where(np.isnan(there), np.inf, there), rank)
    nans = int(np.isnan(x.numpy()).sum())
    assert np.isnan(there).sum() == (min(k, nans) if largest else max(0, k - (len(x) - nans)))


@pytest.mark.parametrize("dtype", [*FLOATS, "bool", "uint8", "int8", "int16", "int32", "int64"])
@pytest.mark.parametrize("descending", [False, True])
def test_d5_equal_elements_keep_their_order(dtype, descending):
    for n in (2, 17, 129, 1025, 70_000):
        x = (bolide.arange(n) * 7 % 5 % (2 if dtype == "bool" else 5)).to(getattr(bolide, dtype))
        keys = x.double().numpy()
        expected = np.argsort(-keys if descending else keys, kind="stable")
        _, places = x.sort(stable=True, descending=descending)
        np.testing.assert_array_equal(places.numpy(), expected)
        argsorted = x.argsort(stable=True, descending=descending)
        np.testing.assert_array_equal(argsorted.numpy(), expected)
        grid = x.unsqueeze(1).expand(n, 3)  # along a dimension that is not the last
        _, columns = grid.sort(0, stable=True, descending=descending)
        np.testing.assert_array_equal(columns.numpy(), np.stack([expected] * 3, 1))


@pytest.mark.parametrize("spread", [0, 1, 1000, 2**31, 2**32 - 1, 2**32, 2**63 - 1])
@pytest.mark.parametrize("n", [63, 129, 300, 5000])
def test_keys_count_from_the_least_of_their_row(spread, n):
    """How wide the numbers of a row are spread decides how they are sorted; rows of either kind in one call."""
    random = np.random.default_rng(n)
    rows = np.stack([random.integers(-spread, spread, n, endpoint=True), random.integers(-9, 9, n)])
    rows[0, :2] = -spread, spread
    x = bolide.from_numpy(rows)
    places = np.argsort(rows, 1, kind="stable")
    values, found = x.sort(1)
    np.testing.assert_array_equal(found.numpy(), places)
    np.testing.assert_array_equal(values.numpy(), np.take_along_axis(rows, places, 1))
    for k in (1, n // 3, n):
        np.testing.assert_array_equal(x.kthvalue(k, 1).indices.numpy(), places[:, k - 1])
        np.testing.assert_array_equal(x.topk(k, 1, largest=False).indices.numpy(), places[:, :k])
    np.testing.assert_array_equal(x.median(1).indices.numpy(), places[:, (n - 1) // 2])


def test_a12_sizes_that_depend_on_values_are_checked():
    for huge in (2**63 - 1, 2**62):
        with pytest.raises((RuntimeError, MemoryError)):
            bolide.bincount(bolide.tensor([0, huge]))
        with pytest.raises((RuntimeError, MemoryError)):
            bolide.bincount(bolide.tensor([0, 1]), minlength=huge)
        with pytest.raises((RuntimeError, MemoryError)):
            bolide.repeat_interleave(bolide.tensor([huge, huge]))
    with pytest.raises(RuntimeError, match="at least 0"):
        bolide.bincount(bolide.tensor([1, -1]))
    with pytest.raises(RuntimeError, match="zero or more"):
        bolide.repeat_interleave(bolide.tensor([1, -1]))
    assert bolide.bincount(bolide.tensor([2, 0, 2])).tolist() == [1, 0, 2]


def test_kthvalue_of_nothing_is_an_index_error():
    for x, dim in ((bolide.zeros(0), 0), (bolide.zeros(2, 0), 1)):
        with pytest.raises(IndexError, match="kthvalue"):
            x.kthvalue(1, dim)
