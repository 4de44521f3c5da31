package haproxy

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Status is the state of a server, as the first word of HAProxy's.
type Status string

// The states of a server that matters here; HAProxy knows a few more.
const (
	Up       Status = "UP"
	Down     Status = "DOWN"
	Draining Status = "DRAIN"
	Maint    Status = "MAINT"
)

// State is what HAProxy thinks of a server right now.
type State struct {
	Status   Status
	Sessions int    // requests on it
	Queued   int    // requests that wait for it
	Check    string // result of the last health check: L7OK, L4CON, L7TOUT, …; empty before the first
}

// State asks for the state of one server.
func (r *Runtime) State(ctx context.Context, name string) (State, error) {
	row, err := r.server(ctx, name)
	if err != nil {
		return State{}, fmt.Errorf("state of server %s: %w", name, err)
	}
	return row.State(), nil
}

// WaitState returns when the server has the status, or says what it had
// instead when ctx ended.
func (r *Runtime) WaitState(ctx context.Context, name string, want Status) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var s State
	for {
		now, err := r.State(ctx, name)
		switch {
		case err == nil:
			s = now
		case ctx.Err() == nil || s.Status == "":
			return err
		}
		if s.Status == want {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("server %s is %s, not %s (last check: %s): %w", name, s.Status, want, s.Check, context.Cause(ctx))
		}
	}
}

// State is what the row of a server says of its state.
func (row Row) State() State {
	word, _, _ := strings.Cut(row.Text["status"], " ") // "UP 1/3", "MAINT (via …)"
	return State{
		Status:   Status(word),
		Sessions: int(row.Values["scur"]),
		Queued:   int(row.Values["qcur"]),
		Check:    strings.TrimPrefix(row.Text["check_status"], "* "), // "* ": one is under way
	}
}

// learnID finds out by which number HAProxy knows a server, so that it can be asked for
// alone. Where that fails, all rows are read.
func (r *Runtime) learnID(ctx context.Context, name string) {
	// The second line names the columns: be_id be_name srv_id srv_name srv_addr …
	backend := r.backendOf(name)
	text, _ := r.command(ctx, "show servers state "+backend)
	r.naming.Lock()
	defer r.naming.Unlock()
	delete(r.ids, name)
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 3 && words[1] == backend && words[3] == name {
			r.ids[name] = words[2]
		}
	}
}

func (r *Runtime) idOf(name string) (id string, known bool) {
	r.naming.Lock()
	defer r.naming.Unlock()
	id, known = r.ids[name]
	return id, known
}

// server reads the row of one server of the backend: of one that was added it asks for
// that row alone. All rows of a hundred servers are 9,000 lines, too much to read for each
// of a hundred that wait at once until they are up.
func (r *Runtime) server(ctx context.Context, name string) (Row, error) {
	backend := r.backendOf(name)
	if id, known := r.idOf(name); known {
		rows, err := r.rows(ctx, backend, serverRows, id)
		if err != nil {
			return Row{}, err
		}
		if len(rows) == 1 && rows[0].Server == name {
			return rows[0], nil
		}
	}
	rows, err := r.rows(ctx)
	if err != nil {
		return Row{}, err
	}
	var have []string
	for _, row := range rows {
		if row.Kind != Server || row.Proxy != backend {
			continue
		}
		if row.Server == name {
			return row, nil
		}
		have = append(have, row.Server)
	}
	if len(have) == 0 {
		have = []string{"none"}
	}
	return Row{}, fmt.Errorf("no such server (have %s)", strings.Join(have, ", "))
}
