"""The published language stands still: a golden file per event version, with the record's `data` as it was first written.

An event's file is never edited. A field added later must let the old file load; a breaking change is a new version with its own file.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from contracts import membership
from contracts.kernel import Ciphertext, Event
from contracts.registry import registry

GOLDEN = Path(__file__).parent.parent / "golden"
CATALOGUE = registry()

FILES = sorted(GOLDEN.glob("*.json"))


def data_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def test_every_event_has_a_golden_file() -> None:
    assert {event.TYPE for event in CATALOGUE} | set(CATALOGUE.superseded) == {path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_was_written_once_loads_and_is_written_the_same(path: Path) -> None:
    data = data_of(path)
    event = CATALOGUE.load(path.stem, data)
    if path.stem in CATALOGUE.superseded:
        return  # what it becomes is its upcaster's matter, with a test of its own
    written = event.model_dump(mode="json")
    assert {name: written[name] for name in data} == data
    later = {name: value for name, value in written.items() if name not in data}
    assert all(value in (None, [], False, "") for value in later.values()), "a field added later has a default that says nothing"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_unknown_members_are_ignored(path: Path) -> None:
    data = data_of(path)
    assert CATALOGUE.load(path.stem, {**data, "of_a_later_version": 1}) == CATALOGUE.load(path.stem, data)


@pytest.mark.parametrize("event", list(CATALOGUE), ids=lambda event: event.TYPE)
def test_golden_files_hold_sealed_values_only(event: type[Event]) -> None:
    data = data_of(GOLDEN / f"{event.TYPE}.json")
    for name in event.SEALED:
        if data.get(name) is not None:
            Ciphertext(**data[name])  # raises where a part is missing, or one too many


def test_a_malformed_object_is_not_taken_for_an_erased_value() -> None:
    data = data_of(GOLDEN / "membership.MemberAdmitted.v1.json")
    with pytest.raises(ValueError, match="validation error"):
        membership.MemberAdmitted.model_validate({**data, "document": {"kin": "resident"}})


def test_a_failure_to_read_an_event_repeats_nothing_of_it() -> None:
    data = data_of(GOLDEN / "membership.MemberAdmitted.v1.json")
    with pytest.raises(ValueError, match="validation error") as failed:
        membership.MemberAdmitted.model_validate({**data, "member": "张三", "phone": 13800138000})
    assert "张三" not in str(failed.value)
    assert "13800138000" not in str(failed.value)


@pytest.mark.parametrize("event", list(CATALOGUE), ids=lambda event: event.TYPE)
def test_free_text_is_sealed(event: type[Event]) -> None:
    """In clear stand ids, codes, dates and choices, what a union publishes about itself, and a log's public name."""
    published = {"name", "uscc", "division"} if event.__name__.startswith("Organisation") else {"old_origin"}
    properties = event.model_json_schema(mode="validation")["properties"]
    for name in event.model_fields.keys() - event.SEALED.keys() - published:
        arms = properties[name].get("anyOf", [properties[name]])
        assert all(arm.get("type") != "string" or {"pattern", "format", "enum"} & arm.keys() for arm in arms), (
            f"{name} is free text in clear"
        )
