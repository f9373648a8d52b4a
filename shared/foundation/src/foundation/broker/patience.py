"""A consumer that waits where the broker does not.

noida-db answers a fetch at once, also when there is nothing (Kafka holds it until `fetch_max_wait_ms`). aiokafka then asks again at once:
7,000 times a second, a whole core for one idle consumer. So an empty answer that came early is held back here, longer and longer while
nothing comes, and not at all with a broker that waits.
"""

import asyncio
import time
from typing import Any

from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped]
from aiokafka.protocol.fetch import FetchRequest  # type: ignore[import-untyped]

HOLD_SECONDS_FIRST = 0.004
HOLD_SECONDS_MAX = 0.05
"""The longest that a message waits here after a silence."""

EARLY_SECONDS = 0.1
"""An empty answer after less than this is early; `fetch_max_wait_ms` is five times as long."""


class PatientConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """AIOKafkaConsumer, kind to brokers and cores."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._send = self._client.send
        self._client.send = self._patiently
        self._hold = HOLD_SECONDS_FIRST

    async def _patiently(self, node_id: int, request: Any, **how: Any) -> Any:
        began = time.monotonic()
        response = await self._send(node_id, request, **how)
        if isinstance(request, FetchRequest):
            # A partition's answer ends with its records.
            if any(partition[-1] for _, partitions in response.topics for partition in partitions):
                self._hold = HOLD_SECONDS_FIRST
            elif time.monotonic() - began < EARLY_SECONDS:
                await asyncio.sleep(self._hold)
                self._hold = min(self._hold * 1.5, HOLD_SECONDS_MAX)
        return response
