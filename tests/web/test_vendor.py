"""Vendored files: unaltered, licensed, small, and calling nobody."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVED = ROOT / "src" / "chopmark" / "web" / "static" / "vendor"
FOR_TESTS = ROOT / "tests" / "vendor"
ENTRIES = [
    (folder, entry) for folder in (SERVED, FOR_TESTS) for entry in json.loads((folder / "manifest.json").read_text())
]
# What makes a browser fetch: url(), @import, and a script's own loading with a whole address in quotes.
FETCHES = re.compile(
    rb"""url\(\s*['"]?(?:https?:)?//|@import\s+['"](?:https?:)?//|sourceMappingURL=|"""
    rb"""(?:\bimport\s*\(|\bfrom\s|importScripts\(|new\s+Worker\(|\bfetch\()\s*['"](?:https?:)?//"""
)


@pytest.mark.parametrize(("folder", "entry"), ENTRIES, ids=[entry["file"] for _, entry in ENTRIES])
def test_a_vendored_file_is_what_the_manifest_says(folder, entry):
    data = (folder / entry["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == entry["sha256"]
    assert (folder / entry["licence_file"]).stat().st_size > 200
    wanted = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    assert wanted[entry["name"]] == entry["version"]
    assert entry["licence"] in {"MIT", "0BSD", "BSD-0-Clause", "Apache-2.0", "MPL-2.0"}


@pytest.mark.parametrize(("folder", "entry"), ENTRIES, ids=[entry["file"] for _, entry in ENTRIES])
def test_a_vendored_file_fetches_nothing_from_outside(folder, entry):
    assert FETCHES.findall((folder / entry["file"]).read_bytes()) == []


def test_no_file_is_without_its_line():
    listed = {entry["file"] for folder, entry in ENTRIES if folder == SERVED}
    listed |= {"manifest.json"}
    lying = {str(path.relative_to(SERVED)) for path in SERVED.rglob("*") if path.is_file()}
    # `./run` puts .gz copies beside the files; they are not committed.
    assert {name for name in lying if "LICENSE" not in name and not name.endswith(".gz")} == listed


def test_all_of_it_is_small():
    assert sum(path.stat().st_size for path in SERVED.rglob("*") if path.is_file()) < 4_000_000


def test_copyleft_is_for_tests_only():
    assert {entry["licence"] for folder, entry in ENTRIES if folder == SERVED} <= {
        "MIT",
        "0BSD",
        "BSD-0-Clause",
        "Apache-2.0",
    }


def test_the_lock_file_names_no_registry():
    lock = (ROOT / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert '"integrity"' in lock
