"""The app of ../python-bottle as mod_wsgi wants it: a callable named application.

A daemon has the environment of the httpd that started it; SetEnv in httpd.conf
would reach requests alone.
"""

import os
import threading

import statsd as statsd_client

import app


class Batches(statsd_client.StatsClient):
    """A client that sends when it holds so many lines, and not before: who ends takes
    the last ones along. It is how not to do it."""

    def __init__(self, host, port, size):
        super().__init__(host, port)
        self.size, self.lock, self.held = size, threading.Lock(), []

    def _send(self, data):
        with self.lock:
            self.held.append(data)
            if len(self.held) < self.size:
                return
            held, self.held = self.held, []
        super()._send("\n".join(held))


def client():
    host, port = os.environ.get("STATSD_HOST") or "127.0.0.1", app.port("STATSD_PORT", "8125")
    size = int(os.environ.get("STATSD_BATCH") or 1)
    return Batches(host, port, size) if size > 1 else statsd_client.StatsClient(host, port)


words = app.Words(app.need("MONGODB_URI"))
words.prepare(threading.Event())
application = app.routes(words, client())
