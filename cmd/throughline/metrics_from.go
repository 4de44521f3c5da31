package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"throughline/cmd/throughline/cli"
	"throughline/collector/readback"
	"throughline/scenarios/run"
	"throughline/scenarios/script"
)

// metricsFlags are where a run has the metrics of instances from that a server of the user's scrapes.
type metricsFlags struct {
	from   script.MetricsFrom
	tokens string // a file
	http   string // a file
}

func (f *metricsFlags) add(set *pflag.FlagSet) {
	set.StringVar(&f.from.URL, "metrics-from", "", "a Prometheus, or a Mimir, that scrapes the instances in place of the collector, and is read when the load is over: http://host:9090 (metrics_from in docs/SCENARIOS.md)")
	set.DurationVar(&f.from.Every, "metrics-every", 0, "how often it scrapes them (default: asked of it)")
	set.DurationVar(&f.from.Lag, "metrics-lag", 0, "how long after a scrape what it brought can be read")
	set.StringVar(&f.from.Instance, "metrics-instance", "instance", "its label whose value is the name of an instance, or the address")
	set.StringVar(&f.from.Job, "metrics-job", "", "its job that the instances are in (default: any)")
	set.StringVar(&f.tokens, "metrics-token-file", "", "a file with the bearer token that it wants")
	set.StringVar(&f.http, "metrics-http-config", "", "a file with how it is reached, as Prometheus has it in http_config: tls_config, authorization, basic_auth, oauth2, http_headers")
}

// access is how the server is reached, also where a scenario names it.
func (f *metricsFlags) access() run.Access {
	return run.Access{TokenFile: f.tokens, ConfigFile: f.http}
}

// check refuses what could be of no use, before anybody is asked.
func (f *metricsFlags) check(set *pflag.FlagSet) error {
	if _, err := readback.New(readback.Config{URL: "http://127.0.0.1", Access: f.access()}); err != nil {
		return err
	}
	if f.from.URL == "" {
		for _, name := range []string{"metrics-every", "metrics-lag", "metrics-instance", "metrics-job"} {
			if set.Changed(name) {
				return fmt.Errorf("--%s: there is no --metrics-from: want both, or, in the file, metrics_from", name)
			}
		}
		return nil
	}
	if err := script.CheckServerURL(f.from.URL); err != nil {
		return fmt.Errorf("--metrics-from: %w", err)
	}
	f.from.URL = strings.TrimRight(f.from.URL, "/")
	return nil
}

// askedWithin bounds how long a server may take to say how often it scrapes.
const askedWithin = 20 * time.Second

// addition is what the flags add to a scenario's source; nil: nothing. How often the server scrapes, where nobody says it, is asked of it.
func (f *metricsFlags) addition(ctx context.Context) (func(file string, source []byte) ([]byte, error), error) {
	if f.from.URL == "" {
		return nil, nil
	}
	if f.from.Every == 0 {
		ctx, cancel := context.WithTimeout(ctx, askedWithin)
		defer cancel()
		client, err := readback.New(readback.Config{URL: f.from.URL, Access: f.access()})
		if err == nil {
			f.from.Every, err = client.Interval(ctx, f.from.Job)
		}
		if err != nil {
			return nil, cli.Unable(fmt.Errorf("--metrics-from: %w", err))
		}
	}
	return func(file string, source []byte) ([]byte, error) {
		return script.WithMetricsFrom(file, source, f.from)
	}, nil
}
