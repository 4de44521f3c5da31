package page

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// retry is how soon a browser asks again that lost its connection.
const retry = time.Second

// events sends the parts to one viewer: all of them at first, then what has changed. The
// format is that of https://html.spec.whatwg.org/multipage/server-sent-events.html: an event
// is some lines and an empty one; a line that begins with a colon is a sign of life.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		// An EventSource that gets this status does not ask again by itself.
		http.Error(w, fmt.Sprintf("%d look on already: close a window, and load this one again", s.config.Viewers), http.StatusServiceUnavailable)
		return
	}
	defer s.leave()
	s.board.look() // nobody has, while there was no viewer
	v := viewer{w: w, to: http.NewResponseController(w), patience: s.config.Patience}
	w.Header().Set("Content-Type", "text/event-stream")
	if !v.send(fmt.Sprintf("retry: %d\n\n", retry.Milliseconds())) {
		return
	}
	beat := time.NewTicker(s.config.Beat)
	defer beat.Stop()
	for {
		now := s.board.since(v.turn)
		if !v.tell(now) || now.Ended {
			return
		}
		select {
		case <-now.Changed:
		case <-beat.C:
			if !v.send(":\n\n") {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// viewer is a browser that looks on. It is for one goroutine.
type viewer struct {
	w        http.ResponseWriter
	to       *http.ResponseController
	patience time.Duration
	turn     int // of the board, that it has seen
	page     int // that it looks at; 0: not known yet
}

// wire is a part as the script gets it.
type wire struct {
	ID   string `json:"id"`
	HTML string `json:"html"`
}

// tell sends what is new to the viewer, and whether that was all there will be. It is false
// when the viewer is gone.
func (v *viewer) tell(n news) bool {
	another := v.page != 0 && v.page != n.Page
	v.turn, v.page = n.Turn, n.Page
	if another && !n.Ended {
		return v.send(event(n.Turn, "another", "{}"))
	}
	text := ""
	if len(n.Parts) > 0 {
		parts := make([]wire, len(n.Parts))
		for i, p := range n.Parts {
			parts[i] = wire{p.ID, string(p.HTML)}
		}
		all, err := json.Marshal(parts)
		if err != nil {
			return false // never: strings can be written
		}
		text = event(n.Turn, "parts", string(all))
	}
	if n.Ended {
		text += event(n.Turn, "end", "{}")
	}
	return text == "" || v.send(text)
}

// event is one in the format of server-sent events; data is JSON, and so has no line break.
func event(id int, name, data string) string {
	return fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", id, name, data)
}

// send is false when the viewer is gone, or does not take in what it is sent.
func (v *viewer) send(text string) bool {
	if err := v.to.SetWriteDeadline(time.Now().Add(v.patience)); err != nil {
		return false
	}
	if _, err := v.w.Write([]byte(text)); err != nil {
		return false
	}
	return v.to.Flush() == nil
}
