"""Two who change the same hits at once, on PostgreSQL: the second sees what the first did, none waits in a circle."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from world.patience import HANG

from chopmark.base import clock

TESTS = Path(__file__).parents[2]
AT_ONCE = """
from chopmark.cli.home import use_platform
use_platform()
from uuid import UUID
from django.core.management import call_command
from django.db import transaction
from chopmark.base import clock
from chopmark.watch import listing
from chopmark.watch.actions import common, measure
from chopmark.watch.actions.keep import Judged, keep
from chopmark.watch.features import row as features
from chopmark.watch.gateway import Answer
from chopmark.watch.judge import Decided, Verdict
from chopmark.watch.models import Hit, Marketplace, Measure, Seller
from world.races import race

for app in ("evidence", "watch"):
    call_command("migrate", app, verbosity=0)
shop, now = UUID(int=2), clock.now()
market = Marketplace.objects.create(name="demo", title="Demo", organisation=shop, made_at=now, fetches=True)

def judged(item):
    said = {"item": item, "version": 1, "seller": "s", "title": "lamp"}
    verdict = Verdict(right="r", number="R", organisation="", row=features({}), decided=Decided(measure="review"))
    return Judged(listing=listing.clean(said, marketplace="demo"), verdicts=(verdict,))

def kept():
    with transaction.atomic():
        return keep(market, [judged("1")], marks="", at=now, source="reverse")

print(race(lambda pause: (kept(), pause()), kept))
print(Hit.objects.count(), *Hit.objects.values_list("number", flat=True))

hit = Hit.objects.select_related("marketplace").get()
asked = measure.ask(hit, "hold", reason="", by=common.THE_RULES, at=now)
hit.save()

def decided(pause):
    mine = Hit.objects.select_for_update(of=("self",)).select_related("marketplace").get(pk=hit.pk)
    pause()
    measure.take_back(mine, by=common.THE_RULES, at=clock.now())
    mine.save()

def answered():
    measure._over(asked, Answer(key=asked.key, state="done"), None, by=common.THE_RULES, at=now)

print(race(decided, answered))
print(*Measure.objects.order_by("pk").values_list("kind", "state"))

Seller.objects.create(marketplace=market, number="s", seen_at=now)
with transaction.atomic():
    keep(market, [judged("2")], marks="", at=now, source="reverse")

def confirmed(item):
    mine = Hit.objects.select_for_update().get(item=item)
    mine.state = "confirmed"
    mine.save()
    common.recount([mine])

def second():
    with transaction.atomic():
        confirmed("2")

print(race(lambda pause: (confirmed("1"), pause()), second))
print(Seller.objects.get().confirmed)
"""


def test_two_workers_make_one_hit_lock_in_one_order_and_count_each_other(postgres_dsn, tmp_path):
    (tmp_path / "keys").mkdir()
    environment = {**os.environ, "CHOPMARK_HOME": str(tmp_path), "NO_COLOR": "1", "PYTHONPATH": str(TESTS)}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    environment["CHOPMARK_DATABASE_URL"] = postgres_dsn
    command = [sys.executable, "-c", AT_ONCE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 0, done.stderr
    made, hits, answered, measures, counted, seller = done.stdout.splitlines()
    assert (made, hits) == ("done done", f"1 H-{clock.now().year}-000001")
    assert (answered, measures) == ("done done", "('hold', 'cancelled')")
    assert (counted, seller) == ("done done", "2")
