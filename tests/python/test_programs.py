"""Random programs of views, in-place ops, indexing and arithmetic on bolide and on PyTorch agree (programs.py).

BOLIDE_PROGRAMS is how many are tried; 100,000 of them: see programs.py. Without PyTorch a part of the vocabulary runs
against NumPy (program_model.py), and planted faults show that the comparison notices.
"""

import os

import bolide
import pytest
from conftest import DEVICE

hypothesis = pytest.importorskip("hypothesis", reason="random programs are drawn by Hypothesis")

import program_model  # noqa: E402
import program_steps  # noqa: E402
from program_differences import ACCEPTED  # noqa: E402
from programs import Disagreement, Pair, Side, bound_by, replay, torch_pair  # noqa: E402

try:
    import torch
except ImportError:
    torch = None
needs_torch = pytest.mark.skipif(torch is None, reason="the reference is PyTorch")
PROGRAMS = int(os.environ.get("BOLIDE_PROGRAMS", 600 if DEVICE == "cpu" else 100))


def settings(count):
    return hypothesis.settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        print_blob=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )


@needs_torch
def test_programs_agree_with_torch():
    pair = torch_pair(DEVICE)

    @settings(PROGRAMS)
    @hypothesis.given(program_steps.programs(pair))
    def agrees(outcome):
        pass  # a Disagreement is raised while the program is drawn

    agrees()
    print(pair.counts.text())
    assert pair.counts.programs >= PROGRAMS and pair.counts.gradients > PROGRAMS / 20


@needs_torch
@pytest.mark.parametrize("entry", ACCEPTED, ids=lambda entry: entry.name)
def test_accepted_differences_are_there(entry):
    without = torch_pair(DEVICE)
    without.accepted = ()
    assert replay(entry.example, without), "no difference any more: the entry is to go"
    used = torch_pair(DEVICE)
    used.accepted = (entry,)
    assert replay(entry.example, used) is None and used.counts.accepted[entry.name] == 1


# ---- programs that once disagreed ----------------------------------------------------------------------

