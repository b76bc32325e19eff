"""The program that an institution of the consortium runs: witness, mirror, monitor and reader of logs. No Django."""
