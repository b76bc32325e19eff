"""What programs that we did not write say of a capture: py-wacz and warcio."""

from __future__ import annotations

import gzip
import re
import sys
import zipfile

import pytest
from interop.foreign import call
from world.browser import CHROMIUM
from world.shop import Shop

from chopmark.evidence.capture.engine import capture
from chopmark.evidence.capture.request import Limits, Request, Station

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]

WACZ = "import sys; sys.path.append(sys.argv[1]); from wacz.main import main; sys.exit(main(sys.argv[2:]))"


@pytest.fixture(scope="module")
def captured(tmp_path_factory):
    """The archive of the shop's first page, and the page's address; nobody answers there any more."""
    out = tmp_path_factory.mktemp("captured") / "c"
    with Shop() as shop:
        station = Station(allow=frozenset({shop.door}), resolvers=("127.0.0.1:9",))
        made = capture(Request(url=shop.url + "/", limits=Limits(seconds=40, scrolls=3)), out, station=station)
    assert (made.complete, made.reasons) == (True, ())
    return out / "page.wacz", shop.url + "/"


@pytest.fixture(scope="module")
def archive(captured, tmp_path_factory):
    """The WARC of the capture, as it is and with one word of the page changed."""
    folder = tmp_path_factory.mktemp("archive")
    with zipfile.ZipFile(captured[0]) as container:
        names = [name for name in container.namelist() if name.startswith("archive/")]
        assert names == ["archive/data.warc.gz"]
        data = container.read(names[0])
    whole, altered = folder / "data.warc.gz", folder / "altered.warc"
    whole.write_bytes(data)
    plain = gzip.decompress(data)
    assert plain.count(b"Tea caddy 8") == 1
    altered.write_bytes(plain.replace(b"Tea caddy 8", b"Tea caddy 9"))
    return whole, altered


def validate(packages, wacz):
    return call(sys.executable, "-c", WACZ, packages, "validate", "-f", wacz)


def warcio_check(path):
    return call(sys.executable, "-m", "warcio.cli", "check", "-v", path)


def test_py_wacz_finds_the_archive_valid(packages, captured):
    status, said = validate(packages, captured[0])
    assert (status, "the passed WACZ is valid" in said) == (0, True), said


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("pages/pages.jsonl", b"Riverside", b"Riverlane"),
        ("indexes/index.cdx.gz", b"\x1f\x8b\x08", b"\x1f\x8b\x09"),
        ("datapackage.json", b"Riverside", b"Riverlane"),
    ],
)
def test_py_wacz_finds_an_archive_with_a_changed_file_not_valid(packages, captured, tmp_path, name, old, new):
    changed = tmp_path / "changed.wacz"
    with zipfile.ZipFile(captured[0]) as before, zipfile.ZipFile(changed, "w") as after:
        for each in before.infolist():
            data = before.read(each)
            assert each.filename != name or old in data
            after.writestr(each, data.replace(old, new, 1) if each.filename == name else data)
    status, said = validate(packages, changed)
    assert (status, "the passed WACZ is valid" in said) == (1, False), said


def test_warcio_finds_every_digest_of_the_archive_right(archive):
    status, said = warcio_check(archive[0])
    assert status == 0, said
    assert said.count("digest pass") == said.count("WARC-Record-ID") > 20


def test_warcio_finds_the_digest_of_a_changed_answer_wrong(archive):
    status, said = warcio_check(archive[1])
    assert (status, len(re.findall("payload digest failed", said))) == (1, 1), said
