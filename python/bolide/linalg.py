"""Linear algebra under the names of torch.linalg, on batches of matrices in the last two dimensions.

float32, float64, complex64 and complex128, on LAPACK; differentiable to second order. A matrix that is singular, not
positive definite, or whose iteration does not converge raises LinAlgError.

    >>> A = bolide.tensor([[2.0, 1.0], [1.0, 3.0]])
    >>> bolide.linalg.solve(A, bolide.tensor([3.0, 4.0]))
    tensor([1., 1.])

The factorisations and norms are the extension's (bindings/ops_linalg.cpp); what is made of several ops is Python.
To add a function: a row there and its name here, or a function here.
"""

from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Sequence

from bolide import _C, _dtype_info
from bolide._C import LinAlgError, Tensor, matmul
from bolide._products import into, multi_dot, powers

cholesky = _C._linalg_cholesky
cholesky_ex = _C._linalg_cholesky_ex
cond = _C._linalg_cond
det = _C._linalg_det
eig = _C._linalg_eig
eigh = _C._linalg_eigh
eigvals = _C._linalg_eigvals
eigvalsh = _C._linalg_eigvalsh
householder_product = _C._linalg_householder_product
inv = _C._linalg_inv
inv_ex = _C._linalg_inv_ex
ldl_factor = _C._linalg_ldl_factor
ldl_factor_ex = _C._linalg_ldl_factor_ex
ldl_solve = _C._linalg_ldl_solve
lu = _C._linalg_lu
lu_factor = _C._linalg_lu_factor
lu_factor_ex = _C._linalg_lu_factor_ex
lu_solve = _C._linalg_lu_solve
matrix_exp = _C._linalg_matrix_exp
matrix_norm = _C._linalg_matrix_norm
matrix_power = _C._linalg_matrix_power
matrix_rank = _C._linalg_matrix_rank
norm = _C._linalg_norm
pinv = _C._linalg_pinv
qr = _C._linalg_qr
slogdet = _C._linalg_slogdet
solve = _C._linalg_solve
solve_ex = _C._linalg_solve_ex
solve_triangular = _C._linalg_solve_triangular
svd = _C._linalg_svd
svdvals = _C._linalg_svdvals
vecdot = _C._linalg_vecdot
vector_norm = _C._linalg_vector_norm

__all__ = [
    "LinAlgError",
    "cholesky",
    "cholesky_ex",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "householder_product",
    "inv",
    "inv_ex",
    "ldl_factor",
    "ldl_factor_ex",
    "ldl_solve",
    "lstsq",
    "lu",
    "lu_factor",
    "lu_factor_ex",
    "lu_solve",
    "matmul",
    "matrix_exp",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "multi_dot",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_ex",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensorinv",
    "tensorsolve",
    "vander",
    "vecdot",
    "vector_norm",
]

LeastSquares = namedtuple("LeastSquares", ["solution", "residuals", "rank", "singular_values"])


