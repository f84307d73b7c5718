"""Rows of op_rows.py: linear algebra (bindings/ops_linalg.cpp, bolide/linalg.py). Their names begin with "linalg." where
only bolide.linalg has the function.

A result is as exact as its condition allows: `scale` says how large errors of the inputs become. Vectors that are
determined but for a sign or a phase are compared by the sizes of their elements.
"""

import math

import numpy as np
from harness import Case, Row

WIDE = ("float32", "float64", "complex64", "complex128")
REAL = ("float32", "float64")
LAYOUTS = (
    "contiguous",
    "transposed",
    "sliced",
    "offset",
    "mixed",
)  # equal rows would make a matrix singular
SLOPE = {"gradient": (True,)}
SLOPES = {"gradient": (True, True)}
SQUARE = (((3, 3),), ((2, 4, 4),), ((2, 1, 2, 2),), ((1, 1),), ((0, 3, 3),), ((2, 0, 0),))
ANY = (((4, 3),), ((2, 3, 4),), ((2, 1, 3, 3),), ((1, 1),), ((0, 3, 2),), ((3, 0),))


def adjoint(x):
    return np.conj(np.swapaxes(x, -1, -2))


def condition(x):
    """Of every matrix, with two dimensions behind; 1 where there is nothing."""
    if not x.size:
        return np.ones((*x.shape[:-2], 1, 1))
    return np.linalg.cond(x)[..., None, None]


def largest(y):
    return abs(y).max(initial=0.0)


def by_condition(function):
    """An error in proportion to the largest element and to the condition of the first input."""

    def sizes(x, *others, **named):
        found = function(x, *others, **named)
        worst = float(condition(x).max(initial=1.0))
        return (
            tuple(worst * (1 + largest(y)) for y in found)
            if isinstance(found, tuple)
            else worst * (1 + largest(found))
        )

    return sizes  # fmt: skip


def matrices(inputs, *arguments, smooth=True, dtypes=WIDE):
    named = arguments or ({},)
    return tuple(Case(one, named=dict(n), layouts=LAYOUTS, dtypes=dtypes, smooth=smooth and all(map(all, one)))
                 for one in inputs for n in named)  # fmt: skip


def row(name, oracle, inputs, run, arguments=({},), dtypes=WIDE, more=(), **options):
    usual = {"scale": by_condition(oracle), "absolute": 64, "gradient_ulps": 4096, "outside": "skip",
             "reason": "what the condition of the matrix makes of rounding"}  # fmt: skip
    return Row(name, oracle, "Float|Complex" if dtypes == WIDE else "Float",
               cases=(*matrices(inputs, *arguments, dtypes=dtypes), *more), call=run, **{**usual, **options})  # fmt: skip


def as_plain(found):
    return tuple(found) if isinstance(found, tuple) else found


def linalg(name, oracle, inputs=SQUARE, *, call=None, **options):
    """A row of bolide.linalg.name; `call` takes the function and the tensors, where that is not all."""

    def run(library, *tensors, **named):
        function = getattr(library.module.linalg, name.split(" ")[0])
        return as_plain(call(function, *tensors, **named) if call else function(*tensors, **named))

    return row(f"linalg.{name}", oracle, inputs, run, **options)


def top(name, oracle, inputs=SQUARE[:2], *, call=None, **options):
    """A row of bolide.name."""

    def run(library, *tensors, **named):
        function = getattr(library.module, name.split(" ")[0])
        return as_plain(call(function, *tensors, **named) if call else function(*tensors, **named))

    return row(name, oracle, inputs, run, **options)


def hermitian(x):
    return (x + adjoint(x)) / 2


def positive(x):
    return x @ adjoint(x) + 2 * np.eye(x.shape[-1])


def of_hermitian(function, x, **named):
    return function((x + x.mH) / 2, **named)


def of_positive(function, x, **named):
    eye = x.new_zeros(x.shape[-1], x.shape[-1])
    eye.diagonal().fill_(2)
    return function(x @ x.mH + eye, **named)


# ---- solving -------------------------------------------------------------------------------------


def solve(a, b, left=True):
    if b.ndim == 1 or (b.shape == a.shape[:-1] and b.ndim == a.ndim - 1):
        return np.linalg.solve(a, b[..., None])[..., 0]
    if left:
        return np.linalg.solve(a, b)
    return np.swapaxes(np.linalg.solve(np.swapaxes(a, -1, -2), np.swapaxes(b, -1, -2)), -1, -2)


