"""Which configurations of AutoMeta are run: with its memory, and without."""

from __future__ import annotations

from tabarena.utils.config_utils import SystemConfigGenerator

from .system import AutoMetaSystemModel

# Each is a row of the leaderboard. Time, cores and memory are the run's, as they are every system's.
gen_autometa = SystemConfigGenerator(
    model_cls=AutoMetaSystemModel, name="AutoMeta", manual_configs=[{}, {"cold": True}]
)
