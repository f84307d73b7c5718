"""Random programs that run on bolide and on a reference in lockstep: what is compared, and the command to run many.

    PYTHONPATH=build/python .venv/bin/python tests/python/programs.py --examples 100000

A program is a list of lines of Python over tensors t0, t1, ... with the module as `lib`, so that a failing one can be
read and pasted. program_steps.py makes the lines; `Pair` runs each on both sides and compares all live tensors after
it: dtype, shape, values, strides of views, which share memory, requires_grad, is_leaf, whether the version moved, and
gradients. What differs raises Disagreement. Differences that are meant to be are listed in program_differences.py.

Values that agree within the tolerance but not to the bit are set to the reference's in bolide's memory (behind the
version counter), so that a rounding does not grow and the tolerance can stay tight through a long program.
"""

import argparse
import collections
import itertools
import json
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

EPSILON = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
NO_GRAD = "with lib.no_grad(): "
FAMILIES = (IndexError, TypeError, ValueError, RuntimeError, OverflowError, AttributeError)


class Disagreement(AssertionError):
    """bolide and the reference differ; `kind` says in what."""

    def __init__(self, kind, text, line=""):
        super().__init__(f"{kind}: {text}")
        self.kind, self.line = kind, line


class Ended(Exception):
    """An accepted difference left the two sides in different states: the program goes no further."""


# ---- the two sides -------------------------------------------------------------------------------


