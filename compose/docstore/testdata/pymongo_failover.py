"""Increments words in a replica set, from four threads, until standard input
ends, while the test kills the primary. The address is the only argument. It says
how many increments were acknowledged; an error in one of them ends it."""

import sys
import threading

import pymongo

client = pymongo.MongoClient(sys.argv[1], serverSelectionTimeoutMS=30000)
words = client.test.words
acked, errors = [0] * 4, []
over = threading.Event()


def increment(i):
    while not over.is_set():
        try:
            words.update_one({"name": str(i)}, {"$inc": {"count": 1}}, upsert=True)
        except Exception as e:  # any of them is what the test is about
            errors.append(repr(e))
            return
        acked[i] += 1


threads = [threading.Thread(target=increment, args=(i,)) for i in range(4)]
for t in threads:
    t.start()
print("running", flush=True)
sys.stdin.read()
over.set()
for t in threads:
    t.join()
print("acknowledged", sum(acked), "errors", len(errors), errors, flush=True)
