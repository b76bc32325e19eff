"""Which process decodes, and which loads the library that decodes sound and film (decision 0015)."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from world.patience import HANG

import chopmark

_LOADED = """
import sys
import chopmark.media.match, chopmark.media.index.codes, chopmark.media.workshop
print(sorted(name for name in sys.modules if name == "av" or name.startswith("av.")))
"""


def test_searching_loads_no_library_for_sound_and_film():
    said = subprocess.run([sys.executable, "-c", _LOADED], check=True, capture_output=True, text=True, timeout=HANG)
    assert said.stdout.strip() == "[]"


DECODERS = {"Image.open", "av.open", "cv2.imdecode", "cv2.imread", "cv2.VideoCapture", "simplejpeg.decode_jpeg"}
MAY = {
    "media/decode.py",  # in the cage
    "media/audio.py",  # in the cage
    "media/video.py",  # in the cage
    "media/making.py",  # in the cage
    "site/demo_media.py",  # makes films, for the demo
    "rights/actions/watch.py",  # a drawing that the platform made from pixels out of the cage
}


def test_nothing_outside_the_cage_decodes_what_people_brought():
    """By reading the source: no other module calls what decodes, be it a page, the API, a command or the worker."""
    root = Path(chopmark.__file__).parent
    found = {
        (path.relative_to(root).as_posix(), name)
        for path in root.rglob("*.py")
        if any(each in (text := path.read_text()) for each in DECODERS)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in DECODERS
    }
    assert {name for _, name in found} >= {"Image.open", "av.open", "simplejpeg.decode_jpeg"}  # it sees what there is
    assert {path for path, _ in found} <= MAY
