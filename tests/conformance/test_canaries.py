"""The search itself: what it would find, so that its finding nothing means something."""

import base64
import gzip
import hashlib
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from .canaries import Canaries

PLANTED = Canaries.of("欧阳𠮷龘", "13987650421", number="370902197206137019", address="丝雀胡同柒号院")
WRITTEN: dict[str, Callable[[str], bytes]] = {
    "utf-8": str.encode,
    "utf-16": lambda value: value.encode("utf-16-le"),
    "gb18030": lambda value: value.encode("gb18030"),
    "json": lambda value: json.dumps({"a": value}).encode(),
    "percent": lambda value: quote(value).encode(),
    "hex": lambda value: value.encode().hex().encode(),
    "md5": lambda value: hashlib.md5(value.encode(), usedforsecurity=False).hexdigest().encode(),
    "sha256": lambda value: hashlib.sha256(value.encode()).digest(),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_a_value_is_seen_however_it_is_written(how: str) -> None:
    for name, value in PLANTED.planted.items():
        if not name.startswith("key"):
            assert name in PLANTED.seen_in(secrets.token_bytes(50) + WRITTEN[how](value) + secrets.token_bytes(50))


@pytest.mark.parametrize("before", range(6))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_value_is_seen_anywhere_in_base64(before: int, encode: Callable[[bytes], bytes]) -> None:
    for name, value in PLANTED.planted.items():
        if not name.startswith("key"):
            for after in range(3):
                assert name in PLANTED.seen_in(encode(secrets.token_bytes(before) + value.encode() + secrets.token_bytes(after)))


def test_keys_of_the_directory_are_seen_too() -> None:
    keys = {name: value for name, value in PLANTED.planted.items() if name.startswith("key")}
    assert "key t12405678931" in keys
    for name, value in keys.items():
        assert name in PLANTED.seen_in(f"... {value} ...")


def test_files_are_searched_through_and_through(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "bytes").write_bytes(bytes(1 << 20) + "欧阳𠮷龘".encode() + bytes(1 << 20))
    (tmp_path / "clean").write_bytes(secrets.token_bytes(1 << 20))
    (tmp_path / "packed").write_bytes(gzip.compress("欧阳𠮷龘".encode()))
    found = PLANTED.seen_in_folder(tmp_path)
    assert set(found) == {str(tmp_path / "below" / "bytes")}
    assert "name" in found[str(tmp_path / "below" / "bytes")]
