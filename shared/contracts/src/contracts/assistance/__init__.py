"""Events of assistance 帮扶, by the slice that publishes them. `contracts.assistance.<Event>` is their name elsewhere."""

from contracts.assistance.eligibility import EligibilityEnded, EligibilityRestored, EndReason

__all__ = ["EligibilityEnded", "EligibilityRestored", "EndReason"]
