package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/octopii-go/octopii/raft/kv"
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/runtime/cluster"
)

// server answers clients.
type server struct {
	member  *cluster.Member
	timeout time.Duration
	client  uint64        // with seq, the id of a command: never the same twice
	seq     atomic.Uint64 // commands made so far
}

func newServer(member *cluster.Member, timeout time.Duration) *server {
	return &server{member: member, timeout: timeout, client: rand.Uint64()}
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /kv/{key}", s.put)
	mux.HandleFunc("GET /kv/{key}", s.get)
	mux.HandleFunc("DELETE /kv/{key}", s.remove)
	mux.HandleFunc("POST /kv/{key}/cas", s.swap)
	mux.HandleFunc("GET /status", s.status)
	registry := prometheus.NewRegistry()
	registry.MustRegister(s.member.Collector(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}

func (s *server) put(w http.ResponseWriter, r *http.Request) {
	value, err := io.ReadAll(http.MaxBytesReader(w, r.Body, kv.ValueMax))
	if err != nil {
		s.malformed(w, err)
		return
	}
	s.execute(w, r, kv.Command{Op: kv.Put, Value: value})
}

func (s *server) get(w http.ResponseWriter, r *http.Request) {
	s.execute(w, r, kv.Command{Op: kv.Get})
}

func (s *server) remove(w http.ResponseWriter, r *http.Request) {
	s.execute(w, r, kv.Command{Op: kv.Delete})
}

func (s *server) swap(w http.ResponseWriter, r *http.Request) {
	var body struct{ Old, New *string }
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4*kv.ValueMax))
	decoder.DisallowUnknownFields() // a misspelt "old" would be taken for one that was left out
	err := decoder.Decode(&body)
	if err == nil && decoder.More() {
		err = errors.New("more than one object")
	}
	if err == nil && body.New == nil {
		err = errors.New("new is missing")
	}
	if err != nil {
		s.malformed(w, err)
		return
	}
	cmd := kv.Command{Op: kv.CompareAndSwap, Value: []byte(*body.New), ExpectAbsent: body.Old == nil}
	if body.Old != nil {
		cmd.Expect = []byte(*body.Old)
	}
	s.execute(w, r, cmd)
}

// execute has the command done and answers with what came of it.
func (s *server) execute(w http.ResponseWriter, r *http.Request, cmd kv.Command) {
	cmd.Client, cmd.Seq, cmd.Key = s.client, s.seq.Add(1), []byte(r.PathValue("key"))
	if n := len(cmd.Key); n > kv.KeyMax || len(cmd.Value) > kv.ValueMax || len(cmd.Expect) > kv.ValueMax {
		s.malformed(w, fmt.Errorf("a key of %d and a value of %d bytes, at most %d and %d", n, len(cmd.Value), kv.KeyMax, kv.ValueMax))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.timeout)
	defer cancel()
	var resp []byte
	var err error
	if cmd.Op == kv.Get {
		resp, err = s.member.Read(ctx, cmd.Append(nil), cluster.ReadOptions{})
	} else {
		resp, err = s.member.Propose(ctx, cmd.Append(nil))
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	result, err := kv.DecodeResponse(resp)
	switch {
	case err != nil:
		s.answer(w, http.StatusInternalServerError, failure{Error: err.Error(), Outcome: runtime.Done.String()})
	case result.Status == kv.NotFound:
		s.answer(w, http.StatusNotFound, failure{Error: "no such key", Outcome: runtime.Done.String()})
	case result.Status == kv.Mismatch:
		s.answer(w, http.StatusConflict, failure{Error: "the key holds something else", Outcome: runtime.Done.String()})
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Write(result.Value) // an error is the client's, who has gone
	}
}

// failure is the body of an answer that is not what the client hoped for.
type failure struct {
	Error   string `json:"error"`
	Outcome string `json:"outcome,omitempty"`
	Leader  string `json:"leader,omitempty"`
}

// fail answers a request that was not done, as far as anybody knows.
func (s *server) fail(w http.ResponseWriter, err error) {
	outcome := cluster.OutcomeOf(err)
	f := failure{Error: err.Error(), Outcome: outcome.String()}
	var elsewhere *cluster.NotLeaderError
	switch {
	case outcome == runtime.Unknown:
		s.answer(w, http.StatusGatewayTimeout, f)
	case errors.As(err, &elsewhere) && elsewhere.Leader.ID != 0:
		f.Leader = elsewhere.Leader.Service
		s.answer(w, http.StatusMisdirectedRequest, f)
	case errors.Is(err, cluster.ErrTooLarge):
		s.answer(w, http.StatusRequestEntityTooLarge, f)
	default:
		s.answer(w, http.StatusServiceUnavailable, f)
	}
}

// malformed answers a request that makes no sense. It was not done.
func (s *server) malformed(w http.ResponseWriter, err error) {
	code := http.StatusBadRequest
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		code = http.StatusRequestEntityTooLarge
	}
	s.answer(w, code, failure{Error: err.Error(), Outcome: runtime.Refused.String()})
}

func (s *server) answer(w http.ResponseWriter, code int, f failure) {
	if f.Leader != "" {
		w.Header().Set("Leader", f.Leader)
	}
	writeJSON(w, code, f)
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(v) // an error is the client's, who has gone
}

// status is this member's view of itself and of the others.
func (s *server) status(w http.ResponseWriter, _ *http.Request) {
	st := s.member.Status()
	type peer struct {
		ID        runtime.NodeID `json:"id"`
		Addr      string         `json:"addr"`
		HTTP      string         `json:"http"`
		Connected bool           `json:"connected"`
	}
	peers := []peer{}
	for _, p := range st.Peers {
		peers = append(peers, peer{p.ID, p.Addr, p.Service, p.Connected})
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"cluster": st.Cluster, "id": st.ID, "engine": st.Engine, "addr": st.Addr, "running": st.Running,
		"recovery": st.Recovery.String(),
		"role":     st.Raft.Role.String(), "term": st.Raft.Term, "leader": st.Leader.ID, "leader_http": st.Leader.Service,
		"last": st.Raft.Last, "commit": st.Raft.Commit, "applied": st.Raft.Applied, "snapshot": st.Raft.Snapshot,
		"peers": peers,
	})
}
