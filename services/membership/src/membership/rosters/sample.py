"""Sample rosters: the same for the same (rows, organisation, seed), and like a real one.

Surnames and given names by their real shares (so 王伟 and 张敏 come many times), rare characters, names with "·", valid identity
numbers of the organisation's county and of migrants' homes, phones, employers, dates; and a small share of rows that a check refuses.
"""

import csv
import random
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from itertools import accumulate
from pathlib import Path
from typing import Any

from contracts.values import resident_check

from membership.rosters.workbook import write_workbook

HEADINGS = (
    *("序号", "姓名", "性别", "民族", "证件类型", "证件号码", "出生日期", "手机号码", "工作单位", "岗位"),
    *("学历", "户籍所在地", "是否农民工", "技能等级", "入会日期", "备注"),
)

TODAY = date(2026, 3, 2)
"""The day that a sample is of, so that ages do not depend on when it is made."""

_HOMES = ("411426", "411623", "341222", "341225", "371728", "371725", "130426", "220182", "511025", "520523", "610527", "500235")
_COUNTIES = ("02", "11", "21", "23", "82", "83")
_MOBILE = (
    *("130", "131", "132", "133", "135", "136", "137", "138", "139", "150", "151", "152", "153", "155", "156", "157", "158", "159"),
    *("166", "173", "175", "176", "177", "178", "180", "181", "182", "183", "185", "186", "187", "188", "189", "191", "198", "199"),
)

BAD_KINDS = ("checksum", "no-name", "no-number", "twice", "birth", "phone")
"""How planted rows are wrong."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was written: rows without the heading, and how many were planted wrong, by kind."""

    rows: int
    planted: dict[str, int]


@cache
def _names() -> dict[str, Any]:
    return tomllib.loads(files("membership.rosters").joinpath("names.toml").read_text("utf-8"))


def _weighted(text: str) -> tuple[list[str], list[float]]:
    pairs = [re.fullmatch(r"(\D+)(\d+)", entry) for entry in text.split()]
    known = [pair for pair in pairs if pair is not None]
    return [pair[1] for pair in known], list(accumulate(float(pair[2]) for pair in known))


