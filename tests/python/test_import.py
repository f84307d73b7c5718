"""What `import bolide` may cost: its own libraries, no NumPy, no thread, no OpenBLAS."""

import os
import subprocess
import sys

import pytest


def run(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_imports_no_numpy_and_no_heavy_module():
    heavy = "numpy dataclasses inspect asyncio multiprocessing ctypes typing tqdm matplotlib torch".split()
    code = (
        "import sys; before = set(sys.modules); import bolide; "
        f"print(*[name for name in {heavy!r} if name in sys.modules and name not in before])"
    )
    assert run(code) == []


def test_starts_no_thread():
    assert run("import bolide, os; print(len(os.listdir('/proc/self/task')))") == ["1"]


def test_opens_only_its_own_libraries():
    code = """
import os
def libraries():
    with open('/proc/self/maps') as maps:
        return {line.split()[-1] for line in maps if '.so' in line}
before = libraries()
import bolide
print(*sorted({os.path.basename(path).split('.')[0] for path in libraries() - before}))
"""
    allowed = {
        "libbolide",
        "_C",
        "libstdc++",
        "libm",
        "libgcc_s",
        "libgcov",
        "libc",
        "libpthread",
        "libdl",
    }
    assert set(run(code)) - allowed <= {"libasan", "libubsan", "libtsan"}


def test_first_operation_needs_no_openblas():
    code = """
import bolide
bolide.ones(8, 8) @ bolide.ones(8, 8)
print(any('openblas' in line for line in open('/proc/self/maps')))
"""
    assert run(code) == ["False"]


def test_products_of_complex_matrices_find_openblas():
    pytest.importorskip("scipy_openblas32")
    code = """
import bolide
z = bolide.ones(64, 64, dtype=bolide.complex64)
print((z @ z)[0, 0].item() == 64, any('openblas' in line for line in open('/proc/self/maps')))
"""
    assert run(code) == ["True", "True"]


def test_an_unknown_isa_is_an_error_that_names_the_known_ones():
    done = subprocess.run(
        [sys.executable, "-c", "import bolide; bolide.ones(2) + 1"],
        capture_output=True,
        text=True,
        env={**os.environ, "BOLIDE_CPU_ISA": "avx9000"},
    )
    assert done.returncode == 1
    assert (
        "BOLIDE_CPU_ISA" in done.stderr
        and ("baseline" in done.stderr or "generic" in done.stderr)
        and "avx9000" in done.stderr
    )


def test_cuda_that_is_not_there_says_so():
    code = """
import bolide
try:
    bolide.ones(2, device='cuda')
except RuntimeError as error:
    print('cuda' in str(error) and 'could not be loaded' in str(error), bolide.cuda.is_available())
"""
    assert run(code, BOLIDE_CUDA_LIBRARY="/nowhere/libbolide_cuda.so") == ["True", "False"]


@pytest.mark.parametrize("value", ["0", "-3", "many"])
def test_a_wrong_thread_count_is_an_error(value):
    done = subprocess.run(
        [sys.executable, "-c", "import bolide; bolide.get_num_threads()"],
        capture_output=True,
        text=True,
        env={**os.environ, "BOLIDE_NUM_THREADS": value},
    )
    assert done.returncode == 1 and "BOLIDE_NUM_THREADS" in done.stderr and value in done.stderr
