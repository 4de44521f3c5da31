package script

// ReloadHTTPD has the httpd before an instance begin anew with its configuration, as after an edit of it (apachectl graceful).
type ReloadHTTPD struct{}

// Name implements [Fault].
func (ReloadHTTPD) Name() string { return "reload-httpd" }

// KillHTTPD ends the httpd before an instance without warning (SIGKILL), while the instance lives. It is started again, and
// counts from zero.
type KillHTTPD struct{}

// Name implements [Fault].
func (KillHTTPD) Name() string { return "kill-httpd" }

// LimitHTTPD gives the httpd before an instance fewer workers (MaxRequestWorkers): what exceeds them waits in the kernel's
// queue of connections, which is in nobody's numbers. It takes a reload to begin, and one to end.
type LimitHTTPD struct{ Workers int } // how many requests it works on at a time

// Name implements [Fault].
func (LimitHTTPD) Name() string { return "limit-httpd" }

// The workers that a limit may leave: as many as an httpd here has without.
const defaultWorkers, mostWorkers = 1, 25

func readLimitHTTPD(m mapping) LimitHTTPD {
	if v, ok := m.get("workers"); ok {
		return LimitHTTPD{v.count(1, mostWorkers)}
	}
	return LimitHTTPD{defaultWorkers}
}
