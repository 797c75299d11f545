"""Only an executed notebook, a good artefact and a card of the same model are published; a refusal says what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from atraso.artefact import bundle
from atraso.artefact.bundle import BUNDLED
from atraso.core.errors import ArtefactError, AtrasoError
from atraso.training import publication
from atraso.training.publication import Publication, gather
from atraso.training.repository import PublishError
from tests.clones import cell, notebook_of, printed, write, write_model

ERROR = {"output_type": "error", "ename": "KeyError", "evalue": "'ATRASO_SCL_DATA'", "traceback": ["…"]}
TODAY = "2031.1+0a1b2c"


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the three things in their places, which is the current one."""
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path)
    return tmp_path


def gathered(root: Path, **others: Path) -> Publication:
    """Gather from the usual places, or others."""
    places = {
        "notebook": Path("notebooks/model.ipynb"),
        "model": Path("notebooks/my-model"),
        "card": Path("docs/model-card.md"),
    }
    return gather(**(places | others), root=root)


def refusal(root: Path, **others: Path) -> str:
    """Return the sentence with which the three are refused."""
    with pytest.raises(AtrasoError) as refused:
        gathered(root, **others)
    return str(refused.value)


def test_the_three_are_gathered_byte_for_byte_under_their_paths(clone: Path) -> None:
    """Files go where they are in the clone; of the artefact all that belongs to it and no hidden file."""
    (clone / "notebooks/my-model/.DS_Store").touch()
    made = gathered(clone)

    assert made.files == {
        name: (clone / name).read_bytes()
        for name in (
            "notebooks/model.ipynb",
            "docs/model-card.md",
            *(f"notebooks/my-model/{file.name}" for file in BUNDLED.iterdir()),
        )
    }
    assert made.artefact == "notebooks/my-model"
    assert made.notes == ()
    assert made.is_published_from("notebooks/my-model/.DS_Store")
    assert not made.is_published_from("notebooks/my-model-2/x")


def test_the_pictures_of_the_card_come_along(clone: Path) -> None:
    """A picture beside the card is published with it; one that is missing is told, with what to do."""
    card = clone / "docs/model-card.md"
    card.write_text(card.read_text() + "\n![how reliable](drawn.svg) and ![elsewhere](https://example.org/x.svg)\n")
    assert "there is no picture of the card" in refusal(clone)

    (clone / "docs/drawn.svg").write_text("<svg/>")
    made = gathered(clone)
    assert made.files["docs/drawn.svg"] == b"<svg/>"
    assert made.is_published_from("docs/drawn.svg")


def test_what_lies_outside_the_clone_gets_a_place_in_it(clone: Path) -> None:
    """Notebook to notebooks/, card to docs/, artefact to artefact/; none of them is a path of the clone."""
    root = clone / "elsewhere"
    root.mkdir()
    made = gathered(root)

    artefact = [f"artefact/{file.name}" for file in BUNDLED.iterdir()]
    assert sorted(made.files) == sorted(["notebooks/model.ipynb", "docs/model-card.md", *artefact])
    assert made.here == ()


def test_a_link_in_the_clone_is_published_as_what_it_leads_to(clone: Path) -> None:
    """A model kept on another disk and linked here goes where the link is; a linked top is still the top."""
    (clone / "notebooks/my-model").rename(clone / "disk")
    (clone / "notebooks/my-model").symlink_to(clone / "disk")
    (clone / "top").symlink_to(clone)

    assert gathered(clone / "top").artefact == "notebooks/my-model"


def test_a_notebook_with_an_error_is_refused(clone: Path) -> None:
    """The sentence names the cell, the error and what to run."""
    write(clone, {"notebooks/model.ipynb": notebook_of(cell("a", printed("x")), cell("b", ERROR))})
    sentence = refusal(clone)

    assert "code cell 2 ended with KeyError: 'ATRASO_SCL_DATA'" in sentence
    assert "`jupyter execute --inplace notebooks/model.ipynb`" in sentence


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ([cell("a", count=None), cell("b", count=None)], "holds no outputs"),
        ([cell("a", count=1)], "holds no outputs"),
        ([], "holds no outputs"),
        ([cell("", count=None), cell("a", printed("x")), cell("b", count=None)], "code cell 2 was not"),
    ],
)
def test_a_notebook_that_was_not_run_is_refused(clone: Path, cells: list[dict], told: str) -> None:
    """No outputs, or a cell that was left out, is told with what to run; an empty cell need not run."""
    write(clone, {"notebooks/model.ipynb": notebook_of(*cells)})

    assert told in refusal(clone)
    assert "`atraso notebook`, Run All Cells, save" in refusal(clone)


