"""Runs the same cases on bolide and its peers, side by side, and says where bolide loses.

    python benchmarks/compare.py [--quick] [--filter tanh] [--output benchmarks/results/cpu.md]

Each library has a child process of its own. In every round each library takes one sample of the
case, in turns, so that a busy machine disturbs all alike; medians are compared. Results are
compared too, both with the peer's in float64. The exit status is 1 where a case fails or results
are less exact than the peer's, never for being slow.
See README.md here for how to read the table.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import report  # noqa: E402
from libraries import MODULES, child_environment  # noqa: E402
from worker import load_cases  # noqa: E402


class Child:
    """One library in its own process; ask() sends a request to its Worker."""

    def __init__(self, library: str, options: argparse.Namespace, precision: str = "usual"):
        command = [sys.executable, str(HERE / "worker.py")]
        command += [library, str(options.threads), precision, options.device]
        if options.cases:
            command.append(options.cases)
        self.library = library
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=child_environment(options.threads),
        )

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            return {"error": f"the process ended with status {self.process.wait()}"}
        return json.loads(line)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def measure_limits(threads: int) -> dict[str, float] | None:
    """What limits.cpp says of this machine; None where there is no compiler."""
    compiler = os.environ.get("CXX", "c++")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "limits"
        build = [
            compiler,
            "-O3",
            "-march=native",
            "-pthread",
            str(HERE / "limits.cpp"),
            "-o",
            str(program),
        ]
        try:
            subprocess.run(build, check=True, capture_output=True)
            out = subprocess.run(
                [program, str(threads)], check=True, capture_output=True, text=True
            )
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"No hardware limits: {error}", file=sys.stderr)
            return None
    return json.loads(out.stdout)


def run_rounds(samplers: dict[str, Any], rounds: int) -> dict[str, dict[str, Any]]:
    """Medians of what each sampler gives, one sample of each in every round."""
    samples: dict[str, list[dict]] = {name: [] for name in samplers}
    order = list(samplers)
    for _ in range(rounds):
        for name in order:
            samples[name].append(samplers[name]())
        order.reverse()  # who runs after whom matters little; so both ways
    measured = {}
    for name, taken in samples.items():
        failed = next((sample["error"] for sample in taken if "error" in sample), None)
        if failed:
            measured[name] = {"error": failed}
            continue
        seconds = [sample["seconds"] for sample in taken]
        measured[name] = {
            "median": statistics.median(seconds),
            "best": min(seconds),
            "threads": max(sample.get("threads", 1) for sample in taken),
            "samples": seconds,
        }
    return measured


def run_statement(
    case: Any,
    children: dict[str, Child],
    precise: dict[str, Child],
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Prepares a case in every library that has it, compares the results, and measures.

    precise: peers that compute in float64; the one of the case's peer says what is right.
    """
    ready: dict[str, Child] = {}
    outputs: dict[str, list[np.ndarray]] = {}
    failed: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:

        def prepare(name: str, child: Child, seconds: float) -> bool:
            file = Path(folder) / f"{name}.npz"
            answer = child.ask("prepare", case=case.name, output=str(file), seconds=seconds)
            if "error" in answer:
                failed[name] = answer
                return False
            with np.load(file) as arrays:
                outputs[name] = [arrays[key] for key in arrays.files]
            file.unlink()
            return True

        for name, child in children.items():
            if case.statement_for(name) and prepare(name, child, options.sample):
                ready[name] = child
        if case.peer in precise:
            prepare("float64", precise[case.peer], 0)
    measured = run_rounds(
        {n: lambda c=c: c.ask("sample") for n, c in ready.items()}, options.rounds
    )
    disagreement = None
    compared = [outputs.get(name) for name in (options.subject, case.peer, "float64")]
    if all(arrays is not None for arrays in compared):
        disagreement = report.difference(*compared)
    return {"libraries": {**measured, **failed}, "disagreement": disagreement}


