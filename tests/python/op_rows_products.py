"""Rows of op_rows.py: products of matrices and vectors beyond matmul (bindings/ops_products.cpp, runtime/einsum.cpp)."""

import numpy as np
from harness import Case, Row

NUMBERS = "Number|Complex"
SLOPES = {"gradient": (True, True, True)}
HALF = ("float16", "bfloat16")


def product(name, function, *inputs, dtypes=NUMBERS, more=(), **options):
    """A sum of products: its error is in proportion to the sum of the sizes."""

    def sizes(*arrays, **named):
        named = {k: abs(v) if k in ("alpha", "beta") else v for k, v in named.items()}
        return function(*(abs(np.asarray(a)) for a in arrays), **named)

    cases = (*(Case(one) for one in inputs), *more)
    usual = {"scale": sizes, "complex_ulps": 2, "reason": "sums of products", "outside": "skip"}
    return Row(name, function, dtypes, cases=cases, absolute=4, **{**usual, **SLOPES, **options})


def plus(function):
    return lambda c, a, b, beta=1, alpha=1: beta * c + alpha * function(a, b)


def weighed(*shapes):
    return (Case(shapes, named={"beta": 2, "alpha": -3}), Case(shapes, named={"beta": 0}, smooth=False),
            Case(shapes, named={"beta": 0.5, "alpha": 1.5}, dtypes=("float32", "float64", "complex64", "complex128")))  # fmt: skip


def cross(a, b, dim=None):
    if dim is None:
        dim = a.shape.index(3)
    return np.moveaxis(np.cross(np.moveaxis(a, dim, -1), np.moveaxis(b, dim, -1)), -1, dim)


def cross_sizes(a, b, dim=None):
    return np.full(
        np.broadcast_shapes(a.shape, b.shape), 2 * abs(a).max(initial=0) * abs(b).max(initial=0)
    )


def einsum(equation, *shapes, **options):
    """A row of one equation, by name: "einsum ij,jk->ik"."""
    return product(f"einsum {equation}", lambda *x: np.einsum(equation, *x), shapes,
                   call=lambda library, *x: library.einsum(equation, *x), half_roundings=len(shapes), **options)  # fmt: skip


def tensordot(library, a, b, **named):
    return library.tensordot(a, b, **named)


SUMS = {"half_roundings": 3}
PRODUCTS = [
    product("inner", np.inner, ((4,), (4,)), ((2, 3, 4), (5, 4)), ((), (3,)), ((2, 0), (3, 0))),
    product("kron", np.kron, ((2, 3), (4, 1)), ((3,), (2, 2)), ((), (2, 3)), ((0, 2), (3, 2))),
    product("cross", cross, ((4, 3), (4, 3)), ((3, 4), (3, 4)), ((2, 3, 5), (2, 3, 1)), more=(Case(((3, 3), (3, 3)),
        named={"dim": 1}), Case(((1, 4, 3), (2, 4, 3)), named={"dim": -1})), half_roundings=2, scale=cross_sizes),
    product("addmv", plus(np.matmul), ((3,), (3, 4), (4,)), ((), (3, 4), (4,)), more=weighed((3,), (3, 4), (4,)), **SUMS),
    product("addbmm", plus(lambda a, b: (a @ b).sum(0)), ((3, 5), (2, 3, 4), (2, 4, 5)), more=weighed((5,), (2, 3, 4), (2, 4, 5)), **SUMS),
    product("addr", plus(np.outer), ((3, 4), (3,), (4,)), more=weighed((4,), (3,), (4,)), **SUMS),
    product("addmm of weights", plus(np.matmul), ((3, 5), (3, 4), (4, 5)), more=weighed((5,), (3, 4), (4, 5)),
        call=lambda library, *x, **named: library.addmm(*x, **named), **SUMS),
    product("addmm_", plus(np.matmul), ((3, 5), (3, 4), (4, 5)), call=lambda library, c, *x: c.clone().addmm_(*x), **SUMS),
    product("baddbmm_", plus(np.matmul), ((2, 3, 5), (2, 3, 4), (2, 4, 5)), **SUMS,
        call=lambda library, c, *x: c.clone().baddbmm_(*x)),
    product("addmv_", plus(np.matmul), ((3,), (3, 4), (4,)), call=lambda library, c, *x: c.clone().addmv_(*x), **SUMS),
    product("addbmm_", plus(lambda a, b: (a @ b).sum(0)), ((3, 5), (2, 3, 4), (2, 4, 5)), **SUMS,
        call=lambda library, c, *x: c.clone().addbmm_(*x)),
    product("addr_", plus(np.outer), ((3, 4), (3,), (4,)), call=lambda library, c, *x: c.clone().addr_(*x), **SUMS),
    product("tensordot", lambda a, b, dims=2: np.tensordot(a, b, dims), ((2, 3, 4), (3, 4, 5)), more=(Case(((2, 3, 4), (4, 5)),
        named={"dims": 1}), Case(((3,), (4,)), named={"dims": 0}), Case(((2, 3, 4), (4, 5, 2)), named={"dims": ([2, 0], [0, 2])}),
        Case(((3, 4), (3, 4)), named={"dims": ([-1, 0], [-1, 0])})), call=tensordot),
]  # fmt: skip

EINSUMS = [
    einsum("ij,jk->ik", (3, 4), (4, 5)), einsum("ij,jk", (3, 4), (4, 5)), einsum("ba", (3, 4)), einsum("ii", (4, 4), result="sum"),
    einsum("ii->i", (4, 4)), einsum("bij,bjk->bik", (2, 3, 4), (2, 4, 5)), einsum("i,j->ij", (3,), (4,)),
    einsum("ij->", (3, 4), result="sum"), einsum("ij,ij->i", (3, 4), (3, 4)), einsum("...ij->...ji", (2, 3, 4)),
    einsum("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2)), einsum("bhqd,bhkd->bhqk", (2, 2, 3, 4), (2, 2, 5, 4)),
    einsum("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)), einsum("iij,jk->ik", (3, 3, 4), (4, 2)), einsum("ij,kj->ikj", (2, 3), (4, 3)),
    einsum("i,i->", (5,), (5,)), einsum(",i->i", (), (4,)), einsum("ij,j->i", (2, 3), (3,), more=(Case(((0, 3), (3,))),)),
    einsum("ik,kj->ij", (2, 3), (3, 3), more=(Case(((2, 0), (0, 3))),)),
    einsum("bn,anm,bm->ba", (2, 5), (3, 5, 4), (2, 4)),
]  # fmt: skip

ALL = PRODUCTS + EINSUMS
