"""Settings: read strictly, noted when wrong, never half taken."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from world.patience import HANG

from chopmark.site.config import Config, databases, prepare_home, read_config, read_secret_key

PROVIDER = {
    "id": "court-hz",
    "name": "杭州互联网法院",
    "server_url": "https://idp.example/realms/court",
    "client_id": "chopmark",
    "client_secret": "secret",
}

RIGHT = {
    "a base URL loses its last slash": (
        {"CHOPMARK_BASE_URL": "https://Chop.example:8443/"},
        "base_url",
        "https://chop.example:8443",
    ),
    "the origin follows the base URL": ({"CHOPMARK_BASE_URL": "https://chop.example"}, "origin", "chop.example/log"),
    "an origin of its own": ({"CHOPMARK_ORIGIN": "ledger.example/2026"}, "origin", "ledger.example/2026"),
    "sizes with units": ({"CHOPMARK_UPLOAD_LIMIT": "20 GB"}, "upload_limit", 20_000_000_000),
    "sizes in bytes": ({"CHOPMARK_UPLOAD_LIMIT": "1048576"}, "upload_limit", 1_048_576),
    "sign-up by invitation": ({"CHOPMARK_SIGNUP": "invite"}, "signup", "invite"),
    "a relay": ({"CHOPMARK_RELAY": "127.0.0.1:8020"}, "relay", ("127.0.0.1", 8020)),
    "a relay on IPv6": ({"CHOPMARK_RELAY": "[::1]:8020"}, "relay", ("::1", 8020)),
    "no relay": ({"CHOPMARK_RELAY": ""}, "relay", None),
    "an interval": ({"CHOPMARK_INTERVAL": "1.5"}, "interval", 1.5),
    "debug off by word": ({"CHOPMARK_DEBUG": "no"}, "debug", False),
    "storage": (
        {"CHOPMARK_WATCH_STORAGE": "s3://a/b/,https://c.example:9000,abfss://a@b.example/c"},
        "watch_storage",
        ("s3://a/b/", "https://c.example:9000", "abfss://a@b.example/c"),
    ),
    "clusters": (
        {"CHOPMARK_WATCH_CLUSTERS": "ray-head:6379, ray://10.0.0.5:10001"},
        "watch_clusters",
        ("ray-head:6379", "ray://10.0.0.5:10001"),
    ),
    "days of a scan's files": ({"CHOPMARK_WATCH_SCAN_DAYS": "30"}, "watch_scan_days", 30),
    "a scan's files for ever": ({"CHOPMARK_WATCH_SCAN_DAYS": "0"}, "watch_scan_days", 0),
    "hosts": ({"CHOPMARK_ALLOWED_HOSTS": "a.example, b.example"}, "allowed_hosts", ("a.example", "b.example")),
}

WRONG = {
    "a relative home": ({"CHOPMARK_HOME": "data"}, "chopmark.E001"),
    "a base URL without scheme": ({"CHOPMARK_BASE_URL": "chop.example"}, "chopmark.E002"),
    "a base URL with a path": ({"CHOPMARK_BASE_URL": "https://chop.example/app"}, "chopmark.E002"),
    "a base URL with a bad port": ({"CHOPMARK_BASE_URL": "https://chop.example:port"}, "chopmark.E002"),
    "an origin with a scheme": ({"CHOPMARK_ORIGIN": "https://chop.example/log"}, "chopmark.E003"),
    "an origin with a plus": ({"CHOPMARK_ORIGIN": "a+b"}, "chopmark.E003"),
    "an unknown database": ({"CHOPMARK_DATABASE_URL": "mysql://root@localhost/x"}, "chopmark.E004"),
    "a database without name": ({"CHOPMARK_DATABASE_URL": "postgresql://localhost/"}, "chopmark.E004"),
    "debug as a joke": ({"CHOPMARK_DEBUG": "maybe"}, "chopmark.E005"),
    "a host with a path": ({"CHOPMARK_ALLOWED_HOSTS": "a.example/b"}, "chopmark.E006"),
    "mail without sender": ({"CHOPMARK_EMAIL_URL": "smtp://mail.example"}, "chopmark.E007"),
    "mail by web": ({"CHOPMARK_EMAIL_URL": "https://mail.example/?from=a@b.example"}, "chopmark.E007"),
    "a provider with a part missing": ({"CHOPMARK_OIDC": '[{"id": "x"}]'}, "chopmark.E008"),
    "providers that are no JSON": ({"CHOPMARK_OIDC": "court"}, "chopmark.E008"),
    "a provider far away without https": (
        {"CHOPMARK_OIDC": json.dumps([PROVIDER | {"server_url": "http://idp.example"}])},
        "chopmark.E008",
    ),
    "two providers of one id": ({"CHOPMARK_OIDC": json.dumps([PROVIDER, PROVIDER])}, "chopmark.E008"),
    "a relay without a port": ({"CHOPMARK_RELAY": "127.0.0.1"}, "chopmark.E017"),
    "a relay on port nothing": ({"CHOPMARK_RELAY": "127.0.0.1:0"}, "chopmark.E017"),
    "a relay as an address": ({"CHOPMARK_RELAY": "https://chop.example:8020"}, "chopmark.E017"),
    "an interval of an hour": ({"CHOPMARK_INTERVAL": "3600"}, "chopmark.E018"),
    "an interval of nothing": ({"CHOPMARK_INTERVAL": "0"}, "chopmark.E018"),
    "an interval that is no number": ({"CHOPMARK_INTERVAL": "nan"}, "chopmark.E018"),
    "an interval in words": ({"CHOPMARK_INTERVAL": "soon"}, "chopmark.E018"),
    "a size in words": ({"CHOPMARK_UPLOAD_LIMIT": "much"}, "chopmark.E009"),
    "a size of nothing": ({"CHOPMARK_UPLOAD_LIMIT": "0"}, "chopmark.E009"),
    "a full-width size": ({"CHOPMARK_UPLOAD_LIMIT": "５"}, "chopmark.E009"),
    "sign-up for some": ({"CHOPMARK_SIGNUP": "friends"}, "chopmark.E010"),
    "a proxy by name": ({"CHOPMARK_TRUSTED_PROXIES": "proxy.example"}, "chopmark.E011"),
    "a model without a digest": ({"CHOPMARK_MEDIA_MODEL": "/model.onnx"}, "chopmark.E025"),
    "a model that is not there": ({"CHOPMARK_MEDIA_MODEL": f"{'0' * 64}:/none/model.onnx"}, "chopmark.E025"),
    "a model of another digest": ({"CHOPMARK_MEDIA_MODEL": f"{'0' * 64}:/dev/null"}, "chopmark.E025"),
    "a storage without a scheme": ({"CHOPMARK_WATCH_STORAGE": "bucket/a"}, "chopmark.E026"),
    "a storage of this machine": ({"CHOPMARK_WATCH_STORAGE": "file:///etc/"}, "chopmark.E026"),
    "a storage with a name and a password": ({"CHOPMARK_WATCH_STORAGE": "https://a:b@c.example/"}, "chopmark.E026"),
    "a cluster without a port": ({"CHOPMARK_WATCH_CLUSTERS": "ray-head"}, "chopmark.E027"),
    "a cluster over http": ({"CHOPMARK_WATCH_CLUSTERS": "http://ray-head:6379"}, "chopmark.E027"),
    "days before the scan": ({"CHOPMARK_WATCH_SCAN_DAYS": "-1"}, "chopmark.E028"),
    "days of centuries": ({"CHOPMARK_WATCH_SCAN_DAYS": "36501"}, "chopmark.E028"),
    "half a day": ({"CHOPMARK_WATCH_SCAN_DAYS": "0.5"}, "chopmark.E028"),
    "a network with host bits": ({"CHOPMARK_TRUSTED_PROXIES": "10.0.0.1/8"}, "chopmark.E011"),
}


def _read(tmp_path: Path, **environ: str):
    return read_config({"CHOPMARK_HOME": str(tmp_path), **environ})


@pytest.mark.parametrize("case", RIGHT)
def test_right(tmp_path, case):
    environ, name, value = RIGHT[case]
    config, problems = _read(tmp_path, **environ)
    assert (getattr(config, name), problems) == (value, ())


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_value_is_noted_and_its_default_stands_in(tmp_path, case):
    environ, number = WRONG[case]
    config, problems = _read(tmp_path, **environ)
    assert [problem.number for problem in problems] == [number]
    assert problems[0].hint.startswith(problems[0].setting)
    if number != "chopmark.E001":
        assert config == _read(tmp_path)[0]


def test_every_setting_has_a_number_a_form_and_help():
    metadata = [each.metadata for each in dataclasses.fields(Config)]
    assert len({each["number"] for each in metadata}) == len(metadata)
    for each in metadata:
        assert each["variable"].startswith("CHOPMARK_")
        assert each["form"]
        assert each["help"].endswith(".")


def test_the_environment_wins_over_the_file(tmp_path):
    (tmp_path / "config.toml").write_text('signup = "closed"\nupload_limit = 7\norigin = "kept.example/log"\n', "utf-8")
    config, problems = _read(tmp_path, CHOPMARK_SIGNUP="invite", CHOPMARK_BASE_URL="https://moved.example")
    assert problems == ()
    assert (config.signup, config.upload_limit, config.origin) == ("invite", 7, "kept.example/log")


@pytest.mark.parametrize("text", ['colour = "red"\n', "signup = \n", 'home = "/elsewhere"\n'])
def test_a_file_with_anything_unknown_is_noted(tmp_path, text):
    (tmp_path / "config.toml").write_text(text, "utf-8")
    assert [problem.number for problem in _read(tmp_path)[1]] == ["chopmark.E012"]


def test_providers_come_from_the_file(tmp_path):
    lines = ["[[oidc]]", *(f'{name} = "{value}"' for name, value in PROVIDER.items())]
    (tmp_path / "config.toml").write_text("\n".join(lines), "utf-8")
    config, problems = _read(tmp_path)
    assert problems == ()
    assert [provider.origin for provider in config.oidc] == ["https://idp.example"]


def test_secrets_are_not_shown(tmp_path):
    config, _ = _read(
        tmp_path,
        CHOPMARK_OIDC=json.dumps([PROVIDER]),
        CHOPMARK_EMAIL_URL="smtps://u:pass%40word@m.example/?from=a@b.example",
    )
    assert config.mail is not None
    assert (config.mail.password, config.mail.port, config.mail.tls) == ("pass@word", 465, "full")
    assert "pass@word" not in repr(config)
    assert "'secret'" not in repr(config)


def test_postgresql_is_read_from_one_url(tmp_path):
    config, _ = _read(tmp_path, CHOPMARK_DATABASE_URL="postgresql://me:p%40ss@db.example:6432/chop?sslmode=require")
    database = databases(config)
    assert (database["NAME"], database["USER"], database["PASSWORD"]) == ("chop", "me", "p@ss")
    assert (database["HOST"], database["PORT"], database["OPTIONS"]["sslmode"]) == ("db.example", "6432", "require")


def test_postgresql_is_durable_even_on_a_server_that_is_set_otherwise(postgres_dsn, tmp_path):
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET synchronous_commit = off")
    url = f"{postgres_dsn}&options=-c%20lock_timeout%3D9s"
    database = databases(_read(tmp_path, CHOPMARK_DATABASE_URL=url)[0])
    names = {"dbname": "NAME", "user": "USER", "host": "HOST", "port": "PORT"}
    with psycopg.connect(**{to: database[name] for to, name in names.items()}, **database["OPTIONS"]) as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
        assert connection.execute("SHOW lock_timeout").fetchone() == ("9s",)


def test_sqlite_is_durable(tmp_path):
    options = databases(_read(tmp_path)[0])["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in options["init_command"]
    assert "synchronous=FULL" in options["init_command"]


def test_init_keeps_what_is_there(tmp_path):
    config, _ = _read(tmp_path / "home", CHOPMARK_BASE_URL="https://first.example")
    prepare_home(config)
    key = read_secret_key(config)
    assert key is not None
    assert len(key) > 60
    assert config.secret_key_file.stat().st_mode & 0o777 == 0o600
    moved, _ = _read(tmp_path / "home", CHOPMARK_BASE_URL="https://second.example")
    prepare_home(moved)
    assert (moved.origin, read_secret_key(moved)) == ("first.example/log", key)


def test_settings_import_before_anything_is_initialised(tmp_path):
    environ = {**os.environ, "CHOPMARK_HOME": str(tmp_path / "new"), "DJANGO_SETTINGS_MODULE": "chopmark.site.settings"}
    done = subprocess.run(
        [sys.executable, "-m", "django", "check"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "chopmark.W001" in done.stderr


def test_a_server_refuses_to_start_with_a_wrong_setting(tmp_path):
    environ = {**os.environ, "CHOPMARK_HOME": str(tmp_path), "CHOPMARK_SIGNUP": "friends"}
    done = subprocess.run(
        [sys.executable, "-c", "import chopmark.site.wsgi"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert done.returncode != 0
    assert "chopmark.E010" in done.stderr
    assert "chopmark init" in done.stderr
