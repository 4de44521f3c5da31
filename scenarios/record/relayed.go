package record

// What a run tells of itself to whom it relays, beside what instances send.
const (
	// ServingCheck is the service check that tells whether an instance can serve: 0 it does, or is gone as it was
	// asked; 1 it gets no new requests; 2 it was killed, or died.
	ServingCheck = "throughline.instance.serving"
	// EventSource is the source of its events.
	EventSource = "throughline"
)
