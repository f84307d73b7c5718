"""Bugs of bolide that random programs beside PyTorch found (test_programs.py), with what PyTorch gives written down."""

import bolide
import pytest
from conftest import DEVICE

ON = {"device": DEVICE}


def numbers(*values, dtype=bolide.float64, grad=False):
    return bolide.tensor(values, dtype=dtype, requires_grad=grad, **ON)


# ---- gradients -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["floor", "ceil", "round", "trunc", "sign"])
def test_steps_have_a_gradient_of_zero(name):
    x = numbers(0.25, -1.5, grad=True)
    getattr(bolide, name)(x).sum().backward()
    assert x.grad.tolist() == [0, 0]
    getattr(bolide, name)(x).backward(numbers(float("inf"), float("nan")))
    assert x.grad.tolist() == [0, 0]


def test_floor_division_has_a_gradient_of_zero():
    a, b = numbers(5.0, -7.0, grad=True), numbers(2.0, grad=True)
    (a // b + a).sum().backward()
    assert a.grad.tolist() == [1, 1] and b.grad.tolist() == [0]


@pytest.mark.parametrize(
    "overwrite",
    [lambda y: y.zero_(), lambda y: y.fill_(3), lambda y: y.copy_(numbers(1.0, 2.0)), lambda y: y.__setitem__(..., 4)],
)  # fmt: skip
def test_what_is_overwritten_has_a_gradient_of_zero(overwrite):
    x = numbers(1.0, 2.0, grad=True)
    y = x * 2
    overwrite(y)
    (y * y).sum().backward()
    assert x.grad.tolist() == [0, 0]


def test_a_quotient_may_change_afterwards():
    a, b = numbers(1.0, 6.0, grad=True), numbers(2.0, 4.0, grad=True)
    quotient = a / b
    quotient += 1
    quotient.mul_(2).sum().backward()
    assert a.grad.tolist() == [1, 0.5] and b.grad.tolist() == [-0.5, -0.75]


def test_a_copy_of_itself_counts():
    x = numbers(1.0, 2.0)
    x.copy_(x)
    x[...] = x
    assert x._version == 2
    leaf = numbers(1.0, 2.0, grad=True)
    y = leaf * 1
    y[:] = y
    y.sum().backward()
    assert leaf.grad.tolist() == [1, 1]


def test_the_view_of_what_was_a_leaf_stays_refused():
    x = bolide.tensor(2.0, requires_grad=True, **ON)
    view = x.squeeze()
    x.requires_grad_(False)
    with pytest.raises(RuntimeError, match="leaf"):
        view.relu_()


def test_only_a_leaf_is_told_that_it_requires_grad():
    y = numbers(1.0, grad=True) * 2
    with pytest.raises(RuntimeError, match="leaf"):
        y.requires_grad = True


def test_a_comparison_of_what_requires_grad_has_an_output():
    out = bolide.zeros(2, dtype=bolide.bool, **ON)
    bolide.eq(numbers(1.0, 2.0, grad=True), 2, out=out)
    assert out.tolist() == [False, True]


def test_false_assigns_nothing():
    x = bolide.tensor(2.0, requires_grad=True, **ON)
    x[False] = 3
    assert x.item() == 2


# ---- dtypes and numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "expected"), [("int8", 44), ("uint8", 44), ("int32", 300), ("bool", True)]
)
def test_a_sum_has_the_dtype_that_is_asked_for(dtype, expected):
    total = bolide.ones(3, 100, **ON).sum(dtype=getattr(bolide, dtype))
    assert total.dtype == getattr(bolide, dtype) and total.item() == expected


def test_factors_leave_the_dtype_alone():
    truths = bolide.tensor([True, False], **ON)
    assert bolide.add(truths, truths, alpha=300).tolist() == [True, False]
    assert bolide.add(~truths, truths, alpha=0).tolist() == [False, True]
    half = bolide.tensor([1.0, 2.0], dtype=bolide.float16, **ON)
    whole = bolide.tensor([2, 4], **ON)
    assert bolide.addcmul(half, whole, whole, value=-0.25).dtype == bolide.float16
    assert bolide.add(half, whole, alpha=-1.5).dtype == bolide.float16
    row = bolide.tensor([[1, 2]], **ON)
    product = bolide.addmm(whole[:1], row, row.T, beta=0.5)
    assert product.dtype == bolide.int64 and product.tolist() == [[5]]
    for x in (half, whole):
        with pytest.raises(RuntimeError, match="bool"):
            bolide.sub(x, x, alpha=True)


