"""bolide against PyTorch's own samples: every OpInfo whose op bolide has, on its sample and error inputs.

    PYTHONPATH=build/python python tests/python/torch_samples.py                  # all ops; needs torch, expecttest
    PYTHONPATH=build/python python tests/python/torch_samples.py --ops sort topk --second
    PYTHONPATH=build/python python tests/python/torch_samples.py --output docs/torch_samples.md  # writes its part of it

PyTorch tests its ops on samples that `torch.testing._internal` makes: shapes, layouts, arguments and wrong calls, for each
dtype. The same calls are made to bolide as function, method, in place and with `out=`, and the value, dtype, shape, sharing
of memory, gradient and type of error are compared (torch_compare.py). What differs on purpose stands in torch_accepted.py,
with its reason; an entry that no call shows any more fails a run of all ops with `--second`.

This is no test of pytest: torch's module is private, changes between releases, and continuous integration has no torch.
"""

from __future__ import annotations

import argparse
import collections
import fnmatch
import functools
import multiprocessing
import os
import pickle
import signal
import sys
import types
import warnings
from pathlib import Path

import bolide
import bolide.nn.functional
import torch
import torch_accepted
import torch_compare as compare
from torch.testing._internal.common_methods_invocations import op_db

DTYPES = ("bool", "uint8", "int8", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64", "complex128")  # fmt: skip
GRADIENT_DTYPES = ("float64", "complex128")
# Of these the values are not compared: they are drawn, or not set.
WITHOUT_VALUES = set(
    "bernoulli multinomial normal rand_like randn_like randint randint_like randn rand rand poisson uniform exponential "
    "geometric log_normal cauchy nn.functional.dropout randperm normal.in_place nn.functional.dropout2d "
    "empty empty_like empty_strided new_empty new_empty_strided empty_permuted".split()
)
SECONDS = 240  # for one op
ABSENT = ("module 'bolide", "'bolide.Tensor' object has no attribute")


def find(name: str):
    """The function of bolide that is called as PyTorch's is, or None."""
    place = bolide
    for part in name.split("."):
        place = getattr(place, part, None)
        if place is None:
            return None
    return place if callable(place) and not isinstance(place, bolide.dtype) else None


def short(value) -> str:
    if isinstance(value, torch.Tensor):
        layout = "" if value.is_contiguous() else f" strides {tuple(value.stride())}"
        return f"{compare.name_of(value.dtype)}{list(value.shape)}{layout}"
    if isinstance(value, list | tuple):
        return "(" + ", ".join(short(item) for item in value) + ")"
    if isinstance(value, dict):
        return ", ".join(f"{key}={short(item)}" for key, item in value.items())
    return repr(value)[:60]


def text_of(sample) -> str:
    parts = [short(sample.input), short(sample.args)[1:-1], short(sample.kwargs)]
    return f"({', '.join(part for part in parts if part)})"


class Sweep:
    """All calls of one op, and what differed: `bad` by kind and message."""

    def __init__(self, op, options):
        self.op, self.options = op, options
        self.name = op.name + (f".{op.variant_test_name}" if op.variant_test_name else "")
        self.calls, self.bad, self.absent = 0, {}, set()
        self.looks = not {op.name, self.name} & WITHOUT_VALUES

    def note(self, kind, dtype, sample, message):
        key = (kind, message.split(":")[0] if kind == "raises" else message[:60])
        entry = self.bad.setdefault(key, [0, set(), sample, message])
        entry[0] += 1
        entry[1].add(dtype)

    def functions(self):
        """(what, PyTorch's function, bolide's) for each way to call the op."""
        name, method, inplace = self.op.name, self.op.method_variant, self.op.inplace_variant
        plain = compare.rebound(self.op.op) or find(name) or getattr(bolide.Tensor, name, None)
        if plain is None:
            return
        yield "function", self.op.op, plain
        if method is not None and method is not self.op.op:
            own = getattr(bolide.Tensor, getattr(method, "__name__", name), None)
            yield "method", method, own or getattr(bolide.Tensor, name, None)
        if isinstance(inplace, functools.partial):
            yield "in place", inplace, functools.partial(plain, **inplace.keywords)
        elif inplace is not None and not isinstance(inplace, types.FunctionType):
            yield "in place", inplace, getattr(bolide.Tensor, inplace.__name__, None)

    def run(self):
        make = self.op.reference_inputs if self.options.reference else self.op.sample_inputs
        for dtype in DTYPES:
            kind = getattr(torch, dtype)
            if not self.op.supports_dtype(kind, "cpu"):
                continue
            needs = dtype in GRADIENT_DTYPES and self.op.supports_autograd
            try:
                samples = list(make("cpu", kind, requires_grad=needs))
            except Exception as error:
                self.note("no samples", dtype, "", str(error)[:100])
                continue
            for sample in samples:
                for what, theirs, ours in self.functions():
                    self.call(what, theirs, ours, sample, dtype, needs)
        self.errors()

    def call(self, what, theirs, ours, sample, dtype, needs):
        pairs = compare.Pairs(needs)
        (args, args_ours) = pairs.of((sample.input, *sample.args))
        (named, named_ours) = pairs.of(dict(sample.kwargs))
        if what == "in place":
            if not isinstance(sample.input, torch.Tensor):
                return
            if args[0].requires_grad:
                args, args_ours = (
                    (args[0].clone(), *args[1:]),
                    (args_ours[0].clone(), *args_ours[1:]),
                )
        note = functools.partial(self.note, dtype=dtype, sample=text_of(sample))
        try:
            expected = theirs(*args, **named)
        except Exception as error:
            return self.refused(error, ours, (args_ours, named_ours), what, note)
        self.calls += 1
        if ours is None:
            return note("missing", message=f"{what}: no such method")
        try:
            got = ours(*args_ours, **named_ours)
        except AttributeError as error:
            if str(error).startswith(ABSENT):
                return self.absent.add(str(error).split("'")[-2])
            return note("raises", message=f"{what} AttributeError: {error}")
        except Exception as error:
            return note("raises", message=f"{what} {type(error).__name__}: {str(error)[:160]}")
        both = (args, named), (args_ours, named_ours)
        try:
            bad = self.difference(what, theirs, both, expected, got, pairs, sample)
        except Exception as error:
            bad = f"{what}: backward {type(error).__name__} {str(error)[:160]}"
        if bad:
            note("differs", message=bad)
        elif what == "function" and self.op.supports_out and not needs:
            self.out(expected, ours, both, note)

    def difference(self, what, theirs, both, expected, got, pairs, sample):
        (args, named), (args_ours, _) = both
        call = (self.op.name, args, named)
        bad = compare.results(call, expected, got, what, self.looks)
        if bad and "values" in bad:
            exact = self.exact(theirs, sample)
            bad = (exact is None and bad) or compare.results(call, expected, got, what, True, exact)
        bad = bad or compare.sharing(expected, got, pairs.pairs, what)
        bad = bad or compare.strides(self.op.name, expected, got, what)
        if not bad and what == "in place" and got is not args_ours[0]:
            bad = "in place: returns another tensor"
        if not bad and pairs.gradient and self.looks:
            shown = self.shown(sample, expected, got)
            bad = compare.gradients(call, *shown, pairs.pairs, what, self.options.second)
        return bad

    def shown(self, sample, expected, got):
        """What PyTorch's tests differentiate: results without what has no gradient of its own, as a phase."""
        try:
            return sample.output_process_fn_grad(expected), sample.output_process_fn_grad(got)
        except (TypeError, AttributeError):
            return expected, got

    def exact(self, theirs, sample):
        """PyTorch's result in float64 or complex128, where its own was rounded on the way."""
        wide = compare.Pairs(False, wide=True)
        args, named = wide.of((sample.input, *sample.args))[0], wide.of(dict(sample.kwargs))[0]
        if not any(isinstance(a, torch.Tensor) and a.dtype in compare.WIDE.values() for a in args):
            return None
        try:
            return theirs(*args, **named)
        except Exception:
            return None

    def refused(self, error, ours, arguments, what, note):
        """A call that PyTorch refuses has to be refused, with its type of error or a class of both."""
        if ours is None:
            return
        self.calls += 1
        args, named = arguments
        try:
            ours(*args, **named)
        except Exception as mine:
            if (
                str(mine).startswith(ABSENT)
                or isinstance(mine, type(error))
                or isinstance(error, type(mine))
            ):
                return
            said = f"{type(mine).__name__}: {str(mine)[:80]}"
            note(
                "error type",
                message=f"{what} {type(error).__name__} ({str(error)[:60]}), bolide {said}",
            )
        else:
            note("no error", message=f"{what} {type(error).__name__}: {str(error)[:100]}")

    def out(self, expected, ours, both, note):
        parts = compare.flat(expected)
        if not all(isinstance(part, torch.Tensor) for part in parts):
            return
        self.calls += 1
        target = tuple(
            bolide.empty(tuple(part.shape), dtype=getattr(bolide, compare.name_of(part.dtype)))
            for part in parts
        )
        args_ours, named_ours = both[1]
        single = isinstance(expected, torch.Tensor)
        try:
            got = ours(*args_ours, **named_ours, out=target[0] if single else target)
        except Exception as error:
            return note("raises", message=f"out= {type(error).__name__}: {str(error)[:160]}")
        plain = ours(
            *args_ours, **named_ours
        )  # compared before; may differ from PyTorch's in what is open
        for a, b in zip(compare.flat(plain), target, strict=True):
            bad = self.looks and compare.values(compare.as_torch(a), compare.as_torch(b), "out=")
            if bad:
                return note("differs", message=bad)
        if single and got is not target[0]:
            note("differs", message="out=: returns another tensor")

    def errors(self):
        """The calls that PyTorch's tests say are wrong, where it refuses them on the CPU."""
        if self.op.error_inputs_func is None:
            return
        try:
            samples = list(self.op.error_inputs("cpu"))
        except Exception as error:
            return self.note("no samples", "", "", str(error)[:100])
        for bad in samples:
            sample = bad.sample_input
            for what, theirs, ours in self.functions():
                if what != "function":
                    continue
                pairs = compare.Pairs(False)
                try:
                    args, args_ours = pairs.of((sample.input, *sample.args))
                    named, named_ours = pairs.of(dict(sample.kwargs))
                except Exception:
                    continue  # tensors that do not cross, as those on "meta"
                try:
                    theirs(*args, **named)
                except Exception as error:
                    note = functools.partial(self.note, dtype="", sample=text_of(sample))
                    self.refused(error, ours, (args_ours, named_ours), what, note)


# ---- all ops, each in a process ------------------------------------------------------------------


def sweep(index: int, options):
    """A process of its own, so that a crash of one op is a line of the report."""
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    torch.set_num_threads(1)
    run = Sweep(op_db[index], options)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(options.seconds)
        try:
            run.run()
        except BaseException as error:
            run.note("sweep", "", "", f"{type(error).__name__}: {error}"[:200])
        with os.fdopen(write, "wb") as pipe:
            pickle.dump((run.name, run.calls, run.bad, run.absent), pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        data = pipe.read()
    status = os.waitpid(child, 0)[1]
    if data:
        return pickle.loads(data)
    return run.name, 0, {("crash", ""): [1, {""}, "", f"died with status {status}"]}, set()


class Report:
    """Counts of all ops; prints what differs and is not accepted."""

    def __init__(self):
        self.ops, self.calls, self.accepted, self.remaining = 0, 0, collections.Counter(), 0
        self.absent: set = set()
        self.lines: list = []

    def add(self, name, calls, bad, absent):
        self.ops += not absent
        self.calls += calls
        self.absent |= absent
        for (kind, _), (count, dtypes, sample, message) in bad.items():
            entry = torch_accepted.entry_of(name, kind, message, dtypes, sample)
            if entry:
                self.accepted[entry.reason] += count
                entry.seen += count
                continue
            self.remaining += count
            shown = f"{name} | {kind} x{count} | {' '.join(sorted(dtypes))} | {message} | {sample}"
            self.lines.append(shown[:420].replace("\n", " "))
            print(self.lines[-1], flush=True)

    def part(self) -> str:
        differing = self.remaining + sum(self.accepted.values())
        rows = [f"| {reason} | {count} |" for reason, count in self.accepted.most_common()]
        left = [f"- `{line[:200]}`" for line in self.lines] or ["Nothing."]
        version = torch.__version__.split("+")[0]
        counts = (
            f"{self.calls - differing} agree, {differing - self.remaining} differ on purpose, "
            f"{self.remaining} remain."
        )
        return "\n".join(
            [
                f"PyTorch {version}: {self.ops} of its op entries exist in bolide, with {self.calls} calls.",
                counts,
                *["", "| Differs on purpose | Calls |", "|---|---|", *rows],
                *["", "Remaining:", "", *left, ""],
            ]
        )


PAGE = """# bolide beside PyTorch's own samples

Written by `tests/python/torch_samples.py`, whose header says what is compared; a run writes its part.
"""
PARTS = ("Samples", "Samples, with gradients of gradients", "Reference inputs")


def write_part(path: Path, title: str, text: str):
    """The page with this part of it written anew."""
    known = dict.fromkeys(PARTS, "Not run.\n")
    if path.exists():
        for part in path.read_text().split("\n## ")[1:]:
            heading, _, body = part.partition("\n\n")
            known[heading] = body
    known[title] = text
    path.write_text("\n".join([PAGE, *(f"## {t}\n\n{known[t]}" for t in PARTS)]))


def chosen_ops(patterns) -> tuple[list, set]:
    chosen, absent = [], set()
    for index, op in enumerate(op_db):
        if not any(fnmatch.fnmatch(op.name, pattern) for pattern in patterns):
            continue
        known = compare.rebound(op.op) or find(op.name) or hasattr(bolide.Tensor, op.name)
        chosen.append(index) if known else absent.add(op.name)
    return chosen, absent


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ops", nargs="*", default=["*"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--reference", action="store_true", help="more shapes: reference_inputs")
    parser.add_argument("--second", action="store_true", help="gradients of gradients, too")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="for one op")
    parser.add_argument("--output", type=Path, help="the page to write")
    options = parser.parse_args()
    chosen, absent = chosen_ops(options.ops)
    report = Report()
    with multiprocessing.get_context("fork").Pool(options.workers, maxtasksperchild=8) as pool:
        for found in pool.imap(functools.partial(sweep, options=options), chosen):
            report.add(*found)
    print(
        f"{report.ops} ops, {report.calls} calls, {report.remaining} remain,", dict(report.accepted)
    )
    print("absent:", " ".join(sorted(absent | report.absent)))
    if options.output:
        title = PARTS[2 if options.reference else int(options.second)]
        write_part(options.output, title, report.part())
    every = options.ops == ["*"] and options.second and not options.reference
    stale = [e for e in torch_accepted.ACCEPTED if not e.seen and not e.rare] if every else []
    for entry in stale:
        print("accepted, but not seen:", entry.ops, entry.kind, entry.text)
    return int(bool(report.remaining or stale))


if __name__ == "__main__":
    sys.exit(main())
