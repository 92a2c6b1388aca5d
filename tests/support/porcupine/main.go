// Judges histories of registers under cache semantics with Porcupine: the test holds loadgen's checkers against it.
//
// A line of standard input is a history, {"strict": false, "records": [record, …]}, and a record is [op, key, value,
// expected, call, return, outcome]. The answer is a line for each: {"illegal": [keys]}. The model is written from
// docs/HISTORY.md alone.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"sort"

	"github.com/anishathalye/porcupine"
)

const (
	read   = 0
	write  = 1
	remove = 2
	add    = 3
	cas    = 4
)

const (
	done    = 0
	undone  = 1
	unknown = 2
	miss    = 3
)

type operation struct {
	op, value, expected, outcome uint64
}

type history struct {
	Strict  bool       `json:"strict"`
	Records [][7]int64 `json:"records"`
}

// after returns what the register may hold after an operation that takes effect while it holds `held`; nothing where
// the operation cannot take effect then. 0 is the absent key.
func after(held uint64, o operation) []uint64 {
	missed := o.outcome == miss
	switch o.op {
	case read:
		if missed && held == 0 || !missed && held == o.value {
			return []uint64{held}
		}
	case write:
		return []uint64{o.value}
	case remove:
		if !missed || held == 0 {
			return []uint64{0}
		}
	case add:
		if missed && held != 0 {
			return []uint64{held}
		}
		if !missed && held == 0 {
			return []uint64{o.value}
		}
	case cas:
		if held == o.expected {
			return []uint64{o.value}
		}
	}
	return nil
}

func model(strict bool) porcupine.Model {
	return (&porcupine.NondeterministicModel{
		Init: func() []interface{} { return []interface{}{uint64(0)} },
		Step: func(state, input, output interface{}) []interface{} {
			held, o := state.(uint64), input.(operation)
			before := []uint64{held}
			if !strict && held != 0 {
				before = append(before, 0) // evicted
			}
			found := map[uint64]bool{}
			for _, each := range before {
				for _, then := range after(each, o) {
					found[then] = true
				}
				if o.outcome == unknown {
					found[each] = true // it never takes effect
				}
			}
			states := []interface{}{}
			for each := range found {
				states = append(states, each)
			}
			return states
		},
		Equal: func(a, b interface{}) bool { return a == b },
	}).ToModel()
}

func illegal(h history) []int64 {
	operations := map[int64][]porcupine.Operation{}
	for client, r := range h.Records {
		o := operation{uint64(r[0]), uint64(r[2]), uint64(r[3]), uint64(r[6])}
		end := r[5]
		if o.outcome == unknown {
			end = math.MaxInt64
		}
		changesNothing := o.outcome == undone || o.outcome == unknown && o.op == read ||
			o.outcome == miss && (o.op == write || o.op == cas)
		if changesNothing {
			continue
		}
		operations[r[1]] = append(operations[r[1]], porcupine.Operation{
			ClientId: client, Input: o, Call: r[4], Output: nil, Return: end,
		})
	}
	keys := []int64{}
	for key, found := range operations {
		if !porcupine.CheckOperations(model(h.Strict), found) {
			keys = append(keys, key)
		}
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i] < keys[j] })
	return keys
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		var h history
		if err := json.Unmarshal(lines.Bytes(), &h); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		answer, _ := json.Marshal(map[string][]int64{"illegal": illegal(h)})
		fmt.Println(string(answer))
	}
}
