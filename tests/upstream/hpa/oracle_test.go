package hpa

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"testing"
	"testing/synctest"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

// TestOracle answers the questions on standard input; without a kind of question it has nothing to do.
func TestOracle(t *testing.T) {
	klog.SetLogger(logr.Discard())
	switch kind := os.Getenv("TONNAGE_ORACLE"); kind {
	case "":
		t.Skip("TONNAGE_ORACLE is not set")
	case "calculator":
		// One bubble for all: its clock stands still, because nothing in it ever sleeps.
		synctest.Test(t, func(t *testing.T) { answer(t, calculate) })
	case "controller":
		answer(t, func(question scenario) transcript { return play(t, question) })
	case "object":
		answer(t, admit)
	default:
		t.Fatalf("unknown TONNAGE_ORACLE %q", kind)
	}
}

// answer reads questions until the input ends and writes the answer to each.
func answer[Q, A any](t *testing.T, respond func(Q) A) {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 1 {
			var question Q
			if err := json.Unmarshal(line, &question); err != nil {
				t.Fatal(fmt.Errorf("question %.200s: %w", line, err))
			}
			if err := encoder.Encode(respond(question)); err != nil {
				t.Fatal(err)
			}
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
