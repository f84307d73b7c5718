#!/bin/bash
# run.sh - everything that only a GPU can show, in one command, without a network, in less than nine minutes.
#
#   tests/gpu/run.sh                builds into build-gpu/, tests, compares with the emulator, measures
#   tests/gpu/run.sh --build-only   the build and what runs without a GPU: what CI does on every change
#   tests/gpu/run.sh --pack FILE    the same, then packs what a machine with a GPU needs to go on from there: unpack it
#   tests/gpu/run.sh --no-build     in an empty folder and run this, where time on the GPU is dear
#
# PYTHON names the Python to build for, GPU_TARGETS the GPUs (those of cmake/cuda.cmake; here, the one found).
# Needs CUDA 13's nvcc, a C++20 compiler, Python 3.11 with cmake and ninja, and the folder gpu-kit/ that
# `make gpu-kit` fills where there is a network; for the tests also pytest and NumPy, and cuBLASLt 13 (PyTorch brings
# it). Logs, figures and a report.txt with device, driver and commit go to $RESULTS (benchmarks/results/gpu).
# JOBS limits the compilers that run at once. The last line is "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/../.."
root=$PWD kit=$PWD/gpu-kit build=$PWD/build-gpu
results=${RESULTS:-$root/benchmarks/results/gpu} jobs=${JOBS:-$(nproc)} build_only='' no_build='' pack=''
case ${1:-}:${2:-} in
  --build-only:) build_only=1 results=${RESULTS:-$build/results} ;;
  --pack:?*) build_only=1 pack=$2 results=${RESULTS:-$build/results} ;;
  --no-build:) no_build=1 ;;
  :) ;;
  *) echo "usage: tests/gpu/run.sh [--build-only | --pack FILE | --no-build]" >&2; exit 2 ;;
esac
mkdir -p "$results"
passed=0 failed=0

# step NAME SECONDS COMMAND...: runs it with a time limit; its output goes to a log, the end of it here if it fails.
step() {
  local name=$1 limit=$2 log="$results/$1.log" started=$SECONDS
  shift 2
  if timeout -k 10 "$limit" "$@" >"$log" 2>&1 </dev/null; then
    passed=$((passed + 1))
    printf '%-22s passed %4d s  %s\n' "$name" $((SECONDS - started)) "$(tail -1 "$log" | cut -c1-90)"
    return 0
  fi
  failed=$((failed + 1))
  printf '%-22s FAILED %4d s  (%s)\n' "$name" $((SECONDS - started)) "$log"
  tail -40 "$log"
  return 1
}
finish() {
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
  exit
}

