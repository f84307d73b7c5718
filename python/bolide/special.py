"""Special functions under the names of torch.special: elementwise ops of the extension, and a few made of them."""

from __future__ import annotations

import math

from bolide import _C
from bolide._C import (
    Tensor,
    digamma,
    erf,
    erfc,
    erfinv,
    exp2,
    expm1,
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

entr = _C._entr
expit = _C.sigmoid
gammaln = _C.lgamma
ndtr = _C._ndtr
ndtri = _C._ndtri
psi = _C.digamma
xlog1py = _C._xlog1py
zeta = _C._zeta

__all__ = [
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfinv",
    "exp2",
    "expit",
    "expm1",
    "gammaln",
    "log1p",
    "log_softmax",
    "logit",
    "logsumexp",
    "multigammaln",
    "ndtr",
    "ndtri",
    "polygamma",
    "psi",
    "round",
    "sinc",
    "softmax",
    "xlog1py",
    "xlogy",
    "zeta",
]


def multigammaln(input: Tensor, p: int) -> Tensor:
    """Logarithm of the multivariate gamma function of dimension p; input must be above (p - 1) / 2.

    Reference: torch.special.multigammaln.
    """
    total = _C.lgamma(input)
    for k in range(1, p):
        total = total + _C.lgamma(input - k / 2)
    return total + p * (p - 1) / 4 * math.log(math.pi)
