"""bolide.linalg: what rows of op_rows_linalg.py do not say. Errors, degenerate matrices, layouts, factors, out=."""

import math

import bolide
import numpy as np
import op_rows_linalg
import pytest
from bolide import linalg
from conftest import DEVICE

pytestmark = pytest.mark.skipif(DEVICE != "cpu", reason="LAPACK has no CUDA kernel yet")

WIDE = [bolide.float32, bolide.float64, bolide.complex64, bolide.complex128]
EVERY = pytest.mark.parametrize("dtype", WIDE, ids=str)


def drawn(*shape, dtype=bolide.float64, seed=0):
    random = np.random.default_rng([seed, *shape])
    x = random.normal(size=shape) + 1j * random.normal(size=shape) * dtype.is_complex
    return bolide.from_numpy(np.array(x if dtype.is_complex else x.real)).to(dtype)


def near(a, b, factor=200):
    """Equal but for rounding, of one dtype and shape."""
    assert a.dtype == b.dtype and a.shape == b.shape
    eps = bolide.finfo(a.dtype).eps
    return bool(((a - b).abs() <= factor * eps * (1 + b.abs().max())).all()) if a.numel() else True


def identity(n, dtype):
    return bolide.eye(n, dtype=dtype)


# ---- factors multiply back ------------------------------------------------------------------------


@EVERY
@pytest.mark.parametrize(
    "shape", [(5, 5), (3, 4, 6), (2, 2, 6, 4), (0, 3, 2), (2, 0, 3), (2, 3, 0), (0, 0)], ids=str
)
def test_factors_give_the_matrix(shape, dtype):
    A = drawn(*shape, dtype=dtype)
    k = min(shape[-2:])
    P, L, U = linalg.lu(A)
    assert near(P @ L @ U, A) and near(P.mT @ P, identity(shape[-2], dtype).expand(P.shape))
    assert bolide.equal(L, L.tril()) and bolide.equal(U, U.triu())
    for mode in ("reduced", "complete"):
        Q, R = linalg.qr(A, mode)
        assert near(Q @ R, A) and bolide.equal(R, R.triu())
        assert near(Q.mH @ Q, identity(Q.shape[-1], dtype).expand(*shape[:-2], -1, -1))
        assert Q.shape[-1] == (shape[-2] if mode == "complete" else k)
    Q, R = linalg.qr(A, mode="r")
    assert Q.shape == (0,) and near(R, linalg.qr(A).R)
    for full in (False, True):
        U, S, Vh = linalg.svd(A, full_matrices=full)
        assert near(U[..., :k] * S.unsqueeze(-2) @ Vh[..., :k, :], A)
        assert U.shape[-1] == (shape[-2] if full else k) and Vh.shape[-2] == (
            shape[-1] if full else k
        )
        assert near(U.mH @ U, identity(U.shape[-1], dtype).expand(*shape[:-2], -1, -1))
        assert near(Vh @ Vh.mH, identity(Vh.shape[-2], dtype).expand(*shape[:-2], -1, -1))
        assert near(S, linalg.svdvals(A)) and bool((S[..., :-1] >= S[..., 1:]).all())


@EVERY
@pytest.mark.parametrize("shape", [(4, 4), (3, 5, 5), (2, 0, 0), (0, 3, 3)], ids=str)
def test_eigenvectors_are_eigenvectors(shape, dtype):
    A = drawn(*shape, dtype=dtype)
    H = A + A.mH
    for uplo, read in (("L", H.tril()), ("U", H.triu()), ("l", H.tril())):
        values, vectors = linalg.eigh(read, uplo)
        assert near(vectors * values.unsqueeze(-2) @ vectors.mH, H)
        assert near(values, linalg.eigvalsh(read, uplo))
    values, vectors = linalg.eig(A)
    assert values.is_complex() and near(
        A.to(values.dtype) @ vectors, vectors * values.unsqueeze(-2), 2000
    )
    assert near(linalg.eigvals(A).real.sort(-1).values, values.real.sort(-1).values, 2000)


