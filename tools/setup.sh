#!/bin/bash
# setup.sh - makes the machine ready: Debian packages that are missing, and a virtual environment in .venv.
#
#   tools/setup.sh build | demo | test | check      each level includes the one before
#
# Nothing is installed twice: a package is asked for only where what it gives is missing, and the virtual
# environment keeps a stamp of what it was told to hold. Without root or passwordless sudo it prints the one
# line that a person has to run, and stops.
set -euo pipefail
cd "$(dirname "$0")/.."
level=${1:?usage: setup.sh build|demo|test|check}
case $level in build) rank=0 ;; demo) rank=1 ;; test) rank=2 ;; check) rank=3 ;;
  *) echo "setup.sh: expected build, demo, test or check, got '$level'." >&2; exit 2 ;; esac
venv=.venv

# ---- Debian packages
packages=()
need() {  # need PACKAGE COMMAND...: the package, unless the command succeeds
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || packages+=("$package")
}
need g++ sh -c 'command -v g++'
need python3 sh -c 'command -v python3'
need python3-venv python3 -c 'import ensurepip'
need python3-dev python3 -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")'
if [ $rank -ge 1 ] && command -v apt-get >/dev/null; then
  need dataset-fashion-mnist test -e /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz
fi
if [ $rank -ge 2 ] && command -v apt-get >/dev/null; then  # elsewhere CMake fetches them
  need libgtest-dev test -e /usr/include/gtest/gtest.h
  need libbenchmark-dev test -e /usr/include/benchmark/benchmark.h
fi
if [ $rank -ge 3 ]; then need ccache sh -c 'command -v ccache'; fi

if [ ${#packages[@]} -gt 0 ]; then
  install="apt-get install -y --no-install-recommends ${packages[*]}"
  if ! command -v apt-get >/dev/null; then
    echo "setup.sh: this is not a Debian machine; install what Debian calls: ${packages[*]}" >&2
    exit 1
  elif [ "$(id -u)" = 0 ]; then
    sudo=""
  elif sudo -n true 2>/dev/null; then
    sudo="sudo -n"
  else
    echo "bolide needs a few Debian packages. Run this line, then the same make command again:" >&2
    echo "    sudo apt-get update && sudo $install" >&2
    exit 1
  fi
  echo "installing Debian packages: ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  $sudo apt-get update -qq
  $sudo $install -qq >/dev/null
fi

# ---- the virtual environment
python3 - <<'CHECK'
import sys
if sys.version_info < (3, 11):
    sys.exit("setup.sh: expected Python 3.11 or later, got " + sys.version.split()[0] + ".")
CHECK
[ -x $venv/bin/python ] || python3 -m venv $venv
requirements=$($venv/bin/python - $rank <<'LIST'
import sys
import tomllib
rank = int(sys.argv[1])
project = tomllib.load(open("pyproject.toml", "rb"))
extras = project["project"]["optional-dependencies"]
names = project["build-system"]["requires"] + project["project"]["dependencies"]
for extra in ["demo", "test", "check"][:rank]:
    names += extras[extra]
if rank >= 2:
    names.append("nvidia-cuda-runtime==13.0.*")  # headers: the emulated CUDA device is compiled with them
print("\n".join(dict.fromkeys(names)))
LIST
)
stamp=$venv/.bolide-$level
if [ ! -e $stamp ] || [ "$(cat $stamp)" != "$requirements" ]; then
  echo "installing Python packages into $venv (level: $level)"
  $venv/bin/python -m pip install -q --disable-pip-version-check $requirements
  echo "$requirements" >$stamp
fi
