"""bolide.special where op_rows_rare.py does not look: arguments that are large, tiny, or at an edge.

The values were computed with mpmath 1.3 in forty digits; where mpmath is installed, random arguments are compared too.
"""

import math
import random

import bolide
import pytest
from conftest import DEVICE

if DEVICE != "cpu":
    pytest.skip("the functions have no CUDA kernel", allow_module_level=True)

INF, NAN = math.inf, math.nan
# name, arguments, value
KNOWN = [
    ("i0", (25.0,), 5774560606.4663105),
    ("i0", (-712.0,), 2.4684110577627523e307),
    ("i1", (-19.5,), -26065069.264457166),
    ("i0e", (1000000.0,), 0.00039894233026924577),
    ("modified_bessel_k0", (1e-10,), 23.14178244559887),
    ("modified_bessel_k1", (300.0,), 3.7298958583323724e-132),
    ("scaled_modified_bessel_k0", (10000.0,), 0.012532984717699286),
    ("bessel_j0", (1000.0,), 0.024786686152420176),
    ("bessel_y1", (50.0,), -0.05679566856201477),
    ("airy_ai", (-1.0,), 0.5355608832923521),
    ("airy_ai", (-12.5,), -0.27627456138116024),
    ("airy_ai", (1.0,), 0.13529241631288141),
    ("airy_ai", (30.0,), 3.2082175915504954e-49),
    ("erfcx", (24.9,), 0.022639987776049506),
    ("erfcx", (100000000.0,), 5.641895835477562e-09),
    ("erfcx", (-5.0,), 144009798674.66104),
    ("log_ndtr", (-100.0,), -5005.524208694205),
    ("log_ndtr", (-1.0,), -1.8410216450092636),
    ("log_ndtr", (3.0,), -0.0013508099647481938),
    ("ndtri", (1e-300,), -37.0470962993612),
    ("ndtri", (1e-20,), -9.262340089798407),
    ("ndtri", (0.3,), -0.5244005127080408),
    ("gammainc", (1000.0, 1010.0), 0.6276789447369947),
    ("gammaincc", (1000.0, 1010.0), 0.3723210552630053),
    ("gammainc", (50.0, 10.0), 1.8547268838697993e-19),
    ("gammaincc", (0.5, 30.0), 9.485737571073848e-15),
    ("gammainc", (100000.0, 99900.0), 0.37627489275434334),
    ("chebyshev_polynomial_t", (1.5, 20), 114413063.5),
    ("legendre_polynomial_p", (-2.0, 9), -27100.671875),
    ("laguerre_polynomial_l", (40.0, 6), 1967316.5555555555),
    ("hermite_polynomial_h", (5.0, 11), 24329873600.0),
]
EDGES = [
    ("i0", (0.0,), 1.0), ("i0", (-INF,), INF), ("i1", (INF,), INF), ("i1", (-INF,), -INF), ("i0", (720.0,), INF),
    ("i0e", (INF,), 0.0), ("i1e", (-INF,), -0.0), ("i1", (0.0,), 0.0),
    ("modified_bessel_k0", (0.0,), INF), ("modified_bessel_k1", (-1.0,), NAN), ("modified_bessel_k0", (INF,), 0.0),
    ("scaled_modified_bessel_k1", (0.0,), INF), ("scaled_modified_bessel_k0", (INF,), 0.0),
    ("bessel_y0", (0.0,), -INF), ("bessel_y1", (-1.0,), NAN), ("bessel_j0", (0.0,), 1.0),
    ("spherical_bessel_j0", (0.0,), 1.0), ("spherical_bessel_j0", (INF,), 0.0), ("airy_ai", (INF,), 0.0),
    ("erfcx", (INF,), 0.0), ("erfcx", (-INF,), INF), ("log_ndtr", (-INF,), -INF), ("log_ndtr", (INF,), -0.0),
    ("ndtri", (0.0,), -INF), ("ndtri", (1.0,), INF), ("ndtri", (0.5,), 0.0), ("ndtri", (1.5,), NAN),
    ("gammainc", (0.0, 1.0), 1.0), ("gammaincc", (0.0, 1.0), 0.0), ("gammainc", (0.0, 0.0), NAN),
    ("gammainc", (2.0, 0.0), 0.0), ("gammaincc", (2.0, INF), 0.0), ("gammainc", (INF, 2.0), 0.0),
    ("gammainc", (-1.0, 1.0), NAN), ("gammaincc", (1.0, -1.0), NAN), ("gammainc", (INF, INF), NAN),
    ("chebyshev_polynomial_t", (0.3, -1), 0.0), ("hermite_polynomial_h", (0.3, 0), 1.0),
    ("legendre_polynomial_p", (1.0, 50), 1.0), ("laguerre_polynomial_l", (0.0, 30), 1.0),
]  # fmt: skip


