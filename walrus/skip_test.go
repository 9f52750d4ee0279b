package walrus

import "testing"

// The table against its definition, for each bit and for some mixtures.
func TestSkipHeader(t *testing.T) {
	header := []byte("any bytes at all, 28 of them")
	if len(header) != recordHeaderSummed {
		t.Fatalf("%d bytes are summed, the table is for %d", recordHeaderSummed, len(header))
	}
	diffs := []uint32{0, 0xffffffff, 0x12345678, 0x9abcdef0}
	for bit := range 32 {
		diffs = append(diffs, 1<<bit)
	}
	for _, diff := range diffs {
		const before = 0xa5c3_0f96
		want := sum(before, header) ^ sum(before^diff, header)
		if got := skipHeader(diff); got != want {
			t.Errorf("%#x becomes %#x, want %#x", diff, got, want)
		}
	}
}

// Headers signed in a row have the checksums that they would have alone, and so has the group over them all.
func TestHeadersInARow(t *testing.T) {
	const salt = 7
	for bit := range 64 {
		first := uint64(1)<<bit - 1
		entry := record{kind: kindEntry, topic: 3, index: first, term: 9, length: 100}
		records := []record{entry, entry, entry, entry, entry, entry, entry, entry, entry, entry, entry}
		for i := range records {
			records[i].index, records[i].sum = first+uint64(i), uint32(i*0x1234567)
		}
		records[3].term++
		records[5].length--
		records[6].flags++
		records[7].index += 2
		records[8].topic++
		records[9].kind = kindCopy

		row, group := newSigner(salt), seed(salt, seedGroup)
		for i := range records {
			var p [recordHeaderBytes]byte
			row.header(&placed{record: records[i]}, p[:])
			got, ok := getRecord(p[:], salt)
			if group = sum(group, p[:recordHeaderSummed]); !ok || got != records[i] || row.group != group {
				t.Errorf("record %d from %d: %v, %+v, want %+v; group %#x, want %#x", i, first, ok, got, records[i], row.group, group)
			}
		}
	}
}
