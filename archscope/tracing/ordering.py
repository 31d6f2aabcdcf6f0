"""Puts what threads did in order: a trace's calls and operations follow each other as if one thread had run them.

Several threads write into one record as they run, in whatever order that happens. Afterwards each call's own operations
and calls are gathered: those of a thread stand together, where the work was handed to it. Where a thread read what was
made after that moment, everything stays in the order of time.
"""

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, TypeAlias

from archscope.core.trace import Edge, OpRecord
from archscope.tracing.threads import Task

if TYPE_CHECKING:
    from archscope.tracing.recorder import RecordedCall

Key: TypeAlias = tuple[tuple[float, ...], ...]


def order_threads(
    calls: "list[RecordedCall]", ops: list[OpRecord], edges: list[Edge], op_tasks: dict[int, Task]
) -> None:
    """Renumber calls and operations in place; `op_tasks` tells whose operations ran outside of their threads' calls."""
    if not calls:
        return
    arranged = _Arrangement(calls, ops, op_tasks, grouped=True)
    if not arranged.follows(edges):
        arranged = _Arrangement(calls, ops, op_tasks, grouped=False)
    place, ids = arranged.find_places(), {call.id: number for number, call in enumerate(arranged.calls)}
    ops[:] = [replace(ops[old], index=new, layer=ids[ops[old].layer]) for new, old in enumerate(arranged.ops)]
    edges[:] = sorted(
        (replace(edge, producer=None if edge.producer is None else place[edge.producer], consumer=place[edge.consumer])
         for edge in edges),
        key=lambda edge: edge.consumer,
    )  # fmt: skip
    counts: dict[int, int] = {}
    for number, call in enumerate(arranged.calls):
        call.id, (call.first_op, call.end_op) = number, arranged.spans[number]
        call.call = counts.get(id(call.module), 0)
        counts[id(call.module)] = call.call + 1
    calls[:] = arranged.calls


class _Arrangement:
    """One order of the calls and operations, every call's being neighbours."""

    def __init__(
        self, calls: "list[RecordedCall]", ops: list[OpRecord], op_tasks: dict[int, Task], *, grouped: bool
    ) -> None:
        self.calls: list[RecordedCall] = []
        self.ops: list[int] = []
        """Former indices."""
        self.spans: list[tuple[int, int]] = []
        self._inside: dict[int, list[tuple[Key, int, RecordedCall | None]]] = {call.id: [] for call in calls}

        def find_key(task: Task | None, *moment: float) -> Key:
            return (*(task.key if grouped and task is not None else ()), moment)

        for call in calls:
            if call.parent is not None:
                self._inside[call.parent.id].append((find_key(call.task, call.first_op, call.id, 0), call.id, call))
        for op in ops:
            self._inside[op.layer].append((find_key(op_tasks.get(op.index), op.index, inf, 0), op.index, None))
        for call in calls:
            if call.parent is None:
                self._visit(call)

    def _visit(self, call: "RecordedCall") -> None:
        number, first = len(self.calls), len(self.ops)
        self.calls.append(call)
        self.spans.append((first, first))
        for _, index, inner in sorted(self._inside[call.id], key=lambda item: item[0]):
            if inner is None:
                self.ops.append(index)
            else:
                self._visit(inner)
        self.spans[number] = first, len(self.ops)

    def find_places(self) -> dict[int, int]:
        """New indices by former ones."""
        return {old: new for new, old in enumerate(self.ops)}

    def follows(self, edges: list[Edge]) -> bool:
        """Whether every operation stands after those whose values it reads."""
        place = self.find_places()
        return all(edge.producer is None or place[edge.producer] < place[edge.consumer] for edge in edges)
