"""The notebook runs from its first cell to its last and leaves a model that can be served."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from atraso.artefact.scorer import load_scorer
from tests.flights_at_hand import generated_scl_file

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "model.ipynb"

# What the test changes in the notebook's own process: fewer stumps, the same way.
FEWER = """
import pytest
from tests.training.quick import train_quickly
train_quickly(pytest.MonkeyPatch(), 40, 5)
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_notebook_runs_to_its_end_and_saves_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Executed on generated flights, every cell works, and the artefact it wrote passes every check."""
    monkeypatch.setenv("ATRASO_SCL_DATA", str(generated_scl_file()))
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    monkeypatch.setenv("ATRASO_CANDIDATES", "reference,scorecard,splines")
    monkeypatch.setenv("ATRASO_LEADS", "1h")
    monkeypatch.setenv("ATRASO_MODEL_OUT", str(tmp_path / "made"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(FEWER))
    NotebookClient(
        notebook, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()

    printed = "".join(o.get("text", "") for cell in notebook.cells for o in cell.get("outputs", []))
    pictures = sum("image/png" in o.get("data", {}) for cell in notebook.cells for o in cell.get("outputs", []))
    assert load_scorer(tmp_path / "made").manifest.version in printed
    assert "the simplest within one standard error of the best" in printed
    assert pictures == 3
