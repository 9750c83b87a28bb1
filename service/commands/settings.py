"""`sightline settings`: every setting and its value, or their reference page."""

import argparse
import re
from urllib.parse import urlsplit, urlunsplit

from pydantic.fields import FieldInfo

from service.settings.tree import Settings, environment_name, keys, load_settings

SECRETS = ("url",)
PAGE_HEAD = """# Settings

Made by `sightline settings --markdown`; change `service/settings/` instead. Every setting is an
environment variable. `sightline settings` shows the values in force. What is wrong, or unknown, is
listed at start, all of it, and the service ends with code 2. `PORT` and `REDIS_URL` work too; the
long names win over them, and the command line over both."""
TABLE_HEAD = "| Variable | Default | Unit | Bounds | Meaning |\n|---|---|---|---|---|"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sightline settings`."""
    parser.add_argument("--markdown", action="store_true", help="the reference page instead")


def command(asked: argparse.Namespace) -> int:
    """Print the values in force, passwords hidden, or docs/settings.md."""
    if asked.markdown:
        print(settings_markdown(), end="")
        return 0
    settings = load_settings()
    for part, name, _ in keys():
        value = getattr(getattr(settings, part), name)
        shown = _without_password(value) if name in SECRETS else value
        print(f"{environment_name(part, name)}={'' if shown is None else shown}")
    return 0


def _without_password(url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    netloc = f"***@{place}" if "@" in parts.netloc else place
    query = re.sub(r"(password=)[^&]*", r"\1***", parts.query)
    return urlunsplit(parts._replace(netloc=netloc, query=query))


def settings_markdown() -> str:
    """The reference page of all settings, as docs/settings.md holds it."""
    lines = [PAGE_HEAD]
    part = ""
    for its_part, name, field in keys():
        if its_part != part:
            part = its_part
            about = (Settings.model_fields[part].annotation.__doc__ or "").strip()
            lines += [f"\n## {part}\n", about, "", TABLE_HEAD]
        lines.append(_row(part, name, field))
    return "\n".join(lines) + "\n"


def _row(part: str, name: str, field: FieldInfo) -> str:
    extra = field.json_schema_extra
    unit = extra.get("unit", "") if isinstance(extra, dict) else ""
    default = "unset" if field.default is None else str(field.default)
    bounds = " ".join(
        f"{sign} {getattr(rule, word)}"
        for word, sign in (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))
        for rule in field.metadata
        if getattr(rule, word, None) is not None
    )
    cells = (f"`{environment_name(part, name)}`", f"`{default}`", unit, bounds, field.description)
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
