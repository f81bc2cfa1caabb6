// Command kubernetes is all components of a Kubernetes node in one program:
//
//	kubernetes COMPONENT [FLAG...] [-- COMPONENT [FLAG...]]...
//
// runs the named components in one process, each with its own flags. They share their code, and what
// it sets up when it starts: most of the memory of a small cluster. A component starts as soon as the
// one before it is ready, and the process ends with the first component that does.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // time zones of CronJobs

	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // metrics of the API's clients
	_ "k8s.io/component-base/metrics/prometheus/version"  // the version as a metric
	"k8s.io/component-base/version"
	"k8s.io/klog/v2"
)

const usage = "usage: kubernetes COMPONENT [FLAG...] [-- COMPONENT [FLAG...]]..."

// A component runs until the context ends. It calls ready, once, when what comes after it may start.
type component func(ctx context.Context, flags []string, ready func()) error

var components = map[string]component{
	"etcd":                    etcd,
	"kube-apiserver":          apiServer,
	"kube-controller-manager": controllerManager,
	"kube-proxy":              proxy,
	"kube-scheduler":          scheduler,
	"kubelet":                 kubelet,
}

type part struct {
	name  string
	flags []string
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println("Kubernetes", version.Get())
		return
	}
	parts, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
	// Each component sets up logs; all but the first find it done.
	logsapi.ReapplyHandling = logsapi.ReapplyHandlingIgnoreUnchanged
	logs.InitLogs()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, parts)
	stop()
	logs.FlushLogs()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// parse splits the command line into components with their flags.
func parse(words []string) ([]part, error) {
	var parts []part
	naming := true
	for _, word := range words {
		switch {
		case word == "--":
			naming = true
		case !naming:
			last := &parts[len(parts)-1]
			last.flags = append(last.flags, word)
		case components[word] == nil:
			return nil, fmt.Errorf("no component is called %q; %s", word, usage)
		default:
			parts = append(parts, part{name: word})
			naming = false
		}
	}
	if naming {
		return nil, errors.New(usage)
	}
	return parts, nil
}

// run starts the components in turn. It returns when one has ended by itself, or all have with the
// context.
func run(ctx context.Context, parts []part) error {
	ended := make(chan error)
	for _, p := range parts {
		klog.InfoS("Starting", "component", p.name)
		ready := make(chan struct{})
		go func() { ended <- p.run(ctx, func() { close(ready) }) }()
		select {
		case <-ready:
		case err := <-ended:
			return err
		}
	}
	for range parts {
		if err := <-ended; err != nil {
			return err
		}
	}
	return nil
}

func (p part) run(ctx context.Context, ready func()) error {
	named := klog.NewContext(ctx, klog.LoggerWithName(klog.Background(), p.name))
	err := components[p.name](named, p.flags, ready)
	switch {
	case ctx.Err() != nil:
		return nil
	case err == nil:
		return fmt.Errorf("%s has ended", p.name)
	default:
		return fmt.Errorf("%s: %w", p.name, err)
	}
}
