package record

// The names of the series in a record that no instance has sent, by who tells them. The
// pollers of collector/poll and the collector itself make them.

// HAProxy's statistics: a prefix and the field of its CSV. Source:
// https://docs.haproxy.org/2.6/management.html#9.1
const (
	FrontendPrefix = "haproxy_frontend_"
	BackendPrefix  = "haproxy_backend_"
	ServerPrefix   = "haproxy_server_" // by instance
)

// What httpd counts, by the web instance that it stands before. ApacheAnswers is by its access log, and begins anew with no process.
const (
	ApachePrefix = "apache_"
	// ApacheAnswers are the answers with 2xx that it passed on; others are named by their class.
	ApacheAnswers = ApachePrefix + "answered_2xx_total"
	// ApacheOwnAnswers are those that it made itself, by code.
	ApacheOwnAnswers = ApachePrefix + "own_answers_total"
)

// What beacons of pages made, by the label route: how many the collector counted, and how long users waited, in
// milliseconds, as their pages tell.
const (
	PageViews   = "rum_page_views_total"
	PageLatency = "rum_page_latency"
	LabelRoute  = "route"
)

// Opcounters is the database server's own count of operations, by type. It begins
// anew when the server does.
// Source: https://www.mongodb.com/docs/manual/reference/command/serverStatus/#opcounters
const Opcounters = "mongodb_opcounters_total"

// OpcountersRepl is what a member of a replica set has carried out after another one, by type: with its own [Opcounters]
// that is all that the set has carried out since the member began.
// Source: https://www.mongodb.com/docs/manual/reference/command/serverStatus/#opcountersrepl
const OpcountersRepl = "mongodb_opcounters_repl_total"

// RolledBack is how many documents of writes a member had acknowledged, and took back as another primary had not heard of
// them. The embedded database tells it.
const RolledBack = "mongodb_rolled_back_total"

// The two views of a web instance's CPU, by instance: that of the host, and that of an
// agent inside.
const (
	HostSeconds   = "host_cpu_seconds_total"
	HostLimit     = "host_cpu_limit_cores"
	HostPeriods   = "host_cpu_periods_total"
	HostThrottled = "host_cpu_throttled_periods_total"
	HostStopped   = "host_cpu_throttled_seconds_total" // summed over CPUs
	AgentSeconds  = "agent_cpu_seconds_total"
)

// CloudWatchPrefix begins the names of what CloudWatch tells. Its points have times of their own, those at which their
// periods begin.
const CloudWatchPrefix = "aws_"

// A web instance's CPU as CloudWatch tells it, by instance: percent of the CPUs of its [Monitoring] on average over a
// period, and how many samples of the hypervisor that is of.
const (
	HypervisorCPU     = CloudWatchPrefix + "ec2_cpuutilization_average"
	HypervisorSamples = CloudWatchPrefix + "ec2_cpuutilization_sample_count"
)

// LabelVersion is the label of an instance's series, and the tag that it is told, in a
// scenario that has versions.
const LabelVersion = "version"

// The figures that the collector has of its own work begin with a prefix.
const (
	CollectorPrefix = "throughline_collector_"
	// BeaconFigures begin those of its beacons, which it gives apart from the others.
	BeaconFigures = CollectorPrefix + "rum_"
	// PushedFigures begin those of what it took in by OTLP, which it gives apart, too.
	PushedFigures = CollectorPrefix + "otlp_"
	// FlushLateness is its own measure of how late its intervals ended.
	FlushLateness = CollectorPrefix + "flush_lateness_seconds"
	// StartTime is when it was started, in seconds since 1970.
	StartTime = CollectorPrefix + "start_time_seconds"
	// ClockSteps counts how often the wall clock was set while it ran.
	ClockSteps = CollectorPrefix + "clock_steps_total"
	// PollDuration is how long polls took, and PollSuccess whether they brought anything, by poller.
	PollDuration = CollectorPrefix + "poll_duration_seconds"
	PollSuccess  = CollectorPrefix + "poll_success"
	// ScrapeFigures begin those of its scrapes, which each have times of their own.
	ScrapeFigures = CollectorPrefix + "scrape_"
	// ScrapeDuration is how long scrapes took, by instance: what one gives is of a moment in that time. ScrapeSuccess tells whether
	// they brought anything, and ScrapeFailures counts those that did not, by instance and reason.
	ScrapeDuration = CollectorPrefix + "scrape_duration_seconds"
	ScrapeSuccess  = CollectorPrefix + "scrape_success"
	// ScrapeSamples is how many samples the last scrape of an instance brought.
	ScrapeSamples  = CollectorPrefix + "scrape_samples"
	ScrapeFailures = CollectorPrefix + "scrape_failures_total"
	// ScrapeLateness is how long after they were due scrapes began.
	ScrapeLateness = CollectorPrefix + "scrape_lateness_seconds"
	// CreatedSuffix ends the name of the series that tells when another one of an instance that is scraped began, in seconds since 1970.
	CreatedSuffix = "_created"
	// CloudWatchPoller is the one that asks CloudWatch.
	CloudWatchPoller = "cloudwatch"
)

// External is the [Run.Platform] of a stack that ran already.
const External = "external"

// NoDatabase is what the record of a stack without one has as its database.
const NoDatabase = "none"
