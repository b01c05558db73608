"""A page of HTML, read for what tests ask of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_VOID = {"meta", "link", "br", "img", "input", "hr", "path", "rect", "use", "circle", "line"}


class Page(HTMLParser):
    """Collects what the tests ask of a page."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.targets, self.links, self.open, self.words, self.heads = [], [], [], [], [], []
        self.svgs, self.tags = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        if "id" in attrs:
            self.ids.append(attrs["id"])
        for value in attrs.values():
            self.targets += re.findall(r"url\(#([^)]+)\)", value or "")
        if (attrs.get("href") or "").startswith("#"):
            self.targets.append(attrs["href"][1:])
        self.links += [attrs[key] for key in ("href", "src") if key in attrs and not attrs[key].startswith("#")]
        if tag == "svg":
            self.svgs.append(attrs)
        if tag == "th":
            self.heads.append(attrs.get("scope"))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in _VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"style", "script"}:
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))
