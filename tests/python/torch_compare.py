"""What torch_samples.py compares: one call's tensors on both sides, its results, gradients and views.

Each function gives None or a line that says what differs. Where PyTorch leaves a result open, the open part is taken out
of both results first (`settled`): which of equal elements an index means, the phase of an eigenvector.
"""

from __future__ import annotations

import types

import bolide
import torch

TOLERANCE = {
    "float16": 4e-3,
    "bfloat16": 3e-2,
    "float32": 2e-5,
    "complex64": 5e-5,
    "float64": 1e-7,
    "complex128": 1e-7,
}
WIDE = {
    torch.float16: torch.float64,
    torch.bfloat16: torch.float64,
    torch.float32: torch.float64,
    torch.complex64: torch.complex128,
}
# By op: where the arguments have `dim` behind the input, and whether the result is the indices alone.
PLACES = {
    "sort": (0, False),
    "argsort": (0, True),
    "topk": (1, False),
    "kthvalue": (1, False),
    "mode": (0, False),
}
VECTORS = set(
    "linalg.eig linalg.eigh linalg.svd svd svd_lowrank pca_lowrank".split()
)  # up to a phase
HERMITIAN = {
    "cholesky",
    "linalg.cholesky",
    "linalg.cholesky_ex",
}  # of their inputs only that part has a gradient
STRIDES = {"clone", "contiguous", "to", "empty_like", "zeros_like", "ones_like", "float", "double"}


def name_of(dtype) -> str:
    return str(dtype).split(".")[1]


class Pairs:
    """The tensors of one call on both sides: of the same memory, sizes and strides, with memory of their own."""

    def __init__(self, gradient: bool, wide: bool = False):
        self.gradient, self.wide = gradient, wide
        self.pairs: list = []
        self._known: dict = {}  # by id: a tensor that is given twice is one on both sides

    def _copy(self, tensor):
        plain = tensor.detach().resolve_conj().resolve_neg()
        storage = plain.untyped_storage().clone()
        flat = torch.empty(0, dtype=plain.dtype).set_(storage)
        layout = (plain.size(), plain.stride(), plain.storage_offset())
        if self.wide:
            flat = flat.to(WIDE.get(flat.dtype, flat.dtype))
        return flat, layout

    def _tensors(self, tensor):
        if id(tensor) not in self._known:
            (mine, layout), (copy, _) = self._copy(tensor), self._copy(tensor)
            mine = torch.as_strided(mine, *layout).detach()
            other = bolide.from_dlpack(copy).as_strided(*map(tuple, layout[:2]), layout[2]).detach()
            if self.gradient and tensor.requires_grad:
                mine.requires_grad_(), other.requires_grad_()
            self._known[id(tensor)] = (mine, other, tensor)
            self.pairs.append((mine, other))
        return self._known[id(tensor)][:2]

    def of(self, value):
        """The value for PyTorch, and the one for bolide."""
        if isinstance(value, torch.Tensor):
            return self._tensors(value)
        if isinstance(value, torch.dtype):
            return (WIDE.get(value, value) if self.wide else value), getattr(bolide, name_of(value))
        if isinstance(value, torch.device):
            return value, str(value)
        if isinstance(value, torch.memory_format | torch.layout):
            return value, getattr(bolide, name_of(value), value)
        if isinstance(value, tuple) and not hasattr(value, "_fields"):
            both = [self.of(item) for item in value]
            return tuple(a for a, _ in both), tuple(b for _, b in both)
        if isinstance(value, list):
            both = [self.of(item) for item in value]
            return [a for a, _ in both], [b for _, b in both]
        if isinstance(value, dict):
            found = {key: self.of(item) for key, item in value.items()}
            return {k: a for k, (a, _) in found.items()}, {k: b for k, (_, b) in found.items()}
        return value, value


def rebound(function):
    """A Python function of torch's tests, with bolide where it says torch."""
    if isinstance(function, types.FunctionType) and "torch.testing" in (function.__module__ or ""):
        names = {**function.__globals__, "torch": bolide}
        return types.FunctionType(
            function.__code__,
            names,
            function.__name__,
            function.__defaults__,
            function.__closure__,
        )
    return None


def flat(result) -> list:
    if isinstance(result, tuple | list):
        return [item for part in result for item in flat(part)]
    return [result]


def as_torch(tensor):
    tensor = tensor.detach()
    if tensor.dtype is bolide.bool:
        return torch.from_dlpack(tensor.to(bolide.uint8)).to(torch.bool)
    return torch.from_dlpack(tensor.clone())


# ---- what is left open ---------------------------------------------------------------------------


