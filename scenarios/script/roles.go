package script

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// FirstRole is the role of `stack.web`. Every stack has it; what names no role means its instances.
const FirstRole = "web"

// roleName is what a role is called. Its instances are called api-1, api-2, …, so no part of it begins with a digit.
var roleName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$`)

const (
	wantRole    = "a name of at most 32 small letters, digits and '-', like api"
	longestRole = 32
	wantRoles   = "names and what their instances are, like {api: {instances: 2, routes: {find: GET /find/{word}}}}"
)

// reserved are the names that no role can have, for they mean something else in files, records, metrics and inventories.
var reserved = []string{
	"users", "lb", "haproxy", "httpd", "db", "mongo", "docstore", "collector", "host", AgentRole, // layers, and who is not of the application
	AnyOne, Newest, Oldest, ReplaceAll, Primary, member, // what steps say in the place of a name
	"ungrouped", "run", "none",
}

// Roles are the parts of the application, each with instances of its own. The first is that of `stack.web`, the others
// are in the order of the file.
func (s Stack) Roles() []Web {
	return append([]Web{s.Web}, s.Others...)
}

// Role gives the role of a name; "" is the first.
func (s Stack) Role(name string) (Web, bool) {
	name = cmp.Or(name, FirstRole)
	roles := s.Roles()
	if at := slices.IndexFunc(roles, func(w Web) bool { return w.RoleName() == name }); at >= 0 {
		return roles[at], true
	}
	return Web{}, false
}

// RoleName is the name of the role.
func (w Web) RoleName() string { return cmp.Or(w.Role, FirstRole) }

// Routes are those of all roles. No two roles have one of the same name.
func (s Stack) Routes() map[string]Route {
	all := map[string]Route{}
	for _, w := range s.Roles() {
		maps.Copy(all, w.Routes)
	}
	return all
}

// OwnerOf names the role whose instances answer the requests of a route; the first where none has it.
func (s Stack) OwnerOf(route string) string {
	for _, w := range s.Roles() {
		if _, has := w.Routes[route]; has {
			return w.RoleName()
		}
	}
	return FirstRole
}

// InstanceName is what the instance of a role and a number (1, 2, …) is called: "api-2".
func InstanceName(role string, number int) string { return fmt.Sprintf("%s-%d", role, number) }

// RoleOf is the role in an instance's name: that of api-2 is "api".
func RoleOf(instance string) string {
	if at := strings.LastIndex(instance, "-"); at >= 0 {
		return instance[:at]
	}
	return instance
}

// WithUsers tells whether users' requests come to the role's instances.
func (w Web) WithUsers() bool { return len(w.Routes) > 0 }

// Key is the role in errors: "stack.web", "stack.roles.api".
func (w Web) Key() string {
	if w.Role == "" {
		return "stack." + FirstRole
	}
	return "stack.roles." + w.Role
}

// roles reads `stack.roles`. The first role has been read.
func (r *reader) roles(v value, s *Stack) {
	m, ok := v.open(wantRoles)
	if !ok {
		return
	}
	for i, k := range m.keys {
		w := Web{Role: plain(k.node)}
		switch {
		case w.Role == FirstRole:
			k.failf("%s is the role of stack.%s: want another name", FirstRole, FirstRole)
		case slices.Contains(reserved, w.Role):
			k.failf("%s means something else in a run (reserved are %s): want another name", quote(w.Role), list(reserved))
		case strings.HasPrefix(w.Role, "zone-"), strings.HasPrefix(w.Role, "version-"):
			k.failf("%s is a group of its own in inventories, by its zones and versions: want another name", quote(w.Role))
		case len(w.Role) > longestRole || !roleName.MatchString(w.Role):
			k.failf("%s is not %s", quote(w.Role), wantRole)
		}
		r.role(m.entries[i], &w)
		s.Others = append(s.Others, w)
	}
	for i, w := range s.Others {
		if s.HTTPD && w.WithUsers() {
			m.keys[i].failf("users' requests come to it, and an Apache HTTP server stands before the instances of web only: remove stack.httpd, or the routes of %s", w.Role)
		}
	}
	r.apart(m, s)
	sum := 0
	for _, w := range s.Roles() {
		sum += w.Instances
	}
	if sum > MaxInstances {
		v.failf("%d instances in all roles together, want at most %d", sum, MaxInstances)
	}
}

// apart refuses routes of which nobody knows whose instances answer them: the load balancer goes by the path.
func (r *reader) apart(m mapping, s *Stack) {
	roles := s.Roles()
	for i, w := range roles[1:] {
		for _, name := range slices.Sorted(maps.Keys(w.Routes)) {
			r.ownedOnce(m.entries[i], w, name, roles[:i+1])
		}
	}
}

// ownedOnce complains about a route of a role that one of the roles before it has too, or of which it would get some
// requests.
func (r *reader) ownedOnce(v value, w Web, name string, before []Web) {
	route := w.Routes[name]
	if at := strings.IndexAny(route.pathOnly(), notInHealth); at >= 0 {
		v.failf("routes.%s: the load balancer cannot tell a path with %q: write it as %%%X", name, route.Path[at], route.Path[at])
	}
	for _, other := range before {
		hint := ""
		if other.Role == "" && maps.Equal(other.Routes, referenceRoutes()) {
			hint = ", and give " + other.Key() + " routes of its own"
		}
		if _, twice := other.Routes[name]; twice {
			v.failf("the route %s is one of %s too: want one owner%s", quote(name), other.Key(), hint)
			continue
		}
		for _, theirs := range slices.Sorted(maps.Keys(other.Routes)) {
			if route.overlaps(other.Routes[theirs]) {
				v.failf("the route %s (%s) cannot be told from %s of %s (%s) by its path: want another path%s", quote(name), route.Path,
					quote(theirs), other.Key(), other.Routes[theirs].Path, hint)
				break
			}
		}
	}
}

// pathOnly is the path without its query.
func (r Route) pathOnly() string {
	path, _, _ := strings.Cut(r.Path, "?")
	return path
}

// Match is by what a load balancer knows the requests of a route: their path is Path, or begins with it if Prefix.
func (r Route) Match() (path string, prefix bool) {
	path, _, prefix = strings.Cut(r.pathOnly(), "{word}")
	return path, prefix
}

// overlaps tells whether a request could be of either route.
func (r Route) overlaps(other Route) bool {
	a, open := r.Match()
	b, openToo := other.Match()
	return a == b && open == openToo || open && strings.HasPrefix(b, a) || openToo && strings.HasPrefix(a, b)
}
