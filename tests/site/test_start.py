"""What the processes of the platform load when they start: every start pays for it, and so does each command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from world.data import REPOSITORY
from world.patience import HANG

HEAVY = (
    *("av", "cv2", "faiss", "iscc_lib", "lxml", "numpy", "onnxruntime", "opencc"),
    *("openpyxl", "pypdf", "pypinyin", "rapidfuzz", "signxml", "tantivy"),
    *("ahocorasick_rs", "daft", "disarm", "duckdb", "pyarrow", "ray", "scipy"),
)
STARTING = (
    *("chopmark.cli", "chopmark.web"),
    *("chopmark.site.command", "chopmark.site.jobs", "chopmark.site.sequencer", "chopmark.site.supervisor"),
    *("chopmark.site.demo_market", "chopmark.site.watching", "chopmark.watch.actions", "chopmark.watch.queries"),
    *("chopmark.rights.actions", "chopmark.rights.queries", "chopmark.rights.imports", "chopmark.rights.connectors"),
)
"""Modules that a process imports when it starts or begins a round, and packages with all that is in them."""
PROBE = """
import importlib, itertools, json, os, pkgutil, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "chopmark.site.settings"
import django
django.setup()
starting, heavy = json.loads(sys.argv[1]), json.loads(sys.argv[2])
loaded = {}
for first in starting:
    path = getattr(importlib.import_module(first), "__path__", ())
    within = (each.name for each in pkgutil.walk_packages(path, first + "."))
    for name in itertools.chain([first], within):
        importlib.import_module(name)
        for each in heavy:
            if each in sys.modules:
                loaded.setdefault(each, name)
print(json.dumps(loaded))
"""


def test_no_process_that_starts_loads_what_only_pictures_searches_or_offices_files_need(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(STARTING), json.dumps(HEAVY)],
        env={"CHOPMARK_HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
        check=False,
        capture_output=True,
        text=True,
        timeout=HANG,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {}, "import it in the function that needs it first"


SETTINGS_ALONE = """
import sys
import django
django.setup()
from django.conf import settings
from chopmark.site.checks import refuse_wrong_settings
from chopmark.site.config import prepare_home
prepare_home(settings.CONFIG)
refuse_wrong_settings()
print([name for name in sys.modules if name.startswith("chopmark.web.views")])
"""


def test_what_keeps_the_others_alive_loads_no_page(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SETTINGS_ALONE],
        env={"CHOPMARK_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "chopmark.site.settings", "LC_ALL": "C.UTF-8"},
        check=False,
        capture_output=True,
        text=True,
        timeout=HANG,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_no_function_of_run_hides_a_program_that_it_looks_for():
    script = (REPOSITORY / "run").read_text()
    functions = set(re.findall(r"^(\w+)\(\)", script, re.MULTILINE))
    programs = set(re.findall(r"\b(?:have|works) ([a-z][\w.-]*)", script))
    assert {"chromium", "go", "npm"} <= programs
    assert functions & programs == set()


@pytest.mark.parametrize("asked", ["--help", "-h", "help"])
def test_who_asks_what_run_does_starts_nothing(asked, tmp_path):
    told = subprocess.run(
        [REPOSITORY / "run", asked],
        env={**os.environ, "CHOPMARK_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=True,
        timeout=HANG,
    )
    assert (told.stdout.splitlines()[0].split()[0], told.stderr) == ("./run", "")
    assert {"setup", "test", "check", "bench"} <= set(told.stdout.split())
    assert not (tmp_path / "home").exists()
