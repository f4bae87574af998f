"""Certificates for servers on this machine, from an authority of one's own."""

from pathlib import Path

from .process import run


class Authority:
    """Its certificate, and one that it gave to the servers here.

    folder: where they are put; made if missing. hosts: all that clients may call the servers, as
    "IP:…" or "DNS:…".
    """

    def __init__(self, folder: Path, name: str = "searchsync-test",
                 hosts: tuple[str, ...] = ("IP:127.0.0.1",)):
        folder.mkdir(parents=True)
        self._folder = folder
        self.certificate = folder / "ca.pem"
        self.key = folder / "ca.key"
        self.server_certificate = folder / "server.pem"
        self.server_key = folder / "server.key"
        self._make(name, hosts)

    @property
    def pem(self) -> str:
        return self.certificate.read_text(encoding="ascii")

    def server_pem(self) -> str:
        """Key and certificate in one, as Kafka wants them."""
        return (self.server_key.read_text(encoding="ascii")
                + self.server_certificate.read_text(encoding="ascii"))

    def _make(self, name: str, hosts: tuple[str, ...]) -> None:
        request = self._folder / "server.csr"
        extensions = self._folder / "extensions"
        extensions.write_text(f"subjectAltName = {','.join(hosts)}\nbasicConstraints = CA:FALSE\n",
                              encoding="ascii")
        run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
             "-subj", f"/CN={name}", "-keyout", str(self.key), "-out", str(self.certificate)])
        run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1",
             "-keyout", str(self.server_key), "-out", str(request)])
        run(["openssl", "x509", "-req", "-days", "30", "-in", str(request), "-CA",
             str(self.certificate), "-CAkey", str(self.key), "-CAcreateserial", "-extfile",
             str(extensions), "-out", str(self.server_certificate)])
