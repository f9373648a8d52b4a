"""What a route gets: who is calling and what they may do (`Caller`), and the service it is a route of (`App`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, TypeVar, cast
from zoneinfo import ZoneInfo

from fastapi import Depends
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from starlette.requests import Request

from foundation.authority import Grant
from foundation.authority_view import AuthorityView
from foundation.clock import Clock
from foundation.commands import Actor, CommandRef
from foundation.cursor import Pool
from foundation.decider import Decider, JointDecider, Refusal
from foundation.handler import Handler
from foundation.history import Happened
from foundation.http.answers import Accepted
from foundation.http.auth import TokenMissing, Verifier
from foundation.http.conditions import expected_version
from foundation.http.headers import header, headers_of
from foundation.http.idempotency import checked_key, command_ref
from foundation.http.pagination import Cursors
from foundation.http.problems import Unavailable
from foundation.http.tokens import SERVICE_PREFIX
from foundation.http.waiting import Reached, wait_for
from foundation.log.own import OwnLog
from foundation.operations import Operations
from foundation.store.port import Reader
from foundation.telemetry import Traces
from foundation.vault.port import Vault
from foundation.vault.sealer import Sealer

S = TypeVar("S")
C = TypeVar("C")

AUTHORITY_AGE_SECONDS_MAX = 10.0
"""Money and confidential commands fail closed where the view of who may act is older than this (DESIGN 8)."""

READS = frozenset({"GET", "HEAD"})


class NotPermitted(Refusal):
    """The caller holds no grant for this, there, today."""

    status = 403


class ActingAsNeeded(Refusal):
    """The caller holds several posts that allow this and has to say, in Acting-As, in which of them it acts."""

    status = 400


class AuthorityStale(Unavailable):
    """What is known here about who may act is too old for money and confidential matters."""

    retry_after = 5


@dataclass(slots=True)
class Application:
    """A running service as its routes see it."""

    name: str
    node_org: str
    """The organisation whose node this is."""

    handler: Handler
    store: Reader
    """The own history, to be read."""

    pool: Pool
    """The service's database, with its read models; never written to from a route."""

    search: Pool
    """The service's own schema in the vault's database: plaintext about people, to be found by."""

    vault: Vault
    sealer: Sealer
    clock: Clock
    zone: ZoneInfo
    verifier: Verifier
    authority: AuthorityView
    cursors: Cursors
    request_secret: bytes
    reached: Mapping[str, Reached]
    traces: Traces
    log: OwnLog
    """The own history as a transparency log."""

    operations: Operations = field(default_factory=Operations)

    async def handle(
        self, decider: Decider[S, C], id: str, command: C, *, by: "Calling", expected: int | None = None, org: str | None = None
    ) -> Accepted:
        """Handle a command that came by HTTP: once for its Idempotency-Key, on the version of its If-Match.

        Raises what `commands.Handler.handle` raises, and the header's own refusals.
        """
        actor, key, seen = by.actor(org), await by.command_ref(), by.expected if expected is None else expected
        with self.traces.span("command", stream=decider.category):
            return Accepted(self.name, await self.handler.handle(decider, id, command, by=actor, key=key, expected=seen))

    async def handle_joint(
        self, joint: JointDecider[C], command: C, *, by: "Calling", expected: int | None = None, org: str | None = None
    ) -> Accepted:
        """The same for a rule over several streams; If-Match is about the first."""
        actor, key, seen = by.actor(org), await by.command_ref(), by.expected if expected is None else expected
        with self.traces.span("command"):
            return Accepted(self.name, await self.handler.handle_joint(joint, command, by=actor, key=key, expected=seen))

    async def state(self, decider: Decider[S, Any], id: str) -> tuple[S, int]:
        """A stream's durable state and version."""
        return await self.handler.state(decider, id)

    async def states(self, decider: Decider[S, Any], ids: Sequence[str]) -> dict[str, S]:
        """The durable states of several streams, by id."""
        return await self.handler.states(decider, ids)

    async def history(self, decider: Decider[Any, Any], id: str, *, opened_for: str | None = None) -> Sequence[Happened]:
        """A stream's durable events, oldest first; their sealed fields opened for a principal, where one is named."""
        events = await self.handler.history(decider, id)
        return events if opened_for is None else await self.sealer.open(events, principal=opened_for)

    def today(self) -> date:
        """The day it is where the node stands."""
        return self.clock.now().astimezone(self.zone).date()