def triangle(x, upper, unit=False):
    kept = np.triu(x, unit) if upper else np.tril(x, -int(unit))
    return kept + np.eye(x.shape[-1]) if unit else kept


def solve_triangular(a, b, upper, left=True, unitriangular=False):
    return solve(triangle(a, upper, unitriangular), b, left)


def triangular_scale(a, b, upper, left=True, unitriangular=False):
    whole = triangle(a, upper, unitriangular)
    return float(condition(whole).max(initial=1.0)) * (1 + largest(solve(whole, b, left)))


PAIRS = (
    ((3, 3), (3, 2)),
    ((2, 3, 3), (2, 3, 1)),
    ((2, 1, 3, 3), (4, 3, 2)),
    ((3, 3), (0, 3, 2)),
    ((0, 0), (0, 2)),
)
VECTORS = (((3, 3), (3,)), ((2, 3, 3), (2, 3)), ((2, 2, 3, 3), (3,)))
FROM_RIGHT = (((3, 3), (2, 3)), ((2, 3, 3), (4, 3)))
TRIANGLES = tuple(
    c
    for left, inputs in ((True, PAIRS), (False, FROM_RIGHT))
    for upper in (False, True)
    for c in matrices(
        inputs,
        {"upper": upper, "left": left},
        *({"upper": upper, "left": left, "unitriangular": True},) * left,
    )
)


def lstsq(a, b):
    return np.linalg.pinv(a) @ b


def pinv(a, rtol=None, hermitian=False):
    a = globals()["hermitian"](a) if hermitian else a
    return np.linalg.pinv(a, **({} if rtol is None else {"rcond": rtol}))


def least_squares(function, *tensors, **named):
    return function(*tensors, **named).solution


SOLVERS = [
    linalg("solve", solve, PAIRS + VECTORS, more=matrices(FROM_RIGHT, {"left": False}), **SLOPES),
    linalg("solve_ex", solve, PAIRS, call=lambda f, *x: f(*x).result, **SLOPES),
    linalg("inv", np.linalg.inv, **SLOPE),
    linalg("inv_ex", np.linalg.inv, call=lambda f, x: f(x).inverse, **SLOPE),
    linalg("solve_triangular", solve_triangular, (), more=TRIANGLES, scale=triangular_scale, **SLOPES),
    linalg("pinv", pinv, ANY, more=matrices([((4, 4),)], {"rtol": 0.3}, smooth=False), **SLOPE),
    linalg("pinv of Hermitian matrices", lambda x: pinv(hermitian(x)), call=lambda f, x: of_hermitian(f, x, hermitian=True),
           scale=lambda x: by_condition(np.linalg.pinv)(hermitian(x)), **SLOPE),
    linalg("lstsq", lstsq, (((4, 3), (4, 2)), ((2, 3, 4), (2, 3, 1)), ((3, 3), (3, 2))), call=least_squares, **SLOPES),
    linalg("matrix_rank", lambda x, atol: np.linalg.matrix_rank(x, atol), (((6, 5),), ((7, 4, 4),), ((2, 3, 4),)), result="int64",
           arguments=({"atol": 2.0}, {"atol": 4.0}), scale=None),
    linalg("tensorinv", lambda x: np.linalg.tensorinv(x, 1), (((4, 2, 2),), ((6, 3, 2),)), call=lambda f, x: f(x, ind=1),
           scale=lambda x: by_condition(np.linalg.inv)(x.reshape(len(x), -1)), **SLOPE),
    linalg("tensorsolve", np.linalg.tensorsolve, (((2, 3, 6), (2, 3)), ((4, 2, 2), (4,))),
           scale=lambda a, b: by_condition(solve)(a.reshape(b.size, -1), b.reshape(-1)), **SLOPES),
    top("triangular_solve", lambda b, a, upper=True, transpose=False, unitriangular=False:
        solve(np.swapaxes(triangle(a, upper, unitriangular), -1, -2) if transpose else triangle(a, upper, unitriangular), b),
        (((3, 2), (3, 3)), ((4, 3, 2), (2, 1, 3, 3))), call=lambda f, *x, **named: f(*x, **named).solution,
        arguments=({}, {"upper": False}, {"transpose": True}, {"upper": False, "transpose": True, "unitriangular": True}),
        scale=lambda b, a, upper=True, unitriangular=False, **_: triangular_scale(a, b, upper, True, unitriangular), **SLOPES),
    top("inverse", np.linalg.inv, **SLOPE),
    top("pinverse", np.linalg.pinv, ANY[:2], **SLOPE),
    top("cholesky_solve", lambda b, x, upper=False: solve(positive(x), b), (((3, 2), (3, 3)), ((2, 3, 1), (3, 3))),
        arguments=({}, {"upper": True}), call=lambda f, b, x, upper=False: f(b, of_positive(type(x).cholesky, x, upper=upper), upper),
        scale=lambda b, x, **_: by_condition(solve)(positive(x), b), **SLOPES),
    top("cholesky_inverse", lambda x, upper=False: np.linalg.inv(positive(x)), arguments=({}, {"upper": True}),
        call=lambda f, x, upper=False: f(of_positive(type(x).cholesky, x, upper=upper), upper),
        scale=lambda x, **_: by_condition(np.linalg.inv)(positive(x)), **SLOPE),
]  # fmt: skip


