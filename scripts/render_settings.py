"""Write docs/settings.md from the settings themselves; run it after changing one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from atraso.settings import CONFIG_VARIABLE, PREFIX, Settings, takes

PAGE = Path("docs/settings.md")
HEAD = f"""# Settings

<!-- Written by scripts/render_settings.py from src/atraso/settings.py; change it there. -->

`atraso serve` reads its settings once, when it starts. An option of the command line goes before a variable
of the environment, that before the TOML file, that before the default. The file is the one named by
`--config` or by `{CONFIG_VARIABLE}`, and holds the names of the first column: `port = 5000`. An empty
variable counts as not set. An unknown name in the file stops the start with a sentence naming the nearest
known one; an unknown variable that begins with `{PREFIX}` is only noted, because environments are shared.

Times (names ending in `_s`) are in seconds and sizes in bytes. What counts connections, requests or bytes
counts them per worker. A relative path is taken from the folder in which the service was started.

| setting | variable | default | takes | meaning |
| --- | --- | --- | --- | --- |
"""


def render() -> str:
    """Return the page."""
    types = get_type_hints(Settings, include_extras=True)
    return HEAD + "".join(_row(field, types[field.name]) for field in msgspec.structs.fields(Settings))


def _row(field: msgspec.structs.FieldInfo, type_: Any) -> str:
    default = field.default
    shown = "none" if default is None else str(default).lower() if isinstance(default, bool) else f"{default}"
    info = msgspec.inspect.type_info(type_)
    assert isinstance(info, msgspec.inspect.Metadata), f"{field.name} has no description"
    assert info.extra_json_schema is not None
    meaning = info.extra_json_schema["description"]
    return f"| `{field.name}` | `{PREFIX}{field.name.upper()}` | {shown} | {takes(type_)} | {meaning} |\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(render(), encoding="utf-8")
