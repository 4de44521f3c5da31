package imds

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/google/go-cmp/cmp"
)

var launched = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func identity() Identity {
	return Identity{ID: "i-00000000000000002", Type: "t3.small", Region: "eu-central-1", Zone: "eu-central-1b",
		Addr: netip.MustParseAddr("127.0.0.1"), Launched: launched, Tags: map[string]string{"Name": "web-2", "role": "web"}}
}

// heard notes what an instance asked.
type heard struct {
	mu  sync.Mutex
	all []string
}

func (h *heard) answered(about Topic, told bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, fmt.Sprintf("%s %v", about, told))
}

// numbered makes tokens that are told apart.
func numbered() func() string {
	var mu sync.Mutex
	n := 0
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		n++
		return fmt.Sprintf("token-%d", n)
	}
}

func serve(t *testing.T, said *heard) *Server {
	t.Helper()
	s, err := Listen("127.0.0.1", Config{Identity: identity(), Now: time.Now, Token: numbered(), Answered: said.answered})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// TestAmazonsClient: the client of Amazon's SDK finds the service by the variable, and reads
// all that an instance asks for.
func TestAmazonsClient(t *testing.T) {
	var said heard
	s := serve(t, &said)
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", s.URL())
	client := imds.New(imds.Options{EnableFallback: aws.FalseTernary})
	get := func(path string) (string, error) {
		got, err := client.GetMetadata(t.Context(), &imds.GetMetadataInput{Path: path})
		if err != nil {
			return "", err
		}
		defer got.Content.Close()
		body, err := io.ReadAll(got.Content)
		return string(body), err
	}
	for path, want := range map[string]string{
		"instance-id": "i-00000000000000002", "instance-type": "t3.small", "local-ipv4": "127.0.0.1",
		"placement/availability-zone": "eu-central-1b", "placement/": "availability-zone\nregion",
		"tags/instance": "Name\nrole", "tags/instance/": "Name\nrole", "tags/instance/role": "web",
		"autoscaling/target-lifecycle-state": "InService",
		"":                                   "autoscaling/\ninstance-id\ninstance-life-cycle\ninstance-type\nlocal-ipv4\nplacement/\ntags/",
	} {
		if got, err := get(path); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", path, got, err, want)
		}
	}
	if got, err := get("spot/instance-action"); err == nil {
		t.Errorf("a notice before it was given: %q", got)
	}
	region, err := client.GetRegion(t.Context(), nil)
	if err != nil || region.Region != "eu-central-1" {
		t.Errorf("region: %+v, %v", region, err)
	}
	document, err := client.GetInstanceIdentityDocument(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := document.InstanceIdentityDocument; d.InstanceID != "i-00000000000000002" || d.InstanceType != "t3.small" || !d.PendingTime.Equal(launched) || d.AvailabilityZone != "eu-central-1b" {
		t.Errorf("document: %+v", d)
	}
	if err := s.Interrupt(t.Context(), Notice{Given: launched, Deadline: launched.Add(2500 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	got, err := get("spot/instance-action")
	var action struct{ Action, Time string }
	if err == nil {
		err = json.Unmarshal([]byte(got), &action)
	}
	if err != nil || action.Action != "terminate" || action.Time != "2026-03-01T12:00:02Z" {
		t.Errorf("notice: %q, %v", got, err)
	}
	for path, want := range map[string]string{
		"spot/termination-time": "2026-03-01T12:00:02Z", "events/recommendations/rebalance": `{"noticeTime":"2026-03-01T12:00:00Z"}`,
		"autoscaling/target-lifecycle-state": "Terminated",
	} {
		if got, err := get(path); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", path, got, err, want)
		}
	}
}

// TestWhatIsSaidOfTheInstance: each question of the instance is told, and whether it was answered; what the
// harness asks by itself is not.
func TestWhatIsSaidOfTheInstance(t *testing.T) {
	var said heard
	s := serve(t, &said)
	client := imds.New(imds.Options{Endpoint: s.URL(), EnableFallback: aws.FalseTernary})
	ask := func(path string) {
		if got, err := client.GetMetadata(t.Context(), &imds.GetMetadataInput{Path: path}); err == nil {
			got.Content.Close()
		}
	}
	ask("tags/instance/role")
	ask("tags/instance/none")
	ask("instance-id")
	ask("spot/instance-action")
	ask("autoscaling/target-lifecycle-state") // there, and tells of no notice
	if err := s.Interrupt(t.Context(), Notice{Given: launched, Deadline: launched}); err != nil {
		t.Fatal(err)
	}
	ask("spot/instance-action")
	ask("autoscaling/target-lifecycle-state")
	want := []string{"tags true", "tags false", "identity true", "notice false", "notice false", "notice true", "notice true"}
	if diff := cmp.Diff(want, said.all); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestRefusals: the statuses are those of EC2.
func TestRefusals(t *testing.T) {
	now := launched
	h := NewHandler(Config{Identity: identity(), Now: func() time.Time { return now }, Token: numbered()})
	ask := func(method, path string, header ...string) (int, string) {
		r := httptest.NewRequest(method, path, http.NoBody)
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	for _, c := range []struct {
		method, path string
		header       []string
		want         int
	}{
		{http.MethodPut, tokenPath, nil, 400},
		{http.MethodPut, tokenPath, []string{ttlHeader, "0"}, 400},
		{http.MethodPut, tokenPath, []string{ttlHeader, "21601"}, 400},
		{http.MethodPut, tokenPath, []string{ttlHeader, "9223372036854775807"}, 400},
		{http.MethodPut, tokenPath, []string{ttlHeader, "many"}, 400},
		{http.MethodPut, tokenPath, []string{ttlHeader, "60", "X-Forwarded-For", "10.0.0.1"}, 403},
		{http.MethodGet, tokenPath, nil, 405},
		{http.MethodPost, metaRoot + "/instance-id", nil, 405},
		{http.MethodGet, metaRoot + "/instance-id", nil, 401},
		{http.MethodGet, metaRoot + "/instance-id", []string{tokenHeader, "guessed"}, 401},
	} {
		if got, _ := ask(c.method, c.path, c.header...); got != c.want {
			t.Errorf("%s %s %v: %d, want %d", c.method, c.path, c.header, got, c.want)
		}
	}
	status, text := ask(http.MethodPut, tokenPath, ttlHeader, "60")
	if status != 200 || text != "token-1" {
		t.Fatalf("token: %d %q", status, text)
	}
	with := []string{tokenHeader, text}
	for path, want := range map[string]int{
		metaRoot + "/instance-id": 200, metaRoot: 200, metaRoot + "/": 200, metaRoot + "x": 404, "/": 404,
		metaRoot + "/instance-id/": 200, metaRoot + "/instance": 404, tagsPath + "/Na": 404, NoticePath: 404, documentPath: 200,
	} {
		if got, _ := ask(http.MethodGet, path, with...); got != want {
			t.Errorf("GET %s: %d, want %d", path, got, want)
		}
	}
	now = now.Add(time.Minute)
	if got, _ := ask(http.MethodGet, metaRoot+"/instance-id", with...); got != 401 {
		t.Errorf("with a token that is over: %d", got)
	}
}

// TestTokensDoNotGrow: who asks for a token before each question costs no memory.
func TestTokensDoNotGrow(t *testing.T) {
	h := NewHandler(Config{Identity: identity(), Now: time.Now, Token: numbered()})
	first := h.issue(time.Hour, false)
	for range 2 * mostTokens {
		h.issue(time.Hour, false)
	}
	if _, good := h.holds(first); good || len(h.tokens) != mostTokens {
		t.Errorf("%d tokens are kept, want %d; the first is good: %v", len(h.tokens), mostTokens, good)
	}
}

// TestANoticeThatIsNotServed: a service that does not answer is told, and is no proof of anything.
func TestANoticeThatIsNotServed(t *testing.T) {
	s, err := Listen("127.0.0.1", Config{Identity: identity(), Now: time.Now, Token: numbered()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Interrupt(context.Background(), Notice{Given: launched, Deadline: launched}); err == nil || !strings.Contains(err.Error(), "ask it for the notice") {
		t.Errorf("%v", err)
	}
}

// Where instances have addresses, each is told of itself alone; the harness is told whether a notice is given.
func TestStrangersAreToldNothing(t *testing.T) {
	const own, other = "172.18.0.3:40000", "172.18.0.4:40000"
	var said heard
	h := NewHandler(Config{Identity: identity(), Now: time.Now, Token: numbered(), Answered: said.answered})
	h.Place(netip.MustParseAddr("172.18.0.3"))
	ask := func(from, method, path string, header http.Header) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequest(method, path, nil)
		r.RemoteAddr, r.Header = from, header
		h.ServeHTTP(w, r)
		return w
	}
	seconds := http.Header{ttlHeader: {"60"}}
	if w := ask(other, http.MethodPut, tokenPath, seconds); w.Code != http.StatusForbidden {
		t.Errorf("a token for a stranger: %d %q", w.Code, w.Body)
	}
	token := ask(own, http.MethodPut, tokenPath, seconds)
	if token.Code != http.StatusOK {
		t.Fatalf("a token for the instance: %d", token.Code)
	}
	with := http.Header{tokenHeader: {token.Body.String()}}
	for from, want := range map[string]int{own: http.StatusOK, "[::ffff:172.18.0.3]:40000": http.StatusOK, other: http.StatusForbidden, "nowhere": http.StatusForbidden} {
		if w := ask(from, http.MethodGet, tagsPath+"/Name", with); w.Code != want {
			t.Errorf("asked from %s with the instance's token: %d, want %d", from, w.Code, want)
		}
	}
	if w := ask("127.0.0.1:40000", http.MethodGet, metaRoot+"/instance-id", http.Header{tokenHeader: {h.issue(time.Minute, true)}}); w.Code != http.StatusOK {
		t.Errorf("the harness asks: %d", w.Code)
	}
	if d := cmp.Diff([]string{"tags true", "tags true"}, said.all); d != "" {
		t.Errorf("the instance asked (-want +got):\n%s", d)
	}
}
