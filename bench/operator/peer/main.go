// The smallest operator of controller-runtime that does a part of what ours does: it watches both
// kinds and writes into each one's status that it has seen it. Without a limit of requests a
// second, with as many workers as ours, and with specs kept as the bytes they are: the least that
// it can cost.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Resource is a SearchIndex or a SourceBinding, told apart by Kind.
type Resource[Kind any] struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              runtime.RawExtension `json:"spec"`
	Status            struct {
		ObservedGeneration int64  `json:"observedGeneration,omitempty"`
		Message            string `json:"message,omitempty"`
	} `json:"status"`
}

// ResourceList is a list of them.
type ResourceList[Kind any] struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []Resource[Kind] `json:"items"`
}

func (in *Resource[Kind]) copy() Resource[Kind] {
	out := *in
	in.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	in.Spec.DeepCopyInto(&out.Spec)
	return out
}

// DeepCopyObject is asked for by the scheme.
func (in *Resource[Kind]) DeepCopyObject() runtime.Object {
	out := in.copy()
	return &out
}

// DeepCopyObject is asked for by the scheme.
func (in *ResourceList[Kind]) DeepCopyObject() runtime.Object {
	out := *in
	in.ListMeta.DeepCopyInto(&out.ListMeta)
	out.Items = make([]Resource[Kind], len(in.Items))
	for i := range in.Items {
		out.Items[i] = in.Items[i].copy()
	}
	return &out
}

// follow has one kind reconciled. Each start is a line: microseconds since 1970, then the object.
func follow[Kind any](manager ctrl.Manager, version schema.GroupVersion, kind string) error {
	scheme := manager.GetScheme()
	scheme.AddKnownTypeWithName(version.WithKind(kind), &Resource[Kind]{})
	scheme.AddKnownTypeWithName(version.WithKind(kind+"List"), &ResourceList[Kind]{})
	look := func(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
		fmt.Printf("%d %s %s\n", time.Now().UnixMicro(), kind, request.NamespacedName)
		var object Resource[Kind]
		if err := manager.GetClient().Get(ctx, request.NamespacedName, &object); err != nil {
			return ctrl.Result{}, client.IgnoreNotFound(err)
		}
		if object.Status.ObservedGeneration == object.Generation {
			return ctrl.Result{}, nil
		}
		before := object.copy()
		object.Status.ObservedGeneration = object.Generation
		object.Status.Message = "seen"
		return ctrl.Result{}, manager.GetClient().Status().Patch(ctx, &object, client.MergeFrom(&before))
	}
	return ctrl.NewControllerManagedBy(manager).Named(kind).
		For(&Resource[Kind]{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: 8}).
		Complete(reconcile.Func(look))
}

type (
	searchIndex   struct{}
	sourceBinding struct{}
)

func run(namespace string) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	config.QPS = -1
	manager, err := ctrl.NewManager(config, ctrl.Options{
		LeaderElection: true, LeaderElectionID: "peer", LeaderElectionNamespace: namespace,
		Metrics: server.Options{BindAddress: "127.0.0.1:0"},
	})
	if err != nil {
		return err
	}
	version := schema.GroupVersion{Group: "searchsync.io", Version: "v1alpha1"}
	metav1.AddToGroupVersion(manager.GetScheme(), version)
	if err := follow[searchIndex](manager, version, "SearchIndex"); err != nil {
		return err
	}
	if err := follow[sourceBinding](manager, version, "SourceBinding"); err != nil {
		return err
	}
	return manager.Start(ctrl.SetupSignalHandler())
}

func main() {
	namespace := flag.String("lease-namespace", "default", "where its Lease is")
	flag.Parse() // controller-runtime's own --kubeconfig as well
	log.SetLogger(zap.New(zap.WriteTo(os.Stderr)))
	if err := run(*namespace); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}
