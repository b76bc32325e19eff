"""The tree of commands, and the one place where errors become sentences and exit statuses."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cyclopts import App, Group
from cyclopts.exceptions import CycloptsError

import chopmark
from chopmark.base.errors import Fact, PlatformError, Unavailable
from chopmark.cli import words
from chopmark.cli.status import DONE, FAILED, UNCERTAIN, USAGE
from chopmark.cli.words import text

SITE_PACKAGES = frozenset(
    {
        *("allauth", "csp", "django", "granian", "httpx", "ninja", "orjson", "structlog", "whitenoise"),
        *("falcon", "jinja2", "pkcs11", "prometheus_client", "waitress"),
        *("cdxj_indexer", "dns", "playwright", "warcio", "zstandard"),
    }
)
INTERRUPTED = 130
MODULES = {
    ("right", "import"): "right_import",
    ("right", "search"): "right_search",
    ("right", "watch"): "right_search",
    ("office", "fetch"): "office_fetch",
}
"""Verbs whose command stands in a module of its own."""


def build() -> App:
    """The commands every installation has; each is imported when it is used."""
    app = _group("chopmark", "cli.help")
    app.version = chopmark.__version__
    for name in ("deposit", "receipt", "certificate", "verify"):
        app.command(f"chopmark.cli.{name}:{name}", name=name, help=text(f"cli.{name}.help"))
    app.command("chopmark.cli.capture:capture", name="capture", help=text("cli.capture.help"))
    for noun, verbs in {
        "log": ("checkpoint", "entry", "proof", "audit", "policy"),
        "keys": ("new", "list", "show"),
        "bundle": ("verify", "list", "extract", "bagit"),
        "seal": ("init", "show", "renew"),
        "consortium": ("add", "update", "retire", "policy", "show", "history", "authority"),
        "ledger": ("restore", "rotate"),
        "desk": ("init", "serve", "card", "platform", "clerk"),
        "matter": ("open", "list", "show", "add", "capture", "bundle", "grant", "custody"),
        "right": (
            *("add", "list", "show", "history", "verify", "license", "may", "decide"),
            *("import", "search", "watch"),
        ),
        "office": ("import", "fetch", "list", "waiting", "vouch", "code"),
        "mandate": ("give", "accept", "revoke", "list"),
        "work": ("add", "list", "show"),
        "watch": (
            *("scan", "feed", "reverse", "rules", "backtest", "hits", "decisions", "prove"),
            *("measures", "sellers", "marks", "card"),
        ),
        "media": ("fingerprint", "match", "index", "ignore", "unignore", "ignored"),
        "member": ("init", "serve", "status", "audit", "card", "keys", "add-log", "rotate"),
    }.items():
        group = _group(noun, f"cli.{noun}.help")
        for verb in verbs:
            module = MODULES.get((noun, verb), noun)
            path = f"chopmark.cli.{module}:{verb.replace('-', '_')}_command"
            group.command(path, name=verb, help=text(f"cli.{noun}.{verb}.help"))
        app.command(group)
    return app


def _group(name: str, help_code: str) -> App:
    return App(
        name=name,
        help=text(help_code),
        version_flags=["--version"] if name == "chopmark" else [],
        group_commands=Group(text("cli.group.commands")),
        group_parameters=Group(text("cli.group.options")),
        group_arguments=Group(text("cli.group.arguments")),
    )


def run(app: App, arguments: Sequence[str]) -> int:
    """Carry out one command line; its exit status (see the package). Bugs crash with a traceback."""
    in_json = "--json" in arguments
    try:
        result = app(list(arguments), exit_on_error=False, print_error=False, result_action="return_value")
    except (CycloptsError, PlatformError, ImportError) as error:
        code, facts, status = _meaning(error)
        _complain(code, facts, in_json=in_json)
        return status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of standard output went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return result if isinstance(result, int) else DONE


def _meaning(error: CycloptsError | PlatformError | ImportError) -> tuple[str, dict[str, Fact], int]:
    """Code, facts and exit status of an error; a module missing that no extra brings is a bug and is raised again."""
    if isinstance(error.__cause__, ModuleNotFoundError):  # how a command is reported whose import fails
        error = error.__cause__
    match error:
        case CycloptsError():
            return "cli.usage", {"detail": str(error)}, USAGE
        case Unavailable():
            return error.code, error.facts, UNCERTAIN
        case PlatformError():
            return error.code, error.facts, USAGE if error.code in WRONG_USE else FAILED
        case ModuleNotFoundError() if (error.name or "").partition(".")[0] in SITE_PACKAGES:
            return "cli.extra_missing", {"module": error.name}, USAGE
        case _:
            raise error


# What the caller must change in the command line or on this machine, before anything was judged.
WRONG_USE = frozenset(
    {
        "bundle.trust_malformed",
        "cli.api_key_missing",
        "cli.bundle_options",
        "cli.client_malformed",
        "cli.client_open",
        "cli.file_unreadable",
        "cli.file_too_long",
        "cli.file_unwritable",
        "cli.home_missing",
        "cli.key_missing",
        "cli.option_pair",
        "cli.organisation_unclear",
        "cli.organisation_unknown",
        "cli.policy_not_of_that_time",
        "capture.browser_missing",
        "capture.folder_taken",
        "capture.operator_without_commands",
        "capture.request_malformed",
        "capture.resolver_malformed",
        "capture.seal_key_malformed",
        "capture.url_malformed",
        "cli.receipt_missing",
        "cli.server_malformed",
        "cli.watch.rule_missing",
        "desk.card_differs",
        "desk.config_malformed",
        "desk.court_missing",
        "desk.home_missing",
        "desk.home_taken",
        "desk.running",
        "member.card_differs",
        "member.config_malformed",
        "member.home_missing",
        "member.home_taken",
        "member.key_missing",
        "member.key_open",
        "member.key_unreadable",
        "member.listen_malformed",
        "member.log_file_malformed",
        "member.log_malformed",
        "member.log_unknown",
        "member.log_url_missing",
        "member.no_rotation",
        "member.passphrase_differs",
        "member.passphrase_missing",
        "member.passphrase_unfit",
        "member.passphrase_wrong",
        "member.pin_missing",
        "member.rotation_waits",
        "member.running",
        "member.token_missing",
    }
)


def _complain(code: str, facts: dict[str, Fact], *, in_json: bool) -> None:
    """Say an error: a sentence on standard error, or its code, facts and sentence as one JSON object there."""
    sentence = text(code, **facts)
    if in_json:
        import json  # noqa: PLC0415 (only here)

        line = json.dumps({"code": code, "facts": facts, "message": sentence}, ensure_ascii=False)
    else:
        line = sentence
    sys.stderr.write(line + "\n")


def main(arguments: Sequence[str], extend: Sequence[tuple[str, str]] = ()) -> int:
    """Run a command line with further commands, given as `add` takes them."""
    words.speak(words.choose(arguments, os.environ))
    app = build()
    add(app, extend)
    return run(app, arguments)


def add(app: App, commands: Sequence[tuple[str, str]]) -> None:
    """Further commands: pairs of a name, of one word or of a noun and a verb, and the path of its function."""
    groups: dict[str, App] = {}
    for name, path in commands:
        noun, _, verb = name.partition(" ")
        if not verb:
            app.command(path, name=name, help=text(f"cli.{name}.help"))
            continue
        if noun not in groups:
            groups[noun] = _group(noun, f"cli.{noun}.help")
            app.command(groups[noun])
        groups[noun].command(path, name=verb, help=text(f"cli.{noun}.{verb}.help"))
