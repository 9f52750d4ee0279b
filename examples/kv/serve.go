package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime/cluster"
)

// drainWithin is how long a drain may take before the member is killed.
const drainWithin = 10 * time.Second

// serve runs a member and its HTTP server until ctx is done, or the member ends by itself.
func serve(ctx context.Context, args []string, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.http)
	if err != nil {
		return err
	}
	defer listener.Close()
	member, err := cluster.Start(context.Background(), o.cluster, func() raft.StateMachine { return kv.NewMachine() })
	if err != nil {
		return err
	}
	server := &http.Server{Handler: newServer(member, o.timeout).routes(), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	o.cluster.Logger.Info("serving", "http", listener.Addr().String())

	select {
	case <-ctx.Done():
	case err = <-served:
	case <-member.Done():
		err = fmt.Errorf("the member has ended: %w", member.Wait())
	}
	within, cancel := context.WithTimeout(context.Background(), drainWithin)
	defer cancel()
	// First the requests, then the member that answers them.
	if closing := server.Shutdown(within); closing != nil {
		err = errors.Join(err, server.Close())
	}
	if ending := member.Drain(within); err == nil {
		err = ending
	}
	return err
}
