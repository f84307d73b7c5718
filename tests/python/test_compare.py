"""The logic of benchmarks/compare.py, on two libraries and some cases made up here: no timing is asserted."""

import json
import sys
import timeit
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
if not BENCHMARKS.exists():
    pytest.skip("benchmarks/ is not part of the installed package", allow_module_level=True)
sys.path.insert(0, str(BENCHMARKS))

import compare  # noqa: E402
import report  # noqa: E402
from libraries import Library  # noqa: E402
from worker import Worker  # noqa: E402

LIBRARY = """
import numpy
def from_numpy(array): return array
def double(x): return {factor} * x
def only(x): {only}
"""

CASES = """
from cases import Case
import numpy as np

def names(library):
    x = library.tensor(np.arange(4.0))
    return {"x": x, "lib": library.module}

CASES = [
    Case("same", "fake", 1, names, "x + 1", bytes=64, peer="fake_peer"),
    Case("twice", "fake", 1, names, "lib.double(x)", peer="fake_peer"),
    Case("only", "fake", 1, names, "lib.only(x)", peer="fake_peer"),
    Case("program", "process", 1, programs={"fake_ours": "print(2)", "fake_peer": "print(6)"},
         peer="fake_peer"),
]
"""


@pytest.fixture
def fakes(tmp_path, monkeypatch):
    """Two libraries that disagree on double(), one of which fails in only(); and a file of cases."""
    (tmp_path / "fake_ours.py").write_text(LIBRARY.format(factor=3, only="raise ValueError('no')"))
    (tmp_path / "fake_peer.py").write_text(LIBRARY.format(factor=2, only="return x"))
    (tmp_path / "fake_cases.py").write_text(CASES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(compare, "measure_limits", lambda threads: {"copy": 1e9, "fma": 1e9})
    return tmp_path


def run(fakes, *more):
    """The exit status and the JSON of a run on the fakes."""
    file = fakes / "run.json"
    arguments = [
        "--libraries",
        "fake_ours,fake_peer,fake_absent",
        "--cases",
        str(fakes / "fake_cases.py"),
    ]
    status = compare.main(
        [*arguments, "--rounds", "2", "--sample", "1e-4", "--json", str(file), *more]
    )
    results = json.loads(file.read_text())
    return status, {result["name"]: result for result in results["results"]}, results


def test_results_that_differ_are_reported(fakes, capsys):
    status, results, _ = run(fakes, "--filter", "twice")
    assert status == 1
    assert results["twice"]["status"] == "disagrees"
    assert "error 1.87, allowed" in results["twice"]["disagreement"]
    assert "twice: result 0: error 1.87" in capsys.readouterr().out


def test_results_that_agree(fakes):
    status, results, everything = run(fakes, "--filter", "same")
    same = results["same"]
    assert status == 0
    assert same["disagreement"] is None
    assert len(same["libraries"]["fake_ours"]["samples"]) == 2
    assert same["ratio"] == pytest.approx(
        same["libraries"]["fake_peer"]["median"] / same["libraries"]["fake_ours"]["median"]
    )
    assert same["limit"] == 64 / 1e9
    assert everything["peers"] == ["fake_peer"]


ON_DEVICE = """
import numpy
waits = 0
class cuda:
    def synchronize():
        global waits
        waits += 1
    def get_device_name(): return "fake device"
class Tensor(numpy.ndarray):
    def to(self, device): return (self + 1).view(Tensor) if device == "cuda" else self
    def detach(self): return self
    def cpu(self): return self - 1
    def numpy(self): return self.view(numpy.ndarray)
def from_numpy(array): return array.view(Tensor)
def moved(x): return x
"""


def test_on_a_device(fakes):
    """Tensors go to the device and come back, and nothing but faster than the peer is wanted."""
    for library in "fake_ours", "fake_peer":
        (fakes / f"{library}.py").write_text(ON_DEVICE)
    cases = CASES.replace("lib.double(x)", "lib.moved(x)").replace('fake", 1', 'fake", 5')
    (fakes / "fake_cases.py").write_text(cases.replace("bytes=64, ", ""))
    status, results, everything = run(fakes, "--device", "cuda", "--filter", "twice")
    assert status == 0
    assert results["twice"]["disagreement"] is None
    assert results["twice"]["at_least"] == 1
    assert everything["libraries"]["fake_ours"]["device"] == "fake device"


@pytest.mark.parametrize("device, waits", [("cuda", 1), ("cpu", 0)])
def test_a_sample_ends_when_the_device_is_done(fakes, device, waits):
    (fakes / "fake_device.py").write_text(ON_DEVICE)
    library = Library("fake_device", 1, device=device)
    worker = Worker(library, {})
    worker.timer, worker.number, library.module.waits = timeit.Timer("pass"), 3, 0
    worker.sample()
    assert library.module.waits == waits


def test_what_is_right_comes_from_the_peer_in_float64(fakes):
    (fakes / "fake_cases.py").write_text(CASES.replace("np.arange(4.0)", "np.ones(4, 'f')"))
    for library, factor in ("fake_ours", 2), ("fake_peer", 1):
        size = f"return numpy.array([{factor} * x.itemsize])"
        (fakes / f"{library}.py").write_text(LIBRARY.format(factor=2, only=size))
    assert (
        run(fakes, "--filter", "only")[0] == 0
    )  # 8 is right, the size of a float64; the peer's 4 is not


def test_a_case_that_fails_is_reported(fakes, capsys):
    status, results, _ = run(fakes, "--filter", "only")
    assert status == 1
    assert results["only"]["status"] == "fails"
    assert results["only"]["error"] == "fake_ours: ValueError: no"
    assert results["only"]["libraries"]["fake_peer"]["median"] > 0
    assert "ValueError: no" in capsys.readouterr().out


def test_a_case_of_whole_programs(fakes):
    status, results, _ = run(fakes, "--filter", "process")
    assert status == 0
    assert results["program"]["libraries"]["fake_ours"]["median"] == 2
    assert results["program"]["ratio"] == 3


def test_the_table_is_written(fakes, capsys):
    table = fakes / "folder" / "table.md"
    run(fakes, "--output", str(table))
    text = table.read_text()
    assert text in capsys.readouterr().out
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert rows[:3] == ["case", "only", "twice"]
    assert set(rows[3:]) == {"same", "program"}


def measured(name, ours, theirs, at_least=1.0, **more):
    """A result as run_case gives it."""
    libraries = {"ours": {"median": ours}, "torch": {"median": theirs}}
    return {"name": name, "libraries": libraries, "peer": "torch", "at_least": at_least} | {
        "bytes": 0,
        "flops": 0,
        **more,
    }


def test_losing_cases_come_first():
    results = [
        measured("good", 1, 9, 8),
        measured("below", 1, 5, 8),
        measured("wrong", 1, 20, disagreement="differs"),
        measured("slower", 2, 1),
        measured("far below", 1, 2, 8),
        measured("alone", 1, None),
        measured("fails", 1, 20, error="no"),
        measured("slowest", 5, 1),
    ]
    for result in results:
        report.judge(result, "ours", None)
    order = [result["name"] for result in report.losing_first(results)]
    assert order == [
        "fails", "wrong", "slowest", "slower", "far below", "below", "good", "alone",
    ]  # fmt: skip


def test_the_limit_is_the_slower_of_memory_and_arithmetic():
    limits = {"copy": 10.0, "fma": 100.0}
    result = measured("case", 4.0, 8.0, bytes=20.0, flops=100.0)
    report.judge(result, "ours", limits)
    assert result["limit"] == 2.0
    assert result["status"] == "reached"


@pytest.mark.parametrize(
    ("ours", "theirs", "exact", "expected"),
    [
        ([[1.0, 2.0]], [[1.0, 2.0]], [[1.0, 2.0]], None),
        ([[1.0, 2.0002]], [[1.0, 1.9999]], [[1.0, 2.0]], None),  # twice the peer's error
        ([[1.0, 2.0000001]], [[1.0, 2.0]], [[1.0, 2.0]], None),  # a unit in the last place
        (
            [[1.0, 2.0004]],
            [[1.0, 1.9999]],
            [[1.0, 2.0]],
            "result 0: error 0.000283, allowed 0.00021",
        ),
        ([[1.0, 2.000001]], [[1.0, 2.0]], [[1.0, 2.0]], "result 0: error 6.7"),
        ([[1.0]], [[1.0], [2.0]], [[1.0], [2.0]], "expected 2 results, got 1"),
        ([[1.0, 1.0]], [[1.0]], [[1.0]], "expected shape (1,), got (2,)"),
        ([[np.nan]], [[1.0]], [[1.0]], "NaN in other places"),
        ([[np.inf]], [[1.0]], [[1.0]], "error inf"),
        ([[-np.inf, np.nan]], [[-np.inf, np.nan]], [[-np.inf, np.nan]], None),
        ([[]], [[]], [[]], None),
    ],
)
def test_difference(ours, theirs, exact, expected):
    f32 = [[np.array(values, np.float32) for values in side] for side in (ours, theirs)]
    found = report.difference(*f32, [np.array(values) for values in exact])
    assert found is None if expected is None else expected in found


def test_integers_must_be_equal():
    three, two = np.array([3, 1]), np.array([2, 1])
    assert report.difference([two], [two], [two]) is None
    assert "error 0.707, allowed 0" in report.difference([three], [two], [two])


def test_the_cases_are_well_formed():
    from cases import all_cases

    cases = all_cases()
    assert len({case.name for case in cases}) == len(cases)
    for case in cases:
        assert case.at_least > 0
        assert bool(case.programs) != bool(case.statement)
        if case.statement:
            assert case.statement_for("bolide") == case.statement_for("torch") == case.statement