def test_bounds_wrap_around_in_uint8():
    x = bolide.tensor([4, 200], dtype=bolide.uint8, **ON)
    assert x.clone().clamp_(0, -2).tolist() == [4, 200]
    assert x.clamp(-100).tolist() == x.clamp_min(-100).tolist() == [156, 200]
    assert x.clamp_max(-100).tolist() == [4, 156]
    with pytest.raises(RuntimeError, match="fits uint8"):
        x.clamp(0, 300)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("uint8", 256), ("uint8", -256), ("uint8", -0.5), ("int8", 128), ("int32", float("nan")), ("int64", 2.0**63),
     ("float16", 1e5), ("float32", 1e300)],
)  # fmt: skip
def test_numbers_that_do_not_fit(dtype, value):
    x = bolide.zeros(2, dtype=getattr(bolide, dtype), **ON)
    stores = [x.fill_, lambda v: x.masked_fill(x == 0, v), lambda v: x.__setitem__(0, v)]
    for store in stores[:2] if dtype == "float16" else stores:  # there an assigned one is infinite
        with pytest.raises(RuntimeError, match=f"fits {dtype}"):
            store(value)
    assert x.tolist() == [0, 0]


def test_numbers_that_fit():
    x = bolide.zeros(2, dtype=bolide.uint8, **ON)
    assert x.fill_(-1).tolist() == [255, 255]
    assert x.copy_(300).tolist() == [44, 44]  # as a tensor of the number is converted
    large = bolide.full((2,), 2**53 + 1, **ON)
    assert large.masked_fill(bolide.tensor([True, False], **ON), 0.5).tolist() == [0, 2**53 + 1]


def test_an_output_of_another_dtype_gets_the_converted_result():
    x = bolide.tensor([4], dtype=bolide.uint8, **ON)
    out = bolide.zeros(1, dtype=bolide.int64, **ON)
    assert bolide.add(x, 300, out=out).tolist() == (x + 300).tolist() == [48]
    assert bolide.add(numbers(1.5), 1, out=bolide.zeros(1, **ON)).tolist() == [2.5]


def test_clamp_shares_no_gradient_twice():
    x, low, high = (
        numbers(1, 2, 3, 2, grad=True),
        numbers(2, 2, 2, 3, grad=True),
        numbers(2, 2, 2, 1, grad=True),
    )
    bolide.clamp(x, low, high).sum().backward()
    assert [t.grad.tolist() for t in (x, low, high)] == [[0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 1]]


def test_an_expanded_tensor_takes_no_assignment():
    x = bolide.zeros(1, **ON).expand(3)
    for store in (lambda: x.__setitem__(slice(2), 1), lambda: x.__setitem__(..., numbers(1))):
        with pytest.raises(RuntimeError, match="distinct"):
            store()


def test_ops_of_bool():
    truths = bolide.tensor([True, False], **ON)
    assert truths.sign().tolist() == [True, False]
    assert bolide.fmod(numbers(3.5, 2.5), truths).tolist()[0] == 0.5
    assert bolide.isclose(truths, truths).tolist() == [True, True]
    for place in (bolide.argmax, bolide.argmin):
        with pytest.raises(RuntimeError, match="bool"):
            place(truths)


# ---- views and shapes ------------------------------------------------------------------------------


def test_strides_of_dimensions_of_size_one():
    x = bolide.zeros(4, 4, **ON)
    assert x[1:2:3].stride() == (12, 1) and x[..., :1:2].stride() == (4, 2)
    assert x[0].expand(1, 4).stride() == (4, 1) and x[0].expand(1, 2, 1, 4).stride() == (0, 0, 4, 1)
    assert x[0, 0].expand(1).stride() == (0,)


def test_views_of_a_0d_tensor():
    x = bolide.tensor(3.0, **ON)
    assert x.mT is x and x.movedim(0, -1).item() == 3
    assert [p.tolist() for p in x.nonzero(as_tuple=True)] == [[0]]
    with pytest.raises(IndexError):
        x.unbind(0)
    with pytest.raises(IndexError):
        x.movedim(1, 0)


def test_ravel_is_contiguous():
    column = bolide.zeros(3, 2, **ON)[:, :1]
    flat = column.ravel()
    assert flat.is_contiguous() and flat._base is None
    flat.fill_(1)
    assert column.sum().item() == 0


