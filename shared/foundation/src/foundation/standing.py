"""How the parts of a running service stand: what `/readyz` answers and `/metrics` shows."""

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import structlog

from foundation.http.health import Check, Component
from foundation.telemetry import Metrics
from foundation.transient import TRANSIENT

if TYPE_CHECKING:
    from foundation.running import Running

log = structlog.get_logger()
P = TypeVar("P")

PARKED_SECONDS = 5.0
"""How often the parked keys are counted."""


class Standing:
    """Asks the parts; everything but the two databases answers from memory."""

    def __init__(self, service: "Running") -> None:
        self._service = service
        self._parked = 0

    def checks(self) -> dict[str, Check]:
        """What has to be well for the service to be ready, by component.

        Neither a broker that is away nor another service's history that has gone wrong keeps this one from answering: they only show.
        """
        return {
            "database": self._database,
            "vault": self._vault,
            "writer": self._writer,
            "guard": self._guard,
            "log": self._log,
            "projections": self._projections,
            "authority": self._authority,
            "relay": self._relay,
            "consumers": self._consumers,
        }

    async def _database(self) -> Component:
        head = await self._service.store.head()
        return Component(ready=True, detail={"position": head.position, "epoch": head.epoch})

    async def _vault(self) -> Component:
        await self._service.search.fetchval("select 1")
        return Component(ready=True)

    async def _writer(self) -> Component:
        return Component(ready=True, detail={"queued": self._service.writer.queued})

    async def _guard(self) -> Component:
        refusal = self._service.guard.refusal
        if refusal is None:
            return Component(ready=True)
        return Component(ready=False, detail={"ours": refusal.ours, "seen": refusal.seen, "by": refusal.by})

    async def _log(self) -> Component:
        log = self._service.publisher.standing
        since = log.unwitnessed_since
        detail = {
            "integrated": log.integrated,
            "published": log.published,
            "unwitnessed_since": None if since is None else since.isoformat(),
            "held": log.held,
            "damage": log.damage,
            "remedy": log.remedy,
            "trouble": log.trouble,
            "scrubbed": log.scrubbed,
            "whole": None if log.whole is None else {"size": log.whole.size, "at": log.whole.at.isoformat()},
        }
        return Component(ready=log.damage is None, detail=detail)

    async def _projections(self) -> Component:
        standings = [runner.standing() for runner in self._service.runners]
        detail = {
            "lag": max((standing.lag for standing in standings), default=0),
            **{standing.consumer: f"{standing.condition} at {standing.position}" for standing in standings},
        }
        return Component(ready=all(standing.condition == "following" for standing in standings), detail=detail)

    async def _authority(self) -> Component:
        age = self._service.authority.age_seconds()
        return Component(ready=age < math.inf, detail={"age_seconds": round(age, 1) if age < math.inf else None})

    async def _relay(self) -> Component:
        state = self._service.relay.state()
        return Component(ready=True, detail={"lag": state.lag, "leads": state.leads, "trouble": state.trouble})

    async def _consumers(self) -> Component:
        detail = {}
        for consumer in self._service.consumers:
            state = consumer.state()
            age = round(state.age_seconds, 1) if state.age_seconds < math.inf else None
            detail[f"{state.consumer} of {state.source}"] = {
                "position": state.last,
                "lag": state.lag,
                "age_seconds": age,
                "halted": state.halted,
                "trouble": state.trouble,
            }
        return Component(ready=True, detail={**detail, "parked_keys": self._parked})

    # ---------------------------------------------------------------------------------------------------- metrics

    def show(self, metrics: Metrics) -> None:
        """Show what changes as gauges, read whenever they are asked for."""
        service = self._service
        metrics.gauge("append_queue", "Commands waiting for a batch", lambda: service.writer.queued)
        metrics.gauge("relay_lag", "Events that the broker has not acknowledged", lambda: service.relay.state().lag)
        metrics.gauge("authority_age_seconds", "Age of the view of who may act", service.authority.age_seconds)
        metrics.gauge("parked_keys", "Streams whose reactions wait for an operator", lambda: self._parked)
        log = service.publisher.standing
        metrics.gauge("log_size", "Records in the transparency log", lambda: log.integrated)
        metrics.gauge("log_published_size", "Records under the newest published checkpoint", lambda: log.published)
        metrics.gauge(
            "log_unwitnessed_seconds", "Since when no witness has cosigned a checkpoint; 0 while they do", self._unwitnessed_seconds
        )
        metrics.gauge("log_damaged", "1 while the log has stopped over damage", lambda: log.damage is not None)
        metrics.gauge("log_scrubbed_size", "Records that the pass under way has read again", lambda: log.scrubbed)
        metrics.gauge(
            "log_whole_size", "Records that were found whole when all were read again last", lambda: log.whole.size if log.whole else 0
        )
        metrics.gauge("writes_refused", "1 while the rollback guard refuses writes", lambda: service.guard.refusal is not None)
        for runner in service.runners:
            metrics.gauge(
                "projection_lag", "Events not applied yet", _reading(lambda one: one.standing().lag, runner), consumer=runner.group.consumer
            )
        for consumer in service.consumers:
            labels = {"consumer": consumer.name, "source": consumer.source}
            metrics.gauge("consumer_lag", "Events of the source not applied yet", _reading(lambda one: one.state().lag, consumer), **labels)
            metrics.gauge(
                "consumer_halted", "1 while a consumer has halted", _reading(lambda one: bool(one.state().halted), consumer), **labels
            )

    def _unwitnessed_seconds(self) -> float:
        since = self._service.publisher.standing.unwitnessed_since
        return 0.0 if since is None else (self._service.clock.now() - since).total_seconds()

    async def follow(self) -> None:
        """Count the parked keys now and then, for ever."""
        while True:
            try:
                self._parked = await self._service.pool.fetchval("select count(*) from parked_keys")
            except TRANSIENT as error:
                log.info("parked keys not counted", error=type(error).__name__)
            await asyncio.sleep(PARKED_SECONDS)


def _reading(read: Callable[[P], float], part: P) -> Callable[[], float]:
    return lambda: read(part)
