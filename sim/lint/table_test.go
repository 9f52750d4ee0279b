package lint

import "slices"

// row says what one package may import. Paths are relative to the module.
type row struct {
	path     string
	pure     bool     // held to the determinism rules and the allow-list
	imports  []string // packages of this module
	external []string // packages of other modules
	std      []string // if pure: packages beyond the allow-list
	recovers bool     // if pure: may recover, as the outermost frame of foreign code
}

// table lists every package there is or is planned; imports go downward only.
var table = []row{
	// 0: the contract.
	{path: "runtime", pure: true},
	{path: "runtime/coro", pure: true, std: []string{"iter", "runtime/debug"}, recovers: true},

	// 1: parts that know only the contract.
	{path: "runtime/task", pure: true, imports: layer0},
	{path: "runtime/fstest", pure: true, imports: []string{"runtime"}, std: []string{"testing"}},
	{path: "transport", pure: true, imports: []string{"runtime"}},
	{path: "walrus", pure: true, imports: []string{"runtime"}},
	{path: "faults", pure: true, imports: []string{"runtime"}},

	// 2: the engine and the world, which do not know each other.
	{path: "raft", pure: true, imports: []string{"runtime", "walrus", "transport"}},
	{path: "sim", pure: true, imports: []string{"runtime", "runtime/coro", "faults"}, std: []string{"runtime/debug"}, recovers: true},

	// 3: state machines and judges.
	{path: "raft/kv", pure: true, imports: []string{"runtime", "raft"}},
	{path: "raft/member", pure: true, imports: []string{"runtime", "transport", "raft"}},
	{path: "raft/fsmtest", pure: true, imports: []string{"runtime", "raft"}, std: []string{"testing"}},
	{
		path: "oracle", pure: true,
		imports:  []string{"runtime", "faults", "transport", "walrus", "raft", "raft/kv", "raft/member"},
		external: []string{"github.com/anishathalye/porcupine"},
	},

	// 4 and 5: which runs exist, and who starts them.
	{path: "scenarios", pure: true, imports: layers0to3},
	{path: "cmd/simrun", imports: append(slices.Clone(layers0to3), "scenarios")},

	// Production.
	{
		path: "runtime/host", imports: []string{"runtime", "runtime/coro", "transport"},
		external: []string{"github.com/prometheus/client_golang/prometheus", "golang.org/x/sys/windows"},
	},
	{path: "walrus/group", imports: []string{"runtime", "walrus"}},
	{path: "transport/linktest", imports: []string{"runtime", "transport"}},
	{path: "transport/quic", imports: []string{"runtime", "transport"}, external: []string{"github.com/quic-go/quic-go"}},
	{path: "cmd/walrus", imports: []string{"runtime", "walrus", "walrus/group", "runtime/host"}},
	{
		path:     "raft/hashi",
		imports:  []string{"runtime", "runtime/host", "walrus", "walrus/group", "raft", "transport/quic"},
		external: []string{"github.com/hashicorp/raft", "github.com/hashicorp/go-hclog"},
	},
	{
		path: "runtime/cluster",
		imports: []string{
			"runtime", "runtime/coro", "runtime/task", "runtime/host", "transport", "transport/quic",
			"walrus", "walrus/group", "raft", "raft/kv", "raft/member", "raft/hashi",
		},
		external: []string{"github.com/prometheus/client_golang/prometheus"},
	},

	// Programs that a service author starts from.
	{path: "examples/wal", imports: []string{"runtime/host", "walrus", "walrus/group"}},
	{path: "examples/local", imports: []string{"runtime", "runtime/cluster", "raft", "transport/quic"}},
	{path: "examples/node", imports: []string{"examples/local", "runtime", "runtime/cluster", "raft", "raft/kv"}},
	{path: "examples/statemachine", imports: []string{"examples/local", "runtime/cluster", "raft"}},
	{path: "examples/rpc", imports: []string{"examples/local", "runtime", "runtime/cluster", "raft", "raft/kv"}},
	{path: "examples/shipping", imports: []string{"examples/local", "runtime", "transport", "raft", "raft/kv"}},
	{path: "examples/rpcshipping", imports: []string{"examples/local", "runtime", "runtime/cluster", "transport", "raft", "raft/kv"}},
	{path: "examples/runtime", imports: []string{"runtime", "runtime/host", "transport", "faults", "sim"}},
	{
		path: "examples/kv", imports: []string{"runtime", "runtime/cluster", "raft", "raft/kv", "transport/quic"},
		external: []string{
			"github.com/prometheus/client_golang/prometheus", "github.com/prometheus/client_golang/prometheus/collectors",
			"github.com/prometheus/client_golang/prometheus/promhttp",
		},
	},
	{path: "examples/kv/proctest"}, // nothing but tests

	// Nothing but tests.
	{path: "sim/lint"},
	{path: "planted"},
}

var layer0 = []string{"runtime", "runtime/coro"}

var layers0to3 = []string{
	"runtime", "runtime/coro", "runtime/task", "runtime/fstest", "transport", "walrus", "faults",
	"raft", "sim", "raft/kv", "raft/member", "raft/fsmtest", "oracle",
}

// stdAllowed are the packages of the standard library that any pure package may
// import: none of them knows a clock, a random source, a file or a thread.
var stdAllowed = []string{
	"bufio", "bytes", "cmp", "container/heap", "encoding/binary", "encoding/hex", "errors", "fmt",
	"hash", "hash/crc32", "io", "io/fs", "maps", "math", "math/bits", "path", "slices", "sort",
	"strconv", "strings", "time", "unicode", "unicode/utf8",
}

// testExternal are the packages of other modules that any test may import.
var testExternal = []string{
	"github.com/anishathalye/porcupine", "github.com/google/go-cmp/cmp", "github.com/google/go-cmp/cmp/cmpopts", "pgregory.net/rapid",
	"golang.org/x/net/nettest", "github.com/hashicorp/raft/bench",
}

// onlyNames lists, for packages of which pure code may use a part, that part.
var onlyNames = map[string][]string{
	"time":          {"Duration", "Nanosecond", "Microsecond", "Millisecond", "Second", "Minute", "Hour"},
	"runtime/debug": {"Stack"},
}

// neverNames lists functions that pure code may not use, of packages it may import.
var neverNames = map[string][]string{
	"fmt": {"Print", "Printf", "Println", "Scan", "Scanf", "Scanln"}, // the process's own files
}

// exempt lists what single files may do although their package may not.
var exempt = map[string][]string{
	"faults/parse.go": {"float", "time.ParseDuration"}, // what people type
}

// find returns the row of a package.
func find(rows []row, path string) (row, bool) {
	i := slices.IndexFunc(rows, func(r row) bool { return r.path == path })
	if i < 0 {
		return row{}, false
	}
	return rows[i], true
}
