"""Published figures against what is measured: traces, arithmetic on traced quantities, and code that is really run.

`selection` finds the figures meant, `ledger` measures and judges them by the rules of `verdicts`, `report` and
`document` write the result. The measurers stand in `measures`, one file per source or subject.
"""
