"""`chopmark member …`: run a node of the consortium. Needs no web framework of the platform's.

Exit statuses of `serve` differ: see `chopmark.member.server`.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.table import Table

from chopmark.base.errors import Invalid, PlatformError, Refused
from chopmark.cli import files
from chopmark.cli.output import PLAIN, Common, out, print_json, progress, say
from chopmark.cli.status import DONE, FAILED
from chopmark.cli.words import language, text
from chopmark.ledger.card import Card
from chopmark.ledger.keys import MLDSA44_COSIGNATURE
from chopmark.member.settings import INTERVAL, MemberHome, Settings, held, parse_listen

STATUS_LIMIT = 1 << 20

Home = Annotated[Path | None, Parameter(help=text("cli.member.home"))]
LogFiles = Annotated[list[Path] | None, Parameter(name="--log", negative="", help=text("cli.member.log"))]
LogUrl = Annotated[str | None, Parameter(help=text("cli.member.log_url"))]
Platform = Annotated[str | None, Parameter(help=text("cli.member.platform"))]
Relay = Annotated[str | None, Parameter(help=text("cli.member.relay"))]
Passphrase = Annotated[Path | None, Parameter(help=text("cli.member.passphrase_file"))]


def member_home(named: Path | None) -> MemberHome:
    """The home that is meant: the option, CHOPMARK_MEMBER_HOME, or the user's data directory (XDG)."""
    if named is None and (variable := os.environ.get("CHOPMARK_MEMBER_HOME")):
        named = Path(variable)
    if named is None:
        named = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "chopmark-member"
    return MemberHome(named)


# ---- making ---------------------------------------------------------------------------------------------------------


def init_command(
    *,
    name: Annotated[str, Parameter(help=text("cli.member.name"))],
    kind: Annotated[
        Literal["court", "notary", "customs", "government", "association", "company"],
        Parameter(help=text("cli.member.kind")),
    ],
    zh: Annotated[str, Parameter(help=text("cli.member.zh"))],
    en: Annotated[str, Parameter(help=text("cli.member.en"))],
    listen: Annotated[str, Parameter(help=text("cli.member.listen"))] = "127.0.0.1:8101",
    url: Annotated[str | None, Parameter(help=text("cli.member.url"))] = None,
    host_id: Annotated[str | None, Parameter(help=text("cli.member.host_id"))] = None,
    log: LogFiles = None,
    log_url: LogUrl = None,
    platform: Platform = None,
    relay: Relay = None,
    interval: Annotated[float, Parameter(help=text("cli.member.interval"), validator=Number(gte=0.05, lte=86_400))] = (
        INTERVAL
    ),
    passphrase_file: Passphrase = None,
    ask_passphrase: Annotated[
        bool, Parameter(negative="", show_default=False, help=text("cli.member.ask_passphrase"))
    ] = False,
    token_library: Annotated[Path | None, Parameter(help=text("cli.member.token_library"))] = None,
    token_label: Annotated[str | None, Parameter(help=text("cli.member.token_label"))] = None,
    home: Home = None,
    common: Common = PLAIN,
) -> int:
    """Make a node's home: its keys, its card, its settings."""
    from dataclasses import replace  # noqa: PLC0415 (names of this module keep one meaning)

    from chopmark.member.founding import found_home  # noqa: PLC0415 (names of this module keep one meaning)

    place = member_home(home)
    host, port = parse_listen(listen)
    logs = _logs(log or [], log_url, platform)
    settings = Settings(
        name=name,
        kind=kind,
        zh=zh,
        en=en,
        id=host_id or f"{name}.member.invalid",
        host=host,
        port=port,
        url=url.rstrip("/") if url else None,
        interval=interval,
        logs=tuple(replace(each, relay=relay.rstrip("/") if relay else None) for each, _ in logs),
    )
    card = found_home(
        place,
        settings,
        passphrase=_new_passphrase(passphrase_file, ask=ask_passphrase),
        tokens=_tokens(settings.id, token_library, token_label),
        policies={each.origin: policy for each, policy in logs if policy is not None},
    )
    if common.json:
        print_json({"home": str(place.root), "card": str(place.card), **_card_facts(card)})
    else:
        sys.stdout.write(str(place.card) + "\n")
    say("cli.member.made", common, home=str(place.root))
    say("cli.member.hand_over", common, path=str(place.card), digest=_digest(card))
    return DONE


