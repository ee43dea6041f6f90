"""Refreshes the vendored JavaScript modules from npm: `python -m gateway.console.vendor`.

Edit the versions in `MODULES`, then run it. It needs `npm` and the network. `vendor/manifest.json` records
the version, licence and SHA-256 of each file.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

VENDOR = Path(__file__).parent / "static" / "vendor"
MANIFEST = VENDOR / "manifest.json"

LICENCE = re.compile(r"package/LICEN[CS]E[^/]*$", re.IGNORECASE)
SOURCE_MAP = re.compile(r"\n//# sourceMappingURL=.*")


@dataclass(frozen=True, slots=True)
class Module:
    """A file of an npm package, and the name it gets here."""

    package: str
    version: str
    file: str
    name: str


MODULES = (
    Module("preact", "10.29.8", "dist/preact.module.js", "preact.js"),
    Module("preact", "10.29.8", "hooks/dist/hooks.module.js", "preact-hooks.js"),
    Module("htm", "3.1.1", "dist/htm.module.js", "htm.js"),
    Module("@dagrejs/dagre", "3.1.3", "dist/dagre.esm.js", "dagre.js"),
    Module("marked", "18.2.1", "lib/marked.esm.js", "marked.js"),
    Module("dompurify", "3.5.0", "dist/purify.es.mjs", "dompurify.js"),
)
IMPORTS = {'from"preact"': 'from"./preact.js"'}
"""Browsers do not resolve names of packages, so these imports are rewritten."""


def refresh() -> None:
    """Download all modules and write them with the manifest."""
    manifest = []
    for module in MODULES:
        package = _package(module)
        source = _read(package, f"package/{module.file}").decode()
        for name, file in IMPORTS.items():
            source = source.replace(name, file)
        content = SOURCE_MAP.sub("", source).encode()
        (VENDOR / module.name).write_bytes(content)
        licence = next((name for name in package.getnames() if LICENCE.match(name)), None)
        if licence:
            (VENDOR / f"{module.name}.LICENSE.txt").write_bytes(_read(package, licence))
        about = json.loads(_read(package, "package/package.json"))
        manifest.append(
            {
                "file": module.name,
                "package": module.package,
                "version": module.version,
                "from": module.file,
                "licence": about["license"],
                "sha256": hashlib.sha256(content).hexdigest(),
            }
        )
    MANIFEST.write_text(json.dumps(manifest, indent=2) + "\n")


def _package(module: Module) -> tarfile.TarFile:
    with TemporaryDirectory() as directory:
        command = ["npm", "pack", "--silent", f"{module.package}@{module.version}"]
        name = subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True).stdout
        return tarfile.open(fileobj=io.BytesIO((Path(directory) / name.strip()).read_bytes()))


def _read(package: tarfile.TarFile, name: str) -> bytes:
    file = package.extractfile(name)
    if file is None:
        raise FileNotFoundError(name)
    return file.read()


if __name__ == "__main__":
    refresh()
