package planted

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	// What is tested: with it the result counts as long as it is the same.
	_ "github.com/octopii-go/octopii/raft"
	_ "github.com/octopii-go/octopii/raft/hashi"
	_ "github.com/octopii-go/octopii/runtime/host"
	_ "github.com/octopii-go/octopii/walrus"
	_ "github.com/octopii-go/octopii/walrus/group"
)

// planted are bugs that the simulated cluster has no way to find: what they take is an option
// that no node uses, a real disk, or a moment that no run has met. Each has a test in its package that fails with it.
// Old is whole lines of the file, there only once, and new the lines in their place.
var planted = []struct {
	name, test string
	file       string
	old, new   string
}{
	{
		"the mark of a close outlives the next open", "TestMarkIsGoneBeforeTheLogGoesOn", "closing.go",
		"	if err := r.d.remove(path.Join(r.o.Dir, closedName)); err != nil {",
		"	if err := error(nil); err != nil {",
	},
	{
		"the mark of another segment is trusted", "TestMarkIsGoneBeforeTheLogGoesOn", "closing.go",
		"	if !r.markHolds || r.o.VerifyOnOpen || h.seq != r.mark.seq || h.salt != r.mark.salt || r.mark.end < h.base {\n		return nil, nil\n	}",
		"	if !r.markHolds || r.o.VerifyOnOpen {\n		return nil, nil\n	}\n	r.files = r.files[:1+top]\n	r.headers = nil",
	},
	{
		"a seal is trusted without its checksums", "TestDamagedSealsAreIgnored", "scan.go",
		"	if payloadSum(salt, r.topic, r.index, v.data[lo:hi]) != r.sum {",
		"	if r.kind != kindSeal && payloadSum(salt, r.topic, r.index, v.data[lo:hi]) != r.sum {",
	},
	{
		"a seal is written before a later segment is in use", "TestRandomLives", "chore.go",
		"	case len(l.sealings) > 0 && l.sealings[0].seq < l.settled:",
		"	case len(l.sealings) > 0:",
	},
	{
		"a file whose sync failed gets a seal in the next life", "TestSpoiledFileIsLeftAlone", "replay.go",
		"	if next.flags&headerSpoiled != 0 {",
		"	if next.flags&headerSpoiled == headerFlags+1 {",
	},
	{
		"a file whose sync failed is recycled in the next life", "TestSpoiledFileIsLeftAlone", "open.go",
		"		seg.spoiled = next.flags&headerSpoiled != 0",
		"		seg.spoiled = false",
	},
	{
		"a reopened log uses LSNs again", "TestReopen", "reopen.go",
		"	u.header.base = g.end + lsnGap",
		"	u.header.base = own.lsn",
	},
	{
		"a segment is written to as a spare before its old name is gone for good", "TestRandomLives", "spare.go",
		"	if err := d.syncDir(m.dir); err != nil {\n		return err\n	}\n	m.recycled = \"\"",
		"	m.recycled = \"\"",
	},
	{
		"a recycled segment keeps its old bytes", "TestOneSegmentIsTakenForASpare", "spare.go",
		"		if err := writeAll(m.file, m.zeros[:part], at); err != nil {",
		"		if err := error(nil); err != nil {",
	},
	{
		"a segment is removed though a reader or the scrub has it pinned", "TestPinnedSegmentStays", "chore.go",
		"	if last >= l.settled || l.segs[0].pins > 0 {",
		"	if last >= l.settled {",
	},
	{
		"a transaction in doubt is not repeated in a new segment", "TestTransactionIsDecidedLater", "group.go",
		"		if !g.mentions(p.id) {",
		"		if p.id == 1<<63 {",
	},
	{
		"a copy takes the place of an entry that has been replaced meanwhile", "TestCopyComesTooLate", "copy.go",
		"	if c.index < t.live.first || c.index >= min(t.live.next, t.cutFrom, t.stagedFrom) {",
		"	if c.index < t.live.first || c.index >= t.live.next {",
	},
	{
		"a segment is removed whose entries lie behind copied ones", "TestRandomLives", "copy.go",
		"	if !t.shuffled {",
		"	if true {",
	},
	{
		"a transaction that was decided in a sealed segment comes back", "TestDecidedTransactionStaysDecided", "replay.go",
		"	r.state.txs = r.state.txs[:0] // its first group repeats those in doubt",
		"",
	},
	{
		"a call on a file is a stall at once", "TestStalledDiskIsSaid", "../runtime/host/watchdog.go",
		"			if began != 0 && lasts >= after && stalled[lane] == 0 {",
		"			if began != 0 && stalled[lane] == 0 {",
	},
	{
		"a leader whose disk stands still leads on", "TestLeaderWithAStalledDiskStepsDown", "../raft/core.go",
		"	case c.stalled && c.role == Leader && now >= c.heartbeatAt:\n		c.follow(c.term)",
		"",
	},
	{
		"a group that waits for space is no stall", "TestLeaderWithAStalledDiskStepsDown", "../raft/node_log.go",
		"	return w.flushing && now.Sub(w.began) >= w.node.cfg.StallTimeout",
		"	return w.flushing && w.flushAt == runtime.Never && now.Sub(w.began) >= w.node.cfg.StallTimeout",
	},
	{
		"a query does not wait for its barrier", "TestHistoryIsLinearizable", "../raft/hashi/query.go",
		"		at.err = r.engine.raft.Barrier(exchangeTimeout).Error()",
		"		at.err = nil",
	},
	{
		"slots that are dropped leave behind what they had in common", "TestSlots", "slots.go",
		"		s.chunks[need-1].cut(s.head + n - (need-1)*chunkSlots)",
		"		s.chunks[need-1].cut(chunkSlots)",
	},
	{
		"a slot that changes takes its neighbours along", "TestSlots", "slots.go",
		"	if i+1 < chunkSlots && (at+1 == len(c.runs) || int(c.runs[at+1].from) > i+1) {",
		"	if i+1 < chunkSlots && at+1 < len(c.runs) && int(c.runs[at+1].from) > i+1 {",
	},
	{
		"long entries in a row get other lengths from a seal", "TestJournalOfEntriesInARow", "seal.go",
		"			length, n = length&0x3fff|uint32(p[3])<<14, 4",
		"			length, n = length&0x3fff|uint32(p[3])<<13, 4",
	},
	{
		"a kept file is recognised by its name alone", "TestReaderOpensAReplacedFileAnew", "reader.go",
		"func (k *keptFile) is(e *Extent) bool { return k.salt == e.salt && k.file != nil && k.name == e.File }",
		"func (k *keptFile) is(e *Extent) bool { return k.file != nil && k.name == e.File }",
	},
	{
		"payloads to keep are the reader's own memory", "TestOwnedPayloadsStay", "reader.go",
		"	return r.readAll(extents, newRoom, visit)",
		"	return r.readAll(extents, r.room, visit)",
	},
	{
		"a shared log hands out payloads of the reader's own", "TestOwnedPayloadsStay", "group/reader.go",
		"	if owned {",
		"	if owned && lo == 0 {",
	},
	{
		"a shared log is read without pins", "TestReaderOutlivesTruncation", "group/reader.go",
		"	defer l.release(r)",
		"	l.mu.Lock()\n	l.log.Release(r.extents)\n	l.readers.busy--\n	l.mu.Unlock()\n	defer r.files.Close()",
	},
	{
		"an idle reader keeps a removed segment", "TestIdleReadersKeepNoRemovedSegment", "group/reader.go",
		"		idle, l.readers.idle = l.readers.idle, nil",
		"",
	},
	{
		"a reader at work keeps a removed segment", "TestReaderAtWorkKeepsNoRemovedSegment", "group/reader.go",
		"	if l.closing || r.epoch != l.readers.epoch || places > readerPlacesMax || !l.readers.push(r) {",
		"	if l.closing || places > readerPlacesMax || !l.readers.push(r) {",
	},
	{
		"Close leaves the files of idle readers open", "TestIdleReadersKeepNoRemovedSegment", "group/log.go",
		"	closeReaders(l.readers.idle)",
		"",
	},
	{
		"a consumer takes all entries without a payload at once", "TestConsumerTakesEmptyEntriesOneByOne", "group/read.go",
		"const oneEntry = -1",
		"const oneEntry = 0",
	},
	{
		"a damaged entry is written again with a checksum that holds", "TestHoleInTheLastGroupStaysAHole", "replay.go",
		"				r.claim = max(r.claim, v.header.lsn(g.end()))",
		"				r.claim += 0",
	},
	{
		"zeros that were written are taken for a tear", "TestZerosThatWereWrittenAreNoTear", "judge.go",
		"		if isZero(v.data[lo:hi]) && !slices.ContainsFunc(verified, within) {",
		"		if _ = within; isZero(v.data[lo:hi]) {",
	},
	{
		"a log that somebody has open is opened", "TestOneProcessAtATime", "disk.go",
		"	err = retry(func() error { lock, err = d.fs.Lock(name); return err })",
		"	lock = io.NopCloser(nil)",
	},
	{
		"an acknowledgement and the results of the work are durable apart", "TestCursorRidesInABatch", "group/consumer.go",
		"	b.Set(c.key, value)",
		"	(&walrus.Batch{}).Set(c.key, value)",
	},
	{
		"a group is written before there is room for it", "TestGroupThatFindsNoSpaceIsTakenBack", "group.go",
		"	if err := g.reserve(); err != nil {",
		"	if err := error(nil); err != nil {",
	},
	{
		"a group is taken back of which a part may have been written", "TestGroupThatWasBegunIsNotTakenBack", "withdraw.go",
		"	if g.begun {",
		"	if g.begun && g.prepared == 0 {",
	},
	{
		"the place of a group that was taken back stays empty", "TestGroupThatFindsNoSpaceIsTakenBack", "withdraw.go",
		"	l.end = g.off",
		"",
	},
	{
		"a log fails that finds no space for a group", "TestNoSpaceForAGroup", "group/commit.go",
		"	case !errors.Is(err, walrus.ErrFailed) && l.log.Withdraw(g):",
		"	case r == nil:",
	},
	{
		"a ticket forgets that its batch was refused", "TestNoSpaceForAGroup", "group/ticket.go",
		"	case t.era.refused != nil && t.round > t.era.settled:",
		"	case t.era.refused != nil && t.round == 0:",
	},
	{
		"an acknowledgement counts though its group was taken back", "TestAcknowledgementWithoutSpace", "group/full.go",
		"		c.recall()",
		"		_ = c",
	},
	{
		"a log goes on that could not be reopened", "TestFailureOfAReopen", "group/full.go",
		"	l.chores.held = false\n	l.mu.Unlock()\n	return err",
		"	l.chores.held = false\n	l.mu.Unlock()\n	_ = err\n	return nil",
	},
}

