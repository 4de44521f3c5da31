#!/usr/bin/python3
"""A web app that counts with Prometheus' own client for Python, and knows nothing of Throughline.

It reads HOST, PORT and WORKERS. With WORKERS=2 and more it forks, as gunicorn does; with PROMETHEUS_MULTIPROC_DIR beside it the
workers share what they count (the client's multi-process mode), and without it each has a registry of its own, which is wrong.
"""

import os
import signal
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SHARED = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
if SHARED:
    os.makedirs(SHARED, exist_ok=True)  # before the client is imported

from prometheus_client import CollectorRegistry, Counter, Histogram, REGISTRY, multiprocess
from prometheus_client.exposition import choose_encoder

WORDS = Counter("words_total", "Words that were inserted")
TOOK = Histogram("insert_seconds", "How long an insert took")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet per answer

    def do_POST(self):
        with TOOK.time():
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
        WORDS.inc()
        self.answer(b"ok\n", "text/plain")

    def do_GET(self):
        if self.path != "/metrics":
            self.answer(b"ok\n", "text/plain")
            return
        registry = REGISTRY
        if SHARED:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)
        encode, kind = choose_encoder(self.headers.get("Accept"))
        self.answer(encode(registry), kind)

    def answer(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def server_bind(self):
        self.socket = LISTENER
        self.server_address = LISTENER.getsockname()
        self.server_name, self.server_port = self.server_address[:2]

    def server_activate(self):
        pass


def serve():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    Server(("", 0), Handler).serve_forever()


LISTENER = socket.create_server((os.environ.get("HOST") or "127.0.0.1", int(os.environ.get("PORT") or 8080)), backlog=128)


def main():
    children = []
    for _ in range(int(os.environ.get("WORKERS") or 1) - 1):
        child = os.fork()
        if child == 0:
            serve()  # which does not return
        children.append(child)

    def end(*_):
        for child in children:
            os.kill(child, signal.SIGTERM)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    print("serving", file=sys.stderr, flush=True)
    Server(("", 0), Handler).serve_forever()


if __name__ == "__main__":
    main()
