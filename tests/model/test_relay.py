"""The relay: every row of the table, and that the table has every case."""

import json
from itertools import product
from pathlib import Path

import pytest

from wattwheel.model.relay import LocalOrder, Orders, Output, RemoteOrder, output

ROWS = json.loads((Path(__file__).parents[1] / "vectors" / "domain.json").read_text())["relay_combination"]["rows"]
NEWER = {"local": (True,), "remote": (False,), "any": (True, False)}


def cases(row):
    for is_local_newer in NEWER[row["newer"]]:
        local, remote = LocalOrder(row["local"]), RemoteOrder(row["remote"])
        yield Orders(local, remote, is_local_newer, row["preservation"], row["external_switch"])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(str(value) for value in row.values()))
def test_the_table(row):
    for orders in cases(row):
        assert output(orders) is Output(row["output"])


def test_the_table_is_complete():
    told = {orders for row in ROWS for orders in cases(row)}
    every = {
        Orders(*values) for values in product(LocalOrder, RemoteOrder, (True, False), (True, False), (True, False))
    }
    untold = {orders for orders in every - told if not (orders.is_external_switch and not orders.is_preserved)}
    assert untold == set()
