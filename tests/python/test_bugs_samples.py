"""Bugs of bolide that PyTorch's own samples found (torch_samples.py), with what PyTorch gives written down."""

import math

import bolide
import pytest
from bolide.nn import functional
from conftest import DEVICE

ON = {"device": DEVICE}
ON_CPU = pytest.mark.skipif(
    DEVICE != "cpu", reason="sorts or solves, for which there is no CUDA kernel"
)


def numbers(*values, dtype=bolide.float64, grad=False):
    return bolide.tensor(values, dtype=dtype, requires_grad=grad, **ON)


def near(tensor, *expected):
    flat = tensor.reshape(-1).tolist()
    assert len(flat) == len(expected) and all(
        abs(a - b) < 1e-6 for a, b in zip(flat, expected, strict=True)
    ), flat


# ---- scans and sums --------------------------------------------------------------------------------


def test_scans_have_the_dtype_that_is_asked_for():
    x = numbers(100, 100, 100, dtype=bolide.uint8)
    assert x.cumsum(0, dtype=bolide.uint8).tolist() == [100, 200, 44]
    assert x.cumprod(0, dtype=bolide.uint8).dtype is bolide.uint8
    assert x.cumsum(0).tolist() == [100, 200, 300]


def test_scans_of_complex_numbers():
    x = numbers(1 + 1j, 2j, 3 - 1j, dtype=bolide.complex128, grad=True)
    near(x.cumsum(0).detach(), 1 + 1j, 1 + 3j, 4 + 2j)
    product = x.cumprod(0)
    near(product.detach(), 1 + 1j, -2 + 2j, -4 + 8j)
    product.backward(numbers(0, 0, 1, dtype=bolide.complex128))
    near(x.grad, 2 - 6j, 4 - 2j, -2 - 2j)
    near(x.detach()[0].cumsum(0), 1 + 1j)
    total = sum(math.e ** complex(v) for v in (1 + 1j, 2j, 3 - 1j))
    near(x.detach().logcumsumexp(0)[2:].exp(), total)
    near(x.detach().logsumexp(0).exp(), total)
    near(bolide.logaddexp(x.detach()[0], x.detach()[1]).exp(), math.e ** (1 + 1j) + math.e**2j)
    low = numbers(complex(-math.inf, 2), dtype=bolide.complex128)
    near(bolide.logaddexp(low, x.detach()[:1]), 1 + 1j)
    assert bolide.logaddexp(low, low).real.item() == -math.inf


def test_differences_of_order_0_are_the_input():
    x = numbers(1.0, 4.0, 2.0)
    assert bolide.diff(x, n=0, prepend=x, append=x).tolist() == [1, 4, 2]


def test_sum_to_no_sizes_is_a_sum():
    assert bolide.tensor(3, dtype=bolide.uint8).sum_to_size(()).dtype is bolide.int64


def test_norms_of_every_order_are_in_the_graph():
    x = numbers(3.0, 0.0, -4.0, grad=True)
    bolide.norm(x, 0).backward()
    assert x.grad.tolist() == [0, 0, 0]
    x.grad = None
    bolide.norm(x, 3).backward()
    near(x.grad, 9 / 91 ** (2 / 3), 0, -16 / 91 ** (2 / 3))


@ON_CPU
def test_the_nuclear_norm_is_a_norm():
    near(bolide.norm(bolide.tensor([[3.0, 0.0], [0.0, -4.0]]), "nuc"), 7)


# ---- sequences -------------------------------------------------------------------------------------


def test_ranges_of_integers_cut_their_ends_first():
    assert bolide.arange(-0.9, 2.1, 2.0, dtype=bolide.int32, **ON).tolist() == [0, 2]
    assert bolide.arange(2.1, -2.9, -1.0, dtype=bolide.int64, **ON).tolist() == [2, 1, 0, -1]
    assert bolide.arange(2.1, -2.9, -1.0, dtype=bolide.int8, **ON).tolist() == [2, 1, 0, -1, -2]
    with pytest.raises(ValueError, match="step"):
        bolide.arange(0, 64, 0.5, dtype=bolide.int64)
    line = bolide.linspace(4.3, -3, 50, dtype=bolide.int8, **ON).tolist()
    assert line[:2] == [4, 3] and line[-2:] == [-2, -3]
    assert bolide.logspace(4.3, 0, 2, 2.0, dtype=bolide.int32, **ON).tolist() == [16, 1]
    near(bolide.linspace(-1, 1, 5, **ON), -1, -0.5, 0, 0.5, 1)


