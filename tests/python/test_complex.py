"""Complex numbers beyond the rows of op_rows.py: parts as views, Python numbers, promotion, gradients, refusals."""

import math
import warnings

import bolide
import numpy as np
import pytest
from bolide.autograd.check import GradcheckError

Z = [1 + 2j, -3j]


def complex_tensor(values=Z, dtype="complex128", device="cpu", **options):
    return bolide.tensor(values, dtype=getattr(bolide, dtype), device=device, **options)


# ---- parts as views ------------------------------------------------------------------------------


def test_parts_share_memory_and_version(device):
    z = complex_tensor(device=device)
    before = z._version
    z.real[0] = 5
    z.imag.mul_(2)
    bolide.view_as_real(z)[1, 0] = 7
    assert z.tolist() == [5 + 4j, 7 - 6j]
    assert z._version == before + 3 == z.real._version
    assert z.imag.stride() == (2,) and z.imag.storage_offset() == 1 and z.imag._base is z
    pairs = bolide.zeros(3, 2, device=device)
    bolide.view_as_complex(pairs)[1] = 2 - 1j
    assert pairs.tolist() == [[0, 0], [2, -1], [0, 0]]
    z.real = bolide.ones(2, dtype=bolide.float64, device=device)
    assert z.tolist() == [1 + 4j, 1 - 6j]


def test_real_tensors_are_their_own_real_part_and_conjugate():
    x = bolide.ones(2)
    assert x.real is x and bolide.real(x) is x and x.conj() is x and x.resolve_conj() is x
    assert not complex_tensor().conj().is_conj() and not x.is_neg() and x.resolve_neg() is x
    with pytest.raises(RuntimeError, match=r"\[imag\] expected a complex tensor, got float32"):
        x.imag  # noqa: B018


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: bolide.ones(3), "size 2 and stride 1"),
        (lambda: bolide.ones(2, 3).T, "size 2 and stride 1"),
        (lambda: bolide.ones(5)[1:3], "offset even"),
        (lambda: bolide.ones(2, 3)[:, :2], "strides"),
        (lambda: bolide.ones(2, dtype=bolide.int32), "float32 or float64"),
        (lambda: bolide.tensor(1.0), "last dimension"),
    ],
)
def test_view_as_complex_refuses_what_no_pairs_are(make, text):
    with pytest.raises(RuntimeError, match=text):
        bolide.view_as_complex(make())
    with pytest.raises(RuntimeError, match="a complex tensor"):
        bolide.view_as_real(bolide.ones(2))


def test_in_place_through_parts_is_part_of_the_graph(device):
    """y = z * 1; y.real *= 3: a view of another dtype than its base's."""
    z = complex_tensor(device=device, requires_grad=True)
    y = z * 1
    y.real.mul_(3)
    y.imag[0] = 0
    (y * y.conj()).real.sum().backward()
    assert z.grad.tolist() == [18 + 0j, 0 - 6j]
    x = bolide.tensor([[1.0, 2.0], [3.0, 4.0]], device=device, requires_grad=True)
    pairs = x * 1
    bolide.view_as_complex(pairs).mul_(1j)  # (a, b) becomes (-b, a)
    (pairs * bolide.tensor([[1.0, 10.0], [100.0, 1000.0]], device=device)).sum().backward()
    assert x.grad.tolist() == [[10, -1], [1000, -100]]


def test_a_part_of_a_part():
    z = complex_tensor([[1 + 1j, 2, 3j], [4, 5j, 6]], requires_grad=True)
    y = z.T * 1
    y[1:].imag.t()[0].mul_(y[1:, 0].real.detach() + 1)
    y.imag.sum().backward()
    assert z.grad.tolist() == [[1j, 3j, 1j], [1j, 1j, 1j]]


# ---- numbers -------------------------------------------------------------------------------------


def test_python_numbers(device):
    z = complex_tensor(device=device)
    assert (z + 1j).tolist() == [1 + 3j, -2j] and (1j - z).tolist() == [-1 - 1j, 4j]
    assert (z == -3j).tolist() == [False, True] and -3j in z
    assert complex(z[0]) == 1 + 2j and z[0].item() == 1 + 2j and bool(z[1])
    assert complex(bolide.tensor(2)) == 2 and float(bolide.tensor(2 + 0j)) == 2 == int(
        bolide.tensor(2 + 0j)
    )
    assert bolide.tensor([1, 2.0, 3j]).dtype == bolide.complex64
    assert bolide.full((2,), 1j).tolist() == [1j, 1j] and bolide.full_like(z, 2j)[0].item() == 2j
    assert bolide.where(bolide.tensor([True, False]), 1j, bolide.ones(2)).tolist() == [1j, 1]
    assert z.masked_fill(z == -3j, 4j).tolist() == [1 + 2j, 4j]
    assert bolide.add(z, z, alpha=1j).tolist() == [-1 + 3j, 3 - 3j]
    z[0] = 7j
    assert z.tolist() == [7j, -3j]
    assert bolide.tensor(1j) ** 2 == -1 and (bolide.ones(2) * 1j).dtype == bolide.complex64
    for number in (float, int):
        with pytest.raises(RuntimeError, match="without imaginary part"):
            number(z[0])


