#!/usr/bin/python3
"""The word counter of the talk in Python: Bottle, PyMongo and a plain StatsD client.

An example of an app that Throughline knows nothing about. It reads PORT, HOST,
STATSD_HOST, STATSD_PORT and MONGODB_URI; its StatsD client knows no tags and
buffers nothing, so every count is on the wire before its insert is answered.
"""

import html
import json
import os
import signal
import socket
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

import bottle
import pymongo
import statsd as statsd_client
from pymongo.errors import DuplicateKeyError, PyMongoError

MAX_NAME = 256  # bytes of a word
LIST_LIMIT = 1000
TOP_LIMIT = 10
START_SECONDS = 8  # how long the database may take to answer at the start
DRAIN_SECONDS = 4  # how long a stop waits for requests in flight


def need(name):
    value = os.environ.get(name, "")
    if not value:
        sys.exit(f"{name}: not set")
    return value


def port(name, default):
    text = os.environ.get(name) or default
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        sys.exit(f"{name}: {text!r} is not a port")
    return int(text)


class Words:
    """The collection test.words."""

    def __init__(self, uri):
        self.client = pymongo.MongoClient(
            uri, serverSelectionTimeoutMS=2000, connectTimeoutMS=2000, socketTimeoutMS=3000
        )
        self.words = self.client["test"]["words"]

    def prepare(self, stop):
        """Make the unique index as soon as the database answers; False if told to stop before."""
        end = time.monotonic() + START_SECONDS
        while not stop.is_set():
            try:
                self.words.create_index("name", unique=True)
                return True
            except PyMongoError as error:
                if time.monotonic() > end:
                    sys.exit(f"database: not ready within {START_SECONDS} s: {error}")
                stop.wait(0.1)
        return False

    def insert(self, name):
        for attempt in range(5):
            try:
                self.words.update_one({"name": name}, {"$inc": {"count": 1}}, upsert=True)
                break
            except DuplicateKeyError:  # another instance was first with this word
                if attempt == 4:
                    raise
        try:
            return self.get(name) or {"name": name}
        except PyMongoError:
            return {"name": name}  # the insert is acknowledged all the same

    def get(self, name):
        document = self.words.find_one({"name": name})
        return document and plain(document)

    def list(self):
        return [plain(d) for d in self.words.find().sort("name", 1).limit(LIST_LIMIT)]

    def top(self):
        order = [("count", pymongo.DESCENDING), ("name", pymongo.ASCENDING)]
        return [plain(d) for d in self.words.find().sort(order).limit(TOP_LIMIT)]


def plain(document):
    """A document without its ObjectId, which JSON has no form for."""
    return {"name": document["name"], "count": document["count"]}


def answer(status, value):
    return bottle.HTTPResponse(json.dumps(value), status, {"Content-Type": "application/json"})


def word(name):
    if len(name.encode()) > MAX_NAME:
        raise answer(400, {"error": f"word: more than {MAX_NAME} bytes"})
    return name


def routes(words, statsd):
    app = bottle.Bottle()

    @app.route("/insert/<name>", method=["GET", "POST"])
    def insert(name):
        began = time.monotonic()
        document = words.insert(word(name))
        statsd.incr("fullstack.insert")
        statsd.timing("fullstack.insert.time", (time.monotonic() - began) * 1000)
        return answer(200, document)

    @app.get("/get")
    def get_all():
        documents = words.list()
        statsd.incr("fullstack.get")
        return answer(200, documents)

    @app.get("/get/<name>")
    def get(name):
        document = words.get(word(name))
        if document is None:
            return answer(404, {"error": "no such word"})
        statsd.incr("fullstack.get")
        return answer(200, document)

    @app.get("/toplist")
    def toplist():
        items = "".join(f"<li>{html.escape(w['name'])}: {w['count']}</li>\n" for w in words.top())
        statsd.incr("fullstack.toplist")
        return f"<!DOCTYPE html><title>Top words</title><h1>Top words</h1><ol>\n{items}</ol>"

    @app.get("/healthz")
    def healthz():
        return answer(200, {"status": "ok"})

    @app.error(500)
    def failed(error):
        bottle.response.content_type = "application/json"
        return json.dumps({"error": str(error.exception or error.body)})

    return app


class Response(ServerHandler):
    http_version = "1.1"


class RequestHandler(WSGIRequestHandler):
    """wsgiref answers one request and hangs up; this keeps the connection open."""

    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds that a connection may be silent
    wbufsize = -1  # one packet per answer
    disable_nagle_algorithm = True
    handle = BaseHTTPRequestHandler.handle

    def do_GET(self):
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self.send_error(400, "a body of known length, please")
            return
        response = Response(self.rfile, self.wfile, self.get_stderr(), self.get_environ(), multithread=True)
        response.request_handler = self
        response.run(self.server.get_app())
        # No route reads a body, and what is left of it would be taken for
        # the next request.
        if int(length) > 0:
            self.close_connection = True

    do_POST = do_GET

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, WSGIServer):
    """One thread per connection; knows which connections are open."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address):
        self.open = set()
        self.changed = threading.Condition()
        super().__init__(address, RequestHandler)

    def server_bind(self):
        # As WSGIServer does it, without asking the DNS for our own name.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]
        self.setup_environ()

    def process_request(self, request, client_address):
        with self.changed:
            self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        super().shutdown_request(request)
        with self.changed:
            self.open.discard(request)
            self.changed.notify_all()

    def drain(self, seconds):
        """Let every connection finish what it is at; True if all did."""
        self.shutdown()
        self.server_close()
        with self.changed:
            for connection in self.open:
                try:
                    # What has arrived is still read and answered; after that
                    # the connection looks hung up.
                    connection.shutdown(socket.SHUT_RD)
                except OSError:
                    pass  # the user hung up first
            return self.changed.wait_for(lambda: not self.open, seconds)


def main():
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())

    statsd = statsd_client.StatsClient(os.environ.get("STATSD_HOST") or "127.0.0.1", port("STATSD_PORT", "8125"))
    words = Words(need("MONGODB_URI"))
    if not words.prepare(stop):
        return 0
    server = Server((os.environ.get("HOST") or "127.0.0.1", port("PORT", "8080")))
    server.set_app(routes(words, statsd))
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    print(f"listening on {server.server_name}:{server.server_port}", file=sys.stderr, flush=True)

    stop.wait()
    drained = server.drain(DRAIN_SECONDS)
    serving.join()
    words.client.close()
    statsd.close()  # it never held anything back
    if not drained:
        sys.exit(f"stop: requests were still in flight after {DRAIN_SECONDS} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
