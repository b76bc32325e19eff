"""Two who move the same rule at once, on either database: the second sees what the first did, and does not undo it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from world.patience import HANG

TESTS = Path(__file__).parents[2]
AT_ONCE = """
from chopmark.cli.home import use_platform
use_platform()
from dataclasses import replace
from uuid import UUID
from django.core.management import call_command
from django.db import connection, transaction
from chopmark.base import clock
from chopmark.people.actor import Actor
from chopmark.watch.actions.rules import count_rules, end_trial, publish_rule, shadow_rule
from chopmark.watch.models import RuleChange, RuleCount, RuleRow, RuleVersion
from chopmark.watch.rules.language import parse
from chopmark.watch.rules.rule import encode_rule
from world.market import NAMED, key
from world.races import race

for app in ("people", "evidence", "watch"):
    call_command("migrate", app, verbosity=0)
shop, now = UUID(int=2), clock.now()
by = Actor(user_id=1, organisation_id=shop, organisation_name="Shop", role="owner")
texts = [replace(NAMED, condition=parse(f"text_score >= {least}")) for least in (500, 400, 300)]
row = RuleRow.objects.create(organisation=shop, name="named", state="live", version=1, trial=2, changed_at=now)
for seq, each in enumerate(texts, 1):
    RuleVersion.objects.create(
        rule=row, seq=seq, text=encode_rule(each).decode(), sha256=bytes.fromhex(each.version), made_at=now
    )
connection.close()

def at_once(first, second):
    print(race(lambda pause: (first(), pause()), second))
    print(*RuleRow.objects.values_list("state", "version", "trial").get())
    connection.close()

def does(act, seq):
    return lambda: act("named", by=by, at=now, seq=seq)

def counts():
    with transaction.atomic():
        count_rules(shop, {key(texts[0]): (9, 1, 0), key(texts[1]): (9, 2, 0)}, at=now)

at_once(does(publish_rule, 2), does(end_trial, 2))
at_once(does(publish_rule, 1), does(shadow_rule, 1))
at_once(does(shadow_rule, 2), does(shadow_rule, 3))
at_once(does(publish_rule, 3), does(publish_rule, 2))
at_once(does(publish_rule, 1), counts)
print(*RuleChange.objects.order_by("pk").values_list("seq", "state"))
print(*RuleCount.objects.order_by("seq").values_list("seq", "fired"))
"""


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_what_two_do_with_a_rule_at_once_happens_one_after_the_other(database, request, tmp_path):
    (tmp_path / "keys").mkdir()
    environment = {**os.environ, "CHOPMARK_HOME": str(tmp_path), "NO_COLOR": "1", "PYTHONPATH": str(TESTS)}
    for name in ("DJANGO_SETTINGS_MODULE", "CHOPMARK_DATABASE_URL"):
        environment.pop(name, None)
    if database == "postgres":
        environment["CHOPMARK_DATABASE_URL"] = request.getfixturevalue("postgres_dsn")
    command = [sys.executable, "-c", AT_ONCE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 0, done.stderr
    *told, changes, counted = done.stdout.splitlines()
    assert told == [
        *("done watch.rule_no_trial", "live 2 None"),
        *("done watch.rule_is_live", "live 1 None"),
        *("done done", "live 1 3"),
        *("done done", "live 2 None"),
        *("done done", "live 1 None"),
    ]
    steps = [
        (2, "live"),
        (1, "live"),
        (2, "shadow"),
        (2, "ended"),
        (3, "shadow"),
        (3, "live"),
        (2, "live"),
        (1, "live"),
    ]
    assert changes == " ".join(map(str, steps))
    assert counted == "(1, 1) (2, 2)"
