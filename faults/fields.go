package faults

// field is one key of a spec. Parse, String, Help and Enabled work on the table
// of them, so that a new key is a new row and a new member of Spec.
type field struct {
	key     string
	form    string // of the value, for people
	doc     string // one line
	example string // of the value
	kind    Kind   // must fire when the key is on; KindNone: it is no fault of its own
	of      func(*Spec) value
}

// value is the part of a spec that one key sets. Its String is what parse
// takes, in its canonical form, and empty when it is off.
type value interface {
	parse(text string) error
	String() string
}

// fields are the keys, in the order of the canonical form.
var fields = []field{
	{
		key: "io", form: "P", example: "0.15", kind: KindIO,
		doc: "a file call, no sync, Close or Lock, fails; half of the failed reads and writes are short",
		of:  func(s *Spec) value { return (*rate)(&s.IO) },
	},
	{
		key: "sync", form: "P", example: "0.01", kind: KindSync,
		doc: "Sync, SyncData or SyncDir fails, and what it should have made durable may be gone",
		of:  func(s *Spec) value { return (*rate)(&s.Sync) },
	},
	{
		key: "after", form: "new-once|new-all|old-once|old-all|any", example: "new-all", kind: KindAfter,
		doc: "after a failed sync reads show new or old bytes, and one or all open handles hear of it",
		of:  func(s *Spec) value { return (*afterSync)(&s.After) },
	},
	{
		key: "close", form: "P", example: "0.05", kind: KindClose,
		doc: "Close, Lock or the release of a lock fails; what was to be released is released",
		of:  func(s *Spec) value { return (*rate)(&s.Close) },
	},
	{
		key: "torn", form: "P", example: "0.5", kind: KindTorn,
		doc: "at a power loss (see crash), an unsynced sector is left torn or as garbage",
		of:  func(s *Spec) value { return (*rate)(&s.Torn) },
	},
	{
		key: "psow", form: "0", example: "0", kind: KindRuined,
		doc: "such a sector may lose bytes that were synced before, too: no powersafe overwrite",
		of:  func(s *Spec) value { return (*noPSOW)(&s.NoPSOW) },
	},
	{
		key: "fs", form: "posix|ext4|xfs|btrfs|liar", example: "ext4", kind: KindProfile,
		doc: "what a power loss leaves follows that file system (see crash); liar: a sync does nothing",
		of:  func(s *Spec) value { return (*profile)(&s.FS) },
	},
	{
		key: "space", form: "SIZE[/MEAN]", example: "64KiB/4s", kind: KindNoSpace,
		doc: "every MEAN somebody fills a disk up to SIZE for a while; no MEAN: each holds SIZE for good",
		of:  func(s *Spec) value { return &s.Space },
	},
	{
		key: "slow", form: "FACTOR[/MEAN]", example: "50", kind: KindSlow,
		doc: "one disk takes FACTOR times longer for good; with MEAN: a disk now and then, in bursts",
		of:  func(s *Spec) value { return &s.Slow },
	},
	{
		key: "stall", form: "DURATION[/MEAN]", example: "30s/1m0s", kind: KindStall,
		doc: "a disk stands still for up to DURATION, every MEAN (default 5s)",
		of:  func(s *Spec) value { return &s.Stall },
	},
	{
		key: "dead", form: "DURATION[/MEAN]", example: "1s/10s", kind: KindDeadCall,
		doc: "a disk refuses every call, all changes or all reads for up to DURATION, every MEAN",
		of:  func(s *Spec) value { return &s.Dead },
	},
	{
		key: "rot", form: "MEAN", example: "5s", kind: KindRot,
		doc: "every MEAN synced bytes on some disk change, until they are written anew",
		of:  func(s *Spec) value { return (*every)(&s.Rot) },
	},
	{
		key: "latent", form: "MEAN", example: "5s", kind: KindLatent,
		doc: "every MEAN synced bytes on some disk become unreadable, until they are written anew",
		of:  func(s *Spec) value { return (*every)(&s.Latent) },
	},
	{
		key: "phantom", form: "MEAN", example: "5s", kind: KindPhantom,
		doc: "every MEAN a synced write turns out never to have been made",
		of:  func(s *Spec) value { return (*every)(&s.Phantom) },
	},
	{
		key: "misdirect", form: "MEAN", example: "5s", kind: KindMisdirect,
		doc: "every MEAN a synced write turns out to lie in the place of another one",
		of:  func(s *Spec) value { return (*every)(&s.Misdirect) },
	},
	{
		key: "stale", form: "P", example: "0.05", kind: KindStale,
		doc: "a read shows in a part what was there before the last write; made again it is right",
		of:  func(s *Spec) value { return (*rate)(&s.Stale) },
	},
	{
		key: "astray", form: "P", example: "0.05", kind: KindAstray,
		doc: "a read shows in a part another place of the file; made again it is right",
		of:  func(s *Spec) value { return (*rate)(&s.Astray) },
	},
	{
		key: "wipe", form: "MEAN", example: "10s", kind: KindWipe,
		doc: "every MEAN a disk is lost and its node stays down; with budget=over it boots without",
		of:  func(s *Spec) value { return (*every)(&s.Wipe) },
	},
	{
		key: "restore", form: "MEAN", example: "5s", kind: KindRestore,
		doc: "every MEAN a disk is copied, or set back to its copy (see budget)",
		of:  func(s *Spec) value { return (*every)(&s.Restore) },
	},
	{
		key: "swap", form: "MEAN", example: "5s", kind: KindSwap,
		doc: "every MEAN two machines get each other's disks (see budget)",
		of:  func(s *Spec) value { return (*every)(&s.Swap) },
	},
	{
		key: "budget", form: "tail|over", example: "over", kind: KindNone,
		doc: "over: any number of disks may be damaged; tail: the newest synced bytes of a log, too",
		of:  func(s *Spec) value { return (*budget)(&s.Budget) },
	},
	{
		key: "crash", form: "any|leader|majority|all[:kill|power][/MEAN]", example: "leader:kill/2s", kind: KindCrash,
		doc: "they crash every MEAN (default 5s) and boot again; power (default) loses what was not synced",
		of:  func(s *Spec) value { return &s.Crash },
	},
	{
		key: "pause", form: "DURATION[/MEAN]", example: "2s/3s", kind: KindPause,
		doc: "a process stands still for up to DURATION, every MEAN (default 5s), its clocks go on",
		of:  func(s *Spec) value { return &s.Pause },
	},
	{
		key: "lag", form: "DURATION", example: "20ms", kind: KindLag,
		doc: "a job for the disk or the state machine waits up to this much longer before it begins",
		of:  func(s *Spec) value { return (*extraDelay)(&s.Lag) },
	},
	{
		key: "partition", form: "single|halves|leader|oneway|flap[/MEAN]", example: "halves/10s", kind: KindPartition,
		doc: "links between nodes go down for a while, every MEAN (default 5s)",
		of:  func(s *Spec) value { return &s.Partition },
	},
	{
		key: "clog", form: "DURATION[/MEAN]", example: "3s/2s", kind: KindClog,
		doc: "links of a node hold frames for up to DURATION, then let all go, every MEAN (default 5s)",
		of:  func(s *Spec) value { return &s.Clog },
	},
	{
		key: "drop", form: "P", example: "0.05", kind: KindDrop,
		doc: "a frame is lost",
		of:  func(s *Spec) value { return (*rate)(&s.Drop) },
	},
	{
		key: "dup", form: "P", example: "0.02", kind: KindDup,
		doc: "a frame arrives twice",
		of:  func(s *Spec) value { return (*rate)(&s.Dup) },
	},
	{
		key: "corrupt", form: "P", example: "0.001", kind: KindCorrupt,
		doc: "a frame arrives damaged",
		of:  func(s *Spec) value { return (*rate)(&s.Corrupt) },
	},
	{
		key: "delay", form: "DURATION", example: "20ms", kind: KindDelay,
		doc: "a frame takes up to this much longer",
		of:  func(s *Spec) value { return (*extraDelay)(&s.Delay) },
	},
}