def run_programs(case: Any, libraries: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """Measures a case whose every sample is a process."""

    def sampler(program: str) -> Any:
        def sample() -> dict[str, Any]:
            done = subprocess.run(
                [sys.executable, "-c", program],
                env=child_environment(options.threads),
                capture_output=True,
                text=True,
            )
            if done.returncode:
                return {"error": done.stderr.strip().splitlines()[-1]}
            return {"seconds": float(done.stdout)}

        return sample

    samplers = {name: sampler(case.programs[name]) for name in libraries if name in case.programs}
    for sample in samplers.values():
        sample()  # the files come into the page cache
    return {"libraries": run_rounds(samplers, max(3, options.rounds // 4))}


def run_case(
    case: Any,
    children: dict[str, Child],
    precise: dict[str, Child],
    options: argparse.Namespace,
) -> dict[str, Any]:
    """The measurements of a case, with what the report needs to know of it."""
    if case.programs:
        result = run_programs(case, list(children), options)
    else:
        result = run_statement(case, children, precise, options)
    result |= {
        key: getattr(case, key) for key in ("name", "group", "at_least", "peer", "bytes", "flops")
    }
    if options.device != "cpu":  # what is wanted was set for the CPU
        result["at_least"] = 1
    errors = {name: m["error"] for name, m in result["libraries"].items() if "error" in m}
    if errors:
        result["error"] = "; ".join(f"{name}: {text}" for name, text in errors.items())
    return result


def installed(library: str) -> bool:
    """Can `library` be imported? Found out without importing it."""
    return importlib.util.find_spec(MODULES.get(library, library).split(".")[0]) is not None


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--filter", default="", help="run only cases whose name or group has this text"
    )
    parser.add_argument("--quick", action="store_true", help="few short rounds: a first impression")
    parser.add_argument("--rounds", type=int, help="samples per library and case")
    parser.add_argument("--sample", type=float, help="seconds of a sample")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="cuda: on a GPU, beside the first peer's")
    parser.add_argument(
        "--libraries",
        default="bolide,torch,numpy,jax,mlx",
        help="the subject, then its peers; peers that are not installed are left out",
    )
    parser.add_argument("--cases", help="a Python file with CASES, instead of benchmarks/cases")
    parser.add_argument("--json", type=Path, help="write everything measured to this file")
    parser.add_argument("--output", type=Path, help="write the table to this file too")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (5 if options.quick else 25)
    options.sample = options.sample or (0.005 if options.quick else 0.03)
    if options.rounds < 1 or options.sample <= 0 or options.threads < 1:
        parser.error("expected --rounds, --sample and --threads above 0")
    options.subject, *peers = options.libraries.split(",")
    options.peers = [peer for peer in peers if installed(peer)]
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse_arguments(arguments)
    cases = [
        case
        for case in load_cases(options.cases).values()
        if options.filter in case.name or options.filter in case.group
        if options.filter or not case.extra
    ]
    run: dict[str, Any] = {
        "subject": options.subject,
        "peers": options.peers,
        "threads": options.threads,
        "device": options.device,
        "rounds": options.rounds,
        "cpu": report.cpu_name(),
        "cpus": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
    }
    needs_limits = any(case.bytes or case.flops for case in cases)
    on_cpu = options.device == "cpu"
    before = measure_limits(options.threads) if needs_limits and on_cpu else None
    children = {name: Child(name, options) for name in (options.subject, *options.peers)}
    compared = {case.peer for case in cases if case.statement} & set(options.peers)
    precise = {name: Child(name, options, "precise") for name in compared}
    try:
        run["libraries"] = {name: child.ask("describe") for name, child in children.items()}
        run["results"] = []
        if needs_limits and not on_cpu and options.peers:
            before = children[options.peers[0]].ask("limits")
        for case in cases:
            print(f"{case.name} ...", file=sys.stderr, flush=True)
            run["results"].append(run_case(case, children, precise, options))
    finally:
        for child in (*children.values(), *precise.values()):
            child.close()
    run["limits"] = before
    if before and on_cpu and (after := measure_limits(options.threads)):
        # other work only ever lowers them
        run["limits"] = {name: max(before[name], after[name]) for name in before}
    for result in run["results"]:
        report.judge(result, options.subject, run["limits"])
    text = report.as_markdown(run)
    print(text)
    for path, content in ((options.output, text), (options.json, json.dumps(run, indent=1) + "\n")):
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
    return int(any(result["status"] in ("fails", "disagrees") for result in run["results"]))


if __name__ == "__main__":
    sys.exit(main())
