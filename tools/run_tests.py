"""Runs every test program of a build folder and prints one summary.

    tools/run_tests.py build [--coverage] [--only NAME]...

--coverage counts the lines of python/bolide too, and runs a seventh of the op harness: lines and not numbers count.

Suites: the C++ tests, the emulator's own tests, the CUDA kernels' tests on the emulated device, and the Python
tests, once on the CPU and once on the emulated CUDA device. The Python suites on the two devices run side by
side. A suite's output is in BUILD/test-logs; it is shown where something failed. The last line is
"N passed, N failed, N skipped"; the numbers also go to BUILD/test-summary.json.
"""

import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECONDS_PER_SUITE = 1800  # a suite that hangs is ended and counts as failed
EMULATED = "libbolide_cuda_emulated.so"


@dataclass
class Suite:
    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    counts: tuple[int, int, int] = (0, 0, 0)  # passed, failed, skipped
    seconds: float = 0.0
    note: str = ""


def suites_of(build, coverage):
    """What there is to run, by what was built."""
    logs = build / "test-logs"
    emulated = {"BOLIDE_CUDA_LIBRARY": str(build / EMULATED)}
    has_emulated = (build / EMULATED).exists()
    found = []
    for program, name, environment, wanted in (
        ("bolide_tests", "C++ on the CPU", {}, True),
        ("bolide_emulation_tests", "C++ CUDA emulator", {}, True),
        ("bolide_cuda_tests", "C++ on emulated CUDA", emulated, has_emulated),
    ):
        if wanted and (build / program).exists():
            command = [
                str(build / program),
                "--gtest_brief=1",
                f"--gtest_output=json:{logs / program}.json",
            ]
            found.append(Suite(name, command, environment))
    for device in ("cpu", "cuda") if has_emulated else ("cpu",):
        name = "Python on the CPU" if device == "cpu" else "Python on emulated CUDA"
        environment = {"PYTHONPATH": str(build / "python"), "BOLIDE_TEST_DEVICE": device}
        python = [sys.executable]
        if coverage:
            environment["BOLIDE_TEST_EVERY_NTH"] = "7"
            if device == "cpu":  # the same lines run on either
                python += ["-m", "coverage", "run", f"--data-file={build / '.coverage'}"]
        report = logs / f"python-{device}.xml"
        command = [*python, "-m", "pytest", "tests/python"]
        if coverage:  # what takes minutes there and runs no line that others do not
            command += [
                "--ignore=tests/python/test_harness.py",
                "-k",
                "not short_training and not shuffled_labels",
            ]
        command.append(f"--junitxml={report}")
        found.append(Suite(name, command, environment | (emulated if device == "cuda" else {})))
    return found


def count_googletest(report):
    tests = [
        test
        for suite in json.loads(report.read_text())["testsuites"]
        for test in suite["testsuite"]
    ]
    failed = sum("failures" in test for test in tests)
    skipped = sum(test["result"] == "SKIPPED" or test["status"] == "NOTRUN" for test in tests)
    return len(tests) - failed - skipped, failed, skipped


def count_pytest(report):
    suites = list(xml.etree.ElementTree.parse(report).getroot().iter("testsuite"))
    total, failures, errors, skipped = (
        sum(int(suite.get(key, 0)) for suite in suites)
        for key in ("tests", "failures", "errors", "skipped")
    )
    return total - failures - errors - skipped, failures + errors, skipped


def run(suite, build):
    """Runs one suite and fills in its counts: a suite that ends badly has a failure, whatever it reported."""
    logs = build / "test-logs"
    report = Path(suite.command[-1].split(":", 1)[-1].removeprefix("--junitxml="))
    report.unlink(missing_ok=True)
    started = time.monotonic()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("BOLIDE_")}
    with open(logs / f"{report.stem}.log", "w") as log:
        try:
            code = subprocess.run(
                suite.command,
                cwd=ROOT,
                env=environment | suite.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=SECONDS_PER_SUITE,
            ).returncode
        except subprocess.TimeoutExpired:
            code = f"none after {SECONDS_PER_SUITE} s"
    suite.seconds = time.monotonic() - started
    try:
        suite.counts = (count_pytest if report.suffix == ".xml" else count_googletest)(report)
    except (OSError, ValueError, KeyError, xml.etree.ElementTree.ParseError):
        suite.note = "no report"
    passed, failed, skipped = suite.counts
    if (code != 0 and failed == 0) or passed + failed + skipped == 0:
        suite.note = f"exit status {code} {suite.note}".strip()
        suite.counts = (passed, failed + 1, skipped)
    print(row(suite), flush=True)
    if suite.counts[1]:
        text = (logs / f"{report.stem}.log").read_text(errors="replace").splitlines()
        print(
            f"---- the end of {logs / (report.stem + '.log')}",
            *text[-120:],
            "----",
            sep="\n",
            flush=True,
        )


def row(suite):
    passed, failed, skipped = suite.counts
    return f"{suite.name:26}{passed:8}{failed:8}{skipped:9}{suite.seconds:9.1f} s  {suite.note}".rstrip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--coverage", action="store_true")
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="suites whose name contains NAME"
    )
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    (build / "test-logs").mkdir(exist_ok=True)
    suites = suites_of(build, arguments.coverage)
    if arguments.only:
        suites = [suite for suite in suites if any(name in suite.name for name in arguments.only)]

    head = f"{'':26}{'passed':>8}{'failed':>8}{'skipped':>9}{'time':>9}"
    print(head, flush=True)
    with concurrent.futures.ThreadPoolExecutor(2) as lanes:
        list(lanes.map(lambda suite: run(suite, build), suites))

    totals = [sum(numbers) for numbers in zip(*(suite.counts for suite in suites), strict=True)]
    print("\nSummary", head, *(row(suite) for suite in suites), sep="\n")
    (build / "test-summary.json").write_text(json.dumps(totals))
    print(f"{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped")
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