def test_numbers_of_each_distribution_are_written_to_out():
    out = bolide.empty(2, dtype=bolide.float64, **ON)
    assert bolide.normal(numbers(1.0, 5.0), 0.0, out=out) is out and out.tolist() == [1, 5]


# ---- in place --------------------------------------------------------------------------------------


def test_in_place_forms_that_were_missing():
    assert numbers(5.0, -5.0).fmod_(3).tolist() == [2, -2]
    assert numbers(math.nan, 1.0).nan_to_num_(7.0).tolist() == [7, 1]
    assert numbers(3.0).float_power_(2).tolist() == [9]
    with pytest.raises(bolide.BolideError, match="base of float64"):
        numbers(3.0, dtype=bolide.float32).float_power_(2)
    assert bolide.zero_(numbers(3.0)).tolist() == [0] and bolide.neg_(numbers(3.0)).tolist() == [-3]


@pytest.mark.parametrize(
    "change, slope",
    [(lambda y: y.div_(0.3, rounding_mode="trunc"), lambda x: 0 * x), (lambda y: y.round_(decimals=1), lambda x: 0 * x),
     (lambda y: y.polygamma_(1), lambda x: bolide.polygamma(2, x)), (lambda y: y.fmod_(0.3), lambda x: 0 * x + 1),
     (lambda y: y.float_power_(2), lambda x: 2 * x)],
)  # fmt: skip
def test_in_place_ops_made_of_several_have_gradients(change, slope):
    x = numbers(1.25, 2.5, grad=True)
    change(x * 1).sum().backward()
    near(x.grad, *slope(x.detach()).tolist())


def test_a_sum_of_products_grows_in_place():
    x = numbers(1.0)
    a, b = (
        bolide.ones(2, 1, 3, dtype=bolide.float64, **ON),
        bolide.ones(2, 3, 2, dtype=bolide.float64, **ON),
    )
    assert x.addbmm_(a, b).tolist() == [[7, 7]] and x.shape == (1, 2)
    ones = bolide.ones(2, 1, 2, dtype=bolide.float16, **ON)
    cancelled = bolide.tensor([[[2048], [1]], [[-2048], [0]]], dtype=bolide.float16, **ON)
    assert bolide.addbmm(ones[0, :, :1] * 0, ones, cancelled).tolist() == [[1]]  # rounded once


@pytest.mark.parametrize("name", ["mish", "silu", "elu", "selu"])
def test_activations_in_place_have_gradients(name):
    x, same = numbers(-1.0, 0.5, grad=True), numbers(-1.0, 0.5, grad=True)
    y = x * 1
    assert getattr(functional, name)(y, inplace=True) is y
    y.sum().backward()
    getattr(functional, name)(same).sum().backward()
    assert x.grad.tolist() == same.grad.tolist()


# ---- bool ------------------------------------------------------------------------------------------


def test_what_takes_bool():
    x = bolide.tensor([True, False], **ON)
    assert x.square().dtype is bolide.int64 and x.square().tolist() == [1, 0]
    assert x.sgn().tolist() == [True, False] and x.conj_physical() is x
    outer = bolide.addr(bolide.zeros(2, 2, dtype=bolide.bool, **ON), x, x, beta=3, alpha=2)
    assert outer.tolist() == [[True, False], [False, False]]


def test_addr_takes_factors_that_its_dtype_has():
    x, ones = bolide.zeros(2, 2, dtype=bolide.int64, **ON), bolide.ones(2, dtype=bolide.int64, **ON)
    assert bolide.addr(x, ones, ones, beta=2, alpha=3).tolist() == [[3, 3], [3, 3]]
    for factors in ({"beta": 0.5}, {"alpha": 1.5}, {"alpha": 1j}):
        with pytest.raises(RuntimeError, match="int64"):
            bolide.addr(x, ones, ones, **factors)
    with pytest.raises(RuntimeError, match="complex"):
        bolide.addr(x.float(), ones.float(), ones.float(), alpha=1j)
    assert bolide.addr(x.float(), ones, ones, beta=0.5, alpha=1.5).tolist() == [
        [1.5, 1.5],
        [1.5, 1.5],
    ]


def test_conjugates_of_real_tensors_are_themselves():
    x = numbers(1.0)
    assert x.conj_physical() is x and bolide.conj_physical(x) is x
    assert numbers(1j, dtype=bolide.complex64).conj_physical().tolist() == [-1j]


# ---- places ----------------------------------------------------------------------------------------


