package app

import (
	"context"
	"errors"
	"html/template"
	"log"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
)

const (
	// opTimeout bounds the work of one request. It is shorter than
	// drainTimeout, so that a stop never cuts a request off.
	opTimeout = 3 * time.Second
	listLimit = 1000
	topLimit  = 10
)

// wordCounter is the talk's app: it counts words in a database.
type wordCounter struct {
	words    Words
	log      *log.Logger
	stopping atomic.Bool
}

// routes is the app with its instrumentation: what is measured is what is
// written here.
func (w *wordCounter) routes(statsd meter) http.Handler {
	gin.SetMode(gin.ReleaseMode) // otherwise gin prints every route on stdout
	r := gin.New()
	r.UseEscapedPath = true      // a word may contain %2F …
	r.UnescapePathValues = false // … and a plus sign, which gin would make a space: see parseName
	r.RedirectTrailingSlash = false
	r.HandleMethodNotAllowed = true
	r.NoRoute(func(c *gin.Context) { fail(c, http.StatusNotFound, "no such page") })
	r.NoMethod(func(c *gin.Context) { fail(c, http.StatusMethodNotAllowed, "method not allowed") })
	r.Use(gin.CustomRecoveryWithWriter(nil, w.recovered))

	r.GET("/healthz", w.healthz)

	app := r.Group("", statsd.InFlight("fullstack.inflight"))
	app.POST("/insert/:name", statsd.Increment("fullstack.insert"), statsd.Timed("fullstack.insert.time"), w.insert)
	app.GET("/insert/:name", statsd.Increment("fullstack.insert"), statsd.Timed("fullstack.insert.time"), w.insert)
	app.GET("/get", statsd.Increment("fullstack.get"), statsd.Timed("fullstack.get.time"), w.list)
	app.GET("/get/:name", statsd.Increment("fullstack.get"), statsd.Timed("fullstack.get.time"), w.get)
	app.GET("/toplist", statsd.Increment("fullstack.toplist"), statsd.Timed("fullstack.toplist.time"), w.toplist)
	return r
}

// healthz answers whether this instance wants requests. It does not ask the
// database: an outage there would take every instance out of the load balancer
// at once, and its errors in place of the app's would hide where they come from.
func (w *wordCounter) healthz(c *gin.Context) {
	if w.stopping.Load() {
		fail(c, http.StatusServiceUnavailable, "stopping")
		return
	}
	c.JSON(http.StatusOK, gin.H{"status": "ok"})
}

func (w *wordCounter) insert(c *gin.Context) {
	name, err := parseName(c.Param("name"))
	if err != nil {
		fail(c, http.StatusBadRequest, err.Error())
		return
	}
	// A user who hangs up does not stop the insert: stopped halfway, it might
	// be in the database and never be counted.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), opTimeout)
	defer cancel()
	word, err := w.words.Insert(ctx, name)
	if err != nil {
		w.failDatabase(c, err)
		return
	}
	c.JSON(http.StatusOK, word)
}

func (w *wordCounter) get(c *gin.Context) {
	name, err := parseName(c.Param("name"))
	if err != nil {
		fail(c, http.StatusBadRequest, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), opTimeout)
	defer cancel()
	word, err := w.words.Get(ctx, name)
	switch {
	case errors.Is(err, ErrNoWord):
		fail(c, http.StatusNotFound, err.Error())
	case err != nil:
		w.failDatabase(c, err)
	default:
		c.JSON(http.StatusOK, word)
	}
}

func (w *wordCounter) list(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), opTimeout)
	defer cancel()
	words, err := w.words.List(ctx, listLimit)
	if err != nil {
		w.failDatabase(c, err)
		return
	}
	c.JSON(http.StatusOK, words)
}

func (w *wordCounter) toplist(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), opTimeout)
	defer cancel()
	words, err := w.words.Top(ctx, topLimit)
	if err != nil {
		w.failDatabase(c, err)
		return
	}
	c.Status(http.StatusOK)
	c.Header("Content-Type", "text/html; charset=utf-8")
	if err := toplistPage.Execute(c.Writer, words); err != nil {
		w.log.Printf("toplist: %v", err) // the user is gone: the page itself cannot fail
	}
}

var toplistPage = template.Must(template.New("toplist").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Top words</title></head>
<body><h1>Top words</h1>
<ol>{{range .}}
<li>{{.Name}}: {{.Count}}</li>{{end}}
</ol></body></html>
`))

// failDatabase answers 500, not 503: a 503 is what a load balancer says when
// nobody executed the request, and after a failed insert nobody knows that.
func (w *wordCounter) failDatabase(c *gin.Context, err error) {
	w.log.Printf("%s %s: %v", c.Request.Method, c.FullPath(), err)
	fail(c, http.StatusInternalServerError, "database: "+err.Error())
}

func (w *wordCounter) recovered(c *gin.Context, cause any) {
	w.log.Printf("%s %s: panic: %v\n%s", c.Request.Method, c.FullPath(), cause, debug.Stack())
	fail(c, http.StatusInternalServerError, "internal error")
}

func fail(c *gin.Context, status int, text string) {
	c.AbortWithStatusJSON(status, gin.H{"error": text})
}
