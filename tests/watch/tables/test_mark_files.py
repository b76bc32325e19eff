"""Files of sets of marks: several processes may make the same one at once."""

from __future__ import annotations

import os

from chopmark.watch.engine.manifest import write_whole


def test_two_that_write_the_same_set_at_once_both_come_to_their_end(tmp_path, monkeypatch):
    path, real, others = tmp_path / "marks-1.jsonl.zst", os.fsync, []

    def fsync(file):
        if not others:  # while the first one writes, another one writes the same
            others.append("another")
            write_whole(path, b"a set")
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    write_whole(path, b"a set")
    assert others == ["another"]
    assert path.read_bytes() == b"a set"
    assert list(tmp_path.iterdir()) == [path]
