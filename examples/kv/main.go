// Kv is a replicated key-value server: a state machine of package raft/kv, made a service with package
// runtime/cluster, in front of which stands HTTP.
//
//	go run ./examples/kv certs --dir tls                                     # an authority, and certificates for n1, n2, n3
//	go run ./examples/kv --id 1 --dir data/1 --tls-dir tls/n1 --http 127.0.0.1:8001 \
//		--peers 1=127.0.0.1:7001/127.0.0.1:8001,2=127.0.0.1:7002/127.0.0.1:8002,3=127.0.0.1:7003/127.0.0.1:8003
//
// and so on for the other two; examples/kv/three.sh does all of it on this machine.
//
// # Requests
//
//	PUT    /kv/{key}      the body is the value           200
//	GET    /kv/{key}      linearizable                    200 with the value, 404
//	DELETE /kv/{key}                                      200, 404
//	POST   /kv/{key}/cas  {"old": "1", "new": "2"}        200, 404 no such key, 409 it holds something else
//	GET    /status        this member, as JSON            200
//	GET    /metrics       for Prometheus                  200
//
// A cas whose old is null, or left out, expects that there is no such key. What was not done is answered with 421 if another
// member must be asked, as when --forward is off, and with 503 otherwise, as
// when nobody leads or the disk of who does is full; 504 says that it may have been done, or not. The body of an answer
// beyond 299 is {"error": ..., "outcome": "refused" or "unknown", "leader": ...}, and a Leader header names the HTTP
// address of who leads, if that is known.
//
// The first interrupt (or SIGTERM) drains: requests under way are finished, then the member ends. A second ends it at once.
// The exit status is 0 after a drain, 2 if the arguments are wrong, and 1 if anything else is.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the next one is not caught
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "kv:", err)
		os.Exit(status(err))
	}
}

// status is the exit status for an error.
func status(err error) int {
	if errors.As(err, new(usageError)) {
		return 2
	}
	return 1
}

// run does what the arguments say, until ctx is done.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var err error
	if len(args) > 0 && args[0] == "certs" {
		err = certs(args[1:], stdout, stderr)
	} else {
		err = serve(ctx, args, stderr)
	}
	if errors.Is(err, errHelp) {
		return nil
	}
	return err
}
