"""Published events of every history, whichever service it belongs to."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.kernel import Event


class EpochOpened(Event, type="foundation.EpochOpened", version=1):
    """The first record of a new epoch: records that others had seen were lost for good, and the operator goes on without them.

    It names the log given up: its origin, how many records of it survive (this record's own position), and their Merkle root
    (RFC 6962, lower-case hex).
    """

    epoch: Annotated[int, Field(ge=1)]
    old_origin: str
    old_size: Annotated[int, Field(ge=0)]
    old_root: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


# -------------------------------------------------------------------------------------------------- erasure 个人信息删除


class ErasureBasis(StrEnum):
    """On which of its grounds PIPL 47 (个人信息保护法 47) has personal data deleted."""

    purpose_ended = "purpose-ended"  # 处理目的已实现、无法实现或者不再必要: (1)
    service_ended = "service-ended"  # 停止提供服务，或者保存期限已届满: (2)
    consent_withdrawn = "consent-withdrawn"  # 个人撤回同意: (3)
    unlawful = "unlawful"  # 违反法律、行政法规或者违反约定: (4)
    other_law = "other-law"  # 法律、行政法规规定的其他情形: (5)


SubjectId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""Whose keys: a person or a case, at random."""

ErasureId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""One order to erase, carried out by every service."""

Purpose = Annotated[str, StringConstraints(pattern=r"^(\*|[a-z][a-z0-9_-]{0,39})$")]
"""What a key is for; `*` for all."""

KeyId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{22}$")]
"""A key's 128 random bits, unpadded base64url."""


class KeptGround(StrEnum):
    """Why the keys of a purpose are not destroyed yet."""

    retention = "retention"  # 保存期限未届满
    hold = "hold"  # 依法保全


class Kept(BaseModel):
    """A purpose whose keys are kept, until when (None: not known), and why. Whose rule it is stands in the vault's own data."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    purpose: Purpose
    ground: KeptGround
    until: datetime | None = None


class ErasureBegun(Event, type="foundation.ErasureBegun", version=1):
    """This service was told to erase a subject. From here its keys are not used any more, but for purposes that the law keeps in use."""

    subject: SubjectId
    erasure: ErasureId
    basis: ErasureBasis
    ordered_at: datetime


class KeysDestroyed(Event, type="foundation.KeysDestroyed", version=1):
    """This service destroyed a subject's keys of one purpose. Done again after an old vault was restored from a backup."""

    subject: SubjectId
    erasure: ErasureId
    basis: ErasureBasis
    purpose: Purpose
    keys: tuple[KeyId, ...]
    at: datetime


class ErasureCarriedOut(Event, type="foundation.ErasureCarriedOut", version=1):
    """This service has destroyed what it may, and keeps what it must. Told again when the grounds of what is kept have changed.

    With nothing kept the erasure is done here.
    """

    subject: SubjectId
    erasure: ErasureId
    kept: tuple[Kept, ...] = ()
