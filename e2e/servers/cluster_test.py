"""The cluster: `/usr/bin/python3 -m unittest e2e.servers.cluster_test`, as root and after
`make image`. Without root, the tests of the API server alone.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

from . import Cluster, ServersError, Stack, artefacts, cache, images, proctree, wait_until
from .cluster import STORAGE_CLASS
from .machine import Machine
from .node import NODE_ADDRESS

IMAGE = Path(__file__).parents[2] / "build" / "image" / "searchsync.tar"
PROBE = "localhost/probe:1"
PROBE_SOURCE = """\
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>
#include <string>

// Sends the name of the pod to everyone who connects.
int Serve(const char* port) {
  addrinfo hints{.ai_flags = AI_PASSIVE, .ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *own;
  if (getaddrinfo(nullptr, port, &hints, &own) != 0) return 1;
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, own->ai_addr, own->ai_addrlen) != 0 || listen(listener, 16) != 0) return 1;
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  for (;;) {
    const int client = accept(listener, nullptr, nullptr);
    write(client, name, std::string(name).size());
    close(client);
  }
}

constexpr int kPatience = 120;  // seconds

// A connection to the host, or -1 and errno.
int Connect(const char* host, const char* port) {
  addrinfo hints{.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
  if (const int error = getaddrinfo(host, port, &hints, &found); error != 0)
    return std::puts(gai_strerror(error)), errno = ENOENT, -1;
  const int server = socket(AF_INET, SOCK_STREAM, 0);
  // What goes to a pod that is not there is lost.
  const timeval limit{.tv_sec = 1};
  setsockopt(server, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (connect(server, found->ai_addr, found->ai_addrlen) == 0) return server;
  const int why = errno;
  std::perror(host);
  return close(server), errno = why, -1;
}

// Prints what the server sends before it ends the connection. Tries again: who watches the API
// server asks again only after up to 30 s when it was away.
int Ask(const char* host, const char* port) {
  const time_t end = time(nullptr) + kPatience;
  int server = -1;
  while ((server = Connect(host, port)) < 0 && time(nullptr) < end) usleep(100'000);
  if (server < 0) return 1;
  shutdown(server, SHUT_WR);
  char answer[256] = {};
  read(server, answer, sizeof answer - 1);
  std::puts(answer);
  return 0;
}

// Until a connection is refused, not only lost, as a new pod's first packets may be.
int Refused(const char* host, const char* port) {
  const time_t end = time(nullptr) + kPatience;
  while (Connect(host, port) < 0) {
    if (errno == ECONNREFUSED) return 0;
    if (time(nullptr) > end) return 1;
    usleep(100'000);
  }
  return 1;
}

int main(int, char** words) {
  signal(SIGTERM, _exit);  // process 1 would not hear it otherwise
  const std::string command = words[1];
  if (command == "ask") return Ask(words[2], words[3]);
  if (command == "refused") return Refused(words[2], words[3]);
  if (command == "show") return std::cout << std::ifstream(words[2]).rdbuf(), 0;
  if (command == "keep" && !(std::ofstream(words[3]) << "kept" << std::flush)) return 1;
  return Serve(words[2]);
}
"""
SAFE = {"runAsNonRoot": True, "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}


def pod_spec(image: str, *words: str, **more: Any) -> dict:
    return {"containers": [{"name": "main", "image": image, "args": list(words),
                            "imagePullPolicy": "IfNotPresent", "securityContext": SAFE, **more}]}


def pod(name: str, image: str, *words: str, **more: Any) -> dict:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"restartPolicy": "Never", **pod_spec(image, *words, **more)}}


def service(name: str, **more: Any) -> dict:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8000}],
                     **more}}


def serving(port: int = 8000) -> dict:
    return {"readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1}}


class ApiOnlyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.enterClassContext(Cluster(api_only=True, controllers=True))

    def test_it_answers_as_the_version_it_is(self):
        self.assertIn('"gitVersion": "v1.34.4"', self.cluster.kubectl("get", "--raw=/version"))

    def test_objects_outlive_a_kill_of_both_servers(self):
        self.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"},
                            "metadata": {"name": "kept", "namespace": "default"}})
        self.cluster.api.kill()
        self.cluster.etcd.kill()
        self.cluster.etcd.restart()
        self.cluster.api.restart()
        self.assertEqual(self.cluster.get("configmap", "kept")["data"], {"a": "b"})

    def test_who_has_no_right_is_refused(self):
        with self.assertRaisesRegex(ServersError, "cannot list resource"):
            self.cluster.kubectl("get", "secrets", "--as=system:serviceaccount:default:default")

    def test_controllers_work(self):
        self.cluster.kubectl("create", "namespace", "brief")
        token = self.cluster.kubectl("create", "token", "default").strip()
        who = self.cluster.kubectl("--kubeconfig=/dev/null", "--token", token, "auth", "whoami",
                                   f"--server={self.cluster.api.url}",
                                   "--insecure-skip-tls-verify")
        self.assertIn("system:serviceaccount:default:default", who)
        self.cluster.kubectl("delete", "namespace", "brief", "--timeout=180s")

    def test_another_runs_beside_it_and_keeps_pods_without_controllers(self):
        with Cluster(api_only=True) as other:
            other.apply(pod("idle", PROBE, "serve", "8000"))
            self.assertEqual(other.get("pod", "idle")["status"]["phase"], "Pending")
            self.assertFalse(self.cluster.exists("pod", "idle"))
            with self.assertRaisesRegex(ServersError, "no node"):
                other.load_image(IMAGE)


@unittest.skipUnless(os.geteuid() == 0, "a cluster with a node needs root")
class NodeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.enterClassContext(Cluster())
        cls.cluster.load_image(images.program(cls.cluster.run_dir / "probe.tar", PROBE,
                                              PROBE_SOURCE))

    def completed(self, wanted: dict) -> str:
        """Runs the pod to its end; what it printed."""
        name = wanted["metadata"]["name"]
        self.cluster.apply(wanted)
        wait_until(lambda: self.phase(name) in ("Succeeded", "Failed"), 240,
                   lambda: self.cluster.kubectl("describe", "pod", name))
        printed = self.cluster.kubectl("logs", name)
        self.assertEqual(self.phase(name), "Succeeded", printed)
        return printed

    def answer(self, name: str, *address: str) -> str:
        """What a pod of that name is sent from there. Tries that failed are printed before it."""
        return self.completed(pod(name, PROBE, "ask", *address)).splitlines()[-1]

    def phase(self, name: str) -> str:
        return self.cluster.get("pod", name)["status"]["phase"]

    def ready(self, name: str) -> dict:
        self.cluster.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=180s")
        return self.cluster.get("pod", name)

    def test_the_product_s_image_runs_with_no_rights(self):
        self.cluster.load_image(IMAGE)
        version = subprocess.run([IMAGE.parents[1] / "release" / "bin" / "searchsync",
                                  "--version"], capture_output=True, text=True, check=True).stdout
        image = f"localhost/searchsync:{version.split()[-1]}"
        self.cluster.apply({"apiVersion": "batch/v1", "kind": "Job",
                            "metadata": {"name": "version"}, "spec": {"template": {"spec": {
                                "restartPolicy": "Never", **pod_spec(image, "--version")}}}})
        self.cluster.kubectl("wait", "--for=condition=Complete", "job/version", "--timeout=180s")
        self.assertEqual(self.cluster.kubectl("logs", "job/version"), version)

    def test_services_have_names_and_addresses(self):
        self.cluster.apply(pod("greeter", PROBE, "serve", "8000", **serving()), service("greeter"))
        self.ready("greeter")
        for number, name in enumerate(("greeter", "greeter.default.svc.cluster.local")):
            self.assertEqual(self.answer(f"asker-{number}", name, "80"), "greeter")

    def test_what_is_no_service_is_refused(self):
        address, port = "10.96.77.77", 80
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection((address, port), timeout=10).close()
        self.completed(pod("lost", PROBE, "refused", address, str(port)))

    def test_pods_reach_the_servers_of_the_machine(self):
        with Stack(host=self.cluster.node_address) as stack:
            stack.postgres.connect().close()
            stack.kafka.create_topic("reached")
            stack.kafka.produce("reached", [("key", "value")])  # to the address that Kafka tells
            for server in stack.servers:
                self.assertTrue(server.address.startswith(NODE_ADDRESS))
                self.completed(pod(f"to-{server.name}", PROBE, "ask", *server.address.split(":")))

    def test_a_stateful_set_keeps_files_in_a_volume_of_its_own(self):
        spec = pod_spec(PROBE, "keep", "8000", "/data/file", **serving(),
                        volumeMounts=[{"name": "data", "mountPath": "/data"}])
        self.cluster.apply(service("keeper", clusterIP="None"), {
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "keeper"},
            "spec": {
                "serviceName": "keeper", "replicas": 2,
                "selector": {"matchLabels": {"app": "keeper"}},
                "template": {"metadata": {"labels": {"app": "keeper"}},
                             "spec": {"securityContext": {"fsGroup": 65532}, **spec}},
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Gi"}}}}],
            }})
        self.cluster.kubectl("rollout", "status", "statefulset/keeper", "--timeout=180s")
        for name in ("data-keeper-0", "data-keeper-1"):
            claim = self.cluster.get("persistentvolumeclaim", name)
            volume = self.cluster.get("persistentvolume", claim["spec"]["volumeName"])
            self.assertEqual(volume["spec"]["storageClassName"], STORAGE_CLASS)
            kept = Path(volume["spec"]["local"]["path"]) / "file"
            self.assertEqual(kept.read_text(encoding="ascii"), "kept")
        self.assertEqual(self.answer("member", "keeper-1.keeper", "8000"), "keeper-1")

    def test_pods_have_tokens_that_the_api_server_knows(self):
        path = "/var/run/secrets/kubernetes.io/serviceaccount"
        token = self.completed(pod("token", PROBE, "show", f"{path}/token"))
        who = self.cluster.kubectl("--kubeconfig=/dev/null", "--token", token, "auth", "whoami",
                                   f"--server={self.cluster.api.url}",
                                   "--insecure-skip-tls-verify")
        self.assertIn("system:serviceaccount:default:default", who)
        self.assertIn("BEGIN CERTIFICATE", self.completed(pod("root", PROBE, "show",
                                                              f"{path}/ca.crt")))

    def test_a_disruption_budget_keeps_a_pod(self):
        self.cluster.apply(pod("needed", PROBE, "serve", "8000", **serving()), {
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"name": "needed"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "needed"}}}})
        self.ready("needed")
        wait_until(lambda: self.cluster.get("poddisruptionbudget", "needed").get("status", {}).get(
            "currentHealthy") == 1, 120, lambda: "the budget does not see the pod")
        with self.assertRaisesRegex(ServersError, "violate the pod's disruption budget"):
            self.cluster.kubectl("create", "--raw=/api/v1/namespaces/default/pods/needed/eviction",
                                 "--filename=-", stdin='{"apiVersion": "policy/v1", "kind": '
                                 '"Eviction", "metadata": {"name": "needed"}}')

    def test_pods_run_on_while_all_that_started_them_is_away(self):
        self.cluster.apply(pod("steady", PROBE, "serve", "8000", **serving()))
        before = self.ready("steady")
        address = before["status"]["podIP"]
        ask = [str(self.cluster.run_dir / "probe.bin"), "ask", address, "8000"]
        servers = (self.cluster.api, self.cluster.kubelet, self.cluster.containerd)
        for server in servers:
            server.kill()
        self.assertEqual(subprocess.check_output(ask, text=True), "steady\n")
        for server in reversed(servers):
            server.restart()
        self.assertEqual(self.answer("later", address, "8000"), "steady")
        after = self.ready("steady")
        self.assertEqual([one["containerStatuses"][0]["containerID"]
                          for one in (before["status"], after["status"])],
                         [before["status"]["containerStatuses"][0]["containerID"]] * 2)

    def test_a_second_one_is_refused(self):
        with (tempfile.TemporaryDirectory() as folder,
              self.assertRaisesRegex(ServersError, f"another cluster .* process {os.getpid()} "),
              Cluster(Path(folder))):
            pass
        self.assertEqual(self.cluster.kubectl("get", "--raw=/readyz"), "ok")


@unittest.skipUnless(os.geteuid() == 0, "a cluster with a node needs root")
class LeavesNothingTest(unittest.TestCase):
    PROGRAM = """
import signal, sys
from pathlib import Path
from e2e.servers import Cluster
from e2e.servers.cluster_test import PROBE, PROBE_SOURCE, pod, images, serving
with Cluster(Path(sys.argv[1])) as cluster:
    cluster.load_image(images.program(cluster.run_dir / "probe.tar", PROBE, PROBE_SOURCE))
    cluster.apply(pod("left", PROBE, "serve", "8000", **serving()))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/left", "--timeout=180s")
    Path(sys.argv[1], "ready").touch()
    signal.pause()
"""

    @classmethod
    def setUpClass(cls):
        for program in (artefacts.KUBERNETES, artefacts.COREDNS):
            cache.get(program, print)  # whoever is the first builds them, which takes long

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(dir="/tmp")))
        machine = Machine(self.folder / "before", print)
        machine.take()
        machine.prepare()  # what an earlier run that was killed left here must not count
        machine.restore()
        self.before = traces(self.folder)

    def run_and_end(self, name: str, number: signal.Signals) -> list[proctree.Stat]:
        """Runs a cluster with a pod in another process, which is then signalled; the pod's
        processes."""
        folder = self.folder / name
        run = subprocess.Popen([sys.executable, "-c", self.PROGRAM, str(folder)])
        wait_until(lambda: (folder / "ready").exists() or run.poll() is not None, 300,
                   lambda: "the cluster did not come up")
        self.assertIsNone(run.poll())
        pods = [proctree.read(int(entry.name)) for entry in Path("/proc").glob("[0-9]*")
                if words(entry) == ["/program", "serve", "8000"]]
        self.assertEqual(len(pods), 1)
        self.assertNotEqual(traces(self.folder), self.before)
        run.send_signal(number)
        run.wait(300)
        return pods

    def test_after_its_end(self):
        pods = self.run_and_end("run", signal.SIGTERM)
        self.assertTrue(all(map(proctree.gone, pods)))
        self.assertEqual(traces(self.folder), self.before)

    def test_after_the_end_of_the_next_one_if_it_was_killed(self):
        pods = self.run_and_end("first", signal.SIGKILL)
        self.assertFalse(any(map(proctree.gone, pods)))
        with Cluster(self.folder / "second") as cluster:
            self.assertTrue(all(map(proctree.gone, pods)))
            self.assertEqual(cluster.node_address, NODE_ADDRESS)
        self.assertEqual(traces(self.folder), self.before)


def words(process: Path) -> list[str]:
    try:
        return (process / "cmdline").read_text(encoding="utf-8").split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def traces(folder: Path) -> dict[str, set[str]]:
    """What a cluster in the folder changes on a machine: all that is there of each kind, but of the
    programs and mounts only its own, because others come and go."""
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    programs = [words(entry) for entry in Path("/proc").glob("[0-9]*")]
    settings = ("net/ipv4/ip_forward", "vm/overcommit_memory", "kernel/panic",
                "net/netfilter/nf_conntrack_tcp_timeout_established")
    return {
        "links": set(os.listdir("/sys/class/net")),
        "mounts": {line for line in mounts if str(folder) in line},
        "cgroups": {path for path, _, _ in os.walk("/sys/fs/cgroup")  # of others, some go meanwhile
                    if path.endswith("/k8s.io")},
        "rules": set(subprocess.check_output(["nft", "list", "tables"], text=True).splitlines()),
        "programs": {line[0] for line in programs if str(folder) in " ".join(line)},
        "folders": {path for path in ("/run/containerd", "/var/lib/cni", "/var/lib/kubelet",
                                      "/var/log/containers") if os.path.exists(path)},
        "settings": {f"{name}={Path('/proc/sys', name).read_text()}" for name in settings
                     if Path("/proc/sys", name).exists()},
    }


if __name__ == "__main__":
    unittest.main()
