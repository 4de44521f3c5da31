package statsd

import (
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

// Middleware makes gin middleware that measures the route it is written at:
//
//	r.POST("/insert/:name", statsd.Increment("fullstack.insert"), insert)
//
// Increment and Timed measure successes only (2xx), after the handler. A
// handler that panics is no success.
type Middleware struct{ Client Client }

// Increment counts the requests that succeeded.
func (m Middleware) Increment(name string) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Next()
		if succeeded(c) {
			m.Client.Count(name, 1)
		}
	}
}

// Timed measures how long the requests that succeeded took, from this
// middleware on.
func (m Middleware) Timed(name string) gin.HandlerFunc {
	return func(c *gin.Context) {
		began := time.Now()
		c.Next()
		if succeeded(c) {
			m.Client.Timing(name, time.Since(began))
		}
	}
}

// InFlight keeps the gauge name at the number of requests in progress on all
// routes that share the returned middleware. It goes down after a panic too.
func (m Middleware) InFlight(name string) gin.HandlerFunc {
	var mu sync.Mutex
	var n int
	// The lock covers the sending: otherwise 1 could overtake the 0 of the
	// last request and stay for ever.
	add := func(d int) {
		mu.Lock()
		defer mu.Unlock()
		n += d
		m.Client.Gauge(name, float64(n))
	}
	return func(c *gin.Context) {
		add(1)
		defer add(-1)
		c.Next()
	}
}

func succeeded(c *gin.Context) bool {
	return c.Writer.Status()/100 == 2
}
