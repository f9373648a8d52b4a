"""What a public notice shows: of an applicant the masked name, and nothing else that is theirs, whatever the application knows."""

import re
from dataclasses import replace
from datetime import date
from html import unescape
from typing import Any, cast

import pytest
from assistance.applications.application import Verified
from assistance.applications.errors import ApplicationElsewhere
from assistance.applications.following import APPLICATION
from assistance.notices.listing import listed, listing, until_posted
from assistance.notices.sheet import Hangs, Line, Listing, digest_of, rendered, sentences
from assistance.notices.templates import TemplateUnsafe, masked, parsed, template_of, template_on
from contracts.assistance.applications import (
    AccountGiven,
    ApplicationDrafted,
    ApplicationPosted,
    ApplicationVerified,
    Facts,
)
from contracts.assistance.hardship import BankAccount, HardshipFileOpened, Household, HouseholdMember, Relation
from contracts.kernel import Event
from contracts.membership import Digest
from foundation.history import Happened
from foundation.http.caller import Application
from foundation.texts import LANGUAGES
from hypothesis import given as for_all
from hypothesis import strategies as some

from .world import PAPER

HANGS = Hangs(date(2026, 1, 21), date(2026, 1, 28), 5)
TEMPLATE = template_on(HANGS.since)
APPLICATION_ID, PERSON, GUARDIAN, HOUSEHOLD, STEWARD, NOTICE = ("a1b2" * 8, "c3d4" * 8, "e5f6" * 8, "b7c8" * 8, "d9e0" * 8, "f1a2" * 8)
UNION = "370902001001"

hanzi = some.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF) | some.sampled_from("𠮷𬱖·<&'\"")
names = some.text(hanzi, min_size=3, max_size=12).filter(lambda name: name == name.strip())
secret = some.text(some.characters(min_codepoint=0x3400, max_codepoint=0x4DBF), min_size=4, max_size=12)
"""Words of rare characters, which no catalogue has: found in a sheet, they came from the applicant."""
digits = some.text("123456789", min_size=11, max_size=18)


class Told:
    """A service that knows one application, opened, and its household's file: what `listed` may ask of a running one."""

    def __init__(self, *events: Event, file: HardshipFileOpened | None = None) -> None:
        self.pool = self.sealer = self
        self.events, self.file = events, file

    @property
    def histories(self) -> dict[str, list[Happened]]:
        return {APPLICATION_ID: [cast("Happened", replace_event(event)) for event in self.events]}

    async def open(self, batch: list[Happened], **asked: Any) -> list[Happened]:
        assert asked["only"] <= {"name", "account"}, "nothing else is opened for a wall"
        return batch

    async def states(self, decider: Any, ids: list[str]) -> dict[str, Any]:
        return {one: decider.fold([] if self.file is None else [self.file]) for one in ids}

    async def fetch(self, *_: Any) -> list[dict[str, str]]:
        return [{"organisation": UNION, "name": "东岳社区工会"}]

    @property
    def app(self) -> Application:
        return cast("Application", self)


class replace_event:  # noqa: N801 - stands for a record, of which only the event is read
    def __init__(self, event: Event) -> None:
        self.event = event


def application(
    name: str | None, account: BankAccount | None, told: str, *, payee: str = PERSON, household: str | None = None
) -> list[Event]:
    drafted = ApplicationDrafted(
        application=APPLICATION_ID,
        organisation=UNION,
        programme="medical-relief",
        person=PERSON,
        household=household,
        payee=payee,
        name=name,
        statement=told,
        account=account,
        drafted_by=STEWARD,
        drafted_on=HANGS.since,
    )
    verified = ApplicationVerified(
        application=APPLICATION_ID,
        person=PERSON,
        visitors=(STEWARD,),
        visited_on=HANGS.since,
        facts=Facts(values={"illness": told, "self_paid_fen": 1_500_000}),
        finding=told,
        programme_version=1,
        file_version=None,
        entitled_fen=200_000,
        failed=("listed-illness",),
        documents_needed=("diagnosis",),
        verified_by=STEWARD,
    )
    return [drafted, verified]


async def sheet_of(told: Told) -> str:
    found = await listed(told.histories, told.app, by=STEWARD)
    return rendered(TEMPLATE, await listing(UNION, HANGS, found, told.app)).decode()


def household(minor: bool) -> HardshipFileOpened:
    member = HouseholdMember(person=PERSON, relation=Relation.child, minor=minor, guardian=GUARDIAN, consent=PAPER)
    account = BankAccount(bank="农行", name="王大山", number="1")
    return HardshipFileOpened(
        household=HOUSEHOLD,
        organisation=UNION,
        applicant=GUARDIAN,
        people=(GUARDIAN, PERSON),
        members=(member,),
        circumstances=Household(causes=("尿毒症",), note="…"),
        account=account,
        opened_on=HANGS.since,
    )


