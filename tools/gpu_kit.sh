#!/bin/bash
# gpu_kit.sh: gathers into gpu-kit/ what tests/gpu/run.sh needs on a bare machine that has a GPU, nvcc and no network.
#
#   gpu-kit/wheels          scipy-openblas32, pybind11, pytest and what it needs: pip install --no-index --find-links
#   gpu-kit/include/dlpack  dlpack.h                          -DBOLIDE_DLPACK_INCLUDE=gpu-kit/include
#   gpu-kit/usr             GoogleTest and Google Benchmark   -DCMAKE_PREFIX_PATH=gpu-kit/usr
#
# The folder is ignored by git and stays under 40 MB. A complete kit is left as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
kit=gpu-kit
python=.venv/bin/python
wheels=(scipy-openblas32 pybind11 pytest)
debs=(libgtest-dev libbenchmark-dev libbenchmark1debian)
stamp="${wheels[*]} ${debs[*]}"
if [ -e $kit/.complete ] && [ "$(cat $kit/.complete)" = "$stamp" ]; then
  echo "gpu-kit: complete ($(du -sm $kit | cut -f1) MB)"
  exit 0
fi
rm -rf $kit
mkdir -p $kit/wheels $kit/include/dlpack
$python -m pip download -q --disable-pip-version-check --only-binary :all: -d $kit/wheels "${wheels[@]}"
cp "$($python -c 'import importlib.util as u; print(u.find_spec("tvm_ffi").submodule_search_locations[0])')/include/dlpack/dlpack.h" \
  $kit/include/dlpack/
for deb in "${debs[@]}"; do  # the packages' files, as CMake finds them: headers, libraries, package configurations
  dpkg -L "$deb" | grep -E '^/usr/(include|lib)/' | while read -r file; do
    [ -d "$file" ] || install -D -m 644 "$(realpath "$file")" "$kit$file"
  done
done
size=$(du -sm $kit | cut -f1)
[ "$size" -lt 40 ] || { echo "gpu-kit: expected less than 40 MB, got $size MB." >&2; exit 1; }
echo "$stamp" >$kit/.complete
echo "gpu-kit: $size MB in $kit/"
