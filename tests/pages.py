"""The pages for readers, README and docs/: their links, anchors, blocks and commands."""

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
README = REPOSITORY / "README.md"
DOCS = sorted((REPOSITORY / "docs").rglob("*.md"))
#: Of contributors as well.
ALL_PAGES = [README, REPOSITORY / "CONTRIBUTING.md", REPOSITORY / "CHANGELOG.md", *DOCS]
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
#: First words of commands.
PROGRAMS = ("make", "snakemake", "python", "python3", "bash")


def name_of(page: Path) -> str:
    """The path of a page below the repository."""
    return page.relative_to(REPOSITORY).as_posix()


def prose(page: Path) -> str:
    """A page without its blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of a language, "" for commands."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [textwrap.dedent(body) for _, given, body in found if given == language]


def links(page: Path) -> list[str]:
    """Where the links and images of a page lead, as written."""
    # Code is no link.
    text = re.sub(r"`[^`\n]*`", "`", prose(page))
    return re.findall(r"\]\(([^)\s]+)\)", text)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in titles)
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in plain}


@dataclass(frozen=True)
class Command:
    """A command as a page shows it.

    Attributes:
        page: its path below the repository.
        words: of the command, without the remark behind it.
    """

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"

    def values_of(self, option: str) -> list[str]:
        """The words behind an option, up to the next one; [] without it."""
        if option not in self.words:
            return []
        behind = self.words[self.words.index(option) + 1 :]
        ends = [place for place, word in enumerate(behind) if word.startswith("-")]
        return list(behind[: ends[0]] if ends else behind)


def commands(page: Path) -> Iterator[Command]:
    """The commands of a page: lines of blocks without a language, and code in the text that begins with a program."""
    lines = [line for block in blocks(page, "") for line in block.replace("\\\n", "").splitlines()]
    inline = re.findall(r"`([^`\n]+)`", prose(page))
    lines += [text for text in inline if text.split(" ")[0] in PROGRAMS and " " in text]
    for line in lines:
        bare = re.sub(r"(^|\s)#.*", "", line)
        for part in [bare] if " -c " in bare else bare.split("; "):
            words = shlex.split(part)
            if words:
                yield Command(name_of(page), tuple(words))


#: Of pages that people read to use the workflow, each once.
COMMANDS = list(
    {
        command.words: command
        for page in [README, REPOSITORY / "CONTRIBUTING.md", *DOCS]
        for command in commands(page)
    }.values()
)
#: Names that stand for others in commands: no such file is in the repository.
STANDS_FOR = ("mine.yaml", "FOLDER", "NAME")
