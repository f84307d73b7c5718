"""docs/exchange.md says what the tests see."""

import pytest

pytest.importorskip("numpy")

import exchange_table

FOUND = exchange_table.sections()


@pytest.mark.parametrize("title", FOUND)
def test_the_page_says_what_happens(title):
    said = exchange_table.committed().get(title)
    assert said == FOUND[title], "run tests/python/exchange_table.py and look at what has changed"


def test_the_page_has_no_other_sections():
    known = {f"{a} to {b}, {d}" for d in ("CPU", "CUDA") for a, b in pairs()}
    assert set(exchange_table.committed()) <= known


def pairs():
    for partner in ("bolide", "NumPy", "PyTorch", "JAX"):
        yield "bolide", partner
        yield partner, "bolide"
