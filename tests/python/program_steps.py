"""The lines that random programs are made of (programs.py runs them), drawn by Hypothesis.

A step is a function that takes a Builder and returns an expression (`@makes`: the program binds it to a new name) or a
statement (`@changes`); None where the live tensors do not allow it. To cover a new op: a function, or a word in one of
the lists. The number is how often it comes, beside the others of its kind."""

import re

from hypothesis import strategies as st
from program_builder import (
    CHANGERS,
    FLOATING,
    LENGTH,
    MAKERS,
    POOL,
    Builder,
    PlainBuilder,
    broadcasts_to,
    changes,
    makes,
)
from programs import NO_GRAD, Disagreement, Ended, name_of

# ---- making tensors ------------------------------------------------------------------------------


@makes(3)
def new(b):
    dtype = b.dtype()
    grad = ", grad=True" if dtype in FLOATING and b.gradients and not b.upto(2) else ""
    return f"{b.made(b.shape(), dtype)[:-1]}{grad})"


@makes(2)
def filled(b):
    kind, shape, dtype = b.upto(9), b.shape(), b.dtype()
    like = b.tensor()
    return (
        f"lib.zeros({shape}, dtype=lib.{dtype}, device=device)",
        f"lib.ones({shape}, device=device)",
        f"lib.full({shape}, {b.number()}, device=device)",
        f"lib.arange({b.upto(7)}, dtype=lib.{dtype.replace('bool', 'int64')}, device=device)",
        f"lib.eye({b.upto(4)}, {b.upto(4)}, device=device)",
        f"lib.{b.pick(('zeros_like', 'ones_like'))}({like}{b.pick(('', f', dtype=lib.{dtype}'))})",
        f"lib.full_like({like}, {b.number()})",
        f"{like}.new_zeros({shape})",
        f"lib.arange({b.number()}, {b.number()}, {b.number()}, device=device)"
        if b.rarely(3)
        else f"{like}.new_full({shape}, {b.number()})",
    )[kind]


# ---- views -----------------------------------------------------------------------------------------


def size_along(x, dim):
    """Its size, or a small number where the tensor has no such dimension."""
    return x.shape[dim] if -x.dim() <= dim < x.dim() else 2


@makes(9)
def basic_index(b):
    name = b.tensor()
    return name + b.basic_key(b.at(name).shape)


@makes(9)
def rearranged(b):
    name = b.tensor()
    x = b.at(name)
    rank = x.dim()
    order = list(range(rank))
    for i in range(rank - 1, 0, -1):
        j = i - b.upto(i + 1)
        order[i], order[j] = order[j], order[i]
    one, two = b.dim(rank), b.dim(rank)
    return (
        f"{name}.T" if rank == 2 or b.rarely(10) else f"{name}.mT",
        f"{name}.{b.pick(('transpose', 'swapaxes', 'swapdims'))}({one}, {two})",
        f"{name}.permute({order})" if b.upto(2) else f"{name}.permute({', '.join(map(str, order))})" if rank else f"{name}.permute(())",
        f"{name}.movedim({one}, {two})",
        f"lib.moveaxis({name}, ({one},), ({two},))",
        f"{name}.t()" if rank <= 2 or b.rarely(10) else f"{name}.transpose({one}, {two})",
    )[b.upto(6)]  # fmt: skip


@makes(5)
def squeezed(b):
    name = b.tensor()
    rank = b.at(name).dim()
    return (
        f"{name}.unsqueeze({b.dim(rank + 1)})",
        f"{name}.squeeze()",
        f"{name}.squeeze({b.dim(rank)})",
        f"{name}.squeeze(({b.dim(rank)},))"
        if b.upto(2)
        else f"lib.unsqueeze({name}, {b.dim(rank + 1)})",
    )[b.upto(4)]


@makes(5)
def expanded(b):
    name = b.tensor()
    x = b.at(name)
    sizes = [b.pick((n, -1)) if n != 1 else b.pick((3, 1, 2, 0, -1)) for n in x.shape]
    sizes = [b.pick((2, 1, 3, 0)) for _ in range(b.upto(2))] + sizes
    if b.rarely(30):
        sizes = [*sizes, 2]
    how = b.upto(4)
    if how == 0:
        return f"lib.broadcast_to({name}, {tuple(sizes)})"
    if how == 1:
        return (
            f"{name}.expand_as({b.tensor(lambda y: broadcasts_to(tuple(x.shape), tuple(y.shape)))})"
        )
    return f"{name}.expand({tuple(sizes)})"


