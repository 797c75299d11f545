"""`atraso model export` and `model card` as commands: what they say, what they leave, how they end."""

import json
import sys
from pathlib import Path

import click.testing
import onnxruntime
import pytest

from atraso.artefact.bundle import BUNDLED, read_artefact
from atraso.cli import main
from atraso.core.errors import ArtefactError, MissingExtraError, SettingsError

RECORD = Path(__file__).parents[2] / "docs" / "records" / "rolling.json"


def run(*arguments: object) -> click.testing.Result:
    """Run the command in this process; its own errors are raised."""
    done = click.testing.CliRunner().invoke(main.cli, ["model", "export", *map(str, arguments)], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done


def metadata(file: Path) -> dict[str, str]:
    told: dict[str, str] = (
        onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"]).get_modelmeta().custom_metadata_map
    )
    return told


def test_a_folder_takes_every_scorecard_and_json_tells_each(tmp_path: Path) -> None:
    """One file a scorecard, each named in the JSON with how close it is; standard error has nothing to add."""
    done = run("--format", "onnx", "--out", tmp_path / "copies", "--json")
    told = json.loads(done.stdout)
    manifest, tables = read_artefact(BUNDLED)

    assert (told["model"], told["format"]) == (manifest.version, "onnx")
    assert {(c["lead"], c["schedule"]) for c in told["copies"]} == {(c.lead, c.schedule) for c in tables.scorecards}
    assert sorted(c["file"] for c in told["copies"]) == sorted(p.name for p in (tmp_path / "copies").iterdir())
    for copy in told["copies"]:
        assert copy["rows"] >= 1000
        assert 0 <= copy["largest_difference"]["exceeds"] < 1e-9
    assert done.stderr == ""


def test_a_file_takes_the_scorecard_of_an_ordinary_question_and_says_so(tmp_path: Path) -> None:
    """Without more words it is the schedule lead without the published schedule; the largest difference is printed."""
    done = run("--out", tmp_path / "copy.onnx", "--model", BUNDLED)

    assert "copy.onnx: lead schedule, without the published schedule" in done.stdout
    assert "in probability" in done.stdout
    assert f"1 of the {len(read_artefact(BUNDLED)[1].scorecards)} scorecards" in done.stderr
    told = metadata(tmp_path / "copy.onnx")
    assert (told["lead"], told["schedule"]) == ("schedule", "false")


def test_lead_and_schedule_choose(tmp_path: Path) -> None:
    """A file is the one scorecard that is named; a folder has all that fit."""
    run("--out", tmp_path / "copy.onnx", "--lead", "3h", "--schedule")
    told = metadata(tmp_path / "copy.onnx")
    assert (told["lead"], told["schedule"]) == ("3h", "true")

    run("--out", tmp_path / "copies", "--lead", "3h")
    assert sorted(p.name for p in (tmp_path / "copies").iterdir()) == ["3h-published.onnx", "3h.onnx"]


def test_a_model_that_is_none_is_refused(tmp_path: Path) -> None:
    """The artefact is checked before it is copied."""
    with pytest.raises(ArtefactError, match="there is no artefact at"):
        run("--out", tmp_path / "copies", "--model", tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without onnx the sentence names the extra to install."""
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"needs the extra 'train': pip install 'atraso\[train\]'"):
        run("--out", tmp_path / "copies")


def test_copies_that_are_there_end_with_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once more without --replace: one sentence, exit code 2, the copy as it was; with it the copy is made anew."""
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(b"before")
    monkeypatch.setattr(sys, "argv", ["atraso", "model", "export", "--out", str(copy)])
    with pytest.raises(SystemExit) as ended:
        main.main()

    assert ended.value.code == 2
    assert f"atraso: {copy} exists already: choose another place, or say --replace" in capsys.readouterr().err
    assert copy.read_bytes() == b"before"
    run("--out", copy, "--replace")
    assert metadata(copy)["lead"] == "schedule"


def card(*arguments: object) -> click.testing.Result:
    """Run `atraso model card` with the record kept in the repository."""
    done = click.testing.CliRunner().invoke(
        main.cli,
        ["model", "card", "--rolling", str(RECORD), *map(str, arguments)],
        standalone_mode=False,
    )
    if done.exception is not None:
        raise done.exception
    return done


def test_a_card_and_its_diagram_are_written_side_by_side_and_not_over_others(tmp_path: Path) -> None:
    """Both carry the card's name; what is there already is replaced only when that is said."""
    card("--out", tmp_path / "mine.md")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine-reliability.svg", "mine.md"]
    assert "(mine-reliability.svg)" in (tmp_path / "mine.md").read_text()

    (tmp_path / "mine.md").write_text("my own words")
    with pytest.raises(SettingsError, match="exists already"):
        card("--out", tmp_path / "mine.md")
    assert (tmp_path / "mine.md").read_text() == "my own words"
    card("--out", tmp_path / "mine.md", "--replace")
    assert "# Model card" in (tmp_path / "mine.md").read_text()


@pytest.mark.parametrize(("out", "says"), [("absent/card.md", "there is no folder"), ("-", "needs a file")])
def test_a_card_that_cannot_be_written_is_refused_in_a_sentence(tmp_path: Path, out: str, says: str) -> None:
    """A folder that is not there and standard output are told before anything is made."""
    with pytest.raises(SettingsError, match=says):
        card("--out", out if out == "-" else tmp_path / out)
