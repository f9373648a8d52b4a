"""What is measured: one function per group of figures, each against limits and peers in the same rounds on the same servers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, best, program
from benchmarks.servers import Servers, parts

PEERS = Path(__file__).parent / "peers"
SOURCES = "benchmarks.peers."
OURS = "benchmarks.ours."


@dataclass(frozen=True)
class Plot:
    """A line plot for docs/performance.md."""

    name: str
    title: str
    x_label: str
    y_label: str
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    log_x: bool = False


@dataclass(frozen=True)
class Measured:
    """A group's figures, the raw results of every round, and its plots."""

    figures: list[Figure]
    raw: dict[str, Any]
    plots: list[Plot] = field(default_factory=list)


def _values(rounds: Sequence[dict[str, Any]], name: str, key: str = "rate") -> list[float]:
    return [one[name][key] for one in rounds]


def append(servers: Servers, rounds: int) -> Measured:
    """Appending through the full path, by 1 to 256 callers, against bare INSERTs and the peers."""
    callers = (1, 64, 128, 256)
    taken = []
    message_db = (PEERS / "node_modules" / "@eventide" / "message-db").exists()
    for _ in range(rounds):
        one: dict[str, Any] = {}
        one["bare 1"] = program(SOURCES + "bare", servers.database("bare"), "insert", 1, 5_000)
        one["bare 32"] = program(SOURCES + "bare", servers.database("bare"), "insert", 32, 30_000)
        one["rows"] = program(SOURCES + "bare", servers.database("bare"), "rows", 1, 60_000)
        for count in callers:
            names = servers.database("append"), servers.database("append_vault", vault=True)
            one[f"ours {count}"] = program(OURS + "append", *names, count, 4_000 if count == 1 else 40_000, "known")
        names = servers.database("append"), servers.database("append_vault", vault=True)
        one["ours 256 new people"] = program(OURS + "append", *names, 256, 30_000, "new")
        for how in ("append", "append-functions"):
            dsn = servers.database("es")
            one[f"eventsourcing {how}"] = program(SOURCES + "eventsourcing_peer", *parts(dsn), how, 32, 3_000)
        if message_db:
            one["message-db"] = _message_db(servers.database("mdb"))
            one["emmett"] = program("node", PEERS / "emmett.mjs", servers.database("emmett"), 64, 4_000)
        taken.append(one)
    peers = best(*(_values(taken, name) for name in taken[0] if name.split()[0] in {"eventsourcing", "message-db", "emmett"}))
    bare = _values(taken, "bare 32")
    figures = [
        Figure(
            f"append, {count} callers, against peers",
            f"ours {count}",
            "best peer",
            "events/s",
            _values(taken, f"ours {count}"),
            peers,
            6,
            10,
        )
        for count in callers[1:]
    ]
    figures += [
        Figure(f"append, {count} callers, against bare", f"ours {count}", "INSERT, 32 connections", "events/s", values, bare, 1.5, 2.5)
        for count in callers[1:]
        for values in [_values(taken, f"ours {count}")]
    ]
    figures.append(
        Figure("append, one caller", "ours 1", "INSERT, 1 connection", "events/s", _values(taken, "ours 1"), _values(taken, "bare 1"), 0.5)
    )
    xs = [float(count) for count in callers]
    latency = {q: (xs, [_middle(_values(taken, f"ours {count}", f"{q}_ms")) for count in callers]) for q in ("p50", "p99")}
    rate = {"ours": (xs, [_middle(_values(taken, f"ours {count}")) for count in callers])}
    return Measured(
        figures,
        {"append": taken},
        [
            Plot("append-latency", "Append: latency of the full path", "callers", "ms", latency, log_x=True),
            Plot("append-rate", "Append: rate of the full path", "callers", "events/s", rate, log_x=True),
        ],
    )


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _message_db(dsn: str) -> dict[str, Any]:
    program(SOURCES + "message_db", dsn, "install", 0, 0)
    return program(SOURCES + "message_db", dsn, "append", 32, 6_000)


def hot_stream(servers: Servers, rounds: int) -> Measured:
    """5,000 callers at once for 260 places on one stream, against one hot row."""
    taken = []
    for _ in range(rounds):
        one = {"ours": program(OURS + "hot", servers.database("hot"), servers.database("hot_vault", vault=True), 5_000, 260)}
        for connections in (8, 16, 32, 64):
            one[f"update {connections}"] = program(SOURCES + "seats", servers.database("seats"), connections, 5_000, 260)
        taken.append(one)
    updates = best(*(_values(taken, name) for name in taken[0] if name != "ours"))
    figure = Figure("one hot stream, 5,000 for 260", "ours", "best UPDATE … RETURNING", "answers/s", _values(taken, "ours"), updates, 1, 3)
    return Measured([figure], {"hot": taken})


