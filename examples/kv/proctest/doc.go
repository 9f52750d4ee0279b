// Package proctest is a test of real processes: three servers of examples/kv, built with the race detector, serve many
// clients while they are killed, stopped and cut off from each other, and what the clients were told is checked to be
// linearizable. So nothing that was acknowledged may be lost, and nothing that was refused may be seen.
//
//	go test ./examples/kv/proctest                                                        # seconds
//	go test ./examples/kv/proctest -run 'Processes/octopii' -v -minutes 10 -timeout 30m   # one engine, at length
//
// In front of each server stands a proxy, by which the others reach it. It drops, delays, duplicates and reorders
// datagrams, or lets none through, for each direction between two servers apart. Clients
// ask the servers directly.
//
// What a client is told has three outcomes. 200, 404 and 409 are answers. 421 and 503 say that nothing was done, ever, and
// so does a server that takes no connection. With 504, or when the answer does not come, the request may take effect at any
// later time, or never. Porcupine looks for one order of all requests that explains all answers, for each key by itself; not having
// found out in time is a failure.
//
// The schedule is drawn from a seed, which is told, but two runs of one seed are not the same: what comes of it is up to
// real clocks. It is the simulator that repeats runs.
package proctest
