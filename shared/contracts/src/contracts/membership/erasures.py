"""Erasure 删除: what a person or a court may demand."""

from datetime import datetime

from contracts.foundation import ErasureBasis, ErasureId
from contracts.kernel import Event, PersonId, Sealed


class ErasureOrdered(Event, type="membership.ErasureOrdered", version=1, subject="erasure", purpose="erasure"):
    """A person is to be erased (PIPL 47): every service restricts, then destroys its own keys of the purposes that have ended.

    The note is sealed under the erasure's own id: it is the evidence of why, and outlives the person's keys.
    """

    person: PersonId
    erasure: ErasureId
    basis: ErasureBasis
    note: Sealed[str] | None = None
    ordered_at: datetime
