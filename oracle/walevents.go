package oracle

import "github.com/octopii-go/octopii/runtime"

// The events that the driver of a log records, for WalSuite to judge.
const (
	// WalStaged: batch B of call A is in the open group.
	WalStaged runtime.EventKind = 0x434d13cd
	// WalRefused: batch B of call A was refused, with the error of the note; C is 1 if the disk is full.
	WalRefused runtime.EventKind = 0x16cc0385
	// WalCut: the open group is on its way to the disk; another one is open.
	WalCut runtime.EventKind = 0xeddcb4d5
	// WalPublished: the group that was on its way is durable and visible.
	WalPublished runtime.EventKind = 0x3907b917
	// WalBounds: topic A holds the entries from B on, before C.
	WalBounds runtime.EventKind = 0x9711ac4a
	// WalPlaced: entry B of topic A, or without a topic the value of key B, is durable in the file of the note: D bytes at C.
	WalPlaced runtime.EventKind = 0xe483236e
	// WalLocated: call A reads the entries [C, D) of topic B, or may not, for the reason of the note.
	WalLocated runtime.EventKind = 0x920500e7
	// WalEntryRead: call A has read entry C of topic B, whose hash is D.
	WalEntryRead runtime.EventKind = 0xf8a11770
	// WalReadEnded: what call A located has been read, or not, for the reason of the note; B is 1 if its file is gone, 2 if
	// the next entry is damaged.
	WalReadEnded runtime.EventKind = 0x920a40c6
	// WalValueRead: call A has read key B; C is 1 if it has a value, D the hash of that.
	WalValueRead runtime.EventKind = 0x27a6f6ff
	// WalTopicFound: an open log holds the entries from B on, before C, of topic A; D is a hash of their terms and flags.
	WalTopicFound runtime.EventKind = 0xbaef97f7
	// WalEntryFound: an open log holds entry B of topic A, whose hash is C.
	WalEntryFound runtime.EventKind = 0xdc71c5d0
	// WalValueFound: an open log holds a value of key A, whose hash is B.
	WalValueFound runtime.EventKind = 0x2316505d
	// WalFinding: a report says verdict A of C bytes at B in the file of the note.
	WalFinding runtime.EventKind = 0x2fe5e5e4
	// WalOpened: the log is open with what was said to be found, and that is all; its report says verdict A. B is 1 if there was none before, C how many records were written again.
	WalOpened runtime.EventKind = 0x34edd912
	// WalDoubtFound: transaction A of an open log is in doubt; B is a HashWalTx of its changes.
	WalDoubtFound runtime.EventKind = 0x3eecc00e
	// WalHoleFound: entry B of topic A of an open log cannot be read.
	WalHoleFound runtime.EventKind = 0x97276a80
	// WalMended: entry B of topic A, whose hash is C, is in the open group, to take the place of what is damaged.
	WalMended runtime.EventKind = 0x8ac09902
	// WalWithdrawn: the group that was on its way has found no room, and it and what is staged are taken back.
	WalWithdrawn runtime.EventKind = 0xc2bcf1e1
	// WalReopened: the flush of the group that is on its way has failed, and it is written elsewhere.
	WalReopened runtime.EventKind = 0xf163ac27
	// WalClosed: the log is being closed, to be opened again: everything given to it is durable.
	WalClosed runtime.EventKind = 0xabce7c23
	// WalInspected: A entries lie in the files for the mirrored topic; B is a hash of their indexes and terms, C that of the links that mirror them.
	WalInspected runtime.EventKind = 0xc084b7a0
)

// WalEvents describes the events of this file.
var WalEvents = []runtime.EventInfo{
	{Kind: WalStaged, Name: "wal.staged", Text: "batch {B} of call {A}"},
	{Kind: WalRefused, Name: "wal.refused", Text: "batch {B} of call {A}, room {C}: {note}"},
	{Kind: WalCut, Name: "wal.cut", Text: ""},
	{Kind: WalPublished, Name: "wal.published", Text: ""},
	{Kind: WalBounds, Name: "wal.bounds", Text: "topic {A} [{B}, {C})"},
	{Kind: WalPlaced, Name: "wal.placed", Text: "entry {B} of topic {A} in {note} at {C}+{D}"},
	{Kind: WalLocated, Name: "wal.located", Text: "for call {A}: topic {B} [{C}, {D}) {note}"},
	{Kind: WalEntryRead, Name: "wal.entry-read", Text: "for call {A}: topic {B} entry {C} hash {D:x}"},
	{Kind: WalReadEnded, Name: "wal.read-ended", Text: "for call {A} why {B} {note}"},
	{Kind: WalValueRead, Name: "wal.value-read", Text: "for call {A}: key {B} found {C} hash {D:x}"},
	{Kind: WalTopicFound, Name: "wal.topic-found", Text: "topic {A} [{B}, {C}) labels {D:x}"},
	{Kind: WalEntryFound, Name: "wal.entry-found", Text: "topic {A} entry {B} hash {C:x}"},
	{Kind: WalValueFound, Name: "wal.value-found", Text: "key {A} hash {B:x}"},
	{Kind: WalFinding, Name: "wal.finding", Text: "verdict {A}: {C} bytes at {B} in {note}"},
	{Kind: WalOpened, Name: "wal.opened", Text: "verdict {A} fresh {B} repeated {C}"},
	{Kind: WalDoubtFound, Name: "wal.doubt-found", Text: "transaction {A} hash {B:x}"},
	{Kind: WalHoleFound, Name: "wal.hole-found", Text: "topic {A} entry {B}"},
	{Kind: WalMended, Name: "wal.mended", Text: "topic {A} entry {B} hash {C:x}"},
	{Kind: WalWithdrawn, Name: "wal.withdrawn", Text: ""},
	{Kind: WalReopened, Name: "wal.reopened", Text: ""},
	{Kind: WalClosed, Name: "wal.closed", Text: ""},
	{Kind: WalInspected, Name: "wal.inspected", Text: "{A} entries hash {B:x}, links hash {C:x}"},
}
