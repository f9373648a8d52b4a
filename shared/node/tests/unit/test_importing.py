"""`tongxin import roster` against a service that plays its part from a script."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from node import importing
from node.access import Access
from node.errors import Refused


class Answer:
    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content

    def json(self) -> dict[str, Any]:
        return self._content


class Membership:
    """A service whose roster goes through these stages, one further each time it is asked."""

    def __init__(self, *stages: str) -> None:
        self.stages, self.applied = list(stages), 0

    def token(self, role: str, organisation: str) -> str:
        return f"{role} of {organisation}"

    @contextmanager
    def caller(self, _service: str, _token: str) -> Iterator["Membership"]:
        yield self

    def post(self, path: str, **_: Any) -> Answer:
        self.applied += path.endswith("/application")
        return Answer({"roster": "r", "stage": self.stages[0]})

    def get(self, path: str, **_: Any) -> Answer:
        if path.endswith("/refusals"):
            return Answer({"items": [], "next": None})
        stage = self.stages.pop(0) if len(self.stages) > 1 else self.stages[0]
        return Answer({"roster": "r", "stage": stage, "rows": 1, "done": 0, "counts": {"joined": 1}})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "roster.csv"
    path.write_text("姓名")
    return path


def roster(service: Membership, file: Path, *, dry_run: bool = False) -> importing.Roster:
    return importing.roster(cast(Access, service), file, "370902", complete=False, dry_run=dry_run, report=lambda *_: None)


def test_a_roster_is_checked_and_applied(file: Path) -> None:
    service = Membership("checking", "checked", "applying", "applied")
    assert (roster(service, file).stage, service.applied) == ("applied", 1)


def test_a_dry_run_applies_nothing(file: Path) -> None:
    service = Membership("checking", "checked")
    assert (roster(service, file, dry_run=True).stage, service.applied) == ("checked", 0)


def test_one_that_an_earlier_command_left_applying_is_waited_for(file: Path) -> None:
    service = Membership("applying", "applying", "applied")
    assert (roster(service, file).stage, service.applied) == ("applied", 0)


def test_a_roster_that_failed_says_where_to_look(file: Path) -> None:
    with pytest.raises(Refused, match="the roster is failed: see the log of membership"):
        roster(Membership("checking", "failed"), file)
