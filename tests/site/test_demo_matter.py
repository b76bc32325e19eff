"""The demo's matter in homes that have less than `./run` makes."""

from __future__ import annotations

from chopmark.site.demo_matter import _offices


def test_without_local_desks_nobody_is_asked_to_notarise_or_to_file(tmp_path):
    (tmp_path / "keys").mkdir()  # as `chopmark init` without local members leaves it: no key for desks
    with _offices(tmp_path) as found:
        assert found == {}
