"""What every partition shares is there before the first fork, and no collection of garbage touches it."""

from __future__ import annotations

import json
import subprocess
import sys

from wattwheel.boot.preloaded import PRELOADED

CODE = """
import gc, json, sys, threading
from wattwheel.boot.preloaded import preload
from wattwheel.model.catalogue import item_2007
after_fork = threading._after_fork.__code__
preload()
before = len(gc.get_objects())
print(json.dumps({
    "modules": [name for name in sys.modules if name.startswith("wattwheel.")],
    "frozen": gc.get_freeze_count(), "followed": before, "forgets": threading._after_fork.__code__ is not after_fork,
}))
"""


def test_it_is_loaded_and_left_alone():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, check=True)
    found = json.loads(done.stdout)
    assert set(PRELOADED) <= set(found["modules"])
    assert found["frozen"] > 10 * found["followed"]
    assert found["forgets"]
