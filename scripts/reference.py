"""Writes docs/reference from the program itself; `--check` says what is out of date and ends with 1.

cli.md       every command and its help, in English and Chinese
settings.md  every setting
errors.md    every error code with its sentences
routes.md    every address of the site
"""

from __future__ import annotations

# ruff: noqa: PLC0415 (the settings must be chosen before the framework is imported)
import ast
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import fields
from io import StringIO
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "chopmark"
TARGET = ROOT / "docs" / "reference"
MADE = "<!-- Made by scripts/reference.py; do not edit. -->\n\n"
WIDTH = 100
API = "api/v1/"
LABELS = ("cli.option.", "cli.group.", "cli.column.", "cli.state.", "member.page.")


def commands() -> list[tuple[str, ...]]:
    """Every command that can be asked for help, the program itself first."""
    from chopmark.cli.app import add, build
    from chopmark.site.command import COMMANDS

    app = build()
    add(app, COMMANDS)
    found: list[tuple[str, ...]] = [()]
    for name in (each for each in app if not each.startswith("-")):
        found.append((name,))
        found += [(name, verb) for verb in app[name] if not verb.startswith("-")]
    return found


def help_texts() -> dict[str, str]:
    """What `chopmark … --help` prints for each command, in the language of this process."""
    from rich.console import Console

    from chopmark.cli import words
    from chopmark.cli.app import add, build
    from chopmark.site.command import COMMANDS

    words.speak(words.choose((), os.environ))
    app = build()
    add(app, COMMANDS)
    texts = {}
    for command in commands():
        page = StringIO()
        app.help_print(list(command), console=Console(file=page, width=WIDTH, color_system=None))
        texts[" ".join(("chopmark", *command))] = "\n".join(
            line.rstrip() for line in page.getvalue().strip().splitlines()
        )
    return texts