def _meant(name: str, args, kwargs, results: list) -> list:
    """Indices of equal elements: the elements that they point at."""
    position, alone = PLACES[name]
    if kwargs.get("stable"):
        return results
    dim = kwargs.get("dim", args[1 + position] if len(args) > 1 + position else -1)
    source, places = args[0].detach(), results[0 if alone else 1]
    if not isinstance(dim, int) or not source.ndim:
        return results
    kept = places if places.ndim == source.ndim else places.unsqueeze(dim)
    taken = torch.take_along_dim(source, kept, dim)
    return [taken] if alone else [results[0], taken, *results[2:]]


def _turned(a, b):
    """Columns of b turned by the phases that bring them to those of a."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return b
    products = (b.conj() * a).sum(-2, keepdim=True)
    return b * torch.where(products == 0, 1, products / products.abs())


def _columns(name: str, results: list) -> list:
    """Of a decomposition: values, then vectors as columns, and what the free ones among them span."""
    if ("svd" not in name and "pca" not in name) or len(results) < 3:
        return results
    u, s, v = results
    v = v.mH if name == "linalg.svd" else v
    k, parts = s.shape[-1], [s]
    for vectors in (u, v):
        rest = vectors[..., k:]
        parts += [vectors[..., :k], rest @ rest.mH]
    return parts


def settled(name: str, args, kwargs, expected: list, got: list):
    """Both results without what PyTorch leaves open."""
    if name in PLACES:
        return _meant(name, args, kwargs, expected), _meant(name, args, kwargs, got)
    if name in VECTORS:
        expected, got = _columns(name, expected), _columns(name, got)
        return expected, [
            _turned(a, b) if a.ndim > 1 and i else b
            for i, (a, b) in enumerate(zip(expected, got, strict=True))
        ]
    return expected, got


# ---- results -------------------------------------------------------------------------------------


def form(a, b, what: str) -> str | None:
    """Kind, dtype and shape of one result."""
    if not isinstance(a, torch.Tensor):
        return (
            f"{what}: {type(a).__name__}, bolide a tensor" if isinstance(b, bolide.Tensor) else None
        )
    if not isinstance(b, bolide.Tensor):
        return f"{what}: tensor, bolide {type(b).__name__}"
    if name_of(b.dtype) != name_of(a.dtype):
        return f"{what}: dtype {name_of(a.dtype)}, bolide {name_of(b.dtype)}"
    if tuple(a.shape) != tuple(b.shape):
        return f"{what}: shape {tuple(a.shape)}, bolide {tuple(b.shape)}"
    if a.requires_grad != b.requires_grad:
        return f"{what}: requires_grad {a.requires_grad}, bolide {b.requires_grad}"
    return None


def close(a, b):
    tolerance = TOLERANCE.get(name_of(a.dtype), 0)
    return torch.isclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)


def values(a, b, what: str, exact=None) -> str | None:
    """Where two tensors of PyTorch differ; not where bolide's is the nearer one to `exact`."""
    a = a.detach().resolve_conj().resolve_neg()
    bad = ~close(a, b)
    if exact is not None and exact.shape == a.shape and bad.any():
        far, near = (exact - a.to(exact.dtype)).abs(), (exact - b.to(exact.dtype)).abs()
        known = ~torch.isnan(near)
        bad &= ~(known & (torch.isnan(far) | (near <= far) | (near <= 4e-3 * exact.abs())))
        bad &= ~(torch.isnan(b) & torch.isnan(exact)) & (b != exact)
    if not bad.any():
        return None
    where = tuple(bad.nonzero()[0].tolist())
    count = f"{int(bad.sum())} of {a.numel()}"
    return f"{what}: values {count} differ, at {list(where)} {a[where].item()}, bolide {b[where].item()}"


def same_number(a, b) -> bool:
    return not isinstance(a, bool | int | float | complex) or a == b or (a != a and b != b)


def results(call, expected, got, what: str, look: bool, exact=None) -> str | None:
    """call: the op's name, arguments and keywords. look: are there values to compare?"""
    expected, got = flat(expected), flat(got)
    if len(expected) != len(got):
        return f"{what}: {len(expected)} results, bolide {len(got)}"
    for a, b in zip(expected, got, strict=True):
        bad = form(a, b, what)
        if not bad and look and not isinstance(a, torch.Tensor) and not same_number(a, b):
            bad = f"{what}: {a}, bolide {b}"
        if bad:
            return bad
    if not look:
        return None
    tensors = [a for a in expected if isinstance(a, torch.Tensor)]
    others = [as_torch(b) for b in got if isinstance(b, bolide.Tensor)]
    tensors, others = settled(*call, [a.detach() for a in tensors], others)
    wide = flat(exact)
    if exact is None or len(wide) != len(tensors) or call[0] in {*PLACES, *VECTORS}:
        wide = [None] * len(tensors)
    for a, b, c in zip(tensors, others, wide, strict=True):
        if bad := values(a, b, what, c):
            return bad
    return None


