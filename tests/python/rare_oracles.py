"""What the functions of kernels/rare.def should give: power series in sixty decimal digits, for small arguments.

Each is the defining series, whatever cancels in it: at the sizes that the rows draw, forty digits are left.
"""

import functools
import math
from decimal import Decimal, localcontext

import numpy as np

PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459")
EULER = Decimal("0.57721566490153286060651209008240243104215933593992359880576723")


def exactly(function):
    """A function of decimals as one of arrays of float64."""

    @functools.cache
    def one(*numbers):
        with localcontext() as context:
            context.prec = 60
            return float(function(*map(Decimal, numbers)))

    return np.vectorize(lambda *numbers: one(*map(float, numbers)), otypes=[np.float64])


def total(terms):
    """The sum of a series, up to where its terms are nothing."""
    result = Decimal(0)
    for n, term in enumerate(terms):
        result += term
        if n > 8 and abs(term) < Decimal("1e-58"):
            return result
    raise AssertionError("endless")


def ratios(first, ratio):
    """first, first * ratio(1), first * ratio(1) * ratio(2), ..."""
    term, k = first, 0
    while True:
        yield term
        k += 1
        term *= ratio(k)


def bessel(order, sign, x):
    """J (sign -1) and I (sign 1): DLMF 10.2.2, 10.25.2."""
    return total(ratios((x / 2) ** order if order else Decimal(1), lambda k: sign * x * x / 4 / (k * (k + order))))  # fmt: skip


def harmonic_sum(sign, x):
    term, harmonic, parts = Decimal(1), Decimal(0), []
    for k in range(1, 60):
        term *= sign * x * x / 4 / (k * k)
        harmonic += Decimal(1) / k
        parts.append(term * harmonic)
    return sum(parts)


def k_zero(x):  # 10.31.2
    return harmonic_sum(1, x) - ((x / 2).ln() + EULER) * bessel(0, 1, x)


def k_one(x):  # the Wronskian, 10.28.2
    return (1 / x - bessel(1, 1, x) * k_zero(x)) / bessel(0, 1, x)


def y_zero(x):  # 10.8.2
    return 2 / PI * (((x / 2).ln() + EULER) * bessel(0, -1, x) - harmonic_sum(-1, x))


def y_one(x):  # 10.5.2
    return (bessel(1, -1, x) * y_zero(x) - 2 / (PI * x)) / bessel(0, -1, x)


def airy(x):  # 9.4.1
    f = total(ratios(Decimal(1), lambda k: x**3 / ((3 * k - 1) * (3 * k))))
    g = total(ratios(x, lambda k: x**3 / ((3 * k) * (3 * k + 1))))
    return (Decimal("0.355028053887817239260063186004183176397979") * f
            - Decimal("0.258819403792806798405183560189203963479091") * g)  # fmt: skip


def erfc(x):  # 7.6.1
    terms = ratios(x, lambda k: -x * x / k)
    return 1 - 2 / PI.sqrt() * total(t / (2 * k + 1) for k, t in enumerate(terms))


def ndtr(x):
    return erfc(-x / Decimal(2).sqrt()) / 2


def gamma(a):
    """By Stirling's series (5.11.1) far out, and the recurrence back."""
    steps = Decimal(1)
    while a < 60:
        steps *= a
        a += 1
    bernoulli = [
        "1/12",
        "-1/360",
        "1/1260",
        "-1/1680",
        "1/1188",
        "-691/360360",
        "1/156",
        "-3617/122400",
    ]
    series = sum(
        Decimal(b.split("/")[0]) / Decimal(b.split("/")[1]) / a ** (2 * i + 1)
        for i, b in enumerate(bernoulli)
    )
    return ((a - Decimal("0.5")) * a.ln() - a + (2 * PI).ln() / 2 + series).exp() / steps


def lower_gamma(a, x):  # 8.7.1
    if a == 0 or x == 0:
        return Decimal("NaN") if a == x else Decimal(int(a == 0))
    return (a * x.ln() - x).exp() / gamma(a + 1) * total(ratios(Decimal(1), lambda k: x / (a + k)))


i0 = exactly(lambda x: bessel(0, 1, x))
i1 = exactly(lambda x: bessel(1, 1, x))
i0e = exactly(lambda x: bessel(0, 1, x) * (-abs(x)).exp())
i1e = exactly(lambda x: bessel(1, 1, x) * (-abs(x)).exp())
modified_bessel_k0 = exactly(k_zero)
modified_bessel_k1 = exactly(k_one)
scaled_modified_bessel_k0 = exactly(lambda x: k_zero(x) * x.exp())
scaled_modified_bessel_k1 = exactly(lambda x: k_one(x) * x.exp())
bessel_j0 = exactly(lambda x: bessel(0, -1, x))
bessel_j1 = exactly(lambda x: bessel(1, -1, x))
bessel_y0 = exactly(y_zero)
bessel_y1 = exactly(y_one)
spherical_bessel_j0 = np.vectorize(lambda x: math.sin(x) / x if x else 1.0, otypes=[np.float64])
airy_ai = exactly(airy)
erfcx = exactly(lambda x: erfc(x) * (x * x).exp())
log_ndtr = exactly(lambda x: ndtr(x).ln())
igamma = exactly(lower_gamma)
igammac = exactly(lambda a, x: 1 - lower_gamma(a, x))


def ndtri(p):
    """By halving an interval, on ndtr()."""

    def one(p):
        low, high = Decimal(-10), Decimal(10)
        for _ in range(70):
            middle = (low + high) / 2
            low, high = (middle, high) if ndtr(middle) < p else (low, middle)
        return low

    return exactly(one)(p)


# ---- orthogonal polynomials ----------------------------------------------------------------------


def by_angle(function):
    """A Chebyshev polynomial inside [-1, 1], of the angle whose cosine x is."""
    return lambda x, n: function(np.arccos(x), np.trunc(n))


def classical(values):
    """One of NumPy's, by its coefficients."""

    def one(x, n):
        return values(x, [0.0] * int(n) + [1.0])

    return np.vectorize(one, otypes=[np.float64])


POLYNOMIALS = {
    "chebyshev_polynomial_t": by_angle(lambda t, n: np.cos(n * t)),
    "chebyshev_polynomial_u": by_angle(lambda t, n: np.sin((n + 1) * t) / np.sin(t)),
    "chebyshev_polynomial_v": by_angle(lambda t, n: np.cos((n + 0.5) * t) / np.cos(t / 2)),
    "chebyshev_polynomial_w": by_angle(lambda t, n: np.sin((n + 0.5) * t) / np.sin(t / 2)),
    "hermite_polynomial_h": classical(np.polynomial.hermite.hermval),
    "hermite_polynomial_he": classical(np.polynomial.hermite_e.hermeval),
    "laguerre_polynomial_l": classical(np.polynomial.laguerre.lagval),
    "legendre_polynomial_p": classical(np.polynomial.legendre.legval),
}