def test_an_output_that_is_an_input_keeps_its_shape():
    x = numbers(1.0, 2.0)
    with pytest.raises(bolide.ShapeError, match="broadcast"):
        bolide.add(x, bolide.ones(3, 2, **ON), out=x)
    assert x.tolist() == [1, 2]


def test_indices_of_nothing():
    x = bolide.zeros(2, 2, **ON)
    place = bolide.tensor([2], **ON)
    assert x[2:, place].shape == (0, 1)
    x[2:, place] = 1
    with pytest.raises(IndexError):  # there is none to choose
        x[2:][place].sum().item()
    with pytest.raises(IndexError):
        bolide.zeros(0, 3, **ON).amax(0)
    with pytest.raises(bolide.ShapeError):
        x.unflatten(0, ())


# ---- found by later programs -----------------------------------------------------------------------


def test_a_wider_0d_tensor_wraps_around():
    x, far = bolide.tensor([44, 200], dtype=bolide.uint8, **ON), bolide.tensor(300, **ON)
    assert (x == far).tolist() == [True, False]
    assert bolide.maximum(x, far).tolist() == [44, 200]
    assert bolide.add(x, far, out=bolide.zeros(2, dtype=bolide.uint8, **ON)).tolist() == [88, 244]
    assert (x / far).tolist() == pytest.approx([44 / 300, 200 / 300])  # in float32, where it fits
    x //= bolide.tensor(-7, **ON)
    assert x.tolist() == [0, 0]
    single = bolide.tensor(5, **ON)
    with pytest.raises(RuntimeError, match=r"\[bitwise_or\]"):
        single |= bolide.zeros(1, 4, dtype=bolide.int32, **ON)