def value_of(name, arguments, dtype=bolide.float64):
    tensors = [bolide.tensor(float(x), dtype=dtype) for x in arguments]
    return getattr(bolide.special, name)(*tensors).item()


@pytest.mark.parametrize(("name", "arguments", "wanted"), KNOWN, ids=lambda v: str(v))
def test_known_values(name, arguments, wanted):
    assert value_of(name, arguments) == pytest.approx(wanted, rel=2e-13, abs=0)


@pytest.mark.parametrize(("name", "arguments", "wanted"), EDGES, ids=lambda v: str(v))
def test_edges(name, arguments, wanted):
    found = value_of(name, arguments)
    assert found == wanted or (math.isnan(found) and math.isnan(wanted))
    assert math.isnan(value_of(name, [NAN] * len(arguments)))


REFERENCES = {
    "i0e": (lambda mp, x: mp.besseli(0, x) * mp.exp(-abs(x)), (-600, 600)),
    "i1e": (lambda mp, x: mp.besseli(1, x) * mp.exp(-abs(x)), (-600, 600)),
    "scaled_modified_bessel_k0": (lambda mp, x: mp.besselk(0, x) * mp.exp(x), (1e-6, 600)),
    "scaled_modified_bessel_k1": (lambda mp, x: mp.besselk(1, x) * mp.exp(x), (1e-6, 600)),
    "airy_ai": (lambda mp, x: mp.airyai(x), (0, 20)),
    "erfcx": (lambda mp, x: mp.erfc(x) * mp.exp(x * x), (-20, 40)),
    "log_ndtr": (lambda mp, x: mp.log(mp.ncdf(x)), (-35, 4)),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_against_mpmath(name):
    mp = pytest.importorskip("mpmath").mp
    function, (low, high) = REFERENCES[name]
    draw = random.Random(name)
    with mp.workdps(40):
        for _ in range(40):
            x = draw.uniform(low, high)
            wanted = float(function(mp, mp.mpf(x)))
            assert value_of(name, (x,)) == pytest.approx(wanted, rel=1e-13, abs=0), x


def test_of_integers_and_numbers():
    assert bolide.i0(bolide.tensor([0, 1])).dtype == bolide.float32
    assert bolide.special.hermite_polynomial_h(2.0, bolide.tensor([0, 1, 2])).tolist() == [
        1.0,
        4.0,
        14.0,
    ]
    assert bolide.special.chebyshev_polynomial_u(bolide.tensor([0.5]), 2).tolist() == [0.0]
    with pytest.raises(bolide.DTypeError, match="complex64"):
        bolide.i0(bolide.tensor([1j]))
    with pytest.raises(TypeError, match="Tensor"):
        bolide.special.hermite_polynomial_h(2.0, 1)


def test_out_and_in_place():
    x = bolide.tensor([0.5, 2.0], dtype=bolide.float64)
    out = bolide.empty(2, dtype=bolide.float64)
    assert bolide.special.i1(x, out=out) is out and out.tolist() == bolide.special.i1(x).tolist()
    assert (
        bolide.special.gammainc(x, x, out=out) is out
        and out.tolist() == bolide.igamma(x, x).tolist()
    )
    for name, args in (("i0", ()), ("mvlgamma", (1,)), ("igamma", (x.clone(),))):
        y, wanted = x.clone(), getattr(x, name)(*args).tolist()
        assert getattr(y, name + "_")(*args) is y and y.tolist() == wanted != x.tolist()
    matrix = bolide.tensor([[3.0, 4.0], [0.3, 0.4]], dtype=bolide.float64)
    assert matrix.renorm_(2, 0, 1.0) is matrix
    assert matrix[0].norm().item() == pytest.approx(1.0, abs=1e-7)
    assert matrix[1].tolist() == [0.3, 0.4]
    assert bolide.special.modified_bessel_i1 is bolide.special.i1
    assert bolide.special.modified_bessel_i0 is bolide.i0


def test_gradients_where_a_formula_divides_by_zero():
    x = bolide.tensor([0.0], dtype=bolide.float64, requires_grad=True)
    for function in (bolide.special.i1, bolide.special.i1e, bolide.special.bessel_j1):
        (slope,) = bolide.autograd.grad(function(x).sum(), x, create_graph=True)
        assert slope.tolist() == [0.5] and slope.requires_grad
