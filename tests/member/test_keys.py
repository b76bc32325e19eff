"""Key files: readable by their owner alone, under a passphrase where wanted, and never another key than it says."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from world.node import never

from chopmark.base.errors import Invalid, PlatformError, Refused
from chopmark.ledger.text import parse_base64, to_base64
from chopmark.member.keyfiles import ROLES
from chopmark.member.keys import KeyReader, find_passphrase, is_sealed, new_key, seal

PASSPHRASE = "正确的马电池钉书钉".encode()


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(descriptor, content)
        os.close(descriptor)
    return folder


@pytest.fixture
def made():
    return {file: new_key("court.test", file) for file in ROLES}


@pytest.fixture
def sealed(made, tmp_path):
    return write(tmp_path, seal(made, PASSPHRASE))


def test_keys_in_the_clear_need_no_passphrase(made, tmp_path):
    write(tmp_path, {file: (key.text() + "\n").encode() for file, key in made.items()})
    assert KeyReader(never).all(tmp_path) == made


def test_sealed_keys_open_with_their_passphrase_asked_for_once(made, sealed):
    asked = []

    def ask():
        asked.append(1)
        return PASSPHRASE

    assert KeyReader(ask).all(sealed) == made
    assert asked == [1]
    assert is_sealed(sealed / "node")


def test_nothing_of_a_secret_stands_in_a_sealed_file(made, sealed):
    for file, key in made.items():
        content = (sealed / file).read_bytes()
        assert "PRIVATE+KEY" not in content.decode()
        assert key.seed not in content
        assert to_base64(key.seed).encode()[:20] not in content


def test_a_wrong_passphrase_is_refused(sealed):
    with pytest.raises(Refused) as error:
        KeyReader(lambda: b"wrong").all(sealed)
    assert error.value.code == "member.passphrase_wrong"


def test_a_sealed_key_cannot_be_put_under_another_name(sealed):
    node, witness = (json.loads((sealed / file).read_text()) for file in ("node", "witness-ed25519"))
    (sealed / "node").write_text(json.dumps(node | {"vkey": witness["vkey"]}))
    with pytest.raises(PlatformError) as error:
        KeyReader(lambda: PASSPHRASE).read(sealed / "node")
    assert error.value.code in {"member.passphrase_wrong", "member.key_malformed"}


def test_a_key_of_another_role_in_a_file_is_refused(sealed):
    (sealed / "mirror-ed25519").write_bytes((sealed / "witness-ed25519").read_bytes())
    with pytest.raises(Invalid) as error:
        KeyReader(lambda: PASSPHRASE).read(sealed / "mirror-ed25519")
    assert error.value.code == "member.key_malformed"


@how(max_examples=10, deadline=None)
@given(data=st.data())
def test_a_sealed_file_with_any_bit_changed_is_refused(tmp_path_factory, data):
    folder = write(tmp_path_factory.mktemp("keys"), seal({"node": new_key("court.test", "node")}, b"x"))
    document = json.loads((folder / "node").read_text())
    name = data.draw(st.sampled_from(["salt", "nonce", "sealed"]))
    raw = bytearray(parse_base64(document[name]))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (folder / "node").write_text(json.dumps(document | {name: to_base64(bytes(raw))}))
    with pytest.raises(PlatformError):
        KeyReader(lambda: b"x").read(folder / "node")


STRANGE = {
    "nothing": b"",
    "half a key": b"PRIVATE+KEY+court.test/node+",
    "a list": b"[]",
    "another form": b'{"form": "chopmark-sealed-key-9"}',
    "no text": b"\xff\xfe",
    "too deep": b"[" * 5000,
    "too long": b" " * 70_000,
}


@pytest.mark.parametrize("content", STRANGE.values(), ids=STRANGE)
def test_what_is_no_key_is_refused(tmp_path, content):
    write(tmp_path, {"node": content})
    with pytest.raises(Invalid) as error:
        KeyReader(never).read(tmp_path / "node")
    assert error.value.code == "member.key_malformed"


COSTS = {"n": 3, "r": 1 << 20, "p": 1000}


@pytest.mark.parametrize("name", COSTS)
def test_a_file_cannot_make_opening_it_expensive(sealed, name):
    document = json.loads((sealed / "node").read_text())
    (sealed / "node").write_text(json.dumps(document | {name: COSTS[name]}))
    with pytest.raises(Invalid):
        KeyReader(never).read(sealed / "node")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_key_that_others_can_reach_is_refused(sealed, mode):
    (sealed / "node").chmod(mode)
    with pytest.raises(Refused) as error:
        KeyReader(lambda: PASSPHRASE).read(sealed / "node")
    assert error.value.code == "member.key_open"


def test_a_missing_key_says_which(sealed):
    (sealed / "node").unlink()
    with pytest.raises(Refused) as error:
        KeyReader(lambda: PASSPHRASE).all(sealed)
    assert (error.value.code, error.value.facts["path"]) == ("member.key_missing", str(sealed / "node"))


# ---- where a passphrase comes from ----------------------------------------------------------------------------------


def test_the_named_file_wins_over_the_variable_and_that_over_the_credential(tmp_path, monkeypatch):
    write(tmp_path, {"a": b"one\n", "b": b"two\n", "member-passphrase": b"three\n"})
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert find_passphrase(None, None) == b"three"
    monkeypatch.setenv("CHOPMARK_MEMBER_PASSPHRASE_FILE", str(tmp_path / "b"))
    assert find_passphrase(None, None) == b"two"
    assert find_passphrase(tmp_path / "a", None) == b"one"


def test_without_a_passphrase_nobody_waits(monkeypatch):
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(Refused) as error:
        find_passphrase(None, None)
    assert error.value.code == "member.passphrase_missing"


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * 1025])
def test_a_passphrase_has_a_length(tmp_path, content):
    write(tmp_path, {"p": content})
    with pytest.raises(Invalid):
        find_passphrase(tmp_path / "p", None)


def test_a_passphrase_file_that_others_can_read_is_refused(tmp_path):
    write(tmp_path, {"p": b"secret"})
    (tmp_path / "p").chmod(0o644)
    with pytest.raises(Refused):
        find_passphrase(tmp_path / "p", None)


@pytest.mark.parametrize(
    "change",
    [
        {"n": 1 << 20, "r": 1},
        {"n": 1 << 16, "r": 1},
        {"n": 2, "r": 1 << 19, "p": 4},
        {"n": True},
        {"n": 32768.0},
        {"n": "32768"},
        {"p": 5},
        {"p": 0},
        {"vkey": None},
        {"vkey": 5},
        {"salt": 5},
        {"nonce": []},
    ],
    ids=str,
)
def test_a_hostile_key_file_costs_nothing_and_is_refused_by_its_code(sealed, change):
    document = json.loads((sealed / "node").read_text())
    (sealed / "node").write_text(json.dumps(document | change))
    asked: list[str] = []

    def ask() -> bytes:
        asked.append("the passphrase")
        return PASSPHRASE

    with pytest.raises(Invalid) as error:
        KeyReader(ask).read(sealed / "node")
    assert error.value.code == "member.key_malformed"
    assert not asked  # what costs memory and time begins with the passphrase


def test_an_infinite_cost_is_refused(sealed):
    text = (sealed / "node").read_text().replace('"n": 32768', '"n": 1e400')
    (sealed / "node").write_text(text)
    with pytest.raises(Invalid, match=r"member\.key_malformed"):
        KeyReader(lambda: PASSPHRASE).read(sealed / "node")
