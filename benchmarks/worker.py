"""The child process of compare.py: one library, which runs what the parent asks for.

    python worker.py LIBRARY THREADS PRECISION DEVICE [FILE_OF_CASES]

PRECISION is "precise" for the process whose float64 results tell how exact the others are.
Reads one JSON request a line and answers each with one line. What libraries print goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import time
import timeit
from pathlib import Path

import numpy as np
from libraries import Library


def load_cases(path: str | None) -> dict:
    """The cases by name: all of cases/, or CASES of another file."""
    if path is None:
        from cases import all_cases

        return {case.name: case for case in all_cases()}
    names: dict = {}
    exec(compile(Path(path).read_text(), path, "exec"), names)
    return {case.name: case for case in names["CASES"]}


def thread_seconds() -> dict[str, float]:
    """CPU seconds of each thread of this process so far."""
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        return {}
    seconds = {}
    for task in tasks.iterdir():
        try:
            seconds[task.name] = int((task / "schedstat").read_text().split()[0]) / 1e9
        except OSError:  # it has ended
            continue
    return seconds


class Worker:
    def __init__(self, library: Library, cases: dict):
        self.library, self.cases = library, cases
        self.timer: timeit.Timer | None = None
        self.number = 1

    def describe(self) -> dict:
        return self.library.describe()

    def prepare(self, case: str, output: str, seconds: float = 0) -> dict:
        """Makes the variables, saves what the case computes, and finds how many runs fill `seconds`, if any."""
        self.timer = None  # let go of the case before
        chosen = self.cases[case]
        statement = chosen.statement_for(self.library.name)
        names = chosen.names(self.library)
        check = names.get("check")
        results = check() if check else [eval(statement, names)]
        np.savez(output, *(self.library.array(result) for result in results))
        if not seconds:
            return {}
        self.timer = timeit.Timer(statement, globals=names)
        self.number, took = 1, self.run(1)
        while took < seconds / 2:
            self.number = max(
                self.number + 1, int(self.number * min(10.0, seconds / max(took, 1e-9)))
            )
            took = self.run(self.number)
        self.number = max(1, round(self.number * seconds / took))
        return {"number": self.number}

    def run(self, number: int) -> float:
        """Seconds of so many runs, up to the end of the last one's work on the device."""
        start = time.perf_counter()
        self.timer.timeit(number)
        self.library.wait()
        return time.perf_counter() - start

    def limits(self) -> dict:
        """What the device can do as this library shows it: bytes copied and f32 operations a second."""
        count, side = 1 << 28, 8192
        a, b = (self.library.module.empty(count, device=self.library.device) for _ in range(2))
        c = self.library.module.rand(side, side, device=self.library.device)
        names = {"a": a.fill_(1), "b": b, "c": c}
        best = {}
        for name, statement, work in (
            ("copy", "b.copy_(a)", 8 * count),
            ("fma", "c @ c", 2 * side**3),
        ):
            self.timer = timeit.Timer(statement, globals=names)
            self.run(2)
            best[name] = work / min(self.run(5) / 5 for _ in range(5))
        self.timer = None
        return best

    def sample(self) -> dict:
        """Seconds of one run, and how many threads worked on it."""
        before = thread_seconds()
        took = self.run(self.number)
        after = thread_seconds()
        busy = sum(after[task] - before.get(task, 0) > took / 10 for task in after)
        return {"seconds": took / self.number, "threads": max(busy, 1)}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    name, threads, precision, device, *rest = sys.argv[1:]
    sys.path.insert(0, str(Path(__file__).parent))
    worker = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if worker is None:
                library = Library(name, int(threads), precision == "precise", device)
                worker = Worker(library, load_cases(*rest or [None]))
            answer = getattr(worker, request.pop("do"))(**request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
