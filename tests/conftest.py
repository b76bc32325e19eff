"""What every test stands on: a home of its own before Django's settings are read, and a quick password hasher.

`CHOPMARK_DATABASE_URL` decides the database, so the whole suite also runs on PostgreSQL; `--tables` leaves out what
cannot tell one database from another.
"""

from __future__ import annotations

import os
import runpy
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
USUAL_DEPTH = sys.getrecursionlimit()
os.environ["CHOPMARK_HOME"] = tempfile.mkdtemp(prefix="chopmark-test-")
for _name in [name for name in os.environ if name.startswith("CHOPMARK_")]:
    if _name not in {"CHOPMARK_HOME", "CHOPMARK_DATABASE_URL", "CHOPMARK_DATA"}:
        del os.environ[_name]

# Pages in Chinese need the compiled catalogue; it is made from the fragments when they are newer.
sys.dont_write_bytecode, _kept = True, sys.dont_write_bytecode
runpy.run_path(str(ROOT / "scripts" / "compile_locale.py"))["compile_all"]()
sys.dont_write_bytecode = _kept

# A busy machine is no fault of what is tested: nothing here is timed.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

NO_DATA = "reference data"  # how a test begins that was left out for want of ../shared/data
_TABLES = {"db", "transactional_db", "live_server"}  # fixtures of pytest-django that open the database


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--tables` and `--whole`."""
    parser.addoption("--tables", action="store_true", help="only tests that may touch the database")
    parser.addoption("--whole", action="store_true", help="fail where a program that a test needs is not installed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests without the database when asked to: pytest-django raises where one of them opens it.

    A test that opens the browser without its mark would run among the others, to which Playwright's loop is a stranger.
    """
    if stray := [item.nodeid for item in items if _opens_browser(item) and not item.get_closest_marker("browser")]:
        raise pytest.UsageError(f"without the mark `browser`: {', '.join(stray)}")
    if not config.getoption("--tables"):
        return
    chosen: list[pytest.Item] = []
    others: list[pytest.Item] = []
    for item in items:
        asked = _TABLES & set(getattr(item, "fixturenames", ()))
        (chosen if asked or item.get_closest_marker("django_db") else others).append(item)
    items[:] = chosen
    config.hook.pytest_deselected(items=others)


def _opens_browser(item: pytest.Item) -> bool:
    return "browser" in getattr(item, "fixturenames", ())


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With `--whole`, a missing program is a failure; missing reference data is not, which no package brings."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not session.config.getoption("--whole") or exitstatus != pytest.ExitCode.OK or reporter is None:
        return
    reasons = (each.longrepr[2].removeprefix("Skipped: ") for each in reporter.stats.get("skipped", ()))
    if any(not reason.startswith(NO_DATA) for reason in reasons):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session", autouse=True)
def _quick_site() -> None:
    """No slow password hash, no scan of static files by WhiteNoise, no cache table, mail in memory (pytest-django)."""
    from django.conf import settings  # noqa: PLC0415 (only after the home above is set)

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if "whitenoise" not in each]
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


@pytest.fixture(autouse=True)
def _usual_depth() -> Iterator[None]:
    """The tests' Ethereum chain (py-evm) lets Python recurse a hundred times deeper, which hostile JSON would overrun.

    Set before each test too: a fixture that lives longer than its test may have imported it.
    """
    sys.setrecursionlimit(USUAL_DEPTH)
    yield
    sys.setrecursionlimit(USUAL_DEPTH)


@pytest.fixture(autouse=True)
def _fresh_counters() -> None:
    """Rate limits are counted in the cache: each test starts at nought."""
    from django.core.cache import cache  # noqa: PLC0415 (only after the home above is set)

    cache.clear()