def test_no_indices_may_have_any_dtype():
    nothing = bolide.zeros(0, dtype=bolide.uint8, **ON)
    assert numbers(1.0, 2.0).gather(0, nothing).shape == (0,)


def test_take_along_dim_counts_from_the_end():
    x = numbers(1.0, 2.0, 3.0)
    assert bolide.take_along_dim(x, bolide.tensor([-1, 0], **ON), 0).tolist() == [3, 1]


def test_a_value_filled_in_twice_counts_once():
    x, value = (
        numbers(1.0, 2.0, 3.0),
        bolide.tensor(5.0, dtype=bolide.float64, requires_grad=True, **ON),
    )
    y = x.index_fill(0, bolide.tensor([1, 1, 2], **ON), value)
    y.backward(numbers(1.0, 10.0, 100.0))
    assert y.tolist() == [1, 5, 5] and value.grad.item() == 110


def test_a_0d_tensor_is_not_rolled_along_a_dimension():
    with pytest.raises(IndexError):
        bolide.roll(bolide.tensor(1.0), 0, 0)
    assert bolide.roll(bolide.tensor(1.0), 1).item() == 1


def test_sizes_of_1_broadcast_in_tensordot():
    a, b = bolide.ones(1, 1, 1, **ON), bolide.ones(2, 1, 2, **ON)
    assert bolide.tensordot(a, b, dims=((0, 1), (2, 0))).tolist() == [[4]]


def test_fill_is_in_the_graph():
    x = numbers(1.0, 2.0, grad=True)
    bolide.fill(x, 3).sum().backward()
    assert x.grad.tolist() == [0, 0]


# ---- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, error",
    [
        (lambda: bolide.isclose(numbers(1.0), numbers(1.0), rtol=-0.4), RuntimeError),
        (lambda: bolide.special.zeta(2, 3), TypeError),
        (lambda: bolide.special.xlog1py(2, 3), TypeError),
        (lambda: bolide.hstack([]), RuntimeError),
        (lambda: functional.hardtanh(numbers(1.0), 0.5, -0.5), ValueError),
        (lambda: functional.conv2d(bolide.ones(1, 1, 4, 4), bolide.ones(1, 1, 2, 2), stride=-1), RuntimeError),
        (lambda: functional.max_pool2d(bolide.ones(1, 1, 4, 4), 2, padding=2), RuntimeError),
        (lambda: numbers(1, dtype=bolide.int64).masked_fill(bolide.tensor([True]), bolide.tensor(1j)), RuntimeError),
        (lambda: bolide.gather(numbers(1.0), 0, numbers(0, dtype=bolide.int64), out=bolide.empty(0)), RuntimeError),
        (lambda: bolide.multinomial(numbers(1.0), 1, out=numbers(1.0)), RuntimeError),
        (lambda: bolide.ones(2, 3).contiguous(memory_format=bolide.channels_last), RuntimeError),
        (lambda: bolide.empty(2, memory_format=bolide.preserve_format), RuntimeError),
    ],
)  # fmt: skip
def test_errors(call, error):
    with pytest.raises(error):
        call()


# ---- linear algebra and transforms -----------------------------------------------------------------


@ON_CPU
def test_empty_and_0d_linear_algebra():
    assert bolide.linalg.vander(bolide.tensor(3.0), N=2).tolist() == [[1, 3]]
    a = bolide.zeros(0, 0, requires_grad=True)
    assert bolide.linalg.householder_product(a, bolide.zeros(0)).requires_grad
    plain = bolide.linalg.householder_product(
        bolide.ones(2, 2, requires_grad=True), bolide.zeros(0)
    )
    assert plain.requires_grad and plain.tolist() == [[1, 0], [0, 1]]


@ON_CPU
def test_least_squares_are_in_the_graph():
    a, b = (
        numbers([1.0, 0.0], [0.0, 1.0], [0.0, 0.0], grad=True),
        numbers([1.0], [2.0], [3.0], grad=True),
    )
    found = bolide.linalg.lstsq(a, b, driver="gelsd")
    assert found.residuals.requires_grad
    near(found.residuals.detach(), 9)
    into = (bolide.empty(0), bolide.empty(0), bolide.empty(0, dtype=bolide.int64), bolide.empty(0))
    plain = bolide.linalg.lstsq(a.detach().float(), b.detach().float(), out=into)
    assert plain.solution is into[0]
    near(into[0], 1, 2)


