# Everything a newcomer needs: `make demo` and `make test`. Each installs what
# it misses through `make deps`.

GO      ?= go
BINARY  := bin/throughline
# Fuzzing time of each target in `make fuzz`.
FUZZTIME ?= 30s
SOAKTIME ?= 10m
# How often `make ways` replaces an instance by each way in.
WAYSTIMES ?= 20
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Runs go test, and lists at the end what was skipped and why, which go test hides.
GOTESTSUM := gotest.tools/gotestsum@v1.13.0
GOTEST := $(GO) run $(GOTESTSUM) --format pkgname --format-hide-empty-pkg --format-icons text --

.PHONY: help deps peers browser images cluster cluster-up cluster-down test-cluster build release reproducible demo demo-docker workshop test test-all check bench bench-fleet bench-crowd ways soak fuzz clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 13

deps: ## install what is missing: HAProxy, foreign clients for the tests, Go modules
	@sh .ci/deps.sh

peers: deps ## install the programs that collector, inventory and stack are tried against: Prometheus, carbon, statsd_exporter, OpenTelemetry's Collector, Ansible, FerretDB
	@sh .ci/peers.sh

browser: ## install Chromium and a font, for the tests that look at pages
	@sh .ci/browser.sh

images: ## get the image and the Compose that tests in containers need: pulled, or made of packages
	@sh .ci/images.sh

# Where .ci/cluster.sh builds it, and compose/kubernetes/clustertest looks for it.
CLUSTER = $${XDG_CACHE_HOME:-$$HOME/.cache}/throughline/kubernetes-$$(sed -n 's/^\tk8s.io\/kubernetes //p' cluster/go.mod)/cluster

cluster: ## build a Kubernetes of several nodes for tests; 10 to 20 minutes the first time, then a second
	@sh .ci/cluster.sh

cluster-up: cluster ## bring it up with three nodes, and leave it running; wants root
	@$(CLUSTER) up

cluster-down: ## take it down, and remove what a killed one has left
	@$(CLUSTER) down

# All of cluster/ but what imports Kubernetes, which takes minutes to compile. What does is compiled as the program was, from the same cache.
# They are told by their folders: `go list ./...` would download all that Kubernetes is made of.
LIGHT = . $$(ls -d */ | grep -v -e ^kubernetes/ -e ^endtoend/ | sed 's|^|./|')
test-cluster: cluster images ## bring clusters up and down, kill their nodes, run the stack's pods and whole scenarios on one; ten minutes; wants root
	cd cluster && $(GOTEST) -race $(LIGHT)
	cd cluster && CGO_ENABLED=0 $(GOTEST) -trimpath -timeout 20m -count 1 ./endtoend
	THROUGHLINE_CLUSTER=$${THROUGHLINE_CLUSTER:-0} $(GOTEST) -p 1 -timeout 20m -count 1 ./compose/kubernetes/... # one after the other: some kill nodes
	THROUGHLINE_CLUSTER=$${THROUGHLINE_CLUSTER:-0} THROUGHLINE_TESTS=all $(GOTEST) -timeout 20m -count 1 -run '^TestPods' ./cmd/throughline

build: deps ## build bin/throughline
	CGO_ENABLED=0 $(GO) build -o $(BINARY) ./cmd/throughline

TARGETS ?= linux/amd64,linux/arm64,darwin/amd64,darwin/arm64

release: ## make what is published, in dist: archives for TARGETS, manual pages, bills of materials, checksums
	$(GO) run ./release -targets $(TARGETS)

# The second time in another place and with another cache, so that nothing is merely found again.
reproducible: ## make a release of this machine's platform twice, in two places, and compare the bytes; compiles everything twice
	@work=$$(mktemp -d); trap 'chmod -R u+w $$work; rm -rf $$work' EXIT; set -e; \
	target=$$($(GO) env GOOS)/$$($(GO) env GOARCH); \
	git clone -q --no-hardlinks . $$work/elsewhere; \
	git clone -q --no-hardlinks . $$work/here; \
	(cd $$work/here && $(GO) run ./release -targets $$target -out $$work/one); \
	(cd $$work/elsewhere && GOCACHE=$$work/cache $(GO) run ./release -targets $$target -out $$work/two); \
	diff -r $$work/one $$work/two && cat $$work/one/SHA256SUMS && echo "the same, to the byte"

