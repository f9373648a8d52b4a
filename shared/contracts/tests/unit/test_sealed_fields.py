"""A field marked as sealed is sealed, however it is written, or the class is refused: it must never end up in clear."""

from typing import Annotated

import pytest
from contracts.kernel import Event, Personal, PersonId, Sealed, Under
from pydantic import BaseModel, Field, ValidationError

TOY = Under("whom", purpose="toy")
CASE = Under("whom", "other", purpose="case")


class Told(Event, type="toy.Told", version=1, subject="whom", purpose="toy"):
    whom: PersonId
    other: PersonId
    plain: str
    bare: Personal[str]
    optional: Personal[str] | None = None
    defaulted: Personal[str] | None = Field(default=None)
    under: Annotated[Personal[str], CASE]
    optional_under: Annotated[Sealed[str] | None, CASE] = None
    under_in_the_arm: Annotated[Sealed[str], CASE] | None = None
    collection: Personal[tuple[str, ...]] = ()


def test_every_way_to_write_a_sealed_field_is_found() -> None:
    assert dict(Told.SEALED) == {
        "bare": TOY,
        "optional": TOY,
        "defaulted": TOY,
        "under": CASE,
        "optional_under": CASE,
        "under_in_the_arm": CASE,
        "collection": TOY,
    }


class Inner(BaseModel):
    secret: Personal[str]
    again: "Inner | None" = None


@pytest.mark.parametrize("hidden", [list[Personal[str]], dict[str, Personal[str] | None], Inner, Inner | None, tuple[Inner, ...]])
def test_a_sealed_value_inside_another_is_refused(hidden: type) -> None:
    with pytest.raises(TypeError, match="seal the whole field"):
        type(
            "Hidden",
            (Event,),
            {"__annotations__": {"whom": PersonId, "hidden": hidden}, "__module__": __name__},
            type="toy.Hidden",
            version=1,
            subject="whom",
            purpose="toy",
        )


def test_a_sealed_field_names_a_subject_that_is_there() -> None:
    with pytest.raises(TypeError, match="not a field"):

        class Nobody(Event, type="toy.Nobody", version=1, subject="whom", purpose="toy"):
            note: Personal[str]

    with pytest.raises(TypeError, match="name its subject"):

        class Unnamed(Event, type="toy.Unnamed", version=1):
            note: Personal[str]


@pytest.mark.parametrize("value", [{}, {"kid": "A" * 22}])
def test_no_malformed_object_reads_as_a_value(value: object) -> None:
    with pytest.raises(ValidationError):
        Told.model_validate({"whom": "a" * 32, "other": "b" * 32, "plain": "p", "under": "u", "bare": value})
