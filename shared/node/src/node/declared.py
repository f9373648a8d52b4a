"""What every service of the node declares, without starting any: its projections, its deciders, the events it knows."""

from importlib import import_module
from typing import TYPE_CHECKING, get_type_hints

from foundation.projections import ProjectionGroup, groups

from node.topology import SERVICES

if TYPE_CHECKING:  # the command line starts without the services
    from foundation.service import Declaration


def declarations() -> "dict[str, Declaration]":
    """By service."""
    return {service.name: _declaration(service.name) for service in SERVICES}


def _declaration(service: str) -> "Declaration":
    create_app = import_module(f"{service}.main").create_app
    # What a service declares follows from no setting that an operator has to make, so the defaults do.
    settings = get_type_hints(create_app)["settings"].model_construct()
    declared: Declaration = create_app(settings).declaration
    return declared


def followers(source: str) -> tuple[dict[str, ProjectionGroup], list[str]]:
    """The projections of one service's history that lie in databases of services, by service; and the names of those that are left out,
    because they lie in the vault and hold plaintext, which nobody has who has only the history."""
    found: dict[str, ProjectionGroup] = {}
    left_out: list[str] = []
    for name, declared in declarations().items():
        fed = [projection for projection in declared.projections if projection.source == source]
        left_out += [f"{name}.{projection.name}" for projection in fed if projection.home == "vault"]
        for group in groups(name, [projection for projection in fed if projection.home == "service"], declared.catalogue):
            found[name] = group
    return found, left_out


def keeper_of(stream: str) -> str | None:
    """The service whose history has streams of this category; None where none has, or every one."""
    category = stream.partition("-")[0]
    found = [name for name, declared in declarations().items() if category in {decider.category for decider in declared.deciders}]
    return found[0] if len(found) == 1 else None
