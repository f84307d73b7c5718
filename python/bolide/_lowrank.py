"""A few singular values, principal components or eigenvalues of a large matrix, from products with it.

Only as many vectors are made as are asked for. To add one: a function here, its name in ``bolide._LAZY``.
"""

from __future__ import annotations

import math
from typing import Any

from bolide import _C, _dtype_info
from bolide._C import Tensor, matmul

__all__ = ["lobpcg", "pca_lowrank", "svd_lowrank"]


def _range_of(A: Tensor, q: int, niter: int) -> Tensor:
    """A basis of about the q directions in which A is largest (Halko et al. 2009, algorithm 4.4)."""
    start = _C.randn(A.shape[-1], q, dtype=A.dtype, device=A.device)
    basis = _C._linalg_qr(matmul(A, start))[0]
    for _ in range(niter):
        basis = _C._linalg_qr(matmul(A.mH, basis))[0]
        basis = _C._linalg_qr(matmul(A, basis))[0]
    return basis


def svd_lowrank(
    A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """(U, S, V) with U @ diag(S) @ V.mH near A - M: the q largest singular values and their vectors.

    From a random start, made better niter times (Halko, Martinsson, Tropp 2009): exact to rounding for
    a matrix of rank q or less. A is [..., m, n]; M broadcasts to it.

    Raises ShapeError for a vector.

        >>> U, S, V = bolide.svd_lowrank(bolide.ones(50, 20), q=1)
        >>> round(S.item() ** 2)
        1000

    Reference: torch.svd_lowrank.
    """
    if A.ndim < 2:
        raise _C.ShapeError(f"[svd_lowrank] expected A of at least 2 dimensions, got {A.ndim}.")
    q, niter = 6 if q is None else q, 2 if niter is None else niter
    if M is not None:
        A = A - M.expand(A.shape)
    wide = A.shape[-2] < A.shape[-1]
    if wide:
        A = A.mH
    basis = _range_of(A, q, niter)
    U, S, Vh = _C._linalg_svd(matmul(basis.mH, A), False)
    U, V = matmul(basis, U), Vh.mH
    return (V, S, U) if wide else (U, S, V)


def pca_lowrank(
    A: Tensor, q: int | None = None, center: bool = True, niter: int = 2
) -> tuple[Tensor, Tensor, Tensor]:
    """svd_lowrank() of A without the mean of its rows: V has the principal components as columns.

    q of them, 6 or fewer by default; S ** 2 / (m - 1) are the variances along them. center=False takes
    A as it is.

    Raises ValueError for a q beyond the sizes of A, or a negative niter.

        >>> U, S, V = bolide.pca_lowrank(bolide.randn(30, 4), q=2)
        >>> V.shape
        bolide.Size([4, 2])

    Reference: torch.pca_lowrank.
    """
    smallest = min(A.shape[-2:])
    q = min(6, smallest) if q is None else q
    if not 0 <= q <= smallest:
        raise ValueError(f"[pca_lowrank] expected q from 0 to {smallest}, got {q}.")
    if niter < 0:
        raise ValueError(f"[pca_lowrank] expected niter of at least 0, got {niter}.")
    if not (A.is_floating_point() or A.is_complex()):
        raise ValueError(f"[pca_lowrank] expected a floating point matrix, got {A.dtype}.")
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter)


# ---- eigenvalues ---------------------------------------------------------------------------------


def _inner(B: Tensor | None, x: Tensor) -> Tensor:
    return x if B is None else matmul(B, x)


def _orthonormal(B: Tensor | None, x: Tensor) -> Tensor:
    """A basis of what the columns span, orthonormal with B; what hardly counts is left out."""
    size = (x * x.conj()).sum(-2).real.sqrt()
    x = x[:, size > 0] / size[size > 0]
    values, vectors = _C._linalg_eigh(matmul(x.mH, _inner(B, x)))
    kept = values > values[-1] * (_dtype_info.finfo(x.dtype).eps * x.shape[-1])
    return matmul(x, vectors[:, kept] / values[kept].sqrt())


def _ritz(A: Tensor, basis: Tensor, count: int, largest: bool) -> tuple[Tensor, Tensor]:
    """The outermost eigenvalues of A on the space of the basis, and their vectors."""
    values, vectors = _C._linalg_eigh(matmul(basis.mH, matmul(A, basis)))
    if largest:
        values, vectors = values.flip(-1), vectors.flip(-1)
    return values[:count], matmul(basis, vectors[:, :count])


