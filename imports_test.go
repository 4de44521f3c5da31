// Package throughline_test keeps the arrows between the packages: who may
// import whom, and why not.
package throughline_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "throughline"

// law forbids packages in and below From, but not in and below any of Except, to import
// packages in and below any of Not, except for those in But.
type law struct {
	From   string
	Except []string
	Not    []string
	But    []string
	Why    string
}

var laws = []law{
	{From: "scenarios/check", Not: []string{"compose", "loadgen"},
		Why: "a judge works from the record, so that old runs can be judged again"},
	{From: "scenarios/script", Not: []string{""}, But: []string{"scenarios/script", "scenarios/autoscale", "scenarios/metric", "expand", "spelling"},
		Why: "the language is read without knowing who carries it out; which metric is meant, what its templates expand to, what a misspelt word meant, and what an autoscaler's policy comes to, is everybody's"},
	{From: "scenarios/autoscale", Not: []string{""}, But: []string{"scenarios/autoscale"},
		Why: "how many instances a metric calls for is told alike of what was measured and of what was true"},
	{From: "scenarios/metric", Not: []string{""}, But: []string{"scenarios/metric"},
		Why: "which series a metric means is told alike of scenarios, records and pictures"},
	{From: "spelling", Not: []string{""}, But: []string{"spelling"},
		Why: "which word was meant is told alike of scenarios, metrics and flags"},
	{From: "expand", Not: []string{""}, But: []string{"expand"},
		Why: "templates are read alike by whoever reads a scenario and whoever starts its instances"},
	{From: "scratch", Not: []string{""}, But: []string{"scratch"},
		Why: "a temporary directory is the same whatever is kept there"},
	{From: "scenarios/record", Not: []string{""}, But: []string{"scenarios/record", "scenarios/autoscale", "scenarios/metric", "collector"},
		Why: "a record is plain data: the vocabulary of samples and decisions is all it needs"},
	{From: "collector", Not: []string{"scenarios", "compose", "loadgen"},
		Why: "measuring must not know what is being proved"},
	{From: "compose", Not: []string{"scenarios", "collector", "loadgen"},
		Why: "a platform does not know why it is asked to kill"},
	{From: "loadgen", Not: []string{""}, But: []string{"loadgen"},
		Why: "users know nothing but an address"},
	{From: "", Except: []string{"loadgen/crew", "scenarios/run", "cmd"}, Not: []string{"loadgen/crew"},
		Why: "whether several processes share the load is the run's to decide; all else has one ledger either way"},
	{From: "", Except: []string{"compose/imds", "scenarios/run"}, Not: []string{"compose/imds"},
		Why: "who an instance is in the cloud is told by the run alone, and read from its record"},
	{From: "", Except: []string{"compose/cloudwatch", "scenarios/run"}, Not: []string{"compose/cloudwatch"},
		Why: "what the hypervisor counts is told by the run alone, over the wire, and read from its record"},
	{From: "app", Not: []string{""}, But: []string{"app"},
		Why: "the patient is reached over the wire only"},
	{From: "", Except: []string{"app", "cmd"}, Not: []string{"app"},
		Why: "the patient is reached over the wire only; the command line starts it"},
	{From: "agent", Not: []string{""}, But: []string{"agent"},
		Why: "an agent is a patient too, reached over the wire only"},
	{From: "", Except: []string{"agent", "cmd"}, Not: []string{"agent"},
		Why: "an agent is a patient too; the command line starts it"},
	{From: "scenarios/report", Not: []string{"compose", "loadgen", "scenarios/run"},
		Why: "a report is made from record and verdict, also of a run long ago"},
	{From: "scenarios/picture", Not: []string{""}, But: []string{"scenarios/picture", "scenarios/record", "scenarios/autoscale", "scenarios/metric", "scenarios/check/verdict", "scenarios/check/words", "collector"},
		Why: "a run that goes on is drawn before anybody judges it; words writes numbers as findings do, which are of verdict"},
	{From: "scenarios/trial", Not: []string{"compose/local", "compose/docker", "compose/kubernetes", "compose/haproxy", "collector", "loadgen"},
		Why: "whoever has a scenario run is handed a platform, and knows none by name"},
	{From: "scenarios/fault", Not: []string{"scenarios", "loadgen"}, But: []string{"scenarios/fault"},
		Why: "a fault does not know why it is injected, nor what will be asked of it"},
	{From: "scenarios/run", Not: []string{"scenarios/check", "scenarios/report"},
		Why: "first record, then judge: the clockwork must not know what will be asked of its record"},
	{From: "scenarios/gallery", Not: []string{"compose", "loadgen", "scenarios/run", "scenarios/report"},
		Why: "the gallery says what must be found and scores it; to run it is trial's"},
	{From: "scenarios/datadog", Not: []string{"compose", "loadgen", "scenarios/run", "scenarios/report"},
		Why: "what a scenario promises is said in another language without running it"},
	{From: "scenarios/exam", Not: []string{""}, But: []string{"scenarios/exam", "scenarios/script", "scenarios/record", "scenarios/check/verdict"},
		Why: "an examination is scenarios and verdicts; who runs and judges them is not its affair"},
	{From: "scenarios/look", Not: []string{""}, But: []string{"scenarios/look", "collector/dogstatsd"},
		Why: "an application is looked at over the wire, whoever runs it"},
	{From: "scenarios/synthetic", Not: []string{""}, But: []string{"scenarios/synthetic", "scenarios/record", "scenarios/autoscale", "scenarios/script", "collector"},
		Except: []string{"scenarios/synthetic/confusion"}, Why: "runs are made up without knowing how they will be judged"},
	{From: "scenarios/synthetic/confusion", Not: []string{"compose", "loadgen", "scenarios/run", "scenarios/report"},
		Why: "runs are made up, not run; to show what came of them is the command line's"},
	{From: "scenarios/check", Not: []string{"scenarios/synthetic", "scenarios/gallery"},
		Why: "a judge that knows how it is measured is measured no more"},
	{From: "scenarios/check/verdict", Not: []string{""}, But: []string{"scenarios/check/verdict"},
		Why: "what a judgement says is read by many who judge nothing"},
	{From: "scenarios/check/evidence", Not: roomsOfRules, Why: rulesWhy},
	{From: "scenarios/check/account", Not: roomsOfRules, Why: rulesWhy},
	{From: "scenarios/check/diagnose", Not: roomsOfRules, Why: rulesWhy},
	{From: "scenarios/check/evidence", Not: []string{"scenarios/check/account", "scenarios/check/diagnose"},
		Why: "what was recorded is laid out before anybody asks what it comes to"},
	{From: "scenarios/check/diagnose", Not: []string{"scenarios/check/evidence", "scenarios/check/account"},
		Why: "causes are found in a case that is laid before them, whatever record it comes from"},
	{From: "scenarios/check", Except: []string{"scenarios/check/story"}, Not: []string{"docs"},
		Why: "what a cause is called and how it is repaired must not decide what is found"},
	{From: "scenarios/check/honesty", Not: siblings("scenarios/check", "honesty"), Why: siblingsWhy},
	{From: "scenarios/check/scaling", Not: siblings("scenarios/check", "scaling"), Why: siblingsWhy},
	{From: "scenarios/check/signals", Not: siblings("scenarios/check", "signals"), Why: siblingsWhy},
	{From: "scenarios/check/tiers", Not: siblings("scenarios/check", "tiers"), Why: siblingsWhy},
	{From: "compose/local", Not: siblings("compose", "local"), Why: siblingsWhy},
	{From: "compose/docker", Not: siblings("compose", "docker"), Why: siblingsWhy},
	{From: "compose/kubernetes", Not: siblings("compose", "kubernetes"), Why: siblingsWhy},
	{From: "compose/kubernetes/inside", Not: []string{""}, But: []string{"compose/kubernetes/inside"},
		Why: "the first process of a pod is told what to execute, and knows neither instances nor clusters"},
	{From: "compose/kubernetes/job", Not: []string{""}, But: []string{"compose/kubernetes", "compose"},
		Why: "a Job is made, followed and deleted without knowing what runs in it"},
	{From: "compose/kubernetes/deployment", Not: []string{""}, But: []string{"compose/kubernetes/deployment", "compose/kubernetes", "compose"},
		Why: "what a Deployment's pods did is told as the API has it; what an instance is, whoever follows it says"},
	{From: "compose/external", Not: siblings("compose", "external"), Why: siblingsWhy},
	{From: "compose/haproxy", Not: siblings("compose", "haproxy"), Why: siblingsWhy},
	{From: "compose/httpd", Not: siblings("compose", "httpd"), Why: siblingsWhy},
	{From: "compose/docstore", Not: siblings("compose", "docstore"), Why: siblingsWhy},
	{From: "compose/docstore/replica", Not: []string{""}, But: []string{"compose/docstore/replica"},
		Why: "a log is kept alike on several machines without knowing what is in it"},
	{From: "compose/mongoset", Not: []string{""}, But: []string{"compose/mongoset"},
		Why: "members are told what to do alike whatever program they are"},
	{From: "compose/imds", Not: siblings("compose", "imds"), Why: siblingsWhy},
	{From: "compose/cloudwatch", Not: siblings("compose", "cloudwatch"), Why: siblingsWhy},
	{From: "compose/platformtest", Not: siblings("compose", "platformtest"), Why: siblingsWhy},
	{From: "collector/dogstatsd", Not: siblings("collector", "dogstatsd"), Why: siblingsWhy},
	{From: "collector/statsd", Not: siblings("collector", "statsd"), But: []string{"collector/dogstatsd"}, Why: siblingsWhy},
	{From: "collector/poll", Not: siblings("collector", "poll"), Why: siblingsWhy},
	{From: "collector/otlp", Not: siblings("collector", "otlp"), Why: siblingsWhy},
	{From: "collector/rum", Not: siblings("collector", "rum"), Why: siblingsWhy},
	{From: "collector/grid", Not: []string{""}, But: []string{"collector/grid", "collector"},
		Why: "time is cut alike for all that is pushed"},
	{From: "collector/scrape", Not: siblings("collector", "scrape"), But: []string{"collector/prom"}, Why: siblingsWhy},
	{From: "collector/readback", Not: siblings("collector", "readback"), But: []string{"collector/prom"}, Why: siblingsWhy},
	{From: "collector/prom", Not: []string{""}, But: []string{"collector/prom", "collector"},
		Why: "what Prometheus has means the same whichever way it came"},
	{From: "collector/histogram", Not: []string{""}, But: []string{"collector/histogram", "collector"},
		Why: "times are added up alike whatever way they came in"},
	{From: "collector/series", Not: siblings("collector", "series"), Why: siblingsWhy},
	{From: "collector/forward", Not: siblings("collector", "forward"), Why: siblingsWhy},
	{From: "collector/server", Not: siblings("collector", "server"),
		Why: "what runs sources and sinks knows none by name, so that another way in or out changes nothing in it"},
	{From: "", Except: []string{"collector/server", "collector/pipeline"}, Not: []string{"collector/server"},
		Why: "a collector is put together in one place, so that another way in or out is one edit"},
	{From: "", Except: []string{"collector/pipeline", "collector/process", "scenarios/run", "cmd"}, Not: []string{"collector/pipeline"},
		Why: "who measures is the run's and the command line's to start; all else has what was measured from the store or the record"},
	{From: "", Except: []string{"collector/process", "scenarios/run", "cmd"}, Not: []string{"collector/process"},
		Why: "whether the collector is a process of its own is the run's to decide; all else has a collector either way"},
	{From: "collector/sourcetest", Not: siblings("collector", "sourcetest"),
		Why: "the contract of a way in knows none"},
	{From: "", Except: []string{"browsertest"}, Not: []string{"browsertest"},
		Why: "a browser is for tests, and in no program of ours"},
	{From: "browsertest", Not: []string{""}, But: []string{"browsertest", "scratch"},
		Why: "pages are looked at without knowing what they show"},
	{From: "", Except: []string{"compose/kubernetes/clustertest"}, Not: []string{"compose/kubernetes/clustertest"},
		Why: "a cluster that is brought up is for tests, and in no program of ours"},
	{From: "compose/kubernetes/clustertest", Not: []string{""}, But: []string{"compose/kubernetes/clustertest"},
		Why: "a cluster is brought up without knowing what will run on it"},
	{From: "workshop", Not: []string{""}, But: []string{"workshop", "live", "spelling"},
		Why: "the talk says what is to be done and seen; who does it, and what was seen, is handed in"},
	{From: "live", Not: []string{""}, But: []string{"live", "scratch"},
		Why: "what a run shows is told alike to a terminal and to a page, and neither is known; where a stack is up is kept in a temporary directory"},
	{From: "live/handover", Not: siblings("live", "handover"), Why: siblingsWhy},
	{From: "live/inventory", Not: siblings("live", "inventory"), Why: siblingsWhy},
	{From: "live/page", Not: siblings("live", "page"), Why: siblingsWhy},
	{From: "cmd/throughline/cli", Not: []string{""}, But: []string{"cmd/throughline/cli", "spelling"},
		Why: "how a command line behaves is the same whatever its commands do"},
	{From: "release", Not: []string{""}, But: []string{"release"},
		Why: "what is published is built and packed without knowing what it does"},
	{From: "collector/statsd/socket", Not: []string{""}, But: []string{"collector/statsd/socket"},
		Why: "payloads are carried without knowing what is in them"},
}