def strides(name: str, expected, got, what: str) -> str | None:
    """Of ops whose documentation says how the result lies in memory."""
    if name not in STRIDES or not isinstance(expected, torch.Tensor) or expected.numel() < 2:
        return None
    wanted = [s for s, n in zip(expected.stride(), expected.shape, strict=True) if n > 1]
    found = [s for s, n in zip(got.stride(), expected.shape, strict=True) if n > 1]
    return None if wanted == found else f"{what}: strides {wanted}, bolide {found}"


def sharing(expected, got, pairs, what: str) -> str | None:
    """Whether results lie in an argument's memory, and where in it."""
    for a, b in zip(flat(expected), flat(got), strict=True):
        if not isinstance(a, torch.Tensor) or not a.numel() or a.layout != torch.strided:
            continue
        for mine, other in pairs:
            if not mine.numel():
                continue
            one = a.untyped_storage().data_ptr() == mine.untyped_storage().data_ptr()
            start = other.data_ptr() - mine.storage_offset() * mine.element_size()
            two = start <= b.data_ptr() < start + mine.untyped_storage().nbytes()
            if one != two:
                first, second = ("shares memory" if v else "a copy" for v in (one, two))
                return f"{what}: {first}, bolide {second}"
            place = ((b.data_ptr() - start) // b.element_size(), tuple(b.stride()))
            if one and (a.storage_offset(), a.stride()) != place:
                return (
                    f"{what}: view {a.stride()}+{a.storage_offset()}, bolide {place[1]}+{place[0]}"
                )
    return None


# ---- gradients -----------------------------------------------------------------------------------


def _seeds(tensors, seed: int, hermitian: bool = False):
    generator = torch.Generator().manual_seed(seed)
    made = [torch.randn(t.shape, dtype=t.dtype, generator=generator) for t in tensors]
    if hermitian:
        made = [t + t.mH for t in made]
    return made, [bolide.from_dlpack(t.clone()) for t in made]


def _of_leaves(one, two, call, what: str) -> str | None:
    for position, (x, y) in enumerate(zip(one, two, strict=True)):
        if x is None or y is None:
            if (x is None or not x.any()) and (y is None or not y.any()):
                continue
            return f"{what} {position}: {'None' if x is None else 'a tensor'}, bolide the other"
        if call[0] in HERMITIAN and x.ndim >= 2 and x.shape[-1] == x.shape[-2]:
            x, y = x + x.mH, y + y.mH  # of Hermitian matrices: the other part has no meaning
        if bad := results(("", (), {}), x.detach(), y.detach(), f"{what} {position}", True):
            return bad
    return None


def gradients(call, expected, got, pairs, what: str, second: bool) -> str | None:
    """Of a random projection of the results; second: of one of the gradients, too."""
    outputs = [
        (a, b)
        for a, b in zip(flat(expected), flat(got), strict=True)
        if isinstance(a, torch.Tensor) and a.requires_grad
    ]
    leaves = [(a, b) for a, b in pairs if a.requires_grad and a.is_leaf]
    if not outputs or not leaves:
        return None
    theirs, ours = ([pair[side] for pair in outputs] for side in (0, 1))
    inputs, inputs_ours = ([pair[side] for pair in leaves] for side in (0, 1))
    seeds, seeds_ours = _seeds(theirs, 0)
    options = {"allow_unused": True, "create_graph": second}
    try:
        one = torch.autograd.grad(theirs, inputs, seeds, **options)
    except (RuntimeError, NotImplementedError):
        return None  # PyTorch has no gradient here
    two = bolide.autograd.grad(ours, inputs_ours, seeds_ours, **options)
    bad = _of_leaves(one, two, call, f"{what}: gradient")
    again = [(a, b) for a, b in zip(one, two, strict=True) if a is not None and a.requires_grad]
    if bad or not second or not again:
        return bad
    seeds, seeds_ours = _seeds([a for a, _ in again], 1, call[0] in HERMITIAN)
    options = {"allow_unused": True}
    try:
        one = torch.autograd.grad([a for a, _ in again], inputs, seeds, **options)
    except (RuntimeError, NotImplementedError):
        return None
    kept = [(b, s) for (_, b), s in zip(again, seeds_ours, strict=True) if b.requires_grad]
    two = [None] * len(inputs)
    if kept:
        two = bolide.autograd.grad(
            [b for b, _ in kept], inputs_ours, [s for _, s in kept], **options
        )
    return _of_leaves(one, two, call, f"{what}: second gradient")
