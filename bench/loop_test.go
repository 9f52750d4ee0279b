package main

import "testing"

func BenchmarkEtcdLoop(b *testing.B) {
	l, err := newEtcdLoop(1)
	if err != nil {
		b.Fatal(err)
	}
	data := make([]byte, 128)
	b.ReportAllocs()
	for b.Loop() {
		if err := l.put(data); err != nil {
			b.Fatal(err)
		}
	}
}
