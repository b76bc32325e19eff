"""The transparency log: pure tree, tiles, notes, checkpoints, proofs, policy, statements; one writer; stores."""
