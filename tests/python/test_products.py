"""einsum, tensordot, cross and sums of products: what rows of op_rows_products.py do not say."""

import math

import bolide
import pytest


def numbers(*shape):
    return bolide.arange(float(math.prod(shape))).reshape(shape)


def test_einsum_of_lists_of_dimensions():
    a, b = numbers(2, 3), numbers(3, 4)
    assert bolide.equal(bolide.einsum(a, [0, 1], b, [1, 2], [2, 0]), (a @ b).t())
    assert bolide.equal(bolide.einsum(a, [0, 1], b, [1, 2]), a @ b)
    assert bolide.equal(bolide.einsum(a, [..., 5], [5, ...]), a.t())
    assert bolide.equal(bolide.einsum("ij,jk", [a, b]), a @ b)


@pytest.mark.parametrize(
    ("equation", "shapes", "words"),
    [
        ("ij,jk->ik", [(2, 3)], "2 operands"),
        ("ij->ik", [(2, 3)], "some operand has"),
        ("ij->ii", [(2, 3)], "once"),
        ("i->i", [(2, 3)], "2 dimensions"),
        ("i?->i", [(2,)], "letters"),
        ("......i->i", [(2, 3)], "one ellipsis"),
        ("ii->i", [(2, 3)], "repeats"),
        ("ij,jk->ik", [(2, 3), (4, 5)], "broadcast"),
    ],
)
def test_einsum_refuses(equation, shapes, words):
    with pytest.raises(bolide.BolideError, match=words):
        bolide.einsum(equation, *(numbers(*shape) for shape in shapes))


def test_einsum_of_integers_sums_one_operand_in_int64():
    x, y = bolide.ones(2, 3, dtype=bolide.int32), bolide.ones(3, dtype=bolide.int32)
    assert bolide.einsum("ij->i", x).dtype == bolide.int64
    assert bolide.einsum("ij,ij->i", x, x).dtype == bolide.int32
    assert bolide.einsum("ij,j->j", x, y).tolist() == [2, 2, 2]
    assert bolide.einsum("ij,k->", x, y).tolist() == 18
    assert bolide.einsum(
        "aij,jk->ik", bolide.ones(4, 2, 3, dtype=bolide.int32), x.t()
    ).tolist() == [
        [12, 12],
        [12, 12],
    ]


def test_tensordot_refuses():
    a, b = numbers(2, 3), numbers(4, 5)
    for dims in (1, ([0], [0])):
        with pytest.raises(bolide.ShapeError, match="agree"):
            bolide.tensordot(a, b, dims)
    with pytest.raises(bolide.BolideError, match="once"):
        bolide.tensordot(a, a, ([0, 0], [0, 0]))
    with pytest.raises(bolide.BolideError, match="as many"):
        bolide.tensordot(a, a, ([0, 1], [0]))
    with pytest.raises(bolide.BolideError, match=r"\[0, 2\], got 3"):
        bolide.tensordot(a, a, 3)


def test_out_and_beta_of_zero():
    a, b, nan = numbers(2, 3), numbers(3, 4), bolide.full((2, 4), math.nan)
    assert bolide.equal(bolide.addmm(nan, a, b, beta=0), a @ b)
    out = bolide.empty(2, 4)
    assert bolide.addmm(nan, a, b, beta=0, alpha=2, out=out) is out and bolide.equal(
        out, 2 * (a @ b)
    )
    out = bolide.empty(2, 4)
    assert bolide.tensordot(a, b, 1, out=out) is out and bolide.equal(out, a @ b)
    with pytest.raises(bolide.ShapeError):
        bolide.addmm(numbers(3, 2, 4), a, b)  # the sum has the product's shape


def test_cross_refuses():
    with pytest.raises(bolide.ShapeError, match="size 3"):
        bolide.cross(numbers(4, 2), numbers(4, 2))
    with pytest.raises(bolide.ShapeError, match="as many dimensions"):
        bolide.cross(numbers(4, 3), numbers(3))
