"""Group D of the tests taken from real bugs of other libraries: NaN, integers, dtypes, random numbers, precision.

Ids as in the list of bugs. The emulated CUDA device runs the same tests, so what holds here holds on both; D3 to D5
(sorting) are in test_bugs_sort.py, D18 (scatter) in test_indexing.py.
"""

import ctypes
import math
import subprocess
import sys

import bolide
import numpy as np
import pytest
from conftest import DEVICE

FLOATS = ("float16", "bfloat16", "float32", "float64")
SIGNED = ("int8", "int16", "int32", "int64")
INTEGERS = ("uint8", *SIGNED)
NAN, INF = math.nan, math.inf


def tensor(values, dtype=None):
    return bolide.tensor(values, dtype=dtype and getattr(bolide, dtype), device=DEVICE)


# ---- NaN -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("n", [1, 7, 63, 64, 65, 129, 4097])
def test_d1_nan_is_never_dropped(n, dtype):
    for place in sorted({0, 1, n // 2, 31, 32, 63, 64, n - 1} & set(range(n))):
        x = bolide.linspace(-2, 2, n, dtype=getattr(bolide, dtype), device=DEVICE)
        x[place] = NAN
        for found in (x.max(), x.min(), x.amax(), x.amin(), x.aminmax().min, x.aminmax().max):
            assert math.isnan(found.item())
        for found in (x.max(0), x.min(0)):
            assert math.isnan(found.values.item()) and found.indices.item() == place
        for name in ("cummax", "cummin"):
            values, places = getattr(x, name)(0)
            assert values.isnan().tolist() == [i >= place for i in range(n)]
            assert places[place:].tolist() == [place] * (n - place)
        for found in (x.clamp(-1, 1), x.clamp(min=-1), x.clamp(max=1), bolide.maximum(x, x * 0), bolide.minimum(x * 0, x), bolide.relu(x)):  # fmt: skip
            assert found.isnan().nonzero().flatten().tolist() == [place]
        columns = x.unsqueeze(1).expand(n, 9).contiguous()
        assert columns.amax(0).isnan().tolist() == [True] * 9
        assert columns.argmin(0).tolist() == [place] * 9


@pytest.mark.parametrize("dtype", FLOATS)
def test_d2_the_first_of_several_nan_wins(dtype):
    for n, places in [(10, (3, 7)), (200, (64, 65, 199)), (5000, (4096, 4097)), (3, (0, 1, 2))]:
        x = bolide.zeros(n, dtype=getattr(bolide, dtype), device=DEVICE)
        x[list(places)] = NAN
        assert x.argmax().item() == x.argmin().item() == places[0]
        assert x.max(0).indices.item() == x.min(0).indices.item() == places[0]
        rows = bolide.stack([x, x * 0, x])
        assert rows.argmax(1).tolist()[::2] == [places[0]] * 2
    ties = tensor([1.0, 5.0, 5.0, 1.0], dtype)
    assert ties.argmax().item() == 1 and ties.argmin().item() == 0


# ---- integers ------------------------------------------------------------------------------------


def wrapped(value, dtype):
    limits = bolide.iinfo(getattr(bolide, dtype))
    value &= 2**limits.bits - 1
    return value - 2**limits.bits if limits.min and value >= 2 ** (limits.bits - 1) else value


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("n", [1, 3, 64, 67])
def test_d6_division_at_the_extremes_is_defined(dtype, n):
    """The smallest by -1 wraps round to itself; by zero all give 0; no signal."""
    limits = bolide.iinfo(getattr(bolide, dtype))
    low = bolide.full((n,), limits.min, dtype=getattr(bolide, dtype), device=DEVICE)
    ones, zeros = bolide.ones_like(low), bolide.zeros_like(low)
    if limits.min:
        for divisor in (-ones, -1):
            assert bolide.floor_divide(low, divisor).tolist() == [limits.min] * n
            assert bolide.div(low, divisor, rounding_mode="floor").tolist() == [limits.min] * n
            assert bolide.remainder(low, divisor).tolist() == [0] * n
            assert bolide.fmod(low, divisor).tolist() == [0] * n
    for x in (low, ones, -ones):
        for divisor in (zeros, 0):
            assert bolide.floor_divide(x, divisor).tolist() == (x // divisor).tolist() == [0] * n
            assert bolide.remainder(x, divisor).tolist() == (x % divisor).tolist() == [0] * n
            assert bolide.fmod(x, divisor).tolist() == [0] * n


@pytest.mark.parametrize("dtype", SIGNED + FLOATS)
def test_d7_signs_of_quotients_and_remainders(dtype):
    values = [7, -7, 8, -8, 1, -1]
    divisors = [3, -3, 2, -2, 5, -5]
    for b in divisors:
        x = tensor(values, dtype)
        for divisor in (b, tensor([b] * len(values), dtype)):
            assert (x // divisor).tolist() == [a // b for a in values]
            assert (x % divisor).tolist() == [a % b for a in values]
            assert bolide.fmod(x, divisor).tolist() == [math.fmod(a, b) for a in values]
            assert bolide.div(x, divisor, rounding_mode="trunc").tolist() == [
                int(a / b) for a in values
            ]
        assert (b // x).tolist() == [b // a for a in values]
        assert (b % x).tolist() == [b % a for a in values]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_d12_comparisons_with_numbers_out_of_range(dtype):
    limits = bolide.iinfo(getattr(bolide, dtype))
    values = sorted({limits.min, 0, 1, 19, limits.max})
    x = tensor(values, dtype)
    numbers = [-19, 19, 255, 256, 257, 300, 2**31, 2**32, 2**32 + 1, -(2**33), 2**63 - 1, -(2**63), 2**63, 2**64, 2**64 + 1, -(2**70), 2**200]  # fmt: skip
    for number in [*numbers, limits.max + 1, limits.min - 1, limits.max, limits.min]:
        for name in ("__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__"):
            wanted = [getattr(v, name)(number) for v in values]
            assert getattr(x, name)(number).tolist() == wanted, (name, number)
        assert (number < x).tolist() == [number < v for v in values]
        assert bolide.eq(
            x, number, out=bolide.empty(len(values), dtype=bolide.bool, device=DEVICE)
        ).tolist() == [v == number for v in values]
    assert bolide.logical_and(x, 2**40).tolist() == [bool(v) for v in values]


CALLS_WITH_A_NUMBER = (
    lambda x, number: x + number,
    lambda x, number: number * x,
    lambda x, number: x // number,
    lambda x, number: x.fill_(number),
    lambda x, number: x.add(1, alpha=number),
    lambda x, number: bolide.tensor([number], dtype=x.dtype),
    lambda x, number: bolide.arange(number),
    lambda x, number: bolide.full((1,), number, dtype=x.dtype),
)


def test_d13_integers_of_any_size():
    for dtype in ("float32", "float64"):
        x = tensor([1.0, 2.0], dtype)
        for number in (2**63, 2**64, -(2**70), 10**30):
            exact = [float(number) + 1, float(number) + 2]
            assert (x + number).tolist() == pytest.approx(exact, rel=1e-6)
            assert (number * x).tolist() == pytest.approx([float(number), 2.0 * number], rel=1e-6)
            assert (x < number).tolist() == [number > 0] * 2
            assert bolide.full(
                (2,), number, dtype=getattr(bolide, dtype)
            ).tolist() == pytest.approx([number] * 2)
            assert bolide.tensor([number], dtype=getattr(bolide, dtype)).tolist() == pytest.approx(
                [number]
            )
            assert bolide.fmod(x, number).tolist() == [1, 2]
    for dtype in INTEGERS:
        x = tensor([1, 2], dtype)
        for number in (2**63, -(2**63) - 1, 2**64, 10**30):
            for call in CALLS_WITH_A_NUMBER:
                with pytest.raises(OverflowError, match=str(number)[:8]):
                    call(x, number)
            assert x.tolist() == [1, 2]
    with pytest.raises(OverflowError):
        tensor([1.0]) + 10**400


# ---- conversions ---------------------------------------------------------------------------------


def stored(value, dtype):
    """How a float becomes an integer: through int32, or int64 for int64; what does not fit that is its smallest."""
    middle = 64 if dtype == "int64" else 32
    fits = not math.isnan(value) and -(2 ** (middle - 1)) <= math.trunc(value) < 2 ** (middle - 1) if math.isfinite(value) else False  # fmt: skip
    return wrapped(math.trunc(value) if fits else -(2 ** (middle - 1)), dtype)


@pytest.mark.parametrize("source", FLOATS)
@pytest.mark.parametrize("target", INTEGERS)
def test_d10_conversions_to_integers_are_fixed(source, target):
    """The same for one number and for many, contiguous or not."""
    values = [NAN, INF, -INF, 300.0, -1.0, -129.0, 2.9, -2.9, 65535.0, 1e9, -1e9, 3e9, -3e9, 1e19, -1e19, 0.0, 255.0, 256.0, 128.0]  # fmt: skip
    x = tensor(values, source)
    exact = x.double().tolist()
    wanted = [stored(v, target) for v in exact]
    dtype = getattr(bolide, target)
    assert x.to(dtype).tolist() == wanted
    assert x.repeat(37).to(dtype).tolist() == wanted * 37
    assert x.repeat(6).view(6, -1).t().to(dtype).t().tolist() == [wanted] * 6
    assert [x[i].to(dtype).item() for i in range(len(values))] == wanted
    out = bolide.zeros(len(values), dtype=dtype, device=DEVICE)
    assert out.copy_(x).tolist() == wanted
    assert x.bool().tolist() == [v != 0 for v in exact]


@pytest.mark.parametrize("target", INTEGERS)
def test_d10_integers_narrow_by_their_low_bits(target):
    values = [2**63 - 1, -(2**63), 300, -1, 65536 + 5, 2**32 + 7, -129]
    found = tensor(values).repeat(11).to(getattr(bolide, target))
    assert found.tolist() == [wrapped(v, target) for v in values] * 11


# ---- promotion -----------------------------------------------------------------------------------


def test_d11_promotion_commutes_and_tells_0d_from_numbers():
    names = ("bool", *INTEGERS, *FLOATS)
    types = [getattr(bolide, name) for name in names]
    for a in types:
        for b in types:
            both = bolide.promote_types(a, b)
            assert both is bolide.promote_types(b, a)
            assert bolide.promote_types(both, a) is both
            x, y = bolide.ones(2, dtype=a, device=DEVICE), bolide.ones((), dtype=b, device=DEVICE)
            assert (x + y).dtype is (y + x).dtype is bolide.result_type(x, y)
            rank = [0 if t is bolide.bool else 1 if not t.is_floating_point else 2 for t in (a, b)]
            if rank[1] <= rank[0]:
                assert (x + y).dtype is a  # a 0-d tensor of no higher category changes nothing
    assert (tensor([1], "int32") + tensor(1.5, "float64")).dtype is bolide.float64
    assert (tensor([1], "int32") + 1.5).dtype is bolide.float32
    assert (tensor(1, "int8") + tensor(1, "int64")).dtype is bolide.int64
    assert (tensor(1, "uint8") + 300).dtype is bolide.uint8


# ---- sums ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("n", [257, 2049, 4096, 16384])
def test_d8_sums_of_halfs_do_not_stall(dtype, n):
    x = bolide.ones(n, dtype=getattr(bolide, dtype), device=DEVICE)
    nearest = tensor(float(n), dtype).item()
    assert x.sum().item() == nearest
    assert x.unsqueeze(1).expand(n, 16).contiguous().sum(0).tolist() == [nearest] * 16
    assert x.expand(3, n).sum(1).tolist() == [nearest] * 3
    assert (x * 60).mean().item() == 60 and (x * 60).unsqueeze(1).mean(0).item() == 60
    assert (x * 60).var().item() == 0 and x.cumsum(0)[-1].item() == nearest
    assert x.norm().item() == pytest.approx(math.sqrt(n), rel=0.01)


def test_d8_a_mean_whose_sum_overflows_is_finite():
    x = bolide.full((1000,), 60000.0, dtype=bolide.float16, device=DEVICE)
    assert x.mean().item() == tensor(60000.0, "float16").item()
    assert math.isinf(x.sum().item()) and not math.isnan(x.std().item())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_d9_running_sums_accumulate_in_more(dtype):
    rounding = bolide.finfo(getattr(bolide, dtype)).eps / 2
    values = np.random.default_rng(0).uniform(-1, 1, (3, 5000))
    x = tensor(values.tolist(), dtype)
    exact = x.double().cpu().numpy().cumsum(1)
    for found in (x.cumsum(1), x.t().contiguous().cumsum(0).t()):
        error = np.abs(found.double().cpu().numpy() - exact)
        assert (error <= rounding * np.abs(exact) * 1.01 + 1e-12).all()
    total = x.double().exp().cumsum(1).log()
    found = x.logcumsumexp(1).double()
    assert float((found - total).abs().max()) <= 2 * rounding * float(total.abs().max())


# ---- random --------------------------------------------------------------------------------------


def test_d14_what_has_no_weight_is_never_drawn():
    """Also where the uniform number is 0, or as near to 1 as there is."""
    for weights in ([0.0, 1.0], [1.0, 0.0], [0.0, 1e-300, 0.0], [0.0, 0.0, 1e-38, 0.0]):
        w = tensor(weights, "float64")
        wanted = next(i for i, v in enumerate(weights) if v)
        for seed in range(20):
            bolide.manual_seed(seed)
            assert set(bolide.multinomial(w, 2000, True).tolist()) == {wanted}
            assert bolide.multinomial(w, 1).tolist() == [wanted]
    uneven = tensor([0.0, 0.1, 0.2, 0.7, 0.0], "float64")
    assert set(bolide.multinomial(uneven, 50000, True).tolist()) == {1, 2, 3}


def test_d15_certain_events_are_exact():
    for dtype in FLOATS:
        kind = getattr(bolide, dtype)
        for seed in range(5):
            bolide.manual_seed(seed)
            x = bolide.empty(60000, dtype=kind, device=DEVICE)
            assert x.bernoulli_(0.0).sum().item() == 0
            assert bool(bolide.bernoulli(x.zero_()).eq(0).all()) and bool(
                bolide.bernoulli(x.fill_(1)).eq(1).all()
            )
            assert bool(x.bernoulli_(1.0).eq(1).all())
            uniform = x.uniform_()
            assert uniform.max().item() < 1 and uniform.min().item() >= 0


# ---- precision -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(64, 64, 64), (33, 129, 65), (5, 1000, 3), (1, 512, 1)])
def test_d16_float32_products_are_float32(shape):
    m, k, n = shape
    random = np.random.default_rng(1)
    a, b = random.standard_normal((m, k)), random.standard_normal((k, n))
    x, y = tensor(a.tolist(), "float32"), tensor(b.tolist(), "float32")
    found = (x @ y).double().cpu().numpy()
    left, right = x.double().cpu().numpy(), y.double().cpu().numpy()
    assert (np.abs(found - left @ right) <= 1e-6 * (np.abs(left) @ np.abs(right))).all()


@pytest.mark.skipif(DEVICE != "cpu", reason="about the host")
def test_d17_denormal_numbers_stay():
    """Importing bolide and working in its threads leave the processor's rounding and denormal modes alone."""
    program = """
import ctypes, struct
libm = ctypes.CDLL("libm.so.6")
libm.fegetenv.argtypes = [ctypes.c_void_p]
def mode():
    environment = (ctypes.c_uint32 * 8)()
    libm.fegetenv(environment)
    return environment[7] & 0xFFC0  # of MXCSR: control bits; the last word of glibc's fenv_t on x86
before = mode()
import bolide
bolide.set_num_threads(3)
x = bolide.full((1 << 20,), 1e-40)
y = x * 0.5
assert bool((y != 0).all()), "flushed to zero"
assert (x + x)[-1].item() > 0 and bool(((x / 4).double() > 0).all())
assert 5e-324 * 1.0 > 0 and struct.unpack("f", struct.pack("f", 1e-40))[0] > 0
assert mode() == before, (mode(), before)
"""
    subprocess.run([sys.executable, "-c", program], check=True, env=None)
    assert ctypes.c_float(1e-40).value > 0


READS_AND_WRITES = (
    lambda x, index: x[index],
    lambda x, index: bolide.index_select(x, 0, index),
    lambda x, index: bolide.gather(x, 0, index.view(2, 1)),
    lambda x, index: bolide.nn.functional.embedding(index, x),
    lambda x, index: x.__setitem__(index, 5.0),
)


def test_d19_indices_out_of_range_are_errors():
    x = bolide.arange(12.0, device=DEVICE).view(4, 3)
    for bad in (4, -5, 2**31, 2**62, -(2**63)):
        index = tensor([0, bad])
        for call in READS_AND_WRITES:
            with pytest.raises(IndexError):
                call(x, index)
                x.tolist()  # on a device the next read says it
    # A device finds it while it writes: the index in range, 0, may have been written to.
    untouched = x if DEVICE == "cpu" else x[1:]
    assert untouched.flatten().tolist() == list(range(12))[-untouched.numel() :]


CORNERS = (0.0, 1.0, 0.5, 2.0, 2.5, 3.0, 1e-45, 1.2e-38, 3e38, 2.0**24, 2.0**24 - 1, math.inf)


@pytest.mark.parametrize("name, oracle", [("pow", np.power), ("atan2", np.arctan2)])
def test_two_arguments_at_every_corner(name, oracle, device):
    """Zeros, ones and infinities of both signs, odd and even powers, numbers beside the limits."""
    numbers = np.array([*CORNERS, *(-x for x in CORNERS), math.nan], np.float32)
    a, b = (side.ravel() for side in np.meshgrid(numbers, numbers))
    got = getattr(bolide, name)(*(bolide.from_numpy(x).to(device) for x in (a, b))).cpu().numpy()
    with np.errstate(all="ignore"):
        expected = oracle(a.astype(np.float64), b.astype(np.float64)).astype(np.float32)
    near = np.isclose(got, expected, rtol=1e-6, atol=3e-45, equal_nan=True)
    same_sign = np.isnan(expected) | (np.signbit(got) == np.signbit(expected))
    wrong = ~(near & same_sign)
    assert not wrong.any(), list(zip(a[wrong], b[wrong], got[wrong], expected[wrong], strict=True))


def test_every_float16_there_and_back(device):
    """All 65,536 of them, and all numbers halfway between two of them, which go to the even one."""
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    wide = bolide.from_numpy(halves).to(device).float()
    np.testing.assert_array_equal(wide.cpu().numpy(), halves.astype(np.float32))
    finite = np.sort(halves[np.isfinite(halves)].astype(np.float32))
    between = np.concatenate([(finite[1:] + finite[:-1]) / 2, [65519.9, 65520, 1e9, -1e9, 1e-9]])
    between = between.astype(np.float32)
    narrow = bolide.from_numpy(between).to(device).half()
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(narrow.cpu().numpy(), between.astype(np.float16))
    back = wide.half().cpu().numpy()
    is_nan = np.isnan(halves)
    np.testing.assert_array_equal(back.view(np.uint16)[~is_nan], halves.view(np.uint16)[~is_nan])
    assert np.isnan(back[is_nan]).all()


@pytest.mark.skipif(DEVICE != "cuda", reason="vector code on the CPU has a limit: docs/accuracy.md")
@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_angles_of_any_size(name):
    x = np.array([4e15, 1e20, 3.4e38, -1e30], np.float32)
    got = getattr(bolide, name)(bolide.from_numpy(x).to(DEVICE)).cpu().numpy()
    np.testing.assert_allclose(got, getattr(np, name)(x.astype(np.float64)), rtol=1e-6)


# ---- zeros with a sign, neighbours, bits of bool: found by the Array API's tests ------------------


@pytest.mark.parametrize("dtype", FLOATS)
def test_zeros_have_the_sign_of_python_s_operators(dtype):
    a = tensor([-0.0, 0.0, 0.0, -0.0, 3.0, -3.0, 6.0, -6.0] * 20, dtype)
    b = tensor([1.0, -1.0, 2.0, -2.0, INF, -INF, -3.0, 3.0] * 20, dtype)
    quotient, rest = bolide.floor_divide(a, b), bolide.remainder(a, b)
    for x, y, q, r in zip(a.tolist(), b.tolist(), quotient.tolist(), rest.tolist(), strict=True):
        assert (q, math.copysign(1, q)) == (x // y, math.copysign(1, x // y)), (x, y)
        assert (r, math.copysign(1, r)) == (x % y, math.copysign(1, x % y)), (x, y)
    assert not bolide.sign(tensor([-0.0, 0.0], dtype)).signbit().any()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_nextafter_is_the_number_beside(dtype):
    limits = np.finfo(dtype)
    values = [0.0, -0.0, 1.0, -1.0, INF, -INF, NAN, float(limits.max), float(limits.tiny), float(limits.smallest_subnormal)]  # fmt: skip
    a, b = (
        np.array(side, dtype)
        for side in zip(*[(x, y) for x in values for y in values], strict=True)
    )
    got = (
        bolide.nextafter(bolide.from_numpy(a).to(DEVICE), bolide.from_numpy(b).to(DEVICE))
        .cpu()
        .numpy()
    )
    with np.errstate(all="ignore"):
        wanted = np.nextafter(a, b)
    np.testing.assert_array_equal(got, wanted)
    if dtype != "float16":  # where NumPy keeps the sign of the first zero
        np.testing.assert_array_equal(np.signbit(got), np.signbit(wanted))
    assert bolide.nextafter(tensor([1.0], "bfloat16"), tensor(2.0)).item() == 1.0078125
    with pytest.raises(
        bolide.DTypeError, match=r"\[nextafter\] expected a floating-point dtype, got int64"
    ):
        bolide.nextafter(tensor([1]), tensor([2]))


def test_bitwise_not_of_bool_is_the_other_one():
    x = tensor([True, False, True])
    assert bolide.bitwise_not(x).tolist() == (~x).tolist() == [False, True, False]
    assert x.bitwise_not_() is x and x.tolist() == [False, True, False]
    out = tensor([False, False, False])
    assert bolide.bitwise_not(x, out=out).tolist() == [True, False, True]
    with pytest.raises(bolide.DTypeError, match="an out= of dtype bool, got uint8"):
        bolide.bitwise_not(x, out=tensor([0, 0, 0], "uint8"))


def test_diff_of_bool_and_with_more_at_its_ends():
    x = tensor([True, True, False])
    assert x.diff().tolist() == [False, True]
    x = tensor([[1, 4, 9]])
    assert x.diff(prepend=tensor([[0]]), append=tensor([[16, 25]])).tolist() == [[1, 3, 5, 7, 9]]
    assert x.diff(2, 0).shape == (0, 3) and bolide.diff(x, n=0) is not x
    with pytest.raises(
        bolide.ShapeError, match=r"\[diff\] expected a tensor with dimensions, got a 0-d one"
    ):
        tensor(1).diff()
    with pytest.raises(RuntimeError, match=r"\[diff\] expected an order n of at least 0, got -1"):
        x.diff(-1)


def test_std_of_halfs_whose_variance_is_too_large_for_them():
    x = tensor([1e4, -1e4, 3e4], "float16")
    assert x.std().item() == 20000.0 and x.var().item() == float("inf")
    assert bolide.std_mean(x)[0].item() == 20000.0
    x.requires_grad_()
    (g,) = bolide.autograd.grad(x.std(), [x])
    np.testing.assert_allclose(g.cpu().numpy(), [0.0, -0.5, 0.5], atol=1e-3)


def test_what_is_created_into_out_has_its_dtype():
    out = bolide.empty(3, dtype=bolide.int64, device=DEVICE)
    assert bolide.linspace(0, 4, 3, out=out) is out and out.tolist() == [0, 2, 4]
    assert bolide.full((3,), 7, out=out).tolist() == [7, 7, 7]
    with pytest.raises(bolide.DTypeError, match=r"\[full\] expected an out= of the dtype"):
        bolide.full((3,), 2.5, dtype=bolide.float32, out=out)
    wide = bolide.empty(5, dtype=bolide.float64, device="cpu")
    bolide.manual_seed(3)
    bolide.rand(5, out=wide)
    bolide.manual_seed(3)
    assert wide.equal(bolide.rand(5, dtype=bolide.float64))


def test_in_place_methods_are_functions_too():
    x = tensor([-1.0, 4.0])
    assert bolide.relu_(x) is x and x.tolist() == [0.0, 4.0]
    assert bolide.sqrt_(x) is x and bolide.clamp_(x, min=1.0).tolist() == [1.0, 2.0]
    assert bolide.index_put_(x, (tensor([0]),), tensor(5.0)).tolist() == [5.0, 2.0]


def test_asarray_takes_capsules_and_says_what_requires_grad():
    x = bolide.ones(2)
    y = bolide.asarray(x.__dlpack__())
    y[0] = 5.0
    assert x.tolist() == [5.0, 1.0]
    x.requires_grad_()
    assert bolide.asarray(x) is x and not bolide.asarray(x, requires_grad=False).requires_grad
    z = x * 2
    assert bolide.asarray(z, requires_grad=True).grad_fn is z.grad_fn
    plain = bolide.ones(2)
    assert bolide.asarray(plain, requires_grad=True) is plain and plain.requires_grad


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_one_small_integer_is_an_index(dtype):
    x = tensor([[1, 2], [3, 4]])
    one = tensor(1, dtype)
    assert x[one].tolist() == [3, 4] and x[0, one].item() == 2
    x[one] = 7
    assert x.tolist() == [[1, 2], [7, 7]]


def test_roll_without_dims():
    x = tensor([[1, 2], [3, 4]])
    assert bolide.roll(x, 1, None).tolist() == x.roll(1).tolist() == [[4, 1], [2, 3]]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("exponent", [2, 0.5, -0.5, -1])
def test_powers_that_are_cheaper_ops(dtype, exponent):
    x = tensor([0.25, 4.0, 16.0], dtype)
    x.requires_grad_()
    y = x**exponent
    assert y.tolist() == [v**exponent for v in (0.25, 4.0, 16.0)] and y.dtype == x.dtype
    assert type(y.grad_fn).__name__ == "PowBackward0"
    (g,) = bolide.autograd.grad(y, [x], bolide.ones_like(y))
    assert g.tolist() == [exponent * v ** (exponent - 1) for v in (0.25, 4.0, 16.0)]
    z = x.detach().clone()
    assert z.pow_(exponent) is z and z.tolist() == y.tolist()
    with pytest.raises(RuntimeError, match=r"\[pow\] expected .* leaf"):
        x.pow_(exponent)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
def test_remainders_of_huge_quotients_are_exact(dtype):
    """By exact integers: a quotient that a double does not hold makes a remainder of p - floor(p / q) * q any number."""
    random = np.random.default_rng(3)
    exponents = random.uniform(-100, 100, (2, 3000))
    signs = random.choice([-1, 1], (2, 3000))
    x, y = (
        tensor(v.tolist(), dtype) for v in signs * 2.0**exponents * (1 + random.random((2, 3000)))
    )
    found, toward = bolide.remainder(x, y).tolist(), bolide.fmod(x, y).tolist()
    for a, b, r, f in zip(x.tolist(), y.tolist(), found, toward, strict=True):
        exact = math.fmod(a, b)
        assert f == exact
        moved = exact + b if exact and (exact < 0) != (b < 0) else exact
        assert r == tensor(moved, dtype).item() and (r == 0 or abs(r) <= abs(b))
    mixed = tensor([1e20, 7.0, -1e30, 0.0, NAN, INF, 5.0, 1.0], dtype)
    rest = bolide.remainder(mixed, 3.0).tolist()
    assert rest[:4] == [math.fmod(v, 3.0) % 3.0 for v in mixed.tolist()[:4]]
    assert math.isnan(rest[4]) and math.isnan(rest[5]) and rest[6:] == [2.0, 1.0]
    assert all(math.isnan(v) for v in bolide.remainder(mixed, 0.0).tolist())
