"""Ways through the kernels that only some sizes and layouts take: tiles, words of bytes, columns, short runs, lanes.

Sizes lie around the edges of blocks; references are NumPy's.
"""

import math
import warnings

import bolide
import numpy as np
import pytest

SIDES = [(1, 1), (15, 17), (16, 16), (17, 64), (64, 65), (63, 130), (3, 200), (200, 3)]
DTYPES = [
    "float32",
    "float64",
    "float16",
    "int32",
    "int64",
    "uint8",
    "complex64",
    "complex128",
    "int16",
]


def numbers(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 100, shape)
    return (values + 1j * rng.integers(0, 9, shape) if "complex" in dtype else values).astype(dtype)


@pytest.fixture
def tensor(device):
    return lambda array: bolide.from_numpy(array).to(device)


@pytest.fixture
def cpu_kernel(device):
    if device != "cpu":
        pytest.skip("has a CPU kernel only")


def check(found, expected):
    np.testing.assert_array_equal(found.cpu().numpy(), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sides", SIDES)
def test_transposed_operands_and_copies(tensor, dtype, sides):
    a, b = numbers(sides, dtype), numbers(sides[::-1], dtype, 1)
    x, y = tensor(a), tensor(b)
    check(x + y.T, a + b.T)
    check(x.T + y, a.T + b)
    check(y.T.contiguous(), b.T)
    check(x + y.T[0, 0] * y.T, a + b.T[0, 0] * b.T)
    check(
        y.T.to(bolide.float64 if "complex" not in dtype else bolide.complex128) * 2,
        b.T.astype(np.complex128) * 2,
    )
    out = bolide.zeros(sides[0], 2 * sides[1], dtype=x.dtype, device=x.device)[:, ::2]  # strided
    out.copy_(y.T)
    check(out, b.T)
    expected = a + b.T  # x may share memory with a
    check(x.add_(y.T), expected)


def test_transposed_operands_of_more_dimensions(tensor):
    a, b, c = (
        numbers((3, 20, 70), "float32"),
        numbers((3, 70, 20), "float32", 1),
        numbers((3, 20, 70), "uint8", 2),
    )
    x, y, z = tensor(a), tensor(b), tensor(c)
    check(x * y.transpose(1, 2), a * b.transpose(0, 2, 1))
    check(bolide.where(z > 50, y.mT, x), np.where(c > 50, b.transpose(0, 2, 1), a))
    check(y.mT > x, b.transpose(0, 2, 1) > a)
    check((x[:, :1] + y.mT).mT, (a[:, :1] + b.transpose(0, 2, 1)).transpose(0, 2, 1))
    check(y.permute(1, 2, 0).contiguous(), b.transpose(1, 2, 0))
    check(y.permute(2, 0, 1).contiguous(), b.transpose(2, 0, 1))


@pytest.mark.parametrize("n", [1, 63, 64, 65, 71, 4097, 300_007])
def test_bits_of_bytes(tensor, n):
    a, b = numbers(n, "uint8") < 50, numbers(n, "uint8", 1) < 50
    x, y = tensor(a), tensor(b)
    for found, expected in (
        (x & y, a & b),
        (x | y, a | b),
        (x ^ y, a ^ b),
        (~x, ~a),
        (bolide.logical_and(x, y), a & b),
        (bolide.logical_or(x, y), a | b),
        (bolide.logical_xor(x, y), a ^ b),
        (bolide.logical_not(x), ~a),
        (x[1:] & y[1:], a[1:] & b[1:]),  # at odd addresses
        (x[::2] | y[::2], a[::2] | b[::2]),
    ):
        assert found.dtype == bolide.bool
        check(found, expected)
    i, j = numbers(n, "int16"), numbers(n, "int16", 1)
    check(tensor(i) ^ tensor(j), i ^ j)
    check(bolide.logical_and(tensor(i), tensor(j)), np.logical_and(i, j))
    expected = ~a
    check(x.logical_not_(), expected)


@pytest.mark.parametrize("repeats", [1, 2, 3, 20])
def test_short_runs(tensor, repeats):
    a = numbers((50, 30), "int32")
    check(tensor(a).repeat_interleave(repeats, 1), a.repeat(repeats, 1))
    check(tensor(a)[:, :repeats].contiguous(), a[:, :repeats])
    check(bolide.stack([tensor(a)] * repeats, 2), np.stack([a] * repeats, 2))


@pytest.mark.parametrize("shape", [(5, 7), (40, 33), (200, 300)])
def test_columns_taken(tensor, shape):
    a = numbers(shape, "float32")
    index = np.random.default_rng(3).integers(0, shape[1], 130)
    check(tensor(a).index_select(1, tensor(index)), a[:, index])
    check(tensor(a)[:, tensor(index)], a[:, index])


@pytest.mark.parametrize("diagonal", [-300, -3, -1, 0, 1, 4, 300])
def test_triangles(tensor, diagonal):
    a = numbers((5, 9), "float32")
    check(bolide.tril(tensor(a), diagonal), np.tril(a, diagonal))
    check(bolide.triu(tensor(a), diagonal), np.triu(a, diagonal))


@pytest.mark.parametrize("n, k", [(16, 1), (1000, 1), (1000, 62), (1000, 63), (5000, 7)])
def test_few_of_many(tensor, cpu_kernel, n, k):
    a = np.random.default_rng(n).integers(0, 50, (3, n)).astype("float32")
    a[1, n // 2] = np.nan
    found = bolide.topk(tensor(a), k)
    order = np.argsort(-np.nan_to_num(a, nan=1000), axis=1, kind="stable")[
        :, :k
    ]  # NaN is the largest
    check(found.values, np.take_along_axis(a, order, 1))
    check(found.indices, order)


@pytest.mark.parametrize("rows", [1, 7, 8, 16, 33])
@pytest.mark.parametrize("n", [1, 3, 15, 16, 30, 256, 300, 1024, 1000])
def test_lanes_of_fourier_transforms(tensor, cpu_kernel, rows, n):
    rng = np.random.default_rng(n)
    x = rng.standard_normal((rows, n))
    z = x + 1j * rng.standard_normal((rows, n))
    for fft, mine, array in (
        (np.fft.fft, bolide.fft.fft, z),
        (np.fft.ifft, bolide.fft.ifft, z),
        (np.fft.rfft, bolide.fft.rfft, x),
    ):
        expected = fft(array)
        for dtype, unit in (("F", 6e-8), ("D", 1.2e-16)):
            given = array.astype(
                dtype if array is z else dtype.lower().replace("f", "f4").replace("d", "f8")
            )
            error = np.abs(mine(tensor(given)).numpy() - expected).max()
            assert error <= 30 * unit * np.abs(expected).max()


CORNERS = [0.0, -0.0, 1, -1, 0.5, -0.5, 2, -2, 3, -3, np.inf, -np.inf, np.nan, 1e308, -1e308, 1.7e308, 5e-324, -5e-324,
           1e-310, 709.782712893384, 709.7827128933841, -745.13, -745.14, 1e16, -1e16, 9007199254740993.0,
           -4503599627370497, 0.7071067811865476, 1.4142135623730951, 1e-8]  # fmt: skip


@pytest.mark.parametrize(
    "name",
    "exp exp2 expm1 log log1p tanh arctan arctan2 power sin cos tan".split(),
)
def test_functions_of_float64(tensor, name):
    """Within 4 units of the C library's at corners and on random numbers, with its signs of zero."""
    rng = np.random.default_rng(1)
    x = np.concatenate([CORNERS, rng.standard_normal(500), 10 ** rng.uniform(-300, 300, 500)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name in ("arctan2", "power"):
            a, b = (part.ravel() for part in np.meshgrid(x[:60], x[:80]))
            expected = getattr(np, name)(a, b)
            found = {"arctan2": bolide.atan2, "power": bolide.pow}[name](tensor(a), tensor(b))
        else:
            expected = getattr(np, name)(x)
            found = getattr(bolide, name)(tensor(x))
    found = found.cpu().numpy()
    known = np.isfinite(expected)
    np.testing.assert_array_equal(found[~known], expected[~known])
    found, expected = found[known], expected[known]
    assert (np.abs(found - expected) <= 4 * np.spacing(np.abs(expected))).all()
    np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32", "int64", "uint8"])
@pytest.mark.parametrize("shape", [(2, 8), (5, 9), (67, 300), (130, 1025), (3, 70, 33)])
def test_reductions_of_columns(tensor, dtype, shape):
    a = numbers(shape, dtype)
    if "float" in dtype:
        a.reshape(-1)[:: a.size // 3] = np.nan
    x, d = tensor(a), len(shape) - 2
    wide = a.astype("float64")
    check(x.argmax(d), a.argmax(d))
    check(x.argmin(d), a.argmin(d))
    found = x.max(d)
    check(found.values, a.max(d))
    check(found.indices, a.argmax(d))
    check(x.amin(d), a.min(d))
    if dtype != "float16":  # whole numbers: exact
        check(x.sum(d).to(bolide.float64), wide.sum(d))


def test_large_angles_beside_small_ones(tensor):
    """Beyond 1e9 the C library's sine, whatever lies beside it; the slope too, in place too."""
    x = np.linspace(-8, 8, 1500)
    x[::7] *= 10.0 ** np.arange(0, 215)
    x[1:400:90] = np.inf, 1e9, np.nextafter(1e9, 2e9), -(2.0**60), -np.inf
    with np.errstate(invalid="ignore"):
        for name in ("sin", "cos", "tan"):
            expected = getattr(np, name)(x)
            found = getattr(bolide, name)(tensor(x)).cpu().numpy()
            np.testing.assert_allclose(found, expected, rtol=6e-16, atol=0)
            np.testing.assert_array_equal(getattr(tensor(x.copy()), name + "_")().cpu(), found)
            lone = [getattr(bolide, name)(tensor(x[i : i + 1])).item() for i in range(0, 1500, 11)]
            np.testing.assert_array_equal(lone, found[::11])
        t = tensor(x).requires_grad_()
        (slope,) = bolide.autograd.grad(t.sin().sum(), [t])
        np.testing.assert_allclose(slope.cpu(), np.cos(x), rtol=6e-16, atol=0)


def test_error_function_of_float64(tensor):
    x = np.concatenate(
        [np.linspace(-7, 7, 3001), [1, -1, 0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, 1e-9]]
    )
    expected = np.array([math.erf(v) for v in x])
    found = bolide.erf(tensor(x)).cpu().numpy()
    np.testing.assert_allclose(found, expected, rtol=5e-16, atol=0)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16"])
def test_small_integers_wrap_around(tensor, dtype):
    rng, limits = np.random.default_rng(4), np.iinfo(dtype)
    a, b = (rng.integers(limits.min, limits.max, 70_001, dtype, endpoint=True) for _ in "ab")
    x, y = tensor(a), tensor(b)
    number = np.array(100, dtype)
    for name in ("add", "subtract", "multiply"):
        ours, theirs = getattr(bolide, name), getattr(np, name)
        check(ours(x, y), theirs(a, b))
        check(ours(x, 100), theirs(a, number))
        check(ours(100, y), theirs(number, b))
        check(ours(x[::3], y[::3]), theirs(a[::3], b[::3]))


def test_integer_quotients_at_the_edges(tensor):
    edges = np.array([-(2**31), -(2**31) + 1, -7, -1, 1, 2, 3, 46341, 2**31 - 2, 2**31 - 1])
    a, b = (part.ravel().astype("int32") for part in np.meshgrid(edges, edges))
    fits = (a != -(2**31)) | (b != -1)
    a, b = a[fits], b[fits]
    check(tensor(a) // tensor(b), a // b)
    check(tensor(a) % tensor(b), a % b)


@pytest.mark.parametrize("columns", [127, 128, 300, 2050])
def test_rows_beside_columns(tensor, columns):
    a, row, column = (
        numbers((40, columns), "float32"),
        numbers((1, columns), "float32", 1),
        numbers((40, 1), "float32", 2),
    )
    whole, small = numbers((40, columns), "int64", 3), numbers((1, columns), "uint8", 4)
    x = tensor(a)
    check(x + tensor(row), a + row)
    check(tensor(column) * x, column * a)
    check(tensor(row) - tensor(column), row - column)
    check(x[1:, 1:] * x[:-1, :-1], a[1:, 1:] * a[:-1, :-1])
    check(tensor(whole) + tensor(small), whole + small)
    check(bolide.where(tensor(small) > 50, x, 1.5), np.where(small > 50, a, np.float32(1.5)))
    check(x.half() + tensor(row).half(), (a + row).astype("float16"))
    cube = numbers((3, 40, columns), "float32", 5)
    check(tensor(cube) + tensor(row), cube + row)
    check(tensor(cube)[:, ::2] * tensor(column)[::2], cube[:, ::2] * column[::2])
    check(tensor(cube).flip(0, 2), np.flip(cube, (0, 2)))
    expected = a * row  # x may share memory with a
    check(x.mul_(tensor(row)), expected)


@pytest.mark.parametrize("shape", [(70_001,), (3, 40_000), (50, 7, 130), (3, 0)])
@pytest.mark.parametrize("share", [0.001, 0.5, 1.0])
def test_places_of_true(tensor, shape, share):
    a = np.random.default_rng(5).random(shape) < share
    check(bolide.nonzero(tensor(a)), np.argwhere(a))
    check(tensor(a).sum(-1), a.sum(-1))
    check(bolide.count_nonzero(tensor(a)), np.array(np.count_nonzero(a)))


@pytest.mark.parametrize("rows", [1, 4, 7, 37])
@pytest.mark.parametrize("n", [31, 32, 100, 513, 4097])
def test_rows_together(tensor, rows, n):
    a = numbers((rows, n), "float64")
    a[0, n // 2] = a[-1, n // 3] = np.nan
    b = numbers((rows, n), "int64", 1)
    x, y = tensor(a), tensor(b)
    check(x.sum(1), a.sum(1))
    check(y.sum(1), b.sum(1))
    check(x.argmax(1), a.argmax(1))
    check(x.argmin(1), a.argmin(1))
    check(y.argmax(1), b.argmax(1))
    check(x.amax(1), a.max(1))
    check(x.cumsum(1), a.cumsum(1))
    check(y.flip(1).cumsum(1), b[:, ::-1].cumsum(1))
    found = y.cummax(1)
    check(found.values, np.maximum.accumulate(b, 1))
    check(y.gather(1, found.indices), np.maximum.accumulate(b, 1))


# Few distinct numbers: sums are exact in float32, also of half types, which are sums of floats that are rounded once.
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "int16", "bool"])
@pytest.mark.parametrize(
    "shape, dims",
    [
        ((9, 5), 1),
        ((33, 83), 1),
        ((33, 83), 0),
        ((7, 1101), 0),
        ((300, 1030), 0),
        ((9000, 12), 0),
        ((3, 150, 600), 1),
        ((5, 4, 300), (0, 2)),
        ((20, 3, 9000), (0, 2)),
        ((3, 70_001), 1),
    ],
)
def test_sums_of_stored_types(tensor, dtype, shape, dims):
    a = np.random.default_rng(3).integers(0, 2, shape) * (1 if dtype == "bool" else 2)
    x = tensor(a).to(getattr(bolide, dtype))
    expected = a.sum(dims)
    found = x.sum(dims)
    if "16" in dtype and "float" in dtype:
        rounded = tensor(expected.astype("float32")).to(found.dtype)
        check(found.float(), rounded.float().cpu().numpy())
    else:
        check(found, expected)
    if dtype == "float32":
        check(x.amax(dims), a.max(dims))
        np.testing.assert_allclose(x.mean(dims).cpu().numpy(), a.mean(dims), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("n", [1, 7, 16, 130, 1031, 70_001])
def test_products_of_two_vectors(tensor, dtype, n):
    a = numbers((n,), "int64") % 2
    b = numbers((n,), "int64", 1) % 2
    x, y = tensor(a.astype(dtype)), tensor(b.astype(dtype))
    check(bolide.dot(x, y), np.dot(a, b).astype(dtype))
    check(
        bolide.addmm(x[:1, None], x[None], y[:, None]),
        (a[0] + np.dot(a, b)).reshape(1, 1).astype(dtype),
    )


@pytest.mark.parametrize("dtype", ["int8", "int64", "complex128"])
@pytest.mark.parametrize("first", [0, 3])
def test_rows_that_are_shared_out_at_cache_lines(tensor, dtype, first):
    a, given = numbers((6, 3001), "int64"), numbers((40, 3001), "int64", 1)
    index = np.random.default_rng(5).integers(0, 6, 40)
    x, rows = tensor(a.astype(dtype))[:, first:], tensor(given.astype(dtype))[:, first:]
    with np.errstate(all="ignore"):
        expected = a.astype(dtype)
        np.add.at(expected, index, given.astype(dtype))
    check(x.clone().index_add(0, tensor(index), rows), expected[:, first:])
    last = np.array([given[np.flatnonzero(index == k)[-1]] for k in np.unique(index)])
    x.index_copy_(0, tensor(index), rows)
    check(x[tensor(np.unique(index))], last[:, first:].astype(dtype))


def test_not_finite_ones_replaced(tensor):
    a = np.array([np.nan, np.inf, -np.inf, 1.5, -0.0] * 30, "float32")
    for options in (
        {},
        {"nan": 2.0},
        {"posinf": 3.0},
        {"posinf": 3.0, "neginf": -3.0},
        {"posinf": -3.0, "neginf": 3.0},
    ):
        check(bolide.nan_to_num(tensor(a), **options), np.nan_to_num(a, **options))
