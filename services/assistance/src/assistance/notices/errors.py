"""The rules that a public notice can break."""

from datetime import date

from foundation.decider import Refusal


class NoticeUnknown(Refusal):
    """There is no such notice."""

    status = 404

    def __init__(self, notice: str) -> None:
        super().__init__(notice=notice)


class NoticeExists(Refusal):
    """A notice of this id hangs or hung."""

    def __init__(self, notice: str) -> None:
        super().__init__(notice=notice)


class NoticeMalformed(Refusal):
    """A notice lists 1 to LISTED_MAX verified applications of programmes that are posted, each once, and is entered on its day."""

    status = 422


class SheetDiffers(Refusal):
    """The sheet that would hang now is another one than the caller has looked at."""

    def __init__(self, sheet: str) -> None:
        super().__init__(sheet=sheet)


class SheetNotKept(Refusal):
    """The sheet that hung cannot be made again: names were erased or changed since. Its digest is in the history."""

    def __init__(self, notice: str, sheet: str) -> None:
        super().__init__(notice=notice, sheet=sheet)


class NoticeStillHangs(Refusal):
    """The notice comes down after its last day."""

    def __init__(self, until: date) -> None:
        super().__init__(until=until)


class NoticeDown(Refusal):
    """The notice has been taken down."""

    def __init__(self, notice: str) -> None:
        super().__init__(notice=notice)


class NotOnNotice(Refusal):
    """The application is not on this notice."""

    status = 422

    def __init__(self, application: str) -> None:
        super().__init__(application=application)


class ObjectionUnknown(Refusal):
    """There is no such objection to this notice."""

    status = 404

    def __init__(self, objection: str) -> None:
        super().__init__(objection=objection)


class ObjectionsOpen(Refusal):
    """Objections are looked into before the notice counts."""

    def __init__(self, objections: list[str]) -> None:
        super().__init__(objections=objections)


class OwnObjection(Refusal):
    """Whoever posted the notice, or made a case on it, does not settle objections to it."""

    status = 403
