"""Exit statuses, few and documented."""

DONE = 0  # or PASSED
FAILED = 1  # or refused
USAGE = 2  # the command line or this machine must be changed first
UNCERTAIN = 3  # INDETERMINATE, or something did not answer: try again