class Calling:
    """The caller of one request. Commands are handled only after a `require…` of its has said yes."""

    __slots__ = ("_app", "_org", "_permitted", "_ref", "_request", "principal")

    def __init__(self, principal: str, request: Request, app: Application) -> None:
        self.principal, self._request, self._app = principal, request, app
        self._permitted = False
        self._org: str | None = None
        self._ref: CommandRef | None = None

    @property
    def service(self) -> str | None:
        """The name of the calling service, None where a person calls."""
        return self.principal.removeprefix(SERVICE_PREFIX) if self.principal.startswith(SERVICE_PREFIX) else None

    async def require(self, *roles: str, unit: str, fresh: bool = False) -> Grant:
        """Go on only if the caller may act in one of these roles for the unit, today. The grant it acts by.

        `fresh`: for money and confidential matters, which fail closed on an old view. Raises NotPermitted, ActingAsNeeded, AuthorityStale.
        """
        if fresh:
            self.require_fresh_authority()
        grants = await self._app.authority.grants(self.principal, roles, unit, self._app.today())
        post = header(self._request.scope, b"acting-as")
        if post is not None:
            grants = [grant for grant in grants if grant.id == post]
        if not grants:
            raise NotPermitted("role", roles=sorted(roles))
        if self._request.method not in READS and len({grant.unit for grant in grants}) > 1:
            posts = [{"grant": grant.id, "unit": grant.unit, "role": grant.role} for grant in grants]
            raise ActingAsNeeded(posts=posts)
        self._permitted, self._org = True, grants[0].unit
        return grants[0]

    def require_fresh_authority(self) -> None:
        """Raises AuthorityStale where who may act was last known for certain more than AUTHORITY_AGE_SECONDS_MAX ago."""
        if not self._app.authority.age_seconds() <= AUTHORITY_AGE_SECONDS_MAX:
            raise AuthorityStale()

    def require_service(self, *names: str) -> None:
        """Go on only if one of our own services calls (any of them where none is named). Raises NotPermitted."""
        if self.service is None or (names and self.service not in names):
            raise NotPermitted("service")
        self._permitted = True

    def require_self(self, principal: str) -> None:
        """Go on only if the caller is that very person. Raises NotPermitted."""
        if self.principal != principal:
            raise NotPermitted("self")
        self._permitted = True

    async def require_service_or(self, *roles: str, unit: str) -> None:
        """Go on for our own services, and for people with one of these roles there. Raises what `require` raises."""
        if self.service is not None:
            self._permitted = True
        else:
            await self.require(*roles, unit=unit)

    def grants(self) -> Sequence[Grant]:
        """Everything the caller holds today."""
        return self._app.authority.roles(self.principal, self._app.today())

    def actor(self, org: str | None = None) -> Actor:
        """Who acts, for the record; `org` where it is another than the unit of the caller's grant.

        Raises RuntimeError where no `require…` has been asked: a command without a check is a bug, and must not get through.
        """
        if not self._permitted:
            raise RuntimeError("a command was handled without asking whether the caller may")
        return Actor(self.principal, org or self._org, self._request.scope["tongxin.trace"])

    @property
    def expected(self) -> int | None:
        """The version that If-Match names. Raises IfMatchMalformed."""
        return expected_version(header(self._request.scope, b"if-match"))

    async def command_ref(self) -> CommandRef:
        """What is remembered of this request as a command. Raises IdempotencyKeyMissing, IdempotencyKeyMalformed."""
        if self._ref is None:
            scope = self._request.scope
            query = scope["query_string"].decode("ascii", "replace")
            self._ref = command_ref(
                self._app.request_secret,
                principal=self.principal,
                method=scope["method"],
                route=scope["route"].path,
                path=scope["path"] + (f"?{query}" if query else ""),
                key=checked_key(header(scope, b"idempotency-key")),
                body=await self._request.body(),
            )
        return self._ref


def check_command(request: Request) -> None:
    """A command's own headers, before anything is looked up for it.

    Raises IdempotencyKeyMissing, IdempotencyKeyMalformed, IfMatchMalformed.
    """
    checked_key(header(request.scope, b"idempotency-key"))
    expected_version(header(request.scope, b"if-match"))


def application(request: Request) -> Application:
    """The service that a request came to."""
    return cast(Application, request.scope["app"].state.application)


class Bearer(SecurityBase):
    """Authenticates a request by its bearer token, and documents that it does; on queries, waits for `at_least`."""

    def __init__(self) -> None:
        self.model = HTTPBearerModel(bearerFormat="JWT")
        self.scheme_name = "bearer"

    async def __call__(self, request: Request) -> Calling:
        """Raises TokenMissing, TokenInvalid, TokenExpired, and what `waiting.wait_for` raises."""
        app = application(request)
        caller = Calling(await app.verifier.principal(_bearer_token(request)), request, app)
        if b"at_least=" in request.scope["query_string"]:
            await wait_for(request.query_params.getlist("at_least"), app.reached)
        return caller


def _bearer_token(request: Request) -> bytes:
    scheme, _, token = headers_of(request.scope).get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer" and token.strip():
        return token.strip()
    raise TokenMissing


async def the_application(request: Request) -> Application:
    """`application` as a dependency that FastAPI does not send to a thread."""
    return application(request)


BEARER = Bearer()

Caller = Annotated[Calling, Depends(BEARER)]
"""A route's authenticated caller."""

App = Annotated[Application, Depends(the_application)]
"""A route's service."""
