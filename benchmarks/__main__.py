"""`make bench`: start the servers, measure round by round, write benchmarks/results/latest.json, docs/performance.md and its plots.

With --only, the other groups' figures stay as they were.

python -m benchmarks [--rounds N] [--only NAME …] [--folder DIR]
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from benchmarks import measures, plots
from benchmarks.figures import ROOT, Figure
from benchmarks.servers import Servers, running

RESULTS = ROOT / "benchmarks" / "results" / "latest.json"
DOCUMENT = ROOT / "docs" / "performance.md"
PLOTS = ROOT / "docs" / "performance"
BEGIN, END = "<!-- figures: written by make bench -->", "<!-- end of figures -->"

MEASURES: dict[str, Callable[[Servers, int], measures.Measured]] = {
    "append": measures.append,
    "hot": measures.hot_stream,
    "read": measures.read,
    "rebuild": measures.rebuild,
    "end-to-end": measures.end_to_end,
    "http": measures.http,
    "roster": measures.roster,
    "growth": measures.growth,
    "log": measures.log,
    "log-beside": measures.log_beside,
    "assistance": measures.assistance,
}


def machine() -> dict[str, Any]:
    """What a reader needs to compare with a machine of their own."""
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), ""
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    rows = ["| figure | ours | against | ratio (rounds) | must | aim | |", "|---|---:|---:|---:|---:|---:|---|"]
    for figure in figures:
        sign = "≥" if figure.higher_is_better else "≤"
        spread = " – ".join(f"{ratio:.2f}" for ratio in sorted({min(figure.ratios), max(figure.ratios)}))
        rows.append(
            f"| {figure.name} | {figure.quoted(figure.ours_values)} | {figure.other}: {figure.quoted(figure.other_values)} "
            f"| **{figure.ratio:.2f}** ({spread}) | {sign} {figure.must:g} | {'' if figure.aim is None else f'{sign} {figure.aim:g}'} "
            f"| {'holds' if figure.holds else '**missed**'}{'; ' + figure.notes if figure.notes else ''} |"
        )
    return "\n".join(rows)


def write(name: str, measured: measures.Measured, about: dict[str, Any]) -> None:
    """One group's results and plots, and the table between the marks of docs/performance.md with what is known of every group."""
    known: dict[str, Any] = orjson.loads(RESULTS.read_bytes()) if RESULTS.exists() else {}
    known[name] = {"machine": about, "figures": [figure.as_json() for figure in measured.figures], "raw": measured.raw}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_bytes(orjson.dumps(known, option=orjson.OPT_INDENT_2))
    groups = [(known[group]["machine"], [Figure.of_json(said) for said in known[group]["figures"]]) for group in MEASURES if group in known]
    PLOTS.mkdir(parents=True, exist_ok=True)
    plots.ratios([figure for _, figures in groups for figure in figures], PLOTS / "ratios.png")
    for plot in measured.plots:
        plots.lines(plot.title, plot.x_label, plot.y_label, plot.series, PLOTS / f"{plot.name}.png", log_x=plot.log_x)
    head, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    _, _, tail = rest.partition(END)
    said = sorted({f"{one['cpu']}, {one['cores']} cores, Python {one['python']}, {one['at'][:10]}" for one, _ in groups})
    rows = table([figure for _, figures in groups for figure in figures])
    DOCUMENT.write_text(f"{head}{BEGIN}\n\n{'; '.join(said)}\n\n{rows}\n\n{END}{tail}", encoding="utf-8")


def main() -> int:
    """Measure what was asked for; 1 where a figure is missed."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=sorted(MEASURES), default=[])
    parser.add_argument("--folder", type=Path, default=ROOT / ".bench", help="where the servers' data lies during the run; on a real disk")
    arguments = parser.parse_args()
    install_peers()
    shutil.rmtree(arguments.folder, ignore_errors=True)
    measured = []
    with running(arguments.folder) as servers:
        for name in arguments.only or MEASURES:
            print(f"measuring {name} …", flush=True)
            one = MEASURES[name](servers, arguments.rounds)
            measured.append(one)
            print(table(one.figures), flush=True)
            write(name, one, machine())
    return 0 if all(figure.holds for one in measured for figure in one.figures) else 1


def install_peers() -> None:
    """The peers that live in npm, from the lock file, where Node.js is."""
    folder = ROOT / "benchmarks" / "peers"
    if shutil.which("npm") is None:
        print("no npm: emmett and message-db are left out", flush=True)
    elif not (folder / "node_modules").exists():
        subprocess.run(["npm", "ci", "--silent"], cwd=folder, check=True)


if __name__ == "__main__":
    sys.exit(main())
