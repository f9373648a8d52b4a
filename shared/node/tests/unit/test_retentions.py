"""Retentions as dated data."""

from datetime import date
from pathlib import Path

import pytest
from node import retentions
from node.errors import UsageError


def test_the_rules_that_come_with_the_node_are_dated_and_say_where_they_are_from() -> None:
    rules = retentions.read()
    assert [(rule.purpose, rule.days, rule.since) for rule in rules] == [
        ("voucher", 5479, date(1999, 1, 1)),
        ("voucher", 10958, date(2016, 1, 1)),
        ("assistance", 10958, date(2016, 1, 1)),
        ("hardship", 10958, date(2016, 1, 1)),
    ]
    assert all("会计档案管理办法" in rule.source for rule in rules)
    assert {rule.purpose for rule in rules if rule.in_use} == {"voucher", "assistance"}


@pytest.mark.parametrize(
    "text",
    ["[[retention]]\npurpose = 'x'", "[[retention]]\npurpose='x'\nyears=-1\nfrom=2016-01-01\nsource='s'", "no toml", "[retention]\nx=1"],
)
def test_what_is_no_list_of_rules_is_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "own.toml"
    file.write_text(text)
    monkeypatch.setenv(retentions.OWN_FILE, str(file))
    with pytest.raises(UsageError, match=r"no list of retentions"):
        retentions.read()


def test_an_operators_own_file_takes_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "own.toml"
    file.write_text("[[retention]]\npurpose = 'membership'\nyears = 3\nfrom = 2026-01-01\nsource = 'own rule'\n")
    monkeypatch.setenv(retentions.OWN_FILE, str(file))
    assert retentions.read() == [retentions.Retention("membership", 1096, date(2026, 1, 1), "own rule", in_use=False)]
