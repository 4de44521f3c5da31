// Increments words in a replica set, in four chains, until standard input ends, while
// the primary steps down. The address is the only argument. It says how many
// increments were acknowledged; an error in one of them ends its chain.
const { MongoClient } = require("mongodb");

(async () => {
  const client = new MongoClient(process.argv[2], { useUnifiedTopology: true, retryWrites: true, serverSelectionTimeoutMS: 30000 });
  await client.connect();
  const words = client.db("test").collection("words");
  let over = false;
  let acked = 0;
  const errors = [];
  process.stdin.on("end", () => { over = true; });
  process.stdin.resume();
  const chains = [0, 1, 2, 3].map(async (i) => {
    while (!over) {
      try {
        await words.updateOne({ name: String(i) }, { $inc: { count: 1 } }, { upsert: true });
      } catch (e) {
        console.error(String(e));
        errors.push(String(e));
        return;
      }
      acked++;
    }
  });
  console.log("running");
  await Promise.all(chains);
  console.log("acknowledged", acked, "errors", errors.length, errors);
  await client.close();
})();