@EVERY
def test_solutions_in_every_layout(dtype):
    A, B = drawn(2, 4, 4, dtype=dtype), drawn(2, 4, 3, dtype=dtype, seed=1)
    plain = linalg.solve(A, B)
    assert near(A @ plain, B, 2000)
    wide = bolide.zeros(2, 4, 4, 3, dtype=dtype)
    wide[..., 1] = A
    for other in (A.mT.contiguous().mT, wide[..., 1], bolide.cat([A, A])[2:]):
        assert bolide.equal(linalg.solve(other, B.mT.contiguous().mT), plain)
    one = A[:1].expand(3, 4, 4)  # rows of a batch that are one and the same
    assert near(linalg.inv(one), linalg.inv(A[:1]).expand(3, 4, 4))
    before = A.clone()
    for function in (
        linalg.inv,
        linalg.det,
        linalg.qr,
        linalg.svd,
        linalg.eig,
        linalg.lu,
        linalg.eigvalsh,
    ):
        function(A)
        assert bolide.equal(A, before)


def test_many_and_large_matrices():
    A = drawn(300, 6, 6)
    assert near(A @ linalg.inv(A), identity(6, bolide.float64).expand(300, 6, 6), 10**6)
    big = drawn(200, 200) + 20 * identity(200, bolide.float64)
    assert near(linalg.solve(big, big @ big), big, 10**4)


def test_vectors_and_broadcast():
    A, b = drawn(2, 3, 3), drawn(2, 3, seed=1)
    assert near(linalg.solve(A, b), linalg.solve(A, b.unsqueeze(-1)).squeeze(-1))
    assert linalg.solve(A, drawn(3, 2)).shape == (2, 3, 2)
    assert linalg.solve(A, drawn(3)).shape == (2, 3)
    assert linalg.solve_triangular(A, drawn(5, 1, 3, 4), upper=True).shape == (5, 2, 3, 4)
    assert linalg.solve(drawn(0, 0), drawn(0, 2)).shape == (0, 2)
    assert (
        linalg.det(drawn(2, 0, 0)).tolist() == [1.0, 1.0]
        and linalg.slogdet(drawn(0, 0)).logabsdet == 0
    )
    LU, pivots = linalg.lu_factor(A)
    for left in (True, False):
        for adjoint in (True, False):
            B = drawn(4, 1, 3, 3, seed=5)
            X = linalg.lu_solve(LU, pivots, B, left=left, adjoint=adjoint)
            of_a = A.mH if adjoint else A
            assert near(of_a @ X if left else X @ of_a, B.expand(4, 2, 3, 3), 2000)


# ---- named tuples, out= ---------------------------------------------------------------------------


def test_named_tuples():
    A = drawn(3, 3)
    fields = {
        linalg.qr: "Q R", linalg.svd: "U S Vh", linalg.eigh: "eigenvalues eigenvectors", linalg.eig: "eigenvalues eigenvectors",
        linalg.slogdet: "sign logabsdet", linalg.lu: "P L U", linalg.lu_factor: "LU pivots", linalg.lu_factor_ex: "LU pivots info",
        linalg.inv_ex: "inverse info", bolide.svd: "U S V", bolide.qr: "Q R", bolide.slogdet: "sign logabsdet",
        bolide.geqrf: "a tau",
    }  # fmt: skip
    for function, names in fields.items():
        found = function(A)
        assert len(found) == len(names.split())
        for name, y in zip(names.split(), found, strict=True):
            assert getattr(found, name) is y
    assert linalg.cholesky_ex(A @ A.mT).info == 0 and linalg.solve_ex(A, A).result.shape == (3, 3)
    solution, residuals, rank, values = linalg.lstsq(drawn(4, 3), drawn(4, 2), driver="gelsd")
    assert (
        solution.shape == (3, 2)
        and residuals.shape == (2,)
        and rank.item() == 3
        and values.shape == (3,)
    )
    assert "linalg_qr(" in repr(linalg.qr(A)) and linalg.lu_factor(A).pivots.dtype == bolide.int32


