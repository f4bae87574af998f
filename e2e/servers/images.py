"""Images of one program that needs nothing but the kernel, made without any tool for images."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

from .process import run

# The source of the process that holds a pod's namespaces. As process 1 it has to reap orphans.
PAUSE = """\
#include <signal.h>
#include <unistd.h>

int main(void) {
  signal(SIGCHLD, SIG_IGN);
  signal(SIGTERM, _exit);
  for (;;) pause();
}
"""


def program(archive: Path, name: str, source: str) -> Path:
    """Writes the docker-archive of an image that runs the C++ program, as a user of no rights.

    name: with its tag. source: all of it; it is linked statically.
    """
    code, binary = archive.with_suffix(".cc"), archive.with_suffix(".bin")
    code.write_text(source, encoding="ascii")
    run(["g++", "-std=c++20", "-O1", "-s", "-static", "-w", "-o", str(binary), str(code)])
    layer = _tar({"program": (0o755, binary.read_bytes())})
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps({
        "architecture": "amd64", "os": "linux",
        "config": {"Entrypoint": ["/program"], "User": "65532:65532"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": [f"{digest}.tar"]}]
    archive.write_bytes(_tar({
        config_name: (0o644, config), f"{digest}.tar": (0o644, layer),
        "manifest.json": (0o644, json.dumps(manifest).encode())}))
    return archive


def _tar(files: dict[str, tuple[int, bytes]]) -> bytes:
    """By name: mode and content. The same files give the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, (mode, content) in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = mode, len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
