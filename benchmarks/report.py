"""What compare.py makes of its measurements: ratios, agreement, the hardware's limit, the table."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import numpy as np

# the worst first
STATUSES = ("fails", "disagrees", "slower", "below", "reached", "no peer")


def _root_mean_square(values: np.ndarray, where: np.ndarray) -> float:
    """Of the numbers where `where` is true, over all of them; NaN is left out."""
    chosen = np.where(where & ~np.isnan(values), values, 0)
    return (
        float(np.sqrt(np.mean(np.square(np.abs(chosen), dtype=np.float64)))) if values.size else 0.0
    )


def difference(
    ours: list[np.ndarray], theirs: list[np.ndarray], exact: list[np.ndarray]
) -> str | None:
    """What is wrong with our results; None where they are about as exact as the peer's.

    exact: the peer's results in float64. Errors are root mean squares: unlike the largest error, that of a correct
    result hardly depends on chance, so three times the peer's, or a unit in the last place, is much.
    """
    if len(ours) != len(theirs):
        return f"expected {len(theirs)} results, got {len(ours)}"
    for index, (a, b, right) in enumerate(zip(ours, theirs, exact, strict=True)):
        if not a.shape == b.shape == right.shape:
            return f"result {index}: expected shape {b.shape}, got {a.shape}"
        if not np.array_equal(np.isnan(a), np.isnan(b)):
            return f"result {index}: NaN in other places"
        if b.dtype == bool:  # which has no difference
            a, b, right = (x.astype(np.int8) for x in (a, b, right))
        with np.errstate(invalid="ignore"):  # of infinities
            error, peers = (_root_mean_square(x - right, where=x != right) for x in (a, b))
        last_place = np.finfo(b.dtype).eps if b.dtype.kind in "fc" else 0
        allowed = 3 * peers + last_place * _root_mean_square(right, where=np.isfinite(right))
        if not error <= allowed:
            return (
                f"result {index}: error {error:.3g}, allowed {allowed:.3g}, the peer's {peers:.3g}"
            )
    return None


def judge(result: dict[str, Any], subject: str, limits: dict[str, float] | None) -> None:
    """Adds ratio, limit and status to the measurements of a case."""
    libraries, peer = result["libraries"], result["peer"]
    ours = libraries.get(subject, {}).get("median")
    theirs = libraries.get(peer, {}).get("median")
    result["ratio"] = theirs / ours if ours and theirs else None
    best = [libraries.get(name, {}).get("best") for name in (subject, peer)]
    result["best_ratio"] = best[1] / best[0] if all(best) else None
    result["limit"] = None
    if limits and (result["bytes"] or result["flops"]):
        result["limit"] = max(result["bytes"] / limits["copy"], result["flops"] / limits["fma"])
    if result.get("error"):
        status = "fails"
    elif result.get("disagreement"):
        status = "disagrees"
    elif result["ratio"] is None:
        status = "no peer"
    elif result["ratio"] < 1:
        status = "slower"
    else:
        status = "reached" if result["ratio"] >= result["at_least"] else "below"
    result["status"] = status


def losing_first(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Failures, then cases slower than the peer, then those below what is wanted, then the rest."""

    def key(result: dict[str, Any]) -> tuple[int, float]:
        ratio = result["ratio"]
        return STATUSES.index(result["status"]), 0 if ratio is None else ratio / result["at_least"]

    return sorted(results, key=key)


def duration(seconds: float | None) -> str:
    """Seconds as a person reads them."""
    if seconds is None:
        return "-"
    for unit, size in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def cpu_name() -> str:
    """The processor, as the system says."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def as_markdown(run: dict[str, Any]) -> str:
    """The run as a Markdown page: conditions, the table, and what went wrong."""
    subject, peers = run["subject"], run["peers"]
    lines = ["# Side by side", ""]
    limits = run["limits"]
    lines.append(
        f"{run['cpu']}, {run['cpus']} CPUs, load {run['load']:.2f} at the start, Python {run['python']}."
    )
    if limits:
        lines.append(
            f"Limits, measured: copy {limits['copy'] / 1e9:.1f} GB/s (read + written), "
            f"f32 fma {limits['fma'] / 1e9:.0f} GFLOP/s, {run['threads']} threads."
        )
    lines.append(
        f"{run['threads']} threads for each library; medians of {run['rounds']} interleaved rounds."
    )
    lines.append("")
    for name, facts in run["libraries"].items():
        lines.append(f"- {name}: " + ", ".join(f"{key} {value}" for key, value in facts.items()))
    others = [name for name in peers if any(name in r["libraries"] for r in run["results"])]
    columns = ["case", subject, *others, "ratio", "best", "wanted", "limit", "threads", "status"]
    lines += ["", "| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for result in losing_first(run["results"]):
        libraries = result["libraries"]
        medians = [duration(libraries.get(name, {}).get("median")) for name in (subject, *others)]
        threads = [
            str(libraries[n].get("threads", "-"))
            for n in (subject, result["peer"])
            if n in libraries
        ]
        ours, limit = libraries.get(subject, {}).get("median"), result["limit"]
        share = f"{duration(limit)} ({100 * limit / ours:.0f} %)" if limit and ours else "-"
        ratio = "-" if result["ratio"] is None else f"{result['ratio']:.2f} x {result['peer']}"
        best = "-" if result["best_ratio"] is None else f"{result['best_ratio']:.2f}"
        row = [result["name"], *medians, ratio, best, f"{result['at_least']:g}", share]
        lines.append("| " + " | ".join([*row, ", ".join(threads) or "-", result["status"]]) + " |")
    for result in run["results"]:
        for trouble in ("error", "disagreement"):
            if result.get(trouble):
                lines.append(f"\n{result['name']}: {result[trouble]}")
    return "\n".join(lines) + "\n"
