"""The AsyncAPI document says what the contracts say, is one by the official schema, and fits the records that it describes."""

import base64
import hashlib
import io
import json
import pkgutil
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import contracts
import jsonschema_rs
import pytest
from contracts.asyncapi import document
from contracts.registry import COMMON, PUBLISHED, registry

ROOT = Path(__file__).parents[4]
COMMITTED = ROOT / "docs" / "asyncapi.json"
GOLDEN = Path(__file__).parent.parent / "golden"

SPECS = "@asyncapi/specs@6.11.1"
"""The official schemas; Apache-2.0."""

INTEGRITY = "sha512-A3WBLqAKGoJ2+6FWFtpjBlCQ1oFCcs4GxF7zsIGvNqp/klGUHjlA3aAcZ9XMMpLGE8zPeYDz2x9FmO6DSuKraQ=="

ENVELOPE: dict[str, Any] = {
    "specversion": "1.0", "id": "0195a1b2-c3d4-7e5f-8a6b-0123456789ab", "source": "/nodes/3709/membership",
    "subject": "member-0123456789abcdef0123456789abcdef", "time": "2026-03-02T04:00:00.120000Z", "datacontenttype": "application/json",
    "streamversion": 1, "correlationid": "0195a1b2-c3d4-7e5f-8a6b-00000000c0de", "actor": "ab" * 16, "org": "370902",
}  # fmt: skip


@pytest.fixture(scope="session")
def official(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The JSON schema of AsyncAPI 3.0.0, from the package that the AsyncAPI initiative publishes."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm here, from whose registry the official AsyncAPI schema comes")
    folder = tmp_path_factory.mktemp("asyncapi")
    try:
        subprocess.run(["npm", "pack", SPECS], cwd=folder, capture_output=True, text=True, timeout=120, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm could not fetch the official AsyncAPI schema: {error} {str(error.stderr).strip()[-200:]}")
    packed = next(folder.glob("*.tgz")).read_bytes()
    assert f"sha512-{base64.b64encode(hashlib.sha512(packed).digest()).decode()}" == INTEGRITY
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        member = archive.extractfile("package/schemas/3.0.0-without-$id.json")
        assert member is not None
        found: dict[str, Any] = json.load(member)
        return found


@pytest.fixture(scope="session")
def whole() -> dict[str, Any]:
    """The document as the contracts are now."""
    return document()


def test_the_committed_document_is_up_to_date(whole: dict[str, Any]) -> None:
    assert json.loads(COMMITTED.read_text("utf-8")) == whole, (
        "docs/asyncapi.json is not what the contracts say any more: run `make asyncapi` and commit it with your change of contracts"
    )


def test_it_is_an_asyncapi_document(official: dict[str, Any], whole: dict[str, Any]) -> None:
    validator = jsonschema_rs.Draft7Validator(official)
    assert [f"{list(error.instance_path)}: {error.message:.200}" for error in validator.iter_errors(whole)] == []
    assert not validator.is_valid(whole | {"channels": {"membership": {"address": 1}}}), "the schema refuses what is none"


def test_every_reference_leads_somewhere(whole: dict[str, Any]) -> None:
    def look(thing: Any) -> None:
        if isinstance(thing, dict):
            if isinstance(reference := thing.get("$ref"), str):
                at: Any = whole
                for part in reference.removeprefix("#/").split("/"):
                    at = at[part]
            for value in thing.values():
                look(value)
        elif isinstance(thing, list):
            for value in thing:
                look(value)

    look(whole)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_its_schemas_fit_the_golden_records_and_nothing_unsealed(path: Path, whole: dict[str, Any]) -> None:
    # Only schemas: a reference into a document is resolved by going through all of it.
    payload = {**whole["components"]["messages"][path.stem]["payload"], "components": {"schemas": whole["components"]["schemas"]}}
    validator = jsonschema_rs.Draft7Validator(payload)
    data = json.loads(path.read_text("utf-8"))
    record = ENVELOPE | {"type": path.stem, "dataschema": f"urn:tongxin:event:{path.stem}", "data": data}
    assert [error.message for error in validator.iter_errors(record)] == []
    assert not validator.is_valid(record | {"type": "membership.Other.v1"})
    event = registry().stored_as(path.stem)
    for name in event.SEALED if event else ():
        assert not validator.is_valid(record | {"data": data | {name: "in clear"}}), f"{name} may not stand in a record in clear"


def test_every_module_with_events_is_published() -> None:
    modules = [module.name for module in pkgutil.iter_modules(contracts.__path__)]
    named = {published.__name__.partition(".")[2] for published in (*PUBLISHED.values(), COMMON)}
    assert named == set(modules) - {"asyncapi", "checks", "kernel", "registry", "values"}
