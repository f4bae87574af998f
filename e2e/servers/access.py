"""Who may do what at the API server: certificates, tokens, and files with both for clients."""

import base64
import secrets
from pathlib import Path
from typing import Mapping

from .certificates import Authority
from .process import run

ADMIN = "admin"


class Access:
    """folder: made if missing. hosts: see Authority. users: the groups of each, by name; ADMIN is
    there besides. Everyone has a token, which the API server reads once, at its start."""

    def __init__(self, folder: Path, hosts: tuple[str, ...], users: Mapping[str, str]):
        self._folder = folder
        self.authority = Authority(folder / "certificates", "kubernetes", hosts)
        self.service_account_key = folder / "service-account.key"
        self.tokens = folder / "tokens.csv"
        groups = {ADMIN: "system:masters", **users}
        self._secrets = {user: secrets.token_hex(16) for user in groups}
        self.tokens.write_text("".join(f'{self._secrets[user]},{user},{user},"{groups[user]}"\n'
                                       for user in groups), encoding="ascii")
        self.tokens.chmod(0o600)
        run(["openssl", "genrsa", "-out", str(self.service_account_key), "2048"])

    def token(self, user: str = ADMIN) -> str:
        return self._secrets[user]

    def kubeconfig(self, url: str, user: str = ADMIN) -> Path:
        """A file with which that user's program reaches the API server there."""
        place = self._folder / f"{user.replace(':', '-')}.kubeconfig"
        certificate = base64.b64encode(self.authority.certificate.read_bytes()).decode()
        place.touch(0o600)
        place.write_text(f"""\
apiVersion: v1
kind: Config
clusters:
- name: searchsync
  cluster:
    server: {url}
    certificate-authority-data: {certificate}
users:
- name: {user}
  user:
    token: {self._secrets[user]}
contexts:
- name: searchsync
  context:
    cluster: searchsync
    user: {user}
current-context: searchsync
""", encoding="ascii")
        return place
