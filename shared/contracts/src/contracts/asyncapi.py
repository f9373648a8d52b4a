"""The published language as an AsyncAPI 3.0 document: a channel per topic, a message per event type, schemas of what stands in the record.

Made from the contracts alone; `python -m contracts.asyncapi` prints it, `make asyncapi` writes docs/asyncapi.json.
"""

import json
from importlib.metadata import version
from typing import Any

from pydantic.json_schema import models_json_schema

from contracts.kernel import Catalogue, Event, Under, Upcaster
from contracts.registry import PUBLISHED, published, registry

Json = dict[str, Any]

CLOUDEVENTS = "application/cloudevents+json; charset=UTF-8"
KAFKA_BINDING = "0.5.0"
SCHEMAS = "#/components/schemas/"

SEALED: Json = {
    "title": "Sealed value",
    "description": "AES-256-GCM under a key of the vault, with a commitment to the value; unpadded base64url (docs/decisions/0001).",
    "type": "object",
    "required": ["kid", "nonce", "ciphertext", "commitment"],
    "additionalProperties": False,
    "properties": {
        "kid": {"description": "128 random bits that name the key.", "type": "string", "pattern": "^[A-Za-z0-9_-]{22}$"},
        "nonce": {"type": "string", "pattern": "^[A-Za-z0-9_-]{16}$"},
        "ciphertext": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
        "commitment": {
            "description": "HMAC-SHA-256 under a salt inside the ciphertext.",
            "type": "string",
            "pattern": "^[A-Za-z0-9_-]{43}$",
        },
    },
}

RECORD: Json = {
    "title": "Record",
    "description": "A CloudEvents 1.0 event in structured JSON mode; its bytes are a leaf of the Merkle log, never written anew.",
    "type": "object",
    "required": [
        *("specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema"),
        *("streamversion", "correlationid", "actor", "data"),
    ],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"description": "The event's UUIDv7.", "type": "string", "format": "uuid"},
        "source": {"description": "`/nodes/<organisation>/<service>`", "type": "string", "pattern": "^/nodes/[^/]+/[a-z][a-z0-9-]*$"},
        "type": {"type": "string"},
        "subject": {"description": "The stream, `<category>-<id>`.", "type": "string", "pattern": "^[^-]+-.+$"},
        "time": {"description": "When it was recorded, UTC.", "type": "string", "format": "date-time", "pattern": "\\.[0-9]{6}Z$"},
        "datacontenttype": {"const": "application/json"},
        "dataschema": {"type": "string"},
        "streamversion": {"description": "The event's place in its stream.", "type": "integer", "minimum": 1},
        "correlationid": {"description": "Shared by everything that one request set off.", "type": "string"},
        "causationid": {"description": "The event or command that caused this one.", "type": "string"},
        "actor": {"description": "Who acted: a random id, or `service:<name>`.", "type": "string"},
        "org": {"description": "The organisation acted for.", "type": "string"},
        "data": {"type": "object"},
    },
}

HEADERS: Json = {
    "title": "Place in the history",
    "description": "A consumer compares it with its own cursor; the history itself decides (docs/decisions/0004).",
    "type": "object",
    "required": ["epoch", "position", "previousleaf", "content-type"],
    "properties": {
        "epoch": {"type": "string", "pattern": "^[0-9]+$"},
        "position": {
            "description": "The index of the record, and of its leaf; from 0 without gaps.",
            "type": "string",
            "pattern": "^[0-9]+$",
        },
        "previousleaf": {"description": "The leaf hash at position - 1; zeros at 0.", "type": "string", "pattern": "^[0-9a-f]{64}$"},
        "content-type": {"const": CLOUDEVENTS},
    },
}


def document() -> Json:
    """The whole document."""
    events = registry()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tongxin 同心: the published events of a node",
            "version": version("tongxin-contracts"),
            "description": "One topic with one partition per service. A message is a record, byte for byte, and a hint: what counts is the"
            " service's history, which a consumer asks whenever a message does not continue what it has.",
        },
        "defaultContentType": CLOUDEVENTS,
        "channels": {service: _channel(service) for service in PUBLISHED},
        "operations": {
            f"{service}Publishes": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{service}"},
                "summary": f"{service} sends its history, in order, at least once.",
            }
            for service in PUBLISHED
        },
        "components": {
            "messages": {
                **{event.TYPE: _message(event.TYPE, *_told(event.__doc__)) for event in events},
                **{stored: _message(stored, *_superseded(upcaster)) for stored, upcaster in events.superseded.items()},
            },
            "schemas": {"Record": RECORD, "Sealed": SEALED, "Headers": HEADERS, **_schemas(events)},
        },
    }


