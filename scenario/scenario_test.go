// Package scenario plays random sequences of what hospitals, municipalities and institutions do over the
// gateway's wires, from outside: the binary as a process, everybody's systems as servers,
// messages that none of its encoders made. A model says who must know what, and who must not.
package scenario

import (
	"flag"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	seedFlag = flag.Uint64("scenario.seed", 1, "seed of the sequences; 0 draws one")
	onlyFlag = flag.Int("scenario.only", -1, "the one sequence to play")
	manyFlag = flag.Int("scenario.sequences", 0, "how many; 0: 60")
)

// atOnce is how many sequences run at the same time.
const atOnce = 24

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// TestScenarios_EverybodyKnowsWhatTheyMust plays sequences and, after each, asks what each
// party was last told, who holds the handover, and whether a stranger was told (invariants
// 3, 6, 9 and 11).
func TestScenarios_EverybodyKnowsWhatTheyMust(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the gateway as a process: not with -short")
	}
	seed, many := *seedFlag, *manyFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	if many == 0 {
		many = 60
	}
	t.Logf("-scenario.seed=%d -scenario.sequences=%d", seed, many)
	w := newWorld(t)
	p := &player{t: t, w: w, seed: seed}
	p.reruns.Store(int64(many))
	began := time.Now()
	if *onlyFlag >= 0 {
		p.one(*onlyFlag)
	} else {
		p.all(many)
	}
	t.Logf("%d sequences, %d steps in %s", many, p.steps.Load(), time.Since(began).Round(time.Second))
	p.whole()
}

type player struct {
	t      *testing.T
	w      *world
	seed   uint64
	steps  atomic.Int64
	failed atomic.Int64
	reruns atomic.Int64
}

// failuresMax ends a run whose faults repeat.
const failuresMax = 8

func (p *player) all(many int) {
	var next atomic.Int64
	var playing sync.WaitGroup
	for range atOnce {
		playing.Go(func() {
			for n := next.Add(1) - 1; n < int64(many) && p.failed.Load() < failuresMax; n = next.Add(1) - 1 {
				p.one(int(n))
			}
		})
	}
	playing.Wait()
}

// one plays one sequence, and where it fails says which, with the fewest steps that still do.
func (p *player) one(n int) {
	steps := script(p.seed, uint64(n))
	s := newSequence(p.w, n)
	err := s.play(steps)
	p.steps.Add(int64(s.told))
	if err == nil {
		return
	}
	p.failed.Add(1)
	short, shortErr := p.shortest(n, steps, err)
	p.t.Errorf("sequence %d: %v\n\tsteps: %s\n\tshortest: %s: %v\n\trun alone with -scenario.seed=%d -scenario.only=%d", n, err, spell(steps),
		spell(short), shortErr, p.seed, n)
}

// shortest leaves out steps as long as what is left still fails. Each try has new patients.
func (p *player) shortest(n int, steps []step, err error) ([]step, error) {
	for i := 0; i < len(steps); {
		fewer := append(append([]step(nil), steps[:i]...), steps[i+1:]...)
		run := int(p.reruns.Add(6))/6*6 + n%6 // the same municipalities
		if e := newSequence(p.w, run).play(fewer); e != nil {
			steps, err = fewer, e
			continue
		}
		i++
	}
	return steps, err
}

func spell(steps []step) string {
	var out []string
	for _, s := range steps {
		out = append(out, s.kind+" ("+string(rune('0'+s.slot))+")")
	}
	return strings.Join(out, ", ")
}

// whole: the record balances and verifies at the end, and every receipt was taken.
func (p *player) whole() {
	p.w.receipts.Wait()
	for _, args := range [][]string{{"ledger", "balance"}, {"ledger", "verify"}} {
		if out, err := p.w.command(args...); err != nil {
			p.t.Errorf("stafett %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	for party, b := range p.w.boxes {
		b.mu.Lock()
		if b.late > 0 {
			p.w.fault("%s was told of strangers %d times after their sequences had ended", party, b.late)
		}
		b.mu.Unlock()
	}
	p.w.mu.Lock()
	for _, f := range p.w.faults {
		p.t.Error(f)
	}
	p.w.mu.Unlock()
	if err := p.w.stop(); err != nil {
		p.t.Errorf("the gateway ended with %v", err)
	}
}
