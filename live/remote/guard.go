package remote

import "net/http"

// Guard has something else asked only by who may make moves.
func (h *Handler) Guard(next http.Handler) http.Handler { return h.asked(next.ServeHTTP) }
