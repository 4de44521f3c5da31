package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
)

// TagsFromIMDS is the Config.TagsFrom of an app in a cloud.
const TagsFromIMDS = "imds"

const (
	// tagsAgain is how long an instance waits before it asks once more for tags that are not
	// there yet: those of a new instance take a moment.
	tagsAgain = 200 * time.Millisecond
	// noticeEvery is how often it asks whether it will be taken away. Of two minutes AWS
	// recommends 5 s; notices may be shorter here.
	noticeEvery = 500 * time.Millisecond
)

// metadata asks the metadata service. The zero value is of an app that has none.
type metadata struct{ client *imds.Client }

// identify takes tags and zone from the metadata service, where the app is told so. It waits
// for tags that are not there yet: what is sent without them belongs to nobody.
func (c *Config) identify(ctx context.Context) (metadata, error) {
	if c.TagsFrom != TagsFromIMDS {
		return metadata{}, nil
	}
	m := metadata{imds.New(imds.Options{Endpoint: c.Metadata, EnableFallback: aws.FalseTernary})}
	asking, cancel := context.WithTimeout(ctx, c.StartTimeout)
	defer cancel()
	for {
		tags, zone, err := m.tags(asking)
		if err == nil {
			c.Tags, c.Zone = tags, zone
			return m, nil
		}
		select {
		case <-asking.Done():
			return metadata{}, fmt.Errorf("TAGS_FROM=%s: no tags within %v: %w", TagsFromIMDS, c.StartTimeout, err)
		case <-time.After(tagsAgain):
		}
	}
}

// tags gives the tags of the instance, as StatsD has them, and its zone, which is one of
// them. Its name, and what the cloud itself tagged it with, are none of a metric's.
func (m metadata) tags(ctx context.Context) (tags []string, zone string, err error) {
	names, err := m.get(ctx, "tags/instance")
	if err != nil {
		return nil, "", err
	}
	for name := range strings.Lines(names) {
		name = strings.TrimSpace(name)
		if name == "" || name == "Name" || strings.HasPrefix(name, "aws:") {
			continue
		}
		value, err := m.get(ctx, "tags/instance/"+name)
		if err != nil {
			return nil, "", err
		}
		tag := name + ":" + value
		if strings.ContainsAny(tag, "|,\n") {
			return nil, "", fmt.Errorf("tag %q has a character that StatsD uses itself; leave out | and , and line breaks", tag)
		}
		tags = append(tags, tag)
	}
	if len(tags) == 0 {
		return nil, "", errors.New("the instance has no tags")
	}
	region, err := m.get(ctx, "placement/region")
	if err != nil {
		return nil, "", err
	}
	where, err := m.get(ctx, "placement/availability-zone")
	if err != nil {
		return nil, "", err
	}
	zone = strings.TrimPrefix(where, region) // "a" of eu-central-1a
	tags = append(tags, "zone:"+zone)
	slices.Sort(tags)
	return tags, zone, nil
}

func (m metadata) get(ctx context.Context, path string) (string, error) {
	got, err := m.client.GetMetadata(ctx, &imds.GetMetadataInput{Path: path})
	if err != nil {
		return "", err
	}
	defer got.Content.Close()
	text, err := io.ReadAll(io.LimitReader(got.Content, 64<<10))
	return string(text), err
}

// watch asks again and again whether the instance will be taken away, and logs the notice.
// It ends with ctx, or when it is told to, and has ended when stop returns.
func (m metadata) watch(ctx context.Context, to *log.Logger) (stop func()) {
	if m.client == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		ticker := time.NewTicker(noticeEvery)
		defer ticker.Stop()
		for {
			if notice, err := m.get(ctx, "spot/instance-action"); err == nil { // it is not there until there is one
				to.Printf("interruption notice: %s", notice)
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
	return func() { cancel(); watching.Wait() }
}
