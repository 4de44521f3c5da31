// Package imds is an instance metadata service: what an instance of a cloud asks who it
// is, and whether it will be taken away. It speaks version 2 of the protocol of Amazon's
// EC2, which wants a token for each question.
//
// It is not a cloud: it starts and ends nothing, gives no credentials, and tells only what
// it was told. A [Server] answers one instance; scenarios/run makes one for each, and
// tells it of an interruption.
// Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html
package imds

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Identity is what an instance is told of itself.
type Identity struct {
	ID       string // "i-0a1b2c3d4e5f67890"
	Type     string // "t3.small"
	Region   string // "eu-central-1"
	Zone     string // "eu-central-1a"
	Addr     netip.Addr
	Launched time.Time
	Tags     map[string]string
}

// Notice is a warning that the instance will be taken away.
type Notice struct {
	Given    time.Time
	Deadline time.Time // it will be ended then, and not before
}

// Topic is what a question is about.
type Topic string

// The topics.
const (
	AboutTags     Topic = "tags"
	AboutNotice   Topic = "notice"
	AboutIdentity Topic = "identity" // anything else
)

// The paths that clients know. [NoticePath] is the one that tells of an interruption.
const (
	tokenPath    = "/latest/api/token"
	metaRoot     = "/latest/meta-data"
	tagsPath     = metaRoot + "/tags/instance"
	NoticePath   = metaRoot + "/spot/instance-action"
	documentPath = "/latest/dynamic/instance-identity/document"
)

// The headers of version 2.
const (
	tokenHeader  = "X-Aws-Ec2-Metadata-Token"
	ttlHeader    = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
	longestToken = 6 * 60 * 60 // seconds
	// mostTokens is how many are kept at once; a client that asks for one before each
	// question outlives its older ones.
	mostTokens = 1000
)

// Config is what a Handler is told once.
type Config struct {
	Identity Identity
	Now      func() time.Time
	Token    func() string // makes one that nobody guesses
	// Answered is called for each question of the instance: told says that the answer had
	// what was asked for, of a notice that there is one. nil: nobody listens.
	Answered func(about Topic, told bool)
}

// Handler answers one instance. It may be called by several goroutines at once.
type Handler struct {
	mu      sync.Mutex
	cfg     Config     // the address of its Identity comes with Place
	from    netip.Addr // who asks from another one is told nothing; zero: instances have none of their own, and everybody is told
	tokens  []token    // oldest first
	notice  *Notice
	leaving bool // its autoscaling group ends it
}

// token lets somebody ask.
type token struct {
	text  string
	until time.Time
	own   bool // the harness asks with it, and not the instance
}

// NewHandler makes one without a notice.
func NewHandler(c Config) *Handler { return &Handler{cfg: c} }

// Place tells it the address that the instance was given. It answers that one alone from now on.
func (h *Handler) Place(at netip.Addr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.from, h.cfg.Identity.Addr = at, at
}

// identity is who the instance is, as far as is known.
func (h *Handler) identity() Identity {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.cfg.Identity
}

// Interrupt has the notice given from now on. A second one takes the first one's place.
func (h *Handler) Interrupt(n Notice) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notice = &n
}

// Leave has it told from now on that its autoscaling group ends the instance. That is no notice of an interruption: a group that
// needs an instance no more takes it off the load balancer and ends it, and says no time.
// Source: https://docs.aws.amazon.com/autoscaling/ec2/userguide/retrieving-target-lifecycle-state-through-imds.html
func (h *Handler) Leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leaving = true
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked := path.Clean(r.URL.Path)
	switch {
	case h.strange(r):
		refuse(w, http.StatusForbidden)
	case asked == tokenPath && r.Method == http.MethodPut:
		h.giveToken(w, r)
	case asked == tokenPath:
		refuse(w, http.StatusMethodNotAllowed)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		refuse(w, http.StatusMethodNotAllowed)
	default:
		h.answer(w, r, asked)
	}
}

