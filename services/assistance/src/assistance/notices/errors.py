"""The rules that a public notice can break."""

from datetime import date

from foundation.decider import Refusal


class NoticeUnknown(Refusal):
    """There is no such notice."""

    status = 404

    def __init__(self, notice: str) -> None:
        super().__init__("there is no such notice", notice=notice)


class NoticeExists(Refusal):
    """A notice of this id hangs or hung."""

    def __init__(self, notice: str) -> None:
        super().__init__("this notice was posted before", notice=notice)


class NoticeMalformed(Refusal):
    """A notice lists 1 to LISTED_MAX verified applications of programmes that are posted, each once."""

    status = 422

    def __init__(self, why: str) -> None:
        super().__init__(why)


class SheetDiffers(Refusal):
    """The sheet that would hang now is another one than the caller has looked at."""

    def __init__(self, sheet: str) -> None:
        super().__init__("the sheet has changed since it was looked at", sheet=sheet)


class SheetNotKept(Refusal):
    """The sheet that hung cannot be made again: names were erased or changed since. Its digest is in the history."""

    def __init__(self, notice: str, sheet: str) -> None:
        super().__init__("the sheet that hung cannot be made again", notice=notice, sheet=sheet)


class NoticeStillHangs(Refusal):
    """The notice comes down after its last day."""

    def __init__(self, until: date) -> None:
        super().__init__(f"the notice hangs until {until}", until=until.isoformat())


class NoticeDown(Refusal):
    """The notice has been taken down."""

    def __init__(self, notice: str) -> None:
        super().__init__("the notice has been taken down", notice=notice)


class NotOnNotice(Refusal):
    """The application is not on this notice."""

    status = 422

    def __init__(self, application: str) -> None:
        super().__init__("the application is not on this notice", application=application)


class ObjectionUnknown(Refusal):
    """There is no such objection to this notice."""

    status = 404

    def __init__(self, objection: str) -> None:
        super().__init__("there is no such objection to this notice", objection=objection)


class ObjectionsOpen(Refusal):
    """Objections are looked into before the notice counts."""

    def __init__(self, objections: list[str]) -> None:
        super().__init__("objections have not been settled", objections=objections)


class OwnObjection(Refusal):
    """Whoever posted the notice, or made a case on it, does not settle objections to it."""

    status = 403

    def __init__(self) -> None:
        super().__init__("somebody else than those who made the case settles an objection to it")
