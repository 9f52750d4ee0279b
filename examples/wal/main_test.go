package main

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/octopii-go/octopii/runtime/host"
	"github.com/octopii-go/octopii/walrus"
	"github.com/octopii-go/octopii/walrus/group"
)

// runEnv tells the test binary to be the program.
const runEnv = "WAL_EXAMPLE_RUN"

func TestMain(m *testing.M) {
	if os.Getenv(runEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// start runs the program in a process of its own, and returns its exit status and what
// it has printed.
func start(t *testing.T, dir string, orders, dieAfter int) (status int, out string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "--dir", dir, "--orders", strconv.Itoa(orders), "--die-after", strconv.Itoa(dieAfter))
	cmd.Env = append(os.Environ(), runEnv+"=1")
	data, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(data)
}

// As the package comment has it: it dies in the midst of its work, and there is one invoice
// for each order all the same.
func TestEachOrderHasOneInvoice(t *testing.T) {
	dir := t.TempDir()
	for i, c := range []struct {
		orders, dieAfter, status int
		last                     string
	}{
		{5, 0, 0, "orders before 6 are done with; 5 invoices"},
		{5, 3, 3, "order 8 has invoice 8"},
		{4, 1, 3, "order 9 has invoice 9"},
		{0, 0, 0, "orders before 15 are done with; 14 invoices"},
	} {
		status, out := start(t, dir, c.orders, c.dieAfter)
		died := strings.Contains(out, "dies with invoices to write")
		if status != c.status || died != (status == 3) || !strings.Contains(out, "recovery: clean") || !strings.Contains(out, c.last) {
			t.Fatalf("run %d ends with status %d:\n%s", i+1, status, out)
		}
	}
	folder, err := host.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	log, _, err := group.Open(folder, walrus.Options{Dir: "log", SegmentBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	var got []string
	for e, err := range log.Entries(invoices, 1) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(e.Payload))
	}
	if len(got) != 14 || got[5] != `invoice 6 for "a single order"` || len(slices.Compact(slices.Sorted(slices.Values(got)))) != 14 {
		t.Errorf("the invoices are %q", got)
	}
	if value, _ := log.Get(keyTotal); len(value) != 8 || value[0] != 14 {
		t.Errorf("the total is %v", value)
	}
	want := group.ConsumerInfo{Name: "billing", Topic: orders, Next: 15}
	if c := log.Consumers(); len(c) != 1 || c[0] != want {
		t.Errorf("the consumers are %v", c)
	}
}
