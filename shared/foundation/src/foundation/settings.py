"""What a service is told from outside: environment variables `TONGXIN_*`, read once by its `main`."""

from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from foundation.log.origin import AUTHORITY


class Settings(BaseSettings):
    """Frozen. Secrets come as files or as SecretStr, so that no repr or log shows them. Services add their own in a subclass."""

    model_config = SettingsConfigDict(env_prefix="TONGXIN_", frozen=True, extra="ignore", hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)

    node_org: str
    """The organisation whose node this is, as in `3709`."""

    time_zone: str = "Asia/Shanghai"
    """Whose calendar decides what day it is: appointments begin and end on days."""

    database_dsn: SecretStr
    database_connections: int = Field(default=12, ge=4)
    vault_dsn: SecretStr
    vault_connections: int = Field(default=4, ge=2)
    master_key_file: Path

    kafka_bootstrap: str
    topic_prefix: str = "tongxin."
    topic_replicas: int = Field(default=1, ge=1)
    topic_insync_replicas: int = Field(default=1, ge=1)

    sources: dict[str, str] = {}
    """The base URL of each service of the node, by name."""

    signing_key_file: Path
    """The node's Ed25519 key (PEM): signs the services' tokens, and people's while no OIDC provider is configured. Made where missing."""

    request_key_file: Path
    """32 secret bytes, under which request hashes and cursors are made. Made where missing, and kept for ever: under other bytes a repeated
    command looks like another one."""

    log_dir: Path | None = None
    """Where the keys of the transparency log are, and the last checkpoint signed. None: the folder `log` beside the signing key."""

    log_authority: str = AUTHORITY
    """The first part of the log's origin, a domain of the operator's. Never changed: a log under another name is another log."""

    log_seconds: float = Field(default=1.0, gt=0)
    """How often a checkpoint is published, where the history grew."""

    issuer: str | None = None
    """The OIDC provider that vouches for people. None: the node's own key does (development)."""

    audience: str = "tongxin"
    jwks_file: Path | None = None
    jwks_url: str | None = None
    """Where the provider's keys are: one of the two."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    otlp_endpoint: str | None = None
    """Where spans are sent (OTLP over HTTP, as in `http://collector:4318/v1/traces`). None: none are made."""

    stop_seconds_max: int = Field(default=10, ge=1)
    """How long a stop may take: first for answers under way, then for each part."""

    @cached_property
    def node_issuer(self) -> str:
        """The name under which the node's own key signs."""
        return f"urn:tongxin:node:{self.node_org}"

    @cached_property
    def log_folder(self) -> Path:
        """Where the log's keys are."""
        return self.log_dir or self.signing_key_file.parent / "log"

    def topic(self, service: str) -> str:
        """The topic of a service's history."""
        return f"{self.topic_prefix}{service}.events"

    def source_name(self, service: str) -> str:
        """The CloudEvents `source` of a service's records."""
        return f"/nodes/{self.node_org}/{service}"