def _logs(named: Sequence[Path], url: str | None, platform: str | None) -> list[tuple[Any, bytes | None]]:
    from chopmark.member.founding import MAX_LOG_FILE, read_logs  # noqa: PLC0415 (as above)

    found = [
        pair
        for path in named
        for pair in read_logs(
            files.read(path, MAX_LOG_FILE), url=url, platform=platform.rstrip("/") if platform else None
        )
    ]
    if len({each.origin for each, _ in found}) != len(found):
        raise Invalid("member.log_file_malformed")
    return found


def _new_passphrase(file: Path | None, *, ask: bool) -> bytes | None:
    from chopmark.member.keys import find_passphrase  # noqa: PLC0415 (as above)

    if not ask:
        named = file is not None or bool(os.environ.get("CHOPMARK_MEMBER_PASSPHRASE_FILE"))
        return find_passphrase(file, None) if named else None
    first = find_passphrase(file, text("cli.member.ask_new"))
    if first != find_passphrase(file, text("cli.member.ask_again")):
        raise Refused("member.passphrase_differs")
    return first


def _tokens(identity: str, library: Path | None, label: str | None) -> dict[str, Any]:
    if library is None and label is None:
        return {}
    if library is None or label is None:
        raise Refused("member.token_unclear")
    from chopmark.member.pkcs11 import make_keys  # noqa: PLC0415 (an optional package)

    return make_keys(identity, library, label)


def add_log_command(
    *,
    log: Annotated[list[Path], Parameter(name="--log", negative="", help=text("cli.member.log"))],
    log_url: LogUrl = None,
    platform: Platform = None,
    relay: Relay = None,
    statements: Annotated[bool, Parameter(help=text("cli.member.statements"))] = True,
    home: Home = None,
    common: Common = PLAIN,
) -> int:
    """Hold one log more, or change the address, the policy and additional keys of one that is held."""
    from dataclasses import replace  # noqa: PLC0415 (as above)

    from chopmark.member.founding import add_log  # noqa: PLC0415 (as above)

    place = member_home(home)
    relay = relay.rstrip("/") if relay else None
    with held(place):
        settings = place.settings()
        for each, policy in _logs(log, log_url, platform):
            settings = add_log(place, replace(each, relay=relay, statements=statements), policy)
    if common.json:
        print_json([{"origin": each.origin, "url": each.url, "hash": each.hash} for each in settings.logs])
    say("cli.member.holds", common, count=len(settings.logs), origins=", ".join(each.origin for each in settings.logs))
    return DONE


def rotate_command(
    *,
    finish: Annotated[bool, Parameter(negative="", show_default=False, help=text("cli.member.finish"))] = False,
    force: Annotated[bool, Parameter(negative="", show_default=False, help=text("cli.member.rotate_force"))] = False,
    passphrase_file: Passphrase = None,
    home: Home = None,
    common: Common = PLAIN,
) -> int:
    """Exchange the node's keys: first make new ones beside the old, later let the new ones be the only ones."""
    from chopmark.member import rotation  # noqa: PLC0415 (as above)

    place = member_home(home)
    if finish:
        from chopmark.member.fetch import Fetcher  # noqa: PLC0415 (only when logs are asked)

        with held(place):
            card = rotation.finish(place, lambda log: Fetcher(log.url), force=force)
        if common.json:
            print_json(_card_facts(card))
        say("cli.member.rotated", common, digest=_digest(card))
        return DONE
    from chopmark.member.keys import KeyReader, find_passphrase, is_sealed  # noqa: PLC0415 (as above)

    with held(place):
        sealed = any(is_sealed(path) for path in _key_files(place))
        passphrase = find_passphrase(passphrase_file, text("cli.member.ask")) if sealed else None
        reader = KeyReader(lambda: passphrase or b"")
        made = rotation.prepare(place, reader, passphrase=passphrase, tokens=lambda name: _further(place, name))
    if common.json:
        print_json({"rotation": str(place.rotation), "fresh": made.fresh, **_card_facts(made.card)})
    else:
        sys.stdout.write(str(place.rotation) + "\n")
    say("cli.member.rotation_made", common, path=str(place.rotation), digest=_digest(made.card))
    return DONE