def test_out():
    A = drawn(3, 3)
    out = bolide.empty(5, 3, dtype=bolide.float64)[::2]
    assert linalg.inv(A, out=out) is out and bolide.equal(out, linalg.inv(A))
    Q, R = bolide.empty(3, 3, dtype=bolide.float64), bolide.empty(0, dtype=bolide.float64)
    found = linalg.qr(A, out=(Q, R))
    assert found[0] is Q and bolide.equal(Q @ R, linalg.qr(A).Q @ linalg.qr(A).R)
    for function in (linalg.det, linalg.vector_norm, linalg.matrix_norm, linalg.norm, linalg.cond):
        y = bolide.empty((), dtype=bolide.float64)
        assert function(A, out=y) is y and y == function(A)
    y = bolide.empty(3, 3, dtype=bolide.float64)
    assert linalg.multi_dot([A, A], out=y) is y and near(y, A @ A)
    assert linalg.cross(A, A.mT, out=y) is y and bolide.equal(y, linalg.cross(A, A.mT))
    with pytest.raises(bolide.DTypeError, match="float32"):
        linalg.inv(A + 0j, out=bolide.empty(3, 3))
    with pytest.raises(RuntimeError, match="require grad"):
        linalg.inv(A.clone().requires_grad_(), out=y)


# ---- bad matrices ---------------------------------------------------------------------------------


def batch_with_a_bad_one(bad, dtype=bolide.float64):
    batch = identity(3, dtype).repeat(4, 1, 1)
    batch[2] = bad
    return batch


def test_singular_matrices():
    bad = bolide.tensor([[1.0, 2, 3], [2, 4, 6], [0, 0, 1]], dtype=bolide.float64)
    assert issubclass(linalg.LinAlgError, RuntimeError) and linalg.LinAlgError is bolide.LinAlgError
    with pytest.raises(linalg.LinAlgError, match=r"\[linalg.inv\] expected .* singular") as raised:
        linalg.inv(bad)
    assert "Batch" not in str(raised.value) and "diagonal element 2 is zero" in str(raised.value)
    batch = batch_with_a_bad_one(bad)
    for call in (
        linalg.inv, lambda x: linalg.solve(x, x), lambda x: linalg.inv_ex(x, check_errors=True), lambda x: x.inverse(),
        lambda x: linalg.solve_ex(x, x, check_errors=True), lambda x: linalg.matrix_power(x, -2),
    ):  # fmt: skip
        with pytest.raises(linalg.LinAlgError, match=r"\(Batch element 2\).* singular"):
            call(batch)
    for call in (linalg.lu_factor, lambda x: linalg.lu_factor_ex(x, check_errors=True)):
        with pytest.raises(RuntimeError, match=r"\(Batch element 2\): U\[\d,\d\] is zero"):
            call(batch)
    assert linalg.inv_ex(batch).info.tolist() == [0, 0, linalg.inv_ex(bad).info.item(), 0]
    assert linalg.solve_ex(batch, batch).info.dtype == bolide.int32
    assert linalg.det(batch).tolist() == [1.0, 1.0, 0.0, 1.0]
    sign, logarithm = linalg.slogdet(batch)
    assert sign.tolist() == [1.0, 1.0, 0.0, 1.0] and logarithm[2] == -math.inf
    assert bolide.logdet(bad) == -math.inf and bolide.logdet(-identity(3, bolide.float64)).isnan()
    assert linalg.cond(bad, "nuc") == math.inf
    assert linalg.cond(bad, 1) == math.inf and linalg.cond(batch, "fro").isinf().tolist() == [
        False,
        False,
        True,
        False,
    ]
    assert linalg.matrix_rank(batch).tolist() == [3, 3, 2, 3] and linalg.matrix_rank(bad * 0) == 0
    assert near(bad @ linalg.pinv(bad) @ bad, bad)


