package readback

import (
	"context"
	"fmt"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/common/model"
)

// Interval is how often the server scrapes a job's targets, or, where no job is named, those of any that says nothing else. Who answers for
// a Prometheus without scraping (Mimir) does not know.
func (c *Client) Interval(ctx context.Context, job string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	const say = "say how often it scrapes, with --metrics-every"
	answer, err := c.api.Config(ctx)
	if err != nil {
		return 0, fmt.Errorf("%w; if it only stores what another one scrapes, %s", c.about(err), say)
	}
	var said struct {
		Global struct {
			Interval string `yaml:"scrape_interval"`
		} `yaml:"global"`
		Scrapes []struct {
			Job      string `yaml:"job_name"`
			Interval string `yaml:"scrape_interval"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal([]byte(answer.YAML), &said); err != nil {
		return 0, fmt.Errorf("%s: its configuration cannot be read; %s", c.cfg.URL, say)
	}
	every := said.Global.Interval
	found := job == ""
	for _, s := range said.Scrapes {
		if s.Job == job {
			found = true
			if s.Interval != "" {
				every = s.Interval
			}
		}
	}
	if !found {
		return 0, fmt.Errorf("%s: it has no job %s in its configuration", c.cfg.URL, job)
	}
	d, err := model.ParseDuration(every)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%s: its configuration does not say how often it scrapes; %s", c.cfg.URL, say)
	}
	return time.Duration(d), nil
}
