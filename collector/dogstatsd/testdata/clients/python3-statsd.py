"""python3-statsd as people use it: python3-statsd.py HOST:PORT"""
import datetime
import random
import sys

import statsd

host, port = sys.argv[1].rsplit(":", 1)
random.seed(2)
c = statsd.StatsClient(host, int(port), prefix="shop")
c.incr("orders")
c.incr("items", 3)
c.decr("stock", 2)
c.incr("weight", 0.25)
for _ in range(4):
    c.incr("seen", rate=0.5)
c.timing("checkout", 320)
c.timing("checkout", 0.125)
c.timing("checkout", datetime.timedelta(seconds=1, microseconds=500))
c.gauge("carts", 5)
c.gauge("carts", 3, delta=True)
c.gauge("carts", -1, delta=True)
c.gauge("debt", -7)  # a gauge cannot be set below zero: a zero and a change
c.set("users", "alice")
c.set("urls", "http://shop/a:b")
c.incr("name with/odd.chars")
c.incr("tagged;zone=a;role=web")
with c.pipeline() as p:
    for i in range(60):
        p.incr("orders.%d" % i, i)
