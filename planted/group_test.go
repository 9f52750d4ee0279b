package planted

// inGroup are bugs of the log that goroutines share.
var inGroup = []bug{
	{
		"a shared log hands out payloads of the reader's own", "TestOwnedPayloadsStay", "walrus/group/reader.go",
		"	if owned {",
		"	if owned && lo == 0 {",
	},
	{
		"a shared log is read without pins", "TestReaderOutlivesTruncation", "walrus/group/reader.go",
		"	defer l.release(r)",
		"	l.mu.Lock()\n	l.log.Release(r.extents)\n	l.readers.busy--\n	l.mu.Unlock()\n	defer r.files.Close()",
	},
	{
		"an idle reader keeps a removed segment", "TestIdleReadersKeepNoRemovedSegment", "walrus/group/reader.go",
		"		idle, l.readers.idle = l.readers.idle, nil",
		"",
	},
	{
		"a reader at work keeps a removed segment", "TestReaderAtWorkKeepsNoRemovedSegment", "walrus/group/reader.go",
		"	if l.closing || r.epoch != l.readers.epoch || places > readerPlacesMax || !l.readers.push(r) {",
		"	if l.closing || places > readerPlacesMax || !l.readers.push(r) {",
	},
	{
		"Close leaves the files of idle readers open", "TestIdleReadersKeepNoRemovedSegment", "walrus/group/log.go",
		"	closeReaders(l.readers.idle)",
		"",
	},
	{
		"a consumer takes all entries without a payload at once", "TestConsumerTakesEmptyEntriesOneByOne", "walrus/group/read.go",
		"const oneEntry = -1",
		"const oneEntry = 0",
	},
	{
		"an acknowledgement and the results of the work are durable apart", "TestCursorRidesInABatch", "walrus/group/consumer.go",
		"	b.Set(c.key, value)",
		"	(&walrus.Batch{}).Set(c.key, value)",
	},
	{
		"a log fails that finds no space for a group", "TestNoSpaceForAGroup", "walrus/group/commit.go",
		"	case !errors.Is(err, walrus.ErrFailed) && l.log.Withdraw(g):",
		"	case r == nil:",
	},
	{
		"a ticket forgets that its batch was refused", "TestNoSpaceForAGroup", "walrus/group/ticket.go",
		"	case t.era.refused != nil && t.round > t.era.settled:",
		"	case t.era.refused != nil && t.round == 0:",
	},
	{
		"an acknowledgement counts though its group was taken back", "TestAcknowledgementWithoutSpace", "walrus/group/full.go",
		"		c.recall()",
		"		_ = c",
	},
	{
		"a log goes on that could not be reopened", "TestFailureOfAReopen", "walrus/group/full.go",
		"	l.chores.held = false\n	l.mu.Unlock()\n	return err",
		"	l.chores.held = false\n	l.mu.Unlock()\n	_ = err\n	return nil",
	},
}
