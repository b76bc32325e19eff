"""`chopmark right import` and `chopmark office fetch` as an operator types them."""

from __future__ import annotations

import json
import threading

import pytest

from chopmark.cli import embedded
from chopmark.cli.app import build, run
from chopmark.rights.connectors.simulator import CLIENT_ID, CLIENT_SECRET, make
from chopmark.rights.models import OfficeRecord
from chopmark.rights.models import Right as RightRow

TABLE = "商标,注册局,注册号,权利人,类别\n红灯笼,CN,10000001,宁波灯笼有限公司,11\n青灯笼,CN,,宁波灯笼有限公司,11\n"


@pytest.fixture
def typed(world, mei, monkeypatch, capsys):
    monkeypatch.setenv("CHOPMARK_HOME", str(world.home))
    monkeypatch.setattr(embedded, "choose", lambda _: mei.actor)

    def call(*arguments):
        status = run(build(), arguments)
        return status, capsys.readouterr()

    return call


def test_a_file_is_looked_at_and_then_filed(world, typed, tmp_path):
    file = tmp_path / "marks.csv"
    file.write_text(TABLE)
    status, said = typed("right", "import", str(file), "--dry-run", "--json")
    assert (status, json.loads(said.out)["good"], RightRow.objects.count()) == (1, 1, 0)
    status, said = typed("right", "import", str(file))
    assert status == 1
    assert "R-2026-000001" in said.out
    assert RightRow.objects.count() == 1
    status, said = typed("right", "import", str(file), "--json")
    [row] = json.loads(said.out)["rows"]
    assert (row["outcome"], row["problems"][-1]["code"]) == ("refused", "rights.already_filed")


def test_a_file_that_is_not_there_is_said(typed, tmp_path):
    status, said = typed("right", "import", str(tmp_path / "none.csv"))
    assert status != 0
    assert "none.csv" in said.err


def test_an_office_is_asked_with_the_operators_keys(world, typed):
    server, _ = make()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    (world.home / "offices.toml").write_text(
        f'[euipo]\nclient_id = "{CLIENT_ID}"\nclient_secret = "{CLIENT_SECRET}"\n'
        f'api = "{address}/trademark-search"\ntoken = "{address}/oidc/accessToken"\n'
    )
    try:
        status, said = typed("office", "fetch", "em", "018123456")
        assert (status, OfficeRecord.objects.count()) == (1, 0)
        assert "simulator" in said.err
        status, said = typed("office", "fetch", "em", "018123456", "--simulated")
        assert (status, OfficeRecord.objects.count()) == (0, 1)
        assert "RED LANTERN" in said.out
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
