"""Promises that belong to no one file: arrows between rooms, sizes, names, raw data, documented commands."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from atraso.cli.main import cli
from tests.web.browser import SCREENSHOTS

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def tracked(*patterns: str) -> list[Path]:
    """Return the files of the repository that match, whether committed yet or not, without ignored ones."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def test_the_arrows_between_rooms_point_one_way() -> None:
    """The import linter keeps every contract of pyproject.toml."""
    run = subprocess.run(
        [str(BIN / "lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stdout


def test_no_source_file_holds_two_ideas() -> None:
    """No Python file of the package is longer than 400 lines, and none is a grab bag by its name."""
    sources = tracked("src/*.py")

    assert len(sources) > 40
    assert [p.name for p in sources if len(p.read_text().splitlines()) > 400] == []
    assert [p.name for p in sources if p.stem in {"utils", "util", "helpers", "common", "misc", "manager"}] == []


def test_pictures_of_the_page_are_artefacts_of_the_pipeline_and_not_in_the_repository() -> None:
    """The job that runs the tests keeps what the browser saw, and fails where it saw nothing."""
    jobs = yaml.safe_load((ROOT / ".github/workflows/pipeline.yml").read_text(encoding="utf-8"))["jobs"]
    (steps,) = (j["steps"] for j in jobs.values() if any(s.get("run") == "make test" for s in j["steps"]))
    (kept,) = (s["with"] for s in steps if s.get("with", {}).get("path") == SCREENSHOTS.name)
    assert kept["if-no-files-found"] == "error"
    ignored = subprocess.run(["git", "check-ignore", "-q", str(SCREENSHOTS / "flight.png")], cwd=ROOT, check=False)
    assert ignored.returncode == 0
    assert tracked(f"{SCREENSHOTS.name}/*") == []


def test_no_environment_is_in_the_repository() -> None:
    """What make installs stays out, however its folder is called."""
    installed = [path for path in tracked() if "site-packages" in path.parts or path.name == "pyvenv.cfg"]

    assert installed == []


def test_no_raw_row_of_the_flights_is_in_the_repository() -> None:
    """No tracked text file has a line that looks like a row of the SCL file."""
    row = re.compile(rb"^2017-\d\d-\d\d \d\d:\d\d:\d\d,[0-9A-Z.]+,SCEL,", re.MULTILINE)

    assert [p.name for p in tracked() if row.search(p.read_bytes())] == []


def test_importing_a_module_does_nothing() -> None:
    """No module reads a file of ours or opens a socket when it is imported."""
    modules = [
        ".".join(p.relative_to(ROOT / "src").with_suffix("").parts)
        for p in tracked("src/atraso/*.py")
        if p.name not in ("__main__.py", "__init__.py")
        and "migrations" not in p.parts  # those are scripts, not modules
    ]
    code = f"""
import sys
opened = []
def watch(event, args):
    if event == "open" and isinstance(args[0], str) and "bundled" in args[0] or event.startswith("socket.bind"):
        opened.append((event, args))
sys.addaudithook(watch)
import importlib
for name in {modules!r}:
    importlib.import_module(name)
print(opened)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert run.stdout.strip() == "[]", run.stdout + run.stderr


@pytest.mark.parametrize("unwanted", ["lightgbm", "polars", "holidays", "matplotlib", "airportsdata"])
def test_the_service_does_not_load_training_tools(unwanted: str) -> None:
    """A worker with its model loaded has none of the packages that only training needs."""
    code = (
        "import sys; from atraso.settings import load_settings\n"
        "from atraso.bootstrap import create_service, load_model\n"
        "settings = load_settings({}, None); create_service(settings, load_model(settings))\n"
        f"print({unwanted!r} in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert run.stdout.strip() == "False", run.stderr


def verbs(group: click.Group, prefix: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    """Return every command of the command line with its words."""
    found = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found.append(((*prefix, name), command))
        if isinstance(command, click.Group):
            found += verbs(command, (*prefix, name))
    return found


def test_every_verb_has_help_that_ends_with_an_example() -> None:
    """Each command says what it does, what each option is for, and ends with an example of itself."""
    assert isinstance(cli, click.Group)
    for words, command in verbs(cli):
        assert command.help, words
        assert command.epilog, words
        assert f"atraso {' '.join(words)}" in command.epilog, words
        for option in command.params:
            assert not isinstance(option, click.Option) or option.help, (words, option.name)


def test_every_verb_is_in_the_readme_or_the_docs() -> None:
    """A command that no page names does not exist for a reader."""
    pages = "\n".join(p.read_text() for p in tracked("*.md"))

    assert isinstance(cli, click.Group)
    assert [words for words, _ in verbs(cli) if f"atraso {' '.join(words)}" not in pages] == []


def test_every_make_target_in_the_documents_exists() -> None:
    """`make something` in any page is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {t for p in tracked("*.md") for t in re.findall(r"`make ([a-z-]+)", p.read_text())}

    assert {"run", "test"} <= named <= targets


def test_links_between_documents_lead_somewhere() -> None:
    """Every relative link in a Markdown page points to a file of the repository."""
    broken = []
    for page in tracked("*.md"):
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
            if not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")

    assert broken == []