// roomsOfRules are where the rules of the judge are.
var roomsOfRules = []string{"scenarios/check/honesty", "scenarios/check/scaling", "scenarios/check/signals", "scenarios/check/tiers"}

const rulesWhy = "what all rules share must not lean on one of them, or on a verdict that another came to"

const siblingsWhy = "siblings are put together by their parent's user, so that each can be read and replaced alone"

var families = map[string][]string{
	"compose":         {"local", "docker", "kubernetes", "external", "haproxy", "httpd", "docstore", "imds", "cloudwatch", "mongoset", "platformtest"},
	"collector":       {"dogstatsd", "statsd", "otlp", "poll", "rum", "scrape", "series", "forward", "server", "sourcetest", "pipeline", "process"},
	"scenarios/check": {"honesty", "scaling", "signals", "tiers", "story"},
	"live":            {"handover", "inventory", "page", "remote"},
}

func siblings(parent, me string) []string {
	var others []string
	for _, name := range families[parent] {
		if name != me {
			others = append(others, parent+"/"+name)
		}
	}
	return others
}

// heavy are the dependencies that one package each hides from the rest.
var heavy = map[string][]string{
	"github.com/prometheus/prometheus":            {"collector/series", "collector/forward", "collector/scrape", "collector/prom", "collector/readback"}, // forward uses its prompb, the messages of remote write; scrape its parser
	"github.com/tsenart/vegeta/v12/lib":           {"loadgen"},
	"go.opentelemetry.io/collector/pdata":         {"collector/otlp"},
	"github.com/prometheus/otlptranslator":        {"collector/otlp"},
	"google.golang.org/grpc":                      {"collector/otlp"},
	"go.opentelemetry.io/otel":                    {"app"},              // OpenTelemetry's SDK, and its exporters
	"github.com/yuin/goldmark":                    {"scenarios/report"}, // diagnoses are Markdown
	"github.com/gin-gonic/gin":                    {"app"},
	"github.com/prometheus/client_golang":         {"app", "collector/forward", "collector/readback"}, // forward uses its exp, the sender of remote write
	"github.com/hashicorp/raft":                   {"compose/docstore/replica"},
	"github.com/hashicorp/raft-wal":               {"compose/docstore/replica"},
	"github.com/DataDog/datadog-go/v5":            {"app"},
	"github.com/aws/aws-sdk-go-v2":                {"app", "collector/poll"}, // the clients of the metadata service and of CloudWatch
	"github.com/fxamacker/cbor/v2":                {"compose/cloudwatch"},
	"go.etcd.io/bbolt":                            {"compose/docstore"},
	"github.com/FerretDB/wire":                    {"compose/docstore"},
	"github.com/goccy/go-yaml":                    {"scenarios/script", "collector/readback"},
	"github.com/spf13/cobra":                      {"cmd/throughline"},
	"github.com/kballard/go-shellquote":           {"cmd/throughline"},
	"github.com/CycloneDX/cyclonedx-go":           {"release"},
	"go.mongodb.org/mongo-driver/v2":              {"app", "collector/poll", "compose/docstore", "compose/mongoset"}, // docstore uses its bson
	"github.com/axiomhq/hyperloglog":              {"collector/statsd"},
	"github.com/prometheus/procfs":                {"collector/poll", "compose/local"},
	"github.com/cenkalti/backoff/v5":              {"collector/forward"},
	"github.com/testcontainers/testcontainers-go": {"compose/docker"},
	"k8s.io/client-go":                            {"compose/kubernetes"},
	"github.com/chromedp":                         {"browsertest"},
	"gonum.org/v1/gonum":                          {"scenarios/check/account", "scenarios/check/diagnose", "scenarios/check/signals", "scenarios/gallery"}, // binomial intervals: of sampling, of the figures
}

