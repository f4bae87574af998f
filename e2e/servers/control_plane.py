"""Kubernetes without its node: etcd, the API server and the programs that work on its objects."""

import http.client
import ssl
from pathlib import Path
from typing import Mapping

from . import artefacts, cache, ports
from .access import Access
from .process import Process
from .server import LOOPBACK, Server

SERVICE_NETWORK = "10.96.0.0/16"
FIRST_SERVICE = "10.96.0.1"  # the API server's own
MANAGER = "system:kube-controller-manager"
SCHEDULER = "system:kube-scheduler"


class Program(Server):
    """One of our Go programs."""

    def _program(self, name: str, flags: Mapping[str, str | int | Path]) -> Process:
        command = [str(cache.get(artefacts.KUBERNETES) / name),
                   *(f"--{flag}={value}" for flag, value in flags.items())]
        return Process(self.name, command, self.log, cwd=self.folder)

    def describe(self) -> dict:
        return {"address": self.address, "log": str(self.log)}


class Etcd(Program):
    name = "etcd"

    def _prepare(self) -> Process:
        peers = f"http://{self.host}:{ports.take()}"
        return self._program("etcd", {
            "name": "etcd", "data-dir": self.folder / "data",
            # A killed process loses nothing by it, only a machine that loses power.
            "unsafe-no-fsync": "true",
            "listen-client-urls": f"http://{self.address}",
            "advertise-client-urls": f"http://{self.address}",
            "listen-peer-urls": peers, "initial-advertise-peer-urls": peers,
            "initial-cluster": f"etcd={peers}",
        })

    def _ready(self) -> bool:
        return status(self.host, self.port, "/health") == 200


class ApiServer(Program):
    """As production has it: its caches, flow control and authorization are not touched. host: that
    clients are told. flags: besides ours, or instead of them."""

    name = "apiserver"

    def __init__(self, folder: Path, etcd: Etcd, access: Access, host: str,
                 flags: Mapping[str, str]):
        super().__init__(folder, host)
        self._etcd = etcd
        self._access = access
        self._flags = flags

    @property
    def url(self) -> str:
        return f"https://{self.address}"

    def _prepare(self) -> Process:
        authority, account_key = self._access.authority, self._access.service_account_key
        flags = {
            "etcd-servers": f"http://{self._etcd.address}",
            # All addresses, for a cluster with a node: on loopback are clients that are no pods.
            "bind-address": LOOPBACK if self.host == LOOPBACK else "0.0.0.0",
            "secure-port": self.port, "advertise-address": self.host,
            "cert-dir": self.folder,
            "tls-cert-file": authority.server_certificate,
            "tls-private-key-file": authority.server_key,
            "client-ca-file": authority.certificate,
            "token-auth-file": self._access.tokens,
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "service-cluster-ip-range": SERVICE_NETWORK,
            "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
            "service-account-key-file": account_key,
            "service-account-signing-key-file": account_key,
            # For API servers behind this one, of which there are none: its clients look for it.
            "requestheader-client-ca-file": authority.certificate,
            "requestheader-allowed-names": "front-proxy",
            "requestheader-username-headers": "X-Remote-User",
            "requestheader-group-headers": "X-Remote-Group",
            "requestheader-extra-headers-prefix": "X-Remote-Extra-",
            "kubelet-certificate-authority": authority.certificate,
            "kubelet-preferred-address-types": "InternalIP",
            "allow-privileged": "true",
        }
        if self.host == LOOPBACK:  # which no Endpoints may name
            flags["endpoint-reconciler-type"] = "none"
        return self._program("kube-apiserver", flags | dict(self._flags))

    def _ready(self) -> bool:
        """Its first namespaces come a moment after it says that it is ready."""
        return all(self._asked(path) for path in ("/readyz", "/api/v1/namespaces/default",
                                                  "/api/v1/namespaces/kube-system"))

    def _asked(self, path: str) -> bool:
        return status(self.host, self.port, path, authority=self._access.authority.certificate,
                      token=self._access.token()) == 200


class ControllerManager(Program):
    name = "manager"

    def __init__(self, folder: Path, api: ApiServer, access: Access):
        super().__init__(folder)
        self._api = api
        self._access = access

    def _prepare(self) -> Process:
        authority = self._access.authority
        return self._program("kube-controller-manager", {
            **_manager_flags(self, self._api, self._access, MANAGER),
            # One identity for each controller, as RBAC's own roles expect.
            "use-service-account-credentials": "true",
            "service-account-private-key-file": self._access.service_account_key,
            "root-ca-file": authority.certificate,
            "cluster-signing-cert-file": authority.certificate,
            "cluster-signing-key-file": authority.key,
            # While the API server was away the node could not say that it is well.
            "node-monitor-grace-period": "600s",
        })

    def _ready(self) -> bool:
        return status(self.host, self.port, "/healthz",
                      authority=self._access.authority.certificate) == 200


class Scheduler(Program):
    name = "scheduler"

    def __init__(self, folder: Path, api: ApiServer, access: Access):
        super().__init__(folder)
        self._api = api
        self._access = access

    def _prepare(self) -> Process:
        return self._program("kube-scheduler", _manager_flags(self, self._api, self._access,
                                                              SCHEDULER))

    def _ready(self) -> bool:
        return status(self.host, self.port, "/readyz",
                      authority=self._access.authority.certificate) == 200


def status(host: str, port: int, path: str, *, authority: Path | None = None,
           token: str | None = None) -> int | None:
    """Of the answer to GET; None if there is none within a second. authority: who gave the server
    its certificate; without one, it speaks plain HTTP."""
    if authority is None:
        connection = http.client.HTTPConnection(host, port, timeout=1)
    else:
        context = ssl.create_default_context(cafile=authority)
        connection = http.client.HTTPSConnection(host, port, timeout=1, context=context)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"}
                           if token is not None else {})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _manager_flags(server: Server, api: ApiServer, access: Access, user: str) -> dict:
    """It is the only one, so that it need not wait until it is elected."""
    kubeconfig = access.kubeconfig(api.url, user)
    return {
        "kubeconfig": kubeconfig, "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig, "leader-elect": "false",
        "bind-address": server.host, "secure-port": server.port,
        "tls-cert-file": access.authority.server_certificate,
        "tls-private-key-file": access.authority.server_key,
    }
