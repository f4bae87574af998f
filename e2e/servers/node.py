"""The one node of a cluster: what runs pods, and connects them."""

import json
import socket
from pathlib import Path
from typing import Any

from . import artefacts, cache, images, ports
from .access import ADMIN, Access
from .control_plane import ApiServer, Program, status
from .errors import ServersError
from .process import Process, run
from .server import READY_SECONDS, Server

NODE = "node-1"
NODE_ADDRESS = "10.245.0.1"  # Machine makes it
POD_NETWORK = "10.244.0.0/24"
POD_BRIDGE = "k8spods"
PROXY = "system:kube-proxy"
KUBELET = f"system:node:{NODE}"
DOMAIN = "cluster.local"
_PAUSE = "localhost/pause:1"
PLUGINS = Path("/usr/lib/cni")  # where Debian puts them
_SOCKET_PATH_MAX = 107


class Containerd(Server):
    """All that it keeps is in its folder, and all images must be loaded: it fetches none."""

    name = "containerd"

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.socket = self.folder / "socket"
        self._log_before = 0  # bytes, of earlier starts
        if len(str(self.socket)) > _SOCKET_PATH_MAX:
            raise ServersError(f"{self.socket} is too long for a socket: choose a shorter run "
                               "folder, say under /tmp")

    def load(self, archive: Path) -> None:
        """The images of a docker-archive."""
        run(["ctr", "--address", str(self.socket), "--namespace", "k8s.io", "images", "import",
             str(archive.resolve())])

    def start(self) -> None:
        self._log_before = self.log.stat().st_size if self.log.exists() else 0
        super().start()

    def wait_ready(self, timeout: float = READY_SECONDS) -> None:
        super().wait_ready(timeout)
        pause = self.folder / "pause.tar"
        if not pause.exists():  # it was loaded before a restart
            self.load(images.program(pause, _PAUSE, images.PAUSE))

    def describe(self) -> dict:
        return {"socket": str(self.socket), "log": str(self.log)}

    @property
    def address(self) -> str:
        return self.socket.name

    def _prepare(self) -> Process:
        networks = self.folder / "networks"
        networks.mkdir()
        _write_json(networks / "pods.conflist", _pod_network(self.folder / "addresses"))
        config = self.folder / "config.toml"
        config.write_text(self._config(networks), encoding="utf-8")
        return Process(self.name, ["containerd", "--config", str(config)], self.log,
                       cwd=self.folder)

    def _ready(self) -> bool:
        """The socket answers before the part that a kubelet needs does, which ends without it."""
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(str(self.socket)) != 0:
                return False
        with open(self.log, "rb") as log:
            log.seek(self._log_before)
            return b"Start streaming server" in log.read()

    def _config(self, networks: Path) -> str:
        """restrict_oom_score_adj: not every machine lets root lower the scores of processes.
        disable_apparmor: its profile would stay in the kernel."""
        cri = 'plugins."io.containerd.grpc.v1.cri"'
        return f"""\
version = 2
root = "{self.folder}/root"
state = "{self.folder}/state"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
address = "{self.socket}"
[plugins."io.containerd.internal.v1.opt"]
path = "{self.folder}/opt"
[{cri}]
sandbox_image = "{_PAUSE}"
restrict_oom_score_adj = true
disable_apparmor = true
netns_mounts_under_state_dir = true
stream_server_address = "127.0.0.1"
[{cri}.cni]
bin_dir = "{PLUGINS}"
conf_dir = "{networks}"
[{cri}.containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"
[{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[{cri}.containerd.runtimes.runc.options]
Root = "{self.folder}/runc"
SystemdCgroup = false
"""


