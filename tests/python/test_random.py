"""Random numbers: each distribution against its distribution function, exact corners, seeds, generators, states.

The statistics have fixed seeds and so the same outcome in every run; a wrong distribution fails them by far. Numbers
are the same on every device and number of threads, which is tested against values of the CPU.
"""

import math

import bolide
import numpy as np
import pytest
from conftest import DEVICE

N = 20000
# The distance of Kolmogorov and Smirnov that N right numbers exceed once in a thousand seeds.
LIMIT = 1.95 / math.sqrt(N)


def empty(n=N, dtype=bolide.float32):
    return bolide.empty(n, dtype=dtype, device=DEVICE)


def distance(values, distribution):
    """The largest difference of the empirical distribution function from the given one (continuous)."""
    x = np.sort(np.asarray(values.cpu().double().numpy()))
    wanted = np.array([distribution(v) for v in x])
    steps = np.arange(len(x) + 1) / len(x)
    return max(np.max(np.abs(steps[1:] - wanted)), np.max(np.abs(wanted - steps[:-1])))


def normal_cdf(x, mean=0.0, std=1.0):
    return (1 + math.erf((x - mean) / (std * math.sqrt(2)))) / 2


CONTINUOUS = {
    "rand": (lambda: bolide.rand(N, device=DEVICE), lambda x: x),
    "uniform_": (lambda: empty().uniform_(-3, 5), lambda x: (x + 3) / 8),
    "randn": (lambda: bolide.randn(N, device=DEVICE), normal_cdf),
    "normal_": (lambda: empty().normal_(2, 0.5), lambda x: normal_cdf(x, 2, 0.5)),
    "normal of tensors": (
        lambda: bolide.normal(bolide.full((N,), 3.0, device=DEVICE), bolide.full((N,), 2.0, device=DEVICE)),
        lambda x: normal_cdf(x, 3, 2),
    ),
    "exponential_": (lambda: empty().exponential_(2.5), lambda x: 1 - math.exp(-2.5 * x)),
    "cauchy_": (lambda: empty().cauchy_(1, 3), lambda x: 0.5 + math.atan((x - 1) / 3) / math.pi),
    "log_normal_": (
        lambda: empty().log_normal_(0.5, 0.75),
        lambda x: normal_cdf(math.log(x), 0.5, 0.75),
    ),
    "trunc_normal_": (
        lambda: bolide.nn.init.trunc_normal_(empty(), 0.5, 2.0, -1.0, 2.0),
        lambda x: (normal_cdf(x, 0.5, 2) - normal_cdf(-1, 0.5, 2)) / (normal_cdf(2, 0.5, 2) - normal_cdf(-1, 0.5, 2)),
    ),
    "trunc_normal_ of a tail": (
        lambda: bolide.nn.init.trunc_normal_(empty(), 0.0, 1.0, 2.0, 2.5),
        lambda x: (normal_cdf(x) - normal_cdf(2)) / (normal_cdf(2.5) - normal_cdf(2)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous_distribution(name):
    draw, distribution = CONTINUOUS[name]
    bolide.manual_seed(11)
    values = draw()
    assert distance(values, distribution) < LIMIT
    assert distance(values * 1.05, lambda x: min(max(distribution(x), 0), 1) if "log" not in name or x > 0 else 0) > LIMIT or name == "cauchy_"  # fmt: skip
    assert len(set(values.tolist())) > N * 0.95


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_moments_in_other_dtypes(dtype):
    bolide.manual_seed(5)
    dtype = getattr(bolide, dtype)
    uniform = empty(dtype=dtype).uniform_().double()
    normal = empty(dtype=dtype).normal_(1, 2).double()
    exponential = empty(dtype=dtype).exponential_(1).double()
    for values, mean, std in (
        (uniform, 0.5, 1 / math.sqrt(12)),
        (normal, 1, 2),
        (exponential, 1, 1),
    ):
        assert abs(float(values.mean()) - mean) < 5 * std / math.sqrt(N)
        assert float(values.std()) == pytest.approx(std, rel=0.05)
    assert float(uniform.max()) < 1 and float(uniform.min()) >= 0
    assert float(exponential.min()) > 0 or dtype is not bolide.float64


def chi_square(counts, expected):
    counts, expected = np.asarray(counts, float), np.asarray(expected, float)
    few = expected < 5  # joined: the statistic needs enough of each
    counts = np.append(counts[~few], counts[few].sum())
    expected = np.append(expected[~few], expected[few].sum())
    keep = expected > 0
    value = ((counts[keep] - expected[keep]) ** 2 / expected[keep]).sum()
    degrees = max(keep.sum() - 1, 1)
    return value, degrees + 3.1 * math.sqrt(2 * degrees) + 6  # about one seed in a thousand


def counts_of(values, n):
    return np.bincount(np.asarray(values.cpu().long().numpy()), minlength=n)[:n]


def poisson(rate, n):
    return [math.exp(k * math.log(rate) - rate - math.lgamma(k + 1)) for k in range(n)]


DISCRETE = {
    "randint": (lambda: bolide.randint(7, (N,), device=DEVICE), [1 / 7] * 7),
    "randint low": (lambda: bolide.randint(-3, 2, (N,), device=DEVICE) + 3, [1 / 5] * 5),
    "random_": (lambda: empty(dtype=bolide.int32).random_(2, 8) - 2, [1 / 6] * 6),
    "random_ of bytes": (lambda: empty(dtype=bolide.uint8).random_(), [1 / 256] * 256),
    "random_ of bool": (lambda: empty(dtype=bolide.bool).random_(), [0.5, 0.5]),
    "randint_like": (lambda: bolide.randint_like(empty(), 3, 6) - 3, [1 / 3] * 3),
    "bernoulli": (lambda: bolide.bernoulli(bolide.full((N,), 0.3, device=DEVICE)), [0.7, 0.3]),
    "bernoulli_": (lambda: empty().bernoulli_(0.05), [0.95, 0.05]),
    "geometric_": (lambda: empty().geometric_(0.4) - 1, [0.4 * 0.6**k for k in range(40)]),
    "poisson of a small rate": (
        lambda: bolide.poisson(bolide.full((N,), 1.7, device=DEVICE)),
        poisson(1.7, 30),
    ),
    "poisson": (lambda: bolide.poisson(bolide.full((N,), 31.5, device=DEVICE)), poisson(31.5, 100)),
    "multinomial": (
        lambda: bolide.multinomial(bolide.tensor([1.0, 0.0, 3.0, 4.0], device=DEVICE), N, True),
        [1 / 8, 0, 3 / 8, 4 / 8],
    ),
    "multinomial of rows without replacement": (
        lambda: bolide.multinomial(bolide.tensor([[1.0, 2.0, 5.0]], device=DEVICE).expand(N, 3), 2)[
            :, 0
        ],
        [1 / 8, 2 / 8, 5 / 8],
    ),
}


@pytest.mark.parametrize("name", DISCRETE)
def test_discrete_distribution(name):
    draw, wanted = DISCRETE[name]
    bolide.manual_seed(3)
    values = draw()
    counts = counts_of(values, len(wanted))
    assert counts.sum() == N or sum(wanted) < 1 - 1e-12
    value, limit = chi_square(counts, np.array(wanted) * N)
    assert value < limit
    shifted = np.roll(wanted, 1)
    if max(wanted) - min(wanted) > 0.01:
        assert chi_square(counts, shifted * N + 1e-9)[0] > limit


def test_second_draw_without_replacement():
    """Given the first, the second is drawn from the rest in proportion."""
    bolide.manual_seed(2)
    pairs = bolide.multinomial(bolide.tensor([[1.0, 2.0, 5.0]]).expand(N, 3), 2)
    wanted = {
        (a, b): w[a] / 8 * w[b] / (8 - w[a])
        for w in [(1, 2, 5)]
        for a in range(3)
        for b in range(3)
        if a != b
    }
    found = [int(((pairs[:, 0] == a) & (pairs[:, 1] == b)).sum()) for a, b in wanted]
    value, limit = chi_square(found, np.array(list(wanted.values())) * N)
    assert value < limit and sum(found) == N


def test_neighbours_are_independent():
    bolide.manual_seed(8)
    for values in (bolide.rand(N, device=DEVICE) - 0.5, bolide.randn(N, device=DEVICE)):
        first, second = values[:-1], values[1:]
        correlation = float((first * second).mean() / (values * values).mean())
        assert abs(correlation) < 4 / math.sqrt(N)


# ---- exact corners -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_certain_events(dtype):
    dtype = getattr(bolide, dtype)
    zeros, ones = (
        bolide.zeros(100000, dtype=dtype, device=DEVICE),
        bolide.ones(100000, dtype=dtype, device=DEVICE),
    )
    assert float(bolide.bernoulli(zeros).sum()) == 0 and bool((bolide.bernoulli(ones) == 1).all())
    assert float(empty(dtype=dtype).bernoulli_(0.0).sum()) == 0
    assert bool((empty(dtype=dtype).bernoulli_(1.0) == 1).all())
    assert float(bolide.poisson(zeros).sum()) == 0


def test_what_has_no_weight_is_never_drawn():
    weights = bolide.zeros(1000, device=DEVICE)
    weights[[3, 500, 999]] = bolide.tensor([1e-30, 1e-38, 1e-30], device=DEVICE)
    bolide.manual_seed(0)
    for replacement, n in ((True, 5000), (False, 3)):
        drawn = set(bolide.multinomial(weights, n, replacement).tolist())
        assert drawn <= {3, 500, 999} and {3, 999} <= drawn


def test_whole_ranges():
    big = bolide.randint(-(2**63), 2**63 - 1, (2000,), device=DEVICE)
    assert bool((big < -(2**61)).any()) and bool((big > 2**61).any())
    assert set(bolide.randint(2, 3, (50,), device=DEVICE).tolist()) == {2}
    small = empty(5000, bolide.int8).random_()
    assert int(small.min()) == 0 and int(small.max()) == 127
    assert sorted(bolide.randperm(1000, device=DEVICE).tolist()) == list(range(1000))
    first = [int(bolide.randperm(3, device=DEVICE)[0]) for _ in range(600)]
    assert all(150 < first.count(k) < 250 for k in range(3))


# ---- seeds and states ----------------------------------------------------------------------------

DRAWS = {
    "rand": lambda d, g: bolide.rand(1000, device=d, generator=g),
    "randn": lambda d, g: bolide.randn(999, device=d, generator=g),
    "double": lambda d, g: bolide.rand(1000, dtype=bolide.float64, device=d, generator=g),
    "randint": lambda d, g: bolide.randint(1000, (1001,), device=d, generator=g),
    "randperm": lambda d, g: bolide.randperm(100, device=d, generator=g),
    "bernoulli": lambda d, g: bolide.bernoulli(bolide.full((500,), 0.5, device=d), generator=g),
    "exponential": lambda d, g: bolide.empty(500, device=d).exponential_(generator=g),
    "geometric": lambda d, g: bolide.empty(500, device=d).geometric_(0.3, generator=g),
    "poisson": lambda d, g: bolide.poisson(bolide.full((500,), 20.0, device=d), generator=g),
    "multinomial": lambda d, g: bolide.multinomial(bolide.ones(9, device=d), 5, generator=g),
    "random": lambda d, g: bolide.empty(300, dtype=bolide.int64, device=d).random_(generator=g),
}


@pytest.mark.parametrize("name", DRAWS)
def test_numbers_are_those_of_the_seed(name):
    """On every device, for every number of threads, by either generator; and not those of another seed."""
    draw = DRAWS[name]
    bolide.manual_seed(77)
    wanted = draw("cpu", None)
    threads = bolide.get_num_threads()
    try:
        for device in {"cpu", DEVICE}:
            for count in (1, 3):
                bolide.set_num_threads(count)
                own = bolide.Generator().manual_seed(77)
                found = draw(device, own).cpu()
                if name in ("randn", "exponential"):
                    assert bolide.allclose(found, wanted, rtol=1e-6, atol=1e-7)
                else:
                    assert bolide.equal(found, wanted)
    finally:
        bolide.set_num_threads(threads)
    assert not bolide.equal(draw("cpu", bolide.Generator().manual_seed(78)), wanted)
    assert not bolide.equal(draw("cpu", None), wanted)  # the next ones


def test_states_go_on_where_they_were():
    generator = bolide.Generator().manual_seed(1)
    bolide.rand(10, generator=generator)
    state, copy = generator.get_state(), generator.clone_state()
    wanted = bolide.randn(5, generator=generator)
    assert bolide.equal(bolide.randn(5, generator=copy), wanted)
    generator.set_state(state)
    assert bolide.equal(bolide.randn(5, generator=generator), wanted)
    bolide.manual_seed(4)
    before = bolide.get_rng_state()
    with bolide.random.fork_rng():
        bolide.manual_seed(9)
        bolide.rand(3)
    assert bolide.equal(bolide.get_rng_state(), before) and bolide.initial_seed() == 4
    inside = bolide.random.fork_rng(enabled=False)
    with inside:
        bolide.rand(3)
    assert not bolide.equal(bolide.get_rng_state(), before)


def test_fresh_seeds_differ():
    generator = bolide.Generator()
    seeds = {generator.seed() for _ in range(4)}
    assert len(seeds) == 4 and generator.initial_seed() in seeds
    seed = bolide.seed()
    assert bolide.initial_seed() == seed


# ---- in place ------------------------------------------------------------------------------------


def test_strided_memory_is_filled_and_nothing_between():
    base = bolide.full((100, 4), 7.0, device=DEVICE)
    base[:, ::2].exponential_()
    assert bool((base[:, 1::2] == 7).all()) and not bool((base[:, ::2] == 7).any())
    base.t()[0].uniform_(2, 3)
    assert bool(((base[:, 0] >= 2) & (base[:, 0] < 3)).all())


def test_history_of_filled_tensors():
    x = bolide.ones(3, device=DEVICE, requires_grad=True)
    for fill in (
        "uniform_",
        "normal_",
        "exponential_",
        "cauchy_",
        "log_normal_",
        "random_",
        "bernoulli_",
    ):
        with pytest.raises(RuntimeError):
            getattr(x, fill)()
        y = x * 2
        (getattr(y, fill)() * 3).sum().backward()
        assert x.grad is None or x.grad.tolist() == [0, 0, 0]
        x.grad = None


def test_parts_of_init():
    bolide.manual_seed(0)
    kept = bolide.nn.init.dirac_(bolide.empty(4, 4, 3, 3))
    image = bolide.rand(1, 4, 6, 6)
    assert bolide.allclose(bolide.nn.functional.conv2d(image, kept, padding=1), image)
    few = bolide.nn.init.sparse_(bolide.empty(10, 6), 0.3)
    assert (few == 0).sum(0).tolist() == [3] * 6


def test_random_between_numbers_that_a_half_skips():
    with pytest.warns(UserWarning, match=r"within \[-2048, 2048\] for float16"):
        x = bolide.empty(4000, dtype=bolide.float16).random_(4089, 4101)
    assert set(x.tolist()) == {4090, 4092, 4094, 4096, 4100}
    with pytest.warns(UserWarning, match="got -1000 and -991"):
        y = bolide.empty(4000, dtype=bolide.bfloat16).random_(-1000, -990)
    assert set(y.tolist()) == {-1000, -996, -992}


def test_random_refuses_bounds_beyond_the_dtype():
    for dtype, low, high in (
        (bolide.uint8, -1, 3),
        (bolide.uint8, 0, 257),
        (bolide.bool, 0, 3),
        (bolide.float16, 0, 65506),
        (bolide.float32, 5, 5),
        (bolide.int64, 6, 5),
    ):
        with pytest.raises(RuntimeError, match="random_"):
            bolide.empty(3, dtype=dtype).random_(low, high)
    with pytest.raises(NotImplementedError, match="real dtype"):
        bolide.empty(3, dtype=bolide.complex64).random_()
    everything = bolide.empty(200, dtype=bolide.int64).random_(-(2**63), None)
    assert everything.min() < -(2**62) and everything.max() > 2**62
