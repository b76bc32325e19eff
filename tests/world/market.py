"""A marketplace with listings and rules, over the real tables: what tests of the watch room stand on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from chopmark.watch.actions.feed import Fed, work_feed
from chopmark.watch.actions.marketplace import NewMarketplace, register_marketplace
from chopmark.watch.actions.markset import make_mark_set
from chopmark.watch.actions.push import Pushed, push_listings
from chopmark.watch.actions.rules import propose_rule, publish_rule, shadow_rule
from chopmark.watch.gateway import Answer
from chopmark.watch.models import Hit
from chopmark.watch.rules.language import parse
from chopmark.watch.rules.rule import Example, Rule
from world.pages import PageWorld, Person
from world.rights import lantern, verified

YES = {"view": "exact", "text_score": 1000, "replica_words": 1}
SAYS = tuple(Example(says=f"yes {n}", values={**YES, "title_length": n}) for n in range(3))
DOES_NOT = tuple(Example(says=f"no {n}", values={"title_length": n}) for n in range(3))
NAMED = Rule(
    id="named",
    zh="出现商标",
    en="names the mark",
    reason="wrongful_use",
    condition=parse("text_score >= 500"),
    action="review",
    positive=SAYS,
    negative=DOES_NOT,
)
REPLICA = Rule(
    id="replica",
    zh="仿品用语",
    en="offers replicas",
    reason="counterfeit",
    condition=parse("text_score >= 500 AND replica_words >= 1"),
    action="takedown",
    needed=500,
    positive=SAYS,
    negative=DOES_NOT,
)


def key(rule: Rule) -> tuple[str, str]:
    """As counts name a version of a rule."""
    return rule.id, rule.version


def raw(item: str = "1", title: str = "RED LANTERN lamp", **more: Any) -> dict[str, Any]:
    """A listing as a marketplace sends it."""
    return {
        "item": item,
        "version": 1,
        "seller": "s1",
        "title": title,
        "price": "19.90",
        "currency": "EUR",
        "classes": ["11"],
        "territories": ["DE"],
        "url": f"https://shop.demo-market.com/{item}",
        **more,
    }


@dataclass
class Taker:
    """A marketplace that takes measures: the same key twice changes nothing."""

    taken: dict[str, bytes] = field(default_factory=dict)
    calls: int = 0
    answers: list[Any] = field(default_factory=list)

    def send(self, key: str, body: bytes) -> Answer:
        self.calls += 1
        if self.answers:
            said = self.answers.pop(0)
            if isinstance(said, Exception):
                raise said
            return replace(said, key=key)
        assert self.taken.setdefault(key, body) == body
        return Answer(key=key, state="done", sold=0)


@dataclass
class Market:
    """Mei holds the right; Jo runs the marketplace."""

    world: PageWorld
    mei: Person
    jo: Person
    name: str = "demo"
    taker: Taker = field(default_factory=Taker)

    @classmethod
    def made(cls, world: PageWorld, mei: Person, jo: Person, **more: Any) -> Market:
        """Its rules are in force, its marks are made."""
        made = cls(world=world, mei=mei, jo=jo)
        made.right = verified(world, mei, lantern())
        new = {"name": "demo", "title": "Demo", "target": "https://shop.test/measures", "automatic": True, **more}
        register_marketplace(NewMarketplace(**new), by=jo.actor, at=world.now())
        for rule in (NAMED, REPLICA):
            propose_rule(rule, by=jo.actor, at=world.now())
            shadow_rule(rule.id, by=jo.actor, at=world.now())
            publish_rule(rule.id, by=jo.actor, at=world.now())
        made.marks = make_mark_set(at=world.now())
        return made

    def push(self, *batch: dict[str, Any]) -> list[Any]:
        """Listings come in."""
        return push_listings(self.name, batch, by=self.jo.actor, at=self.world.now())

    def work(self, **more: Any) -> Fed:
        """Everything that is due is judged."""
        done = Fed()
        while (fed := work_feed(**{"clock": self.world.now, **more})).judged or fed.put_off:
            done = Fed(
                judged=done.judged + fed.judged,
                new_hits=done.new_hits + fed.new_hits,
                put_off=done.put_off + fed.put_off,
            )
        return done

    def hit(self, *batch: dict[str, Any]) -> Hit:
        """The one hit that these listings make."""
        answers = self.push(*(batch or (raw(),)))
        assert all(isinstance(each, Pushed) for each in answers), answers
        self.work()
        return Hit.objects.order_by("number").last()

    def scanned(self) -> str:
        """The number of a scan with one hit that came to its end now."""
        from pyarrow import parquet  # noqa: PLC0415 (heavy; only who scans)

        from chopmark.watch.actions.scan import NewScan, start_scan, stock_of, work_scan  # noqa: PLC0415 (the same)
        from chopmark.watch.engine.schema import table_of  # noqa: PLC0415 (the same)
        from chopmark.watch.listing import clean  # noqa: PLC0415 (the same)

        stock_of("demo").mkdir(parents=True, exist_ok=True)
        parquet.write_table(table_of([clean(raw("1"), marketplace="demo")]), stock_of("demo") / "one.parquet")
        made = start_scan(NewScan(marketplace="demo"), by=self.jo.actor, at=self.world.now())
        assert work_scan(clock=self.world.now, processes=1) == made.number
        return made.number


BEFORE = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
