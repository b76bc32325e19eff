"""The recipe that is printed in README.txt works, with nothing but openssl, unzip and sh."""

from __future__ import annotations

import io
import re
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from world.bundles import BUNDLE, Tokens, built, unpacked
from world.patience import HANG
from world.tsa import AT, TsaWorld

from chopmark.evidence.bundle.build import add_signature
from chopmark.evidence.bundle.readme import readme
from chopmark.evidence.sealing import Seal, make_seal


def commands() -> str:
    """Every command in the text, in order."""
    text = readme(BUNDLE).decode().partition("3  OpenSSL")[2]
    return "\n".join(line[4:] for line in text.split("\n") if line.startswith("    "))


@pytest.fixture(scope="module")
def sealed(tmp_path_factory) -> tuple[Path, bytes]:
    """A folder with seal.pem, tsa.pem and a bundle signed by a platform and then by a notary."""
    folder = tmp_path_factory.mktemp("sealed")
    made = AT - timedelta(days=1)
    seals = []
    for name in ("platform", "notary"):
        (folder / name).mkdir()
        seals.append(Seal.load(make_seal(folder / name, name, made), [Tokens()], lambda: AT))
    out = io.BytesIO()
    _, first = built(seal=seals[0], stampers=[Tokens(), Tokens("second", own=False)])
    add_signature(io.BytesIO(first), out, seals[1], [Tokens()])
    roots = [x509.load_der_x509_certificate(each.card().root).public_bytes(Encoding.PEM) for each in seals]
    (folder / "seal.pem").write_bytes(b"".join(roots))
    TsaWorld().root_file(folder).rename(folder / "tsa.pem")
    return folder, out.getvalue()


def follow(sealed, tmp_path: Path, change=None) -> str:
    """What a judge sees who types all of it; `change` meddles with the unpacked files."""
    trusted, bundle = sealed
    for name in ("seal.pem", "tsa.pem"):
        (tmp_path / name).write_bytes((trusted / name).read_bytes())
    (tmp_path / f"{BUNDLE}.asice").write_bytes(bundle)
    unpack, rest = commands().split(f"cd {BUNDLE}\n")
    subprocess.run(["sh", "-c", unpack], cwd=tmp_path, check=True, timeout=HANG)
    folder = tmp_path / BUNDLE
    if change is not None:
        change(folder)
    done = subprocess.run(
        ["sh", "-c", rest],
        cwd=folder,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=HANG,
    )
    return done.stdout


def flip(path: str):
    def change(folder: Path) -> None:
        data = bytearray((folder / path).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / path).write_bytes(data)

    return change


def plant(path: str):
    return lambda folder: (folder / path).write_bytes(b"planted")


def remove(path: str):
    return lambda folder: (folder / path).unlink()


def spoil_tokens_inside(path: str):
    """Changes the time in every token inside a signature, which `openssl cms` does not notice."""

    def change(folder: Path) -> None:
        data = (folder / path).read_bytes()
        assert data.count(b"20261122093000Z") == 1
        (folder / path).write_bytes(data.replace(b"20261122093000Z", b"20261121093000Z"))

    return change


def test_a_good_bundle_passes_every_step(sealed, tmp_path):
    said = follow(sealed, tmp_path)
    assert "WRONG" not in said
    assert said.count("Verification: OK") == 2 + 3, said
    assert said.count("Time stamp: Nov 22 09:30:00 2026 GMT") == 2 + 3
    assert len(re.findall(r"CMS Verification successful", said)) == 2
    assert "FAILED" not in said
    assert "error" not in said.lower().replace("verification: ok", "")


def test_the_recipe_names_every_file_that_was_meddled_with(sealed, tmp_path):
    def meddle(folder: Path) -> None:
        flip("evidence/002-invoice/invoice.pdf")(folder)
        flip("manifest.json")(folder)
        plant("evidence/extra.pdf")(folder)
        remove("evidence/001-listing/empty.txt")(folder)

    said = follow(sealed, tmp_path, meddle)
    assert set(re.findall(r"WRONG.*", said)) == {
        "WRONG: evidence/002-invoice/invoice.pdf",
        "WRONG: manifest.json",
        "WRONG, not in both lists: evidence/extra.pdf",
        "WRONG: evidence/001-listing/empty.txt",
        "WRONG, not in both lists: evidence/001-listing/empty.txt",
    }


def test_the_recipe_finds_every_proof_that_was_meddled_with(sealed, tmp_path):
    def meddle(folder: Path) -> None:
        flip("META-INF/ASiCManifest004.xml")(folder)
        flip("META-INF/ASiCManifest002.xml")(folder)
        flip("META-INF/timestamp002.tst")(folder)
        spoil_tokens_inside("META-INF/signature001.p7s")(folder)

    said = follow(sealed, tmp_path, meddle)
    inside, _, rest = said.partition("META-INF/signature001.p7s over")
    signatures, _, tokens = rest.partition("META-INF/timestamp001.tst over")
    assert (inside.count("Verification: FAILED"), inside.count("Verification: OK")) == (1, 1)
    # openssl cms does not see what is wrong inside the first.
    assert re.findall("CMS Verification (.*)", signatures) == ["successful", "failure"]
    assert (tokens.count("Verification: FAILED"), tokens.count("Verification: OK")) == (2, 1)


def test_another_root_of_the_same_name_does_not_do(sealed, tmp_path):
    (tmp_path / "forger").mkdir()
    forger = Seal.load(make_seal(tmp_path / "forger", "platform", AT - timedelta(days=1)), [Tokens()], lambda: AT)
    _, bundle = built(seal=forger, stampers=[Tokens()])
    said = follow((sealed[0], bundle), tmp_path)
    assert "successful" not in said
    assert "Verification failure" in said


def test_a_signature_without_a_time_is_called_wrong(sealed, tmp_path):
    timeless = Seal.load(next(iter((sealed[0] / "platform").rglob("signer.pem"))).parent, [], lambda: AT)
    _, bundle = built(seal=timeless, stampers=[Tokens()])
    assert "WRONG: META-INF/signature001.p7s has no time-stamp" in follow((sealed[0], bundle), tmp_path)


def test_the_text_is_the_one_that_was_signed(sealed, tmp_path):
    assert (unpacked(sealed[1], tmp_path) / "README.txt").read_bytes() == readme(BUNDLE)
