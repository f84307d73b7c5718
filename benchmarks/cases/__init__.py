"""What is compared: a Case is a statement that every library runs, in PyTorch's names.

A new case is a line in one of the files here (or a new file, added to all_cases). `names(library)`
makes the variables of the statement, from the same NumPy arrays in every library; bolide and torch
run `statement` with the same text. NumPy, JAX and MLX run what `others` gives for them, or nothing.
Where the statement has no result to compare, `names` puts a function `check` among the variables
that gives one: a list of arrays that shows that all libraries do the same work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """One row of the table.

    at_least: the ratio (time of the peer / time of the subject) that the project wants.
    bytes, flops: bytes moved and floating-point operations that the work cannot do without: they
        give the hardware's limit of the case.
    extra: runs only where --filter asks for it.
    programs: instead of a statement, for each library a whole Python program, run in a process of
        its own; it prints the seconds that count.
    """

    name: str
    group: str
    at_least: float
    names: Callable[[Any], dict[str, Any]] = field(default=lambda library: {})
    statement: str = ""
    others: dict[str, str] = field(default_factory=dict)
    programs: dict[str, str] = field(default_factory=dict)
    bytes: float = 0
    flops: float = 0
    extra: bool = False
    peer: str = "torch"

    def statement_for(self, library: str) -> str | None:
        """What `library` runs; None where it has no such case."""
        if library in self.others:
            return self.others[library]
        return None if library in ("numpy", "jax", "mlx") else self.statement


def all_cases() -> list[Case]:
    """Every case, in the order in which they run."""
    from cases import exchange, fourier, imports, large, matmul, ops, small, training

    modules = (small, large, matmul, fourier, training, exchange, imports, ops)
    return [case for module in modules for case in module.cases()]
