import subprocess
import sys

from world.patience import HANG

FORBIDDEN = (
    "django",
    "sqlite3",
    "socket",
    "ssl",
    "_socket",
    "_ssl",
    "httpx",
    "urllib.request",
    "http.client",
    "psycopg",
)


def test_a_fresh_interpreter_that_imports_the_verifier_has_no_way_out():
    program = (
        "import sys\n"
        "import chopmark.evidence.verify, chopmark.evidence.deposit, chopmark.evidence.receipt\n"
        f"print(*[name for name in {FORBIDDEN!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, timeout=HANG
    )
    assert done.stdout.split() == []