# ---- determinants and factorisations -------------------------------------------------------------


def slogdet(x):
    sign, size = np.linalg.slogdet(x)
    return sign, size.astype(sign.dtype)


def logdet(x):
    sign, size = np.linalg.slogdet(x @ np.swapaxes(x, -1, -2))
    return np.log(sign) + size if np.iscomplexobj(x) else size


def signed(function, x):
    sign, size = function(x)
    return sign, size.to(sign.dtype)


def cholesky(x, upper=False):
    lower = np.linalg.cholesky(positive(x))
    return adjoint(lower) if upper else lower


def lu(x):
    """By elimination with the largest element of each column, as LAPACK does it."""
    m, n = x.shape[-2:]
    small = min(m, n)
    parts = [], [], []
    for one in x.reshape(-1, m, n):
        work, order = one.astype(complex if np.iscomplexobj(x) else float), list(range(m))
        for k in range(small):
            column = work[k:, k]
            at = k + int(np.argmax(abs(column.real) + abs(column.imag)))
            work[[k, at]], order[k], order[at] = work[[at, k]], order[at], order[k]
            work[k + 1 :, k] /= work[k, k]
            work[k + 1 :, k + 1 :] -= np.outer(work[k + 1 :, k], work[k, k + 1 :])
        parts[0].append(np.eye(m)[:, order])
        parts[1].append(np.tril(work[:, :small], -1) + np.eye(m, small))
        parts[2].append(np.triu(work[:small]))
    shapes = (m, m), (m, small), (small, n)
    return tuple(np.array(p).reshape(*x.shape[:-2], *s) for p, s in zip(parts, shapes, strict=True))


def factored(x):
    _p, lower, upper = lu(x)
    small = lower.shape[-1]
    wide = np.zeros(x.shape, upper.dtype)
    wide[..., :small] += np.tril(lower, -1)
    wide[..., :small, :] += upper
    return wide


def qr(x, mode="reduced"):
    return tuple(np.linalg.qr(x, mode))


def through_lu(function, a, b, **named):
    """solve() by way of lu_factor(), with a gradient through both."""
    import bolide

    return function(*bolide.linalg.lu_factor(a), b, **named)


def symmetric(x, hermitian=False):
    """A matrix whose pivots need no exchanges: its factors are those of elimination."""
    y = np.swapaxes(x, -1, -2)
    return (x + (np.conj(y) if hermitian else y)) / 2 + 8 * np.eye(x.shape[-1])


def ldl(x, hermitian=False):
    work = np.tril(symmetric(x, hermitian))
    whole = symmetric(x, hermitian).copy()
    for k in range(x.shape[-1]):
        column = whole[..., k + 1 :, k] / whole[..., k, k, None]
        whole[..., k + 1 :, k + 1 :] -= column[..., None] * whole[..., None, k, k + 1 :]
        work[..., k, k], work[..., k + 1 :, k] = whole[..., k, k], column
    return work


def as_symmetric(x, hermitian=False):
    return (x + (x.mH if hermitian else x.mT)) / 2 + x.new_tensor(np.eye(x.shape[-1]) * 8)


def of_symmetric(part, **named):
    return lambda function, x: function(as_symmetric(x, **named), **named)[part]