@ON_CPU
def test_transforms_take_a_single_dim():
    x = bolide.arange(6.0).reshape(2, 3)
    assert bolide.fft.fftn(x, dim=-1).tolist() == bolide.fft.fft(x).tolist()
    assert bolide.fft.irfftn(bolide.fft.rfftn(x, s=4, dim=1), dim=1).shape == (2, 4)


# ---- networks --------------------------------------------------------------------------------------


def test_convolutions_of_integers_and_complex_numbers():
    x, w = (
        bolide.arange(32, **ON).reshape(1, 2, 4, 4),
        bolide.arange(16, **ON).reshape(4, 1, 2, 2) - 3,
    )
    options = {"stride": 2, "padding": 1, "groups": 2}
    plain = functional.conv2d(
        x.double(), w.double(), bolide.ones(4, dtype=bolide.float64, **ON), **options
    )
    assert (
        functional.conv2d(x, w, bolide.ones(4, dtype=bolide.int64, **ON), **options).tolist()
        == plain.tolist()
    )
    z = functional.conv2d(x * 1j, w + 0j, **options)
    assert z.imag.tolist() == (plain - 1).tolist() and not z.real.any()


def test_even_kernels_keep_the_size():
    x = bolide.ones(1, 1, 2, 3, **ON)
    y = functional.conv2d(x, bolide.ones(1, 1, 2, 2, **ON), padding="same")
    assert y.tolist() == [[[[4, 4, 2], [2, 2, 1]]]]


@ON_CPU
@pytest.mark.parametrize("dtype", [bolide.uint8, bolide.int64])
def test_integers_are_pooled(dtype):
    x = bolide.arange(16, dtype=dtype).reshape(1, 4, 4)
    values, places = functional.max_pool2d(x, 2, return_indices=True)
    assert values.tolist() == [[[5, 7], [13, 15]]] == places.tolist() and values.dtype is dtype
    large = bolide.tensor([[[2**60, 2**60 + 1], [0, 1]]])
    assert functional.max_pool2d(large, 2).item() == 2**60 + 1


@ON_CPU
def test_rows_picked_are_shortened():
    weight = bolide.tensor([[3.0, 4.0], [0.6, 0.8], [6.0, 8.0]], requires_grad=True)
    picked = functional.embedding(bolide.tensor([0, 1, 0]), weight, max_norm=1.0)
    near(picked.detach(), 0.6, 0.8, 0.6, 0.8, 0.6, 0.8)
    assert weight[2].tolist() == [6, 8]
    counted = functional.embedding(bolide.tensor([0, 1, 0]), weight, scale_grad_by_freq=True)
    counted.sum().backward()
    near(weight.grad, 1, 1, 1, 1, 0, 0)


# ---- orders of memory ------------------------------------------------------------------------------


def test_channels_last():
    x = bolide.arange(120.0, **ON).reshape(2, 3, 4, 5)
    last = x.contiguous(memory_format=bolide.channels_last)
    assert last.stride() == (60, 1, 15, 3) and last.tolist() == x.tolist()
    assert last.is_contiguous(memory_format=bolide.channels_last) and not last.is_contiguous()
    assert last.contiguous(memory_format=bolide.channels_last) is last
    assert last.clone().stride() == (last + 1).stride() == last.double().stride() == last.stride()
    assert last.clone(memory_format=bolide.contiguous_format).stride() == x.stride()
    assert x.to(memory_format=bolide.channels_last).stride() == last.stride()
    assert x.float(memory_format=bolide.channels_last).stride() == last.stride()
    assert (
        x.to(memory_format=bolide.preserve_format)
        is x
        is x.float(memory_format=bolide.contiguous_format)
    )
    assert bolide.zeros_like(x, memory_format=bolide.channels_last).stride() == last.stride()
    assert bolide.empty(2, 3, 4, 5, memory_format=bolide.channels_last).stride() == last.stride()
    cubes = bolide.ones(1, 2, 3, 4, 5, **ON).contiguous(memory_format=bolide.channels_last_3d)
    assert cubes.stride() == (120, 1, 40, 10, 2)
    assert not x[0].is_contiguous(memory_format=bolide.channels_last)
    grown = x.clone().requires_grad_()
    grown.contiguous(memory_format=bolide.channels_last).sum().backward()
    assert grown.grad.shape == x.shape


# ---- reference inputs, gradients of gradients, PyTorch's test files ---------------------------------


