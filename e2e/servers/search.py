"""The search engines: OpenSearch 2 and 3, Elasticsearch 8 and 9, all one node, no security."""

import json
import os
import shutil
import urllib.error
import urllib.request
from pathlib import Path

from . import artefacts, cache, java, ports
from .errors import ServersError
from .process import Process
from .server import LOOPBACK, Server, reaches

DEFAULT_ENGINE = "opensearch2"
ENGINES = ("opensearch2", "opensearch3", "elasticsearch8", "elasticsearch9")
_LAUNCHER = Path(__file__).with_name("OpenSearchLauncher.java")
_USER = "nobody"  # Elasticsearch refuses root


class Search(Server):
    """engine: one of ENGINES. heap: as for -Xmx. jit: see Stack. host: see Server."""

    name = "search"

    def __init__(self, folder: Path, engine: str = DEFAULT_ENGINE, heap: str = "1g",
                 host: str = LOOPBACK, jit: bool = False):
        if engine not in ENGINES:
            raise ServersError(f"no search engine {engine!r}: there are {', '.join(ENGINES)}")
        super().__init__(folder, host)
        self.engine = engine
        self._heap = heap
        self._compiler = [] if jit else [java.SHORT_LIVED]
        self._transport_port = ports.take()

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def request(self, method: str, path: str, body=None, timeout: float = 60) -> tuple[int, dict]:
        """The status and the JSON of an answer, of whatever status. body: a value to send as JSON,
        or a str to send as NDJSON. Errors: OSError if there is no answer in time."""
        headers, data = {}, None
        if body is not None:
            ndjson = isinstance(body, str)
            data = (body if ndjson else json.dumps(body)).encode()
            headers["Content-Type"] = "application/x-ndjson" if ndjson else "application/json"
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, _decoded(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, _decoded(error.read())

    def version(self) -> str:
        return self.request("GET", "/")[1]["version"]["number"]

    def describe(self) -> dict:
        return {"address": self.address, "url": self.url, "engine": self.engine,
                "version": self.version()}

    def _prepare(self) -> Process:
        prepare = {
            "opensearch2": lambda: self._opensearch(artefacts.OPENSEARCH_2, java.find(17, 21)),
            "opensearch3": lambda: self._opensearch(artefacts.OPENSEARCH_3, java.find(21, 25)),
            "elasticsearch8": lambda: self._elasticsearch_8(java.find(17, 21)),
            "elasticsearch9": lambda: self._elasticsearch_9(java.find(21, 25)),
        }
        return prepare[self.engine]()

    def _ready(self) -> bool:
        try:
            status, health = self.request("GET", "/_cluster/health", timeout=5)
        except OSError:
            return False
        return status == 200 and health["status"] in ("yellow", "green")

    def _opensearch(self, jars: cache.Jars, home: Path) -> Process:
        tmp = self.folder / "tmp"
        tmp.mkdir()
        place = cache.get(jars)

        def process(*options: str) -> Process:
            command = [str(home / "bin" / "java"), f"-Xmx{self._heap}", f"-Djava.io.tmpdir={tmp}",
                       "-XX:+ExitOnOutOfMemoryError", "-Dlog4j2.shutdownHookEnabled=false",
                       *self._compiler, *options, "-cp", f"{place}/*", str(_LAUNCHER),
                       str(self.folder), self.host, str(self.port), str(self._transport_port)]
            return Process(self.name, command, self.log, cwd=self.folder)

        return java.with_shared_classes(home, jars.name, process, self._ready)

    def _elasticsearch_8(self, java_home: Path) -> Process:
        home, env = self._elasticsearch_home(artefacts.ELASTICSEARCH_8, java_home)
        env |= {"CLI_NAME": "server", "CLI_LIBS": "lib/tools/server-cli"}
        return Process(self.name, ["bash", str(home / "bin" / "elasticsearch-cli")], self.log,
                       env=env, cwd=home, user=_USER)

    def _elasticsearch_9(self, java_home: Path) -> Process:
        home, env = self._elasticsearch_home(artefacts.ELASTICSEARCH_9, java_home)
        launcher = home / "lib" / "tools" / "server-launcher"
        command = [env["JAVA"], "-cp", f"{launcher}/*",
                   "org.elasticsearch.server.launcher.ServerLauncher"]
        return Process(self.name, command, self.log, env=env, cwd=home, user=_USER)

    def _elasticsearch_home(self, part: cache.ZipPart, java_home: Path) -> tuple[Path, dict]:
        """Makes configuration and folders; the program's folder and the environment it needs."""
        self._give_folder_to(_USER)
        home = self._reachable(cache.get(part))
        owner = self.folder.stat()
        for name in ("config/jvm.options.d", "data", "logs", "tmp"):
            (self.folder / name).mkdir(parents=True)
        config = self.folder / "config"
        options = (home / "config" / "jvm.options").read_text(encoding="utf-8").splitlines()
        _write(config / "jvm.options", [line for line in options if "-Xlog:gc" not in line])
        _write(config / "jvm.options.d" / "heap.options", [f"-Xms{self._heap}",
                                                           f"-Xmx{self._heap}", *self._compiler])
        shutil.copy(home / "config" / "log4j2.properties", config)
        _write(config / "elasticsearch.yml", [f"{k}: {v}" for k, v in self._settings().items()])
        for name in ("config", "data", "logs", "tmp"):
            for path in (self.folder / name, *(self.folder / name).rglob("*")):
                os.chown(path, owner.st_uid, owner.st_gid)
        return home, {
            "ES_HOME": str(home), "ES_PATH_CONF": str(config),
            "ES_TMPDIR": str(self.folder / "tmp"),
            "ES_JAVA_HOME": str(java_home), "JAVA": str(java_home / "bin" / "java"),
            "JAVA_TYPE": "ES_JAVA_HOME", "ES_DISTRIBUTION_TYPE": "tar",
        }

    def _settings(self) -> dict[str, str]:
        return {
            "cluster.name": "searchsync", "node.name": "node-1",
            "path.data": str(self.folder / "data"), "path.logs": str(self.folder / "logs"),
            "network.host": self.host, "http.port": str(self.port),
            "transport.port": str(self._transport_port), "discovery.type": "single-node",
            "xpack.security.enabled": "false",
            "cluster.routing.allocation.disk.threshold_enabled": "false",
        }

    def _reachable(self, home: Path) -> Path:
        """The program's folder; in the run folder if its user may not enter the cache, which is
        so when the cache is in the home of root."""
        if reaches(_USER, home):
            return home
        near = self.folder / "home"
        shutil.copytree(home, near, copy_function=_link_or_copy)
        return near


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _decoded(body: bytes) -> dict:
    return json.loads(body) if body else {}
