// Package docstore is the embedded database: a server that speaks MongoDB's
// wire protocol and keeps its documents in one bbolt file. The subcommand
// "throughline docstore" runs it as a child process of a stack; a real mongod
// can take its place at any time.
//
// It is not a MongoDB. It has the commands, operators, stages and options that
// a small web application and its monitoring need, does those the way MongoDB
// does, and refuses everything else with MongoDB's error code and the name of
// the thing refused. It never guesses and never leaves out a part of a request
// in silence.
//
// # What can be relied on
//
//   - An acknowledged write survives SIGKILL and, as far as the disk keeps its
//     word, a loss of power: the answer is sent after the bbolt transaction is
//     committed and synced. All write concerns therefore behave like
//     {w: 1, j: true}; the writes of many connections share one transaction.
//   - Every single-document write is atomic, whatever else is in the same
//     transaction. A command sees all that was acknowledged before it began.
//   - What is read is what was written. Every entry of the file has a checksum,
//     and every collection and index a count and a sum of them. All of it is
//     verified when the file is opened; a file that is empty, cut off or damaged
//     is refused and never begun anew. What is damaged under an open database
//     is answered with an error, and so is everything after it. Only what makes
//     an entry unfindable under an open database is noticed late: when its
//     collection is read to the end, or when the file is opened again.
//   - Documents are compared by value as MongoDB does: 1, int64(1) and 1.0 are
//     equal, and types sort in BSON's comparison order.
//     Source: https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/
//
// # What it tells drivers
//
// hello describes a standalone mongod 7.0: wire versions 0 to 21, which both
// mongo-driver v2 and pymongo 3.11 accept. logicalSessionTimeoutMinutes is left
// out, so drivers use no sessions, hence no transactions and no retryable
// writes; a standalone has none either. A standalone mongod offers no
// topologyVersion worth streaming here, so drivers poll. Compression is not
// negotiated and authentication is refused.
//
// # As a member of a replica set
//
// With Config.ReplicaSet it is a member of a replica set: package replica has the log by which the
// members agree, entry.go what is in it, set.go how it is applied, member.go what a client is told
// meanwhile, setcommands.go the commands on the set itself.
//
//   - A write becomes an entry with the time and the chance that it was given, and every member executes it in the log's order. The
//     answer is sent when a majority has it on disk and this member has applied it. So every write
//     concern up to {w: "majority"} is majority, and nothing that was acknowledged so is ever rolled back. A larger one is refused.
//   - Who asks for {w: 1} has its answer when the primary has the write on its own disk. It is rolled back when another member is elected that has
//     not heard of it; serverStatus has how many documents that were (rollback.acknowledged), as long as the process lives. opcounters
//     count it when it is applied, so not if it is rolled back; a MongoDB's count it. Reads of the primary wait until what it
//     acknowledged so is applied.
//   - A write with txnNumber is done once in its session: its answer is part of the replicated
//     state, and is given again for thirty minutes. Transactions are refused.
//   - A primary answers reads when it has applied all that was acknowledged before its term; one
//     that is cut off takes itself for the primary for an election's time at most, and may read old documents
//     meanwhile, as MongoDB's does. {level: "linearizable"} asks the others first. Secondaries
//     answer whoever says that it takes what they have ($readPreference).
//   - hello says who is the primary, waits for news (topologyVersion, maxAwaitTimeMS), and refusals have
//     the code, errorLabels and topologyVersion by which drivers find the next primary. A driver that takes a stream of
//     them (exhaust) is sent one.
//   - opcounters count what this process took from clients, opcountersRepl what it executed for
//     others. A repeated write that was done before counts in neither.
//   - The file of the documents is made anew at each start, of snapshot and log, and is never synced.
//   - A change of the members takes out those that are gone and adds new ones, one by one. Priorities, votes,
//     arbiters and tags are not kept, and a primary that steps down may be elected again at once.
//
// # Its opcounters
//
// As in mongod: insert counts documents, update and delete count statements,
// query counts find, getmore counts getMore, and command counts every other
// command, findAndModify, aggregate, count, distinct and hello included.
// Attempts count, failed ones too.
// Source: https://www.mongodb.com/docs/manual/reference/command/serverStatus/#opcounters
//
// # Limits
//
// 8,192 connections may be open at a time. Messages of more than 16 KiB may have
// 128 MiB together; one that finds no room waits up to 30 s for it, and one that
// has its room has 20 s to arrive. The results that open cursors keep, which are
// sorted and aggregated ones, may have 256 MiB together. What exceeds a limit is closed with a line in
// the log, as is at once what is not MongoDB's protocol: TLS, HTTP (where a GET
// is answered as MongoDB does), other protocols. The log has one line of each
// kind in ten seconds.
//
// # Where it differs, beyond what is missing
//
//   - Documents are stored in the order of their _id, which is also the order
//     of an unsorted find.
//   - The BSON types regular expression, undefined, DBPointer, symbol,
//     JavaScript and decimal128 are refused in documents and filters.
//   - Array indexes in paths ("a.0") are refused where there is an array.
//   - An index key is at most 32 KiB.
package docstore
