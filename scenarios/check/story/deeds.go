package story

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// deeds are what was done to the stack under load, as the journal has it: whose life ended
// how, who came, and which faults began. "web-2 was killed", "web-4 took its place".
func (t *teller) deeds() []string {
	d := deeds{t: t, noticed: map[string]bool{}}
	for _, ev := range t.h.Events {
		d.note(ev)
	}
	d.pair()
	slices.SortStableFunc(d.all, func(a, b deed) int { return int(a.at - b.at) })
	var out []string
	for _, one := range d.all {
		if len(one.of) == 0 {
			continue
		}
		if text := one.text(one.of); !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// deed is something done to some instances, or to no instance in particular.
type deed struct {
	at   time.Duration // when it was done first
	of   []string      // instances; one empty name: it is not done to instances
	text func(of []string) string
}

// deeds reads the journal.
type deeds struct {
	t                                    *teller
	replacing                            bool            // a step that replaces is under way
	rolling                              bool            // a step that deploys, or goes back
	rolled                               string          // its version
	stepping                             bool            // a step is under way
	onAgent                              bool            // a step on an agent is
	noticed                              map[string]bool // whom a cloud gave notice
	killed, ended, launched, gone, fresh deed            // gone, fresh: by a step that replaces
	interrupted                          deed
	agentsKilled, agentsEnded            deed
	out, in                              deed // by the autoscaler
	all                                  []deed
}

func (d *deeds) note(ev record.Event) {
	under := d.t.begin != record.Never && ev.At >= d.t.begin && (d.t.end == record.Never || ev.At < d.t.end)
	switch {
	case !under:
	case ev.Kind == record.StepBegin:
		d.replacing, d.stepping = strings.HasPrefix(ev.Step, script.Replace{}.Kind()+" "), true
		d.onAgent = strings.Contains(ev.Step, " "+script.AgentRole+"-")
		if d.rolling = rolls(ev.Step); d.rolling {
			d.all = append(d.all, d.rollDeed(ev))
		}
	case ev.Kind == record.StepEnd:
		d.memberStep(ev)
		d.replacing, d.rolling, d.stepping, d.onAgent = false, false, false, false
	case ev.Kind == record.FaultBegin:
		d.all = append(d.all, faultDeed(ev))
	case ev.Kind == record.Limited:
		d.all = append(d.all, limitDeed(ev))
	case d.onAgent && ev.Kind == record.Signalled && ev.Role == record.Agent && ev.Signal == evidence.SigKill:
		d.agentsKilled.add(ev)
	case d.onAgent && ev.Kind == record.Signalled && ev.Role == record.Agent:
		d.agentsEnded.add(ev)
	case !ev.Role.Application():
	case d.rolling && ev.Kind == record.Birth && ev.Version == d.rolled, d.rolling && ev.Kind == record.Death && ev.Expected:
	case ev.Kind == record.Birth && d.scaling():
		d.out.add(ev)
	case ev.Kind == record.Death && ev.Expected && d.scaling():
		d.in.add(ev)
	case ev.Kind == record.Birth && d.replacing:
		d.fresh.add(ev)
	case ev.Kind == record.Birth:
		d.launched.add(ev)
	case ev.Kind == record.Death && ev.Expected && d.t.life(ev.Instance).Signal == evidence.SigKill:
		d.killed.add(ev)
	case ev.Kind == record.Noticed:
		d.noticed[ev.Instance] = true
	case ev.Kind == record.Death && ev.Expected && d.noticed[ev.Instance]:
		d.interrupted.add(ev)
	case ev.Kind == record.Death && ev.Expected && d.replacing:
		d.gone.add(ev)
	case ev.Kind == record.Death && ev.Expected:
		d.ended.add(ev)
	}
}

// memberStep tells of a step on a member of the database that had its effect.
func (d *deeds) memberStep(ev record.Event) {
	text := ""
	switch ev.Step {
	case script.Kill{Instance: script.Primary}.String():
		text = fmt.Sprintf("the primary %s was killed", ev.Instance)
	case script.StepDown{}.String():
		text = fmt.Sprintf("the primary %s stepped down", ev.Instance)
	case script.Launch{Count: 1, Member: true}.String():
		text = "the database got another member"
	}
	if text != "" && ev.Error == "" {
		d.all = append(d.all, deed{at: ev.At, of: []string{ev.Instance}, text: func([]string) string { return text }})
	}
}

// scaling tells whether what happens to an instance now is the autoscaler's doing: no step of
// the scenario is under way.
func (d *deeds) scaling() bool { return d.t.s.Autoscale != nil && !d.stepping }

func (d *deed) add(ev record.Event) {
	if len(d.of) == 0 {
		d.at = ev.At
	}
	d.of = append(d.of, ev.Instance)
}

// pair says of whom it was the place that a new instance took.
func (d *deeds) pair() {
	if len(d.gone.of) != len(d.fresh.of) { // the step did not do all it should
		d.ended.merge(d.gone)
		d.launched.merge(d.fresh)
		d.gone, d.fresh = deed{}, deed{}
	}
	replaced := d.gone
	fresh := d.fresh.of
	replaced.text = func(of []string) string {
		if len(of) == 1 {
			return of[0] + " was replaced by " + fresh[0]
		}
		return number(of) + " were replaced"
	}
	d.killed.text = func(of []string) string { return passive(of, "killed") }
	d.ended.text = func(of []string) string { return passive(of, "terminated") }
	d.agentsKilled.text = func(of []string) string { return passive(of, "killed") }
	d.agentsEnded.text = func(of []string) string { return passive(of, "terminated") }
	d.interrupted.text = func(of []string) string { return passive(of, "interrupted") }
	d.launched.text = func(of []string) string { return passive(of, "launched") }
	if d.tookPlaces() {
		d.launched.text = func(of []string) string {
			if len(of) == 1 {
				return of[0] + " took its place"
			}
			return number(of) + " took their places"
		}
	}
	d.out.text = func(of []string) string { return "the autoscaler launched " + number(of) }
	d.in.text = func(of []string) string { return "the autoscaler terminated " + number(of) }
	if ended := d.in.of; len(ended) > 0 && len(d.out.of) > 0 {
		d.out.text = func(of []string) string {
			return "the autoscaler launched " + number(of) + " and terminated " + number(ended)
		}
		d.in = deed{}
	}
	d.all = append(d.all, d.agentsKilled, d.agentsEnded, d.killed, d.interrupted, d.ended, d.launched, replaced, d.out, d.in)
}

// tookPlaces tells whether as many were launched as had been killed, or interrupted, and after them.
func (d *deeds) tookPlaces() bool {
	lost := d.killed
	if len(lost.of) == 0 {
		lost = d.interrupted
	} else if len(d.interrupted.of) > 0 {
		return false
	}
	n := len(lost.of)
	return n > 0 && slices.Equal(rolesOf(lost.of), rolesOf(d.launched.of)) && d.launched.at >= lost.at && len(d.ended.of) == 0
}

// rolesOf are the roles of some instances, in order.
func rolesOf(instances []string) (roles []string) {
	for _, name := range instances {
		roles = append(roles, script.RoleOf(name))
	}
	slices.Sort(roles)
	return roles
}

func (d *deed) merge(other deed) {
	if len(d.of) == 0 || len(other.of) > 0 && other.at < d.at {
		d.at = other.at
	}
	d.of = append(d.of, other.of...)
}

// number calls some instances by their names, or says how many they are.
func number(of []string) string {
	names := slices.Clone(of)
	slices.SortFunc(names, record.CompareNames)
	if len(names) > mostNamed-1 {
		return fmt.Sprintf("%d instances", len(names))
	}
	return list(names)
}

func passive(of []string, what string) string {
	return number(of) + " " + was(int64(len(of))) + " " + what
}

// faultWords say what a fault did, to whom (%s), where it can be done to somebody.
var faultWords = map[string][2]string{
	script.DropDatagrams{}.Name():      {"datagrams were dropped", "datagrams of %s were dropped"},
	script.DuplicateDatagrams{}.Name(): {"datagrams were doubled", "datagrams of %s were doubled"},
	script.ReorderDatagrams{}.Name():   {"datagrams were reordered", "datagrams of %s were reordered"},
	script.TruncateDatagrams{}.Name():  {"datagrams were cut", "datagrams of %s were cut"},
	script.DelayDatagrams{}.Name():     {"datagrams were delayed", "datagrams of %s were delayed"},
	script.LeftoverLines{}.Name():      {"somebody else sent lines", "somebody else sent lines to the address of %s"},
	script.LeftoverLoad{}.Name():       {"somebody else sent requests", ""},
	script.ReplayRequests{}.Name():     {"requests were sent twice", ""},
	script.Freeze{}.Name():             {"all instances were frozen", "%s was frozen"},
	script.FreezeDatabase{}.Name():     {"the database was frozen", ""},
	script.FreezePrimary{}.Name():      {"the primary was frozen", ""},
	script.IsolateMember{}.Name():      {"a member of the database was cut off from the others", ""},
	script.FillDisk{}.Name():           {"the database's disk was full", ""},
	script.ReloadLB{}.Name():           {"the load balancer was reloaded", ""},
	script.KillLB{}.Name():             {"the load balancer was killed", ""},
	script.ReloadHTTPD{}.Name():        {"all httpds were reloaded", "the httpd of %s was reloaded"},
	script.KillHTTPD{}.Name():          {"all httpds were killed", "the httpd of %s was killed"},
	script.LimitHTTPD{}.Name():         {"all httpds were limited", "the httpd of %s was limited"},
	script.MuteCloudWatch{}.Name():     {"nobody told CloudWatch what instances used", "nobody told CloudWatch what %s used"},
	script.RestartCollector{}.Name():   {"the collector was restarted", ""},
	script.KillCollector{}.Name():      {"the collector was killed", ""},
	script.SlowNetwork{}.Name():        {"the network was slow", "the network of %s was slow"},
	script.ThrottleNetwork{}.Name():    {"the network was throttled", "the network of %s was throttled"},
	script.CutNetwork{}.Name():         {"the network was cut", "the network of %s was cut"},
	script.ResetNetwork{}.Name():       {"connections were reset", "connections of %s were reset"},
}

func faultDeed(ev record.Event) deed {
	text := faultWords[ev.Fault]
	switch {
	case text[0] == "":
		text[0] = "the fault " + ev.Fault + " began"
	case ev.Instance != "" && text[1] != "":
		text[0] = fmt.Sprintf(text[1], ev.Instance)
	}
	return deed{at: ev.At, of: []string{ev.Instance}, text: func([]string) string { return text[0] }}
}

// rolls tells whether a step deploys a version, or goes back to one.
func rolls(step string) bool {
	kind, _, _ := strings.Cut(step, " ")
	return kind == script.Deploy{}.Kind() || kind == script.Rollback{}.Kind()
}

// rollDeed is about a step that does so.
func (d *deeds) rollDeed(ev record.Event) deed {
	kind, what, _ := strings.Cut(ev.Step, " ")
	version, canary, some := strings.Cut(what, ", canary: ")
	d.rolled = version
	text := version + " was deployed"
	switch {
	case some:
		text = fmt.Sprintf("%s was deployed to %s", version, choose(canary == "1", "1 instance", canary+" instances"))
	case kind == script.Rollback{}.Kind():
		text = version + " was rolled back to"
	}
	return deed{at: ev.At, of: []string{""}, text: func([]string) string { return text }}
}

func limitDeed(ev record.Event) deed {
	text := fmt.Sprintf("%s was limited to %v CPUs", ev.Instance, ev.CPUs)
	if ev.CPUs == 0 {
		text = fmt.Sprintf("the limit of %s was lifted", ev.Instance)
	}
	return deed{at: ev.At, of: []string{ev.Instance}, text: func([]string) string { return text }}
}

// mostDeeds is how many of them a sentence tells.
const mostDeeds = 4

// told makes one clause of what was done: "" where nothing was.
func told(all []string) []string {
	if len(all) <= mostDeeds {
		return all
	}
	return append(slices.Clone(all[:mostDeeds-1]), words.Times(len(all)-mostDeeds+1, "more thing")+" "+was(int64(len(all)-mostDeeds+1))+" done")
}
