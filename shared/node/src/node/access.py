"""How the command line reaches a node's services: as the node itself, or as one of its development identities."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
from foundation.clock import SystemClock
from foundation.http.tokens import OPERATOR, SERVICE_PREFIX, NodeIssuer, SigningKey
from foundation.ids import command_id, random_id

from node.databases import Secrets
from node.errors import NotReady, NotRunning, Refused
from node.folder import DataFolder
from node.topology import SERVICES, ServiceSpec, service

ADMIN = "org-admin"
NODE = SERVICE_PREFIX + OPERATOR
"""The principal of the node itself."""

AUDIENCE = "tongxin"
TOKEN_SECONDS = 8 * 3600
"""A development token holds for a working day."""

SHANGHAI = ZoneInfo("Asia/Shanghai")

WAIT_SECONDS_MAX = 30
"""How long a request is repeated while a service says "not yet" (503)."""


class Access:
    """A running node, seen from its own machine: whoever may read its signing key may speak for it."""

    def __init__(self, folder: DataFolder) -> None:
        """Raises NotRunning."""
        self._folder, self._config = folder, folder.config()
        if not folder.runs():
            raise NotRunning("the node does not run", "start it with `tongxin up`")
        key = SigningKey.at(Secrets(folder.secrets).signing_key)
        issuer = f"urn:tongxin:node:{self._config.organisation}"
        self._issuer = NodeIssuer(key, issuer=issuer, audience=AUDIENCE, clock=SystemClock())

    def token(self, role: str, organisation: str, number: int = 1) -> str:
        """A development token for somebody who holds this role for this organisation; the appointment is made the first time.

        `number`: which of several colleagues, where a story needs more than one.
        """
        admin = self.administrator()
        if (role, organisation, number) == (ADMIN, self._config.organisation, 1):
            return self._mint(admin)
        principal = self._identity(role if number == 1 else f"{role} {number}", organisation)
        body = {"principal": principal, "organisation": organisation, "role": role, "valid_from": _today()}
        with self.caller("membership", self._mint(admin)) as caller:
            held = caller.get(f"/staff/{principal}/appointments")
            if not any((post["role"], post["organisation"], post["valid_until"]) == (role, organisation, None) for post in held.json()):
                whole = {"at_least": caller.position()}  # after a restore the read models may still be on their way
                caller.get(f"/organisations/{quote(organisation, safe='')}", params=whole)  # refuses in its words one that there is not
                done = caller.post("/appointments", json=body, key=str(command_id("appointment", principal, _today())))
                caller.get(f"/staff/{principal}/appointments", params={"at_least": done.headers["position"]})
        return self._mint(principal)

    def administrator(self) -> str:
        """The principal of the node's first administrator, appointed at the first call by the node itself (actor `service:node`)."""
        principal = self._identity(ADMIN, self._config.organisation)
        with self.caller("membership", self._mint(NODE)) as caller:
            key = str(command_id("first appointment", principal))
            done = caller.post("/appointments/first", json={"principal": principal}, key=key)
        with self.caller("membership", self._mint(principal)) as caller:
            caller.get(f"/staff/{principal}/appointments", params={"at_least": done.headers["position"]})
        return principal

    def node_token(self) -> str:
        """A token of the node itself: for reading histories and logs. Nothing is recorded."""
        return self._mint(NODE)

    def rebuild(self, name: str) -> list[dict[str, Any]]:
        """Have a service rebuild its read models; as long as that takes."""
        with self.caller(name, self._mint(NODE)) as caller:
            return list(caller.post("/operation/rebuild", timeout=None).json())

    def parked(self) -> list[dict[str, Any]]:
        """What is parked in every service."""
        found: list[dict[str, Any]] = []
        for spec in SERVICES:
            with self.caller(spec.name, self._mint(NODE)) as caller:
                found += [{"service": spec.name, **one} for one in caller.get("/operation/parked").json()]
        return found

    def recover(self, name: str, way: str) -> dict[str, Any]:
        """Lead a history that refuses writes back: `restore` or `epoch`. Returns its head."""
        with self.caller(name, self._mint(NODE)) as caller:
            return dict(caller.post(f"/operation/history/{way}", timeout=None).json())

    @property
    def organisation(self) -> str:
        """The organisation whose node this is."""
        return self._config.organisation

    def erasure(self, name: str, person: str) -> dict[str, Any] | None:
        """What a service did about a person's erasure; None where it has not heard of one."""
        with self.caller(name, self._mint(NODE)) as caller:
            answer = caller.get(f"/operation/erasures/{person}", absent=True)
            return None if answer.status_code == httpx.codes.NOT_FOUND else dict(answer.json())

    def go_on(self, name: str, source: str) -> list[dict[str, Any]]:
        """Have a service go on in the epoch that a source has declared."""
        with self.caller(name, self._mint(NODE)) as caller:
            return list(caller.post("/operation/history/following", json={"source": source}, timeout=None).json())

    def replay(self, name: str, source: str, key: str) -> dict[str, Any]:
        """Have a service try a parked stream again."""
        with self.caller(name, self._mint(NODE)) as caller:
            return dict(caller.post("/operation/replay", json={"source": source, "key": key}, timeout=None).json())

    @contextmanager
    def caller(self, name: str, token: str | None = None) -> Iterator["Caller"]:
        """Calls one service with a token; without one, as the node's administrator. Raises UsageError for a service that there is not."""
        spec = service(name)
        with httpx.Client(
            base_url=self._config.url(spec),
            headers={"authorization": f"Bearer {token or self._mint(self.administrator())}"},
            timeout=httpx.Timeout(10, read=120),
        ) as client:
            yield Caller(spec, client)

    def _mint(self, principal: str) -> str:
        return self._issuer.mint(principal, ttl_seconds=TOKEN_SECONDS)

    def _identity(self, role: str, organisation: str) -> str:
        """The random principal that stands for "somebody with this role there", kept in `people.json`."""
        path = self._folder.root / "people.json"
        people: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        who = f"{role} of {organisation}"
        if who not in people:
            people[who] = random_id()
            making = path.with_name(f"people.json.{os.getpid()}")
            making.write_text(json.dumps(people, indent=2, sort_keys=True) + "\n")
            making.replace(path)
        return people[who]


