package fsmtest_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/octopii-go/octopii/raft"
	"github.com/octopii-go/octopii/runtime"
)

// bug names a promise that a bank breaks. The empty one breaks none.
type bug string

// bank is a state machine that keeps its contract, but for one bug. A command is the name of an account, one
// byte, and an amount, one byte; the response is the account's balance. A query is the name.
type bank struct {
	bug    bug
	world  *int // how many there are: what machines of one test share, and should not
	state  map[byte][]byte
	count  uint64 // commands executed
	asked  uint64
	buffer []byte
	files  runtime.FS
}

func newBank(b bug, world *int) *bank {
	*world++
	return &bank{bug: b, world: world, state: map[byte][]byte{}}
}

func (m *bank) Apply(entries []raft.Entry, results [][]byte) [][]byte {
	if m.bug == "results are replaced" {
		results[0] = []byte("mine")
	}
	for i := range entries {
		m.count++
		m.buffer = m.buffer[:0]
		response := m.execute(entries[i].Data)
		switch m.bug {
		case "response depends on the batch":
			response = append(response, byte(i))
		case "response depends on the machine":
			response = append(response, byte(*m.world))
		case "responses share a buffer":
			m.buffer = append(m.buffer, response...)
			response = m.buffer
		case "command is changed":
			entries[i].Data[0]++
		}
		results = append(results, response)
	}
	switch m.bug {
	case "batch has one response":
		results = results[:2]
	case "responses overlap":
		var all []byte
		for i := range entries {
			all = append(all, results[1+i]...)
		}
		for i := range entries {
			results[1+i] = all[i : i+9]
		}
	}
	return results
}

// execute returns 9 bytes.
func (m *bank) execute(command []byte) []byte {
	if len(command) != 2 {
		refused := make([]byte, 9)
		if m.bug == "nonsense depends on the machine" {
			refused[0] = byte(*m.world)
		}
		return refused
	}
	if m.bug == "nothing is executed" {
		m.count = 0
		return make([]byte, 9)
	}
	name, amount := command[0], uint64(command[1])
	account := m.state[name]
	if account == nil {
		account = make([]byte, 8)
	}
	if m.bug != "image shows the present" {
		account = slices.Clone(account)
	}
	binary.LittleEndian.PutUint64(account, binary.LittleEndian.Uint64(account)+amount)
	m.state[name] = account
	response := append(slices.Clone(account), 1)
	if m.bug == "responses belong to the state" {
		response = append(account[:8:8], 1)
		m.state[name] = response[:8]
	}
	if m.bug == "restore forgets a part" || m.bug == "snapshot resets a part" {
		response[8] = byte(m.count)
	}
	return response
}

func (m *bank) Query(name []byte) []byte {
	m.asked++
	answer := make([]byte, 8)
	if len(name) == 1 && m.state[name[0]] != nil {
		answer = slices.Clone(m.state[name[0]])
	}
	switch m.bug {
	case "query counts":
		m.state['q'] = binary.LittleEndian.AppendUint64(nil, m.asked)
	case "query answers anew":
		answer[7] = byte(m.asked)
	case "answers belong to the state":
		if len(name) == 1 && m.state[name[0]] != nil {
			answer = m.state[name[0]]
		}
	case "query is changed":
		name[0]++
	case "answers differ after a restore":
		answer[7] = byte(m.count)
	}
	return answer
}

func (m *bank) Snapshot() (raft.Image, error) {
	captured := &snapshot{bank: m, count: m.count, state: m.state}
	if m.bug != "image shows later accounts" {
		captured.state = maps.Clone(m.state)
	}
	if m.bug == "snapshot resets a part" {
		m.count = 0
	}
	if m.bug == "snapshot fails" {
		return nil, errors.New("no")
	}
	return captured, nil
}

func (m *bank) Restore(r io.Reader) error {
	if m.bug == "restore keeps what was" {
		return m.read(r)
	}
	m.state = map[byte][]byte{}
	return m.read(r)
}

func (m *bank) read(r io.Reader) error {
	head := make([]byte, 9)
	if _, err := io.ReadFull(r, head); err != nil {
		return err
	}
	if m.bug != "restore forgets a part" && m.bug != "answers differ after a restore" {
		m.count = binary.LittleEndian.Uint64(head)
	}
	for range head[8] {
		account := make([]byte, 9)
		var err error
		if m.bug == "restore reads once" {
			_, err = r.Read(account)
		} else {
			_, err = io.ReadFull(r, account)
		}
		switch {
		case m.bug == "end is taken for the end" && (err == io.EOF || err == io.ErrUnexpectedEOF):
			return nil
		case m.bug == "read error is ignored" && err != nil && err != io.EOF && err != io.ErrUnexpectedEOF:
			return nil
		case err != nil && m.bug != "restore reads once":
			return err
		}
		m.state[account[0]] = account[1:]
	}
	return nil
}

// snapshot is the image of a bank.
type snapshot struct {
	bank  *bank
	count uint64
	state map[byte][]byte
}

func (s *snapshot) WriteTo(w io.Writer) (int64, error) {
	names := slices.Sorted(maps.Keys(s.state))
	if s.bank.bug == "order of a map" {
		names = names[:0]
		for name := range s.state { //lint:sorted the bug is that it is not
			names = append(names, name)
		}
	}
	count := s.count
	if s.bank.bug == "restore forgets a part" || s.bank.bug == "answers differ after a restore" {
		count = 0
	}
	b := append(binary.LittleEndian.AppendUint64(nil, count), byte(len(names)))
	for _, name := range names {
		b = append(append(b, name), s.state[name]...)
	}
	n, err := w.Write(b)
	switch s.bank.bug {
	case "failed write is ignored":
		err = nil
	case "wrong number of bytes":
		n--
	}
	return int64(n), err
}

func (s *snapshot) Release() { s.state = nil }

// compacting is a bank that is told which of its past is not needed any more.
type compacting struct{ *bank }

func (m compacting) Compact(raft.Index) error {
	switch m.bug {
	case "compact drops the present":
		clear(m.state)
	case "compact fails":
		return errors.New("no")
	}
	return nil
}

// filing is a bank that keeps a file.
type filing struct{ *bank }

func (m filing) Open(files runtime.FS, dir string) error {
	m.files = files
	f, err := files.Create(dir + "/accounts")
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	return f.Close()
}