func TestImports(t *testing.T) {
	imports := load(t)
	for _, r := range laws {
		for _, name := range slices.Concat([]string{r.From}, r.Except, r.Not, r.But) {
			if !exists(name, imports) {
				t.Errorf("the law for %q names %q, which is gone: mend the law", r.From, name)
			}
		}
		for _, wrong := range r.broken(imports) {
			t.Error(wrong)
		}
	}
	checkJoins(t, imports)
	for dependency, owners := range heavy {
		used := false
		for from, to := range imports {
			for _, path := range to {
				if !within(path, dependency) {
					continue
				}
				used = true
				if !withinAny(from, owners) {
					t.Errorf("%s imports %s: only %s may, so that a heavy dependency stays behind one door", from, path, strings.Join(owners, ", "))
				}
			}
		}
		if !used {
			t.Errorf("nobody imports %s any more: take it out of this test and out of go.mod", dependency)
		}
	}
}

// TestEveryLawBites: each package that a law forbids is found where it is imported.
func TestEveryLawBites(t *testing.T) {
	packages := load(t)
	for _, r := range laws {
		bites := false
		for _, not := range r.Not {
			for name := range packages {
				if !within(name, not) || withinAny(name, r.But) || r.From == "" && name == "" {
					continue
				}
				bites = true
				from := r.From
				if from == "" {
					from = "loadgen" // somebody whom the law does not spare
				}
				if wrong := r.broken(map[string][]string{from: {module + "/" + name}}); len(wrong) != 1 {
					t.Errorf("%s may import %s: %q", from, name, wrong)
				}
				if wrong := r.broken(map[string][]string{from: {"fmt", module + "x/" + name}}); len(wrong) != 0 {
					t.Errorf("%s may not import what is not ours: %q", from, wrong)
				}
			}
		}
		if !bites {
			t.Errorf("the law for %q forbids nothing that there is: %+v", r.From, r)
		}
	}
}