def values_of(shape, dtype, k):
    """An array that depends on k alone: quarters between -2.25 and 2.25, or whole numbers; a few k have extremes."""
    places = np.arange(int(np.prod(shape)))
    whole = (places * 7 + k * 5 + places * places // 3) % 19 - 9
    if dtype == "bool":
        return (whole % 3 == 0).reshape(shape)
    if dtype == "uint8":
        return abs(whole).astype(dtype).reshape(shape)
    if dtype.startswith("int"):
        return whole.astype(dtype).reshape(shape)
    values = whole / 4.0
    if k >= 14 and places.size:
        values[k % places.size] = (np.nan, np.inf, -np.inf, -0.0, 1e4, 1e-4)[k % 6]
    return values.astype("float32" if dtype == "bfloat16" else dtype).reshape(shape)


class Side:
    """A module, a device, and the names that the lines of a program see."""

    def __init__(self, module, device="cpu"):
        self.module, self.device = module, device
        self.names = {}
        self.start()

    def start(self):
        self.names = {
            "lib": self.module,
            "make": self.make,
            "idx": self.index,
            "device": self.device,
        }

    def make(self, shape, dtype="float64", k=0, grad=False):
        x = self.module.from_numpy(values_of(shape, dtype, k)).to(self.device)
        x = x.to(getattr(self.module, dtype)) if dtype == "bfloat16" else x.clone()
        return x.requires_grad_() if grad else x

    def index(self, places):
        return self.module.tensor(places, dtype=self.module.int64, device=self.device)

    def run(self, line):
        """None, or the error that the line raised."""
        try:
            exec(line, self.names)
        except Exception as error:
            return error
        if self.device == "cpu":
            return None
        try:
            self.module.cuda.synchronize()  # a device finds some errors after the call has returned
        except Exception as error:
            self.names.pop(bound_by(line), None)
            return error
        return None

    def array_of(self, x):
        x = x.detach().clone()  # PyTorch resizes no storage that numpy() has shown
        if self.device != "cpu":
            x = x.cpu()
        return (x.float() if name_of(x) == "bfloat16" else x).numpy()

    def write(self, x, array):
        """Sets the values behind the back of the version counter; False where that cannot be done."""
        if self.device != "cpu" or name_of(x) == "bfloat16":
            return False
        x.detach().numpy()[...] = array
        return True


def name_of(x):
    return str(x.dtype).split(".")[-1]


def storage_of(x):
    if hasattr(x, "untyped_storage"):  # PyTorch says that a tensor without elements is nowhere
        return x.untyped_storage().data_ptr()
    return x.data_ptr() - x.storage_offset() * x.element_size()


def strides_of_many(x):
    return [stride for stride, size in zip(x.stride(), x.shape, strict=True) if size > 1]


def bound_by(line):
    """The name that a line binds."""
    name = line.removeprefix(NO_GRAD).partition(" = ")[0]
    return name if name.startswith("t") and name.isidentifier() else None


def is_tensor(x):
    return hasattr(x, "data_ptr")


def family(error):
    return next((kind for kind in FAMILIES if isinstance(error, kind)), type(error))


# ---- comparing -----------------------------------------------------------------------------------


def largest(array):
    if array.dtype.kind not in "fiu" or not array.size:
        return 0.0
    with np.errstate(all="ignore"):
        finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
        return float(np.max(np.abs(finite.astype(np.float64)), initial=0.0))


def differing(a, b, limit):
    """Which elements of two arrays of floats are further apart than the limit."""
    with np.errstate(all="ignore"):
        a, b = a.astype(np.float64), b.astype(np.float64)
        return ~((a == b) | (np.isnan(a) & np.isnan(b)) | (abs(a - b) <= limit))


def partition(side, names):
    """The names in groups that share a storage; empty ones have none."""
    groups = collections.defaultdict(list)
    for name in names:
        groups[storage_of(side.names[name])].append(name)
    return sorted(groups.values())


@dataclass
class Counts:
    programs: int = 0
    steps: int = 0
    errors: int = 0  # steps at which both raised
    inexact: int = 0  # values that agreed within the tolerance only
    layouts: int = 0  # results that are no views, with strides of their own
    gradients: int = 0
    accepted: collections.Counter = field(default_factory=collections.Counter)
    operations: collections.Counter = field(default_factory=collections.Counter)

    def text(self):
        accepted = ", ".join(f"{name} {n}" for name, n in sorted(self.accepted.items()))
        return (
            f"{self.programs} programs, {self.steps} steps, {self.errors} where both raised, {self.gradients} "
            f"gradients; other layouts: {self.layouts}; accepted differences: {accepted or 'none'}"
        )


class Pair:
    """bolide and a reference that run the same program, line by line."""

    def __init__(self, subject, reference, accepted=(), counts=None, journal=None, plain=False):
        self.plain = plain  # compares no error types and no strides: the reference is NumPy
        self.subject, self.reference = subject, reference
        self.accepted, self.counts, self.journal = accepted, counts or Counts(), journal
        self.lines, self.tensors, self.versions, self.loose = [], [], {}, set()
        self.shapes = {}  # of the reference's tensors before the line that runs
        self.scale = 0.0  # of the largest value so far: what a gradient's rounding is measured by

    def start(self):
        self.subject.start(), self.reference.start()
        self.lines, self.tensors, self.versions, self.loose = [], [], {}, set()
        self.scale = 1.0
        self.counts.programs += 1
        if self.journal:
            self.journal.seek(0), self.journal.truncate()

    def text(self):
        return "\n".join(self.lines)

    def run(self, line):
        """Runs a line on both sides and compares. True where it ran, False where both raised."""
        self.lines.append(line)
        self.counts.steps += 1
        if self.journal:
            self.journal.write(line + "\n"), self.journal.flush()
        self.shapes = {n: tuple(self.reference.names[n].shape) for n in self.tensors}
        wanted, got = self.reference.run(line), self.subject.run(line)
        try:
            self.compare_errors(line, wanted, got)
            if wanted is not None and "backward(" in line:
                raise Ended  # which gradients were there before the error is nobody's promise
            self.collect(line)
            self.compare(line)
        except Disagreement as difference:
            difference.line = line
            if entry := self.entry_for(line, difference, wanted, got):
                self.counts.accepted[entry.name] += 1
                self.settle(line, wanted, got)
                return False
            raise
        self.counts.errors += wanted is not None
        return wanted is None

    def entry_for(self, line, difference, wanted, got):
        return next(
            (e for e in self.accepted if e.applies(self, line, difference, wanted, got)), None
        )

    def settle(self, line, wanted, got):
        """After an accepted difference: the name that the line would have bound is gone; else the program ends."""
        if target := bound_by(line):
            for side in (self.subject, self.reference):
                side.names.pop(target, None)
            self.collect(line)
            try:
                self.compare(line)
            except Disagreement:
                raise Ended from None
            return
        raise Ended

    def compare_errors(self, line, wanted, got):
        if wanted is None and got is None:
            return
        if wanted is None:
            raise Disagreement("raises", f"bolide raised {type(got).__name__}: {got}")
        if got is None:
            raise Disagreement(
                "missing error",
                f"the reference raised {type(wanted).__name__}: {str(wanted)[:300]}",
            )
        if not self.plain and not isinstance(got, family(wanted)):
            raise Disagreement(
                "error type",
                f"the reference raised {type(wanted).__name__}: {str(wanted)[:300]}; bolide {type(got).__name__}: {got}",
            )

    def collect(self, line):
        names = [[n for n, x in side.names.items() if n[0] == "t" and is_tensor(x)]
                 for side in (self.reference, self.subject)]  # fmt: skip
        if names[0] != names[1]:
            raise Disagreement("result", f"expected tensors {names[0]}, got {names[1]}")
        self.tensors = [name for name in names[0] if not self.dropped(name)]

    def dropped(self, name):
        """Lets go of a view that PyTorch refuses to look at, since its base was changed after it was made: one of several
        from one call (unbind, split), or made under no_grad."""
        try:
            getattr(self.reference.names[name], "is_leaf")  # noqa: B009
            return False
        except RuntimeError:
            for side in (self.reference, self.subject):
                del side.names[name]
            self.counts.accepted["view that PyTorch gives up"] += 1
            return True

    def compare(self, line):
        for name in self.tensors:
            a, b = self.reference.names[name], self.subject.names[name]
            self.compare_form(line, name, a, b)
        self.compare_sharing()
        arrays = {
            name: self.reference.array_of(self.reference.names[name]) for name in self.tensors
        }
        for name, array in arrays.items():
            self.compare_values(name, array, arrays, line)
        if not self.plain:
            self.compare_layouts(line)
        for name in self.tensors:
            self.compare_gradient(name)

    def compare_form(self, line, name, a, b):
        if name_of(a) != name_of(b):
            raise Disagreement("dtype", f"{name}: expected {name_of(a)}, got {name_of(b)}")
        if tuple(a.shape) != tuple(b.shape):
            raise Disagreement("shape", f"{name}: expected {tuple(a.shape)}, got {tuple(b.shape)}")
        for what in ("requires_grad", "is_leaf"):
            if getattr(a, what) != getattr(b, what):
                raise Disagreement(
                    what, f"{name}: expected {getattr(a, what)}, got {getattr(b, what)}"
                )
        before = self.versions.get(name) if bound_by(line) != name else None
        moved = [
            x._version != y for x, y in zip((a, b), before or (a._version, b._version), strict=True)
        ]
        if moved[0] and not moved[1]:  # the other way round nothing is missed
            raise Disagreement("version", f"{name}: expected it to move")
        self.versions[name] = (a._version, b._version)

    def compare_sharing(self):
        names = [n for n in self.tensors if storage_of(self.reference.names[n])]
        wanted, got = partition(self.reference, names), partition(self.subject, names)
        if wanted != got:
            raise Disagreement("sharing", f"expected {wanted}, got {got}")

    def compare_values(self, name, a, arrays, line):
        b = self.subject.array_of(self.subject.names[name])
        if a.tobytes() == b.tobytes():
            return
        dtype = name_of(self.reference.names[name])
        if dtype not in EPSILON:
            wrong = a != b
        else:
            operands = [largest(array) for other, array in arrays.items() if other in line]
            scale = max([largest(a), *operands, 0.1])
            if any(
                word in line
                for word in (
                    "@",
                    "mm(",
                    "mv(",
                    "dot(",
                    "outer(",
                    "var(",
                    "std(",
                    "norm(",
                    "**",
                    "pow",
                    "square",
                    "alpha=",
                    "addc",
                    "prod(",
                )
            ):
                scale = max(scale, min(scale, 1e150) ** 2)
            wrong = differing(a, b, 32 * EPSILON[dtype] * scale)
        if wrong.any():
            where = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise Disagreement(
                "value",
                f"{name}{list(where)}: expected {a[where]!r}, got {b[where]!r} ({int(wrong.sum())} differ)",
            )
        self.counts.inexact += bool(differing(a, b, 0).any())
        self.subject.write(self.subject.names[name], a)  # also where only the signs of zeros differ

    def compare_layouts(self, line):
        """Strides of views are PyTorch's. Other results may lie as they like; then both are made contiguous."""
        groups = partition(self.reference, self.tensors)
        for group in groups:
            loose = any(name in self.loose for name in group)
            for name in group:
                a, b = self.reference.names[name], self.subject.names[name]
                if a.is_contiguous() != b.is_contiguous() and a.numel():
                    if len(group) > 1:
                        raise Disagreement("contiguity", f"{name}: expected {a.is_contiguous()}")
                elif a.stride() == tuple(b.stride()) or not a.numel():
                    continue
                elif strides_of_many(a) == strides_of_many(b) and (loose or len(group) == 1):
                    self.loose.add(
                        name
                    )  # of dimensions of size 1 a new tensor's strides may be any
                    continue
                elif len(group) > 1:
                    raise Disagreement(
                        "strides", f"{name}: expected {a.stride()}, got {tuple(b.stride())}"
                    )
                self.counts.layouts += 1
                self.run(f"{name} = {name}.clone().contiguous()")

    def compare_gradient(self, name):
        a, b = self.reference.names[name], self.subject.names[name]
        if a is None or not a.requires_grad or not a.is_leaf:
            return
        wanted, got = a.grad, b.grad
        if (wanted is None) != (got is None):
            raise Disagreement(
                "gradient", f"{name}: expected {'none' if wanted is None else 'one'}"
            )
        if wanted is None:
            return
        self.counts.gradients += 1
        if name_of(wanted) != name_of(got) or tuple(wanted.shape) != tuple(got.shape):
            raise Disagreement(
                "gradient",
                f"{name}: expected {name_of(wanted)} {tuple(wanted.shape)}, got {name_of(got)} {tuple(got.shape)}",
            )
        x, y = self.reference.array_of(wanted), self.subject.array_of(got)
        live = [t for n in self.tensors if (t := self.reference.names[n]) is not None]
        scale = max(self.scale, *(largest(self.reference.array_of(t)) for t in live), largest(x))
        narrow = max((EPSILON.get(name_of(t), 0) for t in live), default=0)
        wrong = differing(x, y, 256 * max(narrow, EPSILON[name_of(wanted)]) * scale)
        if wrong.any():
            where = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise Disagreement(
                "gradient", f"{name}.grad{list(where)}: expected {x[where]!r}, got {y[where]!r}"
            )


# ---- replaying and shortening ----------------------------------------------------------------------


def replay(lines, pair):
    """Runs the lines of a program; the Disagreement, if there is one."""
    pair.start()
    try:
        for line in lines:
            pair.run(line)
    except Disagreement as difference:
        return difference
    except Ended:
        pass
    return None


def shortened(lines, pair, kind):
    """The program without the lines that its disagreement does not need."""
    lines = list(lines)
    for at in reversed(range(len(lines))):
        fewer = lines[:at] + lines[at + 1 :]
        found = replay(fewer, pair)
        if found and found.kind == kind and "NameError" not in str(found):
            lines = fewer[: len(pair.lines)]
    return [line for line in lines if not line.endswith(".clone().contiguous()")] if replay(
        [line for line in lines if not line.endswith(".clone().contiguous()")], pair) else lines  # fmt: skip


# ---- many of them ----------------------------------------------------------------------------------


def torch_pair(device="cpu", **named):
    import bolide
    import torch
    from program_differences import ACCEPTED

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    return Pair(Side(bolide, device), Side(torch), accepted=ACCEPTED, **named)


def run_piece(examples, seed, device, journal):
    """Runs that many programs; a dict of the counts and the disagreements found, shortened."""
    import hypothesis
    import program_steps

    pair = torch_pair(device, journal=journal)
    found = collections.defaultdict(list)

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(program_steps.programs(pair, raising=False))
    def collect(outcome):
        difference, lines = outcome
        if difference:
            found[(difference.kind, program_steps.operation_of(difference.line))].append(
                (lines, str(difference))
            )

    collect()
    pair.journal = None
    reports = []
    for (kind, operation), cases in sorted(found.items()):
        lines, text = min(cases, key=lambda case: len(case[0]))
        reports.append([kind, operation, len(cases), text, shortened(lines, pair, kind)])
    counts = pair.counts
    return {"counts": counts.text(), "accepted": dict(counts.accepted), "operations": dict(counts.operations),
            "programs": counts.programs, "steps": counts.steps, "found": reports}  # fmt: skip


def run_child(arguments):
    with open(arguments.journal, "w") as journal:
        result = run_piece(arguments.examples, arguments.seed, arguments.device, journal)
    print(json.dumps(result))


def run_many(arguments):
    """Pieces in processes of their own: a crash ends a piece, not the run, and its program is shown."""
    started, total, programs, steps, bad = time.monotonic(), collections.Counter(), 0, 0, 0
    operations = collections.Counter()
    seeds = itertools.count(arguments.seed)
    while programs < arguments.examples:
        seed, examples = next(seeds), min(arguments.piece, arguments.examples - programs)
        with tempfile.TemporaryDirectory() as folder:
            journal = Path(folder) / "journal"
            command = [sys.executable, __file__, "--child", "--seed", str(seed), "--examples", str(examples),
                       "--device", arguments.device, "--journal", str(journal)]  # fmt: skip
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=arguments.timeout
            )
            if done.returncode:
                bad += 1
                print(
                    f"seed {seed}: exit status {done.returncode}\n{journal.read_text()}\n{done.stderr[-4000:]}"
                )
                programs += examples
                continue
        result = json.loads(done.stdout.splitlines()[-1])
        programs, steps = programs + examples, steps + result["steps"]
        total.update(result["accepted"])
        operations.update(result["operations"])
        for kind, operation, count, text, lines in result["found"]:
            bad += count
            print(f"\n==== {kind}, {operation} ({count} in seed {seed}): {text}", *lines, sep="\n")
        print(f"seed {seed}: {result['counts']}; {programs} so far, {bad} disagreements, "
              f"{time.monotonic() - started:.0f} s", flush=True)  # fmt: skip
    print(f"\n{programs} programs, {steps} steps, {len(operations)} operations, {bad} disagreements; "
          f"accepted: {dict(sorted(total.items()))}")  # fmt: skip
    return bad > 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--piece", type=int, default=2000, help="programs in one process")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds for one piece")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--journal", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    return run_child(arguments) if arguments.child else run_many(arguments)


if __name__ == "__main__":
    import programs  # not __main__: program_steps.py imports this module by its name

    sys.exit(programs.main())