// strange tells whether somebody asks who is neither the instance nor the harness.
func (h *Handler) strange(r *http.Request) bool {
	h.mu.Lock()
	only := h.from
	h.mu.Unlock()
	if !only.IsValid() {
		return false
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err == nil && from.Addr().Unmap() == only {
		return false
	}
	by, good := h.holds(r.Header.Get(tokenHeader))
	return !good || !by.own
}

// giveToken answers the question that comes before all others. A request that came through a
// proxy gets none, as on EC2.
func (h *Handler) giveToken(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.Atoi(r.Header.Get(ttlHeader))
	switch {
	case r.Header.Get("X-Forwarded-For") != "":
		refuse(w, http.StatusForbidden)
	case err != nil || seconds < 1 || seconds > longestToken:
		refuse(w, http.StatusBadRequest)
	default:
		w.Header().Set(ttlHeader, strconv.Itoa(seconds))
		plain(w, h.issue(time.Duration(seconds)*time.Second, false))
	}
}

// issue makes a token that is good for a while.
func (h *Handler) issue(ttl time.Duration, own bool) string {
	t := token{h.cfg.Token(), h.cfg.Now().Add(ttl), own}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tokens = append(h.tokens, t)
	if over := len(h.tokens) - mostTokens; over > 0 {
		h.tokens = slices.Delete(h.tokens, 0, over)
	}
	return t.text
}

// holds finds a token that is good still.
func (h *Handler) holds(text string) (t token, good bool) {
	now := h.cfg.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tokens = slices.DeleteFunc(h.tokens, func(t token) bool { return !now.Before(t.until) })
	i := slices.IndexFunc(h.tokens, func(t token) bool { return t.text == text })
	if i < 0 {
		return token{}, false
	}
	return h.tokens[i], true
}

// answer answers who has a token.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, asked string) {
	by, good := h.holds(r.Header.Get(tokenHeader))
	if !good {
		refuse(w, http.StatusUnauthorized)
		return
	}
	text, found := h.look(asked)
	if about := topicOf(asked); !by.own && h.cfg.Answered != nil {
		// Before the answer: who has it may act on it at once, and what it then does comes
		// later in every record.
		h.cfg.Answered(about, found && (about != AboutNotice || h.noticed()))
	}
	if !found {
		refuse(w, http.StatusNotFound)
		return
	}
	plain(w, text)
}

func topicOf(asked string) Topic {
	switch leaf := strings.TrimPrefix(asked, metaRoot+"/"); {
	case asked == tagsPath || strings.HasPrefix(asked, tagsPath+"/"):
		return AboutTags
	case slices.Contains(noticeLeaves, leaf):
		return AboutNotice
	}
	return AboutIdentity
}

// noticeLeaves are where software looks for an interruption: spot instances, capacity
// rebalancing, and the hooks of an autoscaling group.
var noticeLeaves = []string{"spot/instance-action", "spot/termination-time", "events/recommendations/rebalance", "autoscaling/target-lifecycle-state"}

func (h *Handler) noticed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.notice != nil
}

// look finds what stands at a path: a value, or what is below it, a line each.
func (h *Handler) look(asked string) (text string, found bool) {
	if asked == documentPath {
		return h.document(), true
	}
	below, ok := strings.CutPrefix(asked, metaRoot)
	if !ok {
		return "", false
	}
	below = strings.TrimPrefix(below, "/")
	leaves := h.leaves()
	if text, found = leaves[below]; found {
		return text, true
	}
	prefix := below
	if prefix != "" {
		prefix += "/"
	}
	var names []string
	for leaf := range leaves {
		rest, inside := strings.CutPrefix(leaf, prefix)
		if !inside {
			continue
		}
		if name, _, deeper := strings.Cut(rest, "/"); deeper {
			rest = name + "/"
		}
		if !slices.Contains(names, rest) {
			names = append(names, rest)
		}
	}
	slices.Sort(names)
	return strings.Join(names, "\n"), len(names) > 0
}

// leaves are the values, by their path below meta-data.
func (h *Handler) leaves() map[string]string {
	who := h.identity()
	all := map[string]string{
		"instance-id":                        who.ID,
		"instance-type":                      who.Type,
		"instance-life-cycle":                "spot",
		"local-ipv4":                         who.Addr.String(),
		"placement/availability-zone":        who.Zone,
		"placement/region":                   who.Region,
		"autoscaling/target-lifecycle-state": "InService",
	}
	for name, value := range who.Tags {
		all["tags/instance/"+name] = value
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.leaving {
		all["autoscaling/target-lifecycle-state"] = "Terminated"
	}
	if n := h.notice; n != nil {
		maps.Copy(all, map[string]string{
			"spot/instance-action":               object("action", "terminate", "time", stamp(n.Deadline)),
			"spot/termination-time":              stamp(n.Deadline),
			"events/recommendations/rebalance":   object("noticeTime", stamp(n.Given)),
			"autoscaling/target-lifecycle-state": "Terminated",
		})
	}
	return all
}

// document is the identity document, which SDKs take the region from.
func (h *Handler) document() string {
	who := h.identity()
	return object("accountId", "000000000000", "architecture", "x86_64", "availabilityZone", who.Zone, "imageId", "ami-00000000000000000",
		"instanceId", who.ID, "instanceType", who.Type, "pendingTime", stamp(who.Launched), "privateIp", who.Addr.String(),
		"region", who.Region, "version", "2017-09-30")
}

// stamp is a time as EC2 writes it. It has whole seconds, and so is early rather than late.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// object writes names and values as JSON.
func object(pairs ...string) string {
	all := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	text, err := json.Marshal(all)
	if err != nil {
		return fmt.Sprintf("{%q: %q}", "error", err) // never: they are strings
	}
	return string(text)
}

func plain(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain")
	_, _ = w.Write([]byte(text)) // who is gone needs no answer
}

func refuse(w http.ResponseWriter, status int) { http.Error(w, http.StatusText(status), status) }
