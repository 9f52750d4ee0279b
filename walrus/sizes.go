package walrus

// Size returns how many entries of a topic are published, and how many bytes their payloads
// have together. It takes time in proportion to the entries. A recovery topic has the entries
// of its main topic, and no bytes.
func (l *Log) Size(t Topic) (entries uint64, payload int64) {
	topic := l.find(t)
	if topic == nil {
		return 0, 0
	}
	entries = topic.live.next - topic.live.first
	if topic.main != nil {
		return entries, 0
	}
	for index := topic.live.first; index < topic.live.next; index++ {
		payload += int64(topic.slot(index).length)
	}
	return entries, payload
}
