"""What membership is told from outside, beside foundation's settings."""

from importlib.resources import files
from pathlib import Path

from foundation.settings import Settings as Foundation

from membership.terms import Terms


class Settings(Foundation):
    """Environment variables `TONGXIN_*`."""

    terms_file: Path | None = None
    """The operator's own terms; None: those that come with the service (terms.toml)."""

    def terms(self) -> Terms:
        """The terms in force. Raises TermsUnreadable, OSError."""
        source = files("membership") / "terms.toml" if self.terms_file is None else self.terms_file
        return Terms.parse(source.read_text("utf-8"))