def read(servers: Servers, rounds: int) -> Measured:
    """Decoded, typed events, against a key-set read with orjson and against eventsourcing's select and mapper."""
    taken = []
    for _ in range(rounds):
        ours = program(OURS + "read", servers.database("read"), 50_000)
        peer = program(SOURCES + "eventsourcing_peer", *parts(servers.database("es")), "read", 1, 20_000)
        taken.append({"ours": ours, "peer": peer})
    typed = [_middle(one["ours"]["typed"]) for one in taken]
    limit = [_middle(one["ours"]["limit"]) for one in taken]
    return Measured(
        [
            Figure("read, typed", "ours", "key-set read + orjson", "events/s", typed, limit, 0.6),
            Figure("read, against eventsourcing", "ours", "select + mapper", "events/s", typed, _values(taken, "peer"), 1.5),
        ],
        {"read": taken},
    )


def rebuild(servers: Servers, rounds: int) -> Measured:
    """The directory rebuilt into PostgreSQL, against reading alone and against eventsourcing's ProjectionRunner."""
    taken = []
    for _ in range(rounds):
        names = servers.database("rebuild"), servers.database("rebuild_vault", vault=True)
        ours = program(OURS + "rebuild", *names, 50_000)
        peer = program(SOURCES + "eventsourcing_peer", *parts(servers.database("es")), "project", 1, 2_000)
        taken.append({"ours": ours, "peer": peer})
    rate, limit = _values(taken, "ours"), _values(taken, "ours", "limit")
    return Measured(
        [
            Figure("rebuild of the directory", "ours", "key-set read + orjson", "events/s", rate, limit, 0.2),
            Figure("rebuild, against eventsourcing", "ours", "ProjectionRunner", "events/s", rate, _values(taken, "peer"), 20),
        ],
        {"rebuild": taken},
    )


def end_to_end(servers: Servers, rounds: int) -> Measured:
    """Commit to applied in another service through Kafka, p99, against a bare insert-produce-consume-insert loop."""
    taken = []
    for _ in range(rounds):
        one = {}
        for rate in (200, 1_000):
            names = servers.database("source"), servers.database("source_vault", vault=True), servers.database("sink")
            one[f"ours {rate}"] = program(OURS + "end_to_end", *names, servers.bootstrap, rate, 10)
            names = servers.database("source"), servers.database("sink"), servers.bootstrap
            one[f"bare {rate}"] = program(SOURCES + "loop", *names, rate, 10)
        taken.append(one)
    figures = [
        Figure(
            f"end to end at {rate} events/s, p99",
            "ours",
            "bare loop",
            "ms",
            _values(taken, f"ours {rate}", "p99_ms"),
            _values(taken, f"bare {rate}", "p99_ms"),
            3,
            higher_is_better=False,
        )
        for rate in (200, 1_000)
    ]
    return Measured(figures, {"end to end": taken})


def http(servers: Servers, rounds: int) -> Measured:
    """Admitting members over HTTP, authenticated and durable, against an empty FastAPI POST."""
    taken = []
    for _ in range(rounds):
        empty = program(SOURCES + "empty_post", 20_000)
        names = servers.database("http"), servers.database("http_vault", vault=True)
        taken.append({"ours": program(OURS + "admit", *names, servers.bootstrap, 10_000), "empty": empty})
    figure = Figure("HTTP admit", "ours", "empty FastAPI POST", "requests/s", _values(taken, "ours"), _values(taken, "empty"), 0.3, 0.5)
    return Measured([figure], {"http": taken})


def roster(servers: Servers, rounds: int) -> Measured:
    """A roster of members, from file to searchable."""
    taken = []
    for _ in range(rounds):
        names = servers.database("roster"), servers.database("roster_vault", vault=True)
        taken.append({"ours": program(OURS + "roster", *names, servers.bootstrap, 30_000)})
    ones = [1.0] * rounds
    figure = Figure(
        "roster import until searchable", "ours", "one member a second", "members/s", _values(taken, "ours"), ones, 3_000, 5_000
    )
    return Measured([figure], {"roster": taken})