def _eigenpairs(
    A: Tensor,
    B: Tensor | None,
    X: Tensor,
    iK: Tensor | None,
    k: int,
    niter: float,
    tol: float,
    largest: bool,
) -> tuple[Tensor, Tensor]:
    """Of one matrix: the best vectors in the span of the last ones, their residuals and their steps."""
    count = X.shape[-1]
    norm_a = float(_C._linalg_norm(A))
    norm_b = 1.0 if B is None else float(_C._linalg_norm(B))
    values, X = _ritz(A, _orthonormal(B, X), count, largest)
    directions: list[Tensor] = []
    step = 0
    while step < niter:
        residual = matmul(A, X) - _inner(B, X) * values
        sizes = _C._linalg_vector_norm(residual, dim=-2)[:k]
        weights = (norm_a + values[:k].abs() * norm_b) * _C._linalg_vector_norm(X, dim=-2)[:k]
        if bool((sizes <= tol * weights).all()):
            break
        better = residual if iK is None else matmul(iK, residual)
        better = better - matmul(X, matmul(_inner(B, X).mH, better))
        basis = _orthonormal(B, _C.cat([X, better, *directions], -1))
        values, found = _ritz(A, basis, count, largest)
        directions = [found - matmul(X, matmul(_inner(B, X).mH, found))]
        X = found
        step += 1
    return values[:k], X[:, :k]


def lobpcg(
    A: Tensor,
    k: int | None = None,
    B: Tensor | None = None,
    X: Tensor | None = None,
    n: int | None = None,
    iK: Tensor | None = None,
    niter: int | None = None,
    tol: float | None = None,
    largest: bool | None = None,
    method: str | None = None,
    tracker: None = None,
    ortho_iparams: dict[str, int] | None = None,
    ortho_fparams: dict[str, float] | None = None,
    ortho_bparams: dict[str, bool] | None = None,
) -> tuple[Tensor, Tensor]:
    """(E, X): the k (1) largest or smallest eigenvalues [..., k] of a Hermitian A, and their vectors.

    By preconditioned conjugate gradients over a block of vectors (Knyazev 2001). B, positive definite,
    makes it A @ x = e * B @ x; X [..., m, n] is where to start, n how many vectors to work with, iK the
    preconditioner. It ends after niter steps (1000; -1: as many as it takes), or when the residuals are
    below tol (the root of the dtype's eps) times the norms of A and X. ``method`` and ``ortho_...`` are
    taken for PyTorch's sake: there is one method. No gradient: linalg.eigh() has one.

    Raises ShapeError unless A is square, ValueError for fewer rows than 3 * n, NotImplementedError for a
    tracker or a gradient.

        >>> E, X = bolide.lobpcg(bolide.diag(bolide.arange(1.0, 10.0)), k=2)
        >>> [round(e) for e in E.tolist()]
        [9, 8]

    Reference: torch.lobpcg.
    """
    if A.ndim < 2 or A.shape[-2] != A.shape[-1]:
        raise _C.ShapeError(f"[lobpcg] expected a square A, got {tuple(A.shape)}.")
    if method not in (None, "basic", "ortho"):
        raise ValueError(f"[lobpcg] expected method 'basic' or 'ortho', got {method!r}.")
    if tracker is not None:
        raise NotImplementedError("[lobpcg] expected no tracker, got one.")
    if _C.is_grad_enabled() and any(t is not None and t.requires_grad for t in (A, B, X)):
        raise NotImplementedError("[lobpcg] expected no gradient to be asked for, got one.")
    m = A.shape[-1]
    k = (1 if X is None else X.shape[-1]) if k is None else k
    n = (k if X is None else X.shape[-1]) if n is None else n
    if m < 3 * n:
        raise ValueError(f"[lobpcg] expected an A of at least 3 * {n} rows, got {m}.")
    if not 0 < k <= n:
        raise ValueError(f"[lobpcg] expected k from 1 to n = {n}, got {k}.")
    tol = _dtype_info.finfo(A.dtype).eps ** 0.5 if tol is None else tol
    steps = 1000 if niter is None else math.inf if niter < 0 else niter
    if X is None:
        X = _C.randn(*A.shape[:-1], n, dtype=A.dtype, device=A.device)
    wanted = True if largest is None else largest

    def matrices(t: Tensor | None) -> list[Any]:
        """One by one, as many as A has."""
        if t is None:
            return [None] * math.prod(A.shape[:-2])
        return list(t.expand(*A.shape[:-2], *t.shape[-2:]).reshape(-1, *t.shape[-2:]).unbind())

    found = [
        _eigenpairs(a, b, x, i, k, steps, tol, wanted)
        for a, b, x, i in zip(*map(matrices, (A, B, X, iK)), strict=True)
    ]
    E = _C.stack([e for e, _ in found]) if found else A.new_empty(0, k)
    vectors = _C.stack([x for _, x in found]) if found else A.new_empty(0, m, k)
    return E.reshape(*A.shape[:-2], k), vectors.reshape(*A.shape[:-1], k)
