"""Published figures against what is measured: traces, arithmetic on traced quantities, and code that is really run.

`published` holds the figures and finds those that a word means, `ledger` measures and judges them by the rules of
`verdicts`, `report` writes the result. A paper's measurers and the layout of its table stand in a module of its name.
"""
