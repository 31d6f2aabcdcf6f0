"""Published figures against what is measured: traces, arithmetic on traced quantities, and code that is really run.

`published` holds the figures and finds those that a word means; `ledger` measures them and judges them by the rules of
`verdicts`; `report` writes the result. A paper is a module or a package of its name: its measurers, which `registry`
collects, and the layout of its table, whose cells `layout` takes from the same measurers. `catalogue` lists the papers;
`networks` traces what they ask about.
"""