@for_all(names, secret, digits, secret)
async def test_nothing_of_the_applicant_but_the_masked_name_is_on_a_sheet(name: str, told: str, number: str, bank: str) -> None:
    account = BankAccount(bank=bank, name=name, number=number)
    page = await sheet_of(Told(*application(name, account, told)))
    assert f"<td>{name[0]}*</td>" in unescape(page)
    # Without the page's own marks: a name of marks alone is found in any page.
    shown = unescape(re.sub(r"<style>.*</style>|<[^>]*>", " ", page, flags=re.DOTALL))
    assert name[:2] not in shown
    assert name[1:] not in shown
    for value in (told, number, bank, PERSON, APPLICATION_ID, STEWARD, "medical", "illness", "diagnosis", "1_500_000", "15,000", "大病"):
        assert value not in shown, value


@for_all(names, secret)
async def test_nobody_under_age_is_named(name: str, told: str) -> None:
    account = BankAccount(bank="农行", name=name, number="6228480000000000000")
    by_file = Told(*application(name, account, told, payee=GUARDIAN, household=HOUSEHOLD), file=household(minor=True))
    without_file = Told(*application(name, account, told, payee=GUARDIAN))
    for known in (by_file, without_file):
        shown = unescape(await sheet_of(known))
        assert "未成年人" in shown
        assert f"{name[0]}*" not in shown
        assert name not in shown


async def test_the_name_is_of_the_form_or_of_an_account_of_ones_own() -> None:
    account = BankAccount(bank="农行", name="李小红", number="6228480000000000000")
    assert "李*" in await sheet_of(Told(*application(None, account, "…")))
    given = AccountGiven(application=APPLICATION_ID, payee=PERSON, account=account, given_by=STEWARD)
    drafted, verified = application(None, None, "…")
    assert "不公开" in await sheet_of(Told(drafted, verified))
    assert "李*" in await sheet_of(Told(drafted, given, verified))
    grown = Told(*application("李小红", account, "…", payee=GUARDIAN, household=HOUSEHOLD), file=household(minor=False))
    assert "李*" in await sheet_of(grown), "of age by the file, though somebody else receives the money"


async def test_a_draft_is_not_listed() -> None:
    drafted, _ = application("李小红", None, "…")
    told = Told(drafted)
    with pytest.raises(ApplicationElsewhere):
        await listed(told.histories, told.app, by=STEWARD)


def test_a_sheet_that_hung_is_made_again_from_what_was_known_then() -> None:
    events = application("李小红", None, "…")
    posted = ApplicationPosted(application=APPLICATION_ID, notice=NOTICE, until=HANGS.until)
    later = events[1].model_copy(update={"entitled_fen": 1})
    history = [cast("Happened", replace_event(event)) for event in (*events, posted, later)]
    state = APPLICATION.fold([one.event for one in until_posted(history, NOTICE)])
    assert isinstance(state, Verified)
    assert state.found.entitled_fen == 200_000
    assert len(until_posted(history, None)) == len(history)


def test_the_same_listing_gives_the_same_sheet() -> None:
    lines = [Line("李小红", minor=False, union="东岳社区工会", fen=200_000)]
    one = Listing("东岳社区工会", HANGS, lines)
    first: Digest = digest_of(rendered(TEMPLATE, one))
    assert first == digest_of(rendered(template_of(TEMPLATE.code), one))
    assert first != digest_of(rendered(TEMPLATE, replace(one, lines=[replace(lines[0], fen=200_001)])))
    assert first != digest_of(rendered(TEMPLATE, replace(one, hangs=replace(HANGS, until=date(2026, 1, 29)))))


def test_a_sheet_is_complete_in_itself_and_prints_on_a4() -> None:
    page = rendered(TEMPLATE, Listing("<东岳>社区工会", HANGS, [])).decode()
    assert "size: A4" in page
    assert not re.search(r"(src|href)=|url\(|<script", page)
    assert "&lt;东岳&gt;" in page
    assert "<东岳>" not in page


@pytest.mark.parametrize(
    ("name", "shown"),
    [("李小红", "李*"), ("李红", "李*"), ("李", "*"), ("", "*"), ("买买提·吐尔逊", "买*"), ("𠮷田", "𠮷*"), ("O'Neil", "O*")],
)
def test_masks(name: str, shown: str) -> None:
    assert masked(name) == shown


@pytest.mark.parametrize(("field", "mask"), [("phone", "first"), ("account", None), ("name", None), ("illness", None), ("name", "none")])
def test_a_template_that_shows_too_much_is_not_read(field: str, mask: str | None) -> None:
    told = f'[[template]]\ncode = "x"\nfrom = 2026-01-01\n[[template.field]]\nname = "{field}"\n'
    with pytest.raises(TemplateUnsafe):
        parsed(told + (f'mask = "{mask}"\n' if mask else ""))


def test_catalogues_say_the_same_in_both_languages() -> None:
    zh, en = (sentences(language) for language in LANGUAGES)
    assert zh.keys() == en.keys()
    for name, text in zh.items():
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", en[name])), name