def test_one_bound_of_bool_and_in_place_with_a_gradient():
    mask = numbers(True, False, dtype=bolide.bool)
    yes = bolide.tensor(True, **ON)
    assert bolide.clamp_min(mask, yes).dtype is bolide.bool
    assert mask.clamp_min(yes).tolist() == [True, True]
    assert mask.clone().clamp_max_(~yes).tolist() == [False, False]
    x, low, high = numbers(1.0, 5.0, grad=True), numbers(3.0, 4.0, grad=True), numbers(2.0, 9.0)
    y = x.clone().clamp_min_(low).clamp_max_(high)
    assert y.tolist() == [2, 5]
    x.clone().clamp_min_(low).sum().backward()
    assert x.grad.tolist() == [0, 1] and low.grad.tolist() == [1, 0]


def test_numbers_alone_for_the_ops_that_take_them():
    sums = bolide.add(2, 3.5), bolide.add(True, False), bolide.add(2, True, alpha=3)
    assert [s.item() for s in sums] == [5.5, True, 5]
    assert [s.dtype for s in sums] == [bolide.float32, bolide.bool, bolide.int64]
    assert bolide.mul(2, 1j).dtype is bolide.complex64 and bolide.sub(2, 1).item() == 1
    assert bolide.div(7, 2).item() == 3.5 and bolide.floor_divide(-7.0, 2).item() == -4
    assert bolide.div(-7, 2, rounding_mode="trunc").item() == -3
    assert bolide.div(-7, 2, rounding_mode="floor").item() == -4
    for call in (bolide.maximum, bolide.atan2):
        with pytest.raises(TypeError, match="expected input: Tensor"):
            call(2, 3.5)


def test_complex_numbers_to_negative_powers():
    x = numbers(1j, 2.0, dtype=bolide.complex64)
    near(x**-1, -1j, 0.5)
    near(x**-2.0, -1, 0.25)
    near(bolide.float_power(x, -1), -1j, 0.5)
    with pytest.raises(RuntimeError, match="zero or more for integers, got -1"):
        numbers(2, 3, dtype=bolide.int64) ** -1


def test_second_derivatives_of_products_with_zeros():
    # prod: 2 x 0 x 3 and, with two zeros, 0 x 5 x 0.
    for values, first, second in (
        ((2.0, 0.0, 3.0), [0, 6, 0], [3, 0, 2]),
        ((0.0, 5.0, 0.0), [0, 0, 0], [0, 0, 5]),
    ):
        x = numbers(*values, grad=True)
        (gradient,) = bolide.autograd.grad(x.prod(), x, create_graph=True)
        assert gradient.tolist() == first
        place = 1 if values[1] == 0 else 0
        (again,) = bolide.autograd.grad(gradient[place], x)
        assert again.tolist() == second
    # cumprod of 2, 0, 3, 0: the derivative of its last by the second zero is 0, that by the first of this 6.
    x = numbers(2.0, 0.0, 3.0, 0.0, grad=True)
    (gradient,) = bolide.autograd.grad(x.cumprod(0)[3], x, create_graph=True)
    assert gradient.tolist() == [0, 0, 0, 0]
    (again,) = bolide.autograd.grad(gradient[3], x)
    assert again.tolist() == [0, 6, 0, 0]


@pytest.mark.parametrize("include_self", [True, False])
def test_second_derivatives_of_scattered_products_with_zeros(include_self):
    x, values = numbers(2.0, 0.0, grad=True), numbers(3.0, 0.0, 5.0, grad=True)
    places = bolide.tensor([0, 0, 1], **ON)
    y = x.scatter_reduce(0, places, values, "prod", include_self=include_self)
    kept = 2 if include_self else 1
    assert y.tolist() == [0, 0 if include_self else 5]
    own, of_values = bolide.autograd.grad(y.sum(), (x, values), create_graph=True)
    assert own.tolist() == ([0, 5] if include_self else [0, 0])
    assert of_values.tolist() == [0, 3 * kept, 0 if include_self else 1]
    seconds = bolide.autograd.grad(of_values.sum(), (x, values), allow_unused=True)
    assert seconds[1].tolist() == [kept, kept, 0]
    if include_self:
        assert seconds[0].tolist() == [3, 1]


def test_the_gradient_of_a_quotient_rounded_to_zero_is_zero():
    a, b = numbers(1.0, 0.0, 7.0, grad=True), numbers(0.0, 0.0, 2.0, grad=True)
    y = bolide.div(a, b, rounding_mode="trunc")
    assert y.tolist()[0] == math.inf and math.isnan(y.tolist()[1]) and y.tolist()[2] == 3
    y.sum().backward()
    assert a.grad.tolist() == b.grad.tolist() == [0, 0, 0]