def test_not_positive_definite():
    batch = batch_with_a_bad_one(-identity(3, bolide.float64))
    with pytest.raises(
        linalg.LinAlgError,
        match=r"\(Batch element 2\).*leading minor of order 1 is not positive-definite",
    ):
        linalg.cholesky(batch)
    for call in (bolide.cholesky, lambda x: linalg.cholesky_ex(x, check_errors=True)):
        with pytest.raises(linalg.LinAlgError, match="positive-definite"):
            call(batch)
    assert linalg.cholesky_ex(batch).info.tolist() == [0, 0, 1, 0]
    with pytest.raises(linalg.LinAlgError, match="singular"):
        bolide.cholesky_inverse(bolide.zeros(2, 2))


@EVERY
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_numbers_that_are_not_finite(bad, dtype):
    A = identity(3, dtype)
    A[0, 1] = A[1, 0] = bad
    for function in (
        linalg.svd,
        linalg.svdvals,
        linalg.pinv,
        linalg.matrix_rank,
        linalg.eigh,
        linalg.eigvalsh,
    ):
        with pytest.raises(linalg.LinAlgError, match="non-finite"):
            function(A)
    for function in (linalg.eig, linalg.eigvals):
        with pytest.raises(RuntimeError, match="infs or NaNs"):
            function(A)
    assert linalg.det(A).abs().item() != linalg.det(A).abs().item() or linalg.det(A).abs().isinf()
    assert math.isinf(bad) or not linalg.inv_ex(A).inverse.isfinite().all()
    assert linalg.matrix_exp(A).isnan().any() and linalg.qr(A).R.isnan().any()


def test_shapes_and_arguments_are_checked():
    A, B = drawn(3, 3), drawn(3, 2)
    wrong = [
        (lambda: linalg.inv(B), "square"), (lambda: linalg.inv(drawn(3)), "2 dimensions"), (lambda: linalg.det(B), "square"),
        (lambda: linalg.solve(A, drawn(4, 2)), "AX = B"), (lambda: linalg.solve(A, B, left=False), "XA = B"),
        (lambda: linalg.solve(A, drawn(3), left=False), "XA = B"), (lambda: linalg.solve(A, B.float()), "same dtype"),
        (lambda: linalg.solve(drawn(2, 3, 3), drawn(5, 3, 1)), "broadcast"), (lambda: linalg.cholesky(B), "square"),
        (lambda: linalg.eigh(A, "X"), "UPLO"), (lambda: linalg.qr(A, "x"), "mode"), (lambda: linalg.svd(A, driver="gesvd"), "driver"),
        (lambda: linalg.lu(A, pivot=False), "pivot"), (lambda: linalg.matrix_norm(A, 3), "order"),
        (lambda: linalg.matrix_norm(A, "x"), "'fro'"), (lambda: linalg.matrix_norm(A, 2, (0, 0)), "different"),
        (lambda: linalg.matrix_norm(drawn(3)), "2 dimensions"), (lambda: linalg.norm(drawn(2, 2, 2), 2), "1 or 2"),
        (lambda: linalg.norm(A, 2, (0, 1, 2)), "one or two"), (lambda: linalg.cond(B, 1), "square"),
        (lambda: linalg.vector_norm(drawn(0), math.inf), "identity"), (lambda: linalg.multi_dot([A]), "at least 2"),
        (lambda: linalg.multi_dot([A, drawn(4, 2)]), "multiplied"), (lambda: linalg.multi_dot([A, drawn(3), A]), "tensor 1"),
        (lambda: linalg.multi_dot([A, A.float()]), "one dtype"), (lambda: linalg.tensorinv(A, 0), "positive"),
        (lambda: linalg.tensorinv(drawn(2, 3, 5)), "5 != 6"), (lambda: linalg.tensorsolve(A, drawn(3, 3)), "1 != 9"),
        (lambda: linalg.vander(drawn(3), N=1), "greater than 1"), (lambda: bolide.vander(A), "one dimension"),
        (lambda: linalg.lstsq(A, B, driver="x"), "driver"), (lambda: linalg.lstsq(A, drawn(4, 2)), "3 rows"),
        (lambda: linalg.lu_solve(A, bolide.tensor([1, 2, 3]), B), "int32"),
        (lambda: linalg.lu_solve(A, bolide.tensor([1, 9, 3], dtype=bolide.int32), B), "from 1 to 3"),
        (lambda: linalg.lu_solve(A, bolide.tensor([1, 2], dtype=bolide.int32), B), "pivots"),
        (lambda: linalg.householder_product(drawn(2, 3), drawn(2)), "shape"), (lambda: bolide.cdist(A, drawn(2, 4)), "columns"),
        (lambda: bolide.cdist(A, A, -1), "non-negative"), (lambda: bolide.pdist(drawn(3)), "2 dimensions"),
        (lambda: linalg.vecdot(A, A.float()), "same dtype"),
    ]  # fmt: skip
    for call, words in wrong:
        with pytest.raises(RuntimeError, match=words):
            call()
    with pytest.raises(TypeError, match="upper"):
        linalg.solve_triangular(A, B)
    with pytest.raises(ValueError, match="compute_mode"):
        bolide.cdist(A, A, 2, "x")
    with pytest.raises(IndexError):
        linalg.matrix_norm(drawn(2, 0, 3), -2)


