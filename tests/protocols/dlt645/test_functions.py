"""Control codes and error bits against the printed tables."""

from __future__ import annotations

import pytest

from wattwheel.protocols.dlt645.functions import (
    ERROR_BITS,
    FUNCTIONS_1997,
    FUNCTIONS_2007,
    error_reasons,
    security_error_reasons,
)

PRINTED_2007 = """
    03 83 -- C3
    08 -- -- --
    11 91 B1 D1
    12 92 B2 D2
    13 93 -- --
    14 94 -- D4
    15 95 -- --
    16 96 -- D6
    17 97 -- D7
    18 98 -- D8
    19 99 -- D9
    1A 9A -- DA
    1B 9B -- DB
    1C 9C -- DC
    1D 9D -- DD
"""
PRINTED_1997 = """
    01 81 A1 C1
    02 82 A2 C2
    03 83 A3 C3
    04 84 -- C4
    08 -- -- --
    0A 8A -- --
    0C 8C -- --
    0F 8F -- --
    10 90 -- --
"""


@pytest.mark.parametrize(("functions", "printed"), [(FUNCTIONS_2007, PRINTED_2007), (FUNCTIONS_1997, PRINTED_1997)])
def test_control_codes(functions, printed):
    rows = [(row.code, row.normal, row.follow, row.abnormal) for row in functions.values()]
    assert rows == [
        tuple(None if code == "--" else int(code, 16) for code in line.split()) for line in printed.strip().splitlines()
    ]
    assert [row.code for row in functions.values()] == list(functions)
    assert len({row.name for row in functions.values()}) == len(functions)


def test_reasons():
    assert error_reasons(0x02) == ["no requested data"]
    assert error_reasons(0x06) == ["no requested data", "wrong password or not authorised"]
    assert error_reasons(0x02, "1997") == ["identifier error"]
    assert error_reasons(0x00) == ["abnormal reply without an error bit"]
    assert error_reasons(0xFF) == list(ERROR_BITS["2007"])
    assert security_error_reasons(0x0014) == ["secure-element check failed", "customer number mismatch"]
    assert security_error_reasons(0x8000) == ["reserved bits of the security error word 8000"]
    assert security_error_reasons(0) == ["abnormal reply without an error bit"]
