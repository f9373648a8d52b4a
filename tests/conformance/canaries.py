"""Personal data that occurs nowhere else, and every way in which it could lie about in bytes."""

import base64
import hashlib
import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import quote

import asyncpg
from membership.directory.keys import keys_of

KEY_LETTERS_MIN = 6
"""Shorter search keys, as initials are, occur by chance."""


def spellings(value: str) -> set[bytes]:
    """A value in the encodings, escapes and plain hashes that software writes."""
    utf8 = value.encode()
    written = {utf8, value.encode("utf-16-le"), value.encode("gb18030"), json.dumps(value)[1:-1].encode(), quote(value).encode()}
    hashed = {hashlib.new(name, utf8, usedforsecurity=False).digest() for name in ("md5", "sha1", "sha256")}
    for offset in range(3):
        # The letters of base64 depend on where in a group of three bytes a value begins; those that neighbours share are left out.
        encoded = base64.b64encode(b"\0" * offset + utf8).rstrip(b"=")[2 * offset and offset + 1 : -1]
        written |= {encoded, encoded.translate(bytes.maketrans(b"+/", b"-_"))}
    return written | hashed | {one.hex().encode() for one in (utf8, *hashed)} | {utf8.hex().upper().encode()}


@dataclass(frozen=True)
class Canaries:
    """What was planted, by what it is."""

    planted: Mapping[str, str]

    @classmethod
    def of(cls, name: str, phone: str, **others: str) -> "Canaries":
        """A person's; the keys that a directory makes of name and phone are looked for too."""
        keys = {f"key {key}": key for key in keys_of(name, phone) if len(key) >= KEY_LETTERS_MIN}
        return cls({"name": name, "phone": phone, **others, **keys})

    def __or__(self, other: "Canaries") -> "Canaries":
        return Canaries({**{f"1 {name}": value for name, value in self.planted.items()}, **other.planted})

    @cached_property
    def _needles(self) -> dict[bytes, str]:
        return {spelling: name for name, value in self.planted.items() for spelling in spellings(value)}

    @cached_property
    def _pattern(self) -> re.Pattern[bytes]:
        return re.compile(b"|".join(map(re.escape, sorted(self._needles, key=len, reverse=True))))

    def seen_in(self, content: bytes | str) -> set[str]:
        """Which of them are in there."""
        raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        return {self._needles[found] for found in self._pattern.findall(raw)}

    def seen_in_folder(self, folder: Path) -> dict[str, set[str]]:
        """In which files. By grep, which is fifty times as fast as Python at this; a spelling with a line end in it is left out."""
        with NamedTemporaryFile() as needles:
            needles.write(b"\n".join(needle for needle in self._needles if b"\n" not in needle))
            needles.flush()
            command = [
                "grep",
                "--recursive",
                "--files-with-matches",
                "--text",
                "--fixed-strings",
                "--no-messages",
                f"--file={needles.name}",
            ]
            done = subprocess.run([*command, str(folder)], capture_output=True, check=False, env={"LC_ALL": "C", "PATH": os.defpath})
        # 1: nothing found. 2: a file went away meanwhile, or that and nothing found; what was found is told all the same.
        assert not done.stderr, done.stderr
        return {path: self.seen_in(Path(path).read_bytes()) for path in done.stdout.decode().splitlines()}

    async def seen_in_database(self, dsn: str) -> dict[str, set[str]]:
        """In which tables, over all their columns; what lies in bytes is looked at as bytes."""
        connection = await asyncpg.connect(dsn)
        found = {}
        try:
            tables = await connection.fetch(
                "select schemaname s, tablename t from pg_tables where schemaname !~ '^(pg_|information_schema)'"
            )
            for schema, table in tables:
                rows = await connection.fetch(f'select t::text from "{schema}"."{table}" t')
                seen = set().union(*(self.seen_in(form) for (row,) in rows for form in (row, *_bytes_in(row))))
                if seen:
                    found[f"{schema}.{table}"] = seen
        finally:
            await connection.close()
        return found

    def seen_in_all(self, contents: Iterable[bytes | str]) -> set[str]:
        """In any of these."""
        return set().union(*map(self.seen_in, contents))


def _bytes_in(row: str) -> list[bytes]:
    return [bytes.fromhex(digits) for digits in re.findall(r"\\x((?:[0-9a-f]{2})+)", row)]
