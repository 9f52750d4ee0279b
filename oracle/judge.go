package oracle

import (
	"cmp"
	"math"
	"slices"

	"github.com/anishathalye/porcupine"

	"github.com/octopii-go/octopii/runtime"
)

// Operation is one call as its client saw it.
type Operation struct {
	Client   uint64
	Request  []byte
	Response []byte          // if done
	Outcome  runtime.Outcome // done or unknown; a refused call is no operation
	// Start and End place the call and its answer in one order of everything
	// that happened. End counts only if the outcome is done.
	Start, End uint64
}

// Verdict is what became of a question.
type Verdict uint8

// The verdicts. The zero Verdict is invalid.
const (
	Linearizable Verdict = iota + 1
	NotLinearizable
	Undecided // within the steps that were allowed
)

// stepsMax bounds how often the model may be tried on one part of a history. It
// counts steps, not time: the verdict is the same on every machine.
const stepsMax = 1 << 18

// never ends an operation that may still take effect at any time.
const never = math.MaxInt64

// Judge decides whether a history is linearizable: whether the operations can be
// put in one order, each between its start and its end, in which a new
// model gives every response. It goes by what clients saw and nothing else.
// An operation of unknown outcome may take effect at any time after its
// start, or seem never to have.
func Judge(model func() Model, history []Operation) Verdict {
	parts := map[uint64][]observed{}
	initial := model()
	for _, op := range history {
		o := observed{client: op.Client, request: op.Request, start: op.Start, end: never}
		if op.Outcome == runtime.Done {
			o.end, o.response, o.done = op.End, runtime.HashBytes(0, op.Response), true
		}
		part := partition(initial, op.Request)
		parts[part] = append(parts[part], o)
	}
	verdict := Linearizable
	for _, part := range parts { //lint:sorted the worst verdict counts, whichever comes first
		verdict = worse(verdict, judge(initial, part))
	}
	return verdict
}

func worse(a, b Verdict) Verdict {
	if a == NotLinearizable || b == NotLinearizable {
		return NotLinearizable
	}
	return max(a, b)
}

// observed is an operation for porcupine, the response by its hash.
type observed struct {
	client     uint64
	request    []byte
	response   uint64
	done       bool
	start, end uint64
}

// judge asks porcupine about operations of one part, from a state on.
func judge(initial Model, ops []observed) Verdict {
	slices.SortStableFunc(ops, func(a, b observed) int { return cmp.Compare(a.start, b.start) })
	history := make([]porcupine.Operation, len(ops))
	for i := range ops {
		history[i] = porcupine.Operation{
			ClientId: int(ops[i].client),
			Input:    &ops[i],
			Output:   &ops[i],
			Call:     int64(ops[i].start),
			Return:   int64(ops[i].end),
		}
	}
	steps := 0
	model := porcupine.Model{
		Init: func() any { return initial },
		Step: func(state, input, _ any) (bool, any) {
			if steps++; steps > stepsMax {
				return false, state
			}
			op, next := input.(*observed), state.(Model).Clone()
			response := next.Apply(op.request)
			return !op.done || runtime.HashBytes(0, response) == op.response, next
		},
		Equal: func(a, b any) bool { return a.(Model).Hash() == b.(Model).Hash() },
		Hash:  func(state any) uint64 { return state.(Model).Hash() },
	}
	if porcupine.CheckOperations(model, history) {
		return Linearizable
	}
	if steps > stepsMax {
		return Undecided
	}
	return NotLinearizable
}
