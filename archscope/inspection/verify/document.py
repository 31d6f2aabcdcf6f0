"""The ledger goes in; the JSON document of schema `archscope.verify/1` comes out."""

from collections.abc import Sequence

from archscope.inspection.verify.ledger import Entry
from archscope.inspection.verify.measurement import Value
from archscope.inspection.verify.verdicts import VERDICTS
from archscope.tables.published import load_source
from archscope.version import __version__

SCHEMA = "archscope.verify/1"


def describe_entries(entries: Sequence[Entry]) -> dict[str, object]:
    """The document: a summary per source, and every figure."""
    sources = dict.fromkeys(entry.source for entry in entries)
    return {
        "schema": SCHEMA,
        "archscope": __version__,
        "kept": not any(entry.broken for entry in entries),
        "sources": [_describe_source(source, entries) for source in sources],
        "facts": [_describe_entry(entry) for entry in entries],
    }


def _describe_source(name: str, entries: Sequence[Entry]) -> dict[str, object]:
    source = load_source(name)
    verdicts = [entry.verdict for entry in entries if entry.source == name]
    return {
        "source": name,
        "key": source.key,
        "title": source.title,
        "figures": len(verdicts),
        "measured": sum(verdict != "not recomputable" for verdict in verdicts),
        "verdicts": {verdict: verdicts.count(verdict) for verdict in VERDICTS},
    }


def _describe_entry(entry: Entry) -> dict[str, object]:
    fact = entry.fact
    return {
        "id": fact.id,
        "published": fact.published,
        "measured": entry.measured or None,
        "measured_value": None if entry.value is None else write_value(entry.value),
        "verdict": entry.verdict,
        "arithmetic": entry.arithmetic,
        "explanation": entry.explanation,
        "source": entry.source,
        "model": fact.model,
        "where": fact.where,
        "quantity": fact.quantity,
        "locus": fact.locus,
        "unit": fact.unit,
        "check": fact.check,
        "reason": entry.reason,
        "note": fact.note,
    }


def write_value(value: "Value") -> object:
    """Tuples become lists."""
    return [write_value(item) for item in value] if isinstance(value, tuple) else value
