// Enforces NetworkPolicies: kube-network-policies decides about each new connection that a rule of iptables queues.
// Its own program reads the account of a pod, and this one runs outside of pods. Arguments: kubeconfig, name of the machine, number of the queue.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 3 {
		return fmt.Errorf("usage: kube-network-policies KUBECONFIG MACHINE QUEUE")
	}
	queue, err := strconv.Atoi(arguments[2])
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", arguments[0])
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx := context.Background()
	all := informers.NewSharedInformerFactory(client, 0)
	controller, err := networkpolicy.NewController(client, all.Networking().V1().NetworkPolicies(), all.Core().V1().Namespaces(),
		all.Core().V1().Pods(), nil, nil, nil, nil, networkpolicy.Config{NodeName: arguments[1], QueueID: queue})
	if err != nil {
		return err
	}
	all.Start(ctx.Done())
	return controller.Run(ctx)
}
