package oracle

import "github.com/octopii-go/octopii/raft/kv"

// NewKV returns the Model of an empty key-value store of package kv. It is a
// Partitioner, a Reader and a Restorer.
func NewKV() Model { return keyValue{kv.NewModel()} }

// keyValue makes a Model of the store's own.
type keyValue struct{ *kv.Model }

// Clone implements [Model].
func (m keyValue) Clone() Model { return keyValue{m.Model.Clone()} }
