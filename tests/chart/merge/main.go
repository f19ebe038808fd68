// helm-merge upgrades objects as Helm 3 and `kubectl apply` do: by a strategic three-way merge on the client's side.
//
// It reads JSON lines `{"from": object, "to": object}` and writes for each the object that the cluster then has. Not here: what
// the API server adds, and immutable fields.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"
)

type upgrade struct {
	From json.RawMessage `json:"from"`
	To   json.RawMessage `json:"to"`
}

type kind struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

// merged is the object after the upgrade.
func merged(one upgrade) ([]byte, error) {
	var about kind
	if err := json.Unmarshal(one.To, &about); err != nil {
		return nil, err
	}
	object, err := scheme.Scheme.New(schema.FromAPIVersionAndKind(about.APIVersion, about.Kind))
	if err != nil {
		return nil, err
	}
	meta, err := strategicpatch.NewPatchMetaFromStruct(object)
	if err != nil {
		return nil, err
	}
	// The cluster has what the last upgrade wrote.
	patch, err := strategicpatch.CreateThreeWayMergePatch(one.From, one.To, one.From, meta, true)
	if err != nil {
		return nil, err
	}
	return strategicpatch.StrategicMergePatchUsingLookupPatchMeta(one.From, patch, meta)
}

func main() {
	in := json.NewDecoder(os.Stdin)
	for {
		var one upgrade
		err := in.Decode(&one)
		if errors.Is(err, io.EOF) {
			return
		}
		var after []byte
		if err == nil {
			after, err = merged(one)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "helm-merge:", err)
			os.Exit(1)
		}
		fmt.Println(string(after))
	}
}
