"""Reads XML that comes from outside, element by element: no document types, no entities, no network, no depth, no tree in memory."""

from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import TypeAlias, cast

from lxml import etree

from assistance.bank.errors import BankFileUnreadable

DEPTH_MAX = 40
"""ISO 20022 nests about a dozen deep."""

TEXT_MAX = 2_000

Element: TypeAlias = etree._Element


def elements(data: bytes, namespace: str, wanted: Mapping[str, Callable[[Element], None]]) -> None:
    """Hand each wanted element, by its local name, to its reader once it is complete; then let it go.

    Raises BankFileUnreadable with the rule `xml`, `doctype`, `kind` (another document), `depth` or what a reader raises.
    """
    if not data.strip():
        raise BankFileUnreadable("empty")
    depth, root = 0, False
    try:
        for event, element in _events(data):
            if event == "start":
                depth += 1
                if not root:
                    root = True
                    _check_root(element, namespace)
                if depth > DEPTH_MAX:
                    raise BankFileUnreadable("depth", line_of(element))
                continue
            depth -= 1
            name = etree.QName(element)
            if name.namespace == namespace and name.localname in wanted:
                wanted[name.localname](element)
                element.clear()
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
