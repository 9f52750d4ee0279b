package sim

import "github.com/octopii-go/octopii/runtime"

// The events of the simulated network and disk. Record.Node is the receiver
// of a frame, or whose disk it is.
const (
	// NetDelivered: a frame of C bytes from A arrives on channel B; D is the CRC32C of its bytes.
	NetDelivered runtime.EventKind = 0xc0cbce16
	// NetLost: a frame of C bytes from A does not arrive, for reason D: 0 dropped, 1 cut off, 2 nobody there, 3 too many in flight.
	NetLost runtime.EventKind = 0xa8535a90
	// NetCut: C partitions now cut the link from A to B; zero: it works again.
	NetCut runtime.EventKind = 0x737acd72
	// TimerFired: a timer of the driver fires.
	TimerFired runtime.EventKind = 0x8e58fdef
	// DiskCreate: the file named by the note is created. D is 0 for success, 1 for an injected error, 2 for any other.
	DiskCreate runtime.EventKind = 0xcc6f44da
	// DiskOpen: the file is opened.
	DiskOpen runtime.EventKind = 0xf16a855e
	// DiskRename: the file is renamed.
	DiskRename runtime.EventKind = 0x1de62d18
	// DiskRemove: the name is removed.
	DiskRemove runtime.EventKind = 0x47d2d05a
	// DiskList: the directory is listed.
	DiskList runtime.EventKind = 0xc98e3f4a
	// DiskMkdir: the directory is made.
	DiskMkdir runtime.EventKind = 0x950840fd
	// DiskSyncDir: the directory's entries become durable.
	DiskSyncDir runtime.EventKind = 0x51bc9c27
	// DiskLock: the lock is taken.
	DiskLock runtime.EventKind = 0x1ef42199
	// DiskUnlock: the lock is released.
	DiskUnlock runtime.EventKind = 0x13ec6eba
	// DiskRead: C of B bytes are read at offset A.
	DiskRead runtime.EventKind = 0x18799616
	// DiskWrite: C of B bytes are written at offset A.
	DiskWrite runtime.EventKind = 0x4be43839
	// DiskAllocate: B bytes are reserved at offset A.
	DiskAllocate runtime.EventKind = 0xa9a68abd
	// DiskSize: the file's size C is asked.
	DiskSize runtime.EventKind = 0xefccba7f
	// DiskTruncate: the file's size is set to B.
	DiskTruncate runtime.EventKind = 0x03f22b04
	// DiskSyncData: the file's bytes become durable.
	DiskSyncData runtime.EventKind = 0x5ef6db38
	// DiskSync: the file's bytes and metadata become durable.
	DiskSync runtime.EventKind = 0x3831485d
	// DiskDropCache: cached pages that count as clean are forgotten.
	DiskDropCache runtime.EventKind = 0xf7add368
	// DiskClose: the file is closed.
	DiskClose runtime.EventKind = 0x4fb53cea
)

// Events describes the events of this package.
var Events = []runtime.EventInfo{
	{Kind: NetDelivered, Name: "net.delivered", Text: "from {A:n} channel {B}, {C} bytes {D:x}"},
	{Kind: NetLost, Name: "net.lost", Text: "from {A:n} channel {B}, {C} bytes: reason {D}"},
	{Kind: NetCut, Name: "net.cut", Text: "{A:n} -> {B:n} cut {C} times"},
	{Kind: TimerFired, Name: "sim.timer", Text: "token {A}"},
	{Kind: DiskCreate, Name: "disk.create", Text: "{note} code {D}"},
	{Kind: DiskOpen, Name: "disk.open", Text: "{note} code {D}"},
	{Kind: DiskRename, Name: "disk.rename", Text: "{note} code {D}"},
	{Kind: DiskRemove, Name: "disk.remove", Text: "{note} code {D}"},
	{Kind: DiskList, Name: "disk.list", Text: "{note} code {D}"},
	{Kind: DiskMkdir, Name: "disk.mkdir", Text: "{note} code {D}"},
	{Kind: DiskSyncDir, Name: "disk.sync-dir", Text: "{note} code {D}"},
	{Kind: DiskLock, Name: "disk.lock", Text: "{note} code {D}"},
	{Kind: DiskUnlock, Name: "disk.unlock", Text: "{note} code {D}"},
	{Kind: DiskRead, Name: "disk.read", Text: "{note} at {A}: {C} of {B} bytes code {D}"},
	{Kind: DiskWrite, Name: "disk.write", Text: "{note} at {A}: {C} of {B} bytes code {D}"},
	{Kind: DiskAllocate, Name: "disk.allocate", Text: "{note} at {A}: {B} bytes code {D}"},
	{Kind: DiskSize, Name: "disk.size", Text: "{note} is {C} code {D}"},
	{Kind: DiskTruncate, Name: "disk.truncate", Text: "{note} to {B} code {D}"},
	{Kind: DiskSyncData, Name: "disk.sync-data", Text: "{note} code {D}"},
	{Kind: DiskSync, Name: "disk.sync", Text: "{note} code {D}"},
	{Kind: DiskDropCache, Name: "disk.drop-cache", Text: "{note} code {D}"},
	{Kind: DiskClose, Name: "disk.close", Text: "{note} code {D}"},
}

// diskEvents gives the event of each file call.
var diskEvents = [opCount]runtime.EventKind{
	opCreate: DiskCreate, opOpen: DiskOpen, opRename: DiskRename, opRemove: DiskRemove, opList: DiskList,
	opMkdirAll: DiskMkdir, opSyncDir: DiskSyncDir, opLock: DiskLock, opUnlock: DiskUnlock, opRead: DiskRead,
	opWrite: DiskWrite, opAllocate: DiskAllocate, opSize: DiskSize, opTruncate: DiskTruncate,
	opSyncData: DiskSyncData, opSync: DiskSync, opDropCache: DiskDropCache, opClose: DiskClose,
}