def cross(input: Tensor, other: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor:
    """The cross product of vectors of three along dim. Reference: torch.linalg.cross."""
    return into(out, _C.cross(input, other, dim), "linalg.cross")


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Tensor.diagonal() of the last two dimensions. Reference: torch.linalg.diagonal."""
    return A.diagonal(offset, dim1, dim2)


def vander(x: Tensor, N: int | None = None) -> Tensor:
    """The powers 0 to N - 1 (N: the size) of each element of [..., n]: [..., n, N].

    Reference: torch.linalg.vander.
    """
    if x.dtype == _C.bool:
        raise _C.DTypeError(
            "[linalg.vander] expected a floating point, complex or integer tensor, got bool."
        )
    x = x if x.ndim else x.reshape(1)
    count = x.shape[-1] if N is None else N
    if count <= 1:
        raise _C.BolideError(f"[linalg.vander] expected N greater than 1, got {count}.")
    return powers(x, count)


def tensorinv(A: Tensor, ind: int = 2, *, out: Tensor | None = None) -> Tensor:
    """The inverse of the map from the last dimensions to the first ``ind``, as a tensor.

    Reference: torch.linalg.tensorinv.
    """
    if ind <= 0:
        raise _C.BolideError(f"[linalg.tensorinv] expected a strictly positive ind, got {ind}.")
    first, last = tuple(A.shape[:ind]), tuple(A.shape[ind:])
    if math.prod(first) != math.prod(last):
        raise _C.ShapeError(
            "[linalg.tensorinv] expected prod(A.shape[ind:]) == prod(A.shape[:ind]), "
            f"got {math.prod(last)} != {math.prod(first)}."
        )
    found = inv(A.reshape(math.prod(last), math.prod(first)))
    return into(out, found.reshape(last + first))


def tensorsolve(
    A: Tensor, B: Tensor, dims: Sequence[int] | None = None, *, out: Tensor | None = None
) -> Tensor:
    """X with tensordot(A, X, X.ndim) == B; ``dims`` of A are moved to its end first.

    Reference: torch.linalg.tensorsolve.
    """
    if dims is not None:
        A = A.movedim(tuple(dims), tuple(range(A.ndim - len(dims), A.ndim)))
    first, last = tuple(A.shape[: B.ndim]), tuple(A.shape[B.ndim :])
    if math.prod(first) != math.prod(last):
        raise _C.ShapeError(
            "[linalg.tensorsolve] expected prod(A.shape[B.ndim:]) == prod(A.shape[:B.ndim]), "
            f"got {math.prod(last)} != {math.prod(first)}."
        )
    size = math.prod(last)
    return into(out, solve(A.reshape(size, size), B.reshape(size)).reshape(last))


# ---- least squares -------------------------------------------------------------------------------

_DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


def _are_vectors(A: Tensor, B: Tensor) -> bool:
    """Is B a batch of vectors, not of matrices?"""
    return B.ndim == 1 or (A.ndim - 1 == B.ndim and B.shape == A.shape[:-1])


def lstsq(
    A: Tensor,
    B: Tensor,
    rcond: float | None = None,
    *,
    driver: str | None = None,
    out: Sequence[Tensor] | None = None,
) -> LeastSquares:
    """The X that makes the norm of A @ X - B smallest, the shortest of several.

    Gives (solution, residuals, rank, singular_values): what the driver gives, else empty. 'gelsy', the
    default, has the rank; 'gelsd' and 'gelss' the singular values too; 'gels' takes A as of full rank.
    All but 'gelsy' have residuals, where A has more rows than columns and full rank. Singular values up to rcond
    (max(m, n) * eps) times the largest count as zero.

    Reference: torch.linalg.lstsq.
    """
    if driver not in (None, *_DRIVERS):
        raise _C.BolideError(
            f"[linalg.lstsq] expected driver as one of {', '.join(_DRIVERS)}, got '{driver}'."
        )
    if A.ndim < 2 or B.ndim < 1:
        raise _C.ShapeError(
            f"[linalg.lstsq] expected A and B of at least 2 and 1 dimensions, got {A.ndim} and {B.ndim}."
        )
    if A.dtype != B.dtype:
        raise _C.BolideError(
            f"[linalg.lstsq] expected A and B to have the same dtype, got {A.dtype} and {B.dtype}."
        )
    vectors = _are_vectors(A, B)
    columns = B.unsqueeze(-1) if vectors else B
    m, n = A.shape[-2:]
    if columns.ndim < 2 or columns.shape[-2] != m:
        raise _C.ShapeError(f"[linalg.lstsq] expected B with {m} rows, got {tuple(B.shape)}.")
    driver = driver or "gelsy"
    U, S, Vh = (t.detach() for t in svd(A.detach(), False))
    small = (
        rcond if rcond is not None and rcond >= 0 else max(m, n) * _dtype_info.finfo(A.dtype).eps
    )
    limit = S[..., :1] * (small if driver != "gels" else 0.0)
    rank = (limit < S).sum(-1)
    recorded = _C.is_grad_enabled() and (A.requires_grad or B.requires_grad)
    if recorded:
        X = matmul(pinv(A, rtol=0.0 if driver == "gels" else small), columns)
    else:
        inverse = _C.where(limit < S, 1 / S, 0.0)
        X = matmul(Vh.mH, inverse.unsqueeze(-1) * matmul(U.mH, columns))
    # Without residuals an empty part of the graph, as PyTorch's.
    residuals = X.abs().reshape(-1)[:0] if recorded else S.new_empty(0)
    if driver != "gelsy" and m > n and bool((rank == n).all()):
        residuals = (matmul(A, X) - columns).abs().square().sum(-2)
    values = S if driver in ("gelsd", "gelss") else S.new_empty(0)
    if driver == "gels":
        rank = rank.new_empty(0)
    found = (X.squeeze(-1) if vectors else X, residuals, rank, values)
    if out is None:
        return LeastSquares(*found)
    return LeastSquares(*(into(to, part) for to, part in zip(out, found, strict=True)))
