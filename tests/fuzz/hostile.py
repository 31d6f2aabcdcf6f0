"""Names that do harm where they are shown raw, and what no text of ours may hold."""

import csv
import io
import re
import unicodedata

from markdown_it import MarkdownIt

FORMATS = ("table", "plain", "json", "csv", "md", "tex")
NAMES = (
    "\x1b[2J\x1b[H",
    "\x1b]0;title\x07",
    "\x1b]8;;http://x.example\x1b\\link\x1b]8;;\x1b\\",
    "\x9b31m",
    "nul\x00byte",
    "back\x08\x7fspace",
    "two\nlines",
    "first\rsecond",
    "tab\tstop",
    "\x0bvertical\x0cfeed",
    "\x1c\x1d\x1e\x85",
    "para\u2029line\u2028",
    "abc\u202egnp.exe",
    "\u2066isolate\u2069",
    "\u200emark\u200f\u061c",
    "zero\u200bwidth\ufeff",
    "joi\u200dner\ufe0f",
    "hidden\U000e0041\U000e0042",
    "\u3164filler\uffa0",
    "torn\ud800",
    "private\ue000\U0010ffff",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![image](http://x.example/a.png)",
    "[link](http://x.example)",
    "[x]: http://x.example",
    "http://x.example/a",
    "`code` **bold** | bar",
    "# heading",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1|x",
    "@SUM(A1)",
    '"quoted", cells;',
    "\\input{/etc/passwd}",
    "\\end{tabular}%$&#_^~",
    "::error file=a,line=1::pwned",
    "  ::stop-commands::x",
    "##[error]pwned",
    "##vso[task.setvariable variable=a]b",
    "%0A::error::pwned,a:b",
    "[bold red]markup[/]",
    "{0.__class__} %s %n",
    "$(touch pwned) `touch pwned`",
    "x" * 3000,
    " [" + "9" * 5000 + "]",
    "conv [1]",
)
"""Each of a kind of its own."""
ORDINARY = (
    "conv1",
    "합성곱층",
    "卷积層",
    "葛\U000e0100",
    "畳み込み\u3000ー",
    "свёртка",
    "شبکه",
    "می\u200cخوری",
    "क्\u200dष",
    "תיבה",
    "naïve café",
    "\U0001f525",
    "\U0001f469\u200d\U0001f4bb❤\ufe0f1\ufe0f\u20e3\U0001f1f0\U0001f1f7",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "C:\\net\\new.py",
    "std::vector",
    "x[::2]",
    "50 %",
    "a\\d+",
    "ﬁ µ ﹢ ×",
)
"""Names in use."""

_COMMAND = re.compile(r"^\s*::[A-Za-z]|##[A-Za-z]*\[", re.MULTILINE)
_RAW = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
_UNSEEN = "\u115f\u1160\u3164\uffa0\ufe0e\ufe0f"
_ANNOTATION = re.compile(r"::(?:error|warning|notice) \w+=[^,:]*(?:,\w+=[^,:]*)*::.*")


def find_raw(text: str, *, annotations: bool = False) -> list[str]:
    """What of `text` a terminal, a line or a CI would obey; nothing where it is harmless."""
    raw = [f"{ord(c):#x}" for c in set(text) - {"\n"} if unicodedata.category(c) in _RAW or c in _UNSEEN]
    return raw if annotations else raw + _COMMAND.findall(text)


def check_text(word: str, text: str) -> None:
    """Assert that the reader of a format falls for nothing in it."""
    assert not find_raw(text, annotations=word == "github")
    if word == "csv":
        _check_csv(text)
    elif word == "md":
        _check_markdown(text)
    elif word == "html":
        assert not re.search(r"<(?:script|img|a)\b", text)
    elif word == "github":
        assert all(_ANNOTATION.fullmatch(line) for line in text.splitlines()), text


def _check_csv(text: str) -> None:
    """Rows as long as the header, and no text that is a formula."""
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert rows
    assert {len(row) for row in rows} == {len(header)}
    for cell in (cell for row in [header, *rows] for cell in row):
        if cell[:1] in ("=", "+", "-", "@", "\t", "\r"):
            assert re.fullmatch(r"-|[-+][0-9.]+(?:e[-+]?[0-9]+)?%?", cell), cell


def _check_markdown(text: str) -> None:
    """Nothing but tables, headings, paragraphs and code within lines."""
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        assert token.type not in ("html_block", "fence", "code_block", "blockquote_open", "hr"), token.content
        for child in token.children or ():
            assert child.type not in ("html_inline", "image", "link_open"), child.content or child.attrs
            assert child.type == "code_inline" or "http://" not in child.content or r"http\://" in text
