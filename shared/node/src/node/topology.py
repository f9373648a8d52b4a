"""What a node consists of, readable in one place: its services, what each follows, where each listens, what each may use."""

from dataclasses import dataclass

from foundation.vault.keeper import INSTANCE_SETTINGS

from node.errors import UsageError

BASE_PORT = 8700


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """One service: a process, a database and a role of the same name. It listens on base port + `port`."""

    name: str
    port: int
    follows: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    """For what it may use keys of the vault (docs/decisions/0003-vault.md)."""


SERVICES = (
    ServiceSpec("membership", 1, purposes=("membership", "roster", "erasure")),
    ServiceSpec("assistance", 2, follows=("membership", "rights"), purposes=("assistance", "hardship")),
    ServiceSpec("rights", 3, follows=("membership",)),
    ServiceSpec("training", 4, follows=("membership",)),
)

VAULT = "vault"
"""The database on the vault's server."""

POSTGRES_PORT, VAULT_PORT, BROKER_PORT = 10, 11, 12
"""Offsets from the base port: the services' PostgreSQL, the vault's, the broker."""

PORTS = BROKER_PORT + 1
"""So many from the base port on are the node's."""

POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "120",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "idle_in_transaction_session_timeout": "30s",
    # Neither statements nor the values in an error's detail reach the log: they could hold personal data.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
VAULT_SETTINGS = POSTGRES_SETTINGS | {"max_connections": "60", "shared_buffers": "64MB", "max_wal_size": "256MB"} | INSTANCE_SETTINGS
"""Small: the whole node fits in 4 GB (DESIGN 9)."""


BASE_PORT_MAX = 65_535 - BROKER_PORT


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens, on loopback."""

    base: int

    @property
    def postgres(self) -> int:
        return self.base + POSTGRES_PORT

    @property
    def vault(self) -> int:
        return self.base + VAULT_PORT

    @property
    def broker(self) -> int:
        return self.base + BROKER_PORT

    def of(self, service: ServiceSpec) -> int:
        """A service's port."""
        return self.base + service.port

    def url(self, service: ServiceSpec) -> str:
        """A service's address."""
        return f"http://127.0.0.1:{self.of(service)}"

    def all(self) -> dict[str, int]:
        """Every port by what listens there."""
        named = {service.name: self.of(service) for service in SERVICES}
        return named | {"postgres": self.postgres, "vault": self.vault, "broker": self.broker}


def service(name: str) -> ServiceSpec:
    """The service of that name. Raises UsageError where there is none."""
    found = next((service for service in SERVICES if service.name == name), None)
    if found is None:
        raise UsageError(f"there is no service {name}", f"one of {', '.join(service.name for service in SERVICES)}")
    return found
