package live

import "time"

// Host is an instance of a running stack, as who manages a fleet knows it.
type Host struct {
	Name    string     `json:"name"` // "web-2"
	Role    string     `json:"role"` // "web", "api"
	Addr    string     `json:"addr"` // host:port, where it serves; empty: it listens nowhere
	Zone    string     `json:"zone,omitempty"`
	Version string     `json:"version,omitempty"` // of the application; empty: there are none
	Serving bool       `json:"serving"`           // users reach it; else it comes or goes
	Cloud   *CloudHost `json:"cloud,omitempty"`   // nil: it is in none
}

// CloudHost is who a Host is in a cloud.
type CloudHost struct {
	ID       string            `json:"id"`   // "i-0a1b2c3d4e5f67890"
	Type     string            `json:"type"` // "t3.small"
	Zone     string            `json:"zone"` // "eu-central-1b"
	Launched time.Time         `json:"launched"`
	Tags     map[string]string `json:"tags"`
}
