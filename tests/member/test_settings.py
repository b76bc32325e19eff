"""`member.toml` is read strictly, printed back as it was, and never loses a key."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world.ledger import ORIGIN, VERIFIERS
from world.node import settings
from world.patience import HANG

from chopmark.base.errors import Invalid, PlatformError, Refused
from chopmark.ledger.keys import ED25519, SigningKey
from chopmark.member.settings import LogSettings, MemberHome, Settings, held, parse_listen

TITLES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=40)


def test_settings_print_back():
    assert Settings.parse(settings().encode()) == settings()


@given(zh=TITLES, en=TITLES, port=st.integers(0, 65_535), interval=st.integers(1, 86_400))
def test_any_titles_print_back(zh, en, port, interval):
    made = Settings(
        name="a", kind="court", zh=zh, en=en, id="a.test", host="::1", port=port, url=None, interval=float(interval)
    )
    assert Settings.parse(made.encode()) == made


WRONG = {
    "no TOML": ("name", "= name"),
    "an unknown name": ('kind = "court"', 'kind = "court"\nlisten_more = true'),
    "a missing name": ('zh = "杭州互联网法院"', ""),
    "a number for a text": ('kind = "court"', "kind = 1"),
    "an interval of nothing": ("interval = 0.2", "interval = 0"),
    "a port too large": ("127.0.0.1:0", "127.0.0.1:65536"),
    "an address that is none": ('url = "http://court.test"', 'url = "file:///etc"'),
    "a log's unknown name": ("[[log]]", "[[log]]\ntrust = true"),
    "a log without keys": ("keys = [", "keys = []\n#"),
    "an id with a space": ("court-hangzhou.test", "court hangzhou.test"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_wrong_settings_are_refused(wrong):
    text = settings().encode().decode()
    assert wrong[0] in text
    with pytest.raises(PlatformError):
        Settings.parse(text.replace(*wrong).encode())


@pytest.mark.parametrize("host", ["::", "10.0.0.1", "8.8.8.8", "court.test"])
def test_a_node_without_an_address_for_others_listens_on_its_own_machine_alone(host):
    with pytest.raises(Invalid, match=r"member\.listen_open"):
        replace(settings(url=None), host=host)
    assert replace(settings(), host=host).host == host
    for own in ("127.0.0.1", "::1", "localhost"):
        assert replace(settings(url=None), host=own).url is None


@pytest.mark.parametrize("text", ["", "8101", "host:", ":8101", "a b:1", "[::1]", "::1:80", "h:99999", "h:1\n"])
def test_a_listening_address_is_a_host_and_a_port(text):
    with pytest.raises(Invalid):
        parse_listen(text)


def test_a_log_named_again_keeps_its_old_keys():
    more = SigningKey(name=ORIGIN, type=ED25519, seed=b"\x55" * 32).verifier
    changed = settings().with_log(LogSettings(origin=ORIGIN, keys=(more,), url="https://new.test/log"))
    assert changed.logs[0].keys == (*VERIFIERS, more)
    assert changed.logs[0].url == "https://new.test/log"
    assert changed.logs[0].platform == settings().logs[0].platform


def test_a_key_under_another_name_is_not_the_logs():
    with pytest.raises(Invalid):
        LogSettings(origin="other.test", keys=tuple(VERIFIERS), url="https://a.test")


def test_a_home_that_is_none_says_so(tmp_path):
    with pytest.raises(Refused) as error:
        MemberHome(tmp_path / "nothing").settings()
    assert error.value.code == "member.home_missing"
    with pytest.raises(Refused), held(MemberHome(tmp_path / "nothing")):
        pass


def test_a_home_is_held_by_one_process_at_a_time(tmp_path):
    home = MemberHome(tmp_path)
    other = (
        "import sys\nfrom chopmark.member.settings import MemberHome, held\n"
        "with held(MemberHome(sys.argv[1])):\n    pass\n"
    )
    with held(home):
        second = subprocess.run(
            [sys.executable, "-c", other, str(tmp_path)], check=False, capture_output=True, text=True, timeout=HANG
        )
        assert "member.running" in second.stderr
    assert subprocess.run([sys.executable, "-c", other, str(tmp_path)], check=False, timeout=HANG).returncode == 0