@makes(5)
def selected(b):
    name = b.tensor()
    x = b.at(name)
    dim = b.dim(x.dim())
    n = size_along(x, dim)
    start = b.upto(n + 1)
    length = b.upto(n - start + 1) + (1 if b.rarely(40) else 0)
    return (
        f"{name}.select({dim}, {b.one_index(n)})",
        f"{name}.narrow({dim}, {start}, {length})",
        f"{name}.narrow({dim}, {start - n}, {length})"
        if start < n
        else f"{name}.select({dim}, {b.one_index(n)})",
    )[b.upto(3)]


@makes(4)
def parts(b):
    name = b.tensor()
    x = b.at(name)
    dim = b.dim(x.dim())
    n = size_along(x, dim)
    cut = b.upto(n + 1)
    which = b.pick((0, -1, 1))
    return (
        f"{name}.unbind({dim})[{which}]",
        f"{name}.split({b.upto(3) + (0 if b.rarely(20) else 1)}, {dim})[{which}]",
        f"{name}.split([{cut}, {n - cut}], {dim})[{which}]",
        f"{name}.chunk({1 + b.upto(4)}, {dim})[{which}]",
        f"lib.split({name}, {1 + b.upto(3)})[{which}]",
    )[b.upto(5)]


@makes(3)
def diagonal(b):
    name = b.tensor(lambda x: x.dim() >= 2) or b.tensor()
    rank = b.at(name).dim()
    dims = (0, 1) if b.upto(2) or rank < 2 else (b.dim(rank), b.dim(rank))
    return f"{name}.diagonal({b.pick((0, 1, -1, 2, -3))}, {dims[0]}, {dims[1]})"