WRONG_OUT = {
    "neg": lambda x, out: bolide.neg(x, out=out),
    "all": lambda x, out: bolide.all(x, 0, out=out),
    "isposinf": lambda x, out: bolide.isposinf(x, out=out),
    "cross": lambda x, out: bolide.linalg.cross(x, x, out=out),
    "cumsum": lambda x, out: bolide.cumsum(x, 0, dtype=bolide.float32, out=out),
    "sum": lambda x, out: bolide.sum(x, 0, dtype=bolide.float32, out=out),
    "zeros": lambda x, out: bolide.zeros(3, dtype=bolide.float32, out=out),
    "expand_copy": lambda x, out: bolide.expand_copy(x, (3, 3), out=out),
    "msort": lambda x, out: bolide.msort(x, out=out),
    "det": lambda x, out: bolide.linalg.det(x, out=out),
    "multi_dot": lambda x, out: bolide.linalg.multi_dot([x, x], out=out),
}


@ON_CPU
@pytest.mark.parametrize("call", WRONG_OUT.values(), ids=WRONG_OUT)
def test_an_out_of_another_dtype_is_refused_where_pytorch_refuses_it(call):
    x, out = bolide.eye(3), bolide.zeros(0, dtype=bolide.float64)
    with pytest.raises(RuntimeError, match="float64"):
        call(x, out)
    assert out.shape == (0,)


def test_an_out_of_another_dtype_where_it_is_converted():
    x = numbers(4.0, 9.0, dtype=bolide.float32)
    assert bolide.sqrt(x, out=numbers(0.0, 0.0)).tolist() == [2, 3]
    assert bolide.sum(x, 0, out=numbers(0.0)[0]).item() == 13
    bytes_ = bolide.zeros((), dtype=bolide.uint8, **ON)
    assert bolide.all(x, out=bytes_).item() == 1


def test_a_list_with_a_slice_is_a_tuple_of_keys():
    x = bolide.arange(24, **ON).reshape(2, 3, 4)
    assert bolide.equal(x[[slice(None), 1]], x[:, 1])
    assert bolide.equal(x[[..., 1]], x[..., 1])
    assert x[[None, 1]].shape == (1, 3, 4)
    assert x[[[0, 1], [1, 0]]].shape == (2, 2, 3, 4)
    assert bolide.equal(x[[1, 0]], x.flip(0))
    x[[slice(None), slice(0, 2)]] = 0
    assert x.sum().item() == 8 + 9 + 10 + 11 + 20 + 21 + 22 + 23


def test_permutations_that_the_dtype_cannot_hold():
    assert sorted(bolide.randperm(128, dtype=bolide.int8, **ON).tolist()) == list(range(128))
    for n, dtype in ((129, bolide.int8), (257, bolide.uint8), (2050, bolide.float16)):
        with pytest.raises(RuntimeError, match=f"at most {n - 1}.*got {n}"):
            bolide.randperm(n, dtype=dtype, **ON)


@ON_CPU
def test_histograms_of_points_with_edges_that_do_not_ascend():
    points = bolide.tensor([[0.0, 0.5], [1.0, 0.5], [2.0, 0.5], [3.0, 0.5], [math.nan, 0.5]])
    edges = bolide.tensor([0.0, 1.0, 1.0, 2.0]), bolide.tensor([0.0, 1.0])
    found = bolide.histogramdd(points, edges)
    assert found.hist.tolist() == [[1], [0], [2]]
    assert all(a.data_ptr() == b.data_ptr() for a, b in zip(found.bin_edges, edges, strict=True))
    descending = bolide.histogramdd(points, (edges[0].flip(0), edges[1]))
    assert descending.hist.sum().item() == 0
    equal = bolide.histogramdd(points, (bolide.ones(3), edges[1]))
    assert equal.hist.tolist() == [[0], [1]]
    assert bolide.histogram(points[:, 0], edges[0]).hist.tolist() == [1, 0, 2]


def test_errors_of_pytorchs_types():
    for call in (
        lambda: bolide.broadcast_shapes((2, 3), 1.5),
        lambda: bolide.chain_matmul(bolide.ones(3)),
        lambda: bolide.chain_matmul(bolide.ones(3, 3), bolide.ones(3)),
    ):
        with pytest.raises(RuntimeError):
            call()
    with pytest.raises(TypeError, match="an equation or a Tensor, got int"):
        bolide.einsum(1, [bolide.ones(2)])
