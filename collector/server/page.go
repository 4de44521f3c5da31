package server

import (
	"context"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"throughline/collector"
)

//go:embed page
var pageFiles embed.FS

var pageTemplate = template.Must(template.New("page.html").Funcs(template.FuncMap{
	"clock":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
	"figure": func(n int) string { return figure(float64(n)) },
}).ParseFS(pageFiles, "page/page.html"))

// pagePolicy is the Content-Security-Policy of the page: what it loads, runs and asks
// is ours.
const pagePolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

const (
	// pageEvents is how many events the page shows, pageSeries how many series, of which
	// pageOfName are of one name, unless it is the only one that was asked for.
	pageEvents = 50
	pageSeries = 100
	pageOfName = 12
	// longestSearch is how much of what is searched for is read, in bytes.
	longestSearch = 200
	// pagePoints is how many intervals a line of the page shows.
	pagePoints = 60
)

// handlePage has the page, and what it loads, served.
func (s *Server) handlePage(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.page)
	for _, name := range []string{"page.css", "page.js", "icon.svg"} {
		mux.HandleFunc("GET /page/"+name, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, pageFiles, "page/"+name)
		})
	}
}

// view is what the page shows.
type view struct {
	Now    time.Time
	Query  string // what is searched for
	Span   string // how much time a line shows
	Store  storeFigures
	Series recentView
	Hello  string // a line for a shell that sends something
	Losses []lossRow
	Tables []collector.Table // of the sources, then of the outputs
	Events []collector.Event // the newest first
}

// recentView is what the page shows of the series.
type recentView struct {
	Metrics       []metricView
	Shown, Series int
	Names         int
	Failed        string // why there are none to show
}

func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	query := r.FormValue("q")
	query = strings.ToValidUTF8(query[:min(len(query), longestSearch)], "")
	span := pagePoints * s.intake.Interval
	v := view{Now: now, Query: query, Span: lengthOf(span), Store: s.keeper.figures(), Series: s.recent(r.Context(), query, now), Hello: s.hello(), Losses: s.losses(), Tables: s.tables()}
	v.Events = s.journal.between(time.Time{}, now.Add(time.Hour), "", pageEvents)
	slices.Reverse(v.Events)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.Header().Set("Cache-Control", "no-store")
	// An error means that the client has gone.
	_ = pageTemplate.Execute(w, v)
}

// recent asks for the series. Those of instances that are gone are found for as long as
// their line is in sight.
func (s *Server) recent(ctx context.Context, query string, now time.Time) recentView {
	if s.recents == nil {
		return recentView{}
	}
	span := pagePoints * s.intake.Interval
	words := strings.Fields(query)
	own := slices.ContainsFunc(words, func(w string) bool {
		return strings.HasPrefix(strings.ToLower(w), strings.TrimSuffix(collector.OwnPrefix, "_"))
	})
	found, err := s.recents.Recent(ctx, collector.Wanted{Words: words, Own: own, Span: span, Series: pageSeries, OfName: pageOfName})
	if err != nil {
		return recentView{Failed: err.Error()}
	}
	out := recentView{Series: found.Series, Names: found.Names}
	scale := timeScale{from: now.Add(-span), span: span, interval: s.intake.Interval}
	for _, m := range found.Metrics {
		out.Shown += len(m.Series)
		out.Metrics = append(out.Metrics, newMetricView(m, scale))
	}
	return out
}

// hello is a line that sends something to the first source that can be greeted.
func (s *Server) hello() string {
	for _, source := range s.sources {
		if g, can := source.(collector.Greeter); can {
			if line := g.Hello(); line != "" {
				return line
			}
		}
	}
	return ""
}

// tables are the figures of all who show some.
func (s *Server) tables() (all []collector.Table) {
	add := func(part any) {
		tabler, can := part.(collector.Tabler)
		if !can {
			return
		}
		for _, t := range tabler.Tables() {
			if last := len(all) - 1; last >= 0 && all[last].Title == t.Title {
				all[last].Rows = append(all[last].Rows, t.Rows...)
				all[last].Notes = append(all[last].Notes, t.Notes...)
				continue
			}
			all = append(all, t)
		}
	}
	for _, source := range s.sources {
		add(source)
	}
	for _, o := range s.outputs {
		add(o)
	}
	return all
}

// lossRow is one counter of what was lost.
type lossRow struct {
	Help   string
	Name   string
	Labels collector.Labels // reason, listener, …
	Value  string
}

// losses are the figures above 0 that say that something was lost, by name and labels.
func (s *Server) losses() (rows []lossRow) {
	help := map[string]string{}
	for _, m := range s.Metrics() {
		if m.Loss {
			help[m.Name] = m.Help
		}
	}
	samples, _ := s.keeper.live()
	slices.SortFunc(samples, func(a, b collector.Sample) int {
		return strings.Compare(a.Labels.Key(a.Name), b.Labels.Key(b.Name))
	})
	for _, sample := range samples {
		if text, lossy := help[sample.Name]; lossy && sample.Value > 0 {
			rows = append(rows, lossRow{Help: text, Name: sample.Name, Labels: sample.Labels, Value: figure(sample.Value)})
		}
	}
	return rows
}

// lengthOf writes a span of time for people.
func lengthOf(d time.Duration) string {
	switch {
	case d >= 2*time.Hour:
		return fmt.Sprintf("%.0f hours", d.Hours())
	case d >= 2*time.Minute:
		return fmt.Sprintf("%.0f minutes", d.Minutes())
	}
	return fmt.Sprintf("%.4g seconds", d.Seconds())
}
