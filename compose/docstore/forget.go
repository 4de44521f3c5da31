package docstore

import "errors"

// errForgotten undoes a write that is acknowledged all the same.
var errForgotten = errors.New("this write is not kept")

// forgets tells whether the update command that asks is one that the database
// acknowledges and does not keep: every Config.ForgetEvery-th. So a primary
// behaves whose writes are rolled back when it comes back after a failover.
func (s *Server) forgets() bool {
	return s.forgetEvery > 0 && s.updates.Add(1)%int64(s.forgetEvery) == 0
}