def _key_files(place: MemberHome) -> list[Path]:
    from chopmark.member.keyfiles import ROLES  # noqa: PLC0415 (as above)

    return [place.keys / file for file in ROLES]


def _further(place: MemberHome, identity: str) -> dict[str, Any]:
    """New keys in the token that holds the present ones; none where none does."""
    from chopmark.member.keys import token_of  # noqa: PLC0415 (as above)

    found = next((each for path in _key_files(place) if (each := token_of(path)) is not None), None)
    if found is None:
        return {}
    from chopmark.member.pkcs11 import make_keys  # noqa: PLC0415 (an optional package)

    return make_keys(identity, Path(found[0]), found[1], further=True)


# ---- running --------------------------------------------------------------------------------------------------------


def serve_command(*, home: Home = None, passphrase_file: Passphrase = None, common: Common = PLAIN) -> int:
    """Run the node until told to stop."""
    from chopmark.member.keys import KeyReader  # noqa: PLC0415 (as above)
    from chopmark.member.server import passphrase_of, serve  # noqa: PLC0415 (as above)

    place = member_home(home)

    def complain(error: PlatformError) -> None:
        sentence = text(error.code, **error.facts)
        if common.json:
            sentence = json.dumps({"code": error.code, "facts": error.facts, "message": sentence}, ensure_ascii=False)
        sys.stderr.write(sentence + "\n")

    def ready(port: int) -> None:
        say("cli.member.running", common, port=port, home=str(place.root))

    reader = KeyReader(passphrase_of(passphrase_file, text("cli.member.ask")))
    return serve(place, reader, ready=ready, complain=complain)


# ---- looking --------------------------------------------------------------------------------------------------------


def card_command(*, home: Home = None, common: Common = PLAIN) -> int:
    """Print the card, as it is handed over."""
    card = member_home(home).read_card()
    sys.stdout.write(card.encode().decode())
    say("cli.member.card_digest", common, digest=_digest(card))
    return DONE


def keys_command(*, home: Home = None, common: Common = PLAIN) -> int:
    """Show the public keys of the card, with the digest that is told by another way."""
    card = member_home(home).read_card()
    if common.json:
        print_json(_card_facts(card))
        return DONE
    table = Table(box=None, pad_edge=False)
    for column in ("role", "algorithm", "vkey"):
        table.add_column(text(f"cli.column.{column}"), overflow="fold")
    for each in card.keys:
        shown = f"{each.key.name}+{each.key.key_id.hex()}"
        table.add_row(text(f"member.page.role_{each.role}"), _algorithm(each.key.type), shown)
    out().print(table)
    say("cli.member.card_digest", common, digest=_digest(card))
    return DONE