def through_ldl(hermitian):
    def call(function, a, b):
        import bolide

        found = bolide.linalg.ldl_factor(as_symmetric(a.detach(), hermitian), hermitian=hermitian)
        return function(*found, b, hermitian=hermitian)

    return call


def reflected(a, tau, other, left=True, transpose=False):
    """other times the square product of the reflectors."""
    m = a.shape[-2]
    wide = np.zeros((*a.shape[:-2], m, m), a.dtype)
    wide[..., : min(m, a.shape[-1])] = a[..., :m]
    q = householder(wide, tau)
    q = adjoint(q) if transpose else q
    return q @ other if left else other @ q


WELL = (((4, 3),), ((2, 3, 3),), ((2, 2, 4),), ((1, 1),), ((0, 3, 2),))
FACTORISATIONS = [
    linalg("det", np.linalg.det, **SLOPE),
    linalg("slogdet", slogdet, SQUARE[:5], call=signed, **SLOPE),
    top("det", np.linalg.det, **SLOPE),
    top("slogdet", slogdet, call=signed, **SLOPE),
    top("logdet", logdet, call=lambda f, x: f(x @ x.mT), scale=lambda x: by_condition(np.linalg.inv)(x @ np.swapaxes(x, -1, -2)),
        **SLOPE),
    top("cholesky", cholesky, arguments=({}, {"upper": True}), call=of_positive,
        scale=lambda x, **_: by_condition(np.linalg.cholesky)(positive(x)), **SLOPE),
    top("lu", factored, (((4, 3),), ((2, 3, 3),)), call=lambda f, x: f(x)[0], **SLOPE),
    top("lu_solve", solve, PAIRS[:1], call=lambda f, a, b: f(b, *a.lu()), **SLOPES),
    top("lu_unpack", lu, (((4, 3),), ((2, 3, 3),)), call=lambda f, x: f(*x.lu()), **SLOPE),
    top("qr", qr, (((4, 3),), ((2, 3, 4),)), **SLOPE),
    top("geqrf", lambda x: np.triu(qr(x)[1]), (((3, 3),), ((2, 3, 4),)), call=lambda f, x: f(x).a.triu()),
    top("orgqr", lambda a, t: householder(a, t), (((4, 3), (2,)),), scale=lambda a, t: 100 * (1 + largest(householder(a, t))),
        **SLOPES),
    top("matrix_power", lambda x, n: np.linalg.matrix_power(x, n), arguments=({"n": 2}, {"n": -1}), **SLOPE),
    top("matrix_exp", lambda x: exponential(x), scale=lambda x: np.exp(np.linalg.norm(x, 1, (-2, -1)).max()), domain=(-1.0, 1.0),
        **SLOPE),
    linalg("cholesky", cholesky, call=of_positive, arguments=({}, {"upper": True}),
           scale=lambda x, **_: by_condition(np.linalg.cholesky)(positive(x)), **SLOPE),
    linalg("cholesky_ex", cholesky, call=lambda f, x: of_positive(f, x).L,
           scale=lambda x, **_: by_condition(np.linalg.cholesky)(positive(x)), **SLOPE),
    linalg("lu", lu, WELL, **SLOPE),
    linalg("lu_factor", factored, WELL, call=lambda f, x: f(x).LU, **SLOPE),
    linalg("lu_factor_ex", factored, WELL, call=lambda f, x: f(x).LU, **SLOPE),
    linalg("lu_solve", solve, PAIRS[:3], call=through_lu, more=matrices(FROM_RIGHT, {"left": False}), **SLOPES),
    linalg("ldl_factor", ldl, (((3, 3),), ((2, 4, 4),), ((2, 0, 0),)), call=of_symmetric(0)),
    linalg("ldl_factor_ex", ldl, (((3, 3),), ((2, 4, 4),), ((2, 0, 0),)), call=of_symmetric(0)),
    linalg("ldl_factor of Hermitian matrices", lambda x: ldl(x, True), (((3, 3),), ((2, 4, 4),)), call=of_symmetric(0, hermitian=True)),
    linalg("ldl_solve", lambda a, b: solve(symmetric(a), b), PAIRS[:3], call=through_ldl(False), gradient=(False, True),
           scale=lambda a, b: by_condition(solve)(symmetric(a), b)),
    linalg("ldl_solve of Hermitian matrices", lambda a, b: solve(symmetric(a, True), b), PAIRS[:1], call=through_ldl(True),
           gradient=(False, True), scale=lambda a, b: by_condition(solve)(symmetric(a, True), b)),
    top("ormqr", reflected, (((4, 3), (3,), (4, 2)), ((2, 3, 3), (2, 3), (2, 3, 2))), arguments=({}, {"transpose": True}),
        scale=lambda *x, **named: 100 * (1 + largest(reflected(*x, **named))), gradient=(True,) * 3,
        more=matrices([((4, 3), (3,), (2, 4)), ((2, 3), (2,), (5, 2))], {"left": False}, {"left": False, "transpose": True})),
    linalg("qr", qr, (((4, 3),), ((2, 3, 4),), ((3, 3),), ((0, 3, 2),)), **SLOPE,
           more=matrices([((3, 3),), ((2, 4),)], {"mode": "complete"})),
    linalg("householder_product", lambda a, t: householder(a, t), (((4, 3), (2,)), ((2, 3, 3), (2, 3))),
           scale=lambda a, t: 100 * (1 + largest(householder(a, t))), **SLOPES),
    linalg("matrix_power", lambda x, n: np.linalg.matrix_power(x, n), SQUARE[:4], arguments=({"n": 3}, {"n": -2}, {"n": 1}),
           scale=lambda x, n: float(condition(x).max()) ** 2 * (1 + largest(np.linalg.matrix_power(x, n))), **SLOPE),
    linalg("matrix_exp", lambda x: exponential(x), SQUARE[:4], scale=lambda x: np.exp(np.linalg.norm(x, 1, (-2, -1)).max()),
           domain=(-1.0, 1.0), **SLOPE),
]  # fmt: skip


