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