demo: build ## run the talk's scene: replace an instance, keep the metrics
	./$(BINARY) run replace-an-instance

demo-docker: build ## the same with every instance in a container; needs a Docker engine on this machine
	./$(BINARY) run --platform docker replace-an-instance

workshop: build ## play the talk on a real stack, slide by slide, led by a page
	./$(BINARY) workshop

test: build browser ## on every change, under 5 minutes: unit tests with the race detector, saved records, one run of each platform; says what was skipped and why
	$(GOTEST) -race -short -timeout 10m ./...
	$(GOTEST) -short ./scenarios/gallery ./scenarios/datadog

# Whole stacks are run when nothing else is: on a busy machine they prove little. What
# judges records has no goroutines and is slow with the race detector, which sees a part of it:
# all saved records, and ten times as many made-up histories, are judged without. Datadog's client, which takes as
# long to compile as all else, is compiled once.
JUDGES := ./scenarios/check ./scenarios/gallery ./scenarios/datadog
test-all: build browser ## all tests, as CI runs them, nearly all with the race detector: every stack, every made-up history
	THROUGHLINE_TESTS=all $(GOTEST) -race -timeout 20m $$($(GO) list ./... | grep -v /cmd/throughline$$)
	THROUGHLINE_TESTS=all $(GOTEST) -timeout 20m $(JUDGES)
	THROUGHLINE_TESTS=all $(GOTEST) -race -timeout 30m ./cmd/throughline

check: build ## what CI asks beside the tests: formatting, vet, staticcheck
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "not formatted (run gofmt -w):"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	GOOS=darwin $(GO) vet ./compose/local ./collector/statsd/...
	$(GO) run $(STATICCHECK) ./...
	cd cluster && $(GO) vet $(LIGHT) && $(GO) run $(STATICCHECK) $(LIGHT)

bench: build peers ## the figures: docstore, collector, load generator, judge
	$(GO) test -run '^$$' -bench . -skip Crowd -benchtime 2s -timeout 20m ./compose/docstore ./collector/... ./loadgen/... $$($(GO) list ./scenarios/... | grep -v /fleet$$) ./app/... ./cmd/...

bench-fleet: ## simulated fleets of 100, 1,000 and 10,000 instances: how collector, autoscaler and judge grow; minutes
	$(GO) test -run '^$$' -bench Fleet -benchtime 1x -timeout 120m ./scenarios/fleet

bench-crowd: deps ## 300 real instances that come and go, and 300 at once: who uses how much; minutes, on an idle machine
	$(GO) test -run '^$$' -bench Crowd -benchtime 1x -timeout 20m ./cmd/throughline

ways: build peers ## replace an instance WAYSTIMES times by each way in, behind agents of others, and beside a Prometheus; hours, on an idle machine
	$(GO) test -count $(WAYSTIMES) -timeout 24h -v -run '^(TestWaysIn|TestAgentsOfOthers|TestMetricsFrom.*|TestExternalHealthy|TestInterruptedBy.*|TestInterruptedBesideAServer|TestInterruptedExternal)$$' ./cmd/throughline

soak: deps ## the collector at half its rate for SOAKTIME, with the race detector
	THROUGHLINE_SOAK=$(SOAKTIME) $(GO) test -race -v -count 1 -timeout 60m -run '^TestSoak$$' ./collector/server

fuzz: deps ## each fuzz target for FUZZTIME
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r dir; do \
		for target in $$(grep -rhoE '^func Fuzz[A-Za-z0-9_]*' $$dir --include='*_test.go' | sed 's/func //'); do \
			echo "fuzz: $$dir $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$dir || exit 1; \
		done; done

clean: ## remove what was built and recorded
	rm -rf bin dist runs