class Caller:
    """Requests to one service; a problem document becomes Refused, silence NotReady, and a 503 is tried again for a while."""

    def __init__(self, spec: ServiceSpec, client: httpx.Client) -> None:
        self._spec, self._client = spec, client

    def get(self, path: str, *, absent: bool = False, **options: Any) -> httpx.Response:
        """A query. `absent`: that there is nothing (404) is an answer too."""
        return self._send("GET", path, absent=absent, **options)

    def post(self, path: str, *, key: str | None = None, **options: Any) -> httpx.Response:
        """A command, with a key that makes it one command however often it is sent."""
        return self._send("POST", path, headers={"idempotency-key": key or uuid4().hex, **options.pop("headers", {})}, **options)

    def position(self) -> str:
        """Where the service's history ends now, as `at_least` takes it. Raises NotReady while its database does not answer."""
        position = self._send("GET", "/readyz").json()["position"]
        if position is None:
            raise NotReady(f"{self._spec.name} does not know its history's end", "see `tongxin status`")
        return f"{self._spec.name}:{position}"

    @contextmanager
    def stream(self, path: str, **options: Any) -> Iterator[Iterator[dict[str, Any]]]:
        """A command whose answer comes as JSON lines while it is carried out."""
        headers = {"idempotency-key": uuid4().hex, **options.pop("headers", {})}
        try:
            with self._client.stream("POST", path, headers=headers, **options) as answer:
                if answer.is_error:
                    answer.read()
                    _raise(self._spec, answer)
                yield (json.loads(line) for line in answer.iter_lines() if line)
        except httpx.HTTPError as error:
            raise self._silent(error) from error

    def _send(self, method: str, path: str, *, absent: bool = False, **options: Any) -> httpx.Response:
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            try:
                answer = self._client.request(method, path, **options)
            except httpx.HTTPError as error:
                raise self._silent(error) from error
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        if answer.is_error and not (absent and answer.status_code == httpx.codes.NOT_FOUND):
            _raise(self._spec, answer)
        return answer

    def _silent(self, error: httpx.HTTPError) -> NotReady:
        return NotReady(f"{self._spec.name} does not answer ({type(error).__name__})", "see `tongxin status`")


def _raise(spec: ServiceSpec, answer: httpx.Response) -> None:
    try:
        document = answer.json()
    except ValueError:
        document = {}
    sentence = _both(document.get("detail"), document.get("en", {}).get("detail")) or f"status {answer.status_code}"
    faults = "; ".join(f"{one.get('pointer', '')}: {_both(one.get('message'), one.get('en'))}" for one in document.get("errors", []))
    raise Refused(f"{spec.name}: {sentence}" + (f" ({faults})" if faults else ""))


def _both(zh: str | None, en: str | None) -> str:
    """A service's words: the Chinese, and the English beside it."""
    return f"{zh} ({en})" if zh and en else zh or ""


def _today() -> str:
    return SystemClock().now().astimezone(SHANGHAI).date().isoformat()
