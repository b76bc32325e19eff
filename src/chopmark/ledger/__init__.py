"""The transparency log: pure tree, tiles, notes, checkpoints, proofs, policy, statements; the one writer; the stores."""
