"""python3-aiodogstatsd as people use it: python3-aiodogstatsd.py HOST:PORT"""
import asyncio
import random
import sys

import aiodogstatsd

host, port = sys.argv[1].rsplit(":", 1)
random.seed(2)


async def main():
    async with aiodogstatsd.Client(
        host=host, port=int(port), namespace="shop", constant_tags={"zone": "a"}
    ) as c:
        c.increment("orders")
        c.increment("items", value=3, tags={"role": "web", "path": "/a:b"})
        c.decrement("stock", value=2)
        for _ in range(4):
            c.increment("seen", sample_rate=0.5, tags={"role": "web"})
        c.gauge("carts", value=5)
        c.gauge("debt", value=-7.5)
        c.gauge("carts", value=6, sample_rate=0.999)
        c.timing("checkout", value=320, tags={"stadt": "köln"})
        c.histogram("size", value=1.5e-7)
        c.distribution("size.global", value=12)


asyncio.run(main())
