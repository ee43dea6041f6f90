"""Consoles for standard output and standard error that print strings literally."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.status import Status
from rich.text import Text

from deploy.printable import printable

PIPE_WIDTH = 10_000
"""Maximum length of a line if the output is not a terminal."""


class Terminal(Console):
    """A console without markup, emoji codes and control characters."""

    def __init__(self, *, stderr: bool = False, **options: object) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False, **options)  # type: ignore[arg-type]  # as Console

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as `Console.render` does, with control characters escaped."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))

    def literal(self, text: str) -> None:
        """Print lines without wrapping. Control characters are escaped only on a terminal."""
        if self.quiet:
            return
        self.file.write(f"{printable(text) if self.is_terminal else text}\n")
        self.file.flush()

    def markdown(self, text: str) -> None:
        """Print Markdown, formatted on a terminal and unchanged elsewhere."""
        if not self.is_terminal:
            self.literal(text)
            return
        from rich.markdown import Markdown  # noqa: PLC0415  takes longer to import than most commands run

        self.print(Markdown(text, hyperlinks=False))

    def print_whole(self, renderable: RenderableType) -> None:
        """Print tables. Without a terminal, lines are not wrapped and have no trailing spaces."""
        if self.is_terminal:
            self.print(renderable)
            return
        options = self.options.update(width=PIPE_WIDTH)
        for line in self.render_lines(renderable, options, pad=False):
            self.literal("".join(segment.text for segment in line).rstrip())

    def busy(self, text: str) -> Status:
        """Show a spinner with a text during a `with` block."""
        return self.status(Text(text))

    def note(self, text: str, style: str = "") -> None:
        """Print a message. Only the terminal wraps it."""
        self.print(Text(text, style=style), soft_wrap=True)