def test_a_number_that_does_not_fit_wraps_around():
    x = bolide.tensor([1, 100], dtype=bolide.uint8, **ON)
    assert (
        (x // -200).tolist() == [0, 1]
        and (x % -7).tolist() == [1, 100]
        and (-1 - x).tolist() == [254, 155]
    )
    with pytest.raises(RuntimeError, match="fits uint8"):
        bolide.where(x > 1, x, 300)
    assert bolide.fmod(x, -57).tolist() == [1, 100] and bolide.div(
        x, -200, rounding_mode="trunc"
    ).tolist() == [0, 1]
    assert (x > -1).tolist() == [True, True] and (x == 257).tolist() == [False, False]  # as it is
    assert (x.to(bolide.int8) // 200).tolist() == [-1, -2]
    assert (x.to(bolide.int8) ** 9).tolist() == [1, 0]


def test_zero_has_the_sign_of_the_dividend_in_fmod_and_of_the_quotient():
    for dtype in (bolide.float16, bolide.float32, bolide.float64):
        a, b = numbers(-0.0, -1, 0, -0.0).to(dtype), numbers(1, 0.5, -float("inf"), -2).to(dtype)
        assert str(bolide.fmod(a, b).tolist()) == "[-0.0, -0.0, 0.0, -0.0]"
        assert str((a // b).tolist()) == "[-0.0, -2.0, -0.0, 0.0]"


def test_a_bound_of_nan_is_the_result():
    x, low = bolide.tensor([1, 0], dtype=bolide.int32, **ON), numbers(float("nan"), 2.0)
    for bounded in (x.clamp_min(low), x.clamp_max(low * 0), x.clamp_min(float("nan"))):
        assert bounded.isnan().tolist()[0]
    assert x.clamp_min(low).tolist()[1] == 2


def test_arange_with_an_infinite_step_is_empty():
    assert bolide.arange(-2, 1, float("inf"), **ON).tolist() == []
    with pytest.raises(RuntimeError, match="finite"):
        bolide.arange(-2, 1, float("nan"), **ON)


def test_one_element_through_a_mask_has_to_fit():
    x, mask = bolide.zeros(2, dtype=bolide.uint8, **ON), bolide.tensor([True, False], **ON)
    for value in (300.0, -1.0, float("nan")):
        with pytest.raises(RuntimeError, match="fits uint8"):
            x.masked_fill_(mask, bolide.tensor(value))
        with pytest.raises(RuntimeError, match="fits uint8"):
            x[mask] = bolide.tensor([value])
    x[mask] = bolide.tensor(-1)
    assert x.tolist() == [255, 0]
    x[True] = bolide.tensor([300.0])  # no mask of elements: converted
    assert x.tolist() == [44, 44]


def test_a_view_that_is_a_leaf_is_not_changed():
    view = bolide.ones(3, **ON).view(3).requires_grad_()
    for change in (lambda: view.mul_(2), lambda: view.__setitem__([0], numbers(2.0))):
        with pytest.raises(RuntimeError, match="leaf"):
            change()


def test_an_expanded_tensor_is_copied_to_itself():
    x = bolide.tensor(3, **ON).expand(3)
    x[...] = x
    assert x.tolist() == [3, 3, 3]


def test_an_output_with_overlaps_is_refused_though_it_would_be_resized():
    out = bolide.zeros(3, **ON).expand(2, 3)
    with pytest.raises(RuntimeError, match="distinct"):
        bolide.add(numbers(1.0), 1, out=out)


def test_strides_of_views_keep_those_of_dimensions_of_size_one():
    x = bolide.zeros(2, 4, **ON)[-2:1, 0]
    assert x.stride() == (4,) and x.view(1).stride() == (4,) and x[:, None].ravel().stride() == (1,)
    column = bolide.zeros(3, 2, 2, **ON)[:1, 1:, 0]
    assert column.stride() == (4, 2) and column.ravel().stride() == (2,)
    nothing = bolide.zeros(3, 0, **ON)[:, :0]
    assert nothing.view(3, 0).stride() == nothing.stride()


def test_a_part_without_elements_starts_where_it_would():
    x = bolide.zeros(3, 4, **ON)
    assert x.narrow(0, -1, 0).storage_offset() == 8 and x[2:2, 1:1].storage_offset() == 9


def test_relu_passes_the_gradient_of_nan():
    x = numbers(float("nan"), -1, 0, 2, grad=True)
    x.relu().sum().backward()
    assert x.grad.tolist() == [1, 0, 0, 1]


def test_lerp_reaches_its_ends():
    start, end = numbers(1e8, 2.0), numbers(1.0, 3.0)
    assert bolide.lerp(start, end, 1.0).tolist() == end.tolist()
    assert bolide.lerp(start, end, 0.0).tolist() == start.tolist()
    z = bolide.tensor([1e8 + 1e8j], **ON)
    assert bolide.lerp(z, z / 1e8, bolide.ones(1, dtype=z.dtype, **ON)).tolist() == [1 + 1j]


def test_softmax_along_another_dimension_is_no_view():
    for y in (numbers(1.0, 2.0).view(2, 1).softmax(0), bolide.zeros(3, 0, **ON).log_softmax(0)):
        assert y._base is None
        y.detach_()


def test_factors_of_integers_have_to_fit():
    x = bolide.ones(2, 2, dtype=bolide.int64, **ON)
    for beta in (float("nan"), float("inf")):
        with pytest.raises(RuntimeError, match=r"\[addmm\].*fits int64"):
            bolide.addmm(x, x, x, beta=beta)


# ---- NaN and numbers that do not fit ---------------------------------------------------------------

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_nan_in_a_maximum_passes_the_gradient(name):
    a, b = numbers(NAN, 1.0, 2.0, 3.0, grad=True), numbers(1.0, NAN, 2.0, 1.0, grad=True)
    getattr(bolide, name)(a, b).sum().backward()
    larger = [1, 0] if name == "maximum" else [0, 1]
    assert a.grad.tolist() == [1, 1, 0.5, larger[0]] and b.grad.tolist() == [1, 1, 0.5, larger[1]]


def test_one_bound_passes_no_gradient_at_nan():
    for name, sign in (("clamp_min", 1), ("clamp_max", -1)):
        x, bound = (
            numbers(NAN, 1.0, sign * 3.0, 2.0, grad=True),
            numbers(2.0, NAN, 2.0, 2.0, grad=True),
        )
        y = getattr(x, name)(bound)
        y.nansum().backward()
        assert x.grad.tolist() == [0, 0, 1, 1] and bound.grad.tolist() == [0, 0, 0, 0]
        assert y.isnan().tolist() == [True, True, False, False]


def test_nan_shares_the_gradient_of_the_largest():
    for name in ("max", "min", "amax", "amin"):
        x = numbers(NAN, 1.0, NAN, grad=True)
        getattr(x, name)().backward()
        assert x.grad.tolist() == [0.5, 0, 0.5]


def test_a_number_that_is_too_large_for_a_half_becomes_infinite_where_it_is_assigned():
    x = numbers(1.0, 2.0, 3.0, 4.0, dtype=bolide.float16)
    x[0], x[numbers(1, dtype=bolide.int64)], x[x == 3] = 2**31, -1e6, 65504
    assert x.tolist() == [INF, -INF, 65504, 4]
    with pytest.raises(RuntimeError, match="fits float16, got 2147483648"):
        x.fill_(2**31)


def test_one_number_behind_a_mask_has_to_fit():
    x = numbers(1, 2, 3, dtype=bolide.uint8).reshape(1, 3)
    mask = bolide.tensor([True], **ON)
    with pytest.raises(RuntimeError, match="fits uint8"):
        x[mask, 1:] = bolide.tensor(-1.5)
    assert x.tolist() == [[1, 2, 3]]


# ---- errors ----------------------------------------------------------------------------------------


def test_a_largest_of_nothing_is_refused_for_every_result():
    x = bolide.zeros(0, 2, 0, **ON)
    for name in ("amax", "amin", "argmax", "max", "median"):
        with pytest.raises(IndexError, match=r"float32\[0, 2, 0\]"):
            getattr(x, name)(0)
    assert x.amax(1).shape == (0, 0) and x.max(1).values.shape == (0, 0)


def test_a_dim_that_is_not_there_comes_before_one_twice():
    with pytest.raises(IndexError, match="9"):
        bolide.ones(2, 2, 1, **ON).sum(dim=(-2, 1, 9))


def test_a_factor_of_nothing_need_not_fit():
    row, left, right = (bolide.ones(*s, dtype=bolide.uint8, **ON) for s in ((3,), (0, 2), (2, 3)))
    assert bolide.addmm(row, left, right, beta=-1.5).shape == (0, 3)
    with pytest.raises(RuntimeError, match=r"fits uint8, got -1\.5"):
        bolide.addmm(row, bolide.ones(1, 2, dtype=bolide.uint8, **ON), right, beta=-1.5)


# ---- layouts and versions --------------------------------------------------------------------------


def test_a_copy_of_what_has_gaps_keeps_the_order_of_dimensions():
    x = bolide.arange(80.0, **ON).reshape(10, 8).t()[::2, ::2]
    for y in (x.clone(), bolide.empty_like(x), x.to(bolide.float64)):
        assert y.stride() == (1, 4)
    assert x.clone().tolist() == x.tolist()
    expanded = bolide.ones(4, 1, 3, **ON).expand(4, 2, 3)[:, :, ::2]
    assert expanded.clone().stride() == (4, 2, 1)


def test_a_tensor_that_grows_keeps_count_of_its_changes():
    x = bolide.ones(1, **ON)
    x.resize_(1, 2)
    x.resize_(3)
    assert x._version == 2


def test_what_repeats_is_no_view():
    x = numbers(1.0, 2.0, grad=True) * 1
    with bolide.no_grad():
        made = [
            x.repeat(1),
            x.repeat_interleave(1, 0),
            x.tile((1,)),
            x.repeat((1, 2))[0, :2].clone(),
        ]
    for y in made:
        y[...] = x
        assert y.requires_grad


def test_what_no_gradient_reads_may_change():
    x = numbers(1.0, 2.0, 4.0, grad=True)
    for name in ("var", "prod"):
        y = getattr(x, name)()
        y *= 2
        y.backward()
    assert x.grad.tolist() == pytest.approx([2 * (8 - 4 / 3), 2 * (4 - 1 / 3), 2 * (2 + 5 / 3)])
    spread, mean = bolide.var_mean(x)
    mean.mul_(2)
    (spread + mean).backward()


def test_what_a_whole_assignment_replaced_is_not_in_the_graph():
    """Its gradient is nothing, and not nothing times infinity where the first one divided by zero."""
    for key in (slice(None), ...):
        x = bolide.tensor([4.0], dtype=bolide.float64, requires_grad=True)
        y = x * 1
        y[key] = bolide.tensor(6.0)
        assert y.grad_fn is not None
        z = bolide.addcdiv(x, y, bolide.tensor([0.0], dtype=bolide.float64)).sigmoid()
        (g,) = bolide.autograd.grad(z.sum(), x, create_graph=True)
        ((g * g).sum() + (x * x).sum()).backward()
        assert x.grad.item() == 8.0
        with pytest.raises(RuntimeError, match="leaf"):
            x[key] = 1.0