def householder(a, tau):
    m, n = a.shape[-2:]
    q = np.broadcast_to(np.eye(m, n), a.shape).astype(np.result_type(a, float))
    v = np.tril(a, -1) + np.eye(m, n)
    for i in reversed(range(tau.shape[-1])):
        one = v[..., i : i + 1]
        q = q - tau[..., i : i + 1, None] * (one @ (adjoint(one) @ q))
    return q


def exponential(x):
    small = x / 32
    term = total = np.broadcast_to(np.eye(x.shape[-1]), x.shape)
    for k in range(1, 24):
        term = term @ small / k
        total = total + term
    for _ in range(5):
        total = total @ total
    return total


# ---- eigenvalues and singular values -------------------------------------------------------------


def eigh(x):
    values, vectors = np.linalg.eigh(hermitian(x))
    return values, abs(vectors)


def sizes_of(found):
    values, vectors = found
    return values, vectors.abs()


def svd(x):
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    return abs(u), s, abs(vh)


def eig(x):
    """Of a matrix whose eigenvalues are real and apart, in ascending order."""
    values, vectors = np.linalg.eig(spread(x))
    order = np.argsort(values.real, -1)
    return (np.take_along_axis(values, order, -1),
            abs(np.take_along_axis(vectors, order[..., None, :], -1)).astype(complex))  # fmt: skip


def spread(x):
    return x + np.diag(np.arange(x.shape[-1]) * 20.0)


def spread_eig(function, x):
    wide = x + x.new_tensor([20.0 * i for i in range(x.shape[-1])]).diag()
    values, vectors = function(wide)
    order = values.real.argsort(-1)
    vectors = vectors.gather(-1, order.unsqueeze(-2).expand(vectors.shape))
    return values.gather(-1, order), vectors.abs().to(values.dtype)


def spread_eigvals(function, x):
    wide = x + x.new_tensor([20.0 * i for i in range(x.shape[-1])]).diag()
    values = function(wide)
    return values.gather(-1, values.real.argsort(-1))


def gaps(x):
    """How near the nearest two of the values are decides how far vectors turn."""
    values = np.sort(x, -1)
    nearest = abs(np.diff(values, axis=-1)).min(initial=1.0)
    return (1 + largest(values)) * (1 + largest(values)) / nearest


