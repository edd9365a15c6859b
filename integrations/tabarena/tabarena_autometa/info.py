"""Who AutoMeta is: what TabArena's registry of systems collects."""

from __future__ import annotations

from tabarena.models._method_metadata import MethodMetadata
from tabarena.systems._system_info import SystemInfo

from autometa import __version__

from .hpo import gen_autometa
from .system import AutoMetaSystemModel

# Whether it is verified, and where its results are kept, is for TabArena's maintainers to say when they have run it. It
# is open, runs here, and asks no language model, so it has no tags.
autometa_metadata = MethodMetadata.system(
    method="AutoMeta",
    name=f"AutoMeta {__version__}",
    date_introduced="2026-11",
    compute="cpu",
    verified=False,
)

autometa_info = SystemInfo(
    system_cls=AutoMetaSystemModel,
    config_generator=gen_autometa,
    method_metadata=autometa_metadata,
    pip_extra=(f"autometa-ml[xgboost,catboost]=={__version__}",),
)
