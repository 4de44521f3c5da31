"""A shop that counts its orders: the application of docs/TUTORIAL.md. It needs Python's own library alone.

It listens on PORT and sends StatsD to STATSD_HOST and STATSD_PORT. Its client adds counts up and sends them three
times a second, as many do. Something is wrong with it, which the tutorial finds and mends.
"""

import os
import signal
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class StatsD:
    """Adds counts up, and sends them now and then."""

    def __init__(self, every):
        self.to = (os.environ["STATSD_HOST"], int(os.environ["STATSD_PORT"]))
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.lock, self.counts = threading.Lock(), {}
        threading.Thread(target=self.work, args=(every,), daemon=True).start()

    def increment(self, name):
        with self.lock:
            self.counts[name] = self.counts.get(name, 0) + 1

    def flush(self):
        with self.lock:
            for name, count in self.counts.items():
                self.socket.sendto(f"{name}:{count}|c".encode(), self.to)
            self.counts = {}

    def work(self, every):
        while True:
            time.sleep(every)
            self.flush()


statsd = StatsD(every=0.3)


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):  # /orders/WORD
        statsd.increment("shop.orders")
        self.answer("ordered")

    def do_GET(self):  # /stock/WORD, /healthz
        if self.path.startswith("/stock/"):
            statsd.increment("shop.stock")
        self.answer("plenty")

    def answer(self, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128


def main():
    server = Server((os.environ.get("HOST", "127.0.0.1"), int(os.environ["PORT"])), Shop)
    server.serve_forever()


if __name__ == "__main__":
    main()
