"""`chopmark init`: make a home ready; every step is left alone when it was done before, keys above all."""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from cyclopts import Parameter

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused
from chopmark.cli.home import POLICY, home
from chopmark.cli.output import PLAIN, Common, print_json, say
from chopmark.cli.status import DONE
from chopmark.cli.words import text
from chopmark.ledger.cose import IssuerKey
from chopmark.ledger.governance import Rule
from chopmark.ledger.keys import ED25519, MLDSA44_COSIGNATURE, SigningKey
from chopmark.ledger.policy import policy_text
from chopmark.site.config import CONFIG_FILE, Config, prepare_home, read_config
from chopmark.site.desks import FOLDER as DESKS
from chopmark.site.desks import make_desks
from chopmark.site.jobs import TRUST, prepare_seal
from chopmark.site.members import FOLDER, RULE, make_members, members_of

LOG_KEYS = {"log.ed25519": ED25519, "log.mldsa44": MLDSA44_COSIGNATURE}


def command(
    *,
    base_url: Annotated[str | None, Parameter(help=text("cli.init.base_url"))] = None,
    local_members: Annotated[bool, Parameter(negative="", help=text("cli.init.local_members"))] = False,
    common: Common = PLAIN,
) -> int:
    """Make folders, keys and tables, and the log's first checkpoint."""
    place = home()
    os.environ["CHOPMARK_HOME"] = str(place)
    if base_url is not None:
        os.environ["CHOPMARK_BASE_URL"] = base_url
    done: list[tuple[str, dict[str, str]]] = []
    if _make_home(place, base_url):
        done.append(("site.init_home", {"home": str(place)}))
    config = _config(place)
    if _make_log_keys(place, config.origin):
        done.append(("site.init_log_keys", {"origin": config.origin}))
    if _make_intake_key(place):
        done.append(("site.init_intake_key", {}))
    if _make_tables():
        done.append(("site.init_tables", {}))
    if local_members and _make_members(place, config):
        done.append(("site.init_members", {"folder": str(place / FOLDER)}))
    size = _found_log(found_consortium=local_members)
    done += _write_trust(place, config, local=local_members)
    if common.json:
        facts = {"home": str(place), "origin": config.origin, "size": size, "done": [code for code, _ in done]}
        print_json(facts)
    for code, told in done or [("site.init_nothing", {"home": str(place)})]:
        say(code, common, **told)
    return DONE


def _config(place: Path) -> Config:
    """The settings in force; before the home has any, with a name for the log that no other log has.

    Raises:
        Invalid: `site.settings_wrong`.
    """
    config, problems = read_config()
    if problems:
        raise Invalid("site.settings_wrong", problems=[f"{each.message} ({each.hint})" for each in problems])
    if (place / CONFIG_FILE).exists() or os.environ.get("CHOPMARK_ORIGIN"):
        return config
    host = urlsplit(config.base_url).hostname or "localhost"
    return replace(config, origin=f"{host}/log-{secrets.token_hex(4)}")


def _make_home(place: Path, base_url: str | None) -> bool:
    """Folders and settings; whether the home is new."""
    config, new = _config(place), not (place / CONFIG_FILE).exists()
    prepare_home(config)
    if new and base_url is not None:
        _note_base_url(place, config.base_url)
    return new


def _note_base_url(place: Path, base_url: str) -> None:
    with (place / CONFIG_FILE).open("a", encoding="utf-8") as file:
        file.write(f'base_url = "{base_url}"\n')


def _make_log_keys(place: Path, origin: str) -> bool:
    """The log's two signing keys, each with its public half beside it; whether any was made.

    Raises:
        Refused: `site.keys_incomplete`: keys of a log that already has entries are never made anew.
    """
    folder = place / "keys"
    missing = [name for name in LOG_KEYS if not (folder / name).exists()]
    if missing and (place / "log" / "checkpoint").exists():
        raise Refused("site.keys_incomplete", missing=missing, folder=str(folder))
    for name in missing:
        key = SigningKey.generate(origin, LOG_KEYS[name])
        _write_secret(folder / name, key.text() + "\n")
    for name in LOG_KEYS:
        if not (folder / f"{name}.pub").exists():
            key = SigningKey.parse((folder / name).read_text("ascii").strip())
            _write_secret(folder / f"{name}.pub", f"{key.verifier}\n")
    return bool(missing)


