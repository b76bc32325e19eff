"""Writes openapi.json, the description of the API, from the code. `--check` only compares."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

FILE = Path(__file__).resolve().parent.parent / "openapi.json"


def description() -> str:
    """The file's text; Django must be set up."""
    from chopmark.web.api import api  # noqa: PLC0415 (only once Django is set up)

    schema = json.loads(json.dumps(api.get_openapi_schema()))
    return json.dumps(schema, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main() -> int:
    """Write or compare; 1 when the file is not what the code says."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "chopmark.site.settings"
    with tempfile.TemporaryDirectory(prefix="chopmark-openapi-") as home:
        os.environ["CHOPMARK_HOME"] = home
        import django  # noqa: PLC0415 (the settings read the home)

        django.setup()
        text = description()
    if "--check" in sys.argv:
        same = FILE.is_file() and FILE.read_text("utf-8") == text
        print("openapi.json is up to date." if same else "openapi.json is old: run scripts/openapi.py")
        return 0 if same else 1
    FILE.write_text(text, "utf-8")
    print(f"{FILE.name}: {text.count(chr(10))} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