def help_in(language: str) -> dict[str, str]:
    """The same in another process, because help texts are fixed when a command is imported."""
    made = subprocess.run(
        [sys.executable, __file__, "--help-texts"],
        env={**os.environ, "CHOPMARK_LANG": language},
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(made.stdout)


def cli_page() -> str:
    """docs/reference/cli.md."""
    page = StringIO()
    page.write(MADE + "# Command line · 命令行\n\n")
    page.write(
        textwrap.dedent("""\
        Data goes to standard output, talk and progress to standard error.
        With `--json`, data and errors are JSON; an error is `{"code", "facts", "message"}` on standard error.

        | status | meaning |
        |---|---|
        | 0 | done; `verify`: PASSED |
        | 1 | refused or failed; `verify`: FAILED |
        | 2 | wrong use: the command line or this machine must be changed first |
        | 3 | cannot be told now, try again; `verify`: INDETERMINATE |
        | 130 | interrupted |

        """)
    )
    chinese = help_in("zh")
    for name, english in help_in("en").items():
        page.write(f"## {name}\n\n```text\n{english}\n```\n\n```text\n{chinese[name]}\n```\n\n")
    return page.getvalue().rstrip() + "\n"


def settings_page() -> str:
    """docs/reference/settings.md."""
    from chopmark.site.config import CONFIG_FILE, Config

    page = StringIO()
    page.write(MADE + "# Settings · 设置\n\n")
    page.write(
        f"Settings stand in `$CHOPMARK_HOME/{CONFIG_FILE}` under the name in the first column, or in the environment "
        "under the variable, which wins.\nA wrong one stops the start with the check's number and a hint.\n\n"
        "| name | variable | form | meaning | check |\n|---|---|---|---|---|\n"
    )
    for each in fields(Config):
        about = each.metadata
        name = {"mail": "email_url", "home": "–"}.get(each.name, each.name)
        cells = [f"`{name}`", f"`{about['variable']}`", about["form"], about["help"], about["number"]]
        page.write("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    page.write(
        textwrap.dedent("""
        ## The command line's own

        | variable | meaning |
        |---|---|
        | `CHOPMARK_SERVER` | server to use instead of this machine's home |
        | `CHOPMARK_API_KEY` | key for that server; it wins over `client.toml` |
        | `CHOPMARK_POLICY` | trust policy of `chopmark verify` and `chopmark log` |
        | `CHOPMARK_TRUST` | whom `chopmark verify` trusts with bundles, a trust.json |
        | `CHOPMARK_LANG` | `zh` or `en`; else the locale decides |
        | `CHOPMARK_MEMBER_HOME` | home of the node that `chopmark member` works on |
        | `CHOPMARK_DESK_HOME` | home of the desk that `chopmark desk` works on |
        | `CHOPMARK_MEMBER_PASSPHRASE_FILE` | file with the passphrase of a node's keys, mode 0600 |
        | `CHOPMARK_MEMBER_PIN_FILE` | file with the PIN of the token that holds a node's keys, mode 0600 |

        `$CHOPMARK_HOME/client.toml` (mode 0600) may hold `server = "…"` and `api_key = "…"`.
        """)
    )
    return page.getvalue()


def raised_codes() -> set[str]:
    """Every dotted literal in the source that names an error or a finding."""
    found: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        found |= set(_literals(ast.parse(path.read_text("utf-8"))))
    return found


def _literals(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def errors_page() -> str:
    """docs/reference/errors.md: every worded code but help and labels of commands."""
    from chopmark.base.wording import catalogue

    page = StringIO()
    page.write(MADE + "# Codes · 代码\n\n")
    page.write("Errors and findings carry a code and facts; these are the sentences. `{…}` stands for a fact.\n\n")
    room = ""
    for code, wording in sorted(catalogue().items()):
        if code.endswith(".help") or code.startswith(LABELS):
            continue
        if code.partition(".")[0] != room:
            room = code.partition(".")[0]
            page.write(f"\n## {room}\n\n| code | en | zh |\n|---|---|---|\n")
        cells = [" ".join(wording[language].split()).replace("|", "\\|") for language in ("en", "zh")]
        page.write(f"| `{code}` | {cells[0]} | {cells[1]} |\n")
    return page.getvalue()


def routes() -> list[tuple[str, str]]:
    """Every address with the first sentence of what answers there."""
    from django.urls import URLPattern, URLResolver, get_resolver

    found: list[tuple[str, str]] = []

    def walk(patterns: list[URLPattern | URLResolver], before: str) -> None:
        for each in patterns:
            place = before + str(each.pattern).removeprefix("^").removesuffix("$").removesuffix("\\Z")
            if isinstance(each, URLResolver):
                walk(each.url_patterns, place)
                continue
            if before == API:
                continue  # described by its own document, below
            view = getattr(each.callback, "view_class", each.callback)
            about = (view.__doc__ or "").strip().splitlines()
            found.append(("/" + place, about[0] if about and "allauth" not in view.__module__ else ""))

    walk(get_resolver().url_patterns, "")
    return list(dict.fromkeys(found))


def operations() -> list[tuple[str, str]]:
    """Method and address of every operation of the API, with its summary."""
    from chopmark.web.api import api

    described = api.get_openapi_schema(path_prefix=f"/{API}")["paths"]
    return [
        (f"{method.upper()} {place}", operation["summary"])
        for place, methods in described.items()
        for method, operation in methods.items()
    ]


def routes_page() -> str:
    """docs/reference/routes.md; what allauth brings is named without a sentence."""
    page = StringIO()
    page.write(MADE + "# Addresses · 地址\n\n")
    page.write("The API's own description is `/api/v1/openapi.json`, readable at `/api/v1/docs`.\n\n")
    page.write("| address | what answers |\n|---|---|\n")
    for place, about in [*routes(), *operations()]:
        page.write(f"| `{place}` | {about} |\n".replace("|  |", "| |"))
    return page.getvalue()


def pages() -> dict[str, str]:
    """All pages by file name."""
    return {
        "cli.md": cli_page(),
        "settings.md": settings_page(),
        "errors.md": errors_page(),
        "routes.md": routes_page(),
    }


def main(arguments: list[str]) -> int:
    """Write or compare."""
    if "--help-texts" in arguments:
        print(json.dumps(help_texts()))
        return 0
    with tempfile.TemporaryDirectory() as home:
        os.environ["CHOPMARK_HOME"] = home
        os.environ["DJANGO_SETTINGS_MODULE"] = "chopmark.site.settings"
        import django

        django.setup()
        made = pages()
    if "--check" not in arguments:
        TARGET.mkdir(parents=True, exist_ok=True)
        for name, content in made.items():
            (TARGET / name).write_text(content, "utf-8")
        return 0
    old = [name for name, content in made.items() if _kept(name) != content]
    for name in old:
        print(f"docs/reference/{name} is out of date; run: ./run docs", file=sys.stderr)
    return 1 if old else 0


def _kept(name: str) -> str:
    path = TARGET / name
    return path.read_text("utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
