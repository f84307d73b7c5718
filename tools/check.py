"""What `make check` runs after `make test`: one stage after the other, each timed, and a summary at the end.

    tools/check.py [--jobs N] [STAGE]...        without a stage: all of them

lint        ruff, clang-format, the house rules of tools/check_sources.py, no AVX-512 code under a shared name, no
            loop of the op table left scalar
types       mypy over python/bolide
wheel       a wheel, installed into an empty virtual environment and used from outside the tree; libbolide.so below its limit
coverage    C++ (device code through the emulation) and Python: more than 90 % of the lines
address     the C++ tests and the Python tests of exchange under AddressSanitizer and UndefinedBehaviorSanitizer
thread      those about threads, the pool, autograd and the CUDA kernels under ThreadSanitizer; those of Python with threads
cuda        nvcc for all targets: the build part of tests/gpu/run.sh, on `make gpu-kit` alone, without a network

To add a stage, write a function `stage_NAME(context)` that raises Failed, or lets a command fail.
"""

import argparse
import glob
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / ".venv" / "bin"
LIBRARY_BYTES = 8_000_000  # of libbolide.so, stripped
LINES = 90  # per cent of the lines that tests must run, C++ and Python each
EXCHANGE = "dlpack dlpack_foreign dlpack_fuzz buffers multiprocessing exchange".split()
THREADED = (
    "dlpack dlpack_foreign call_path leaks autograd_semantics autograd_api interrupts".split()
)
CUDA_PACKAGES = (
    "nvidia-cuda-nvcc",
    "nvidia-nvvm",
    "nvidia-cuda-crt",
    "nvidia-cuda-runtime",
    "nvidia-cuda-cccl",
)


class Failed(Exception):
    pass


@dataclass
class Context:
    jobs: int

    def run(self, *command, cwd=ROOT, **environment):
        """Runs a command; raises Failed when it fails. A value of None takes the variable away."""
        variables = {
            key: value for key, value in os.environ.items() if not key.startswith("BOLIDE_")
        }
        for key, value in environment.items():
            variables.pop(key, None)
            if value is not None:
                variables[key] = str(value)
        print("$", *command, flush=True)
        code = subprocess.run([str(part) for part in command], cwd=cwd, env=variables).returncode
        if code != 0:
            raise Failed(
                f"exit status {code}: {Path(str(command[0])).name} {' '.join(map(str, command[1:4]))}"
            )

    def build(self, folder, goal, *options):
        self.run("tools/build.sh", folder, self.jobs, goal, *options)
        return ROOT / folder


def stage_lint(context):
    context.run(BIN / "ruff", "check", ".")
    context.run(BIN / "ruff", "format", "--check", ".")
    context.run("tools/clang_format.sh", "--dry-run", "-Werror")
    context.run(sys.executable, "tools/check_sources.py")
    build = context.build("build", "_C")
    if os.uname().machine == "x86_64":
        context.run("tools/check_symbols.sh", build)
        loops = build.glob("CMakeFiles/loops_avx512_[fi]*.dir/kernels/cpu/*.o")
        context.run("tools/check_vectors.sh", *sorted(loops))


def stage_types(context):
    context.build("build", "_C")
    context.run(BIN / "mypy")


def stage_wheel(context):
    for left in (ROOT / "build").glob("lib.*"):
        shutil.rmtree(left)  # files of earlier trees would come along
    with tempfile.TemporaryDirectory() as folder:
        wheels, environment = Path(folder) / "wheels", Path(folder) / "environment"
        context.run(
            BIN / "python", "-m", "pip", "wheel", "-q", "--no-deps", "-w", wheels, ".",
            CMAKE_BUILD_PARALLEL_LEVEL=context.jobs,
        )  # fmt: skip
        (wheel,) = wheels.glob("bolide-*.whl")
        with zipfile.ZipFile(wheel) as parts:
            size = parts.getinfo("bolide/libbolide.so").file_size
        print(
            f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB; libbolide.so {size / 1e6:.2f} MB"
        )
        if size > LIBRARY_BYTES:
            raise Failed(f"libbolide.so: expected at most {LIBRARY_BYTES:,} bytes, got {size:,}")
        context.run("python3", "-m", "venv", environment)
        python = environment / "bin" / "python"
        context.run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", wheel)
        context.run(python, ROOT / "tools" / "check_installed.py", cwd=folder, PYTHONPATH=None)


