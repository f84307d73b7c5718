"""bolide.fft: lengths, layouts, norms, dtypes and errors. What each transform gives, with gradients: op_rows_fft.py."""

import math
import re

import bolide
import numpy as np
import pytest
from conftest import DEVICE

fft = bolide.fft
RANDOM = np.random.default_rng(11)

if DEVICE != "cpu":

    def test_a_device_without_the_kernel_says_so():
        with pytest.raises(
            NotImplementedError, match=r"\[fft\] expected a kernel for complex64 on cuda"
        ):
            fft.fft(bolide.ones(4, device=DEVICE))

    pytest.skip("the transforms have no CUDA kernel yet", allow_module_level=True)


def numbers(*shape, dtype="complex128"):
    x = RANDOM.normal(size=shape) + 1j * RANDOM.normal(size=shape)
    return (x if dtype.startswith("complex") else x.real).astype(dtype)


def near(got, wanted, dtype):
    eps = 1.2e-7 if dtype in ("complex64", "float32") else 2.3e-16
    got = got.numpy()
    assert got.shape == wanted.shape
    assert not (abs(got - wanted).max(initial=0) > 16 * eps * abs(wanted).max(initial=1)), (
        dtype,
        got.shape,
    )


# Every length that has a method of its own: small ones, each radix, products, what is split, primes above the radices.
LENGTHS = (
    *range(1, 65),
    74,
    100,
    121,
    128,
    210,
    243,
    257,
    512,
    961,
    1000,
    1009,
    1024,
    4096,
    5005,
    6000,
    16384,
)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_every_kind_of_length(dtype):
    real = {"complex64": "float32", "complex128": "float64"}[dtype]
    for n in LENGTHS:
        for rows in (1, 3, 40) if n < 300 else (2,):
            x, y = numbers(rows, n, dtype=dtype), numbers(rows, n, dtype=real)
            near(fft.fft(bolide.from_numpy(x)), np.fft.fft(x.astype("complex128")), dtype)
            near(fft.ifft(bolide.from_numpy(x)), np.fft.ifft(x.astype("complex128")), dtype)
            near(fft.rfft(bolide.from_numpy(y)), np.fft.rfft(y.astype("float64")), dtype)
            half = x[:, : n // 2 + 1]
            near(
                fft.irfft(bolide.from_numpy(half), n),
                np.fft.irfft(half.astype("complex128"), n),
                dtype,
            )


def test_across_memory_and_on_views():
    x = numbers(6, 37, 5, 20)
    t = bolide.from_numpy(x)
    for dim in range(-4, 4):
        near(fft.fft(t, dim=dim), np.fft.fft(x, axis=dim), "complex128")
        near(fft.rfft(t.real, dim=dim), np.fft.rfft(x.real, axis=dim), "complex128")
        near(
            fft.fft(t[::2, 1:, :, ::3], dim=dim),
            np.fft.fft(x[::2, 1:, :, ::3], axis=dim),
            "complex128",
        )
        near(
            fft.irfft(t.transpose(0, 1), dim=dim),
            np.fft.irfft(x.swapaxes(0, 1), axis=dim),
            "complex128",
        )
    spread = bolide.tensor(1 + 2j).expand(3, 4)
    near(fft.fft2(spread), np.fft.fft2(np.full((3, 4), 1 + 2j)), "complex64")
    before = t.clone()
    fft.fftn(t)
    assert (t == before).all()


@pytest.mark.parametrize("norm", [None, "backward", "ortho", "forward"])
def test_each_undoes_another(norm):
    for shape in ((4, 6), (3, 5), (2, 37)):
        z, x = (bolide.from_numpy(numbers(*shape, dtype=d)) for d in ("complex128", "float64"))
        named = {"norm": norm}
        odd = {**named, "s": shape}
        pairs = [
            (z, fft.ifft(fft.fft(z, **named), **named)),
            (z, fft.ifft2(fft.fft2(z, **named), **named)),
            (z, fft.fftn(fft.ifftn(z, **named), **named)),
            (x, fft.irfft(fft.rfft(x, **named), shape[-1], **named)),
            (x, fft.hfft(fft.ihfft(x, **named), shape[-1], **named)),
            (x, fft.irfft2(fft.rfft2(x, **named), **odd)),
            (x, fft.irfftn(fft.rfftn(x, **named), **odd)),
            (x, fft.hfft2(fft.ihfft2(x, **named), **odd)),
            (x, fft.hfftn(fft.ihfftn(x, **named), **odd)),
        ]
        for given, back in pairs:
            assert bolide.allclose(given, back, atol=1e-12)


def test_hfftn_is_fft_and_hfft():
    z = bolide.from_numpy(numbers(3, 4))
    assert bolide.allclose(fft.hfftn(z), fft.hfft(fft.fft(z, dim=0)))
    assert bolide.allclose(fft.ihfftn(z.real), fft.ifft(fft.ihfft(z.real), dim=0))


def test_dtypes():
    x = bolide.tensor([[1, 2, 3, 4]])
    assert (
        fft.fft(x).dtype
        == fft.fft(x > 2).dtype
        == fft.rfft(x.to(bolide.uint8)).dtype
        == bolide.complex64
    )
    assert fft.fft(x.double()).dtype == fft.ihfft(x.double()).dtype == bolide.complex128
    assert (
        fft.irfft(x).dtype == bolide.float32
        and fft.hfft(x.to(bolide.complex128)).dtype == bolide.float64
    )
    for dtype in (bolide.float16, bolide.bfloat16):
        with pytest.raises(
            RuntimeError, match=r"\[fft\] expected float32, float64, complex64 or complex128, got"
        ):
            fft.fft(x.to(dtype))
    for name in ("rfft", "ihfft", "rfftn", "ihfft2"):
        with pytest.raises(
            RuntimeError, match=rf"\[{name}\] expected float32 or float64, got bolide.complex64"
        ):
            getattr(fft, name)(x.to(bolide.complex64))


ERRORS = [
    ("fft", ((2, 3),), {"n": 0}, RuntimeError, "at least one number to transform, got 0"),
    ("fft", ((2, 3),), {"n": -1}, RuntimeError, "at least one number to transform, got"),
    ("fft", ((2, 0),), {}, RuntimeError, "at least one number to transform, got 0"),
    ("irfft", ((2, 1),), {}, RuntimeError, "at least one number to transform, got 0"),
    ("fft", ((2, 3),), {"dim": 2}, IndexError, "a dim in [-2, 1], got 2"),
    ("fft", ((),), {}, IndexError, "a dim in [0, -1], got -1"),
    ("fft2", ((3,),), {}, IndexError, "a dim in [-1, 0], got -2"),
    (
        "fft",
        ((2, 3),),
        {"norm": "other"},
        RuntimeError,
        "a norm of backward, ortho, forward, got 'other'",
    ),
    (
        "fftn",
        ((2, 3),),
        {"s": (2,), "dim": (0, 1)},
        RuntimeError,
        "as many sizes as dims, got 1 and 2",
    ),
    ("fftn", ((2, 3),), {"s": (2, 2, 2)}, RuntimeError, "at most 2 sizes, got 3"),
    ("fftn", ((2, 3),), {"dim": (0, -2)}, RuntimeError, "different dims, got (0, -2)"),
    ("rfftn", ((),), {}, RuntimeError, "at least one dim to transform, got none"),
    ("irfftn", ((2,),), {"dim": ()}, RuntimeError, "at least one dim to transform, got none"),
]


@pytest.mark.parametrize(("name", "shapes", "named", "error", "text"), ERRORS)
def test_errors(name, shapes, named, error, text):
    with pytest.raises(error, match=re.escape(f"[{name}] expected {text}")):
        getattr(fft, name)(bolide.ones(*shapes), **named)


def test_out():
    x = bolide.from_numpy(numbers(2, 6, dtype="float64"))
    for name, dtype in [("fft", "complex128"), ("rfft", "complex128"), ("ihfft", "complex128"), ("irfft", "float64"), ("rfft2", "complex128")]:  # fmt: skip
        out = bolide.empty(0, dtype=getattr(bolide, dtype))
        assert getattr(fft, name)(x, out=out) is out
        assert bolide.equal(out, getattr(fft, name)(x))
    with pytest.raises(RuntimeError):
        fft.fft(x, out=bolide.empty(2, 6, dtype=bolide.float64))
    out = bolide.empty(0)
    assert fft.fftfreq(3, out=out) is out and out.tolist() == fft.fftfreq(3).tolist()


def test_no_dims_and_sizes_that_stay():
    x = bolide.ones(2, 3)
    assert (
        fft.fftn(x, dim=()).tolist() == x.tolist() and fft.fftn(x, dim=()).dtype == bolide.complex64
    )
    assert fft.fftn(bolide.tensor(2.0)).item() == 2
    assert fft.fftn(x, s=(-1, 4)).shape == (2, 4) and fft.fft(bolide.ones(0, 3)).shape == (0, 3)


def test_frequencies_and_shifts():
    for n in (1, 2, 5, 8):
        assert np.allclose(fft.fftfreq(n, 0.5).numpy(), np.fft.fftfreq(n, 0.5))
        assert np.allclose(
            fft.rfftfreq(n, 0.5, dtype=bolide.float64).numpy(), np.fft.rfftfreq(n, 0.5)
        )
    assert fft.fftfreq(0).shape == (0,) and fft.fftfreq(4, requires_grad=True).requires_grad
    assert math.isnan(fft.fftfreq(4, 0)[0].item())
    x = numbers(3, 4, 5)
    t = bolide.from_numpy(x)
    for dims in (None, 1, (0, 2), ()):
        assert (fft.fftshift(t, dims).numpy() == np.fft.fftshift(x, dims)).all()
        assert (fft.ifftshift(t, dims).numpy() == np.fft.ifftshift(x, dims)).all()
        assert (fft.ifftshift(fft.fftshift(t, dims), dims) == t).all()


def test_threads_change_nothing():
    x = bolide.from_numpy(numbers(70, 2000, dtype="complex64"))
    before = bolide.get_num_threads()
    try:
        results = []
        for count in (1, 4):
            bolide.set_num_threads(count)
            results.append((fft.fft(x), fft.fft(x, dim=0), fft.rfft(x.real)))
    finally:
        bolide.set_num_threads(before)
    for one, many in zip(*results, strict=True):
        assert bolide.equal(one, many)


def test_gradcheck_to_second_order():
    z = bolide.from_numpy(numbers(2, 5)).requires_grad_()
    x = bolide.from_numpy(numbers(2, 6, dtype="float64")).requires_grad_()
    for function, given in [
        (lambda z: fft.fftn(z, (3, 4), norm="ortho"), z),
        (lambda z: fft.irfft2(z, (2, 7)), z),
        (lambda z: fft.hfft(z, 8), z),
        (lambda x: fft.rfftn(x), x),
        (lambda x: fft.ihfft(x, 5, 0), x),
    ]:
        assert bolide.autograd.gradcheck(function, (given,))
        assert bolide.autograd.gradgradcheck(function, (given,))