LAPACK_CALLS = {
    "inv": linalg.inv, "det": linalg.det, "slogdet": linalg.slogdet, "cholesky": linalg.cholesky, "qr": linalg.qr,
    "svd": linalg.svd, "svdvals": linalg.svdvals, "eigh": linalg.eigh, "eigvalsh": linalg.eigvalsh, "eig": linalg.eig,
    "pinv": linalg.pinv, "lu": linalg.lu, "lu_factor": linalg.lu_factor, "solve": lambda x: linalg.solve(x, x),
    "solve_triangular": lambda x: linalg.solve_triangular(x, x, upper=True), "matrix_rank": linalg.matrix_rank, "cond": linalg.cond,
    "nuclear norm": lambda x: linalg.matrix_norm(x, "nuc"),
}  # fmt: skip


@pytest.mark.parametrize("call", LAPACK_CALLS.values(), ids=LAPACK_CALLS)
def test_other_dtypes_are_refused(call):
    for dtype in (bolide.float16, bolide.bfloat16):
        with pytest.raises(
            NotImplementedError, match=f"float64, complex64 or complex128, got {str(dtype)[7:]}"
        ):
            call(bolide.eye(2, dtype=dtype))
    for dtype in (bolide.int64, bolide.int32, bolide.uint8, bolide.bool):
        with pytest.raises(
            bolide.DTypeError, match=f"floating point or complex.* got {str(dtype)[7:]}"
        ):
            call(bolide.eye(2).to(dtype))


def test_integers_where_nothing_is_divided():
    A = bolide.tensor([[1, 2], [3, 4]])
    assert (
        linalg.matrix_power(A, 3).tolist() == [[37, 54], [81, 118]]
        and linalg.matrix_power(A, 0).dtype == bolide.int64
    )
    assert linalg.multi_dot([A, A, A]).tolist() == [[37, 54], [81, 118]]
    assert linalg.vander(bolide.tensor([2, 3])).tolist() == [[1, 2], [1, 3]]
    half = bolide.tensor([[3.0, 4.0]], dtype=bolide.float16)
    assert linalg.vector_norm(half).dtype == bolide.float16 and linalg.matrix_norm(half).item() == 5


# ---- norms ----------------------------------------------------------------------------------------


def test_norms_of_zero_have_a_gradient():
    for order in (2, 1, 3, 1.5, 0.5, math.inf, 0):
        x = bolide.zeros(3, requires_grad=True)
        linalg.vector_norm(x, order).backward()
        assert x.grad.tolist() == [0.0] * 3, order
    x = bolide.zeros(2, 3, requires_grad=True)
    for p in (1.0, 2.0, 3.0):
        (g,) = bolide.autograd.grad(bolide.cdist(x, x, p).sum(), x)
        assert bool((g == 0).all())


