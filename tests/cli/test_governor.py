"""The operator's work on a home: decisions wait for their publication, and the log's keys are exchanged."""

from __future__ import annotations

import shutil

import pytest
from world.members import five
from world.pages import SEEDS, PageWorld

from chopmark.base.errors import Refused, Unavailable
from chopmark.cli import governor
from chopmark.cli.writer import open_log
from chopmark.evidence import governance, wiring
from chopmark.ledger.audit import audit
from chopmark.ledger.governance import open_log_rotation
from chopmark.ledger.keys import SigningKey
from chopmark.ledger.stores.files import FileJournal

RULE = "courts: 2 of hangzhou beijing guangzhou and others: 1 of notary customs"
CARDS = [member.card.encode() for member in five().values()]


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    world = PageWorld.made(settings.CHOPMARK_HOME)
    for name, (kind, seed) in SEEDS.items():
        path = world.home / "keys" / name
        path.write_text(SigningKey(name=wiring.origin(), type=kind, seed=seed).text() + "\n", "ascii")
        path.chmod(0o600)
    world.log.close()
    return world


def audited(expected: int) -> None:
    older = [each.note for each in wiring.book().checkpoints(wiring.book().head().size + 1, 100)]
    found = audit(wiring.objects().get, wiring.log_keys(), older=[])
    assert (found.entries, found.findings) == (expected, ())
    both = (*wiring.log_keys(), *wiring.retired_log_keys())
    assert {each.code for each in audit(wiring.objects().get, both, older=older).findings} == set()


def test_a_decision_is_published_at_once_where_no_quorum_is_in_force(world):
    assert governor.add(CARDS, 10).published
    decided = governor.policy(RULE, 10, force=False, emergency=False)
    assert decided.published
    assert governor.shown()["rule"] == RULE
    assert governor.in_force().endswith("quorum consortium\n")
    assert [each["kind"] for each in governor.history()][-1] == "trust_policy"


def test_a_decision_that_the_present_quorum_has_not_confirmed_waits_and_is_shown_to_wait(world):
    governor.add([card.replace(b"http://127.0.0.1:9999", b"http://127.0.0.1:1") for card in CARDS], 10)
    governor.policy(RULE, 10, force=False, emergency=False)
    waits = governor.policy("3 of hangzhou beijing guangzhou", 0.5, force=False, emergency=False)
    assert not waits.published
    assert governor.shown()["rule"] == RULE
    assert governor.shown()["waiting_rule"] == "part-1: 3 of hangzhou beijing guangzhou"


def test_the_logs_keys_are_announced_then_used_and_the_log_goes_on(world):
    old = wiring.log_keys()
    outcome, keys = governor.announce_log_keys(10)
    assert outcome.published
    [note] = [each for each in governance.papers() if each.kind == "log_key_rotation"]
    announced = open_log_rotation(wiring.paper(note.sha256), wiring.origin(), old)
    assert sorted(map(str, announced)) == sorted(keys)
    assert set(wiring.all_log_keys()) == {*old, *announced}
    assert governor.announce_log_keys(10)[0].papers == ()
    governor.use_next_log_keys(10)
    assert set(wiring.log_keys()) == set(announced)
    assert set(wiring.retired_log_keys()) == set(old)
    assert not (world.home / "keys" / "next").exists()
    stated = {(each.kind, each.name) for each in governance.papers()}
    assert {("log_key_retired", f"{key.name}+{key.key_id.hex()}") for key in old} <= stated
    audited(wiring.book().latest().size)


def test_an_exchange_of_keys_cut_off_between_the_two_files_is_finished_by_doing_it_again(world):
    governor.announce_log_keys(10)
    keys = world.home / "keys"
    governor._sign_anew([governor.log_key(keys / "next" / name) for name in SEEDS])
    former = governor.log_key(keys / "log.ed25519").verifier
    (keys / "retired").mkdir()
    (keys / "retired" / f"log-{former.key_id.hex()}.pub").write_text(f"{former}\n")
    (keys / "next" / "log.ed25519").replace(keys / "log.ed25519")
    governor.use_next_log_keys(10)
    assert [governor.log_key(keys / name).verifier for name in SEEDS] == list(wiring.log_keys())
    assert len(wiring.retired_log_keys()) == 2
    audited(wiring.book().latest().size)


def test_keys_are_not_exchanged_before_they_were_announced_or_while_a_writer_runs(world):
    with pytest.raises(Refused, match=r"evidence\.no_next_log_keys"):
        governor.use_next_log_keys(1)
    governor.announce_log_keys(10)
    journal = FileJournal(world.home / "journal")
    journal.hold()
    with pytest.raises(Unavailable, match=r"ledger\.writer_running"):
        governor.use_next_log_keys(1)
    journal.release()


def test_keys_whose_announcement_waits_are_not_used(world, monkeypatch):
    monkeypatch.setattr(governor, "write_batch", lambda: False)
    outcome, _ = governor.announce_log_keys(0.3)
    assert not outcome.published
    with pytest.raises(Refused, match=r"evidence\.log_rotation_waits"):
        governor.use_next_log_keys(1)


def test_the_writer_starts_under_the_published_policy_after_its_files_were_lost(world):
    governor.add(CARDS, 10)
    governor.policy(RULE, 10, force=False, emergency=False)
    for name in ("policy", "history", "members"):
        path = wiring.consortium() / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    open_log().close()
    assert governor.shown()["rule"] == RULE
    assert len(governor.shown()["members"]) == 5
