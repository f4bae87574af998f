"""Certificates for servers on loopback, from an authority of one's own."""

from pathlib import Path

from .process import run


class Authority:
    """Its certificate, and one that it gave to a server on 127.0.0.1.

    folder: where they are put; made if missing.
    """

    def __init__(self, folder: Path, name: str = "searchsync-test"):
        folder.mkdir(parents=True)
        self._folder = folder
        self.certificate = folder / "ca.pem"
        self.server_certificate = folder / "server.pem"
        self.server_key = folder / "server.key"
        self._make(name)

    @property
    def pem(self) -> str:
        return self.certificate.read_text(encoding="ascii")

    def server_pem(self) -> str:
        """Key and certificate in one, as Kafka wants them."""
        return (self.server_key.read_text(encoding="ascii")
                + self.server_certificate.read_text(encoding="ascii"))

    def _make(self, name: str) -> None:
        key, request = self._folder / "ca.key", self._folder / "server.csr"
        extensions = self._folder / "extensions"
        extensions.write_text("subjectAltName = IP:127.0.0.1\nbasicConstraints = CA:FALSE\n",
                              encoding="ascii")
        run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
             "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(self.certificate)])
        run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1",
             "-keyout", str(self.server_key), "-out", str(request)])
        run(["openssl", "x509", "-req", "-days", "2", "-in", str(request), "-CA",
             str(self.certificate), "-CAkey", str(key), "-CAcreateserial", "-extfile",
             str(extensions), "-out", str(self.server_certificate)])
