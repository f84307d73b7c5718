#!/bin/bash
# build.sh FOLDER JOBS GOAL [CMAKE OPTIONS]: configures where that is needed, then builds.
#
# GOAL is a CMake target, or `tests` or `benchmarks`: all that the tests or the benchmarks run. Options stay in
# the build folder, so that a later call may leave them out. Prints nothing but problems when all is up to date.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1 jobs=$2 goal=$3
shift 3
export PATH=$PWD/.venv/bin:$PATH

stamp="$folder/.configured-$goal"
if [ ! -e "$folder/build.ninja" ] || [ ! -e "$stamp" ] || [ "$(cat "$stamp")" != "$*" ]; then
  mkdir -p "$folder"
  cmake -S . -B "$folder" -G Ninja -DPython_EXECUTABLE="$PWD/.venv/bin/python" \
    -DBOLIDE_PYTHON=ON "$@" >"$folder/configure.log" 2>&1 ||
    { cat "$folder/configure.log"; exit 1; }
  echo "$*" >"$stamp"
fi
# CMake finds new files when ninja runs; targets of a kind come and go with their sources.
ninja -C "$folder" build.ninja >/dev/null
known=$(ninja -C "$folder" -t targets all)
have() { grep -q "^$1: " <<<"$known"; }
case $goal in
  tests) wanted=(_C bolide_cuda_emulated bolide_tests bolide_cuda_tests bolide_emulation_tests) ;;
  benchmarks) wanted=(_C bolide_benchmarks) ;;
  *) wanted=("$goal") ;;
esac
targets=()
for target in "${wanted[@]}"; do if have "$target"; then targets+=("$target"); fi; done
[ ${#targets[@]} -gt 0 ] || { echo "build.sh: no target of '$goal' in $folder." >&2; exit 1; }
if [[ $(ninja -C "$folder" -n "${targets[@]}") != *"no work to do"* ]]; then
  echo "building ${targets[*]} in $folder ($jobs at a time)"
  ninja -C "$folder" -j "$jobs" "${targets[@]}"
fi