def status_command(
    *,
    url: Annotated[str | None, Parameter(help=text("cli.member.status_url"))] = None,
    home: Home = None,
    common: Common = PLAIN,
) -> int:
    """Show sizes, lag, last cosignatures and alarms, of a running node or of what lies in the home."""
    status = _asked(url.rstrip("/")) if url else _from_home(member_home(home))
    if common.json:
        print_json(status)
        return DONE
    title = status["title"]["zh" if language() == "zh" else "en"]
    out().print(text("cli.member.status", name=status["name"], title=title, alarms=status["alarms"]))
    table = Table(box=None, pad_edge=False)
    for column in ("origin", "witnessed", "mirrored", "published", "lag", "cosigned_at", "alarms"):
        table.add_column(text(f"cli.column.{column}"), overflow="fold")
    for log in status["logs"]:
        witness, mirror = log["witness"] or {}, log["mirror"] or {}
        cells = (witness.get("size"), mirror.get("size"), log["published"], log["lag"], mirror.get("cosigned_at"))
        table.add_row(log["origin"], *("–" if cell is None else str(cell) for cell in cells), str(log["alarms"]))
    out().print(table)
    return DONE


def _asked(url: str) -> dict[str, Any]:
    from chopmark.member.fetch import Fetcher  # noqa: PLC0415 (only when a node is asked)

    with Fetcher(url, limit=STATUS_LIMIT) as fetch:
        try:
            status = json.loads(fetch("status.json"))
        except (ValueError, RecursionError) as error:
            raise Invalid("member.status_malformed", url=url) from error
    if not isinstance(status, dict) or not {"name", "title", "alarms", "logs"} <= set(status):
        raise Invalid("member.status_malformed", url=url)
    return status


def _from_home(place: MemberHome) -> dict[str, Any]:
    """The same from the files, without keys: what a running node would say but for what it has seen since its start."""
    from chopmark.member.offline import status_of  # noqa: PLC0415 (as above)

    return status_of(place)


def audit_command(
    *,
    place: Annotated[str | None, Parameter(name="--from", help=text("cli.member.from"))] = None,
    log: LogFiles = None,
    home: Home = None,
    common: Common = PLAIN,
) -> int:
    """Verify a whole mirror anew: every entry, every hash, every signature whose key is known."""
    from chopmark.member.offline import audit_all  # noqa: PLC0415 (as above)

    trusted = [each for each, _ in _logs(log or [], place or "http://unused.invalid", None)]
    failed = False
    shown: list[dict[str, Any]] = []
    for audited in audit_all(member_home(home), place, trusted):
        with progress(text("cli.log.auditing"), audited.size, common, in_bytes=False) as bar:
            found = audited.run(bar.step)
        findings = [(each.code, dict(each.facts), text(each.code, **each.facts)) for each in found.findings]
        failed |= bool(findings)
        shown.append(
            {
                "origin": audited.origin,
                "entries": found.entries,
                "signatures": found.signatures,
                "without_key": found.without_key,
                "passed": not findings,
                "findings": [{"code": code, "facts": facts, "message": message} for code, facts, message in findings],
            }
        )
        if common.json:
            continue
        code = "cli.member.audit_failed" if findings else "cli.member.audit_passed"
        facts: dict[str, str | int] = {
            "origin": audited.origin,
            "size": found.entries,
            "signatures": found.signatures,
            "without": found.without_key,
            "count": len(findings),
        }
        out().print(text(code, **facts))
        for name, _, message in findings:
            out().print(f"  ✗ {message} ({name})")
    if common.json:
        print_json(shown)
    return FAILED if failed else DONE


# ---- words ----------------------------------------------------------------------------------------------------------


def _card_facts(card: Card) -> dict[str, Any]:
    return {
        "name": card.name,
        "kind": card.kind,
        "url": card.url,
        "sha256": _digest(card),
        "keys": [
            {"role": each.role, "algorithm": _algorithm(each.key.type), "vkey": str(each.key)} for each in card.keys
        ],
    }


def _digest(card: Card) -> str:
    return hashlib.sha256(card.encode()).hexdigest()


def _algorithm(kind: int) -> str:
    return "ML-DSA-44" if kind == MLDSA44_COSIGNATURE else "Ed25519"
