"""The package for OptunaHub loads as OptunaHub loads it, and its example learns from month to month."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path
from types import ModuleType

import optuna
import pytest

ROOT = Path(__file__).resolve().parents[1] / "integrations" / "optunahub" / "package"
PACKAGE = "samplers/autometa_warm_start"

optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture
def package() -> ModuleType:
    optunahub = pytest.importorskip("optunahub", reason="optunahub is not installed")
    return optunahub.load_local_module(PACKAGE, registry_root=str(ROOT))


def test_it_offers_what_its_readme_names(package: ModuleType) -> None:
    readme = (ROOT / PACKAGE / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"^- `(\w+)\(", readme, re.MULTILINE)
    assert sorted(named) == sorted(package.__all__)
    assert issubclass(package.WarmStartSampler, optuna.samplers.BaseSampler)


def test_the_front_matter_has_every_field_that_the_registry_asks_for() -> None:
    head = (ROOT / PACKAGE / "README.md").read_text(encoding="utf-8").split("---")[1]
    fields = {line.split(":")[0] for line in head.strip().splitlines()}
    assert fields == {"author", "title", "description", "tags", "optuna_versions", "license"}
    assert (ROOT / PACKAGE / "LICENSE").read_text(encoding="utf-8").startswith("BSD 3-Clause")


def test_the_example_gets_better_from_month_to_month(
    package: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import optunahub

    monkeypatch.setattr(optunahub, "load_module", lambda name: package)
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(ROOT / PACKAGE / "example.py"), run_name="__main__")
    early = [float(value) for value in re.findall(r"after 3 trials ([0-9.]+)", capsys.readouterr().out)]
    assert len(early) == 5
    assert max(early[2:]) < early[0]
    assert sys.modules["optunahub_registry.package.samplers.autometa_warm_start"] is package
