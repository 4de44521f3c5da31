// Package fleet simulates fleets that no machine could start, to see how collector,
// autoscaler and judge grow with their size: BenchmarkFleet, which `make bench-fleet`
// calls, is all that there is.
//
// Instances, users, load balancer and database are made up, second by second of a clock
// of their own. What is measured is real: StatsD lines go through the collector's way
// in, its samples into its store and into a record on disk, PromQL is asked as an
// autoscaler asks, and the record is read back and judged.
package fleet