def growth(servers: Servers, rounds: int) -> Measured:
    """Cost per event and memory as a history grows from 10,000 to 3,000,000 events. One round: it takes minutes."""
    grown = program(OURS + "growth", servers.database("growth"), servers.database("growth_vault", vault=True), 3_000_000)
    points = grown["points"]
    sizes = [point["events"] for point in points]
    cost = [point["cpu_us"] for point in points]
    memory = [point["rss_mb"] for point in points]
    return Measured(
        [
            Figure("cost per event, 3 m against 10,000", "ours", "at 10,000", "µs", [cost[-1]], [cost[0]], 1.2, higher_is_better=False),
            Figure("memory, 3 m against 10,000", "ours", "at 10,000", "MB", [memory[-1]], [memory[0]], 1.2, higher_is_better=False),
        ],
        {"growth": grown},
        [
            Plot(
                "growth",
                "Cost per appended event as the history grows",
                "events in the history",
                "µs (CPU)",
                {"ours": (sizes, cost)},
                log_x=True,
            )
        ],
    )


def log(servers: Servers, rounds: int) -> Measured:
    """Verifying an exported log of 1,000,000 events against hashing the same bytes, and what its tiles take. Needs no server."""
    taken = [program(OURS + "verify", 1_000_000, 1) for _ in range(rounds)]

    def rates(way: str, by: str) -> list[float]:
        return [one[way][by][0] for one in taken]

    def figure(name: str, ours: str, by: str) -> Figure:
        return Figure(name, ours, "leaves and nodes by hashlib, 1 process", "events/s", rates(ours, by), rates("bare", by), 0.5)

    tiles, full = ([float(one[size]) for one in taken] for size in ("tile_bytes", "full_tile_bytes"))
    return Measured(
        [
            figure("log verify, a process a core, by the clock", "all", "wall"),
            figure("log verify, one process, by CPU time", "one", "cpu"),
            Figure("log tiles against full ones", "ours", "full tiles", "bytes", tiles, full, 1.2, higher_is_better=False),
        ],
        {"log": taken},
    )


def log_beside(servers: Servers, rounds: int) -> Measured:
    """What the log adds to appending: by 64 callers, with it and without, in turns within one process."""
    names = servers.database("beside"), servers.database("beside_vault", vault=True)
    taken = program(OURS + "integration", *names, 64, 20_000, max(2 * rounds, 5))
    ways = (("p50", "p50_ms", "ms"), ("p99", "p99_ms", "ms"), ("CPU of the service", "cpu_us", "µs"))
    return Measured(
        [
            Figure(
                f"append while the log grows, {name}",
                "with",
                "without",
                unit,
                [one[key] for one in taken["with"]],
                [one[key] for one in taken["without"]],
                1.1,
                higher_is_better=False,
            )
            for name, key, unit in ways
        ],
        {"log-beside": taken},
    )


def assistance(servers: Servers, rounds: int) -> Measured:
    """Aid in bulk through decision, reservation and batch, against bare INSERTs of the same records; and a payment file of 100,000."""
    count, items = 20_000, 100_000
    taken = []
    for _ in range(rounds):
        names = servers.database("aid"), servers.database("aid_vault", vault=True)
        taken.append({"bulk": program(OURS + "assistance", *names, count), "file": program(OURS + "payment_file", items)})
    bulk, ones = _values(taken, "bulk"), [1.0] * rounds

    def of(which: str, key: str) -> list[float]:
        return [one["file"][which][key] for one in taken]

    return Measured(
        [
            Figure("aid decided and put into batches", "ours", "one entitlement a second", "entitlements/s", bulk, ones, 1_000, 2_000),
            Figure(
                "aid in bulk, against bare",
                "ours",
                "INSERT of the same records",
                "entitlements/s",
                bulk,
                _values(taken, "bulk", "limit"),
                0.05,
            ),
            Figure(f"payment file of {items:,}", "ours", "30 s", "s", of("ours", "seconds"), [30.0] * rounds, 1, higher_is_better=False),
            Figure(
                f"payment file of {items:,}, CPU",
                "written and validated",
                "validated alone",
                "s",
                of("ours", "cpu"),
                of("limit", "cpu"),
                3,
                higher_is_better=False,
            ),
            Figure(
                f"memory, a payment file of {items:,} against 1,000",
                "ours",
                "at 1,000",
                "MB",
                of("ours", "peak_mb"),
                of("few", "peak_mb"),
                1.2,
                higher_is_better=False,
            ),
        ],
        {"assistance": taken},
    )
