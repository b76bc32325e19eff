"""`chopmark watch decisions` saves what proves a decision; `chopmark watch prove` needs nothing else."""

from __future__ import annotations

from pathlib import Path

from chopmark.cli.app import build, run
from chopmark.watch.actions.review import Opinion, decide_hit
from chopmark.watch.actions.state_decisions import state_decisions


def test_decisions_are_saved_and_proven_without_home_or_platform(watch, market, tmp_path, capsys, monkeypatch):
    hit = market.hit()
    assert watch("decisions", hit.number) == (1, [])
    decide_hit(hit.number, Opinion(answer="dismiss", why="genuine"), by=market.jo.actor, at=market.world.now())
    status, [row] = watch("decisions", hit.number, "--save", str(tmp_path / "proofs"))
    assert (status, row["step"], row["by"], row["sheet"]) == (0, "dismiss", "marketplace", "")
    assert not list((tmp_path / "proofs").iterdir())
    state_decisions(clock=market.world.now)
    [row] = watch("decisions", hit.number, "--save", str(tmp_path / "proofs"))[1]
    market.world.publish()
    assert watch("decisions", hit.number, "--save", str(tmp_path / "proofs"))[1] == [row]
    proof, sheet = (str(tmp_path / "proofs" / f"{name}.json") for name in (f"{hit.number}-1", row["sheet"]))
    assert sorted(each.name for each in (tmp_path / "proofs").iterdir()) == sorted(
        f"{name}" for name in (f"{row['sheet']}.json", f"{row['sheet']}.json.tlog-proof", f"{hit.number}-1.json")
    )
    monkeypatch.setenv("CHOPMARK_HOME", str(tmp_path / "nowhere"))
    status, told = watch("prove", proof, sheet, mine=False)
    assert (status, told["sheet"], told["record"]["why"]) == (0, row["sheet"], "genuine")
    assert run(build(), ["watch", "prove", proof, sheet]) == 0
    assert "the marketplace" in capsys.readouterr().out
    spoiled = Path(proof).read_bytes().replace(b"genuine", b"licensed")
    Path(proof).write_bytes(spoiled)
    assert watch("prove", proof, sheet, mine=False) == (1, "watch.decision_proof_wrong")
    assert not (tmp_path / "nowhere").exists()
