"""Who must not be able to: every action against a viewer, a key with too narrow a scope, another organisation."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import date
from pathlib import Path
from uuid import uuid4

import pytest
from world.data import REPOSITORY
from world.rights import LANTERN, filed, lantern, verified

from chopmark.base.errors import Refused
from chopmark.people.actor import Actor
from chopmark.rights.actions import interest
from chopmark.rights.actions.customs import NewRecordal, end_customs, record_customs
from chopmark.rights.actions.dispute import NewDispute, close_dispute, contest, open_dispute
from chopmark.rights.actions.file import NewRight, add_papers, amend, file_right, submit, withdraw, would_file
from chopmark.rights.actions.interest import NewInterest, assign, end_interest
from chopmark.rights.actions.mandate import NewMandate, accept_mandate, give_mandate, revoke_mandate
from chopmark.rights.actions.verify import renew, show_control, verify_against
from chopmark.rights.queries import registry
from chopmark.rights.record import Party

PARTY = Party(name="Somebody")

CHANGES = {
    "amend": lambda which, by, at: amend(which, lantern(title="Mine"), by=by, at=at),
    "submit": lambda which, by, at: submit(which, by=by, at=at),
    "withdraw": lambda which, by, at: withdraw(which, by=by, at=at),
    "add papers": lambda which, by, at: add_papers(which, [], by=by, at=at),
    "verify": lambda which, by, at: verify_against(which, by=by, at=at),
    "renew": lambda which, by, at: renew(which, date(2040, 1, 1), by=by, at=at),
    "show control": lambda which, by, at: show_control(which, "2222", by=by, at=at),
    "license": lambda which, by, at: interest.license(which, NewInterest(party=PARTY, role="licensee"), by=by, at=at),
    "end a licence": lambda which, by, at: end_interest(which, "I1", by=by, at=at),
    "assign": lambda which, by, at: assign(which, PARTY, by=by, at=at),
    "customs": lambda which, by, at: record_customs(which, NewRecordal(authority="DE", number="1"), by=by, at=at),
    "end customs": lambda which, by, at: end_customs(which, "C1", by=by, at=at),
    "open a dispute": lambda which, by, at: open_dispute(which, NewDispute(kind="court"), by=by, at=at),
    "close a dispute": lambda which, by, at: close_dispute(which, "D1", "over", by=by, at=at),
    "contest": lambda which, by, at: contest(which, "mine", by=by, at=at),
}
OTHERS = {
    "file": lambda by, at: file_right(NewRight(record=LANTERN), by=by, at=at),
    "try to file": lambda by, at: would_file([NewRight(record=LANTERN)], by=by, at=at),
    "give a mandate": lambda by, at: give_mandate(NewMandate(agent=uuid4(), powers=frozenset({"file"})), by=by, at=at),
    "accept a mandate": lambda by, at: accept_mandate(uuid4(), by=by, at=at),
    "revoke a mandate": lambda by, at: revoke_mandate(uuid4(), by=by, at=at),
}
READS = {
    "show": lambda which, by, at: registry.right_of(by, which, at=at),
    "as of": lambda which, by, at: registry.right_of(by, which, at=at, as_of=at),
    "history": lambda which, by, at: registry.events_of(by, which, at=at),
    "event": lambda which, by, at: registry.event_document(by, which, 1, at=at),
    "deposit": lambda which, by, at: registry.deposit_of_event(by, which, 1, at=at),
    "receipt": lambda which, by, at: registry.receipt_of(by, which, 1, at=at),
    "conflicts": lambda which, by, at: registry.conflicts_of(by, which, at=at),
    "may act": lambda which, by, at: registry.decision_of(by, which, territory="DE", cls="11", at=at),
    "may sell": lambda which, by, at: registry.sale_of(by, which, territory="DE", at=at),
}
LISTS = {
    "list": lambda by, at: registry.rights_of(by, at=at),
    "portfolio": lambda by, at: registry.portfolio_of(by, at=at),
    "mandates": lambda by, at: registry.mandates_of(by, at=at),
    "reminders": lambda by, at: registry.reminders_of(by, at=at),
}


def key(actor: Actor, *scopes: str) -> Actor:
    return replace(actor, user_id=None, api_key_id="k", scopes=frozenset(scopes))


def test_a_viewer_and_a_narrow_key_change_nothing(world, mei):
    right = verified(world, mei)
    viewer = world.person("Vi Viewer", role="viewer", of=mei).actor
    before = registry.events_of(mei.actor, right.id)
    for by in (viewer, key(mei.actor, "rights:read"), key(mei.actor, "deposits:write", "deposits:read")):
        for change in CHANGES.values():
            with pytest.raises(Refused, match=r"people\.(not_allowed|scope_missing)"):
                change(right.id, by, world.now())
        for change in OTHERS.values():
            with pytest.raises(Refused, match=r"people\.(not_allowed|scope_missing)"):
                change(by, world.now())
    assert registry.events_of(mei.actor, right.id) == before


def test_a_key_for_rights_files_without_a_scope_for_deposits(world, mei):
    made = file_right(NewRight(record=LANTERN), by=key(mei.actor, "rights:write", "rights:read"), at=world.now())
    assert registry.right_of(key(mei.actor, "rights:read"), made.id).right == made.right


def test_only_an_owner_gives_a_mandate_or_assigns(world, mei, jo):
    right = verified(world, mei)
    clerk = world.person("Cle Clerk", role="depositor", of=mei).actor
    new = NewMandate(agent=jo.actor.organisation_id, powers=frozenset({"file"}))
    for by in (clerk, key(mei.actor, "rights:write")):
        with pytest.raises(Refused, match=r"people\.(not_allowed|scope_missing)"):
            give_mandate(new, by=by, at=world.now())
        with pytest.raises(Refused, match=r"people\.(not_allowed|scope_missing)"):
            assign(right.id, PARTY, by=by, at=world.now())


def test_another_organisation_s_right_does_not_exist(world, mei, jo):
    right = verified(world, mei)
    world.publish()
    before = registry.events_of(mei.actor, right.id)
    for which in (right.id, str(right.id), right.number, "018123456"):
        for change in CHANGES.values():
            with pytest.raises(Refused, match=r"rights.not_found"):
                change(which, jo.actor, world.now())
        for read in READS.values():
            with pytest.raises(Refused, match=r"rights.not_found"):
                read(which, jo.actor, world.now())
    assert registry.rights_of(jo.actor, at=world.now()).items == ()
    assert (
        registry.rights_of(jo.actor, registry.Filters(organisation=mei.actor.organisation_id), at=world.now()).items
        == ()
    )
    assert registry.events_of(mei.actor, right.id) == before


def test_a_key_for_deposits_reads_no_rights(world, mei):
    right = filed(world, mei)
    by = key(mei.actor, "deposits:read", "deposits:write")
    for read in READS.values():
        with pytest.raises(Refused, match=r"people\.scope_missing"):
            read(right.id, by, world.now())
    for read in LISTS.values():
        with pytest.raises(Refused, match=r"people\.scope_missing"):
            read(by, world.now())


def test_every_verb_of_the_registry_stands_in_these_tables():
    """A new action that takes an actor has to be added above."""
    here = Path(__file__).read_text("utf-8")
    missing = []
    for name in ("file", "verify", "interest", "customs", "dispute", "mandate"):
        tree = ast.parse((REPOSITORY / "src/chopmark/rights/actions" / f"{name}.py").read_text("utf-8"))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                by = [
                    ast.unparse(each.annotation)
                    for each in node.args.kwonlyargs
                    if each.arg == "by" and each.annotation
                ]
                if by in (["Actor"], ["By"]) and f"{node.name}(" not in here:
                    missing.append(f"{name}.{node.name}")
    assert set(missing) <= {
        "file.file_rights",
        "file.bring_papers",
        "verify.verify_signed",
    }  # by the others here; own tests


def test_no_page_and_no_call_of_the_api_acts_as_the_operator():
    """Whoever writes offices' records, vouches or reads papers decides what is verified."""
    forbidden = {
        "Operator",
        "keep_records",
        "vouch",
        "stop_vouching",
        "check_papers",
        "issue_code",
        "cancel",
        "recheck",
    }
    for file in (REPOSITORY / "src" / "chopmark" / "web").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("chopmark.rights.actions"):
                assert not forbidden & {each.name for each in node.names}, file