def _make_intake_key(place: Path) -> bool:
    path = place / "keys" / "intake"
    if path.exists():
        return False
    _write_secret(path, IssuerKey.generate().seed.hex() + "\n")
    return True


def _write_secret(path: Path, content: str) -> None:
    """A new file that only its owner reads, whole and durable; one that is there already is never touched."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # unlike a rename, refuses when the name is taken
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # a log whose key is lost can never be continued
    finally:
        os.close(folder)


def _make_tables() -> bool:
    """Bring the database up to this version; whether anything was to do."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chopmark.site.settings")
    import django  # noqa: PLC0415 (the settings read the home, which is ready only now)
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415
    from django.db.migrations.executor import MigrationExecutor  # noqa: PLC0415

    django.setup()
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        call_command("migrate", verbosity=0, interactive=False)
    return bool(waiting)


def _make_members(place: Path, config: Config) -> bool:
    """Homes of the local members, where the home has no consortium of its own; whether any was made."""
    from chopmark.evidence import wiring  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.evidence.governance import decided_policy  # noqa: PLC0415

    if decided_policy() is not None:
        return False
    return make_members(place, config.origin, wiring.all_log_keys(), f"{config.base_url}/log")


def _found_log(*, found_consortium: bool) -> int:
    """The platform's own first statements, published; how many entries the log has then.

    What founds the consortium is published under what was in force before: no quorum. From the next checkpoint on
    there is one.
    """
    from chopmark.cli.writer import open_log  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.evidence import wiring  # noqa: PLC0415
    from chopmark.evidence.actions import adopt_cards, decide_policy, genesis, restate  # noqa: PLC0415
    from chopmark.evidence.governance import decided_policy  # noqa: PLC0415

    at = clock.now()
    genesis(at)
    if found_consortium and decided_policy() is None:
        adopt_cards([each.card.encode() for each in members_of(wiring.home())], at=at)
        decide_policy(Rule.parse(RULE), at=at)
    book = wiring.book()
    if book.latest() is None or (found_consortium and wiring.consortium_policy() is None and book.pending_count()):
        log = open_log()
        log.step()
        log.close()
        while clock.to_seconds(clock.now()) == clock.to_seconds(at):
            time.sleep(0.05)  # said in the same second, the policy's second statement would be the first one again
        restate(clock.now())  # waits for whoever writes next, with the members
    published = book.latest()
    return published.size if published else 0


def _write_trust(place: Path, config: Config, *, local: bool) -> list[tuple[str, dict[str, str]]]:
    """The local desks, the platform's seal, and what it tells others to trust; what was new of it."""
    done = []
    if _write_policy(place):
        done.append(("site.init_policy", {"path": str(place / POLICY)}))
    if local and make_desks(place):
        done.append(("site.init_desks", {"folder": str(place / DESKS)}))
    if prepare_seal(config):
        done.append(("site.init_seal", {"path": str(place / TRUST)}))
    return done


def _write_policy(place: Path) -> bool:
    """The trust policy that `chopmark verify` uses here: this home's own log, under its consortium's quorum."""
    from chopmark.evidence import wiring  # noqa: PLC0415 (the framework is set up only now)

    path = place / POLICY
    # One that an earlier start wrote, before there was a consortium, is renewed; one that a person wrote stays.
    if path.exists() and path.read_bytes() != policy_text(wiring.own_policy()).encode():
        return False
    wanted = wiring.log_policy()
    if path.exists() and path.read_bytes() == wanted:
        return False
    path.write_bytes(wanted)
    return True