FOUND = {
    "a repeated 0-d tensor": "t0 = make((), 'float64', 1); t1 = t0.repeat_interleave(2); t2 = t0.repeat((2, 0)); t3 = t0.repeat_interleave(2, 3)",
    "repeat copies": "t0 = make((2,), 'float64', 1); t1 = t0.repeat((1,)); t2 = t0.repeat_interleave(1, 0); t1.zero_()",
    "a mask into an output of numbers": "t0 = make((3,), 'bfloat16', 10); lib.eq(t0, t0, out=t0); t1 = idx([3, 4]); "
    "lib.lt(t1, 4, out=t1)",
    "an output without elements": "t0 = make((3,), 'float32', 1); t1 = t0.new_zeros((0,)); lib.add(t0, 1, out=t1); "
    "lib.div(t0, 2, rounding_mode='floor', out=t1)",
    "a slice with a step": "t0 = make((4, 4), 'float32', 1); t1 = t0[1:2:3]; t2 = t0[..., :0:2]",
    "views of a 0-d tensor": "t0 = make((), 'float64', 1); t1 = t0.movedim(0, -1); t2 = t0.mT; t3 = t0[...]; t4 = t0.unbind(0)",
    "expanded by a dimension of size 1": "t0 = make((3,), 'float64', 1); t1 = t0.expand((1, 3)); t2 = t0.expand((1, 2, 1, 3))",
    "a copy of itself": "t0 = make((2,), 'float64', 1); t0.copy_(t0)",
    "gradients of steps": "t0 = make((4,), 'float64', 1, grad=True); t1 = t0.floor() + t0.sign() + t0.round() + t0.trunc(); "
    "t1.sum().backward()",
    "overwritten": "t0 = make((3,), 'float64', 1, grad=True); t1 = t0 * 2; t1.zero_(); t2 = t0 * 3; t2.copy_(t1); "
    "(t1.sum() + t2.sum()).backward()",
    "a sum in a small dtype": "t0 = make((3, 4), 'float32', 1); t1 = t0.sum(0, dtype=lib.int8); t2 = t0.sum(dtype=lib.bool)",
    "all and any of uint8": "t0 = make((3, 4), 'uint8', 1); t1 = t0.all(); t2 = t0.any(1)",
    "extremes of bool": "t0 = make((3, 4), 'bool', 1); t1 = t0.max(1)[0]; t2 = t0.min(0)[1]; t3 = t0.argmax(); t4 = t0.amin(1); "
    "t5 = t0.argmin(1)",
    "extremes of nothing": "t0 = make((0, 3), 'float64', 1); t1 = t0.amax(0); t2 = t0.max(0)[0]; t3 = t0.argmin(0); t4 = t0.amin()",
    "numbers that do not fit": "t0 = make((2,), 'uint8', 1); t0.fill_(300); t0.fill_(-0.25); t0.fill_(-1); "
    "t1 = make((2,), 'int64', 1); t1.fill_(float('inf')); t2 = make((2,), 'float16', 1); t2.fill_(1e5); t3 = lib.full_like(t0, 300)",
    "masked_fill keeps large integers": "t0 = lib.full((2,), 2**53 + 1, device=device); "
    "t1 = t0.masked_fill(make((2,), 'bool', 1), 0.5); t0.masked_fill_(make((2,), 'bool', 2), float('nan'))",
    "assigned with dimensions of size 1 in front": "t0 = make((2, 3), 'float64', 1); t0[...] = make((1, 1, 2, 3), 'float64', 2); "
    "t0[0] = make((1, 3), 'float64', 3)",
    "in-place on nothing": "t0 = make((1, 3), 'float64', 1); t1 = t0.expand((0, 3)); t1.mul_(2)",
    "fmod by bool": "t0 = make((3,), 'float64', 1); t1 = lib.fmod(t0, make((3,), 'bool', 0)); t2 = make((3,), 'bool', 1).sign()",
    "copy_ of a number": "t0 = make((3,), 'int64', 1); t0.copy_(2); t0.copy_(-1.5)",
    "a part of a 0-d tensor": "t0 = make((), 'int64', 1); t1 = lib.index_select(t0, 0, idx([0])); "
    "t2 = lib.index_select(t0, 0, idx([0, 0])); t3 = lib.index_select(t0, 0, idx([1]))",
    "state that only a leaf has": "t0 = make((2,), 'float64', 1, grad=True); t1 = t0 * 2; t1.requires_grad = True; "
    "t1.requires_grad_(); t2 = t0.detach()[:1]; t2.detach_()",
    "errors of views": "t0 = make((4,), 'float64', 1); t1 = t0.narrow(0, 3, 2); t2 = t0.narrow(0, 5, 0); t3 = t0.unflatten(0, ()); "
    "t4 = t0[0].chunk(1, 0)",
    "factors of sums": "t0 = make((2,), 'int32', 1); t1 = lib.add(t0, t0, alpha=0.5); t2 = lib.add(t0, t0, alpha=True); "
    "t3 = make((2,), 'bool', 1); t4 = lib.add(t3, t3, alpha=300); t5 = lib.add(t3, True, alpha=300); "
    "t6 = lib.add(t3, t3, alpha=0); t7 = lib.sub(t0.double(), 1, alpha=False)",
    "factors leave the dtype": "t0 = make((2,), 'float16', 4); t1 = lib.addcmul(t0, idx([1, 2]), idx([3, 4]), value=-0.25); "
    "t2 = lib.add(t0, idx([1, 2]), alpha=-1.5); t3 = lib.addmm(idx([1, 2]), idx([[1, 2]]), idx([[1, 2], [3, 4]]), beta=0.5)",
    "bounds of uint8": "t0 = make((4,), 'uint8', 1); t0.clamp_(0, -2); t1 = t0.clamp(-1); t2 = t0.clamp(0, 300); "
    "t3 = t0.clamp_min(-1); t4 = t0.clamp_max(-2); t5 = t0.clamp_max(300); t6 = make((2,), 'bool', 0).clamp(0, 300)",
    "a quotient that changes later": "t0 = make((2, 3), 'float64', 1); t1 = make((3,), 'float64', 12, grad=True); t2 = t0 / t1; "
    "t2 += 1; t3 = t0 * t1; t3.div_(t1); t3.mul_(2); (t2.sum() + t3.sum()).backward()",
    "False as a key": "t0 = make((), 'float64', 1, grad=True); t0[False] = 2; t1 = make((2,), 'int64', 1); t1[False] = idx([1, 2, 3])",
    "indices that choose nothing": "t0 = make((2, 2, 1), 'float64', 1); t0[2:, idx([2, 2])] = 1; t1 = t0[2:, idx([2])]; "
    "t2 = t0[2:][idx([0])]",
    "places in a 0-d tensor": "t0 = make((), 'float64', 1); t1 = t0.nonzero(as_tuple=True)[0]; t2 = lib.where(t0)[0]",
    "an output that is an input": "t0 = make((), 'int64', 1); lib.add(t0, idx([1, 2]), out=t0); t1 = make((2,), 'float64', 1); "
    "lib.add(t1, make((3, 2), 'float64', 1), out=t1)",
    "a comparison of what requires grad": "t0 = make((2,), 'float64', 1, grad=True); t1 = make((2,), 'bool', 1); "
    "lib.eq(t0, 0.5, out=t1)",
    "a view of what was a leaf": "t0 = make((), 'float64', 1, grad=True); t1 = t0.squeeze(); t0.requires_grad_(False); t1.relu_()",
    "a tensor of everything": "t0 = make((3, 3), 'float64', 1, grad=True); t1 = t0.diagonal(2, 0, 1); t2 = t1[...]",
    "a row that requires grad": "t0 = make((2, 3), 'float64', 1); t0[1] = make((3,), 'float64', 2, grad=True); t0.sum().backward()",
}


