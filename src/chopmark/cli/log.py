"""`chopmark log …`: read any log of C2SP tlog-tiles, and check the whole of it."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.table import Table

from chopmark.base import clock
from chopmark.base.errors import Refused
from chopmark.cli import files
from chopmark.cli.output import PLAIN, Common, out, print_json, progress, say
from chopmark.cli.source import TIMEOUT, find_policy, head, open_source
from chopmark.cli.status import DONE, FAILED
from chopmark.cli.words import text
from chopmark.ledger.audit import audit
from chopmark.ledger.proof import TlogProof
from chopmark.ledger.statement import Statement
from chopmark.ledger.text import to_base64
from chopmark.ledger.tiles import TileReader
from chopmark.ledger.tree import leaf_hash, verify_consistency, verify_inclusion

From = Annotated[str | None, Parameter(name="--from", help=text("cli.option.from"))]
Server = Annotated[str | None, Parameter(help=text("cli.option.server"))]
PolicyFile = Annotated[Path | None, Parameter(help=text("cli.option.policy"))]
NO_QUORUM = "ledger.audit_no_quorum"
Position = Annotated[int, Parameter(help=text("cli.option.position"))]


def checkpoint_command(
    *, place: From = None, server: Server = None, policy: PolicyFile = None, common: Common = PLAIN
) -> int:
    """Print the newest checkpoint as it is signed; say whose signatures the policy knows."""
    note, point, signatures = head(open_source(place, server), find_policy(policy))
    if common.json:
        print_json(
            {
                "origin": point.origin,
                "size": point.size,
                "root": point.root.hex(),
                "signatures": [
                    {"key": str(each.key), "at": clock.to_text(each.at) if each.at else None} for each in signatures
                ],
                "note": note.decode(),
            }
        )
        return 0
    sys.stdout.write(note.decode())
    for each in signatures:
        say("cli.log.signed", common, name=each.key.name, at=clock.to_text(each.at) if each.at else "-")
    if not signatures:
        say("cli.log.unknown_signers", common)
    return 0


def entry_command(
    position: Position,
    /,
    *,
    output: Annotated[Path | None, Parameter(help=text("cli.option.output"))] = None,
    force: Annotated[bool, Parameter(negative="", show_default=False, help=text("cli.option.force"))] = False,
    place: From = None,
    server: Server = None,
    common: Common = PLAIN,
) -> int:
    """Show the statement at a position, or write its bytes to a file."""
    fetch = open_source(place, server)
    _, point, _ = head(fetch, None)
    raw = TileReader(fetch, point.size).entry(position)
    if output is not None:
        files.write(output, raw, force=force)
    facts = _entry_facts(position, raw)
    if common.json:
        print_json(facts)
        return 0
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        for inner, shown in value.items() if isinstance(value, dict) else [("", value)]:
            if shown is not None:
                table.add_row(f"{name} {inner}".strip(), str(shown))
    out().print(table)
    return 0


def _entry_facts(position: int, raw: bytes) -> dict[str, Any]:
    claim = Statement.parse(raw).claim
    return {
        "position": position,
        "leaf": leaf_hash(raw).hex(),
        "bytes": len(raw),
        "kind": claim.kind,
        "issuer": claim.issuer,
        "subject": claim.subject,
        "issued_at": clock.to_text(claim.issued_at) if claim.issued_at else None,
        "digest": None if claim.private else f"sha-256:{claim.payload.hex()}",
        "sm3": f"sm3:{claim.sm3.hex()}" if claim.sm3 else None,
        "private": claim.private,
        "agent": claim.agent,
        "commitments": {name: value.hex() for name, value in claim.commitments.items()},
    }


def proof_command(
    position: Position,
    /,
    *,
    consistency: Annotated[
        bool, Parameter(negative="", show_default=False, help=text("cli.option.consistency"))
    ] = False,
    place: From = None,
    server: Server = None,
    common: Common = PLAIN,
) -> int:
    """Print the C2SP tlog-proof of an entry, or the consistency proof from an earlier size."""
    fetch = open_source(place, server)
    note, point, _ = head(fetch, None)
    reader = TileReader(fetch, point.size)
    if consistency:
        hashes = reader.consistency_proof(position)
        verify_consistency(old=position, old_root=reader.root(position), size=point.size, root=point.root, proof=hashes)
        facts = {"old": position, "size": point.size, "hashes": [to_base64(each) for each in hashes]}
        if common.json:
            print_json(facts)
        else:
            sys.stdout.write("".join(to_base64(each) + "\n" for each in hashes))
        return 0
    hashes = reader.inclusion_proof(position)
    leaf = leaf_hash(reader.entry(position))
    verify_inclusion(leaf=leaf, index=position, size=point.size, proof=hashes, root=point.root)
    if common.json:
        shown = [to_base64(each) for each in hashes]
        print_json({"index": position, "leaf": leaf.hex(), "hashes": shown, "checkpoint": note.decode()})
    else:
        sys.stdout.write(TlogProof(index=position, hashes=tuple(hashes), checkpoint=note).encode().decode())
    return 0


def audit_command(
    *,
    checkpoint: Annotated[list[Path] | None, Parameter(negative="", help=text("cli.log.older"))] = None,
    policy: PolicyFile = None,
    quorum: Annotated[bool, Parameter(help=text("cli.log.quorum"))] = True,
    place: From = None,
    server: Server = None,
    common: Common = PLAIN,
) -> int:
    """Check the whole log anew; earlier checkpoints that were kept must be its beginnings."""
    trusted = find_policy(policy)
    if trusted is None:
        raise Refused("cli.policy_missing")
    fetch = open_source(place, server)
    note, point, _ = head(fetch, None)
    keys = [log.key for log in trusted.logs if log.key.name == point.origin]
    if not keys:
        raise Refused("cli.log.origin_unknown", origin=point.origin)
    older = [files.read(path, files.RECEIPT_LIMIT) for path in checkpoint or ()]
    with progress(text("cli.log.auditing"), point.size, common, in_bytes=False) as bar:
        found = audit(fetch, keys, older=older, entry=lambda _position, _raw: bar.step(1))
    findings = [(each.code, dict(each.facts), text(each.code, **each.facts)) for each in found.findings]
    if quorum and not findings and not trusted.open(note)[1].quorum_reached:
        findings.append((NO_QUORUM, {"size": point.size}, text(NO_QUORUM, size=point.size)))
    passed = not findings
    if common.json:
        shown = [{"code": code, "facts": facts, "message": message} for code, facts, message in findings]
        print_json({"origin": point.origin, "entries": found.entries, "passed": passed, "findings": shown})
    elif passed:
        out().print(text("cli.log.audit_passed", origin=point.origin, size=found.entries, checkpoints=len(older) + 1))
    else:
        out().print(text("cli.log.audit_failed", origin=point.origin, count=len(findings)))
        for code, _, message in findings:
            out().print(f"  ✗ {message} ({code})")
    return DONE if passed else FAILED


def policy_command(*, server: Server = None, common: Common = PLAIN) -> int:
    """Print the trust policy of this machine, or the one a server offers (which you must check by another way)."""
    from chopmark.cli.home import client  # noqa: PLC0415 (keeps the names of this module to one meaning)

    if (reached := client(server)) is not None:
        import httpx  # noqa: PLC0415 (only when a server is asked)

        from chopmark.cli.remote import answer  # noqa: PLC0415 (the same)

        shown = answer(lambda: httpx.get(reached.server + "/policy", timeout=TIMEOUT), reached).text
        say("cli.log.policy_unchecked", common, server=reached.server)
    else:
        from chopmark.ledger.policy import policy_text  # noqa: PLC0415 (only here)

        policy = find_policy(None)
        if policy is None:
            raise Refused("cli.policy_missing")
        shown = policy_text(policy)
    if common.json:
        print_json({"policy": shown, "sha-256": hashlib.sha256(shown.encode()).hexdigest()})
    else:
        sys.stdout.write(shown)
    return 0
