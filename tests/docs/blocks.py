"""The blocks of a Markdown page, and what their authors say is to be done with each of them.

A comment right above a block says it; readers of the rendered page do not see it:

    <!-- test: run -->                      run it in the page's folder; it must end with 0
    <!-- test: run, prints TEXT -->         ... and TEXT must be in its output
    <!-- test: serve on PORT -->            start it, wait for health on PORT, interrupt it at the page's end
    <!-- test: serve on PORT with OPTIONS --> ... with options put behind it
    <!-- test: file NAME -->                write it to the page's folder
    <!-- test: not run: REASON -->          leave it, but for the options of our commands, which must exist

YAML and JSON need no comment: they are validated. `text` is a drawing. Any other block must have one.
"""

from __future__ import annotations

import re
import shlex
import textwrap
from dataclasses import dataclass

_FENCE = re.compile(r"^( *)(`{3,}|~{3,})(\S*)[^\n]*\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!-- test: (.*?) -->\s*\Z")
_SERVE = re.compile(r"serve on (\d+)(?: with (.+))?")
_INDENTED = re.compile(r"(?:^ {4,}\S[^\n]*\n)+", re.MULTILINE)
_COMMANDS = ("tonnage ", "./dev ", "curl ", "pip ", "python ")
VALIDATED = ("yaml", "json")


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a page.

    Attributes:
        page: The page's path.
        line: Where it begins [1 is the first].
        language: What stands behind its fence; ``sh`` for indented commands.
        text: What is in it, without the indent of its fence.
        told: What its comment says; None without one.
    """

    page: str
    line: int
    language: str
    text: str
    told: str | None

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.page}:{self.line}"

    @property
    def action(self) -> str | None:
        """``run``, ``serve``, ``file``, ``leave``, ``validate`` or ``show``; None when nobody has said."""
        if self.told is None:
            if self.language in VALIDATED:
                return "validate"
            return "show" if self.language == "text" else None
        if re.fullmatch(r"run(, prints .+)?", self.told):
            return "run"
        if _SERVE.fullmatch(self.told):
            return "serve"
        if re.fullmatch(r"file [\w.-]+", self.told):
            return "file"
        return "leave" if re.fullmatch(r"not run: \S.{9,}", self.told) else None

    @property
    def argument(self) -> str:
        """The text to be printed, or the file's name; empty without."""
        return (self.told or "").partition("prints " if self.action == "run" else "file ")[2]

    @property
    def serve(self) -> tuple[int, str]:
        """The port of health, and options to put behind the command."""
        match = _SERVE.fullmatch(self.told or "")
        assert match is not None
        return int(match[1]), match[2] or ""


def blocks_of(page: str, text: str, default: str | None = None) -> list[Block]:
    """Find all blocks of a page, in their order.

    Args:
        page: The page's path, for messages.
        text: The page.
        default: What is told of blocks that are neither validated nor drawings and have no comment.
    """
    found = []
    rest = text
    for match in _FENCE.finditer(text):
        language = match[3]
        comment = _COMMENT.search(text, 0, match.start())
        told = comment[1] if comment else default if language not in (*VALIDATED, "text") else None
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, language, textwrap.dedent(match[4]), told))
        blank = re.sub(r"[^\n]", " ", match[0])
        rest = rest[: match.start()] + blank + rest[match.end() :]
    for match in _INDENTED.finditer(rest):
        body = textwrap.dedent(match[0])
        if body.startswith(_COMMANDS):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(page, line, "sh", body, default))
    return sorted(found, key=lambda block: block.line)


def commands_of(block: Block) -> list[list[str]]:
    """The words of each of our own commands in a block of shell."""
    commands: list[list[str]] = []
    # a comment ends before its line does, or two commands would be one
    text = re.sub(r"(?m)(^|\s)#.*$", r"\1", block.text.replace("\\\n", " "))
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|\n")
    lexer.commenters = ""
    lexer.whitespace = " \t"
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, "\n"]:
        if word.strip(";&|\n"):
            words.append(word)
            continue
        if words[:1] == ["./dev"] and words[1:2] != ["test"]:
            words = words[1:] if words[1:2] == ["tonnage"] else ["tonnage", *words[1:]]
            words = [*words, "DEFAULT"] if words == ["tonnage", "up"] else words
        if words[:1] == ["tonnage"]:
            commands.append(words[1:])
        words = []
    return commands
