package scheduler

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/go-logr/logr"
	v1 "k8s.io/api/core/v1"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"
)

type question struct {
	Op string `json:"op"`
	objects
	Pod  *v1.Pod  `json:"pod"`
	Old  *v1.Pod  `json:"old"`
	Node *v1.Node `json:"node"`
}

// TestOracle answers the questions on standard input.
func TestOracle(t *testing.T) {
	if os.Getenv("TONNAGE_ORACLE") == "" {
		t.Skip("TONNAGE_ORACLE is not set")
	}
	klog.SetLogger(logr.Discard())
	utilruntime.ErrorHandlers = nil
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	encoder := json.NewEncoder(out)
	var current *cluster
	defer func() {
		if current != nil {
			current.stop()
		}
	}()
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		var asked question
		if err := json.Unmarshal(line, &asked); err != nil {
			t.Fatal(fmt.Errorf("question %.200s: %w", line, err))
		}
		reply, err := respond(&current, &asked)
		if err != nil {
			reply = &answer{Error: err.Error()}
		}
		if err := encoder.Encode(reply); err != nil {
			t.Fatal(err)
		}
		if err := out.Flush(); err != nil {
			t.Fatal(err)
		}
	}
}

func respond(current **cluster, asked *question) (any, error) {
	if asked.Op == "cluster" {
		if *current != nil {
			(*current).stop()
		}
		made, err := newCluster(&asked.objects)
		*current = made
		return struct{}{}, err
	}
	c := *current
	if c == nil {
		return nil, fmt.Errorf("%s: must come after a cluster", asked.Op)
	}
	for _, pod := range []*v1.Pod{asked.Pod, asked.Old} {
		if pod != nil {
			if err := admit(pod); err != nil {
				return nil, err
			}
		}
	}
	switch asked.Op {
	case "schedule":
		return c.schedule(asked.Pod)
	case "bind":
		c.sched.SchedulingQueue.Delete(c.logger, asked.Pod)
		return struct{}{}, c.sched.Cache.AddPod(c.logger, asked.Pod)
	case "remove":
		return struct{}{}, c.sched.Cache.RemovePod(c.logger, asked.Pod)
	case "update":
		return struct{}{}, c.sched.Cache.UpdatePod(c.logger, asked.Old, asked.Pod)
	case "nominate":
		return struct{}{}, c.nominate(asked.Pod)
	case "addNode":
		c.sched.Cache.AddNode(c.logger, defaulted(asked.Node))
		c.nodes[asked.Node.Name] = asked.Node
		return struct{}{}, nil
	case "updateNode":
		c.sched.Cache.UpdateNode(c.logger, c.nodes[asked.Node.Name], defaulted(asked.Node))
		c.nodes[asked.Node.Name] = asked.Node
		return struct{}{}, nil
	case "removeNode":
		delete(c.nodes, asked.Node.Name)
		return struct{}{}, c.sched.Cache.RemoveNode(c.logger, asked.Node)
	}
	return nil, fmt.Errorf("%q: must be a known op", asked.Op)
}
