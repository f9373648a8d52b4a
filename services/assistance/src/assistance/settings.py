"""What assistance is told from outside, beside foundation's settings."""

from pathlib import Path

from foundation.settings import Settings as Foundation

from assistance.workdays import WorkingDays


class Settings(Foundation):
    """Environment variables `TONGXIN_*`."""

    working_days_file: Path | None = None
    """The operator's table of working days and holidays; None: the published calendar alone."""

    bank_url: str | None = None
    """Where the bank takes files and answers questions. None: nothing is sent, and its files are handed in by hand."""

    bank_poll_seconds: float = 1.0
    """How often it is looked whether a batch is to be sent, or asked about."""

    def working_days(self) -> WorkingDays:
        """The calendar in force. Raises WorkingDaysUnreadable, OSError."""
        return WorkingDays() if self.working_days_file is None else WorkingDays.parse(self.working_days_file.read_text("utf-8"))