def untestable():
    """Files for programs of a partner that is not installed: their tests were skipped."""
    missing = [name for name in ("torch", "jax") if importlib.util.find_spec(name) is None]
    files = [f"*/bolide/interop/{name}.py" for name in missing]
    return [*files, "*/bolide/interop/_trees.py"] if len(missing) == 2 else files


def stage_coverage(context):
    options = ["COVERAGE=ON", "GENERIC_CPU=ON", "TESTS=ON", "CUDA_EMULATION=ON"]
    build = context.build("build-coverage", "tests", *(f"-DBOLIDE_{option}" for option in options))
    for counts in build.rglob("*.gcda"):
        counts.unlink()
    for counts in build.glob(".coverage*"):
        counts.unlink()
    problems = []
    try:
        context.run(sys.executable, "tools/run_tests.py", build, "--coverage")
    except Failed:
        problems.append("tests failed")
    data = f"--data-file={build / '.coverage'}"
    context.run(BIN / "coverage", "combine", "-q", data)
    for name, command in {
        "Python": [
            BIN / "coverage", "report", data, "--skip-covered", f"--fail-under={LINES}",
            *(f"--omit={','.join(files)}" for files in [untestable()] if files),
        ],
        "C++": [
            BIN / "gcovr", "--root", ROOT, "--filter", "runtime/", "--filter", "kernels/", "--filter", "bindings/",
            "--object-directory", build, "--gcov-ignore-parse-errors=negative_hits.warn",
            "--gcov-suspicious-hits-threshold=0",  # inner loops do run more than 2^32 times
            "--merge-lines", "--merge-mode-functions=merge-use-line-min", "-j", context.jobs,
            "--txt", build / "coverage.txt", "--txt-summary", f"--fail-under-line={LINES}", build,
        ],
    }.items():  # fmt: skip
        try:
            context.run(*command)
        except Failed:
            problems.append(f"less than {LINES} % of the {name} lines run")
    if problems:
        raise Failed(f"{', '.join(problems)} ({build}/coverage.txt)")


def sanitized(context, kind, gtest_filter, python="OFF", **options):
    """The C++ tests of a build with a sanitizer; the folder of that build."""
    switches = [
        f"SANITIZE={kind}",
        "GENERIC_CPU=ON",
        f"PYTHON={python}",
        "TESTS=ON",
        "CUDA_EMULATION=ON",
    ]
    build = context.build(f"build-{kind}", "tests", *(f"-DBOLIDE_{switch}" for switch in switches))
    for program in ("bolide_tests", "bolide_emulation_tests", "bolide_cuda_tests"):
        if (build / program).exists():
            library = (
                build / "libbolide_cuda_emulated.so" if program == "bolide_cuda_tests" else None
            )
            context.run(
                build / program, "--gtest_brief=1", f"--gtest_filter={gtest_filter}",
                BOLIDE_CUDA_LIBRARY=library, **options,
            )  # fmt: skip
    return build


def sanitized_python(context, build, kind, *arguments, **options):
    """Python tests of a sanitizer's build. Python itself is not built so: the sanitizer comes first, and the library
    whose exceptions it watches."""
    preload = [
        subprocess.run(["c++", f"-print-file-name={name}"], capture_output=True, text=True).stdout
        for name in (f"lib{kind}.so", "libstdc++.so.6")
    ]
    context.run(
        BIN / "python", "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", *arguments,
        PYTHONPATH=build / "python", LD_PRELOAD=" ".join(preload).replace("\n", ""), **options,
    )  # fmt: skip


