package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/octopii-go/octopii/transport/quic"
)

// certs makes the authority of a cluster, unless there is one, and a certificate for each member.
func certs(args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("certs", flag.ContinueOnError)
	dir := f.String("dir", "", "where to put them")
	name := f.String("cluster", "kv", "name of the cluster")
	list := f.String("ids", "1,2,3", "members that get a new certificate")
	if err := parseFlags(f, args, stderr); err != nil {
		return err
	}
	if *dir == "" {
		return usageError{errors.New("certs: --dir is missing; --help lists the flags")}
	}
	ids, err := parseIDs(*list)
	if err != nil {
		return usageError{err}
	}
	path := filepath.Join(*dir, "authority")
	authority, err := quic.CreateAuthority(path, *name)
	if errors.Is(err, fs.ErrExist) {
		authority, err = quic.OpenAuthority(path)
	}
	if err != nil {
		return err
	}
	if authority.Cluster() != *name {
		return fmt.Errorf("certs: %s is the authority of cluster %q, not of %q", path, authority.Cluster(), *name)
	}
	fmt.Fprintln(stdout, path, "holds the key to the cluster: keep it, and give it to no member")
	for _, id := range ids {
		member := filepath.Join(*dir, id.String())
		if err := authority.Issue(member, id, quic.Validity{}); err != nil {
			return err
		}
		fmt.Fprintln(stdout, member, "is for member", uint64(id))
	}
	return nil
}
