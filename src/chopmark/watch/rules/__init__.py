"""Rules: SQL conditions over the feature table, their versions, what they would flag, and when they are stopped.

`language` reads and prints conditions, `rule` holds rules and sets of rules, `run` has the database,
`backtest` counts what they flag in history, `alarm` says when a rule must stop. `default.toml` has the rules that ship.
"""