class _People:
    """Draws people; everything random comes from one generator."""

    def __init__(self, organisation: str, seed: int) -> None:
        self._random = random.Random(f"{organisation}:{seed}")  # noqa: S311 - samples are to be reproducible
        names = _names()
        self._surnames = _weighted(names["surnames"])
        self._peoples = _weighted(names["peoples"])
        self._peoples_sum = self._peoples[1][-1]
        self._given = {sex: {part: _weighted(text) for part, text in names["given"][sex].items()} for sex in ("male", "female")}
        self._rare = names["rare"].split()
        self._dotted = {people: text.split() for people, text in names["dotted"].items()}
        self._plain = {people: text.split() for people, text in names["plain"].items()}
        self._foreign = names["foreign"].split("|")
        digits = re.match(r"[0-9]*", organisation)
        code = digits[0] if digits else ""
        self._counties = [code[:6]] if len(code) >= 6 else [(code + "3709")[:4] + county for county in _COUNTIES]
        self._used: set[str] = set()

    def _pick(self, weighted: tuple[list[str], list[float]]) -> str:
        drawn: str = self._random.choices(weighted[0], cum_weights=weighted[1])[0]
        return drawn

    def people(self) -> str:
        """The people (民族) that somebody belongs to."""
        return self._pick(self._peoples) if self._random.random() * 10_000 < self._peoples_sum else "汉"

    def name(self, people: str, sex: str) -> str:
        """A name as that people writes it."""
        draw = self._random
        if people in self._dotted:
            return "·".join(draw.sample(self._dotted[people], 2))
        if people in self._plain:
            return str(draw.choice(self._plain[people]))
        given = self._given[sex]
        surname = self._pick(self._surnames)
        if draw.random() < 0.003:
            return surname + str(draw.choice(self._rare))
        if draw.random() < 0.14:
            return surname + self._pick(given["single"])
        return surname + self._pick(given["first"]) + self._pick(given["second"])

    def number(self, county: str, born: date, sex: str) -> str:
        """A resident identity number nobody else in the sample has."""
        while True:
            sequence = self._random.randrange(1, 500) * 2 - (sex == "male")
            first17 = f"{county}{born:%Y%m%d}{sequence:03d}"
            if first17 not in self._used:
                self._used.add(first17)
                return first17 + resident_check(first17)
            born += timedelta(days=1)

    def rows(self, count: int) -> Iterator[list[str]]:
        """Rows in the order of HEADINGS."""
        draw = self._random
        words = _names()["words"]
        firms, trades = words["firm_names"].split(), words["firm_trades"].split()
        employers = [f"{draw.choice(firms)}{draw.choice(trades)}有限公司" for _ in range(max(1, count // 400))]
        posts = words["posts"].split()
        education, skill = _weighted(words["education"]), _weighted(words["skill"])
        oldest = date(1967, 1, 1)
        days = (date(2007, 1, 1) - oldest).days
        for number in range(1, count + 1):
            sex = "male" if draw.random() < 0.56 else "female"
            people = self.people()
            migrant = draw.random() < 0.4
            home = draw.choice(_HOMES) if migrant and draw.random() < 0.5 else draw.choice(self._counties)
            born = oldest + timedelta(days=draw.randrange(days))
            name, kind, document = self.name(people, sex), "居民身份证", ""
            lot = draw.random()
            if lot < 0.001:
                name, kind, document, people = draw.choice(self._foreign), "护照", f"E{draw.randrange(10**8):08d}", ""
            elif lot < 0.002:
                kind, document = "港澳居民来往内地通行证", f"H{draw.randrange(10**8):08d}"
            elif lot < 0.0025:
                kind, document = "台湾居民来往大陆通行证", f"{draw.randrange(10**8):08d}"
            else:
                document = self.number(home, born, sex)
                born = date(int(document[6:10]), int(document[10:12]), int(document[12:14]))
            joined = max(date(2005, 1, 1), born + timedelta(days=18 * 366))
            joined += timedelta(days=draw.randrange(max(1, (TODAY - joined).days)))
            yield [
                *(str(number), name, "男" if sex == "male" else "女", people + "族" if people else "", kind, document, f"{born:%Y-%m-%d}"),
                f"{draw.choice(_MOBILE)}{draw.randrange(10**8):08d}" if draw.random() < 0.97 else "",
                *(draw.choice(employers), draw.choice(posts), self._pick(education), home, "是" if migrant else "否"),
                *(self._pick(skill).replace("无", ""), f"{joined:%Y/%m/%d}", ""),
            ]

    def spoil(self, row: list[str], kind: str, earlier: Sequence[str]) -> None:
        """Make a row wrong."""
        match kind:
            case "checksum":
                row[4], row[5] = "居民身份证", "37090219900101123" + ("1" if resident_check("37090219900101123") != "1" else "2")
            case "no-name":
                row[1] = " "
            case "no-number":
                row[5] = ""
            case "twice":
                row[1:] = earlier[1:]
            case "birth":
                row[4], row[5] = "居民身份证", "370902199002301239"
            case _:
                row[7] = "1380013800"


def sample_rows(rows: int, organisation: str, *, seed: int = 1, bad_share: float = 0.002) -> tuple[list[list[str]], Counter[str]]:
    """The rows of a sample without their heading, and what was planted wrong."""
    people = _People(organisation, seed)
    table = list(people.rows(rows))
    chance = random.Random(f"bad:{organisation}:{seed}")  # noqa: S311 - as above
    # The first half keeps its rows, so that a row planted twice has a good one before it.
    spoiled = sorted(chance.sample(range(rows // 2, rows), round(rows * bad_share))) if rows > 1 else []
    planted: Counter[str] = Counter()
    for turn, at in enumerate(spoiled):
        kind = BAD_KINDS[turn % len(BAD_KINDS)]
        people.spoil(table[at], kind, table[chance.randrange(rows // 2)])
        planted[kind] += 1
    return table, planted


def write_sample(path: Path, rows: int, organisation: str, *, seed: int = 1, bad_share: float = 0.002) -> Sample:
    """Write a sample roster by the suffix: XLSX, or CSV in UTF-8 with a byte order mark, as Excel does. Raises ValueError on another."""
    table, planted = sample_rows(rows, organisation, seed=seed, bad_share=bad_share)
    match path.suffix.lower():
        case ".csv":
            with path.open("w", encoding="utf-8-sig", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(HEADINGS)
                writer.writerows(table)
        case ".xlsx":
            write_workbook(path, "会员花名册", [list(HEADINGS), *table])
        case suffix:
            raise ValueError(f"a sample roster is .csv or .xlsx, not {suffix or 'without suffix'}")
    return Sample(rows, dict(planted))