@makes(3)
def as_strided(b):
    name = b.tensor()
    x = b.at(name)
    room = (
        x.untyped_storage().nbytes() // x.element_size()
        if hasattr(x, "untyped_storage")
        else x.numel()
    )
    offset = b.upto(room) if room else 0
    sizes, strides, left = [], [], room - offset - 1
    for _ in range(b.upto(4)):
        stride = b.upto(4)
        size = b.upto(min(left // stride, 3) + 1) + 1 if stride and left >= 0 else b.upto(3)
        left -= (size - 1) * stride if size else 0
        sizes.append(size), strides.append(stride)
    if b.rarely(20) and sizes:
        sizes[0] += 40
        strides[0] += 1
    return f"{name}.as_strided({tuple(sizes)}, {tuple(strides)}, {offset})"


def factored(b, count):
    """A shape of so many elements."""
    if count == 0:
        return b.pick(((0,), (2, 0), (0, 3), (-1, 2), (0, 1, 0)))
    sizes = []
    while count > 1 and len(sizes) < 4:
        factors = [f for f in range(1, count + 1) if count % f == 0]
        sizes.append(b.pick(factors[1:] + factors[:1]))
        count //= sizes[-1]
    sizes += [count] * (count > 1 or b.rarely(4))
    if sizes and b.rarely(3):
        sizes[b.upto(len(sizes))] = -1
    if b.rarely(30):
        sizes.append(b.pick((2, -1, -2)))
    return tuple(sizes)


@makes(8)
def reshaped(b):
    name = b.tensor()
    x = b.at(name)
    rank = x.dim()
    shape = factored(b, x.numel())
    start, end = sorted((b.upto(rank or 1), b.upto(rank or 1)))
    kind = b.upto(8)
    if kind == 6 and rank:
        dim = b.upto(rank)
        return f"{name}.unflatten({dim}, {factored(b, x.shape[dim])})"
    return (
        f"{name}.view({shape})",
        f"{name}.reshape({shape})",
        f"{name}.flatten()",
        f"{name}.flatten({start}, {end})",
        f"{name}.ravel()",
        f"{name}.view({', '.join(map(str, shape))})" if shape else f"{name}.view(())",
        f"lib.reshape({name}, {shape})",
        f"{name}.{b.pick(('view_as', 'reshape_as'))}({b.tensor(lambda y: y.numel() == x.numel())})",
    )[kind]


@makes(3)
def detached(b):
    name = b.tensor()
    return b.pick((f"{name}.detach()", f"lib.detach({name})", f"{name}.data"))


# ---- arithmetic ------------------------------------------------------------------------------------

BINARY = ("add", "mul", "sub", "div", "maximum", "minimum", "floor_divide", "remainder", "pow", "atan2", "fmod", "hypot",
          "logaddexp", "true_divide", "subtract", "multiply", "rsub")  # fmt: skip
TENSORS_ONLY = (
    "atan2_",
    "maximum",
    "minimum",
    "atan2",
    "hypot",
    "logaddexp",
    "logical_and",
    "logical_or",
    "logical_xor",
    "isclose",
)
COMPARE = ("<", ">", "==", "!=", "<=", ">=")
LOGIC = ("logical_and", "logical_or", "logical_xor", "eq", "ne", "lt", "isclose")
BITS = ("&", "|", "^", "<<", ">>")
UNARY = ("neg", "abs", "square", "sign", "relu", "reciprocal", "sqrt", "exp", "log", "sin", "cos", "tanh", "sigmoid", "floor",
         "ceil", "round", "trunc", "expm1", "log1p", "rsqrt", "erf", "atan", "exp2", "log2", "log10", "tan")  # fmt: skip
TESTS = ("isnan", "isinf", "isfinite", "logical_not")


@makes(12)
def operator(b):
    name = b.tensor()
    other = b.fitting(b.at(name).shape)
    sign = b.operators[min(b.upto(len(b.operators)), b.upto(len(b.operators)))]
    return f"{other} {sign} {name}" if b.rarely(3) else f"{name} {sign} {other}"


@makes(8)
def binary(b):
    name = b.tensor()
    x = b.at(name)
    kind = b.upto(5)
    word = BINARY[min(b.upto(len(BINARY)), b.upto(len(BINARY)))] if kind > 2 else b.pick(LOGIC)
    other = b.fitting(x.shape, numbers=word not in TENSORS_ONLY)
    if kind == 0:
        return f"{name} {b.pick(COMPARE)} {other}"
    if kind == 1:
        return f"lib.{word}({name}, {other})"
    if kind == 2:
        return f"lib.{b.pick(('add', 'sub'))}({name}, {other}, alpha={b.number()})"
    return f"lib.{word}({name}, {other})"


@makes(2)
def bits(b):
    name = b.tensor(lambda x: not x.is_floating_point()) or b.tensor()
    return f"~{name}" if b.rarely(4) else f"{name} {b.pick(BITS)} {b.fitting(b.at(name).shape)}"


@makes(7)
def unary(b):
    name = b.tensor()
    word = UNARY[min(b.upto(len(UNARY)), b.upto(len(UNARY)))]
    if b.rarely(8):
        word = b.pick(TESTS)
    return f"{name}.{word}()" if b.upto(2) else f"lib.{word}({name})"


@makes(4)
def chosen(b):
    name = b.tensor()
    shape = b.at(name).shape
    kind = b.upto(6)
    one = b.fitting(shape)
    low, high = (
        (b.number(), b.number())
        if b.upto(2)
        else (b.fitting(shape, numbers=False) for _ in range(2))
    )
    return (
        f"lib.where({b.mask(shape)}, {name}, {one})",
        f"lib.where({b.mask(shape)}, {one}, {name})",
        f"{name}.clamp({low}, {high})" if b.upto(2) else f"{name}.clamp(min={one})",
        f"{name}.clamp(max={one})" if b.upto(2) else f"{name}.clamp_min({one})",
        f"{name}.masked_fill({b.mask(shape)}, {b.number()})",
        f"{name}.where({b.mask(shape)}, {one})",
    )[kind]


@makes(2)
def three(b):
    name = b.floating() or b.tensor()
    shape = b.at(name).shape
    one, two = b.fitting(shape, numbers=False), b.fitting(shape, numbers=False)
    return (
        f"lib.lerp({name}, {one}, {b.fitting(shape)})",
        f"lib.addcmul({name}, {one}, {two}, value={b.number()})",
        f"lib.addcdiv({name}, {one}, {two})",
        f"{name}.nan_to_num({b.number()})",
    )[b.upto(4)]


@makes(5)
def converted(b):
    name = b.tensor()
    word = b.pick(
        ("double", "float", "long", "int", "bool", "half", "bfloat16", "byte", "char", "short")
    )
    return (
        f"{name}.to(lib.{b.dtype()})",
        f"{name}.{word}()",
        f"{name}.clone()",
        f"{name}.contiguous()",
        f"{name}.type_as({b.tensor()})",
        f"{name}.to({b.tensor()})",
        f"{name}.to(lib.{b.dtype()}, copy=True)",
    )[b.upto(7)]


# ---- reductions, joins, matrices ---------------------------------------------------------------------

REDUCTIONS = (
    "sum",
    "mean",
    "amax",
    "amin",
    "any",
    "all",
    "prod",
    "var",
    "std",
    "norm",
    "logsumexp",
    "count_nonzero",
)


@makes(7)
def reduced(b):
    name = b.tensor()
    rank = b.at(name).dim()
    keep = b.pick(("", ", keepdim=True"))
    kind = b.upto(8)
    word = REDUCTIONS[min(b.upto(len(REDUCTIONS)), b.upto(len(REDUCTIONS)))]
    if kind < 3:
        keep = "" if word == "count_nonzero" else keep
        one = word in ("prod",)
        return f"lib.{word}({name}, dim={b.dim(rank) if one else b.dims(rank)}{keep})"
    return (
        f"{name}.{b.pick(('sum', 'mean', 'max', 'min', 'prod', 'any', 'all', 'argmax', 'argmin', 'std', 'norm'))}()",
        f"{name}.{b.pick(('max', 'min'))}({b.dim(rank)}{keep})[{b.upto(2)}]",
        f"{name}.{b.pick(('argmax', 'argmin'))}({b.dim(rank)}{keep})",
        f"lib.{b.pick(('softmax', 'log_softmax'))}({name}, {b.dim(rank)})",
        f"{name}.sum({b.dims(rank)}{keep}, dtype=lib.{b.dtype()})",
    )[kind - 3]


@makes(4)
def product(b):
    name = b.floating() or b.tensor()
    x = b.at(name)
    n = x.shape[-1] if x.dim() else 2
    dtype = name_of(x) if not b.rarely(20) else b.dtype()
    rows = b.upto(4)
    other = b.tensor(
        lambda y: (
            y.dim() and y.dtype == x.dtype and (y.shape[-2] if y.dim() > 1 else y.shape[0]) == n
        )
    )
    if other and b.upto(2):
        return f"{name} @ {other}"
    if x.dim() == 2 and b.rarely(3):
        return f"lib.addmm(make(({rows},), '{dtype}', 3), {name}, make(({n}, {rows}), '{dtype}', 5), beta={b.number()})"
    return f"{name} @ make({b.pick(((n,), (n, rows), (2, n, rows)))}, '{dtype}', {b.upto(9)})"


@makes(4)
def joined(b):
    name = b.tensor()
    x = b.at(name)
    dim = b.dim(x.dim())
    at = dim % x.dim() if x.dim() else 0
    fits = lambda y: y.dim() == x.dim() and all(  # noqa: E731
        i == at or n == m for i, (n, m) in enumerate(zip(x.shape, y.shape, strict=True)))  # fmt: skip
    names = ", ".join([name, *(b.tensor(fits) for _ in range(1 + b.upto(2)))])
    if b.rarely(3):
        same = b.tensor(lambda y: y.shape == x.shape)
        return f"lib.stack([{name}, {same}], {b.dim(x.dim() + 1)})"
    return f"lib.cat([{names}], {dim})"


@makes(4)
def spread(b):
    name = b.tensor()
    x = b.at(name)
    rank, dim = x.dim(), b.dim(x.dim())
    n = x.shape[dim] if -rank <= dim < rank else 2
    kind = b.upto(8)
    index = [b.upto(n) if n else 0 for _ in range(1 + b.upto(3))]
    return (
        f"{name}.repeat({tuple(b.pick((1, 2, 0)) for _ in range(rank + b.upto(2)))})",
        f"{name}.repeat_interleave({b.upto(3)}, {dim})",
        f"{name}.flip({dim})" if b.upto(2) else f"{name}.flip({tuple(range(rank))})",
        f"{name}.{b.pick(('tril', 'triu'))}({b.pick((0, 1, -1))})",
        f"lib.index_select({name}, {dim}, idx({index}))",
        f"lib.masked_select({name}, {b.mask(x.shape)})",
        f"lib.nonzero({name})",
        f"lib.gather({name}, {dim}, (lib.zeros({tuple(x.shape)}, dtype=lib.int64, device=device)))",
    )[kind]


@makes(2)
def mask_index(b):
    name = b.tensor()
    shape = tuple(b.at(name).shape)
    return f"{name}[{b.made(shape[: b.upto(len(shape) + 1)], 'bool')}]"


@makes(9)
def advanced_index(b):
    name = b.tensor()
    return name + b.advanced_key(tuple(b.at(name).shape))


# ---- changing tensors ----------------------------------------------------------------------------------


@changes(10)
def augmented(b):
    name = b.tensor()
    x = b.at(name)
    sign = b.operators[min(b.upto(len(b.operators)), b.upto(len(b.operators)))]
    if name_of(x) in ("bool", "int64", "int32") and b.rarely(3):
        sign = b.pick(BITS)
    return f"{name} {sign}= {b.fitting(x.shape)}"


@changes(8)
def binary_in_place(b):
    place = b.target()
    name = place.split("[")[0]
    shape = b.at(name).shape
    word = b.pick(
        ("add_", "mul_", "sub_", "div_", "copy_", "pow_", "remainder_", "floor_divide_", "atan2_")
    )
    return f"{place}.{word}({b.fitting(shape, numbers=word not in TENSORS_ONLY)})"


@changes(5)
def unary_in_place(b):
    place = b.target()
    word = b.pick(
        (
            "zero_",
            "neg_",
            "abs_",
            "relu_",
            "exp_",
            "sigmoid_",
            "square_",
            "floor_",
            "sqrt_",
            "tanh_",
            "sin_",
        )
    )
    return f"{place}.{word}()"


@changes(5)
def filled_in_place(b):
    place = b.target()
    name = place.split("[")[0]
    kind = b.upto(4)
    return (
        f"{place}.fill_({b.number()})",
        f"{place}.clamp_({b.number()}, {b.number()})",
        f"{name}.masked_fill_({b.mask(b.at(name).shape)}, {b.number()})",
        f"{name}.masked_fill_({b.mask(b.at(name).shape)}, {b.tensor(lambda x: x.dim() == 0) or b.number()})",
    )[kind]


@changes(10)
def assigned(b):
    name = b.tensor()
    shape = tuple(b.at(name).shape)
    key = b.key(shape)
    part = part_shape(b, name, key)
    return f"{name}{key} = {b.fitting(part if part is not None else ())}"


@changes(2)
def assigned_plainly(b):
    name = b.tensor()
    key = b.basic_key(b.at(name).shape)
    return f"{name}{key} = {b.fitting(part_shape(b, name, key) or ())}"


@changes(1)
def filled_with_a_number(b):
    return f"{b.target()}.fill_({b.number()})"


@changes(5)
def assigned_with(b):
    name = b.tensor()
    key = b.key(tuple(b.at(name).shape))
    part = part_shape(b, name, key)
    return f"{name}{key} {b.pick(('+', '*', '-'))}= {b.fitting(part if part is not None else ())}"


def part_shape(b, name, key):
    """The shape of what the key picks, by the reference; None where it is not allowed."""
    try:
        return tuple(eval(name + key, dict(b.pair.reference.names)).shape)
    except Exception:
        return None


@changes(5)
def overlapping(b):
    """An op between parts of one storage, some shifted by one element."""
    name = b.tensor(lambda x: x.dim() and x.shape[0] > 1)
    if not name:
        return None
    word = b.pick(("add_", "copy_", "mul_", "sub_"))
    a, c = b.pick(
        (
            ("[1:]", "[:-1]"),
            ("[:-1]", "[1:]"),
            ("[:]", "[:1]"),
            ("", "[0]"),
            ("[0]", "[1]"),
            ("", ".mT"),
            ("", ".flip(0)"),
        )
    )
    return f"{name}{a}.{word}({name}{c})"


@changes(4)
def out(b):
    name, into = b.tensor(), b.tensor()
    word = b.pick(("add", "mul", "sub", "div", "maximum", "pow", "exp", "neg", "eq"))
    if word in ("exp", "neg"):
        return f"lib.{word}({name}, out={into})"
    return (
        f"lib.{word}({name}, {b.fitting(b.at(name).shape, numbers=word != 'maximum')}, out={into})"
    )


@makes(1)
def out_without_elements(b):
    name, like = b.tensor(), b.tensor()
    word = b.pick(("add", "mul", "sub", "div", "lt"))
    return f"lib.{word}({name}, {b.fitting(b.at(name).shape)}, out={like}.new_zeros((0,)))"


@changes(2)
def graph_state(b):
    name = b.tensor()
    return b.pick(
        (
            f"{name}.detach_()",
            f"{name}.requires_grad_()",
            f"{name}.requires_grad_(False)",
            f"{name}.requires_grad = True",
        )
    )


@changes(3)
def forgotten(b):
    return f"del {b.tensor()}" if len(b.pair.tensors) > 1 else None


# ---- gradients -----------------------------------------------------------------------------------------


def loss_of(b, names):
    terms = [f"({n} * make({tuple(b.at(n).shape)}, 'float64', {b.upto(9)})).sum()" for n in names]
    return " + ".join(terms)


def with_gradient(b):
    return [n for n in b.pair.tensors if b.at(n).requires_grad]


def leaves_of(b):
    return [n for n in with_gradient(b) if b.at(n).is_leaf]


@changes(2)
def backward_early(b):
    inner = [n for n in with_gradient(b) if not b.at(n).is_leaf]
    if not inner:
        return None
    keep = b.pick(("", "retain_graph=True"))
    return f"({loss_of(b, [b.pick(inner)])}).backward({keep})"


@makes(3)
def gradient(b):
    inner = with_gradient(b)
    if not inner:
        return None
    of, by = b.pick(inner[::-1]), b.pick(inner)
    more = b.pick((", create_graph=True", ", retain_graph=True"))
    return f"lib.autograd.grad({loss_of(b, [of])}, {by}{more}, allow_unused=True)[0]"


def with_history(b, pair):
    """A few results of leaves, where a program made none."""
    for leaf in leaves_of(b)[:2]:
        other = b.fitting(b.at(leaf).shape)
        pair.run(f"t{b.fresh} = {leaf} {b.pick(('*', '+', '/', '-'))} {other}")
        b.fresh += 1


def ending(b):
    """Lines that compare gradients: backward of a weighted sum, or of the squares of gradients."""
    names, leaves = with_gradient(b), leaves_of(b)
    inner = [n for n in names if not b.at(n).is_leaf]
    if not inner:
        return []
    chosen = [n for n in inner if b.upto(3) < 2] or inner[-1:]
    loss = loss_of(b, chosen)
    if leaves and b.rarely(3):
        squares = " + ".join(f"({n}.double() * {n}).sum()" for n in leaves)
        return [
            f"g = lib.autograd.grad({loss}, [{', '.join(leaves)}], create_graph=True, allow_unused=True)",
            f"(sum((x.double() * x).sum() for x in g if x is not None) + {squares}).backward()",
        ]
    return [f"({loss}).backward()"]


# ---- programs ------------------------------------------------------------------------------------------


def build(b, pair, makers, changers):
    """Draws a program and runs it as it grows."""
    for _ in range(1 + b.upto(3)):
        add(b, pair, new)
    for _ in range(b.upto(LENGTH + 1)):
        if not pair.tensors:
            break
        steps = makers if b.upto(5) < 3 else changers
        add(b, pair, steps[b.upto(len(steps))])
        if len(pair.tensors) > POOL:
            pair.run(f"del {pair.tensors[b.upto(POOL)]}")
    if b.gradients and not [n for n in with_gradient(b) if not b.at(n).is_leaf]:
        with_history(b, pair)
    for line in ending(b):
        if not pair.run(line):
            break


def add(b, pair, step):
    text = step(b)
    if text is None:
        return
    pair.counts.operations[step.__name__] += 1
    if step in MAKERS:
        text = f"t{b.fresh} = {text}"
        b.fresh += 1
    if b.gradients and b.rarely(12):
        text = f"{NO_GRAD}{text}"
    pair.run(text)


@st.composite
def programs(draw, pair, raising=True, vocabulary=None):
    """Programs, run on the pair while they are drawn. Gives (Disagreement or None, lines); or raises it.

    vocabulary: the names of the only steps to take, for a plain pair."""
    steps = [
        [s for s in group if not vocabulary or s.__name__ in vocabulary]
        for group in (MAKERS, CHANGERS)
    ]
    pair.start()
    try:
        build((PlainBuilder if vocabulary else Builder)(draw, pair), pair, *steps)
    except Ended:
        pass
    except Disagreement as difference:
        if raising:
            raise Disagreement(difference.kind, f"{difference}\n\n{pair.text()}\n") from None
        return difference, list(pair.lines)
    return None, list(pair.lines)


def operation_of(line):
    """What a line does, in a word: for tables of disagreements."""
    line = re.sub(
        r"make\([^()]*(\([^()]*\))?[^()]*\)|idx\([^()]*\)|with lib.no_grad\(\): ", "", line
    )
    words = re.findall(r"\.([a-z_0-9A-Z]+)", line.replace("lib.", "."))
    if words:
        return words[0]
    signs = re.search(r" (=|[-+*/%&|^<>]+=?|\*\*=?|==|!=|@) ", re.sub(r"^t\d+ = ", "", line))
    return signs[1] if signs else "[]"
