"""Uses a docstore the way an application with pymongo does. The address is the
only argument; the first line that does not hold ends the script with an error."""

import sys
import threading

import pymongo
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure

client = pymongo.MongoClient(sys.argv[1], serverSelectionTimeoutMS=10000)
words = client.test.words

assert client.admin.command("ping")["ok"] == 1.0
assert client.server_info()["version"].startswith("7.")
assert words.create_index("name", unique=True) == "name_1"

result = words.update_one({"name": "a"}, {"$inc": {"count": 1}}, upsert=True)
assert result.upserted_id is not None and result.matched_count == 0
result = words.update_one({"name": "a"}, {"$inc": {"count": 1}}, upsert=True)
assert result.upserted_id is None and result.modified_count == 1
found = words.find_one_and_update(
    {"name": "a"}, {"$inc": {"count": 1}}, upsert=True,
    return_document=pymongo.ReturnDocument.AFTER, projection={"_id": 0})
assert found == {"name": "a", "count": 3}, found

try:
    words.insert_one({"name": "a"})
    raise AssertionError("the unique index let a duplicate in")
except DuplicateKeyError as e:
    assert e.code == 11000 and e.details["keyValue"] == {"name": "a"}, e.details
try:
    words.insert_many([{"name": "b"}, {"name": "a"}, {"name": "c"}], ordered=False)
    raise AssertionError("the unique index let a duplicate in")
except BulkWriteError as e:
    assert e.details["nInserted"] == 2, e.details
try:
    client.test.command("noSuchThing")
    raise AssertionError("an unknown command was accepted")
except OperationFailure as e:
    assert e.code == 59, e


def increment():
    for _ in range(25):
        words.update_one({"name": "shared"}, {"$inc": {"count": 1}}, upsert=True)


threads = [threading.Thread(target=increment) for _ in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()
assert words.find_one({"name": "shared"})["count"] == 200

words.insert_many([{"name": "n%d" % i, "count": i} for i in range(300)])
assert words.count_documents({}) == 304
assert len(list(words.find(batch_size=7))) == 304
top = list(words.find({}, {"_id": 0}).sort([("count", -1), ("name", 1)]).limit(2))
assert top == [{"name": "n299", "count": 299}, {"name": "n298", "count": 298}], top
total = list(words.aggregate([{"$group": {"_id": None, "n": {"$sum": "$count"}}}]))
assert total == [{"_id": None, "n": 3 + 200 + sum(range(300))}], total
bulk = words.bulk_write([
    pymongo.UpdateOne({"name": "n1"}, {"$set": {"x": True}}),
    pymongo.DeleteOne({"name": "n2"}),
    pymongo.ReplaceOne({"name": "n3"}, {"name": "n3", "count": 0})])
assert (bulk.modified_count, bulk.deleted_count) == (2, 1), bulk.bulk_api_result
client.test.get_collection("w0", write_concern=pymongo.WriteConcern(w=0)).insert_one({"a": 1})
assert client.test.list_collection_names() == ["w0", "words"] or \
    client.test.list_collection_names() == ["words"]
status = client.admin.command("serverStatus")
assert status["opcounters"]["update"] >= 203, status["opcounters"]
client.close()
print("pymongo", pymongo.version, "is content")