VALUES_ONLY = {"scale": lambda x, **_: 1 + np.linalg.norm(x, 2, (-2, -1)).max(initial=0)}
SPECTRA = [
    linalg("eigh", eigh, SQUARE[:5], result="real", call=lambda f, x: sizes_of(of_hermitian(f, x)),
           scale=lambda x: gaps(np.linalg.eigvalsh(hermitian(x))), **SLOPE),
    linalg("eigh of the upper triangle", lambda x: np.linalg.eigh(x, "U")[0], SQUARE[:5], result="real",
           call=lambda f, x: f(x, UPLO="U").eigenvalues, **VALUES_ONLY),
    linalg("eigvalsh", lambda x: np.linalg.eigvalsh(hermitian(x)), SQUARE[:5], result="real", call=of_hermitian,
           **VALUES_ONLY, **SLOPE),
    linalg("eig", eig, SQUARE[:3], result="complex", call=spread_eig, scale=lambda x: 200.0, **SLOPE),
    linalg("eigvals", lambda x: eig(x)[0], SQUARE[:3], result="complex", call=spread_eigvals, scale=lambda x: 200.0, **SLOPE),
    linalg("svd", svd, ANY[:5], result="real", call=lambda f, x: tuple(y.abs() for y in f(x, full_matrices=False)),
           scale=lambda x: gaps(np.linalg.svd(x, compute_uv=False)), **SLOPE),
    top("svd", svd, ANY[:2], result="real", call=lambda f, x: (lambda u, s, v: (u.abs(), s, v.mH.abs()))(*f(x)),
        scale=lambda x: gaps(np.linalg.svd(x, compute_uv=False)), **SLOPE),
    linalg("svdvals", lambda x: np.linalg.svd(x, compute_uv=False), ANY[:5], result="real", **VALUES_ONLY, **SLOPE),
    linalg("cond", lambda x, p=None: np.linalg.cond(x, p), SQUARE[:4], result="real",
           arguments=({}, {"p": 1}, {"p": "fro"}, {"p": -2}, {"p": math.inf}),
           scale=lambda x, p=None: largest(condition(x)) * (1 + largest(np.linalg.cond(x, p))), **SLOPE),
]  # fmt: skip

# ---- norms, distances and products ---------------------------------------------------------------

BOX = (2, 3, 4)


def vector_norm(x, ord=2, dim=None, keepdim=False):
    return np.asarray(np.linalg.vector_norm(x, ord=ord, axis=dim, keepdims=keepdim))


def matrix_norm(x, ord="fro", dim=(-2, -1), keepdim=False):
    return np.asarray(np.linalg.norm(x, ord, tuple(dim), keepdim))


def norm_scale(x, *_, **__):
    return 1 + largest(x) * x.size


ORDERS = tuple({"ord": p, "dim": d, "keepdim": k} for p, d, k in
               ((2, None, False), (1, 0, False), (3, (0, 2), True), (math.inf, 1, False), (-math.inf, -1, True), (0.5, 1, False),
                (-1, 2, False), (2.5, None, True)))  # fmt: skip
MATRIX_ORDERS = tuple({"ord": p, "dim": d, "keepdim": k} for p, d, k in
                      (("fro", (-2, -1), False), ("nuc", (0, 2), True), (2, (1, 0), False), (-2, (-2, -1), False),
                       (1, (-2, -1), True), (-1, (0, 1), False), (math.inf, (1, 2), False), (-math.inf, (2, 0), True)))  # fmt: skip


def distances(a, b, p=2.0):
    difference = a[..., :, None, :] - b[..., None, :, :]
    return np.linalg.vector_norm(difference, ord=p, axis=-1)


def pairs(x, p=2.0):
    at = np.triu_indices(len(x), 1)
    return np.linalg.vector_norm(x[at[0]] - x[at[1]], ord=p, axis=-1)


def vecdot(x, y, dim=-1):
    return (np.conj(x) * y).sum(dim)


def products_scale(function):
    return lambda *x, **named: 1 + largest(function(*(abs(a) for a in x), **named))