# ---- what is there
[ -e "$kit/.complete" ] || { echo "run.sh: expected gpu-kit/, found none: run 'make gpu-kit' where there is a network." >&2; exit 1; }
nvcc=$(command -v nvcc || ls /usr/local/cuda*/bin/nvcc 2>/dev/null | tail -1)
[ -n "$nvcc$no_build" ] || { echo "run.sh: expected nvcc of CUDA 13 on PATH or in /usr/local/cuda, found none." >&2; exit 1; }
python=$(command -v "${PYTHON:-python3}") || { echo "run.sh: expected PYTHON to be a Python, got $PYTHON." >&2; exit 1; }
# The wheels of the kit, unpacked: CMake files of pybind11, the library of scipy-openblas32, pytest.
site=$build/site
if [ ! -e "$site/.complete" ]; then
  mkdir -p "$site"
  for wheel in "$kit"/wheels/*.whl; do "$python" -m zipfile -e "$wheel" "$site"; done
  touch "$site/.complete"
fi
export PYTHONPATH=$build/python:$site PYTHONUNBUFFERED=1 PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
unset BOLIDE_CUDA_LIBRARY

# ---- the build: the library by nvcc, and the emulated one beside it to compare with
options=(-DCMAKE_CUDA_COMPILER="$nvcc" -DPython_EXECUTABLE="$python" -DCMAKE_PREFIX_PATH="$kit/usr"
  -Dpybind11_DIR="$site/pybind11/share/cmake/pybind11" -DBOLIDE_DLPACK_INCLUDE="$kit/include"
  -DFETCHCONTENT_FULLY_DISCONNECTED=ON -DBOLIDE_CUDA=ON -DBOLIDE_CUDA_EMULATION=ON -DBOLIDE_TESTS=ON)
if [ -n "${GPU_TARGETS:-}" ]; then options+=(-DBOLIDE_CUDA_TARGETS="$GPU_TARGETS")
elif [ -z "$build_only" ]; then
  case $(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -1) in
    8.0) options+=(-DBOLIDE_CUDA_TARGETS=80) ;;
    9.0) options+=(-DBOLIDE_CUDA_TARGETS=90a) ;;
  esac
fi
# CMake forgets all options when a cached compiler changes: begin anew.
grep -qs "^CMAKE_CUDA_COMPILER:[A-Z]*=$nvcc\$" "$build/CMakeCache.txt" || rm -rf "$build/CMakeCache.txt" "$build/CMakeFiles"
if [ -z "$no_build" ]; then
  step configure 120 cmake -S "$root" -B "$build" -G Ninja "${options[@]}" || finish
  programs=(bolide_cuda bolide_cuda_emulated bolide_cuda_tests bolide_emulation_tests bolide_gpu_conformance bolide_gpu_measure)
  step build "${BUILD_SECONDS:-1800}" ninja -C "$build" -j "$jobs" "${programs[@]}" || finish
  step build-python 900 ninja -C "$build" -j "$jobs" _C
fi

emulated=$build/libbolide_cuda_emulated.so
step emulator 60 "$build/bolide_emulation_tests" --gtest_brief=1
step emulated-cases 60 env BOLIDE_CUDA_LIBRARY="$emulated" "$build/bolide_gpu_conformance" write "$results/emulated.bin"
step emulated-measure 60 env BOLIDE_CUDA_LIBRARY="$emulated" "$build/bolide_gpu_measure" --dry-run
if [ -n "$build_only" ]; then
  # Without a GPU the real library must load, agree on the version, and say what is missing.
  if ! nvidia-smi >/dev/null 2>&1; then
    step library-loads 60 bash -c '"$0" --dry-run 2>&1 | tee /dev/stderr | grep -q -e driver -e "no CUDA device"' \
      "$build/bolide_gpu_measure"
  fi
  if [ -n "$pack" ]; then
    # What is committed, and what was built; -h: the package is links into this tree.
    built=(build-gpu/python build-gpu/site build-gpu/libbolide_cuda_emulated.so gpu-kit/.complete
      build-gpu/bolide_{cuda_tests,emulation_tests,gpu_conformance,gpu_measure})
    git -C "$root" rev-parse HEAD >"$build/commit.txt"
    step pack 300 bash -c 'cd "$0" && { git ls-files; printf "%s\n" "${@:2}"; } | tar -chJf "$1" --exclude=__pycache__ -T -' \
      "$root" "$(realpath "$pack")" "${built[@]}" build-gpu/commit.txt
  fi
  finish
fi

# ---- on the GPU
# cuBLASLt: the one of the Python packages, unless the machine's loader finds another.
if [ -z "${BOLIDE_CUBLASLT_LIBRARY:-}" ]; then
  found=$("$python" -c 'import importlib.util as u, os
for folder in u.find_spec("nvidia").submodule_search_locations:
    path = os.path.join(folder, "cu13", "lib", "libcublasLt.so.13")
    if os.path.exists(path): print(path)' 2>/dev/null | head -1)
  if [ -n "$found" ]; then export BOLIDE_CUBLASLT_LIBRARY=$found; fi
fi
{
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
  if [ -n "$nvcc" ]; then "$nvcc" --version | tail -2 | head -1; fi
  echo "commit $(git rev-parse HEAD 2>/dev/null || cat "$build/commit.txt" 2>/dev/null || echo unknown)"
  date -u +%Y-%m-%dT%H:%MZ
} | tee "$results/device.txt"

step cuda-tests 120 "$build/bolide_cuda_tests" --gtest_brief=1
step gpu-cases 60 "$build/bolide_gpu_conformance" write "$results/gpu.bin"
step conformance 30 "$build/bolide_gpu_conformance" compare "$results/emulated.bin" "$results/gpu.bin"
# The files side by side: one process waits for its GPU most of the time.
python_files() {
  printf '%s\n' "$root"/tests/python/test_*.py | BOLIDE_TEST_DEVICE=cuda xargs -P "$jobs" -I{} bash -c \
    '"$0" -m pytest -q -p no:cacheprovider "$1" >"$2/python-$(basename "$1" .py).log" 2>&1; [ $? = 0 ] || [ $? = 5 ]' \
    "$python" {} "$results"
  local status=$?
  grep -h "^FAILED\|^ERROR" "$results"/python-*.log
  [ "$status" = 0 ] && echo "$(ls "$results"/python-*.log | wc -l) files of tests"
}
export -f python_files; export python root results jobs
step python 200 bash -c python_files
step measure 60 "$build/bolide_gpu_measure" "$results/measure.json"
if "$python" -c 'import torch' 2>/dev/null; then
  step exchange 90 "$python" -m pytest -q -p no:cacheprovider "$root/tests/gpu/test_exchange.py"
  step compare 120 "$python" "$root/benchmarks/compare.py" --quick --device cuda --libraries bolide,torch \
    --output "$results/compare.md"
fi
if command -v compute-sanitizer >/dev/null; then
  small='CudaBackend.*:CudaReduce.Sums*:CudaIndex.Offsets*:CudaMatmul.*:CudaCrossEntropy.TheFirst*'
  step memcheck 60 compute-sanitizer --tool memcheck --error-exitcode 9 "$build/bolide_cuda_tests" "--gtest_filter=$small:-*Forked*:*TooMuch*"
  step racecheck 60 compute-sanitizer --tool racecheck --error-exitcode 9 "$build/bolide_cuda_tests" "--gtest_filter=CudaReduce.Sums*:CudaSoftmax.Inf*:CudaCopy.Layouts*"
fi
rm -f "$results"/*.bin
{
  cat "$results/device.txt"
  grep -h '' "$results/conformance.log" "$results/measure.log" 2>/dev/null
} >"$results/report.txt"
cat "$results/report.txt"
finish
