"""Which service publishes which module of events: the one place that lists them all. Tests hold the package to it."""

from types import ModuleType

from contracts import assistance, foundation, membership, rights
from contracts.kernel import Catalogue

PUBLISHED: dict[str, ModuleType] = {"membership": membership, "assistance": assistance, "rights": rights}
"""The module of each service that publishes events of its own."""

COMMON: ModuleType = foundation
"""What any history may hold."""


def published(service: str) -> Catalogue:
    """The event types that may stand in one service's history."""
    return Catalogue.of(*([PUBLISHED[service]] if service in PUBLISHED else []), COMMON)


def registry() -> Catalogue:
    """Every event type there is, with the superseded versions that are still read."""
    return Catalogue.of(*PUBLISHED.values(), COMMON)
