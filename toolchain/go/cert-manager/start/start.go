// Package start does what the programs of cert-manager have in common: they take flags over
// defaults, check the result, set up logs and feature gates, and run until they are told to stop.
package start

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	logsapi "k8s.io/component-base/logs/api/v1"

	"github.com/cert-manager/cert-manager/internal/apis/config/shared"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
	"github.com/cert-manager/cert-manager/pkg/util/feature"
)

// Program is one program with a configuration of type C, which is held by Config.
type Program[C any] struct {
	Name   string
	Config *C
	// Flags registers flags that set fields of Config; their defaults are its current values.
	Flags    func(*pflag.FlagSet)
	Validate func(*C, *field.Path) field.ErrorList
	Logging  *logsapi.LoggingConfiguration
	Gates    *map[string]bool
	Run      func(context.Context) error
}

// Main runs the program and ends the process.
func (p *Program[C]) Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	logf.InitLogs()
	err := p.main(logf.NewContext(ctx, logf.Log, p.Name))
	stop()
	logf.FlushLogs()
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintf(os.Stderr, "%s: %v\n", p.Name, err)
		os.Exit(1)
	}
}

func (p *Program[C]) main(ctx context.Context) error {
	flags := pflag.NewFlagSet(p.Name, pflag.ContinueOnError)
	version := flags.Bool("version", false, "print the version")
	p.Flags(flags)
	if err := flags.Parse(os.Args[1:]); errors.Is(err, pflag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if *version {
		fmt.Println(util.AppVersion)
		return nil
	}
	if err := p.Validate(p.Config, nil).ToAggregate(); err != nil {
		return err
	}
	if err := logf.ValidateAndApply(p.Logging); err != nil {
		return err
	}
	if err := feature.DefaultMutableFeatureGate.SetFromMap(*p.Gates); err != nil {
		return err
	}
	return p.Run(ctx)
}

// Default fills a configuration with its defaults, which are known for its versioned form.
func Default(scheme *runtime.Scheme, versioned runtime.Object, into any) error {
	scheme.Default(versioned)
	return scheme.Convert(versioned, into, nil)
}

// Must ends the process for an error that no configuration can cause.
func Must(err error) {
	if err != nil {
		panic(err)
	}
}

// LeaderElectionFlags registers the flags of the leader election that the chart sets.
func LeaderElectionFlags(flags *pflag.FlagSet, c *shared.LeaderElectionConfig) {
	flags.BoolVar(&c.Enabled, "leader-elect", c.Enabled, "work only as the elected one of several")
	flags.StringVar(&c.Namespace, "leader-election-namespace", c.Namespace, "namespace of the Lease")
	flags.DurationVar(&c.LeaseDuration, "leader-election-lease-duration", c.LeaseDuration,
		"how long a silent leader is waited for")
	flags.DurationVar(&c.RenewDeadline, "leader-election-renew-deadline", c.RenewDeadline,
		"how long a leader tries to stay one")
	flags.DurationVar(&c.RetryPeriod, "leader-election-retry-period", c.RetryPeriod,
		"time between two tries")
}
