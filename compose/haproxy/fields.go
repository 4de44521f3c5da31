package haproxy

// Nature is how a value moves, as the second letter of `show stat typed` says
// (management.txt, section 9.2).
type Nature string

// The natures that occur in the statistics.
const (
	Counter  Nature = "C" // only grows
	Gauge    Nature = "G" // a measure at one instant
	Rate     Nature = "R" // events in the last second
	Maximum  Nature = "M" // the highest seen so far
	Average  Nature = "a" // already averaged
	Age      Nature = "A" // time since an event
	Duration Nature = "D" // how long something took or lasted
	Limit    Nature = "L" // configured
	Name     Nature = "N" // text that names something
	Output   Nature = "O" // result of a check
	Key      Nature = "K" // identifies the row; HAProxy types most of these G
)

// Field is what is known of one column of the statistics.
type Field struct {
	Nature  Nature
	Unit    string // "requests", "bytes", "ms", …; empty for texts and plain numbers
	Meaning string
}

// Fields are the documented columns (management.txt, section 9.1) by name.
// What newer releases add beyond them is in the rows, but not here.
var Fields = map[string]Field{
	// What the row is about.
	"pxname":  {Name, "", "name of the proxy: a frontend or a backend"},
	"svname":  {Name, "", "FRONTEND, BACKEND or the server's name"},
	"pid":     {Key, "", "number of the HAProxy process"},
	"iid":     {Key, "", "number of the proxy"},
	"sid":     {Key, "", "number of the server in its proxy; given again after a removal"},
	"srid":    {Key, "", "revision of sid: how often it was given before (since 3.0)"},
	"type":    {Key, "", "0 frontend, 1 backend, 2 server, 3 listener"},
	"addr":    {Name, "", "address and port of the server"},
	"cookie":  {Name, "", "cookie value of the server, or cookie name of the backend"},
	"mode":    {Name, "", "tcp or http"},
	"algo":    {Name, "", "balancing algorithm"},
	"tracked": {Name, "", "proxy/server whose checks this server follows"},

	// Requests and sessions.
	"stot":         {Counter, "sessions", "sessions so far; for a server every attempt that was assigned to it, for an HTTP backend its requests"},
	"scur":         {Gauge, "sessions", "sessions right now"},
	"smax":         {Maximum, "sessions", "most sessions at once"},
	"slim":         {Limit, "sessions", "limit on sessions at once"},
	"rate":         {Rate, "sessions/s", "sessions in the last second"},
	"rate_lim":     {Limit, "sessions/s", "limit on new sessions per second"},
	"rate_max":     {Maximum, "sessions/s", "most new sessions in a second"},
	"req_tot":      {Counter, "requests", "HTTP requests so far"},
	"req_rate":     {Rate, "requests/s", "HTTP requests in the last second"},
	"req_rate_max": {Maximum, "requests/s", "most HTTP requests in a second"},
	"lbtot":        {Counter, "requests", "times a server was chosen, for a new session or for a redispatch"},
	"lastsess":     {Age, "s", "since the last session was assigned; -1 = never"},
	"intercepted":  {Counter, "requests", "requests HAProxy answered itself as a service (monitor, statistics)"},
	"qcur":         {Gauge, "requests", "requests waiting right now; for a backend those without a server yet"},
	"qmax":         {Maximum, "requests", "most requests waiting at once"},
	"qlimit":       {Limit, "requests", "limit on waiting requests (maxqueue)"},

	// Responses.
	"hrsp_1xx":   {Counter, "responses", "responses with a 1xx status"},
	"hrsp_2xx":   {Counter, "responses", "responses with a 2xx status"},
	"hrsp_3xx":   {Counter, "responses", "responses with a 3xx status"},
	"hrsp_4xx":   {Counter, "responses", "responses with a 4xx status"},
	"hrsp_5xx":   {Counter, "responses", "responses with a 5xx status; a frontend and a backend count those HAProxy made too"},
	"hrsp_other": {Counter, "responses", "responses with another status, or a protocol error"},

	// What went wrong.
	"dreq":     {Counter, "requests", "refused by a rule"},
	"dresp":    {Counter, "responses", "held back by a rule"},
	"dcon":     {Counter, "connections", "refused by a tcp-request connection rule"},
	"dses":     {Counter, "sessions", "refused by a tcp-request session rule"},
	"ereq":     {Counter, "requests", "bad requests: cut short, timed out or malformed on the client's side"},
	"econ":     {Counter, "requests", "requests that reached no server; a backend also counts those for which it had none"},
	"eresp":    {Counter, "responses", "failed responses, srv_abrt included"},
	"eint":     {Counter, "errors", "HAProxy's internal errors"},
	"wretr":    {Counter, "connections", "connections to a server that were tried again"},
	"wredis":   {Counter, "requests", "requests sent to another server; counted at the server they were taken from"},
	"wrew":     {Counter, "headers", "headers that could not be rewritten"},
	"cli_abrt": {Counter, "transfers", "transfers the client cut"},
	"srv_abrt": {Counter, "transfers", "transfers the server cut"},

	// Bytes.
	"bin":       {Counter, "bytes", "bytes in"},
	"bout":      {Counter, "bytes", "bytes out"},
	"comp_in":   {Counter, "bytes", "response bytes given to the compressor"},
	"comp_out":  {Counter, "bytes", "response bytes the compressor made"},
	"comp_byp":  {Counter, "bytes", "bytes that went past the compressor for want of CPU or bandwidth"},
	"comp_rsp":  {Counter, "responses", "compressed responses"},
	"conn_rate": {Rate, "connections/s", "connections in the last second"},

	// Connections.
	"conn_rate_max":  {Maximum, "connections/s", "most connections in a second"},
	"conn_tot":       {Counter, "connections", "connections so far"},
	"connect":        {Counter, "connections", "attempts to connect to a server, health checks included"},
	"reuse":          {Counter, "connections", "requests that found an open connection to the server"},
	"srv_icur":       {Gauge, "connections", "idle connections that can be reused"},
	"src_ilim":       {Limit, "connections", "limit on idle connections"},
	"idle_conn_cur":  {Gauge, "connections", "idle connections not safe to reuse for a first request"},
	"safe_conn_cur":  {Gauge, "connections", "idle connections safe to reuse"},
	"used_conn_cur":  {Gauge, "connections", "connections in use"},
	"need_conn_est":  {Gauge, "connections", "HAProxy's estimate of the connections it needs"},
	"cache_lookups":  {Counter, "lookups", "cache lookups"},
	"cache_hits":     {Counter, "lookups", "cache hits"},
	"throttle":       {Average, "%", "share of its weight a server gets during slow start"},
	"weight":         {Average, "", "weight in effect; for a backend the sum"},
	"uweight":        {Average, "", "weight as configured; for a backend the sum"},
	"act":            {Gauge, "servers", "active servers; 1 for a server that is one"},
	"bck":            {Gauge, "servers", "backup servers; 1 for a server that is one"},
	"status":         {Gauge, "", "UP, DOWN, DRAIN, MAINT, OPEN, …"},
	"lastchg":        {Age, "s", "since the last change between up and down"},
	"downtime":       {Counter, "s", "time spent down; for a backend as a whole; may fall by a second when a server that is down is put into maintenance"},
	"chkfail":        {Counter, "checks", "checks that failed while the server was up"},
	"chkdown":        {Counter, "transitions", "changes from up to down; for a backend as a whole"},
	"hanafail":       {Counter, "checks", "failures seen by watching traffic (observe)"},
	"check_status":   {Output, "", "result of the last health check: L4CON, L7OK, L7STS, …"},
	"check_code":     {Output, "", "HTTP status of the last health check"},
	"check_duration": {Duration, "ms", "time the last health check took"},
	"check_desc":     {Output, "", "check_status in words"},
	"last_chk":       {Output, "", "what the last health check got, or its error"},
	"check_rise":     {Limit, "checks", "good checks in a row to be up"},
	"check_fall":     {Limit, "checks", "bad checks in a row to be down"},
	"check_health":   {Gauge, "checks", "where the server stands between 0 and rise+fall-1"},
	"agent_status":   {Output, "", "result of the last agent check"},
	"agent_code":     {Output, "", "code of the last agent check"},
	"agent_duration": {Duration, "ms", "time the last agent check took"},
	"agent_desc":     {Output, "", "agent_status in words"},
	"last_agt":       {Output, "", "what the last agent check got, or its error"},
	"agent_rise":     {Limit, "checks", "good agent checks in a row to be up"},
	"agent_fall":     {Limit, "checks", "bad agent checks in a row to be down"},
	"agent_health":   {Gauge, "checks", "where the agent check stands between 0 and rise+fall-1"},

	// Times. The averages are over the last 1024 requests, not over a window of
	// time, so they do not come back to zero when traffic stops.
	"qtime":     {Average, "ms", "time in the queue"},
	"ctime":     {Average, "ms", "time to connect"},
	"rtime":     {Average, "ms", "time to the first byte of the response"},
	"ttime":     {Average, "ms", "time of the whole request"},
	"qtime_max": {Maximum, "ms", "longest time in the queue"},
	"ctime_max": {Maximum, "ms", "longest time to connect"},
	"rtime_max": {Maximum, "ms", "longest time to the first byte of the response"},
	"ttime_max": {Maximum, "ms", "longest time of a whole request"},

	// How many servers of a backend have which state. HAProxy fills these for its
	// own exporter alone: on the runtime socket they are always 0.
	"agg_server_status":       {Gauge, "servers", "servers by status, for aggregation"},
	"agg_server_check_status": {Gauge, "servers", "servers by check status (deprecated)"},
	"agg_check_status":        {Gauge, "servers", "servers by result of the last check"},
}
