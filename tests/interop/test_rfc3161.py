"""rfc3161-client (of another author, in Rust) asks our time-stamp authority and believes it; it wants sorted sets."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from world.tsa import TsaWorld

from chopmark.ledger.timestamp import Request, Response, accept
from chopmark.ledger.tsa import answer

pytestmark = pytest.mark.interop

ASK = """
import sys
sys.path.append(sys.argv[1])
from rfc3161_client import TimestampRequestBuilder
sys.stdout.buffer.write(TimestampRequestBuilder().data(b"data").build().as_bytes())
"""
JUDGE = """
import json, sys
sys.path.append(sys.argv[1])
from cryptography import x509
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response
root = x509.load_pem_x509_certificate(open(sys.argv[2], "rb").read())
verifier = VerifierBuilder().add_root_certificate(root).build()
reply = decode_timestamp_response(open(sys.argv[3], "rb").read())
found = {}
for data in ("data", "date"):
    try:
        found[data] = verifier.verify_message(reply, data.encode())
    except VerificationError:
        found[data] = False
info = reply.tst_info
print(json.dumps({"found": found, "serial": str(info.serial_number), "policy": info.policy.dotted_string}))
"""


def _python(program, *arguments):
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


def test_it_asks_and_believes_our_answer(packages, tmp_path):
    world = TsaWorld()
    asked = Request.parse(_python(ASK, packages))
    (tmp_path / "root.pem").write_bytes(world.root.public_bytes(Encoding.PEM))
    reply = answer(asked.encode(), world.signer)
    (tmp_path / "reply").write_bytes(reply)
    judged = json.loads(_python(JUDGE, packages, tmp_path / "root.pem", tmp_path / "reply"))
    assert judged["found"] == {"data": True, "date": False}
    assert len(accept(reply, asked)) == len(Response.parse(reply).token)
