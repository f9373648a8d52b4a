"""A figure is a ratio within one run: ours against a limit or a peer, round by round, the median to quote."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from statistics import median
from typing import Any

import orjson

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Figure:
    """One line of the table. `higher_is_better` turns the comparison for latencies; `must` and `aim` are what the issue asks for."""

    name: str
    ours: str
    other: str
    unit: str
    ours_values: Sequence[float]
    other_values: Sequence[float]
    must: float
    aim: float | None = None
    higher_is_better: bool = True
    notes: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def ratios(self) -> list[float]:
        """Ours over the other, round by round."""
        return [a / b for a, b in zip(self.ours_values, self.other_values, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return median(self.ratios)

    @property
    def holds(self) -> bool:
        """Whether the median meets what must be."""
        return self.ratio >= self.must if self.higher_is_better else self.ratio <= self.must

    def quoted(self, values: Sequence[float]) -> str:
        """The median of some values with their unit."""
        middle = median(values)
        return f"{middle:,.0f} {self.unit}" if middle >= 100 else f"{middle:.3g} {self.unit}"

    def as_json(self) -> dict[str, Any]:
        """Everything, with what follows from it."""
        return asdict(self) | {"ratios": self.ratios, "ratio": self.ratio, "holds": self.holds}

    @classmethod
    def of_json(cls, said: dict[str, Any]) -> "Figure":
        """The figure again."""
        return cls(**{one.name: said[one.name] for one in fields(cls)})


def program(*arguments: object, timeout_seconds: float = 900) -> dict[str, Any]:
    """Run one measured program to its end; its last line of standard output is its result. Raises RuntimeError with its last words."""
    command = [sys.executable, "-m", *map(str, arguments)] if str(arguments[0]).startswith("benchmarks.") else list(map(str, arguments))
    done = subprocess.run(command, capture_output=True, cwd=ROOT, timeout=timeout_seconds, check=False)
    if done.returncode != 0 or not done.stdout.strip():
        raise RuntimeError(f"{arguments[0]} failed ({done.returncode}): {done.stderr.decode()[-2000:]}")
    lines = [line for line in done.stdout.splitlines() if line.startswith(b"{")]  # a service in the program may log behind it
    result: dict[str, Any] = orjson.loads(lines[-1])
    return result


def best(*of: Sequence[float]) -> list[float]:
    """Round by round, the best of several."""
    return [max(values) for values in zip(*of, strict=True)]
