"""Starts a study from what was learned on past ones; the sampler, its callback and its pruner are AutoMeta's own."""

from autometa import ImprobableWinPruner, WarmStartSampler, remember, remember_study

__all__ = ["ImprobableWinPruner", "WarmStartSampler", "remember", "remember_study"]
