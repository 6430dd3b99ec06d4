"""What must stay light, and the public names."""

from __future__ import annotations

import subprocess
import sys

import wholecloth


def loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(' '.join(m for m in sys.modules if '.' not in m))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def test_help_loads_no_image_library() -> None:
    code = "from wholecloth.cli.main import program\nprogram(['--help'], standalone_mode=False)"
    assert not {"cv2", "scipy", "numpy", "PIL"} & loaded_by(code)


def test_import_is_light_and_examine_is_there() -> None:
    assert not {"cv2", "scipy", "numpy"} & loaded_by("import wholecloth")
    assert callable(wholecloth.examine)
    assert set(wholecloth.__all__) >= {"examine", "Examined", "AgeDoubt", "WholeclothError"}
