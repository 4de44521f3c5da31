// Package readback reads back from a Prometheus what it scraped: raw samples with the times of their scrapes, marks of the ends of series
// and native histograms included, how its clock stands to ours, and how often it scrapes.
//
// It asks by remote read (/api/v1/read), which Prometheus, Mimir and Cortex answer. The query API has raw samples too (a range vector), but
// leaves out the marks of staleness, which tell a scrape that failed from one that is missing, and has native histograms with bounds in
// the place of their buckets. Samples are asked for, not chunks: every server has them, and runs are short.
// Source: https://prometheus.io/docs/prometheus/latest/querying/remote_read_api/
//
// It is no collector.Source: it has no part in a run, and is asked when that is over. Which series are whose it does not know; scenarios/run
// does, and asks. Nothing that it says has a credential in it.
package readback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/config"
)

// Access is how a server is reached that does not answer just anybody. Both are paths of files; "" means none.
type Access struct {
	TokenFile  string // has a bearer token
	ConfigFile string // has what Prometheus calls http_config: tls_config, authorization, basic_auth, oauth2, http_headers
}

// Config says which server is asked, and how much is taken from it. The zero value of a bound means its default.
type Config struct {
	URL        string // what stands before /api/v1
	Access     Access
	MaxBytes   int64 // of an answer, unpacked; default: 256 MiB
	MaxSeries  int   // of an answer; default: 50,000
	MaxSamples int   // of an answer; default: 5,000,000
}

// The defaults of Config.
const (
	defaultMaxBytes   = 256 << 20
	defaultMaxSeries  = 50_000
	defaultMaxSamples = 5_000_000
)

// Client asks one server. Its methods may be called by several goroutines at once.
type Client struct {
	cfg  Config
	http api.Client
	api  v1.API
}

// New returns a Client. It reads the files of the access, and asks nobody.
func New(cfg Config) (*Client, error) {
	for _, bound := range []struct {
		of        *int
		otherwise int
	}{{&cfg.MaxSeries, defaultMaxSeries}, {&cfg.MaxSamples, defaultMaxSamples}} {
		if *bound.of <= 0 {
			*bound.of = bound.otherwise
		}
	}
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = defaultMaxBytes
	}
	c, err := cfg.Access.load()
	if err != nil {
		return nil, err
	}
	transport, err := config.NewRoundTripperFromConfig(c, "readback")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Access.ConfigFile, err)
	}
	asked := &guarded{transport, cfg.MaxBytes}
	client, err := api.NewClient(api.Config{Address: cfg.URL, Client: &http.Client{Transport: asked,
		// Who is sent elsewhere would take a token there.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.URL, err)
	}
	return &Client{cfg: cfg, http: client, api: v1.NewAPI(client)}, nil
}

// load reads the files.
func (a Access) load() (config.HTTPClientConfig, error) {
	c := config.DefaultHTTPClientConfig
	if a.ConfigFile != "" {
		loaded, _, err := config.LoadHTTPConfigFile(a.ConfigFile)
		if err != nil {
			return c, fmt.Errorf("%s: it cannot be read as Prometheus' http_config: %w", a.ConfigFile, reason(err))
		}
		c = *loaded
	}
	if a.TokenFile == "" {
		return c, nil
	}
	if c.Authorization != nil || c.BasicAuth != nil || c.OAuth2 != nil {
		return c, fmt.Errorf("%s: it says who asks, and so does the token of %s: leave out one of the two", a.ConfigFile, a.TokenFile)
	}
	token, err := os.ReadFile(a.TokenFile)
	if err != nil {
		return c, fmt.Errorf("%s: the token cannot be read: %w", a.TokenFile, reason(err))
	}
	if len(bytes.TrimSpace(token)) == 0 {
		return c, fmt.Errorf("%s: it is empty: want a bearer token in it", a.TokenFile)
	}
	path, err := filepath.Abs(a.TokenFile)
	if err != nil {
		return c, err
	}
	c.Authorization = &config.Authorization{Type: "Bearer", CredentialsFile: path}
	return c, nil
}

// reason is what is wrong with a file, without its name.
func reason(err error) error {
	if on := (*os.PathError)(nil); errors.As(err, &on) {
		return on.Err
	}
	return err
}

// guarded makes errors of answers that are none of a Prometheus, and of those that are too long.
type guarded struct {
	next http.RoundTripper
	most int64
}

// RoundTrip implements [http.RoundTripper].
func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	why := ""
	switch code := res.StatusCode; {
	case code == http.StatusUnauthorized:
		why = "it wants to know who asks: give --metrics-token-file or --metrics-http-config, with what it takes"
	case code == http.StatusForbidden:
		why = "who asks may not: the token, or the user, has no right to read"
	case code == http.StatusNotFound && !strings.Contains(r.URL.Path, "/prometheus/"):
		why = "this is not the API of a Prometheus: did you mean " + strings.TrimSuffix(r.URL.Scheme+"://"+r.URL.Host, "/") + "/prometheus?"
	case code == http.StatusNotFound:
		why = "this is not the API of a Prometheus: want what stands before /api/v1 in its URLs"
	case code >= 300 && code < 400:
		why = "it sends whoever asks elsewhere: give the URL that it sends to"
		if to, err := res.Location(); err == nil {
			why += ", of " + to.Host
		}
	case code == http.StatusServiceUnavailable:
		why = "it has only begun to start, or has too much to do: try again when it is ready"
	case code == http.StatusUnprocessableEntity || code == http.StatusBadRequest || code == http.StatusTooManyRequests || code >= 500:
		if !strings.HasSuffix(r.URL.Path, "/read") {
			break // the API's own client reads why
		}
		said, _ := io.ReadAll(io.LimitReader(res.Body, 300))
		why = strings.Join(strings.Fields(string(said)), " ")
	}
	if why != "" {
		res.Body.Close()
		return nil, &answered{res.StatusCode, why}
	}
	res.Body = &bounded{ReadCloser: res.Body, left: g.most}
	return res, nil
}

// answered is the error of an answer with another status than 200.
type answered struct {
	status int
	why    string
}

func (a *answered) Error() string {
	return fmt.Sprintf("it answers with %d %s: %s", a.status, http.StatusText(a.status), a.why)
}

// bounded is a body that is an error where it is too long.
type bounded struct {
	io.ReadCloser
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n, errTooLong
	}
	return n, err
}

var errTooLong = errors.New("its answer is too long: have checks name fewer series, or give metrics_from the job of the instances")

// about puts the server before an error, without what the layers below say twice.
func (c *Client) about(err error) error {
	if err == nil {
		return nil
	}
	var (
		status *answered
		said   *v1.Error
		told   error
	)
	switch {
	case errors.As(err, &status):
		told = status
	case errors.Is(err, errTooLong):
		told = errTooLong
	case errors.As(err, &said) && said.Type == v1.ErrBadResponse:
		told = errors.New("this is not the API of a Prometheus: " + said.Msg)
	case said != nil:
		told = errors.New("it could not answer: " + said.Msg)
	case errors.Is(err, context.DeadlineExceeded):
		told = errors.New("it did not answer in time")
	default:
		told = fmt.Errorf("it cannot be reached, or did not answer: %w", bare(err))
	}
	return fmt.Errorf("%s: %w", c.cfg.URL, told)
}

// bare is an error without the address that was asked, which is said already.
func bare(err error) error {
	for {
		wrapped, is := err.(interface {
			error
			Timeout() bool
			Unwrap() error
		})
		if !is {
			return err
		}
		err = wrapped.Unwrap()
	}
}

// patience bounds one question.
const patience = 20 * time.Second
