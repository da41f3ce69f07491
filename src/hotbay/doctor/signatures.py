"""What lies beside the packages of the local source as their signatures."""

from __future__ import annotations

from pathlib import Path

from hotbay.doctor.finding import WARNING, Finding, Findings, Patient
from hotbay.publishers import Publishers, word_on
from hotbay.source import LocalSource


def signatures(patient: Patient) -> Findings:
    """They are those of the packages; a package with another one is never installed."""
    policy = Publishers(patient.registry).policy()
    for offer in LocalSource(patient.settings.packages).list():
        problem = word_on(offer, policy)[1]
        if problem is not None:
            yield Finding("source", f"signature:{Path(problem.file).name}", WARNING, problem.rule, problem.mend)
