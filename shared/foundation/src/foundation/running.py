"""Brings the parts of a service to life in order, and stops them in reverse (DESIGN 9). The only wiring there is."""

import math
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from hmac import digest
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import structlog
from contracts.kernel import Event

from foundation import files as secret_files
from foundation.authority_view import AuthorityView, TableRows
from foundation.broker.kafka import KafkaBroker
from foundation.broker.port import Broker
from foundation.clock import Clock, SystemClock
from foundation.commands import Accepted, Actor, CommandRef
from foundation.consumer import Consumer, Effect
from foundation.cursor import Pool
from foundation.decider import Decider, JointDecider
from foundation.erasure.eraser import Eraser
from foundation.handler import Handler
from foundation.http.auth import KeySet, StaticKeys, TrustedIssuer, Verifier, keys_at, keys_in
from foundation.http.caller import Application
from foundation.http.following import follower
from foundation.http.pagination import Cursors
from foundation.http.tokens import SERVICE_PREFIX, NodeIssuer, SigningKey
from foundation.http.waiting import WAIT_SECONDS_MAX, Reached
from foundation.ids import random_id
from foundation.life import Life, patiently
from foundation.log.cosigners import Cosigner
from foundation.log.keys import LogKeys
from foundation.log.memory import LastSigned
from foundation.log.own import OwnLog
from foundation.log.publisher import Publisher
from foundation.log.reaches import Reaches
from foundation.log.storage import LogStore
from foundation.log.witness import Witness as LogWitness
from foundation.migrations import FOUNDATION, migrate
from foundation.operations import Operations
from foundation.parked import Parked, Queue
from foundation.projection_runner import ProjectionRunner
from foundation.projections import ProjectionGroup, groups
from foundation.reactions import Reactions
from foundation.rebuild import ensure_built
from foundation.record import leaf_hash
from foundation.recovery import Recovery
from foundation.relay import Relay
from foundation.settings import Settings
from foundation.source import HttpReader
from foundation.standing import Standing
from foundation.store.guard import RollbackGuard, Witness
from foundation.store.port import EventStore, Head
from foundation.store.postgres import PostgresStore
from foundation.store.writer import GroupCommit
from foundation.telemetry import Metrics, Traces
from foundation.timers import Due, Timers
from foundation.tracing import TracedBroker, TracedEffect, TracedStore
from foundation.tuning import settle_garbage_collector
from foundation.vault.masterkey import MasterKey
from foundation.vault.postgres import PostgresVault
from foundation.vault.sealer import Sealer

if TYPE_CHECKING:
    from foundation.service import Declaration

log = structlog.get_logger()

VAULT_HOME = files("foundation") / "home_migrations"


@dataclass(frozen=True, slots=True)
class Parts:
    """Adapters to use instead of those that the settings name; what is None comes from the settings."""

    clock: Clock = field(default_factory=SystemClock)
    broker: Broker | None = None
    client: httpx.AsyncClient | None = None
    exit: Callable[[int], Any] = os._exit


@asynccontextmanager
async def running(settings: Settings, declared: "Declaration", parts: Parts, metrics: Metrics, traces: Traces) -> AsyncIterator["Running"]:
    """Every part of a service, started in this order and stopped in the reverse one, each stop bounded.

    Raises what a part raises that does not come up within life.START_SECONDS_MAX.
    """
    async with AsyncExitStack() as stack:
        life = Life(stack, settings.stop_seconds_max, parts.exit)
        service = Running(settings, declared, parts=parts, metrics=metrics, traces=traces, life=life)
        await service.connect()
        await service.open_history()
        await service.take_commands()
        await service.project()
        service.follow_others()
        service.relay_to_others()
        service.publish_log()
        await service.prepare()
        service.work()
        service.keep_time()
        service.show()
        settle_garbage_collector()
        log.info("service started", service=declared.name)
        yield service
        log.info("service stops", service=declared.name)


