"""A real Kubernetes on this machine: all of it, or its API server alone."""

import json
import subprocess
from pathlib import Path
from typing import Any, Callable, Mapping

from . import artefacts, cache
from .access import Access
from .control_plane import (FIRST_SERVICE, MANAGER, SCHEDULER, ApiServer, ControllerManager, Etcd,
                            Scheduler)
from .errors import ServersError
from .group import Group, to_stderr
from .machine import Machine
from .node import (DOMAIN, KUBELET, NODE, NODE_ADDRESS, PROXY, Containerd, CoreDns, Kubelet,
                   KubeProxy)
from .process import as_user, wait_until
from .server import LOOPBACK, Server

VOLUMES = 12
STORAGE_CLASS = "standard"


class Cluster(Group):
    """The servers of one cluster, as a context manager: all serve inside it, nothing of it is left
    after it, whatever ran in its pods.

    With a node it needs root, and is the only one on the machine; pods reach the machine, and the
    machine pods, and Stack(host=cluster.node_address) is in reach of both.

    run_dir: see Group.
    api_only: just etcd and the API server, on loopback, for any user, as many as one likes, in a
    few seconds. Objects are kept, and nothing happens to them.
    controllers: with api_only, the controller manager too: owners' garbage collection, namespaces'
    deletion, tokens.
    api_flags: of kube-apiserver, besides ours.
    """

    kind = "cluster"

    def __init__(self, run_dir: Path | None = None, *, api_only: bool = False,
                 controllers: bool = False, api_flags: Mapping[str, str] | None = None,
                 progress: Callable[[str], None] = to_stderr):
        super().__init__(run_dir, progress)
        self._folder = self.run_dir / self.kind
        self.node_address = LOOPBACK if api_only else NODE_ADDRESS
        self._machine = None if api_only else Machine(self._folder, progress)
        self._volumes = 0
        flags = dict(api_flags or {})
        if api_only and not controllers:
            # Otherwise no pod could be made, for want of a service account in its namespace.
            flags.setdefault("disable-admission-plugins", "ServiceAccount")
        self._access = _access(self._folder, self.node_address)
        self.etcd = Etcd(self._folder / "etcd")
        self.api = ApiServer(self._folder / "apiserver", self.etcd, self._access,
                             self.node_address, flags)
        self.kubeconfig = self._access.kubeconfig(self.api.url)
        self.manager = (ControllerManager(self._folder / "manager", self.api, self._access)
                        if controllers or not api_only else None)
        self.scheduler = self.containerd = self.kubelet = self.proxy = self.dns = None
        if not api_only:
            self._add_node()

    def _add_node(self) -> None:
        folder, api, access = self._folder, self.api, self._access
        self.scheduler = Scheduler(folder / "scheduler", api, access)
        self.containerd = Containerd(folder / "containerd")
        self.kubelet = Kubelet(folder / "kubelet", api, self.containerd, access)
        self.proxy = KubeProxy(folder / "proxy", api, access)
        self.dns = CoreDns(folder / "coredns", api, access)

    @property
    def phases(self) -> list[list[Server]]:
        phases = [[self.etcd, self.containerd], [self.api], [self.manager, self.scheduler,
                                                             self.kubelet], [self.proxy, self.dns]]
        present = [[server for server in phase if server is not None] for phase in phases]
        return [phase for phase in present if phase]

    def start(self) -> None:
        try:
            if self._machine is not None:
                self._machine.take()
                cache.get(artefacts.COREDNS, self._progress)
            cache.get(artefacts.KUBERNETES, self._progress)
            if self._machine is not None:
                self._machine.prepare()
            super().start()
            self._settle()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        try:
            super().stop()
        finally:
            if self._machine is not None:
                self._machine.restore()

    def kubectl(self, *arguments: str, stdin: str | None = None, seconds: float = 300) -> str:
        """What it prints. Errors: it ends with another exit code than 0; with what it said."""
        command = [str(self.program("kubectl")), f"--kubeconfig={self.kubeconfig}",
                   f"--cache-dir={self._folder / 'kubectl'}", *arguments]
        try:
            done = subprocess.run(as_user(None, command), input=stdin or "", capture_output=True,
                                  text=True, check=False, timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise ServersError(f"kubectl {' '.join(arguments)}: no end after {seconds} s, having "
                               f"said {error.stdout!r} {error.stderr!r}") from error
        if done.returncode != 0:
            raise ServersError(f"{done.stdout}{done.stderr}\nkubectl {' '.join(arguments)}\n"
                               f"ended with {done.returncode}")
        return done.stdout

    def get(self, *arguments: str) -> dict[str, Any]:
        """An object, or a list of them: get("pod", "a", "--namespace=b"). Errors: it is not
        there."""
        return json.loads(self.kubectl("get", *arguments, "--output=json"))

    def exists(self, *arguments: str) -> bool:
        return bool(self.kubectl("get", *arguments, "--ignore-not-found", "--output=name"))

    def apply(self, *objects: dict[str, Any]) -> None:
        """Server-side: also what is too large for an annotation, as some CRDs are."""
        self.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-",
                     stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def load_image(self, archive: Path) -> None:
        """The images of a docker-archive; pods must not ask for another policy of pulling than
        IfNotPresent or Never."""
        if self.containerd is None:
            raise ServersError("there is no node to run images on: not with api_only=True")
        self.containerd.load(archive)

    def add_volumes(self, count: int) -> None:
        """PersistentVolumes of the class `standard`, each for one claim in the cluster's life."""
        first, self._volumes = self._volumes, self._volumes + count
        self.apply(*(self._volume(number) for number in range(first, first + count)))

    def program(self, name: str) -> Path:
        """kubectl, helm, or another that the cluster was built with."""
        return cache.get(artefacts.KUBERNETES) / name

    def describe(self) -> dict:
        return {"run_dir": str(self.run_dir), "kubeconfig": str(self.kubeconfig),
                "url": self.api.url, "node_address": self.node_address,
                **{server.name: server.describe() for server in self.servers}}

    def environment(self) -> dict[str, str]:
        """With which kubectl and helm find the cluster."""
        return {"KUBECONFIG": str(self.kubeconfig)}

    def _settle(self) -> None:
        """Waits for what is made some time after the servers' start, and pods need."""
        if self.manager is not None:
            for kind in ("serviceaccount/default", "configmap/kube-root-ca.crt"):
                wait_until(lambda wanted=kind: self.exists(wanted), 120,
                           lambda wanted=kind: f"{wanted} is not made: see {self.manager.log}")
        if self.kubelet is not None:
            self.apply(_STORAGE_CLASS)
            self.add_volumes(VOLUMES)
            self.kubectl("wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=180s")

    def _volume(self, number: int) -> dict[str, Any]:
        """Of the kind `local`, whose files are given to the pod's fsGroup as those of real volumes
        are; a program that is not root and has no such group cannot write."""
        folder = self._folder / "volumes" / str(number)
        folder.mkdir(parents=True)
        return {
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": f"{STORAGE_CLASS}-{number}"},
            "spec": {
                "storageClassName": STORAGE_CLASS, "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"], "persistentVolumeReclaimPolicy": "Retain",
                "local": {"path": str(folder)},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [{
                    "key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}]}]}},
            },
        }


_STORAGE_CLASS = {
    "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
    "metadata": {"name": STORAGE_CLASS,
                 "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "kubernetes.io/no-provisioner",
    "volumeBindingMode": "WaitForFirstConsumer",
}


def _access(folder: Path, address: str) -> Access:
    service = "DNS:kubernetes.default.svc"
    hosts = dict.fromkeys((f"IP:{LOOPBACK}", f"IP:{address}", f"IP:{FIRST_SERVICE}",
                           "DNS:localhost", "DNS:kubernetes", "DNS:kubernetes.default", service,
                           f"{service}.{DOMAIN}"))
    return Access(folder / "access", tuple(hosts), {
        MANAGER: "", SCHEDULER: "", PROXY: "", KUBELET: "system:nodes"})
