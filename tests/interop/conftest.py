"""What the tests against foreign implementations share."""

from __future__ import annotations

from pathlib import Path

import pytest
from interop import foreign


@pytest.fixture(scope="session")
def go() -> Path:
    """The folder with the foreign programs written in Go."""
    return foreign.go_programs()


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder with the foreign Python packages."""
    return foreign.python_packages()
