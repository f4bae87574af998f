import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import org.codelibs.opensearch.runner.OpenSearchRunner;

/** Runs one OpenSearch node until it is signalled: FOLDER HOST HTTP_PORT TRANSPORT_PORT. */
public final class OpenSearchLauncher {
    public static void main(String[] arguments) throws Exception {
        if (arguments.length != 4) {
            System.err.println("usage: OpenSearchLauncher FOLDER HOST HTTP_PORT TRANSPORT_PORT");
            System.exit(2);
        }
        Path folder = Path.of(arguments[0]).toAbsolutePath();
        OpenSearchRunner runner = new OpenSearchRunner();
        runner.onBuild((number, settings) -> {
            settings.put("discovery.type", "single-node");
            settings.put("network.host", arguments[1]);
            settings.put("http.port", arguments[2]);
            settings.put("transport.port", arguments[3]);
            settings.put("cluster.routing.allocation.disk.threshold_enabled", false);
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(runner)));
        runner.build(OpenSearchRunner.newConfigs()
                .basePath(folder.toString()).clusterName("searchsync").numOfNode(1).useLogger());
        new CountDownLatch(1).await();
    }

    private static void close(OpenSearchRunner runner) {
        try {
            runner.close();
        } catch (Exception error) {
            error.printStackTrace();
        }
    }
}
