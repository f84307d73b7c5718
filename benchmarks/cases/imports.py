"""What an import costs, each time in a process of its own."""

from __future__ import annotations

from cases import Case

_PROGRAM = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def cases():
    """The rows of this file."""
    modules = {"bolide": "bolide", "torch": "torch", "mlx": "mlx.core", "numpy": "numpy"}
    programs = {name: _PROGRAM.format(module) for name, module in modules.items()}
    return [
        Case("import, against mlx.core", "import", 1, programs=programs, peer="mlx"),
        Case("import, against torch", "import", 8, programs=programs),
    ]
