# The client of Debian's python3-aiodogstatsd: Datadog's dialect, with tags.
import asyncio
import sys

import aiodogstatsd

host, port = sys.argv[1].rsplit(":", 1)


async def main():
    client = aiodogstatsd.Client(host=host, port=int(port), namespace="shop", constant_tags={"zone": "a"})
    await client.connect()
    for i in range(200):
        client.increment("orders")
        client.increment("items", value=3)
        client.timing("checkout", value=i + 1)
        client.distribution("basket", value=2)
    for i in range(100):
        client.increment("orders")
    client.gauge("carts", value=7)
    client.increment("errors", tags={"code": 503})
    await client.close()


asyncio.run(main())
