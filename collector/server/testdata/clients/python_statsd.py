# The clients of Debian's python3-statsd, which know no tags: over UDP, or over TCP
# if the second argument says so.
import statsd
import sys

host, port = sys.argv[1].rsplit(":", 1)
over_tcp = sys.argv[2:] == ["tcp"]
client = (statsd.TCPStatsClient if over_tcp else statsd.StatsClient)(host, int(port), prefix="shop")
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
