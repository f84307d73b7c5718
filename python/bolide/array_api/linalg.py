"""The linalg extension of the Array API: bolide.linalg with the standard's arguments and named results.

To add a function: a line where only the name or the arguments' names differ, else a function.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import bolide
from bolide import Tensor
from bolide import linalg as _linalg
from bolide.array_api._data_types import together
from bolide.array_api._products import matmul, matrix_transpose, tensordot, vecdot
from bolide.array_api._statistics import sum as _sum

__all__ = [
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]


class EigResult(NamedTuple):
    """eig's and eigh's result."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class QRResult(NamedTuple):
    """qr's result."""

    Q: Tensor
    R: Tensor


class SlogdetResult(NamedTuple):
    """slogdet's result."""

    sign: Tensor
    logabsdet: Tensor


class SVDResult(NamedTuple):
    """svd's result."""

    U: Tensor
    S: Tensor
    Vh: Tensor


def cholesky(x: Tensor, /, *, upper: bool = False) -> Tensor:
    """The lower (or upper) triangular factor of positive definite matrices."""
    return _linalg.cholesky(x, upper=upper)


def cross(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """Cross products of the vectors of three along axis; the other dimensions broadcast."""
    x1, x2 = bolide.broadcast_tensors(*together(x1, x2))
    return _linalg.cross(x1, x2, dim=axis)


def det(x: Tensor, /) -> Tensor:
    """Determinants."""
    return _linalg.det(x)


def diagonal(x: Tensor, /, *, offset: int = 0) -> Tensor:
    """Diagonals of matrices: a view."""
    return _linalg.diagonal(x, offset=offset)


def eig(x: Tensor, /) -> EigResult:
    """Eigenvalues and eigenvectors."""
    return EigResult(*_linalg.eig(x))


def eigh(x: Tensor, /) -> EigResult:
    """Eigenvalues, in ascending order, and eigenvectors of Hermitian matrices."""
    return EigResult(*_linalg.eigh(x))


def eigvals(x: Tensor, /) -> Tensor:
    """Eigenvalues."""
    return _linalg.eigvals(x)


def eigvalsh(x: Tensor, /) -> Tensor:
    """Eigenvalues of Hermitian matrices, in ascending order."""
    return _linalg.eigvalsh(x)


def inv(x: Tensor, /) -> Tensor:
    """Inverses of matrices."""
    return _linalg.inv(x)


def matrix_norm(x: Tensor, /, *, keepdims: bool = False, ord: Any = "fro") -> Tensor:
    """Norms of matrices."""
    return _linalg.matrix_norm(x, ord=ord, keepdim=keepdims)


def matrix_power(x: Tensor, n: int, /) -> Tensor:
    """Matrices multiplied n times with themselves; of n < 0 their inverses."""
    return _linalg.matrix_power(x, n)


def matrix_rank(x: Tensor, /, *, rtol: Any = None) -> Tensor:
    """How many singular values are larger than rtol times the largest."""
    return _linalg.matrix_rank(x, rtol=rtol)


def outer(x1: Tensor, x2: Tensor, /) -> Tensor:
    """Every product of two vectors' elements."""
    x1, x2 = together(x1, x2)
    return bolide.outer(x1, x2)


def pinv(x: Tensor, /, *, rtol: Any = None) -> Tensor:
    """Pseudoinverses; singular values up to rtol times the largest count as zero."""
    return _linalg.pinv(x, rtol=rtol)


def qr(x: Tensor, /, *, mode: str = "reduced") -> QRResult:
    """Orthonormal columns times an upper triangular matrix."""
    return QRResult(*_linalg.qr(x, mode=mode))


def slogdet(x: Tensor, /) -> SlogdetResult:
    """Sign and logarithm of the determinants' absolute values."""
    return SlogdetResult(*_linalg.slogdet(x))


def solve(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The solutions of x1 @ x = x2; x2 of one dimension is one vector, of more a matrix."""
    x1, x2 = together(x1, x2)
    if x2.ndim == 1:
        return _linalg.solve(x1, x2.unsqueeze(-1)).squeeze(-1)
    shape = bolide.broadcast_tensors(x1[..., :1, :1], x2[..., :1, :1])[0].shape[:-2]
    return _linalg.solve(x1, x2.expand(*shape, *x2.shape[-2:]))


def svd(x: Tensor, /, *, full_matrices: bool = True) -> SVDResult:
    """U, S and Vh with x = U @ diag(S) @ Vh, S in descending order."""
    return SVDResult(*_linalg.svd(x, full_matrices=full_matrices))


def svdvals(x: Tensor, /) -> Tensor:
    """Singular values in descending order."""
    return _linalg.svdvals(x)


def trace(x: Tensor, /, *, offset: int = 0, dtype: Any = None) -> Tensor:
    """Sums of matrices' diagonals."""
    return _sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def vector_norm(x: Tensor, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Tensor:
    """Norms of the vectors along axis, by default of all elements."""
    if axis == ():
        return _linalg.vector_norm(x.unsqueeze(-1), ord, -1)
    return _linalg.vector_norm(x, ord, axis, keepdims)