def stage_address(context):
    # The runtime is never destroyed, so what it holds at the end is no leak; leaks are tested by counting.
    options = {"ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
    build = sanitized(context, "address", "*", python="ON", **options)
    files = [f"tests/python/test_{name}.py" for name in EXCHANGE]
    sanitized_python(context, build, "asan", *files, **options)


def stage_thread(context):
    options = {"TSAN_OPTIONS": "halt_on_error=1"}
    filters = "*Thread*:*Pool*:*Autograd*:*Engine*:*Fork*:*Worker*:*Stream*:*Kernel*:*Cuda*"
    build = sanitized(context, "thread", filters, python="ON", **options)
    files = [f"tests/python/test_{name}.py" for name in THREADED]
    sanitized_python(context, build, "tsan", *files, "-k", "thread", **options)


def find_nvcc(context):
    """The folder of nvcc 13: on PATH, in /usr/local/cuda*, or of the PyPI packages in .venv-cuda."""
    found = shutil.which("nvcc") or next(
        iter(sorted(glob.glob("/usr/local/cuda*/bin/nvcc"), reverse=True)), None
    )
    if found:
        text = subprocess.run([found, "--version"], capture_output=True, text=True).stdout
        if "release 13." in text:
            return Path(found).parent
        print(f"{found} is not of CUDA 13: the PyPI packages are used")
    environment = ROOT / ".venv-cuda"
    if not (environment / ".complete").exists():
        context.run("python3", "-m", "venv", environment)
        pinned = [
            f"{name}==13.0.*" for name in CUDA_PACKAGES
        ]  # all five: loose, some come as 13.5 and ptxas fails
        context.run(
            environment / "bin" / "python",
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            *pinned,
        )
        (environment / ".complete").touch()
    (nvcc,) = environment.glob("lib/python3*/site-packages/nvidia/cu13/bin/nvcc")
    if not (lib64 := nvcc.parents[1] / "lib64").exists():
        lib64.symlink_to("lib")  # where nvcc looks for the runtime's library
    return nvcc.parent


def stage_cuda(context):
    nvcc = find_nvcc(context)
    context.run("tools/gpu_kit.sh")
    command = [ROOT / "tests" / "gpu" / "run.sh", "--build-only"]
    offline = ["unshare", "-n"]
    if subprocess.run([*offline, "true"], capture_output=True).returncode == 0:
        command = [*offline, *command]
    else:
        print("unshare -n is not permitted here: the build keeps its network")
    context.run(*command, PATH=f"{nvcc}:{BIN}:{os.environ['PATH']}", JOBS=context.jobs)


STAGES = {
    name.removeprefix("stage_"): stage
    for name, stage in list(globals().items())
    if name.startswith("stage_")
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join(STAGES))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    if unknown := set(arguments.stages) - set(STAGES):
        parser.error(
            f"stages: expected some of {', '.join(STAGES)}, got {', '.join(sorted(unknown))}."
        )
    context = Context(arguments.jobs)
    results = []
    for name in arguments.stages or STAGES:
        print(f"\n==== {name}", flush=True)
        started = time.monotonic()
        try:
            STAGES[name](context)
            problem = ""
        except (Failed, OSError, ValueError) as error:
            problem = str(error)
        results.append((name, problem, time.monotonic() - started))
        print(f"==== {name}: {problem or 'passed'} ({results[-1][2]:.0f} s)", flush=True)
    print("\nSummary")
    for name, problem, seconds in results:
        print(f"{name:12}{'FAILED' if problem else 'passed':8}{seconds:7.0f} s  {problem}".rstrip())
    failed = sum(bool(problem) for _, problem, _ in results)
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "check-summary.json").write_text(
        json.dumps([len(results) - failed, failed, 0])
    )
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
