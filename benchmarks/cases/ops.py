"""Every op of PyTorch programs, on 256 x 256 numbers (in the cache) and on 2000 x 2000. Run on request: --filter ops.

A row is a statement; the names it may use are the keys of _MAKERS, lib, F and n (the side).
"""

from __future__ import annotations

import re

import numpy as np

from cases import Case

SIDES = (256, 2000)

POINTWISE = """
a + b; a - b; a * b; a / b; a + 2; lib.add(a, b, alpha=2); a ** b_; a ** 2; p ** 0.5; lib.atan2(a, b); a // b; a % b
-a; abs(a); lib.sqrt(p); lib.rsqrt(p); lib.log(p); lib.log2(p); lib.exp(a); lib.sin(a); lib.cos(a); lib.tanh(a)
lib.sigmoid(a); lib.relu(a); lib.square(a); lib.sign(a); lib.round(a); lib.floor(a); lib.ceil(a); lib.clamp(a, -1, 1)
lib.maximum(a, b); lib.minimum(a, b); a > b; a <= b; a == b; a != 0; lib.isnan(a); lib.isfinite(a); lib.isclose(a, b)
lib.allclose(a, a); lib.equal(a, a); lib.logical_and(m, q); lib.logical_or(m, q); lib.logical_not(m); m & q; ~m
lib.where(m, a, b); lib.where(m, a, 0.0); a.masked_fill(m, 0.0); F.silu(a); F.gelu(a); F.leaky_relu(a)
lib.erf(a); lib.log1p(p); lib.expm1(a); lib.lerp(a, b, 0.3); lib.addcmul(a, b, p); lib.reciprocal(p)
lib.nan_to_num(a); lib.exp(d); lib.tanh(d); lib.log(dp); lib.sin(d); lib.sigmoid(d); dp ** e; lib.sqrt(dp)
lib.atan2(d, e); d + e; d * e; d / e; lib.erf(d); i + j; i * j; i // j; i % j; i > j; o + r; o * r; o // r; o % r
h + k; h * k; lib.exp(h); lib.tanh(h); u + v; u * v; lib.exp(u); lib.sigmoid(u); a + h; a + i; i / j; y + z; y // 3
a + row; a * column; a + b.T; a.T + b.T; a[:, ::2] + b[:, ::2]; a + a[0, 0]; a[1:, 1:] * b[1:, 1:]
out.copy_(a); out.fill_(1.5); out.zero_(); out.add_(0.0); out.mul_(1.0); out.masked_fill_(m, 1.0); out.clamp_(-1, 1)
a.to(lib.float64); a.to(lib.float16); a.to(lib.bfloat16); h.to(lib.float32); u.to(lib.float32); a.to(lib.int64)
i.to(lib.float32); o.to(lib.int32); m.to(lib.float32); a.to(lib.bool); lib.cos(c); c * c; abs(c)
"""
SHAPES = """
lib.zeros(n, n); lib.ones(n, n); lib.full((n, n), 3.5); lib.arange(n * n); lib.linspace(0, 1, n * n); lib.eye(n)
lib.zeros_like(a); lib.ones_like(a); a.clone(); b.T.contiguous(); o.T.contiguous(); h.T.contiguous(); y.T.contiguous()
b.T.reshape(-1); cube.permute(2, 0, 1).contiguous(); cube.permute(1, 0, 2).contiguous(); a[:, ::2].contiguous()
cube.permute(0, 2, 1).contiguous(); lib.cat((a, b)); lib.cat((a, b), 1); lib.stack((a, b)); lib.stack((a, b), 2)
lib.stack((a, b), 1); lib.flip(a, (0,)); lib.flip(a, (1,)); lib.roll(a, 3, 1); a.repeat(2, 2); lib.tril(a); lib.triu(a)
lib.repeat_interleave(a, 2, 0); lib.repeat_interleave(a, 2, 1); lib.gather(a, 1, at); lib.gather(a, 0, at)
lib.index_select(a, 0, t); lib.index_select(a, 1, t); a[t]; a[:, t]; a[t, t]; a[m]; lib.nonzero(m); lib.nonzero(s)
out.scatter_(1, at, b); out.index_copy_(0, unique, b)
out.index_fill_(0, t, 1.0); table.index_add_(0, few, b); wide.scatter_add_(1, at, p); F.embedding(t, a)
lib.split(a, 16); lib.chunk(a, 16); lib.unbind(a); lib.diag(a); lib.diag(a[0]); lib.meshgrid(a[0], a[1], indexing="ij")
"""
REDUCTIONS = """
b_.sum(); a.sum(0); a.sum(1); cube.sum(1); cube.sum((0, 2)); b_.mean(); a.mean(0); a.mean(1); p.prod(); q1.prod(0)
q1.prod(1); a.std(); a.std(0); a.std(1); a.var(0); a.max(); a.min(); a.amax(0); a.amax(1); a.max(0); a.max(1); a.min(1)
a.argmax(); a.argmax(0); a.argmax(1); a.argmin(1); a.norm(); lib.linalg.vector_norm(a, dim=1); a.logsumexp(1)
lib.any(m); lib.any(none); lib.all(every); lib.any(m, 0); lib.all(m, 1); i.sum(); o.sum(); o.sum(0); o.sum(1); o.max()
m.sum(); m.sum(0); m.sum(1); d.sum(); d.sum(0); d.sum(1); h.sum(); h.sum(0); h.sum(1); u.sum(0); u.sum(1); u.mean()
i.amax(1); a.T.sum(1); lib.count_nonzero(m); a.cumsum(0); a.cumsum(1); o.cumsum(1); a.cumprod(1); d.cumsum(1)
lib.softmax(a, 0); lib.softmax(a, 1); lib.log_softmax(a, 1); lib.softmax(u, 1); lib.cummax(a, 1)
"""
# Of equal numbers PyTorch takes any: the numbers themselves are compared.
SORTS = """
lib.sort(a).values; lib.sort(a, 0).values; lib.sort(a, descending=True).values; a.gather(1, lib.argsort(a))
lib.sort(o).values; lib.sort(i).values; lib.sort(d).values; lib.sort(flat).values; lib.topk(a, 10).values
lib.topk(a, 100).values; lib.topk(flat, 100).values; lib.unique(t); lib.unique(o); lib.median(flat)
lib.kthvalue(a, 9).values; lib.searchsorted(grid, flat); lib.bincount(t)
"""
PRODUCTS = """
a @ b.T; a.T @ b; a @ a[0]; lib.dot(flat, flat); lib.outer(a[0], a[1]); lib.bmm(stack, stack); a.T @ b.T
lib.einsum("bij,bjk->bik", stack, stack); lib.einsum("ij,kj->ik", a, b); lib.einsum("ij,ij->i", a, b)
lib.einsum("bhqd,bhkd->bhqk", heads, heads); lib.matmul(heads, heads.transpose(-1, -2)); w @ w; h @ k; u @ v
lib.einsum("i,j->ij", a[0], a[1]); F.linear(a, b); lib.addmm(a, a, b)
"""
RANDOM = """
lib.rand(n, n); lib.randn(n, n); lib.randint(0, 100, (n, n)); lib.randperm(n * n); out.normal_(); out.uniform_()
lib.bernoulli(half); F.dropout(a, 0.5)
"""


