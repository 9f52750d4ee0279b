// Package scenarios declares which runs exist, and runs them.
//
// A [Setup] is everything a run depends on: seed, nodes, faults, workload. The
// same Setup gives the same [Result], digest and all. A run has three phases:
//
//  1. Chaos: clients work while the faults of the Setup strike, until the work
//     is done and every kind of fault asked for has struck.
//  2. A random core, a quorum and not more, is healed; the rest stays as broken
//     as it is, for good. The core must finish new work and converge within
//     bounds of virtual time.
//  3. The oracles' final look at everything.
//
// An operation is one intention of a client. A refusal is no answer: the client
// tries again, elsewhere, until its deadline. An unknown outcome ends it, and it
// is never tried again, since it may yet take effect.
package scenarios
