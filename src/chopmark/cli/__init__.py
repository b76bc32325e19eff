"""The command line: the platform's actions on this machine, or its API elsewhere. Holds no rules.

Data goes to standard output, talk and progress to standard error. Exit status: 0 done or PASSED,
1 refused or FAILED, 2 wrong use, 3 cannot be told now or INDETERMINATE.
Each command's module is imported only when that command runs, so `chopmark verify` needs no web framework.
"""
