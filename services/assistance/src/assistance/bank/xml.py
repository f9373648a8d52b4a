"""Reads XML that comes from outside, element by element: no document types, no entities, no network, no depth, no tree in memory."""

from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import TypeAlias, cast

from lxml import etree

from assistance.bank.errors import BankFileUnreadable

DEPTH_MAX = 40
"""ISO 20022 nests about a dozen deep."""

HELD_MAX = 1_000_000
"""Elements in memory at a time, about 120 MB: of what nobody reads, a file of 50 MB could hold twelve times as many."""

TAG_BYTES_MAX = 50_000
"""Bytes without the end of a tag: the parser keeps all attributes of one at once."""

TEXT_MAX = 2_000

Element: TypeAlias = etree._Element


def elements(data: bytes, namespace: str, wanted: Mapping[str, Callable[[Element], None]]) -> None:
    """Hand each wanted element, by its local name, to its reader once it is complete; then let it go.

    Raises BankFileUnreadable with the rule `xml`, `doctype`, `kind` (another document), `depth`, `too-long`, `too-many` or what a reader
    raises.
    """
    if not data.strip():
        raise BankFileUnreadable("empty")
    if any(data.find(b">", at, at + TAG_BYTES_MAX) < 0 for at in range(0, len(data) - TAG_BYTES_MAX, TAG_BYTES_MAX)):
        raise BankFileUnreadable("too-long")
    before: list[int] = []  # what was held when each open element began
    held = 0
    try:
        for event, element in _events(data):
            if event == "start":
                if not held:
                    _check_root(element, namespace)
                before.append(held)
                held += 1
                if len(before) > DEPTH_MAX:
                    raise BankFileUnreadable("depth", line_of(element))
                if held > HELD_MAX:
                    raise BankFileUnreadable("too-many", line_of(element))
                continue
            before.pop()
            name = etree.QName(element)
            if name.namespace == namespace and name.localname in wanted:
                wanted[name.localname](element)
                _let_go(element)
                held = before[-1] + 2 if before else 1  # its parent, and what is left of itself
    except etree.XMLSyntaxError as error:
        # Not chained: it quotes what it found.
        raise BankFileUnreadable("xml", error.lineno or 0) from None


def _events(data: bytes) -> Iterator[tuple[str, Element]]:
    return iter(
        etree.iterparse(
            BytesIO(data),
            events=("start", "end"),
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
    )


def _let_go(element: Element) -> None:
    """With everything before it in its parent, which was read or is wanted by nobody."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _check_root(element: Element, namespace: str) -> None:
    if element.getroottree().docinfo.doctype:  # type: ignore[attr-defined]  # the stubs lack it
        raise BankFileUnreadable("doctype")
    if element.tag != f"{{{namespace}}}Document":
        raise BankFileUnreadable("kind")


def text(element: Element, path: str) -> str:
    """The text at a path of local names (`PmtId/InstrId`), "" where there is none. Raises BankFileUnreadable."""
    namespace = etree.QName(element).namespace
    found = element.find("/".join(f"{{{namespace}}}{name}" for name in path.split("/")))
    said = "" if found is None or found.text is None else found.text.strip()
    if len(said) > TEXT_MAX:
        raise BankFileUnreadable("too-long", line_of(element))
    return said


def line_of(element: Element) -> int:
    """The line of the file that an element begins on, 0 where it is not known."""
    return cast("int | None", element.sourceline) or 0
