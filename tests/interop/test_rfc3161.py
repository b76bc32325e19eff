"""rfc3161-client (of another author, in Rust) asks our time-stamp authority and believes it; it wants sorted sets."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import zipfile

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from world.data import REPOSITORY
from world.patience import HANG
from world.tsa import TsaWorld

from chopmark.ledger.timestamp import GRANTED, Request, Response, accept
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


def _python(program, *arguments, said=b""):
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, input=said, capture_output=True, check=True, timeout=HANG).stdout


BUNDLE = REPOSITORY / "tests" / "corpus" / "bundles" / "nothing-is-wrong.asice"
TRUST = BUNDLE.with_name("all.trust.json")
JUDGE_OF_BUNDLES = """
import json, sys
sys.path.append(sys.argv[1])
from cryptography import x509
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response
read = lambda path: open(path, "rb").read()
found = []
for work in json.load(sys.stdin):
    builder = VerifierBuilder()
    for root in work["roots"]:
        builder = builder.add_root_certificate(x509.load_der_x509_certificate(read(root)))
    try:
        found.append(builder.build().verify_message(decode_timestamp_response(read(work["reply"])), read(work["data"])))
    except VerificationError:
        found.append(False)
print(json.dumps(found))
"""


def test_it_asks_and_believes_our_answer(packages, tmp_path):
    world = TsaWorld()
    asked = Request.parse(_python(ASK, packages))
    (tmp_path / "root.pem").write_bytes(world.root.public_bytes(Encoding.PEM))
    reply = answer(asked.encode(), world.signer)
    (tmp_path / "reply").write_bytes(reply)
    judged = json.loads(_python(JUDGE, packages, tmp_path / "root.pem", tmp_path / "reply"))
    assert judged["found"] == {"data": True, "date": False}
    assert len(accept(reply, asked)) == len(Response.parse(reply).token)


def _tokens():
    """Each time-stamp of the bundle, as an answer of an authority, and the manifest that it was given over."""
    with zipfile.ZipFile(BUNDLE) as archive:
        for name in archive.namelist():
            if name.startswith("META-INF/ASiCManifest"):
                manifest = archive.read(name)
                [over] = re.findall(rb'SigReference URI="([^"]+)"', manifest)
                if over.endswith(b".tst"):
                    yield Response(status=GRANTED, failure="", token=archive.read(over.decode())).encode(), manifest


def test_it_believes_each_token_of_a_bundle_for_its_manifest_and_its_root_alone(packages, tmp_path):
    roots = {}
    for each in json.loads(TRUST.read_text("utf-8"))["roots"]:
        if each["use"] == "tsa":
            roots[each["name"]] = tmp_path / f"{each['name']}.crt"
            roots[each["name"]].write_bytes(base64.b64decode(each["certificate"]))
    tried, jobs = [], []
    for number, (reply, manifest) in enumerate(_tokens()):
        answer_of, whole, changed = (tmp_path / f"{number}.{kind}" for kind in ("reply", "whole", "changed"))
        answer_of.write_bytes(reply)
        whole.write_bytes(manifest)
        changed.write_bytes(manifest.replace(b"custody", b"Custody", 1))
        for data, given in ((whole, [*roots]), (changed, [*roots]), *((whole, [name]) for name in roots)):
            tried.append((number, data.suffix, given))
            jobs.append({"reply": str(answer_of), "data": str(data), "roots": [str(roots[name]) for name in given]})
    found = json.loads(_python(JUDGE_OF_BUNDLES, packages, said=json.dumps(jobs).encode()))
    believed = [each for each, yes in zip(tried, found, strict=True) if yes]
    both, (own, other) = [*roots], ([name] for name in roots)
    assert len(tried) == 8
    assert believed in (
        [(0, ".whole", both), (0, ".whole", own), (1, ".whole", both), (1, ".whole", other)],
        [(0, ".whole", both), (0, ".whole", other), (1, ".whole", both), (1, ".whole", own)],
    )
