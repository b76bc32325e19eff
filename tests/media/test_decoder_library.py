"""Which process loads the library that decodes sound and film (decision 0015)."""

from __future__ import annotations

import subprocess
import sys

_LOADED = """
import sys
import chopmark.media.match, chopmark.media.index.codes, chopmark.media.workshop
print(sorted(name for name in sys.modules if name == "av" or name.startswith("av.")))
"""


def test_searching_loads_no_library_for_sound_and_film():
    said = subprocess.run([sys.executable, "-c", _LOADED], check=True, capture_output=True, text=True, timeout=60)
    assert said.stdout.strip() == "[]"
