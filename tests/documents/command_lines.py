"""The command lines that our documents print."""

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
GROUPS = {
    "examples": ("examples/*.toml", "examples/slurm/*"),
    "guides": ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/*.md", "bench/README.md"),
}
PROGRAMS = ("lucivox", "srun", "./run", "sbatch", "cmake")


@dataclasses.dataclass(frozen=True)
class CommandLine:
    document: str
    number: int  # of the line in the document, the first one of several
    text: str  # without its comment, continuation lines joined

    def __str__(self):
        return f"{self.document}:{self.number}: {self.text}"


def documents(group):
    """Paths relative to the root of the tree."""
    return [str(path.relative_to(ROOT)) for pattern in GROUPS[group] for path in sorted(ROOT.glob(pattern))]


def command_lines(group):
    """All of a group but those that a group before prints, too; each once."""
    first = {}
    for document in (document for each in GROUPS for document in documents(each)):
        for line in printed_in(document, (ROOT / document).read_text()):
            first.setdefault(line.text, line)
    return [line for line in first.values() if line.document in documents(group)]


def printed_in(document, text):
    """Those of fenced blocks and inline code in Markdown, and of indented comments (`#   lucivox ...`) elsewhere."""
    numbered = list(enumerate(text.splitlines(), 1))
    if not document.endswith(".md"):
        comments = [(number, line.removeprefix("#")) for number, line in numbered if line.startswith("#  ")]
        return _blocks(document, comments)
    fenced, prose = [], []
    inside = False
    for number, line in numbered:
        fence = line.startswith("```")
        inside ^= fence
        fenced += [(number, line)] if inside and not fence else []
        prose += ["" if inside or fence else line]
    return _blocks(document, fenced) + _inline(document, "\n".join(prose))


def _blocks(document, numbered):
    lines = []
    for number, line in _joined(numbered):
        text = re.split(r"\s#", line)[0].strip()
        if text.split(" ")[0] in PROGRAMS:
            lines.append(CommandLine(document, number, text))
    return lines


def _joined(numbered):
    """Lines that end in a backslash and those that continue them become one, numbered as the first."""
    first, whole = None, ""
    for number, line in numbered:
        first = first or number
        whole += line.removesuffix("\\")
        if not line.endswith("\\"):
            yield first, whole
            first, whole = None, ""


def _inline(document, prose):
    lines = []
    for code in re.finditer(r"`((?:[^`\n]|\n(?!\n))+)`", prose):
        text = " ".join(code[1].split())
        # what has no argument, such as `lucivox train ddnet`, names a command and is not one to run
        if text.split(" ")[0] in PROGRAMS and re.search("[^a-z ]", text):
            lines.append(CommandLine(document, prose.count("\n", 0, code.start()) + 1, text))
    return lines