def test_promotion():
    def of(a, b):
        return str((a * b).dtype).removeprefix("bolide.")

    single, double = complex_tensor(dtype="complex64"), complex_tensor()
    assert of(single, bolide.ones(2, dtype=bolide.float64)) == "complex128"
    assert of(single, bolide.tensor(1.0, dtype=bolide.float64)) == "complex64"
    assert of(bolide.ones(2, dtype=bolide.float64), single[0]) == "complex128"
    assert (
        of(bolide.ones(2), double[0]) == "complex64"
        and of(bolide.ones(2, dtype=bolide.int64), 1j) == "complex64"
    )
    assert (
        of(bolide.ones(2, dtype=bolide.float64), 1j) == "complex128"
        and of(single, 2.5) == "complex64"
    )
    x = bolide.ones(2)
    for change in (lambda: x.add_(1j), lambda: x.mul_(single), lambda: x.fill_(1j), lambda: x.__setitem__(0, 1j),
                   lambda: complex_tensor().abs_(), lambda: bolide.add(x, x, alpha=1j)):  # fmt: skip
        with pytest.raises((RuntimeError, TypeError)):
            change()
    assert x.tolist() == [1, 1] and x.fill_(2 + 0j).tolist() == [2, 2]


def test_lost_parts_warn():
    z = complex_tensor()
    for cast in (lambda: z.to(bolide.float32), z.float, lambda: z.type_as(bolide.ones(1)),
                 lambda: bolide.zeros(2).copy_(z)):  # fmt: skip
        with pytest.warns(UserWarning, match="discards the imaginary part"):
            assert cast().tolist() == [1, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert z.bool().tolist() == [True, True] and z.cfloat().cdouble().tolist() == Z
        with pytest.raises(UserWarning):
            z.double()


def test_what_has_no_order_is_refused():
    z = complex_tensor()
    for call in (lambda: z < z, lambda: z.max(), lambda: z.argmax(), lambda: z.amin(), lambda: bolide.maximum(z, z),
                 lambda: z.clamp(0, 1), lambda: bolide.relu(z), lambda: z.sign(), lambda: z // 2, lambda: z % 2,
                 lambda: z.floor(), lambda: bolide.atan2(z, z), lambda: ~z):  # fmt: skip
        with pytest.raises(bolide.DTypeError, match="complex128"):
            call()
    for make in (lambda: bolide.arange(3, dtype=bolide.complex64), lambda: bolide.randperm(3, dtype=bolide.complex64),
                 lambda: bolide.randint(3, (2,), dtype=bolide.complex64)):  # fmt: skip
        with pytest.raises(RuntimeError, match="a real dtype, got complex64"):
            make()


def test_random_numbers_have_the_variance_that_is_asked_for(device):
    bolide.manual_seed(3)
    z = bolide.randn(20000, dtype=bolide.complex64, device=device)
    assert abs(z.var().item() - 1) < 0.05 and abs(z.real.var().item() - 0.5) < 0.03
    assert abs((z.real * z.imag).mean().item()) < 0.03
    u = bolide.rand(1000, dtype=bolide.complex128, device=device)
    assert 0.4 < u.imag.mean().item() < 0.6 and u.real.max().item() < 1
    n = bolide.empty(20000, dtype=bolide.complex64, device=device).normal_(3, 2)
    assert abs(n.mean().item() - 3) < 0.1 and abs(n.var().item() - 4) < 0.2


def test_infinities_and_nan_of_functions():
    """C99's Annex G, where it says what there is."""
    inf, nan = math.inf, math.nan
    wanted = {
        "exp": [(-inf + 0j, 0), (complex(-inf, inf), 0), (complex(inf, 0), inf)],
        "sqrt": [(complex(1, inf), complex(inf, inf)), (complex(-inf, 1), complex(0, inf)), (0j, 0), (-4 + 0j, 2j),
                 (3e38 + 3e38j, 1.9029760e19 + 7.8823853e18j), (complex(-4, -0.0), -2j)],
        "log": [(0j, -inf), (complex(inf, 0), inf)],
        "tanh": [(complex(inf, 1), 1), (complex(-100, 1), -1), (complex(0, 0), 0)],
        "reciprocal": [(complex(inf, 0), 0), (1e-20 + 1e-20j, 5e19 - 5e19j)],
        "sigmoid": [(-200 + 1j, 0), (200 + 1j, 1)],
        "abs": [(complex(inf, nan), inf), (3e38 + 1e38j, 3.1622777e38)],
    }  # fmt: skip
    for name, pairs in wanted.items():
        for z, y in pairs:
            got = getattr(bolide, name)(bolide.tensor(z, dtype=bolide.complex64)).item()
            assert got == y or abs(got - y) <= 1e-6 * abs(y), (name, z, got, y)


def test_infinities_and_nan_beside_zeros_and_unknown_angles(device):
    """As C99 and NumPy have them: 0 wins over NaN in a part that is 0 for every angle, infinity over an unknown angle."""
    inf, nan = math.inf, math.nan
    wanted = {
        "exp": [(complex(inf, inf), complex(inf, nan)), (complex(inf, nan), complex(inf, nan)), (complex(-1e30, nan), complex(nan, nan))],
        "expm1": [(complex(inf, nan), complex(inf, nan)), (complex(-1e30, inf), complex(nan, nan))],
        "cosh": [(complex(0, inf), complex(nan, 0)), (complex(0, nan), complex(nan, 0)), (complex(inf, inf), complex(inf, nan)), (complex(1e30, nan), complex(nan, nan)), (complex(-inf, 0), complex(inf, -0.0))],
        "sinh": [(complex(inf, inf), complex(inf, nan)), (complex(inf, nan), complex(inf, nan)), (complex(1e30, inf), complex(nan, nan)), (complex(0, nan), complex(0, nan))],
        "tanh": [(complex(0, inf), complex(0, nan)), (complex(-0.0, nan), complex(-0.0, nan)), (complex(1e30, inf), complex(nan, nan)), (complex(inf, -inf), complex(1, -0.0))],
        "acos": [(complex(0, nan), complex(math.pi / 2, nan))],
        "acosh": [(complex(0, nan), complex(nan, math.pi / 2))],
        "asinh": [(complex(nan, 0), complex(nan, 0))],
        "atanh": [(complex(0, nan), complex(0, nan))],
    }  # fmt: skip
    for dtype in (bolide.complex64, bolide.complex128):
        for name, pairs in wanted.items():
            z, y = (
                bolide.tensor(list(side), dtype=bolide.complex128)
                for side in zip(*pairs, strict=True)
            )
            got = getattr(bolide, name)(z.to(device, dtype)).cpu().to(bolide.complex128)
            for part in ("real", "imag"):
                a, b = getattr(got, part), getattr(y, part)
                assert bolide.isclose(a, b, equal_nan=True).all(), (name, dtype, got, y)
                known = (b == 0) & bolide.isfinite(y)  # beside NaN a zero may have either sign
                assert (a.signbit() == b.signbit())[known].all(), (name, dtype, got, y)


def test_large_matrix_products(device):
    """Those that OpenBLAS does, from transposed and sliced operands, too."""
    random = np.random.default_rng(0)
    n = 40
    a = random.normal(size=(2 * n, n)) + 1j * random.normal(size=(2 * n, n))
    b = random.normal(size=(n, 2 * n)) + 1j * random.normal(size=(n, 2 * n))
    for dtype, error in (("complex64", 1e-4), ("complex128", 1e-12)):
        x = bolide.from_numpy(a.astype(dtype)).to(device)
        y = bolide.from_numpy(b.astype(dtype)).to(device)
        for left, right, wanted in (
            (x, y, a @ b),
            (y.T, x.T, (a @ b).T),
            (x[::2], y[:, 1::2], a[::2] @ b[:, 1::2]),
        ):
            assert abs((left @ right).cpu().numpy() - wanted).max() < error


# ---- gradients -----------------------------------------------------------------------------------


def test_backward_of_a_complex_output_wants_a_gradient():
    z = complex_tensor(requires_grad=True)
    with pytest.raises(RuntimeError, match="only for real scalar outputs"):
        z.sum().backward()
    with pytest.raises(RuntimeError, match="a gradient of complex128"):
        z.sum().backward(bolide.tensor(1.0))
    z.sum().backward(bolide.tensor(2 + 1j, dtype=bolide.complex128))
    assert z.grad.tolist() == [2 + 1j, 2 + 1j]


def test_the_gradient_is_the_direction_of_steepest_ascent():
    """PyTorch's convention: of L = |z|^2 it is 2 z; a real input gets the real part."""
    z = complex_tensor(requires_grad=True)
    (z * z.conj()).real.sum().backward()
    assert z.grad.tolist() == [2 * v for v in Z]
    x = bolide.tensor([1.0, 2.0], dtype=bolide.float64, requires_grad=True)
    (x * complex_tensor()).abs().sum().backward()
    assert np.allclose(x.grad.tolist(), [abs(v) for v in Z]) and x.grad.dtype == bolide.float64
    w = complex_tensor([0j, 1j], requires_grad=True)
    (w.abs() + w.angle()).sum().backward()
    assert w.grad.tolist() == [0, -1 + 1j]


def test_a_step_downhill():
    z = complex_tensor(requires_grad=True)
    optimizer = bolide.optim.SGD([z], lr=0.25)
    for _ in range(40):
        optimizer.zero_grad()
        loss = (z - (1 - 1j)).abs().square().sum()
        loss.backward()
        optimizer.step()
    assert loss.item() < 1e-12


def test_gradcheck_notices_a_missing_conjugate():
    class Wrong(bolide.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * g * x

    z = complex_tensor(requires_grad=True)
    with pytest.raises(GradcheckError):
        bolide.autograd.gradcheck(Wrong.apply, (z,))
    assert bolide.autograd.gradcheck(lambda x: x * x, (z,)) and bolide.autograd.gradgradcheck(
        lambda x: x * x * x, (z,)
    )
    assert bolide.autograd.gradcheck(lambda x: (bolide.view_as_real(x), x.imag * x), (z,))
