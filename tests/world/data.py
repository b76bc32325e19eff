"""Reference data that lies beside the repository, not in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
VECTORS = REPOSITORY / "tests" / "vectors"


def shared_data(name: str) -> Path:
    """The folder `name` of the shared reference data; skips the test, saying so, where it is not there."""
    root = Path(os.environ.get("CHOPMARK_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (root / name).is_dir():
        pytest.skip(f"reference data {name} is not on this machine (set CHOPMARK_DATA to the folder that holds it)")
    return root / name
