from datetime import UTC, datetime
from uuid import RFC_4122, UUID, uuid5

from foundation.ids import COMMANDS, command_id, random_id, uuid7

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


def test_an_event_id_is_a_uuid_of_version_7_in_time_order() -> None:
    parsed = UUID(uuid7(NOW))
    assert (parsed.version, parsed.variant) == (7, RFC_4122)
    assert parsed.int >> 80 == int(NOW.timestamp() * 1000)
    assert uuid7(NOW) < uuid7(NOW.replace(minute=1))
    assert uuid7(NOW, b"\xff" * 10) == "019cacb3-f200-7fff-bfff-ffffffffffff"


def test_command_ids_follow_from_their_parts_and_nothing_else() -> None:
    assert command_id("a", "bc") == command_id("a", "bc")
    assert command_id("a", "bc") != command_id("ab", "c")
    assert command_id("欧阳", "", "x") == uuid5(COMMANDS, "2:欧阳0:1:x")  # histories remember them for ever


def test_random_ids_have_128_bits() -> None:
    assert len(bytes.fromhex(random_id())) == 16
    assert random_id() != random_id()
