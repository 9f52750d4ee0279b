package planted

// inRaft are bugs of the engines and of the host.
var inRaft = []bug{
	{
		"a call on a file is a stall at once", "TestCallThatLastsIsAStall", "runtime/host/watchdog.go",
		"		if lasts := now - time.Duration(began); began != 0 && lasts >= g.after && g.stalled[lane] == 0 {",
		"		if lasts := now - time.Duration(began); began != 0 && g.stalled[lane] == 0 {",
	},
	{
		"a caller's turn forgets what came meanwhile", "TestCallersTurnLeavesNothingBehind", "runtime/host/loop.go",
		"	if h.inbox.length() > 0 || h.earlier.Swap(false) {",
		"	if h.earlier.Swap(false) {",
	},
	{
		"nobody hears of an alarm that is set in a caller's turn", "TestAlarmOfACallersTurnRings", "runtime/host/loop.go",
		"		h.earlier.Store(true)",
		"",
	},
	{
		"a leader whose disk stands still leads on", "TestLeaderWithAStalledDiskStepsDown", "raft/core.go",
		"	case c.stalled && c.role == Leader && now >= c.heartbeatAt:\n		c.follow(c.term)",
		"",
	},
	{
		"a group that waits for space is no stall", "TestLeaderWithAStalledDiskStepsDown", "raft/node_log.go",
		"	return w.flushing && now.Sub(w.began) >= w.node.cfg.StallTimeout",
		"	return w.flushing && w.flushAt == runtime.Never && now.Sub(w.began) >= w.node.cfg.StallTimeout",
	},
	{
		"a query does not wait for its barrier", "TestQueryWaitsForItsBarrier", "raft/hashi/query.go",
		"		at.err = r.engine.barrier()",
		"		at.err = nil",
	},
	{
		"a third message goes behind entries that were refused", "TestNoThirdMessageBehindARefusal", "raft/hashi/pipeline.go",
		"	return !resp.Success || resp.Term > f.Request().Term",
		"	return resp.Term > f.Request().Term",
	},
	{
		"an acknowledgement of an earlier term counts", "TestTranscripts", "raft/core.go",
		"	if m.Term < c.term {\n		c.answerStale(m)",
		"	if m.Term < c.term && m.Type != MsgAppendReply {\n		c.answerStale(m)",
	},
	{
		"a message of an earlier term is not answered", "TestTranscripts", "raft/election.go",
		"	reply := Message{To: m.From, Term: c.term, Reject: true}",
		"	reply := Message{To: m.From, Term: c.term, Reject: true}\n	if reply.Reject {\n		return\n	}",
	},
	{
		"an acknowledgement that a later term has overtaken leaves all the same", "TestSeveralTermsInOneTake", "raft/writes.go",
		"		if !c.Void(&c.out.Gated[i].Message) {",
		"		if true {",
	},
	{
		"nobody is fed when an entry is not committed in time", "TestTranscripts", "raft/thrift.go",
		"		t.mark, t.due = c.log.last, c.now.Add(c.cfg.HeartbeatInterval/hedgePart)",
		"		t.mark, t.due = c.log.last, runtime.Never",
	},
	{
		"a peer that has long been silent is favoured", "TestTranscripts", "raft/thrift.go",
		"	return p.state == replicating && c.now.Sub(p.heard) < 2*c.cfg.HeartbeatInterval",
		"	return p.state == replicating",
	},
	{
		"one that has lost something is spared", "TestTranscripts", "raft/progress.go",
		"	p.waiting, p.nudge, p.spared = false, false, false",
		"	p.waiting, p.nudge = false, false",
	},
	{
		"the log drops what a spared peer has not been sent", "TestTranscripts", "raft/snapshot.go",
		"	c.compact(meta, c.keepWithheld(base))",
		"	c.compact(meta, base)",
	},
	{
		"an election is brought forward at any time", "TestTranscripts", "raft/election.go",
		"	if c.role != Leader && c.now < e.at && c.now.Sub(e.since) >= e.timeout {",
		"	if c.role != Leader && c.now < e.at {",
	},
	{
		"no election is brought forward", "TestTranscripts", "raft/election.go",
		"	if c.role != Leader && c.now < e.at && c.now.Sub(e.since) >= e.timeout {",
		"	if c.role == Leader && c.now < e.at {",
	},
	{
		"a full disk ends the replica", "TestFullDiskIsARefusal", "raft/hashi/store.go",
		"	case errors.Is(err, walrus.ErrNoSpace), errors.Is(err, walrus.ErrFull), errors.Is(err, walrus.ErrTooLarge), errors.Is(err, walrus.ErrGap):",
		"	case errors.Is(err, walrus.ErrFull), errors.Is(err, walrus.ErrTooLarge), errors.Is(err, walrus.ErrGap):",
	},
}
