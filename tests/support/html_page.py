"""A page of HTML, read for what tests ask of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_VOID = {"meta", "link", "br", "img", "input", "hr", "path", "rect", "use", "circle", "line"}


class Page(HTMLParser):
    """Collects what the tests ask of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str | None] = []
        self.targets: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.heads: list[str | None] = []
        self.svgs: list[dict[str, str | None]] = []
        self.tags: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.tags.append(tag)
        if "id" in named:
            self.ids.append(named["id"])
        for value in named.values():
            self.targets += re.findall(r"url\(#([^)]+)\)", value or "")
        href = named.get("href") or ""
        if href.startswith("#"):
            self.targets.append(href[1:])
        found = [value for key in ("href", "src") if (value := named.get(key)) is not None]
        self.links += [link for link in found if not link.startswith("#")]
        if tag == "svg":
            self.svgs.append(named)
        if tag == "th":
            self.heads.append(named.get("scope"))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"style", "script"}:
            self.words.append(data)

    @property
    def text(self) -> str:
        """What a reader sees."""
        return re.sub(r"\s+", " ", " ".join(self.words))
