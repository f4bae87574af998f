"""An export of the query service, read past any HTTP library."""

import socket


class Export:
    """An export that is read as slowly as one likes: the kernel keeps little of it."""

    def __init__(self, address: str, path: str, key: str | None = None):
        host, port = address.rsplit(":", 1)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        self._socket.settimeout(60)
        self._socket.connect((host, int(port)))
        authorization = f"Authorization: Bearer {key}\r\n" if key else ""
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{authorization}\r\n".encode())
        self._bytes = b""
        self.whole = False  # after rest()

    def __enter__(self) -> "Export":
        return self

    def __exit__(self, *error) -> None:
        self._socket.close()

    def read_some(self) -> None:
        while len(self._bytes) < 10_000:
            self._bytes += self._socket.recv(4096)

    def rest(self) -> bytes:
        """All of the body, from its beginning, as far as it came."""
        while not self._bytes.endswith(b"\r\n0\r\n\r\n"):
            try:
                more = self._socket.recv(1 << 16)
            except ConnectionError:
                break
            if not more:
                break
            self._bytes += more
        else:
            self.whole = True
        head, body = self._bytes.split(b"\r\n\r\n", 1)
        assert head.startswith(b"HTTP/1.1 200"), head
        chunks = []
        while True:
            size, _, body = body.partition(b"\r\n")
            if not size or not int(size, 16):
                return b"".join(chunks)
            chunks.append(body[:int(size, 16)])
            body = body[int(size, 16) + 2:]