def _positive(rng, n):
    return np.abs(_normal(rng, n)) + np.float32(0.1)


def _normal(rng, *shape):
    return rng.standard_normal(shape * 2 if len(shape) == 1 else shape, dtype=np.float32)


def _integers(dtype, low, high):
    return lambda rng, n: rng.integers(low, high, (n, n)).astype(dtype)


def _double(make):
    return lambda rng, n: make(rng, n).astype(np.float64)


# d, e are float64, i, j int32, o, r int64, y, z uint8, h, k float16, u, v bfloat16.
_MAKERS = {
    **dict.fromkeys(("a", "b", "out"), _normal),
    **dict.fromkeys("de", _double(_normal)),
    **dict.fromkeys("hkuv", lambda rng, n: _normal(rng, n).astype(np.float16)),
    "p": _positive,
    "dp": _double(_positive),
    "w": lambda rng, n: _normal(rng, n).round().astype(np.float64),
    "b_": lambda rng, n: np.abs(
        _normal(rng, n)
    ).round(),  # whole: exact sums, powers of numbers below 0
    "q1": lambda rng, n: np.exp(_normal(rng, n) / n),  # products stay finite
    "i": _integers(np.int32, -1000, 1000),
    "j": _integers(np.int32, 1, 50),
    "o": _integers(np.int64, -1000, 1000),
    "r": _integers(np.int64, 1, 50),
    "y": _integers(np.uint8, 0, 100),
    "z": _integers(np.uint8, 1, 100),
    "m": _integers(bool, 0, 2),
    "q": _integers(bool, 0, 2),
    "s": lambda rng, n: rng.random((n, n)) < 0.01,
    "none": _integers(bool, 0, 1),
    "every": _integers(bool, 1, 2),
    "c": lambda rng, n: (_normal(rng, n) + 1j * _normal(rng, n)).astype(np.complex64),
    "row": lambda rng, n: _normal(rng, 1, n),
    "column": lambda rng, n: _normal(rng, n, 1),
    "flat": lambda rng, n: _normal(rng, n * n, 1)[:, 0],
    "grid": lambda rng, n: np.sort(_normal(rng, n, 1)[:, 0]),
    "cube": lambda rng, n: _normal(rng, n // 16, 16, n),
    "stack": lambda rng, n: _normal(rng, n // 16, 64, 64),
    "heads": lambda rng, n: _normal(rng, 2, 4, n // 4, 64),
    "table": lambda rng, n: _normal(rng, 50, n),
    "wide": _normal,
    "half": lambda rng, n: np.full((n, n), 0.5, np.float32),
    "t": lambda rng, n: rng.integers(0, min(n, 64), n),
    "few": lambda rng, n: rng.integers(0, 50, n),
    "at": lambda rng, n: rng.integers(0, n, (n, n)),
    "unique": lambda rng, n: rng.permutation(n),
}


def _names(statement, side, random):
    used = set(re.findall(r"\w+", statement)) & set(_MAKERS)

    def names(library):
        made = {"lib": library.module, "F": library.functional, "n": side}
        for name in sorted(used):
            made[name] = library.tensor(_MAKERS[name](np.random.default_rng(ord(name[0])), side))
            if name in ("u", "v") and not library.precise:
                made[name] = made[name].to(library.module.bfloat16)
        if random:  # other numbers in each library
            made["check"] = lambda: [np.zeros(eval(statement, made).shape)]
        return made

    return names


def cases():
    """The rows of this file."""
    found = []
    for text in (POINTWISE, SHAPES, REDUCTIONS, SORTS, PRODUCTS, RANDOM):
        for statement in re.split(r"[;\n]\s*", text.strip()):
            for side in SIDES:
                names = _names(statement, side, text is RANDOM)
                found.append(Case(f"{statement}, {side}", "ops", 1, names, statement, extra=True))
    return found