func TestPlantedBugsAreFound(t *testing.T) {
	for _, bug := range planted {
		t.Run(bug.name, func(t *testing.T) {
			path := filepath.Join("..", bug.file)
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count("\n"+string(source), "\n"+bug.old+"\n"); n != 1 {
				t.Fatalf("the anchor is in %s %d times, want once", bug.file, n)
			}
			dir := t.TempDir()
			mutant, overlay := filepath.Join(dir, filepath.Base(bug.file)), filepath.Join(dir, "overlay.json")
			text := strings.Replace("\n"+string(source), "\n"+bug.old+"\n", "\n"+bug.new+"\n", 1)
			here, err := filepath.Abs(path)
			if err != nil {
				t.Fatal(err)
			}
			replace, err := json.Marshal(map[string]map[string]string{"Replace": {here: mutant}})
			if err != nil {
				t.Fatal(err)
			}
			for name, data := range map[string][]byte{mutant: []byte(text), overlay: replace} {
				if err := os.WriteFile(name, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			said, err := exec.Command("go", "test", "-vet=off", "-count=1", "-overlay", overlay, "-run", "^"+bug.test+"$", filepath.Dir(path)).CombinedOutput()
			if err == nil || !strings.Contains(string(said), bug.test) || strings.Contains(string(said), "[build failed]") {
				t.Errorf("%s: %v\n%s", bug.test, err, said)
			}
		})
	}
}
