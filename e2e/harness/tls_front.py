"""TLS and a password before an HTTP server that has neither, as OpenSearch without its plugins."""

import base64
import http.client
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from e2e.servers import Authority

_SECONDS = 60


class TlsFront:
    """A context manager: it listens inside. Hands on what comes with the right password, and
    answers 401 to all else."""

    def __init__(self, backend: str, authority: Authority, user: str, password: str):
        wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(backend, wanted))
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.server_certificate, authority.server_key)
        # The handshake is the handler's, so that a client that never ends it holds up only itself.
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True,
                                                  do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "TlsFront":
        self._thread.start()
        return self

    def __exit__(self, *error) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(backend: str, wanted: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _hand_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Authorization") != wanted:
                return self._answer(401, b'{"error":"who are you?"}', "application/json")
            connection = http.client.HTTPConnection(backend, timeout=_SECONDS)
            headers = {"Content-Type": self.headers.get("Content-Type", "application/json")}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
            connection.close()
            return self._answer(answer.status, text,
                                answer.getheader("Content-Type", "application/json"))

        def _answer(self, status: int, text: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _hand_on

        def log_message(self, *arguments) -> None:
            pass
    return Handler