def test_dtype_of_a_norm():
    x = bolide.ones(4)
    assert linalg.vector_norm(x, dtype=bolide.float64).dtype == bolide.float64
    for given, dtype in (
        (x, bolide.complex64),
        (x + 0j, bolide.float32),
        (x.double(), bolide.float32),
        (x, bolide.int64),
    ):
        with pytest.raises(bolide.DTypeError):
            linalg.vector_norm(given, dtype=dtype)
    with pytest.raises(bolide.DTypeError):
        linalg.vector_norm(bolide.ones(3, dtype=bolide.int64))
    assert linalg.vector_norm(bolide.zeros(0, 3), math.inf, 1).shape == (0,)


def test_the_two_ways_of_cdist_agree():
    a, b = drawn(40, 5), drawn(30, 5, seed=1)
    ways = [bolide.cdist(a, b, compute_mode=f"{m}use_mm_for_euclid_dist") for m in ("", "donot_")]
    assert near(*ways, 10**4) and not bolide.equal(*ways)
    assert bolide.equal(ways[0], bolide.cdist(a, b))
    assert bolide.equal(
        bolide.cdist(a[:9], b[:9]),
        bolide.cdist(a[:9], b[:9], compute_mode="donot_use_mm_for_euclid_dist"),
    )


# ---- least squares, ranks -------------------------------------------------------------------------


@EVERY
def test_least_squares(dtype):
    for m, n in ((5, 3), (3, 5), (4, 4)):
        A, B = drawn(2, m, n, dtype=dtype), drawn(2, m, 2, dtype=dtype, seed=1)
        for driver in (None, "gels", "gelsy", "gelsd", "gelss"):
            X, residuals, rank, values = linalg.lstsq(A, B, driver=driver)
            assert near(X, linalg.pinv(A) @ B, 10**4)
            assert rank.tolist() == ([] if driver == "gels" else [min(m, n)] * 2)
            assert values.shape == ((2, min(m, n)) if driver in ("gelsd", "gelss") else (0,))
            if m > n and driver not in (None, "gelsy"):
                assert near(residuals, (A @ X - B).abs().square().sum(-2), 10**4)
            else:
                assert residuals.shape == (0,)
    A = drawn(4, 3, dtype=dtype)
    A[:, 2] = A[:, 0] + A[:, 1]
    found = linalg.lstsq(A, B[0, :4])
    assert found.rank == 2 and near(found.solution, linalg.pinv(A, rtol=1e-5) @ B[0, :4], 10**4)
    assert linalg.lstsq(A, B[0, :4, 0]).solution.shape == (3,)


def test_what_counts_as_zero():
    A = bolide.tensor([4.0, 1.0, 0.1], dtype=bolide.float64).diag()
    for named, rank in (
        ({}, 3),
        ({"atol": 0.5}, 2),
        ({"rtol": 0.3}, 1),
        ({"atol": 0.05, "rtol": 0.1}, 2),
        ({"atol": 4.0}, 0),
    ):
        assert linalg.matrix_rank(A, **named) == rank
        assert linalg.matrix_rank(A, hermitian=True, **named) == rank
        assert linalg.pinv(A, **named).diagonal().count_nonzero() == rank
    assert linalg.matrix_rank(A, 2.0) == 1 and linalg.pinv(A, 0.3).diagonal().count_nonzero() == 1
    assert linalg.matrix_rank(A, rtol=bolide.tensor([0.01, 0.1, 0.5])).tolist() == [3, 2, 1]
    assert bolide.pinverse(A).diagonal().count_nonzero() == 3


# ---- gradients ------------------------------------------------------------------------------------


def complex_of(n):
    return drawn(n, n, dtype=bolide.complex128).requires_grad_()


def test_gradients_that_depend_on_a_phase_are_refused():
    A = complex_of(3)
    for y in (linalg.svd(A).U, linalg.eigh(A @ A.mH).eigenvectors, linalg.eig(A).eigenvectors):
        with pytest.raises(RuntimeError, match=r"multiplication by e\^\{i phi\}"):
            bolide.autograd.grad(y.imag.sum() + 2 * y.real.sum(), A)
    y = linalg.svd(A)
    (g,) = bolide.autograd.grad((y.U * y.S @ y.Vh).real.sum(), A)
    assert near(g, bolide.ones_like(A), 10**4)


