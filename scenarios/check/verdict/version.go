package verdict

// Version is what the instances of one version of the application acknowledged of a route, and what they counted of it in
// a metric: 3 instances of v2 acknowledged 1,210 inserts and counted 1,160, of which 50 lost ones nothing explains.
type Version struct {
	Version   string   `json:"version"` // "v2"
	Metric    string   `json:"metric"`
	Route     string   `json:"route"`
	Instances []string `json:"instances"` // in the order of their names
	Acked     int64    `json:"acked"`
	Counted   int64    `json:"counted"`
	// Lost and Extra are how many the instances counted too few or too many, each by itself;
	// Unexplained is how many of these nothing explains, such as a buffer at a SIGKILL.
	Lost        int64 `json:"lost"`
	Extra       int64 `json:"extra"`
	Unexplained int64 `json:"unexplained"`
}
