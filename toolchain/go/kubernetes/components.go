package main

import (
	"context"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/embed"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/rest"
	cliflag "k8s.io/component-base/cli/flag"
	apiserverapp "k8s.io/kubernetes/cmd/kube-apiserver/app"
	apiserveroptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	managerapp "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxyapp "k8s.io/kubernetes/cmd/kube-proxy/app"
	schedulerapp "k8s.io/kubernetes/cmd/kube-scheduler/app"
	scheduleroptions "k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	kubeletapp "k8s.io/kubernetes/cmd/kubelet/app"
)

// etcd has one flag, --config-file: its others are read by a part that is not to be imported.
func etcd(ctx context.Context, flags []string, ready func()) error {
	set := pflag.NewFlagSet("etcd", pflag.ContinueOnError)
	file := set.String("config-file", "", "path of the configuration")
	if err := set.Parse(flags); err != nil {
		return err
	}
	config, err := embed.ConfigFromFile(*file)
	if err != nil {
		return err
	}
	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	defer server.Close()
	select {
	case <-server.Server.ReadyNotify():
		ready()
	case err := <-server.Err():
		return err
	case <-ctx.Done():
		return nil
	}
	select {
	case err := <-server.Err():
		return err
	case <-server.Server.StopNotify():
	case <-ctx.Done():
	}
	return nil
}

// apiServer does what the command does, which takes hold of the process's signals as only one
// component may.
func apiServer(ctx context.Context, flags []string, ready func()) error {
	options := apiserveroptions.NewServerRunOptions()
	if err := set(options.Flags(), flags); err != nil {
		return err
	}
	if err := options.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}
	completed, err := options.Complete(ctx)
	if err != nil {
		return err
	}
	if errs := completed.Validate(); len(errs) != 0 {
		return utilerrors.NewAggregate(errs)
	}
	config, err := apiserverapp.NewConfig(completed)
	if err != nil {
		return err
	}
	whole, err := config.Complete()
	if err != nil {
		return err
	}
	server, err := apiserverapp.CreateServerChain(whole)
	if err != nil {
		return err
	}
	prepared, err := server.PrepareRun()
	if err != nil {
		return err
	}
	loopback := server.GenericAPIServer.LoopbackClientConfig
	client, err := rest.HTTPClientFor(loopback)
	if err != nil {
		return err
	}
	go func() {
		if answers(ctx, client, loopback.Host+"/readyz") {
			ready()
		}
	}()
	return prepared.Run(ctx)
}

// answers waits until the API server says that it is ready. The first time that is seconds after it
// listens: it makes the roles of the other components, who would fail without them.
func answers(ctx context.Context, client *http.Client, url string) bool {
	for ctx.Err() == nil {
		if response, err := client.Get(url); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return true
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return false
}

func controllerManager(ctx context.Context, flags []string, ready func()) error {
	ready()
	return execute(ctx, managerapp.NewControllerManagerCommand(), flags)
}

// scheduler does what the command does, but for the signals; see apiServer.
func scheduler(ctx context.Context, flags []string, ready func()) error {
	options := scheduleroptions.NewOptions()
	if err := set(*options.Flags, flags); err != nil {
		return err
	}
	if err := options.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}
	config, configured, err := schedulerapp.Setup(ctx, options)
	if err != nil {
		return err
	}
	ready()
	return schedulerapp.Run(ctx, config, configured)
}

// kubelet is the one whose command has the process's signals.
func kubelet(ctx context.Context, flags []string, ready func()) error {
	ready()
	return execute(ctx, kubeletapp.NewKubeletCommand(ctx), flags)
}

func proxy(ctx context.Context, flags []string, ready func()) error {
	ready()
	return execute(ctx, proxyapp.NewProxyCommand(), flags)
}

// execute runs the command of a component. Some end with the process alone, so none is waited for
// once the context has ended.
func execute(ctx context.Context, command *cobra.Command, flags []string) error {
	command.SetGlobalNormalizationFunc(cliflag.WordSepNormalizeFunc)
	command.SilenceUsage, command.SilenceErrors = true, true
	command.SetArgs(flags)
	ended := make(chan error, 1)
	go func() { ended <- command.ExecuteContext(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return nil
	}
}

// set sets the options behind sets of flags.
func set(sets cliflag.NamedFlagSets, flags []string) error {
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	all.SetNormalizeFunc(cliflag.WordSepNormalizeFunc)
	for _, some := range sets.FlagSets {
		all.AddFlagSet(some)
	}
	return all.Parse(flags)
}