class Running:
    """The parts of one service; each step makes those it is named for, and needs those of the steps before."""

    pool: Pool
    search: Pool
    log: OwnLog
    guard: RollbackGuard
    store: EventStore
    publisher: Publisher
    vault: PostgresVault
    sealer: Sealer
    writer: GroupCommit
    handler: Handler
    application: Application
    standing: Standing
    relay: Relay

    def __init__(self, settings: Settings, declared: "Declaration", *, parts: Parts, metrics: Metrics, traces: Traces, life: Life) -> None:
        self.settings, self.declared, self.metrics, self.traces, self.life = settings, declared, metrics, traces, life
        self.name, self.clock = declared.name, parts.clock
        self.key = SigningKey.at(settings.signing_key_file)
        self.log_keys = LogKeys(settings.log_folder, settings.node_org, authority=settings.log_authority)
        self.log_keys.make(self.name)
        self.secret = secret_files.ensure(settings.request_key_file, lambda: secrets.token_bytes(32)).read_bytes()
        issuer = NodeIssuer(self.key, issuer=settings.node_issuer, audience=settings.audience, clock=self.clock)
        self.token = issuer.service_tokens(self.name)
        self.client = parts.client or life.client()
        self.broker = parts.broker or self._broker()
        self.runners: list[ProjectionRunner] = []
        self.consumers: list[Consumer] = []
        self.reactions: dict[str, Reactions] = {}
        self.operations = Operations()

    def _broker(self) -> Broker:
        broker: Broker = KafkaBroker(
            self.settings.kafka_bootstrap,
            replication_factor=self.settings.topic_replicas,
            min_insync_replicas=self.settings.topic_insync_replicas,
        )
        self.life.closes("broker", broker.close)
        return TracedBroker(broker, self.traces) if self.traces.enabled else broker

    # ------------------------------------------------------------------------------------------------- the steps

    async def connect(self) -> None:
        """The two databases, their tables as this program wants them."""
        own, vault = self.settings.database_dsn.get_secret_value(), self.settings.vault_dsn.get_secret_value()
        await patiently("database", lambda: migrate(own, FOUNDATION, *self.declared.migrations))
        await patiently("vault", lambda: migrate(vault, VAULT_HOME))
        self.pool = await self.life.pool(own, self.settings.database_connections, self.name)
        self.search = await self.life.pool(vault, self.settings.vault_connections, self.name)

    async def open_history(self) -> None:
        """The own history and its log, held back while anybody has seen more of it than it holds."""
        logged, keys = LogStore(self.pool), self.log_keys
        self.log = OwnLog(self.name, logged, keys, LogWitness(self.pool, keys, self.name, self.clock))
        self.memory = LastSigned(self.settings.log_folder, self.name, keys)
        self.cosigners = [Cosigner(name, url, keys, self.client, logged.consistency) for name, url in self._siblings().items()]
        reaches = Reaches(self.pool, logged, keys, self.name, memory=self.memory, cosigners=self.cosigners)
        self.guard = RollbackGuard(self.pool, {**self._witnesses(), **reaches.witnesses()})
        store = PostgresStore(self.pool, before_writing=self.guard.check)
        await patiently("history", store.start)
        self.life.closes("history", store.close)
        self.life.task("guard", self.guard.watch(store.distrust))
        self.distrust = store.distrust
        self.store = TracedStore(store, self.traces) if self.traces.enabled else store

    async def take_commands(self) -> None:
        """Keys, the one writer, and the handler in front of it."""
        self.vault = PostgresVault(self.settings.vault_dsn.get_secret_value(), MasterKey.from_file(self.settings.master_key_file))
        await patiently("vault", self.vault.start)
        self.life.closes("vault", self.vault.close)
        self.sealer = Sealer(self.vault, principal=SERVICE_PREFIX + self.name)
        self.writer = GroupCommit(
            self.store,
            on_death=lambda error: self.life.die("writer", error),
            measured=lambda batch: self.metrics.appended(batch.requests, batch.seconds),
        )
        await self.writer.start()
        self.life.closes("writer", self.writer.close)
        self.handler = Handler(
            store=self.store,
            writer=self.writer,
            sealer=self.sealer,
            catalogue=self.declared.catalogue,
            clock=self.clock,
            source=self.settings.source_name(self.name),
        )
        eraser = Eraser(pool=self.pool, store=self.store, vault=self.vault, issue=self._issue, clock=self.clock)
        # An old vault backup holds keys that were destroyed since: they go again before anybody can ask for one.
        await patiently("erasures", eraser.remember)
        self.life.task("erasures heard of", eraser.follow())
        self.life.task("erasures", eraser.work())

    async def project(self) -> None:
        """Read models: of the own history from the store; of others' they are built and then followed, in a task of their own."""
        pools = {"service": self.pool, "vault": self.search}
        for group in groups(self.name, self.declared.projections, self.declared.catalogue, opener=self.sealer):
            self.operations.add_group(group, self.store if group.source == self.name else self.reader(group.source), pools[group.home])
            if group.source == self.name:
                runner = ProjectionRunner(group, self.store, pools[group.home])
                await patiently("projections", runner.start)
                self.life.closes("projections", runner.close)
                self.runners.append(runner)
            else:
                wanted = [projection.events for projection in group.projections]
                events = None if None in wanted else frozenset(event for one in wanted for event in one or ())
                self._consume(group.consumer, group.source, group, events, group)
        rows = TableRows(self.pool, self.declared.authority.source)
        catch_up = self._catch_up if self.declared.authority.source == self.name else None
        self.authority = AuthorityView(rows, monotonic=time.monotonic, behind=self._authority_behind, catch_up=catch_up)
        self.life.task("authority", self.authority.follow())

    def follow_others(self) -> None:
        """Reactions: other services' events become commands of ours."""
        for source in self.declared.follows:
            if reactions := self.declared.reactions_to(source):
                consumer = f"{self.name}-reactions"
                queue = Queue(consumer, source, self.clock)
                self.reactions[source] = effect = Reactions(reactions, self._issue, queue)
                parked = Parked(queue, self.pool, self.reader(source), self.declared.catalogue, effect.work)
                self.operations.add_reactions(source, parked, consumer, self.reader(source), self.pool)
                self._consume(consumer, source, effect, effect.events)

    def relay_to_others(self) -> None:
        """The own history to its topic."""
        topic, source = self.settings.topic(self.name), self.settings.source_name(self.name)
        self.operations.recovery = Recovery(
            self.guard,
            self.store,
            self.broker,
            topic=topic,
            source=source,
            origin=partial(self.log_keys.origin, self.name),
            clock=self.clock,
        )
        self.relay = Relay(self.store, self.broker, self.pool, topic=topic)
        self.relay.start()
        self.life.closes("relay", self.relay.close)

    def publish_log(self) -> None:
        """The own history as a transparency log, its checkpoints cosigned by the other services."""
        self.publisher = Publisher(
            self.name,
            pool=self.pool,
            store=self.log.store,
            keys=self.log_keys,
            memory=self.memory,
            cosigners=self.cosigners,
            guard=self.guard,
            distrust=self.distrust,
            clock=self.clock,
            every_seconds=self.settings.log_seconds,
        )
        self.life.task("log", self.publisher.run())

    async def prepare(self) -> None:
        """What routes get; then what the service wants done before the first of them is asked."""
        self.application = Application(
            name=self.name,
            node_org=self.settings.node_org,
            handler=self.handler,
            store=self.store,
            pool=self.pool,
            search=self.search,
            vault=self.vault,
            sealer=self.sealer,
            clock=self.clock,
            zone=ZoneInfo(self.settings.time_zone),
            verifier=Verifier(self._issuers(), self.clock),
            authority=self.authority,
            cursors=Cursors(self.secret),
            request_secret=self.secret,
            reached=self._reached(),
            traces=self.traces,
            log=self.log,
            operations=self.operations,
        )
        prepare = self.declared.prepare
        if prepare is not None:
            await patiently("preparation", lambda: prepare(self.application))
        # As long as it takes: after an upgrade a view may be made anew from a long history, and to die would be to begin again.
        await patiently("projections", self._catch_up, seconds_max=math.inf)

    def work(self) -> None:
        """What the service does beside answering."""
        for number, work in enumerate(self.declared.works, 1):
            self.life.task(f"work {number}", work(self.application))

    async def _catch_up(self) -> None:
        """Return once the own read models hold all that the history holds now. Raises TimeoutError, Halted."""
        newest = (await self.store.head()).position
        for runner in self.runners:
            await runner.reached(newest, WAIT_SECONDS_MAX)

    def keep_time(self) -> None:
        """Timers: what the own history says is due becomes a command when its time has come."""
        declared = self.declared.timers
        if declared is None:
            return

        async def fire(due: Due) -> None:
            issue = declared.issue(due)
            await self._issue(issue.decider, issue.id, issue.command, command_id=due.command_id, causation=None, correlation=random_id())

        timers = Timers(self.pool, self.clock, fire)
        timers.start()
        self.life.closes("timers", timers.close)

    def show(self) -> None:
        """How everything stands, from now on."""
        self.standing = Standing(self)
        self.standing.show(self.metrics)
        self.life.task("standing", self.standing.follow())

    # ------------------------------------------------------------------------------------------ between services

    def reader(self, source: str) -> HttpReader:
        """Another service's history. Raises LookupError where the settings do not say where it is."""
        return HttpReader(self.settings.sources[source], self.token, self.client)

    def _consume(
        self, name: str, source: str, effect: Effect, events: frozenset[type[Event]] | None, group: ProjectionGroup | None = None
    ) -> None:
        consumer = Consumer(
            name,
            source,
            broker=self.broker,
            reader=self.reader(source),
            pool=self.pool,
            effect=TracedEffect(effect, self.traces, name, source) if self.traces.enabled else effect,
            topic=self.settings.topic(source),
            catalogue=self.declared.catalogue,
            wanted=events,
        )
        self.consumers.append(consumer)
        self.life.closes(f"{name} of {source}", consumer.close)
        self.life.task(f"{name} of {source}", self._follow(consumer, group))

    async def _follow(self, consumer: Consumer, group: ProjectionGroup | None) -> None:
        # Not part of the start: two services that follow each other would wait for each other.
        if group is not None:
            reader = self.reader(group.source)
            await patiently("history of another service", lambda: ensure_built(group, reader, self.pool), seconds_max=math.inf)
        consumer.start()

    async def _issue(
        self,
        decider: Decider[Any, Any] | JointDecider[Any],
        id: str,
        command: Any,
        *,
        command_id: UUID,
        causation: str | None,
        correlation: str,
    ) -> Accepted:
        """A command of a reaction or a timer. Its id says what it is, so no request stands behind its hash."""
        key = CommandRef(command_id, digest(self.secret, command_id.bytes, "sha256"))
        actor = Actor(SERVICE_PREFIX + self.name, None, correlation, causation)
        with self.traces.span("reaction", trace=correlation):
            if isinstance(decider, JointDecider):
                return await self.handler.handle_joint(decider, command, by=actor, key=key)
            return await self.handler.handle(decider, id, command, by=actor, key=key)

    def _witnesses(self) -> dict[str, Witness]:
        """Who may have seen more of this history than it holds: its topic, and every other service of the node."""

        async def topic() -> Head | None:
            newest = await self.broker.last(self.settings.topic(self.name))
            return None if newest is None else Head(newest.epoch, newest.position, leaf_hash(newest.value))

        followers = {name: follower(self.client, url, self.name, self.token) for name, url in self._siblings().items()}
        return {"topic": topic, **followers}

    def _siblings(self) -> dict[str, str]:
        return {name: url for name, url in self.settings.sources.items() if name != self.name}

    # ---------------------------------------------------------------------------------------------------- callers

    def _issuers(self) -> list[TrustedIssuer]:
        audience, own = self.settings.audience, StaticKeys(self.key.jwks)
        provider = self.settings.issuer
        node = TrustedIssuer(self.settings.node_issuer, audience, own, people=provider is None, services=True)
        return [node] if provider is None else [node, TrustedIssuer(provider, audience, self._provider_keys())]

    def _provider_keys(self) -> KeySet:
        if self.settings.jwks_file is not None:
            return keys_in(self.settings.jwks_file, time.monotonic)
        if self.settings.jwks_url is not None:
            return keys_at(self.settings.jwks_url, self.client, time.monotonic)
        raise ValueError("an issuer needs its keys: TONGXIN_JWKS_FILE or TONGXIN_JWKS_URL")

    def _authority_behind(self) -> float:
        """How many seconds old the newest proof is that the tables of who may act hold all there is; inf where there is none."""
        source = self.declared.authority.source
        if source == self.name:
            return 0.0 if all(runner.standing().condition == "following" for runner in self.runners) else math.inf
        return max(
            (one.state().age_seconds for one in self.consumers if one.source == source and one.name == f"{self.name}-service"),
            default=math.inf,
        )

    def _reached(self) -> Mapping[str, Reached]:
        """By source: returns once everything that is read here holds its events up to a position."""

        async def own(position: int) -> None:
            for runner in self.runners:
                await runner.reached(position, WAIT_SECONDS_MAX)

        def of(source: str) -> Reached:
            followers = [consumer for consumer in self.consumers if consumer.source == source]

            async def reached(position: int) -> None:
                for consumer in followers:
                    await consumer.progress.reached(position, WAIT_SECONDS_MAX)

            return reached

        return {self.name: own, **{source: of(source) for source in self.declared.follows}}