def test_gradients_that_there_are_not():
    A = drawn(4, 3).requires_grad_()
    with pytest.raises(RuntimeError, match="'r'"):
        linalg.qr(A, "r").R.sum().backward()
    with pytest.raises(RuntimeError, match="more rows than columns"):
        linalg.qr(A, "complete").R.sum().backward()
    with pytest.raises(NotImplementedError, match="reflectors"):
        bolide.geqrf(A).a.sum().backward()
    assert not linalg.matrix_rank(A).requires_grad and not linalg.lu_factor(A).pivots.requires_grad


def test_gradients_of_one_of_several_results():
    A = drawn(4, 3).requires_grad_()
    for function in (linalg.qr, linalg.svd, linalg.lu):
        results = function(A)
        together = bolide.autograd.grad(
            sum(y.sum() for y in results if y.requires_grad), A, retain_graph=True
        )[0]
        apart = [
            bolide.autograd.grad(y.sum(), A, retain_graph=True)[0]
            for y in results
            if y.requires_grad and y.grad_fn
        ]
        assert near(sum(apart[1:], apart[0]), together, 10**5)


def test_gradient_of_a_singular_determinant():
    A = bolide.tensor([[1.0, 2, 3], [2, 4, 6], [1, 1, 1]], dtype=bolide.float64, requires_grad=True)
    linalg.det(A).backward()
    cofactors = [[-2, 4, -2], [1, -2, 1], [0, 0, 0]]
    assert near(A.grad, bolide.tensor(cofactors, dtype=bolide.float64), 10**4)


def test_a_result_that_was_changed_is_noticed():
    A = drawn(3, 3).requires_grad_()
    z = linalg.inv(A)
    with bolide.no_grad():
        z.mul_(2)
    with pytest.raises(RuntimeError, match="in-place"):
        z.sum().backward()


def test_every_public_function_has_a_row():
    rows = {row.name.split(" ")[0] for row in op_rows_linalg.ALL}
    assert {f"linalg.{name}" for name in linalg.__all__ if name != "LinAlgError"} <= rows


# ---- a few values of a large matrix --------------------------------------------------------------


@pytest.mark.parametrize("shape", [(30, 12), (12, 30), (2, 3, 20, 9)])
@pytest.mark.parametrize("dtype", [bolide.float64, bolide.complex128])
def test_lowrank_factors_of_a_matrix_of_low_rank(shape, dtype):
    def part(*sizes):
        return bolide.randn(*shape[:-2], *sizes, dtype=dtype)

    A = part(shape[-2], 4) @ part(4, shape[-1])
    U, S, V = bolide.svd_lowrank(A, q=5)
    assert U.shape == (*shape[:-1], 5) and V.shape == (*shape[:-2], shape[-1], 5)
    assert bolide.allclose(U @ (S.unsqueeze(-1) * V.mH), A, atol=1e-9)
    assert bolide.allclose(S[..., :4], linalg.svdvals(A)[..., :4])
    shift = part(1, shape[-1])
    moved = bolide.svd_lowrank(A + shift, 4, 3, M=shift)
    assert bolide.allclose(moved[1], S[..., :4])


