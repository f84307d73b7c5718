"""Special functions under the names of torch.special: elementwise ops of the extension
(kernels/elementwise.def, kernels/rare.def, bindings/ops_pointwise.cpp)."""

from __future__ import annotations

from bolide import _C
from bolide._C import (
    digamma,
    erf,
    erfc,
    erfinv,
    exp2,
    expm1,
    i0,
    log1p,
    log_softmax,
    logit,
    logsumexp,
    polygamma,
    round,
    sinc,
    softmax,
    xlogy,
)

airy_ai = _C._airy_ai
bessel_j0 = _C._bessel_j0
bessel_j1 = _C._bessel_j1
bessel_y0 = _C._bessel_y0
bessel_y1 = _C._bessel_y1
chebyshev_polynomial_t = _C._chebyshev_polynomial_t
chebyshev_polynomial_u = _C._chebyshev_polynomial_u
chebyshev_polynomial_v = _C._chebyshev_polynomial_v
chebyshev_polynomial_w = _C._chebyshev_polynomial_w
entr = _C._entr
erfcx = _C._erfcx
expit = _C.sigmoid
gammainc = _C.igamma
gammaincc = _C.igammac
gammaln = _C.lgamma
hermite_polynomial_h = _C._hermite_polynomial_h
hermite_polynomial_he = _C._hermite_polynomial_he
i0e = _C._i0e
i1 = _C._i1
i1e = _C._i1e
laguerre_polynomial_l = _C._laguerre_polynomial_l
legendre_polynomial_p = _C._legendre_polynomial_p
log_ndtr = _C._log_ndtr
modified_bessel_i0 = _C.i0
modified_bessel_i1 = _C._i1
modified_bessel_k0 = _C._modified_bessel_k0
modified_bessel_k1 = _C._modified_bessel_k1
multigammaln = _C.mvlgamma
ndtr = _C._ndtr
ndtri = _C._ndtri
psi = _C.digamma
scaled_modified_bessel_k0 = _C._scaled_modified_bessel_k0
scaled_modified_bessel_k1 = _C._scaled_modified_bessel_k1
shifted_chebyshev_polynomial_t = _C._shifted_chebyshev_polynomial_t
shifted_chebyshev_polynomial_u = _C._shifted_chebyshev_polynomial_u
shifted_chebyshev_polynomial_v = _C._shifted_chebyshev_polynomial_v
shifted_chebyshev_polynomial_w = _C._shifted_chebyshev_polynomial_w
spherical_bessel_j0 = _C._spherical_bessel_j0
xlog1py = _C._xlog1py
zeta = _C._zeta

__all__ = [
    "airy_ai",
    "bessel_j0",
    "bessel_j1",
    "bessel_y0",
    "bessel_y1",
    "chebyshev_polynomial_t",
    "chebyshev_polynomial_u",
    "chebyshev_polynomial_v",
    "chebyshev_polynomial_w",
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfcx",
    "erfinv",
    "exp2",
    "expit",
    "expm1",
    "gammainc",
    "gammaincc",
    "gammaln",
    "hermite_polynomial_h",
    "hermite_polynomial_he",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "laguerre_polynomial_l",
    "legendre_polynomial_p",
    "log1p",
    "log_ndtr",
    "log_softmax",
    "logit",
    "logsumexp",
    "modified_bessel_i0",
    "modified_bessel_i1",
    "modified_bessel_k0",
    "modified_bessel_k1",
    "multigammaln",
    "ndtr",
    "ndtri",
    "polygamma",
    "psi",
    "round",
    "scaled_modified_bessel_k0",
    "scaled_modified_bessel_k1",
    "shifted_chebyshev_polynomial_t",
    "shifted_chebyshev_polynomial_u",
    "shifted_chebyshev_polynomial_v",
    "shifted_chebyshev_polynomial_w",
    "sinc",
    "softmax",
    "spherical_bessel_j0",
    "xlog1py",
    "xlogy",
    "zeta",
]
