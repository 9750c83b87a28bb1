"""What a benchmark promises, beside what it measured."""


class Promises:
    """Collects figures with their limits."""

    def __init__(self) -> None:
        self._lines: list[tuple[str, float, float]] = []

    def at_most(self, what: str, measured: float, limit: float) -> None:
        self._lines.append((what, measured, limit))

    def told(self) -> bool:
        """Prints them; whether all were kept."""
        print(f"\n{'':46}{'measured':>10}{'promised':>10}")
        for what, measured, limit in self._lines:
            mark = "" if measured <= limit else "   BROKEN"
            print(f"{what:46}{measured:10.2f}{limit:10.2f}{mark}")
        return all(measured <= limit for _, measured, limit in self._lines)