def _channel(service: str) -> Json:
    events = published(service)
    return {
        "address": f"{{prefix}}{service}.events",
        "title": f"The history of {service}",
        "parameters": {"prefix": {"description": "TONGXIN_TOPIC_PREFIX of the node.", "default": "tongxin."}},
        "messages": {stored: {"$ref": f"#/components/messages/{stored}"} for stored in _stored(events)},
        "bindings": {"kafka": {"partitions": 1, "topicConfiguration": {"cleanup.policy": ["delete"]}, "bindingVersion": KAFKA_BINDING}},
    }


def _stored(events: Catalogue) -> list[str]:
    return [*(event.TYPE for event in events), *events.superseded]


def _message(stored: str, summary: str, description: str) -> Json:
    found = {
        "name": stored,
        "title": stored.rpartition(".v")[0].partition(".")[2],
        "summary": summary,
        "contentType": CLOUDEVENTS,
        "correlationId": {"location": "$message.payload#/correlationid"},
        "headers": {"$ref": SCHEMAS + "Headers"},
        "payload": {
            "allOf": [
                {"$ref": SCHEMAS + "Record"},
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": stored},
                        "dataschema": {"const": f"urn:tongxin:event:{stored}"},
                        "data": {"$ref": SCHEMAS + stored},
                    },
                },
            ]
        },
        "bindings": {"kafka": {"key": {"type": "string", "description": "The stream."}, "bindingVersion": KAFKA_BINDING}},
    }
    return found | ({"description": description} if description else {})


def _told(doc: str | None) -> tuple[str, str]:
    """The first sentence and the rest of a docstring."""
    summary, _, rest = (doc or "").strip().partition("\n")
    return summary, "\n".join(line.strip() for line in rest.strip().splitlines())


def _superseded(upcaster: Upcaster) -> tuple[str, str]:
    return f"Superseded; read as {upcaster.to.TYPE}.", (upcaster.change.__doc__ or "").strip()


def _schemas(events: Catalogue) -> dict[str, Json]:
    """The schema of each event's data under its stored type, and of the value types that they name."""
    kinds = list(events)
    models, rest = models_json_schema([(event, "serialization") for event in kinds], ref_template=SCHEMAS + "{model}")
    shared: dict[str, Json] = _asyncapi(rest.get("$defs", {}))
    names = {event: models[event, "serialization"]["$ref"].removeprefix(SCHEMAS) for event in kinds}
    found = {event.TYPE: _data(event, shared[names[event]]) for event in kinds}
    used = {name: shared[name] for name in sorted(shared) if name not in {*names.values(), "Ciphertext", "Erased"}}
    return {**found, **{stored: {"type": "object"} for stored in events.superseded}, **used}


def _asyncapi(schema: Any) -> Any:
    """A schema of pydantic's, which writes a discriminator as OpenAPI has it; AsyncAPI wants the property's name alone."""
    if isinstance(schema, list):
        return [_asyncapi(arm) for arm in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: value["propertyName"] if name == "discriminator" and isinstance(value, dict) and "propertyName" in value else _asyncapi(value)
        for name, value in schema.items()
    }


def _data(event: type[Event], schema: Json) -> Json:
    properties = {
        name: _sealed(value, event.SEALED[name]) if name in event.SEALED else value for name, value in schema["properties"].items()
    }
    return schema | {"title": event.TYPE, "properties": properties}


def _sealed(schema: Json, under: Under) -> Json:
    """A sealed field as it stands in the record, with what is inside and whose key opens it."""
    sealed_away = ({"$ref": SCHEMAS + "Ciphertext"}, {"$ref": SCHEMAS + "Erased"})
    inside = [arm for arm in schema.pop("anyOf") if arm not in sealed_away]
    clear = [arm for arm in inside if arm != {"type": "null"}]
    stands = {"$ref": SCHEMAS + "Sealed"}
    return {
        **{name: value for name, value in schema.items() if name != "default"},
        **({"allOf": [stands]} if clear == inside else {"oneOf": [stands, {"type": "null"}]}),
        "x-sealed": {
            "under": [f"$.data.{subject}" for subject in under.subjects],
            "purpose": under.purpose,
            "content": clear[0] if len(clear) == 1 else {"anyOf": clear},
        },
    }


if __name__ == "__main__":
    print(json.dumps(document(), ensure_ascii=False, indent=1))  # noqa: T201 - this is what it is run for
