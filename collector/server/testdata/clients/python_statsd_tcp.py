# The same client over TCP, where every line counts.
import statsd
import sys

host, port = sys.argv[1].rsplit(":", 1)
client = statsd.TCPStatsClient(host, int(port), prefix="shop")
for i in range(200):
    client.incr("orders")
    client.incr("items", 3)
    client.timing("checkout", i + 1)
client.gauge("carts", 5)
client.gauge("carts", 3, delta=True)
client.gauge("carts", -1, delta=True)
client.set("users", "alice")
client.set("users", "bob")
client.set("users", "alice")
with client.pipeline() as pipe:
    for i in range(100):
        pipe.incr("orders")
client.close()