@pytest.mark.parametrize(
    "text", ["", "<<<<<<< HEAD", "[]", "{}", '{"nbformat": 3}', '{"nbformat": 4, "cells": [1]}', b"\xff\xfe"]
)
def test_what_is_no_notebook_is_refused(clone: Path, text: str | bytes) -> None:
    """A file of another kind is named, never a traceback."""
    write(clone, {"notebooks/model.ipynb": text})

    assert "notebooks/model.ipynb is" in refusal(clone)


def test_cells_run_out_of_order_are_noted(clone: Path) -> None:
    """Counts that fall mean that the notebook may not run again; that is a note and no refusal."""
    version = gathered(clone).version
    cells = [cell("a", printed(version), count=7), cell("b", count=3)]
    write(clone, {"notebooks/model.ipynb": notebook_of(*cells)})

    assert "not run from start to end in order" in gathered(clone).notes[0]


@pytest.mark.parametrize("name", ["notebooks/model.ipynb", "docs/model-card.md"])
def test_a_notebook_or_card_of_another_model_is_refused(clone: Path, name: str) -> None:
    """Where the version shown is not the artefact's, both are named; naming both versions is fine."""
    version = gathered(clone).version
    of_another = notebook_of(cell("a", printed(f"line\n{TODAY} in my-model")))
    of_both = notebook_of(cell("a", printed(f"{TODAY}\n{version}")))
    write(clone, {name: of_another})
    assert f"{name} is of the model {TODAY}, the artefact is {version}" in refusal(clone)
    write(clone, {name: of_both})
    assert gathered(clone).notes == ()


@pytest.mark.parametrize("name", ["notebooks/model.ipynb", "docs/model-card.md"])
def test_a_notebook_or_card_of_no_model_is_noted(clone: Path, name: str) -> None:
    """Where no version is shown at all there is nothing to refuse, only something to say."""
    write(clone, {name: notebook_of(cell("a", printed("done")))})

    assert gathered(clone).notes == (
        f"{name} does not say which model it is of; the artefact is {gathered(clone).version}",
    )


def test_an_artefact_that_does_not_verify_is_refused(clone: Path) -> None:
    """A changed byte in any of its files is enough."""
    data = bytearray((clone / "notebooks/my-model/scorecard.json").read_bytes())
    data[1000] ^= 1
    (clone / "notebooks/my-model/scorecard.json").write_bytes(data)

    assert "scorecard.json has been changed" in refusal(clone)


def test_an_artefact_that_is_being_written_is_refused(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is published is what was checked: training that replaces the folder meanwhile is noticed."""
    load = publication.load_scorer

    def replaced_meanwhile(folder: Path) -> object:
        scorer = load(folder)
        with (folder / "CHECKSUMS").open("a") as sums:
            sums.write("\n")
        return scorer

    monkeypatch.setattr(publication, "load_scorer", replaced_meanwhile)

    assert "was written while it was read" in refusal(clone)


def test_a_folder_that_is_no_artefact_is_not_read(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong --model with files too large for an artefact is refused before they are held in memory."""
    monkeypatch.setattr(bundle, "MAX_FILE_BYTES", 1000)
    monkeypatch.setattr(publication, "_files", lambda _: pytest.fail("read before it was checked"))

    assert "more than any artefact" in refusal(clone)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("notebook", "there is no notebook at x: say --notebook"),
        ("card", "there is no model card at x: write it"),
        ("model", "there is no artefact at x: run the notebook"),
    ],
)
def test_what_is_missing_is_named_with_a_remedy(clone: Path, name: str, remedy: str) -> None:
    """Each of the three has its own sentence."""
    assert remedy in refusal(clone, **{name: Path("x")})


def test_a_folder_in_the_place_of_a_file_is_told(clone: Path) -> None:
    """A path that cannot be read says why."""
    with pytest.raises(PublishError, match="docs cannot be read: Is a directory"):
        gathered(clone, card=Path("docs"))


def test_the_top_of_the_clone_is_no_place_for_an_artefact(clone: Path) -> None:
    """An artefact's folder is replaced whole, so it is never the whole clone."""
    top = Path(shutil.copytree(BUNDLED, clone / "top"))
    with pytest.raises(PublishError, match="a folder of its own"):
        gathered(top, model=top)


def test_a_file_for_an_artefact_is_refused(clone: Path) -> None:
    """`--model` wants the folder."""
    with pytest.raises(ArtefactError, match="there is no artefact"):
        gathered(clone, model=Path("notebooks/my-model/manifest.json"))
