"""Ed25519 keys in a token, against SoftHSM2: what leaves it are signatures that everybody can check."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from world.ledger import AT
from world.node import never
from world.patience import HANG

from chopmark.ledger.checkpoint import Checkpoint, cosign, verify_signature
from chopmark.member.keys import KeyReader

LIBRARIES = [
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"),
    Path("/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so"),
]
LIBRARY = next((path for path in LIBRARIES if path.is_file()), None)
COMMAND = [sys.executable, "-m", "chopmark.site.command", "member"]

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        LIBRARY is None or shutil.which("softhsm2-util") is None, reason="SoftHSM2 is not on this machine (softhsm2)"
    ),
]


@pytest.fixture
def token(tmp_path, monkeypatch):
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path / 'tokens'}\nlog.level = ERROR\n")
    pin = tmp_path / "pin"
    pin.touch(mode=0o600)
    pin.write_text("123456\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm2.conf"))
    monkeypatch.setenv("CHOPMARK_MEMBER_PIN_FILE", str(pin))
    made = ["--init-token", "--free", "--label", "court", "--so-pin", "0000", "--pin", "123456"]
    subprocess.run(["softhsm2-util", *made], check=True, capture_output=True, timeout=HANG)
    return tmp_path


def member(*arguments, **more):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=os.environ | more,
        check=False,
        capture_output=True,
        text=True,
        timeout=HANG,
    )


def init(home):
    names = ("--name", "hangzhou", "--kind", "court", "--zh", "杭州互联网法院", "--en", "Hangzhou Internet Court")
    return member("init", *names, "--home", home, "--token-library", LIBRARY, "--token-label", "court", "--json")


SIGN = """
import sys
from pathlib import Path
from chopmark.member.keys import KeyReader
key = KeyReader(lambda: b"").read(Path(sys.argv[1]))
sys.stdout.buffer.write(key.sign(sys.stdin.buffer.read()))
"""


def test_a_member_may_keep_its_ed25519_keys_in_a_token(token):
    home = token / "home"
    made = init(home)
    assert made.returncode == 0, made.stderr
    again = init(token / "second")
    assert json.loads(again.stderr)["code"] == "member.token_key_taken"
    keys = {path.name: path.read_text() for path in (home / "keys").iterdir()}
    assert {name for name, text in keys.items() if "PRIVATE" in text} == {"witness-mldsa44", "mirror-mldsa44"}

    from chopmark.member.pkcs11 import TokenKey  # noqa: PLC0415 (an optional package)

    signers = KeyReader(never).all(home / "keys")
    checkpoint = Checkpoint(origin="log.test", size=1, root=bytes(32))
    for signer in signers.values():
        signature = cosign(checkpoint, signer, AT)
        assert verify_signature(checkpoint, signature, signer.verifier).key == signer.verifier
    in_token = {file for file, signer in signers.items() if isinstance(signer, TokenKey)}
    assert in_token == {"witness-ed25519", "mirror-ed25519", "node"}

    rotation = member("rotate", "--home", home, "--json")
    assert rotation.returncode == 0, rotation.stderr
    further = KeyReader(never).all(home / "keys" / "next")
    assert {file for file, signer in further.items() if isinstance(signer, TokenKey)} == in_token
    assert not {key.verifier.public for key in further.values()} & {key.verifier.public for key in signers.values()}

    other = subprocess.run(
        [sys.executable, "-c", SIGN, str(home / "keys" / "node")],
        input=b"message",
        check=True,
        capture_output=True,
        timeout=HANG,
    )
    signers["node"].verifier.verify(other.stdout, b"message")

    wrong = token / "wrong"
    wrong.touch(mode=0o600)
    wrong.write_text("999999\n")
    refused = member("serve", "--home", home, "--json", CHOPMARK_MEMBER_PIN_FILE=str(wrong))
    assert (refused.returncode, "member.pin_wrong" in refused.stderr) == (78, True)

    document = json.loads(keys["node"])
    (home / "keys" / "node").write_text(json.dumps(document | {"token": "nowhere"}))
    refused = member("serve", "--home", home, "--json")
    assert (refused.returncode, "member.token_missing" in refused.stderr) == (78, True)

    (home / "keys" / "node").write_text(json.dumps(document | {"object": json.loads(keys["mirror-ed25519"])["object"]}))
    refused = member("serve", "--home", home, "--json")
    assert (refused.returncode, "member.token_key_missing" in refused.stderr) == (78, True)
