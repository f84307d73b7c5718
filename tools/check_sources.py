"""House rules that no formatter knows (clang-format and ruff do the rest): prints every place that breaks one, and fails if there is any.

Rules are rows of RULES: where, a pattern that must not occur, and why. Limits are by file.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CPP = {".h", ".hpp", ".cuh", ".cpp", ".cu", ".def"}
LINES = 600  # of a C++ file; beyond that, split it by concept

#   files (a pattern of their path), except (path), pattern, why
RULES = (
    (r"^kernels/cuda/.*\.cuh?$", None, r"<<<", "launch through bolide::launch: g++ cannot compile <<<>>>"),
    (r"^kernels/cuda/", "kernels/cuda/cuda.h", r"__shared__", "shared memory is BOLIDE_SHARED"),
    (r"^kernels/cuda/", "kernels/cuda/instructions.cuh", r"\basm\b", "inline PTX lies in instructions.cuh"),
    (r"^kernels/(num|math)\.h$", None, r"#include <(?!cmath|cstddef|cstdint|cstring|type_traits|bit|limits|numbers)", "formulas include little"),
    (r"^(runtime|kernels|bindings)/|\.(h|hpp|cuh)$", None, r"^using namespace", "name what is used"),
    (r"^runtime/|^kernels/cpu/", None, r"#include [<\"](cuda|Python\.h|pybind11)", "the core knows neither"),
    (r"^(runtime|kernels|bindings)/", None, r"\b(std::cout|std::cerr|printf\s*\(|abort\s*\(|exit\s*\()",
     "errors are raised, never printed; nothing aborts"),
    (r".", None, r"[ \t]+$", "space at the end of a line"),
    (r"\.(h|hpp|cuh|cpp|cu|def|py)$", None, r"\t", "a tab"),
)  # fmt: skip


def files():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    kinds = CPP | {".py", ".cmake", ".sh", ".md", ".toml"}
    return [path for path in listed if Path(path).suffix in kinds and (ROOT / path).is_file()]


def problems(path):
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    rules = [
        (re.compile(pattern), why)
        for where, skip, pattern, why in RULES
        if re.search(where, path) and path != skip
    ]
    cpp = Path(path).suffix in CPP
    for number, line in enumerate(lines, 1):
        code = line.split("//")[0] if cpp else line
        for pattern, why in rules:
            if pattern.search(line if why.startswith("space") else code):
                yield f"{path}:{number}: {why}"
    if cpp and len(lines) > LINES:
        yield f"{path}: {len(lines)} lines, more than {LINES}: split it by concept"
    if cpp and lines and not lines[0].startswith("// " + Path(path).name):
        yield f"{path}:1: expected a first line '// {Path(path).name} - what it is for', got '{lines[0][:60]}'"


def main():
    found = [problem for path in files() for problem in problems(path)]
    print(*found, f"sources: {len(files())} files, {len(found)} problems", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
