"""Builds the C++ part with CMake and puts its libraries into the package; the rest is in pyproject.toml.

Environment: BOLIDE_CUDA=1 builds libbolide_cuda.so too (needs nvcc of CUDA 13); CMAKE_BUILD_PARALLEL_LEVEL says
how many compilers run at once.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class CMakeBuild(build_ext):
    def run(self):
        build = Path(self.build_temp).resolve()
        package = Path(self.get_ext_fullpath("bolide._C")).resolve().parent
        options = [
            f"-DPython_EXECUTABLE={sys.executable}",
            f"-DBOLIDE_CUDA={'ON' if os.environ.get('BOLIDE_CUDA') == '1' else 'OFF'}",
        ]
        if shutil.which("ninja"):
            options += ["-G", "Ninja"]
        os.environ.setdefault("CMAKE_BUILD_PARALLEL_LEVEL", str(os.cpu_count() or 1))
        for command in (
            ["cmake", "-S", str(Path(__file__).resolve().parent), "-B", str(build), *options],
            ["cmake", "--build", str(build)],
            [
                "cmake",
                "--install",
                str(build),
                "--component",
                "python",
                "--strip",
                "--prefix",
                str(package.parent),
            ],
        ):
            subprocess.run(command, check=True)


setup(ext_modules=[Extension("bolide._C", sources=[])], cmdclass={"build_ext": CMakeBuild})
