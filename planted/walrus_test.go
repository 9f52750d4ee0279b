package planted

// inWalrus are bugs of the log.
var inWalrus = []bug{
	{
		"the mark of a close outlives the next open", "TestMarkIsGoneBeforeTheLogGoesOn", "walrus/closing.go",
		"	if err := r.d.remove(path.Join(r.o.Dir, closedName)); err != nil {",
		"	if err := error(nil); err != nil {",
	},
	{
		"the mark of another segment is trusted", "TestMarkIsGoneBeforeTheLogGoesOn", "walrus/closing.go",
		"	if !r.markHolds || r.o.VerifyOnOpen || h.seq != r.mark.seq || h.salt != r.mark.salt || r.mark.end < h.base {\n		return nil, nil\n	}",
		"	if !r.markHolds || r.o.VerifyOnOpen {\n		return nil, nil\n	}\n	r.files = r.files[:1+top]\n	r.headers = nil",
	},
	{
		"a seal is trusted without its checksums", "TestDamagedSealsAreIgnored", "walrus/scan.go",
		"	if payloadSum(salt, r.topic, r.index, v.data[lo:hi]) != r.sum {",
		"	if r.kind != kindSeal && payloadSum(salt, r.topic, r.index, v.data[lo:hi]) != r.sum {",
	},
	{
		"a seal is written before a later segment is in use", "TestRandomLives", "walrus/chore.go",
		"	case len(l.sealings) > 0 && l.sealings[0].seq < l.settled:",
		"	case len(l.sealings) > 0:",
	},
	{
		"a file whose sync failed gets a seal in the next life", "TestSpoiledFileIsLeftAlone", "walrus/replay.go",
		"	if next.flags&headerSpoiled != 0 {",
		"	if next.flags&headerSpoiled == headerFlags+1 {",
	},
	{
		"a file whose sync failed is recycled in the next life", "TestSpoiledFileIsLeftAlone", "walrus/open.go",
		"		seg.spoiled = next.flags&headerSpoiled != 0",
		"		seg.spoiled = false",
	},
	{
		"a reopened log uses LSNs again", "TestReopen", "walrus/reopen.go",
		"	u.header.base = g.end + lsnGap",
		"	u.header.base = own.lsn",
	},
	{
		"a segment is written to as a spare before its old name is gone for good", "TestRandomLives", "walrus/spare.go",
		"	if err := d.syncDir(m.dir); err != nil {\n		return err\n	}\n	m.recycled = \"\"",
		"	m.recycled = \"\"",
	},
	{
		"a recycled segment keeps its old bytes", "TestOneSegmentIsTakenForASpare", "walrus/spare.go",
		"		if err := writeAll(m.file, m.zeros[:part], at); err != nil {",
		"		if err := error(nil); err != nil {",
	},
	{
		"a segment is removed though a reader or the scrub has it pinned", "TestPinnedSegmentStays", "walrus/chore.go",
		"	if last >= l.settled || l.segs[0].pins > 0 {",
		"	if last >= l.settled {",
	},
	{
		"a transaction in doubt is not repeated in a new segment", "TestTransactionIsDecidedLater", "walrus/group.go",
		"		if !g.mentions(p.id) {",
		"		if p.id == 1<<63 {",
	},
	{
		"a copy takes the place of an entry that has been replaced meanwhile", "TestCopyComesTooLate", "walrus/copy.go",
		"	if c.index < t.live.first || c.index >= min(t.live.next, t.cutFrom, t.stagedFrom) {",
		"	if c.index < t.live.first || c.index >= t.live.next {",
	},
	{
		"a segment is removed whose entries lie behind copied ones", "TestRandomLives", "walrus/copy.go",
		"	if !t.shuffled {",
		"	if true {",
	},
	{
		"a transaction that was decided in a sealed segment comes back", "TestDecidedTransactionStaysDecided", "walrus/replay.go",
		"	r.state.txs = r.state.txs[:0] // its first group repeats those in doubt",
		"",
	},
	{
		"slots that are dropped leave behind what they had in common", "TestSlots", "walrus/slots.go",
		"		s.chunks[need-1].cut(s.head + n - (need-1)*chunkSlots)",
		"		s.chunks[need-1].cut(chunkSlots)",
	},
	{
		"a slot that changes takes its neighbours along", "TestSlots", "walrus/slots.go",
		"	if i+1 < chunkSlots && (at+1 == len(c.runs) || int(c.runs[at+1].from) > i+1) {",
		"	if i+1 < chunkSlots && at+1 < len(c.runs) && int(c.runs[at+1].from) > i+1 {",
	},
	{
		"long entries in a row get other lengths from a seal", "TestJournalOfEntriesInARow", "walrus/seal.go",
		"			length, n = length&0x3fff|uint32(p[3])<<14, 4",
		"			length, n = length&0x3fff|uint32(p[3])<<13, 4",
	},
	{
		"entries in a row get the term of the first", "TestRandomLives", "walrus/group.go",
		"	return p.kind == e.kind && (e.kind == kindEntry || e.kind == kindLink) && p.topic == e.topic && p.index == e.index+n && p.term == e.term && p.flags == e.flags",
		"	return p.kind == e.kind && (e.kind == kindEntry || e.kind == kindLink) && p.topic == e.topic && p.index == e.index+n && p.flags == e.flags",
	},
	{
		"a header's checksum follows from that of a copy", "TestHeadersInARow", "walrus/group.go",
		"	return p.kind == e.kind && (e.kind == kindEntry || e.kind == kindLink) && p.topic == e.topic && p.index == e.index+n && p.term == e.term && p.flags == e.flags",
		"	return (p.kind == kindEntry || p.kind == kindLink) && p.topic == e.topic && p.index == e.index+n && p.term == e.term && p.flags == e.flags",
	},
	{
		"a header's checksum follows from that of a longer record", "TestHeadersInARow", "walrus/sign.go",
		"	if s.last != nil && op.follows(s.last, 1) && op.length == s.last.length {",
		"	if s.last != nil && op.follows(s.last, 1) {",
	},
	{
		"entries in a row are not in the seal", "TestRandomLives", "walrus/publish.go",
		"		s.journal.addAlike(ops[:len(places)])",
		"",
	},
	{
		"links in a row are not counted", "TestRandomLives", "walrus/publish.go",
		"		t.live.next += uint64(n) // and nothing else: a recovery topic has no slots",
		"",
	},
	{
		"a link is looked for behind the one before only", "TestLinksInAnyOrder", "walrus/sign.go",
		"		from = 0",
		"",
	},
	{
		"entries in a row are staged with a gap", "TestPlainBatches", "walrus/stage.go",
		"		if op.kind != kindEntry || op.topic != t.id || op.index != next || len(op.payload) > most {",
		"		if op.kind != kindEntry || op.topic != t.id || op.index < next || len(op.payload) > most {",
	},
	{
		"entries in a row are staged for the main topic only", "TestPlainBatches", "walrus/stage.go",
		"		t.recovery.staged = t.staged",
		"",
	},
	{
		"a payload is padded with what the memory held", "TestRandomLives", "walrus/group.go",
		"	binary.LittleEndian.PutUint64(g.buf[at+size-alignBytes:], 0) // the padding",
		"	_ = binary.LittleEndian",
	},
	{
		"a kept file is recognised by its name alone", "TestReaderOpensAReplacedFileAnew", "walrus/reader.go",
		"func (k *keptFile) is(e *Extent) bool { return k.salt == e.salt && k.file != nil && k.name == e.File }",
		"func (k *keptFile) is(e *Extent) bool { return k.file != nil && k.name == e.File }",
	},
	{
		"payloads to keep are the reader's own memory", "TestOwnedPayloadsStay", "walrus/reader.go",
		"	return r.readAll(extents, newRoom, visit)",
		"	return r.readAll(extents, r.room, visit)",
	},
	{
		"a damaged entry is written again with a checksum that holds", "TestHoleInTheLastGroupStaysAHole", "walrus/replay.go",
		"				r.claim = max(r.claim, v.header.lsn(g.end()))",
		"				r.claim += 0",
	},
	{
		"zeros that were written are taken for a tear", "TestZerosThatWereWrittenAreNoTear", "walrus/judge.go",
		"		if isZero(v.data[lo:hi]) && !slices.ContainsFunc(verified, within) {",
		"		if _ = within; isZero(v.data[lo:hi]) {",
	},
	{
		"a log that somebody has open is opened", "TestOneProcessAtATime", "walrus/disk.go",
		"	err = retry(func() error { lock, err = d.fs.Lock(name); return err })",
		"	lock = io.NopCloser(nil)",
	},
	{
		"a group is written before there is room for it", "TestGroupThatFindsNoSpaceIsTakenBack", "walrus/group.go",
		"	if err := g.reserve(); err != nil {",
		"	if err := error(nil); err != nil {",
	},
	{
		"a group is taken back of which a part may have been written", "TestGroupThatWasBegunIsNotTakenBack", "walrus/withdraw.go",
		"	if g.begun {",
		"	if g.begun && g.prepared == 0 {",
	},
	{
		"the place of a group that was taken back stays empty", "TestGroupThatFindsNoSpaceIsTakenBack", "walrus/withdraw.go",
		"	l.end = g.off",
		"",
	},
	{
		"what chores have staged keeps out a batch for ever", "TestChoresKeepNobodyOut", "walrus/stage.go",
		"	if l.open.idle() {",
		"	if len(l.open.ops) == 0 {",
	},
	{
		"what chores have staged makes way for every batch, for ever", "TestChoresGetTheirTurn", "walrus/stage.go",
		"func (l *Log) Stage(b *Batch) error {",
		"func (l *Log) Stage(b *Batch) error {\n	if len(l.open.ops) > 0 && l.open.idle() {\n		l.unstage()\n	}",
	},
}
