"""docs/support.md is what the op rows say; that the rows are true is test_ops.py's."""

import pytest

pytest.importorskip("numpy")

import op_rows
import support_table


def test_the_page_says_what_the_rows_say():
    assert support_table.PAGE.read_text() == support_table.page(), (
        "run tests/python/support_table.py and look at what has changed"
    )


def test_every_missing_row_is_a_row():
    names = {row.name for row in op_rows.ALL}
    for rows in support_table.MISSING.values():
        assert rows and set(rows) <= names
