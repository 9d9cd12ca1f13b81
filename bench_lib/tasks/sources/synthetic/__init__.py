"""Corpora that the suite generates itself, for machines without a network."""

from bench_lib.tasks.sources.synthetic.corpus import CORPORA, NOISE, best_reachable, generate

__all__ = ["CORPORA", "NOISE", "best_reachable", "generate"]