def test_principal_components():
    A = (
        bolide.randn(40, 3, dtype=bolide.float64)
        @ bolide.diag(bolide.tensor([9.0, 3.0, 1.0], dtype=bolide.float64))
        + 100
    )
    U, S, V = bolide.pca_lowrank(A)
    centered = A - A.mean(0)
    assert S.shape == (3,) and bolide.allclose(S, linalg.svdvals(centered))
    assert bolide.allclose(U * S, centered @ V)
    assert bolide.pca_lowrank(A, q=1, center=False)[1].item() == pytest.approx(
        linalg.svdvals(A)[0].item()
    )
    with pytest.raises(ValueError, match="q from 0 to 3, got 4"):
        bolide.pca_lowrank(A, q=4)
    with pytest.raises(ValueError, match="niter of at least 0, got -1"):
        bolide.pca_lowrank(A, niter=-1)


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("dtype", [bolide.float32, bolide.float64, bolide.complex128])
def test_outermost_eigenvalues(largest, dtype):
    exact = 1e-3 if dtype == bolide.float32 else 1e-6
    A = bolide.randn(2, 40, 40, dtype=dtype)
    A = A @ A.mH
    E, X = bolide.lobpcg(A, k=2, n=4, largest=largest, niter=-1, tol=exact * 1e-2)
    values = linalg.eigvalsh(A)
    expected = values.flip(-1)[..., :2] if largest else values[..., :2]
    assert E.shape == (2, 2) and X.shape == (2, 40, 2)
    assert bolide.allclose(E, expected, rtol=exact, atol=exact * float(values.max()))
    assert bolide.allclose(A @ X, X * E.unsqueeze(-2), atol=exact * float(values.max()))


def test_eigenvalues_beside_a_second_matrix():
    A = bolide.randn(30, 30, dtype=bolide.float64)
    B = bolide.randn(30, 30, dtype=bolide.float64)
    A, B = A + A.mT, B @ B.mT + 5 * bolide.eye(30, dtype=bolide.float64)
    L = linalg.cholesky(B)
    reduced = linalg.solve_triangular(L, linalg.solve_triangular(L, A, upper=False).mT, upper=False)
    E, X = bolide.lobpcg(
        A, B=B, X=bolide.randn(30, 2, dtype=bolide.float64), iK=linalg.inv(B), tol=1e-9
    )
    assert bolide.allclose(E, linalg.eigvalsh(reduced).flip(0)[:2])
    assert bolide.allclose(A @ X, B @ X * E, atol=1e-6)
    with pytest.raises(ValueError, match=r"at least 3 \* 11 rows, got 30"):
        bolide.lobpcg(A, k=11)
    with pytest.raises(NotImplementedError, match="gradient"):
        bolide.lobpcg(A.requires_grad_())


def test_blocks_of_two_rows_in_ldl():
    """A zero on the diagonal is no failure: rows are taken in pairs, which negative pivots say."""
    A = bolide.tensor([[0.0, 2, 1], [2, 0, 3], [1, 3, 1]])
    found = linalg.ldl_factor(A)
    assert (found.pivots < 0).sum().item() == 2
    b = bolide.tensor([[1.0], [2.0], [3.0]])
    assert bolide.allclose(A @ linalg.ldl_solve(*found, b), b, atol=1e-5)
    assert linalg.ldl_factor_ex(bolide.zeros(2, 2)).info.item() == 1
    with pytest.raises(bolide.BolideError, match="zero"):
        linalg.ldl_factor(bolide.zeros(2, 2))
    for wrong in (
        [4, 2, 3],
        [0, 2, 3],
        [-3, 1, 1],
        [1, 2, -3],
    ):  # the last would be read beyond its end
        with pytest.raises(bolide.BolideError, match="pivots"):
            linalg.ldl_solve(found.LD, bolide.tensor(wrong, dtype=bolide.int32), b)
    with pytest.raises(NotImplementedError, match="gradient"):
        linalg.ldl_factor(A.requires_grad_()).LD.sum().backward()


def test_the_copy_that_triangular_solve_gives():
    A, b = bolide.eye(3), bolide.ones(2, 3, 1)
    found = bolide.triangular_solve(b, A)
    assert found.cloned_coefficient.shape == (2, 3, 3)
    found.cloned_coefficient.zero_()
    assert bolide.equal(A, bolide.eye(3))


@pytest.mark.parametrize(
    "shapes",
    [
        ((3, 3), (4,), (3, 2)),
        ((3, 2), (2,), (5, 3, 2)),
        ((3, 2), (2,), (4, 2)),
        ((2, 3, 2), (1, 2), (2, 3, 2)),
    ],
)
def test_ormqr_checks_shapes(shapes):
    with pytest.raises(bolide.ShapeError, match=r"\[ormqr\] expected"):
        bolide.ormqr(*map(bolide.ones, shapes))
