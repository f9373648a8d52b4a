"""How a node is: asked of each service, not of the supervisor."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from pydantic import BaseModel

from node.folder import DataFolder
from node.topology import SERVICES, ServiceSpec


class ServiceStatus(BaseModel):
    """One service: where it is, how far its history goes, and how far its relay and its views are behind (in events)."""

    url: str
    ready: bool
    position: int | None = None
    relay_lag: int | None = None
    projection_lag: int | None = None
    waits_for: list[str] = []
    """Its components that are not ready."""
    halted: list[str] = []
    """Its views that do not go on by themselves."""


FIGURES = ("position", "relay_lag", "projection_lag")


class NodeStatus(BaseModel):
    """The node; ready when every service is."""

    ready: bool
    organisation: str
    services: dict[str, ServiceStatus]


def of(folder: DataFolder) -> NodeStatus:
    """Ask every service, at the same time. A service that does not answer is not ready; its figures are null."""
    config = folder.config()
    with ThreadPoolExecutor(len(SERVICES)) as pool:
        answers = list(pool.map(lambda service: _ask(service, config.url(service)), SERVICES))
    services = {service.name: answer for service, answer in zip(SERVICES, answers, strict=True)}
    return NodeStatus(ready=folder.runs() and all(each.ready for each in answers), organisation=config.organisation, services=services)


def published(now: NodeStatus) -> dict[str, Any]:
    """What `status --json` promises, and nothing else that somebody would come to rely on."""
    services = {name: service.model_dump(include={"url", *FIGURES}) for name, service in now.services.items()}
    return {"ready": now.ready, "services": services}


def _ask(service: ServiceSpec, url: str) -> ServiceStatus:
    try:
        said = httpx.get(f"{url}/readyz", timeout=3).json()
        waits_for = [name for name, component in said["components"].items() if not component["ready"]]
        views = said["components"].get("projections", {}).get("detail", {})
        halted = [name for name, standing in views.items() if str(standing).startswith("halted")]
        return ServiceStatus(url=url, **{name: said.get(name) for name in FIGURES}, ready=said["ready"], waits_for=waits_for, halted=halted)
    except (httpx.HTTPError, ValueError, KeyError):
        return ServiceStatus(url=url, ready=False)