@needs_torch
@pytest.mark.parametrize("name", FOUND)
def test_programs_that_once_disagreed(name):
    if difference := replay(FOUND[name].split("; "), torch_pair(DEVICE)):
        raise difference


# ---- the comparison notices --------------------------------------------------------------------------


class Faulty(Side):
    """bolide with a fault: `spoil` gives what a line is to bind instead of its tensor, `answer` what to say of an error."""

    def __init__(self, spoil=lambda line, x: x, answer=lambda error: error):
        super().__init__(bolide, DEVICE)
        self.spoil, self.answer = spoil, answer

    def run(self, line):
        error, name = super().run(line), bound_by(line)
        if error is None and name and hasattr(self.names[name], "numel"):
            self.names[name] = self.spoil(line, self.names[name])
        return self.answer(error)


def with_gradient_changed(line, x):
    if x.requires_grad and " * " in line:
        x.register_hook(lambda g: g * 1.01)
    return x


def silently_zero(side):
    """zero_() that does not raise the version."""
    run = side.run

    def quiet(line):
        if line != "t0.zero_()":
            return run(line)
        side.names["t0"].detach().numpy()[...] = 0
        return None

    side.run = quiet
    return side


FAULTS = {
    "value": (lambda line, x: x + 1e-3 if " + " in line else x, "t1 = t0 + 1"),
    "dtype": (lambda line, x: x.double(), "t1 = t0 + make((2, 1), 'float16', 2)"),
    "shape": (lambda line, x: x.unsqueeze(0) if ".sum" in line else x, "t1 = t0.sum(0)"),
    "sharing": (lambda line, x: x.clone() if "[" in line else x, "t1 = t0[1:]"),
    "strides": (
        lambda line, x: x.as_strided(x.shape, (77, *x.stride()[1:])) if ".un" in line else x,
        "t1 = t0.unsqueeze(0)",
    ),
    "requires_grad": (lambda line, x: x.detach(), "t1 = t0 * 2"),
    "gradient": (with_gradient_changed, "t1 = t0 * 2; t1.sum().backward()"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_planted_fault_is_noticed(kind):
    spoil, lines = FAULTS[kind]
    program = ["t0 = make((2, 3), 'float32', 1, grad=True)", *lines.split("; ")]
    reference = Side(bolide, DEVICE)
    assert replay(program, Pair(Side(bolide, DEVICE), reference)) is None
    found = replay(program, Pair(Faulty(spoil), reference))
    assert found and found.kind == kind, found


@pytest.mark.parametrize(
    ("kind", "answer"),
    [("missing error", lambda error: None), ("error type", lambda error: error and KeyError(str(error))),
     ("raises", lambda error: None if error else RuntimeError("planted"))],
)  # fmt: skip
def test_a_planted_error_is_noticed(kind, answer):
    line = "t1 = t0[5]" if kind != "raises" else "t1 = t0[1]"
    pair = Pair(Faulty(answer=answer), Side(bolide, DEVICE))
    pair.start()
    if kind != "raises":
        pair.run("t0 = make((2, 3), 'float32', 1)")
    with pytest.raises(Disagreement, match=kind):
        pair.run(line if kind != "raises" else "t0 = make((2,), 'float32', 1)")


@pytest.mark.skipif(DEVICE != "cpu", reason="the fault writes to host memory")
def test_a_version_that_stays_is_noticed():
    pair = Pair(silently_zero(Side(bolide)), Side(bolide))
    found = replay(["t0 = make((2, 3), 'float32', 1)", "t1 = t0[0]", "t0.zero_()"], pair)
    assert found and found.kind == "version", found


@pytest.mark.skipif(DEVICE != "cpu", reason="what is tried is the comparison")
@pytest.mark.parametrize("kind", ["value", "sharing", "gradient"])
def test_random_programs_find_a_planted_fault(kind):
    """Without PyTorch too: the reference is bolide without the fault."""
    pair = Pair(Faulty(FAULTS[kind][0]), Side(bolide, DEVICE))
    kinds = set()

    @settings(600)
    @hypothesis.given(program_steps.programs(pair, raising=False))
    def collect(outcome):
        if outcome[0]:
            kinds.add(outcome[0].kind)

    collect()
    assert kind in kinds


def test_programs_agree_with_numpy():
    """Views, assignment and arithmetic in place, without PyTorch."""
    pair = Pair(Side(bolide, DEVICE), Side(program_model), plain=True)

    @settings(PROGRAMS // 2)
    @hypothesis.given(program_steps.programs(pair, vocabulary=program_model.VOCABULARY))
    def agrees(outcome):
        pass  # a Disagreement is raised while the program is drawn

    agrees()
    assert pair.counts.steps > 3 * PROGRAMS // 2