NORMS = [
    linalg("vector_norm", vector_norm, ((BOX,),), arguments=ORDERS, result="real", scale=norm_scale, absolute=16,
           more=(Case((BOX,), named={"ord": 0, "dim": 1}, layouts=LAYOUTS, dtypes=WIDE, smooth=False), *matrices([((),), ((0, 3),)])),
           **SLOPE),
    linalg("matrix_norm", matrix_norm, ((BOX,),), arguments=MATRIX_ORDERS, result="real", scale=norm_scale, **SLOPE),
    linalg("norm", lambda x, ord=None, dim=None, keepdim=False: np.asarray(np.linalg.norm(x, ord, dim, keepdim)),
           (((3, 4),),), arguments=({}, {"ord": 2}, {"ord": "nuc"}, {"ord": 1, "dim": 0}, {"dim": (0, 1), "keepdim": True}),
           result="real", scale=norm_scale, **SLOPE),
    linalg("vecdot", vecdot, ((BOX, BOX), (BOX, (4,)), ((3,), (3,))), scale=products_scale(vecdot), **SLOPES,
           more=matrices([(BOX, BOX)], {"dim": 0})),
    linalg("multi_dot", lambda *x: np.linalg.multi_dot(x), (((2, 5), (5, 3), (3, 4)), ((5,), (5, 3), (3,)), ((2, 3), (3, 4)),
           ((3,), (3, 4), (4, 2), (2, 5))), call=lambda f, *x: f(x), scale=products_scale(lambda *x: np.linalg.multi_dot(x)),
           gradient=(True,) * 4),
    linalg("cross", np.cross, ((((2, 3), (2, 3))), ((1, 4, 3), (2, 1, 3))), scale=products_scale(lambda a, b: a * b), **SLOPES),
    linalg("diagonal", lambda x, offset=0: np.diagonal(x, offset, -2, -1), ((BOX,), ((3, 3),)), arguments=({}, {"offset": 1}),
           scale=None, **SLOPE),
    linalg("matmul", np.matmul, (((3, 4), (4, 2)), (BOX, (4, 2))), scale=products_scale(np.matmul), **SLOPES),
    linalg("vander", lambda x, N=None: x[..., None] ** np.arange(x.shape[-1] if N is None else N), (((3,),), ((2, 3),)),
           arguments=({}, {"N": 5}), scale=lambda x, N=None: 1 + largest(x) ** 5, **SLOPE),
    top("frobenius_norm", lambda x, dim, keepdim=False: np.linalg.vector_norm(x, axis=dim, keepdims=keepdim), ((BOX,),),
        arguments=({"dim": 1}, {"dim": (0, 2), "keepdim": True}), result="real", scale=norm_scale, **SLOPE),
    top("nuclear_norm", lambda x, dim=(-2, -1), keepdim=False: matrix_norm(x, "nuc", dim, keepdim), (((3, 4),), (BOX,)),
        arguments=({}, {"keepdim": True}, {"dim": (1, 0)}), result="real", scale=norm_scale, **SLOPE),
    top("dist", lambda a, b, p=2: np.asarray(np.linalg.vector_norm(a - b, ord=p)), (((3, 4), (3, 4)), ((2, 3), (3,))),
        arguments=({}, {"p": 1}, {"p": 3}, {"p": math.inf}), dtypes=REAL, scale=lambda *_, **__: 50.0, **SLOPES),
    top("cdist", distances, (((4, 3), (5, 3)), ((2, 4, 3), (3, 3)), ((30, 3), (4, 3))), dtypes=REAL,
        arguments=({}, {"p": 1.0}, {"p": 3.0}, {"p": math.inf}), scale=lambda *_, **__: 100.0, **SLOPES),
    top("pdist", pairs, (((5, 3),), ((2, 3),)), arguments=({}, {"p": 1.0}, {"p": 3.0}), dtypes=REAL, scale=lambda *_, **__: 50.0,
        **SLOPE),
    top("chain_matmul", lambda *x: np.linalg.multi_dot(x), (((2, 5), (5, 3), (3, 4)),), dtypes=REAL, gradient=(True,) * 3,
        scale=products_scale(lambda *x: np.linalg.multi_dot(x))),
    top("vander", lambda x, N=None, increasing=False: np.vander(x, N, increasing), (((4,),),), dtypes=REAL,
        arguments=({}, {"N": 2, "increasing": True}), scale=lambda *_, **__: 100.0, **SLOPE),
]  # fmt: skip

ALL = SOLVERS + FACTORISATIONS + SPECTRA + NORMS

# What runs on every device, being made of products and norms; the others need LAPACK.
PORTABLE = (
    "linalg.matrix_exp matrix_exp linalg.vector_norm linalg.vecdot linalg.multi_dot linalg.cross linalg.diagonal "
    "linalg.matmul linalg.vander frobenius_norm dist cdist pdist chain_matmul vander"
).split()
ON_LAPACK = [row.name for row in ALL if row.name not in PORTABLE]
