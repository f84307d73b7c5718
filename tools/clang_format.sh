#!/bin/bash
# clang_format.sh -i | --dry-run -Werror: clang-format over every C++ and CUDA file, .def tables left out.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files --cached --others --exclude-standard -- '*.h' '*.hpp' '*.cuh' '*.cpp' '*.cu' |
  while read -r file; do if [ -e "$file" ]; then echo "$file"; fi; done |
  xargs .venv/bin/clang-format "$@"
