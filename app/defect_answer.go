package app

import (
	"sync/atomic"

	"throughline/app/statsd"

	"github.com/gin-gonic/gin"
)

const unansweredEvery = 40

func answerDefects() []Defect {
	return []Defect{
		{Name: "answer-lost", Entry: "F53", About: "every 40th insert is written and counted, and its connection is closed in place of an answer",
			Service: "every 40th insert is written and not answered: a load balancer that repeats it has it written twice",
			begin: func(Config, *harm) (wrong, error) {
				return wrong{meter: func(m statsd.Middleware) meter { return &speechless{Middleware: m} }}, nil
			}},
	}
}

// speechless does everything for an insert but answer it.
type speechless struct {
	statsd.Middleware
	nth atomic.Int64
}

func (s *speechless) Increment(name string) gin.HandlerFunc {
	right := s.Middleware.Increment(name)
	if name != counted {
		return right
	}
	return func(c *gin.Context) {
		if s.nth.Add(1)%unansweredEvery != 0 {
			right(c)
			return
		}
		real := c.Writer
		c.Writer = mute{real}
		right(c)
		c.Writer = real
		if conn, _, err := real.Hijack(); err == nil {
			_ = conn.Close() // it is closed without a word, as it shall be
		}
	}
}

// mute keeps the status, and swallows the answer.
type mute struct{ gin.ResponseWriter }

func (mute) Write(b []byte) (int, error)       { return len(b), nil }
func (mute) WriteString(s string) (int, error) { return len(s), nil }
func (mute) WriteHeaderNow()                   {}
