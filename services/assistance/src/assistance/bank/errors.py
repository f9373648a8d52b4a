"""What is wrong with a file of the bank's, or with one to it. None of it quotes the file: that may name somebody."""

from foundation.decider import Refusal


class BankFileUnreadable(Refusal):
    """This is not a file of the kind that it is said to be; `rule` says what is wrong, `place` where (a line or a row), 0 for the whole."""

    status = 422

    def __init__(self, rule: str, place: int = 0) -> None:
        super().__init__(rule, rule=rule, place=place)
        self.rule, self.place = rule, place


class FileNotRendered(Refusal):
    """The file to the bank cannot be written: an amount or an account does not fit its format, or an account was erased."""

    def __init__(self, rule: str, entitlement: str | None = None) -> None:
        super().__init__(rule, rule=rule, entitlement=entitlement)
