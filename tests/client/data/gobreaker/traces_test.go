// Records what gobreaker v2 does with random calls, in the virtual time of testing/synctest:
//
//	go test -run Record -count 1 . && gzip -9n traces.txt && mv traces.txt.gz ../gobreaker_traces.txt.gz
//
// A line of traces.txt is one breaker: the number of its settings, then steps. +N: N ms pass. b.: a call began, bo: it was
// refused as the breaker is open, bt: as there are too many. sN, fN, xN: the Nth call that began ended, with success,
// failure, or an excluded error. ?S:…: State() is S and Counts() are requests, successes, failures, exclusions, consecutive
// successes and consecutive failures. >AB after a step: the step brought a change from state A to state B.
package traces

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	traces = 320
	steps  = 150
)

var (
	errFailed   = errors.New("failed")
	errExcluded = errors.New("excluded")
)

func ratio(least uint32, share float64) func(gobreaker.Counts) bool {
	return func(c gobreaker.Counts) bool {
		return c.Requests >= least && float64(c.TotalFailures)/float64(c.Requests) >= share
	}
}

// The same as SETTINGS in tests/client/test_breaker.py.
var settings = []gobreaker.Settings{
	{},
	{MaxRequests: 3, Interval: 30 * time.Second, BucketPeriod: 10 * time.Second, Timeout: 5 * time.Second, ReadyToTrip: ratio(10, 0.3)},
	{MaxRequests: 2, Interval: 10 * time.Second, Timeout: 3 * time.Second,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures > 2 }},
	{MaxRequests: 1, Interval: 7 * time.Second, BucketPeriod: 2 * time.Second, Timeout: time.Second, ReadyToTrip: ratio(4, 0.5)},
	{MaxRequests: 5, Interval: time.Second, BucketPeriod: time.Second, Timeout: 2 * time.Second,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.TotalFailures >= 3 }},
}

// Lengths of sleeps in ms: many are exactly a period, an interval or a timeout, where the rules change sides.
var sleeps = []int{1, 10, 100, 500, 999, 1000, 1001, 2000, 2001, 3000, 3001, 5000, 5001, 7000, 10000, 10001, 30000, 60000, 60001}

func record(number int, seed uint64, out *bufio.Writer) {
	random := rand.New(rand.NewPCG(seed, uint64(number)))
	st := settings[number]
	st.IsExcluded = func(err error) bool { return errors.Is(err, errExcluded) }
	changes := ""
	st.OnStateChange = func(_ string, from, to gobreaker.State) { changes += fmt.Sprintf(" >%d%d", from, to) }
	breaker := gobreaker.NewTwoStepCircuitBreaker[any](st)
	failing := random.Float64()
	open := map[int]func(error){}
	var order []int
	begun := 0
	fmt.Fprintf(out, "%d", number)
	for range steps {
		step := ""
		switch draw := random.IntN(100); {
		case draw < 18:
			ms := sleeps[random.IntN(len(sleeps))]
			if random.IntN(3) > 0 {
				ms = sleeps[random.IntN(6)]
			}
			time.Sleep(time.Duration(ms) * time.Millisecond)
			step = fmt.Sprintf("+%d", ms)
			if random.IntN(12) == 0 {
				failing = random.Float64()
			}
		case draw < 55:
			done, err := breaker.Allow()
			switch {
			case err == nil:
				step = "b."
				open[begun] = done
				order = append(order, begun)
				begun++
			case errors.Is(err, gobreaker.ErrOpenState):
				step = "bo"
			default:
				step = "bt"
			}
		case draw < 90 && len(order) > 0:
			at := random.IntN(len(order))
			call := order[at]
			order = append(order[:at], order[at+1:]...)
			switch end := random.Float64(); {
			case end < 0.1:
				step = fmt.Sprintf("x%d", call)
				open[call](errExcluded)
			case end < 0.1+0.9*failing:
				step = fmt.Sprintf("f%d", call)
				open[call](errFailed)
			default:
				step = fmt.Sprintf("s%d", call)
				open[call](nil)
			}
		default:
			state := breaker.State()
			c := breaker.Counts()
			step = fmt.Sprintf("?%d:%d,%d,%d,%d,%d,%d", state, c.Requests, c.TotalSuccesses, c.TotalFailures,
				c.TotalExclusions, c.ConsecutiveSuccesses, c.ConsecutiveFailures)
		}
		fmt.Fprintf(out, " %s%s", step, changes)
		changes = ""
	}
	fmt.Fprintln(out)
}

func TestRecord(t *testing.T) {
	file, err := os.Create("traces.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewWriter(file)
	for seed := range uint64(traces) {
		for number := range settings {
			synctest.Test(t, func(*testing.T) { record(number, seed, out) })
		}
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
