"""Every command of docs/deploy.md is typed by a check, or by a test here."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.checks import all_checks, chosen
from deploy.checks import compose as composed
from deploy.checks import page as imaged
from deploy.image import image_name
from deploy.pages import DEPLOY, commands, typed
from scripts import debian_packages

ROOT = Path(__file__).parents[2]
ALL = [command.text for command in commands()]
CHECKS = "make deploy-check"
LIST = ".venv/bin/python -m deploy.checks --list"
OF_MAKE = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")


def test_no_command_is_typed_by_nobody() -> None:
    """Each is in the section that `page` types whole, among those that `compose` types, or of those tested below."""
    imaging = {command.text for command in commands() if command.section == imaged.SECTION}
    composing = {*composed.UP.values(), composed.DOWN, composed.KEY, composed.LOG_IN}
    here = {text for text in ALL if text.startswith((CHECKS, "apt-get install "))} | {LIST}

    assert len(imaging) >= 6 and composing <= set(ALL)
    assert set(ALL) == imaging | composing | here
    with pytest.raises(AssertionError, match="no longer says 'make tea'"):
        typed("make tea")


def test_the_packages_are_those_that_are_installed() -> None:
    """What the page has one install is what scripts/debian_packages.py installs for these checks."""
    (install,) = [text for text in ALL if text.startswith("apt-get install ")]

    assert set(install.split()[3:]) == set(debian_packages.DEPLOY)


def test_the_checks_that_the_page_names_exist() -> None:
    """Each CHECKS= of the page, in blocks and between words, chooses checks."""
    named = re.findall(r'deploy-check CHECKS=(?:"([^"]+)"|(\S+?)[`\s])', DEPLOY.read_text("utf-8"))

    assert len(named) >= 3
    for words in named:
        assert chosen(tuple((words[0] or words[1]).split()), all_checks())


def test_the_list_of_checks_is_printed() -> None:
    """`--list` names every check with its promise."""
    done = subprocess.run([sys.executable, *LIST.split()[1:]], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == [f"{check.full_name}: {check.promise}" for check in all_checks()]


def test_make_gives_the_names_of_checks_on() -> None:
    """`make deploy-check CHECKS="image compose"` makes those two groups, after what they need was installed."""
    told = 'make deploy-check CHECKS="image compose"'
    assert told in ALL
    # As a person calls it: make below make, which `make test` is, would say more.
    environment = {name: value for name, value in os.environ.items() if name not in OF_MAKE}
    done = subprocess.run(
        ["make", "-n", "deploy-check", "CHECKS=image compose"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.rstrip().endswith("-m deploy.checks image compose"), done.stderr


def test_the_page_names_the_image_that_is_built() -> None:
    """Names and version of both images are those that `make image` gives."""
    text = DEPLOY.read_text("utf-8")

    assert f"builds `{image_name('service')}` (the service) and `{image_name('notebook')}`" in text
    assert set(re.findall(r"localhost/atraso:[\w.]+", text)) == {image_name("service")}