// broken tells which imports a law forbids.
func (r law) broken(imports map[string][]string) (wrong []string) {
	for from, to := range imports {
		if !within(from, r.From) || withinAny(from, r.Except) {
			continue
		}
		for _, path := range to {
			path, ours := strings.CutPrefix(path, module+"/")
			if ours && withinAny(path, r.Not) && !withinAny(path, r.But) {
				wrong = append(wrong, fmt.Sprintf("%s imports %s: %s", from, path, r.Why))
			}
		}
	}
	return wrong
}

// joiners are those who may have both a run and a judge below them.
var joiners = []string{"scenarios/trial", "cmd"}

// checkJoins keeps everybody else from joining the two, directly or by way of another:
// a run that could ask the judge, or a judge that could ask the run, would have more
// than the record between them.
func checkJoins(t *testing.T, imports map[string][]string) {
	t.Helper()
	for from := range imports {
		below := map[string]bool{}
		reach(from, imports, below)
		if below["scenarios/run"] && below["scenarios/check"] && !withinAny(from, joiners) {
			t.Errorf("%s has both scenarios/run and scenarios/check below it: only %s may, so that nothing but the record is between run and judge",
				from, strings.Join(joiners, " and "))
		}
	}
	for _, name := range append(joiners, "scenarios/run", "scenarios/check") {
		if !exists(name, imports) {
			t.Errorf("the law who joins run and judge names %q, which is gone: mend the law", name)
		}
	}
}

// reach adds from, and all of ours that it imports by any way, to found.
func reach(from string, imports map[string][]string, found map[string]bool) {
	if found[from] {
		return
	}
	found[from] = true
	for _, path := range imports[from] {
		if path, ours := strings.CutPrefix(path, module+"/"); ours {
			reach(path, imports, found)
		}
	}
}

// within tells whether path is root or below it. Everything is below "".
func within(path, root string) bool {
	return root == "" || path == root || strings.HasPrefix(path, root+"/")
}

func withinAny(path string, roots []string) bool {
	for _, root := range roots {
		if within(path, root) {
			return true
		}
	}
	return false
}

func exists(name string, imports map[string][]string) bool {
	for path := range imports {
		if within(path, name) {
			return true
		}
	}
	return false
}

// load gives the direct imports of every package of ours, tests left out.
func load(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	imports := map[string][]string{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		imports[strings.TrimPrefix(p.ImportPath, module+"/")] = p.Imports
	}
	if len(imports) < 10 {
		t.Fatalf("go list found %d packages only: %v", len(imports), imports)
	}
	return imports
}