class Kubelet(Program):
    name = "kubelet"

    def __init__(self, folder: Path, api: ApiServer, containerd: Containerd, access: Access):
        super().__init__(folder, NODE_ADDRESS)
        self._api = api
        self._containerd = containerd
        self._access = access
        self._health_port = ports.take()

    def _prepare(self) -> Process:
        config = self.folder / "config.json"
        _write_json(config, self._config())
        return self._program("kubelet", {
            "config": config, "kubeconfig": self._access.kubeconfig(self._api.url, KUBELET),
            "root-dir": self.folder / "root", "cert-dir": self.folder,
            "hostname-override": NODE, "node-ip": NODE_ADDRESS,
        })

    def _ready(self) -> bool:
        return status("127.0.0.1", self._health_port, "/healthz") == 200

    def _config(self) -> dict:
        return {
            "kind": "KubeletConfiguration", "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "address": self.host, "port": self.port,
            "healthzBindAddress": "127.0.0.1", "healthzPort": self._health_port,
            "tlsCertFile": str(self._access.authority.server_certificate),
            "tlsPrivateKeyFile": str(self._access.authority.server_key),
            # Pods could use it too: who wants to test that they cannot needs another cluster.
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "containerRuntimeEndpoint": f"unix://{self._containerd.socket}",
            # It shares the machine with others, and takes it as it is: no tree of cgroups for
            # classes of pods, no share set aside, swap or not, the old cgroups or the new.
            "cgroupDriver": "cgroupfs", "cgroupsPerQOS": False, "enforceNodeAllocatable": [],
            "failCgroupV1": False, "failSwapOn": False, "oomScoreAdj": 0,
            # With it the kubelet of 1.34.4 panics over a pod that is killed while it starts.
            "featureGates": {"InPlacePodVerticalScaling": False},
            "localStorageCapacityIsolation": True, "makeIPTablesUtilChains": False,
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%",
                             "nodefs.inodesFree": "1%", "imagefs.available": "1%"},
            "imageGCHighThresholdPercent": 100,
            "clusterDNS": [NODE_ADDRESS], "clusterDomain": DOMAIN, "resolvConf": "",
            # A Secret that changed is in its pods' files after that time.
            "syncFrequency": "10s",
            "podLogsDir": str(self.folder / "pods"),
            "volumePluginDir": str(self.folder / "volume-plugins"),
        }


class KubeProxy(Program):
    """Serves when its rules are there, for which it needs the Node's address."""

    name = "proxy"

    def __init__(self, folder: Path, api: ApiServer, access: Access):
        super().__init__(folder)
        self._api = api
        self._access = access
        self._metrics_port = ports.take()

    def _prepare(self) -> Process:
        config = self.folder / "config.json"
        kubeconfig = self._access.kubeconfig(self._api.url, PROXY)
        _write_json(config, {
            "kind": "KubeProxyConfiguration", "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "mode": "iptables", "hostnameOverride": NODE, "clusterCIDR": POD_NETWORK,
            "clientConnection": {"kubeconfig": str(kubeconfig)},
            "healthzBindAddress": self.address,
            "metricsBindAddress": f"127.0.0.1:{self._metrics_port}",
            "oomScoreAdj": 0, "nodePortAddresses": ["primary"],
            # The machine's limits are left alone.
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s",
                          "tcpCloseWaitTimeout": "0s"},
            "iptables": {"localhostNodePorts": False},
        })
        return self._program("kube-proxy", {"config": config})

    def _ready(self) -> bool:
        return status(self.host, self.port, "/healthz") == 200


class CoreDns(Server):
    """Beside the pods, not in one. It knows the cluster's names and no others."""

    name = "coredns"

    def __init__(self, folder: Path, api: ApiServer, access: Access):
        super().__init__(folder, NODE_ADDRESS)
        self.port = 53  # pods cannot be told another
        self._api = api
        self._access = access
        self._health_port = ports.take()

    def describe(self) -> dict:
        return {"address": self.address, "log": str(self.log)}

    def _prepare(self) -> Process:
        config = self.folder / "Corefile"
        config.write_text(f""".:{self.port} {{
    bind {self.host}
    errors
    ready 127.0.0.1:{self._health_port}
    kubernetes {DOMAIN} in-addr.arpa {{
        kubeconfig {self._access.kubeconfig(self._api.url, ADMIN)}
        ttl 1
    }}
}}
""", encoding="utf-8")
        return Process(self.name, [str(cache.get(artefacts.COREDNS) / "coredns"),
                                   "-conf", str(config)], self.log, cwd=self.folder)

    def _ready(self) -> bool:
        return status("127.0.0.1", self._health_port, "/ready") == 200


def _pod_network(addresses: Path) -> dict:
    """Pods reach each other and this machine, and nothing beyond it: what they send is not given
    the machine's own address. NetworkPolicies are accepted and have no effect: these plugins do
    not enforce them."""
    return {
        "cniVersion": "0.4.0", "name": "searchsync",
        "plugins": [{
            "type": "bridge", "bridge": POD_BRIDGE, "isGateway": True, "ipMasq": False,
            "hairpinMode": True,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": POD_NETWORK}]],
                     "routes": [{"dst": "0.0.0.0/0"}], "dataDir": str(addresses)},
        }],
    }


def _write_json(place: Path, value: Any) -> None:
    place.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
