package run

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"throughline/collector"
	"throughline/collector/otlp"
	"throughline/compose"
	"throughline/scenarios/script"
)

// protocolOf is what the collector speaks where instances push by a protocol of the language.
func protocolOf(of string) otlp.Protocol {
	if of == script.OTLPGRPC {
		return otlp.GRPC
	}
	return otlp.HTTP
}

// shareOTLP opens the ports to which all instances push that have addresses of their own: one for each protocol that any role uses.
func (t *telemetry) shareOTLP() error {
	t.sharedOTLP = map[otlp.Protocol]string{}
	for _, role := range t.cfg.Scenario.Stack.Roles() {
		p := protocolOf(role.Metrics.OTLP)
		if role.Metrics.OTLP == "" || t.sharedOTLP[p] != "" {
			continue
		}
		addr, err := t.collector().ListenOTLP(otlp.Listener{Addr: net.JoinHostPort(t.cfg.Platform.Home(), "0"), Protocol: p, Origin: otlp.BySource})
		if err != nil {
			return err
		}
		t.sharedOTLP[p] = addr
	}
	return nil
}

// listenOTLP implements sensors: the collector takes what an instance pushes from before it starts.
func (t *telemetry) listenOTLP(name string, labels collector.Labels, protocol otlp.Protocol) (string, error) {
	t.replacing.RLock()
	defer t.replacing.RUnlock()
	if _, ok := t.cfg.Platform.(compose.Located); ok {
		return t.sharedOTLP[protocol], nil
	}
	return t.collector().ListenOTLP(otlp.Listener{Instance: name, Labels: labels, Addr: "127.0.0.1:0", Protocol: protocol})
}

// leastTimeout is how long an SDK may try to export before it gives up. It is no shorter than what a busy machine may take.
const leastTimeout = 10 * time.Second

// tellOTLP tells an instance by which protocol, where and how often it is to push its metrics, and who it is, by the variables of
// OpenTelemetry's SDKs. What a scenario sets itself stays.
// Sources: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and
// https://opentelemetry.io/docs/specs/otel/protocol/exporter/
func tellOTLP(i *compose.Instance, web script.Web, number int, addr string) {
	how := web.Metrics
	endpoint := "http://" + addr
	metrics := endpoint
	if protocolOf(how.OTLP) == otlp.HTTP {
		metrics += otlp.Path
	}
	resource := []string{"service.instance.id=" + i.Name, "cloud.availability_zone=" + zoneOf(number)}
	if web.Version != "" {
		resource = append(resource, "service.version="+web.Version)
	}
	for name, value := range map[string]string{
		"OTEL_METRICS_EXPORTER": "otlp", "OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none",
		"OTEL_EXPORTER_OTLP_PROTOCOL": how.OTLP, "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": how.OTLP,
		"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": metrics,
		"OTEL_EXPORTER_OTLP_INSECURE": "true",
		"OTEL_METRIC_EXPORT_INTERVAL": milliseconds(how.Every),
		"OTEL_METRIC_EXPORT_TIMEOUT":  milliseconds(max(how.Every, leastTimeout)),
		"OTEL_SERVICE_NAME":           web.RoleName(),
		"OTEL_RESOURCE_ATTRIBUTES":    strings.Join(resource, ","),
	} {
		if _, given := web.Env[name]; !given {
			i.Env[name] = value
		}
	}
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// push has the collector listen for what an instance pushes, and tells the instance where.
func (f *fleet) push(i *compose.Instance, web script.Web, number int) error {
	if web.Metrics.OTLP == "" {
		return nil
	}
	addr, err := f.sensors.listenOTLP(i.Name, f.labels(web, number), protocolOf(web.Metrics.OTLP))
	if err != nil {
		return fmt.Errorf("%s: %w", i.Name, err)
	}
	tellOTLP(i, web, number, addr)
	return nil
}
