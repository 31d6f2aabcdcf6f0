"""Is everything that forward uses registered? What is not, no optimizer, checkpoint or move to a device reaches."""

from dataclasses import replace

from archscope.core.finding import Finding
from archscope.core.words import TraceOptions
from archscope.observation import observe_call
from archscope.training.checks.candidate import Candidate

FATAL = ("unregistered-module", "unregistered-parameter")
"""Errors where they are warnings in a trace: a training would leave these parts as they are."""
TOLD = (*FATAL, "unregistered-buffer", "shared-module")
"""What is not seen by the other checks."""


def check_registration(candidate: Candidate) -> list[Finding]:
    """What `archscope trace` finds in a pass without data; the candidate is neither run nor changed."""
    observed = observe_call(candidate.module, TraceOptions(train=True), ((candidate.images,), {}))
    found = [finding for finding in observed.trace.findings if finding.code in TOLD]
    return [
        replace(finding, severity="error") if finding.code in FATAL and finding.severity == "warning" else finding
        for finding in found
    ]
