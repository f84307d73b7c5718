"""Where bolide differs from PyTorch in random programs, on purpose: each with its reason and a program that shows it.

test_programs.py fails when a program here no longer shows its difference. After one, the name that the line would have
bound is dropped on both sides; where the line changes tensors instead, the program ends.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Accepted:
    """`error`: how PyTorch's message begins (a pattern) where bolide raises nothing; or `when`: a function of the pair,
    the line, the Disagreement and the two errors (None for none)."""

    name: str
    reason: str
    example: tuple[str, ...]
    error: str = ""
    when: Callable | None = None

    def applies(self, pair, line, difference, wanted, got):
        if self.error:
            return got is None and wanted is not None and bool(re.match(self.error, str(wanted)))
        return self.when(pair, line, difference, wanted, got)


def shows_a_leaf(pair, line, difference, wanted, got):
    """Of the tensors that PyTorch says require grad and bolide does not: are all views without history?"""
    if difference.kind not in ("requires_grad", "is_leaf"):
        return False
    views = [
        a
        for a, b in ((pair.reference.names[n], pair.subject.names[n]) for n in pair.tensors)
        if (a.requires_grad, a.is_leaf) != (b.requires_grad, b.is_leaf)
    ]
    return all(a._base is not None and a.grad_fn is None and a._base.requires_grad for a in views)


def other_output(pair, line, difference, wanted, got):
    """An output of another shape: others on its storage see it resized in PyTorch, and it is resized there even where an
    error comes afterwards."""
    kinds = ("shape", "sharing", "version", "contiguity", "value")
    if "out=" not in line or difference.kind not in kinds:
        return False
    name = line.partition("out=")[2].rstrip(")")
    if difference.kind == "value" and f" {name}[" in str(difference):
        return False
    return name in pair.shapes and tuple(pair.reference.names[name].shape) != pair.shapes[name]


def overlaps(pair, line, difference, wanted, got):
    """PyTorch copied or computed between parts of one storage in an order that shows. Then the result must be what it
    has when the operand is copied before."""
    call = re.match(r"(.*\bt\d+.*\.\w+_\()(t\d+.*)\)$", line)
    assignment = re.match(r"(.*\bt\d+(?:\[.*\])? \S*= )(t\d+)$", line)
    output = re.match(r"(lib\.\w+\()(.*)(, out=t\d+\))$", line)
    if difference.kind != "value" or wanted or got or not (call or assignment or output):
        return False
    if output:
        copies = re.sub(r"\bt\d+\b", r"\g<0>.clone()", output[2])
        return agrees_with(pair, output[1] + copies + output[3])
    if call:
        return agrees_with(pair, f"{call[1]}({call[2]}).clone())")
    return agrees_with(pair, f"{line}.clone()")


def agrees_with(pair, line):
    """Is what bolide has now what PyTorch would have after this line instead?"""
    import torch
    from programs import Disagreement, Pair, Side

    other = Pair(pair.subject, Side(torch))
    for earlier in [*pair.lines[:-1], line]:
        other.reference.run(earlier)
    other.tensors = [n for n in pair.tensors if n in other.reference.names]
    try:
        other.compare(line)
    except Disagreement:
        return False
    return True


def keeps_what_changed(pair, line, difference, wanted, got):
    """PyTorch refuses a gradient since a saved tensor was changed; bolide had kept what it needs. Then the gradients must
    be those that PyTorch finds where it may copy what it saves."""
    if got is not None or "modified by an inplace operation" not in str(wanted):
        return False
    import torch
    from programs import Disagreement, Pair, Side

    copying = Pair(pair.subject, Side(torch))
    with torch.autograd.graph.allow_mutation_on_saved_tensors():
        errors = [copying.reference.run(earlier) for earlier in pair.lines]
        if "derivative for aten::" in str(errors[-1]):
            return True
        copying.tensors = [
            n for n in pair.subject.names if n in copying.reference.names and n[0] == "t"
        ]
        try:
            for name in copying.tensors:
                copying.compare_gradient(name)
        except Disagreement:
            return False
    return True


def shows_twice(pair, line):
    """Does a tensor of this line have two elements in one place?"""
    tensors = [pair.reference.names.get(name) for name in re.findall(r"\bt\d+\b", line)]
    for x in (x for x in tensors if x is not None):
        places = np.zeros(tuple(x.shape), int)
        for d, stride in enumerate(x.stride()):
            places += stride * np.arange(x.shape[d]).reshape(-1, *[1] * (x.dim() - d - 1))
        if np.unique(places).size < places.size:
            return True
    return False


def is_differentiable(pair, line):
    """May what the line changes require grad?"""
    name = re.match(r"(?:with lib.no_grad\(\): )?(t\d+)", line)[1]
    return pair.subject.names[name].dtype.is_floating_point


def rounds(pair, line, difference, wanted, got):
    """Gradients in float32 that are as near to those in float64 as terms of the largest one allow."""
    if difference.kind != "gradient" or wanted or got:
        return False
    import torch
    from programs import EPSILON, Side, differing, largest

    exact = Side(torch)
    exact.start()
    for earlier in pair.lines:
        exact.run(earlier.replace("float32", "float64"))
    leaves = [n for n in pair.tensors if getattr(pair.reference.names[n], "grad", None) is not None]
    truths = {n: exact.array_of(exact.names[n].grad) for n in leaves}
    limit = 64 * EPSILON["float32"] * max(map(largest, truths.values()), default=0)
    return not any(
        differing(truth, pair.subject.array_of(pair.subject.names[n].grad), limit).any()
        for n, truth in truths.items()
    )


ACCEPTED = (
    Accepted(
        "integer division by zero",
        "PyTorch raises on the CPU and gives anything on a GPU; bolide's result is defined and the same everywhere",
        ("t0 = make((2,), 'int32', 1)", "t1 = t0 // 0"),
        error="ZeroDivisionError",
    ),
    Accepted(
        "subtraction of bool",
        "PyTorch refuses it even from a float tensor; promotion defines it, except for two bools",
        ("t0 = make((2,), 'bool', 1)", "t1 = 1.5 - t0"),
        error="Subtraction, the `-` operator",
    ),
    Accepted(
        "assignment of another dtype through index tensors",
        "converted, as in every other assignment",
        ("t0 = make((2,), 'float32', 1)", "t0[[0, 1]] = make((2,), 'float64', 2)"),
        error="Index put requires the source and destination dtypes match",
    ),
    Accepted(
        "in-place on overlapping operands",
        "bolide reads all before it writes, so the result is defined",
        ("t0 = make((3,), 'float32', 1)", "t0[1:].add_(t0[:-1])"),
        error="unsupported operation: some elements of the input tensor",
    ),
    Accepted(
        "isclose of several dtypes",
        "promoted as for every other op",
        ("t0 = make((2,), 'float64', 1)", "t1 = lib.isclose(t0, make((2,), 'float32', 2))"),
        error=".* did not match ",
    ),
    Accepted(
        "bool to the power of bool",
        "DTypeError, as for two tensors in PyTorch",
        ("t0 = make((2,), 'bool', 1)", "t1 = t0 ** True"),
        when=lambda pair, line, difference, wanted, got: (
            wanted is None and "[pow]" in str(got) and "got bool" in str(got)
        ),
    ),
    Accepted(
        "clamp of bool",
        "an absent bound is an integer, so the result is int64; PyTorch has some of its forms for bool, not all",
        ("t0 = make((2,), 'bool', 1)", "t1 = t0.clamp(min=t0)"),
        when=lambda pair, line, difference, wanted, got: (
            ".clamp" in line
            and (difference.kind == "dtype" or "not implemented for 'Bool'" in str(wanted))
        ),
    ),
    Accepted(
        "factor that is no integer",
        "PyTorch cuts addcmul's value to an integer, and refuses add's alpha; bolide refuses both",
        ("t0 = make((2,), 'int8', 1)", "t1 = lib.addcmul(t0, t0, t0, value=0.5)"),
        when=lambda pair, line, difference, wanted, got: (
            "for tensors of integers, got" in str(got)
            or (
                got is None
                and "addmm" in line
                and str(wanted).startswith("result type Float can't")
            )
        ),
    ),
    Accepted(
        "sign of NaN",
        "NaN, as in the Array API standard; PyTorch gives 0",
        ("t0 = make((2,), 'float32', 18)", "t1 = t0.sign()"),
        when=lambda pair, line, difference, wanted, got: (
            (".sign(" in line or (difference.kind == "gradient" and "abs" in pair.text()))
            and "got np.float" in str(difference)
            and "(nan)" in str(difference).partition("got")[2]
        ),
    ),
    Accepted(
        "gradient by a changed tensor",
        "an in-place op of bolide copies what it changes where an operand's gradient needs it",
        (
            "t0 = make((2,), 'float64', 1, grad=True)",
            "t1 = t0 * 1",
            "t1 *= t1",
            "t1.sum().backward()",
        ),
        when=keeps_what_changed,
    ),
    Accepted(
        "addcdiv of integers",
        "true division, as for every other op",
        ("t0 = make((2,), 'float64', 1)", "t1 = lib.addcdiv(t0, idx([1, 2]), idx([3, 4]))"),
        error="Integer division with addcdiv",
    ),
    Accepted(
        "another of two errors",
        "an index out of range and a value of the wrong shape in one assignment; a dim twice, of size 0",
        ("t0 = make((2, 0), 'float64', 3)", "t0[:, idx([0, 0])] = make((3,), 'float64', 1)"),
        when=lambda pair, line, difference, wanted, got: (
            (
                difference.kind == "error type"
                and "shape mismatch" in str(wanted)
                and "expected indices in" in str(got)
            )
            or (
                difference.kind == "error type"
                and "is out of bounds" in str(wanted)
                and "that broadcast" in str(got)
            )
            or (
                difference.kind == "error type"
                and "to have non-zero size" in str(wanted)
                and "expected every dimension once" in str(got)
            )
        ),
    ),
    Accepted(
        "overlap that PyTorch does not see",
        "bolide reads all before it writes, also where PyTorch takes operands for separate",
        ("t0 = make((2, 3, 2), 'int16', 19)", "t1 = t0[:, :2]", "t1.copy_(t1.mT)"),
        when=overlaps,
    ),
    Accepted(
        "write to elements that are not distinct",
        "refused everywhere; PyTorch warns where an index or a mask chooses them, and does not see overlaps without a "
        "stride of 0",
        (
            "t0 = make((2,), 'float64', 1).expand(3, 2)",
            "t0.masked_fill_(make((3, 2), 'bool', 1), 1)",
        ),
        when=lambda pair, line, difference, wanted, got: (
            wanted is None and "all distinct" in str(got) and shows_twice(pair, line)
        ),
    ),
    Accepted(
        "gradient that PyTorch fails to make",
        "an error inside of its backward",
        (
            "t0 = make((1, 3, 1), 'float32', 6, grad=True)",
            "t1 = t0[0::1, [-3, -3, 0]]",
            "t2 = t1.clamp(make((3, 1), 'float64', 11), make((3,), 'float64', 14))",
            "(t2 * make((1, 3, 3), 'float64', 4)).sum().backward()",
        ),
        error="output with shape .* doesn't match the broadcast shape |.*INTERNAL ASSERT FAILED",
    ),
    Accepted(
        "gradient of nan_to_num",
        "none where the value was replaced; PyTorch multiplies by 0, which leaves infinite ones NaN",
        (
            "t0 = make((2, 2, 2), 'float16', 19, grad=True)",
            "t1 = t0.nan_to_num(0.5).square()",
            "(t1 * make((2, 2, 2), 'float64', 8)).sum().backward()",
        ),
        when=lambda pair, line, difference, wanted, got: (
            difference.kind == "gradient"
            and "nan_to_num" in pair.text()
            and "(nan), got" in str(difference)
        ),
    ),
    Accepted(
        "view changed before its base wanted a gradient",
        "no part of a graph; PyTorch makes it one afterwards",
        (
            "t0 = make((4, 3), 'float64', 8)",
            "t1 = t0.swapdims(1, -2)",
            "t1 %= t1",
            "t0.requires_grad_()",
        ),
        when=lambda pair, line, difference, wanted, got: (
            difference.kind in ("requires_grad", "is_leaf")
            and re.search(r"\.requires_grad(_\(\)| = True)$", line)
            and "expected True, got False" in str(difference)
        ),
    ),
    Accepted(
        "change of integers in a view made under no_grad",
        "PyTorch takes what is written for the reason that they would require grad, which they cannot",
        (
            "t0 = make((), 'bfloat16', 18, grad=True)",
            "t1 = make((2, 1), 'bool', 4)",
            "with lib.no_grad(): t2 = t1[...]",
            "t2[0:-2:1, -1] = t0",
        ),
        when=lambda pair, line, difference, wanted, got: (
            got is None
            and str(wanted).startswith("A view was created in no_grad mode")
            and not is_differentiable(pair, line)
        ),
    ),
    Accepted(
        "view made before its base became a leaf",
        "refused, as every in-place op on a view of a leaf; PyTorch changes the leaf",
        (
            "t0 = make((4,), 'float16', 4).repeat_interleave(2, 0)",
            "t1 = t0.t()",
            "t0.requires_grad = True",
            "t1.clamp_(-1.5, 1)",
        ),
        when=lambda pair, line, difference, wanted, got: (
            wanted is None and "a view of a leaf that requires grad" in str(got)
        ),
    ),
    Accepted(
        "comparison with an integer that does not fit",
        "as the numbers compare; PyTorch wraps it around in the tensor's dtype",
        ("t0 = make((), 'uint8', 1)", "t1 = t0 < -2"),
        when=lambda pair, line, difference, wanted, got: (
            difference.kind == "value"
            and re.search(r"\b(lt|le|gt|ge|eq|ne)_?\(| ([<>]=?|[!=]=) ", line)
            and any(
                abs(int(n)) > 127 or (n[0] == "-" and "uint8" in pair.text())
                for n in re.findall(r"-?\b\d+\b", line)
            )
        ),
    ),
    Accepted(
        "rounding of a gradient",
        "a sum of terms that cancel, as large as another gradient: as near to the one in float64 as they allow",
        (
            "t0 = make((3, 3, 2), 'float32', 13, grad=True)",
            "t1 = make((), 'float32', 17, grad=True)",
            "t2 = t0 - t1",
            "t3 = t1 / t2",
            "((t2 * make((3, 3, 2), 'float64', 7)).sum() + (t3 * make((3, 3, 2), 'float64', 8)).sum()).backward()",
        ),
        when=rounds,
    ),
    Accepted(
        "exponent or factor that does not fit",
        "PyTorch refuses it, but computes with any other number in the integers' dtype",
        ("t0 = make((2,), 'uint8', 1)", "t1 = t0 ** 300"),
        when=lambda pair, line, difference, wanted, got: (
            difference.kind == "missing error"
            and re.search(r"\*\*|pow|alpha=|beta=|value=", line)
            and str(wanted).startswith("value cannot be converted")
        ),
    ),
    Accepted(
        "integers that require grad",
        "PyTorch says so of a tensor of integers or bool that a differentiable one was written into; there is no gradient",
        (
            "t0 = make((2,), 'int32', 1)",
            "t1 = make((), 'float64', 1, grad=True)",
            "t0[...] = t1",
        ),
        when=lambda pair, line, difference, wanted, got: (
            difference.kind == "requires_grad"
            and "expected True" in str(difference)
            and any(
                a.requires_grad and not a.is_floating_point()
                for a in map(pair.reference.names.get, pair.tensors)
            )
        ),
    ),
    Accepted(
        "integer sum of what requires grad",
        "an integer result has no gradient, as that of any other op",
        ("t0 = make((2,), 'float64', 1, grad=True)", "t1 = t0.sum(dtype=lib.int64)"),
        error="Autograd not support dtype",
    ),
    Accepted(
        "repeat_interleave of a 0-d tensor",
        "dim 0 is one dimension of size 1, as for other ops",
        ("t0 = make((), 'float64', 1)", "t1 = t0.repeat_interleave(2, 0)"),
        when=lambda pair, line, difference, wanted, got: (
            difference.kind == "missing error"
            and ".repeat_interleave(" in line
            and "but got 1)" in str(wanted)
        ),
    ),
    Accepted(
        "detach_ of what no view op gave",
        "PyTorch's repeat_interleave gives a view of a tensor that only it had, and refuses to detach that in place",
        (
            "t0 = make((2, 3, 4), 'int32', 13)",
            "t1 = t0.repeat_interleave(0, -3)",
            "t1.detach_()",
        ),
        when=lambda pair, line, difference, wanted, got: (
            got is None
            and str(wanted).startswith("Can't detach views in-place")
            and pair.subject.names[
                line.partition(".")[0].removeprefix("with lib.no_grad(): ")
            ]._base
            is None
        ),
    ),
    Accepted(
        "second gradient of a spread of too few",
        "NaN like the first, which is infinity times 0; PyTorch takes that for a constant",
        (
            "t0 = make((), 'float64', 1, grad=True)",
            "t1 = lib.var(t0, dim=0)",
            "g = lib.autograd.grad(t1, [t0], create_graph=True)",
            "((g[0] * g[0]).sum() + (t0 * t0).sum()).backward()",
        ),
        when=lambda pair, line, difference, wanted, got: (
            difference.kind == "gradient"
            and re.search(r"\b(var|std)\(", pair.text())
            and "create_graph=True" in pair.text()
            and "(nan)" in str(difference).partition("got")[2]
        ),
    ),
    Accepted(
        "leaf that became a part of a graph",
        "through its base: it keeps its gradient; PyTorch refuses the backward",
        (
            "t0 = make((1,), 'bfloat16', 1)",
            "t1 = t0.movedim(0, 0)",
            "t1.requires_grad_()",
            "t0[...] = t1",
            "((t0 * 2).sum() + t1.sum()).backward()",
        ),
        error="leaf variable has been moved into the graph interior",
    ),
    Accepted(
        "in-place through all of a view",
        "PyTorch takes the view, whose base has just got a history, for a leaf",
        (
            "t0 = make((3, 2), 'float32', 1)",
            "t1 = t0.transpose(0, 1)",
            "t2 = make((), 'float32', 4, grad=True)",
            "t1[...] -= t2",
        ),
        when=lambda pair, line, difference, wanted, got: (
            got is None
            and str(wanted).startswith("a leaf Variable that requires grad")
            and re.search(r"\] \S+= ", line)
            and not pair.subject.names[re.search(r"t\d+", line)[0]].is_leaf
        ),
    ),
    Accepted(
        "second backward through an assignment",
        "it kept nothing that the first one would have freed; PyTorch refuses it",
        (
            "t0 = make((), 'float32', 3, grad=True)",
            "t1 = make((2, 2), 'float32', 6)",
            "t1[:, 1] = t0",
            "(t1 * make((2, 2), 'float64', 0)).sum().backward()",
            "(t1 * make((2, 2), 'float64', 0)).sum().backward()",
        ),
        when=lambda pair, line, difference, wanted, got: (
            got is None
            and str(wanted).startswith("Trying to backward through the graph a second time")
            and re.search(r"\] \S*= |_\(", pair.text())
        ),
    ),
    Accepted(
        "comparison into a tensor that requires grad",
        "refused, as every out= that does; PyTorch changes it behind autograd's back",
        ("t0 = make((2,), 'float64', 1, grad=True)", "lib.eq(t0, t0, out=t0)"),
        when=lambda pair, line, difference, wanted, got: (
            wanted is None and "out= with tensors that do not require grad" in str(got)
        ),
    ),
    Accepted(
        "gradient through an op of bool or integers",
        "PyTorch negates or divides such an operand in a gradient formula, and raises",
        (
            "t0 = make((3,), 'float32', 1, grad=True)",
            "t1 = lib.atan2(make((3,), 'bool', 1), t0)",
            "t1.sum().backward()",
        ),
        when=lambda pair, line, difference, wanted, got: (
            difference.kind == "missing error"
            and re.search(r"backward\(|autograd.grad\(", line)
            and re.match(
                "Negation, the `-` operator, on a bool|result type .* can't be cast", str(wanted)
            )
        ),
    ),
    Accepted(
        "logsumexp without a dim",
        "over all elements, as other reductions",
        ("t0 = make((2,), 'float64', 1)", "t1 = lib.logsumexp(t0, dim=None)"),
        error=r"logsumexp\(\): argument 'dim' must be tuple of ints, not NoneType",
    ),
    Accepted(
        "dtype of no elements",
        "refused, as that of some elements; PyTorch refuses it only then",
        ("t0 = make((2, 0), 'bool', 1)", "t1 = t0 @ make((0, 0), 'bool', 1)"),
        when=lambda pair, line, difference, wanted, got: (
            wanted is None
            and re.search(r"\[(mm|matmul|softmax|log_softmax)\] .* dtype, got", str(got))
        ),
    ),
    Accepted(
        "output that requires grad, of another shape",
        "not resized, even under no_grad: its gradient has the other shape",
        (
            "t0 = make((2,), 'float64', 1, grad=True)",
            "with lib.no_grad(): lib.add(t0, 1, out=make((3,), 'float64', 1, grad=True))",
        ),
        when=lambda pair, line, difference, wanted, got: (
            wanted is None and "[resize_] expected a tensor that does not require grad" in str(got)
        ),
    ),
    Accepted(
        "lerp of several dtypes, or of integers",
        "promoted as for every other op",
        ("t0 = make((2,), 'float64', 1)", "t1 = lib.lerp(t0, make((2,), 'float32', 2), 0.5)"),
        error='expected dtype .* for `(end|weight)`|"lerp_kernel_scalar" not implemented for ',
    ),
    Accepted(
        "view under no_grad",
        "PyTorch's view of a tensor that requires grad says that it does too, against no_grad's documentation",
        ("t0 = make((2,), 'float64', 1, grad=True)", "with lib.no_grad(): t1 = t0.view(2)"),
        when=shows_a_leaf,
    ),
    Accepted(
        "output of another shape",
        "resized in both, with a warning; bolide leaves other tensors on its storage as they are where that has to grow",
        (
            "t0 = make((4,), 'float64', 1)",
            "t1 = make((3,), 'float64', 1)",
            "t2 = t1[1:]",
            "lib.exp(t0, out=t2)",
        ),
        when=other_output,
    ),
    Accepted(
        "gradient of floor_divide, and of remainder by a number's left side",
        "PyTorch has none and raises",
        ("t0 = make((2,), 'float64', 1, grad=True)", "(t0 // 2).sum().backward()"),
        error="derivative for aten::(floor_divide|remainder)",
    ),
)
